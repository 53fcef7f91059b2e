"""Randomisers of cameras: where they stand and look, what they keep clear of, and how lenses scale."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.engine.randomize_scene import (
    CLEAR,
    JITTER,
    LOOK,
    SCENE,
    anchor,
    at,
    box_scene,
    randomized,
    uniform,
    world_corners,
)

ORBIT = {
    "kind": "camera_orbit",
    "per": "world",
    "cameras": "*",
    "around": "/W/*",
    "distance_m": 5.0,
    "azimuth_deg": uniform(0, 360),
    "elevation_deg": uniform(0, 80),
    "roll_deg": 0.0,
    "focal_mm": None,
    "clear": CLEAR,
}


def test_camera_look_stands_in_one_volume_and_looks_into_the_other():
    """Positions lie in an anchor's box, the target is straight ahead, and both volumes' shares are even."""
    draft = randomized(SCENE, {"look": LOOK}, range(400))
    drawn, pose = draft.drawn, draft.world_from_camera[:, 0]
    target = np.stack([drawn[f"p.look.look_{axis}_m"] for axis in "xyz"], axis=-1)
    ahead = np.einsum("rji,rj->ri", pose[:, :, :3], target - pose[:, :, 3])
    assert ahead[:, :2] == pytest.approx(0.0, abs=1e-9)
    assert (ahead[:, 2] < 0.0).all()
    inside = [_inside(a, pose[:, :, 3]) for a in SCENE.anchors[:2]]
    assert (inside[0] ^ inside[1]).all()
    assert stats.binomtest(int(inside[0].sum()), 400, 0.5).pvalue > 1e-3
    assert _inside(SCENE.anchors[2], target).all()
    assert drawn["p.look.clear"].all()


def test_focal_length_in_millimetres_becomes_pixels_by_the_authored_aperture():
    """f_px = f_mm / aperture_mm * width."""
    draft = randomized(SCENE, {"look": LOOK}, range(20))
    expected = draft.drawn["p.look.focal_mm"] / 40.0 * 400.0
    assert draft.focal_px[:, 0] == pytest.approx(np.stack([expected, expected], axis=-1))


def test_a_camera_keeps_clear_of_every_visible_box():
    """Against the nearest of many points on the boxes; a column says where it failed."""
    near = {**LOOK, "position_in": "around", "clear": {"clearance_m": 0.5, "tries": 64, "inside": None}}
    scene = box_scene(
        {"/W/A": ((0, 0, 0), (1, 1, 1)), "/W/B": ((3, 0, 0), (1, 2, 1))},
        anchor("/Around", "around", at(2, 0.5, 0), (6, 4, 1.5)),
        anchor("/To", "to", at(2, 0, 0), (3, 3, 1)),
    )
    draft = randomized(scene, {"look": near}, range(200))
    position = draft.world_from_camera[:, 0, :, 3]
    for instance in (0, 1):
        low = world_corners(scene, draft)[:, instance].min(axis=1)
        high = world_corners(scene, draft)[:, instance].max(axis=1)
        distance = np.linalg.norm(position - position.clip(low, high), axis=1)
        assert (distance >= 0.5 - 1e-9).all()
    tried = draft.drawn["p.look.tried"]
    assert draft.drawn["p.look.clear"].all()
    assert tried.min() == 1
    assert tried.max() > 1  # some first candidates were refused


def test_a_camera_that_finds_no_room_says_so_and_stays_in_its_volume():
    """The box of a hall holds the whole volume; named as `inside` it does not count."""
    scene = box_scene(
        {"/Hall": ((-9, -9, -1), (18, 18, 9))},
        anchor("/From", "from", at(0, 0, 1), (2, 2, 1)),
        anchor("/To", "to", at(3, 0, 0), (1, 1, 1)),
    )
    stuck = randomized(scene, {"look": LOOK}, range(20))
    assert not stuck.drawn["p.look.clear"].any()
    assert (stuck.drawn["p.look.tried"] == CLEAR["tries"]).all()
    assert _inside(scene.anchors[0], stuck.world_from_camera[:, 0, :, 3]).all()
    free = randomized(scene, {"look": {**LOOK, "clear": {**CLEAR, "inside": "/Hall"}}}, range(20))
    assert free.drawn["p.look.clear"].all()
    assert (free.drawn["p.look.tried"] == 1).all()


def test_an_orbit_has_its_distance_and_elevation():
    """Around the middle of one of the boxes, upright: the camera's right is level."""
    draft = randomized(SCENE, {"orbit": {**ORBIT, "elevation_deg": 30.0}}, range(100))
    pose = draft.world_from_camera[:, 0]
    target = np.stack([draft.drawn[f"p.orbit.look_{axis}_m"] for axis in "xyz"], axis=-1)
    middles = {"/W/A": (0.5, 0.5, 0.5), "/W/B": (3.5, 1.0, 0.5)}
    assert target == pytest.approx(np.array([middles[name] for name in draft.drawn["p.orbit.around"]]))
    offset = pose[:, :, 3] - target
    assert np.linalg.norm(offset, axis=1) == pytest.approx(5.0)
    assert offset[:, 2] == pytest.approx(2.5)
    assert pose[:, 2, 0] == pytest.approx(0.0, abs=1e-12)
    assert (pose[:, 2, 1] > 0.0).all()
    assert set(draft.drawn["p.orbit.around"]) == set(middles)


