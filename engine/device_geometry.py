"""Meshes and placements of a scene on a device: trees, corner data and bounds, shared by all worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.device_arrays import to_device
from engine.scene.model import Scene
from engine.tree import MeshTrees


def geometry_on_device(scene: Scene, trees: MeshTrees, device: str) -> Any:
    """Return kernels.geometry.Geometry with an empty top level."""
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
    second = any(i.uv_set == 1 for m in scene.materials for i in m.textures.values())
    uv2 = _where_used([m.uv2 if second else None for m in scene.meshes], counts, (2,), 0.0)
    geometry.uv2 = to_device(uv2, wp.vec2, device)
    geometry.color = to_device(_where_used([m.color for m in scene.meshes], counts, (3,), 1.0), wp.vec3, device)
    geometry.opacity = to_device(_where_used([m.opacity for m in scene.meshes], counts, (), 1.0), wp.float32, device)
    tint = np.ones((len(placed.mesh), 4), np.float32) if placed.color is None else placed.color
    geometry.placement_color = to_device(tint, wp.vec4, device)
    return geometry


def _where_used(
    parts: list[NDArray[np.float32] | None], counts: NDArray[np.int64], width: tuple[int, ...], default: float
) -> NDArray[np.float32]:
    """Return corner data of all meshes, [triangle, 3, ...]; empty if no mesh has any."""
    if all(part is None for part in parts):
        return np.zeros((0, 3, *width), np.float32)
    return np.concatenate(
        [np.full((n, 3, *width), default, np.float32) if part is None else part
         for part, n in zip(parts, counts, strict=True)]
    )  # fmt: skip


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
