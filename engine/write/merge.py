"""The rows of all commits in the order of the index, one cell at a time, so that memory stays that of a cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.scene.taxonomy import Taxonomy
from engine.write.names import FrameGrid
from engine.write.record import Commit
from engine.write.rows import DEFECTS, TABLES, sorted_rows
from engine.write.tables import read_parquet

COMMITS = "commit"


def rows_path(commit_id: str, table: str) -> str:
    """Return where the rows of a commit lie, relative to the dataset."""
    return f"{COMMITS}/{commit_id}.{table}.parquet"


def has_defects(commit: Commit) -> bool:
    """Return whether a commit has a table of defects."""
    path = rows_path(commit.id, DEFECTS)
    return any(fact.path == path for fact in commit.files)


def tables_of(commit: Commit) -> tuple[str, ...]:
    """Return the tables that a commit with frames has."""
    return (*TABLES, DEFECTS) if has_defects(commit) else TABLES


@dataclass(frozen=True)
class MergedRows:
    """All rows of a dataset, as writers of whole-dataset files read them."""

    out: Path
    commits: Sequence[Commit]  # sorted by id, so by cell
    taxonomy: Taxonomy
    grid: FrameGrid

    @property
    def names(self) -> tuple[str, ...]:
        """The tables that the dataset has; `defects` where its recipe has some."""
        return (*TABLES, DEFECTS) if any(has_defects(commit) for commit in self.commits) else TABLES

    def tables(self, name: str) -> Iterator[pa.Table]:
        """Yield a table in parts, sorted inside a part and from part to part; nothing if the dataset has none."""
        if name not in self.names:
            return
        for _, commits in groupby(self.commits, key=lambda commit: commit.id.split("-")[0]):
            parts = [read_parquet(self.out / rows_path(commit.id, name)) for commit in commits if commit.frames]
            if parts:
                yield sorted_rows(parts, name)

    def cells(self) -> Iterator[tuple[pa.Table, pa.Table, pa.Table | None]]:
        """Yield frames, instances and defects of one cell after another; None: there is no table of defects."""
        defects = self.tables(DEFECTS)
        for frames, instances in zip(self.tables("frames"), self.tables("instances"), strict=True):
            yield frames, instances, next(defects, None)

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table as mappings."""
        for table in self.tables(name):
            yield from plain_rows(table)


def plain_rows(table: pa.Table | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as mappings; None has none."""
    for batch in [] if table is None else table.to_batches(max_chunksize=1024):
        yield from batch.to_pylist()
