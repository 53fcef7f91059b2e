"""What the renderer relies on, checked in arrays that something else wrote: a child process, or a disk since then.

Shapes, finite numbers, and every index inside what it points into. Whole columns are looked at (see
`engine.scene.store.arrays`), so that 20,000 meshes cost milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Scene
from engine.scene.store.arrays import ENDS, SHARED, Arrays, ArraysError

MESH = "scene.meshes[]."
PER_TRIANGLE = {  # what follows the axis of triangles
    "slot": (),
    "normal": (3, 3),
    "uv": (3, 2),
    "uv2": (3, 2),
    "color": (3, 3),
    "opacity": (3,),
}
MAX_SLOTS = 2**31 - 1


@dataclass(frozen=True)
class _Column:
    """Arrays of one field, one after another."""

    data: NDArray[Any]
    length: NDArray[np.int64]  # [distinct array]
    of: NDArray[np.int32]  # [object], index of its array; -1: None

    def lengths(self) -> NDArray[np.int64]:
        """Return the length of every object's array; -1 where it has none."""
        return np.append(self.length, -1)[self.of]

    def largest(self) -> NDArray[np.int64]:
        """Return the largest element of every object's array; -1 where there is none."""
        out = np.full(len(self.length) + 1, -1, np.int64)
        filled = np.flatnonzero(self.length)
        if len(filled):
            starts = (np.cumsum(self.length) - self.length)[filled]
            rows = self.data.reshape(len(self.data), -1).max(axis=1)
            out[filled] = np.maximum.reduceat(rows, starts)
        return out[self.of]


def check_scene(scene: Scene, arrays: Arrays) -> None:
    """Raise if a scene and its arrays break what the renderer relies on.

    Raises:
        ArraysError: Names the field.
    """
    _check_meshes(arrays)
    _check_placements(scene, arrays)
    _check_instances(scene)
    _check_surfaces(scene)
    _check_lights(scene)
    for camera in scene.cameras:
        _check_matrix(camera.world_from_camera, f"camera {camera.name}", (3, 4))
    for anchor in scene.anchors:
        _check_matrix(anchor.world_from_anchor, f"anchor {anchor.path}", (3, 4))
    _check_keypoints(scene)
    classes = [entry.id for entry in scene.taxonomy.classes]
    _require(len(set(classes)) == len(classes) and all(number > 0 for number in classes), "taxonomy ids")


def _check_meshes(arrays: Arrays) -> None:
    points, triangle = _column(arrays, MESH + "points_m", (3,)), _column(arrays, MESH + "triangle", (3,))
    _require(bool(np.isfinite(points.data).all()), MESH + "points_m is not finite")
    _require(not (triangle.data < 0).any(), MESH + "triangle is negative")
    _require(not (triangle.largest() >= points.lengths()).any(), MESH + "triangle names points that are not there")
    count = triangle.lengths()
    for name, axes in PER_TRIANGLE.items():
        column = _column(arrays, MESH + name, axes)
        there = column.of >= 0
        _require(bool((column.lengths()[there] == count[there]).all()), f"{MESH}{name} does not fit the triangles")
        _require(column.data.dtype.kind != "f" or bool(np.isfinite(column.data).all()), f"{MESH}{name} is not finite")


def _check_placements(scene: Scene, arrays: Arrays) -> None:
    placed, count = scene.placements, len(scene.placements.mesh)
    _check_index(placed.mesh, len(scene.meshes), count, "placements.mesh")
    _check_index(placed.instance, len(scene.instances.path), count, "placements.instance")
    _check_index(placed.slot_material, len(scene.materials), None, "placements.slot_material")
    slot = _column(arrays, MESH + "slot", ())
    _require(not (slot.data < 0).any(), MESH + "slot is negative")
    _check_index(placed.first_slot, MAX_SLOTS, count, "placements.first_slot")
    last = placed.first_slot.astype(np.int64) + slot.largest()[placed.mesh]
    _require(not (last >= len(placed.slot_material)).any(), "placements.first_slot leads past the slots")
    _check_matrix(placed.world_from_mesh, "placements.world_from_mesh", (count, 3, 4))
    if placed.color is not None:
        _check_matrix(placed.color, "placements.color", (count, 4))
    if scene.link_sets is not None:
        _require(scene.link_sets.ndim == 2 and scene.link_sets.shape[1] == count, "link_sets does not fit")


