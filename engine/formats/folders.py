"""Reading other people's folders: text, JSON and picture sizes, with one clear error where something is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.errors import UserError
from engine.formats.record import Category

BROKEN = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, RecursionError)
# What Python says of plain data that has another shape than a format promises; readers turn it into one clear error
LONGEST_REASON = 300  # characters


def reason(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    return " ".join(f"{type(error).__name__} {error}".split())[:LONGEST_REASON]


def read_text(path: Path) -> str:
    """Return a text file.

    Raises:
        UserError: If it is missing or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {reason(error)}") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        UserError: If it is missing or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {reason(error)}") from error


def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height [px] of a picture, from its head.

    Raises:
        UserError: If it is none.
    """
    import PIL
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, PIL.UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is not a picture: {reason(error)}") from error


def read_pixels(path: Path) -> NDArray[Any]:
    """Return the pixels of an image, as they are stored.

    Raises:
        UserError: If it is none.
    """
    import imageio.v3 as imageio

    picture_size(path)  # refuses what claims to be too large
    try:
        pixels: NDArray[Any] = imageio.imread(path)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UserError(f"{path} is not a picture: {reason(error)}") from error
    return pixels


def categories_named(names: Iterable[str]) -> tuple[Category, ...]:
    """Return classes that a folder knows by name only, numbered from 1 in the order of their names."""
    return tuple(Category(number, name, name) for number, name in enumerate(sorted(names), 1))
