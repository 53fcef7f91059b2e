"""Reading other people's folders: text, JSON and picture sizes, with one clear error where something is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.formats.record import Category


def read_text(path: Path) -> str:
    """Return a text file.

    Raises:
        UserError: If it is missing or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        UserError: If it is missing or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}") from error


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
    except (OSError, PIL.UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is not a picture: {error}") from error


def categories_named(names: Iterable[str]) -> tuple[Category, ...]:
    """Return classes that a folder knows by name only, numbered from 1 in the order of their names."""
    return tuple(Category(number, name, name) for number, name in enumerate(sorted(names), 1))
