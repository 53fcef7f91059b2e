"""Implicit gprims as triangles: points, smooth normals and natural texture coordinates, counter-clockwise from outside.

Sizes are in stage units. Source of the shapes: UsdGeom schema, https://openusd.org/release/user_guides/schemas/
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Mesh

SEGMENTS = 96  # around; the chord error is 0.05 % of the radius
RINGS = 48  # from pole to pole


@dataclass(frozen=True)
class Shape:
    """Triangles with a normal at every corner."""

    points: NDArray[np.float64]  # [point, 3]
    triangle: NDArray[np.int32]  # [triangle, 3]
    normal: NDArray[np.float32] | None  # [triangle, 3, 3]; None: flat faces
    uv: NDArray[np.float32]  # [triangle, 3, 2], each in [0, 1]: u around the axis or across, v up


HALVES = [[0, 1, 2], [0, 2, 3]]
SQUARE_UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def as_mesh(
    shape: Shape,
    name: str,
    meters_per_unit: float,
    *,
    two_sided: bool,
    color: tuple[float, ...] | None = None,  # linear, three
    opacity: float | None = None,
) -> Mesh:
    """Return a shape in metres, in one colour."""
    count = len(shape.triangle)
    tint = None if color is None else np.ascontiguousarray(np.broadcast_to(np.array(color, np.float32), (count, 3, 3)))
    return Mesh(
        name=name,
        points_m=(shape.points * meters_per_unit).astype(np.float32),
        triangle=shape.triangle,
        normal=shape.normal,
        uv=shape.uv,
        color=tint,
        slot=np.zeros(count, np.int32),
        two_sided=two_sided,
        opacity=None if opacity is None else np.full((count, 3), opacity, np.float32),
    )


def cube(size: float) -> Shape:
    """Return the cube that spans [-size/2, size/2]."""
    points = (np.indices((2, 2, 2)).reshape(3, -1).T.astype(np.float64) - 0.5) * size  # point 4x + 2y + z
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], np.int32)
    return Shape(points, quads[:, HALVES].reshape(-1, 3), None, np.tile(SQUARE_UV[HALVES], (6, 1, 1)))


def plane(width: float, length: float, axis: str) -> Shape:
    """Return the rectangle normal to `axis`; width and length lie along the axes that UsdGeomPlane names."""
    half = {"X": (0.0, length / 2, width / 2), "Y": (width / 2, 0.0, length / 2), "Z": (width / 2, length / 2, 0.0)}[
        axis
    ]
    across = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    points = np.zeros((4, 3))
    points[:, across[0]] = np.array([-1, 1, 1, -1]) * half[across[0]]
    points[:, across[1]] = np.array([-1, -1, 1, 1]) * half[across[1]]
    return Shape(points, np.array(HALVES, np.int32), None, SQUARE_UV[HALVES])


def sphere(radius: float, *, sides: int = SEGMENTS, rings: int = RINGS) -> Shape:
    """Return the sphere about the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    profile = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    profile[[0, -1], 0] = 0.0
    return _revolve([(profile * radius, profile)], "Z", sides)


def cylinder(radii: tuple[float, float], height: float, axis: str) -> Shape:
    """Return a closed cylinder; radii at the bottom and the top, so that (r, 0) is a cone."""
    bottom, top = radii
    slope = np.array([height, bottom - top])
    slope = slope / max(float(np.linalg.norm(slope)), 1e-30)
    low, high = -height / 2, height / 2
    parts = [(np.array([[bottom, low], [top, high]]), np.array([slope, slope]))]
    if bottom > 0.0:
        parts.append((np.array([[0.0, low], [bottom, low]]), np.array([[0.0, -1.0]] * 2)))
    if top > 0.0:
        parts.append((np.array([[top, high], [0.0, high]]), np.array([[0.0, 1.0]] * 2)))
    return _revolve(parts, axis)


def capsule(radii: tuple[float, float], height: float, axis: str) -> Shape:
    """Return a cylinder of `height` with half-spheres of the two radii on its ends."""
    bottom, top = radii
    angle = np.linspace(0.0, np.pi / 2, RINGS // 2 + 1)
    cap = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    cap[-1, 0] = 0.0
    normal = np.concatenate([(cap * [1, -1])[::-1], cap])
    low = (cap * [1, -1])[::-1] * bottom - [0.0, height / 2]
    high = cap * top + [0.0, height / 2]
    return _revolve([(np.concatenate([low, high]), normal)], axis)


def _revolve(parts: list[tuple[NDArray[np.float64], NDArray[np.float64]]], axis: str, sides: int = SEGMENTS) -> Shape:
    """Turn profiles (radius, height) with normals (outwards, up), bottom to top, about an axis."""
    turn = np.arange(sides) * (2.0 * np.pi / sides)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    points, triangles, normals, uvs, first = [], [], [], [], 0
    for profile, slope in parts:
        ring = len(profile)
        position = np.empty((ring, sides, 3))
        position[..., :2] = profile[:, None, :1] * around
        position[..., 2] = profile[:, None, 1]
        normal = np.empty((ring, sides, 3))
        normal[..., :2] = slope[:, None, :1] * around
        normal[..., 2] = slope[:, None, 1]
        i, j = np.meshgrid(np.arange(ring - 1), np.arange(sides), indexing="ij")
        a, b = i * sides + j, i * sides + (j + 1) % sides
        lower_drawn, upper_drawn = profile[:-1, 0] > 0.0, profile[1:, 0] > 0.0
        lower = np.stack([a, b, b + sides], axis=-1)[lower_drawn]
        upper = np.stack([a, b + sides, a + sides], axis=-1)[upper_drawn]
        local = np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)])
        side = np.concatenate(
            [
                np.stack([j, j + 1, j + 1], axis=-1)[lower_drawn].reshape(-1, 3),
                np.stack([j, j + 1, j], axis=-1)[upper_drawn].reshape(-1, 3),
            ]
        )
        points.append(position.reshape(-1, 3))
        normals.append(normal.reshape(-1, 3)[local])
        triangles.append(local + first)
        uvs.append(_part_uv(profile, local // sides, side / sides))
        first += ring * sides
    order = {"X": [2, 0, 1], "Y": [1, 2, 0], "Z": [0, 1, 2]}[axis]  # cyclic: the winding stays
    unit = np.concatenate(normals)[..., order].astype(np.float32)
    uv = np.concatenate(uvs).astype(np.float32)
    return Shape(np.concatenate(points)[:, order], np.concatenate(triangles).astype(np.int32), unit, uv)


def _part_uv(profile: NDArray[np.float64], ring: NDArray[np.int64], turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [triangle, 3, 2]: around and along a side; a flat end shows the image as on a disk."""
    if np.ptp(profile[:, 1]) > 0.0:
        step = np.linalg.norm(np.diff(profile, axis=0), axis=-1)
        along = np.concatenate([[0.0], np.cumsum(step)]) / step.sum()
        return np.stack([turn, along[ring]], axis=-1)
    radius = profile[ring, 0] / (2.0 * profile[:, 0].max())
    angle = 2.0 * np.pi * turn
    return np.stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)], axis=-1)
