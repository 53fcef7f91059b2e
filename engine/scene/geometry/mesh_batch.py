"""Many ordinary polygon meshes to triangles at once: their arrays lie end to end, and each gets a slice of the result.

The same triangles as `mesh.build_mesh` gives for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.scene.geometry.mesh import unit_vectors
from engine.scene.geometry.polygons import FARTHEST
from engine.scene.geometry.triangulate import triangulate
from engine.scene.model import Mesh

FIELDS = ("normal", "uv", "uv2", "color", "opacity")


@dataclass(frozen=True)
class Layer:
    """Values that go to corners."""

    field: str  # of Mesh, one of FIELDS
    interpolation: str  # uniform, varying, vertex or faceVarying
    values: NDArray[np.float32]  # [value, component]
    value_count: NDArray[np.int64]  # [mesh]
    index: NDArray[np.int32] | None  # [entry], into the values of the mesh; None: the values in order


@dataclass(frozen=True)
class Batch:
    """Meshes end to end. Their lengths fit each other; what the arrays hold has not been checked."""

    points: NDArray[np.float32]  # [point, 3], stage units
    counts: NDArray[np.int32]  # [face]
    indices: NDArray[np.int32]  # [corner], into the points of the mesh
    point_count: NDArray[np.int64]  # [mesh]
    face_count: NDArray[np.int64]  # [mesh]
    corner_count: NDArray[np.int64]  # [mesh]
    layers: tuple[Layer, ...]
    left_handed: bool
    two_sided: bool


def is_sound(batch: Batch) -> NDArray[np.bool_]:
    """Return [mesh]: whether every face has three corners, every index names something, every number is finite."""
    sound = _all_of(_finite(batch.points), batch.point_count)
    sound &= _all_of(batch.counts >= 3, batch.face_count)
    sound &= np.add.reduceat(batch.counts, _begin(batch.face_count), dtype=np.int64) == batch.corner_count
    sound &= _all_of(_inside(batch.indices, batch.corner_count, batch.point_count), batch.corner_count)
    for layer in batch.layers:
        sound &= _all_of(_finite(layer.values), layer.value_count)
        if layer.index is not None:
            entries = _entry_count(batch, layer)
            sound &= _all_of(_inside(layer.index, entries, layer.value_count), entries)
    return sound


def build_meshes(batch: Batch, names: list[str], meters_per_unit: float) -> list[Mesh]:
    """Return the triangles of sound meshes, in metres."""
    mesh_of_corner = np.repeat(np.arange(len(names)), batch.corner_count)
    point = batch.indices + _begin(batch.point_count)[mesh_of_corner]
    corner, face = triangulate(batch.points, batch.counts, point)
    if batch.left_handed:
        corner = np.ascontiguousarray(corner[:, ::-1])
    triangle_count = batch.corner_count - 2 * batch.face_count
    points, point_count, triangle = _used_points(batch, point[corner], triangle_count)
    points_m = (points.astype(np.float64) * meters_per_unit).astype(np.float32)
    carried = {layer.field: _at_corners(batch, layer, point, corner, face, triangle_count) for layer in batch.layers}
    slot = np.zeros(int(triangle_count.max(initial=0)), np.int32)
    begin, end = _begin(triangle_count).tolist(), np.cumsum(triangle_count).tolist()
    point_begin, point_end = _begin(point_count).tolist(), np.cumsum(point_count).tolist()
    nothing: list[NDArray[np.float32] | None] = [None] * len(names)
    normal, uv, uv2, color, opacity = (carried.get(field, nothing) for field in FIELDS)
    return [
        Mesh(
            name=name,
            points_m=points_m[point_begin[i] : point_end[i]],
            triangle=triangle[begin[i] : end[i]],
            normal=normal[i],
            uv=uv[i],
            color=color[i],
            slot=slot[: end[i] - begin[i]],
            two_sided=batch.two_sided,
            uv2=uv2[i],
            opacity=opacity[i],
        )
        for i, name in enumerate(names)
    ]


def _used_points(
    batch: Batch, triangle: NDArray[np.int64], triangle_count: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int32]]:
    """Return the points that triangles use, how many of each mesh, and the triangles in numbers of their mesh."""
    used = np.zeros(len(batch.points), bool)
    used[triangle] = True
    points, point_count = batch.points, batch.point_count
    if not used.all():
        points = points[used]
        point_count = np.add.reduceat(used, _begin(point_count), dtype=np.int64)
        triangle = (np.cumsum(used) - 1)[triangle]
    local = triangle - np.repeat(_begin(point_count), triangle_count)[:, None]
    return points, point_count, local.astype(np.int32)


def _at_corners(
    batch: Batch,
    layer: Layer,
    point: NDArray[np.int64],
    corner: NDArray[np.int64],
    face: NDArray[np.int64],
    triangle_count: NDArray[np.int64],
) -> list[NDArray[np.float32] | None]:
    """Return [triangle, 3, component] (opacity: [triangle, 3]) of every mesh."""
    values, usable, keep = layer.values, np.ones(0, bool), None
    if layer.field == "normal":
        values, usable = unit_vectors(values)
    entry = {"faceVarying": corner, "uniform": np.broadcast_to(face[:, None], corner.shape)}.get(layer.interpolation)
    if entry is None:
        entry = point[corner]
    if layer.index is not None:
        entries = _entry_count(batch, layer)
        entry = (layer.index + np.repeat(_begin(layer.value_count), entries))[entry]
    out = np.take(values, entry, axis=0)
    if layer.field == "normal" and not usable.all():
        keep = _all_of(usable[entry].all(axis=1), triangle_count)
    if layer.field == "opacity":
        out = out[..., 0]
    parts: list[NDArray[np.float32] | None] = []
    begin, end = _begin(triangle_count).tolist(), np.cumsum(triangle_count).tolist()
    for i in range(len(begin)):
        parts.append(out[begin[i] : end[i]] if keep is None or keep[i] else None)
    return parts


def _entry_count(batch: Batch, layer: Layer) -> NDArray[np.int64]:
    """Return [mesh]: how many indices, or values where there are none, a layer has."""
    return {"faceVarying": batch.corner_count, "uniform": batch.face_count}.get(layer.interpolation, batch.point_count)


def _begin(count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each mesh begins."""
    begin: NDArray[np.int64] = np.cumsum(count) - count
    return begin


def _all_of(flag: NDArray[np.bool_], count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return [mesh]: whether a flag holds for all that belongs to a mesh; every mesh has something."""
    if flag.all():
        return np.ones(len(count), bool)
    every: NDArray[np.bool_] = np.minimum.reduceat(flag, _begin(count))
    return every


def _inside(index: NDArray[np.int32], count: NDArray[np.int64], limit: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether indices, `count` of each mesh, are in [0, limit)."""
    if len(index) and index.min() >= 0 and index.max() < limit.min():
        return np.ones(len(index), bool)
    inside: NDArray[np.bool_] = (index >= 0) & (index < np.repeat(limit, count))
    return inside


def _finite(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether rows are finite and not absurdly far; the quick answer first, sums over short rows are slow."""
    finite = np.abs(values) < FARTHEST
    if finite.all():
        return np.ones(len(values), bool)
    return np.asarray(finite.all(axis=1))
