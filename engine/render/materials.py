"""Materials of a scene on a device, and what a batch of rows changes about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.render.arrays import copied, to_device
from engine.render.atlas import Atlas
from engine.render.energy import energy_on_device
from engine.render.inputs import Field, Inputs
from engine.scene.model import Material, TextureInput

NO_INPUT = -1
METALLIC_WORKFLOW = (-1.0, -1.0, -1.0)  # in place of the specular workflow's colour
CONSTANT_COLUMNS, DISPLAY_COLUMN, INPUT_COLUMN = slice(5, 14), 14, 15  # of a record


@dataclass(frozen=True)
class MaterialTable:
    """Materials of a scene: what is on the device, and the records that rows begin with."""

    device: Any  # kernels.material.Materials without rows
    record: NDArray[np.float32]  # [material, 24], layout: kernels/native/material.cpp


def materials_on_device(
    materials: Sequence[Material], atlas: Atlas, device: str, *, compensates: bool
) -> MaterialTable:
    """Return the materials of a scene; constants that a texture drives are 1 in their records.

    Args:
        materials: Of the scene.
        atlas: Its textures.
        device: Where to.
        compensates: Rough lobes get back what bounces more than once between their facets.
    """
    out = gpu.material.Materials()
    names = [member.name.lower() for member in gpu.material.MaterialInput]
    inputs = [m.textures[name] for m in materials for name in names if name in m.textures]
    index = iter(range(len(inputs)))
    rows = [[next(index) if name in m.textures else NO_INPUT for name in names] for m in materials]
    table = np.array(rows, np.int32).reshape(-1, len(names))
    out.used_inputs = sum(1 << column for column in np.nonzero((table != NO_INPUT).any(axis=0))[0].tolist())
    out.input = to_device(table, wp.int32, device)
    out.inputs = _inputs_on_device(inputs, device)
    out.textures = atlas.textures
    out.energy = energy_on_device(device, compensates=compensates)
    record = np.zeros((len(materials), gpu.material.RECORD_FLOATS), np.float32)
    for row, material in zip(record, materials, strict=True):
        row[CONSTANT_COLUMNS] = _constants(material)
        row[DISPLAY_COLUMN : DISPLAY_COLUMN + 1].view(np.int32)[:] = material.uses_display_color
    record[:, INPUT_COLUMN:].view(np.int32)[:] = table
    return MaterialTable(out, record)


def _constants(material: Material) -> list[float]:
    """Return emission, specular colour, reflectance at normal incidence, coat and its roughness."""

    def constant(name: str, one: Any = 1.0) -> Any:
        return one if name in material.textures else getattr(material, name)

    white = (1.0,) * 3
    specular = METALLIC_WORKFLOW if material.specular_color is None else constant("specular_color", white)
    reflectance = ((1.0 - material.ior) / (1.0 + material.ior)) ** 2
    coat = (constant("clearcoat"), constant("clearcoat_roughness"))
    return [*constant("emission", white), *specular, reflectance, *coat]


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


def material_fields(base: MaterialTable, draft: Draft) -> list[Field]:
    """Return what rows change about materials: constants of the table, and of every instance its tint and material."""
    count = len(draft.world)
    parts = (
        ((..., slice(0, 3)), draft.base_color),
        ((..., 3), draft.roughness),
        ((..., 4), draft.metallic),
    )
    shape = (count, *base.record.shape)
    record = Field("material", wp.float32, shape, np.float32, parts, start=base.record, may_share=True)
    looks = (((..., slice(0, 3)), draft.tint), ((..., 3), draft.material.view(np.float32)))
    instance = Field("look", wp.float32, (*draft.tint.shape[:2], 4), np.float32, looks, may_share=True)
    return [record, instance]


def materials_of_rows(base: MaterialTable, inputs: Inputs) -> Any:
    """Return kernels.material.Materials with the rows in `inputs`."""
    materials = copied(base.device)
    materials.record, materials.instance = inputs.array("material"), inputs.array("look")
    return materials
