"""One step of subdivision as sparse matrices: Catmull-Clark, Loop and bilinear, with semi-sharp creases and corners.

Rules: E. Catmull, J. Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes", 1978; C. Loop,
"Smooth subdivision surfaces based on triangles", 1987. Semi-sharp creases: T. DeRose, M. Kass, T. Truong, "Subdivision
surfaces in character animation", 1998. Where these leave a choice, that of OpenSubdiv (`sdc/`) is taken, which USD
names as its definition: https://graphics.pixar.com/opensubdiv/docs/subdivision_surfaces.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from engine.scene.subdivide.level import Level, soften

# Share of each face point in the edge point beside a triangle for triangleSubdivisionRule = smooth; 1/4 else.
SMOOTH_TRIANGLE_WEIGHT = 0.470


@dataclass(frozen=True)
class PointRules:
    """Which rule a point follows: 1 for one of the three, 0 for the others; a dart is smooth."""

    smooth: NDArray[np.float64]
    crease: NDArray[np.float64]
    corner: NDArray[np.float64]
    sharp: NDArray[np.bool_]  # [edge]


@dataclass
class Entries:
    """Entries of a sparse matrix while they are collected; those at the same place add up."""

    rows: list[NDArray[np.int64]]
    columns: list[NDArray[np.int64]]
    values: list[NDArray[np.float64]]

    @classmethod
    def none(cls) -> Entries:
        """Return an empty collection."""
        return cls([], [], [])

    def add(self, row: NDArray[np.int64], column: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Add entries that are not zero."""
        keep = value != 0.0
        whole = bool(keep.all())
        self.rows.append(row if whole else row[keep])
        self.columns.append(column if whole else column[keep])
        self.values.append(value if whole else value[keep])

    def matrix(self, row_count: int, column_count: int) -> sparse.csr_matrix:
        """Return the matrix."""
        place = (np.concatenate(self.rows), np.concatenate(self.columns))
        return sparse.csr_matrix((np.concatenate(self.values), place), shape=(row_count, column_count))


def point_rules(level: Level, sharpness: NDArray[np.float64], corner_sharpness: NDArray[np.float64]) -> PointRules:
    """Return the rules of all points for the given sharpness of edges and points."""
    sharp = sharpness > 0.0
    sharp_count = np.bincount(level.edge[sharp].ravel(), minlength=level.point_count)
    valence = np.bincount(level.indices, minlength=level.point_count)
    corner = (corner_sharpness > 0.0) | (sharp_count > 2) | (valence == 0)
    crease = ~corner & (sharp_count == 2)
    smooth = ~corner & ~crease
    return PointRules(smooth.astype(float), crease.astype(float), corner.astype(float), sharp)


def refine(level: Level, scheme: str, *, smooth_triangles: bool = False) -> list[sparse.csr_matrix]:
    """Return matrices that, applied in turn, give the points of the next level."""
    if scheme == "bilinear":
        return [split_linear(level, scheme)]
    points, edges = level.point_count, len(level.edge)
    sharp = np.minimum(level.sharpness, 1.0)
    entries = Entries.none()
    _add_points(entries, level, scheme)
    rows = points + np.arange(edges)
    if scheme == "loop":
        for end in (0, 1):
            entries.add(rows, level.edge[:, end], 0.375 * (1.0 - sharp) + 0.5 * sharp)
        third = level.indices[level.previous]  # of the triangle beside an edge
        entries.add(points + level.edge_of, third, 0.125 * (1.0 - sharp[level.edge_of]))
        return [entries.matrix(points + edges, points)]
    faces = len(level.counts)
    beside = _face_share(level, smooth_triangles=smooth_triangles)
    for end in (0, 1):
        entries.add(rows, level.edge[:, end], (0.5 - beside) * (1.0 - sharp) + 0.5 * sharp)
    entries.add(points + level.edge_of, points + level.face_of, (beside * (1.0 - sharp))[level.edge_of])
    face = points + np.arange(faces)
    entries.add(face + edges, face, np.ones(faces))
    return [_with_face_points(level), entries.matrix(points + edges + faces, points + faces)]


