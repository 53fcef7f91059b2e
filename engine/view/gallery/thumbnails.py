"""Thumbnails as sheets of a hundred, decoded at an eighth, a quarter or half of their size where JPEG allows it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.view.color import colorize, read_values
from engine.view.pictures import GREY, IMAGE

COLUMNS, ROWS = 10, 10  # of a sheet
LONG_SIDE_PX = 128
QUALITY = 80
FEATURE_PX = 4  # side of the picture that stands for one where pictures are compared
SHORTEST_SHARE = 0.3  # of the long side: of panoramas a strip would be left
BY_PILLOW = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
PLAIN_MODES = ("RGB", "L", "P", "RGBA")


@dataclass(frozen=True)
class Cell:
    """The size of a thumbnail [px]; pictures of another shape stand in its middle."""

    width: int
    height: int


@dataclass(frozen=True)
class Sheet:
    """A hundred thumbnails as JPEG, and of each the colours of a picture of 4x4 pixels [frame, 48], 0 to 1."""

    jpeg: bytes
    features: NDArray[np.float32]


def cell_for(width: int, height: int) -> Cell:
    """Return the size of thumbnails of pictures of a size."""
    scale = LONG_SIDE_PX / max(width, height)
    least = round(SHORTEST_SHARE * LONG_SIDE_PX)
    return Cell(max(least, round(width * scale)), max(least, round(height * scale)))


def draw_sheets(images: Iterable[Path | None], cell: Cell) -> Iterator[Sheet]:
    """Yield sheet after sheet; pictures are decoded by as many threads as there are processors."""
    pending = iter(images)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        while paths := list(islice(pending, COLUMNS * ROWS)):
            rows = -(-len(paths) // COLUMNS)
            sheet = Image.new("RGB", (COLUMNS * cell.width, rows * cell.height), GREY)
            features = np.zeros((len(paths), FEATURE_PX * FEATURE_PX * 3), np.float32)
            for index, small in enumerate(pool.map(lambda path: thumbnail(path, cell), paths)):
                x, y = index % COLUMNS * cell.width, index // COLUMNS * cell.height
                sheet.paste(small, (x + (cell.width - small.width) // 2, y + (cell.height - small.height) // 2))
                tiny = small.resize((FEATURE_PX, FEATURE_PX), Image.Resampling.BOX)
                features[index] = np.asarray(tiny, np.float32).ravel() / 255.0
            data = io.BytesIO()
            sheet.save(data, "JPEG", quality=QUALITY)
            yield Sheet(data.getvalue(), features)


def thumbnail(path: Path | None, cell: Cell) -> Image.Image:
    """Return a picture that fits into a cell; grey where there is none.

    Raises:
        UserError: If it cannot be read.
    """
    if path is None:
        return Image.new("RGB", (cell.width, cell.height), GREY)
    if path.suffix.lower() not in BY_PILLOW:
        return _fitted(readable(path), cell)
    try:
        with Image.open(path) as picture:
            if picture.mode not in PLAIN_MODES:  # 16 bits, whose range Pillow cuts off
                return _fitted(readable(path), cell)
            picture.draft("RGB", (cell.width, cell.height))
            return _fitted(picture.convert("RGB"), cell)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def readable(path: Path) -> Image.Image:
    """Return an image of any kind in 8 bits."""
    return Image.fromarray(colorize(IMAGE, read_values(path)))


def _fitted(picture: Image.Image, cell: Cell) -> Image.Image:
    scale = min(cell.width / picture.width, cell.height / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST)
