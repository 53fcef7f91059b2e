"""Frames of cameras, LiDARs and objects as formats want them: every turn between conventions is here and named.

Ours: a camera's x is right, y up, and it looks along -z. OpenCV, KITTI's rectified camera and BOP: x right, y down, z
ahead. KITTI's velodyne, and our LiDARs: x ahead, y left, z up. An object: x ahead, y left, z up. `a_from_b` takes what
is given in b to a; poses are [3, 4] or [4, 4], metres.
"""

from __future__ import annotations

import math

import numpy as np

from engine.errors import UserError
from engine.formats.record import Array, Frame, Instance, Solid
from engine.lens.model import LensModel

OPENCV_FROM_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])  # half a turn about x; its own inverse
HALF_PIXEL = np.array([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])  # of a camera matrix
KITTI_FROM_OBJECT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # of an object with rotation_y 0
PINHOLE = LensModel.PINHOLE.name.lower()
CORNER_SIGNS = np.array([[(i >> axis & 1) - 0.5 for axis in range(3)] for i in range(8)])  # bit a of i: +1/2 along a


def homogeneous(pose: Array) -> Array:
    """Return a pose [3, 4] or [4, 4] as a matrix [4, 4]."""
    return np.vstack([np.asarray(pose, np.float64)[:3], [0.0, 0.0, 0.0, 1.0]])


def inverse(pose: Array) -> Array:
    """Return the inverse [4, 4] of a rigid pose."""
    out = np.eye(4)
    out[:3, :3] = pose[:3, :3].T
    out[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return out


def rigid(pose: Array) -> Array:
    """Return a pose [4, 4] whose axes have the length 1: a camera may stand below a scaled prim."""
    out = homogeneous(pose)
    out[:3, :3] /= np.linalg.norm(out[:3, :3], axis=0)
    return out


def centered(pose: Array, solid: Solid) -> Array:
    """Return the pose [4, 4] of the centre of an object's box, given that of the object."""
    out = homogeneous(pose)
    out[:3, 3] = moved(out, np.asarray(solid.center_m))
    return out


def opencv_k(k: Array) -> Array:
    """Return K for pixels that are counted from the centre of the first, as OpenCV does; ours count from its corner."""
    return np.asarray(k, np.float64) - HALF_PIXEL


def corner_k(k: Array) -> Array:
    """Return our K of one of OpenCV; undoes `opencv_k`."""
    return np.asarray(k, np.float64) + HALF_PIXEL


def camera_pose(frame: Frame) -> Array:
    """Return `world_from_camera` [4, 4] of a frame, rigid.

    Raises:
        UserError: If the frame has none.
    """
    if frame.world_from_camera is None:
        raise UserError(f"frame {frame.id} has no camera pose, which this format needs")
    return rigid(frame.world_from_camera)


def opencv_from_world(frame: Frame) -> Array:
    """Return the pose of the world in the camera of a frame, OpenCV's axes."""
    return OPENCV_FROM_CAMERA @ inverse(camera_pose(frame))


def opencv_from_object(frame: Frame, solid: Solid) -> Array:
    """Return the pose of an object in the camera of a frame, OpenCV's axes."""
    return opencv_from_world(frame) @ homogeneous(solid.world_from_object)


def world_from_opencv(pose: Array, world_from_camera: Array) -> Array:
    """Return a pose that is given in OpenCV's axes of a camera, in the world."""
    return rigid(world_from_camera) @ OPENCV_FROM_CAMERA @ homogeneous(pose)


def camera_from_opencv_world(opencv_from_world_pose: Array) -> Array:
    """Return `world_from_camera` of a pose of the world in OpenCV's axes; undoes `opencv_from_world`."""
    return inverse(homogeneous(opencv_from_world_pose)) @ OPENCV_FROM_CAMERA


def box_corners(solid: Solid) -> Array:
    """Return the corners [8, 3] of a box in its object's frame; bit a of corner i: +size/2 along axis a."""
    return np.asarray(solid.center_m) + CORNER_SIGNS * np.asarray(solid.size_m)


def moved(pose: Array, points: Array) -> Array:
    """Return points [..., 3] by a pose."""
    return np.asarray(points) @ pose[:3, :3].T + pose[:3, 3]


def projected(projection: Array, points_m: Array) -> Array:
    """Return pixels [..., 2] of points [..., 3] by a matrix [3, 3] or [3, 4]; no numbers behind the camera."""
    seen = np.asarray(points_m) @ projection[:, :3].T + (projection[:, 3] if projection.shape[1] == 4 else 0.0)
    with np.errstate(all="ignore"):
        return np.where(seen[..., 2:] > 0.0, seen[..., :2] / seen[..., 2:], np.nan)


def is_pinhole(frame: Frame) -> bool:
    """Return whether a frame was seen by a pinhole camera, without distortion."""
    return bool((frame.row.get("lens_model") or PINHOLE) == PINHOLE)


def pinhole_k(frame: Frame, file_format: str) -> Array:
    """Return K [3, 3] of a frame.

    Raises:
        UserError: If it was not seen by a pinhole camera, or has no K.
    """
    if not is_pinhole(frame):
        raise UserError(
            f"frame {frame.id} has the lens {frame.row['lens_model']}; {file_format} holds pinhole cameras only: "
            "lens=as_authored"
        )
    if frame.k is None:
        raise UserError(f"frame {frame.id} has no camera matrix, which {file_format} needs")
    return frame.k


def solid_of(frame: Frame, instance: Instance, file_format: str) -> Solid:
    """Return the pose and box of an instance.

    Raises:
        UserError: If the dataset has none.
    """
    if instance.solid is None:
        raise UserError(
            f"frame {frame.id}, instance {instance.id}: {file_format} needs poses and boxes in space, which this "
            "dataset has not; make it again, or export kitti-2d, coco or voc, which do without"
        )
    return instance.solid


def wrapped(angle_rad: float) -> float:
    """Return an angle in [-pi, pi)."""
    return (angle_rad + math.pi) % (2.0 * math.pi) - math.pi
