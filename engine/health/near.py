"""Near duplicates by their hashes, without holding every picture against every other.

Of two hashes that differ in at most d of 64 bits, one of d + 1 bands of bits is equal (pigeon holes). So only hashes
that share a band are compared. Bits are dealt to the bands in turn, since neighbouring frequencies hang together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 64
PAIRS_AT_ONCE = 1 << 22
NONE = -1


@dataclass(frozen=True)
class NearDuplicates:
    """The earliest frame of another world that each frame is a near duplicate of."""

    earlier: NDArray[np.int64]  # [frame], position of that frame; NONE
    bits: NDArray[np.int64]  # [frame], in which they differ; 0 where there is none

    @property
    def found(self) -> NDArray[np.int64]:
        """Positions of frames that repeat an earlier one."""
        return np.flatnonzero(self.earlier != NONE)


def near_duplicates(phash: NDArray[np.uint64], world: NDArray[np.int64], most_bits: int) -> NearDuplicates:
    """Return which frames look like an earlier one of another world.

    Args:
        phash: Hashes of frames, in the order of the index.
        world: Groups of frames; those of one world, or surface, are alike by nature and not held against each other.
        most_bits: In which near duplicates differ at most.
    """
    unique, index = np.unique(phash, return_inverse=True)
    count, none = len(unique), len(phash)
    position = np.arange(none)
    beyond = np.concatenate([world, [-1]])  # of the position that stands for no frame
    first = _earliest(index, position, count, none)
    of_other = world != world[first[index]]
    second = _earliest(index[of_other], position[of_other], count, none)  # of another world than the first one's
    left, right = _pairs(unique, most_bits)
    own = np.arange(count)
    here, there = np.concatenate([own, left, right]), np.concatenate([own, right, left])
    nearest = _earliest(here, first[there], count, none)
    same_world = beyond[first[there]] == beyond[nearest[here]]
    other = _earliest(here, np.where(same_world, second[there], first[there]), count, none)
    earlier = np.where(beyond[nearest[index]] == world, other[index], nearest[index])
    found = earlier < position
    bits = np.bitwise_count(phash ^ phash[np.where(found, earlier, position)]).astype(np.int64)
    return NearDuplicates(np.where(found, earlier, NONE), bits)


def _earliest(index: NDArray[np.intp], position: NDArray[np.int64], count: int, none: int) -> NDArray[np.int64]:
    """Return the least position of every index below `count`; `none` where there is no position."""
    found = np.full(count, none, np.int64)
    np.minimum.at(found, index, position)
    return found


def _pairs(hashes: NDArray[np.uint64], most_bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all pairs of different hashes that are near, each once."""
    found_left, found_right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    bands = most_bits + 1
    masks = [np.uint64(sum(1 << bit for bit in range(band, BITS, bands))) for band in range(bands)]
    for band, mask in enumerate(masks if most_bits else []):
        key = hashes & mask
        order = np.argsort(key, kind="stable")
        edges = np.concatenate([[0], np.flatnonzero(np.diff(key[order])) + 1, [len(order)]])
        sizes = np.diff(edges)
        for size in np.unique(sizes[sizes > 1]).tolist():  # all buckets of a size at once
            starts = edges[:-1][sizes == size]
            for left, right in _bucket_pairs(order, starts, size):
                differs = hashes[left] ^ hashes[right]
                near = np.bitwise_count(differs) <= most_bits
                for earlier_mask in masks[:band]:  # seen in an earlier band already
                    near &= (differs & earlier_mask) != 0
                found_left.append(left[near])
                found_right.append(right[near])
    return np.concatenate(found_left), np.concatenate(found_right)


def _bucket_pairs(
    order: NDArray[np.intp], starts: NDArray[np.int64], size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield all pairs inside of buckets of one size, a few million at a time."""
    for gap in range(1, size):
        per_bucket = size - gap
        at_once = max(PAIRS_AT_ONCE // per_bucket, 1)
        for begin in range(0, len(starts), at_once):
            base = (starts[begin : begin + at_once, None] + np.arange(per_bucket)[None, :]).ravel()
            yield order[base].astype(np.int64), order[base + gap].astype(np.int64)
