"""Slots: which instances stand in which anchors of a kind. Whatever is left over is hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, LENGTH_RANGE_M, Law, check_support
from engine.randomize.place.placing import FIT_SLACK_M, Items, at_origin, footprint, items_of, put_down, standing_place
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Anchor, Scene

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Slots:
    """Instances into anchors, each at most once, each anchor at most one.

    An anchor is filled with the probability `occupancy`, only when all its supports are filled and some item that is
    left fits into its box (a side of 0 holds anything). Which item: a fresh random order in every world, the first that
    fits. With `settle`, an item stands on top of the highest of its supports' items instead of on its anchor's floor.
    """

    STAGE: ClassVar[Stage] = Stage.PLACE
    items: Glob  # instances
    anchors: str  # kind of the anchors
    occupancy: Law  # share of anchors that are wanted, drawn per world
    x_m: Law  # shift in the anchor's frame
    y_m: Law
    yaw_deg: Law  # about the anchor's z
    settle: bool
    by: Literal["box", "origin"] = (
        "box"  # what stands on the anchor: the middle of the lower face of an item's authored
    )
    # box, turned as authored; or its own origin, its axes along the anchor's: what is not centred, such as torn film

    def __post_init__(self) -> None:
        check_support("occupancy", self.occupancy, 0.0, 1.0)
        check_support("x_m", self.x_m, *LENGTH_RANGE_M)
        check_support("y_m", self.y_m, *LENGTH_RANGE_M)
        check_support("yaw_deg", self.yaw_deg, *ANGLE_RANGE_DEG)


@RANDOMIZERS.register("slots", Slots)
def slots(params: Slots, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Fill anchors, lower ones first."""
    items = items_of(scene, draw.bounds, select.instances(scene, params.items, draw.where("items")))
    if params.by == "origin":
        items = replace(items, stood_from_instance=at_origin(items.stood_from_instance))
    anchors = select.anchors(scene, params.anchors, draw.where("anchors"))
    supports = _supports(anchors, draw)
    rows, count = len(draft.world), len(anchors)
    occupancy = draw.law("occupancy", params.occupancy)
    wanted = draw.uniform("wanted", count=count) < occupancy[:, None]
    shift_m = [draw.law(key, law, count=count) for key, law in (("x_m", params.x_m), ("y_m", params.y_m))]
    yaw_rad = np.deg2rad(draw.law("yaw_deg", params.yaw_deg, count=count))
    rank = draw.uniform("order", count=len(items.instance))  # [row, item], inf once taken
    held = np.full((rows, count), -1, np.int64)  # [row, anchor], which item stands there; -1: none
    top_m = np.zeros((rows, count))  # [row, anchor], how high that item's top is
    starved = np.zeros(rows, np.int32)
    draft.visible[:, items.instance] = False
    for anchor in _lower_first(anchors, supports, draw):
        below = supports[anchor]
        ready = wanted[:, anchor] & (held[:, below] >= 0).all(axis=1)
        item, fits = _first_fitting(anchors[anchor], yaw_rad[:, anchor], rank, items)
        starved += ready & ~fits
        filled = np.flatnonzero(ready & fits)
        taken = item[filled]
        held[filled, anchor], rank[filled, taken] = taken, np.inf
        foot_m = np.stack([shift_m[0][filled, anchor], shift_m[1][filled, anchor], np.zeros(len(filled))], axis=-1)
        place = standing_place(anchors[anchor].world_from_anchor, yaw_rad[filled, anchor], foot_m)
        if params.settle and below:
            place[:, 2, 3] = top_m[filled][:, below].max(axis=1)
        top_m[filled, anchor] = place[:, 2, 3] + items.size_m[taken, 2]
        put_down(items, taken, place, filled, draft)
    draw.record("item", np.where(held >= 0, items.instance[held], 0).astype(np.int32))
    draw.record("filled", (held >= 0).sum(axis=1).astype(np.int32))
    draw.record("starved", starved)


def _first_fitting(
    anchor: Anchor, yaw_rad: Array, rank: Array, items: Items
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the lowest-ranked free item [row] whose turned footprint and height fit, and whether there is one."""
    width_m, depth_m = footprint(items.size_m[None], yaw_rad[:, None])
    room_m = [side + FIT_SLACK_M if side > 0.0 else np.inf for side in anchor.size_m]
    fits = (width_m <= room_m[0]) & (depth_m <= room_m[1]) & (items.size_m[:, 2] <= room_m[2])
    order = np.where(fits, rank, np.inf)
    item = np.argmin(order, axis=1)
    return item, np.isfinite(np.take_along_axis(order, item[:, None], axis=1)[:, 0])


def _supports(anchors: tuple[Anchor, ...], draw: Draw) -> list[list[int]]:
    """Return for every anchor the positions of its supports."""
    number = {anchor.path: i for i, anchor in enumerate(anchors)}
    for anchor in anchors:
        for path in anchor.support:
            if path not in number:
                kind = anchor.kind
                raise UserError(
                    f"{draw.where('anchors')}: {anchor.path} stands on {path}, which is no anchor of '{kind}'"
                )
    return [[number[path] for path in anchor.support] for anchor in anchors]


def _lower_first(anchors: tuple[Anchor, ...], supports: list[list[int]], draw: Draw) -> list[int]:
    """Return the anchors so that every one comes after its supports, else by path."""
    order: list[int] = []
    waiting = list(range(len(anchors)))
    while waiting:
        ready = [anchor for anchor in waiting if all(below in order for below in supports[anchor])]
        if not ready:
            raise UserError(f"{draw.where('anchors')}: {anchors[waiting[0]].path} supports itself in a circle")
        order += ready
        waiting = [anchor for anchor in waiting if anchor not in ready]
    return order
