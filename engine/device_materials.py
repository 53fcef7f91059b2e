"""Materials of a scene on a device, and what a batch of rows changes about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.atlas import Atlas
from engine.device_arrays import copied, rows_to_device, to_device
from engine.draft import Draft
from engine.scene.model import Material

TEXTURED = ("base_color", "metallic", "roughness", "emission", "normal")


def materials_on_device(materials: Sequence[Material], atlas: Atlas, device: str) -> Any:
    """Return kernels.material.Materials without rows."""
    out = gpu.material.Materials()
    emission = [(1.0,) * 3 if "emission" in m.textures else m.emission for m in materials]
    out.emission = to_device(np.array(emission, np.float32), wp.vec3, device)
    out.ior = to_device(np.array([m.ior for m in materials], np.float32), wp.float32, device)
    coat = [(m.clearcoat, m.clearcoat_roughness) for m in materials]
    out.clearcoat = to_device(np.array(coat, np.float32), wp.vec2, device)
    out.uses_display_color = to_device(np.array([m.uses_display_color for m in materials], np.int32), wp.int32, device)
    inputs = [m.textures[field] for m in materials for field in TEXTURED if field in m.textures]
    index = iter(range(len(inputs)))
    slots = np.array([[next(index) if field in m.textures else -1 for field in TEXTURED] for m in materials], np.int32)
    for column, field in enumerate(TEXTURED):
        setattr(out.input, field, to_device(slots[:, column], wp.int32, device))
    table = out.inputs
    table.texture = to_device(np.array([i.texture for i in inputs], np.int32), wp.int32, device)
    table.channel = to_device(np.array([i.channel for i in inputs], np.int32), wp.int32, device)
    table.scale = to_device(np.array([i.scale for i in inputs], np.float32).reshape(-1, 4), wp.vec4, device)
    table.bias = to_device(np.array([i.bias for i in inputs], np.float32).reshape(-1, 4), wp.vec4, device)
    rows = np.array([i.uv_from_st for i in inputs], np.float32).reshape(-1, 2, 3)
    table.u_from_st = to_device(rows[:, 0], wp.vec3, device)
    table.v_from_st = to_device(rows[:, 1], wp.vec3, device)
    out.textures = atlas.textures
    return out


def materials_of_rows(base: Any, draft: Draft, device: str) -> Any:
    """Return the materials with the rows of a draft."""
    materials = copied(base)
    materials.base_color = rows_to_device(draft.base_color, wp.vec3, device)
    materials.roughness = rows_to_device(draft.roughness, wp.float32, device)
    materials.metallic = rows_to_device(draft.metallic, wp.float32, device)
    materials.override = rows_to_device(draft.material, wp.int32, device)
    materials.tint = rows_to_device(draft.tint, wp.vec3, device)
    return materials
