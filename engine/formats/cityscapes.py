"""Cityscapes: `leftImg8bit/<split>/<city>/` pictures, `gtFine/<split>/<city>/` labels of every pixel.

`*_gtFine_labelIds.png` holds class ids from 1 (0: unlabelled), `*_instanceIds.png` id * 1000 + number for things and
the id for everything else, `*_color.png` colours, `*_polygons.json` outlines along the edges of pixels.
`label_table.json` says what ids, train ids and colours mean; `label_colors.txt` says it to datumaro. The city is the
dataset's name.
Source: https://github.com/mcordts/cityscapesScripts (labels.py, json2instanceImg.py).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.formats.cityscapes_read import LABELS, PICTURES, TABLE, THING, read_cityscapes
from engine.formats.coco import NO_MASK
from engine.formats.masks import bridged, rings_of, within_frame
from engine.formats.palette import category_color
from engine.formats.record import Frame, Source
from engine.formats.registry import FORMATS, ExportContext, FormatCategory

LARGEST_ID = 254
LARGEST_THING = 64  # 65 * 1000 + 999 would not fit into 16 bits
IGNORED = 255  # train id of what is not learnt
CROWD = f"more than {THING} of a class in a frame: in one region without numbers"
COVERED = "every pixel belongs to another instance"


@dataclass(frozen=True)
class CityscapesOptions:
    """Which files are written."""

    png: bool = True  # pictures as PNG, as readers of Cityscapes expect; false: as they are, without a copy
    polygons: bool = True
    train_ids: bool = False  # also *_labelTrainIds.png


@FORMATS.register(
    "cityscapes", CityscapesOptions, "Cityscapes: class and instance ids of every pixel", read=read_cityscapes
)
def write_cityscapes(source: Source, context: ExportContext) -> None:
    """Write the folder.

    Raises:
        UserError: If there are more classes in the frames than ids, or a frame has no picture.
    """
    if not _fit(context.categories):
        context = _seen_alone(source, context)
    city = re.sub(r"[^A-Za-z0-9]", "", source.name) or "city"
    for split in context.splits:
        for kind in (PICTURES, LABELS):
            (context.out / kind / split / city).mkdir(parents=True)
    _write_tables(context)
    for frame in source.frames():
        stem = f"{city}_{frame.world:06d}_{frame.id:06d}"
        folder = Path(context.split_of(frame), city)
        _place_picture(frame, folder / stem, context)
        labels = context.out / LABELS / folder / f"{stem}_{LABELS}"
        classes, instances, objects = painted(frame, context)
        Image.fromarray(classes).save(f"{labels}_labelIds.png")
        Image.fromarray(instances).save(f"{labels}_instanceIds.png")
        Image.fromarray(_colors(context)[classes]).save(f"{labels}_color.png")
        if context.options.train_ids:
            Image.fromarray(_train_ids(context)[classes]).save(f"{labels}_labelTrainIds.png")
        if context.options.polygons:
            data = {"imgHeight": frame.height, "imgWidth": frame.width, "objects": objects}
            Path(f"{labels}_polygons.json").write_text(json.dumps(data), encoding="utf-8")


def painted(frame: Frame, context: ExportContext) -> tuple[NDArray[np.uint8], NDArray[np.uint16], list[dict[str, Any]]]:
    """Return class ids, instance ids and outlines of a frame; where masks overlap the first instance has the pixel."""
    classes = np.zeros((frame.height, frame.width), np.uint8)
    instances = np.zeros((frame.height, frame.width), np.uint16)
    objects: list[dict[str, Any]] = []
    numbers: dict[int, int] = {}
    for instance in frame.instances:
        if instance.mask is None:
            context.count_drop(NO_MASK)
            continue
        category = context.category_of[instance.category]
        label = category.id + 1
        pixels = within_frame(instance.mask, frame.width, frame.height) & (classes == 0)
        if not pixels.any():
            context.count_drop(COVERED)
            continue
        classes[pixels] = instances[pixels] = label
        number = numbers.get(label, 0)
        grouped = instance.is_crowd or number >= THING
        if category.isthing and not grouped:
            instances[pixels] = label * THING + number
            numbers[label] = number + 1
        elif category.isthing and not instance.is_crowd:
            context.count_drop(CROWD)
        if context.options.polygons:
            name = category.name + ("group" if category.isthing and grouped else "")
            objects.append({"label": name, "polygon": bridged(rings_of(pixels)).tolist()})
    return classes, instances, objects


def _fit(categories: tuple[FormatCategory, ...]) -> bool:
    return len(categories) <= LARGEST_ID and not any(c.isthing and c.id + 1 > LARGEST_THING for c in categories)


def _seen_alone(source: Source, context: ExportContext) -> ExportContext:
    """Return the context with those classes alone that frames show, things first, numbered anew.

    Raises:
        UserError: If these are still more than there are ids.
    """
    used = {context.category_of[seen.category].name for frame in source.frames() for seen in frame.instances}
    kept = sorted((c for c in context.categories if c.name in used), key=lambda c: not c.isthing)
    of_name = {c.name: replace(c, id=number) for number, c in enumerate(kept)}
    if not _fit(tuple(of_name.values())):
        raise UserError(
            f"--format cityscapes: ids end at {LARGEST_ID}, those of things at {LARGEST_THING}; "
            "give fewer classes with --classes"
        )
    shown = {key: of_name[c.name] for key, c in context.category_of.items() if c.name in used}
    return replace(context, categories=tuple(of_name.values()), category_of=shown)


def train_id(category: FormatCategory) -> int:
    """Return the train id of a class: its own, else its position."""
    return category.id if category.train_id is None else category.train_id


def _place_picture(frame: Frame, path: Path, context: ExportContext) -> None:
    if "image" not in frame.files:
        raise UserError(f"frame {frame.id} has no picture; make the dataset with a writer of kind images")
    file = frame.files["image"]
    target = Path(PICTURES) / f"{path}_{PICTURES}"
    if context.options.png and file.suffix != ".png":
        with Image.open(file) as image:
            image.save(context.out / f"{target}.png")
    else:
        context.place(file, Path(f"{target}{file.suffix}"))


def _write_tables(context: ExportContext) -> None:
    rows = [
        {
            "name": "unlabeled",
            "id": 0,
            "trainId": IGNORED,
            "hasInstances": False,
            "ignoreInEval": True,
            "color": [0, 0, 0],
        }
    ]
    for category in context.categories:
        own = train_id(category)
        rows.append(
            {"name": category.name, "id": category.id + 1, "trainId": own, "hasInstances": category.isthing,
             "ignoreInEval": own in (-1, IGNORED), "color": list(category_color(category))}
        )  # fmt: skip
    (context.out / TABLE).write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = [" ".join([*map(str, row["color"]), re.sub(r"\s", "_", str(row["name"]))]) for row in rows]  # type: ignore[call-overload]
    (context.out / "label_colors.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _colors(context: ExportContext) -> NDArray[np.uint8]:
    colors = np.zeros((256, 3), np.uint8)
    for category in context.categories:
        colors[category.id + 1] = category_color(category)
    return colors


def _train_ids(context: ExportContext) -> NDArray[np.uint8]:
    table = np.full(256, IGNORED, np.uint8)
    for category in context.categories:
        table[category.id + 1] = train_id(category) % 256
    return table
