"""Cameras mounted together: every camera of a rig, randomised or not, carries the same group of cameras.

Randomisers move and change the carrier; the group follows as one rigid body, and its frames replace the carrier's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.lens.fit import fit_lens
from engine.optics import Mount
from engine.randomize.pose import compose, cross
from engine.recipe import Rig
from engine.scene.model import Camera

PER_CAMERA = (  # arrays [row, camera, ...] of a draft
    *("world_from_camera", "focal_px", "center_px", "exposure_ev", "exposure", "lens_model", "lens_coefficients"),
    *("lens_limit", "clip_m", "f_stop", "focus_distance_m", "shutter_s", "sensor", "augment", "pixel_pitch_m"),
    *("camera_velocity_m_s", "camera_spin_rad_s"),
)


def frame_names(cameras: Sequence[Camera], rig: Rig) -> tuple[str, ...]:
    """Return the names of all that make frames: of the cameras, or `<camera>:<mount>` of what they carry."""
    if rig.mounts is None:
        return tuple(camera.name for camera in cameras)
    return tuple(f"{camera.name}:{mount}" for camera in cameras for mount in rig.mounts)


def mounted(draft: Draft, rig: Rig) -> Draft:
    """Return a draft of a rig's carriers as one of all that they carry; the same draft if they carry nothing.

    Raises:
        UserError: If the lens of a mount does not fit.
    """
    if rig.mounts is None:
        return draft
    count = len(rig.mounts)
    parts: dict[str, Any] = {name: np.repeat(getattr(draft, name), count, axis=1) for name in PER_CAMERA}
    out = dataclasses.replace(draft, **parts)
    for index, (name, mount) in enumerate(rig.mounts.items()):
        cameras = np.arange(index, out.world_from_camera.shape[1], count)
        carrier = out.world_from_camera[:, cameras]
        out.world_from_camera[:, cameras] = compose(carrier, camera_from_mount(mount))
        arm_m = out.world_from_camera[:, cameras][..., 3] - carrier[..., 3]
        out.camera_velocity_m_s[:, cameras] += cross(out.camera_spin_rad_s[:, cameras], arm_m)
        if mount.lens is not None:
            fit_lens(out, cameras, mount.lens, (rig.width, rig.height), where=f"rig.mounts.{name}.lens")
    return out


def camera_from_mount(mount: Mount) -> NDArray[np.float64]:
    """Return the pose [3, 4] of a mounted camera in the frame of its carrier."""
    pan, tilt, roll = np.radians([mount.pan_deg, mount.tilt_deg, mount.roll_deg])
    turn = compose(_about(1, pan), compose(_about(0, tilt), _about(2, roll)))
    turn[:, 3] = mount.right_m, mount.up_m, mount.back_m
    return turn


def _about(axis: int, angle_rad: float) -> NDArray[np.float64]:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    pose = np.zeros((3, 4))
    pose[axis, axis] = 1.0
    pose[first, first] = pose[second, second] = np.cos(angle_rad)
    pose[second, first], pose[first, second] = np.sin(angle_rad), -np.sin(angle_rad)
    return pose
