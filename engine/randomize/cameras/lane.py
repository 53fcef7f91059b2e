"""Lanes: a vehicle that carries the cameras along one, and traffic that goes on from step to step.

The carrying vehicle has no mesh: its room is a box along the lane, which no visible thing may reach into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.bounds import world_boxes
from engine.randomize.cameras.camera import rig_camera_indices
from engine.randomize.cameras.motion import SPEED_RANGE_M_S
from engine.randomize.draw import Draw
from engine.randomize.law import LENGTH_RANGE_M, Law, check_support
from engine.randomize.pose import apply, dot, look_at
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

Array = NDArray[np.float64]

MOST_TRIES = 1024
CLEARANCE_M = 0.3  # below the vehicle, and above its cameras: kerbs and roads are no obstacles


@dataclass(frozen=True)
class CameraLane:
    """Cameras on a vehicle anywhere on a lane, looking along it.

    A lane is an anchor: its x is where traffic goes, its box holds the camera's foot. Up to `tries` places are drawn
    and the first is taken where the vehicle's room is free; where none is, the one with the fewest things in it, and
    the column `clear` is false.
    """

    STAGE: ClassVar[Stage] = Stage.CAMERA
    cameras: Glob  # of the rig
    lanes: str  # kind of the anchors
    height_m: Law  # above the lane
    behind_m: float  # room of the vehicle, from the camera
    ahead_m: float  # the same; the headway included
    beside_m: float  # to either side
    tries: int

    def __post_init__(self) -> None:
        check_support("height_m", self.height_m, *LENGTH_RANGE_M)
        for name in ("behind_m", "ahead_m", "beside_m"):
            if not 0.0 <= getattr(self, name) <= LENGTH_RANGE_M[1]:
                raise ValueError(f"{name} must be from 0 to {LENGTH_RANGE_M[1]:g}, got {getattr(self, name):g}")
        if not 1 <= self.tries <= MOST_TRIES:
            raise ValueError(f"tries must be in 1..{MOST_TRIES}, got {self.tries}")


@dataclass(frozen=True)
class Advance:
    """Things and cameras that go straight on from step to step, each along its own heading.

    Something heads along its x, a camera where it looks, both on the level. At step k it is `k step_s` seconds on from
    where the world began; while a shutter is open it moves at the same speed.
    """

    STAGE: ClassVar[Stage] = Stage.MOTION
    instances: Glob | None
    cameras: Glob | None
    speed_m_s: Law  # one for all of them, so that those on one lane keep their distances
    step_s: float  # from a step to the next

    def __post_init__(self) -> None:
        check_support("speed_m_s", self.speed_m_s, *SPEED_RANGE_M_S)
        if not 0.0 <= self.step_s <= 1.0e4:
            raise ValueError(f"step_s must be from 0 to 1e4, got {self.step_s:g}")
        if self.instances is None and self.cameras is None:
            raise ValueError("instances and cameras are both null; name what advances")


@dataclass(frozen=True)
class _Places:
    """Candidates of every camera: where its foot is and how its lane lies, [row, camera, ...]."""

    lane: NDArray[np.int64]
    foot_m: Array
    ahead: Array
    left: Array

    def where(self, taken: NDArray[np.bool_], other: _Places) -> _Places:
        """Return these places, those of `other` where they are taken."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("lane", "foot_m", "ahead", "left"))
        return _Places(*(np.where(taken if a.ndim == 2 else taken[..., None], b, a) for a, b in pairs))


