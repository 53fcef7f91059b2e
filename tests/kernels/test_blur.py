"""Thin lenses, exposures and rolling shutters, held against the thin-lens formula, sharp frames and closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.draft import Draft
from engine.frames import Frames
from engine.recipe import Rig
from engine.render import Renderer
from engine.render.exposure import at_moments
from engine.rig import authored_draft
from engine.scene.model import Material, Scene
from tests.kernels.alone import assert_same
from tests.kernels.scenes import EVERYTHING, box, camera, draft_of, pose, quad, rig, scene, sphere

GLOW = Material("glow", base_color=(0.0, 0.0, 0.0), emission=(1.0, 1.0, 1.0))
FOCAL_MM, APERTURE_MM = 24.0, 24.0
EXPOSURE_S = 0.02


def glowing(*placed: tuple[object, NDArray[np.float64]]) -> Scene:
    """Return a scene of meshes that send out a radiance of 1, before nothing."""
    return scene(list(placed), materials=(GLOW,))  # type: ignore[arg-type]


def draft_for(stage: Scene, setup: Rig, worlds: int = 1) -> Draft:
    """Return worlds seen from the origin along -Z, with a shutter that is open for EXPOSURE_S."""
    draft = draft_of(stage, setup, camera(pose()), list(range(worlds)))
    draft.shutter_s[:] = -0.5 * EXPOSURE_S, 0.5 * EXPOSURE_S
    return draft


def rendered(stage: Scene, setup: Rig, draft: Draft, *, threads: int = 1) -> Frames:
    """Return all images of a draft."""
    renderer = Renderer(stage, setup, EVERYTHING, seed=3, device="cpu", threads=threads)
    try:
        return renderer.render(draft)
    finally:
        renderer.close()


def radiance(frames: Frames) -> NDArray[np.float64]:
    """Return the red channel of the first view."""
    assert frames.rgb_linear is not None
    return frames.rgb_linear[0, :, :, 0].astype(np.float64)


def about_z(angle_rad: float) -> NDArray[np.float64]:
    """Return axes turned about z."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(("quality", "clip"), [("direct", False), ("direct", True), ("path", False), ("path", True)])
@pytest.mark.parametrize("depth_m", [1.0, 1.5, 6.0])
def test_the_circle_of_confusion_is_that_of_the_thin_lens_formula(quality: str, clip: bool, depth_m: float):
    """A small source blurs to a disk of diameter A |s - s_f| / s, in the scale of the plane in focus; A = f / N."""
    f_stop, focus_m, side_m = 0.05, 2.0, 0.05 * depth_m  # an aperture of half a metre: disks of 5 to 15 pixels
    stage = glowing((quad(side_m), pose(at=(0, 0, -depth_m))))
    setup = rig(size_px=(64, 64), spp=400, quality=quality)
    setup = dataclasses.replace(setup, depth_of_field=True, clip=clip, bounces=0)
    draft = draft_for(stage, setup)
    draft.f_stop[:], draft.focus_distance_m[:] = f_stop, focus_m
    image = radiance(rendered(stage, setup, draft))

    focal_px = 64 * FOCAL_MM / APERTURE_MM
    aperture_m = 0.001 * FOCAL_MM / f_stop
    diameter_px = aperture_m * abs(depth_m - focus_m) / depth_m * focal_px / focus_m
    side_px = side_m / depth_m * focal_px
    centers = np.arange(64) + 0.5 - 32.0
    share = image / image.sum()
    spread_px2 = [(share.sum(axis=axis) * centers**2).sum() for axis in (0, 1)]
    disk_px2 = diameter_px**2 / 16.0 + side_px**2 / 12.0 + 1.0 / 12.0  # variances add: disk, source, pixel
    assert spread_px2 == pytest.approx([disk_px2, disk_px2], rel=0.04)
    assert image.sum() == pytest.approx(side_px**2, rel=0.03)  # and no light is lost
    far_px = np.hypot(*np.meshgrid(centers, centers))
    assert image[far_px > 0.5 * diameter_px + 0.8 * side_px + 0.8].max() == 0.0


def test_the_plane_in_focus_stays_sharp():
    """Every pixel that a square in the plane in focus covers has all of its light, every other one none."""
    stage = glowing((quad(1.0), pose(at=(0, 0, -2.0))))
    setup = dataclasses.replace(rig(size_px=(64, 64), spp=16), depth_of_field=True)
    draft = draft_for(stage, setup)
    draft.f_stop[:], draft.focus_distance_m[:] = 0.4, 2.0
    image = radiance(rendered(stage, setup, draft))
    inside = np.abs(np.arange(64) + 0.5 - 32.0) < 16.0
    assert image == pytest.approx(np.outer(inside, inside).astype(float), abs=1e-6)


