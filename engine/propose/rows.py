"""Rows of what is known: pictures of a rendered dataset, or instances in them, with every drawn value that is theirs.

A list of values has one a slot. Of an entry of defects those count whose defects the picture shows, for the row of a
defect its own; of what is drawn for every bearer (`instances` of an entry), the bearers that are seen, or its own; of
other lists, all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.collect.holdout import opened
from engine.dataset.contents import read_contents
from engine.dataset.laws import read_asked, read_worlds
from engine.dataset.manifest import Manifest
from engine.errors import UserError
from engine.evaluate.truth import Truth, read_truth
from engine.propose.columns import DEFECT, MISSING, Column, columns_of, recorded_as
from engine.randomize.laws.compare import Asked, Table
from engine.recipe import Recipe

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Unit = Literal["images", "instances"]


@dataclass(frozen=True)
class Known:
    """A rendered dataset and the laws of its recipe."""

    dataset: Path
    recipe: Recipe
    manifest: Manifest
    asked: Asked
    columns: tuple[Column, ...]
    left_out: Mapping[str, str]  # columns that cannot be re-weighted, and why
    truth: Truth


@dataclass(frozen=True)
class Rows:
    """Pictures or instances of a dataset. Axis 0 is the row."""

    unit: Unit
    image: Ints  # position of the picture in the truth
    world: Ints
    bins: Mapping[str, Ints]  # column -> [row, k], `MISSING`: no value
    places: Mapping[str, Floats]  # column -> [row, k] in [0, 1], NaN: no value
    kind: NDArray[np.object_]  # entry of the defect that a row is, or class of the instance; "" for pictures

    def __len__(self) -> int:
        return len(self.image)

    def joined(self, other: Rows, *, worlds: int) -> Rows:
        """Return the rows of both; worlds of the other one are counted from `worlds` on."""
        images = int(self.image.max(initial=-1)) + 1
        return Rows(
            self.unit, np.concatenate([self.image, other.image + images]),
            np.concatenate([self.world, other.world + worlds]),
            {key: _stacked(self.bins[key], other.bins[key], MISSING) for key in self.bins},
            {key: _stacked(self.places[key], other.places[key], np.nan) for key in self.places},
            np.concatenate([self.kind, other.kind]),
        )  # fmt: skip

    def chosen(self, rows: NDArray[np.generic]) -> Rows:
        """Return some of the rows."""
        return Rows(
            self.unit, self.image[rows], self.world[rows], {key: own[rows] for key, own in self.bins.items()},
            {key: own[rows] for key, own in self.places.items()}, self.kind[rows],
        )  # fmt: skip


def read_known(dataset: Path) -> Known:
    """Return a rendered dataset whose laws can be re-weighted.

    Raises:
        UserError: If it was not rendered, or not with the laws as they are written.
    """
    opened(dataset, "propose")
    contents, _ = read_contents(dataset)
    if contents.recipe is None:
        raise UserError(
            f"{dataset} was not rendered, so nothing says what its pictures were drawn from; "
            "name the rendered dataset whose recipe is to be changed: --using DIR"
        )
    if contents.manifest is None:
        raise UserError(f"{dataset} is not complete: it has no manifest; run its command again")
    asked = read_asked(contents)
    if asked.breadth != 1.0:
        raise UserError(
            f"{dataset} was rendered with dr.breadth {asked.breadth:g}, which narrows every law, the new ones too; "
            "render it with dr=wide"
        )
    columns, left_out = columns_of(asked)
    return Known(dataset, contents.recipe, contents.manifest, asked, tuple(columns), left_out, labelled_truth(dataset))


def labelled_truth(dataset: Path, group: str | None = None) -> Truth:
    """Return the ground truth with every labelled instance, by annotation id."""
    truth = read_truth(dataset, group)
    return truth.in_order(np.array(sorted(truth.annotation), np.int64))


def read_rows(known: Known, unit: Unit, dataset: Path | None = None, truth: Truth | None = None) -> Rows:
    """Return the rows of a dataset, in bins of the laws that `known` has.

    Args:
        dataset: One of the same recipe but for its laws; None: `known` itself.
        truth: Its labelled truth.
    """
    out = known.dataset if dataset is None else dataset
    truth = known.truth if truth is None else truth
    opened(out, "propose")
    table = read_worlds(read_contents(out)[0])
    seen = _Seen(out, known)
    row_of = {
        (world, step): row
        for row, (world, step) in enumerate(zip(table.world.tolist(), table.step.tolist(), strict=True))
    }
    image_of = {frame: number for number, frame in enumerate(truth.frame_id.tolist())}
    if unit == "images":
        units: list[tuple[int, Any]] = [(frame, None) for frame in truth.frame_id.tolist()]
    else:
        units = [(frame, (is_defect, number)) for frame, is_defect, number in truth.instance]
    at = np.array([row_of[seen.place[frame]] for frame, _ in units], np.int64).reshape(-1)
    bins, places = {}, {}
    slots = {name: seen.slots(name, units) for name in {column.randomizer for column in known.columns}}
    for column in known.columns:
        values = _values(column, known.asked, table, at, slots[column.randomizer], units)
        bins[column.key], places[column.key] = column.placed(values)
    image = np.array([image_of[frame] for frame, _ in units], np.int64)
    kind = np.array([seen.kind_of(frame, own) for frame, own in units], dtype=object)
    return Rows(unit, image, table.world[at], bins, places, kind)


@dataclass(frozen=True)
class _Slots:
    """Which values of a list are those of a row."""

    index: Ints | None  # [row, k], `MISSING` beyond the last; None: all
    width: int  # of the lists that it indexes


class _Seen:
    """What the pictures of a dataset show: defects by entry and number, and bearers."""

    def __init__(self, out: Path, known: Known) -> None:
        index = out / "index"
        frames = pq.read_table(index / "frames.parquet", columns=["frame_id", "world", "step"]).to_pydict()
        self.place = {f: (w, s) for f, w, s in zip(frames["frame_id"], frames["world"], frames["step"], strict=True)}
        instances = pq.read_table(
            index / "instances.parquet", columns=["frame_id", "inst_id", "prim_path", "class"]
        ).to_pydict()
        self._bearers: dict[int, list[int]] = {}
        self._class: dict[tuple[int, int], str] = {}
        self._path: dict[int, str] = {}
        for frame, number, path, name in zip(*instances.values(), strict=True):
            self._bearers.setdefault(frame, []).append(number)
            self._class[frame, number] = name
            self._path[number] = path
        self._defect: dict[tuple[int, int], tuple[str, int, int]] = {}
        self._shown: dict[tuple[int, str], list[int]] = {}
        if (index / "defects.parquet").is_file():
            names = ["frame_id", "defect_id", "entry", "number", "inst_id"]
            defects = pq.read_table(index / "defects.parquet", columns=names).to_pydict()
            for frame, defect, entry, number, bearer in zip(*defects.values(), strict=True):
                self._defect[frame, defect] = entry, number, bearer
                self._shown.setdefault((frame, entry), []).append(number)
        self._entries = {one.name: one for one in known.asked.resolved.randomizers}
        self._widths = _widths(out)

    def kind_of(self, frame: int, own: tuple[bool, int] | None) -> str:
        """Return the entry of a defect, or the class of an instance."""
        if own is None:
            return ""
        is_defect, number = own
        return self._defect[frame, number][0] if is_defect else self._class.get((frame, number), "")

    def slots(self, name: str, units: Sequence[tuple[int, Any]]) -> _Slots:
        """Return which values of a randomiser's lists belong to each row."""
        entry = self._entries[name]
        if entry.entry.kind == DEFECT:
            return _Slots(
                _ragged([self._numbers(name, frame, own) for frame, own in units]),
                self._widths.get(f"p.{name}.instance", 1),
            )
        globs = getattr(entry.params, "instances", None)
        if globs is None:
            return _Slots(None, 0)
        patterns = (globs,) if isinstance(globs, str) else tuple(globs)
        chosen = sorted(number for number, path in self._path.items() if _matches(path, patterns))
        position = {number: at for at, number in enumerate(chosen)}
        index = [[position[b] for b in self._borne(frame, own) if b in position] for frame, own in units]
        return _Slots(_ragged(index), len(chosen))

    def _numbers(self, name: str, frame: int, own: tuple[bool, int] | None) -> list[int]:
        if own is not None and own[0] and self._defect[frame, own[1]][0] == name:
            return [self._defect[frame, own[1]][1]]
        return self._shown.get((frame, name), [])

    def _borne(self, frame: int, own: tuple[bool, int] | None) -> list[int]:
        if own is None:
            return self._bearers.get(frame, [])
        return [self._defect[frame, own[1]][2] if own[0] else own[1]]


