"""All textures of a scene in one array of linear 16-bit texels, with box-filtered mip levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.errors import UserError
from engine.scene.model import Texture

LARGEST_EVEN = 16.0  # value up to which equal steps are fine enough: they are 65535 in number
LARGEST_HALF = 65504.0  # of 16-bit floats


@dataclass(frozen=True)
class Atlas:
    """Textures on the device."""

    textures: Any  # kernels.texture.Textures


def mip_levels(pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return an image [y, x, 4] and its halvings down to one texel; an odd last row or column is averaged in.

    Level k has `max(size >> k, 1)` texels a side, each the mean of the area it covers (polyphase box filter).
    """
    levels = [pixels]
    while max(levels[-1].shape[:2]) > 1:
        image = levels[-1]
        for axis in (0, 1):
            if image.shape[axis] > 1:
                image = _halved(image, axis)
        levels.append(image)
    return levels


def _halved(image: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    size = image.shape[axis]
    half = size // 2
    moved = np.moveaxis(image, axis, 0)
    if size % 2 == 0:
        mean = 0.5 * (moved[0::2] + moved[1::2])
    else:  # 2 half + 1 texels onto half: each covers 2 + 1/half of them
        i = np.arange(half, dtype=np.float32).reshape(-1, *([1] * (moved.ndim - 1)))
        mean = ((half - i) * moved[0:-1:2] + half * moved[1::2] + (i + 1) * moved[2::2]) / size
    return np.moveaxis(mean.astype(np.float32), 0, axis)


def _level_sizes(width: int, height: int) -> list[int]:
    """Return how many texels each level of an image has."""
    sizes = [width * height]
    while max(width, height) > 1:
        width, height = max(width // 2, 1), max(height // 2, 1)
        sizes.append(width * height)
    return sizes


def _halves(image: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.minimum(image.reshape(-1, 4), LARGEST_HALF).astype(np.float16).view(np.uint16)


def pack_textures(textures: Sequence[Texture], device: str) -> Atlas:
    """Return the atlas of a scene's textures.

    A texture's scale is its largest value, at least 1; above LARGEST_EVEN texels are 16-bit floats.
    """
    size = np.array([texture.size_px for texture in textures], np.int32).reshape(-1, 2)
    counts = [_level_sizes(width, height) for width, height in size.tolist()]
    first = np.zeros((len(textures), max(map(len, counts), default=1)), np.int64)
    texel = sum(map(sum, counts))
    if texel >= 2**31:
        raise UserError(f"textures hold {texel} texels; the limit is {2**31 - 1}: use smaller images")
    packed = np.empty((texel, 4), np.uint16)
    scale = np.ones(len(textures), np.float32)
    texel = 0
    for row, texture in enumerate(textures):  # one at a time: only its levels exist as floats
        mips = mip_levels(np.maximum(texture.pixels, 0.0))
        largest = float(mips[0].max())
        is_half = largest > LARGEST_EVEN
        scale[row] = -max(1.0, largest / LARGEST_HALF) if is_half else max(1.0, largest)
        for level, image in enumerate(mips):
            first[row, level] = texel
            end = texel + image.shape[0] * image.shape[1]
            packed[texel:end] = (
                _halves(image / -scale[row]) if is_half else np.round(image.reshape(-1, 4) * (65535.0 / scale[row]))
            )
            texel = end
    out = gpu.texture.Textures()
    out.texel = wp.array(packed, dtype=wp.uint16, device=device)
    out.first_texel = wp.array(first, dtype=wp.int64, device=device)
    out.size_px = wp.array(size, dtype=wp.vec2i, device=device)
    out.level_count = wp.array(np.array([len(levels) for levels in counts], np.int32), dtype=wp.int32, device=device)
    wrap = np.array([(t.wrap_u, t.wrap_v) for t in textures], np.int32).reshape(-1, 2)
    out.wrap = wp.array(wrap, dtype=wp.vec2i, device=device)
    out.scale = wp.array(scale, dtype=wp.float32, device=device)
    return Atlas(out)
