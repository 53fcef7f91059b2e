"""Signals of several images as one image, computed texel by texel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.scene.look.expression import Image, Signal, evaluated

MAX_PX = 4096 * 4096  # of a baked image; a larger one is computed at a lower resolution


def bake(signal: Signal, pixels: dict[Image, NDArray[np.float32]]) -> tuple[NDArray[np.float32], float, float]:
    """Return [y, x, 4] at the resolution of the largest image, and the scale and bias that give the signal back.

    A signal of one component fills all four; one of three gets an alpha of 1. Texels are not negative, as the
    renderer's are not: scale and bias bring negative values back.
    """
    height = max(image.shape[0] for image in pixels.values())
    width = max(image.shape[1] for image in pixels.values())
    while height * width > MAX_PX:
        height, width = max(height // 2, 1), max(width // 2, 1)
    values = evaluated(signal, {image: _resampled(array, height, width) for image, array in pixels.items()})
    low = float(values.min())
    bias = low if low < 0.0 else 0.0
    scale = 1.0
    if bias < 0.0:
        scale = max(float(values.max()) - bias, 1e-6)
        values = (values - bias) / scale
    out = np.ones((height, width, 4), np.float32)
    if values.shape[-1] == 1:
        out[...] = values
    else:
        out[..., :3] = values[..., :3]
    return out, scale, bias


def _resampled(pixels: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return the nearest texels at another size."""
    if pixels.shape[:2] == (height, width):
        return pixels
    rows = ((np.arange(height) + 0.5) * pixels.shape[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * pixels.shape[1] / width).astype(np.int64)
    return pixels[rows][:, columns]
