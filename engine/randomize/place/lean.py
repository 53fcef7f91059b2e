"""Lean: what stands on a place is shifted as a whole and leans, its upper layers farther than the lower ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.bounds import world_boxes
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, LENGTH_RANGE_M, Law, check_support
from engine.randomize.pose import dot, rotate
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

Array = NDArray[np.float64]

MOST_LEAN_DEG = 30.0
DECK_SLACK_M = 1.0e-3


@dataclass(frozen=True)
class Lean:
    """Loads that do not stand straight; nothing interpenetrates that did not before.

    All that stands over an anchor's floor is moved by one affine map of the world: a shift, and a shear along the floor
    that grows with the height above it. With `shear`, the things themselves are sheared, as film and what it holds;
    without, each layer is moved by the shear at its foot and slides over the one below. Where a load would leave the
    anchor's box, shift and lean are scaled down together until it does not; what is outside
    already, as an end of film, does not count.
    """

    STAGE: ClassVar[Stage] = Stage.SHIFT
    items: Glob  # instances
    anchors: str  # kind of the places; their boxes are the room that a load has
    probability: Law  # that a load is moved at all, drawn per world
    shift_x_m: Law  # of the whole load, in the anchor's frame
    shift_y_m: Law
    lean_deg: Law  # off the vertical
    toward_deg: Law  # where it leans, 0: along the anchor's x, 90: its y
    deck_m: tuple[float, float] | None  # what the load should not reach beyond: `overhang_m`; null: not measured
    shear: bool

    def __post_init__(self) -> None:
        check_support("probability", self.probability, 0.0, 1.0)
        check_support("shift_x_m", self.shift_x_m, *LENGTH_RANGE_M)
        check_support("shift_y_m", self.shift_y_m, *LENGTH_RANGE_M)
        check_support("lean_deg", self.lean_deg, 0.0, MOST_LEAN_DEG)
        check_support("toward_deg", self.toward_deg, *ANGLE_RANGE_DEG)
        if self.deck_m is not None and min(self.deck_m) <= 0.0:
            raise ValueError(f"deck_m must be above 0, got {list(self.deck_m)}")


@RANDOMIZERS.register("lean", Lean)
def lean(params: Lean, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Move the load of every anchor."""
    items = select.instances(scene, params.items, draw.where("items"))
    anchors = select.anchors(scene, params.anchors, draw.where("anchors"))
    count = len(anchors)
    probability = draw.law("probability", params.probability)
    moved = draw.uniform("moved", count=count) < probability[:, None]
    asked = {
        key: draw.sample(key, getattr(params, key), count=count)
        for key in ("shift_x_m", "shift_y_m", "lean_deg", "toward_deg")
    }
    slope = np.where(moved, np.tan(np.deg2rad(asked["lean_deg"])), 0.0)
    toward = np.deg2rad(asked["toward_deg"])
    shift = np.stack([np.where(moved, asked["shift_x_m"], 0.0), np.where(moved, asked["shift_y_m"], 0.0)], axis=-1)
    tilt = slope[..., None] * np.stack([np.cos(toward), np.sin(toward)], axis=-1)  # metres along for each metre up
    center_m, half_m = world_boxes(draw.bounds, draft.world_from_instance)
    applied = np.zeros((len(draft.world), count))
    overhang_m = np.zeros((len(draft.world), count))
    for number, anchor in enumerate(anchors):
        frame = anchor.world_from_anchor
        center = _inside(frame, center_m[:, items])
        half = rotate(np.abs(frame[:, :3]).T, half_m[:, items])
        foot = center[..., 2] - half[..., 2]
        size = np.array(anchor.size_m)
        there = (np.abs(center[..., :2]) <= 0.5 * size[:2]).all(axis=-1) & (foot >= -0.5 * half[..., 2])
        there &= (foot <= size[2]) & draft.visible[:, items]
        base = np.maximum(foot, 0.0) if params.shear else _layer_foot(there, foot, foot + 2.0 * half[..., 2])
        boxes = _Boxes(center, half, base, params.shear)
        scale = _scale_that_fits(there, boxes, size, shift[:, number], tilt[:, number])
        move, slant = shift[:, number] * scale[:, None], tilt[:, number] * scale[:, None]
        row, item = np.nonzero(there)
        _shear(draft, (row, items[item]), frame, (move[row], slant[row]), base[row, item], params.shear)
        applied[:, number] = np.where(there.any(axis=1) & moved[:, number], scale, 0.0)
        if params.deck_m is not None:
            on_deck = there & (foot >= -DECK_SLACK_M)  # film reaches below it
            overhang_m[:, number] = _overhang(on_deck, boxes, (move, slant), params.deck_m)
    draw.record("lean_deg", np.rad2deg(np.arctan(slope * applied)))
    draw.record("toward_deg", asked["toward_deg"])
    draw.record("shift_x_m", shift[..., 0] * applied)
    draw.record("shift_y_m", shift[..., 1] * applied)
    if params.deck_m is not None:
        draw.record("overhang_m", overhang_m)


