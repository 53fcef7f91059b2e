"""Run-length masks of every instance of an image in one pass, in COCO's compressed form.

Source: pycocotools, common/maskApi.c (rleEncode, rleToString); byte-identical to it, which a test holds.
"""

from __future__ import annotations

from dataclasses import dataclass

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


def runs_of(image: NDArray[np.int32]) -> tuple[Runs, NDArray[np.int64]]:
    """Return the runs of an instance image [y, x], and where every run of the image (also background) starts."""
    height, width = image.shape
    flat = image.T.reshape(-1)
    start = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    end = np.concatenate([start[1:], [flat.size]])
    value = flat[start]
    seen = np.flatnonzero(value)
    order = seen[np.argsort(value[seen], kind="stable")]
    return Runs(height, width, value[order], start[order], end[order], order), start


def compress_counts(counts: NDArray[np.int64], first: NDArray[np.int64]) -> tuple[bytes, ...]:
    """Return the compressed strings of several masks.

    Args:
        counts: Lengths of alternating runs, background first; all masks in one array.
        first: Where each mask begins in `counts`.
    """
    ends = np.concatenate([first[1:], [len(counts)]])
    index = np.arange(len(counts)) - np.repeat(first, ends - first)
    rest = counts.copy()
    late = np.flatnonzero(index >= FIRST_DIFFERENCE)
    rest[late] -= counts[late - 2]
    text = np.zeros((len(counts), _MAX_GROUPS), np.uint8)
    length = np.zeros(len(counts), np.int64)
    open_ = np.arange(len(counts))
    while open_.size:
        group = rest[open_] & 0x1F
        rest[open_] >>= _GROUP_BITS
        more = np.where(group & 0x10, rest[open_] != -1, rest[open_] != 0)
        text[open_, length[open_]] = group + np.where(more, 0x20, 0) + 48
        length[open_] += 1
        open_ = open_[more]
    written = np.arange(_MAX_GROUPS)[None, :] < length[:, None]
    joined = text[written].tobytes()
    offset = np.concatenate([[0], np.cumsum(length)])
    return tuple(joined[offset[a] : offset[b]] for a, b in zip(first, ends, strict=True))


def masks_of(runs: Runs) -> tuple[NDArray[np.int32], tuple[bytes, ...]]:
    """Return the instances seen, ascending, and the compressed mask of each."""
    if not len(runs.instance):
        return np.zeros(0, np.int32), ()
    size = runs.height * runs.width
    new = np.concatenate([[True], runs.instance[1:] != runs.instance[:-1]])
    before = np.where(new, 0, np.concatenate([[0], runs.end[:-1]]))
    last = np.concatenate([new[1:], [True]])
    tail = last & (runs.end < size)  # a mask that ends before the image does closes with background
    position = 2 * np.arange(len(new)) + np.cumsum(np.concatenate([[0], tail[:-1]]))
    counts = np.zeros(2 * len(new) + int(tail.sum()), np.int64)
    counts[position] = runs.start - before
    counts[position + 1] = runs.end - runs.start
    counts[position[tail] + 2] = size - runs.end[tail]
    return runs.instance[new], compress_counts(counts, position[new])
