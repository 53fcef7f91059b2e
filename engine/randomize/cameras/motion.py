"""What happens while a shutter is open: how objects and cameras move, for how long they are seen, by what lens.

A pose of a draft is that of the shutter's middle. The rig decides what of this is rendered:
engine/render/exposure.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support
from engine.randomize.pose import direction, rotate
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

SPEED_RANGE_M_S = (-1.0e5, 1.0e5)
SPIN_RANGE_DEG_S = (-3.6e6, 3.6e6)  # ten thousand turns a second
EXPOSURE_RANGE_S = (0.0, 1.0e3)
F_STOP_RANGE = (0.05, 1.0e4)
FOCUS_RANGE_M = (1.0e-3, 1.0e6)


@dataclass(frozen=True)
class Motion:
    """Objects that move straight on and spin about their origins."""

    STAGE: ClassVar[Stage] = Stage.MOTION
    instances: Glob
    speed_m_s: Law
    azimuth_deg: Law  # where they go: 0 is +x, 90 is +y
    elevation_deg: Law  # above the horizon
    spin_deg_s: Law  # about spin_axis, counter-clockwise seen from where it points
    spin_axis: tuple[float, float, float]  # in the world
    together: bool  # one value for all these instances, or one each

    def __post_init__(self) -> None:
        check_support("speed_m_s", self.speed_m_s, *SPEED_RANGE_M_S)
        check_support("azimuth_deg", self.azimuth_deg, *ANGLE_RANGE_DEG)
        check_support("elevation_deg", self.elevation_deg, -90.0, 90.0)
        check_support("spin_deg_s", self.spin_deg_s, *SPIN_RANGE_DEG_S)
        if not 1.0e-6 < np.linalg.norm(self.spin_axis) < 1.0e6:
            raise ValueError(f"spin_axis must be a direction, got {list(self.spin_axis)}")


@dataclass(frozen=True)
class CameraMotion:
    """Cameras that move and turn, in their own frames."""

    STAGE: ClassVar[Stage] = Stage.MOTION
    cameras: Glob
    right_m_s: Law
    up_m_s: Law
    back_m_s: Law
    pan_deg_s: Law  # about the camera's up, positive to the left
    tilt_deg_s: Law  # about its right, positive upwards
    roll_deg_s: Law  # about its axis, counter-clockwise seen from behind

    def __post_init__(self) -> None:
        for name in ("right_m_s", "up_m_s", "back_m_s"):
            check_support(name, getattr(self, name), *SPEED_RANGE_M_S)
        for name in ("pan_deg_s", "tilt_deg_s", "roll_deg_s"):
            check_support(name, getattr(self, name), *SPIN_RANGE_DEG_S)


@dataclass(frozen=True)
class CameraShutter:
    """For how long the shutter is open; its middle stays as authored."""

    STAGE: ClassVar[Stage] = Stage.CAMERA_JITTER
    cameras: Glob
    exposure_s: Law

    def __post_init__(self) -> None:
        check_support("exposure_s", self.exposure_s, *EXPOSURE_RANGE_S)


@dataclass(frozen=True)
class CameraFocus:
    """The aperture, and the depth at which things are sharp."""

    STAGE: ClassVar[Stage] = Stage.CAMERA_JITTER
    cameras: Glob
    f_stop: Law  # focal length over the aperture's diameter
    focus_m: Law  # along the camera's axis

    def __post_init__(self) -> None:
        check_support("f_stop", self.f_stop, *F_STOP_RANGE)
        check_support("focus_m", self.focus_m, *FOCUS_RANGE_M)


@RANDOMIZERS.register("motion", Motion)
def motion(params: Motion, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Set objects in motion."""
    instances = select.instances(scene, params.instances, draw.where("instances"))
    count = 1 if params.together else len(instances)
    speed_m_s = draw.law("speed_m_s", params.speed_m_s, count=count)
    azimuth_rad = np.deg2rad(draw.law("azimuth_deg", params.azimuth_deg, count=count))
    elevation_rad = np.deg2rad(draw.law("elevation_deg", params.elevation_deg, count=count))
    spin_rad_s = np.deg2rad(draw.law("spin_deg_s", params.spin_deg_s, count=count))
    axis = np.asarray(params.spin_axis) / np.linalg.norm(params.spin_axis)
    draft.instance_velocity_m_s[:, instances] = speed_m_s[..., None] * direction(azimuth_rad, elevation_rad)
    draft.instance_spin_rad_s[:, instances] = spin_rad_s[..., None] * axis


@RANDOMIZERS.register("camera_motion", CameraMotion)
def camera_motion(params: CameraMotion, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Set cameras in motion."""
    cameras = _cameras(params.cameras, draw)
    shift = {"right_m_s": params.right_m_s, "up_m_s": params.up_m_s, "back_m_s": params.back_m_s}
    turn = {"tilt_deg_s": params.tilt_deg_s, "pan_deg_s": params.pan_deg_s, "roll_deg_s": params.roll_deg_s}
    own_m_s, own_deg_s = (
        np.stack([draw.law(key, law, count=len(cameras)) for key, law in laws.items()], axis=-1)
        for laws in (shift, turn)
    )
    pose = draft.world_from_camera[:, cameras]
    draft.camera_velocity_m_s[:, cameras] = rotate(pose, own_m_s)
    draft.camera_spin_rad_s[:, cameras] = rotate(pose, np.deg2rad(own_deg_s))


@RANDOMIZERS.register("camera_shutter", CameraShutter)
def camera_shutter(params: CameraShutter, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Change how long shutters are open."""
    cameras = _cameras(params.cameras, draw)
    exposure_s = draw.law("exposure_s", params.exposure_s, count=len(cameras))
    middle_s = draft.shutter_s[:, cameras].mean(axis=-1)
    draft.shutter_s[:, cameras] = np.stack([middle_s - 0.5 * exposure_s, middle_s + 0.5 * exposure_s], axis=-1)


@RANDOMIZERS.register("camera_focus", CameraFocus)
def camera_focus(params: CameraFocus, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Change apertures and focus."""
    cameras = _cameras(params.cameras, draw)
    draft.f_stop[:, cameras] = draw.law("f_stop", params.f_stop, count=len(cameras))
    draft.focus_distance_m[:, cameras] = draw.law("focus_m", params.focus_m, count=len(cameras))


def _cameras(globs: Glob, draw: Draw) -> NDArray[np.int64]:
    names = [camera.name for camera in draw.cameras]
    return select.select(globs, names, what="camera of the rig", where=draw.where("cameras"))
