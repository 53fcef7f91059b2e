"""Rows of different moments: where a camera that moves under a rolling shutter stood when a row of its image was seen.

A row y of an image of height h is ((y + 0.5) / h - 0.5) `readout_s` later than the frame's pose, and the camera goes on
with `velocity_m_s` and `spin_rad_s` until then; see docs/blur.md. What moves of itself is taken where the frame has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.formats.axes import camera_pose, inverse, moved
from engine.formats.record import Array, Frame
from engine.labels.sight import turned_later

MOTION = ("readout_s", "velocity_m_s", "spin_rad_s")  # columns of the frame table


def world_of_rows(frame: Frame, camera_m: Array, y_px: NDArray[Any]) -> Array:
    """Return points [point, 3] of the camera as it stood when it saw the rows `y_px` [point], in the world."""
    pose = camera_pose(frame)
    if not rolls(frame):
        return moved(pose, camera_m)
    time_s, velocity, spin = _motion(frame, y_px)
    turned = turned_later(camera_m @ pose[:3, :3].T, spin, time_s)
    out: Array = pose[:3, 3] + velocity * time_s[:, None] + turned
    return out


def camera_of_rows(frame: Frame, world_m: Array, y_px: NDArray[Any]) -> Array:
    """Return points of the world in the camera as it stood when it saw the rows; undoes `world_of_rows`."""
    pose = camera_pose(frame)
    if not rolls(frame):
        return moved(inverse(pose), world_m)
    time_s, velocity, spin = _motion(frame, y_px)
    turned: Array = turned_later(world_m - pose[:3, 3] - velocity * time_s[:, None], spin, -time_s)
    return turned @ pose[:3, :3]


def rolls(frame: Frame) -> bool:
    """Return whether rows are of different moments and the camera is elsewhere then."""
    readout_s, velocity, spin = (frame.row.get(name) for name in MOTION)
    return bool(readout_s) and bool(np.any(velocity or 0.0) or np.any(spin or 0.0))


def _motion(frame: Frame, y_px: NDArray[Any]) -> tuple[Array, Array, Array]:
    readout_s, velocity, spin = (np.asarray(frame.row[name], np.float64) for name in MOTION)
    time_s = ((np.asarray(y_px) + 0.5) / frame.height - 0.5) * readout_s
    return time_s, velocity, np.broadcast_to(spin, (len(time_s), 3))
