"""Pictures of a plan with what is known of them, read once, a file at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.train.masks import Pixels, annotation_pixels
from engine.train.plan import Labelled, TrainingPlan, Wanted
from engine.train.prepare import CLASSES
from engine.write.files import Inside
from engine.write.record import json_bytes, read_json


@dataclass(frozen=True)
class Shown:
    """An instance of a class that is learned."""

    label: int  # place of its class in the plan's
    box: tuple[float, float, float, float]  # [px] x, y, width, height
    annotation: dict[str, Any]

    def pixels(self, width: int, height: int) -> Pixels:
        """Return its mask; where it has none, its box."""
        return annotation_pixels(self.annotation, width, height)


@dataclass(frozen=True)
class LabelledPicture:
    """A picture and what it shows."""

    source: int  # place of its dataset in the plan
    image_id: int
    path: Path
    width: int  # [px]
    height: int  # [px]
    shown: tuple[Shown, ...]
    crowds: tuple[Shown, ...]  # of which nothing is learned, neither way

    def rgb(self) -> NDArray[np.uint8]:
        """Return its pixels [y, x, 3].

        Raises:
            UserError: If the file cannot be read or has another size than its labels say.
        """
        try:
            with Image.open(self.path) as image:
                out = np.asarray(image.convert("RGB"))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"{self.path} cannot be read as a picture: {error}") from error
        if out.shape[:2] != (self.height, self.width):
            size = f"{out.shape[1]} x {out.shape[0]}"
            raise UserError(f"{self.path} has {size} pixels, its labels say {self.width} x {self.height}")
        return out


def classes_of(plan: TrainingPlan) -> tuple[str, ...]:
    """Return the names of the classes that are learned.

    Raises:
        UserError: If the settings name none.
    """
    names = plan.settings.get(CLASSES)
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"settings.{CLASSES}: expected names of classes, got {names!r}; nothing is there to learn")
    return tuple(names)


def read_labelled(plan: TrainingPlan, folder: Path) -> list[LabelledPicture]:
    """Return the pictures to learn from, dataset by dataset, by id."""
    names = classes_of(plan)
    return [one for number, data in enumerate(plan.train) for one in _read(data, number, folder, names)]


def read_wanted(wanted: Wanted, folder: Path, plan: TrainingPlan) -> tuple[list[LabelledPicture], dict[int, int]]:
    """Return the pictures to predict, by id, and the category id of every class that the file has."""
    names = classes_of(plan)
    data = read_json(folder / wanted.coco)
    ids = {str(one["name"]): int(one["id"]) for one in data["categories"]}
    pictures = _read(Labelled(wanted.coco, wanted.images), -1, folder, names)
    return pictures, {names.index(name): number for name, number in ids.items() if name in names}


def write_predictions(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Write COCO results, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_bytes(json_bytes(list(entries)))
    part.rename(path)


def _read(labelled: Labelled, source: int, folder: Path, names: Sequence[str]) -> list[LabelledPicture]:
    data = read_json(folder / labelled.coco)
    label_of = {one["id"]: names.index(one["name"]) for one in data["categories"] if one["name"] in names}
    shown: dict[int, list[Shown]] = {}
    crowds: dict[int, list[Shown]] = {}
    for one in data["annotations"]:
        if one["category_id"] in label_of:
            x, y, width, height = (float(value) for value in one["bbox"])
            found = Shown(label_of[one["category_id"]], (x, y, width, height), one)
            (crowds if one.get("iscrowd") else shown).setdefault(one["image_id"], []).append(found)
    place_of = Inside(Path(labelled.images))
    return [
        LabelledPicture(
            source, one["id"], place_of(one["file_name"]), one["width"], one["height"],
            tuple(shown.get(one["id"], ())), tuple(crowds.get(one["id"], ())),
        )
        for one in sorted(data["images"], key=lambda image: image["id"])
    ]  # fmt: skip
