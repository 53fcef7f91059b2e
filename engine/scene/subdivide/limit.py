"""Where points of a subdivided mesh end up after infinitely many steps, and the tangents of the surface there.

Positions: M. Halstead, M. Kass, T. DeRose, "Efficient, fair interpolation using Catmull-Clark surfaces", 1993; C. Loop,
1987. Tangents are the left eigenvectors of the subdivision matrix around a point: H. Biermann, A. Levin, D. Zorin,
"Piecewise smooth subdivision surfaces with normal control", 2000; the scale is of no matter here, only the direction.

A *sector* is a run of faces around a point without a sharp edge between them: it has one tangent plane. At a sharp
corner every face is a sector of its own, spanned by its two edges. Where an endless crease ends (a dart) the smooth
masks are used, as by OpenSubdiv; they are exact only in the limit of many steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from engine.scene.subdivide.level import SHARP, Level, child_corners, next_in_ring, next_level, restrict
from engine.scene.subdivide.rules import Entries, PointRules, loop_ring_weight, point_rules, refine


@dataclass(frozen=True)
class Limit:
    """Matrices from the points of a level."""

    position: sparse.csr_matrix  # [point, point]
    tangents: tuple[sparse.csr_matrix, sparse.csr_matrix]  # [sector, point] each; their cross product points outwards
    sector: NDArray[np.int64]  # [corner]


@dataclass(frozen=True)
class _Sectors:
    """Sectors of one kind (smooth or crease) with their corners in order, counter-clockwise."""

    size: NDArray[np.int64]  # [sector], faces
    point: NDArray[np.int64]  # [sector]
    corner: NDArray[np.int64]  # [entry]
    sector: NDArray[np.int64]  # [entry]
    place: NDArray[np.int64]  # [entry], 0 for the first face of the sector
    last: NDArray[np.int64]  # [sector], its last corner


def limit(level: Level, scheme: str) -> Limit:
    """Return the limit of a level whose faces are all quads (triangles for Loop); bilinear surfaces have none.

    Points whose sharpness has not run out yet are followed, with the faces around them, until it has.
    """
    rules = point_rules(level, level.sharpness, level.corner_sharpness)
    own = _own_limit(level, scheme, rules)
    fading = (level.sharpness > 0.0) & (level.sharpness < SHARP)
    changing = (level.corner_sharpness > 0.0) & (level.corner_sharpness < SHARP)
    changing[level.edge[fading].ravel()] = True
    changing &= np.bincount(level.indices, minlength=level.point_count) > 0
    if not changing.any():
        return own
    return _followed(level, scheme, own, changing)


def _followed(level: Level, scheme: str, own: Limit, changing: NDArray[np.bool_]) -> Limit:
    """Return `own` with the rows of changing points taken from the next level."""
    touching = np.bincount(level.face_of, changing[level.indices], len(level.counts)) > 0
    near, point, corner = restrict(level, touching)
    step = refine(near, scheme)
    stencil = step[0] if len(step) == 1 else step[1] @ step[0]
    finer = next_level(near, scheme)
    children = child_corners(near, scheme)[changing[level.indices[corner]]]
    keep = np.zeros(len(finer.counts), bool)
    keep[finer.face_of[children]] = True
    around, finer_point, finer_corner = restrict(finer, keep)
    later = limit(around, scheme)
    spread = sparse.csr_matrix((np.ones(len(point)), (np.arange(len(point)), point)), (len(point), level.point_count))
    from_level = stencil[finer_point] @ spread  # [point of `around`, point]
    number = np.full(finer.point_count, -1)
    number[finer_point] = np.arange(len(finer_point))
    mine = np.flatnonzero(changing[point])  # the first points of the next level are those of this one
    seen = number[mine] >= 0
    kept = np.ones(level.point_count)
    kept[point[mine[seen]]] = 0.0
    moved = (later.position @ from_level)[number[mine[seen]]]
    place = (np.ones(moved.shape[0]), (point[mine[seen]], np.arange(moved.shape[0])))
    position = sparse.diags(kept) @ own.position + sparse.csr_matrix(place, (level.point_count, moved.shape[0])) @ moved
    sector = own.sector.copy()
    old_corner = np.flatnonzero(changing[level.indices[corner]])
    new_corner = np.searchsorted(finer_corner, children)
    sector[corner[old_corner]] = own.tangents[0].shape[0] + later.sector[new_corner]
    one, two = (
        sparse.vstack([mine_, theirs @ from_level], format="csr")
        for mine_, theirs in zip(own.tangents, later.tangents, strict=True)
    )
    return Limit(position.tocsr(), (one, two), sector)


def _own_limit(level: Level, scheme: str, rules: PointRules) -> Limit:
    points = level.point_count
    ring = next_in_ring(level)
    following = level.following()
    parts = [_walk(level, ring, rules, creased=False), _walk(level, ring, rules, creased=True)]
    sector = np.full(len(level.indices), -1)
    one, two = Entries.none(), Entries.none()
    first = 0
    for part, creased in zip(parts, (False, True), strict=True):
        sector[part.corner] = first + part.sector
        if creased:
            _crease_tangents(one, two, first, part, level, following, scheme)
        else:
            _smooth_tangents(one, two, first, part, level, following, scheme)
        first += len(part.size)
    alone = np.flatnonzero(sector < 0)  # corners of faces at sharp corners
    sector[alone] = first + np.arange(len(alone))
    rows, minus = sector[alone], np.full(len(alone), -1.0)
    for entries, other in ((one, following[alone]), (two, level.previous[alone])):
        entries.add(rows, level.indices[other], -minus)
        entries.add(rows, level.indices[alone], minus)
    count = first + len(alone)
    return Limit(
        _positions(level, scheme, rules, following), (one.matrix(count, points), two.matrix(count, points)), sector
    )


def _positions(level: Level, scheme: str, rules: PointRules, following: NDArray[np.int64]) -> sparse.csr_matrix:
    points = level.point_count
    valence = np.maximum(np.bincount(level.edge.ravel(), minlength=points), 1)
    entries = Entries.none()
    if scheme == "loop":
        ring = 8.0 / 3.0 * loop_ring_weight(valence)
        own = rules.smooth / (1.0 + ring)
        beside = rules.smooth * ring / (1.0 + ring) / valence
    else:
        scale = rules.smooth / (valence * (valence + 5.0))
        own = scale * valence * valence
        beside = 4.0 * scale
        opposite = level.indices[following[following]]
        entries.add(level.indices, opposite, scale[level.indices])
    entries.add(np.arange(points), np.arange(points), own + rules.corner + rules.crease * (4.0 / 6.0))
    for end in (0, 1):
        at = level.edge[:, end]
        entries.add(at, level.edge[:, 1 - end], beside[at] + rules.crease[at] * rules.sharp / 6.0)
    return entries.matrix(points, points)


def _walk(level: Level, ring: NDArray[np.int64], rules: PointRules, *, creased: bool) -> _Sectors:
    """Return the sectors around smooth points (and darts), or those around crease points."""
    count = len(level.indices)
    if creased:
        start = np.flatnonzero(rules.sharp[level.edge_of] & (rules.crease[level.indices] > 0.0))
        ends = rules.sharp[level.edge_of[level.previous]] | (ring < 0)  # [corner], nothing follows it
    else:
        first = np.full(level.point_count, -1)
        first[level.indices[::-1]] = np.arange(count)[::-1]
        start = first[(rules.smooth > 0.0) & (first >= 0)]
        ends = ring < 0
        last = ring == first[level.indices]
        ends |= last
    corner, sector, place = [start], [np.arange(len(start))], [np.zeros(len(start), np.int64)]
    final = start.copy()
    at, of, step = start, sector[0], 0
    while len(at):
        on = ~ends[at]
        at, of, step = ring[at[on]], of[on], step + 1
        final[of] = at
        corner.append(at)
        sector.append(of)
        place.append(np.full(len(at), step))
    all_sectors = np.concatenate(sector)
    size = np.bincount(all_sectors, minlength=len(start))
    return _Sectors(size, level.indices[start], np.concatenate(corner), all_sectors, np.concatenate(place), final)


def _smooth_tangents(
    one: Entries,
    two: Entries,
    first: int,
    part: _Sectors,
    level: Level,
    following: NDArray[np.int64],
    scheme: str,
) -> None:
    angle = (2.0 * np.pi / part.size)[part.sector]
    row = first + part.sector
    ahead = level.indices[following[part.corner]]
    opposite = level.indices[following[following[part.corner]]]
    pair = part.size[part.sector] == 2  # two faces and two edges: along the edges and along the faces
    face_scale = np.ones(len(row))
    if scheme != "loop":
        cosine = np.cos(angle)
        root = np.cos(0.5 * angle) * np.sqrt(2.0 * (9.0 + cosine))
        eigenvalue = (5.0 + cosine + root) / 16.0
        face_scale = np.where(pair, 0.0, 1.0 / np.where(pair, 1.0, 4.0 * eigenvalue - 1.0) / 4.0)
    for entries, wave in ((one, np.cos), (two, np.sin)):
        here, there = wave(part.place * angle), wave((part.place + 1) * angle)
        entries.add(row, ahead, here)
        if scheme != "loop":
            entries.add(row, opposite, face_scale * (here + there))
    if scheme != "loop":
        two.add(row[pair], opposite[pair], 1.0 - 2.0 * part.place[pair])


def _crease_tangents(
    one: Entries,
    two: Entries,
    first: int,
    part: _Sectors,
    level: Level,
    following: NDArray[np.int64],
    scheme: str,
) -> None:
    """Add the tangent along the crease and the one into the sector."""
    rows = first + np.arange(len(part.size))
    begin = part.corner[: len(part.size)]
    from_edge = level.indices[following[begin]]
    to_edge = level.indices[level.previous[part.last]]
    one.add(rows, from_edge, np.ones(len(rows)))
    one.add(rows, to_edge, np.full(len(rows), -1.0))
    angle = np.pi / part.size
    single = part.size == 1
    wave = np.sin(part.place * angle[part.sector])
    if scheme == "loop":
        eigenvalue = 0.375 + 0.25 * np.cos(angle)
        total = 0.375 * np.bincount(part.sector, wave, len(part.size))
        gap = 8.0 * (eigenvalue - 0.5)
        own = (np.sin(angle) + gap * total) / (gap * (eigenvalue - 0.75) - 1.0)
        end = own * (eigenvalue - 0.75) - total
        inside, opposite = 1.0, 0.0
    else:
        half = np.where(single, 0.0, np.tan(0.5 * angle))  # (1 - cos) / sin
        ratio = np.where(single, 0.0, 1.0 / np.where(single, 1.0, half))  # (1 + cos) / sin
        own = -4.0 * ratio * (1.0 - np.cos(angle))
        end = -ratio * (1.0 + 2.0 * np.cos(angle))
        inside, opposite = 4.0, 1.0
    own, end = np.where(single, -2.0, own), np.where(single, 1.0, end)
    two.add(rows, part.point, own)
    two.add(rows, from_edge, end)
    two.add(rows, to_edge, end)
    row = first + part.sector
    two.add(row, level.indices[following[part.corner]], inside * wave)
    if opposite:
        next_wave = np.sin((part.place + 1) * angle[part.sector])
        weight = np.where(single[part.sector], 0.0, opposite * (wave + next_wave))
        two.add(row, level.indices[following[following[part.corner]]], weight)