def test_an_orbit_stays_within_the_boxes_of_the_anchors_that_it_names():
    """Two turned boxes on one side of what is looked at; without the key cameras stand on every side."""
    aisles = [
        anchor("/Aisle/A", "aisle", at(4, 3, 0, 30), (3, 5, 4)),
        anchor("/Aisle/B", "aisle", at(4, -4, 1), (4, 4, 3)),
    ]
    scene = box_scene({"/W/A": ((0, 0, 0), (1, 1, 1))}, *aisles)
    around = {**ORBIT, "distance_m": uniform(3, 8)}
    free = randomized(scene, {"orbit": around}, range(200))
    kept = randomized(scene, {"orbit": {**around, "clear": {**CLEAR, "tries": 200, "within": "aisle"}}}, range(200))
    held = [np.any([_inside(aisle, d.world_from_camera[:, 0, :, 3]) for aisle in aisles], axis=0) for d in (free, kept)]
    assert held[0].mean() < 0.3
    assert held[1].all()
    assert kept.drawn["p.orbit.clear"].all()
    assert all(_inside(aisle, kept.world_from_camera[:, 0, :, 3]).sum() > 20 for aisle in aisles)


def test_an_orbit_that_cannot_reach_its_anchors_comes_as_near_as_it_got():
    """All of 3 m around the object are outside; the side nearest to the box is taken, and said not to be clear."""
    scene = box_scene({"/W/A": ((0, 0, 0), (1, 1, 1))}, anchor("/Aisle", "aisle", at(9, 0.5, 0), (2, 2, 4)))
    clear = {**CLEAR, "tries": 300, "within": "aisle"}
    draft = randomized(scene, {"orbit": {**ORBIT, "distance_m": 3.0, "elevation_deg": 0.0, "clear": clear}}, range(40))
    assert not draft.drawn["p.orbit.clear"].any()
    azimuth_deg = draft.drawn["p.orbit.azimuth_deg"]
    assert (np.minimum(azimuth_deg, 360 - azimuth_deg) < 10).all()


def test_an_orbit_never_circles_a_hidden_object():
    hide = {
        "kind": "slots",
        "per": "world",
        "items": "/W/B",
        "anchors": "to",
        "occupancy": 0.0,
        "x_m": 0.0,
        "y_m": 0.0,
        "yaw_deg": 0.0,
        "settle": False,
    }
    draft = randomized(SCENE, {"orbit": ORBIT, "hide": hide}, range(50))
    assert set(draft.drawn["p.orbit.around"]) == {"/W/A"}


def test_roll_turns_the_camera_counter_clockwise_seen_from_behind():
    upright = randomized(SCENE, {"orbit": ORBIT}, [4]).world_from_camera[0, 0]
    rolled = randomized(SCENE, {"orbit": {**ORBIT, "roll_deg": 90.0}}, [4]).world_from_camera[0, 0]
    assert rolled[:, 0] == pytest.approx(upright[:, 1])
    assert rolled[:, 1] == pytest.approx(-upright[:, 0])
    assert rolled[:, 2:] == pytest.approx(upright[:, 2:])


def test_a_jitter_of_nothing_changes_nothing_and_a_pan_turns_left():
    still = randomized(SCENE, {"jitter": JITTER}, [0])
    np.testing.assert_array_equal(still.world_from_camera[0, 0], SCENE.cameras[0].world_from_camera)
    moved = randomized(SCENE, {"jitter": {**JITTER, "pan_deg": 90.0, "right_m": 2.0, "focal_scale": 2.0}}, [0])
    pose = moved.world_from_camera[0, 0]
    assert -pose[:, 2] == pytest.approx([-1.0, 0.0, 0.0], abs=1e-12)  # the authored camera looks down with x right
    assert pose[:, 3] == pytest.approx([2.0, 0.0, 9.0])
    assert moved.focal_px == pytest.approx(2.0 * still.focal_px)


def test_camera_choice_takes_pose_and_lens_of_an_authored_camera():
    choice = {"kind": "camera_choice", "per": "world", "cameras": "*", "among": "/Cams/*", "weights": [1, 1]}
    draft = randomized(SCENE, {"choice": choice}, range(200))
    second = draft.drawn["p.choice.camera"] == "/Cams/B"
    assert stats.binomtest(int(second.sum()), 200, 0.5).pvalue > 1e-3
    for mask, camera, focal_px in [(second, SCENE.cameras[1], 400.0), (~second, SCENE.cameras[0], 200.0)]:
        assert (draft.world_from_camera[mask, 0] == camera.world_from_camera).all()
        assert (draft.focal_px[mask, 0] == focal_px).all()


def _inside(box, points: np.ndarray) -> np.ndarray:
    local = (points - box.world_from_anchor[:, 3]) @ box.world_from_anchor[:, :3]
    low = np.array([-box.size_m[0] / 2, -box.size_m[1] / 2, 0.0]) - 1e-9
    high = np.array([box.size_m[0] / 2, box.size_m[1] / 2, box.size_m[2]]) + 1e-9
    return ((local >= low) & (local <= high)).all(axis=1)
