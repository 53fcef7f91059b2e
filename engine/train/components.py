"""Instances out of a map of odds: what hangs together above a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.train.masks import Pixels, rle_of

LEVELS = (0.0, 2.0)  # log odds above which pixels hang together
LEAST_PX = 6  # of the grid
MOST = 40  # of a picture
ALIKE = 0.7  # overlap from which on two are the same instance
EVERY_WAY = np.ones((3, 3), np.int64)  # pixels that touch at a corner hang together


@dataclass(frozen=True)
class Component:
    """Pixels that hang together."""

    pixels: Pixels  # [y, x] of the grid
    odds: float  # their mean


def entry_of(pixels: Pixels, image_id: int, category_id: int, score: float, task: str) -> dict[str, Any]:
    """Return a COCO result of an instance: its box and, where masks are wanted, its mask."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    box = [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]
    entry = {"image_id": image_id, "category_id": category_id, "bbox": box, "score": score}
    return entry | ({"segmentation": rle_of(pixels)} if task == "segm" else {})


def found_in(odds: NDArray[np.float32]) -> list[Component]:
    """Return what hangs together above some threshold, the surest first; of those that are nearly alike, one."""
    found: list[Component] = []
    for level in LEVELS:
        labels, count = ndimage.label(odds > level, EVERY_WAY)
        sizes = np.bincount(labels.ravel())
        for number, place in enumerate(ndimage.find_objects(labels, count), start=1):
            if sizes[number] >= LEAST_PX:
                inside = labels[place] == number
                pixels = np.zeros(odds.shape, np.bool_)
                pixels[place] = ndimage.binary_fill_holes(inside)
                found.append(Component(pixels, float(odds[place][inside].mean())))
    found.sort(key=lambda one: -one.odds)
    kept: list[Component] = []
    for one in found[:MOST]:
        if all(_overlap(one.pixels, other.pixels) <= ALIKE for other in kept):
            kept.append(one)
    return kept


def _overlap(first: Pixels, second: Pixels) -> float:
    return float((first & second).sum() / (first | second).sum())
