"""Cameras: look into a volume, orbit an object, choose an authored one, shake it, change its exposure.

A new position keeps clear of what is visible: up to `tries` candidates are drawn by counter and the first clear one is
taken; where none is, the one with most room is taken and the column `clear` is false. See clearance.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.lens.fit import fit_lens
from engine.randomize import select
from engine.randomize.bounds import world_boxes
from engine.randomize.cameras.clearance import Clearance, Room, first_clear
from engine.randomize.draw import Draw
from engine.randomize.law import (
    ANGLE_RANGE_DEG,
    LENGTH_RANGE_M,
    STOPS_RANGE,
    Law,
    Uniform,
    check_support,
)
from engine.randomize.laws.columns import Choices
from engine.randomize.pose import apply, compose, direction, look_at
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.camera import authored_model, intrinsics, pixel_pitch_m
from engine.scene.model import Anchor, Scene

Array = NDArray[np.float64]

FOCAL_RANGE_MM = (0.1, 100_000.0)
CENTRED = Uniform(-0.5, 0.5)  # shares of an anchor's box, from its middle


@dataclass(frozen=True)
class CameraLook:
    """Anywhere in one volume, looking anywhere into another."""

    STAGE: ClassVar[Stage] = Stage.CAMERA
    cameras: Glob  # cameras of the rig
    position_in: str  # kind of the anchors whose boxes hold the camera
    look_in: str  # kind of the anchors whose boxes hold the point in the picture's middle
    roll_deg: Law  # counter-clockwise seen from behind the camera
    focal_mm: Law | None  # null: as authored
    clear: Clearance

    def __post_init__(self) -> None:
        check_support("roll_deg", self.roll_deg, *ANGLE_RANGE_DEG)
        check_focal(self.focal_mm)


@dataclass(frozen=True)
class CameraOrbit:
    """On a sphere around an object or an anchor, looking at it."""

    STAGE: ClassVar[Stage] = Stage.CAMERA
    CANDIDATES: ClassVar[tuple[str, ...]] = ("distance_m", "azimuth_deg", "elevation_deg")
    cameras: Glob
    around: Glob  # instances; one that is visible is chosen, and the middle of its box is looked at
    distance_m: Law
    azimuth_deg: Law  # 0: the camera stands on the +x side, 90: on the +y side
    elevation_deg: Law  # above the horizon
    roll_deg: Law
    focal_mm: Law | None
    clear: Clearance

    def __post_init__(self) -> None:
        check_support("distance_m", self.distance_m, 1.0e-3, 1.0e6)
        check_support("azimuth_deg", self.azimuth_deg, *ANGLE_RANGE_DEG)
        check_support("elevation_deg", self.elevation_deg, -90.0, 90.0)
        check_support("roll_deg", self.roll_deg, *ANGLE_RANGE_DEG)
        check_focal(self.focal_mm)


@dataclass(frozen=True)
class CameraChoice:
    """The pose and lens of one of the authored cameras."""

    STAGE: ClassVar[Stage] = Stage.CAMERA
    CHOICES: ClassVar[Choices] = {"camera": (None, "weights")}
    cameras: Glob
    among: Glob  # authored cameras
    weights: tuple[float, ...] | None  # in the order of the cameras in the scene; null: equal


@dataclass(frozen=True)
class CameraJitter:
    """A small move in the camera's own frame, wherever it is."""

    STAGE: ClassVar[Stage] = Stage.CAMERA_JITTER
    cameras: Glob
    right_m: Law
    up_m: Law
    back_m: Law
    pan_deg: Law  # about the camera's up, positive to the left
    tilt_deg: Law  # about its right, positive upwards
    roll_deg: Law
    focal_scale: Law  # multiplies the focal length

    def __post_init__(self) -> None:
        for name in ("right_m", "up_m", "back_m"):
            check_support(name, getattr(self, name), *LENGTH_RANGE_M)
        for name in ("pan_deg", "tilt_deg", "roll_deg"):
            check_support(name, getattr(self, name), *ANGLE_RANGE_DEG)
        check_support("focal_scale", self.focal_scale, 1.0e-3, 1.0e3)


@dataclass(frozen=True)
class CameraExposure:
    """Exposure of the rig's cameras."""

    STAGE: ClassVar[Stage] = Stage.CAMERA_JITTER
    cameras: Glob
    stops: Law  # added to the rig's exposure

    def __post_init__(self) -> None:
        check_support("stops", self.stops, *STOPS_RANGE)


