"""Near: instances at a drawn distance and bearing from one that is there, as people around a forklift truck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.bounds import world_boxes
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support
from engine.randomize.place.clutter import MOST_ITEMS, MOST_TRIES
from engine.randomize.place.footprint import Footprints, footprints
from engine.randomize.place.placing import footprint, items_of, put_down
from engine.randomize.pose import turned_about_z
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

Array = NDArray[np.float64]

HALVINGS = 48  # of the interval in which a distance along a ray is searched


@dataclass(frozen=True)
class Near:
    """Items on the floor around one of `to` that is visible, which one is drawn; what finds no place is hidden.

    The distance is that of the middle of an item's foot to the footprint of what it is near to; the bearing is seen
    from the middle of that footprint. Up to `tries` pairs are drawn for each item.
    """

    STAGE: ClassVar[Stage] = Stage.CLUTTER
    items: Glob  # instances
    to: Glob  # instances
    count: Law  # items a world, where something to be near to is visible
    distance_m: Law
    bearing_deg: Law  # 0: ahead, along the x of what it is near to; 90: on its left, 180: behind it
    yaw_deg: Law  # about the vertical
    inside: str | None  # kind of the anchors on whose floors feet must stand; null: anywhere
    gap_m: float  # least distance between the item's footprint and those to avoid
    avoid: Glob | None  # instances whose footprints are taken where they are visible, beside the items themselves
    tries: int

    def __post_init__(self) -> None:
        check_support("count", self.count, 0, MOST_ITEMS)
        check_support("distance_m", self.distance_m, 0.0, 1.0e6)
        check_support("bearing_deg", self.bearing_deg, *ANGLE_RANGE_DEG)
        check_support("yaw_deg", self.yaw_deg, *ANGLE_RANGE_DEG)
        if self.gap_m < 0.0:
            raise ValueError(f"gap_m must not be negative, got {self.gap_m:g}")
        if not 1 <= self.tries <= MOST_TRIES:
            raise ValueError(f"tries must be in 1..{MOST_TRIES}, got {self.tries}")


@RANDOMIZERS.register("near", Near)
def near(params: Near, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Put items down one after the other, in the order of their paths."""
    items = items_of(scene, draw.bounds, select.instances(scene, params.items, draw.where("items")))
    count, rows = len(items.instance), len(draft.world)
    draft.visible[:, items.instance] = False
    to, center = _chosen(params, scene, draft, draw)
    asked = np.minimum(np.floor(draw.law("count", params.count)).astype(np.int64), count) * (to > 0)
    yaw_rad = np.deg2rad(draw.law("yaw_deg", params.yaw_deg, count=count))
    taken_center_m, taken_half_m = _taken(params, scene, draft, draw, count)
    floors = _floors(params, scene, draw)
    drawn = {key: np.full((rows, count), np.nan) for key in ("distance_m", "bearing_deg")}
    for number in range(int(asked.max(initial=0))):
        size_m = items.size_m[number]
        waiting = np.flatnonzero(number < asked)
        for attempt in range(params.tries):
            if not len(waiting):
                break
            tried = {
                key: draw.sample(key, getattr(params, key), count=count, dimension=attempt)[waiting, number]
                for key in drawn
            }
            spot = _spot(_rows(center, waiting), tried["distance_m"], np.deg2rad(tried["bearing_deg"]))
            half_m = 0.5 * np.stack(footprint(size_m, yaw_rad[waiting, number]), axis=-1)
            apart = np.abs(taken_center_m[waiting] - spot[:, None]) - taken_half_m[waiting] - half_m[:, None]
            lands = (apart.max(axis=-1) >= params.gap_m).all(axis=1) & floors.hold(spot)
            row = waiting[lands]
            foot_m = np.concatenate([spot[lands], center.height_m[row, None]], axis=-1)
            chosen = np.full(len(row), number)
            put_down(items, chosen, turned_about_z(yaw_rad[row, number], foot_m), row, draft)
            taken_center_m[row, number], taken_half_m[row, number] = spot[lands], half_m[lands]
            for key, values in drawn.items():
                values[row, number] = tried[key][lands]
            waiting = waiting[~lands]
    placed = np.isfinite(drawn["distance_m"])
    draw.record("to", to.astype(np.int32))
    draw.record("placed", placed.sum(axis=1).astype(np.int32))
    draw.record("failed", (asked - placed.sum(axis=1)).astype(np.int32))
    for key, values in drawn.items():
        draw.record(key, values)


