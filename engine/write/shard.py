"""Shards: the worlds of a dataset, committed a group at a time, safely against crashes, retries and twins.

    plan = plan_dataset(recipe, scene, cameras, provenance, shard_worlds=16)
    with ShardWriter(out, plan) as writer:
        for worlds in writer.open_shards(range(64)):          # what is not committed yet, in groups
            if worlds := writer.still_open(worlds):            # a twin may have been faster
                with writer.shard(worlds) as shard:
                    shard.add(frames, labels, drawn)           # once a batch; rows of other worlds are ignored
                # left without an exception: committed, or lost to a twin (shard.outcome); open_shards tells
    manifest = finalise(out, wanted, job)                      # engine.dataset.finalise

How a shard becomes part of the dataset:

1. The worlds are split into *cells* of `shard_worlds` worlds, frozen in `dataset.json`. A cell is a log of commits: its
   n-th record is `commit/<first world of the cell>-<n>.json`, created only if absent. Whoever made a different choice
   of worlds, or other bytes, loses the race for that name, drops its work and looks again at what is left to do.
2. Everything of the shard is written below `.tmp/<id>-<hash>.<host>.<pid>.<random>/` under its final relative path
   and synced, then the record is published: from here on the worlds exist.
3. The files are moved to their places. A crash in between is rolled forward by whoever comes next, because the record
   names the files and the folder in `.tmp` carries the record's id and hash.

Encoding runs in a thread pool while the caller renders; the caller's thread alone changes the disk.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from engine.defect_classes import has_defects
from engine.frames import FrameKeys, Frames
from engine.labels.model import Labels
from engine.sensors.lidar import mounted_at
from engine.sensors.sweep import Sweep, sweep_of
from engine.write.begin import begin_dataset
from engine.write.blur import camera_blur_px
from engine.write.defect_rows import count_defects, defect_rows
from engine.write.events import log_event
from engine.write.files import refusals_named
from engine.write.measure import measure_rgb
from engine.write.names import cell_of
from engine.write.pending import Outcome, PendingCommit
from engine.write.plan import DatasetPlan
from engine.write.record import Commit, FileFact, Skip, content_hash
from engine.write.recover import CommitLog, recover
from engine.write.rows import (
    DEFECTS,
    Drawn,
    InstanceSource,
    frame_row,
    frame_table,
    instance_rows,
    world_rows,
)
from engine.write.threads import thread_count
from engine.write.view import View


class ShardWriter:
    """Writes into one dataset folder; makes or joins it, and first rolls forward what a crash left half done.

    Raises:
        ForeignOutput: If the folder holds something else, another recipe, or data of another program.
        WriteFailed: If the disk refuses.
    """

    def __init__(self, out: Path, plan: DatasetPlan) -> None:
        self.out = out.absolute()
        with refusals_named(self.out):
            self.header = begin_dataset(self.out, plan)
            recover(self.out)
        self.plan = plan
        self._log = CommitLog(self.out)
        self._pool = ThreadPoolExecutor(thread_count(), thread_name_prefix="encode")

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def committed_worlds(self) -> set[int]:
        """Return the worlds that exist."""
        return self._log.worlds()

    def open_shards(self, wanted: Iterable[int]) -> list[tuple[int, ...]]:
        """Return the wanted worlds that do not exist yet, grouped by cell, each group sorted."""
        cells: dict[int, list[int]] = {}
        for world in self.still_open(wanted):
            cells.setdefault(cell_of(world, self.header.shard_worlds), []).append(world)
        return [tuple(worlds) for _, worlds in sorted(cells.items())]

    def still_open(self, worlds: Iterable[int]) -> tuple[int, ...]:
        """Return which of the worlds do not exist yet, sorted; asked before a shard, it saves what a twin has made."""
        return tuple(sorted(set(worlds) - self.committed_worlds()))

    @contextmanager
    def shard(self, worlds: Iterable[int]) -> Iterator[Shard]:
        """Open a shard for worlds of one cell and commit it at the end; nothing is kept if the body raises.

        Raises:
            ValueError: If the worlds lie in several cells, or frames are missing at the end.
            WriteFailed: If the disk refuses.
        """
        members = tuple(sorted(worlds))
        cells = {cell_of(world, self.header.shard_worlds) for world in members}
        if len(cells) != 1:
            raise ValueError(f"worlds {members} lie in {len(cells)} cells, a shard in one; see open_shards")
        shard = Shard(self.out, self.plan, self._pool, members, self._log.next_id(cells.pop(), set(members)))
        begun_s = time.monotonic()
        try:
            yield shard
            with refusals_named(self.out):
                shard.outcome = shard.commit()
        finally:
            shard.close()
        seconds = round(time.monotonic() - begun_s, 3)
        log_event(self.out, shard.outcome.value, shard=shard.id, worlds=len(members), seconds=seconds)


@dataclass(frozen=True)
class EncodedView:
    """The files of one frame and what was measured on it."""

    files: tuple[tuple[str, FileFact, bytes], ...]  # role, fact, data
    measured: dict[str, float | int]


def encode_view(plan: DatasetPlan, view: View) -> EncodedView:
    """Return the files that the plan's writers make of a frame. Pure, so that any thread may do it."""
    files = []
    for writer in plan.writers.frame:
        for file in writer.function(writer.params, view):
            fact = FileFact(file.path, hashlib.sha256(file.data).hexdigest(), len(file.data))
            files.append((file.role, fact, file.data))
    return EncodedView(tuple(files), {} if view.rgb is None else measure_rgb(view.rgb))


