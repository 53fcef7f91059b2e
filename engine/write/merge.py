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
from engine.write.rows import sorted_rows
from engine.write.tables import read_parquet

COMMITS = "commit"


def rows_path(commit_id: str, table: str) -> str:
    """Return where the rows of a commit lie, relative to the dataset."""
    return f"{COMMITS}/{commit_id}.{table}.parquet"


@dataclass(frozen=True)
class MergedRows:
    """All rows of a dataset, as writers of whole-dataset files read them."""

    out: Path
    commits: Sequence[Commit]  # sorted by id, so by cell
    taxonomy: Taxonomy
    grid: FrameGrid

    def tables(self, name: str) -> Iterator[pa.Table]:
        """Yield `worlds`, `frames` or `instances` in parts: sorted inside a part, and from part to part."""
        for _, commits in groupby(self.commits, key=lambda commit: commit.id.split("-")[0]):
            parts = [read_parquet(self.out / rows_path(commit.id, name)) for commit in commits if commit.frames]
            if parts:
                yield sorted_rows(parts, name)

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table as mappings."""
        for table in self.tables(name):
            for batch in table.to_batches(max_chunksize=1024):
                yield from batch.to_pylist()
