"""Boxes of instances in their own frames: what normalised object coordinates are counted in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Mesh, Placements, Scene

SAME_DIGITS = 9  # after the point, to which poses of copies of one asset are equal


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
    rounded = np.round(poses, SAME_DIGITS).astype(np.float32).reshape(len(poses), -1) + np.float32(0.0)  # no -0
    keys = np.concatenate([placed.mesh.astype(np.float64)[:, None], rounded.astype(np.float64)], axis=1)
    _, first, copy = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    low, high = np.full((len(first), 3), np.inf), np.full((len(first), 3), -np.inf)
    points_m: dict[int, NDArray[np.float64]] = {}  # of a mesh, that are corners of triangles
    for row, placement in enumerate(first.tolist()):
        index, pose = int(placed.mesh[placement]), poses[placement]
        if index not in points_m:
            mesh = meshes[index]
            points_m[index] = mesh.points_m[np.unique(mesh.triangle)].astype(np.float64)
        if len(points_m[index]):
            corners_m = points_m[index] @ pose[:, :3].T + pose[:, 3]
            low[row], high[row] = corners_m.min(axis=0), corners_m.max(axis=0)
    return low[copy.reshape(-1)], high[copy.reshape(-1)]
