"""Which formats there are, and what their writers and readers are given: one module of this package a format.

@FORMATS.register("yolo-seg", YoloOptions, "YOLO polygons: one text file an image", read=read_yolo_segment)
def write_yolo_segment(source: Source, context: ExportContext) -> None: ...
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.errors import UserError, near_matches
from engine.formats.record import Category, Frame, Source


@dataclass(frozen=True)
class NoOptions:
    """Of a format that has none."""


@dataclass(frozen=True)
class FormatCategory:
    """A class as a format has it, after the class map; several classes of the dataset may become one."""

    id: int  # position, from 0; formats that count from 1 add it
    name: str
    keys: tuple[str, ...]  # classes of the dataset that are mapped to it, sorted
    supercategory: str = ""
    keypoints: tuple[str, ...] = ()  # of its first key that has some; the others must have the same names or none
    skeleton: tuple[tuple[int, int], ...] = ()  # counted from 0
    sigmas: tuple[float, ...] = ()
    isthing: bool = True
    train_id: int | None = None  # Cityscapes: None: the position
    color: tuple[int, int, int] | None = None  # sRGB, None: the format's own palette


@dataclass(frozen=True)
class ExportContext:
    """What a writer is given beside the frames.

    The frames hold only what is written: classes that the map drops and instances that filters drop are gone from
    them, so `category_of[instance.category]` is always there. `Source.frames` may be called several times. Every frame
    belongs to a split and stays in the export, also without instances.
    """

    out: Path  # empty folder that the writer fills; it is renamed to its place when the writer has returned
    categories: tuple[FormatCategory, ...]
    category_of: Mapping[str, FormatCategory]  # by the key of the dataset's class
    splits: tuple[str, ...]  # names in the order asked for, at least one; ("train",) if none was asked for
    split_of: Callable[[Frame], str]  # one of `splits`
    place: Callable[[Path, Path], None]  # (file, path relative to out): put a file there, folders made: link or copy
    count_drop: Callable[[str], None]  # reason why the format cannot hold an instance; counted into export.json
    options: Any = field(default_factory=NoOptions)  # an instance of the format's options


Writer = Callable[[Source, ExportContext], None]
Reader = Callable[[Path], Source]  # the frames of all splits; `Frame.row["split"]` names a frame's own


@dataclass(frozen=True)
class Format:
    """A registered format."""

    name: str
    options: type  # frozen dataclass, every field with a default
    summary: str  # one line for --list
    write: Writer
    read: Reader | None
    needs_bodies: bool = False  # it holds objects in space or whole ones, so no defects


class Formats:
    """Formats by name."""

    def __init__(self) -> None:
        self._formats: dict[str, Format] = {}

    def register(
        self, name: str, options: type, summary: str, *, read: Reader | None = None, needs_bodies: bool = False
    ) -> Callable[[Writer], Writer]:
        """Return a decorator that makes a writer known as `name`; the name is that of `--format`.

        Raises:
            ValueError: If the name is taken.
        """

        def decorate(write: Writer) -> Writer:
            if name in self._formats:
                raise ValueError(f"the format '{name}' is registered twice")
            self._formats[name] = Format(name, options, summary, write, read, needs_bodies)
            return write

        return decorate

    def get(self, name: str) -> Format:
        """Return a format.

        Raises:
            UserError: If there is none of that name; the message lists the nearest.
        """
        self._load()
        if name not in self._formats:
            raise UserError(f"--format {name}: unknown; near: {near_matches(name, self.names())} (--list shows all)")
        return self._formats[name]

    def names(self) -> tuple[str, ...]:
        """Return the names of all formats, sorted."""
        self._load()
        return tuple(sorted(self._formats))

    def _load(self) -> None:
        """Import every module of the package, so that it registers what it has."""
        package = import_module("engine.formats")
        for module in pkgutil.iter_modules(package.__path__):
            import_module(f"engine.formats.{module.name}")


FORMATS = Formats()


@dataclass(frozen=True)
class Records:
    """Records in memory, what most readers return; see `engine.formats.record.Source`."""

    name: str
    categories: tuple[Category, ...]
    records: tuple[Frame, ...]

    def frames(self) -> Iterator[Frame]:
        """Yield frame after frame."""
        yield from self.records


def frame_stem(frame: Frame) -> str:
    """Return a file name without its ending that no other frame has: its own, that of its image, or its number."""
    if frame.stem:
        return frame.stem
    image = frame.files.get("image")
    return image.stem if image is not None else f"{frame.id:06d}"
