"""YOLO folders as a source of pictures; which task it is, the rows say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from engine.collect.source import Labelled, Picture, check_links
from engine.errors import UserError
from engine.formats.folders import read_text
from engine.formats.record import Category, Instance
from engine.formats.yolo_read import BOX, CORNERS, YoloFolder, data_file, label_of, open_yolo, read_data

TASKS = ("detect", "segment", "pose", "obb")
LOOKED_AT = 200_000  # rows that decide which task it is
RIGHT = 1.0e-2  # of the shares: what sides of a rectangle may differ, as other tools round


@dataclass(frozen=True)
class YoloPictures:
    """Labels of YOLO; files are read when they are asked for."""

    source: YoloFolder
    task: str
    pictures: Sequence[Picture]
    label_files: Mapping[str, Path]

    @property
    def name(self) -> str:
        """The format."""
        return f"yolo {self.task}"

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes, keypoints numbered where they have no names."""
        shape = self.source.data.get("kpt_shape")
        if self.task != "pose" or not isinstance(shape, list):
            return self.source.categories
        names = tuple(f"keypoint_{number}" for number in range(shape[0]))
        return tuple(
            Category(c.id, c.key, c.name, c.supercategory, c.keypoints or names) for c in self.source.categories
        )  # fmt: skip

    def labels(self, number: int, size: tuple[int, int]) -> Labelled:
        """Return the rows of a picture."""
        return Labelled(self.source.instances(self.pictures[number].path, size))

    def place(self, number: int, instance: Instance) -> str:
        """Return file and line."""
        return f"{_label_name(self.source.folder, self.pictures[number].path)}:{instance.id}"


def open_yolo_pictures(folder: Path, task: str | None = None) -> YoloPictures:
    """Return the pictures of a YOLO folder.

    Args:
        folder: That holds data.yaml.
        task: detect, segment, pose or obb; None: as the rows say.
    Raises:
        UserError: If data.yaml or the rows cannot be understood.
    """
    folder = folder.resolve()
    source = open_yolo(folder, "segment")
    if task is None:
        task = task_of(source)
    source = open_yolo(folder, task)
    check_links(folder, (image for _, image in source.images))
    labels = {_label_name(folder, path): path for _, image in source.images if (path := label_of(image)).is_file()}
    data = data_file(folder)
    pictures = [
        Picture(image.relative_to(folder).as_posix(), image, {"split": split}) for split, image in source.images
    ]
    named = [Picture(p.name, p.path, {"file_name": p.name, **p.said}) for p in pictures]
    if not named:
        raise UserError(f"{data}: names no folder with pictures; give train: or val:")
    return YoloPictures(source, task, named, {data.name: data, **labels})


def task_of(source: YoloFolder) -> str:
    """Return which task the rows are of: four values are boxes, four right-angled corners everywhere oriented boxes."""
    if "kpt_shape" in read_data(source.folder):
        return "pose"
    counts: set[int] = set()
    are_right = True
    for values in islice(_rows(source), LOOKED_AT):
        counts.add(len(values))
        are_right &= len(values) == CORNERS and _is_rectangle(values)
    if counts <= {BOX}:
        return "detect"
    return "obb" if are_right and counts == {CORNERS} else "segment"


def _rows(source: YoloFolder) -> Iterator[list[float]]:
    for _, image in source.images:
        label = label_of(image)
        if label.is_file():
            for number, line in enumerate(read_text(label).splitlines(), start=1):
                if line.strip():
                    try:
                        yield [float(word) for word in line.split()[1:]]
                    except ValueError as error:
                        raise UserError(f"{label}:{number}: '{line[:60]}' is not a class and numbers") from error


def _is_rectangle(values: Sequence[float]) -> bool:
    """Return whether opposite sides of four corners are equal; right angles need the picture's size, so not asked."""
    corners = np.reshape(values, (4, 2))
    return bool(np.abs(corners[0] + corners[2] - corners[1] - corners[3]).max() <= RIGHT)


def _label_name(folder: Path, image: Path) -> str:
    label = label_of(image)
    return label.relative_to(folder).as_posix() if label.is_relative_to(folder) else label.name
