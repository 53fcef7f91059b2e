"""From checked polygons to triangles: refined, split, and with everything their corners carry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.scene.geometry.mesh_source import MeshSource
from engine.scene.geometry.triangulate import fan, triangulate
from engine.scene.model import Mesh
from engine.scene.subdivide.mesh import subdivided

SHORTEST_NORMAL = 1.0e-12  # below, a normal has no direction


def build_mesh(source: MeshSource, name: str, meters_per_unit: float) -> Mesh | None:
    """Return the triangles of a mesh in metres, or None when no face of it is drawn."""
    if source.cage is not None:
        source = subdivided(source, source.cage)
        corner, face = fan(source.polygons.counts)
    else:
        corner, face = triangulate(source.polygons.points, source.polygons.counts, source.polygons.indices)
    if source.polygons.hole.any():
        drawn = ~source.polygons.hole[face]
        corner, face = corner[drawn], face[drawn]
    if len(corner) == 0:
        return None
    if source.left_handed:
        corner = corner[:, ::-1]
    points, triangle = _used_points(source.polygons.points, source.polygons.indices[corner])
    opacity = _at(source.opacity, corner)
    return Mesh(
        name=name,
        points_m=(points.astype(np.float64) * meters_per_unit).astype(np.float32),
        triangle=np.ascontiguousarray(triangle, np.int32),
        normal=None if source.normal is None else _unit_normals(source.normal[corner]),
        uv=_at(source.uv, corner),
        color=_at(source.color, corner),
        slot=source.slot[face],
        two_sided=source.two_sided,
        uv2=_at(source.uv2, corner),
        opacity=None if opacity is None else opacity[..., 0],
    )


def unit_vectors(vector: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return vectors [..., 3] of length 1 and [...] whether they had a direction; the others stay as they are."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    length = np.sqrt(x * x + y * y + z * z)
    usable: NDArray[np.bool_] = length > SHORTEST_NORMAL
    if not usable.all():
        length = np.where(usable, length, np.float32(1.0))
    return (vector / length[..., None]).astype(np.float32, copy=False), usable


def _at(values: NDArray[np.float32] | None, corner: NDArray[np.int64]) -> NDArray[np.float32] | None:
    return None if values is None else np.ascontiguousarray(values[corner], np.float32)


def _used_points(
    points: NDArray[np.float32], triangle: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the points that triangles use, and the triangles in their numbers; the others may not even be finite."""
    used = np.zeros(len(points), bool)
    used[triangle] = True
    if used.all():
        return points, triangle
    return points[used], (np.cumsum(used) - 1)[triangle]


def _unit_normals(normal: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return unit normals; None when one has no direction, so that the faces' own are used."""
    unit, usable = unit_vectors(normal)
    return np.ascontiguousarray(unit) if usable.all() else None
