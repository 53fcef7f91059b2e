"""The smallest rectangles around masks, turned freely: of all masks at once, without a loop over them.

A smallest rectangle has a side along an edge of the convex hull (Freeman and Shapira, "Determining the minimum-area
encasing rectangle for an arbitrary closed curve", CACM 18(7), 1975). All corners of pixels are whole numbers, so that
hulls are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.labels.rle import FIRST_DIFFERENCE

Integers = NDArray[np.int64]
FAR = 1 << 40  # beyond all pixels
GROUP_BITS = 5
ZERO = 48  # of the characters of compressed counts


def rectangles_of(rle: tuple[bytes, ...], box_px: NDArray[np.int32], height: int) -> NDArray[np.float32]:
    """Return the corners of the smallest rectangle around the pixels of every mask, [mask, 4, 2].

    They go round as the image's axes do, x towards y; of an upright rectangle the first is the upper left one. The
    first side points right, or right and down.

    Args:
        rle: Compressed counts of masks, none empty.
        box_px: Their tight boxes.
        height: Of the image that they are masks of.
    """
    if not rle:
        return np.zeros((0, 4, 2), np.float32)
    mask, start, end = _runs(rle)
    outline = _outline(mask, start, end, box_px.astype(np.int64), height)
    return _smallest(*_hulls(outline))


def _runs(rle: tuple[bytes, ...]) -> tuple[Integers, Integers, Integers]:
    """Return mask, first pixel and one past the last of every run of ones, column by column."""
    length = np.array([len(text) for text in rle])
    groups = np.frombuffer(b"".join(rle), np.uint8).astype(np.int64) - ZERO
    last = groups & 0x20 == 0
    first = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    place = np.arange(len(groups)) - np.repeat(first, np.diff(np.append(first, len(groups))))
    value = np.add.reduceat((groups & 0x1F) << (GROUP_BITS * place), first)
    top = np.flatnonzero(last)
    negative = groups[top] & 0x10 != 0
    value -= np.where(negative, np.int64(1) << (GROUP_BITS * (place[top] + 1)), 0)
    mask = np.repeat(np.arange(len(rle)), length)[first]
    new = np.flatnonzero(np.concatenate([[True], mask[1:] != mask[:-1]]))
    size = np.diff(np.append(new, len(mask)))
    index = np.arange(len(mask)) - np.repeat(new, size)
    count = value.copy()
    for parity in (0, 1):  # a count is stored as its difference to the one before the last, from the fourth on
        chain = np.flatnonzero((index % 2 == parity) & (index >= FIRST_DIFFERENCE - 2 + (parity == 0)))
        if not len(chain):
            continue
        total = np.cumsum(value[chain])
        begins = np.concatenate([[True], mask[chain][1:] != mask[chain][:-1]])
        before = np.repeat(total[begins] - value[chain][begins], np.diff(np.append(np.flatnonzero(begins), len(chain))))
        count[chain] = total - before
    stop = np.cumsum(count)
    stop -= np.repeat(stop[new] - count[new], size)
    ones = (index % 2 == 1) & (count > 0)
    return mask[ones], (stop - count)[ones], stop[ones]


@dataclass(frozen=True)
class _Outline:
    """Corners of pixels that may be corners of hulls: of every mask, for every x, the highest and the lowest."""

    mask: Integers  # [column], sorted
    x: Integers  # [column], ascending in a mask
    low: Integers  # [column], least y
    high: Integers  # [column], largest y


def _outline(mask: Integers, start: Integers, end: Integers, box: Integers, height: int) -> _Outline:
    """Return the outlines of masks from their runs."""
    width = box[:, 2] - box[:, 0] + 1  # borders between columns
    offset = np.cumsum(width) - width
    low, high = np.full(int(width.sum()), FAR), np.full(int(width.sum()), -FAR)
    x0, x1 = start // height, (end - 1) // height
    longer = x1 > x0
    y0, y1 = start - x0 * height, end - x1 * height
    for columns, least, most in (
        (x0, y0, np.where(longer, height, y1)),
        (x1, np.where(longer, 0, y0), y1),
        (np.minimum(x0 + 1, x1), np.where(x1 > x0 + 1, 0, FAR), np.where(x1 > x0 + 1, height, -FAR)),
        (np.maximum(x1 - 1, x0), np.where(x1 > x0 + 1, 0, FAR), np.where(x1 > x0 + 1, height, -FAR)),
    ):
        at = offset[mask] + columns - box[mask, 0]
        for border in (at, at + 1):
            np.minimum.at(low, border, least)
            np.maximum.at(high, border, most)
    column = np.arange(len(low)) - np.repeat(offset, width)
    owner = np.repeat(np.arange(len(box)), width)
    there = low < FAR
    return _Outline(owner[there], (column + box[owner, 0])[there], low[there], high[there])


def _hulls(outline: _Outline) -> tuple[Integers, Integers]:
    """Return mask [corner] and place [corner, 2] of the hulls' corners, mask after mask, each round its hull."""
    upper = _chain(outline.mask, outline.x, outline.low)
    lower = _chain(outline.mask, outline.x, -outline.high)
    mask = np.concatenate([outline.mask[upper], outline.mask[lower]])
    x = np.concatenate([outline.x[upper], outline.x[lower]])
    y = np.concatenate([outline.low[upper], outline.high[lower]])
    below = np.repeat([0, 1], [len(upper), len(lower)])
    order = np.lexsort((np.where(below == 1, -x, x), below, mask))  # one chain forth, the other back
    return mask[order], np.stack([x, y], axis=-1)[order]


