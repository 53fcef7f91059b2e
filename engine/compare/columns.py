"""Columns of an index, one at a time, as values with the group of every row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.arrow_kinds import is_list, is_number, is_word
from engine.collect.groups import group_columns
from engine.collect.parent import HASH_SUFFIX
from engine.errors import UserError
from engine.write.files import inside

GROUPS = ("surface", "sequence", "group", "scene")  # columns of frames that say which belong together, strongest first
IDS = frozenset({  # names of things, which say nothing as values
    "frame_id", "world", "step", "camera", "inst_id", "class_id", "stable_id", "phash", "asset", "source_id",
    "occluder", "map_id", "defect_id", "number", "parent_frame_id", "parent", "prim_path", *GROUPS,
})  # fmt: skip
OUTLINES = frozenset({"keypoints", "corners_px", "oriented_box", "velocity_m_s", "spin_rad_s"})
POSES = {"world_from_camera": {"x": 3, "y": 7, "z": 11}, "world_from_object": {"x": 3, "y": 7, "z": 11}}
BOXES = frozenset({"bbox", "amodal_bbox"})
LARGEST_LIST = 16  # numbers of a list of one length that are compared each by itself


@dataclass(frozen=True)
class Column:
    """A column, or a number of a list: the place in the file, and which part of it."""

    table: str
    name: str
    part: str = ""  # "" the column itself; "[i]"; x, y, z of a pose; width, height, aspect of a box; "[]" all numbers
    is_number: bool = True

    def __str__(self) -> str:
        dot = "" if self.part.startswith("[") or not self.part else "."
        return f"{self.table}.{self.name}{dot}{self.part}"


@dataclass(frozen=True)
class Values:
    """A column of one dataset: numbers, or words; rows that are null or not finite are left out."""

    values: NDArray[Any]
    rows: NDArray[np.int64]  # of the table that the values are of


class Index:
    """The index of a dataset, read column by column."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._cached: tuple[str, pa.ChunkedArray] | None = None

    def schema(self, table: str) -> pa.Schema | None:
        """Return the columns of a table; None if there is no such table.

        Raises:
            UserError: If the file is damaged.
        """
        path = self._path(table)
        try:
            return pq.read_schema(path) if path.is_file() else None
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}; `verify` says more") from error

    def read(self, table: str, name: str) -> pa.ChunkedArray:
        """Return a column of a table.

        Raises:
            UserError: If the file is damaged.
        """
        key = f"{table}.{name}"
        if self._cached is None or self._cached[0] != key:
            path = self._path(table)
            try:
                with pq.ParquetFile(path) as file:
                    self._cached = key, file.read(columns=[name], use_threads=False)[name]
            except (OSError, pa.ArrowException, KeyError) as error:
                raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
        return self._cached[1]

    def list_length(self, table: str, name: str) -> int:
        """Return the length that all lists of a column have, 0: there is none."""
        data = self.read(table, name)
        if pa.types.is_fixed_size_list(data.type):
            return int(data.type.list_size)
        ends = pc.min_max(pc.list_value_length(data)).as_py()
        return ends["max"] if ends["min"] == ends["max"] and ends["max"] is not None else 0

    def values(self, column: Column) -> Values:
        """Return what is known of a column."""
        data = self.read(column.table, column.name)
        if not column.is_number:
            data = data.cast(pa.string())
            known = np.flatnonzero(pc.is_valid(data).to_numpy())
            return Values(data.drop_null().to_numpy(), known)
        known = np.flatnonzero(pc.is_valid(data).to_numpy())
        rows, numbers = _numbers(data.drop_null(), column.part)
        finite = np.isfinite(numbers)
        return Values(numbers[finite], known[rows][finite])

    @cached_property
    def group_name(self) -> str:
        """What groups are called: the column of frames that an ingest named or that says so, else the world."""
        schema = self.schema("frames")
        for name in (*group_columns(self.out), *GROUPS):
            if schema is None or name not in schema.names:
                continue
            column = self.read("frames", name)
            if column.null_count < len(column):
                return name
        return "world"

    def groups(self, table: str) -> NDArray[np.int64]:
        """Return the group of every row of a table, 0, 1, ...; drawn values are grouped by world."""
        if table == "worlds" or self.group_name == "world":
            return _codes(self.read(table, "world").to_numpy())
        named = self.read("frames", self.group_name).cast(pa.string())
        if named.null_count:  # rendered frames of a mixture
            worlds = pc.binary_join_element_wise("world", self.read("frames", "world").cast(pa.string()), " ")
            named = pc.coalesce(named, worlds)
        codes = _codes(named.to_numpy(zero_copy_only=False))
        if table == "frames":
            return codes
        frame_ids = self.read("frames", "frame_id").to_numpy()  # sorted, as the index is
        return codes[np.searchsorted(frame_ids, self.read(table, "frame_id").to_numpy())]

    def _path(self, table: str) -> Path:
        return inside(self.out, f"index/{table}.parquet")


def shared_columns(one: Index, two: Index, table: str) -> Iterator[Column]:
    """Yield the columns of a table that both have and that can be compared, parts of lists each by itself."""
    schemas = [schema for index in (one, two) if (schema := index.schema(table)) is not None]
    if len(schemas) < 2:
        return
    files = {n.removesuffix(HASH_SUFFIX) for s in schemas for n in s.names if n.endswith(HASH_SUFFIX)}
    for name in schemas[0].names:
        if name not in schemas[1].names or name in IDS | OUTLINES | files or name.endswith(HASH_SUFFIX):
            continue
        kinds = [schema.field(name).type for schema in schemas]
        if all(map(is_number, kinds)):
            yield Column(table, name)
        elif all(map(is_word, kinds)):
            yield Column(table, name, is_number=False)
        elif all(is_list(kind) and is_number(kind.value_type) for kind in kinds):
            lengths = {index.list_length(table, name) for index in (one, two)}
            yield from (Column(table, name, part) for part in _parts(name, lengths))


def _parts(name: str, lengths: set[int]) -> list[str]:
    if name in POSES:
        return list(POSES[name])
    if name in BOXES:
        return ["width", "height", "aspect"]
    size = lengths.pop() if len(lengths) == 1 else 0
    return [f"[{i}]" for i in range(size)] if 0 < size <= LARGEST_LIST else ["[]"]


def _numbers(data: pa.ChunkedArray, part: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return row and value of every number of a part of a column without nulls."""
    count = len(data)
    if not part:
        return np.arange(count), _floats(data)
    joined = data.combine_chunks()
    flat = _floats(pc.list_flatten(joined))
    if part == "[]":
        lengths = pc.list_value_length(joined).to_numpy(zero_copy_only=False).astype(np.int64)
        return np.repeat(np.arange(count), lengths), flat
    if not count:
        return np.arange(0), flat
    table = flat.reshape(count, -1)
    if part in ("width", "height"):
        return np.arange(count), table[:, 2 if part == "width" else 3]
    if part == "aspect":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.arange(count), table[:, 2] / table[:, 3]
    place = int(part[1:-1]) if part.startswith("[") else POSES["world_from_camera"][part]
    return np.arange(count), table[:, place]


def _floats(data: Any) -> NDArray[np.float64]:
    kind = data.type
    plain = pc.cast(data, pa.uint8()) if pa.types.is_boolean(kind) else data
    return np.asarray(plain.to_numpy(zero_copy_only=False) if isinstance(plain, pa.Array) else plain.to_numpy(), float)


def _codes(values: NDArray[Any]) -> NDArray[np.int64]:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
