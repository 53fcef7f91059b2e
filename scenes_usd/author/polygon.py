"""Polygons in the plane: rounding, insetting and triangulating outlines. Lengths in metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scenes_usd.author.shape import Floats


def rectangle(width_m: float, depth_m: float, *, radius_m: float = 0.0, segments: int = 3) -> Floats:
    """Return a counter-clockwise rectangle centred on the origin, with rounded corners where a radius is given."""
    x, y = width_m / 2.0, depth_m / 2.0
    corners = np.array([(-x, -y), (x, -y), (x, y), (-x, y)])
    return filleted(corners, radius_m, segments=segments) if radius_m > 0.0 else corners


def filleted(
    outline: ArrayLike, radius_m: float | Sequence[float], *, segments: int = 3, closed: bool = True
) -> Floats:
    """Return an outline (2-D) or path (3-D) whose corners are replaced by arcs; one radius, or one for each corner."""
    corners = np.asarray(outline, dtype=np.float64)
    radii = np.broadcast_to(np.asarray(radius_m, dtype=np.float64), (len(corners),))
    result: list[Floats] = []
    for k, corner in enumerate(corners):
        if radii[k] <= 0.0 or (not closed and k in (0, len(corners) - 1)):
            result.append(corner)
            continue
        before, after = corners[k - 1], corners[(k + 1) % len(corners)]
        to_before, to_after = before - corner, after - corner
        reach = min(float(np.linalg.norm(to_before)), float(np.linalg.norm(to_after))) * 0.499
        to_before, to_after = to_before / np.linalg.norm(to_before), to_after / np.linalg.norm(to_after)
        half = 0.5 * np.arccos(np.clip(np.dot(to_before, to_after), -1.0, 1.0))
        if half > np.pi / 2.0 - 1e-6:
            result.append(corner)
            continue
        cut = min(float(radii[k]) / np.tan(half), reach)
        radius = cut * np.tan(half)
        bisector = to_before + to_after
        centre = corner + bisector / np.linalg.norm(bisector) * (radius / np.sin(half))
        start, stop = corner + to_before * cut - centre, corner + to_after * cut - centre
        span = np.pi - 2.0 * half
        for step in range(segments + 1):
            t = step / segments
            result.append(centre + (start * np.sin((1 - t) * span) + stop * np.sin(t * span)) / np.sin(span))
    return np.array(result)


def inset(ring_m: Floats, distance_m: float) -> Floats:
    """Return the ring with every edge moved to its left by ``distance_m`` (mitred corners)."""
    if distance_m == 0.0:
        return ring_m
    edge = np.roll(ring_m, -1, axis=0) - ring_m
    left = np.column_stack([-edge[:, 1], edge[:, 0]]) / np.linalg.norm(edge, axis=1, keepdims=True)
    before = np.roll(left, 1, axis=0)
    sharp = np.maximum(1.0 + np.sum(left * before, axis=1, keepdims=True), 0.2)
    return ring_m + distance_m * (left + before) / sharp


def triangulated(loops_m: Sequence[Floats]) -> list[tuple[int, int, int]]:
    """Return triangles over the points of all loops in order; the first loop is counter-clockwise, holes clockwise.

    Ear clipping with one bridge to each hole. Source: Eberly, Triangulation by Ear Clipping (Geometric Tools).
    """
    points = np.concatenate(loops_m)
    start = np.concatenate([[0], np.cumsum([len(loop) for loop in loops_m])])
    ring = list(range(len(loops_m[0])))
    holes = [list(range(start[k], start[k + 1])) for k in range(1, len(loops_m))]
    for hole in sorted(holes, key=lambda h: -float(points[h, 0].max())):
        ring = _bridged(points, ring, hole)
    triangles = []
    while len(ring) > 3:
        k = _ear(points, ring)
        triangles.append((ring[k - 1], ring[k], ring[(k + 1) % len(ring)]))
        del ring[k]
    triangles.append((ring[0], ring[1], ring[2]))
    return triangles


def _turn(points_m: Floats, a: int, b: int, c: int) -> float:
    (ax, ay), (bx, by), (cx, cy) = points_m[a], points_m[b], points_m[c]
    return float((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))


def _ear(points_m: Floats, ring: list[int]) -> int:
    """Return the position of the convex corner whose triangle holds no other point and is least thin."""
    best, best_score = -1, -1.0
    for k in range(len(ring)):
        a, b, c = ring[k - 1], ring[k], ring[(k + 1) % len(ring)]
        area = _turn(points_m, a, b, c)
        if area <= 1e-15:
            continue
        side = np.sum((points_m[[b, c, a]] - points_m[[a, b, c]]) ** 2)
        if area / side <= best_score * (1.0 + 1e-6):
            continue
        others = [i for i in ring if not np.any(np.all(points_m[[a, b, c]] == points_m[i], axis=1))]
        p = points_m[others]
        inside = np.ones(len(others), dtype=bool)
        for i, j in ((a, b), (b, c), (c, a)):
            d = points_m[j] - points_m[i]
            inside &= d[0] * (p[:, 1] - points_m[i, 1]) - d[1] * (p[:, 0] - points_m[i, 0]) >= -1e-15
        if not inside.any():
            best, best_score = k, area / float(side)
    if best < 0:
        raise ValueError("polygon: no ear found; the outline crosses itself")
    return best


def _bridged(points_m: Floats, ring: list[int], hole: list[int]) -> list[int]:
    """Return the ring with a hole spliced in at the closest visible pair (hole's rightmost point, ring point)."""
    entry = max(range(len(hole)), key=lambda k: points_m[hole[k], 0])
    h = hole[entry]
    for k in sorted(range(len(ring)), key=lambda k: float(np.sum((points_m[ring[k]] - points_m[h]) ** 2))):
        if not any(
            _crosses(points_m, h, ring[k], loop[i - 1], loop[i]) for loop in (ring, hole) for i in range(len(loop))
        ):
            loop = hole[entry:] + hole[:entry]
            return ring[: k + 1] + loop + [h] + ring[k:]
    raise ValueError("polygon: a hole lies outside its outline")


def _crosses(points_m: Floats, a: int, b: int, c: int, d: int) -> bool:
    """Whether the open segments ab and cd cross; segments that share a point do not."""
    shared = any(np.all(points_m[i] == points_m[j]) for i in (a, b) for j in (c, d))
    if shared:
        return False
    abc, abd = _turn(points_m, a, b, c), _turn(points_m, a, b, d)
    cda, cdb = _turn(points_m, c, d, a), _turn(points_m, c, d, b)
    return abc * abd < 0.0 and cda * cdb < 0.0
