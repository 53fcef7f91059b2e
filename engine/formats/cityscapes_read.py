"""Cityscapes folders as records; see `engine.formats.cityscapes`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.formats.folders import BROKEN, read_json, read_pixels, reason
from engine.formats.masks import box_of, encode
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records

PICTURES, LABELS = "leftImg8bit", "gtFine"
TABLE = "label_table.json"
STANDARD = dict(enumerate((
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road", "sidewalk",
    "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole", "polegroup",
    "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus",
    "caravan", "trailer", "train", "motorcycle", "bicycle",
)))  # labels.py of cityscapesScripts  # fmt: skip
THING = 1000  # instance ids from here on are class * 1000 + number


def read_cityscapes(folder: Path) -> Records:
    """Return the regions of every `*_instanceIds.png`; the id of an instance is its value there.

    Without label_table.json, which others do not write, ids are those of Cityscapes. What has no number is a crowd.

    Raises:
        UserError: If the table of labels is broken, or an image contradicts it.
    """
    names: Mapping[int, str] = STANDARD
    if (folder / TABLE).is_file():
        try:
            rows = read_json(folder / TABLE)
            names = {int(row["id"]): str(row["name"]) for row in rows}
        except BROKEN as error:
            raise UserError(f"{folder / TABLE}: not a table of labels: {reason(error)}") from error
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


def _frame(path: Path, picture: Path, names: Mapping[int, str], number: int, split: str) -> Frame:
    ids = read_pixels(path).astype(np.int32)
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