def split_linear(level: Level, scheme: str) -> sparse.csr_matrix:
    """Return the matrix that gives the points of the next level without any smoothing."""
    points, edges = level.point_count, len(level.edge)
    entries = Entries.none()
    entries.add(np.arange(points), np.arange(points), np.ones(points))
    for end in (0, 1):
        entries.add(points + np.arange(edges), level.edge[:, end], np.full(edges, 0.5))
    if scheme == "loop":
        return entries.matrix(points + edges, points)
    share = 1.0 / level.counts[level.face_of]
    entries.add(points + edges + level.face_of, level.indices, share)
    return entries.matrix(points + edges + len(level.counts), points)


def _with_face_points(level: Level) -> sparse.csr_matrix:
    """Return [point and face, point]: all points, then the mean of each face."""
    points = level.point_count
    place = np.concatenate([np.arange(points), level.indices])
    starts = np.concatenate([np.arange(points), points + np.cumsum(level.counts) - level.counts, [len(place)]])
    weight = np.concatenate([np.ones(points), 1.0 / level.counts[level.face_of]])
    return sparse.csr_matrix((weight, place, starts), shape=(points + len(level.counts), points))


def _face_share(level: Level, *, smooth_triangles: bool) -> NDArray[np.float64]:
    """Return [edge]: the weight of each of the two face points in a smooth edge point."""
    if not smooth_triangles:
        return np.full(len(level.edge), 0.25)
    own = np.where(level.counts == 3, SMOOTH_TRIANGLE_WEIGHT, 0.25)[level.face_of]
    use = np.bincount(level.edge_of, minlength=len(level.edge))
    return np.bincount(level.edge_of, own, len(level.edge)) / np.maximum(use, 1)


def _add_points(entries: Entries, level: Level, scheme: str) -> None:
    """Add the rows of the old points: smooth, crease or corner rule, or a blend where a sharpness runs out."""
    points = level.point_count
    now = point_rules(level, level.sharpness, level.corner_sharpness)
    later = point_rules(level, soften(level.sharpness), soften(level.corner_sharpness))
    share = _share_of_now(level)
    smooth = share * now.smooth + (1.0 - share) * later.smooth
    corner = share * now.corner + (1.0 - share) * later.corner
    valence = np.maximum(np.bincount(level.edge.ravel(), minlength=points), 1)
    if scheme == "loop":
        around = loop_ring_weight(valence)
        own = smooth * (1.0 - around)
        beside = smooth * around / valence
    else:
        face_valence = np.maximum(np.bincount(level.indices, minlength=points), 1)
        own = smooth * (valence - 2.0) / valence
        beside = smooth / (valence * valence)
        entries.add(level.indices, points + level.face_of, (smooth / (valence * face_valence))[level.indices])
    own = own + corner + 0.75 * (share * now.crease + (1.0 - share) * later.crease)
    entries.add(np.arange(points), np.arange(points), own)
    for end in (0, 1):
        at = level.edge[:, end]
        along = share[at] * now.crease[at] * now.sharp + (1.0 - share[at]) * later.crease[at] * later.sharp
        entries.add(at, level.edge[:, 1 - end], beside[at] + 0.125 * along)


def loop_ring_weight(valence: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weight of the whole ring in Loop's rule for a smooth point: 5/8 - (3/8 + cos(2 pi / n) / 4)^2."""
    root = 0.375 + 0.25 * np.cos(2.0 * np.pi / valence)
    weight: NDArray[np.float64] = 0.625 - root * root
    return weight


def _share_of_now(level: Level) -> NDArray[np.float64]:
    """Return [point]: the share of this level's rule, the mean of the sharpnesses that run out in this step; else 1."""
    ends = (level.sharpness > 0.0) & (level.sharpness <= 1.0)
    rows = level.edge[ends].ravel()
    count = np.bincount(rows, minlength=level.point_count).astype(float)
    total = np.bincount(rows, np.repeat(level.sharpness[ends], 2), level.point_count).astype(float)
    own = (level.corner_sharpness > 0.0) & (level.corner_sharpness <= 1.0)
    count += own
    total += np.where(own, level.corner_sharpness, 0.0)
    return np.where(count > 0.0, total / np.maximum(count, 1.0), 1.0)
