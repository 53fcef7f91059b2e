"""Meshes of a subdivision sequence: who touches whom, and how sharp edges and points are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHARP = 10.0  # OpenSubdiv's and USD's value for an edge or corner that never softens


@dataclass(frozen=True)
class Cage:
    """The control mesh: all that decides a subdivision surface besides the positions of its points."""

    point_count: int
    counts: NDArray[np.int64]  # [face], at least 3
    indices: NDArray[np.int64]  # [corner]
    boundary: str = "edgeAndCorner"  # interpolateBoundary: none, edgeOnly, edgeAndCorner
    crease: NDArray[np.int64] | None = None  # [crease, 2], points of sharp edges
    crease_sharpness: NDArray[np.float64] | None = None  # [crease]
    corner: NDArray[np.int64] | None = None  # [sharp corner], points
    corner_sharpness: NDArray[np.float64] | None = None  # [sharp corner]
    scheme: str = "catmullClark"  # catmullClark, loop (triangles only), bilinear
    face_varying: str = "cornersPlus1"  # faceVaryingLinearInterpolation
    smooth_triangles: bool = False  # triangleSubdivisionRule = smooth


@dataclass(frozen=True)
class Level:
    """One mesh of the sequence. Faces of later levels are quads, or triangles for Loop."""

    point_count: int
    counts: NDArray[np.int64]  # [face]
    indices: NDArray[np.int64]  # [corner], point
    edge: NDArray[np.int64]  # [edge, 2], points
    edge_of: NDArray[np.int64]  # [corner], the edge from this corner to the next
    previous: NDArray[np.int64]  # [corner], the corner before this one in its face
    face_of: NDArray[np.int64]  # [corner]
    sharpness: NDArray[np.float64]  # [edge]
    corner_sharpness: NDArray[np.float64]  # [point]

    def following(self) -> NDArray[np.int64]:
        """Return [corner]: the corner after this one in its face."""
        following = np.empty_like(self.previous)
        following[self.previous] = np.arange(len(self.previous))
        return following


def connect(point_count: int, counts: NDArray[np.int64], indices: NDArray[np.int64]) -> Level:
    """Return a mesh without any sharpness."""
    first = np.repeat(np.cumsum(counts) - counts, counts)
    face_of = np.repeat(np.arange(len(counts)), counts)
    corner = np.arange(len(indices))
    previous = np.where(corner == first, first + counts[face_of] - 1, corner - 1)
    behind = indices[previous]
    key = np.minimum(behind, indices) * point_count + np.maximum(behind, indices)
    unique, edge_before = np.unique(key, return_inverse=True)
    edge_of = np.empty_like(edge_before)
    edge_of[previous] = edge_before
    edge = np.stack([unique // point_count, unique % point_count], axis=-1)
    return Level(
        point_count, counts, indices, edge, edge_of, previous, face_of, np.zeros(len(edge)), np.zeros(point_count)
    )


def first_level(cage: Cage) -> Level:
    """Return the cage with its creases, corners and boundaries as sharpness."""
    level = connect(cage.point_count, cage.counts, cage.indices)
    _crease(level, cage)
    loose = loose_edges(level)
    level.sharpness[loose] = SHARP
    if cage.boundary == "edgeAndCorner":
        valence = np.bincount(cage.indices, minlength=cage.point_count)
        on_boundary = np.zeros(cage.point_count, bool)
        on_boundary[level.edge[loose]] = True
        level.corner_sharpness[on_boundary & (valence == 1)] = SHARP
    if cage.corner is not None and cage.corner_sharpness is not None and len(cage.corner):
        np.maximum.at(level.corner_sharpness, cage.corner, cage.corner_sharpness)
    level.corner_sharpness[_pinched(level) | _crossed(level)] = SHARP
    return level


def undrawn_faces(cage: Cage) -> NDArray[np.bool_]:
    """Return [face]: the faces that only support others, for `interpolateBoundary = none`.

    They are those with a point on a boundary that is not creased for ever. Source: OpenSubdiv, VTX_BOUNDARY_NONE.
    """
    if cage.boundary != "none" or cage.scheme == "bilinear":
        return np.zeros(len(cage.counts), bool)
    level = connect(cage.point_count, cage.counts, cage.indices)
    _crease(level, cage)
    open_edge = loose_edges(level) & (level.sharpness < SHARP)
    on_boundary = np.zeros(cage.point_count, bool)
    on_boundary[level.edge[open_edge].ravel()] = True
    return np.bincount(level.face_of, on_boundary[cage.indices], len(cage.counts)) > 0


def _crease(level: Level, cage: Cage) -> None:
    if cage.crease is None or cage.crease_sharpness is None or len(cage.crease) == 0:
        return
    key = level.edge[:, 0] * cage.point_count + level.edge[:, 1]
    wanted = cage.crease.min(axis=1) * cage.point_count + cage.crease.max(axis=1)
    at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    hit = key[at] == wanted
    np.maximum.at(level.sharpness, at[hit], cage.crease_sharpness[hit])


def loose_edges(level: Level) -> NDArray[np.bool_]:
    """Return [edge]: True where an edge has one face, more than two, or two that wind against each other.

    OpenSubdiv treats all of these as infinitely sharp.
    """
    use = np.bincount(level.edge_of, minlength=len(level.edge))
    start = level.edge[level.edge_of, 0] == level.indices
    forward = np.bincount(level.edge_of, start, len(level.edge))
    loose: NDArray[np.bool_] = (use != 2) | (forward != 1)
    return loose


def next_in_ring(level: Level) -> NDArray[np.int64]:
    """Return [corner]: the corner of the next face around the same point, counter-clockwise; -1 across loose edges."""
    corner = np.arange(len(level.indices))
    total = np.bincount(level.edge_of, corner, len(level.edge)).astype(np.int64)  # exact below 2**53
    other = total[level.edge_of] - corner
    other[loose_edges(level)[level.edge_of]] = -1
    following: NDArray[np.int64] = other[level.previous]
    return following


def _pinched(level: Level) -> NDArray[np.bool_]:
    """Return [point]: True where closed fans of faces meet in one point only; OpenSubdiv makes it a sharp corner."""
    ring = next_in_ring(level)
    points = level.point_count
    closed = np.bincount(level.indices[ring < 0], minlength=points) == 0
    first = np.full(points, -1)
    first[level.indices[::-1]] = np.arange(len(level.indices))[::-1]
    start = first[closed & (first >= 0)]
    met = np.zeros(points, np.int64)
    at = start
    while len(at):
        met[level.indices[at]] += 1
        at = ring[at]
        on = at != first[level.indices[at]]
        at = at[on]
    valence = np.bincount(level.indices, minlength=points)
    return closed & (met != valence)


def crossed_edges(level: Level) -> NDArray[np.bool_]:
    """Return [edge]: True where more than two faces meet, or two of opposite winding, or where both ends are one."""
    use = np.bincount(level.edge_of, minlength=len(level.edge))
    crossed: NDArray[np.bool_] = (loose_edges(level) & (use != 1)) | (level.edge[:, 0] == level.edge[:, 1])
    return crossed


def _crossed(level: Level) -> NDArray[np.bool_]:
    """Return [point]: True at the ends of crossed edges, but not along a line where several sheets meet."""
    points = level.point_count
    crossed = crossed_edges(level)
    ends = np.bincount(level.edge[crossed].ravel(), minlength=points)
    open_ends = np.bincount(level.edge[loose_edges(level) & ~crossed].ravel(), minlength=points)
    edges = np.bincount(level.edge.ravel(), minlength=points)
    faces = np.bincount(level.indices, minlength=points)
    line = (ends == 2) & (open_ends == 0) & (faces > edges)
    return ((ends > 0) & ~line) | ((ends + open_ends < 2) & (faces != edges))


def soften(sharpness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sharpness one level later."""
    return np.where(sharpness >= SHARP, SHARP, np.maximum(sharpness - 1.0, 0.0))