def _inside(frame: Array, point: Array) -> Array:
    """Return points [..., 3] of the world in the frame [3, 4] of an anchor, whose axes are orthonormal."""
    return rotate(frame[:, :3].T, point - frame[:, 3])


@dataclass(frozen=True)
class _Boxes:
    """What stands in a place, in its frame."""

    center: Array  # [row, item, 3]
    half: Array  # [row, item, 3]
    base: Array  # [row, item], height by which the lower end of an item moves, and all of one that is not sheared
    shear: bool

    def reach(self, move: Array, slant: Array) -> tuple[Array, Array]:
        """Return least and greatest x and y [row, item, 2] after a move and slant [row, 2]."""
        top = self.center[..., 2] + self.half[..., 2]
        at_foot = move[:, None] + slant[:, None] * self.base[..., None]
        at_top = move[:, None] + slant[:, None] * (top if self.shear else self.base)[..., None]
        low = self.center[..., :2] - self.half[..., :2] + np.minimum(at_foot, at_top)
        return low, self.center[..., :2] + self.half[..., :2] + np.maximum(at_foot, at_top)


def _layer_foot(there: NDArray[np.bool_], foot: Array, top: Array) -> Array:
    """Return the height [row, item] of the lower side of each item's layer.

    A layer ends where a level plane cuts no item: what stands beside each other moves together and never meets.
    """
    order = np.argsort(np.where(there, foot, np.inf), axis=1, kind="stable")
    low = np.take_along_axis(foot, order, axis=1)
    known = np.take_along_axis(there, order, axis=1)
    high = np.maximum.accumulate(np.where(known, np.take_along_axis(top, order, axis=1), -np.inf), axis=1)
    begins = np.ones(low.shape, np.bool_)
    begins[:, 1:] = low[:, 1:] >= high[:, :-1] - DECK_SLACK_M
    layer = np.maximum.accumulate(np.where(begins & known, low, -np.inf), axis=1)
    out = np.empty_like(foot)
    np.put_along_axis(out, order, layer, axis=1)
    return np.where(there, np.maximum(out, 0.0), 0.0)


def _scale_that_fits(there: NDArray[np.bool_], boxes: _Boxes, size: Array, move: Array, slant: Array) -> Array:
    """Return the greatest share [row] of move and slant, at most 1, with which all boxes stay in the room."""
    still_low, still_high = boxes.reach(np.zeros_like(move), np.zeros_like(slant))
    low, high = boxes.reach(move, slant)
    scale = np.ones(len(move))
    for still, after, limit in ((still_high, high, 0.5 * size[:2]), (-still_low, -low, 0.5 * size[:2])):
        step = after - still
        share = np.where(step > 1.0e-12, np.maximum(limit - still, 0.0) / np.maximum(step, 1.0e-12), 1.0)
        share = np.where(there[..., None] & (still <= limit), share, 1.0)
        scale = np.minimum(scale, share.min(axis=(1, 2)))
    return scale


def _shear(
    draft: Draft,
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
    frame: Array,
    step: tuple[Array, Array],
    base_m: Array,
    shear: bool,
) -> None:
    """Move instances: by `step` = (move, slant) [place, 2] in the frame of the anchor."""
    row, instance = at
    pose = draft.world_from_instance[row, instance]
    along = frame[:, :2].T  # [2, 3], the floor's axes in the world
    move = step[0][:, :1] * along[0] + step[0][:, 1:] * along[1]
    slant = step[1][:, :1] * along[0] + step[1][:, 1:] * along[1]
    if shear:
        height = pose[:, 0] * frame[0, 2] + pose[:, 1] * frame[1, 2] + pose[:, 2] * frame[2, 2]  # of axes and origin
        height[:, 3] -= dot(frame[:, 2], frame[:, 3])
        pose = pose + slant[:, :, None] * height[:, None, :]
    else:
        pose[:, :, 3] += slant * base_m[:, None]
    pose[:, :, 3] += move
    draft.world_from_instance[row, instance] = pose


def _overhang(there: NDArray[np.bool_], boxes: _Boxes, step: tuple[Array, Array], deck_m: tuple[float, float]) -> Array:
    """Return how far [row] a load reaches beyond the deck, 0: nowhere."""
    low, high = boxes.reach(*step)
    deck = 0.5 * np.array(deck_m)
    beyond = np.maximum(high - deck, -low - deck).max(axis=-1)
    return np.where(there, np.maximum(beyond, 0.0), 0.0).max(axis=1, initial=0.0)
