"""The folder of a gallery: the page, and of one or two datasets columns, labels, thumbnails and previews."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.formats.record import Frame
from engine.view.color import depth_span, legend_of_depth, read_values
from engine.view.gallery import columns, labels, nearest, thumbnails
from engine.view.gallery.chunks import packed, script
from engine.view.gallery.place import MARK, PAGE, SCHEMA
from engine.view.gallery.source import (
    SHOWN_BY_BROWSERS,
    Shown,
    address,
    image_of,
    is_picture,
    roles_of,
)
from engine.view.page import categories_data, compact, encoded, icon_and_policy
from engine.view.pictures import draw_role, shrink
from engine.view.sheets import words
from engine.write.files import inside

PARTS = Path(__file__).parent / "page"
SHARED = Path(__file__).parents[1] / "page" / "masks.js"
SCRIPTS = (
    "store.js", "filters.js", "sql.js", "histogram.js", "panel.js", "grid.js", "draw.js", "stage.js", "tables.js",
    "frame.js", "keys.js", "main.js",
)  # fmt: skip
CONVERTED_WIDTH_PX = 4096  # of images that browsers do not show
LEGEND_COLORS = 24
DISTANCE = "distance to the nearest"  # a column of the page that no table has
FIRST, SECOND = "data", "other"


@dataclass(frozen=True)
class Options:
    """What a gallery holds beside labels and thumbnails."""

    previews: tuple[str, ...] = ()  # roles of files that are drawn for every frame
    is_embedded: bool = False  # pictures are put into the folder, so that it can be sent away


def build_gallery(
    shown: Shown, other: Shown | None, out: Path, folder: Path, options: Options, done: Callable[[int], None]
) -> None:
    """Write a gallery.

    Args:
        shown: The dataset whose frames are in the grid.
        other: The dataset that it is compared with.
        out: Where the folder will be, from which pictures are addressed.
        folder: Where it is written now; empty.
        options: What else it holds.
        done: Told of frames that are done.
    """
    first = _Dataset(shown, folder / FIRST, out / FIRST, options)
    looks = first.write(done)
    if other is not None:
        second = _Dataset(other, folder / SECOND, out / SECOND, options)
        pairs = pair(shown, other, looks, second.write(done))
        facts: dict[str, Any] = {"kind": "same", "used": pairs.used, "partner": packed(pairs.partner)}
        if pairs.distance is not None:
            facts |= {"kind": "nearest", "distance": packed(pairs.distance)}
            first.add_column(columns.Column(DISTANCE, "measured", ""), {"kind": "number", **packed(pairs.distance)})
        (folder / FIRST / "pairs.js").write_bytes(script("data/pairs", facts))
        second.close()
    first.close()
    _write_page(folder, shown.name if other is None else f"{shown.name} - {other.name}", other is not None)
    mark = {"schema": SCHEMA, "datasets": [s.name for s in (shown, other) if s is not None]}
    (folder / MARK).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")


def pair(shown: Shown, other: Shown, first: nearest.Looks, second: nearest.Looks) -> nearest.Pairs:
    """Return the partner of every frame: by looks where exactly one dataset is real, otherwise by its place."""
    if (shown.origin == "real") != (other.origin == "real"):
        return nearest.nearest(first, second)
    return nearest.same_frames(columns.open_tables(shown.out), columns.open_tables(other.out))


class _Dataset:
    """Writes what the page knows of one dataset, a few frames at a time."""

    def __init__(self, shown: Shown, folder: Path, final: Path, options: Options) -> None:
        self.shown, self.folder, self.options = shown, folder, options
        self.page = final.parent  # where addresses begin
        self.name = folder.name
        self.connection = columns.open_tables(shown.out)
        described = self.connection.sql("SELECT * FROM frames LIMIT 0").columns
        self.roles = [role for role in roles_of(described) if role in options.previews]
        self.count = int(self._number("count(*)"))
        if not self.count:
            raise UserError(f"{shown.name} has no frames to look at")
        self.cell = thumbnails.cell_for(int(self._number("median(width)")), int(self._number("median(height)")))
        self.starts: list[int] = []
        self.facts: list[dict[str, Any]] = []

    def _number(self, what: str) -> float:
        row = self.connection.execute(f"SELECT {what} FROM frames").fetchone()  # noqa: S608
        return float(row[0]) if row and row[0] is not None else 0.0

    def write(self, done: Callable[[int], None]) -> nearest.Looks:
        """Write all files but the head; return what frames are compared by."""
        for name in ("columns", "labels", "thumbs"):
            (self.folder / name).mkdir(parents=True)
        colors = []
        for number, sheet in enumerate(thumbnails.draw_sheets(self._images(), self.cell)):
            (self.folder / "thumbs" / f"{number:04d}.jpg").write_bytes(sheet.jpeg)
            colors.append(sheet.features)
            done(len(sheet.features))
        for column, data in columns.values_of(self.connection, columns.find_columns(self.connection)):
            self.add_column(column, data)
        return nearest.looks_of(self.connection, np.concatenate(colors))

    def add_column(self, column: columns.Column, data: dict[str, Any]) -> None:
        """Write a column; the page asks for it by its number."""
        self._chunk(f"columns/{len(self.facts)}", data)
        self.facts.append(columns.facts_of(column, data, self.count))

    def close(self) -> None:
        """Write what the page loads first."""
        self._chunk("head", self._head())

    def _chunk(self, name: str, data: Any) -> None:
        (self.folder / f"{name}.js").write_bytes(script(f"{self.name}/{name}", data))

    def _head(self) -> dict[str, Any]:
        cell = {"width": self.cell.width, "height": self.cell.height}
        return {
            "schema": SCHEMA, "name": self.shown.name, "origin": self.shown.origin, "count": self.count,
            "classes": categories_data(self.shown.categories), "starts": self.starts, "columns": self.facts,
            "thumbs": cell | {"columns": thumbnails.COLUMNS, "rows": thumbnails.ROWS},
            "roles": [{"role": role, "words": words(role)} for role in self.roles],
            "legend": legend_of_depth(LEGEND_COLORS),
        }  # fmt: skip

    def _images(self) -> Iterator[Path | None]:
        """Yield the images, and write the labels on the way, so that rows are read once."""
        begin = 0
        for number, (frames, data) in enumerate(labels.label_chunks(self.shown)):
            rows = frames.to_pylist()
            images = [image_of(self.shown, row) for row in rows]
            data["pictures"] = [self._picture(row, image) for row, image in zip(rows, images)]
            data["previews"] = [self._previews(row) for row in rows]
            self._chunk(f"labels/{number}", data)
            self.starts.append(begin)
            begin += frames.num_rows
            yield from images

    def _picture(self, row: dict[str, Any], image: Path | None) -> str | None:
        """Return the address of a frame's image; of one that browsers do not show, that of a copy that they do."""
        if image is None:
            return None
        if image.suffix.lower() not in SHOWN_BY_BROWSERS:
            place = self.folder / "pictures" / f"{row['frame_id']:06d}.jpg"
            place.parent.mkdir(exist_ok=True)
            values = thumbnails.readable(image)
            shrink(values, CONVERTED_WIDTH_PX).save(place, "JPEG", quality=90)
        elif self.options.is_embedded:
            place = self.folder / "pictures" / image.relative_to(self.shown.out)
            place.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(image.resolve(), place)
        else:
            return address(image, seen_from=self.page)
        return address(place, seen_from=self.folder.parent)

    def _previews(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return for every role that is drawn the address of its picture, and of depth which span its colours have."""
        drawn: dict[str, Any] = {}
        for number, role in enumerate(self.roles):
            if not is_picture(row.get(role)):
                continue
            path = inside(self.shown.out, row[role])
            frame = Frame(row["frame_id"], row["width"], row["height"], (), {role: path})
            kind, data = encoded(compact(draw_role(frame, role)))
            place = self.folder / "previews" / str(number) / f"{row['frame_id']:06d}.{kind}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            span = depth_span(read_values(path)) if role.startswith(("depth", "range")) else None
            drawn[role] = {"src": address(place, seen_from=self.folder.parent), "span": span}
        return drawn


def link_or_copy(source: Path, place: Path) -> None:
    """Put a file at a place, by a hard link where both are on one disk."""
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)


def _write_page(folder: Path, title: str, is_compared: bool) -> None:
    """Write the page and its scripts, which its policy allows by their place beside it."""
    (folder / "app").mkdir()
    shutil.copyfile(SHARED, folder / "app" / SHARED.name)
    for name in ("page.css", *SCRIPTS):
        shutil.copyfile(PARTS / name, folder / "app" / name)
    loads = (f"{FIRST}/head.js", *((f"{SECOND}/head.js", f"{FIRST}/pairs.js") if is_compared else ()))
    scripts = [f"app/{name}" for name in (SHARED.name, SCRIPTS[0])] + list(loads) + [f"app/{n}" for n in SCRIPTS[1:]]
    body = (PARTS / "page.html").read_text(encoding="utf-8")
    tags = "".join(f'<script src="{name}"></script>\n' for name in scripts)
    policy = "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'"
    text = f'{icon_and_policy(policy)}<title>{escape(title)}</title>\n<link rel="stylesheet" href="app/page.css">\n'
    (folder / PAGE).write_text(f"{text}</head>\n{body}\n{tags}</html>\n", encoding="utf-8")


def gallery_size(shown: Shown) -> int:
    """Return how many frames a dataset has."""
    row = columns.open_tables(shown.out).execute("SELECT count(*) FROM frames").fetchone()
    return int(row[0]) if row else 0


def roles_to_draw(shown: Shown, other: Shown | None, wanted: str | None, most: int) -> tuple[str, ...]:
    """Return the files beside the image that are drawn for every frame.

    Args:
        shown: A dataset.
        other: Another one, or None.
        wanted: Names with commas between, `all`, `none`, or None: all up to `most` frames.
        most: Frames of both together.
    Raises:
        UserError: If a name is not that of a file of theirs.
    """
    both = [each for each in (shown, other) if each is not None]
    known: set[str] = set()
    for each in both:
        known |= set(roles_of(columns.open_tables(each.out).sql("SELECT * FROM frames LIMIT 0").columns))
    if wanted is None:
        wanted = "all" if sum(gallery_size(each) for each in both) <= most else "none"
    names = sorted(known) if wanted == "all" else [] if wanted == "none" else wanted.split(",")
    unknown = sorted(set(names) - known)
    if unknown:
        raise UserError(
            f"--previews {unknown[0]}: no file of these frames; there are: {', '.join(sorted(known)) or 'none'}"
        )
    return tuple(names)
