"""What a scene says of every instance's shape: bounds in its own frame, hulls, and which are copies of one asset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.randomize.pose import cross, dot, length, rotate
from engine.scene.model import Mesh, Scene

Array = NDArray[np.float64]

SAME_TURN = 1.0e-9  # of axes: placements of a mesh that differ by less share their bounds
SAME_PLACE = 1.0e-6  # of axes, and [m]: places in instances that differ by less make the same asset
ODD_SHARE = 0.3718281828  # of SAME_PLACE, where numbers are cut: nobody types it, so rounding cannot part copies
HASH_BYTES = 8
STRAIGHT = 1.0e-9  # of the largest axis: axes that lean by less are at right angles


@dataclass(frozen=True)
class Shapes:
    """The shapes of a scene's instances, each worked out when it is first asked for."""

    scene: Scene
    _hulls: dict[int, Array] = field(default_factory=dict)  # asset -> points

    @cached_property
    def instance_from_mesh(self) -> Array:
        """Every placement's pose in the frame of its instance, [placement, 3, 4]."""
        return instance_from_mesh(self.scene)

    @cached_property
    def bounds_m(self) -> tuple[Array, Array]:
        """Lowest and highest coordinates of every instance in its own frame, [instance, 3]; (0, 0) without points."""
        placed, count = self.scene.placements, len(self.scene.instances.path)
        low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
        place = self.instance_from_mesh
        turn = np.rint(place[:, :, :3].reshape(-1, 9) / SAME_TURN).astype(np.int64)
        _, first, group = np.unique(
            np.column_stack([placed.mesh.astype(np.int64), turn]), axis=0, return_index=True, return_inverse=True
        )
        ends = np.zeros((len(first), 2, 3))
        points_of: dict[int, Array] = {}
        for i, placement in enumerate(first.tolist()):
            mesh = int(placed.mesh[placement])
            if mesh not in points_of:
                points_of[mesh] = drawn_points(self.scene.meshes[mesh])
            turned = _turned(place[placement], points_of[mesh])
            ends[i, 0] = turned.min(axis=0, initial=np.inf)
            ends[i, 1] = turned.max(axis=0, initial=-np.inf)
        at = ends[group.reshape(-1)] + place[:, None, :, 3]
        np.minimum.at(low, placed.instance, at[:, 0])
        np.maximum.at(high, placed.instance, at[:, 1])
        there = np.isfinite(low).all(axis=1, keepdims=True)
        return np.where(there, low, 0.0), np.where(there, high, 0.0)

    @cached_property
    def asset(self) -> NDArray[np.uint64]:
        """Hash of the meshes of every instance and their places in it, [instance]; equal for copies; 0: background."""
        placed, count = self.scene.placements, len(self.scene.instances.path)
        digests = [mesh_digest(mesh) for mesh in self.scene.meshes]
        cut = np.floor(self.instance_from_mesh.reshape(-1, 12) / SAME_PLACE + ODD_SHARE).astype(np.int64)
        keys, group = np.unique(
            np.column_stack([placed.mesh.astype(np.int64), cut]), axis=0, return_inverse=True
        )  # fmt: skip
        entry = [digests[int(key[0])] + key[1:].astype("<i8").tobytes() for key in keys]
        rank = np.empty(len(entry), np.int64)
        rank[sorted(range(len(entry)), key=entry.__getitem__)] = np.arange(len(entry))
        group = group.reshape(-1)
        order = np.lexsort((rank[group], placed.instance))
        out, known = np.zeros(count, np.uint64), dict[bytes, int]()
        instance, of = placed.instance[order], group[order].astype(np.int64)
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(order), 1), np.bool_), instance[1:] != instance[:-1]]))
        for start, parts in zip(starts.tolist(), np.split(of, starts)[1:], strict=True):
            if (key := parts.tobytes()) not in known:
                digest = hashlib.sha256(b"".join(entry[part] for part in parts.tolist())).digest()
                known[key] = int.from_bytes(digest[:HASH_BYTES], "big")
            out[instance[start]] = known[key]
        return out

    @cached_property
    def _first_of_asset(self) -> dict[int, int]:
        """Asset -> the first instance that is a copy of it."""
        assets, first = np.unique(self.asset, return_index=True)
        return dict(zip(assets.tolist(), first.tolist(), strict=True))

    def hull_m(self, instance: int) -> Array:
        """Return points of an instance in its own frame, [point, 3], whose convex hull is that of all its points.

        Copies have those of the first one, whichever is asked for first: they may differ by rounding.
        """
        asset = int(self.asset[instance])
        if asset not in self._hulls:
            placements = np.flatnonzero(self.scene.placements.instance == self._first_of_asset[asset])
            meshes = self.scene.placements.mesh[placements].tolist()
            parts = [
                _turned(place, drawn_points(self.scene.meshes[mesh])) + place[:, 3]
                for place, mesh in zip(self.instance_from_mesh[placements], meshes, strict=True)
            ]
            self._hulls[asset] = _hull(np.concatenate(parts)) if parts else np.zeros((1, 3))
        return self._hulls[asset]


