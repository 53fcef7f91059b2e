"""Linear colour to sRGB codes of 8 or 16 bits, the same on every processor, and back."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


@cache
def _begins(bits: int) -> NDArray[np.float32]:
    """Return the least linear value of every code but the first (IEC 61966-2-1)."""
    codes = 2**bits
    value = (np.arange(1, codes) - 0.5) / (codes - 1)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


def encode_srgb(linear: NDArray[np.float32], *, bits: int) -> NDArray[Any]:
    """Return the nearest codes, uint8 or uint16; what is below 0 or above 1 is cut off."""
    codes = np.searchsorted(_begins(bits), linear, side="right")
    return codes.astype(np.uint8 if bits == 8 else np.uint16)


def decode_srgb(codes: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the linear values of codes."""
    value = codes.astype(np.float64) / np.iinfo(codes.dtype).max
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