def _values(
    column: Column, asked: Asked, table: Table, at: Ints, slots: _Slots, units: Sequence[Any]
) -> NDArray[np.generic]:
    """Return the values of a column that are those of each row, [row, k]."""
    if column.kind == "presence":
        assert slots.index is not None
        there = (slots.index != MISSING).any(axis=1)
        return there.astype(np.float64)[:, None]
    recorded = table.columns.get(recorded_as(column, asked))
    if recorded is None:
        return np.full((len(units), 1), np.nan)
    own = recorded[at]
    if own.ndim == 1:
        return own[:, None]
    if slots.index is None or not slots.width or slots.index.shape[1] == 0:
        return own if slots.index is None or not slots.width else np.full((len(units), 1), np.nan)
    width = own.shape[1]
    if width == slots.width:
        index = slots.index
    elif slots.width % width == 0:  # one a bearer, where the slots are several of each
        index = np.where(slots.index == MISSING, MISSING, slots.index // (slots.width // width))
    else:
        return own
    picked = np.take_along_axis(own, np.maximum(index, 0), axis=1)
    if column.kind == "names":
        return np.where(index == MISSING, "", picked)
    return np.where(index == MISSING, np.nan, picked.astype(np.float64))


def _widths(out: Path) -> dict[str, int]:
    schema = pq.read_schema(out / "index" / "worlds.parquet")
    return {field.name: getattr(field.type, "list_size", 1) for field in schema}


def _ragged(lists: Sequence[Sequence[int]]) -> Ints:
    most = max((len(one) for one in lists), default=0)
    found = np.full((len(lists), most), MISSING, np.int64)
    for row, one in enumerate(lists):
        found[row, : len(one)] = one
    return found


def _stacked(first: NDArray[Any], second: NDArray[Any], fill: Any) -> NDArray[Any]:
    wide = max(first.shape[1], second.shape[1])
    parts = [np.pad(own, ((0, 0), (0, wide - own.shape[1])), constant_values=fill) for own in (first, second)]
    return np.concatenate(parts)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    chosen = False
    for pattern in patterns:
        plain = pattern.removeprefix("!")
        if path == plain or fnmatchcase(path, plain):
            chosen = not pattern.startswith("!")
    return chosen
