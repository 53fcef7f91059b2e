"""Lights of a scene on a device, and what a batch of rows changes about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.atlas import Atlas
from engine.device_arrays import copied, rows_to_device, to_device
from engine.draft import Draft
from engine.scene.model import Scene


def lights_on_device(scene: Scene, atlas: Atlas, device: str) -> Any:
    """Return kernels.light.Lights without rows."""
    lights, out = scene.lights, gpu.light.Lights()
    out.count = len(lights)
    out.kind = to_device(np.array([light.kind for light in lights], np.int32), wp.int32, device)
    out.size_m = to_device(np.array([light.size_m for light in lights], np.float32).reshape(-1, 2), wp.vec2, device)
    angle = np.array([light.half_angle_rad for light in lights], np.float32)
    out.half_angle_rad = to_device(angle, wp.float32, device)
    cone = np.array([(light.cone_cos, light.cone_softness) for light in lights], np.float32).reshape(-1, 2)
    out.cone = to_device(cone, wp.vec2, device)
    texture = [-1 if light.texture is None else light.texture for light in lights]
    out.texture = to_device(np.array(texture, np.int32), wp.int32, device)
    out.casts_shadow = to_device(np.array([light.casts_shadow for light in lights], np.int32), wp.int32, device)
    out.textures = atlas.textures
    return out


def lights_of_rows(base: Any, draft: Draft, device: str) -> Any:
    """Return the lights with the rows of a draft."""
    lights = copied(base)
    lights.world_from_light = rows_to_device(draft.world_from_light.astype(np.float32), gpu.transform.mat34, device)
    lights.radiance = rows_to_device(draft.radiance, wp.vec3, device)
    lights.ambient = rows_to_device(draft.ambient, wp.vec3, device)
    return lights
