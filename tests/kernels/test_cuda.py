"""CUDA shows what the CPU shows, without the host waiting: the same labels, colours but for rounding, any batch.

Geometry comes out the same but for the last bits of floats, so that few pixels whose centre lies on an edge may differ.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.errors import UserError
from engine.frames import Frames
from engine.labels.model import Labels
from engine.render import Renderer
from engine.render.program import Program
from engine.render.tree import record_top_build, top_build
from engine.scene.model import Material
from tests.kernels.scenes import (
    EVERYTHING,
    LABELS,
    camera,
    draft_of,
    look_at,
    pose,
    quad,
    rig,
    scene,
    sphere,
    with_ambient,
)
from tests.kernels.test_refit import BALL, TALL, bent, scrambled
from tests.kernels.test_refit import STAGE as MOVING
from tests.kernels.test_render import CAMERA, LAMP, SETUP, STAGE
from tests.kernels.test_top import boxes, walk

pytestmark = pytest.mark.gpu
CUDA = "cuda:0"
PANES = scene(
    [(quad(6.0), pose()), (quad(1.5), pose(at=(0, 0, 1.0))), (sphere(0.5), pose(at=(0.2, 0.1, 0.6)))],
    lights=(LAMP,), materials=(Material("glass", base_color=(0.5, 0.4, 0.3), opacity=0.4),),
)  # fmt: skip


def assert_alike(first: Frames, second: Frames) -> None:
    """Assert that all but a few pixels are the same."""
    assert first.instance is not None
    assert second.instance is not None
    same = first.instance == second.instance
    assert (~same).mean() <= 1e-4
    for name, tolerance in (("depth_m", 1e-4), ("normal", 1e-3), ("rgb_linear", 2e-3)):
        a, b = getattr(first, name), getattr(second, name)
        if a is not None:
            finite = np.isfinite(a) & np.isfinite(b)
            far = np.abs(np.where(finite, a, 0.0) - np.where(finite, b, 0.0)) > tolerance
            assert (np.isfinite(a) == np.isfinite(b))[same].all()
            assert far[same].mean() <= 2e-3, name
    if first.depth_sensor_m is not None and second.depth_sensor_m is not None:
        off = np.abs(first.depth_sensor_m - second.depth_sensor_m) > 1e-3 * first.depth_sensor_m
        assert off.mean() <= 2e-3
    if first.lidar_id is not None and second.lidar_id is not None:
        assert (first.lidar_id != second.lidar_id).mean() <= 5e-3
        there = (first.lidar_id == second.lidar_id)[..., 0] & (first.lidar_id[..., 0] >= 0)
        far = np.abs(first.lidar_value - second.lidar_value)[there] > 1e-3
        assert far.mean() <= 5e-3
    if first.labels is not None and second.labels is not None and len(first.labels.view):
        assert_labels_alike(first.labels, second.labels, most_px=max(2, round(1e-4 * first.instance.size)))


def assert_labels_alike(first: Labels, second: Labels, *, most_px: int) -> None:
    """Assert that pixels of all instances that both see differ by a few."""
    tables = []
    for labels in (first, second):
        assert labels.amodal is not None
        columns = zip(labels.visible_px, labels.amodal.in_frame_px, labels.amodal.full_px, strict=True)
        keys = zip(labels.view.tolist(), labels.instance.tolist(), strict=True)
        tables.append(dict(zip(keys, columns, strict=True)))
    both = tables[0].keys() & tables[1].keys()
    assert len(both) >= 0.9 * max(len(tables[0]), len(tables[1]))
    assert all(np.abs(np.subtract(tables[0][key], tables[1][key])).max() <= most_px for key in both)


def moved(setup, worlds):  # type: ignore[no-untyped-def]
    draft = draft_of(STAGE, setup, CAMERA, worlds)
    draft.world_from_instance[:, 2, 0, 3] += 0.1 * np.array(worlds)
    return draft


@pytest.mark.parametrize("spp", [1, 4])
def test_both_devices_show_the_same(spp: int) -> None:
    setup = with_ambient(rig(size_px=(160, 120), spp=spp), 0.1, 2.0)
    draft = moved(setup, [0, 1, 2])
    here, there = (Renderer(STAGE, setup, EVERYTHING, seed=3, device=device).render(draft) for device in ("cpu", CUDA))
    assert_alike(here, there)


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_both_devices_see_through_the_same(threshold: float) -> None:
    """Layers behind layers are rendered by a loop inside the graph."""
    stage = dataclasses.replace(
        PANES, materials=(dataclasses.replace(PANES.materials[0], opacity_threshold=threshold),)
    )
    setup = rig(size_px=(96, 64), spp=2)
    draft = draft_of(stage, setup, camera(look_at((1.5, -2.0, 2.5), (0, 0, 0.4))), [0])
    here, there = (Renderer(stage, setup, EVERYTHING, seed=3, device=device).render(draft) for device in ("cpu", CUDA))
    assert_alike(here, there)


def test_a_world_is_the_same_in_any_batch_and_at_any_time() -> None:
    """Batches overlap: the second one renders while the first is copied out, and the graph is used again."""
    renderer = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device=CUDA)
    drafts = [moved(SETUP, [world, 2 * world + 1]) for world in range(6)]
    pending = [renderer.start(draft) for draft in drafts]
    frames = [each.wait() for each in pending]
    for draft, found in zip(drafts, frames, strict=True):
        again = renderer.render(draft)
        for row in range(2):
            alone = renderer.render(moved(SETUP, [int(draft.world[row])]))
            for name in Frames.image_names():
                assert getattr(found, name)[row].tobytes() == getattr(alone, name)[0].tobytes()
                assert getattr(found, name)[row].tobytes() == getattr(again, name)[row].tobytes()


def test_slices_and_parts_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = moved(SETUP, [0, 1, 2])
    whole = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device=CUDA).render(draft)
    monkeypatch.setattr("engine.render.batch_cuda.SLICE_PX", 512)
    sliced = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device=CUDA)
    monkeypatch.setattr("engine.render.batch_cuda.CUDA_SLICE_PX", 512)
    monkeypatch.setattr(sliced, "_largest_px", 2 * sliced._view_px())
    parted = sliced.render(draft)
    for name in Frames.image_names():
        assert getattr(whole, name).tobytes() == getattr(parted, name).tobytes()
    with pytest.raises(UserError, match="do not fit the memory of cuda:0 at once"):
        sliced.render_on_device(draft)


def test_torch_and_cupy_take_device_frames_without_a_copy() -> None:
    torch, cupy = pytest.importorskip("torch"), pytest.importorskip("cupy")
    renderer = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device=CUDA)
    drafts = [moved(SETUP, [world]) for world in range(4)]
    kept = [renderer.render_on_device(draft) for draft in drafts]
    for draft, frames in zip(drafts, kept, strict=True):
        expected = renderer.render(draft)
        for name in Frames.image_names():
            image = getattr(frames, name)
            tensor, array = torch.from_dlpack(image), cupy.asarray(image)
            assert tensor.data_ptr() == image.ptr == array.data.ptr
            assert tensor.cpu().numpy().tobytes() == getattr(expected, name).tobytes()
            assert array.get().tobytes() == getattr(expected, name).tobytes()


@pytest.mark.parametrize("kind", ["spread", "same_place", "hidden"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 9, 33, 250, 3000])
def test_trees_built_by_blocks_are_complete_and_as_good(kind: str, count: int) -> None:
    """Nested, every placement once, no more stack than said, and the surface of the single thread's tree."""
    lanes, rows = gpu.bvh.CUDA_LANES, 3
    low, high = boxes(kind, rows, count)
    surfaces = []
    for device in ("cpu", CUDA):
        nodes = gpu.top.top_nodes(count, lanes)
        corners = [wp.array(side, dtype=wp.vec3, device=device) for side in (low, high)]
        node = wp.empty(rows * nodes * 8 * lanes, dtype=float, device=device)
        need = wp.empty(rows, dtype=int, device=device)
        program = Program(device)
        record_top_build(top_build(*corners, node, lanes), need, program)
        program.run()
        assert need.numpy().max(initial=0) <= gpu.top.top_stack_entries(count, lanes)
        surface = 0.0
        for row, values in enumerate(node.numpy().reshape(rows, nodes, 8 * lanes)):
            found, area, _ = walk(values, lanes)
            shown: NDArray[np.int64] = np.flatnonzero(low[row, :, 0] <= high[row, :, 0])
            assert sorted(found) == shown.tolist()
            surface += area
        surfaces.append(surface)
    assert surfaces[1] == pytest.approx(surfaces[0], rel=1e-3)


