"""Where points of the world are seen: through any lens, at the moment of the image row that sees them.

Labels of an image row are of the middle of that row's exposure (docs/blur.md), so each point is followed to the row in
which it is seen: its own motion in the parts of the frame's time in which objects stand still, the camera's without
steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.frames import FrameKeys, Lenses
from engine.lens.model import Lens, LensModel
from engine.lens.project import project
from engine.randomize.pose import cross, dot
from engine.recipe import Rig

ROUNDS = 8  # of following a point from row to row; each brings it nearer by the share of its motion in a row's time

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Points where they are at the middle of the shutter, and how what they belong to moves; sorted by view."""

    view: NDArray[np.int64]  # [point]
    world_m: Array  # [point, 3]
    origin_m: Array  # [point, 3], of the instance, about which it turns
    velocity_m_s: Array  # [point, 3]
    spin_rad_s: Array  # [point, 3]


@dataclass(frozen=True)
class Sight:
    """Where points are seen."""

    pixel: Array  # [point, 2], also beyond the image's borders; no numbers where the lens has no ray
    depth_m: Array  # [point], in the sense of the depth image


def see(points: Points, keys: FrameKeys, rig: Rig) -> Sight:
    """Return where points are seen; outside of the frame they are where its nearest row would have them.

    Raises:
        ValueError: If the frames do not say what lenses they were seen through.
    """
    lenses = keys.lenses
    if lenses is None:
        raise ValueError("these frames have no lenses; those of a Renderer have")
    rolls = _rolls(points, lenses)
    still, moving = np.flatnonzero(~rolls), np.flatnonzero(rolls)
    view = points.view[still]
    pixel, depth_m = np.empty((len(rolls), 2)), np.empty(len(rolls))
    for chosen, found in (
        (still, _through_lenses(_in_camera(keys, view, points.world_m[still]), view, keys, lenses)),
        (moving, _followed(_some(points, moving), keys, lenses, rig)),
    ):
        pixel[chosen], depth_m[chosen] = found.pixel, found.depth_m
    return Sight(pixel, depth_m)


def _rolls(points: Points, lenses: Lenses) -> NDArray[np.bool_]:
    """Return which points are elsewhere in other rows of their image, [point]: of each, whatever else is seen."""
    view = points.view
    moves = lenses.velocity_m_s[view].any(axis=1) | lenses.spin_rad_s[view].any(axis=1)
    moves |= points.velocity_m_s.any(axis=1) | points.spin_rad_s.any(axis=1)
    rolls: NDArray[np.bool_] = moves & (lenses.readout_s[view] != 0.0)
    return rolls


def _some(points: Points, chosen: NDArray[np.int64]) -> Points:
    return Points(**{name: values[chosen] for name, values in vars(points).items()})


def _followed(points: Points, keys: FrameKeys, lenses: Lenses, rig: Rig) -> Sight:
    """Return where points are seen that image rows see at other moments."""
    time_s = np.zeros(len(points.view))
    for _ in range(ROUNDS):
        sight = _at(points, keys, lenses, rig, time_s)
        y = np.clip(np.floor(sight.pixel[:, 1]), 0.0, rig.height - 1.0)
        row_s = ((y + 0.5) / rig.height - 0.5) * lenses.readout_s[points.view]
        following_s = np.where(np.isfinite(y), row_s, time_s)
        if (following_s == time_s).all():
            return sight
        time_s = following_s
    return _at(points, keys, lenses, rig, time_s)


def _at(points: Points, keys: FrameKeys, lenses: Lenses, rig: Rig, time_s: Array) -> Sight:
    """Return where points are seen at moments [point]."""
    view, moments = points.view, rig.shutter_samples
    seen_s = lenses.exposure_s[view] + np.abs(lenses.readout_s[view])
    share = np.divide(time_s, seen_s, out=np.zeros_like(time_s), where=seen_s > 0.0) + 0.5
    moment = np.clip(np.floor(share * moments), 0, moments - 1)
    stands_s = np.where(moment == moments // 2, 0.0, seen_s * ((moment + 0.5) / moments - 0.5))
    from_origin = turned_later(points.world_m - points.origin_m, points.spin_rad_s, stands_s)
    world = points.origin_m + from_origin + points.velocity_m_s * stands_s[:, None]
    middle = keys.world_from_camera[view, :, 3]
    # The camera has moved on and turned: from it the point is where it was, moved and turned back.
    offset = world - middle - lenses.velocity_m_s[view] * time_s[:, None]
    offset = turned_later(offset, lenses.spin_rad_s[view], -time_s)
    return _through_lenses(_in_camera(keys, view, offset + middle), view, keys, lenses)


def turned_later(vector: Array, spin_rad_s: Array, time_s: Array) -> Array:
    """Return vectors [..., 3] of something that spins, some time later (Rodrigues)."""
    speed = np.sqrt(dot(spin_rad_s, spin_rad_s))
    axis = spin_rad_s / np.where(speed > 0.0, speed, 1.0)[..., None]
    across = cross(axis, vector)
    angle = (speed * time_s)[..., None]
    out: Array = vector + across * np.sin(angle) + cross(axis, across) * 2.0 * np.sin(0.5 * angle) ** 2
    return out


def _in_camera(keys: FrameKeys, view: NDArray[np.int64], world_m: Array) -> Array:
    """Return points of the world in the frames of their views' cameras."""
    pose = keys.world_from_camera[view]
    offset = world_m - pose[:, :, 3]
    return np.stack([dot(pose[:, :, axis], offset) for axis in range(3)], axis=-1)


def _through_lenses(camera_m: Array, view: NDArray[np.int64], keys: FrameKeys, lenses: Lenses) -> Sight:
    """Return where points of the cameras' frames are seen, all views with one kind of lens at once."""
    pixel = np.full((len(view), 2), np.nan)
    model = lenses.model[view]
    for kind in np.unique(model).tolist():
        chosen = np.flatnonzero(model == kind)
        # The inversion of f-theta ends for all points together: those of one view only.
        is_alone = kind == LensModel.F_THETA
        ends = np.flatnonzero(np.diff(view[chosen]) * is_alone) + 1
        for part in np.split(chosen, ends):
            at = view[part]
            k = np.moveaxis(keys.k[at], 0, -1)
            lens = Lens(LensModel(kind), k, lenses.coefficients[at], lenses.limit[at])  # type: ignore[arg-type]
            pixel[part] = project(lens, camera_m[part])[0]
    depth_m = np.where(model <= LensModel.BROWN_CONRADY, -camera_m[:, 2], np.sqrt(dot(camera_m, camera_m)))
    return Sight(pixel, depth_m)
