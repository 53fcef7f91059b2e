"""Curves with a width as triangles: round tubes with flat ends, or flat ribbons where they have a direction.

The frame along a tube turns as little as possible: W. Wang, B. Juettler, D. Zheng, Y. Liu, "Computation of rotation
minimizing frames", 2008 (double reflection).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Line:
    """Sampled curves, curve after curve."""

    point: NDArray[np.float64]  # [sample, 3]
    radius: NDArray[np.float64]  # [sample]
    count: NDArray[np.int64]  # [curve], samples of each
    closed: bool


@dataclass(frozen=True)
class Skin:
    """Triangles around curves, and which sample each of their corners belongs to."""

    point: NDArray[np.float64]  # [point, 3]
    triangle: NDArray[np.int64]  # [triangle, 3], counter-clockwise seen from outside
    normal: NDArray[np.float32]  # [triangle, 3, 3]
    sample: NDArray[np.int64]  # [triangle, 3]
    around: NDArray[np.float64]  # [triangle, 3], 0 .. 1 around a tube or across a ribbon


@dataclass(frozen=True)
class _Links:
    """Pairs of samples with a piece of curve between them; a sample begins one piece at most, and ends one."""

    start: NDArray[np.int64]  # [piece], sample
    end: NDArray[np.int64]  # [piece], sample


def tubes(line: Line, sides: int) -> Skin:
    """Return round tubes with `sides` flat sides and smooth normals; open curves get flat ends."""
    links = _links(line)
    tangent = _tangents(line, links)
    across = _frames(line, tangent)
    other = np.cross(tangent, across)
    angle = np.arange(sides) * (2.0 * np.pi / sides)
    radial = np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * other[:, None]
    point = line.point[:, None] + line.radius[:, None, None] * radial
    slope = _radius_slope(line, links)
    unit = radial - slope[:, None, None] * tangent[:, None]
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    k = np.arange(sides)
    following = (k + 1) % sides
    quad_sample = np.stack([links.start, links.start, links.end, links.end], axis=-1)[:, None]
    quad_side = np.stack([k, following, following, k], axis=-1)[None]
    wrapped = np.stack([k, k + 1, k + 1, k], axis=-1)[None] / sides
    shape = (len(links.start), sides, 4)
    sample = np.broadcast_to(quad_sample, shape).reshape(-1, 4)[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    side = np.broadcast_to(quad_side, shape).reshape(-1, 4)[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    around = np.broadcast_to(wrapped, shape).reshape(-1, 4)[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    normal = unit[sample, side]
    if not line.closed:
        cap_sample, cap_side, cap_normal = _caps(line, tangent, sides)
        sample, side = np.concatenate([sample, cap_sample]), np.concatenate([side, cap_side])
        around = np.concatenate([around, cap_side / sides])
        normal = np.concatenate([normal, cap_normal])
    return Skin(point.reshape(-1, 3), sample * sides + side, normal.astype(np.float32), sample, around)


def ribbons(line: Line, normal: NDArray[np.float64]) -> Skin:
    """Return flat strips, as wide as the curves are thick, whose faces look along `normal` [sample, 3]."""
    links = _links(line)
    tangent = _tangents(line, links)
    across = _unit(np.cross(normal, tangent), _frames(line, tangent))
    facing = np.cross(tangent, across)
    point = line.point[:, None] + (line.radius[:, None] * [-1.0, 1.0])[..., None] * across[:, None]
    quad_sample = np.stack([links.start, links.end, links.end, links.start], axis=-1)
    quad_side = np.broadcast_to([0, 0, 1, 1], quad_sample.shape)
    sample = quad_sample[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    side = quad_side[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    return Skin(point.reshape(-1, 3), sample * 2 + side, facing[sample].astype(np.float32), sample, side.astype(float))


def _links(line: Line) -> _Links:
    first = np.cumsum(line.count) - line.count
    sample = np.arange(len(line.point))
    curve = np.repeat(np.arange(len(line.count)), line.count)
    is_last = sample == (first + line.count - 1)[curve]
    if line.closed:
        return _Links(sample, np.where(is_last, first[curve], sample + 1))
    return _Links(sample[~is_last], sample[~is_last] + 1)


def _tangents(line: Line, links: _Links) -> NDArray[np.float64]:
    """Return unit tangents: the mean direction of the two pieces beside a sample."""
    step = line.point[links.end] - line.point[links.start]
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    step = step / np.where(length > 0.0, length, 1.0)
    total = np.zeros_like(line.point)
    single = np.zeros_like(line.point)
    for sample in (links.start, links.end):
        total[sample] += step
        single[sample] = step
    tangent = _unit(total, single)
    return _unit(tangent, np.broadcast_to([0.0, 0.0, 1.0], tangent.shape))


def _unit(vector: NDArray[np.float64], otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors, and `otherwise` where a vector has no direction."""
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.where(length > 1e-9, vector / np.where(length > 1e-9, length, 1.0), otherwise)


