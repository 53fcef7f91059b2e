"""Whole silhouettes of what is seen hold the pixels that each would have alone, also beyond the frame."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine import gpu
from engine.draft import rows_of
from engine.render import canvases as render_canvases
from engine.scene.model import Material, Scene
from tests.kernels.alone import alone, assert_alone, assert_row, assert_same, whole
from tests.kernels.scenes import camera, draft_of, look_at, pose, quad, rig, scene, sphere
from tests.kernels.test_opacity import with_alpha

CAMERA = camera(look_at((0, -7, 2), (0, 0, 0)))
SETUP = rig(size_px=(40, 32), quality="labels")


def crowd(count: int = 30, *, shared: int = 1, materials: tuple[Material, ...] = (), spread_m: float = 4.0) -> Scene:
    """Return balls and plates that hide each other and reach beyond the frame; `shared` placements are one instance."""
    rng = np.random.default_rng(5)
    shapes = (sphere(0.7, rings=8), quad(1.6))
    placed = []
    for i in range(count):
        axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.5, 1.5, 3)
        placed.append((shapes[i % 2], pose(at=rng.uniform(-spread_m, spread_m, 3), axes=axes)))
    stage = scene(placed, materials=materials) if materials else scene(placed)
    instance = np.arange(count, dtype=np.int32) // shared + 1
    return dataclasses.replace(stage, placements=dataclasses.replace(stage.placements, instance=instance))


@pytest.mark.parametrize("margin", [0.0, 1.0, 0.25])
@pytest.mark.parametrize("shared", [1, 3])
def test_silhouettes_are_those_of_instances_alone(shared: int, margin: float) -> None:
    """Pixel for pixel, on two worlds, also for instances of several meshes that lie behind each other."""
    stage = crowd(shared=shared)
    draft = draft_of(stage, SETUP, CAMERA, [0, 1])
    draft.world_from_instance[1, 1:, :, 3] += np.random.default_rng(0).uniform(-1, 1, (30, 3))
    labels = assert_alone(stage, draft, SETUP, margin=margin)
    assert labels.amodal is not None
    assert (labels.amodal.in_frame_px > labels.visible_px).sum() > 8
    assert (labels.amodal.occluder_px > 0).sum() > 8
    assert labels.amodal.is_cut.any() == (margin < 1.0)


def test_a_camera_among_things_sees_them_whole() -> None:
    """Boxes that reach behind the camera, and one around it, are cut where the camera is and not left out."""
    stage = crowd(40, spread_m=2.5)
    draft = draft_of(stage, SETUP, camera(look_at((0.1, -0.3, 0.2), (1, 0.4, 0.3)), focal_mm=9.0), [0])
    labels = assert_alone(stage, draft, SETUP)
    assert labels.amodal is not None
    assert labels.amodal.is_cut.sum() >= 2


@pytest.mark.parametrize("origin_m", [0.0, 1.0e4, 1.0e5])
def test_what_is_near_a_camera_far_from_the_worlds_origin_is_whole(origin_m: float) -> None:
    """There float32 knows little of the depth of a ball a hand's breadth away, which is half hidden by a card."""
    facing = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])

    def place(ahead_m: float, aside_m: float) -> tuple[float, float, float]:
        return origin_m + ahead_m, aside_m - 0.5 * origin_m, 0.0

    ball, card = (sphere(0.06, rings=8), pose(at=place(0.25, 0.02))), (quad(0.04), pose(at=place(0.12, 0), axes=facing))
    stage = scene([ball, card, (sphere(1.0, rings=8), pose(at=place(5.0, 0.0)))])
    ahead = camera(look_at(place(0.0, 0.0), place(1.0, 0.0)))
    labels = assert_alone(stage, draft_of(stage, SETUP, ahead, [0]), SETUP)
    assert labels.amodal is not None
    assert (labels.amodal.in_frame_px > 1.5 * labels.visible_px)[[0, 2]].all()


