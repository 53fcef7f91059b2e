"""Optical flow in plain NumPy, float64: rays against every triangle, points tracked by poses, lenses of engine.lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.flow_state import FlowState
from engine.lens import Lens, LensModel, lens_of, project, ray_directions
from engine.recipe import Rig
from engine.render.keys import frame_keys
from engine.scene.model import Scene

Array = NDArray[np.float64]
SAME_TRIANGLE = 1.0e-9  # of the depth


@dataclass(frozen=True)
class Tracked:
    """What is known of some pixels."""

    instance: NDArray[np.int32]
    state: NDArray[np.int32]
    target_px: Array  # [pixel, 2]
    displacement_m: Array  # [pixel, 3]
    doubt: Array  # [pixel], share of the depth by which an occluder's verdict could change


def spun(vectors: Array, spin_rad_s: Array, time_s: Array) -> Array:
    """Return vectors of something that spins, some time later, by the matrix exponential's closed form."""
    speed = np.linalg.norm(spin_rad_s)
    if speed == 0.0:
        return vectors
    axis = spin_rad_s / speed
    angle = (speed * time_s)[..., None]
    along = (vectors @ axis)[..., None] * axis
    return along + np.cos(angle) * (vectors - along) + np.sin(angle) * np.cross(axis, vectors)


