"""Boxes of instances in their own frames: what normalised object coordinates are counted in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Mesh, Placements, Scene

NOTHING_M = 1.0e-12  # a coordinate below it is the rounding of 0: copies of one asset stay equal


def instance_from_mesh(scene: Scene) -> NDArray[np.float64]:
    """Return every placement's pose in the frame of its instance, [placement, 3, 4], in float64."""
    root = scene.instances.world_from_instance[scene.placements.instance]
    inverse = np.linalg.inv(root[:, :, :3])
    mesh = scene.placements.world_from_mesh
    origin = mesh[:, :, 3] - root[:, :, 3]
    return np.concatenate([inverse @ mesh[:, :, :3], inverse @ origin[:, :, None]], axis=2)


def object_boxes(scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the tight bounds of all points of every instance, low and high [instance, 3].

    They are in the instance's frame, whose axes are as long as `world_from_instance` makes them: multiply a size by the
    lengths of its columns for metres. Low and high are 0 for an instance without points.
    """
    placed = scene.placements
    low = np.full((len(scene.instances.path), 3), np.inf)
    high = np.full((len(scene.instances.path), 3), -np.inf)
    if len(placed.mesh):
        ends = _bounds_of_placements(scene.meshes, placed, instance_from_mesh(scene))
        np.minimum.at(low, placed.instance, ends[0])
        np.maximum.at(high, placed.instance, ends[1])
    is_empty = (low > high).any(axis=1)
    low[is_empty] = high[is_empty] = 0.0
    return low, high


def _bounds_of_placements(
    meshes: tuple[Mesh, ...], placed: Placements, poses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bounds of every placement's points [placement, 3]; equal copies are looked at once."""
    rounded = np.where(np.abs(poses) < NOTHING_M, 0.0, poses).astype(np.float32).reshape(len(poses), -1)
    keys = np.concatenate([placed.mesh.astype(np.float64)[:, None], rounded.astype(np.float64)], axis=1)
    _, first, copy = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    low, high = np.full((len(first), 3), np.inf), np.full((len(first), 3), -np.inf)
    for row, placement in enumerate(first.tolist()):
        mesh, pose = meshes[placed.mesh[placement]], poses[placement]
        used = np.unique(mesh.triangle)
        if len(used):
            points_m = mesh.points_m[used].astype(np.float64) @ pose[:, :3].T + pose[:, 3]
            low[row], high[row] = points_m.min(axis=0), points_m.max(axis=0)
    return low[copy.reshape(-1)], high[copy.reshape(-1)]
