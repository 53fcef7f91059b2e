"""Cameras of a batch on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.recipe import Rig
from engine.render.exposure import blur_field, blurs
from engine.render.inputs import Field, Inputs, field

RUN_PX = 256  # of a thread on the CPU, which copies the arguments of a kernel once for all of them


def span_of(first: int, count: int, device: str) -> Any:
    """Return kernels.camera.Span of some pixels; a launch over it has a thread for every `run` of them."""
    span = gpu.camera.Span()
    span.first, span.count, span.run = first, count, RUN_PX if wp.get_device(device).is_cpu else 1
    return span


def view_fields(
    draft: Draft, rig: Rig, cameras: slice = slice(None), first_row: NDArray[np.int32] | None = None
) -> list[Field]:
    """Return the cameras of a draft, view-major.

    Args:
        draft: Rows with all cameras of the rig.
        rig: Exposure, and whether cameras clip.
        cameras: Which of the cameras; each sees the same whatever the others are.
        first_row: Row of Worlds of every view [row, camera], see engine/render/exposure.py; None: the draft's own.
    """
    rows, all_cameras = draft.world_from_camera.shape[:2]
    chosen = np.arange(all_cameras, dtype=np.int32)[cameras]
    count = rows * len(chosen)
    row = np.repeat(np.arange(rows, dtype=np.int32), len(chosen))
    frame = draft.step[row] * all_cameras + np.tile(chosen, rows)

    def of(name: str) -> np.ndarray[Any, Any]:
        values = getattr(draft, name)[:, cameras]
        return values.reshape(count, *values.shape[2:])

    fields = [
        field("row", wp.int32, row if first_row is None else first_row.reshape(-1), np.int32),
        field("world", wp.int32, draft.world[row].astype(np.uint32).view(np.int32), np.int32),
        field("frame", wp.int32, frame, np.int32),
        field("world_from_camera", gpu.transform.mat34, of("world_from_camera")),
        field("focal_px", wp.vec2, of("focal_px")),
        field("center_px", wp.vec2, of("center_px")),
        field("lens", wp.int32, of("lens_model"), np.int32),
        field("exposure", wp.float32, of("exposure") * np.exp2(of("exposure_ev") + rig.exposure_ev)),
    ]
    bent = draft.lens_model > gpu.camera.LensModel.ORTHOGRAPHIC
    if bent.any():  # of all cameras: a part of a draft is laid out as the whole is
        values = np.concatenate([of("lens_coefficients"), of("lens_limit")[:, None]], axis=1)
        fields.append(field("lens_value", wp.float32, values))
    if blurs(rig):
        fields.append(blur_field(draft, rig, cameras))
    if rig.clip:
        fields.append(field("clip_m", wp.vec2, of("clip_m")))
    return fields


def views_of(fields: list[Field], inputs: Inputs, rig: Rig, device: str, *, shaded: bool) -> Any:
    """Return kernels.camera.Views of `view_fields` that are in `inputs`; random words are there if they are shaded."""
    views = gpu.camera.Views()
    views.width, views.height, views.moment_count = rig.width, rig.height, 1
    for each in fields:
        setattr(views, each.name, inputs.array(each.name))
    count = len(views.row) if shaded else 0
    for name in ("light_shift", "ambient_shift"):
        setattr(views, name, wp.empty(count, dtype=gpu.random.vec4u, device=device))
    return views
