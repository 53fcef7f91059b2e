"""Meshes and placements of a scene on a device: trees, corner data and bounds, shared by all worlds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.labels.object_box import instance_from_mesh
from engine.render.arrays import part_of, to_device
from engine.render.tree import MeshTrees
from engine.scene.model import Mesh, Scene

PLACEMENT_FLOATS, TRIANGLE_FLOATS = 8, 32  # of the records in kernels/native/surface.cpp


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
    geometry.trees.root_code = to_device(trees.root_code[placed.mesh], wp.int32, device)
    geometry.trees.first_block = to_device(trees.first_block[placed.mesh], wp.int32, device)
    _place_records(geometry, scene, first, device)
    geometry.instance_from_mesh = to_device(instance_from_mesh(scene).astype(np.float32), mat34, device)
    geometry.low_m = to_device(box_low[placed.mesh], wp.vec3, device)
    geometry.high_m = to_device(box_high[placed.mesh], wp.vec3, device)
    geometry.slot_material = to_device(placed.slot_material, wp.int32, device)
    _triangle_records(geometry, scene.meshes, int(counts.sum()), device)
    geometry.color = to_device(_where_used([m.color for m in scene.meshes], counts, (3,), 1.0), wp.vec3, device)
    geometry.opacity = to_device(_where_used([m.opacity for m in scene.meshes], counts, (), 1.0), wp.float32, device)
    return geometry


def pose_placements(geometry: Any, scene: Scene) -> None:
    """Write where every placement stands in its instance, in place."""
    poses = to_device(instance_from_mesh(scene).astype(np.float32), gpu.transform.mat34, "cpu")
    wp.copy(geometry.instance_from_mesh, poses)


def _place_records(geometry: Any, scene: Scene, first_triangle: NDArray[np.int64], device: str) -> None:
    """Set the records of placements, and the arrays that are views of them."""
    placed = scene.placements
    record = np.zeros((len(placed.mesh), PLACEMENT_FLOATS), np.float32)
    names = record.view(np.int32)
    names[:, 0], names[:, 1], names[:, 2] = first_triangle[placed.mesh], placed.first_slot, placed.instance
    record[:, 4:] = 1.0 if placed.color is None else placed.color
    geometry.placement = to_device(record, wp.float32, device)
    for i, name in enumerate(("first_triangle", "first_slot", "instance")):
        setattr(geometry, name, part_of(geometry.placement, i, wp.int32))
    geometry.placement_color = part_of(geometry.placement, 4, wp.vec4)


def _triangle_records(geometry: Any, meshes: Sequence[Mesh], count: int, device: str) -> None:
    """Set the records of triangles, mesh after mesh, and the arrays that are views of them."""
    record = np.zeros((count, TRIANGLE_FLOATS), np.float32)
    end = 0
    for mesh in meshes:
        first, end = end, end + len(mesh.triangle)
        rows = record[first:end]
        rows[:, :9] = mesh.points_m[mesh.triangle].reshape(-1, 9)
        rows[:, 18].view(np.int32)[:] = mesh.slot
        for start, values in ((9, mesh.normal), (19, mesh.uv), (25, mesh.uv2)):
            if values is not None:
                flat = values.reshape(len(rows), -1)
                rows[:, start : start + flat.shape[1]] = flat
    geometry.triangle = to_device(record, wp.float32, device)
    geometry.point_m = part_of(geometry.triangle, 0, wp.vec3, 3)
    geometry.normal = part_of(geometry.triangle, 9, wp.vec3, 3)
    geometry.triangle_slot = part_of(geometry.triangle, 18, wp.int32)
    geometry.uv = part_of(geometry.triangle, 19, wp.vec2, 3)
    geometry.uv2 = part_of(geometry.triangle, 25, wp.vec2, 3)


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
