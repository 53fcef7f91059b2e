"""What a dataset was meant to be: `recipe.json`, which is the recipe of what was rendered, or one of four others.

Its id, the sha256 of the canonical JSON, is the dataset's `recipe_id`. `schema` says which of them a file holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import rfc8785

from engine.errors import UserError
from engine.plain import from_plain, to_plain
from engine.recipe import Recipe
from engine.write.coco import Coco, write_collected_coco
from engine.write.plan import DatasetWriter, read_writers
from engine.write.record import read_json

Where = Literal["synthetic", "real", "mixed"]
SMALLEST_AREA_PX = 1  # of an instance in labels/coco.json


@dataclass(frozen=True)
class DatasetRef:
    """A dataset that another was made from, by its content."""

    dataset_id: str
    recipe_id: str
    taxonomy_id: str
    content_root: str
    origin: Where
    contains_real_imagery: bool
    frames: int
    name: str  # of its folder then, for people
    groups: tuple[str, ...] = ()  # columns of its frames that no split may tear apart


@dataclass(frozen=True)
class Collected:
    """What all datasets have in common that were not rendered."""

    name: str  # for titles
    taxonomy_id: str
    tables: tuple[str, ...]  # tables of a scene that files of frames refer to; see engine/write/parts.py
    has_images: bool  # so that labels/coco.json can name them

    @property
    def id(self) -> str:
        """The sha256 of the canonical JSON (RFC 8785), 64 hex digits."""
        return hashlib.sha256(rfc8785.dumps(to_plain(self))).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the plain-data form."""
        plain: dict[str, Any] = to_plain(self)
        return plain


@dataclass(frozen=True)
class Ingest(Collected):
    """Pictures and labels of others, as they are."""

    format: str
    sources_sha256: str  # of the pictures and label files: engine.write.record.content_hash
    licence: str  # of the pictures; "" if unknown
    source: str  # where they come from: an address, a citation
    options: dict[str, Any] = field(default_factory=dict)  # of the ingest: groups, class map, ...
    parents: tuple[DatasetRef, ...] = ()
    schema: Literal["ingest/1"] = "ingest/1"


@dataclass(frozen=True)
class Selection(Collected):
    """The frames of one dataset that satisfy a condition."""

    parents: tuple[DatasetRef, ...]  # one
    where: str  # SQL over the frame `f` and its world; see engine/query.py
    limit: int | None = None  # how many of those that satisfy it were drawn; None: all
    seed: int = 0  # of that draw
    schema: Literal["selection/1"] = "selection/1"


@dataclass(frozen=True)
class Mixture(Collected):
    """The frames of several datasets."""

    parents: tuple[DatasetRef, ...]  # in the order in which their worlds are numbered
    dropped: tuple[str, ...] = ()  # columns that were left out, `table.column`
    schema: Literal["mixture/1"] = "mixture/1"


@dataclass(frozen=True)
class Conversion(Collected):
    """The frames of one dataset with the classes of a later version of its taxonomy."""

    parents: tuple[DatasetRef, ...]  # one
    classes: dict[str, str | None]  # class there -> class here; None: its labels were dropped
    schema: Literal["conversion/1"] = "conversion/1"


Intent = Recipe | Ingest | Selection | Mixture | Conversion
KINDS: dict[str, type[Recipe | Ingest | Selection | Mixture | Conversion]] = {
    "recipe/1": Recipe, "ingest/1": Ingest, "selection/1": Selection, "mixture/1": Mixture,
    "conversion/1": Conversion,
}  # fmt: skip


def read_intent(path: Path) -> Intent:
    """Return what a recipe.json holds.

    Raises:
        UserError: If the file is not JSON, or none of the five.
    """
    data = read_json(path)
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema not in KINDS:
        raise UserError(f"{path}: schema is {schema!r}, known are {', '.join(KINDS)}")
    return from_plain(KINDS[schema], data, "recipe")


def title_of(intent: Intent) -> str:
    """Return what a dataset is called: its scene, or the name that it was given."""
    return intent.scene.name if isinstance(intent, Recipe) else intent.name


def parents_of(intent: Intent) -> tuple[DatasetRef, ...]:
    """Return the datasets that one was made from; a rendered one has none."""
    return () if isinstance(intent, Recipe) else intent.parents


def origin_of(intent: Intent) -> Where:
    """Return where the pictures come from."""
    if isinstance(intent, Recipe):
        return "synthetic"
    if isinstance(intent, Ingest):
        return "real"
    origins = {parent.origin for parent in intent.parents}
    return origins.pop() if len(origins) == 1 else "mixed"


def dataset_writers(intent: Intent) -> tuple[DatasetWriter, ...]:
    """Return the writers of label files about the whole dataset."""
    if isinstance(intent, Recipe):
        return read_writers(intent.write, intent.outputs).dataset
    return (DatasetWriter("coco", Coco(SMALLEST_AREA_PX), write_collected_coco),) if intent.has_images else ()


def scene_tables(intent: Intent) -> tuple[str, ...]:
    """Return the paths of tables of the scene that files of frames refer to."""
    if isinstance(intent, Recipe):
        return read_writers(intent.write, intent.outputs).tables
    return intent.tables
