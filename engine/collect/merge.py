"""Put datasets together: shards of one recipe become the dataset that one run would have made, others a mixture.

What one run would have made: recipe, taxonomy and program are the same, so that a world is the same wherever it was
made. Commits are taken over world by world under ids of their own; a world that is in two datasets has to be the same
in both, row by row and file by file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.collect.collector import FilePlacer
from engine.collect.mixture import MixRequest, mix
from engine.collect.parent import Parent, Piece, open_parent, piece_of, read_rows
from engine.collect.select import check_apart
from engine.dataset.finalise import finalise
from engine.dataset.manifest import JobFacts, Manifest
from engine.errors import UserError
from engine.write.begin import RECIPE, begin_folder
from engine.write.defect_rows import count_defects
from engine.write.files import refusals_named
from engine.write.merge import rows_path, tables_of
from engine.write.names import cell_of
from engine.write.pending import PendingCommit
from engine.write.record import Commit, content_hash, read_json
from engine.write.recover import CommitLog, recover
from engine.write.rows import DEFECTS, sorted_rows
from engine.write.tables import parquet_bytes, read_parquet


@dataclass(frozen=True)
class Merged:
    """A dataset that was put together."""

    manifest: Manifest
    is_joined: bool  # shards of one recipe; else a mixture
    notes: tuple[str, ...]  # what a person should know of it


def merge(folders: Sequence[Path], request: MixRequest, update: Callable[[int], None]) -> Merged:
    """Return the dataset of all frames of some datasets.

    Args:
        folders: Two or more complete datasets.
        request: Where it goes; its name and columns to leave out are of mixtures alone.
        update: Told of frames that are in it.
    Raises:
        UserError: If they cannot be put together; one line says why and what to do.
        ForeignOutput, WriteFailed: If `out` holds something else, or the disk refuses.
    """
    if len(folders) < 2:
        raise UserError("name two or more datasets to put together")
    parents = [open_parent(folder) for folder in folders]
    check_apart(request.out, parents)
    why = why_not_joined(parents)
    if not why:
        return Merged(join_shards(parents, request, update), True, ())
    _check_different(parents)
    manifest, planned = mix(parents, request, update)
    notes = [f"a mixture: {why}", *planned.left_out]
    if not planned.plan.intent.has_images and any(parent.has_images for parent in parents):
        notes.append("no labels/coco.json: not all frames have pictures")
    return Merged(manifest, False, tuple(notes))


def why_not_joined(parents: Sequence[Parent]) -> str:
    """Return why some datasets are not shards of one run, "" if they are."""
    first = parents[0]
    for other in parents[1:]:
        names = f"{first.out.name} and {other.out.name}"
        if other.header.recipe_id != first.header.recipe_id:
            return f"{names} have different recipes"
        if other.header.taxonomy_id != first.header.taxonomy_id:
            return f"{names} have different taxonomies"
        for part in ("engine_version", "source_sha256"):
            if getattr(other.header, part) != getattr(first.header, part):
                return f"{names} have one recipe, but were made by different programs"
    return ""


def join_shards(parents: Sequence[Parent], request: MixRequest, update: Callable[[int], None]) -> Manifest:
    """Return the manifest of the dataset that one run would have made of the worlds of all parents.

    Raises:
        UserError: If a world of two of them is not the same in both.
        ForeignOutput, WriteFailed: If `out` holds something else, or the disk refuses.
    """
    out, first = request.out.absolute(), parents[0]
    with refusals_named(out):
        header = begin_folder(
            out, first.header, read_json(first.out / RECIPE), first.taxonomy, first.scene_tables()
        )  # fmt: skip
        recover(out)
    joiner = _Joiner(out, header.shard_worlds, FilePlacer(request.placement))
    for parent in parents:
        for commit in sorted((*parent.commits, *parent.skipping), key=lambda c: c.id):
            joiner.take(parent, commit)
            update(commit.frames)
    worlds = joiner.log.worlds()
    manifest = finalise(out, worlds, _job_of(parents, worlds, header.shard_worlds))
    if manifest is None:
        raise UserError(f"{out} is not complete; run the same command again")
    return manifest


@dataclass
class _Joiner:
    """Takes commits of other datasets over into one."""

    out: Path
    shard_worlds: int
    placer: FilePlacer

    def __post_init__(self) -> None:
        self.log = CommitLog(self.out)
        self.present = self.log.worlds()

    def take(self, parent: Parent, commit: Commit) -> None:
        """Commit the worlds of a commit that are not there yet, and compare those that are."""
        tables = read_rows(parent, commit) if commit.frames else {}
        for cell in sorted({cell_of(world, self.shard_worlds) for world in commit.worlds}):
            own = {world for world in commit.worlds if cell_of(world, self.shard_worlds) == cell}
            if common := own & self.present:
                self._compare(_Share(parent, commit, tables, common))
            if new := own - self.present:
                self._commit(cell, _Share(parent, commit, tables, new))
                self.present |= new

    def _commit(self, cell: int, share: _Share) -> None:
        pending = PendingCommit(self.out, self.log.next_id(cell, share.worlds))
        piece = share.piece
        try:
            with refusals_named(self.out):
                for placed in () if piece is None else piece.files:
                    pending.place(placed.fact, self.placer, placed.source)
                for name, table in {} if piece is None else piece.tables.items():
                    pending.write_rows(name, [table])
                pending.publish(share.record(pending))
        finally:
            pending.close()

    def _compare(self, share: _Share) -> None:
        there = open_worlds(self.out, self.log.commits(), share.worlds)
        here = world_digests(share.tables, share.commit, share.worlds)
        odd = sorted(world for world in share.worlds if there.get(world) != here.get(world))
        if odd:
            raise UserError(
                f"world {odd[0]} of {share.parent.out} is not the same as in what was merged before it, nor are "
                f"{len(odd) - 1} more; datasets of one recipe have to be of different worlds (worlds=), or equal where "
                "they overlap: `diff` says how they differ"
            )


@dataclass(frozen=True)
class _Share:
    """Some worlds of a commit of a parent."""

    parent: Parent
    commit: Commit
    tables: Mapping[str, pa.Table]
    worlds: set[int]

    @property
    def piece(self) -> Piece | None:
        """Their rows and files; None if all were skipped."""
        if not self.tables:
            return None
        chosen = np.isin(self.tables["frames"]["world"].to_numpy(), sorted(self.worlds))
        return piece_of(self.parent, self.commit, self.tables, chosen) if chosen.any() else None

    def record(self, pending: PendingCommit) -> Commit:
        """Return the record of these worlds under another id."""
        piece = self.piece
        tables = {} if piece is None else piece.tables
        pairs = pc.value_counts(tables["instances"]["class"]).to_pylist() if tables else []
        defects, near_misses = count_defects([tables[DEFECTS]] if DEFECTS in tables else [])
        files = pending.files
        return replace(
            self.commit, id=pending.id, worlds=tuple(sorted(self.worlds)),
            frames=tables["frames"].num_rows if tables else 0,
            instances=tables["instances"].num_rows if tables else 0,
            by_class={pair["values"]: pair["counts"] for pair in pairs if pair["values"]},
            skips=tuple(skip for skip in self.commit.skips if skip.world in self.worlds),
            content_sha256=content_hash(files), files=files, defects=defects, near_misses=near_misses,
        )  # fmt: skip


def open_worlds(out: Path, commits: Iterable[Commit], worlds: set[int]) -> dict[int, str]:
    """Return a hash of the rows, files and skips of some worlds of a dataset that may not be complete yet."""
    digests: dict[int, str] = {}
    for commit in commits:
        if common := worlds & set(commit.worlds):
            names = tables_of(commit) if commit.frames else ()
            tables = {name: read_parquet(out / rows_path(commit.id, name)) for name in names}
            digests |= world_digests(tables, commit, common)
    return digests


def world_digests(tables: Mapping[str, pa.Table], commit: Commit, worlds: set[int]) -> dict[int, str]:
    """Return a hash of every world: its rows, in which the hashes of its files stand, or why it was skipped."""
    reasons = {skip.world: skip.reason for skip in commit.skips}
    digests = {}
    for world in worlds:
        digest = hashlib.sha256(reasons.get(world, "").encode())
        for name in sorted(tables):
            rows = tables[name].filter(pc.equal(tables[name]["world"], world))
            digest.update(parquet_bytes(sorted_rows([rows], name)))
        digests[world] = digest.hexdigest()
    return digests


def _job_of(parents: Sequence[Parent], worlds: set[int], shard_worlds: int) -> JobFacts:
    """Return what the parents' jobs have in common, over all worlds."""
    jobs = [parent.manifest.job for parent in parents]
    common = tuple(text for text in jobs[0].overrides if all(text in job.overrides for job in jobs))
    is_range = worlds == set(range(len(worlds)))
    wanted = None if is_range else tuple(sorted(worlds))
    return replace(jobs[0], count=len(worlds), worlds=wanted, shard_worlds=shard_worlds, overrides=common)


def _check_different(parents: Sequence[Parent]) -> None:
    """Refuse a dataset that is given twice.

    Raises:
        UserError: If it is.
    """
    seen: dict[str, Path] = {}
    for parent in parents:
        number = parent.manifest.dataset_id
        if number in seen:
            raise UserError(f"{parent.out} is the same dataset as {seen[number]}, {number}; name it once")
        seen[number] = parent.out
