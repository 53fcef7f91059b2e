"""Convex hulls of instances, with few corners: what the convex test of placing looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.randomize.bounds import Bounds
from engine.randomize.pose import apply
from engine.scene.model import Scene

Array = NDArray[np.float64]

MOST_CORNERS = 64  # of a hull; one with more is replaced by planes around it
FLAT_SHARE = 1.0e-6  # of the largest side: thinner things are boxes


def authored_points(scene: Scene, instance: int) -> Array:
    """Return the points of an instance's meshes [point, 3] in the world as authored."""
    found = [
        apply(scene.placements.world_from_mesh[placement], scene.meshes[mesh].points_m.astype(np.float64))
        for placement, mesh in enumerate(scene.placements.mesh)
        if scene.placements.instance[placement] == instance
    ]
    return np.concatenate(found) if found else np.zeros((0, 3))


def box_corners(half_m: Array) -> Array:
    """Return the corners [8, 3] of a box about the origin."""
    signs = np.stack(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], indexing="ij"), axis=-1).reshape(-1, 3)
    return signs * half_m


def standing_hull(scene: Scene, bounds: Bounds, instance: int) -> Array:
    """Return the corners of an instance's hull [corner, 3] in its standing frame, from the middle of its box.

    A hull of more than MOST_CORNERS is replaced by one around it: the planes of 26 directions that touch it.
    """
    middle_m = 0.5 * (bounds.low_m[instance] + bounds.high_m[instance])
    half_m = 0.5 * (bounds.high_m[instance] - bounds.low_m[instance])
    if half_m.min() <= FLAT_SHARE * half_m.max():
        return box_corners(half_m)
    return outer_hull(authored_points(scene, instance) - middle_m)


def outer_hull(points_m: Array) -> Array:
    """Return corners of a convex body that holds the points, which are not flat: their hull, or 26 planes around it."""
    from scipy.spatial import ConvexHull, HalfspaceIntersection

    hull = points_m[ConvexHull(points_m).vertices]
    if len(hull) <= MOST_CORNERS:
        return np.asarray(hull)
    steps = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    normal = np.delete(steps, 13, axis=0)
    planes = np.concatenate([normal, -(hull @ normal.T).max(axis=0)[:, None]], axis=1)
    corners = HalfspaceIntersection(planes, hull.mean(axis=0)).intersections
    return np.unique(np.round(corners, 12), axis=0)
