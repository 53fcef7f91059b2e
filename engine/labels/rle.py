"""Run-length masks of every instance of an image in one pass, in COCO's compressed form.

Source: pycocotools, common/maskApi.c (rleEncode, rleToString); byte-identical to it, which a test holds. These are the
reference of the kernels in kernels/masks.py. `xp` is the module of the arrays, NumPy or CuPy; nothing in the engine
chooses CuPy, for it was not measured against the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GROUP_BITS = 5
_MAX_GROUPS = 7  # a 32-bit difference in groups of five bits
FIRST_DIFFERENCE = 3  # counts from here on are stored as the difference to the one before the last


@dataclass(frozen=True)
class Runs:
    """Stretches of one instance in an image read column by column, sorted by instance, then by place."""

    height: int
    width: int
    instance: NDArray[np.int32]  # [run], without the background
    start: NDArray[np.int64]  # [run], x * height + y of the first pixel
    end: NDArray[np.int64]  # [run], one past the last
    order: NDArray[np.int64]  # [run], its number among all runs of the image, background included


def runs_of(image: NDArray[np.int32], xp: Any = np) -> tuple[Runs, NDArray[np.int64]]:
    """Return the runs of an instance image [y, x], and where every run of the image (also background) starts."""
    height, width = image.shape
    flat = image.T.reshape(-1)
    start = _before(0, xp.flatnonzero(flat[1:] != flat[:-1]) + 1, xp)
    end = xp.concatenate([start[1:], xp.full(1, flat.size, np.int64)])
    value = flat[start]
    seen = xp.flatnonzero(value)
    order = seen[xp.argsort(value[seen], kind="stable")]
    return Runs(height, width, value[order], start[order], end[order], order), start


def compress_counts(counts: NDArray[np.int64], first: NDArray[np.int64], xp: Any = np) -> tuple[bytes, ...]:
    """Return the compressed strings of several masks.

    Args:
        counts: Lengths of alternating runs, background first; all masks in one array.
        first: Where each mask begins in `counts`.
        xp: Module of the arrays.
    """
    mask = xp.zeros(len(counts), np.int64)
    mask[first[1:]] = 1
    index = xp.arange(len(counts)) - first[xp.cumsum(mask)]
    rest = counts.copy()
    late = xp.flatnonzero(index >= FIRST_DIFFERENCE)
    rest[late] -= counts[late - 2]
    text = xp.zeros((len(counts), _MAX_GROUPS), np.uint8)
    length = xp.zeros(len(counts), np.int64)
    open_ = xp.arange(len(counts))
    while open_.size:
        group = rest[open_] & 0x1F
        rest[open_] >>= _GROUP_BITS
        more = xp.where(group & 0x10, rest[open_] != -1, rest[open_] != 0)
        text[open_, length[open_]] = group + xp.where(more, 0x20, 0) + 48
        length[open_] += 1
        open_ = open_[more]
    written = xp.arange(_MAX_GROUPS)[None, :] < length[:, None]
    joined = text[written].tobytes()
    places = _before(0, xp.cumsum(length), xp)[xp.concatenate([first, xp.full(1, len(counts), np.int64)])].tolist()
    return tuple(joined[a:b] for a, b in pairwise(places))


def masks_of(runs: Runs, xp: Any = np) -> tuple[NDArray[np.int32], tuple[bytes, ...]]:
    """Return the instances seen, ascending, and the compressed mask of each."""
    if not len(runs.instance):
        return xp.zeros(0, np.int32), ()
    size = runs.height * runs.width
    new = _before(1, runs.instance[1:] != runs.instance[:-1], xp).astype(np.bool_)
    before = xp.where(new, 0, _before(0, runs.end[:-1], xp))
    last = xp.concatenate([new[1:], xp.ones(1, np.bool_)])
    tail = last & (runs.end < size)  # a mask that ends before the image does closes with background
    position = 2 * xp.arange(len(new)) + xp.cumsum(_before(0, tail[:-1], xp))
    counts = xp.zeros(2 * len(new) + int(tail.sum()), np.int64)
    counts[position] = runs.start - before
    counts[position + 1] = runs.end - runs.start
    counts[position[tail] + 2] = size - runs.end[tail]
    return runs.instance[new], compress_counts(counts, position[new], xp)


def _before(number: int, values: NDArray[Any], xp: Any) -> NDArray[np.int64]:
    """Return a number and some values after it."""
    return xp.concatenate([xp.full(1, number, np.int64), values.astype(np.int64)])
