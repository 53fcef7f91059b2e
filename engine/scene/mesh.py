"""From checked polygons to triangles: refined, split, and with everything their corners carry."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Mesh
from engine.scene.polygons import Polygons
from engine.scene.subdivide import Cage, smooth_normals, subdivide
from engine.scene.triangulate import triangulate


@dataclass(frozen=True)
class MeshSource:
    """A polygon mesh in stage units. What belongs to corners is in the order of `polygons.indices`."""

    polygons: Polygons
    normal: NDArray[np.float32] | None  # [corner, 3]; None: the faces' own, or smooth where there is a cage
    uv: NDArray[np.float32] | None  # [corner, 2]
    color: NDArray[np.float32] | None  # [corner, 3]
    slot: NDArray[np.int32]  # [face]
    cage: Cage | None  # the polygons as a Catmull-Clark cage
    steps: int  # subdivisions of the cage
    left_handed: bool
    two_sided: bool

    def digest(self) -> bytes:
        """Return a hash of all that decides the triangles; equal sources make equal meshes."""
        content = hashlib.blake2b(digest_size=16)
        arrays: list[Any] = [self.normal, self.uv, self.color, self.slot]
        arrays += [self.polygons.points, self.polygons.counts, self.polygons.indices, self.polygons.hole]
        facts: list[Any] = [self.steps, self.left_handed, self.two_sided]
        if self.cage is not None:
            arrays += [self.cage.crease, self.cage.crease_sharpness, self.cage.corner, self.cage.corner_sharpness]
            facts.append(self.cage.boundary)
        for array in arrays:
            facts.append(None if array is None else (array.shape, array.dtype.str))
            content.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        content.update(repr(facts).encode())
        return content.digest()


def build_mesh(source: MeshSource, name: str, meters_per_unit: float) -> Mesh | None:
    """Return the triangles of a mesh in metres, or None when no face of it is drawn."""
    if source.cage is not None:
        source = _subdivided(source, source.cage)
        quad = np.arange(len(source.polygons.indices)).reshape(-1, 4)
        corner = quad[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
        face = np.repeat(np.arange(len(quad)), 2)
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


def _subdivided(source: MeshSource, cage: Cage) -> MeshSource:
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
