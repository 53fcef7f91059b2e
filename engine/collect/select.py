"""A view of some frames of a dataset: those that satisfy a condition, as a dataset of its own that shares their files.

Frames keep their numbers, rows and paths, so that what is known of a frame there holds here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.collect.collector import Cell, Collector, CollectPlan, Placement
from engine.collect.intent import Selection
from engine.collect.parent import Parent, open_parent, take_frames
from engine.dataset.manifest import Manifest
from engine.errors import UserError
from engine.query import frame_ids_where, open_index


@dataclass(frozen=True)
class SelectRequest:
    """Which frames of which dataset, and where they go."""

    source: Path
    out: Path
    where: str  # SQL over the frame `f` and its world; see engine/query.py
    name: str
    limit: int | None = None  # frames to draw from those that satisfy it; None: all
    seed: int = 0  # of that draw
    placement: Placement = "link"


def select(request: SelectRequest, update: Callable[[int], None]) -> Manifest:
    """Return the manifest of the dataset of the frames that satisfy the condition.

    Args:
        request: What to take.
        update: Told of the parent's frames that were looked through.
    Raises:
        UserError: If the condition cannot be asked, no frame satisfies it, or the parent is not complete.
        ForeignOutput, WriteFailed: See Collector.
    """
    parent = open_parent(request.source)
    check_apart(request.out, [parent])
    wanted = chosen_frames(request)
    intent = Selection(
        request.name, parent.taxonomy.id, tuple(parent.scene_tables()), parent.has_images, (parent.ref,),
        " ".join(request.where.split()), request.limit, 0 if request.limit is None else request.seed,
    )  # fmt: skip
    plan = CollectPlan(
        intent, parent.taxonomy, parent.header.cameras, parent.header.steps, parent.header.shard_worlds,
        request.placement, parent.scene_tables(),
    )  # fmt: skip
    grid = parent.grid
    worlds = set((wanted // (grid.steps * grid.cameras)).tolist())
    with Collector(request.out, plan) as collector:
        for commit in parent.commits:
            members = worlds.intersection(commit.worlds)
            if members and collector.wants(members) and (piece := take_frames(parent, commit, wanted)):
                collector.add(Cell(piece.worlds, piece.tables, piece.files))
            update(commit.frames)
        return collector.finish(worlds)


def chosen_frames(request: SelectRequest) -> NDArray[np.int64]:
    """Return the ids of the frames that are taken, sorted. With one seed, fewer frames are a part of more.

    Raises:
        UserError: If the condition cannot be asked, no frame satisfies it, or the limit is below 1.
    """
    if request.limit is not None and request.limit < 1:
        raise UserError(f"--limit {request.limit}: name a number of frames from 1")
    found = frame_ids_where(open_index(request.source), request.where, where="--where")
    if not len(found):
        raise UserError(
            f"no frame of {request.source} satisfies --where {request.where!r}; nothing was written. "
            "A comparison with a value that is not known (null) is not satisfied"
        )
    if request.limit is None or request.limit >= len(found):
        return found
    return np.sort(np.random.default_rng(request.seed).permutation(found)[: request.limit])


def check_apart(out: Path, parents: list[Parent]) -> None:
    """Refuse to write into a dataset that frames are taken from.

    Raises:
        UserError: If `out` is one of them, or lies in one.
    """
    for parent in parents:
        if out.resolve().is_relative_to(parent.out.resolve()):
            raise UserError(f"--out {out} lies in {parent.out}, which frames are taken from; choose a folder beside it")
