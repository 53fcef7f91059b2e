"""Polygon meshes as arrays: points, faces, corner normals, metric texture coordinates and a material per face."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CREASE_DEG = 50.0  # wider than the 45 degrees between a face and its bevel, so that bevels shade as rounds


@dataclass(frozen=True)
class Shape:
    """A closed or open polygon mesh, counter-clockwise seen from outside."""

    points_m: Floats  # [point, 3]
    count: Ints  # [face], corners of the face
    index: Ints  # [corner], index into points_m
    normal: Floats  # [corner, 3], unit
    uv_m: Floats  # [corner, 2], one unit is one metre of surface unless an atlas says otherwise
    materials: tuple[str, ...]  # names in the material library
    material: Ints  # [face], index into materials

    @property
    def triangle_count(self) -> int:
        """Number of triangles after a fan triangulation."""
        return int((self.count - 2).sum())


def newell_vectors(points_m: Floats, count: Ints, index: Ints) -> Floats:
    """Return twice the area vector of every face, shape [face, 3] (Newell's method)."""
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    following = np.arange(len(index)) + 1
    following[start + count - 1] = start
    return np.add.reduceat(np.cross(points_m[index], points_m[index[following]]), start, axis=0)


def crease_normals(points_m: Floats, count: Ints, index: Ints, crease_deg: float) -> Floats:
    """Return corner normals [corner, 3]: area-weighted means over faces within ``crease_deg`` of the corner's own."""
    area = newell_vectors(points_m, count, index)
    unit = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-30)
    face = np.repeat(np.arange(len(count)), count)
    order = np.argsort(index, kind="stable")
    valence = np.bincount(index, minlength=len(points_m))
    first = np.concatenate([[0], np.cumsum(valence)[:-1]])
    rank = np.arange(len(order)) - first[index[order]]
    table = np.full((len(points_m), int(valence.max())), -1, dtype=np.int64)
    table[index[order], rank] = face[order]
    around = table[index]
    alike = np.einsum("cvk,ck->cv", unit[around], unit[face]) > np.cos(np.radians(crease_deg))
    total = np.einsum("cv,cvk->ck", (alike & (around >= 0)).astype(np.float64), area[around])
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)


def box_uv(points_m: Floats, count: Ints, index: Ints) -> Floats:
    """Return metric texture coordinates [corner, 2], projected along the main axis of every face."""
    area = newell_vectors(points_m, count, index)
    axis = np.repeat(np.argmax(np.abs(np.round(area, 9)), axis=1), count)
    sign = np.repeat(np.sign(area[np.arange(len(count)), np.argmax(np.abs(np.round(area, 9)), axis=1)]), count)
    x, y, z = points_m[index].T
    u = np.select([axis == 0, axis == 1], [sign * y, -sign * x], sign * x)
    v = np.where(axis == 2, y, z)
    return np.stack([u, v], axis=1)


def shape_from_faces(
    points_m: ArrayLike,
    faces: Iterable[Sequence[int]],
    *,
    crease_deg: float = CREASE_DEG,
    uv_m: ArrayLike | None = None,
) -> Shape:
    """Return a shape with crease normals; ``uv_m`` is per corner and defaults to the metric box projection."""
    points = np.asarray(points_m, dtype=np.float64)
    lists = [tuple(face) for face in faces]
    count = np.array([len(face) for face in lists], dtype=np.int64)
    index = np.array([i for face in lists for i in face], dtype=np.int64)
    normal = crease_normals(points, count, index, crease_deg)
    uv = box_uv(points, count, index) if uv_m is None else np.asarray(uv_m, dtype=np.float64)
    return Shape(points, count, index, normal, uv, ("Default",), np.zeros(len(count), dtype=np.int64))


def painted(shape: Shape, material: str) -> Shape:
    """Return the shape with one material on every face."""
    return replace(shape, materials=(material,), material=np.zeros(len(shape.count), dtype=np.int64))


def shifted_uv(shape: Shape, u_m: float, v_m: float, *, swap: bool = False) -> Shape:
    """Return the shape with moved texture coordinates, ``swap`` turning them by a quarter turn first."""
    uv = np.stack([-shape.uv_m[:, 1], shape.uv_m[:, 0]], axis=1) if swap else shape.uv_m
    return replace(shape, uv_m=uv + np.array([u_m, v_m]))


def moved(shape: Shape, x_m: float = 0.0, y_m: float = 0.0, z_m: float = 0.0) -> Shape:
    """Return the shape translated."""
    return replace(shape, points_m=shape.points_m + np.array([x_m, y_m, z_m]))


def rotation(axis: str, angle_deg: float) -> Floats:
    """Return the 3x3 right-handed rotation about a coordinate axis."""
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = cosine
    matrix[i, j], matrix[j, i] = -sine, sine
    return matrix


def turned(shape: Shape, axis: str, angle_deg: float) -> Shape:
    """Return the shape rotated about a coordinate axis through the origin."""
    matrix = rotation(axis, angle_deg)
    return replace(shape, points_m=shape.points_m @ matrix.T, normal=shape.normal @ matrix.T)


def mirrored_y(shape: Shape) -> Shape:
    """Return the mirror image in the plane y = 0, with its faces turned so that they still look outwards."""
    start = np.concatenate([[0], np.cumsum(shape.count)[:-1]])
    within = np.arange(len(shape.index)) - np.repeat(start, shape.count)
    order = np.repeat(start + shape.count - 1, shape.count) - within
    flip = np.array([1.0, -1.0, 1.0])
    return replace(
        shape,
        points_m=shape.points_m * flip,
        index=shape.index[order],
        normal=shape.normal[order] * flip,
        uv_m=shape.uv_m[order],
    )


def joined(*shapes: Shape) -> Shape:
    """Return all shapes as one; equal material names share a slot."""
    names = tuple(dict.fromkeys(name for shape in shapes for name in shape.materials))
    base = np.concatenate([[0], np.cumsum([len(shape.points_m) for shape in shapes])[:-1]])
    slots = [np.array([names.index(name) for name in shape.materials]) for shape in shapes]
    return Shape(
        np.concatenate([shape.points_m for shape in shapes]),
        np.concatenate([shape.count for shape in shapes]),
        np.concatenate([shape.index + offset for shape, offset in zip(shapes, base, strict=True)]),
        np.concatenate([shape.normal for shape in shapes]),
        np.concatenate([shape.uv_m for shape in shapes]),
        names,
        np.concatenate([slot[shape.material] for shape, slot in zip(shapes, slots, strict=True)]),
    )