def object_frames(world_from_instance: Array) -> tuple[Array, Array]:
    """Return poses of objects [..., 3, 4], rigid and right-handed, and what takes their instances to them [..., 3, 3].

    z keeps its direction, y is made normal to it, x follows: a mirrored frame has its x turned over. The second is the
    scale, the shear and the mirror that the first has not; their origins are the same.
    """
    matrix = world_from_instance[..., :3]
    z = matrix[..., 2] / length(matrix[..., 2])[..., None]
    y = matrix[..., 1] - z * dot(z, matrix[..., 1])[..., None]
    y /= length(y)[..., None]
    axes = np.stack([cross(y, z), y, z], axis=-1)
    pose = np.concatenate([axes, world_from_instance[..., 3:]], axis=-1)
    columns = [
        np.stack([dot(axes[..., a], matrix[..., b]) for a in range(3)], axis=-1) for b in range(3)
    ]  # fmt: skip
    return pose, np.stack(columns, axis=-1)


def object_boxes(object_from_instance: Array, instance: NDArray[np.int64], shapes: Shapes) -> tuple[Array, Array]:
    """Return the lowest and highest coordinates of instances in their objects' frames, [row, 3] both.

    Frames that are only scaled (or mirrored) scale the instance's own bounds; leaning ones ask the corners of its hull.
    """
    low, high = (bound[instance] for bound in shapes.bounds_m)
    scale = np.diagonal(object_from_instance, axis1=1, axis2=2)
    a, b = scale * low, scale * high
    out_low, out_high = np.minimum(a, b), np.maximum(a, b)
    leaning = object_from_instance * (1.0 - np.eye(3))
    largest = np.abs(object_from_instance).max(axis=(1, 2), initial=0.0)
    for i in np.flatnonzero(np.abs(leaning).max(axis=(1, 2), initial=0.0) > STRAIGHT * largest).tolist():
        points = rotate(object_from_instance[i], shapes.hull_m(int(instance[i])))
        out_low[i], out_high[i] = points.min(axis=0), points.max(axis=0)
    return out_low, out_high


def instance_from_mesh(scene: Scene) -> Array:
    """Return every placement's pose in the frame of its instance, [placement, 3, 4], in float64."""
    root = scene.instances.world_from_instance[scene.placements.instance]
    inverse = np.linalg.inv(root[:, :, :3])
    mesh = scene.placements.world_from_mesh
    origin = mesh[:, :, 3] - root[:, :, 3]
    return np.concatenate([inverse @ mesh[:, :, :3], inverse @ origin[:, :, None]], axis=2)


def drawn_points(mesh: Mesh) -> Array:
    """Return the points of a mesh that triangles use, [point, 3]."""
    used = np.zeros(len(mesh.points_m), np.bool_)
    used[mesh.triangle.reshape(-1)] = True
    return (mesh.points_m if used.all() else mesh.points_m[used]).astype(np.float64)


def mesh_digest(mesh: Mesh) -> bytes:
    """Return the sha256 of a mesh's points and triangles."""
    digest = hashlib.sha256(np.array([len(mesh.points_m), len(mesh.triangle)], "<i8").tobytes())
    digest.update(np.ascontiguousarray(mesh.points_m, "<f4").data)
    digest.update(np.ascontiguousarray(mesh.triangle, "<i4").data)
    return digest.digest()


def _turned(place: Array, points: Array) -> Array:
    """Return points turned (and scaled) by the linear part of a pose; sums in one order on every machine."""
    return points[:, 0, None] * place[:, 0] + points[:, 1, None] * place[:, 1] + points[:, 2, None] * place[:, 2]


def _hull(points: Array) -> Array:
    """Return the corners of the convex hull of points; all distinct ones where they lie in a plane."""
    from scipy.spatial import ConvexHull, QhullError

    distinct = np.unique(points, axis=0)
    try:
        return np.asarray(distinct[np.sort(ConvexHull(distinct).vertices)])
    except (QhullError, ValueError):
        return distinct
