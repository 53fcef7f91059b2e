"""What a pixel looks like: filters at several scales over a picture, on a grid of half its size.

Light that changes slowly is divided out, so that a shadow is not a defect. Values are float16 and of the picture alone.
The idea is that of interactive segmentation (Berg et al., "ilastik", Nature Methods 16, 2019).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
Bank = NDArray[np.float16]  # [y, x, feature]

VERSION = 1  # of the filters; features that are kept are of one version
FINE_PX = 0.8  # of the one scale that is looked at in full size
SCALES = (0.8, 1.6, 3.2, 6.4)  # [px of the grid]
HOLES = (3, 7, 13)  # [px of the grid], of openings and closings that find bright and dark spots
STREAK = 31  # [px of the grid], length of means along rows and columns
LIGHT_SHARE = 0.12  # of the longer side, over which light is smooth
SIDE_UNIT = 20.0  # [px of the grid]
DARKEST = 0.02  # light that is divided by at least


def grid_shape(height: int, width: int) -> tuple[int, int]:
    """Return the size of the grid of a picture."""
    return (height + 1) // 2, (width + 1) // 2


def filter_bank(rgb: NDArray[np.uint8]) -> Bank:
    """Return the features of a picture [y, x, 3], on the grid."""
    height, width = rgb.shape[:2]
    even = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.float32) / 255.0
    full = even @ np.array([0.299, 0.587, 0.114], np.float32)
    color = np.stack([_halved(even[..., channel]) for channel in range(3)])
    gray = _halved(full)
    light: Floats = np.maximum(_smooth(gray, LIGHT_SHARE * max(gray.shape)), np.float32(DARKEST))
    flat: Floats = (gray / light).astype(np.float32)
    bank: list[Any] = [flat, gray, light, *_fine(full / _doubled(light)), *_color(color, gray)]
    for axis in (0, 1):
        streak = ndimage.uniform_filter1d(flat, STREAK, axis=axis, mode="nearest")
        bank += [streak, flat - streak]
        places = np.minimum(np.arange(gray.shape[axis]), gray.shape[axis] - 1 - np.arange(gray.shape[axis])) / SIDE_UNIT
        bank.append(np.broadcast_to(places[:, None] if axis == 0 else places, gray.shape))
    for sigma in SCALES:
        bank += _at_scale(flat, sigma)
    for size in HOLES:
        bank += [ndimage.grey_closing(flat, size, mode="nearest") - flat]
        bank += [flat - ndimage.grey_opening(flat, size, mode="nearest")]
    rough = np.abs(flat - ndimage.uniform_filter(flat, 3, mode="nearest"))
    bank += [_smooth(rough, 4.0), _smooth(rough, 16.0)]
    return np.stack(bank, axis=-1).astype(np.float16)


def _fine(flat: Floats) -> list[Floats]:
    """Return ridges, valleys and edges of the full size, the strongest of each four pixels."""
    smooth = _smooth(flat, FINE_PX)
    high, low = _curvature(smooth, FINE_PX)
    down, right = np.gradient(smooth)
    return [_pooled(high, np.maximum), _pooled(low, np.minimum), _pooled(np.hypot(down, right), np.maximum)]


def _color(color: Floats, gray: Floats) -> list[Floats]:
    """Return two differences of colours relative to the brightness, near and around; zero of a gray picture."""
    red, green, blue = (channel / (gray + 0.05) for channel in color)
    pair = (red - green, blue - (red + green) / 2.0)
    return [_smooth(one, sigma) for one in pair for sigma in (1.0, 6.0)]


def _at_scale(flat: Floats, sigma: float) -> list[Floats]:
    smooth = _smooth(flat, sigma)
    high, low = _curvature(smooth, sigma)
    down, right = np.gradient(smooth)
    mean, square = _smooth(flat, 1.5 * sigma), _smooth(flat * flat, 1.5 * sigma)
    spread = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return [smooth, np.abs(right) * sigma, np.abs(down) * sigma, high, low, spread]


def _curvature(smooth: Floats, sigma: float) -> tuple[Floats, Floats]:
    """Return the larger and the smaller second derivative of any direction, in units of the scale."""
    down, right = np.gradient(smooth)
    yy, xx, xy = np.gradient(down, axis=0), np.gradient(right, axis=1), np.gradient(down, axis=1)
    half, root = (xx + yy) / 2.0, np.sqrt(((xx - yy) / 2.0) ** 2 + xy * xy)
    scale = np.float32(sigma * sigma)
    return (half + root) * scale, (half - root) * scale


def _smooth(image: Floats, sigma: float) -> Floats:
    """Return an image behind a Gaussian; of a wide one, three means of the same variance, whose cost has no width."""
    if sigma < 3.0:
        out: Floats = ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3.0)
        return out
    size = 2 * round(sigma) + 1  # three boxes of 2 s + 1 have a variance of s (s + 1), nearly s^2
    for _ in range(3):
        image = ndimage.uniform_filter(image, size, mode="nearest")
    return image


def _halved(image: Floats) -> Floats:
    return _pooled(image, np.add) / 4.0


def _pooled(image: Floats, by: np.ufunc) -> Floats:
    """Return each four pixels as one."""
    rows = by(image[::2], image[1::2])
    out: Floats = by(rows[:, ::2], rows[:, 1::2])
    return out


def _doubled(image: Floats) -> Floats:
    return np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)


class Features:
    """Features of pictures; in a folder, if there is one, each is made once for all trainings."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def of(self, rgb: NDArray[np.uint8]) -> Bank:
        """Return the features of a picture [y, x, 3]."""
        if self._folder is None:
            return filter_bank(rgb)
        content = hashlib.sha256(f"{VERSION} {rgb.shape}".encode() + rgb.tobytes()).hexdigest()
        file = self._folder / f"{content[:24]}.npy"
        if not file.exists():
            part = file.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as target:
                np.save(target, filter_bank(rgb), allow_pickle=False)
            part.rename(file)
        bank: Bank = np.load(file, allow_pickle=False)
        return bank