def test_an_orthographic_camera_has_silhouettes() -> None:
    stage = crowd()
    draft = draft_of(stage, SETUP, dataclasses.replace(CAMERA, orthographic=True), [0])
    draft.focal_px[:] = 8.0  # pixels per metre
    assert draft.lens_model[0, 0] == gpu.camera.LensModel.ORTHOGRAPHIC
    assert len(assert_alone(stage, draft, SETUP).view) > 10


@pytest.mark.parametrize("model", ["BROWN_CONRADY", "KANNALA_BRANDT", "EQUIRECTANGULAR"])
def test_bent_lenses_have_silhouettes(model: str) -> None:
    """Beyond the frame as well, as far as the lens sees."""
    stage = crowd(12, shared=2)
    draft = draft_of(stage, SETUP, CAMERA, [0])
    draft.lens_model[:] = gpu.camera.LensModel[model]
    if model == "BROWN_CONRADY":
        draft.lens_coefficients[..., :2] = -0.05, 0.01
    draft.lens_limit[:] = 1.5
    if model == "EQUIRECTANGULAR":
        draft.focal_px[:] = 40.0 / (2.0 * np.pi)
    assert len(assert_alone(stage, draft, SETUP).view) >= 3


def test_a_rolling_shutter_has_silhouettes_of_every_rows_moment() -> None:
    """Beyond the frame the camera goes on as it moved, as rows of a larger image would see it."""
    setup = dataclasses.replace(SETUP, readout_s=0.125)
    stage = crowd(14)
    draft = draft_of(stage, setup, CAMERA, [0])
    draft.camera_velocity_m_s[:] = (4.0, 1.0, 2.0)
    draft.camera_spin_rad_s[:] = (0.5, 0.25, 1.0)
    still, _ = whole(stage, draft, SETUP)
    moving, _ = whole(stage, draft, setup)
    assert (still.instance != moving.instance).mean() > 0.05  # type: ignore[union-attr]
    assert len(assert_alone(stage, draft, setup, margin=0.5).view) >= 5


def test_things_that_move_under_a_rolling_shutter_are_where_each_row_sees_them() -> None:
    setup = dataclasses.replace(SETUP, readout_s=0.125, shutter_samples=5, motion_blur=True)
    stage = crowd(14)
    draft = draft_of(stage, setup, CAMERA, [0])
    draft.instance_velocity_m_s[:, 1:] = np.random.default_rng(3).uniform(-6, 6, (14, 3))
    still, _ = whole(stage, draft, SETUP)
    moving, _ = whole(stage, draft, setup)
    assert (still.instance != moving.instance).mean() > 0.05  # type: ignore[union-attr]
    assert len(assert_alone(stage, draft, setup, margin=0.0).view) >= 5


