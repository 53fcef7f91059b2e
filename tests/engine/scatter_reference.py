"""Scatter in plain NumPy, item after item and try after try: the referee of kernels/place.py, to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.bounds import world_boxes
from engine.randomize.draw import Draw
from engine.randomize.place.clutter import Scatter
from engine.randomize.place.placing import FIT_SLACK_M, footprint, items_of, put_down, standing_place
from engine.randomize.select import Glob
from engine.scene.model import Anchor, Scene

Array = NDArray[np.float64]


@dataclass
class _Taken:
    """Footprints that are in use, along the world's x and y."""

    center_m: Array  # [row, box, 2]
    half_m: Array  # [row, box, 2], -inf: no box

    def is_free(self, rows: NDArray[np.int64], center_m: Array, half_m: Array, gap_m: float) -> NDArray[np.bool_]:
        """Return whether boxes [row, 2] keep a gap to all that are in use in their rows."""
        apart = np.abs(self.center_m[rows] - center_m[:, None]) - self.half_m[rows] - half_m[:, None]
        return np.asarray((apart.max(axis=-1) >= gap_m).all(axis=1))


@dataclass(frozen=True)
class _Darts:
    """Where items may land: the floors of anchors, each point equally likely."""

    world_from_anchor: Array  # [anchor, 3, 4]
    size_m: Array  # [anchor, 2]
    draw: Draw

    def throw(
        self, rows: NDArray[np.int64], item: NDArray[np.int64], size_m: Array, yaw_rad: Array, number: int
    ) -> Any:
        """Return a place [row, 3, 4] for each item, its world half footprint [row, 2] and whether it fits there."""
        u = [self.draw.uniform_at("place", rows, item, 3 * number + axis) for axis in range(3)]
        share = np.cumsum(self.size_m[:, 0] * self.size_m[:, 1])
        anchor = np.minimum(np.searchsorted(share, u[0] * share[-1], side="right"), len(share) - 1)
        room_m = self.size_m[anchor] - np.stack(footprint(size_m, yaw_rad), axis=-1)
        foot_m = (np.stack([u[1], u[2]], axis=-1) - 0.5) * np.maximum(room_m, 0.0)
        foot_m = np.concatenate([foot_m, np.zeros((len(rows), 1))], axis=-1)
        place = standing_place(self.world_from_anchor[anchor], yaw_rad, foot_m)
        half_m = 0.5 * (np.abs(place[:, :2, 0]) * size_m[:, :1] + np.abs(place[:, :2, 1]) * size_m[:, 1:2])
        return place, half_m, (room_m >= -FIT_SLACK_M).all(axis=1)


def scatter_in_numpy(params: Scatter, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Throw items, in a fresh random order in every world."""
    items = items_of(scene, draw.bounds, select.instances(scene, params.items, draw.where("items")))
    available = len(items.instance)
    asked = np.minimum(np.floor(draw.law("count", params.count)).astype(np.int64), available)
    yaw_rad = np.deg2rad(draw.law("yaw_deg", params.yaw_deg, count=available))  # [row, item]
    order = np.argsort(draw.uniform("order", count=available), axis=1, kind="stable")
    darts = _darts(select.anchors(scene, params.anchors, draw.where("anchors")), draw)
    draft.visible[:, items.instance] = False
    taken = _obstacles(params.avoid, int(asked.max(initial=0)), scene, draft, draw)
    placed = np.zeros(len(draft.world), np.int32)
    for number in range(int(asked.max(initial=0))):
        waiting = np.flatnonzero(number < asked)
        for attempt in range(params.tries):
            if not len(waiting):
                break
            item = order[waiting, number]
            place, half_m, fits = darts.throw(waiting, item, items.size_m[item], yaw_rad[waiting, item], attempt)
            lands = fits & taken.is_free(waiting, place[:, :2, 3], half_m, params.gap_m)
            rows = waiting[lands]
            taken.center_m[rows, number], taken.half_m[rows, number] = place[lands, :2, 3], half_m[lands]
            put_down(items, item[lands], place[lands], rows, draft)
            placed[rows] += 1
            waiting = waiting[~lands]
    draw.record("placed", placed)
    draw.record("failed", (asked - placed).astype(np.int32))


def _darts(anchors: tuple[Anchor, ...], draw: Draw) -> _Darts:
    """Return the floors of anchors.

    Raises:
        UserError: If none has an area.
    """
    size_m = np.array([anchor.size_m[:2] for anchor in anchors])
    if not (size_m > 0.0).all(axis=1).any():
        raise UserError(f"{draw.where('anchors')}: none of the anchors has a floor; author ommatidia:size")
    return _Darts(np.array([anchor.world_from_anchor for anchor in anchors]), size_m, draw)


def _obstacles(avoid: Glob | None, free: int, scene: Scene, draft: Draft, draw: Draw) -> _Taken:
    """Return the footprints of visible instances to avoid, after `free` places for those to come."""
    rows = len(draft.world)
    center_m, half_m = np.zeros((rows, free, 2)), np.full((rows, free, 2), -np.inf)
    if avoid is None:
        return _Taken(center_m, half_m)
    instances = select.instances(scene, avoid, draw.where("avoid"))
    box_center_m, box_half_m = world_boxes(draw.bounds, draft.world_from_instance)
    there = draft.visible[:, instances] & draw.bounds.solid[instances]
    in_use_m = np.where(there[..., None], box_half_m[:, instances, :2], -np.inf)
    return _Taken(
        np.concatenate([center_m, box_center_m[:, instances, :2]], axis=1), np.concatenate([half_m, in_use_m], axis=1)
    )
