"""Cameras on ways through a scene: somewhere in a corridor, or driving along a path from step to step.

A way leads through anchors of a kind, in the order of their paths (their middles, at the height of their frames), or
through listed points. Its left side is the one to the left of someone who walks it upright. At the corner of
a linear way that side turns at once, and what keeps beside the way leaps: drives take `catmull_rom`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.cameras.camera import check_focal, place_cameras, rig_camera_indices, zoom_cameras
from engine.randomize.cameras.clearance import Clearance, Room, first_clear
from engine.randomize.cameras.polyline import Curve, Way, way_through
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, LENGTH_RANGE_M, Law, check_support
from engine.randomize.pose import cross, length, look_at
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

Array = NDArray[np.float64]

SPEED_RANGE_M_S = (-1.0e3, 1.0e3)
FREQUENCY_RANGE_HZ = (0.0, 1.0e3)
MOST_CHECKED = 64  # steps of a drive whose places must be clear, spread over all of it
LEVEL = 1.0e-9  # a direction with less of it across is vertical
MOMENT_S = 1.0e-3  # over which speed and turning of a camera are measured, before and after a frame


@dataclass(frozen=True)
class WayPoints:
    """Where a way leads."""

    anchors: str | None  # kind of the anchors that it leads through; null: points_m
    points_m: tuple[tuple[float, float, float], ...] | None  # in the world; null: anchors
    curve: Curve  # linear | catmull_rom

    def __post_init__(self) -> None:
        if (self.anchors is None) == (self.points_m is None):
            raise ValueError("give either anchors or points_m, and null for the other")
        if self.points_m is not None:
            way_through(np.array(self.points_m, np.float64).reshape(-1, 3), self.curve)


@dataclass(frozen=True)
class CameraCorridor:
    """Anywhere along a way and some distance beside it, looking along it."""

    STAGE: ClassVar[Stage] = Stage.CAMERA
    CANDIDATES: ClassVar[tuple[str, ...]] = ("share", "side_m", "up_m")
    cameras: Glob
    way: WayPoints
    share: Law  # of the way's length, 0: its beginning
    side_m: Law  # to the left of the way
    up_m: Law  # above it
    pan_deg: Law  # of the view from the way's direction, positive to the left
    tilt_deg: Law  # positive upwards
    roll_deg: Law
    backward: Law  # probability of looking to the way's beginning
    focal_mm: Law | None
    clear: Clearance

    def __post_init__(self) -> None:
        check_support("share", self.share, 0.0, 1.0)
        check_support("backward", self.backward, 0.0, 1.0)
        check_support("tilt_deg", self.tilt_deg, -89.0, 89.0)
        for name in ("side_m", "up_m"):
            check_support(name, getattr(self, name), *LENGTH_RANGE_M)
        for name in ("pan_deg", "roll_deg"):
            check_support(name, getattr(self, name), *ANGLE_RANGE_DEG)
        check_focal(self.focal_mm)


@dataclass(frozen=True)
class CameraPath:
    """Along a way from step to step, at the speed that its motion blur has; all steps need room."""

    STAGE: ClassVar[Stage] = Stage.CAMERA
    CANDIDATES: ClassVar[tuple[str, ...]] = ("start_share", "side_m", "up_m", "bob_m")
    cameras: Glob
    way: WayPoints
    start_share: Law  # of the way's length, where step 0 is; beyond its ends the way goes on straight
    speed_m_s: Law  # below 0: backwards
    step_s: float  # from step to step
    ahead_m: Law  # how far ahead on the way the camera looks
    side_m: Law
    up_m: Law
    bob_m: Law  # how far the camera goes up and down
    bob_hz: Law
    roll_deg: Law
    focal_mm: Law | None
    clear: Clearance

    def __post_init__(self) -> None:
        check_support("start_share", self.start_share, 0.0, 1.0)
        check_support("speed_m_s", self.speed_m_s, *SPEED_RANGE_M_S)
        check_support("ahead_m", self.ahead_m, 0.01, LENGTH_RANGE_M[1])
        check_support("bob_hz", self.bob_hz, *FREQUENCY_RANGE_HZ)
        for name in ("side_m", "up_m", "bob_m"):
            check_support(name, getattr(self, name), *LENGTH_RANGE_M)
        check_support("roll_deg", self.roll_deg, *ANGLE_RANGE_DEG)
        if not 1.0e-6 <= self.step_s <= 1.0e6:
            raise ValueError(f"step_s must be in 1e-06..1e+06, got {self.step_s:g}")
        check_focal(self.focal_mm)


@RANDOMIZERS.register("camera_corridor", CameraCorridor)
def camera_corridor(params: CameraCorridor, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Put cameras into a corridor."""
    cameras = rig_camera_indices(params.cameras, draw)
    way, count = _way(params.way, scene, draw), len(cameras)

    def candidate(number: int) -> tuple[Array, ...]:
        share, side_m, up_m = drawn = [
            draw.sample(key, getattr(params, key), count=count, dimension=number) for key in params.CANDIDATES
        ]
        position_m, forward = _beside(way, share * way.length_m, side_m, up_m)
        return position_m, forward, *drawn

    position_m, forward, *kept = first_clear(Room.of(params.clear, scene, draft, draw), candidate)
    for key, values in zip(params.CANDIDATES, kept, strict=True):
        draw.record(key, values)
    backward = draw.uniform("backward", count=count) < draw.law("backward_probability", params.backward, count=count)
    draw.record("backward", backward)
    pan_rad = np.deg2rad(draw.law("pan_deg", params.pan_deg, count=count))
    tilt_rad = np.deg2rad(draw.law("tilt_deg", params.tilt_deg, count=count))
    forward = np.where(backward[..., None], -forward, forward)
    left, up = _sides(forward)
    level = np.cos(pan_rad)[..., None] * forward + np.sin(pan_rad)[..., None] * left
    look = np.cos(tilt_rad)[..., None] * level + np.sin(tilt_rad)[..., None] * up
    place_cameras(cameras, position_m, position_m + look, params.roll_deg, draft, draw)
    zoom_cameras(cameras, params.focal_mm, draft, draw)


