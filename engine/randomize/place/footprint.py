"""Footprints: oriented rectangles on the floor below instances' boxes, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.randomize.bounds import Bounds
from engine.randomize.pose import apply

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Footprints:
    """Rectangles in the world's x and y [m]; exact for boxes that are turned about the vertical only."""

    center_m: Array  # [..., 2]
    axis: Array  # [..., 2], unit: the box's own x on the floor; its y is that turned by 90 degrees
    half_m: Array  # [..., 2], along axis and across it

    def corners_m(self) -> Array:
        """Return the corners [..., 4, 2]."""
        across = np.stack([-self.axis[..., 1], self.axis[..., 0]], axis=-1)
        x, y = self.axis * self.half_m[..., :1], across * self.half_m[..., 1:]
        return np.stack(
            [self.center_m - x - y, self.center_m + x - y, self.center_m + x + y, self.center_m - x + y], -2
        )

    def local(self, point_m: Array) -> Array:
        """Return points [..., 2] in the frames of the rectangles."""
        d = point_m - self.center_m
        x = d[..., 0] * self.axis[..., 0] + d[..., 1] * self.axis[..., 1]
        y = d[..., 1] * self.axis[..., 0] - d[..., 0] * self.axis[..., 1]
        return np.stack([x, y], axis=-1)

    def distance_m(self, point_m: Array) -> Array:
        """Return how far points [..., 2] are from the rectangles, 0 inside."""
        outside = np.maximum(np.abs(self.local(point_m)) - self.half_m, 0.0)
        return np.asarray(np.sqrt(outside[..., 0] ** 2 + outside[..., 1] ** 2))


def footprints(bounds: Bounds, world_from_instance: Array, instances: NDArray[np.int64]) -> Footprints:
    """Return the footprints of some instances, [row, instance]."""
    pose = world_from_instance[:, instances]
    x, y = pose[..., :2, 0], pose[..., :2, 1]
    size_x, size_y = np.sqrt(x[..., 0] ** 2 + x[..., 1] ** 2), np.sqrt(y[..., 0] ** 2 + y[..., 1] ** 2)
    axis = x / np.maximum(size_x, 1.0e-12)[..., None]
    half = bounds.half_m[instances][:, :2]
    center = apply(pose, bounds.center_m[instances])[..., :2]
    return Footprints(center, axis, np.stack([half[:, 0] * size_x, half[:, 1] * size_y], axis=-1))


def gaps_m(one: Footprints, other: Footprints) -> Array:
    """Return the least distance between rectangles, leading axes broadcast; 0 where they overlap.

    Of two convex polygons that do not meet, a corner of one is nearest to the other.
    """
    apart = np.full(np.broadcast_shapes(one.center_m.shape, other.center_m.shape)[:-1], np.inf)
    overlap = np.ones(apart.shape, np.bool_)
    for a, b in ((one, other), (other, one)):
        corners = b.corners_m()
        local = np.stack([a.local(corners[..., k, :]) for k in range(4)], axis=-2)  # [..., 4, 2]
        for k in range(4):
            apart = np.minimum(apart, a.distance_m(corners[..., k, :]))
        low, high = local.min(axis=-2), local.max(axis=-2)
        overlap &= ((low <= a.half_m) & (high >= -a.half_m)).all(axis=-1)
    return np.where(overlap, 0.0, apart)
