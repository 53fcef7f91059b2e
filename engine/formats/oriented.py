"""Smallest rectangles around masks that stay in their frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SLACK_PX = 1.0e-6  # by which rounding may put a corner outside


def is_within(corners: Array, width: int, height: int) -> bool:
    """Return whether corners [4, 2] lie in the frame."""
    return bool((corners >= -SLACK_PX).all() and (corners <= np.array([width, height]) + SLACK_PX).all())


def rectangle_within(points: Array, width: int, height: int) -> Array:
    """Return the corners [4, 2] of the smallest rectangle around points [n, 2] that lies in the frame.

    Without the frame, a side of the smallest one lies on the convex hull (Freeman and Shapira 1975). Where that one
    leaves the frame, another side of the hull or the upright box takes its place; the upright box never does.
    """
    from scipy.spatial import ConvexHull

    hull = points[ConvexHull(points).vertices]
    edges = np.concatenate([np.roll(hull, -1, axis=0) - hull, [[1.0, 0.0]]])
    u = edges / np.linalg.norm(edges, axis=1, keepdims=True)
    v = np.stack([-u[:, 1], u[:, 0]], axis=1)
    a, b = u @ hull.T, v @ hull.T  # [edge, point]
    low_a, high_a, low_b, high_b = a.min(axis=1), a.max(axis=1), b.min(axis=1), b.max(axis=1)
    best: Array = np.zeros((4, 2))
    for edge in np.argsort((high_a - low_a) * (high_b - low_b), kind="stable"):
        ends = ((low_a, low_b), (high_a, low_b), (high_a, high_b), (low_a, high_b))
        best = np.array([p[edge] * u[edge] + q[edge] * v[edge] for p, q in ends])
        if is_within(best, width, height):
            break
    return best