@RANDOMIZERS.register("camera_path", CameraPath)
def camera_path(params: CameraPath, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Drive cameras along a way, and set the velocity and spin that they have there."""
    cameras = rig_camera_indices(params.cameras, draw)
    count, way = len(cameras), _way(params.way, scene, draw)
    now_s = (draft.step.astype(np.float64) * params.step_s)[:, None]
    fixed = [draw.law(key, getattr(params, key), count=count) for key in ("speed_m_s", "ahead_m", "bob_hz")]
    steps = np.unique(np.linspace(0, draw.rig.steps - 1, MOST_CHECKED).round()) * params.step_s

    def candidate(number: int) -> tuple[Array, ...]:
        drawn = [draw.sample(key, getattr(params, key), count=count, dimension=number) for key in params.CANDIDATES]
        passed = [_driven(way, np.full_like(now_s, time_s), drawn, fixed)[0] for time_s in steps]
        return (np.stack(passed, axis=2), *drawn)

    room = Room.of(params.clear, scene, draft, draw)
    _, *drawn = first_clear(room, candidate, points=lambda passed, *_: passed)
    for key, values in zip(params.CANDIDATES, drawn, strict=True):
        draw.record(key, values)
    position_m, target_m = _driven(way, now_s, drawn, fixed)
    place_cameras(cameras, position_m, target_m, params.roll_deg, draft, draw)
    zoom_cameras(cameras, params.focal_mm, draft, draw)
    no_roll = np.zeros(position_m.shape[:2])
    before, after = (look_at(*_driven(way, now_s + dt_s, drawn, fixed), no_roll) for dt_s in (-MOMENT_S, MOMENT_S))
    draft.camera_velocity_m_s[:, cameras] = (after[..., 3] - before[..., 3]) / (2.0 * MOMENT_S)
    draft.camera_spin_rad_s[:, cameras] = _turn(before, after) / (2.0 * MOMENT_S)


def _driven(way: Way, time_s: Array, drawn: list[Array], fixed: list[Array]) -> tuple[Array, Array]:
    """Return where cameras are and what they look at [row, camera, 3] some time [row, 1] after step 0."""
    (start_share, side_m, up_m, bob_m), (speed_m_s, ahead_m, bob_hz) = drawn, fixed
    along_m = start_share * way.length_m + speed_m_s * time_s
    up_m = up_m + bob_m * np.sin(2.0 * np.pi * bob_hz * time_s)
    return _beside(way, along_m, side_m, up_m)[0], _beside(way, along_m + ahead_m, side_m, up_m)[0]


def _way(way: WayPoints, scene: Scene, draw: Draw) -> Way:
    """Return the way of a randomiser.

    Raises:
        UserError: If there are not two anchors apart.
    """
    if way.points_m is not None:
        return way_through(np.array(way.points_m, np.float64), way.curve)
    assert way.anchors is not None
    found = select.anchors(scene, way.anchors, draw.where("way.anchors"))
    try:
        return way_through(np.array([anchor.world_from_anchor[:, 3] for anchor in found]), way.curve)
    except ValueError as error:
        raise UserError(f"{draw.where('way.anchors')}: {error}; '{way.anchors}' has {len(found)} anchors") from None


def _beside(way: Way, along_m: Array, side_m: Array, up_m: Array) -> tuple[Array, Array]:
    """Return points [..., 3] beside a way, and its directions there."""
    forward = way.direction(along_m)
    left, _ = _sides(forward)
    vertical = np.array([0.0, 0.0, 1.0])
    return way.at(along_m) + side_m[..., None] * left + up_m[..., None] * vertical, forward


def _sides(forward: Array) -> tuple[Array, Array]:
    """Return what is left of unit directions [..., 3], level, and what is above them; of vertical ones y is left."""
    left = np.stack([-forward[..., 1], forward[..., 0], np.zeros(forward.shape[:-1])], axis=-1)
    size = length(left)[..., None]
    left = np.where(size > LEVEL, left / np.maximum(size, LEVEL), np.array([0.0, 1.0, 0.0]))
    return left, cross(forward, left)


def _turn(before: Array, after: Array) -> Array:
    """Return the rotation vector [..., 3] that takes poses [..., 3, 4] to others which are turned by less than 90 deg.

    Source: the axis of a rotation matrix is its antisymmetric part, of length sin(angle).
    """
    sine = 0.5 * np.asarray(sum(cross(before[..., :, k], after[..., :, k]) for k in range(3)))
    size = length(sine)
    angle_rad = np.arcsin(np.minimum(size, 1.0))
    return sine * np.where(size > 0.0, angle_rad / np.where(size > 0.0, size, 1.0), 1.0)[..., None]
