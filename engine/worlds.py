"""Worlds on the device: the scene's geometry once, and per batch where everything is and how it looks.

Arrays are `[row, ...]`; a value that all rows share is stored once and read with stride 0.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.atlas import pack_textures
from engine.device_arrays import copied, rows_to_device
from engine.device_geometry import geometry_on_device
from engine.device_lights import lights_of_rows, lights_on_device
from engine.device_materials import MaterialTable, materials_of_rows, materials_on_device
from engine.device_opacity import opacities_of_rows, opacities_on_device, opacity_kinds, opacity_textures
from engine.draft import Draft
from engine.recipe import Rig
from engine.scene.model import Scene
from engine.tree import build_mesh_trees, build_top_trees, lanes_of


@dataclass(frozen=True)
class SceneOnDevice:
    """What all worlds share."""

    device: str
    scene: Scene
    geometry: Any  # kernels.geometry.Geometry with an empty top level
    materials: MaterialTable | None  # None at quality `labels`
    lights: Any  # kernels.light.Lights without rows; None at quality `labels`
    opacities: Any  # kernels.opacity.Opacities without rows; None: neither of the next two
    opens_view: bool  # rays of the camera may pass surfaces, or are clipped
    opens_shadow: bool  # shadow rays may pass surfaces
    stack_entries: int  # that a traversal of one mesh may need


@dataclass(frozen=True)
class Worlds:
    """A batch of rows on the device."""

    draft: Draft
    geometry: Any  # kernels.geometry.Geometry
    materials: Any  # kernels.material.Materials
    lights: Any  # kernels.light.Lights
    opacities: Any  # kernels.opacity.Opacities, or None


def upload_scene(scene: Scene, rig: Rig, *, device: str, shaded: bool) -> SceneOnDevice:
    """Return the scene on a device: bottom-level trees once per mesh, corner data, materials, lights and textures."""
    trees = build_mesh_trees(scene.meshes, lanes_of(device))
    geometry = geometry_on_device(scene, trees, device)
    kinds = opacity_kinds(scene)
    opens_view = bool(kinds.any()) or rig.clip
    opens_shadow = shaded and (bool(kinds.any()) or any(light.shading is not None for light in scene.lights))
    base = SceneOnDevice(device, scene, geometry, None, None, None, opens_view, opens_shadow, trees.stack_entries)
    if not shaded and not opens_view:
        return base
    atlas = pack_textures(scene.textures if shaded else opacity_textures(scene, kinds), device)
    materials = materials_on_device(scene.materials, atlas, device)
    if opens_view or opens_shadow:
        opacities = opacities_on_device(scene.materials, kinds, materials.device, device)
        opacities.label_opacity = rig.label_opacity
        base = dataclasses.replace(base, opacities=opacities)
    if not shaded:
        return base
    lights = lights_on_device(scene, atlas, device)
    lights.ambient_reach_m = rig.ambient_reach_m
    return dataclasses.replace(base, materials=materials, lights=lights)


def upload_worlds(base: SceneOnDevice, draft: Draft) -> Worlds:
    """Return a batch: poses composed and inverted, and a tree over the placements of every row, all on the device."""
    device, rows, count = base.device, len(draft.world), base.geometry.trees.placement_count
    mat34 = gpu.transform.mat34
    geometry = copied(base.geometry)
    geometry.world_from_mesh = wp.empty((rows, count), dtype=mat34, device=device)
    geometry.trees.record = wp.empty((rows, count, 16), dtype=wp.float32, device=device)
    low = wp.empty((rows, count), dtype=wp.vec3, device=device)
    high = wp.empty((rows, count), dtype=wp.vec3, device=device)
    poses = rows_to_device(draft.world_from_instance.astype(np.float32), mat34, device)
    visible = rows_to_device(draft.visible.astype(np.uint8), wp.uint8, device)
    outputs = [geometry.world_from_mesh, geometry.trees.record, low, high]
    wp.launch(gpu.geometry.place_meshes, (rows, count), [geometry, poses, visible, *outputs], device=device)
    geometry.trees.top_node, geometry.trees.top_stride = build_top_trees(low, high, base.stack_entries)
    opacities = None if base.opacities is None else opacities_of_rows(base.opacities, draft, device)
    if base.materials is None:
        return Worlds(draft, geometry, None, None, opacities)
    materials = materials_of_rows(base.materials, draft, device)
    return Worlds(draft, geometry, materials, lights_of_rows(base.lights, draft, device), opacities)
