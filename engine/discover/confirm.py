"""From what passed on the discovery half to slices: no two that say the same, and each confirmed on the other half."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.compare.statistics import holm
from engine.discover.contrast import contrast_of
from engine.discover.lattice import Conjunct, Found, Half, Level, Predicate, p_value
from engine.evaluate.evaluate import RULE_OF_THREE
from engine.evaluate.intervals import group_weights, interval, wilson

CONFIRMED_AT = 0.05  # by Holm: at most this chance that any slice of a run is none
MOST_CARRIED = 20  # slices that go on to the confirmation half
NEAR_EQUAL = 0.5  # Jaccard index of two slices that say the same
MOST_ALIKE = 5
LEAST_ALIKE = 0.4  # Jaccard index of what a slice is said to stand for
ONE_QUANTITY = 0.8  # rank correlation of two columns that say the same
LEAST_OF_ITS_OWN = 0.5  # of a slice's effect: what is left of it outside stronger slices
LEAST_CONFIRMING = 0.5  # of the support: groups of a slice in the confirmation half
LEVEL = 0.9  # of intervals

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rate:
    """Failures a row, with the 90 % interval; NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """A slice in one half."""

    rows: int
    groups: int
    failures: float
    inside: Rate
    outside: Rate
    difference: Rate
    p: float  # the largest of that against the rest and against parents


@dataclass(frozen=True)
class Alike:
    """Another predicate that says what a slice says."""

    predicate: Predicate
    jaccard: float  # rows of both over rows of either, in the discovery half


@dataclass(frozen=True)
class Carried:
    """A predicate that went on to the confirmation half."""

    predicate: Predicate
    strength: float
    alike: tuple[Alike, ...]
    discovery: Effect
    confirmation: Effect
    p_holm: float
    is_confirmed: bool


def distinct(half: Half, levels: Sequence[Level], support: int) -> list[tuple[Found, list[Alike]]]:
    """Return the predicates that say something of their own, the strongest first, each with those that it stands for.

    One stands for itself if it is not nearly equal to a stronger one, does not overlap or touch one over the same
    columns (or over others that go with them), and if what of it lies outside all stronger ones still fails more than
    the rest there: by half of its effect, in as many groups, with as small a p-value as its level asks for.
    """
    candidates = sorted(
        ((one, level.threshold) for level in levels for one in level.found),
        key=lambda pair: (-pair[0].strength, len(pair[0].predicate), pair[0].predicate),
    )
    kept: list[tuple[Found, list[Alike]]] = []
    masks: list[Flags] = []
    covered = np.zeros(len(half.outcome), np.bool_)
    for one, threshold in candidates:
        held = half.chosen(one.predicate)
        shared = [_jaccard(held, mask) for mask in masks]
        nearest = int(np.argmax(shared)) if shared else -1
        touched = next((n for n, (other, _) in enumerate(kept) if _touch(half, one.predicate, other.predicate)), -1)
        owner = touched if touched >= 0 else nearest
        is_new = touched < 0 and (not shared or shared[nearest] < NEAR_EQUAL)
        if is_new and kept:
            is_new = _adds(half, (held, covered), threshold, support)
        if is_new:
            kept.append((one, []))
            masks.append(held)
            covered |= held
            if len(kept) == MOST_CARRIED:
                break
        elif owner >= 0 and not _same_columns(one.predicate, kept[owner][0].predicate):
            _note(kept[owner][1], Alike(one.predicate, shared[owner]))
    return kept


def confirm(
    halves: tuple[Half, Half], chosen: Sequence[tuple[Found, list[Alike]]], support: int, seed: int
) -> list[Carried]:
    """Return the chosen predicates with what both halves say; simplest first, then the strongest.

    Args:
        halves: Discovery and confirmation.
        chosen: Of `distinct`.
        support: Groups that were asked of the discovery half.
        seed: Of the bootstrap.
    """
    least = math.ceil(support * LEAST_CONFIRMING)
    effects = [[effect_of(half, one.predicate, seed) for half in halves] for one, _ in chosen]
    adjusted = holm(np.array([second.p for _, second in effects])) if effects else np.zeros(0)
    carried = [
        Carried(
            one.predicate, one.strength, tuple(alike), first, second, p,
            p <= CONFIRMED_AT and second.groups >= least,
        )
        for (one, alike), (first, second), p in zip(chosen, effects, adjusted.tolist(), strict=True)
    ]  # fmt: skip
    return sorted(carried, key=lambda one: (not one.is_confirmed, len(one.predicate), -one.strength))


