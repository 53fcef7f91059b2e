"""The folder that is checked: nothing outside of it is read, whatever its files name, and nothing of it is trusted."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from engine.errors import UserError
from engine.validate.finding import Finding

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MAX_TEXT_BYTES = 64 * 2**20  # of a label file or a yaml
MAX_JSON_BYTES = 4 * 2**30  # JSON is held as a whole
MAX_PIXELS = 2**27  # of a mask that is decoded
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}  # by format of Pillow
MAX_TAIL_BYTES = 2**16  # in which the mark is looked for: cameras write more behind it
MAX_DEPTH = 6  # folders below the one that is checked
UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError
)  # fmt: skip


class BadFile(Exception):  # noqa: N818 - named after what it says
    """A file cannot be read as what it should be; the message says why."""


@dataclass(frozen=True)
class Folder:
    """A folder of labels, and perhaps one of images elsewhere."""

    root: Path
    images: Path | None = None
    tick: Callable[[int], None] = lambda _: None  # told how many items were looked at

    def holds(self, path: Path) -> bool:
        """Return whether a path leads to a place below the folder or that of the images, links resolved."""
        try:
            place = path.resolve()
        except (OSError, RuntimeError, ValueError):  # a loop of links, a zero byte
            return False
        roots = [self.root, *([] if self.images is None else [self.images])]
        return any(place.is_relative_to(root.resolve()) for root in roots)

    def inside(self, base: Path, name: Any) -> Path | None:
        """Return the place that a name from a file leads to, seen from `base`; None: it leaves the folder."""
        if not isinstance(name, str) or not name or "\0" in name or len(name) > 4096:
            return None
        path = base / name
        return path if self.holds(path) else None

    def name(self, path: Path) -> str:
        """Return a path relative to the folder, for findings."""
        for root in (self.root, self.images):
            if root is not None and path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return str(path)

    def folders(self, base: Path | None = None, depth: int = MAX_DEPTH) -> Iterator[Path]:
        """Yield a folder and those below it, sorted; links and hidden folders are not followed."""
        base = self.root if base is None else base
        yield base
        if depth > 0:
            for entry in entries(base):
                if is_folder(entry) and not entry.is_symlink() and not entry.name.startswith("."):
                    yield from self.folders(entry, depth - 1)

    def files(self, base: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
        """Yield the files below a folder whose names end so, sorted, those that links lead out of it left out."""
        for folder in self.folders(base):
            for entry in entries(folder):
                if entry.suffix.lower() in suffixes and is_file(entry) and self.holds(entry):
                    yield entry

    def obstacles(self) -> Iterator[Finding]:
        """Yield a finding for every folder that cannot be read, and every link that leads out of this one."""
        for folder in self.folders():
            try:
                found = sorted(folder.iterdir())
            except OSError as error:
                yield Finding(self.name(folder), "", "file-unreadable", error.strerror or "", "a folder to look into")
                continue
            for entry in found:
                if entry.is_symlink() and not self.holds(entry):
                    yield Finding(self.name(entry), "", "path-outside", "a symbolic link", "a place inside the folder")

    def read_text(self, path: Path) -> str:
        """Return the text of a file.

        Raises:
            BadFile: If it is missing, outside, too large or not UTF-8.
        """
        data = self._read(path, MAX_TEXT_BYTES)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadFile(f"not UTF-8: {error.reason} at byte {error.start}") from error

    def read_json(self, path: Path) -> Any:
        """Return the data of a JSON file.

        Raises:
            BadFile: If it is missing, outside, too large, too deep or not JSON.
        """
        data = self._read(path, MAX_JSON_BYTES)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadFile(f"not JSON: {str(error)[:120]}") from error

    def _read(self, path: Path, limit: int) -> bytes:
        if not self.holds(path):
            raise BadFile("outside of the folder")
        try:
            if not is_file(path):  # a pipe would wait for ever
                raise BadFile("no such file")
            if path.stat().st_size > limit:
                raise BadFile(f"{path.stat().st_size} bytes, more than {limit}")
            return path.read_bytes()
        except OSError as error:
            raise BadFile(error.strerror or "cannot be read") from error


def entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted; nothing if it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def is_file(path: Path) -> bool:
    """Return whether a path is a plain file or a link to one."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder or a link to one."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that is too long, a folder that may not be entered
        return False


def image_size(path: Path) -> tuple[int, int] | None:
    """Return (width, height) of an image from its header, or of an array file; None if it is neither or cut off."""
    try:
        if path.suffix == ".npy":
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
            return (shape[1], shape[0]) if len(shape) >= 2 else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                mark = END_MARKS.get(image.format or "")
                return image.size if mark is None or _ends_with(path, mark) else None
    except UNREADABLE:
        return None


def _ends_with(path: Path, mark: bytes) -> bool:
    """Return whether a mark stands near the end of a file: the data before it cannot hold it by chance."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_TAIL_BYTES))
        return mark in file.read(MAX_TAIL_BYTES)


def read_pixels(path: Path) -> NDArray[Any]:
    """Return the pixels of an image file.

    Raises:
        BadFile: If it cannot be decoded or is too large.
    """
    size = image_size(path)
    if size is None:
        raise BadFile("not an image")
    if size[0] * size[1] > MAX_PIXELS:
        raise BadFile(f"{size[0]}x{size[1]} pixels are too many")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.array(image)
    except UNREADABLE as error:
        raise BadFile(f"cannot be decoded: {str(error)[:80]}") from error


def require_folder(path: Path) -> Path:
    """Return an absolute path to a folder.

    Raises:
        UserError: If it is none.
    """
    if not path.is_dir():
        raise UserError(f"{path} is not a folder; name the folder of a dataset")
    return path.absolute()


def is_plain_name(name: str) -> bool:
    """Return whether a name is one part of a path."""
    return PurePosixPath(name).name == name and name not in ("", ".", "..")
