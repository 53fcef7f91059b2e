"""Poses as [..., 3, 4] arrays. Products are written out: a BLAS may round a row differently in a larger batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_LENGTH = 1.0e-9  # [m], shorter vectors have no direction


def apply(pose: Array, point: Array) -> Array:
    """Return points [..., 3] moved by poses [..., 3, 4]; leading axes broadcast."""
    return rotate(pose, point) + pose[..., 3]


def rotate(pose: Array, vector: Array) -> Array:
    """Return vectors [..., 3] turned (and scaled) by the linear part of poses [..., 3, 3 or 4]."""
    x, y, z = vector[..., 0, None], vector[..., 1, None], vector[..., 2, None]
    return pose[..., :, 0] * x + pose[..., :, 1] * y + pose[..., :, 2] * z


def compose(outer: Array, inner: Array) -> Array:
    """Return `outer * inner` for poses [..., 3, 4]; leading axes broadcast."""
    columns = [rotate(outer, inner[..., :, column]) for column in range(3)]
    return np.stack([*columns, apply(outer, inner[..., :, 3])], axis=-1)


def pose_of(x: Array, y: Array, z: Array, origin: Array) -> Array:
    """Return poses [..., 3, 4] with these axes and origins, each [..., 3]."""
    return np.stack([x, y, z, origin], axis=-1)


def turned_about_z(yaw_rad: Array, origin: Array) -> Array:
    """Return poses [..., 3, 4]: a turn about z (counter-clockwise seen from above), then a shift."""
    cos, sin, zero = np.cos(yaw_rad), np.sin(yaw_rad), np.zeros_like(yaw_rad)
    x, y = np.stack([cos, sin, zero], axis=-1), np.stack([-sin, cos, zero], axis=-1)
    return pose_of(x, y, np.stack([zero, zero, zero + 1.0], axis=-1), origin)


def turns_about_z(yaw_rad: Array) -> Array:
    """Return rotations [..., 3, 3] about z."""
    return turned_about_z(yaw_rad, np.zeros((*yaw_rad.shape, 3)))[..., :3]


def dot(a: Array, b: Array) -> Array:
    """Return dot products over the last axis of 3."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def cross(a: Array, b: Array) -> Array:
    """Return cross products over the last axis of 3."""
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        axis=-1,
    )


def length(vector: Array) -> Array:
    """Return lengths over the last axis of 3."""
    return np.asarray(np.sqrt(dot(vector, vector)))


def direction(azimuth_rad: Array, elevation_rad: Array) -> Array:
    """Return unit vectors [..., 3]: azimuth from +x towards +y, elevation above the horizon."""
    across = np.cos(elevation_rad)
    return np.stack([across * np.cos(azimuth_rad), across * np.sin(azimuth_rad), np.sin(elevation_rad)], axis=-1)


def facing(back: Array, roll_rad: Array) -> tuple[Array, Array, Array]:
    """Return the axes (right, up, back) of cameras or lights whose +z is `back` (unit), upright before the roll.

    Where `back` is vertical, the image's up is world +y. A positive roll turns the camera counter-clockwise as seen
    from behind it, so the picture turns clockwise.
    """
    vertical = np.abs(back[..., 2]) > 1.0 - MIN_LENGTH
    upward = np.where(vertical[..., None], np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    right = cross(upward, back)
    right = right / length(right)[..., None]
    up = cross(back, right)
    cos, sin = np.cos(roll_rad)[..., None], np.sin(roll_rad)[..., None]
    return cos * right + sin * up, cos * up - sin * right, back


def look_at(position_m: Array, target_m: Array, roll_rad: Array) -> Array:
    """Return camera poses [..., 3, 4] at `position_m` that look along -z at `target_m`; y is up in the picture.

    A target in the camera's own place is seen straight down.
    """
    away = position_m - target_m
    distance = length(away)[..., None]
    back = np.where(distance > MIN_LENGTH, away / np.maximum(distance, MIN_LENGTH), np.array([0.0, 0.0, 1.0]))
    right, up, back = facing(back, roll_rad)
    return pose_of(right, up, back, position_m)