def _check_instances(scene: Scene) -> None:
    rows, count = scene.instances, len(scene.instances.path)
    lengths = {len(column) for column in (rows.stable_id, rows.class_id, rows.label_source, rows.tags)}
    _require(count > 0 and lengths == {count}, "instances has columns of different lengths")
    _check_matrix(rows.world_from_instance, "instances.world_from_instance", (count, 3, 4))
    known = np.array([0, *(entry.id for entry in scene.taxonomy.classes)])
    _require(bool(np.isin(rows.class_id, known).all()), "instances.class_id is not in the taxonomy")


def _check_keypoints(scene: Scene) -> None:
    points, count = scene.keypoints, len(scene.keypoints.instance)
    _check_index(points.instance, len(scene.instances.path), count, "keypoints.instance")
    _check_matrix(points.position_m, "keypoints.position_m", (count, 3))
    _check_matrix(points.depth_m, "keypoints.depth_m", (count,))
    names = {0: 0} | {entry.id: len(entry.keypoints) for entry in scene.taxonomy.classes}
    limit = np.array([names[number] for number in scene.instances.class_id.tolist()])[points.instance]
    _require(points.number.shape == (count,), "keypoints.number does not fit")
    _require(bool(((points.number >= 0) & (points.number < limit)).all()), "keypoints.number is out of range")


def _check_surfaces(scene: Scene) -> None:
    _require(len(scene.materials) > 0, "materials has no fallback")
    for texture in scene.textures:
        image = texture.byte if texture.linear is None else texture.linear
        shape = () if image is None else image.shape
        _require(len(shape) == 3 and shape[2] == 4 and min(shape) > 0, f"texture {texture.name} has a wrong shape")
        table = texture.linear_of_byte
        whole = texture.linear is not None or (table is not None and table.shape == (256,))
        _require(whole, f"texture {texture.name} has bytes without their table")
    for material in scene.materials:
        for name, source in material.textures.items():
            where = f"material {material.name}: {name}"
            _require(0 <= source.texture < len(scene.textures), f"{where} names a texture that is not there")
            _require(0 <= source.channel <= 3 and source.uv_set in (0, 1), f"{where} has a wrong channel or uv set")


def _check_lights(scene: Scene) -> None:
    sets = 0 if scene.link_sets is None else len(scene.link_sets)
    limits = {"texture": len(scene.textures), "ies": len(scene.ies), "lit": sets, "shading": sets}
    for light in scene.lights:
        _check_matrix(light.world_from_light, f"light {light.name}", (3, 4))
        numbers: Iterable[float] = (*light.radiance, *light.size_m, light.half_angle_rad)
        _require(bool(np.isfinite(list(numbers)).all()), f"light {light.name} is not finite")
        for name, limit in limits.items():
            index = getattr(light, name)
            _require(index is None or 0 <= index < limit, f"light {light.name}: {name} is not there")
    for profile in scene.ies:
        shape = (len(profile.horizontal_rad), len(profile.vertical_rad))
        _require(profile.intensity.shape == shape and min(shape) > 0, f"ies {profile.name} has a wrong shape")


def _column(arrays: Arrays, name: str, axes: tuple[int, ...]) -> _Column:
    data = arrays[name]
    column = _Column(data, np.diff(arrays[name + ENDS], prepend=0), arrays[name + SHARED])
    usable = data.shape[1:] == axes or len(column.length) == 0
    _require(usable, f"{name} has rows of shape {data.shape[1:]}, not {axes}")
    return column


def _check_index(index: NDArray[np.int32], limit: int, count: int | None, what: str) -> None:
    _require(index.ndim == 1 and count in (None, len(index)), f"{what} has {len(index)} rows, not {count}")
    _require(len(index) == 0 or 0 <= index.min() <= index.max() < limit, f"{what} is out of range")


def _check_matrix(matrix: NDArray[Any], what: str, shape: tuple[int, ...]) -> None:
    _require(matrix.shape == shape and bool(np.isfinite(matrix).all()), f"{what} is not finite, or not {list(shape)}")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ArraysError(what)