def test_meshes_move_between_batches_under_way() -> None:
    """Batches are started before the ones in front of them have ended; in the middle a tree is built anew."""
    stages = [bent(BALL, 0.1), bent(BALL, 0.2, bent(TALL, 0.2)), scrambled(BALL), bent(TALL, 0.3), MOVING]
    draft = draft_of(MOVING, SETUP, CAMERA, [0, 1, 2])
    renderer = Renderer(MOVING, SETUP, EVERYTHING, seed=0, device=CUDA)
    motions, pending = [], [renderer.start(draft)]
    for stage in stages:
        motions.append(renderer.move(stage))
        pending.append(renderer.start(draft))
    assert [bool(motion.rebuilt) for motion in motions] == [False, False, True, False, False]
    for stage, each in zip([MOVING, *stages], pending, strict=True):
        found, new = each.wait(), Renderer(stage, SETUP, EVERYTHING, seed=0, device=CUDA).render(draft)
        for name in Frames.image_names():
            assert getattr(found, name).tobytes() == getattr(new, name).tobytes()
        assert_alike(found, Renderer(stage, SETUP, EVERYTHING, seed=0, device="cpu").render(draft))


def test_labels_alone_need_no_light_kernels() -> None:
    draft = moved(dataclasses.replace(SETUP, quality="labels"), [0])
    frames = Renderer(STAGE, dataclasses.replace(SETUP, quality="labels"), LABELS, seed=0, device=CUDA).render(draft)
    assert frames.rgb is None
    assert frames.instance is not None
    assert len(np.unique(frames.instance)) > 1
