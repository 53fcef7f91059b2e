"""A mesh source with a cage to one without: its refined faces, with everything that their corners carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.scene.mesh_source import MeshSource
from engine.scene.polygons import Polygons
from engine.scene.subdivide import Cage, smooth_normals, subdivide


def subdivided(source: MeshSource, cage: Cage) -> MeshSource:
    """Return the refined quads on the limit surface, with smooth normals."""
    polygons = source.polygons
    refined = subdivide(cage, source.steps)
    points = refined.stencil @ polygons.points.astype(np.float64)
    uv, color = (
        None if values is None else (refined.corner_stencil @ values).astype(np.float32)
        for values in (source.uv, source.color)
    )
    count = len(refined.quads)
    hole = polygons.hole[refined.face]
    if cage.boundary == "none":
        hole = hole | _touches_boundary(polygons)[refined.face]
    fine = Polygons(
        points=points.astype(np.float32),
        counts=np.full(count, 4),
        indices=refined.quads.ravel(),
        face=np.arange(count),
        corner=np.arange(4 * count),
        hole=hole,
        authored_face_count=count,
        authored_corner_count=4 * count,
    )
    normal = smooth_normals(points, refined).reshape(-1, 3)
    return replace(
        source,
        polygons=fine,
        normal=-normal if source.left_handed else normal,
        uv=uv,
        color=color,
        slot=source.slot[refined.face],
        cage=None,
    )


def _touches_boundary(polygons: Polygons) -> NDArray[np.bool_]:
    """Return [face]: whether a face has a point on the boundary; `interpolateBoundary = none` does not draw these."""
    following = np.arange(len(polygons.indices)) + 1
    last = np.cumsum(polygons.counts) - 1
    following[last] = last - polygons.counts + 1
    ends = np.sort(np.stack([polygons.indices, polygons.indices[following]], axis=-1), axis=1)
    edge, use = np.unique(ends, axis=0, return_counts=True)
    on_boundary = np.zeros(len(polygons.points), bool)
    on_boundary[edge[use == 1]] = True
    face_of = np.repeat(np.arange(len(polygons.counts)), polygons.counts)
    return np.bincount(face_of, on_boundary[polygons.indices], len(polygons.counts)) > 0