class Step:
    """One row of a draft, seen by one camera."""

    def __init__(self, stage: Scene, setup: Rig, draft: Draft, row: int, camera: int = 0) -> None:
        self.stage, self.setup, self.draft, self.row, self.camera = stage, setup, draft, row, camera
        cameras = draft.world_from_camera.shape[1]
        self.lens: Lens = lens_of(frame_keys(draft, setup), row * cameras + camera)
        self.pose = draft.world_from_camera[row, camera]
        self.velocity = draft.camera_velocity_m_s[row, camera]
        self.spin = draft.camera_spin_rad_s[row, camera]

    def time_s(self, y_px: Array) -> Array:
        """Return the moment of image rows."""
        row = np.clip(np.floor(y_px), 0, self.setup.height - 1)
        return ((row + 0.5) / self.setup.height - 0.5) * self.setup.readout_s

    def moved(self, instance: NDArray[np.int32], points_m: Array, time_s: Array) -> Array:
        """Return points of instances in the world, where the rig's samples of the shutter put them."""
        draft, row, count = self.draft, self.row, self.setup.shutter_samples
        seen_s = abs(self.setup.readout_s)
        if seen_s > 0.0:
            part = np.clip(np.floor((time_s / seen_s + 0.5) * count), 0, count - 1)
            time_s = np.where(part == count // 2, 0.0, ((part + 0.5) / count - 0.5) * seen_s)
        pose = draft.world_from_instance[row, instance]
        out = np.einsum("...ij,...j->...i", pose[..., :3], points_m)
        for one in np.unique(instance):
            of = instance == one
            out[of] = spun(out[of], draft.instance_spin_rad_s[row, one], time_s[of])
        return out + pose[..., 3] + draft.instance_velocity_m_s[row, instance] * time_s[..., None]

    def rays(self, pixels: Array) -> tuple[Array, Array]:
        """Return origins and directions of pixels, whose parameter is the depth."""
        time_s = self.time_s(pixels[:, 1])
        local = np.zeros((len(pixels), 3))
        if self.lens.model == LensModel.ORTHOGRAPHIC:
            k = self.lens.k
            local[:, 0] = (pixels[:, 0] - k[0, 2]) / k[0, 0]
            local[:, 1] = (k[1, 2] - pixels[:, 1]) / k[1, 1]
        return self.world(local, time_s), self.world(ray_directions(self.lens, pixels), time_s, is_point=False)

    def world(self, local: Array, time_s: Array, *, is_point: bool = True) -> Array:
        """Return points or directions of the camera's frame in the world."""
        out = spun(local @ self.pose[:, :3].T, self.spin, time_s)
        return out + self.pose[:, 3] + self.velocity * time_s[:, None] if is_point else out

    def local(self, world: Array, time_s: Array) -> Array:
        """Return points in the camera's frame."""
        return spun(world - self.pose[:, 3] - self.velocity * time_s[:, None], self.spin, -time_s) @ self.pose[:, :3]

    def corners(self, time_s: float) -> tuple[Array, NDArray[np.int32]]:
        """Return the corners [triangle, 3, 3] of all that is visible at a moment, and whose they are."""
        corners, owner = [], []
        placed = self.stage.placements
        for mesh, instance in zip(placed.mesh, placed.instance, strict=True):
            if self.draft.visible[self.row, instance]:
                shape = self.stage.meshes[mesh]
                ids = np.full(len(shape.points_m), instance, np.int32)
                points = self.moved(ids, shape.points_m.astype(np.float64), np.full(len(ids), time_s))
                corners.append(points[shape.triangle])
                owner.append(np.full(len(shape.triangle), instance, np.int32))
        return np.concatenate(corners), np.concatenate(owner)


def nearest(corners: Array, origin: Array, direction: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the triangle that each ray meets first, -1: none, and where (Moeller and Trumbore)."""
    a, b, c = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    with np.errstate(all="ignore"):
        across = np.cross(direction[:, None], c[None])
        det = (across * b).sum(axis=-1)
        to = origin[:, None] - a
        u = (to * across).sum(axis=-1) / det
        turned = np.cross(to, b[None])
        v = (turned * direction[:, None]).sum(axis=-1) / det
        t = (turned * c).sum(axis=-1) / det
        is_hit = (u >= -1e-12) & (v >= -1e-12) & (u + v <= 1.0 + 1e-12) & (t > 0.0)
    t = np.where(is_hit, t, np.inf)
    found = t.argmin(axis=1)
    best = t[np.arange(len(t)), found]
    return np.where(np.isinf(best), -1, found), best


def tracked(here: Step, there: Step, pixels: Array, depth: Array | None = None) -> Tracked:
    """Return what becomes of the points that pixels see, by brute force; image rows of one moment at a time.

    `depth` is that of the points, [pixel]; None: that of the nearest triangle.
    """
    moment = here.time_s(pixels[:, 1])
    parts = [np.flatnonzero(moment == time) for time in np.unique(moment)]
    found = [_tracked(here, there, pixels[part], None if depth is None else depth[part]) for part in parts]
    order = np.concatenate(parts).argsort()
    names = ("instance", "state", "target_px", "displacement_m", "doubt")
    return Tracked(*(np.concatenate([getattr(part, name) for part in found])[order] for name in names))


def _tracked(here: Step, there: Step, pixels: Array, given: Array | None) -> Tracked:
    time_s = here.time_s(pixels[:, 1])
    corners, owner = here.corners(float(time_s[0]))
    origin, direction = here.rays(pixels)
    is_ray = np.isfinite(direction).all(axis=1)
    triangle, depth = nearest(corners, origin, np.where(is_ray[:, None], direction, 0.0))
    is_hit = (triangle >= 0) & is_ray
    if given is not None:
        depth = np.where(np.isfinite(given), given, depth)
    instance = np.where(is_hit, owner[triangle], 0).astype(np.int32)
    world = origin + np.where(is_hit, depth, 1.0)[:, None] * np.where(is_ray[:, None], direction, 1.0)
    mesh_m = _in_instance(here, instance, world, time_s)
    when = there.time_s(pixels[:, 1])
    for _ in range(20):
        moved = there.moved(instance, mesh_m, when)
        target, seen = project(there.lens, there.local(moved, when))
        following = np.where(seen, there.time_s(np.nan_to_num(target[:, 1])), when)
        if (following == when).all():
            break
        when = following
    state = np.full(len(pixels), FlowState.VISIBLE, np.int32)
    inside = ((target >= 0) & (target < [here.setup.width, here.setup.height])).all(axis=1)
    state[~inside] = FlowState.OUTSIDE
    doubt = np.full(len(pixels), np.inf)
    for moment in np.unique(when[inside & is_hit & seen]):
        at = np.flatnonzero(inside & is_hit & seen & (when == moment))
        doubt[at], hidden = _hidden(there, float(moment), instance[at], moved[at], target[at])
        state[at[hidden]] = FlowState.OCCLUDED
    state[~seen] = FlowState.UNREACHED
    state[~there.draft.visible[there.row, instance]] = FlowState.GONE
    state[~is_hit] = FlowState.UNDEFINED
    return Tracked(instance, state, target, moved - world, doubt)


def _in_instance(step: Step, instance: NDArray[np.int32], world: Array, time_s: Array) -> Array:
    """Return points in the frames of their instances: the affine map of each is read off four points and undone."""
    zero = np.zeros_like(world)
    origin = step.moved(instance, zero, time_s)
    axes = np.stack([step.moved(instance, zero + unit, time_s) - origin for unit in np.eye(3)], axis=-1)
    return np.linalg.solve(axes, (world - origin)[..., None])[..., 0]


def _hidden(
    there: Step, moment: float, instance: NDArray[np.int32], moved: Array, target: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Return which points something stands before, and how near to the other verdict that is."""
    corners, _ = there.corners(moment)
    origin = np.broadcast_to(there.pose[:, 3] + there.velocity * moment, moved.shape)
    if there.lens.model == LensModel.ORTHOGRAPHIC:
        origin, _ = there.rays(target)
    _, t = nearest(corners, origin, moved - origin)
    gap = 1.0 - np.where(np.isinf(t), 1.0, t)  # of the depth, that the nearest surface is in front
    return np.abs(gap - 5.0e-5), gap > 5.0e-5
