"""Boxes of instances: in their own frame, as authored in the world, and wherever a draft has moved them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.randomize.pose import apply, dot, length, rotate
from engine.scene.model import Scene


@dataclass(frozen=True)
class Bounds:
    """Computed once a scene; an instance without geometry has a point for a box."""

    center_m: NDArray[np.float64]  # [instance, 3], of the box in the instance's frame
    half_m: NDArray[np.float64]  # [instance, 3], half its size there
    low_m: NDArray[np.float64]  # [instance, 3], least corner of the world box as authored
    high_m: NDArray[np.float64]  # [instance, 3], greatest corner
    solid: NDArray[np.bool_]  # [instance], whether it has geometry
    kept: dict[object, Any] = field(default_factory=dict)  # what randomisers work out of the scene when they need it


def scene_bounds(scene: Scene) -> Bounds:
    """Return the boxes of every instance, tight around its points."""
    count = len(scene.instances.path)
    own = _empty(count), -_empty(count)
    world = _empty(count), -_empty(count)
    poses = scene.instances.world_from_instance
    for placement, mesh_index in enumerate(scene.placements.mesh):
        instance = int(scene.placements.instance[placement])
        points_m = scene.meshes[mesh_index].points_m.astype(np.float64)
        if not len(points_m):
            continue
        in_world = apply(scene.placements.world_from_mesh[placement], points_m)
        inverse = np.linalg.inv(poses[instance, :, :3]).astype(np.float64)
        in_instance = rotate(inverse, in_world - poses[instance, :, 3])
        for (low, high), points in ((own, in_instance), (world, in_world)):
            low[instance] = np.minimum(low[instance], points.min(axis=0))
            high[instance] = np.maximum(high[instance], points.max(axis=0))
    solid = own[0][:, 0] <= own[1][:, 0]
    for low, high, point in ((*own, np.zeros((count, 3))), (*world, poses[:, :, 3])):
        low[~solid] = high[~solid] = point[~solid]
    return Bounds(0.5 * (own[0] + own[1]), 0.5 * (own[1] - own[0]), *world, solid)


def world_boxes(
    bounds: Bounds, world_from_instance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre and half size [row, instance, 3] of world-aligned boxes around the instances' own boxes."""
    return apply(world_from_instance, bounds.center_m), rotate(np.abs(world_from_instance), bounds.half_m)


def distance_to_boxes(
    bounds: Bounds, world_from_instance: NDArray[np.float64], point_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far points [row, 3] are from each instance's oriented box, [row, instance]; 0 inside [m].

    Exact where the pose has no shear.
    """
    center_m = apply(world_from_instance, bounds.center_m)
    offset = point_m[:, None, :] - center_m
    outside = []
    for axis in range(3):
        column = world_from_instance[..., :, axis]
        scale = np.maximum(length(column), np.finfo(np.float64).tiny)
        along = np.abs(dot(offset, column)) / scale
        outside.append(np.maximum(along - bounds.half_m[:, axis] * scale, 0.0))
    return length(np.stack(outside, axis=-1))


def _empty(count: int) -> NDArray[np.float64]:
    return np.full((count, 3), np.inf)