def effect_of(half: Half, predicate: Predicate, seed: int) -> Effect:
    """Return a predicate in a half, with intervals: t of the contrast, and of rates those of an evaluation."""
    from scipy.special import stdtrit

    p, whole = p_value(half, predicate)
    held = half.chosen(predicate)
    value, reach = float(whole.difference[0]), math.nan
    if np.isfinite(value) and min(int(whole.groups[0]), int(whole.rest_groups[0])) > 1:
        reach = float(stdtrit(whole.freedom[0], (1.0 + LEVEL) / 2.0) * math.sqrt(float(whole.variance[0])))
    if _is_share(half):
        low, high = np.clip([value - reach, value + reach], -1.0, 1.0).tolist()  # NaN stays
    else:
        low, high = value - reach, value + reach
    return Effect(
        int(held.sum()), int(whole.groups[0]), float(half.outcome[held].sum()), rate_of(half, held, seed),
        rate_of(half, ~held, seed), Rate(value, low, high), p,
    )  # fmt: skip


def rate_of(half: Half, chosen: Flags, seed: int) -> Rate:
    """Return failures a row: the cluster bootstrap; Wilson's interval of a share that is 0 or 1, of as many groups."""
    outcome = half.outcome[chosen]
    if not outcome.size:
        return Rate(math.nan, math.nan, math.nan)
    _, group = np.unique(half.group[chosen], return_inverse=True)
    groups = int(group.max()) + 1
    value = float(outcome.mean())
    if groups < 2:
        return Rate(value, math.nan, math.nan)
    if _is_share(half) and value in (0.0, 1.0):
        return Rate(value, *wilson(value * groups, groups))
    if value == 0.0:
        return Rate(0.0, 0.0, RULE_OF_THREE / groups)
    sums = np.stack([np.bincount(group, outcome, groups), np.bincount(group, minlength=groups)], axis=1)
    failures, rows = (group_weights(np.arange(groups), seed) @ sums).T
    return Rate(value, *interval(failures / rows))


def _is_share(half: Half) -> bool:
    return bool(np.isin(half.outcome, (0.0, 1.0)).all())


def _adds(half: Half, rows: tuple[Flags, Flags], threshold: float, support: int) -> bool:
    """Return whether a slice has something to say outside the rows that are covered."""
    held, covered = rows
    whole = contrast_of(half.outcome, half.group, held)
    rest = np.flatnonzero(~covered)
    found = contrast_of(half.outcome[rest], half.group[rest], held[rest])
    is_large = found.difference[0] >= LEAST_OF_ITS_OWN * whole.difference[0]
    return bool(is_large and found.groups[0] >= support and found.p[0] <= threshold)


def _jaccard(one: Flags, two: Flags) -> float:
    either = int((one | two).sum())
    return int((one & two).sum()) / either if either else 0.0


def _same_columns(one: Predicate, two: Predicate) -> bool:
    return [column for column, _, _ in one] == [column for column, _, _ in two]


def _touch(half: Half, one: Predicate, two: Predicate) -> bool:
    """Return whether predicates over the same columns overlap or have an edge in common, or over like ones overlap."""
    if _same_columns(one, two):
        return all(_meet(a, b) for a, b in zip(one, two, strict=True))
    if len(one) != len(two):
        return False
    pairs = ({a[0] for a in one} - {b[0] for b in two}, {b[0] for b in two} - {a[0] for a in one})
    if not all(any(_is_one_quantity(half, a, b) for b in pairs[1]) for a in pairs[0]):
        return False
    return bool((half.chosen(one) & half.chosen(two)).any())


def _is_one_quantity(half: Half, one: int, two: int) -> bool:
    """Return whether two columns of numbers have nearly the same order, or the opposite one, where both are known."""
    columns = half.columns[one], half.columns[two]
    if any(column.edges is None for column in columns):
        return False
    a, b = half.codes[one], half.codes[two]
    known = (a < columns[0].count) & (b < columns[1].count)
    ranks = a[known].astype(np.float64), b[known].astype(np.float64)
    if any(not own.size or not np.ptp(own) for own in ranks):
        return False
    return bool(abs(np.corrcoef(*ranks)[0, 1]) >= ONE_QUANTITY)


def _meet(one: Conjunct, two: Conjunct) -> bool:
    return one[1] <= two[2] and two[1] <= one[2]


def _note(alike: list[Alike], other: Alike) -> None:
    """Keep the nearest, one over each set of columns."""
    if other.jaccard < LEAST_ALIKE:
        return
    columns = [column for column, _, _ in other.predicate]
    same = [n for n, one in enumerate(alike) if [column for column, _, _ in one.predicate] == columns]
    if same and alike[same[0]].jaccard >= other.jaccard:
        return
    alike[:] = [one for n, one in enumerate(alike) if n not in same] + [other]
    alike.sort(key=lambda one: -one.jaccard)
    del alike[MOST_ALIKE:]
