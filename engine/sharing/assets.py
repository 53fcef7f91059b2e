"""Licence and provenance of the files that a dataset was rendered from.

`LICENCES.yaml` beside assets says it, in their folder or one above: a list of entries of which the first whose `path`
fits decides. It holds for files whose bytes are those that were rendered; of others nothing is known.

    - {path: "textures/*", licence: CC0-1.0, provenance: "ambientcg.com", photograph: true}
    - {path: "*", licence: Apache-2.0, provenance: "made by the scripts in author/"}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import yaml

from engine.collect.intent import Ingest, read_intent
from engine.errors import UserError
from engine.plain import from_plain
from engine.recipe import Recipe
from engine.write.begin import RECIPE
from engine.write.files import hash_file

LICENCES = "LICENCES.yaml"
LONGEST_FILE = 1 << 20  # bytes of a LICENCES.yaml


@dataclass(frozen=True)
class LicenceEntry:
    """What is said about the files that a pattern fits; relative to the folder of the file that says it."""

    path: str
    licence: str
    provenance: str
    photograph: bool = False  # taken of the real world, such as a photographed texture or sky

    def __post_init__(self) -> None:
        if not self.path or not self.licence or not self.provenance:
            raise ValueError("path, licence and provenance must not be empty")


@dataclass(frozen=True)
class AssetRow:
    """A file that a dataset was made from."""

    path: str
    sha256: str
    bytes: int
    licence: str  # "" if unknown
    provenance: str
    photograph: bool
    said_by: str  # the LICENCES.yaml, or why nothing is known


@dataclass(frozen=True)
class AssetTable:
    """All of them."""

    rows: tuple[AssetRow, ...]
    schema: Literal["assets/1"] = "assets/1"

    @property
    def unknown(self) -> tuple[AssetRow, ...]:
        """Those without a licence."""
        return tuple(row for row in self.rows if not row.licence)


def asset_table(dataset: Path, folders: Sequence[Path]) -> AssetTable:
    """Return the assets of a dataset with their licences.

    Args:
        dataset: The folder. Pictures that were taken in are one row: what the ingest said about them.
        folders: Where scenes lie; an asset is looked for in them in turn.
    Raises:
        UserError: If the recipe or a LICENCES.yaml cannot be read.
    """
    intent = read_intent(dataset / RECIPE)
    if isinstance(intent, Recipe):
        said: dict[Path, tuple[LicenceEntry, ...]] = {}
        return AssetTable(tuple(_row(a.path, a.sha256, a.bytes, folders, said) for a in intent.assets))
    if isinstance(intent, Ingest):
        size = sum(path.stat().st_size for path in (dataset / "images").rglob("*") if path.is_file())
        row = AssetRow("images", intent.sources_sha256, size, intent.licence, intent.source, True, "ingest")
        return AssetTable((row,))
    names = ", ".join(f"{parent.name} ({parent.dataset_id})" for parent in intent.parents)
    raise UserError(f"{dataset} was made from datasets, not from assets; ask for those of {names}")


def read_licences(path: Path) -> tuple[LicenceEntry, ...]:
    """Return the entries of a LICENCES.yaml.

    Raises:
        UserError: If it is not one.
    """
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise UserError(f"{path} is larger than {LONGEST_FILE} bytes")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, list):
        raise UserError(f"{path}: expected a list of entries with path, licence and provenance")
    return tuple(from_plain(LicenceEntry, entry, f"{path}[{index}]") for index, entry in enumerate(data))


def _row(
    path: str, sha256: str, size: int, folders: Sequence[Path], said: dict[Path, tuple[LicenceEntry, ...]]
) -> AssetRow:
    reason = f"not found below {' or '.join(str(folder) for folder in folders)}"
    for folder in folders:
        file = folder / path
        if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
            continue
        if hash_file(file) != sha256:
            reason = f"{file} has other bytes now"
            continue
        reason = f"no {LICENCES} names it"
        for above in [file.parent, *file.parent.parents]:
            where = above / LICENCES
            if where not in said:
                said[where] = read_licences(where) if where.is_file() else ()
            relative = file.relative_to(above).as_posix()
            entry = next((entry for entry in said[where] if fnmatchcase(relative, entry.path)), None)
            if entry is not None:
                by = where.relative_to(folder).as_posix()
                return AssetRow(path, sha256, size, entry.licence, entry.provenance, entry.photograph, by)
            if above == folder:
                break
    return AssetRow(path, sha256, size, "", "", False, reason)
