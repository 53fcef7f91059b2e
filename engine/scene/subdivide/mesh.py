"""A mesh source with a cage to one without: its refined faces, with everything that their corners carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.scene.geometry.mesh_source import MeshSource
from engine.scene.geometry.polygons import Polygons
from engine.scene.subdivide.face_varying import refine_corner_values
from engine.scene.subdivide.level import undrawn_faces
from engine.scene.subdivide.stencil import Cage, Refined, limit_normals, subdivide


def subdivided(source: MeshSource, cage: Cage) -> MeshSource:
    """Return the refined faces on the limit surface, with the normals of that surface.

    A bilinear surface keeps authored normals, interpolated; without any its faces are flat.
    """
    polygons = source.polygons
    refined = subdivide(cage, source.steps)
    before_limit = refined.refined @ polygons.points
    points = before_limit if refined.limit is None else refined.limit.position @ before_limit
    count, size = refined.faces.shape
    hole = (polygons.hole | undrawn_faces(cage))[refined.face]
    fine = Polygons(
        points=points.astype(np.float32),
        counts=np.full(count, size),
        indices=refined.faces.ravel(),
        face=np.arange(count),
        corner=np.arange(count * size),
        hole=hole,
        authored_face_count=count,
        authored_corner_count=count * size,
    )
    normal = limit_normals(refined, before_limit)
    if normal is None:
        normal = _carried(source, cage, refined, "normal")
    else:
        normal = normal.reshape(-1, 3) * (-1.0 if source.left_handed else 1.0)
    return replace(
        source,
        polygons=fine,
        normal=normal,
        uv=_carried(source, cage, refined, "uv"),
        uv2=_carried(source, cage, refined, "uv2"),
        color=_carried(source, cage, refined, "color"),
        opacity=_carried(source, cage, refined, "opacity"),
        slot=source.slot[refined.face],
        cage=None,
    )


def _carried(source: MeshSource, cage: Cage, refined: Refined, name: str) -> NDArray[np.float32] | None:
    """Return what a field of the source says at every corner of the refined faces, by its own interpolation."""
    values = getattr(source, name)
    if values is None:
        return None
    kind = source.interpolation.get(name, "faceVarying")
    if kind == "constant":
        return np.broadcast_to(values[:1], (refined.faces.size, *values.shape[1:]))
    if kind in ("vertex", "varying"):
        at_points = np.zeros((cage.point_count, *values.shape[1:]))
        at_points[cage.indices] = values
        stencil = refined.stencil if kind == "vertex" else refined.linear
        fine: NDArray[np.float32] = (stencil @ at_points)[refined.faces.ravel()].astype(np.float32)
        return fine
    return refine_corner_values(cage, source.steps, values, linear=kind == "uniform" or name == "normal")
