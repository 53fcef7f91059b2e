"""`manifest.json`: what a complete dataset is; its ids, and how they follow from recipe, taxonomy and bytes.

The manifest is the last file written and names the hash of CHECKSUMS.sha256, which names every other file. Nothing can
come after it, so it carries its own hash: `sha256` is that of the manifest with this field empty. With the one spelling
that `json_bytes` gives, a flipped bit anywhere in the file is an error.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.collect.intent import DatasetRef
from engine.errors import UserError
from engine.plain import from_plain
from engine.recipe import check_relative
from engine.write.record import Build, Environment, FileFact, Skip, json_bytes, read_json

CHECKSUMS = "CHECKSUMS.sha256"
INDEX = "index"
CONTACT_SHEET = "contact_sheet.png"
VIEWS = frozenset({CONTACT_SHEET, "card.md", "croissant.json"})  # of the data: made anew from them


@dataclass(frozen=True)
class Counts:
    """How much there is. `instances` have a class and `by_class` sums to them; `unlabelled` have none."""

    worlds: int  # with frames
    frames: int
    instances: int
    unlabelled: int
    by_class: dict[str, int]  # class key -> instances
    defects: dict[str, int] = field(default_factory=dict)  # class key -> defects seen, without near-misses
    near_misses: int = 0


@dataclass(frozen=True)
class ShardFact:
    """One commit."""

    id: str
    first_world: int
    worlds: int
    sha256: str  # engine.write.record.content_hash of its files


@dataclass(frozen=True)
class Export:
    """A label file about the whole dataset."""

    format: str
    path: str
    sha256: str
    taxonomy_id: str

    def __post_init__(self) -> None:
        check_relative(self.path)


@dataclass(frozen=True)
class JobFacts:
    """How the recipe was carried out, as far as it is the same on every machine; decides nothing about the data."""

    count: int
    worlds: tuple[int, ...] | None
    batch: int
    shard_worlds: int
    workers: int
    device: str
    overrides: tuple[str, ...]  # Hydra's, without out= and worker=


@dataclass(frozen=True)
class Origin:
    """A program and a machine that made some of the shards."""

    engine: Build
    environment: Environment


@dataclass(frozen=True)
class Health:
    """Fractions that should be small; see engine/dataset/health.py."""

    empty: float
    tiny: float
    dup: float


@dataclass(frozen=True)
class Manifest:
    """A complete dataset. `engine` and `environment` made the first shard, `other_origins` those that differ."""

    dataset_id: str
    recipe_id: str
    taxonomy_id: str
    content_root: str
    bytes: int
    counts: Counts
    engine: Build
    environment: Environment
    other_origins: tuple[Origin, ...]
    shards: tuple[ShardFact, ...]
    index: tuple[FileFact, ...]
    exports: tuple[Export, ...]
    checksums: FileFact
    job: JobFacts
    skips: tuple[Skip, ...]
    notes: dict[str, int]  # lines of the load report by level; the lines are in dataset.json
    health: Health
    sha256: str = ""
    origin: Literal["synthetic", "real", "mixed"] = "synthetic"
    contains_real_imagery: bool = False
    parents: tuple[DatasetRef, ...] = ()  # that it was selected or mixed from
    schema: Literal["manifest/1"] = "manifest/1"


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the file of a manifest, with its own hash filled in."""
    return json_bytes(dataclasses.replace(manifest, sha256=manifest_hash(manifest)))


def manifest_hash(manifest: Manifest) -> str:
    """Return the sha256 of a manifest whose field `sha256` is empty."""
    return hashlib.sha256(json_bytes(dataclasses.replace(manifest, sha256=""))).hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Return a manifest that nobody has touched.

    Raises:
        UserError: If it is not JSON, not a manifest, spelled otherwise than it was written, or its hash does not fit.
    """
    data = read_json(path)
    manifest = from_plain(Manifest, data, path.name)
    # Of the data, not of the manifest that they become: one of an earlier version lacks fields that have defaults now.
    if manifest.sha256 != hashlib.sha256(json_bytes({**data, "sha256": ""})).hexdigest():
        raise UserError(f"{path} was changed after it was written: it does not have the hash that it states")
    if json_bytes(data) != path.read_bytes():
        raise UserError(f"{path} was changed after it was written: same data, other bytes")
    return manifest


def dataset_id(recipe_id: str, taxonomy_id: str, root: str) -> str:
    """Return `ds_` and 16 hex digits of the sha256 of the three ids with `|` between them."""
    return "ds_" + hashlib.sha256(f"{recipe_id}|{taxonomy_id}|{root}".encode()).hexdigest()[:16]


def content_root(files: Iterable[FileFact]) -> str:
    """Return the Merkle root over the files sorted by path, 64 hex digits.

    A leaf is sha256(0x00, path, 0x00, sha256 of the content, size as 8 bytes big-endian); a node is sha256(0x01, left,
    right); a level of odd length hands its last hash up. Source for the prefixes: RFC 6962, section 2.1.
    """
    level = [_leaf(fact) for fact in sorted(files, key=lambda f: f.path)]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2])]
        level = pairs + level[len(level) & ~1 :]
    return level[0].hex()


def is_content(path: str) -> bool:
    """Return whether a file enters the content root: data and labels, not bookkeeping and not views of the data."""
    return path.partition("/")[0] not in {"commit", "dataset.json", *VIEWS, CHECKSUMS, "manifest.json"}


def _leaf(fact: FileFact) -> bytes:
    data = b"\x00" + fact.path.encode() + b"\x00" + bytes.fromhex(fact.sha256) + fact.bytes.to_bytes(8, "big")
    return hashlib.sha256(data).digest()
