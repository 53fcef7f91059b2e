"""Pairs of 64-bit hashes that differ in few bits, found without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

BITS = 64
CHUNKS = 4  # a hash is looked up by 16 bits at a time
CHUNK_BITS = BITS // CHUNKS
CHUNK_VALUES = 1 << CHUNK_BITS
CANDIDATES = 1 << 20  # compared at once: 8 MB a column
BLOCK_ROWS = 64  # of all against all
MAX_PAIRS = 100_000  # that are listed


@dataclass(frozen=True)
class NearPairs:
    """Pairs of hashes, nearest first, then in the order of the indices; `found` counts also those not listed."""

    first: Indices
    second: Indices
    bits: NDArray[np.int64]  # in which the two differ
    found: int

    def __len__(self) -> int:
        """Return how many are listed."""
        return len(self.first)


def near_pairs(first: Hashes, second: Hashes | None, bits: int, *, limit: int = MAX_PAIRS) -> NearPairs:
    """Return the pairs of a hash of `first` and one of `second` that differ in at most `bits` bits.

    Two hashes that differ in k bits agree up to k // 4 bits in one of four quarters at least: every hash is looked up
    by its quarters, and by those that are k // 4 flips away. Where so many hashes share quarters that this would
    compare more than all with all, all are compared with all. Equal hashes are looked up once.

    Args:
        first: Hashes, uint64, shape [n].
        second: Others, shape [m]; None looks for pairs within `first`, each once, the lower index first.
        bits: 0 finds equal ones only.
        limit: How many pairs are listed at most; those further apart are counted alone.
    Source: Norouzi, Punjani and Fleet, Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012.
    """
    if not 0 <= bits <= BITS:
        raise ValueError(f"hashes differ in 0 to {BITS} bits, not {bits}")
    within = second is None
    own = _Distinct.of(first)
    other = own if second is None else _Distinct.of(second)
    if not len(own.values) or not len(other.values):
        none = np.zeros(0, np.int64)
        return NearPairs(none, none, none, 0)
    a, b, distance = _pairs_of_distinct(own.values, other.values, bits)
    if within:
        keep = a <= b  # a hash with itself stands for the equal ones
        a, b, distance = a[keep], b[keep], distance[keep]
    return _expand(own, other, (a, b, distance), within, limit)


@dataclass(frozen=True)
class _Distinct:
    """Hashes without repetition, and where each came from."""

    values: Hashes
    order: Indices  # indices of all hashes, those of equal ones side by side, ascending
    start: Indices  # of the indices of each value in `order`
    count: Indices

    @classmethod
    def of(cls, hashes: Hashes) -> _Distinct:
        hashes = np.asarray(hashes, np.uint64)
        order = np.argsort(hashes, kind="stable")
        values, start, count = np.unique(hashes[order], return_index=True, return_counts=True)
        return cls(values, order, start, count)


def _pairs_of_distinct(a: Hashes, b: Hashes, bits: int) -> tuple[Indices, Indices, Indices]:
    flips = _flips(bits // CHUNKS) if bits // CHUNKS <= 3 else None  # beyond, there are more flips than pairs
    if flips is not None:
        chunks_a, chunks_b = _quarters(a), _quarters(b)
        filled = [np.bincount(chunk, minlength=CHUNK_VALUES) for chunk in chunks_b]
        candidates = sum(int(f[c ^ flip].sum()) for f, c in zip(filled, chunks_a) for flip in flips)
        if candidates < len(a) * len(b):
            found = [*_looked_up(a, b, (chunks_a, chunks_b), flips, bits)]
            return _distinct_pairs(found, len(b))
    return _distinct_pairs([*_all_with_all(a, b, bits)], len(b))


def _quarters(hashes: Hashes) -> NDArray[np.int64]:
    """Return four numbers of 16 bits for every hash, [quarter, hash].

    Neighbouring bits of a picture's hash are related, so each quarter takes every fourth bit.
    """
    as_bits = np.unpackbits(hashes.astype("<u8")[:, None].view(np.uint8), axis=1, bitorder="little")
    quarters = as_bits.reshape(len(hashes), CHUNK_BITS, CHUNKS).transpose(2, 0, 1)
    packed = np.packbits(quarters, axis=2, bitorder="little")
    return np.ascontiguousarray(packed).view("<u2")[..., 0].astype(np.int64)


def _flips(most: int) -> list[int]:
    """Return all numbers of 16 bits with at most that many ones."""
    return [sum(1 << bit for bit in ones) for k in range(most + 1) for ones in combinations(range(CHUNK_BITS), k)]


def _looked_up(
    a: Hashes, b: Hashes, chunks: tuple[NDArray[np.int64], NDArray[np.int64]], flips: list[int], bits: int
) -> Iterator[tuple[Indices, Indices, Indices]]:
    for chunk_a, chunk_b in zip(*chunks):
        order = np.argsort(chunk_b, kind="stable")
        ends = np.cumsum(np.bincount(chunk_b, minlength=CHUNK_VALUES))
        for flip in flips:
            key = chunk_a ^ flip
            last = ends[key]
            first = np.where(key > 0, ends[key - 1], 0)
            for rows, places in _ranges(first, last - first):
                there = order[places]
                distance = np.bitwise_count(a[rows] ^ b[there])
                near = distance <= bits
                if near.any():
                    yield rows[near], there[near], distance[near].astype(np.int64)


def _ranges(first: Indices, length: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Yield every row with every number of its range, about a million at once."""
    some = np.flatnonzero(length)
    cuts = np.searchsorted(np.cumsum(length[some]), np.arange(CANDIDATES, int(length.sum()) + CANDIDATES, CANDIDATES))
    begin = 0
    for end in np.unique(np.append(np.minimum(cuts + 1, len(some)), len(some))):
        rows = some[begin:end]
        counts = length[rows]
        offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        yield np.repeat(rows, counts), np.repeat(first[rows], counts) + offsets
        begin = end


