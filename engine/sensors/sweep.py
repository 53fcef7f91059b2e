"""Sweeps of a LiDAR on the host: where it sits, and its returns as a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.frames import Frames
from engine.sensors.lidar import Lidar

VALUES = ("x", "y", "z", "range_m", "intensity", "time_s", "azimuth_rad")  # columns of Frames.lidar_value
IDS = ("instance", "channel")  # of Frames.lidar_id
NO_RETURN = -1
SENSOR_AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])  # x ahead, y left, z up, in the camera's


@dataclass(frozen=True)
class Sweep:
    """What a LiDAR reported in one world at one step; beams without a return are there, too."""

    value: NDArray[np.float32]  # [beam, return, 7]: VALUES
    id: NDArray[np.int32]  # [beam, return, 2]: IDS
    world_from_sensor: NDArray[np.float64]  # [3, 4], at the start of the sweep


POINT = np.dtype(
    [(name, "<f4") for name in VALUES]
    + [("channel", "<i4"), ("return_number", "u1"), ("returns", "u1"), ("instance", "<i4"), ("class_id", "<i4")]
)  # fmt: skip


def world_from_sensor(lidar: Lidar, world_from_camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the poses of a LiDAR at the start of its sweeps, [..., 3, 4], given those of the camera it sits at."""
    mount = lidar.mount
    axes = world_from_camera[..., :3] @ SENSOR_AXES
    axes = axes / np.linalg.norm(axes, axis=-2, keepdims=True)
    if mount.upright:
        axes = _upright(axes)
    roll, pitch, yaw = np.radians(mount.rotation_deg)
    turned = axes @ _turn(2, yaw) @ _turn(1, pitch) @ _turn(0, roll)
    origin = world_from_camera[..., 3:] + axes @ np.asarray(mount.offset_m, np.float64)[:, None]
    return np.concatenate([turned, origin], axis=-1)


def _upright(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return axes with z up and the heading kept; of a camera that looks straight up or down, that of its top."""
    ahead, top = axes[..., 0], axes[..., 2]
    is_steep = np.hypot(ahead[..., 0], ahead[..., 1]) < 1.0e-6
    flat = np.where(is_steep[..., None], -np.sign(ahead[..., 2:]) * top, ahead)
    flat = flat * [1.0, 1.0, 0.0]
    x = flat / np.linalg.norm(flat, axis=-1, keepdims=True)
    z = np.broadcast_to([0.0, 0.0, 1.0], x.shape)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _turn(axis: int, angle_rad: float) -> NDArray[np.float64]:
    """Return the rotation about an axis."""
    out = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[i, i] = out[j, j] = np.cos(angle_rad)
    out[j, i], out[i, j] = np.sin(angle_rad), -np.sin(angle_rad)
    return out


def sweep_of(lidar: Lidar, frames: Frames, view: int) -> Sweep:
    """Return the sweep of the world and step of a view, which must be one of the camera that the LiDAR sits at.

    Raises:
        ValueError: If `lidar` was not rendered.
    """
    if frames.lidar_value is None or frames.lidar_id is None:
        raise ValueError("sweeps were not rendered; add lidar to outputs")
    row = view // (len(frames.keys.world) // len(frames.lidar_value))
    pose = world_from_sensor(lidar, frames.keys.world_from_camera[view])
    return Sweep(frames.lidar_value[row], frames.lidar_id[row], pose)


def points_of(sweep: Sweep, class_of_instance: NDArray[np.int32]) -> NDArray[np.void]:
    """Return the returns of a sweep as a table of `POINT`, in the order of beams; misses are left out."""
    there = sweep.id[..., 0] != NO_RETURN
    beam, number = np.nonzero(there)
    out = np.zeros(len(beam), POINT)
    value, ids = sweep.value[beam, number], sweep.id[beam, number]
    for column, name in enumerate(VALUES):
        out[name] = value[:, column]
    out["instance"], out["channel"] = ids[:, 0], ids[:, 1]
    out["class_id"] = class_of_instance[ids[:, 0]]
    out["return_number"], out["returns"] = number + 1, there.sum(axis=1)[beam]
    return out
