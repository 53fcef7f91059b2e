"""Surfaces of instances, triangle by triangle: how near a point is to them, and whether they enclose it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.randomize.pose import apply, cross, dot, length, rotate
from engine.scene.model import Scene

Array = NDArray[np.float64]

CHUNK = 1 << 21  # pairs of a point and a triangle at a time
SURROUNDED = 0.5  # of a full turn, from which on a point lies inside: 1 in a closed shell, 0 outside, -1 in a room


@dataclass(frozen=True)
class Shell:
    """The triangles of one instance, in its own frame [m]."""

    corner: Array  # [triangle, 3 corners, 3]
    center: Array  # [triangle, 3], of a ball around each
    radius: Array  # [triangle]
    part: NDArray[np.int64]  # where each of its placements begins in the triangles


@dataclass
class Shells:
    """Shells of a scene's instances, made when they are first asked for and kept."""

    scene: Scene
    _kept: dict[int, Shell] = field(default_factory=dict)

    def of(self, instance: int) -> Shell:
        """Return the shell of an instance."""
        if instance not in self._kept:
            self._kept[instance] = _shell(self.scene, instance)
        return self._kept[instance]

    def room(self, instance: int, pose: Array, point_m: Array, reach_m: float) -> Array:
        """Return how far points [row, 3] are from an instance's surface [m]: exact up to `reach_m`, infinite beyond.

        Inside of what it encloses the distance is 0. Exact where `pose` [row, 3, 4] has no shear and one scale.
        """
        shell = self.of(instance)
        scale = length(pose[:, :, 0])
        local_m = rotate(np.asarray(np.linalg.inv(pose[:, :, :3]), np.float64), point_m - pose[:, :, 3])
        room_m = np.full(len(point_m), np.inf)
        step = max(1, CHUNK // max(len(shell.corner), 1))
        for first in range(0, len(point_m), step):
            rows = slice(first, first + step)
            room_m[rows] = scale[rows] * _distance(shell, local_m[rows], reach_m / scale[rows])
            room_m[rows][_is_inside(shell, local_m[rows])] = 0.0
        return room_m


def _shell(scene: Scene, instance: int) -> Shell:
    pose = scene.instances.world_from_instance[instance]
    inverse = np.asarray(np.linalg.inv(pose[:, :3]), np.float64)
    parts = [np.zeros((0, 3, 3))]
    for placement in np.flatnonzero(scene.placements.instance == instance):
        mesh = scene.meshes[scene.placements.mesh[placement]]
        in_world = apply(scene.placements.world_from_mesh[placement], mesh.points_m.astype(np.float64))
        corner = rotate(inverse, in_world - pose[:, 3])[mesh.triangle]
        is_mirrored = np.linalg.det(scene.placements.world_from_mesh[placement][:, :3]) * np.linalg.det(inverse) < 0.0
        parts.append(corner[:, ::-1] if is_mirrored else corner)
    corner = np.concatenate(parts)
    center = 0.5 * (corner.min(axis=1) + corner.max(axis=1))
    radius = length(corner - center[:, None]).max(axis=1, initial=0.0)
    return Shell(corner, center, radius, np.cumsum([len(part) for part in parts])[:-1])


def _distance(shell: Shell, point_m: Array, reach_m: Array) -> Array:
    """Return the distance of points [point, 3] to the nearest triangle within reach [point]; infinite beyond."""
    nearest = np.full(len(point_m), np.inf)
    gap = length(point_m[:, None] - shell.center) - shell.radius
    point, triangle = np.nonzero(gap <= reach_m[:, None])
    np.minimum.at(nearest, point, distance_to_triangles(point_m[point], shell.corner[triangle]))
    return np.where(nearest <= reach_m, nearest, np.inf)


def distance_to_triangles(point_m: Array, corner: Array) -> Array:
    """Return the distance of points [i, 3] to triangles [i, 3 corners, 3].

    The nearest point lies on an edge unless the point's foot in the plane is inside of all three.
    """
    edge = np.roll(corner, -1, axis=1) - corner
    offset = point_m[:, None] - corner
    normal = cross(edge[:, 0], edge[:, 1])
    size = length(normal)
    inner = dot(cross(np.broadcast_to(normal[:, None], edge.shape), edge), offset)
    along = np.clip(dot(offset, edge) / np.maximum(dot(edge, edge), np.finfo(np.float64).tiny), 0.0, 1.0)
    to_edges = length(offset - along[..., None] * edge).min(axis=1)
    to_plane = np.abs(dot(offset[:, 0], normal)) / np.maximum(size, np.finfo(np.float64).tiny)
    return np.where((inner >= 0.0).all(axis=1) & (size > 0.0), to_plane, to_edges)


def _is_inside(shell: Shell, point_m: Array) -> NDArray[np.bool_]:
    """Return whether any placement winds around points [point, 3].

    Source: solid angle of a triangle, A. van Oosterom, J. Strackee, IEEE Trans. Biomed. Eng. 30(2), 1983; summed to a
    winding number, A. Jacobson et al., "Robust inside-outside segmentation", SIGGRAPH 2013.
    """
    a, b, c = (shell.corner[None, :, k] - point_m[:, None] for k in range(3))
    la, lb, lc = length(a), length(b), length(c)
    below = la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb
    turns = np.arctan2(dot(a, cross(b, c)), below) / (2.0 * np.pi)
    bounds = [*shell.part.tolist(), turns.shape[1]]
    sums = [turns[:, first:end].sum(axis=1) for first, end in pairwise(bounds)]
    return np.asarray(np.any([total > SURROUNDED for total in sums], axis=0) if sums else np.zeros(len(a), np.bool_))
