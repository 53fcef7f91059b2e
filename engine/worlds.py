"""Worlds on the device: the scene's geometry once, and per batch where everything is and how it looks.

Arrays are `[row, ...]`; a value that all rows share is stored once and read with stride 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.atlas import Atlas, pack_textures
from engine.draft import Draft
from engine.recipe import Rig
from engine.scene.model import Material, Scene
from engine.tree import MeshTrees, build_mesh_trees, build_top_trees, check_stack, lanes_of

TEXTURED = ("base_color", "metallic", "roughness", "emission", "normal")


@dataclass(frozen=True)
class SceneOnDevice:
    """What all worlds share."""

    device: str
    scene: Scene
    geometry: Any  # kernels.geometry.Geometry with an empty top level
    materials: Any  # kernels.material.Materials without rows; None at quality `labels`
    lights: Any  # kernels.light.Lights without rows; None at quality `labels`
    stack_entries: int  # that a traversal of one mesh may need


@dataclass(frozen=True)
class Worlds:
    """A batch of rows on the device."""

    draft: Draft
    geometry: Any  # kernels.geometry.Geometry
    materials: Any  # kernels.material.Materials
    lights: Any  # kernels.light.Lights


def to_device(values: NDArray[Any], dtype: Any, device: str) -> wp.array:
    """Return host values as a device array; trailing axes that belong to `dtype` are folded into it."""
    return wp.array(np.ascontiguousarray(values), dtype=dtype, device=device)


def rows_to_device(values: NDArray[Any], dtype: Any, device: str) -> wp.array:
    """Return `[row, ...]` values as a device array; rows that are all equal become one row with stride 0."""
    rows = len(values)
    if rows < 2 or not (values[1:] == values[:1]).all():
        return to_device(values, dtype, device)
    shared = to_device(values[:1], dtype, device)
    strides = (0, *shared.strides[1:])
    view = wp.array(
        ptr=shared.ptr, dtype=shared.dtype, shape=(rows, *shared.shape[1:]), strides=strides, device=device, copy=False
    )
    view._owner = shared  # the view has no memory of its own
    return view


def copied(struct: Any) -> Any:
    """Return a copy of a Warp struct, nested ones included; the arrays in it are shared."""
    out = struct._cls()
    for name in struct._cls.vars:
        value = getattr(struct, name)
        setattr(out, name, copied(value) if hasattr(value, "_cls") else value)
    return out


def upload_scene(scene: Scene, rig: Rig, *, device: str, shaded: bool) -> SceneOnDevice:
    """Return the scene on a device: bottom-level trees once per mesh, corner data, materials, lights and textures."""
    trees = build_mesh_trees(scene.meshes, lanes_of(device))
    geometry = _geometry(scene, trees, device)
    if not shaded:
        return SceneOnDevice(device, scene, geometry, None, None, trees.stack_entries)
    atlas = pack_textures(scene.textures, device)
    materials = _materials(scene.materials, atlas, device)
    lights = _lights(scene, atlas, device)
    lights.ambient_reach_m = rig.ambient_reach_m
    return SceneOnDevice(device, scene, geometry, materials, lights, trees.stack_entries)


def upload_worlds(base: SceneOnDevice, draft: Draft) -> Worlds:
    """Return a batch: poses composed and inverted on the device, and a tree over the placements of every row."""
    device, rows, count = base.device, len(draft.world), base.geometry.trees.placement_count
    mat34 = gpu.transform.mat34
    geometry = copied(base.geometry)
    geometry.world_from_mesh = wp.empty((rows, count), dtype=mat34, device=device)
    geometry.trees.mesh_from_world = wp.empty((rows, count), dtype=mat34, device=device)
    low = wp.empty((rows, count), dtype=wp.vec3, device=device)
    high = wp.empty((rows, count), dtype=wp.vec3, device=device)
    poses = rows_to_device(draft.world_from_instance.astype(np.float32), mat34, device)
    visible = rows_to_device(draft.visible.astype(np.uint8), wp.uint8, device)
    outputs = [geometry.world_from_mesh, geometry.trees.mesh_from_world, low, high]
    wp.launch(gpu.geometry.place_meshes, (rows, count), [geometry, poses, visible, *outputs], device=device)
    nodes, need = build_top_trees(low.numpy(), high.numpy(), lanes_of(device))
    check_stack(base.stack_entries, need)
    geometry.trees.top_node = to_device(nodes.reshape(-1), wp.float32, device)
    geometry.trees.top_stride = nodes.shape[1]
    if base.materials is None:
        return Worlds(draft, geometry, None, None)
    return Worlds(draft, geometry, _materials_of_rows(base, draft), _lights_of_rows(base, draft))


def _geometry(scene: Scene, trees: MeshTrees, device: str) -> Any:
    placed, mat34 = scene.placements, gpu.transform.mat34
    counts = np.array([len(mesh.triangle) for mesh in scene.meshes], np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    box_low = np.array([mesh.points_m.min(axis=0) for mesh in scene.meshes], np.float32).reshape(-1, 3)
    box_high = np.array([mesh.points_m.max(axis=0) for mesh in scene.meshes], np.float32).reshape(-1, 3)
    geometry = gpu.geometry.Geometry()
    geometry.trees.placement_count = len(placed.mesh)
    geometry.trees.node = to_device(trees.node, wp.float32, device)
    geometry.trees.block = to_device(trees.block, wp.float32, device)
    geometry.trees.first_node = to_device(trees.first_node[placed.mesh], wp.int32, device)
    geometry.trees.first_block = to_device(trees.first_block[placed.mesh], wp.int32, device)
    geometry.first_triangle = to_device(first[placed.mesh].astype(np.int32), wp.int32, device)
    geometry.first_slot = to_device(placed.first_slot, wp.int32, device)
    geometry.instance = to_device(placed.instance, wp.int32, device)
    geometry.instance_from_mesh = to_device(_instance_from_mesh(scene).astype(np.float32), mat34, device)
    geometry.low_m = to_device(box_low[placed.mesh], wp.vec3, device)
    geometry.high_m = to_device(box_high[placed.mesh], wp.vec3, device)
    geometry.slot_material = to_device(placed.slot_material, wp.int32, device)
    geometry.triangle_slot = to_device(_joined([m.slot for m in scene.meshes], (0,), np.int32), wp.int32, device)
    point = [m.points_m[m.triangle] for m in scene.meshes]
    geometry.point_m = to_device(_joined(point, (0, 3, 3), np.float32), wp.vec3, device)
    normal = [_corners(m.normal, len(m.triangle), 3, 0.0) for m in scene.meshes]
    geometry.normal = to_device(_joined(normal, (0, 3, 3), np.float32), wp.vec3, device)
    uv = [_corners(m.uv, len(m.triangle), 2, 0.0) for m in scene.meshes]
    geometry.uv = to_device(_joined(uv, (0, 3, 2), np.float32), wp.vec2, device)
    color = [_corners(m.color, len(m.triangle), 3, 1.0) for m in scene.meshes]
    geometry.color = to_device(_joined(color, (0, 3, 3), np.float32), wp.vec3, device)
    return geometry


def _corners(values: NDArray[np.float32] | None, triangles: int, width: int, default: float) -> NDArray[np.float32]:
    return np.full((triangles, 3, width), default, np.float32) if values is None else values


def _joined(parts: list[NDArray[Any]], empty: tuple[int, ...], dtype: type) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(empty, dtype)


def _instance_from_mesh(scene: Scene) -> NDArray[np.float64]:
    """Return every placement's pose in the frame of its instance, [placement, 3, 4], in float64."""
    root = scene.instances.world_from_instance[scene.placements.instance]
    inverse = np.linalg.inv(root[:, :, :3])
    mesh = scene.placements.world_from_mesh
    origin = mesh[:, :, 3] - root[:, :, 3]
    return np.concatenate([inverse @ mesh[:, :, :3], inverse @ origin[:, :, None]], axis=2)


def _materials(materials: Sequence[Material], atlas: Atlas, device: str) -> Any:
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


def _lights(scene: Scene, atlas: Atlas, device: str) -> Any:
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


def _materials_of_rows(base: SceneOnDevice, draft: Draft) -> Any:
    device, materials = base.device, copied(base.materials)
    materials.base_color = rows_to_device(draft.base_color, wp.vec3, device)
    materials.roughness = rows_to_device(draft.roughness, wp.float32, device)
    materials.metallic = rows_to_device(draft.metallic, wp.float32, device)
    materials.override = rows_to_device(draft.material, wp.int32, device)
    materials.tint = rows_to_device(draft.tint, wp.vec3, device)
    return materials


def _lights_of_rows(base: SceneOnDevice, draft: Draft) -> Any:
    device, lights = base.device, copied(base.lights)
    lights.world_from_light = rows_to_device(draft.world_from_light.astype(np.float32), gpu.transform.mat34, device)
    lights.radiance = rows_to_device(draft.radiance, wp.vec3, device)
    lights.ambient = rows_to_device(draft.ambient, wp.vec3, device)
    return lights
