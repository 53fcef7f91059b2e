"""The frames of several datasets as one: worlds are counted on from dataset to dataset, files lie below their ids.

Every frame says in `origin`, `parent` and `parent_frame_id` where it comes from. `parent` is the dataset that was mixed
in; if that is a mixture itself, its own index says the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from engine.collect.collector import Cell, Collector, CollectPlan, Placed, Placement
from engine.collect.intent import Mixture
from engine.collect.parent import HASH_SUFFIX, Parent, Piece, file_roles, piece_of, read_rows
from engine.collect.unify import conform, unify_columns, unify_taxonomies
from engine.dataset.manifest import Manifest
from engine.errors import UserError
from engine.write.names import FrameGrid, cell_of
from engine.write.parts import MATERIALS, PARTS
from engine.write.record import FileFact
from engine.write.rows import DEFECTS, TABLES

TABLE_OF = {"part_map": PARTS, "part_ids": PARTS, "material_map": MATERIALS, "material_ids": MATERIALS}  # role -> table
ORIGIN, PARENT, PARENT_FRAME = "origin", "parent", "parent_frame_id"


@dataclass(frozen=True)
class MixRequest:
    """Where a mixture goes and what it is called."""

    out: Path
    name: str
    drop: tuple[str, ...] = ()  # columns that are left out, `table.column`
    placement: Placement = "link"


@dataclass(frozen=True)
class MixPlan:
    """How the rows of the parents become those of the mixture."""

    plan: CollectPlan
    schemas: dict[str, pa.Schema]  # by table
    first_world: tuple[int, ...]  # by parent: the first one of its first cell
    left_out: tuple[str, ...]  # lines about files that are left out

    @property
    def grid(self) -> FrameGrid:
        """The frames of a world."""
        return self.plan.grid


def mix(parents: Sequence[Parent], request: MixRequest, update: Callable[[int], None]) -> tuple[Manifest, MixPlan]:
    """Return the manifest of the mixture and how it was made.

    Args:
        parents: In the order in which their worlds are numbered.
        request: Where it goes.
        update: Told of frames that are in it.
    Raises:
        UserError: If taxonomies or columns cannot be one; see engine/collect/unify.py.
        ForeignOutput, WriteFailed: See Collector.
    """
    planned = plan_mixture(parents, request)
    worlds: list[int] = []
    with Collector(request.out, planned.plan) as collector:
        for number, parent in enumerate(parents):
            for commit in parent.commits:
                taken = [shift_world(planned, parent, number, world) for world in with_frames(commit)]
                worlds += taken
                if collector.wants(taken):
                    tables = read_rows(parent, commit)
                    everything = np.ones(tables["frames"].num_rows, np.bool_)
                    piece = piece_of(parent, commit, tables, everything)
                    for cell in renumbered(planned, parent, number, piece):
                        if collector.wants(cell.worlds):
                            collector.add(cell)
                update(commit.frames)
        return collector.finish(worlds), planned


def plan_mixture(parents: Sequence[Parent], request: MixRequest) -> MixPlan:
    """Return what the mixture of some datasets will be; nothing is written.

    Raises:
        UserError: If taxonomies or columns cannot be one, or a column that is to be left out does not exist.
    """
    titles = [parent.out.name for parent in parents]
    taxonomy = unify_taxonomies([(title, p.taxonomy) for title, p in zip(titles, parents, strict=True)])
    tables, left_out = _shared_tables(parents)
    _check_drop(parents, request.drop)
    drop = (*request.drop, *left_out)
    names = (*TABLES, DEFECTS) if any(DEFECTS in parent.table_names for parent in parents) else TABLES
    schemas = {}
    for name in names:
        own = [(t, p.schema(name)) for t, p in zip(titles, parents, strict=True) if name in p.table_names]
        if name == "frames":
            own = [(title, _schema_with_origin(schema)) for title, schema in own]
        schemas[name] = unify_columns(name, own, drop)
    intent = Mixture(
        request.name, taxonomy.id, tuple(tables), all(parent.has_images for parent in parents),
        tuple(parent.ref for parent in parents), tuple(sorted(request.drop)),
    )  # fmt: skip
    shard_worlds = max(parent.header.shard_worlds for parent in parents)
    plan = CollectPlan(
        intent, taxonomy, camera_names(parents), max(parent.header.steps for parent in parents), shard_worlds,
        request.placement, tables,
    )  # fmt: skip
    return MixPlan(plan, schemas, tuple(_first_worlds(parents, shard_worlds)), tuple(_say_left_out(left_out)))


def camera_names(parents: Sequence[Parent]) -> tuple[str, ...]:
    """Return a name for every camera index: that of the parents where they agree."""
    names = []
    for camera in range(max(len(parent.header.cameras) for parent in parents)):
        known = {parent.header.cameras[camera] for parent in parents if camera < len(parent.header.cameras)}
        names.append(known.pop() if len(known) == 1 else f"camera_{camera}")
    return tuple(names)


def with_frames(commit: Any) -> list[int]:
    """Return the worlds of a commit that were not skipped."""
    skipped = {skip.world for skip in commit.skips}
    return [world for world in commit.worlds if world not in skipped]


def shift_world(planned: MixPlan, parent: Parent, number: int, world: int) -> int:
    """Return what a world of a parent is called in the mixture."""
    return planned.first_world[number] + world - _base(parent)


def renumbered(planned: MixPlan, parent: Parent, number: int, piece: Piece) -> Iterator[Cell]:
    """Yield the frames of a piece of a parent as cells of the mixture."""
    shift = planned.first_world[number] - _base(parent)
    tables = {name: _renumber(table, shift, planned.grid) for name, table in piece.tables.items()}
    tables["frames"] = _with_origin(tables["frames"], piece.tables["frames"], parent)
    conformed = {name: conform(tables[name], schema) if name in tables else schema.empty_table()
                 for name, schema in planned.schemas.items()}  # fmt: skip
    folder = parent.manifest.dataset_id
    placed = {one.fact.path: _below(folder, one) for one in piece.files}
    roles = file_roles(planned.schemas["frames"].names)
    for role in roles:
        paths = conformed["frames"][role].to_pylist()
        moved = pa.array([None if path is None else f"{folder}/{path}" for path in paths], pa.string())
        conformed["frames"] = conformed["frames"].set_column(
            conformed["frames"].column_names.index(role), planned.schemas["frames"].field(role), moved
        )
    worlds = conformed["frames"]["world"].to_numpy()
    first = worlds - worlds % planned.plan.shard_worlds
    for cell in np.unique(first).tolist():
        chosen = {name: _of_cell(table, cell, planned.plan.shard_worlds) for name, table in conformed.items()}
        named = {path for role in roles for path in chosen["frames"][role].to_pylist() if path is not None}
        files = tuple(one for one in placed.values() if one.fact.path in named)
        yield Cell(tuple(np.unique(chosen["frames"]["world"].to_numpy()).tolist()), chosen, files)


def _base(parent: Parent) -> int:
    return cell_of(parent.commits[0].worlds[0], parent.header.shard_worlds)


def _first_worlds(parents: Sequence[Parent], shard_worlds: int) -> Iterator[int]:
    """Yield the first world of every parent: that of a cell, so that no cell has worlds of two parents."""
    first = 0
    for parent in parents:
        yield first
        last = max(commit.worlds[-1] for commit in parent.commits) - _base(parent)
        first += cell_of(last, shard_worlds) + shard_worlds


def _renumber(table: pa.Table, shift: int, grid: FrameGrid) -> pa.Table:
    world = table["world"].to_numpy() + shift
    table = table.set_column(table.column_names.index("world"), "world", pa.array(world, pa.int64()))
    if "frame_id" in table.column_names:
        number = (world * grid.steps + table["step"].to_numpy()) * grid.cameras + table["camera"].to_numpy()
        table = table.set_column(table.column_names.index("frame_id"), "frame_id", pa.array(number, pa.int64()))
    return table


def _schema_with_origin(frames: pa.Schema) -> pa.Schema:
    for name, kind in ((ORIGIN, pa.string()), (PARENT, pa.string()), (PARENT_FRAME, pa.int64())):
        if name not in frames.names:
            frames = frames.append(pa.field(name, kind))
    return frames


def _with_origin(frames: pa.Table, before: pa.Table, parent: Parent) -> pa.Table:
    """Return frames with where they come from; `before` holds their numbers in the parent."""
    origin = pa.array([parent.manifest.origin] * frames.num_rows, pa.string())
    if ORIGIN in frames.column_names:
        origin = frames[ORIGIN].fill_null(parent.manifest.origin)
    columns = {ORIGIN: origin, PARENT: pa.array([parent.manifest.dataset_id] * frames.num_rows, pa.string()),
               PARENT_FRAME: before["frame_id"]}  # fmt: skip
    for name, values in columns.items():
        if name in frames.column_names:
            frames = frames.drop_columns([name])
        frames = frames.append_column(name, values)
    return frames


def _below(folder: str, one: Placed) -> Placed:
    return Placed(FileFact(f"{folder}/{one.fact.path}", one.fact.sha256, one.fact.bytes), one.source)


def _of_cell(table: pa.Table, cell: int, shard_worlds: int) -> pa.Table:
    worlds = table["world"].to_numpy()
    return table.filter(pa.array((worlds >= cell) & (worlds < cell + shard_worlds)))


def _shared_tables(parents: Sequence[Parent]) -> tuple[dict[str, bytes], list[str]]:
    """Return tables of the scene that are the same in all parents, and the columns of maps of those that are not."""
    tables = [parent.scene_tables() for parent in parents]
    shared = {
        name: data for name, data in tables[0].items() if all(other.get(name) == data for other in tables)
    }  # fmt: skip
    columns = {column for parent in parents for column in parent.schema("frames").names}
    lost = [role for role, table in TABLE_OF.items() if role in columns and table not in shared]
    return shared, [f"frames.{role}" for role in lost]


def _say_left_out(columns: Sequence[str]) -> Iterator[str]:
    for column in columns:
        role = column.removeprefix("frames.")
        yield f"left out {role}: its numbers are those of {TABLE_OF[role]} of one scene, and the datasets have several"


def _check_drop(parents: Sequence[Parent], drop: Sequence[str]) -> None:
    known = sorted({f"{name}.{c}" for p in parents for name in p.table_names for c in p.schema(name).names})
    for text in drop:
        if text not in known or text.endswith(HASH_SUFFIX):
            from difflib import get_close_matches

            near = ", ".join(get_close_matches(text, known, 3)) or "frames.<column>, worlds.<column>, ..."
            raise UserError(f"--drop {text}: no dataset has it; near: {near}")
