"""Randomisers of motion, shutters and focus."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.draft import rows_of
from engine.errors import UserError
from engine.mounts import mounted
from engine.optics import Mount
from engine.randomize.kinds import randomizer
from engine.recipe import Rig
from engine.rig import authored_draft
from tests.engine.randomize_scene import SCENE, randomized, uniform
from tests.kernels.scenes import camera, pose, rig, scene

MOTION = {"kind": "motion", "per": "world", "instances": "*", "speed_m_s": uniform(1, 3), "azimuth_deg": 90,
          "elevation_deg": 30, "spin_deg_s": uniform(-90, 90), "spin_axis": [0, 0, 2], "together": False}  # fmt: skip
STILL = dict.fromkeys(("right_m_s", "up_m_s", "back_m_s", "pan_deg_s", "tilt_deg_s", "roll_deg_s"), 0.0)


def test_objects_move_where_azimuth_and_elevation_point_and_spin_about_the_axis():
    """Azimuth 90 is +y; the background stands still."""
    draft = randomized(SCENE, {"go": MOTION}, range(20))
    speed, spin = draft.drawn["p.go.speed_m_s"], draft.drawn["p.go.spin_deg_s"]
    expected = speed[..., None] * np.array([0.0, np.cos(np.pi / 6), 0.5])
    assert draft.instance_velocity_m_s[:, 1:] == pytest.approx(expected, abs=1e-12)
    assert draft.instance_spin_rad_s[:, 1:, 2] == pytest.approx(np.deg2rad(spin))
    assert not draft.instance_velocity_m_s[:, 0].any()
    assert np.unique(speed).size == speed.size  # each object for itself


def test_cameras_move_in_their_own_frames():
    """Forwards is along -Z of the pose, a pan turns about its up."""
    entry = {"kind": "camera_motion", "per": "world", "cameras": "*", **STILL, "back_m_s": -2.0, "pan_deg_s": 90.0}
    draft = randomized(SCENE, {"go": entry}, range(3))
    pose = draft.world_from_camera[:, 0]
    assert draft.camera_velocity_m_s[:, 0] == pytest.approx(-2.0 * pose[:, :, 2])
    assert draft.camera_spin_rad_s[:, 0] == pytest.approx(0.5 * np.pi * pose[:, :, 1])


def test_shutters_open_for_the_drawn_time_and_apertures_and_focus_are_the_drawn_ones():
    """The middle of the exposure stays."""
    shutter = {"kind": "camera_shutter", "per": "world", "cameras": "*", "exposure_s": uniform(0.001, 0.02)}
    focus = {"kind": "camera_focus", "per": "world", "cameras": "*", "f_stop": uniform(1, 8), "focus_m": 3.0}
    draft = randomized(SCENE, {"shutter": shutter, "focus": focus}, range(10))
    opening = draft.shutter_s[:, 0]
    assert opening[:, 1] - opening[:, 0] == pytest.approx(draft.drawn["p.shutter.exposure_s"])
    assert opening.sum(axis=1) == pytest.approx(0.0)
    assert draft.f_stop[:, 0] == pytest.approx(draft.drawn["p.focus.f_stop"])
    assert (draft.focus_distance_m == 3.0).all()


def test_a_spin_without_an_axis_is_refused():
    with pytest.raises(UserError, match=r"randomize\.x: spin_axis must be a direction, got \[0\.0, 0\.0, 0\.0\]"):
        randomizer("x", {**MOTION, "spin_axis": [0, 0, 0]})


@pytest.mark.parametrize(
    ("keys", "line"),
    [({"shutter_samples": 4}, "shutter_samples must be odd"), ({"shutter_s": (0.1, 0.0)}, "shutter_s must be")],
)
def test_a_shutter_that_cannot_be_is_refused(keys: dict[str, object], line: str):
    with pytest.raises(ValueError, match=line):
        Rig(("auto",), 8, 8, 1, 1, "direct", 0.0, (0.0, 0.0, 0.0), 0.0, 0.5, False, **keys)  # type: ignore[arg-type]


def test_a_mounted_camera_swings_with_its_carrier():
    """Its velocity is the carrier's and the spin's cross product with the arm between them."""
    mount = Mount(right_m=0.5, up_m=0.0, back_m=0.0, pan_deg=0.0, tilt_deg=0.0, roll_deg=0.0)
    setup = dataclasses.replace(rig(), mounts={"side": mount})
    draft = authored_draft(scene([]), setup, (camera(pose()),), np.zeros(1, np.int64), np.zeros(1, np.int32))
    draft.camera_velocity_m_s[:], draft.camera_spin_rad_s[:] = (0.0, 0.0, 1.0), (0.0, 2.0, 0.0)
    out = mounted(draft, setup)
    assert out.camera_velocity_m_s[0, 0] == pytest.approx([0.0, 0.0, 1.0 - 2.0 * 0.5])
    assert out.camera_spin_rad_s[0, 0] == pytest.approx([0.0, 2.0, 0.0])


def test_mounts_of_several_worlds_and_cameras_move_as_each_alone():
    """Three worlds, two carriers, two mounts: every velocity is that of its own carrier."""
    mount = Mount(right_m=0.5, up_m=0.25, back_m=0.0, pan_deg=90.0, tilt_deg=0.0, roll_deg=0.0)
    setup = dataclasses.replace(rig(), mounts={"side": mount, "other": dataclasses.replace(mount, right_m=-1.0)})
    cameras = tuple(dataclasses.replace(camera(pose()), name=f"/camera_{i}") for i in range(2))
    draft = authored_draft(scene([]), setup, cameras, np.arange(3), np.zeros(3, np.int32))
    draft.camera_spin_rad_s[:] = np.random.default_rng(0).uniform(-2, 2, (3, 2, 3))
    out = mounted(draft, setup)
    for row in range(3):
        alone = mounted(rows_of(draft, slice(row, row + 1)), setup)
        assert (out.camera_velocity_m_s[row] == alone.camera_velocity_m_s[0]).all()
    assert len(np.unique(out.camera_velocity_m_s.reshape(-1, 3), axis=0)) == 12
