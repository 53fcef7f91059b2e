"""Catmull-Clark subdivision onto the limit surface, as sparse stencils that depend on the topology alone.

Rules: E. Catmull, J. Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes", 1978. Semi-sharp
creases: T. DeRose, M. Kass, T. Truong, "Subdivision surfaces in character animation", 1998. Limit positions:
M. Halstead, M. Kass, T. DeRose, "Efficient, fair interpolation using Catmull-Clark surfaces", 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

SHARP = 10.0  # USD's value for an edge or corner that never softens


@dataclass(frozen=True)
class Cage:
    """The control mesh."""

    point_count: int
    counts: NDArray[np.int64]  # [face], at least 3
    indices: NDArray[np.int64]  # [corner]
    boundary: str = "edgeAndCorner"  # interpolateBoundary: none, edgeOnly, edgeAndCorner
    crease: NDArray[np.int64] | None = None  # [crease, 2], points of sharp edges
    crease_sharpness: NDArray[np.float64] | None = None  # [crease]
    corner: NDArray[np.int64] | None = None  # [sharp corner], points
    corner_sharpness: NDArray[np.float64] | None = None  # [sharp corner]


@dataclass(frozen=True)
class Refined:
    """Quads of the refined mesh. Point values of the cage become refined ones by `stencil @ values`."""

    quads: NDArray[np.int64]  # [quad, 4], points
    face: NDArray[np.int64]  # [quad], face of the cage
    stencil: sparse.csr_matrix  # [refined point, cage point], onto the limit surface
    linear: sparse.csr_matrix  # [refined point, cage point], for varying values
    corner_stencil: sparse.csr_matrix  # [quad corner, cage corner], linear, for face-varying values
    group: NDArray[np.int64]  # [quad, 4], corners with the same group share a smooth normal


@dataclass(frozen=True)
class _Level:
    """One mesh of the sequence."""

    point_count: int
    counts: NDArray[np.int64]
    indices: NDArray[np.int64]
    edge: NDArray[np.int64]  # [edge, 2]
    edge_of: NDArray[np.int64]  # [corner], the edge from this corner to the next
    previous: NDArray[np.int64]  # [corner], the corner before this one in its face
    face_of: NDArray[np.int64]  # [corner]
    sharpness: NDArray[np.float64]  # [edge]
    corner_sharpness: NDArray[np.float64]  # [point]


def subdivide(cage: Cage, steps: int) -> Refined:
    """Return the cage after `steps` (at least 1) subdivisions, its points pushed to the limit surface."""
    level = _first_level(cage)
    stencil = linear = sparse.identity(cage.point_count, format="csr")
    corner_stencil = sparse.identity(len(cage.indices), format="csr")
    face = np.arange(len(cage.counts))
    for _ in range(steps):
        stencil = _refine(level) @ stencil
        linear = _split_linear(level) @ linear
        corner_stencil = _split_corners(level) @ corner_stencil
        face = face[level.face_of]
        level = _next_level(level)
    quads = level.indices.reshape(-1, 4)
    return Refined(quads, face, (_limit(level) @ stencil).tocsr(), linear, corner_stencil, _smoothing_groups(level))


def smooth_normals(points: NDArray[np.float64], refined: Refined) -> NDArray[np.float32]:
    """Return unit normals [quad, 4, 3]: the area-weighted mean of the quads around a corner, split at sharp edges."""
    position = points[refined.quads]
    area = np.cross(position[:, 2] - position[:, 0], position[:, 3] - position[:, 1])
    group_count = int(refined.group.max()) + 1
    corner_area = np.repeat(area, 4, axis=0)
    total = np.stack([np.bincount(refined.group.ravel(), corner_area[:, i], group_count) for i in range(3)], axis=-1)
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    unit = np.where(length > 1e-30, total / np.maximum(length, 1e-30), [0.0, 0.0, 1.0])
    return unit[refined.group].astype(np.float32)


def _first_level(cage: Cage) -> _Level:
    level = _connect(cage.point_count, cage.counts, cage.indices)
    use = np.bincount(level.edge_of, minlength=len(level.edge))
    level.sharpness[use != 2] = SHARP  # boundary, or more than two faces
    if cage.boundary == "edgeAndCorner":
        valence = np.bincount(cage.indices, minlength=cage.point_count)
        boundary_point = np.zeros(cage.point_count, bool)
        boundary_point[level.edge[use == 1]] = True
        level.corner_sharpness[boundary_point & (valence == 1)] = SHARP
    if cage.crease is not None and cage.crease_sharpness is not None and len(cage.crease):
        key = _edge_keys(level.edge, cage.point_count)
        wanted = _edge_keys(np.sort(cage.crease, axis=1), cage.point_count)
        at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        hit = key[at] == wanted
        level.sharpness[at[hit]] = np.maximum(level.sharpness[at[hit]], cage.crease_sharpness[hit])
    if cage.corner is not None and cage.corner_sharpness is not None and len(cage.corner):
        level.corner_sharpness[cage.corner] = np.maximum(level.corner_sharpness[cage.corner], cage.corner_sharpness)
    return level


def _edge_keys(edge: NDArray[np.int64], point_count: int) -> NDArray[np.int64]:
    return edge[:, 0] * point_count + edge[:, 1]


def _connect(point_count: int, counts: NDArray[np.int64], indices: NDArray[np.int64]) -> _Level:
    first = np.repeat(np.cumsum(counts) - counts, counts)
    face_of = np.repeat(np.arange(len(counts)), counts)
    corner = np.arange(len(indices))
    following = np.where(corner + 1 == first + counts[face_of], first, corner + 1)
    previous = np.empty_like(corner)
    previous[following] = corner
    ends = np.sort(np.stack([indices, indices[following]], axis=-1), axis=1)
    key, edge_of = np.unique(_edge_keys(ends, point_count), return_inverse=True)
    edge = np.stack([key // point_count, key % point_count], axis=-1)
    return _Level(
        point_count, counts, indices, edge, edge_of, previous, face_of, np.zeros(len(edge)), np.zeros(point_count)
    )


def _next_level(level: _Level) -> _Level:
    """Return the mesh of quads: one for each corner, of its point, edge point, face point and edge point before."""
    edges, points = len(level.edge), level.point_count
    quads = np.stack(
        [level.indices, points + level.edge_of, points + edges + level.face_of, points + level.edge_of[level.previous]],
        axis=-1,
    )
    count = points + edges + len(level.counts)
    finer = _connect(count, np.full(len(quads), 4), quads.ravel())
    softened = _soften(level.sharpness)
    middle = points + np.concatenate([np.arange(edges)] * 2)
    halves = np.stack([np.concatenate([level.edge[:, 0], level.edge[:, 1]]), middle], axis=-1)
    at = np.searchsorted(_edge_keys(finer.edge, count), _edge_keys(halves, count))
    finer.sharpness[at] = np.concatenate([softened, softened])
    finer.corner_sharpness[:points] = _soften(level.corner_sharpness)
    return finer


def _soften(sharpness: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(sharpness >= SHARP, SHARP, np.maximum(sharpness - 1.0, 0.0))


def _matrix(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float64], shape: tuple[int, int]
) -> sparse.csr_matrix:
    return sparse.csr_matrix((values, (rows, columns)), shape=shape)


def _face_points(level: _Level) -> sparse.csr_matrix:
    weight = 1.0 / level.counts[level.face_of]
    return _matrix(level.face_of, level.indices, weight, (len(level.counts), level.point_count))


def _edge_middles(level: _Level) -> sparse.csr_matrix:
    count = len(level.edge)
    rows = np.repeat(np.arange(count), 2)
    return _matrix(rows, level.edge.ravel(), np.full(2 * count, 0.5), (count, level.point_count))


def _split_linear(level: _Level) -> sparse.csr_matrix:
    identity = sparse.identity(level.point_count, format="csr")
    return sparse.vstack([identity, _edge_middles(level), _face_points(level)], format="csr")


def _split_corners(level: _Level) -> sparse.csr_matrix:
    """Return [4 * corner, corner]: each face is split on its own, linearly."""
    count = len(level.indices)
    corner = np.arange(count)
    following = np.empty_like(corner)
    following[level.previous] = corner
    first = np.cumsum(level.counts) - level.counts
    size = level.counts[level.face_of]
    rows = [4 * corner]
    columns = [corner]
    values = [np.ones(count)]
    for quad_corner, other in ((1, following), (3, level.previous)):
        rows += [4 * corner + quad_corner] * 2
        columns += [corner, other]
        values += [np.full(count, 0.5)] * 2
    rows.append(np.repeat(4 * corner + 2, size))
    offset = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    columns.append(np.repeat(first[level.face_of], size) + offset)
    values.append(np.repeat(1.0 / size, size))
    return _matrix(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), (4 * count, count))


def _refine(level: _Level) -> sparse.csr_matrix:
    """Return [finer point, point]: points, then edge points, then face points."""
    face_points = _face_points(level)
    middles = _edge_middles(level)
    sharp = np.minimum(level.sharpness, 1.0)
    shape = (len(level.edge), len(level.counts))
    beside = _matrix(level.edge_of, level.face_of, np.full(len(level.edge_of), 0.25), shape)
    smooth_edges = 0.5 * middles + beside @ face_points
    edge_points = _scaled(smooth_edges, 1.0 - sharp) + _scaled(middles, sharp)
    return sparse.vstack([_vertex_points(level, face_points, middles), edge_points, face_points], format="csr")


def _scaled(matrix: sparse.csr_matrix, weight: NDArray[np.float64]) -> sparse.csr_matrix:
    return sparse.diags(weight) @ matrix


def _vertex_points(level: _Level, face_points: sparse.csr_matrix, middles: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return [point, point]: the smooth, crease or corner rule, or a blend where a sharpness runs out."""
    now = _rule_weights(level, level.sharpness, level.corner_sharpness)
    later = _rule_weights(level, _soften(level.sharpness), _soften(level.corner_sharpness))
    share = _blend(level)
    smooth, crease, corner = (share * a + (1.0 - share) * b for a, b in zip(now[:3], later[:3], strict=True))
    creased = _scaled(_crease_rule(level, now[3]), crease * (now[1] > 0.0)) + _scaled(
        _crease_rule(level, later[3]), crease * (now[1] <= 0.0)
    )
    return (
        _scaled(_smooth_rule(level, face_points, middles), smooth)
        + creased
        + _scaled(sparse.identity(level.point_count, format="csr"), corner)
    )


