"""Optical flow of a batch: which frames are one step apart, what the kernels must know of them, and the launches.

A frame's neighbours are those of the same world and camera, in the rows of the draft before and after. Their cameras
are inputs of their own and their worlds are placed with the batch's, so that a part of a draft shows what the whole
does: it has a row more at each end, whose cameras see nothing.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft, rows_of
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
OF_VIEWS = ("row", "world_from_camera", "focal_px", "center_px", "lens", "lens_value", "blur", "clip_m")


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
    mat34d = gpu.flow.mat34d

    def poses(seen: Draft) -> NDArray[np.float64]:
        return seen.world_from_camera[:, cameras].reshape(-1, 3, 4)

    fields = [
        field("flow_instance_pose", mat34d, placed.world_from_instance, np.float64, may_share=True),
        field("flow_pose", mat34d, poses(rows_of(draft, shown)), np.float64),
    ]
    for direction, step in DIRECTIONS.items():
        row = neighbor_rows(draft, step)[shown]
        there = np.where(row < 0, 0, row)
        at = np.where(row[:, None] < 0, -1, first_row[there]).astype(np.int32)
        seen = taken(draft, there)
        fields += [
            Field(f"flow_{direction}_{each.name}", each.dtype, each.shape, each.scalar, each.parts)
            for each in view_fields(seen, rig, cameras, at)
            if each.name in OF_VIEWS
        ]
        fields.append(field(f"flow_{direction}_pose", mat34d, poses(seen), np.float64))
    return fields


def taken(draft: Draft, rows: NDArray[np.int64]) -> Draft:
    """Return rows of a draft in any order."""
    arrays = {name: values[rows] for name, values in vars(draft).items() if isinstance(values, np.ndarray)}
    return dataclasses.replace(draft, **arrays, drawn={})


def new_flow_images(device: str) -> Any:
    """Return kernels.flow.FlowImages that nobody asked for."""
    images = gpu.flow.FlowImages()
    for name in FLOW_IMAGES:
        if name.endswith("_state"):
            setattr(images, name, wp.empty((0, 0, 0), dtype=wp.uint8, device=device))
        else:
            setattr(images, name, wp.empty((0, 0, 0, 0), dtype=wp.float32, device=device))
    return images


def record_flow(program: Program, target: Target, slice_px: int, images: Any) -> None:
    """Record the flow of a slice; `images` is the kernels.flow.FlowImages that is written."""
    worlds, buffers, span = target.worlds, target.buffers, target.span
    for direction, step in DIRECTIONS.items():
        if not any(f"_{direction}_" in name for name in buffers.holders if name in FLOW_IMAGES):
            continue
        journey = _journey(target, worlds.inputs, direction)
        journey.is_forward = int(step > 0)
        threads = -(-slice_px // span.run)
        if worlds.opacities is None:
            program.launch(gpu.flow.find_flow, threads, [worlds.geometry, journey, span, buffers.hit, images])
        else:
            inputs = [worlds.geometry, journey, worlds.opacities, span, buffers.hit, images, target.overflow]
            program.launch(gpu.flow_passage.pass_flow, threads, inputs)


def _journey(target: Target, inputs: Inputs, direction: str) -> Any:
    """Return kernels.flow.Journey of one direction."""
    journey, there = gpu.flow.Journey(), gpu.camera.Views()
    there.width, there.height = target.views.width, target.views.height
    there.moment_count = target.views.moment_count
    for name in OF_VIEWS:
        if inputs.has(f"flow_{direction}_{name}"):
            setattr(there, name, inputs.array(f"flow_{direction}_{name}"))
    journey.here, journey.there = target.views, there
    journey.here_pose, journey.there_pose = inputs.array("flow_pose"), inputs.array(f"flow_{direction}_pose")
    journey.instance_pose, journey.visible = inputs.array("flow_instance_pose"), inputs.array("visible")
    return journey
