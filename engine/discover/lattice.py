"""The search: conjunctions of up to three ranges of columns, level by level, the best of a level taken further.

Which conjunctions are reached depends on the outcomes, so a level counts as many tests as it has predicates, reached or
not. Every level has the same part of the rate of false discoveries: levels of millions take nothing from the first.

A conjunction is tested against the rest and against each of its parents, which have one conjunct less: its p-value is
the largest (the intersection-union test; Berger, Technometrics 24, 1982). What a parent explains is no discovery. Sums
over rows alone say what is worth that: what a test that ignores groups does not pass counts as p = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.discover.bins import Coded
from engine.discover.contrast import Contrast, Floats, benjamini_hochberg, contrast_of

BEAM = 200  # predicates of a level that are taken further, at most
LEAST_BEAM = 12
WORK = 2.5e8  # of a level: codes that are counted, which bounds its time
OF_SAME_COLUMNS = 6  # predicates over the same columns that are taken further
MOST_VERIFIED = 1000  # of a level, the surest: tested by groups, against all parents

Conjunct = tuple[int, int, int]  # column, and the half-open range of its codes
Predicate = tuple[Conjunct, ...]  # by column


@dataclass(frozen=True)
class Half:
    """One half of the rows, sorted by group; the arrays are [row]."""

    columns: Sequence[Coded]
    codes: NDArray[np.uint8]  # [column, row]
    outcome: Floats
    group: NDArray[np.int64]  # 0, 1, ..., without gaps

    @classmethod
    def of(cls, columns: Sequence[Coded], outcome: Floats, group: NDArray[np.int64], use: NDArray[np.bool_]) -> Half:
        """Return the rows of `use`."""
        rows = len(outcome[use])
        codes = np.stack([one.codes[use] for one in columns]) if columns else np.zeros((0, rows), np.uint8)
        return cls(columns, codes, outcome[use], np.unique(group[use], return_inverse=True)[1].astype(np.int64))

    @property
    def groups(self) -> int:
        """How many there are."""
        return int(self.group.max(initial=-1)) + 1

    def chosen(self, predicate: Predicate) -> NDArray[np.bool_]:
        """Return the rows for which a predicate holds."""
        held = np.ones(len(self.outcome), np.bool_)
        for column, first, last in predicate:
            held &= (self.codes[column] >= first) & (self.codes[column] < last)
        return held


@dataclass(frozen=True)
class Found:
    """A predicate that passed."""

    predicate: Predicate
    p: float
    strength: float


@dataclass(frozen=True)
class Level:
    """What was searched of predicates with so many conjuncts."""

    conjuncts: int
    counted: int  # predicates that the level has: what its p-values are corrected for
    tested: int  # of them, those that were reached and have enough groups
    threshold: float  # the largest p-value that passes; -1: none
    found: tuple[Found, ...]


@dataclass(frozen=True)
class _Reached:
    """Predicates of a level, unique: conjuncts [predicate, conjunct] by number, and sums over their rows."""

    numbers: NDArray[np.int64]
    rows: Floats
    difference: Floats
    p: Floats  # of a test that ignores groups, the larger of that against the rest and against parents


@dataclass(frozen=True)
class _Ranges:
    """All conjuncts, and where their codes lie in counts of all columns side by side, one more a column."""

    conjuncts: list[Conjunct]
    column: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    start: NDArray[np.int64]  # [column]
    size: int

    @classmethod
    def of(cls, columns: Sequence[Coded]) -> _Ranges:
        conjuncts = [(c, *own) for c, column in enumerate(columns) for own in column.ranges()]
        sizes = np.array([column.count + 2 for column in columns], np.int64)  # a zero before, the unknown last
        start = np.cumsum(sizes) - sizes
        column, first, last = np.array(conjuncts, np.int64).reshape(-1, 3).T
        return cls(conjuncts, column, start[column] + first, start[column] + last, start, int(sizes.sum()))

    def predicate(self, numbers: NDArray[np.int64]) -> Predicate:
        return tuple(sorted(self.conjuncts[number] for number in numbers.tolist()))


def search(half: Half, *, most: int, support: int, rate: float) -> list[Level]:
    """Return the levels of the lattice, searched.

    Args:
        half: The discovery half.
        most: Conjuncts.
        support: Groups that a predicate needs, and its rest.
        rate: Of false discoveries, over all levels.
    """
    ranges = _Ranges.of(half.columns)
    supported = _supported(half, support)
    of_column = np.bincount(ranges.column[supported], minlength=len(half.columns)).tolist()
    levels: list[Level] = []
    beam: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for depth in range(1, most + 1):
        reached = _reach(half, ranges, beam, supported, support)
        counted = _count(of_column, depth)
        found, threshold = _passing(half, reached, ranges, (counted, rate / most, support))
        levels.append(Level(depth, counted, len(reached.p), threshold, tuple(found)))
        beam = _best(half, reached, ranges, support) if depth < most else []
        if not beam:
            break
    return levels


def p_value(half: Half, predicate: Predicate, most: float = 1.0) -> tuple[float, Contrast]:
    """Return the largest p-value of a predicate against the rest and against each parent, and the first contrast.

    Args:
        half: The rows.
        predicate: What holds inside.
        most: Above it the answer may be any of these p-values.
    """
    held = half.chosen(predicate)
    whole = contrast_of(half.outcome, half.group, held)
    p = float(whole.p[0])
    if len(predicate) > 1:
        for parent in combinations(predicate, len(predicate) - 1):
            if p > most:
                break
            rows = np.flatnonzero(half.chosen(parent))
            p = max(p, float(contrast_of(half.outcome[rows], half.group[rows], held[rows]).p[0]))
    return p, whole


def _supported(half: Half, support: int) -> NDArray[np.bool_]:
    """Return which conjuncts have enough groups inside and outside."""
    found = [np.zeros(0, np.bool_)]
    for number, column in enumerate(half.columns):
        size = column.count + 1
        at = half.codes[number].astype(np.int64) * half.groups + half.group
        seen = np.zeros((size + 1, half.groups), np.int16)
        seen[1:] = np.bincount(at, minlength=size * half.groups).reshape(size, half.groups) > 0
        np.cumsum(seen, axis=0, out=seen)
        first, last = np.array(column.ranges(), np.int64).reshape(-1, 2).T
        inside = seen[last] - seen[first]
        outside = seen[-1] - inside
        found.append((np.count_nonzero(inside, axis=1) >= support) & (np.count_nonzero(outside, axis=1) >= support))
    return np.concatenate(found)


def _reach(
    half: Half, ranges: _Ranges, beam: Sequence[NDArray[np.int64]], supported: NDArray[np.bool_], support: int
) -> _Reached:
    """Return every predicate that adds a conjunct to one of the beam, with enough rows."""
    numbers, sums, p = [], [], []
    everything = _Plain.of(half.outcome)
    for parent in beam:
        rows = np.flatnonzero(half.chosen(ranges.predicate(parent)))
        outcome = half.outcome[rows]
        n, f = _sums(half, ranges, rows, outcome)
        use = supported & (n >= support) & ~np.isin(ranges.column, ranges.column[parent])
        added = np.flatnonzero(use)
        if not added.size:
            continue
        n, f = n[use], f[use]
        difference, worst = everything.compare(n, f)
        if parent.size:
            worst = np.maximum(worst, _Plain.of(outcome).compare(n, f)[1])
        numbers.append(np.column_stack([np.tile(parent, (len(added), 1)), added]).astype(np.int64))
        sums.append(np.stack([n, difference]))
        p.append(worst)
    if not numbers:
        return _Reached(np.zeros((0, 1), np.int64), np.zeros(0), np.zeros(0), np.zeros(0))
    unique, at, inverse = np.unique(
        np.sort(np.concatenate(numbers), axis=1), axis=0, return_index=True, return_inverse=True
    )
    largest = np.zeros(len(unique))
    np.maximum.at(largest, inverse.ravel(), np.concatenate(p))
    n, difference = np.concatenate(sums, axis=1)[:, at]
    return _Reached(unique, n, difference, largest)


def _sums(half: Half, ranges: _Ranges, rows: NDArray[np.int64], outcome: Floats) -> tuple[Floats, Floats]:
    """Return how many rows every conjunct has, and how many fail."""
    counts = np.zeros((2, ranges.size + 1))
    for number, column in enumerate(half.columns):
        codes = half.codes[number][rows]
        own = slice(ranges.start[number] + 1, ranges.start[number] + column.count + 2)
        counts[0, own] = np.bincount(codes, minlength=column.count + 1)
        counts[1, own] = np.bincount(codes, outcome, column.count + 1)
    below = np.cumsum(counts, axis=1)
    n, f = below[:, ranges.last] - below[:, ranges.first]
    return n, f


@dataclass(frozen=True)
class _Plain:
    """Sums of outcomes, for a test that takes rows for independent: it says what is worth a better one."""

    rows: float
    failures: float
    variance: float

    @classmethod
    def of(cls, outcome: Floats) -> _Plain:
        return cls(float(len(outcome)), float(outcome.sum()), float(outcome.var()) if len(outcome) else 0.0)

    def compare(self, n: Floats, f: Floats) -> tuple[Floats, Floats]:
        """Return difference and one-sided p of slices with `n` rows and `f` failures against the rest."""
        from scipy.special import ndtr

        rest = self.rows - n
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = f / n - (self.failures - f) / rest
            z = difference / np.sqrt(self.variance * (1.0 / n + 1.0 / rest))
        known = np.isfinite(z)
        return np.where(known, difference, 0.0), np.where(known, ndtr(-np.where(known, z, 0.0)), 1.0)


def _count(supported: Sequence[int], depth: int) -> int:
    """Return how many predicates of `depth` conjuncts over different columns there are: the elementary polynomial."""
    ways = [1] + [0] * depth
    for own in supported:
        for size in range(depth, 0, -1):
            ways[size] += ways[size - 1] * own
    return ways[depth]


def _passing(
    half: Half, reached: _Reached, ranges: _Ranges, limits: tuple[int, float, int]
) -> tuple[list[Found], float]:
    """Return the predicates that pass, the strongest first, and the largest p-value that does.

    Args:
        half: The rows.
        reached: The level.
        ranges: What its numbers mean.
        limits: How many predicates count, the rate, and the support.
    """
    counted, rate, support = limits
    likely = np.flatnonzero(reached.p <= benjamini_hochberg(reached.p, counted, rate))
    most = rate * len(likely) / max(counted, 1)  # no p above it can pass
    likely = likely[np.argsort(reached.p[likely], kind="stable")[:MOST_VERIFIED]]
    tested = []
    for row in likely.tolist():
        predicate = ranges.predicate(reached.numbers[row])
        p, whole = p_value(half, predicate, most)
        if p <= most and min(int(whole.groups[0]), int(whole.rest_groups[0])) >= support:
            tested.append(Found(predicate, p, float(whole.strength[0])))
    threshold = benjamini_hochberg(np.array([one.p for one in tested]), counted, rate)
    found = [one for one in tested if one.p <= threshold]
    return sorted(found, key=lambda one: (-one.strength, one.predicate)), threshold


def _best(half: Half, reached: _Reached, ranges: _Ranges, support: int) -> list[NDArray[np.int64]]:
    """Return the strongest predicates of a level, few over the same columns, as many as there is time for."""
    share = reached.rows / max(len(half.outcome), 1)
    strength = reached.difference * np.sqrt(share * (1.0 - share))
    order = np.argsort(-strength, kind="stable")
    seen: dict[tuple[int, ...], int] = {}
    beam: list[NDArray[np.int64]] = []
    work = 0.0
    for row in order[strength[order] > 0.0].tolist():
        numbers = reached.numbers[row]
        columns = tuple(sorted(ranges.column[numbers].tolist()))
        if seen.get(columns, 0) == OF_SAME_COLUMNS:
            continue
        if len(np.unique(half.group[half.chosen(ranges.predicate(numbers))])) < support:
            continue
        seen[columns] = seen.get(columns, 0) + 1
        work += reached.rows[row] * len(half.columns)
        if len(beam) == BEAM or (work > WORK and len(beam) >= LEAST_BEAM):
            break
        beam.append(numbers)
    return beam
