"""Silhouettes of instances hold the pixels that each would have if it stood alone, also beyond the frame."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.frames import Frames, Silhouettes
from engine.recipe import Rig
from engine.render import Renderer
from engine.scene.model import Material, Scene
from tests.kernels.scenes import LABELS, camera, draft_of, look_at, pose, quad, render, rig, scene, sphere
from tests.kernels.test_opacity import with_alpha

CAMERA = camera(look_at((0, -7, 2), (0, 0, 0)))
SETUP = rig(size_px=(44, 36), quality="labels")


def crowd(count: int = 30, *, shared: int = 1, materials: tuple[Material, ...] = ()) -> Scene:
    """Return balls and plates that hide each other and reach beyond the frame; `shared` placements are one instance."""
    rng = np.random.default_rng(5)
    shapes = (sphere(0.7, rings=8), quad(1.6))
    placed = []
    for i in range(count):
        axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.5, 1.5, 3)
        placed.append((shapes[i % 2], pose(at=rng.uniform(-4, 4, 3), axes=axes)))
    stage = scene(placed, materials=materials) if materials else scene(placed)
    instance = np.arange(count, dtype=np.int32) // shared + 1
    return dataclasses.replace(stage, placements=dataclasses.replace(stage.placements, instance=instance))


def silhouettes(
    stage: Scene, draft: Draft, *, margin_px: int = 0, setup: Rig = SETUP, threads: int = 1
) -> tuple[Frames, Silhouettes]:
    outputs = dataclasses.replace(LABELS, silhouette_margin_px=margin_px)
    frames = Renderer(stage, setup, outputs, seed=0, device="cpu", threads=threads).render(draft)
    return frames, Silhouettes.of(frames, width=setup.width, height=setup.height, margin_px=margin_px)


def alone(stage: Scene, draft: Draft, instance: int, *, margin_px: int = 0, setup: Rig = SETUP) -> NDArray[np.bool_]:
    """Return where an instance is seen when all others are hidden [view, y, x], in a frame larger by a margin."""
    setup = dataclasses.replace(setup, width=setup.width + 2 * margin_px, height=setup.height + 2 * margin_px)
    hidden = dataclasses.replace(draft, visible=draft.visible.copy(), center_px=draft.center_px + margin_px)
    hidden.visible[:] = False
    hidden.visible[:, instance] = draft.visible[:, instance]
    frames = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(hidden)
    assert frames.instance is not None
    return frames.instance == instance


def box_of(mask: NDArray[np.bool_], margin_px: int) -> list[int]:
    """Return the half-open box of a mask, (0, 0, 0, 0) if it is empty."""
    y, x = np.nonzero(mask)
    if not len(y):
        return [0] * 4
    return [int(v) - margin_px for v in (x.min(), y.min(), x.max() + 1, y.max() + 1)]


@pytest.mark.parametrize("margin_px", [0, 8])
@pytest.mark.parametrize("shared", [1, 3])
def test_silhouettes_are_those_of_instances_alone(shared: int, margin_px: int) -> None:
    """Pixel for pixel, on two worlds, also for instances of several meshes that lie behind each other."""
    stage = crowd(shared=shared)
    draft = draft_of(stage, SETUP, CAMERA, [0, 1])
    draft.world_from_instance[1, 1:, :, 3] += np.random.default_rng(0).uniform(-1, 1, (30, 3))
    frames, found = silhouettes(stage, draft, margin_px=margin_px)
    assert frames.instance is not None
    hidden = 0
    for instance in range(1, 30 // shared + 1):
        whole = alone(stage, draft, instance, margin_px=margin_px)
        inside = whole[:, margin_px : margin_px + SETUP.height, margin_px : margin_px + SETUP.width]
        for view in range(2):
            assert found.window_px[view, instance] == whole[view].sum()
            assert found.frame_px[view, instance] == inside[view].sum()
            assert found.box_px[view, instance].tolist() == box_of(whole[view], margin_px)
            visible = (frames.instance[view] == instance).sum()
            assert visible <= found.frame_px[view, instance]
            hidden += int(visible < found.frame_px[view, instance])
    assert hidden > 10
    assert not found.window_px[:, 0].any()


def test_threads_and_batches_leave_no_trace() -> None:
    stage = crowd(shared=2)
    draft = draft_of(stage, SETUP, CAMERA, list(range(9)))
    one, _ = silhouettes(stage, draft, margin_px=5)
    many, _ = silhouettes(stage, draft, margin_px=5, threads=3)
    single, _ = silhouettes(stage, draft_of(stage, SETUP, CAMERA, [4]), margin_px=5)
    assert one.silhouette is not None
    assert many.silhouette is not None
    assert single.silhouette is not None
    assert one.silhouette.tobytes() == many.silhouette.tobytes()
    assert one.silhouette[4].tobytes() == single.silhouette[0].tobytes()


def test_a_ball_half_outside_the_frame_has_its_closed_form_area() -> None:
    """A ball of radius 1 at distance 5 straight ahead covers a disk of radius f / sqrt(24) px."""
    stage, setup = scene([(sphere(1.0, rings=96), pose())]), rig(size_px=(96, 96), quality="labels")
    draft = draft_of(stage, setup, camera(look_at((0, -5, 0), (0, 0, 0))), [0])
    draft.center_px[0, 0] = (0.0, 48.0)  # its middle is on the left border
    _, found = silhouettes(stage, draft, margin_px=48, setup=setup)
    radius_px = draft.focal_px[0, 0, 0] / np.sqrt(24.0)
    area_px = np.pi * radius_px**2
    assert found.window_px[0, 1] == pytest.approx(area_px, rel=0.02)
    assert found.frame_px[0, 1] == pytest.approx(area_px / 2, rel=0.02)
    assert found.box_px[0, 1] == pytest.approx([-radius_px, 48 - radius_px, radius_px, 48 + radius_px], abs=1.0)
    assert not found.is_cut[0, 1]
    _, narrow = silhouettes(stage, draft, margin_px=4, setup=setup)
    assert narrow.is_cut[0, 1]


def test_cut_outs_and_clear_panes_count_where_labels_have_them() -> None:
    """A checkered cut-out before a pane too clear to be labelled, before a wall: each as it is alone."""
    checker = (np.indices((8, 8)).sum(axis=0) % 2).astype(np.float32)
    cut, texture = with_alpha(np.repeat(np.repeat(checker, 8, 0), 8, 1), opacity_threshold=0.5)
    materials = (cut, Material("pane", opacity=0.3), Material("wall"))
    base = scene([(quad(3.0), pose(at=(0, 0, z))) for z in (2.0, 1.0, 0.0)], materials=materials)
    slots = np.arange(3, dtype=np.int32)
    placements = dataclasses.replace(base.placements, first_slot=slots, slot_material=slots)
    stage = dataclasses.replace(base, placements=placements, textures=(texture,))
    draft = draft_of(stage, SETUP, camera(look_at((0, 0, 8), (0, 0, 0), up=(0, 1, 0))), [0])
    _, found = silhouettes(stage, draft)
    expected = [int(alone(stage, draft, instance).sum()) for instance in range(1, 4)]
    assert found.frame_px[0, 1:].tolist() == expected
    assert expected[1] == 0
    assert 0 < expected[0] < 0.7 * expected[2] * (8 / 6) ** 2


def test_what_a_camera_clips_does_not_count() -> None:
    stage = scene([(quad(2.0), pose(at=(0, 0, z))) for z in (3.0, 1.0)])
    setup = dataclasses.replace(SETUP, clip=True)
    draft = draft_of(stage, setup, camera(look_at((0, 0, 8), (0, 0, 0), up=(0, 1, 0))), [0])
    draft.clip_m[:] = (6.0, 100.0)
    _, found = silhouettes(stage, draft, setup=setup)
    assert found.frame_px[0, 1] == 0
    assert found.frame_px[0, 2] == alone(stage, draft, 2, setup=setup).sum() > 0


def test_silhouettes_come_only_when_asked_for() -> None:
    frames = render(crowd(), CAMERA, SETUP, outputs=LABELS)
    assert frames.silhouette is None
    with pytest.raises(ValueError, match="silhouette_margin_px"):
        Silhouettes.of(frames, width=SETUP.width, height=SETUP.height, margin_px=0)
    with pytest.raises(ValueError, match="must be 0 or more, got -1"):
        dataclasses.replace(LABELS, silhouette_margin_px=-1)


def test_a_window_too_large_for_a_launch_is_refused() -> None:
    outputs = dataclasses.replace(LABELS, silhouette_margin_px=30_000)
    renderer = Renderer(crowd(), SETUP, outputs, seed=0, device="cpu", threads=1)
    with pytest.raises(UserError, match="smaller silhouette_margin_px"):
        renderer.render(draft_of(crowd(), SETUP, CAMERA, [0]))
