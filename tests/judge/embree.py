"""Embree, through Open3D, on the rays of our frames: what both see, and whether edges or ties explain differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.frames import Frames
from engine.lens import LensModel
from engine.scene.model import Scene
from tests.kernels.exact import Floats, Integers, soup_of

EDGE_PX = 0.01  # this near to a silhouette either answer is right
POINT = np.arange(64)  # where around a pixel's centre Embree is asked again: Vogel's spiral over the disk, [2, point]
AROUND_PX = EDGE_PX * np.sqrt((POINT + 1) / 64) * np.stack([f(POINT * np.pi * (3 - 5**0.5)) for f in (np.cos, np.sin)])
SAME_DEPTH = 1e-3  # of the depth, which changes over EDGE_PX


@dataclass(frozen=True)
class Rays:
    """Rays [ray, 3] whose t is planar depth."""

    origin: Floats
    direction: Floats

    def tensor(self) -> Any:
        """Return them as Open3D takes them."""
        import open3d

        return open3d.core.Tensor(np.concatenate([self.origin, self.direction], axis=1).astype(np.float32))


@dataclass(frozen=True)
class Seen:
    """What a frame and Embree say about the centres of its pixels, [pixel], row by row; instance 0: nothing."""

    x_px: Floats
    y_px: Floats
    instance: Integers
    depth_m: Floats
    cosine: Floats  # between ray and normal, times the length of the ray's direction
    judge_instance: Integers
    judge_triangle: Integers  # of its placement
    judge_depth_m: Floats

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Return where the instances are not the same."""
        return self.instance != self.judge_instance

    @property
    def hits_differ(self) -> NDArray[np.bool_]:
        """Return where only one of both sees anything."""
        return (self.instance > 0) != (self.judge_instance > 0)

    @property
    def error_m(self) -> Floats:
        """Return by how much depths of the same instance differ, 0 elsewhere."""
        both = ~self.differs & (self.instance > 0)
        return np.abs(np.subtract(self.depth_m, self.judge_depth_m, out=np.zeros(len(both)), where=both))

    @property
    def plane_error_m(self) -> Floats:
        """Return `error_m` across the surface: where a ray grazes it, roundings move the depth by more."""
        return self.error_m * self.cosine


