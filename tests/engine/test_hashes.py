"""Pairs of hashes that differ in few bits, against all pairs counted one by one."""

from __future__ import annotations

import numpy as np
import pytest

from engine.shift.hashes import near_pairs


def planted(count: int, flips: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes, and copies of the first of them with some bits flipped among others."""
    random = np.random.default_rng(seed)
    first, second = random.integers(0, 2**64, (2, count), np.uint64)
    for index, flip in enumerate(flips):
        bits = random.permutation(64)[:flip].astype(np.uint64)
        second[-1 - index] = first[index] ^ np.bitwise_or.reduce(np.uint64(1) << bits, initial=np.uint64(0))
    return first, second


def every_pair(first: np.ndarray, second: np.ndarray, bits: int) -> set[tuple[int, int, int]]:
    distances = [(i, j, int(a ^ b).bit_count()) for i, a in enumerate(first) for j, b in enumerate(second)]
    return {pair for pair in distances if pair[2] <= bits}


@pytest.mark.parametrize("bits", [0, 3, 6, 11, 20])
@pytest.mark.parametrize("spread", [64, 12])
def test_the_pairs_are_those_of_comparing_all_with_all(bits: int, spread: int) -> None:
    """Of hashes over all bits, and of crowded ones that share most of them."""
    first, second = planted(300, [*range(12)] * 2, 1)
    mask = np.uint64(2**64 - 1 if spread == 64 else 0x1111_1111_1111)
    found = near_pairs(first & mask, second & mask, bits)
    pairs = list(zip(found.first.tolist(), found.second.tolist(), found.bits.tolist(), strict=True))
    assert set(pairs) == every_pair(first & mask, second & mask, bits)
    assert len(pairs) == len(set(pairs)) == found.found > 0
    assert pairs == sorted(pairs, key=lambda pair: (pair[2], pair[0], pair[1]))


def test_many_hashes_are_looked_up_and_not_compared_with_all() -> None:
    """Twenty thousand against as many, with planted neighbours at every distance up to eight bits."""
    flips = [*range(9)]
    first, second = planted(20_000, flips, 2)
    found = near_pairs(first, second, 6)
    wanted = {(index, 20_000 - 1 - index, flip) for index, flip in enumerate(flips) if flip <= 6}
    assert set(zip(found.first.tolist(), found.second.tolist(), found.bits.tolist(), strict=True)) == wanted


def test_pairs_within_a_set_are_found_once_and_not_with_themselves() -> None:
    """Equal hashes as well."""
    hashes = np.array([5, 5, 7, 1 << 40, 5], np.uint64)
    found = near_pairs(hashes, None, 1)
    assert [*zip(found.first, found.second, found.bits, strict=True)] == [
        (0, 1, 0), (0, 4, 0), (1, 4, 0), (0, 2, 1), (1, 2, 1), (2, 4, 1),
    ]  # fmt: skip


def test_more_pairs_than_wanted_are_counted_and_the_nearest_are_listed() -> None:
    """A thousand black pictures make half a million pairs, which nobody reads."""
    found = near_pairs(np.zeros(1000, np.uint64), None, 4, limit=10)
    assert (len(found), found.found) == (10, 1000 * 999 // 2)
    across = near_pairs(np.zeros(100, np.uint64), np.zeros(70, np.uint64), 4, limit=7)
    assert (len(across), across.found) == (7, 7000)
    assert len(near_pairs(np.zeros(0, np.uint64), None, 4)) == 0
