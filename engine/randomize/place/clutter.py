"""Scatter: a number of instances anywhere in anchors of a kind, without overlap. Whatever is left over is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support
from engine.randomize.place.placing import items_of
from engine.randomize.place.throwing import Throw, avoided, floors, put_down_thrown, throw
from engine.randomize.pose import turns_about_z
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

MOST_TRIES = 1024
MOST_ITEMS = 65_536


@dataclass(frozen=True)
class Scatter:
    """Dart throwing: each item gets up to `tries` places; one that finds none is hidden and counted in `failed`.

    Footprints are boxes along the world's x and y around the turned items, so two items never interpenetrate; long
    items turned by 45 degrees keep more room than they need.
    """

    STAGE: ClassVar[Stage] = Stage.CLUTTER
    items: Glob  # instances
    anchors: str  # kind of the anchors; a place is uniform over all their floors
    count: Law  # items a world; at most all are used
    yaw_deg: Law  # about the anchor's z
    gap_m: float  # least distance between footprints
    avoid: Glob | None  # instances whose footprints are taken where they are visible
    tries: int  # places tried for each item

    def __post_init__(self) -> None:
        check_support("count", self.count, 0, MOST_ITEMS)
        check_support("yaw_deg", self.yaw_deg, *ANGLE_RANGE_DEG)
        if self.gap_m < 0.0:
            raise ValueError(f"gap_m must not be negative, got {self.gap_m:g}")
        if not 1 <= self.tries <= MOST_TRIES:
            raise ValueError(f"tries must be in 1..{MOST_TRIES}, got {self.tries}")


@RANDOMIZERS.register("scatter", Scatter)
def scatter(params: Scatter, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Throw items, in a fresh random order in every world."""
    items = items_of(scene, draw.bounds, select.instances(scene, params.items, draw.where("items")))
    available = len(items.instance)
    asked = np.minimum(np.floor(draw.law("count", params.count)).astype(np.int64), available)
    yaw_rad = np.deg2rad(draw.law("yaw_deg", params.yaw_deg, count=available))  # [row, item]
    order = np.argsort(draw.uniform("order", count=available), axis=1, kind="stable")
    ground = floors(select.anchors(scene, params.anchors, draw.where("anchors")), draw)
    avoid = avoided(params.avoid, scene, draw)
    draft.visible[:, items.instance] = False
    how = Throw("footprint", params.tries, params.gap_m, 0.0, avoid)
    thrown = throw(items, order, asked, turns_about_z(yaw_rad), ground, how, (scene, draft, draw))
    placed = put_down_thrown(items, order, thrown, draft)
    draw.record("placed", placed)
    draw.record("failed", (asked - placed).astype(np.int32))