@dataclass(frozen=True)
class _Center:
    """What items come near to, one a row."""

    print_m: Footprints  # [row]
    height_m: Array  # [row], of its foot


@dataclass(frozen=True)
class _Floors:
    """Where feet may stand."""

    world_from_anchor: Array | None  # [anchor, 3, 4]; None: anywhere
    size_m: Array  # [anchor, 2]

    def hold(self, spot_m: Array) -> NDArray[np.bool_]:
        """Return whether points [row, 2] lie on one of the floors."""
        if self.world_from_anchor is None:
            return np.ones(len(spot_m), np.bool_)
        held = np.zeros(len(spot_m), np.bool_)
        for pose, size_m in zip(self.world_from_anchor, self.size_m, strict=True):
            offset = spot_m - pose[:2, 3]
            local = [offset[:, 0] * pose[0, axis] + offset[:, 1] * pose[1, axis] for axis in (0, 1)]
            held |= (np.abs(local[0]) <= 0.5 * size_m[0]) & (np.abs(local[1]) <= 0.5 * size_m[1])
        return held


def _floors(params: Near, scene: Scene, draw: Draw) -> _Floors:
    if params.inside is None:
        return _Floors(None, np.zeros((0, 2)))
    anchors = select.anchors(scene, params.inside, draw.where("inside"))
    return _Floors(np.array([a.world_from_anchor for a in anchors]), np.array([a.size_m[:2] for a in anchors]))


def _rows(center: _Center, rows: NDArray[np.int64]) -> Footprints:
    print_m = center.print_m
    return Footprints(print_m.center_m[rows], print_m.axis[rows], print_m.half_m[rows])


def _chosen(params: Near, scene: Scene, draft: Draft, draw: Draw) -> tuple[NDArray[np.int64], _Center]:
    """Return what to be near to [row], 0 where none of them is visible, and where it stands."""
    to = select.instances(scene, params.to, draw.where("to"))
    there = draft.visible[:, to] & draw.bounds.solid[to]
    rank = np.where(there, draw.uniform("to_order", count=len(to)), np.inf)
    first = np.argmin(rank, axis=1)
    every = footprints(draw.bounds, draft.world_from_instance, to)
    row = np.arange(len(draft.world))
    picked = Footprints(every.center_m[row, first], every.axis[row, first], every.half_m[row, first])
    center_m, half_m = world_boxes(draw.bounds, draft.world_from_instance)
    foot = (center_m - half_m)[row, to[first], 2]
    return np.where(there.any(axis=1), to[first], 0), _Center(picked, foot)


def _taken(params: Near, scene: Scene, draft: Draft, draw: Draw, count: int) -> tuple[Array, Array]:
    """Return middles and half sizes [row, box, 2] of footprints in use, after `count` places for those to come."""
    rows = len(draft.world)
    center_m, half_m = np.zeros((rows, count, 2)), np.full((rows, count, 2), -np.inf)
    if params.avoid is None:
        return center_m, half_m
    avoid = select.instances(scene, params.avoid, draw.where("avoid"))
    box_center_m, box_half_m = world_boxes(draw.bounds, draft.world_from_instance)
    there = draft.visible[:, avoid] & draw.bounds.solid[avoid]
    used_m = np.where(there[..., None], box_half_m[:, avoid, :2], -np.inf)
    return (
        np.concatenate([center_m, box_center_m[:, avoid, :2]], axis=1),
        np.concatenate([half_m, used_m], axis=1),
    )


def _spot(center: Footprints, distance_m: Array, bearing_rad: Array) -> Array:
    """Return the points [row, 2] on rays from the middle of rectangles that lie so far outside of them.

    The distance grows along the ray, so that halving an interval finds it.
    """
    cos, sin = np.cos(bearing_rad), np.sin(bearing_rad)
    ahead = np.stack(
        [center.axis[:, 0] * cos - center.axis[:, 1] * sin, center.axis[:, 1] * cos + center.axis[:, 0] * sin], axis=-1
    )
    low = np.zeros(len(distance_m))
    high = distance_m + np.sqrt(center.half_m[:, 0] ** 2 + center.half_m[:, 1] ** 2)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        beyond = center.distance_m(center.center_m + ahead * middle[:, None]) >= distance_m
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return np.asarray(center.center_m + ahead * high[:, None])
