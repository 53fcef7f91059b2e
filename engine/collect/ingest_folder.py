"""A folder of pictures alone; a sub-folder may name the class of its pictures, as torchvision's ImageFolder has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.collect.source import Labelled, Picture, pictures_below
from engine.errors import UserError
from engine.formats.folders import categories_named
from engine.formats.record import Category, Instance

SPLITS = frozenset({"train", "val", "valid", "validation", "test"})
LABEL = "label"


@dataclass(frozen=True)
class FolderPictures:
    """Pictures without boxes."""

    categories: tuple[Category, ...]
    pictures: Sequence[Picture]

    @property
    def name(self) -> str:
        """The format."""
        return "folder"

    @property
    def label_files(self) -> Mapping[str, Path]:
        """None: paths are the labels."""
        return {}

    def labels(self, number: int, size: tuple[int, int]) -> Labelled:
        """Return nothing: a label is a column of the frame."""
        return Labelled()

    def place(self, number: int, instance: Instance) -> str:
        """Return the picture."""
        return self.pictures[number].name


def open_folder(folder: Path, *, with_labels: bool = True) -> FolderPictures:
    """Return the pictures of a folder.

    Args:
        folder: Where they are; folders train, val, test, ... at its top are splits.
        with_labels: Whether the first folder below names the class.
    Raises:
        UserError: If there are none.
    """
    found = pictures_below(folder)
    if not found:
        raise UserError(f"{folder} has no pictures; name the folder that they are in")
    tops = {path.relative_to(folder).parts[0] for path in found}
    has_splits = tops <= SPLITS
    pictures = []
    for path in found:
        name = path.relative_to(folder)
        parts = name.parts[:-1]
        said = {"file_name": name.as_posix()}
        if has_splits:
            said["split"], parts = parts[0], parts[1:]
        if with_labels and parts:
            said[LABEL] = parts[0]
        pictures.append(Picture(name.as_posix(), path, said))
    labels = {picture.said[LABEL] for picture in pictures if LABEL in picture.said}
    return FolderPictures(categories_named(labels), pictures)
