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
from engine.scene.model import Material, TextureInput

NO_INPUT = -1
METALLIC_WORKFLOW = (-1.0, -1.0, -1.0)  # in place of the specular workflow's colour


def materials_on_device(materials: Sequence[Material], atlas: Atlas, device: str) -> Any:
    """Return kernels.material.Materials without rows."""
    out = gpu.material.Materials()

    def constant(material: Material, name: str, one: Any = 1.0) -> Any:
        return one if name in material.textures else getattr(material, name)

    emission = [constant(m, "emission", (1.0,) * 3) for m in materials]
    out.emission = to_device(np.array(emission, np.float32), wp.vec3, device)
    out.ior = to_device(np.array([m.ior for m in materials], np.float32), wp.float32, device)
    specular = [METALLIC_WORKFLOW if m.specular_color is None else constant(m, "specular_color", (1.0,) * 3)
                for m in materials]  # fmt: skip
    out.specular_color = to_device(np.array(specular, np.float32), wp.vec3, device)
    coat = [(constant(m, "clearcoat"), constant(m, "clearcoat_roughness")) for m in materials]
    out.clearcoat = to_device(np.array(coat, np.float32), wp.vec2, device)
    out.uses_display_color = to_device(np.array([m.uses_display_color for m in materials], np.int32), wp.int32, device)
    names = [member.name.lower() for member in gpu.material.MaterialInput]
    inputs = [m.textures[name] for m in materials for name in names if name in m.textures]
    index = iter(range(len(inputs)))
    rows = [[next(index) if name in m.textures else NO_INPUT for name in names] for m in materials]
    out.input = to_device(np.array(rows, np.int32).reshape(-1, len(names)), wp.int32, device)
    out.inputs = _inputs_on_device(inputs, device)
    out.textures = atlas.textures
    return out


def _inputs_on_device(inputs: Sequence[TextureInput], device: str) -> Any:
    table = gpu.texture.TextureInputs()
    table.texture = to_device(np.array([i.texture for i in inputs], np.int32), wp.int32, device)
    table.channel = to_device(np.array([i.channel for i in inputs], np.int32), wp.int32, device)
    table.scale = to_device(np.array([i.scale for i in inputs], np.float32).reshape(-1, 4), wp.vec4, device)
    table.bias = to_device(np.array([i.bias for i in inputs], np.float32).reshape(-1, 4), wp.vec4, device)
    rows = np.array([i.uv_from_st for i in inputs], np.float32).reshape(-1, 2, 3)
    table.u_from_st = to_device(rows[:, 0], wp.vec3, device)
    table.v_from_st = to_device(rows[:, 1], wp.vec3, device)
    table.uv_set = to_device(np.array([i.uv_set for i in inputs], np.int32), wp.int32, device)
    return table


def materials_of_rows(base: Any, draft: Draft, device: str) -> Any:
    """Return the materials with the rows of a draft."""
    materials = copied(base)
    materials.base_color = rows_to_device(draft.base_color, wp.vec3, device)
    materials.roughness = rows_to_device(draft.roughness, wp.float32, device)
    materials.metallic = rows_to_device(draft.metallic, wp.float32, device)
    materials.override = rows_to_device(draft.material, wp.int32, device)
    materials.tint = rows_to_device(draft.tint, wp.vec3, device)
    return materials