def _all_with_all(a: Hashes, b: Hashes, bits: int) -> Iterator[tuple[Indices, Indices, Indices]]:
    for begin in range(0, len(a), BLOCK_ROWS):
        distance = np.bitwise_count(a[begin : begin + BLOCK_ROWS, None] ^ b[None])
        row, column = np.nonzero(distance <= bits)
        yield row + begin, column, distance[row, column].astype(np.int64)


def _distinct_pairs(found: list[tuple[Indices, Indices, Indices]], width: int) -> tuple[Indices, Indices, Indices]:
    """Return the pairs once each: several quarters may agree."""
    if not found:
        none = np.zeros(0, np.int64)
        return none, none, none
    a, b, distance = (np.concatenate(parts) for parts in zip(*found))
    _, index = np.unique(a * width + b, return_index=True)
    return a[index], b[index], distance[index]


def _expand(
    own: _Distinct, other: _Distinct, pairs: tuple[Indices, Indices, Indices], within: bool, limit: int
) -> NearPairs:
    """Return pairs of indices for pairs of values, nearest first."""
    order = np.argsort(pairs[2], kind="stable")
    a, b, distance = (column[order] for column in pairs)
    sizes = own.count[a] * other.count[b]
    if within:
        same = a == b
        sizes = np.where(same, own.count[a] * (own.count[a] - 1) // 2, sizes)
    single = (sizes == 1) & ((a != b) if within else True)  # most are: no need to go through them one by one
    i, j = own.order[own.start[a[single]]], other.order[other.start[b[single]]]
    firsts, seconds, bits = [np.minimum(i, j) if within else i], [np.maximum(i, j) if within else j], [distance[single]]
    a, b, distance, listed = a[~single], b[~single], distance[~single], 0
    for one, two, far in zip(a, b, distance):
        if listed >= limit:
            break
        left = own.order[own.start[one] : own.start[one] + own.count[one]]
        right = other.order[other.start[two] : other.start[two] + other.count[two]]
        i, j = _grid(left, right, within, within and one == two, limit - listed)
        firsts.append(i)
        seconds.append(j)
        bits.append(np.full(len(i), far))
        listed += len(i)
    first, second, far = (np.concatenate(parts) for parts in (firsts, seconds, bits))
    order = np.lexsort((second, first, far))[:limit]
    return NearPairs(first[order], second[order], far[order], int(sizes.sum()))


def _grid(left: Indices, right: Indices, within: bool, same: bool, limit: int) -> tuple[Indices, Indices]:
    """Return pairs of the indices of two values, at most `limit`."""
    rows = max(1, -(-limit // max(len(right), 1)) + (len(right) if same else 0))
    i, j = (grid.ravel() for grid in np.meshgrid(left[:rows], right, indexing="ij"))
    if same:
        keep = i < j
        i, j = i[keep], j[keep]
    elif within:
        i, j = np.minimum(i, j), np.maximum(i, j)
    return i[:limit], j[:limit]
