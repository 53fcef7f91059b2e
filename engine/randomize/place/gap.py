"""Gap: how near things of one group are to those of another, measured where they ended up; a column, no change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.place.footprint import Footprints, footprints, gaps_m
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene


@dataclass(frozen=True)
class Gap:
    """The least distance on the floor between the footprints of two groups of visible instances."""

    STAGE: ClassVar[Stage] = Stage.ATTACH
    of: Glob  # instances
    to: Glob  # instances


@RANDOMIZERS.register("gap", Gap)
def gap(params: Gap, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Record `distance_m`, infinite where one of the groups is absent, and between which instances it is."""
    of, to = (select.instances(scene, getattr(params, key), draw.where(key)) for key in ("of", "to"))
    one, other = (footprints(draw.bounds, draft.world_from_instance, group) for group in (of, to))
    between = gaps_m(_as_column(one), _as_row(other))
    there = draft.visible[:, of][:, :, None] & draft.visible[:, to][:, None]
    there &= of[:, None] != to
    between = np.where(there, between, np.inf).reshape(len(draft.world), -1)
    nearest = np.argmin(between, axis=1)
    distance_m = np.take_along_axis(between, nearest[:, None], axis=1)[:, 0]
    known = np.isfinite(distance_m)
    draw.record("distance_m", distance_m)
    draw.record("of", np.where(known, of[nearest // len(to)], 0).astype(np.int32))
    draw.record("to", np.where(known, to[nearest % len(to)], 0).astype(np.int32))


def _as_column(of: Footprints) -> Footprints:
    return Footprints(of.center_m[:, :, None], of.axis[:, :, None], of.half_m[:, :, None])


def _as_row(of: Footprints) -> Footprints:
    return Footprints(of.center_m[:, None], of.axis[:, None], of.half_m[:, None])