def _rule_weights(
    level: _Level, sharpness: NDArray[np.float64], corner_sharpness: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return 1 where a point follows the smooth, crease or corner rule, and which edges are sharp."""
    sharp = sharpness > 0.0
    sharp_count = np.bincount(level.edge[sharp].ravel(), minlength=level.point_count)
    valence = np.bincount(level.indices, minlength=level.point_count)
    corner = (corner_sharpness > 0.0) | (sharp_count > 2) | (valence == 0)
    crease = ~corner & (sharp_count == 2)
    smooth = ~corner & ~crease
    return smooth.astype(float), crease.astype(float), corner.astype(float), sharp


def _blend(level: _Level) -> NDArray[np.float64]:
    """Return the share of this level's rule: 1, or the mean of the sharpnesses that run out within this step."""
    ends = (level.sharpness > 0.0) & (level.sharpness < 1.0)
    rows = level.edge[ends].ravel()
    count = np.bincount(rows, minlength=level.point_count).astype(float)
    total = np.bincount(rows, np.repeat(level.sharpness[ends], 2), level.point_count).astype(float)
    own = (level.corner_sharpness > 0.0) & (level.corner_sharpness < 1.0)
    count += own
    total += np.where(own, level.corner_sharpness, 0.0)
    return np.where(count > 0.0, total / np.maximum(count, 1.0), 1.0)


def _smooth_rule(level: _Level, face_points: sparse.csr_matrix, middles: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the rule (Q + 2 R + (n - 3) v) / n with Q, R the means of the face points and edge middles around."""
    points, faces, edges = level.point_count, len(level.counts), len(level.edge)
    around = _matrix(level.indices, level.face_of, np.ones(len(level.indices)), (points, faces))
    ends = _matrix(level.edge.ravel(), np.repeat(np.arange(edges), 2), np.ones(2 * edges), (points, edges))
    face_count = np.maximum(np.asarray(around.sum(axis=1)).ravel(), 1.0)
    edge_count = np.maximum(np.asarray(ends.sum(axis=1)).ravel(), 1.0)
    own = sparse.diags((edge_count - 3.0) / edge_count)
    return (
        _scaled(around @ face_points, 1.0 / (face_count * edge_count))
        + _scaled(ends @ middles, 2.0 / (edge_count * edge_count))
        + own
    )


def _crease_rule(level: _Level, sharp: NDArray[np.bool_]) -> sparse.csr_matrix:
    """Return the cubic B-spline rule 3/4 v + 1/8 (a + b) along the sharp edges of each point."""
    edge = level.edge[sharp]
    rows = np.concatenate([edge[:, 0], edge[:, 1]])
    columns = np.concatenate([edge[:, 1], edge[:, 0]])
    shape = (level.point_count, level.point_count)
    return 0.75 * sparse.identity(level.point_count) + _matrix(rows, columns, np.full(len(rows), 0.125), shape)


def _limit(level: _Level) -> sparse.csr_matrix:
    """Return [point, point] that moves the points of a quad mesh onto the limit surface."""
    smooth, crease, corner, sharp = _rule_weights(level, level.sharpness, level.corner_sharpness)
    points = level.point_count
    shape = (points, points)
    valence = np.bincount(level.indices, minlength=points).astype(float)
    following = level.previous[level.previous[level.previous]]
    opposite = level.previous[level.previous]
    rows = np.concatenate([level.indices, level.indices, level.indices])
    columns = np.concatenate([level.indices[following], level.indices[level.previous], level.indices[opposite]])
    weights = np.repeat([2.0, 2.0, 1.0], len(level.indices))  # each edge is met from both of its quads
    ring = _matrix(rows, columns, weights, shape) + sparse.diags(valence * valence)
    scale = smooth / np.maximum(valence * (valence + 5.0), 1.0)
    edge = level.edge[sharp]
    ends = np.concatenate([edge[:, 0], edge[:, 1]])
    others = np.concatenate([edge[:, 1], edge[:, 0]])
    line = _matrix(ends, others, np.full(len(ends), 1.0 / 6.0), shape) + sparse.diags(np.full(points, 4.0 / 6.0))
    return (_scaled(ring, scale) + _scaled(line, crease) + sparse.diags(corner)).tocsr()


def _smoothing_groups(level: _Level) -> NDArray[np.int64]:
    """Return [quad, 4]: corners around a point are one group as long as no sharp edge lies between them."""
    from scipy.sparse.csgraph import connected_components

    count = len(level.indices)
    corner = np.arange(count)
    following = np.empty_like(corner)
    following[level.previous] = corner
    soft = np.flatnonzero(level.sharpness[level.edge_of] <= 0.0)
    order = soft[np.argsort(level.edge_of[soft], kind="stable")]
    same = level.edge_of[order[1:]] == level.edge_of[order[:-1]]
    one, two = order[:-1][same], order[1:][same]
    # Corner c and the next one are the ends of its edge; the quad on the other side has the same ends.
    forward = level.indices[one] == level.indices[two]
    partner = np.where(forward, two, following[two])
    partner_end = np.where(forward, following[two], two)
    rows = np.concatenate([one, following[one]])
    columns = np.concatenate([partner, partner_end])
    graph = _matrix(rows, columns, np.ones(len(rows)), (count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64).reshape(-1, 4)
