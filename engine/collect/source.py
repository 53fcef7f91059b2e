"""Pictures of others as `ingest` sees them: a list of files, and what the labels say of one when its size is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine.errors import UserError
from engine.formats.folders import reason
from engine.formats.record import Array, Category, Instance, Source
from engine.write.files import inside

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm", ".jp2"})


@dataclass(frozen=True)
class Picture:
    """A picture that the source names."""

    name: str  # its path relative to the folder, for people and for rules; the same wherever the folder lies
    path: Path
    said: Mapping[str, Any] = field(default_factory=dict)  # what the source says of it, as columns of its own
    size: tuple[int, int] | None = None  # width, height [px], where the labels state them
    files: Mapping[str, Path] = field(default_factory=dict)  # role -> other file of the same moment


@dataclass(frozen=True)
class Labelled:
    """What the labels say of a picture."""

    instances: tuple[Instance, ...] = ()
    k: Array | None = None
    world_from_camera: Array | None = None


class PictureSource(Protocol):
    """A folder of pictures and labels. What it returns depends on the files alone, not on where they lie."""

    @property
    def name(self) -> str:
        """What the data are called, for titles."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """All classes."""

    @property
    def pictures(self) -> Sequence[Picture]:
        """All pictures, in the order of their worlds."""

    @property
    def label_files(self) -> Mapping[str, Path]:
        """The files that labels are read from, by their path relative to the folder."""

    def labels(self, number: int, size: tuple[int, int]) -> Labelled:
        """Return what is known of a picture, whose stored size [px] is (width, height); called by several threads."""

    def place(self, number: int, instance: Instance) -> str:
        """Return where a label stands, for errors."""


@dataclass(frozen=True)
class RecordPictures:
    """The records of any reader of `engine.formats` as a source; they are in memory."""

    source: Source
    frames: tuple[Any, ...]

    @classmethod
    def of(cls, source: Source) -> RecordPictures:
        """Return the frames of a source."""
        return cls(source, tuple(source.frames()))

    @property
    def name(self) -> str:
        """What the data are called."""
        return self.source.name

    @property
    def categories(self) -> tuple[Category, ...]:
        """All classes."""
        return self.source.categories

    @property
    def label_files(self) -> Mapping[str, Path]:
        """None that is known."""
        return {}

    @property
    def pictures(self) -> Sequence[Picture]:
        """The pictures of the frames."""
        return [
            Picture(frame.files["image"].name, frame.files["image"], frame.row, (frame.width, frame.height))
            for frame in self.frames
        ]

    def labels(self, number: int, size: tuple[int, int]) -> Labelled:
        """Return the labels of a frame."""
        frame = self.frames[number]
        return Labelled(frame.instances, frame.k, frame.world_from_camera)

    def place(self, number: int, instance: Instance) -> str:
        """Return the picture and the number of the instance."""
        return f"{self.pictures[number].name}, instance {instance.id}"


def file_inside(folder: Path, name: object, where: str) -> Path:
    """Return the file that labels name, below a folder.

    Raises:
        UserError: If the name is no relative path, or leads out of the folder.
    """
    if not isinstance(name, str) or not name:
        raise UserError(f"{where}: {name!r} is not the name of a file")
    try:
        return inside(folder, name)
    except UserError as error:
        why = str(error).partition("not its own: ")[2] or reason(error)
        raise UserError(f"{where}: names a file outside of {folder}: {why}; name a file in the folder") from error


def check_links(folder: Path, files: Iterable[Path]) -> None:
    """Refuse files of a folder that are links to elsewhere, unless the user allowed where they lead.

    Raises:
        UserError: If one is.
    """
    for path in files:
        if path.is_symlink():
            name = path.relative_to(folder).as_posix()
            file_inside(folder, name, name)


def pictures_below(folder: Path) -> list[Path]:
    """Return the pictures below a folder by their endings, sorted by their relative paths; hidden ones are left out."""
    found = [path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()]
    own = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    check_links(folder, own)
    return sorted(own, key=lambda path: path.relative_to(folder).as_posix())