def test_cut_outs_and_clear_panes_count_where_labels_have_them() -> None:
    """A checkered cut-out, one that each triangle wears and one that is forced, panes, and opaque plates."""
    checker = (np.indices((8, 8)).sum(axis=0) % 2).astype(np.float32)
    cut, texture = with_alpha(np.repeat(np.repeat(checker, 8, 0), 8, 1), opacity_threshold=0.5)
    materials = (cut, Material("pane", opacity=0.3), Material("frosted", opacity=0.7), Material("wall"))
    base = crowd(32, materials=materials)
    slots = np.arange(32, dtype=np.int32)
    placements = dataclasses.replace(base.placements, first_slot=slots, slot_material=slots // 2 % 4)
    stage = dataclasses.replace(base, placements=placements, textures=(texture,))
    draft = draft_of(stage, SETUP, CAMERA, [0])
    draft.material[:, 5:8] = 0
    labels = assert_alone(stage, draft, SETUP)
    _, opaque = whole(crowd(32), draft_of(crowd(32), SETUP, CAMERA, [0]), SETUP)
    both = np.intersect1d(labels.instance, opaque.instance)
    pixels = [table.amodal.full_px[np.isin(table.instance, both)] for table in (labels, opaque) if table.amodal]
    assert (pixels[0] < pixels[1]).sum() >= 3


def test_what_a_camera_clips_does_not_count() -> None:
    setup = dataclasses.replace(SETUP, clip=True)
    draft = draft_of(crowd(), setup, CAMERA, [0])
    draft.clip_m[:] = (5.0, 8.0)
    assert len(assert_alone(crowd(), draft, setup).view) > 4


def test_threads_batches_and_memory_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the order of views, or how many rows have bitmaps at a time."""
    stage = crowd(shared=2)
    draft = draft_of(stage, SETUP, CAMERA, list(range(5)))
    draft.world_from_instance[1:, 1:, :, 3] += np.random.default_rng(0).uniform(-1, 1, (4, 30, 3))
    _, one = whole(stage, draft, SETUP)
    assert_same(one, whole(stage, draft, SETUP, threads=3)[1])
    for world in (3, 0):
        _, single = whole(stage, rows_of(draft, slice(world, world + 1)), SETUP)
        rows = np.flatnonzero(one.view == world)
        assert one.amodal is not None
        assert single.amodal is not None
        assert single.instance.tolist() == one.instance[rows].tolist()
        assert single.amodal.rle == tuple(one.amodal.rle[row] for row in rows)
        assert single.amodal.occluder.tolist() == one.amodal.occluder[rows].tolist()
    monkeypatch.setattr(render_canvases, "CPU_WORDS", 64)
    assert_same(one, whole(stage, draft, SETUP)[1])


def test_a_ball_half_outside_the_frame_has_its_closed_form_area() -> None:
    """A ball of radius 1 at distance 5 straight ahead covers a disk of radius f / sqrt(24) px."""
    stage, setup = scene([(sphere(1.0, rings=96), pose())]), rig(size_px=(96, 96), quality="labels")
    draft = draft_of(stage, setup, camera(look_at((0, -5, 0), (0, 0, 0))), [0])
    draft.center_px[0, 0] = (0.0, 48.0)  # its middle is on the left border
    _, labels = whole(stage, draft, setup)
    radius_px = draft.focal_px[0, 0, 0] / np.sqrt(24.0)
    amodal = labels.amodal
    assert amodal is not None
    assert amodal.full_px[0] == pytest.approx(np.pi * radius_px**2, rel=0.02)
    assert amodal.in_frame_px[0] == pytest.approx(np.pi * radius_px**2 / 2, rel=0.02)
    assert amodal.box_px[0] == pytest.approx([-radius_px, 48 - radius_px, radius_px, 48 + radius_px], abs=1.0)
    assert not amodal.is_cut[0]


def test_five_thousand_instances_in_a_view_have_silhouettes() -> None:
    """Of which some hide others; a few are held against themselves alone."""
    rng = np.random.default_rng(2)
    ball = sphere(0.06, rings=4)
    stage = scene([(ball, pose(at=rng.uniform(-2, 2, 3))) for _ in range(5000)])
    setup = rig(size_px=(256, 192), quality="labels")
    draft = draft_of(stage, setup, camera(look_at((0, -6, 1), (0, 0, 0))), [0])
    frames, labels = whole(stage, draft, setup, threads=2)
    assert frames.instance is not None
    assert len(labels.view) > 2500
    for row in range(0, len(labels.view), 700):
        mask = alone(stage, draft, setup, int(labels.instance[row]), 1.0)[0]
        assert_row(labels, row, mask, frames.instance[0], 1.0)


def test_a_view_of_nothing_has_an_empty_table() -> None:
    stage = scene([(sphere(1.0), pose())])
    draft = draft_of(stage, SETUP, camera(look_at((0, -5, 0), (0, -9, 0))), [0])
    _, labels = whole(stage, draft, SETUP)
    assert len(labels.view) == 0
    assert labels.amodal is not None
    assert len(labels.amodal.full_px) == len(labels.amodal.rle) == 0
