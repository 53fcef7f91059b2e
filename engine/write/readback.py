"""Read the files of a frame back, in the units and numbering of the index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from engine.write.files import inside
from engine.write.writers import MILLIMETRES_A_METRE


def read_instance_map(out: Path, frame: Mapping[str, Any]) -> NDArray[np.int32]:
    """Return the instance map of a row of the frame table, shape [y, x], numbered as `inst_id`; 0 = background.

    Raises:
        UserError: If the row names a file outside of the dataset.
    """
    stored = imageio.imread(inside(out, frame["instance_map"])).astype(np.int32)
    if frame.get("instance_ids") is None:
        return stored
    table = json.loads(inside(out, frame["instance_ids"]).read_bytes())["instance"]
    return np.array(table, np.int32)[stored]


def read_id_map(out: Path, frame: Mapping[str, Any], what: str) -> NDArray[np.int32]:
    """Return the map of parts or materials of a row of the frame table, [y, x]; ids of their tables, 0 = nothing.

    Args:
        out: The dataset.
        frame: The row.
        what: `part` or `material`.
    Raises:
        UserError: If the row names a file outside of the dataset.
    """
    stored = imageio.imread(inside(out, frame[f"{what}_map"])).astype(np.int32)
    if frame.get(f"{what}_ids") is None:
        return stored
    table = json.loads(inside(out, frame[f"{what}_ids"]).read_bytes())[what]
    return np.array(table, np.int32)[stored]


def read_rgb(path: Path) -> NDArray[Any]:
    """Return the numbers of a PNG of three channels as they are, 8 or 16 bits, [y, x, 3].

    Raises:
        OSError: If it cannot be decoded, or is something else.
    """
    import OpenImageIO as oiio  # Pillow holds no 16-bit colour

    file = oiio.ImageInput.open(str(path))
    pixels = None if file is None else file.read_image(oiio.UNKNOWN)
    if pixels is None or pixels.shape[2:] != (3,) or pixels.dtype not in (np.uint8, np.uint16):
        raise OSError(f"{path} is not a PNG of three channels that can be decoded")
    return np.asarray(pixels)


def read_normals(path: Path) -> NDArray[np.float32]:
    """Return unit normals of either frame, [y, x, 3], 0 where there is nothing."""
    stored = read_rgb(path)
    normal = (stored.astype(np.float32) - 32768.0) / np.float32(32767.0)
    normal[~stored.any(axis=-1)] = 0.0
    return normal


def read_nocs(path: Path) -> NDArray[np.float32]:
    """Return normalised object coordinates of either encoding, [y, x, 3], NaN where there is nothing."""
    stored = read_rgb(path)
    nocs = stored.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max)
    nocs[~stored.any(axis=-1)] = np.nan
    return nocs


def read_floats(path: Path) -> NDArray[np.float32]:
    """Return an image of floats, such as `position` or `uv`, [y, x, ...], NaN where there is nothing."""
    values: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return values


def read_edges(path: Path) -> NDArray[np.uint8]:
    """Return the bits of outlines, [y, x]."""
    return np.asarray(imageio.imread(path), np.uint8)


def read_depth_m(path: Path) -> NDArray[np.float32]:
    """Return planar depth or range [m], shape [y, x], +inf where there is none."""
    if path.suffix == ".npy":
        depth_m: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return depth_m
    millimetres = imageio.imread(path).astype(np.float32)
    return np.where(millimetres > 0, millimetres / np.float32(MILLIMETRES_A_METRE), np.float32(np.inf))
