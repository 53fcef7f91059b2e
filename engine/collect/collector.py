"""Write a dataset whose frames exist already: rows as tables, files as links, by the same commits as rendered ones.

with Collector(out, CollectPlan(intent, taxonomy)) as collector:
for cell in cells:                       # one after another, each with worlds of one cell
if collector.wants(cell.worlds):     # a run that was stopped goes on
collector.add(cell)
manifest = collector.finish(worlds)
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine import __version__
from engine.collect.intent import Conversion, Ingest, Mixture, Selection
from engine.dataset.finalise import finalise
from engine.dataset.manifest import JobFacts, Manifest
from engine.errors import UserError
from engine.provenance import host_provenance
from engine.scene.report import LoadReport
from engine.scene.taxonomy import Taxonomy
from engine.write.begin import begin_folder
from engine.write.defect_rows import count_defects
from engine.write.files import refusals_named
from engine.write.names import FrameGrid, cell_of
from engine.write.pending import Outcome, PendingCommit
from engine.write.record import Commit, FileFact, Header, Skip, content_hash
from engine.write.recover import CommitLog, recover
from engine.write.references import allow_root
from engine.write.rows import DEFECTS

SHARD_WORLDS = 256  # worlds of a commit of pictures that are not rendered
Placement = Literal["link", "reference", "copy"]
NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES)
EMPTY_REPORT = LoadReport({}, {}, {}, (), (), 0.0)


@dataclass(frozen=True)
class Placed:
    """A file that exists, and what it will be in the dataset."""

    fact: FileFact
    source: Path
    data: bytes | None = None  # the content, where it lies nowhere yet


@dataclass(frozen=True)
class Cell:
    """Frames of some worlds of one cell."""

    worlds: tuple[int, ...]  # sorted
    tables: Mapping[str, pa.Table]  # worlds, frames, instances with masks, and defects where the dataset has them
    files: tuple[Placed, ...]
    skips: tuple[Skip, ...] = ()  # worlds of it that have no frames; a cell of nothing else has no tables


@dataclass(frozen=True)
class CollectPlan:
    """What a dataset of existing frames will be, and how its files come into it."""

    intent: Conversion | Ingest | Selection | Mixture
    taxonomy: Taxonomy
    cameras: tuple[str, ...] = ("camera",)  # in the order of the camera index
    steps: int = 1
    shard_worlds: int = SHARD_WORLDS
    placement: Placement = "link"  # where a hard link is impossible, a reference: a symbolic link
    tables: Mapping[str, bytes] = field(default_factory=dict)  # of the scene, by path; see Collected.tables

    @property
    def grid(self) -> FrameGrid:
        """The frames of a world."""
        return FrameGrid(self.steps, len(self.cameras))


class FilePlacer:
    """Puts files that exist into a dataset; see `CollectPlan.placement`."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.referenced: set[Path] = set()  # folders that pictures stay in

    def __call__(self, source: Path, place: Path) -> bool:
        """Put a file at its place; return whether its content was on the disk before.

        Raises:
            UserError: If it is gone.
        """
        if not source.is_file():
            raise UserError(f"{source} is gone; put it back, or begin again with what is there")
        if self.placement == "copy":
            shutil.copyfile(source, place)
            return False
        target = source.resolve()
        if self.placement == "link" and not source.is_symlink():
            try:
                place.hardlink_to(target)
            except OSError as error:
                if error.errno not in NO_LINK:
                    raise
            else:
                return True
        if target.parent not in self.referenced:
            self.referenced.add(target.parent)
            allow_root(target.parent)
        place.symlink_to(target)
        return True


class Collector:
    """Writes into one dataset folder; makes it, or goes on with what a run of the same intent left.

    Raises:
        ForeignOutput: If the folder holds something else.
        WriteFailed: If the disk refuses.
    """

    def __init__(self, out: Path, plan: CollectPlan) -> None:
        self.out = out.absolute()
        self._put = FilePlacer(plan.placement)
        self._provenance = host_provenance()
        build = self._provenance.build
        header = Header(
            recipe_id=plan.intent.id, taxonomy_id=plan.taxonomy.id, engine_version=__version__,
            source_sha256=build.source_sha256, shard_worlds=plan.shard_worlds, steps=plan.steps, cameras=plan.cameras,
            width=0, height=0, report=EMPTY_REPORT,
        )  # fmt: skip
        with refusals_named(self.out):
            self.header = begin_folder(self.out, header, plan.intent.to_json(), plan.taxonomy, plan.tables)
            recover(self.out)
        self._log = CommitLog(self.out)
        self._present = self._log.worlds()  # at the beginning, and what was added; twins meet when they publish

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def wants(self, worlds: Iterable[int]) -> bool:
        """Return whether some of the worlds do not exist yet."""
        return not self._present.issuperset(worlds)

    def add(self, cell: Cell) -> Outcome:
        """Commit the frames of a cell.

        Raises:
            ValueError: If the worlds lie in several cells.
            UserError: If a picture is gone.
            WriteFailed: If the disk refuses.
        """
        cells = {cell_of(world, self.header.shard_worlds) for world in cell.worlds}
        if len(cells) != 1:
            raise ValueError(f"worlds lie in {len(cells)} cells, a commit in one")
        pending = PendingCommit(self.out, self._log.next_id(cells.pop(), set(cell.worlds)))
        try:
            with refusals_named(self.out):
                for placed in cell.files:
                    if placed.data is None:
                        pending.place(placed.fact, self._put, placed.source)
                    else:
                        pending.write(placed.fact, placed.data)
                for name, table in cell.tables.items():
                    pending.write_rows(name, [table])
                outcome = pending.publish(self._record(pending, cell))
                self._present.update(() if outcome is Outcome.LOST else cell.worlds)
                return outcome
        finally:
            pending.close()

    def finish(self, worlds: Iterable[int]) -> Manifest:
        """Return the manifest of the complete dataset.

        Raises:
            UserError: If worlds are missing.
        """
        wanted = sorted(set(worlds))
        manifest = finalise(self.out, wanted, JobFacts(len(wanted), None, 0, self.header.shard_worlds, 1, "cpu", ()))
        if manifest is None:
            raise UserError(f"{self.out} is not complete; run the same command again")
        return manifest

    def _record(self, pending: PendingCommit, cell: Cell) -> Commit:
        instances = cell.tables.get("instances")
        pairs = [] if instances is None else pc.value_counts(instances["class"]).to_pylist()
        defects, near_misses = count_defects([cell.tables[DEFECTS]] if DEFECTS in cell.tables else [])
        frames = cell.tables.get("frames")
        framed = set() if frames is None else set(np.unique(frames["world"].to_numpy()).tolist())
        if framed != set(cell.worlds) - {skip.world for skip in cell.skips}:
            raise ValueError("the worlds of a cell are those of its frames and those that it skips")
        files = pending.files
        return Commit(
            id=pending.id, recipe_id=self.header.recipe_id, worlds=tuple(sorted(cell.worlds)),
            frames=0 if frames is None else frames.num_rows,
            instances=0 if instances is None else instances.num_rows,
            by_class={p["values"]: p["counts"] for p in pairs if p["values"]}, skips=cell.skips,
            content_sha256=content_hash(files), files=files, engine=self._provenance.build,
            environment=self._provenance.environment, defects=defects, near_misses=near_misses,
        )  # fmt: skip