def test_a_pinhole_stays_one_where_the_lens_has_no_f_number_or_no_focus():
    """The image of a camera without either is that without depth of field, bit for bit."""
    stage = glowing((sphere(0.5), pose(at=(0, 0, -2.0))))
    sharp = rig(size_px=(32, 32), spp=4)
    setup = dataclasses.replace(sharp, depth_of_field=True)
    before = rendered(stage, sharp, draft_for(stage, sharp))
    for f_stop, focus_m in ((0.0, 1.0), (1.0, 0.0)):
        draft = draft_for(stage, setup)
        draft.f_stop[:], draft.focus_distance_m[:] = f_stop, focus_m
        assert np.array_equal(rendered(stage, setup, draft).rgb_linear, before.rgb_linear)


@pytest.mark.parametrize("clip", [False, True])
def test_a_moving_object_is_the_mean_of_sharp_frames_at_its_moments(clip: bool):
    """A box that shifts and spins blurs into the mean of the frames of where it is at each moment."""
    moments, velocity_m_s, spin_rad_s = 5, np.array([40.0, 0.0, 0.0]), np.array([0.0, 0.0, 60.0])
    stage = glowing((box(1), pose(at=(0.1, 0.05, -3.0))))
    sharp = dataclasses.replace(rig(size_px=(48, 48), spp=64), clip=clip)
    frames = []
    for moment in range(moments):
        time_s = EXPOSURE_S * ((moment + 0.5) / moments - 0.5)
        draft = draft_for(stage, sharp)
        draft.world_from_instance[:, 1] = pose(
            at=np.add((0.1, 0.05, -3.0), velocity_m_s * time_s), axes=about_z(60.0 * time_s)
        )
        frames.append(radiance(rendered(stage, sharp, draft)))
    setup = dataclasses.replace(sharp, motion_blur=True, shutter_samples=moments, spp=320)
    draft = draft_for(stage, setup)
    draft.instance_velocity_m_s[:, 1], draft.instance_spin_rad_s[:, 1] = velocity_m_s, spin_rad_s
    image, mean = radiance(rendered(stage, setup, draft)), np.mean(frames, axis=0)
    assert np.ptp(frames, axis=0).mean() > 0.1  # they differ
    assert np.abs(image - mean).max() < 0.05  # of a pixel's area, by 64 samples a moment
    assert abs(image - mean).mean() < 0.002


@pytest.mark.parametrize("clip", [False, True])
def test_a_moving_camera_is_the_mean_of_sharp_frames_along_its_way(clip: bool):
    """A camera that shifts and rolls blurs into the mean of many frames along its way."""
    velocity_m_s = np.array([10.0, -5.0, 3.0])
    stage = glowing((box(1), pose(at=(0.1, 0.05, -3.0))), (quad(0.5), pose(at=(-0.8, 0.3, -2.0))))
    sharp = dataclasses.replace(rig(size_px=(40, 40), spp=16), clip=clip)
    many = 64
    draft = draft_for(stage, sharp, many)
    for moment in range(many):
        time_s = EXPOSURE_S * ((moment + 0.5) / many - 0.5)
        draft.world_from_camera[moment, 0] = pose(at=velocity_m_s * time_s, axes=about_z(20.0 * time_s))
    mean = rendered(stage, sharp, draft).rgb_linear[..., 0].mean(axis=0)
    setup = dataclasses.replace(sharp, motion_blur=True, spp=256)
    draft = draft_for(stage, setup)
    draft.camera_velocity_m_s[:], draft.camera_spin_rad_s[:] = velocity_m_s, (0.0, 0.0, 20.0)
    image = radiance(rendered(stage, setup, draft))
    assert np.abs(image - mean).max() < 0.04
    assert abs(image - mean).mean() < 0.003


@pytest.mark.parametrize("clip", [False, True])
def test_labels_are_sharp_and_the_same_with_blur(clip: bool):
    """Depth, normals, instances and silhouettes do not know whether anything is blurred, bit for bit."""
    stage = glowing((sphere(0.5), pose(at=(0.1, 0.05, -2.0))), (quad(4.0), pose(at=(0, 0, -4.0))))
    sharp = dataclasses.replace(rig(size_px=(32, 32), spp=4), clip=clip)
    setup = dataclasses.replace(sharp, depth_of_field=True, motion_blur=True, shutter_samples=3)
    draft = draft_for(stage, setup)
    draft.f_stop[:], draft.focus_distance_m[:] = 1.0, 1.0
    draft.instance_velocity_m_s[:, 1] = 30.0, 0.0, 0.0
    draft.camera_velocity_m_s[:], draft.camera_spin_rad_s[:] = (0.0, 9.0, 0.0), (1.0, 2.0, 3.0)
    blurred, before = rendered(stage, setup, draft), rendered(stage, sharp, draft_for(stage, sharp))
    assert not np.array_equal(blurred.rgb_linear, before.rgb_linear)
    for name in ("depth_m", "normal", "instance"):
        assert np.array_equal(getattr(blurred, name), getattr(before, name)), name
    assert_same(blurred.labels, before.labels)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("readout_s", [0.03, -0.03])
