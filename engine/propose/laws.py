"""The laws of a proposal: which shares of bins make pictures that satisfy a target, sharp enough and no sharper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.propose.columns import MISSING, Column
from engine.propose.learn import MOST_COLUMNS, Classifier, fit
from engine.propose.rows import Rows
from engine.propose.weights import Shares, drawn_by, effective_size, marginals, mixture_weights, trimmed

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

GOALS = (0.85, 0.93, 0.98)  # what the classifier must promise, at each attempt
LEAST_PART = 0.1  # of the satisfying instances that are of an entry, for its probability to be raised
MOST_STEPS = 60  # of sharpening
TOGETHER = 0.3  # correlation of two columns that is said
SIMILAR = 0.05  # total variation from its own law, below which a column is left as it is


@dataclass(frozen=True)
class Laws:
    """New shares of bins and how they came about."""

    columns: tuple[Column, ...]  # those that change, the most telling first
    shares: Shares
    steps: int  # by which they are sharper than the weights ask for, see engine/propose/weights.py
    base_share: float  # of the batch that is drawn as before
    promised: float  # share that the classifier expects to satisfy the target
    effective_worlds: float  # that the laws are read from
    joint_worlds: float  # of the mixture with the recipe as it is
    notes: tuple[str, ...] = field(default=())


def laws_towards(
    columns: Sequence[Column],
    rows: Rows,
    failing: Flags,
    sampled: Floats,
    presences: Mapping[str, tuple[Column, Floats]],
    goal: float,
    seed: int,
) -> Laws:
    """Return laws that make rows like the failing ones.

    Args:
        columns: That may change.
        rows: Pictures or instances.
        failing: [row], which of them are what is wanted.
        sampled: [row], how much each stands for.
        presences: Entries of defects whose probability is raised: the column, and how often pictures without and with
            one satisfy the target.
        goal: What the classifier should promise; laws are no sharper than it takes, and those of 0 are not sharpened.
        seed: Of the draws.
    """
    most = MOST_COLUMNS - len(presences)
    classifier = fit(columns, rows, failing, np.ones(len(rows)), most=most)
    probability = classifier.probability(rows.bins, rows.places)
    weighted = mixture_weights(probability, sampled)
    shares = marginals(classifier.columns, rows, weighted.targeted, sampled)
    steps = 0
    promised, tilted = drawn_by(classifier, rows, shares, seed)
    while promised < goal and steps < MOST_STEPS:
        shares, steps = tilted, steps + 1
        promised, tilted = drawn_by(classifier, rows, shares, seed + steps)
    shares = {key: trimmed(own) for key, own in shares.items()}
    shares |= {key: raised(column, rates, 1.0 + steps) for key, (column, rates) in presences.items()}
    changed = _changed([*(column for column, _ in presences.values()), *classifier.columns], shares)
    sizes = effective_size(weighted.targeted, rows.world), effective_size(weighted.whole, rows.world)
    notes = _lost(classifier, rows, probability, shares)
    return Laws(changed, shares, steps, weighted.base_share, promised, *sizes, notes)


def raised(column: Column, rates: Floats, power: float) -> Floats:
    """Return the shares of pictures without and with a defect, by how often either satisfies the target."""
    shares = column.base * np.maximum(rates, 0.0) ** power
    return np.asarray(shares / shares.sum()) if shares.sum() > 0.0 else column.base


def presence_of(
    columns: Sequence[Column], rows: Rows, kinds: Mapping[str, float], satisfied: Flags | Floats, sampled: Floats
) -> dict[str, tuple[Column, Floats]]:
    """Return entries of defects that bear a target of instances.

    Args:
        columns: Of the recipe.
        rows: Pictures.
        kinds: Share of the satisfying instances by entry.
        satisfied: [picture], or how much.
        sampled: [picture].
    """
    found = {}
    for column in columns:
        share = kinds.get(column.randomizer, 0.0)
        if column.kind != "presence" or share < LEAST_PART:
            continue
        with_it = rows.bins[column.key][:, 0] == 1
        rates = []
        for which in (~with_it, with_it):
            total = float(sampled[which].sum())
            rates.append(float((sampled * satisfied)[which].sum() + 0.5 * satisfied.mean()) / (total + 0.5))
        if share >= 1.0:  # a picture without it cannot satisfy the target
            rates[0] = 0.0
        if rates[1] > rates[0]:
            found[column.key] = column, np.array(rates)
    return found


def variation(column: Column, shares: Floats) -> float:
    """Return the total variation between new and own shares of a column."""
    return float(0.5 * np.abs(shares - column.base).sum())


def _changed(columns: Sequence[Column], shares: Shares) -> tuple[Column, ...]:
    kept = tuple(column for column in columns if variation(column, shares[column.key]) >= SIMILAR)
    for column in columns:
        if column not in kept:
            del shares[column.key]
    return kept


def _lost(classifier: Classifier, rows: Rows, weights: Floats, shares: Shares) -> tuple[str, ...]:
    """Return what columns lose by being drawn independently: pairs that go together under the weights."""
    said = []
    own = [column for column in classifier.columns if column.key in shares]
    for number, one in enumerate(own):
        for other in own[:number]:
            pair = [_mean_place(rows, column) for column in (one, other)]
            both = np.isfinite(pair[0]) & np.isfinite(pair[1])
            correlation = _correlation(pair[0][both], pair[1][both], weights[both])
            if abs(correlation) >= TOGETHER:
                said.append(
                    f"{other.key} and {one.key} go together under the weights (correlation {correlation:+.2f}); drawn "
                    "independently, part of that is lost"
                )
    return tuple(said)


def _mean_place(rows: Rows, column: Column) -> Floats:
    there = rows.bins[column.key] != MISSING
    count = there.sum(axis=1)
    total = np.where(there, np.nan_to_num(rows.places[column.key]), 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _correlation(first: Floats, second: Floats, weights: Floats) -> float:
    if len(first) < 3 or not weights.any():
        return 0.0
    one, other = (own - np.average(own, weights=weights) for own in (first, second))
    scale = np.sqrt(np.average(one * one, weights=weights) * np.average(other * other, weights=weights))
    return float(np.average(one * other, weights=weights) / scale) if scale > 0.0 else 0.0