class Shard:
    """Worlds on their way to a commit; see the head of this file."""

    def __init__(
        self, out: Path, plan: DatasetPlan, pool: ThreadPoolExecutor, worlds: tuple[int, ...], commit_id: str
    ) -> None:
        self.out, self.worlds, self.id = out, worlds, commit_id
        self.outcome: Outcome | None = None
        self._plan, self._pool = plan, pool
        self._members = np.array(worlds, np.int64)
        header = plan.header
        self._source = InstanceSource.from_scene(plan.scene, plan.grid, header.width, header.height)
        self._pending: list[tuple[dict[str, Any], Future[EncodedView]]] = []
        self._frames: list[dict[str, Any]] = []
        self._tables: dict[str, list[pa.Table]] = {"worlds": [], "instances": []}
        if has_defects(plan.recipe):
            self._tables[DEFECTS] = []
        self._skips: dict[int, str] = {}
        self._files = PendingCommit(out, commit_id)

    def add(self, frames: Frames, labels: Labels, drawn: Drawn) -> None:
        """Take what one batch made of this shard's worlds; rows of other worlds are ignored.

        The arrays must not change until the next call has returned: the pool still reads them.
        """
        waiting = len(self._pending)
        keys = frames.keys
        mine = np.isin(keys.world, self._members)
        counts = np.bincount(labels.view, minlength=len(mine))
        for view in np.flatnonzero(mine):
            row = frame_row(keys, int(view), self._plan.grid, (self._plan.header.width, self._plan.header.height))
            row["n_instances"] = int(counts[view])
            if keys.lenses is not None:
                depth_m = None if frames.depth_m is None else frames.depth_m[view]
                row["camera_blur_px"] = camera_blur_px(keys, int(view), depth_m)
            self._pending.append((row, self._pool.submit(encode_view, self._plan, self._view(frames, int(view)))))
        drawn_rows = np.flatnonzero(np.isin(drawn.world, self._members))
        label_rows = np.flatnonzero(mine[labels.view])
        self._tables["worlds"].append(world_rows(drawn, drawn_rows))
        self._tables["instances"].append(instance_rows(self._source, keys, labels, label_rows))
        if DEFECTS in self._tables:
            assert labels.marks is not None
            mark_rows = np.flatnonzero(mine[labels.marks.view])
            self._tables[DEFECTS].append(defect_rows(self._source, keys, labels.marks, mark_rows))
        with refusals_named(self.out):
            self._drain(waiting)

    def skip(self, world: int, reason: str) -> None:
        """Say that a world of this shard has no frames, and why; it counts as made."""
        if world not in self.worlds:
            raise ValueError(f"world {world} is not in shard {self.id}")
        self._skips[world] = reason

    def commit(self) -> Outcome:
        """Put everything on the disk and publish the record; called at the end of `ShardWriter.shard`.

        Raises:
            ValueError: If a frame is missing.
        """
        self._drain(len(self._pending))
        self._check_complete()
        if self._frames:
            self._write_rows()
        return self._files.publish(self._record())

    def close(self) -> None:
        """Drop what was not committed."""
        for _, future in self._pending:
            future.cancel()
        self._pending.clear()
        self._files.close()

    def _view(self, frames: Frames, view: int) -> View:
        keys: FrameKeys = frames.keys
        stem = self._plan.grid.stem(int(keys.world[view]), int(keys.step[view]), int(keys.camera[view]))
        return View(
            stem=stem,
            rgb=None if frames.rgb is None else frames.rgb[view],
            depth_m=None if frames.depth_m is None else frames.depth_m[view],
            normal=None if frames.normal is None else frames.normal[view],
            instance=None if frames.instance is None else frames.instance[view],
            classes=self._plan.classes,
            depth_sensor_m=None if frames.depth_sensor_m is None else frames.depth_sensor_m[view],
            sweep=self._sweep(frames, view),
            jpeg_quality=0 if keys.jpeg_quality is None else int(keys.jpeg_quality[view]),
            rgb_linear=None if frames.rgb_linear is None else frames.rgb_linear[view],
            exposure=self._exposure(keys, view),
            annotations={name: image[view] for name, image in frames.annotations.items()},
        )

    def _exposure(self, keys: FrameKeys, view: int) -> float:
        """Return the factor on radiance of a view's camera and of the rig."""
        own = 1.0 if keys.lenses is None else float(keys.lenses.exposure[view])
        return own * 2.0**self._plan.recipe.rig.exposure_ev

    def _sweep(self, frames: Frames, view: int) -> Sweep | None:
        """Return the sweep of a view of the camera that a LiDAR sits at."""
        lidar = self._plan.recipe.lidar
        if lidar is None or frames.lidar_id is None:
            return None
        is_mounted = frames.keys.camera[view] == mounted_at(lidar, self._plan.header.cameras)
        return sweep_of(lidar, frames, view) if is_mounted else None

    def _drain(self, count: int) -> None:
        """Write the files of the oldest `count` pending frames; those of the newest batch are still being encoded."""
        for row, future in self._pending[:count]:
            encoded = future.result()
            for role in self._plan.writers.missing:
                row[role] = row[f"{role}_sha256"] = None
            for role, fact, data in encoded.files:
                self._files.write(fact, data)
                row[role] = fact.path
                row[f"{role}_sha256"] = bytes.fromhex(fact.sha256)
            row.update(encoded.measured)
            self._frames.append(row)
        del self._pending[:count]

    def _write_rows(self) -> None:
        for name, parts in {**self._tables, "frames": [frame_table(self._frames)]}.items():
            self._files.write_rows(name, parts)

    def _check_complete(self) -> None:
        grid = self._plan.grid
        have = {row["frame_id"] for row in self._frames}
        for world in self.worlds:
            numbers = {grid.number(world, s, c) for s in range(grid.steps) for c in range(grid.cameras)}
            if world in self._skips:
                if numbers & have:
                    raise ValueError(f"world {world} was skipped ({self._skips[world]}) but has frames")
            elif missing := numbers - have:
                raise ValueError(f"shard {self.id}: world {world} lacks {len(missing)} of {len(numbers)} frames")

    def _record(self) -> Commit:
        by_class: dict[str, int] = {}
        instances = 0
        for table in self._tables["instances"]:
            instances += table.num_rows
            for key in table["class"].to_pylist():
                if key:
                    by_class[key] = by_class.get(key, 0) + 1
        defects, near_misses = count_defects(self._tables.get(DEFECTS, []))
        files = self._files.files
        return Commit(
            id=self.id,
            recipe_id=self._plan.header.recipe_id,
            worlds=self.worlds,
            frames=len(self._frames),
            instances=instances,
            by_class=by_class,
            skips=tuple(Skip(world, self._skips[world]) for world in sorted(self._skips)),
            content_sha256=content_hash(files),
            files=files,
            engine=self._plan.provenance.build,
            environment=self._plan.provenance.environment,
            defects=defects,
            near_misses=near_misses,
        )
