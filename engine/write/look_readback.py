"""Read back what `engine.write.look_writers` wrote, in the units of the annotators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from engine.annotators import EFFECTS
from engine.write.files import inside
from engine.write.srgb import decode_srgb


def read_albedo(path: Path) -> NDArray[np.float32]:
    """Return linear base colours [y, x, 3]."""
    return _array(path) if path.suffix == ".npy" else decode_srgb(imageio.imread(path))


def read_share(path: Path) -> NDArray[np.float32]:
    """Return roughness, metal or shadow [y, x], 0..1."""
    return _array(path) if path.suffix == ".npy" else imageio.imread(path).astype(np.float32) / np.float32(255.0)


def read_effect(out: Path, frame: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return what effects cover in a row of the frame table, [y, x, effect], in the order of EFFECTS; 255: all.

    Raises:
        UserError: If the row names a file outside of the dataset.
    """
    if frame.get("effect") is not None:
        whole: NDArray[np.uint8] = np.load(inside(out, frame["effect"]), allow_pickle=False)
        return whole
    effect = np.zeros((frame["height"], frame["width"], len(EFFECTS)), np.uint8)
    for channel, name in enumerate(EFFECTS):
        if frame.get(f"effect_{name}") is not None:
            effect[..., channel] = imageio.imread(inside(out, frame[f"effect_{name}"]))
    return effect


def read_rgb16(path: Path) -> NDArray[np.uint16]:
    """Return sRGB codes of 16 bits [y, x, 3]."""
    pixels: NDArray[np.uint16] = _pixels(path, "uint16")
    return pixels


def read_hdr(path: Path) -> NDArray[np.float32]:
    """Return scene-linear radiance [y, x, 3], before exposure."""
    return _array(path) if path.suffix == ".npy" else _pixels(path, "float")


def _array(path: Path) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return array


def _pixels(path: Path, kind: str) -> NDArray[Any]:
    """Return the pixels of a file that only OpenImageIO reads whole.

    Raises:
        OSError: If it cannot.
    """
    import OpenImageIO as oiio

    source = oiio.ImageInput.open(str(path))
    if source is None:
        raise OSError(f"{path}: {oiio.geterror()}")
    pixels = source.read_image(kind)
    source.close()
    if pixels is None:
        raise OSError(f"{path}: its pixels cannot be decoded")
    return np.asarray(pixels)
