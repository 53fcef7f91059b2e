"""What the bookkeeping files of a dataset hold: `dataset.json` (begun by whom, for what) and the commit records.

All are frozen dataclasses whose JSON form is checked strictly by `engine.plain`. A commit record holds no host, time
or process: two workers that make the same shard write the same record.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.plain import from_plain, to_plain
from engine.recipe import check_relative
from engine.scene.report import LoadReport


@dataclass(frozen=True)
class FileFact:
    """A file of the dataset, its path relative to the dataset."""

    path: str
    sha256: str
    bytes: int

    def __post_init__(self) -> None:
        check_relative(self.path)
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"{self.path}: '{self.sha256[:20]}' is not a sha256 of 64 hex digits")
        if self.bytes < 0:
            raise ValueError(f"{self.path} cannot have {self.bytes} bytes")


@dataclass(frozen=True)
class Build:
    """Which program made the data."""

    version: str
    source_sha256: str  # engine.provenance.source_sha256; two programs of one version may make other pixels
    commit: str | None  # git, where the program runs from a checkout
    dirty: bool | None
    warp: str | None
    numpy: str


@dataclass(frozen=True)
class Environment:
    """What it ran on, as far as that can change a float."""

    python: str
    device: str  # cpu, or the name of the GPU
    simd: str | None  # widest vector set of the processor
    driver: str | None  # CUDA driver


@dataclass(frozen=True)
class Skip:
    """A world that has no frames, and why."""

    world: int
    reason: str


@dataclass(frozen=True)
class Header:
    """`dataset.json`: the first file of a dataset, and what everything committed to it has in common."""

    recipe_id: str
    taxonomy_id: str
    engine_version: str
    source_sha256: str  # see Build
    shard_worlds: int  # worlds of a cell; see engine/write/shard.py
    steps: int
    cameras: tuple[str, ...]  # prim paths, in the order of the camera index
    width: int  # [px]
    height: int  # [px]
    report: LoadReport  # of the scene
    schema: Literal["dataset/1"] = "dataset/1"


@dataclass(frozen=True)
class Commit:
    """`commit/<id>.json`: the worlds that exist, because this file does."""

    id: str  # see engine.write.names.name_commit
    recipe_id: str
    worlds: tuple[int, ...]  # sorted; those in `skips` have no frames
    frames: int
    instances: int
    by_class: dict[str, int]  # class key -> instances
    skips: tuple[Skip, ...]
    content_sha256: str  # see content_hash
    files: tuple[FileFact, ...]  # sorted by path
    engine: Build
    environment: Environment
    defects: dict[str, int] = field(default_factory=dict)  # class key -> defects seen, without near-misses
    near_misses: int = 0
    schema: Literal["commit/1"] = "commit/1"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{8,10}-\d{3,}", self.id, re.ASCII):  # it becomes part of paths
            raise ValueError(f"'{self.id[:40]}' is not the id of a commit")


def content_hash(files: Iterable[FileFact]) -> str:
    """Return the sha256 over sorted lines `path NUL sha256 LF`, 64 hex digits."""
    digest = hashlib.sha256()
    for fact in sorted(files, key=lambda f: f.path):
        digest.update(f"{fact.path}\0{fact.sha256}\n".encode())
    return digest.hexdigest()


def json_bytes(value: object) -> bytes:
    """Return the one spelling of a record's JSON that is ever written: sorted keys, one space a level, a newline."""
    return (json.dumps(to_plain(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_commit(path: Path) -> Commit:
    """Return a commit record.

    Raises:
        UserError: If the file is not JSON or not a commit record, or has the name of another.
    """
    from engine.errors import UserError

    commit = from_plain(Commit, read_json(path), path.name)
    if commit.id != path.stem:
        raise UserError(f"{path} is the record of commit {commit.id}; it belongs into {commit.id}.json")
    return commit


def read_header(path: Path) -> Header:
    """Return what `dataset.json` holds.

    Raises:
        UserError: If the file is not JSON or not a header.
    """
    return from_plain(Header, read_json(path), path.name)


def read_json(path: Path) -> Any:
    """Return the data of a JSON file.

    Raises:
        UserError: If it is not JSON in UTF-8.
    """
    from engine.errors import UserError

    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}") from error


def read_stored(path: Path, schema: str, command: str) -> dict[str, Any]:
    """Return the JSON object that a command stored.

    Args:
        path: The file.
        schema: What its key `schema` must say.
        command: What makes it, for the error.
    Raises:
        UserError: If there is none, or it is another one.
    """
    from engine.errors import UserError

    if not path.is_file():
        raise UserError(f"{path.parent} holds no {path.name}; {command} makes it")
    facts = read_json(path)
    if not isinstance(facts, dict) or facts.get("schema") != schema:
        raise UserError(f"{path} is not of the schema {schema}; make it again with {command}")
    return facts
