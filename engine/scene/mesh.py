"""From checked polygons to triangles: refined, split, and with everything their corners carry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.scene.mesh_source import MeshSource
from engine.scene.model import Mesh
from engine.scene.subdivide_mesh import subdivided
from engine.scene.triangulate import fan, triangulate


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
    return Mesh(
        name=name,
        points_m=(points.astype(np.float64) * meters_per_unit).astype(np.float32),
        triangle=triangle.astype(np.int32),
        normal=None if source.normal is None else _unit_normals(source.normal[corner]),
        uv=None if source.uv is None else np.ascontiguousarray(source.uv[corner], np.float32),
        color=None if source.color is None else np.ascontiguousarray(source.color[corner], np.float32),
        slot=source.slot[face],
        two_sided=source.two_sided,
    )


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
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    if not (length > 1e-12).all():
        return None
    return (normal / length).astype(np.float32)