def next_level(level: Level, scheme: str) -> Level:
    """Return the mesh one step finer: its points are the old ones, then one for each edge (and face, for quads).

    Each edge becomes two, the first at its first point; then come the edges inside faces, one for each corner.
    """
    points, edges = level.point_count, len(level.edge)
    corner = np.arange(len(level.indices))
    halves = np.stack([level.edge, np.broadcast_to(points + np.arange(edges)[:, None], (edges, 2))], axis=-1)
    ahead = 2 * level.edge_of + (level.edge[level.edge_of, 0] != level.indices)
    before = level.edge_of[level.previous]
    behind = 2 * before + (level.edge[before, 0] != level.indices)
    middle_ahead, middle_behind = points + level.edge_of, points + before
    if scheme == "loop":
        count, size = points + edges, 3
        outer = np.stack([level.indices, middle_ahead, middle_behind], axis=-1).reshape(-1, 3, 3)
        inner = middle_ahead.reshape(-1, 1, 3)
        faces = np.concatenate([outer, inner], axis=1)
        outer_edges = np.stack([ahead, 2 * edges + corner, behind], axis=-1).reshape(-1, 3, 3)
        inner_edges = 2 * edges + np.roll(corner.reshape(-1, 1, 3), -1, axis=-1)
        edge_of = np.concatenate([outer_edges, inner_edges], axis=1)
        inside = np.stack([middle_ahead, middle_behind], axis=-1)
    else:
        count, size = points + edges + len(level.counts), 4
        face_point = points + edges + level.face_of
        faces = np.stack([level.indices, middle_ahead, face_point, middle_behind], axis=-1)
        edge_of = np.stack([ahead, 2 * edges + corner, 2 * edges + level.previous, behind], axis=-1)
        inside = np.stack([middle_ahead, face_point], axis=-1)
    face_count = faces.size // size
    start = np.repeat(np.arange(face_count) * size, size)
    return Level(
        point_count=count,
        counts=np.full(face_count, size),
        indices=faces.ravel(),
        edge=np.concatenate([halves.reshape(-1, 2), inside]),
        edge_of=edge_of.ravel(),
        previous=start + np.tile((np.arange(size) - 1) % size, face_count),
        face_of=np.repeat(np.arange(face_count), size),
        sharpness=np.concatenate([np.repeat(soften(level.sharpness), 2), np.zeros(len(corner))]),
        corner_sharpness=np.concatenate([soften(level.corner_sharpness), np.zeros(count - points)]),
    )


