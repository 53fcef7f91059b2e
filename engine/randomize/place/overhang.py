"""How much of a turned rectangle hangs over another: the area outside, by clipping. All arrays are [row, ...]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rectangle = tuple[Array, Array, Array]  # middle [row, 2], half sides [row, 2], turn [row]


def overhang_share(upper: Rectangle, lower: Rectangle) -> Array:
    """Return the share [row] of the upper rectangle's area that is not above the lower one.

    Source: Sutherland, Hodgman, "Reentrant polygon clipping", 1974, in the axes of the lower rectangle.
    """
    middle, half, turn = upper
    on_middle, on_half, on_turn = lower
    corner = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * half[:, None]
    placed = _turned(corner, turn) + (middle - on_middle)[:, None]
    polygon = _turned(placed, -on_turn)
    for axis in (0, 1):
        for sign in (1.0, -1.0):
            polygon = _clipped(polygon, sign * polygon[..., axis] - on_half[:, axis, None])
    x, y = polygon[..., 0], polygon[..., 1]
    area = 0.5 * np.abs((x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1))
    whole = 4.0 * half[:, 0] * half[:, 1]
    return np.asarray(np.clip(1.0 - area / np.maximum(whole, np.finfo(np.float64).tiny), 0.0, 1.0))


def _turned(points: Array, turn: Array) -> Array:
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def _clipped(polygon: Array, beyond: Array) -> Array:
    """Return polygons without what lies beyond a line, `beyond` [row, corner] above 0; corners may repeat.

    Every edge gives two corners: where its part this side begins and ends. Of an edge that is wholly beyond both are
    its projection onto the line, which adds no area.
    """
    following, beyond_following = np.roll(polygon, -1, axis=1), np.roll(beyond, -1, axis=1)
    span = beyond_following - beyond
    share = np.where(span != 0.0, -beyond / np.where(span != 0.0, span, 1.0), 0.0)
    crossing = polygon + np.clip(share, 0.0, 1.0)[..., None] * (following - polygon)
    inside, inside_following = (beyond <= 0.0)[..., None], (beyond_following <= 0.0)[..., None]
    begin = np.where(inside, polygon, crossing)
    end = np.where(inside_following, following, crossing)
    both_out = ~inside & ~inside_following
    return _without_outside(np.stack([begin, end], axis=2), both_out)


def _without_outside(ends: Array, both_out: NDArray[np.bool_]) -> Array:
    """Return corners of edges' parts, those of edges that are wholly outside replaced by the corner before them."""
    rows, edges = ends.shape[:2]
    corner = ends.reshape(rows, 2 * edges, 2)
    out = np.repeat(both_out[..., 0], 2, axis=1)
    number = np.arange(4 * edges)  # twice around, so that the first corner has one before it
    last = np.maximum.accumulate(np.where(np.concatenate([out, out], axis=1), -1, number), axis=1)[:, 2 * edges :]
    kept = np.take_along_axis(corner, (np.maximum(last, 0) % (2 * edges))[..., None], axis=1)
    return np.where((last >= 0)[..., None], kept, 0.0)
