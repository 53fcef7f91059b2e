"""A dataset as a gallery shows it: its rows cell by cell, its index, and where its pictures lie."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pyarrow as pa

from engine.formats.index import open_dataset
from engine.formats.record import Category
from engine.view.color import PICTURES
from engine.view.pictures import IMAGE
from engine.write.begin import MANIFEST
from engine.write.files import inside

SHOWN_BY_BROWSERS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif")


class Rows(Protocol):
    """Tables in the order of the index, a part at a time; see `engine.write.merge.MergedRows`."""

    def tables(self, name: str) -> Iterator[pa.Table]:
        """Yield the parts of a table, one a cell."""


@dataclass(frozen=True)
class Shown:
    """What is shown."""

    name: str
    out: Path
    origin: str
    categories: tuple[Category, ...]
    rows: Rows


@dataclass(frozen=True)
class Part:
    """The rows of one cell; None where there is no such table."""

    worlds: pa.Table
    frames: pa.Table
    instances: pa.Table
    defects: pa.Table | None


def open_shown(out: Path) -> Shown:
    """Return a complete dataset as what a gallery shows.

    Raises:
        UserError: If there is none at `out`.
    """
    source = open_dataset(out)
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    return Shown(source.name, out, str(manifest.get("origin", "synthetic")), source.categories, source.rows)


def parts_of(shown: Shown) -> Iterator[Part]:
    """Yield one cell after another."""
    defects = shown.rows.tables("defects")
    names = ("worlds", "frames", "instances")
    for worlds, frames, instances in zip(*(shown.rows.tables(name) for name in names), strict=True):
        yield Part(worlds, frames, instances, next(defects, None))


def image_of(shown: Shown, row: Mapping[str, Any]) -> Path | None:
    """Return where the image of a frame lies; None: it has none.

    Raises:
        UserError: If it leads out of the dataset.
    """
    return None if row.get(IMAGE) is None else inside(shown.out, row[IMAGE])


def roles_of(names: list[str]) -> list[str]:
    """Return the columns of frames that name files beside the image."""
    roles = [name.removesuffix("_sha256") for name in names if name.endswith("_sha256")]
    return sorted(role for role in roles if role != IMAGE and role in names)


def is_picture(path: str | None) -> bool:
    """Return whether a file can be drawn."""
    return path is not None and path.endswith(PICTURES)


def address(path: Path, *, seen_from: Path) -> str:
    """Return a relative address by which a page in a folder finds a file; no name in it can be a scheme."""
    return quote(os.path.relpath(path, seen_from))
