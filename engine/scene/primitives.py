"""Implicit gprims as triangles: points, smooth normals per corner, counter-clockwise from outside.

Sizes are in stage units. Source of the shapes: UsdGeom schema, https://openusd.org/release/user_guides/schemas/
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEGMENTS = 96  # around; the chord error is 0.05 % of the radius
RINGS = 48  # from pole to pole


@dataclass(frozen=True)
class Shape:
    """Triangles with a normal at every corner."""

    points: NDArray[np.float64]  # [point, 3]
    triangle: NDArray[np.int32]  # [triangle, 3]
    normal: NDArray[np.float32] | None  # [triangle, 3, 3]; None: flat faces


def cube(size: float) -> Shape:
    """Return the cube that spans [-size/2, size/2]."""
    points = (np.indices((2, 2, 2)).reshape(3, -1).T.astype(np.float64) - 0.5) * size  # point 4x + 2y + z
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], np.int32)
    return Shape(points, quads[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3), None)


def plane(width: float, length: float, axis: str) -> Shape:
    """Return the rectangle normal to `axis`; width and length lie along the axes that UsdGeomPlane names."""
    half = {"X": (0.0, length / 2, width / 2), "Y": (width / 2, 0.0, length / 2), "Z": (width / 2, length / 2, 0.0)}[
        axis
    ]
    across = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    points = np.zeros((4, 3))
    points[:, across[0]] = np.array([-1, 1, 1, -1]) * half[across[0]]
    points[:, across[1]] = np.array([-1, -1, 1, 1]) * half[across[1]]
    return Shape(points, np.array([[0, 1, 2], [0, 2, 3]], np.int32), None)


def sphere(radius: float) -> Shape:
    """Return the sphere about the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, RINGS + 1)
    profile = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    profile[[0, -1], 0] = 0.0
    return _revolve([(profile * radius, profile)], "Z")


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


def _revolve(parts: list[tuple[NDArray[np.float64], NDArray[np.float64]]], axis: str) -> Shape:
    """Turn profiles (radius, height) with normals (outwards, up), bottom to top, about an axis."""
    turn = np.arange(SEGMENTS) * (2.0 * np.pi / SEGMENTS)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    points, triangles, normals, first = [], [], [], 0
    for profile, slope in parts:
        ring = len(profile)
        position = np.empty((ring, SEGMENTS, 3))
        position[..., :2] = profile[:, None, :1] * around
        position[..., 2] = profile[:, None, 1]
        normal = np.empty((ring, SEGMENTS, 3))
        normal[..., :2] = slope[:, None, :1] * around
        normal[..., 2] = slope[:, None, 1]
        i, j = np.meshgrid(np.arange(ring - 1), np.arange(SEGMENTS), indexing="ij")
        a, b = i * SEGMENTS + j, i * SEGMENTS + (j + 1) % SEGMENTS
        lower = np.stack([a, b, b + SEGMENTS], axis=-1)[profile[:-1, 0] > 0.0]
        upper = np.stack([a, b + SEGMENTS, a + SEGMENTS], axis=-1)[profile[1:, 0] > 0.0]
        local = np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)])
        points.append(position.reshape(-1, 3))
        normals.append(normal.reshape(-1, 3)[local])
        triangles.append(local + first)
        first += ring * SEGMENTS
    order = {"X": [2, 0, 1], "Y": [1, 2, 0], "Z": [0, 1, 2]}[axis]  # cyclic: the winding stays
    unit = np.concatenate(normals)[..., order].astype(np.float32)
    return Shape(np.concatenate(points)[:, order], np.concatenate(triangles).astype(np.int32), unit)
