"""Ways through a scene: points in a row, joined by straight lines or a smooth curve, and measured by length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.randomize.pose import length

Array = NDArray[np.float64]
Curve = Literal["linear", "catmull_rom"]

PIECES = 64  # straight pieces of a smooth curve between two of its points
LEAST_STEP_M = 1.0e-6  # points nearer than this are one


@dataclass(frozen=True)
class Way:
    """Straight pieces, many and short ones where a curve is smooth."""

    point_m: Array  # [point, 3]
    along_m: Array  # [point], length of the way up to it
    smooth: bool  # directions change along the pieces, not from one to the next

    @property
    def length_m(self) -> float:
        """Length of the whole."""
        return float(self.along_m[-1])

    def at(self, along_m: Array) -> Array:
        """Return points [..., 3] of the way; beyond its ends it goes on straight."""
        piece = self._piece(along_m)
        return self.point_m[piece] + (along_m - self.along_m[piece])[..., None] * self._direction(piece)

    def direction(self, along_m: Array) -> Array:
        """Return unit directions [..., 3]: those of the pieces, or between those at their ends."""
        piece = self._piece(along_m)
        if not self.smooth:
            return self._direction(piece)
        share = (along_m - self.along_m[piece]) / (self.along_m[piece + 1] - self.along_m[piece])
        share = np.clip(share, 0.0, 1.0)[..., None]
        between = (1.0 - share) * self._tangent(piece) + share * self._tangent(piece + 1)
        return np.asarray(between / length(between)[..., None])

    def _piece(self, along_m: Array) -> NDArray[np.int64]:
        return np.clip(np.searchsorted(self.along_m, along_m, side="right") - 1, 0, len(self.along_m) - 2)

    def _tangent(self, point: NDArray[np.int64]) -> Array:
        last = len(self.along_m) - 2
        both = self._direction(np.clip(point - 1, 0, last)) + self._direction(np.clip(point, 0, last))
        return np.asarray(both / np.maximum(length(both)[..., None], LEAST_STEP_M))

    def _direction(self, piece: NDArray[np.int64]) -> Array:
        step = self.point_m[piece + 1] - self.point_m[piece]
        return np.asarray(step / length(step)[..., None])


def way_through(points_m: Array, curve: Curve) -> Way:
    """Return the way through points [point, 3].

    Source: centripetal Catmull-Rom splines, P. J. Barry, R. N. Goldman, SIGGRAPH 1988, and C. Yuksel et al., "On the
    parameterization of Catmull-Rom curves", SPM 2009; beyond either end stands the mirror image of its neighbour.
    Raises:
        ValueError: If fewer than two points lie apart.
    """
    points_m = points_m[np.concatenate([[True], length(np.diff(points_m, axis=0)) > LEAST_STEP_M])]
    if len(points_m) < 2:
        raise ValueError("a way needs at least two points that lie apart")
    smooth = curve == "catmull_rom" and len(points_m) > 2
    if smooth:
        ends = 2.0 * points_m[[0, -1]] - points_m[[1, -2]]
        all_m = np.concatenate([ends[:1], points_m, ends[1:]])
        pieces = [_catmull_rom(all_m[i : i + 4]) for i in range(len(points_m) - 1)]
        points_m = np.concatenate([*pieces, points_m[-1:]])
    along_m = np.concatenate([[0.0], np.cumsum(length(np.diff(points_m, axis=0)))])
    return Way(points_m, along_m, smooth)


def _catmull_rom(p: Array) -> Array:
    """Return points [PIECES, 3] from the second of four points on towards the third."""
    knot = np.concatenate([[0.0], np.cumsum(np.sqrt(length(np.diff(p, axis=0))))])
    t = np.linspace(knot[1], knot[2], PIECES, endpoint=False)[:, None]

    def between(a: Array, b: Array, first: float, last: float) -> Array:
        return ((last - t) * a + (t - first) * b) / (last - first)

    a = [between(p[i], p[i + 1], knot[i], knot[i + 1]) for i in range(3)]
    b = [between(a[i], a[i + 1], knot[i], knot[i + 2]) for i in range(2)]
    return between(b[0], b[1], knot[1], knot[2])
