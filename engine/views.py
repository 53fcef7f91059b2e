"""Cameras of a batch on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.device_arrays import rows_to_device, to_device
from engine.draft import Draft
from engine.randomize.philox import philox
from engine.recipe import Rig

RUN_PX = 256  # of a thread on the CPU, which copies the arguments of a kernel once for all of them


def span_of(first: int, count: int, device: str) -> Any:
    """Return kernels.camera.Span of some pixels; a launch over it has a thread for every `run` of them."""
    span = gpu.camera.Span()
    span.first, span.count, span.run = first, count, RUN_PX if wp.get_device(device).is_cpu else 1
    return span


def upload_views(draft: Draft, rig: Rig, words: tuple[int, int], device: str) -> Any:
    """Return kernels.camera.Views of a draft, view-major; `words` is the key of the random numbers of pixels."""
    rows, cameras = draft.world_from_camera.shape[:2]
    count = rows * cameras
    row, camera = np.divmod(np.arange(count, dtype=np.int32), np.int32(cameras))
    views = gpu.camera.Views()
    views.width, views.height = rig.width, rig.height
    views.row = to_device(row, wp.int32, device)
    views.world = to_device(draft.world[row].astype(np.uint32).view(np.int32), wp.int32, device)
    views.frame = to_device((draft.step[row] * cameras + camera).astype(np.int32), wp.int32, device)
    pose = draft.world_from_camera.reshape(count, 3, 4).astype(np.float32)
    views.world_from_camera = to_device(pose, gpu.transform.mat34, device)
    views.focal_px = to_device(draft.focal_px.reshape(count, 2).astype(np.float32), wp.vec2, device)
    views.center_px = to_device(draft.center_px.reshape(count, 2).astype(np.float32), wp.vec2, device)
    views.orthographic = to_device(draft.orthographic.reshape(count).astype(np.int32), wp.int32, device)
    if rig.clip:
        clip_m = draft.clip_m.reshape(count, 2).astype(np.float32)
        views.clip_m = to_device(clip_m, wp.vec2, device)
    stops = draft.exposure_ev + rig.exposure_ev
    exposure = (draft.exposure * np.exp2(stops)).reshape(count).astype(np.float32)
    counter = (draft.world[row], draft.step[row] * cameras + camera, 0)
    for name in ("light", "ambient"):
        shift = philox((*counter, getattr(gpu.sample, f"{name.upper()}_DIMENSION")), words)
        setattr(views, f"{name}_shift", to_device(shift, gpu.random.vec4u, device))
    views.exposure = rows_to_device(exposure, wp.float32, device)
    return views
