"""Instances out of a map of odds: what hangs together above a threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.train.masks import Pixels

EVERY_WAY = np.ones((3, 3), np.int64)  # pixels that touch at a corner hang together


@dataclass(frozen=True)
class Thresholds:
    """What makes an instance."""

    odds: float = 0.0  # that its pixels have
    peak: float = 1.0  # that one of them has
    least_px: int = 6  # of the grid


@dataclass(frozen=True)
class Component:
    """Pixels that hang together."""

    pixels: Pixels  # [y, x] of the grid
    odds: float  # of the instance


def found_in(odds: NDArray[np.float32], thresholds: Thresholds) -> Iterator[Component]:
    """Yield the instances of a map of log odds."""
    smooth = ndimage.uniform_filter(odds, 3, mode="nearest")
    labels, count = ndimage.label(smooth > thresholds.odds, EVERY_WAY)
    for number, place in enumerate(ndimage.find_objects(labels, count), start=1):
        inside = labels[place] == number
        values = smooth[place][inside]
        if len(values) < thresholds.least_px or values.max() < thresholds.peak:
            continue
        pixels = np.zeros(odds.shape, np.bool_)
        pixels[place] = ndimage.binary_fill_holes(inside)
        top = np.sort(values)[-max(len(values) // 4, 1) :]
        yield Component(pixels, float(top.mean()))
