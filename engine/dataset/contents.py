"""A dataset as `verify` and `info` read it: every bookkeeping file parsed, or the reason why it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.collect.intent import Intent, read_intent
from engine.dataset.faults import GO_ON, REMAKE_RECORDS, REMAKE_VIEWS, Fault
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.recipe import Recipe
from engine.scene.taxonomy import Taxonomy
from engine.write.begin import HEADER, MANIFEST, RECIPE, TAXONOMY, read_taxonomy
from engine.write.merge import COMMITS, MergedRows
from engine.write.names import FrameGrid
from engine.write.record import Commit, Header, read_commit, read_header

T = TypeVar("T")


@dataclass(frozen=True)
class Contents:
    """The bookkeeping of a dataset; None where a file is missing or damaged."""

    out: Path
    header: Header | None
    intent: Intent | None
    taxonomy: Taxonomy | None
    manifest: Manifest | None
    commits: tuple[Commit, ...]  # those that can be read, sorted by id

    @property
    def recipe(self) -> Recipe | None:
        """The recipe; None also of a dataset that was not rendered."""
        return self.intent if isinstance(self.intent, Recipe) else None

    @property
    def rows(self) -> MergedRows | None:
        """The rows of all commits, if the files that they need can be read."""
        if self.header is None or self.taxonomy is None:
            return None
        return MergedRows(self.out, self.commits, self.taxonomy, FrameGrid(self.header.steps, len(self.header.cameras)))


def read_contents(out: Path) -> tuple[Contents, list[Fault]]:
    """Return the bookkeeping of the dataset at `out`, and a fault for every file that is missing or damaged.

    Raises:
        UserError: If there is no dataset.
    """
    if not (out / HEADER).is_file():
        raise UserError(f"{out} is not a dataset: it has no {HEADER}")
    faults: list[Fault] = []

    def read(name: str, reader: Callable[[Path], T], repair: str, missing: str) -> T | None:
        if not (out / name).is_file():
            faults.append(Fault(name, "is missing", missing))
            return None
        try:
            return reader(out / name)
        except UserError as error:
            faults.append(Fault(name, _reason(error, out / name), repair))
            return None

    commits = []
    for path in sorted((out / COMMITS).glob("*.json")):
        repair = f"delete it and {MANIFEST} and run the same command again: its worlds are made anew"
        if commit := read(f"{COMMITS}/{path.name}", read_commit, repair, repair):
            commits.append(commit)
    contents = Contents(
        out,
        read(HEADER, read_header, REMAKE_RECORDS, REMAKE_RECORDS),
        read(RECIPE, read_intent, REMAKE_RECORDS, GO_ON),
        read(TAXONOMY, read_taxonomy, REMAKE_RECORDS, GO_ON),
        read(MANIFEST, read_manifest, REMAKE_VIEWS, f"the dataset is not complete; {GO_ON}"),
        tuple(commits),
    )
    return contents, faults


def _reason(error: UserError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ").removeprefix(f"{path} ").removeprefix(path.name)
