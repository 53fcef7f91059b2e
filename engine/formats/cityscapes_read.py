"""Cityscapes folders as records; see `engine.formats.cityscapes`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from engine.errors import UserError
from engine.formats.masks import box_of, encode
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records

PICTURES, LABELS = "leftImg8bit", "gtFine"
TABLE = "label_table.json"
THING = 1000  # instance ids from here on are class * 1000 + number


def read_cityscapes(folder: Path) -> Records:
    """Return the regions of every `*_instanceIds.png`; the id of an instance is its value there.

    Raises:
        UserError: If the table of labels is missing, or an image contradicts it.
    """
    try:
        rows = json.loads((folder / TABLE).read_text(encoding="utf-8"))
        names = {int(row["id"]): str(row["name"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / TABLE}: not a table of labels: {error}") from error
    frames: list[Frame] = []
    ending = f"_{LABELS}_instanceIds.png"
    for path in sorted((folder / LABELS).glob(f"*/*/*{ending}")):
        split, city = path.parts[-3:-1]
        stem = path.name.removesuffix(ending)
        pictures = sorted((folder / PICTURES / split / city).glob(f"{stem}_{PICTURES}.*"))
        if not pictures:
            raise UserError(f"{path}: has no picture {PICTURES}/{split}/{city}/{stem}_{PICTURES}.*")
        frames.append(_frame(path, pictures[0], names, len(frames), split))
    if not frames:
        raise UserError(f"{folder} has no {LABELS}/<split>/<city>/*{ending}")
    categories = tuple(Category(number, name, name) for number, name in names.items() if number)
    return Records(folder.name, categories, tuple(frames))


def _frame(path: Path, picture: Path, names: dict[int, str], number: int, split: str) -> Frame:
    with Image.open(path) as image:
        ids = np.asarray(image).astype(np.int32)
    if ids.ndim != 2:
        raise UserError(f"{path}: has {ids.shape[-1]} channels, not one")
    instances = []
    for value in np.unique(ids[ids > 0]).tolist():
        label = value // THING if value >= THING else value
        if label not in names:
            raise UserError(f"{path}: has the id {value}, whose class is not in {TABLE}")
        pixels = ids == value
        instances.append(
            Instance(value, names[label], box_of(pixels), int(pixels.sum()), encode(pixels), is_crowd=value < THING)
        )
    height, width = ids.shape
    return Frame(number, width, height, tuple(instances), {"image": picture}, row={"split": split})
