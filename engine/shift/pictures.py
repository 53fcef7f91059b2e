"""Frames of a dataset as comparing needs them: which there are, the groups that they come in, and their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from engine.collect.groups import WORLD, independent_column
from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.formats.from_rows import frame_of, is_exported
from engine.formats.index import IndexSource, open_dataset
from engine.formats.record import Frame
from engine.write.begin import MANIFEST
from engine.write.merge import plain_rows, rows_path, tables_of
from engine.write.rows import DEFECTS

IMAGE = "image"
WHITE = 255.0


class Clock(Protocol):
    """What is told of finished work; see `engine.progress.Progress`."""

    def begin(self, total_frames: int) -> None:
        """Start."""

    def update(self, frames: int) -> None:
        """Add."""


@dataclass(frozen=True)
class Pictures:
    """A complete dataset with pictures; arrays have one entry a frame, in the order of the index."""

    out: Path
    name: str
    dataset_id: str
    real: bool  # all of its pictures are
    group_by: str  # a column of the frames or worlds index
    frame_id: NDArray[np.int64]
    world: NDArray[np.int64]
    size: NDArray[np.int64]  # [frame, 2], width and height [px]
    group: NDArray[np.int64]  # equal where frames are of one group, which is one observation
    source: IndexSource

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(np.unique(self.group))


def open_pictures(out: Path, *, group: str | None = None) -> Pictures:
    """Return a dataset whose pictures can be compared.

    Args:
        out: The dataset folder.
        group: A column of the frames or worlds index: frames with equal values are not independent. None: that which
            the ingest named, else the world. Where a frame has no value, or a negative number, it is its own group.
    Raises:
        UserError: If it is no complete dataset, or has no pictures.
    """
    source = open_dataset(out)
    manifest = read_manifest(out / MANIFEST)
    frames = read_columns(out, "frames", ("frame_id", WORLD, "width", "height", "image"))
    if "image" not in frames.column_names:
        raise UserError(f"{out} has no pictures; make it with write.images")
    column = _group_column(out, group)
    size = np.stack([frames["width"].to_numpy(), frames["height"].to_numpy()], axis=1).astype(np.int64)
    world = frames[WORLD].to_numpy().astype(np.int64)
    return Pictures(
        out, out.name, manifest.dataset_id, manifest.origin == "real", column, frames["frame_id"].to_numpy(), world,
        size, _groups(out, column, manifest.dataset_id, world), source,
    )  # fmt: skip


def column_names(out: Path, table: str) -> list[str]:
    """Return the columns of a table of the index; none if the dataset has no such table."""
    path = out / "index" / f"{table}.parquet"
    return list(pq.read_schema(path).names) if path.is_file() else []


def read_columns(out: Path, table: str, names: Iterable[str]) -> pa.Table:
    """Return those columns of a table of the index that it has.

    Raises:
        UserError: If it cannot be read.
    """
    path = out / "index" / f"{table}.parquet"
    try:
        has = pq.read_schema(path).names
        return pq.read_table(path, columns=[name for name in names if name in has], use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def read_frames(pictures: Pictures, frame_ids: Iterable[int]) -> Iterator[Frame]:
    """Yield some frames with their instances and masks, each once, in the order of the index."""
    wanted = np.unique(np.fromiter(frame_ids, np.int64))
    worlds = np.unique(pictures.world[np.isin(pictures.frame_id, wanted)])
    rows = pictures.source.rows
    for commit in sorted(rows.commits, key=lambda commit: commit.id):
        if not commit.frames or not np.isin(np.asarray(commit.worlds), worlds).any():
            continue
        tables = {
            name: _chosen(pictures.out / rows_path(commit.id, name), wanted)
            for name in tables_of(commit)
            if name != "worlds"
        }
        instances = _by_frame(row for row in plain_rows(tables["instances"]) if row["class_id"])
        defects = _by_frame(row for row in plain_rows(tables.get(DEFECTS)) if is_exported(row))
        for row in tables["frames"].to_pylist():
            number = row["frame_id"]
            yield frame_of(row, instances.get(number, []), pictures.out, defects.get(number))


def read_luma(frame: Frame) -> NDArray[np.float32]:
    """Return the luma of a frame's picture, [y, x], code values from 0 to 1.

    Raises:
        UserError: If the picture is missing or cannot be decoded.
    """
    return np.asarray(_open(frame).convert("L"), np.float32) / WHITE


def read_rgb(frame: Frame, most_px: int) -> NDArray[np.uint8]:
    """Return a frame's picture, [y, x, 3], reduced so that no side is longer than that.

    Raises:
        UserError: If the picture is missing or cannot be decoded.
    """
    picture = _open(frame).convert("RGB")
    picture.thumbnail((most_px, most_px))
    return np.asarray(picture)


def _open(frame: Frame) -> Image.Image:
    path = frame.files.get(IMAGE)
    if path is None:
        raise UserError(f"frame {frame.id} has no picture")
    try:
        picture = Image.open(path)
        picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be decoded: {error}; `verify` says what else is damaged") from error
    return picture


def _chosen(path: Path, frame_ids: NDArray[np.int64]) -> pa.Table:
    try:
        table = pq.read_table(path, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return table.filter(pc.is_in(table["frame_id"], value_set=pa.array(frame_ids)))


def _by_frame(rows: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    of_frame: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        of_frame.setdefault(row["frame_id"], []).append(row)
    return of_frame


def _group_column(out: Path, group: str | None) -> str:
    known = {*column_names(out, "frames"), *column_names(out, "worlds")}
    return independent_column(out, known, group if group in known else None)


def check_group(group: str | None, *sets: Pictures) -> None:
    """Refuse a column of groups that none of the datasets has.

    Raises:
        UserError: If none has.
    """
    if group is not None and all(pictures.group_by != group for pictures in sets):
        names = sorted({name for p in sets for name in column_names(p.out, "frames")})
        raise UserError(f"--group {group}: no dataset has such a column; frames have {', '.join(names)}")


def _groups(out: Path, column: str, dataset_id: str, world: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for every frame that is equal in one group, also across datasets that name the same one."""
    if column == WORLD:
        known, inverse = np.unique(world, return_inverse=True)
        return np.array([_number(f"{dataset_id}|{number}") for number in known.tolist()], np.int64)[inverse]
    if column in column_names(out, "frames"):
        values = read_columns(out, "frames", (column,))[column].to_pylist()
    else:
        table = read_columns(out, "worlds", (WORLD, column))
        of_world = dict(zip(table[WORLD].to_pylist(), table[column].to_pylist(), strict=True))
        values = [of_world.get(number) for number in world.tolist()]
    names = [
        f"{dataset_id}|alone {index}" if _unknown(value) else f"{column}={value}" for index, value in enumerate(values)
    ]
    return np.array([_number(name) for name in names], np.int64)


def _unknown(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and value < 0)


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")


def only(pictures: Pictures, keep: NDArray[np.bool_]) -> Pictures:
    """Return the frames of a dataset for which `keep` holds."""
    return replace(
        pictures, frame_id=pictures.frame_id[keep], world=pictures.world[keep], size=pictures.size[keep],
        group=pictures.group[keep],
    )  # fmt: skip
