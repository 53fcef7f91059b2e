"""Stacks: columns of items on anchors, each shifted and turned on the one below, none of them unstable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support, support
from engine.randomize.place.clutter import MOST_TRIES
from engine.randomize.place.overhang import overhang_share
from engine.randomize.place.placing import FIT_SLACK_M, Items, footprint, items_of, put_down, standing_place
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Anchor, Scene

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

MOST_LEVELS = 64


@dataclass(frozen=True)
class Stack:
    """Columns of items, one on each anchor; what is left over is hidden.

    Each item stands level on the one below, as its authored box, of even density. A place for it is drawn up to `tries`
    times; it is taken when no more of the item's footprint hangs over than `overhang`, when the centre of mass of
    everything above each contact stays over that contact, `margin` of its footprint's sides inside, and when the item
    stays inside the anchor's box (a side of 0 is open). A column ends where no item or no place is found.
    """

    STAGE: ClassVar[Stage] = Stage.PLACE
    items: Glob  # instances
    anchors: str  # kind of the anchors
    levels: Law  # items of a column, drawn for each anchor
    overhang: Law  # largest share of an item's footprint that hangs over the one below, drawn for each anchor
    yaw_deg: Law  # of each item about the anchor's z: its limits are those of the law
    margin: float  # share of a footprint's sides between the centre of mass and its edge
    order: Literal["any", "larger_below"]  # which of the items that are left comes next
    tries: int

    def __post_init__(self) -> None:
        check_support("levels", self.levels, 0, MOST_LEVELS)
        check_support("overhang", self.overhang, 0.0, 1.0)
        check_support("yaw_deg", self.yaw_deg, *ANGLE_RANGE_DEG)
        if not 0.0 <= self.margin < 0.5:
            raise ValueError(f"margin must be in [0, 0.5), got {self.margin:g}")
        if not 1 <= self.tries <= MOST_TRIES:
            raise ValueError(f"tries must be in 1..{MOST_TRIES}, got {self.tries}")


@dataclass
class Column:
    """What stands on an anchor in every row, lowest first; positions are in the anchor's frame."""

    foot_m: list[Array] = field(default_factory=list)  # [row, 2] of each level
    half_m: list[Array] = field(default_factory=list)  # [row, 2]
    yaw_rad: list[Array] = field(default_factory=list)  # [row]
    mass: list[Array] = field(default_factory=list)  # [row], 0: nothing stands there

    def is_stable(self, rows: Rows, margin: float) -> NDArray[np.bool_]:
        """Return whether the centre of mass above every contact lies over both of its footprints, some way inside."""
        stable = np.ones(len(rows), bool)
        mass, moment = np.zeros(len(rows)), np.zeros((len(rows), 2))
        for level in range(len(self.mass) - 1, 0, -1):
            mass = mass + self.mass[level][rows]
            moment = moment + self.mass[level][rows, None] * self.foot_m[level][rows]
            center_m = moment / np.maximum(mass, np.finfo(np.float64).tiny)[:, None]
            for side in (level, level - 1):
                offset = center_m - self.foot_m[side][rows]
                local = turned_back(offset, self.yaw_rad[side][rows])
                room_m = (1.0 - 2.0 * margin) * self.half_m[side][rows]
                stable &= (mass == 0.0) | (np.abs(local) <= room_m).all(axis=1)
        return stable


def turned_back(vector: Array, yaw_rad: Array) -> Array:
    """Return vectors [row, 2] in axes that are turned by `yaw_rad`."""
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.stack([cos * vector[:, 0] + sin * vector[:, 1], cos * vector[:, 1] - sin * vector[:, 0]], axis=-1)