def child_corners(level: Level, scheme: str) -> NDArray[np.int64]:
    """Return [corner]: the corner of the next level that lies in the same face at the same point."""
    corner = np.arange(len(level.indices))
    return corner // 3 * 12 + corner % 3 * 3 if scheme == "loop" else 4 * corner


def restrict(level: Level, keep: NDArray[np.bool_]) -> tuple[Level, NDArray[np.int64], NDArray[np.int64]]:
    """Return some faces [face] as a mesh of its own with its points and corners in the old mesh's numbers.

    Sharpness is kept as it was: edges do not become boundaries. All faces must have the same size.
    """
    size = int(level.counts[0])
    corner = np.flatnonzero(keep[level.face_of])
    point, indices = np.unique(level.indices[corner], return_inverse=True)
    edge, edge_of = np.unique(level.edge_of[corner], return_inverse=True)
    number = np.zeros(level.point_count, np.int64)
    number[point] = np.arange(len(point))
    start = np.repeat(np.arange(len(corner) // size) * size, size)
    part = Level(
        point_count=len(point),
        counts=np.full(len(corner) // size, size),
        indices=indices,
        edge=number[level.edge[edge]],
        edge_of=edge_of,
        previous=start + np.tile((np.arange(size) - 1) % size, len(corner) // size),
        face_of=np.repeat(np.arange(len(corner) // size), size),
        sharpness=level.sharpness[edge],
        corner_sharpness=level.corner_sharpness[point],
    )
    return part, point, corner