def _frames(line: Line, tangent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a unit vector [sample, 3] across each tangent that turns as little as possible along the curves."""
    first = (np.cumsum(line.count) - line.count)[line.count > 0]
    counts = line.count[line.count > 0]
    across = np.zeros_like(tangent)
    axis = np.eye(3)[np.argmin(np.abs(tangent[first]), axis=-1)]
    across[first] = _unit(axis - np.einsum("sc,sc->s", axis, tangent[first])[:, None] * tangent[first], axis)
    at, left = first, counts - 1
    while (left > 0).any():
        at, left = at[left > 0], left[left > 0] - 1
        across[at + 1] = _carried(across[at], line.point[at + 1] - line.point[at], tangent[at], tangent[at + 1])
        at = at + 1
    if line.closed:
        _close(line, tangent, across, first, counts)
    return across


def _carried(
    across: NDArray[np.float64], step: NDArray[np.float64], here: NDArray[np.float64], there: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the vector across `there` that `across` at `here` becomes, by two reflections."""
    mirrored, along = _reflected(across, step), _reflected(here, step)
    carried = _reflected(mirrored, there - along)
    carried = carried - np.einsum("sc,sc->s", carried, there)[:, None] * there  # rounding must not add up
    return _unit(carried, mirrored)


def _reflected(vector: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    size = np.einsum("sc,sc->s", normal, normal)
    factor = np.where(
        size > 1e-24, 2.0 * np.einsum("sc,sc->s", vector, normal) / np.where(size > 1e-24, size, 1.0), 0.0
    )
    reflected: NDArray[np.float64] = vector - factor[:, None] * normal
    return reflected


def _close(
    line: Line,
    tangent: NDArray[np.float64],
    across: NDArray[np.float64],
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Spread the twist that is left after one turn over the whole of each closed curve."""
    last = first + counts - 1
    around = _carried(across[last], line.point[first] - line.point[last], tangent[last], tangent[first])
    sine = np.einsum("sc,sc->s", np.cross(around, across[first]), tangent[first])
    twist = np.arctan2(sine, np.einsum("sc,sc->s", around, across[first]))
    curve = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(curve)) - (np.cumsum(counts) - counts)[curve]
    angle = (twist[curve] * place / counts[curve])[:, None]
    across[:] = np.cos(angle) * across + np.sin(angle) * np.cross(tangent, across)


def _radius_slope(line: Line, links: _Links) -> NDArray[np.float64]:
    """Return how much the radius grows along the curve [sample], which tilts the normals of a cone."""
    length = np.linalg.norm(line.point[links.end] - line.point[links.start], axis=-1)
    growth = np.where(length > 0.0, line.radius[links.end] - line.radius[links.start], 0.0)
    growth = growth / np.where(length > 0.0, length, 1.0)
    count = np.zeros(len(line.point))
    total = np.zeros(len(line.point))
    for sample in (links.start, links.end):
        total[sample] += growth
        count[sample] += 1.0
    return total / np.maximum(count, 1.0)


def _caps(
    line: Line, tangent: NDArray[np.float64], sides: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the samples, sides and normals of the flat ends of open curves, [triangle, 3] and [triangle, 3, 3]."""
    drawn = line.count > 1
    first = (np.cumsum(line.count) - line.count)[drawn]
    last = first + line.count[drawn] - 1
    k = np.arange(1, sides - 1)
    fan = np.stack([np.zeros_like(k), k, k + 1], axis=-1)
    shape = (len(first), sides - 2, 3)
    side = np.concatenate([np.broadcast_to(fan[:, ::-1], shape), np.broadcast_to(fan, shape)]).reshape(-1, 3)
    end = np.concatenate([first, last])
    sample = np.repeat(end, sides - 2)[:, None] + np.zeros(3, np.int64)
    facing = np.concatenate([-tangent[first], tangent[last]])
    normal = np.repeat(facing, sides - 2, axis=0)[:, None] + np.zeros((3, 1))
    return sample, side, normal