class Judge:
    """A world in Embree, every placement a mesh of its own.

    It is the first row of a draft, seen by its first camera. Placement i is instance i + 1, with the same frame.
    """

    def __init__(self, stage: Scene, draft: Draft) -> None:
        """Build Embree's scene."""
        import open3d

        self.pose = draft.world_from_camera[0, 0]
        self.focal_px, self.center_px = draft.focal_px[0, 0], draft.center_px[0, 0]
        self.is_orthographic = bool(draft.lens_model[0, 0] == LensModel.ORTHOGRAPHIC)
        poses = draft.world_from_instance[0, stage.placements.instance]
        self.soup = soup_of(stage, poses)
        self.caster = open3d.t.geometry.RaycastingScene()
        for index, pose in zip(stage.placements.mesh, poses, strict=True):
            points = stage.meshes[index].points_m @ pose[:, :3].T + pose[:, 3]
            triangle = stage.meshes[index].triangle.astype(np.uint32)
            self.caster.add_triangles(open3d.core.Tensor(points.astype(np.float32)), open3d.core.Tensor(triangle))

    def rays(self, x_px: Floats, y_px: Floats) -> Rays:
        """Return the rays through points of the image."""
        right, up = (x_px - self.center_px[0]) / self.focal_px[0], (self.center_px[1] - y_px) / self.focal_px[1]
        across, ahead = np.stack([right, up], axis=1) @ self.pose[:, :2].T, -self.pose[:, 2]
        if self.is_orthographic:
            return Rays(self.pose[:, 3] + across, np.broadcast_to(ahead, across.shape))
        return Rays(np.broadcast_to(self.pose[:, 3], across.shape), across + ahead)

    def first_hits(self, rays: Rays) -> tuple[Floats, Integers, Integers]:
        """Return t, instance and triangle of rays; (inf, 0, 0): nothing."""
        found = {name: value.numpy() for name, value in self.caster.cast_rays(rays.tensor()).items()}
        hit = np.isfinite(found["t_hit"])
        instance, triangle = (
            np.where(hit, found[f"{name}_ids"].astype(np.int64), 0) for name in ("geometry", "primitive")
        )
        return found["t_hit"].astype(np.float64), instance + hit, triangle

    def seen(self, frames: Frames) -> Seen:
        """Return our answers, from the first view of a frame, and Embree's."""
        assert frames.depth_m is not None
        assert frames.instance is not None
        assert frames.normal is not None
        y_px, x_px = (axis.ravel() + 0.5 for axis in np.indices(frames.depth_m[0].shape))
        rays = self.rays(x_px, y_px)
        cosine = np.abs((frames.normal[0].reshape(-1, 3) * rays.direction).sum(axis=1))
        depth_m, instance, triangle = self.first_hits(rays)
        return Seen(x_px, y_px, frames.instance[0].ravel().astype(np.int64),
                    frames.depth_m[0].ravel().astype(np.float64), cosine, instance, triangle, depth_m)  # fmt: skip

    def rounding_m(self, rays: Rays, instance: Integers, triangle: Integers) -> Floats:
        """Return how far float32 may move what rays meet, across its surface."""
        return self.soup.plane_rounding_m(instance - 1, triangle, rays.origin)

    def is_a_tie(self, seen: Seen, pixels: Integers) -> NDArray[np.bool_]:
        """Return whether Embree meets our surface on the same ray, within rounding of the one it says is first."""
        return self._meets(seen, pixels, np.zeros((2, 1)), 0.0)

    def is_by_an_edge(self, seen: Seen, pixels: Integers) -> NDArray[np.bool_]:
        """Return whether Embree sees what we see, or ties with it, within `EDGE_PX` of each pixel's centre."""
        return self._meets(seen, pixels, AROUND_PX, SAME_DEPTH)

    def _meets(self, seen: Seen, pixels: Integers, around_px: Floats, depth_share: float) -> NDArray[np.bool_]:
        """Return whether Embree meets what we see somewhere `around_px`, first or as near as rounding can tell.

        Its depth may differ from ours by rounding and a share of the depth.
        """
        x_px, y_px = ((at[pixels, None] + offset).ravel() for at, offset in zip((seen.x_px, seen.y_px), around_px))
        rays, owner = self.rays(x_px, y_px), np.repeat(np.arange(len(pixels)), around_px.shape[1])
        first_m, first_instance, first_triangle = self.first_hits(rays)
        meets = np.zeros(len(pixels), np.bool_)
        meets[owner[(first_instance == 0) & (seen.instance[pixels[owner]] == 0)]] = True
        if not first_instance.any():
            return meets  # list_intersections crashes where it has nothing to list
        found = {name: value.numpy() for name, value in self.caster.list_intersections(rays.tensor()).items()}
        instance, ray = found["geometry_ids"].astype(np.int64) + 1, found["ray_ids"].astype(np.int64)
        ours = np.flatnonzero(instance == seen.instance[pixels[owner[ray]]])
        instance, ray, triangle = instance[ours], ray[ours], found["primitive_ids"][ours].astype(np.int64)
        pixel, t_m = pixels[owner[ray]], found["t_hit"][ours].astype(np.float64)
        met = Rays(rays.origin[ray], rays.direction[ray])
        limit_m = np.maximum(
            self.rounding_m(met, instance, triangle), self.rounding_m(met, first_instance[ray], first_triangle[ray])
        )
        behind_m, off_m = t_m - first_m[ray], np.abs(t_m - seen.depth_m[pixel]) - depth_share * t_m
        meets[owner[ray[np.maximum(behind_m, off_m) * seen.cosine[pixel] <= limit_m]]] = True
        return meets
