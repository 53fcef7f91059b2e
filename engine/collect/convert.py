"""A dataset with the classes of a later version of its taxonomy: pictures are linked, labels are rewritten."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from engine.collect.collector import Cell, Collector, CollectPlan, Placed
from engine.collect.intent import Conversion, read_intent, scene_tables, title_of
from engine.collect.reference import reference_of
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.formats.index import open_dataset
from engine.scene.taxonomy import Taxonomy
from engine.write.begin import HEADER, MANIFEST, RECIPE
from engine.write.encode import encode_png
from engine.write.files import inside
from engine.write.merge import MergedRows
from engine.write.record import FileFact, read_header
from engine.write.rows import DEFECTS
from engine.write.tables import parquet_bytes, read_parquet

CLASS_MAP = "class_map"
LARGEST_UINT8 = 255


@dataclass(frozen=True)
class Classes:
    """Old classes and what they become."""

    old: Taxonomy
    new: Taxonomy
    mapping: Mapping[str, str | None]  # key -> key; None: no label any more

    @property
    def ids(self) -> NDArray[np.int32]:
        """The new id of every old one; 0 stays 0."""
        number = {c.key: c.id for c in self.new.classes}
        table = np.zeros(1 + max((c.id for c in self.old.classes), default=0), np.int32)
        for c in self.old.classes:
            key = self.mapping[c.key]
            table[c.id] = 0 if key is None else number[key]
        return table

    @property
    def moves_ids(self) -> bool:
        """Whether some id becomes another, so that pixels change."""
        return any(self.ids[c.id] != c.id for c in self.old.classes)

    def table(self, table: pa.Table) -> pa.Table:
        """Return rows with their classes as they are now."""
        ids = self.ids[table["class_id"].to_numpy()]
        keys = {0: ""} | {c.id: c.key for c in self.new.classes}
        names = {"class_id": pa.array(ids, pa.int32()), "class": pa.array([keys[int(i)] for i in ids], pa.string())}
        for name, column in names.items():
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, column)
        return table


def convert(dataset: Path, out: Path, classes: Classes, update: Callable[[int], None]) -> Manifest:
    """Return the manifest of the dataset that a dataset becomes.

    Raises:
        UserError: If a file of it is missing.
        ForeignOutput, WriteFailed: See Collector.
    """
    source = open_dataset(dataset)
    manifest, header = read_manifest(dataset / MANIFEST), read_header(dataset / HEADER)
    origin = read_intent(dataset / RECIPE)
    tables = scene_tables(origin)
    intent = Conversion(
        title_of(origin), classes.new.id, tables, bool(manifest.exports), (reference_of(dataset, manifest),),
        dict(classes.mapping),
    )  # fmt: skip
    rewritten = {name: _scene_table(inside(dataset, name), classes) for name in tables}
    plan = CollectPlan(intent, classes.new, header.cameras, header.steps, header.shard_worlds, tables=rewritten)
    worlds: list[int] = []
    with Collector(out, plan) as collector:
        for part, frames, instances, defects in _cells(source.rows):
            numbers = tuple(sorted(set(part["world"].to_pylist())))
            worlds += numbers
            if collector.wants(numbers):
                collector.add(_cell(dataset, numbers, (part, frames, instances, defects), classes))
            update(frames.num_rows)
        return collector.finish(worlds)


def _cells(rows: MergedRows) -> Any:
    return ((part, *cell) for part, cell in zip(rows.tables("worlds"), rows.cells(), strict=True))


def _cell(
    dataset: Path, worlds: tuple[int, ...], tables: tuple[pa.Table, pa.Table, pa.Table, pa.Table | None],
    classes: Classes,
) -> Cell:  # fmt: skip
    part, frames, instances, defects = tables
    placed = []
    maps: dict[int, FileFact] = {}
    roles = [name.removesuffix("_sha256") for name in frames.column_names if name.endswith("_sha256")]
    for row, frame in enumerate(frames.select([n for r in roles for n in (r, f"{r}_sha256")]).to_pylist()):
        for role in roles:
            if frame[role] is None:
                continue
            path = inside(dataset, frame[role])
            if not path.is_file():
                raise UserError(f"{path} is missing; `python -m engine.dataset verify` says what else is")
            if role == CLASS_MAP and classes.moves_ids:
                data = _class_map(path, classes)
                maps[row] = FileFact(frame[role], hashlib.sha256(data).hexdigest(), len(data))
                placed.append(Placed(maps[row], path, data))
            else:
                placed.append(Placed(FileFact(frame[role], frame[f"{role}_sha256"].hex(), path.stat().st_size), path))
    if maps:
        name = f"{CLASS_MAP}_sha256"
        hashes = [bytes.fromhex(maps[row].sha256) if row in maps else None for row in range(frames.num_rows)]
        column = pa.array(hashes, frames.schema.field(name).type)
        frames = frames.set_column(frames.column_names.index(name), name, column)
    new = {"worlds": part, "frames": frames, "instances": classes.table(instances)}
    if defects is not None:
        new[DEFECTS] = classes.table(defects)
    return Cell(worlds, new, tuple(placed))


def _class_map(path: Path, classes: Classes) -> bytes:
    with Image.open(path) as image:
        pixels = np.asarray(image).astype(np.int64)
    ids = classes.ids
    if pixels.max(initial=0) >= len(ids):
        raise UserError(f"{path} has the class {pixels.max()}, which the taxonomy has not")
    new = ids[pixels]
    is_small = max((c.id for c in classes.new.classes), default=0) <= LARGEST_UINT8
    return encode_png(new.astype(np.uint8) if is_small else new.astype(np.uint16))


def _scene_table(path: Path, classes: Classes) -> bytes:
    table = read_parquet(path)
    return parquet_bytes(classes.table(table)) if "class_id" in table.column_names else path.read_bytes()
