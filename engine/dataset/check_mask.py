"""Masks of rows as pixels, for checks that trust nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.validate.rle import runs_of


def decode_rle(counts: bytes, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return the mask [y, x] of compressed COCO counts, or None if they do not fill an image of this shape."""
    runs = runs_of(counts.decode("latin-1"))
    if runs is None or sum(runs) != shape[0] * shape[1]:
        return None
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(shape[1], shape[0]).T