@RANDOMIZERS.register("camera_lane", CameraLane)
def camera_lane(params: CameraLane, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Put cameras on lanes."""
    cameras = rig_camera_indices(params.cameras, draw)
    lanes = select.anchors(scene, params.lanes, draw.where("lanes"))
    frames, size_m = np.array([a.world_from_anchor for a in lanes]), np.array([a.size_m for a in lanes])
    height_m = draw.law("height_m", params.height_m, count=len(cameras))
    boxes = world_boxes(draw.bounds, draft.world_from_instance)
    solid = draft.visible & draw.bounds.solid

    def candidate(number: int) -> _Places:
        u = [draw.uniform("place", count=len(cameras), dimension=3 * number + axis) for axis in range(3)]
        lane = np.minimum((u[0] * len(lanes)).astype(np.int64), len(lanes) - 1)
        local_m = np.stack([u[1] - 0.5, u[2] - 0.5, np.zeros_like(u[0])], axis=-1) * size_m[lane]
        return _Places(lane, apply(frames[lane], local_m), frames[lane][..., 0], frames[lane][..., 1])

    places = candidate(0)
    crowd = _crowd(params, places, height_m, boxes, solid)
    tried = np.ones(crowd.shape, np.int32)
    for number in range(1, params.tries):
        searching = crowd > 0
        if not searching.any():
            break
        new = candidate(number)
        new_crowd = _crowd(params, new, height_m, boxes, solid)
        better = searching & (new_crowd < crowd)
        places, crowd = places.where(better, new), np.where(better, new_crowd, crowd)
        tried += searching
    position_m = places.foot_m + np.stack([np.zeros_like(height_m), np.zeros_like(height_m), height_m], axis=-1)
    for axis, name in enumerate("xyz"):
        draw.record(f"{name}_m", position_m[..., axis])
    draw.record("lane", np.array([anchor.path for anchor in lanes])[places.lane])
    draw.record("tried", tried)
    draw.record("clear", crowd == 0)
    draft.world_from_camera[:, cameras] = look_at(position_m, position_m + places.ahead, np.zeros_like(height_m))


def _crowd(
    params: CameraLane, places: _Places, height_m: Array, boxes: tuple[Array, Array], solid: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return how many things reach into each vehicle's room, [row, camera]."""
    center_m, half_m = (values[:, None] for values in boxes)  # [row, 1, instance, 3]
    offset_m = center_m - places.foot_m[:, :, None]
    ahead, left = places.ahead[:, :, None], places.left[:, :, None]
    along_m, half_along_m = dot(offset_m, ahead), dot(half_m, np.abs(ahead))
    across_m, half_across_m = dot(offset_m, left), dot(half_m, np.abs(left))
    rise_m, half_rise_m = offset_m[..., 2], half_m[..., 2]
    inside = (along_m + half_along_m > -params.behind_m) & (along_m - half_along_m < params.ahead_m)
    inside &= np.abs(across_m) - half_across_m < params.beside_m
    inside &= (rise_m + half_rise_m > CLEARANCE_M) & (rise_m - half_rise_m < height_m[..., None] + CLEARANCE_M)
    return np.asarray((inside & solid[:, None]).sum(axis=-1))


@RANDOMIZERS.register("advance", Advance)
def advance(params: Advance, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Move things on to where they are at their step."""
    speed_m_s = draw.law("speed_m_s", params.speed_m_s)
    elapsed_s = params.step_s * draft.step.astype(np.float64)
    if params.instances is not None:
        chosen = select.instances(scene, params.instances, draw.where("instances"))
        velocity = speed_m_s[:, None, None] * _level(draft.world_from_instance[:, chosen][..., 0])
        draft.world_from_instance[:, chosen] += _shift(elapsed_s, velocity)
        draft.instance_velocity_m_s[:, chosen] = velocity
    if params.cameras is not None:
        cameras = rig_camera_indices(params.cameras, draw)
        velocity = speed_m_s[:, None, None] * _level(-draft.world_from_camera[:, cameras][..., 2])
        draft.world_from_camera[:, cameras] += _shift(elapsed_s, velocity)
        draft.camera_velocity_m_s[:, cameras] = velocity


def _shift(elapsed_s: Array, velocity_m_s: Array) -> Array:
    """Return what a time adds to poses [row, k, 3, 4]."""
    step_m = elapsed_s[:, None, None] * velocity_m_s
    return np.concatenate([np.zeros((*step_m.shape, 3)), step_m[..., None]], axis=-1)


def _level(direction: Array) -> Array:
    """Return directions [..., 3] on the level, of length 1; zero where they are vertical."""
    flat = direction * np.array([1.0, 1.0, 0.0])
    size = np.sqrt(dot(flat, flat))[..., None]
    return np.where(size > 1.0e-6, flat / np.maximum(size, 1.0e-6), 0.0)
