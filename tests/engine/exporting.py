"""What the command does around a writer, for tests: class of the same name, splits by frame, copies."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from engine.formats.record import Frame, Source
from engine.formats.registry import FORMATS, ExportContext, FormatCategory


def exported(source: Source, name: str, out: Path, *, val: tuple[int, ...] = (), **options: Any) -> Counter[str]:
    """Write a source in a format; frames whose numbers are in `val` go there. Returns the counted drops."""
    out.mkdir(parents=True)
    entry = FORMATS.get(name)
    categories = tuple(FormatCategory(i, c.key, (c.key,), c.supercategory) for i, c in enumerate(source.categories))
    drops: Counter[str] = Counter()

    def place(file: Path, path: Path) -> None:
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)

    def split_of(frame: Frame) -> str:
        return "val" if frame.id in val else "train"

    splits = ("train", "val") if val else ("train",)
    chosen = dataclasses.replace(entry.options(), **options)
    by_key = {category.name: category for category in categories}
    entry.write(
        source,
        ExportContext(out, categories, by_key, splits, split_of, place, lambda reason: drops.update([reason]), chosen),
    )
    return drops


def read_back(name: str, out: Path) -> list[Frame]:
    """Return what the format's own reader finds."""
    read = FORMATS.get(name).read
    assert read is not None
    return list(read(out).frames())