@RANDOMIZERS.register("stack", Stack)
def stack(params: Stack, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Build columns, anchor after anchor, from the items that are left."""
    items = items_of(scene, draw.bounds, select.instances(scene, params.items, draw.where("items")))
    anchors = select.anchors(scene, params.anchors, draw.where("anchors"))
    rows, count = len(draft.world), len(anchors)
    levels = np.floor(draw.law("levels", params.levels, count=count)).astype(np.int64)
    overhang = draw.law("overhang", params.overhang, count=count)
    yaw_deg = draw.sample("yaw_deg", params.yaw_deg, count=count * MOST_LEVELS).reshape(rows, count, MOST_LEVELS)
    draw.record("yaw_deg", yaw_deg[..., : _most_levels(params)].reshape(rows, -1))  # also of levels that do not stand
    yaw_rad = np.deg2rad(yaw_deg)
    rank = draw.uniform("order", count=len(items.instance))  # [row, item], inf once taken
    if params.order == "larger_below":
        rank = np.broadcast_to(_smaller_later(items), rank.shape) + np.where(np.isfinite(rank), 0.0, np.inf)
    draft.visible[:, items.instance] = False
    height = np.zeros((rows, count), np.int32)
    reached, cut = np.zeros((rows, count)), np.zeros(rows, np.int32)
    for number, anchor in enumerate(anchors):
        column, top_m = Column(), np.zeros(rows)
        growing = np.arange(rows)
        for level in range(int(levels[:, number].max(initial=0))):
            growing = growing[level < levels[growing, number]]
            yaw = yaw_rad[:, number, level]
            item, found = _next_item(anchor, items, rank[growing], yaw[growing], top_m[growing])
            cut[growing[~found]] += 1
            growing, item = growing[found], item[found]
            if not len(growing):
                break
            _grow(column, items, item, (growing, yaw))
            stays, share = _find_place(column, anchor, (params, overhang[:, number], growing), (number, level), draw)
            cut[growing[~stays]] += 1
            growing, item, share = growing[stays], item[stays], share[stays]
            _leave_out(column, growing, rows)
            foot_m = np.concatenate([column.foot_m[level][growing], top_m[growing, None]], axis=1)
            place = standing_place(anchor.world_from_anchor, yaw[growing], foot_m)
            put_down(items, item, place, growing, draft)
            rank[growing, item] = np.inf
            top_m[growing] += items.size_m[item, 2]
            height[growing, number] += 1
            reached[growing, number] = np.maximum(reached[growing, number], share)
    draw.record("height", height)
    draw.record("hangs_over", reached)
    draw.record("cut", cut)


def _most_levels(params: Stack) -> int:
    """Return how many levels a column may have, at least 1: the same in every batch, and whatever the breadth."""
    return max(1, int(support(params.levels)[1]))


def _smaller_later(items: Items) -> Array:
    """Return the rank of every item: larger footprints first, equal ones by number."""
    area = items.size_m[:, 0] * items.size_m[:, 1]
    rank = np.empty(len(area))
    rank[np.argsort(-area, kind="stable")] = np.arange(len(area))
    return rank


def _next_item(
    anchor: Anchor, items: Items, rank: Array, yaw_rad: Array, top_m: Array
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the first item [row] that is left and fits in the anchor's box above what stands, and whether one does."""
    width_m, depth_m = footprint(items.size_m[None], yaw_rad[:, None])
    room_m = [side + FIT_SLACK_M if side > 0.0 else np.inf for side in anchor.size_m]
    fits = (width_m <= room_m[0]) & (depth_m <= room_m[1]) & (items.size_m[:, 2] <= room_m[2] - top_m[:, None])
    order = np.where(fits, rank, np.inf)
    item = np.argmin(order, axis=1)
    return item, np.isfinite(np.take_along_axis(order, item[:, None], axis=1)[:, 0])


def _grow(column: Column, items: Items, item: NDArray[np.int64], at: tuple[Rows, Array]) -> None:
    """Add a level with an item in some rows, its foot still at the anchor's origin."""
    growing, yaw_rad = at
    rows = len(yaw_rad)
    half_m, mass = np.zeros((rows, 2)), np.zeros(rows)
    half_m[growing] = 0.5 * items.size_m[item, :2]
    mass[growing] = np.prod(items.size_m[item], axis=1)
    column.foot_m.append(np.zeros((rows, 2)))
    column.half_m.append(half_m)
    column.yaw_rad.append(yaw_rad)
    column.mass.append(mass)


def _find_place(
    column: Column, anchor: Anchor, how: tuple[Stack, Array, Rows], at: tuple[int, int], draw: Draw
) -> tuple[NDArray[np.bool_], Array]:
    """Move the top level of a column to a place where it may stand; return where one was found, and what hangs over."""
    params, overhang, growing = how
    number, level = at
    stays, shares = np.zeros(len(growing), bool), np.zeros(len(growing))
    waiting = np.arange(len(growing))
    for attempt in range(params.tries):
        rows = growing[waiting]
        index = np.full(len(rows), number * MOST_LEVELS + level, np.int64)
        u = np.stack([draw.uniform_at("shift", rows, index, 2 * attempt + axis) for axis in range(2)], axis=-1) - 0.5
        width_m = np.stack(footprint(2.0 * column.half_m[level][rows], column.yaw_rad[level][rows]), axis=-1)
        room_m = np.array([side if side > 0.0 else np.inf for side in anchor.size_m[:2]])
        if level == 0:  # anywhere in the box; in the middle of one that is open
            foot_m = u * np.where(np.isfinite(room_m), np.maximum(room_m - width_m, 0.0), 0.0)
            foot_m[:, ~np.isfinite(room_m)] = 0.0
            share, right = np.zeros(len(rows)), np.ones(len(rows), bool)
        else:  # as far as a shift along one axis may go
            below = level - 1
            below_m = np.stack(footprint(2.0 * column.half_m[below][rows], column.yaw_rad[below][rows]), axis=-1)
            reach_m = np.maximum(below_m - (1.0 - 2.0 * overhang[rows, None]) * width_m, 0.0)
            foot_m = column.foot_m[below][rows] + u * reach_m
            column.foot_m[level][rows] = foot_m
            share = overhang_share(
                (foot_m, column.half_m[level][rows], column.yaw_rad[level][rows]),
                (column.foot_m[below][rows], column.half_m[below][rows], column.yaw_rad[below][rows]),
            )
            right = (share <= overhang[rows]) & column.is_stable(rows, params.margin)
            right &= (np.abs(foot_m) + 0.5 * width_m <= 0.5 * room_m + FIT_SLACK_M).all(axis=1)
        column.foot_m[level][rows] = foot_m
        stays[waiting[right]], shares[waiting[right]] = True, share[right]
        waiting = waiting[~right]
        if not len(waiting):
            break
    return stays, shares


def _leave_out(column: Column, standing: Rows, rows: int) -> None:
    """Take the top level away in all rows but some."""
    there = np.zeros(rows, bool)
    there[standing] = True
    column.mass[-1][~there] = 0.0
