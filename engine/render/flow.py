"""Optical flow of a batch: which frames are one step apart, what the kernels must know of them, and the launches.

A frame's neighbours are those of the same world and camera, in the rows of the draft before and after. Their cameras
are inputs of their own and their worlds are placed with the batch's, so that a part of a draft shows what the whole
does: it has a row more at each end, whose cameras see nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.recipe import Rig
from engine.render.inputs import Field, Inputs, field
from engine.render.program import Program
from engine.render.views import view_fields

if TYPE_CHECKING:
    from engine.render.stages import Target

DIRECTIONS = {"forward": 1, "backward": -1}  # and the step that it goes
FLOW_IMAGES = tuple(
    f"{image}_{direction}_{what}"
    for direction in DIRECTIONS
    for image, what in (("flow", "px"), ("flow", "state"), ("scene_flow", "m"))
)
PREFIX = "flow_"  # of inputs
OF_VIEWS = ("row", "focal_px", "center_px", "lens", "lens_value", "blur", "clip_m")


def reads_steps(annotations: tuple[str, ...]) -> bool:
    """Return whether some annotations look at the steps before and after."""
    return any(name in FLOW_IMAGES for name in annotations)


def neighbor_rows(draft: Draft, step: int) -> NDArray[np.int64]:
    """Return the row of the same world that is so many steps (1 or -1) later, [row]; -1: the draft has none."""
    rows = np.arange(len(draft.world))
    there = np.clip(rows + step, 0, len(rows) - 1)
    is_there = (draft.world[there] == draft.world) & (draft.step[there] == draft.step + step)
    out: NDArray[np.int64] = np.where(is_there, there, -1)
    return out


def with_neighbors(rows: slice, count: int) -> tuple[slice, slice]:
    """Return some rows of `count` and one more at each end, and where the first are among these."""
    start, stop = rows.start, min(rows.stop, count)
    first = max(start - 1, 0)
    return slice(first, min(stop + 1, count)), slice(start - first, stop - first)


def flow_fields(
    draft: Draft, placed: Draft, rig: Rig, cameras: slice, shown: slice, first_row: NDArray[np.int32]
) -> list[Field]:
    """Return what flow needs to know beside what images do.

    Args:
        draft: Rows that are shown and their neighbours.
        placed: The rows of Worlds that they become.
        rig: Of the draft.
        cameras: That are shown.
        shown: Rows of `draft`.
        first_row: Row of `placed` of every row and camera, see engine/render/exposure.py.
    """
    rows, cameras_count = first_row.shape
    own = np.arange(rows)[shown]
    there = [own, *(neighbor_rows(draft, step)[shown] for step in DIRECTIONS.values())]
    view = np.concatenate([np.where(row < 0, own, row) for row in there])[:, None] * cameras_count
    view = (view + np.arange(cameras_count)).reshape(-1)
    is_there = np.repeat(np.concatenate(there) >= 0, cameras_count)
    fields = []
    for each in view_fields(draft, rig, cameras, first_row):
        if each.name in OF_VIEWS:
            ((_, of_draft),) = each.parts
            values = np.where(is_there, of_draft[view], -1) if each.name == "row" else of_draft[view]
            fields.append(field(PREFIX + each.name, each.dtype, values, each.scalar))
    camera_pose = draft.world_from_camera[:, cameras].reshape(-1, 3, 4)[view]
    fields.append(field(f"{PREFIX}camera_pose", gpu.sight.mat34d, camera_pose, np.float64))
    poses = placed.world_from_instance
    return [*fields, field(f"{PREFIX}instance_pose", gpu.sight.mat34d, poses, np.float64, may_share=True)]


def new_flow_images(device: str) -> Any:
    """Return kernels.flow.FlowImages that nobody asked for."""
    images = gpu.flow.FlowImages()
    for name in FLOW_IMAGES:
        if name.endswith("_state"):
            setattr(images, name, wp.empty((0, 0, 0), dtype=wp.uint8, device=device))
        else:
            setattr(images, name, wp.empty((0, 0, 0, 0), dtype=wp.float32, device=device))
    return images


def record_flow(program: Program, target: Target, threads: int, images: Any) -> None:
    """Record the flow of a slice into kernels.flow.FlowImages; a thread has `Span.run` pixels."""
    worlds, buffers, span = target.worlds, target.buffers, target.span
    for direction in DIRECTIONS:
        if not any(f"_{direction}_" in name for name in buffers.holders if name in FLOW_IMAGES):
            continue
        journey = _journey(target, worlds.inputs, direction)
        if worlds.opacities is None:
            program.launch(gpu.flow.find_flow, threads, [worlds.geometry, journey, span, buffers.hit, images])
        else:
            inputs = [worlds.geometry, journey, worlds.opacities, span, buffers.hit, images, target.overflow]
            program.launch(gpu.flow_passage.pass_flow, threads, inputs)


def _journey(target: Target, inputs: Inputs, direction: str) -> Any:
    """Return kernels.flow.Journey of one direction."""
    journey, views = gpu.flow.Journey(), gpu.camera.Views()
    views.width, views.height = target.views.width, target.views.height
    views.moment_count = target.views.moment_count
    for name in OF_VIEWS:
        if inputs.has(PREFIX + name):
            setattr(views, name, inputs.array(PREFIX + name))
    journey.views, journey.visible = views, inputs.array("visible")
    journey.camera_pose, journey.instance_pose = (
        inputs.array(f"{PREFIX}{name}") for name in ("camera_pose", "instance_pose")
    )
    count = len(views.row) // (len(DIRECTIONS) + 1)
    journey.beyond = count * (1 + list(DIRECTIONS).index(direction))
    journey.is_forward = int(DIRECTIONS[direction] > 0)
    return journey
