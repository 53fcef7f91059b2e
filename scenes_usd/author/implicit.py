"""Smooth bodies from signed distances: unions of capsules and boxes, meshed by surface nets. Lengths in metres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from scenes_usd.author.shape import Floats, Shape, shape_from_faces

Distance = Callable[[Floats], Floats]  # points [n, 3] -> signed distance [n], negative inside


def capsule(start_m: Sequence[float], end_m: Sequence[float], start_radius_m: float, end_radius_m: float) -> Distance:
    """Return the distance to a segment whose radius changes linearly from one end to the other."""
    a, b = np.array(start_m, dtype=np.float64), np.array(end_m, dtype=np.float64)

    def distance(p: Floats) -> Floats:
        along = np.clip((p - a) @ (b - a) / np.dot(b - a, b - a), 0.0, 1.0)
        radius = start_radius_m + along * (end_radius_m - start_radius_m)
        return np.linalg.norm(p - a - along[:, None] * (b - a), axis=1) - radius

    return distance


def ellipsoid(centre_m: Sequence[float], radii_m: Sequence[float]) -> Distance:
    """Return the first-order distance to an axis-aligned ellipsoid."""
    centre, radii = np.array(centre_m), np.array(radii_m)

    def distance(p: Floats) -> Floats:
        unit = np.linalg.norm((p - centre) / radii, axis=1)
        slope = np.linalg.norm((p - centre) / radii**2, axis=1)
        return unit * (unit - 1.0) / np.maximum(slope, 1e-9)

    return distance


def slab(centre_m: Sequence[float], half_m: Sequence[float], radius_m: float) -> Distance:
    """Return the distance to an axis-aligned box with rounded edges."""
    centre, inner = np.array(centre_m), np.array(half_m) - radius_m

    def distance(p: Floats) -> Floats:
        q = np.abs(p - centre) - inner
        outside = np.linalg.norm(np.maximum(q, 0.0), axis=1)
        return outside + np.minimum(q.max(axis=1), 0.0) - radius_m

    return distance


def half_space(axis: str, sign: float, at_m: float) -> Distance:
    """Return the distance to the half space ``sign * (coordinate - at_m) <= 0``."""
    column = "xyz".index(axis)
    return lambda p: sign * (p[:, column] - at_m)


def union(*parts: Distance, blend_m: float = 0.0) -> Distance:
    """Return the union; ``blend_m`` is the width over which surfaces melt together.

    Source: Quilez, smooth minimum (polynomial), https://iquilezles.org/articles/smin
    """

    def distance(p: Floats) -> Floats:
        total = parts[0](p)
        for part in parts[1:]:
            other = part(p)
            mix = np.maximum(blend_m - np.abs(total - other), 0.0) / max(blend_m, 1e-9)
            total = np.minimum(total, other) - mix * mix * blend_m * 0.25
        return total

    return distance


def intersection(*parts: Distance, blend_m: float = 0.0) -> Distance:
    """Return the intersection, with edges rounded over ``blend_m``."""
    opposite = union(*[_negated(part) for part in parts], blend_m=blend_m)
    return lambda p: -opposite(p)


def _negated(part: Distance) -> Distance:
    return lambda p: -part(p)


def grown(part: Distance, by_m: float) -> Distance:
    """Return the body inflated by ``by_m``."""
    return lambda p: part(p) - by_m


def surface(part: Distance, low_m: Sequence[float], high_m: Sequence[float], step_m: float) -> Shape:
    """Return the zero surface as quads with smooth normals, found on a grid of ``step_m``.

    Naive surface nets (one point in each cell that the surface crosses), then Newton steps onto the surface.
    Source: Gibson, Constrained Elastic Surface Nets, MERL TR99-24.
    """
    low = np.array(low_m, dtype=np.float64)
    cells = np.ceil((np.array(high_m) - low) / step_m).astype(int) + 1
    axes = [low[k] + step_m * np.arange(cells[k] + 1) for k in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    value = part(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    inside = value < 0.0
    shell = np.ones(inside.shape, dtype=bool)
    shell[1:-1, 1:-1, 1:-1] = False
    if (inside & shell).any():
        raise ValueError(f"surface: the body reaches out of its bounds {list(low_m)} .. {list(high_m)}")
    total, weight = np.zeros((*cells, 3)), np.zeros(tuple(cells))
    for axis in range(3):
        a, b = _edge_ends(inside, axis)
        va, vb = _edge_ends(value, axis)
        crossing = a != b
        t = np.where(crossing, va / np.where(crossing, va - vb, 1.0), 0.0)
        ga, gb = _edge_ends(grid, axis)
        point = ga + t[..., None] * (gb - ga)
        for du, dv in ((0, 0), (0, 1), (1, 0), (1, 1)):
            u, v = (k for k in range(3) if k != axis)
            window = [slice(None)] * 3
            window[u], window[v] = slice(du, du + cells[u]), slice(dv, dv + cells[v])
            total += np.where(crossing[tuple(window)][..., None], point[tuple(window)], 0.0)
            weight += crossing[tuple(window)]
    number = np.full(tuple(cells), -1, dtype=np.int64)
    number[weight > 0] = np.arange(int((weight > 0).sum()))
    points = total[weight > 0] / weight[weight > 0][:, None]
    faces = _quads(inside, number)
    for _ in range(4):
        points = points - part(points)[:, None] * _gradient(part, points)
    shape = shape_from_faces(points, faces)
    oblique = np.stack([points[:, 0] + points[:, 1], points[:, 2]], axis=1)  # no seams; nowhere degenerate on a column
    return replace(shape, normal=_gradient(part, points)[shape.index], uv_m=oblique[shape.index])


def _edge_ends(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values at the two ends of every grid edge along ``axis``."""
    length = array.shape[axis]
    return np.take(array, range(length - 1), axis), np.take(array, range(1, length), axis)


def _quads(inside: np.ndarray, number: np.ndarray) -> list[tuple[int, ...]]:
    """Return one quad around every grid edge whose ends lie on different sides."""
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        a, b = _edge_ends(inside, axis)
        edges = np.argwhere(a != b)
        ring = []
        for du, dv in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
            cell = edges.copy()
            cell[:, u] += du
            cell[:, v] += dv
            ring.append(number[tuple(cell.T)])
        quads = np.stack(ring, axis=1)
        outward = a[tuple(edges.T)]
        faces += [tuple(q) if out else tuple(q[::-1]) for q, out in zip(quads.tolist(), outward, strict=True)]
    return faces


def _gradient(part: Distance, points: Floats, step_m: float = 1e-4) -> Floats:
    """Return unit gradients by central differences."""
    slope = np.empty_like(points)
    for axis in range(3):
        offset = np.zeros(3)
        offset[axis] = step_m
        slope[:, axis] = part(points + offset) - part(points - offset)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-30)
