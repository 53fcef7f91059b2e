"""Triangles of a world in float64: what rays meet, found without a tree, and how far float32 may be off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Scene

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
ROUNDINGS = 12 * 2.0**-24  # of float32, that a program may have made on the way to a surface


@dataclass(frozen=True)
class Soup:
    """All triangles of all placements, one placement after the other, in the world."""

    corner_m: Floats  # [triangle, corner, 3]
    first_triangle: Integers  # [placement + 1]
    middle_m: Floats  # [placement, 3], of its box
    radius_m: Floats  # [placement], around its middle
    smear_m: Floats  # [triangle], see smear_m

    def rounding_m(self, placement: Integers, origin_m: Floats) -> Floats:
        """Return how far float32 may move what rays from `origin_m` [ray, 3] meet, beside them.

        Corners and origins are rounded by a share of their coordinates. A placement of -1 is nothing, which stays.
        """
        reach_m = (np.linalg.norm(self.middle_m, axis=1) + self.radius_m)[placement]
        return ROUNDINGS * np.maximum(np.linalg.norm(origin_m, axis=1), np.where(placement < 0, 0.0, reach_m))

    def plane_rounding_m(self, placement: Integers, triangle: Integers, origin_m: Floats) -> Floats:
        """Return the same across the surface that is met; a depth between the corners of a needle may move by more."""
        smear_m = self.smear_m[np.where(placement < 0, 0, self.first_triangle[placement] + triangle)]
        return self.rounding_m(placement, origin_m) + ROUNDINGS * np.where(placement < 0, 0.0, smear_m)


def soup_of(stage: Scene, world_from_mesh: Floats | None = None) -> Soup:
    """Return the triangles of a scene, with placements in given poses [placement, 3, 4] or their own, as float32."""
    poses = stage.placements.world_from_mesh if world_from_mesh is None else world_from_mesh
    corner_m, first, middle_m, radius_m = [], [0], [], []
    for index, pose in zip(stage.placements.mesh, poses.astype(np.float32).astype(np.float64), strict=True):
        points = stage.meshes[index].points_m @ pose[:, :3].T + pose[:, 3]
        corner_m.append(points[stage.meshes[index].triangle])
        first.append(first[-1] + len(corner_m[-1]))
        middle_m.append(0.5 * (points.min(axis=0) + points.max(axis=0)))
        radius_m.append(np.linalg.norm(points - middle_m[-1], axis=1).max())
    corners = np.concatenate(corner_m)
    return Soup(corners, np.array(first), np.array(middle_m), np.array(radius_m), smear_m(corners))


def smear_m(corner_m: Floats) -> Floats:
    """Return the longest edge times its share of the height on it, of triangles [triangle, corner, 3].

    A depth is the mean of the corners' depths, weighted by areas that are each rounded by a share of the square of the
    longest edge; the triangle's own area is the longest edge times half the height.
    """
    edge = np.roll(corner_m, -1, axis=1) - corner_m
    longest = np.linalg.norm(edge, axis=2).max(axis=1)
    area = np.linalg.norm(np.cross(edge[:, 0], edge[:, 1]), axis=1)
    return np.divide(longest**3, area, out=np.full(len(area), np.inf), where=area > 0.0)


def all_hits(soup: Soup, origin_m: Floats, direction: Floats) -> tuple[Floats, Integers]:
    """Return t and placement of every triangle that one ray meets ahead, nearest first.

    Source: Möller and Trumbore, "Fast, minimum storage ray/triangle intersection", JGT 2(1), 1997.
    """
    to_middle = soup.middle_m - origin_m
    along = (to_middle @ direction) / (direction @ direction)
    near = np.flatnonzero(np.linalg.norm(to_middle - along[:, None] * direction, axis=1) <= soup.radius_m * 1.001)
    rows = np.concatenate([np.arange(*soup.first_triangle[i : i + 2]) for i in near] or [np.zeros(0, np.int64)])
    a, b, c = np.moveaxis(soup.corner_m[rows], 1, 0)
    across = np.cross(direction, c - a)
    determinant = ((b - a) * across).sum(axis=1)
    beside = np.cross(origin_m - a, b - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = ((origin_m - a) * across).sum(axis=1) / determinant, beside @ direction / determinant
        t = ((c - a) * beside).sum(axis=1) / determinant
        met = np.flatnonzero((determinant != 0.0) & (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0) & (t > 0.0))
    met = met[np.argsort(t[met], kind="stable")]
    return t[met], np.searchsorted(soup.first_triangle, rows[met], side="right") - 1