def test_a_rolling_shutter_shears_an_upright_edge_by_speed_times_readout(clip: bool, readout_s: float):
    """Row y of a camera that moves to the right is seen (y + 0.5) / height - 0.5 readouts later, labels and colour."""
    size_px, depth_m, speed_m_s = 64, 4.0, 20.0
    stage = glowing((quad(8.0), pose(at=(4.0, 0, -depth_m))))  # its left edge is at x = 0
    setup = dataclasses.replace(rig(size_px=(size_px, size_px), spp=64), readout_s=readout_s, clip=clip)
    draft = draft_for(stage, setup)
    draft.camera_velocity_m_s[:] = speed_m_s, 0.0, 0.0
    frames = rendered(stage, setup, draft)
    time_s = ((np.arange(size_px) + 0.5) / size_px - 0.5) * readout_s
    edge_px = size_px / 2 - speed_m_s * time_s / depth_m * size_px
    assert frames.instance is not None
    expected = np.clip(np.ceil(size_px - 0.5 - edge_px), 0, size_px)  # pixel centres to the right of the edge
    assert np.array_equal((frames.instance[0] == 1).sum(axis=1), expected)
    assert radiance(frames).sum(axis=1) == pytest.approx(np.clip(size_px - edge_px, 0, size_px), abs=0.1)


def test_a_rolling_shutter_shows_moving_objects_where_they_are_when_their_row_is_read():
    """The edge of an object that moves is sheared likewise, in as many steps as it has places."""
    size_px, depth_m, speed_m_s, readout_s, moments = 64, 4.0, 20.0, 0.03, 31
    stage = glowing((quad(8.0), pose(at=(4.0, 0, -depth_m))))
    setup = dataclasses.replace(rig(size_px=(size_px, size_px), spp=4), readout_s=readout_s, shutter_samples=moments)
    draft = draft_for(stage, setup)
    draft.instance_velocity_m_s[:, 1] = speed_m_s, 0.0, 0.0
    frames = rendered(stage, setup, draft)
    share = (np.arange(size_px) + 0.5) / size_px
    nearest_s = ((np.floor(share * moments) + 0.5) / moments - 0.5) * readout_s
    edge_px = size_px / 2 + speed_m_s * nearest_s / depth_m * size_px
    assert frames.instance is not None
    assert np.array_equal((frames.instance[0] == 1).sum(axis=1), np.ceil(size_px - 0.5 - edge_px))


@pytest.mark.parametrize("spp", [1, 2, 3])
def test_blurred_frames_do_not_depend_on_threads_or_batches(spp: int):
    """Worlds rendered one by one on one thread equal those of a batch on two, to the bit."""
    stage = glowing((sphere(0.5), pose(at=(0.1, 0.05, -2.0))), (quad(4.0), pose(at=(0, 0, -4.0))))
    setup = dataclasses.replace(
        rig(size_px=(40, 36), spp=spp), depth_of_field=True, motion_blur=True, shutter_samples=3, readout_s=0.01
    )

    def draft_of_worlds(worlds: int) -> Draft:
        draft = draft_for(stage, setup, worlds)
        draft.f_stop[:], draft.focus_distance_m[:] = 1.0, 1.0
        draft.instance_velocity_m_s[:, 1] = 30.0, 0.0, 0.0
        draft.camera_spin_rad_s[:] = 1.0, 2.0, 3.0
        return draft

    together = rendered(stage, setup, draft_of_worlds(3), threads=2)
    alone = rendered(stage, setup, draft_of_worlds(1))
    assert np.array_equal(together.rgb_linear[:1], alone.rgb_linear)
    assert not np.array_equal(together.rgb_linear[1], together.rgb_linear[0])  # other worlds, other noise
    assert np.array_equal(together.instance[1], together.instance[0])


def test_cameras_of_one_rig_may_be_exposed_for_different_times():
    """Each sees objects where they are during its own exposure: as if it were alone."""
    stage = glowing((box(1), pose(at=(0.1, 0.05, -3.0))))
    setup = dataclasses.replace(rig(size_px=(24, 24), spp=8), motion_blur=True, shutter_samples=5)
    cams = (camera(pose()), camera(pose(at=(0.2, 0, 0))))
    both = authored_draft(stage, setup, cams, np.zeros(1, np.int64), np.zeros(1, np.int32))
    both.shutter_s[0, :, 1] = EXPOSURE_S, 2.0 * EXPOSURE_S
    both.instance_velocity_m_s[:, 1] = 30.0, 0.0, 0.0
    alone = draft_of(stage, setup, cams[0], [0])
    alone.shutter_s[:], alone.instance_velocity_m_s[:] = both.shutter_s[:, :1], both.instance_velocity_m_s
    together = rendered(stage, setup, both)
    placed, first_row = at_moments(both, setup, slice(None))
    assert first_row.tolist() == [[0, 5]]
    moments_s = 2.0 * EXPOSURE_S * ((np.arange(5) + 0.5) / 5 - 0.5)
    assert placed.world_from_instance[5:, 1, 0, 3] == pytest.approx(0.1 + 30.0 * moments_s)
    one = rendered(stage, setup, alone)
    assert np.array_equal(together.rgb_linear[:1], one.rgb_linear)
    narrow, wide = ((frame[..., 0] > 0).sum() for frame in together.rgb_linear)
    assert wide > narrow
