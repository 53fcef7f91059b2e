"""Which frame comes when: a function of (seed, epoch, rank) and nothing else.

Every source has an endless sequence of frames: cycle after cycle of as many draws as it has frames, each cycle a new
order. In a cycle a frame comes as often as its weight says, rounded so that the counts of a cycle add up and their mean
over cycles is exact: with equal weights, once. An epoch takes the next n frames of every sequence, n being its share of
the epoch by largest remainders, so that over epochs no frame is left out. Sources are interleaved evenly: from the
start of an epoch to any place of it each has its share to within one frame. Ranks are dealt the frames of every source
in turn, so that each has the shares of the epoch, too: every R-th of the order could be of one source alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CYCLES_KEPT = 8
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Draws:
    """The frames of an epoch in their order."""

    source: Integers  # [draw]
    frame: Integers  # [draw], position in its source

    def of_rank(self, rank: int, ranks: int) -> Draws:
        """Return every `ranks`-th draw of every source, as many for every rank: up to `ranks` - 1 are left out."""
        if not 0 <= rank < ranks:
            raise ValueError(f"rank {rank} is not one of {ranks}")
        end = len(self.source) - len(self.source) % ranks
        by_source = np.argsort(self.source[:end], kind="stable")
        own = np.sort(by_source[rank::ranks])
        return Draws(self.source[own], self.frame[own])


class Sequences:
    """The endless sequences of some sources.

    Args:
        weights: Of the frames of every source, above 0.
        seed: Of all orders.
    """

    def __init__(self, weights: Sequence[NDArray[np.float64]], seed: int) -> None:
        self._weights = [np.asarray(own, np.float64) for own in weights]
        self._seed = seed
        self._cycle = lru_cache(CYCLES_KEPT * max(len(weights), 1))(self._draw_cycle)

    def take(self, source: int, first: int, count: int) -> Integers:
        """Return positions of the draws `first` .. `first + count - 1` of a source, [count]."""
        size = len(self._weights[source])
        parts = []
        while count > 0:
            cycle, at = divmod(first, size)
            parts.append(self._cycle(source, cycle)[at : at + count])
            first, count = first + len(parts[-1]), count - len(parts[-1])
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _draw_cycle(self, source: int, cycle: int) -> Integers:
        random = np.random.Generator(np.random.Philox(key=[self._seed, source], counter=[0, 0, 0, cycle]))
        counts = systematic_counts(self._weights[source], float(random.random()))
        return np.asarray(random.permutation(np.repeat(np.arange(len(counts)), counts)))


def systematic_counts(weights: NDArray[np.float64], offset: float) -> Integers:
    """Return how often each of n items comes in n draws: its expected number rounded down or up.

    Source: systematic sampling, Madow, Annals of Mathematical Statistics 20, 1949.
    """
    size = len(weights)
    edges = np.cumsum(weights) * (size / float(np.sum(weights)))
    edges[-1] = size
    reached = np.clip(np.floor(edges - offset) + 1.0, 0, size).astype(np.int64)  # ticks at offset, offset + 1, ...
    return np.diff(reached, prepend=0)


def quotas(shares: NDArray[np.float64], total: int) -> Integers:
    """Return whole numbers that add up to `total`, in these shares, by largest remainders; ties go to the first."""
    wanted = shares / shares.sum() * total
    whole = np.floor(wanted + 1.0e-9).astype(np.int64)
    order = np.argsort(-(wanted - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole


def interleave(counts: Integers) -> Integers:
    """Return which source each of `sum(counts)` places belongs to, every source spread evenly over all places."""
    phase = np.concatenate([(np.arange(count) + 0.5) / max(count, 1) for count in counts])
    return np.repeat(np.arange(len(counts)), counts)[np.argsort(phase, kind="stable")]


def draw_epoch(sequences: Sequences, counts: Sequence[Integers], epoch: int) -> Draws:
    """Return the draws of an epoch; `counts` holds the quotas [source] of the epochs 0 .. `epoch`."""
    before = np.sum(counts[:epoch], axis=0) if epoch else np.zeros(len(counts[0]), np.int64)
    source = interleave(counts[epoch])
    frame = np.empty(len(source), np.int64)
    for number, count in enumerate(counts[epoch]):
        frame[source == number] = sequences.take(number, int(before[number]), int(count))
    return Draws(source, frame)