def _chain(mask: Integers, x: Integers, y: Integers) -> Integers:
    """Return which points are corners of the least convex functions over them, point after point as they came.

    A point on or above the line between two others on its sides is none, so that all such can go at once.
    """
    left = np.arange(len(mask))
    while True:
        at, ax, ay = mask[left], x[left], y[left]
        goes = np.zeros(len(left), np.bool_)
        reach = 1
        while 2 * reach < len(left):
            middle = slice(reach, -reach)
            same = at[: -2 * reach] == at[2 * reach :]
            if not same.any():
                break
            dx, dy = ax[2 * reach :] - ax[: -2 * reach], ay[2 * reach :] - ay[: -2 * reach]
            above = (ay[middle] - ay[: -2 * reach]) * dx >= (ax[middle] - ax[: -2 * reach]) * dy
            goes[middle] |= same & above
            reach *= 2
        if not goes.any():
            return left
        left = left[~goes]


def _smallest(mask: Integers, corner: Integers) -> NDArray[np.float32]:
    """Return the smallest rectangle around every hull."""
    first = np.flatnonzero(np.concatenate([[True], mask[1:] != mask[:-1]]))
    count = np.diff(np.append(first, len(mask)))
    out = np.zeros((len(first), 4, 2), np.float32)
    padded = 1 << np.ceil(np.log2(count)).astype(np.int64)
    for size in np.unique(padded).tolist():  # hulls of about as many corners at once
        chosen = np.flatnonzero(padded == size)
        index = first[chosen, None] + np.minimum(np.arange(size), count[chosen, None] - 1)
        out[chosen] = _smallest_of(corner[index])
    return out


def _smallest_of(hull: Integers) -> NDArray[np.float32]:
    """Return the smallest rectangles [hull, 4, 2] around hulls [hull, corner, 2], whose last corners may repeat."""
    edge = np.roll(hull, -1, axis=1) - hull
    for _ in range(3):  # quarter turns until it points right, or right and down
        turns = (edge[..., 0] <= 0) | (edge[..., 1] < 0)
        edge = np.where(turns[..., None], np.stack([-edge[..., 1], edge[..., 0]], axis=-1), edge)
    across = np.stack([-edge[..., 1], edge[..., 0]], axis=-1)
    # Whole numbers below 2^53: doubles hold all products and sums, in whatever order they are made.
    both = np.concatenate([edge, across], axis=1).astype(np.float64) @ hull.transpose(0, 2, 1).astype(np.float64)
    low, high = both.min(axis=2), both.max(axis=2)
    count = hull.shape[1]
    ends = [low[:, :count], high[:, :count], low[:, count:], high[:, count:]]
    squared = (edge**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = (ends[1] - ends[0]) * (ends[3] - ends[2]) / squared
    best = np.argmin(np.where(squared > 0, area, np.inf), axis=1)
    rows = np.arange(len(hull))
    low_u, high_u, low_v, high_v = (end[rows, best] for end in ends)
    u, scale = edge[rows, best].astype(np.float64), squared[rows, best].astype(np.float64)
    v = np.stack([-u[:, 1], u[:, 0]], axis=-1)
    corners = ((low_u, low_v), (high_u, low_v), (high_u, high_v), (low_u, high_v))
    return np.stack([(a[:, None] * u + b[:, None] * v) / scale[:, None] for a, b in corners], axis=1).astype(np.float32)