@RANDOMIZERS.register("camera_look", CameraLook)
def camera_look(params: CameraLook, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Put cameras into volumes."""
    homes = select.anchors(scene, params.position_in, draw.where("position_in"))
    views = select.anchors(scene, params.look_in, draw.where("look_in"))
    cameras = rig_camera_indices(params.cameras, draw)

    def candidate(number: int) -> tuple[Array, Array]:
        return _in_anchors(homes, "position", number, draw, len(cameras)), look_m

    look_m = _in_anchors(views, "look", 0, draw, len(cameras))
    position_m, target_m = first_clear(Room.of(params.clear, scene, draft, draw), candidate)
    place_cameras(cameras, position_m, target_m, params.roll_deg, draft, draw)
    zoom_cameras(cameras, params.focal_mm, draft, draw)


@RANDOMIZERS.register("camera_orbit", CameraOrbit)
def camera_orbit(params: CameraOrbit, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Put cameras on spheres around objects."""
    targets = select.instances(scene, params.around, draw.where("around"))
    cameras = rig_camera_indices(params.cameras, draw)
    chosen = targets[_pick(draft.visible[:, targets], draw.uniform("around", count=len(cameras)))]
    draw.record("around", np.asarray(scene.instances.path)[chosen])
    center_m, _ = world_boxes(draw.bounds, draft.world_from_instance)
    target_m = np.take_along_axis(center_m, chosen[:, :, None], axis=1)

    laws = {key: getattr(params, key) for key in params.CANDIDATES}

    def candidate(number: int) -> tuple[Array, ...]:
        drawn = {key: draw.sample(key, law, count=len(cameras), dimension=number) for key, law in laws.items()}
        outwards = direction(np.deg2rad(drawn["azimuth_deg"]), np.deg2rad(drawn["elevation_deg"]))
        return target_m + drawn["distance_m"][..., None] * outwards, target_m.copy(), *drawn.values()

    position_m, target_m, *kept = first_clear(Room.of(params.clear, scene, draft, draw), candidate)
    for key, values in zip(laws, kept, strict=True):
        draw.record(key, values)
    place_cameras(cameras, position_m, target_m, params.roll_deg, draft, draw)
    zoom_cameras(cameras, params.focal_mm, draft, draw)


@RANDOMIZERS.register("camera_choice", CameraChoice)
def camera_choice(params: CameraChoice, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Give cameras of the rig the pose and lens of authored ones."""
    names = tuple(camera.name for camera in scene.cameras)
    among = select.select(params.among, names, what="camera", where=draw.where("among"))
    cameras = rig_camera_indices(params.cameras, draw)
    authored = [scene.cameras[index] for index in among]
    k = np.array([intrinsics(camera, draw.rig.width, draw.rig.height) for camera in authored])
    index = draw.choice("camera", tuple(c.name for c in authored), params.weights, count=len(cameras))
    draft.world_from_camera[:, cameras] = np.array([camera.world_from_camera for camera in authored])[index]
    draft.focal_px[:, cameras] = k[:, (0, 1), (0, 1)][index]
    draft.center_px[:, cameras] = k[:, (0, 1), (2, 2)][index]
    draft.lens_model[:, cameras] = np.array([authored_model(camera) for camera in authored])[index]
    if draw.rig.lens is not None:
        fit_lens(draft, cameras, draw.rig.lens, (draw.rig.width, draw.rig.height), where="rig.lens")
    if draw.rig.clip:
        draft.clip_m[:, cameras] = np.array([camera.clip_m for camera in authored])[index]
    draft.pixel_pitch_m[:, cameras] = np.array([pixel_pitch_m(camera, draw.rig.width) for camera in authored])[index]
    for name in ("exposure", "f_stop", "focus_distance_m", "shutter_s"):
        getattr(draft, name)[:, cameras] = np.array([getattr(camera, name) for camera in authored])[index]


@RANDOMIZERS.register("camera_jitter", CameraJitter)
def camera_jitter(params: CameraJitter, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Shift and turn cameras in their own frames, and change their focal lengths by a factor."""
    cameras = rig_camera_indices(params.cameras, draw)
    laws = {"right_m": params.right_m, "up_m": params.up_m, "back_m": params.back_m}
    shift_m = np.stack([draw.law(key, law, count=len(cameras)) for key, law in laws.items()], axis=-1)
    pan, tilt, roll = (
        np.deg2rad(draw.law(key, law, count=len(cameras)))
        for key, law in {"pan_deg": params.pan_deg, "tilt_deg": params.tilt_deg, "roll_deg": params.roll_deg}.items()
    )
    turn = compose(_about(1, pan), compose(_about(0, tilt), _about(2, roll)))
    turn[..., 3] = shift_m
    draft.world_from_camera[:, cameras] = compose(draft.world_from_camera[:, cameras], turn)
    draft.focal_px[:, cameras] *= draw.law("focal_scale", params.focal_scale, count=len(cameras))[..., None]


@RANDOMIZERS.register("camera_exposure", CameraExposure)
def camera_exposure(params: CameraExposure, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Add stops to the exposure of cameras."""
    cameras = rig_camera_indices(params.cameras, draw)
    draft.exposure_ev[:, cameras] += draw.law("stops", params.stops, count=len(cameras)).astype(np.float32)


def rig_camera_indices(globs: Glob, draw: Draw) -> NDArray[np.int64]:
    """Return which cameras of the rig globs select."""
    names = [camera.name for camera in draw.cameras]
    return select.select(globs, names, what="camera of the rig", where=draw.where("cameras"))


def _in_anchors(anchors: tuple[Anchor, ...], key: str, number: int, draw: Draw, count: int) -> Array:
    """Return candidate points [row, camera, 3] in the boxes of anchors, each anchor equally likely."""
    pick = (draw.uniform(f"{key}_anchor", count=count, dimension=number) * len(anchors)).astype(np.int64)
    share = [draw.sample(key, CENTRED, count=count, dimension=3 * number + axis) for axis in range(3)]
    size_m = np.array([anchor.size_m for anchor in anchors])[pick]
    local_m = np.stack([share[0], share[1], share[2] + 0.5], axis=-1) * size_m
    return apply(np.array([anchor.world_from_anchor for anchor in anchors])[pick], local_m)


def place_cameras(
    cameras: NDArray[np.int64], position_m: Array, target_m: Array, roll_deg: Law, draft: Draft, draw: Draw
) -> None:
    """Set and record where cameras [row, camera, 3] stand and look."""
    for axis, name in enumerate("xyz"):
        draw.record(f"{name}_m", position_m[..., axis])
        draw.record(f"look_{name}_m", target_m[..., axis])
    roll_rad = np.deg2rad(draw.law("roll_deg", roll_deg, count=len(cameras)))
    draft.world_from_camera[:, cameras] = look_at(position_m, target_m, roll_rad)


def zoom_cameras(cameras: NDArray[np.int64], focal_mm: Law | None, draft: Draft, draw: Draw) -> None:
    """Set focal lengths, unless the rig's lens does; the sensor of each camera stays as authored."""
    if focal_mm is None or (draw.rig.lens is not None and draw.rig.lens.sets_focal):
        return
    flat = [draw.cameras[camera].name for camera in cameras if draw.cameras[camera].orthographic]
    if flat:
        raise UserError(f"{draw.where('focal_mm')}: {flat[0]} is orthographic and has no focal length; use null")
    authored_mm = np.array([draw.cameras[camera].focal_length_mm for camera in cameras])
    scale = draw.law("focal_mm", focal_mm, count=len(cameras)) / authored_mm
    draft.focal_px[:, cameras] *= scale[..., None]


def _pick(allowed: NDArray[np.bool_], uniform: Array) -> NDArray[np.int64]:
    """Return which of the allowed columns [row, k] each number [row, camera] falls on; among all where none is."""
    allowed = allowed | ~allowed.any(axis=1, keepdims=True)
    rank = (uniform * allowed.sum(axis=1)[:, None]).astype(np.int64)
    order = np.argsort(~allowed, axis=1, kind="stable")  # allowed columns first, in their own order
    return np.take_along_axis(order, rank, axis=1)


def _about(axis: int, angle_rad: Array) -> Array:
    """Return poses [..., 3, 4] that turn about one of their own axes, right-handed."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    pose = np.zeros((*angle_rad.shape, 3, 4))
    pose[..., axis, axis] = 1.0
    pose[..., first, first] = pose[..., second, second] = np.cos(angle_rad)
    pose[..., second, first], pose[..., first, second] = np.sin(angle_rad), -np.sin(angle_rad)
    return pose


def check_focal(focal_mm: Law | None) -> None:
    """Refuse a law of focal lengths that leaves what lenses have."""
    if focal_mm is not None:
        check_support("focal_mm", focal_mm, *FOCAL_RANGE_MM)
