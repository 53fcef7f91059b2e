"""The sRGB curve on a device, as a table that gives every linear number its exact 8-bit code on every device."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.render.arrays import to_device

CODES = 256


def linear_of_srgb(code: float | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the linear value of an sRGB value in [0, 1] (IEC 61966-2-1), float64."""
    value = np.asarray(code, np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def srgb_table(device: str) -> Any:
    """Return kernels.film.SrgbTable: where each code begins, and for each run of floats the code that it begins with.

    A run is too short to hold more than one beginning, so that one comparison decides.
    """
    begins = linear_of_srgb((np.arange(CODES + 1) - 0.5) / (CODES - 1)).astype(np.float32)
    begins[0], begins[CODES] = -np.inf, np.inf
    first, count = int(gpu.film.FIRST_RUN), int(gpu.film.RUN_COUNT)
    runs = (np.arange(first, first + count, dtype=np.uint32) << gpu.film.RUN_BITS).view(np.float32)
    code = np.searchsorted(begins, runs, side="right") - 1
    code[0] = 0  # the first run stands for all that is darker, too
    out = gpu.film.SrgbTable()
    out.begin = to_device(begins, wp.float32, device)
    out.code = to_device(code.astype(np.int32), wp.int32, device)
    return out
