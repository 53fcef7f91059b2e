"""Sets of UDIM tiles: their files, and the one image that they are put into.

Tile 1001 + i + 10 j covers texture coordinates [i, i + 1) x [j, j + 1).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.scene.look.expression import Matrix
from engine.scene.look.image_file import ImageFile

UDIM = "<UDIM>"
FIRST = 1001
COLUMNS = 10
LAST = 1999  # 100 rows; a file name with a larger number is no tile


def tile_paths(pattern: str) -> list[str]:
    """Return the files of a pattern such as `/a/wood.<UDIM>.png` that are there, by tile."""
    folder, name = Path(pattern).parent, Path(pattern).name
    before, _, after = name.partition(UDIM)
    number = re.compile(re.escape(before) + r"(\d{4})" + re.escape(after))
    if not folder.is_dir():
        return []
    found = [file for file in sorted(folder.iterdir()) if number.fullmatch(file.name)]
    return [str(file) for file in found if FIRST <= tile_number(pattern, str(file)) <= LAST]


def tile_number(pattern: str, path: str) -> int:
    """Return the tile of a file that `tile_paths` gave."""
    start = len(Path(pattern).name.partition(UDIM)[0])
    return int(Path(path).name[start : start + 4])


def assemble(tiles: dict[int, ImageFile], max_px: int) -> tuple[ImageFile, Matrix, bool]:
    """Return one image, what turns coordinates of the tiles into its own, and whether tiles had to be made smaller.

    Every tile gets the size of the largest one, or a whole fraction of it that keeps the image below `max_px`. Where a
    tile is missing the image is black and opaque.
    """
    column = {tile: (tile - FIRST) % COLUMNS for tile in tiles}
    row = {tile: (tile - FIRST) // COLUMNS for tile in tiles}
    left, bottom = min(column.values()), min(row.values())
    columns, rows = max(column.values()) - left + 1, max(row.values()) - bottom + 1
    height, width = (max(image.size_px[axis] for image in tiles.values()) for axis in (1, 0))
    factor = 1
    while columns * rows * (height // factor) * (width // factor) > max_px and min(height, width) // factor > 1:
        factor += 1
    height, width = height // factor, width // factor
    out = np.zeros((rows * height, columns * width, 4), np.float32)
    out[..., 3] = 1.0
    for tile, image in tiles.items():
        y, x = (row[tile] - bottom) * height, (column[tile] - left) * width
        out[y : y + height, x : x + width] = _sized(image.pixels, height, width)
    uv_from_uv: Matrix = (1.0 / columns, 0.0, -left / columns, 0.0, 1.0 / rows, -bottom / rows)
    return ImageFile(out, all(image.is_8_bit for image in tiles.values())), uv_from_uv, factor > 1


def _sized(pixels: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return an image of another size: means over whole blocks where it shrinks by a whole factor, else nearest."""
    y, x = pixels.shape[:2]
    if y % height == 0 and x % width == 0:
        return pixels.reshape(height, y // height, width, x // width, 4).mean(axis=(1, 3), dtype=np.float32)
    rows = (np.arange(height) * y) // height
    columns = (np.arange(width) * x) // width
    return pixels[rows][:, columns]
