"""A complete dataset as another is made from it: its bookkeeping, and the rows and files of some of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.collect.collector import Placed
from engine.collect.holdout import opened
from engine.collect.intent import DatasetRef, Intent, read_intent, scene_tables, title_of
from engine.collect.reference import reference_of
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.recipe import Recipe
from engine.scene.taxonomy import Taxonomy
from engine.write.begin import HEADER, MANIFEST, RECIPE, TAXONOMY, read_taxonomy
from engine.write.files import inside
from engine.write.merge import COMMITS, rows_path, tables_of
from engine.write.names import FrameGrid
from engine.write.record import Commit, Header, read_commit, read_header
from engine.write.tables import read_parquet

IMAGE = "image"
HASH_SUFFIX = "_sha256"


@dataclass(frozen=True)
class Parent:
    """A complete dataset that frames are taken from."""

    out: Path
    header: Header
    intent: Intent
    taxonomy: Taxonomy
    manifest: Manifest
    commits: tuple[Commit, ...]  # with frames, sorted by id; of their files, those with rows
    skipping: tuple[Commit, ...]  # whose worlds were all skipped

    @property
    def grid(self) -> FrameGrid:
        """The frames of a world."""
        return FrameGrid(self.header.steps, len(self.header.cameras))

    @property
    def ref(self) -> DatasetRef:
        """What the other dataset says of it."""
        return reference_of(self.out, self.manifest)

    @property
    def title(self) -> str:
        """What people call it."""
        return title_of(self.intent)

    @property
    def has_images(self) -> bool:
        """Whether every frame has a picture."""
        if isinstance(self.intent, Recipe):
            return IMAGE in self.schema("frames").names
        return self.intent.has_images

    @property
    def table_names(self) -> tuple[str, ...]:
        """The tables of the index."""
        return tables_of(self.commits[0])

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table in the rows of commits, masks included."""
        return pq.read_schema(inside(self.out, rows_path(self.commits[0].id, name)))

    def scene_tables(self) -> dict[str, bytes]:
        """Return the tables of the scene that files of frames refer to, by path."""
        return {name: inside(self.out, name).read_bytes() for name in scene_tables(self.intent)}


@dataclass(frozen=True)
class Piece:
    """Some frames of a commit: their rows, those of their worlds and what is seen in them, and their files."""

    tables: dict[str, pa.Table]
    files: tuple[Placed, ...]  # with their paths in the parent

    @property
    def worlds(self) -> tuple[int, ...]:
        """The worlds that have frames, sorted."""
        return tuple(np.unique(self.tables["frames"]["world"].to_numpy()).tolist())


def open_parent(out: Path) -> Parent:
    """Return the complete dataset at `out`.

    Raises:
        UserError: If there is none, or a file of its bookkeeping is damaged.
    """
    out = out.absolute()
    if not (out / HEADER).is_file():
        raise UserError(f"{out} is not a dataset: it has no {HEADER}")
    if not (out / MANIFEST).is_file():
        raise UserError(f"{out} is not complete; run the command that makes it again")
    opened(out, "another dataset is made from it")
    commits = [_without_files(read_commit(path)) for path in sorted((out / COMMITS).glob("*.json"))]
    parent = Parent(
        out, read_header(out / HEADER), read_intent(out / RECIPE), read_taxonomy(out / TAXONOMY),
        read_manifest(out / MANIFEST), tuple(commit for commit in commits if commit.frames),
        tuple(commit for commit in commits if not commit.frames),
    )  # fmt: skip
    if not parent.commits:
        raise UserError(f"{out} has no frames")
    return parent


def read_rows(parent: Parent, commit: Commit) -> dict[str, pa.Table]:
    """Return the tables of a commit with frames.

    Raises:
        UserError: If one cannot be read.
    """
    tables = {}
    for name in tables_of(commit):
        path = inside(parent.out, rows_path(commit.id, name))
        try:
            tables[name] = read_parquet(path)
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}; `verify` says more") from error
    return tables


def take_frames(parent: Parent, commit: Commit, wanted: NDArray[np.int64]) -> Piece | None:
    """Return the frames of a commit whose ids are among the wanted ones, which are sorted; None if there is none."""
    tables = read_rows(parent, commit)
    ids = tables["frames"]["frame_id"].to_numpy()
    chosen = wanted[np.minimum(np.searchsorted(wanted, ids), len(wanted) - 1)] == ids
    return None if not chosen.any() else piece_of(parent, commit, tables, chosen)


def piece_of(parent: Parent, commit: Commit, tables: Mapping[str, pa.Table], chosen: NDArray[np.bool_]) -> Piece:
    """Return the chosen frames of a commit, of which these are the rows."""
    frames = tables["frames"].filter(pa.array(chosen))
    ids, steps = frames["frame_id"].to_numpy(), parent.header.steps
    rows = {"worlds": tables["worlds"], "frames": frames}
    if not chosen.all():
        moments = frames["world"].to_numpy() * steps + frames["step"].to_numpy()
        present = tables["worlds"]["world"].to_numpy() * steps + tables["worlds"]["step"].to_numpy()
        rows["worlds"] = tables["worlds"].filter(pa.array(np.isin(present, moments)))
    for name in tables:
        if name not in rows:
            rows[name] = tables[name].filter(pa.array(np.isin(tables[name]["frame_id"].to_numpy(), ids)))
    return Piece(rows, files_of(parent, commit, frames))


def files_of(parent: Parent, commit: Commit, frames: pa.Table) -> tuple[Placed, ...]:
    """Return the files of some frames of a commit.

    Raises:
        UserError: If a row names a file that the commit does not have, or one outside of the dataset.
    """
    facts = {fact.path: fact for fact in read_commit(parent.out / COMMITS / f"{commit.id}.json").files}
    placed = []
    for role in file_roles(frames.column_names):
        for path in frames[role].to_pylist():
            if path is None:
                continue
            if path not in facts:
                raise UserError(f"{parent.out}: a frame of commit {commit.id} names {path}, which is none of its files")
            placed.append(Placed(facts[path], inside(parent.out, path)))
    return tuple(placed)


def _without_files(commit: Commit) -> Commit:
    """Return a record that names its rows alone: those of all files of a large dataset take a lot of memory."""
    return replace(commit, files=tuple(fact for fact in commit.files if fact.path.startswith(f"{COMMITS}/")))


def file_roles(columns: Sequence[str]) -> list[str]:
    """Return the columns of frames that name files."""
    return [name.removesuffix(HASH_SUFFIX) for name in columns if name.endswith(HASH_SUFFIX)]
