"""A dataset of ours as records: what every export is made from, without rendering anything again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.collect.holdout import opened
from engine.errors import UserError
from engine.formats.from_rows import categories_of, frame_of, is_exported
from engine.formats.record import Category, Frame
from engine.write.begin import HEADER, MANIFEST, TAXONOMY, read_taxonomy
from engine.write.merge import MergedRows, plain_rows
from engine.write.names import FrameGrid
from engine.write.record import read_header
from engine.write.recover import CommitLog


@dataclass(frozen=True)
class IndexSource:
    """The frames of a dataset folder, in the order of the index; see `engine.formats.record.Source`."""

    rows: MergedRows
    cameras: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.rows.out.name

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of the taxonomy."""
        return categories_of(self.rows.taxonomy)

    def world_values(self, column: str) -> dict[tuple[int, int], Any] | None:
        """Return the values of a column of the worlds index by (world, step); None: there is no such column."""
        values: dict[tuple[int, int], Any] = {}
        for table in self.rows.tables("worlds"):
            if column not in table.column_names:
                return None
            keys = zip(table["world"].to_pylist(), table["step"].to_pylist(), strict=True)
            values |= dict(zip(keys, table[column].to_pylist(), strict=True))
        return values

    def frames(self) -> Iterator[Frame]:
        """Yield frame after frame."""
        for frames, instances, defects in self.rows.cells():
            seen = _by_frame(instances, lambda row: row["class_id"])
            marked = _by_frame(defects, is_exported)
            for row in frames.to_pylist():
                number = row["frame_id"]
                yield frame_of(row, seen.get(number, []), self.rows.out, marked.get(number))


def _by_frame(table: pa.Table | None, is_wanted: Callable[[dict[str, Any]], Any]) -> dict[int, list[dict[str, Any]]]:
    """Return the wanted rows of a table by the frame that they belong to."""
    of_frame: dict[int, list[dict[str, Any]]] = {}
    for row in plain_rows(table):
        if is_wanted(row):
            of_frame.setdefault(row["frame_id"], []).append(row)
    return of_frame


def open_dataset(out: Path, why: str = "") -> IndexSource:
    """Return a complete dataset as a source of records; of a locked holdout it is noted.

    Args:
        out: The folder.
        why: What it is read for.
    Raises:
        UserError: If there is none at `out`, it is not complete, or a holdout was changed.
    """
    if not (out / HEADER).is_file():
        raise UserError(f"{out} is not a dataset of ours: it has no {HEADER}")
    if not (out / MANIFEST).is_file():
        raise UserError(f"{out} is not complete; run the command that makes it again")
    opened(out, why)
    header = read_header(out / HEADER)
    grid = FrameGrid(header.steps, len(header.cameras))
    rows = MergedRows(out, CommitLog(out).commits(), read_taxonomy(out / TAXONOMY), grid)
    return IndexSource(rows, header.cameras)
