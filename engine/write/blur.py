"""How far a moving camera smears a frame, from its pose, its speed and the depths that it sees."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.frames import FrameKeys
from engine.lens.model import Lens, lens_of
from engine.lens.project import project, ray_directions

COLUMNS, ROWS = 16, 12  # points that are followed
FAR_M = 1.0e6  # where nothing was hit, only turning is seen

Array = NDArray[np.float64]


def camera_blur_px(keys: FrameKeys, view: int, depth_m: NDArray[np.float32] | None) -> float:
    """Return the median length [px] of the paths that points of a frame take while its shutter is open.

    A grid of 16 x 12 pixels is taken to space, and projected from where the camera is when the shutter opens and when
    it closes. What moves by itself is taken for still: its blur is its own.

    Args:
        keys: Of the frames.
        view: Which of them.
        depth_m: Of the view, [y, x]; None: all is far away, so that only turning is seen.
    """
    lenses = keys.lenses
    if lenses is None or lenses.exposure_s[view] == 0.0:
        return 0.0
    velocity, spin = (np.asarray(values[view], np.float64) for values in (lenses.velocity_m_s, lenses.spin_rad_s))
    if not velocity.any() and not spin.any():
        return 0.0
    lens, half_s = lens_of(keys, view), 0.5 * float(lenses.exposure_s[view])
    to_camera = np.asarray(keys.world_from_camera[view, :, :3], np.float64).T
    points = _points(lens, depth_m, 2.0 * lens.k[:2, 2])
    ends = []
    for time_s in (-half_s, half_s):
        turned = _turned(points - to_camera @ velocity * time_s, to_camera @ spin * -time_s)
        pixels, seen = project(lens, turned)
        ends.append(np.where(seen[..., None], pixels, np.nan))
    length = np.linalg.norm(ends[1] - ends[0], axis=-1)
    return float(np.nanmedian(length)) if np.isfinite(length).any() else 0.0


def _points(lens: Lens, depth_m: NDArray[np.float32] | None, size_px: Array) -> Array:
    """Return points [row, column, 3] in the camera's frame that a grid of pixels sees."""
    height, width = depth_m.shape if depth_m is not None else (int(size_px[1]), int(size_px[0]))
    x = (np.arange(COLUMNS) + 0.5) / COLUMNS * width
    y = (np.arange(ROWS) + 0.5) / ROWS * height
    pixels = np.stack(np.meshgrid(x, y), axis=-1)
    far = np.full((ROWS, COLUMNS), FAR_M)
    if depth_m is not None:
        seen = depth_m[y.astype(np.int64)[:, None], x.astype(np.int64)[None, :]].astype(np.float64)
        far = np.where(np.isfinite(seen), seen, FAR_M)
    return np.asarray(ray_directions(lens, pixels) * far[..., None])


def _turned(points: Array, turn: Array) -> Array:
    """Return points turned about an axis by its length [rad]. Source: Rodrigues' rotation formula."""
    angle = float(np.linalg.norm(turn))
    if angle == 0.0:
        return points
    axis = turn / angle
    along = (points @ axis)[..., None] * axis
    return points * math.cos(angle) + np.cross(axis, points) * math.sin(angle) + along * (1.0 - math.cos(angle))
