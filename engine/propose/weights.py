"""Weights of worlds towards failures, and the laws that carry them.

w = (1 - lambda) + lambda p / mean p, at most `CAP`: a mixture of the recipe as it is, of share (1 - lambda) / mean w,
and of what is left, t. The first is a part of the batch of its own. Columns are drawn independently, so the law of each
is its marginal under t, which of all independent laws is the nearest to t (least Kullback-Leibler divergence).

Rows of several recipes that differ in laws alone count as one sample by the balance heuristic: each has the weight
q / sum_k n_k q_k (Veach and Guibas, SIGGRAPH 1995). Effective sample size: (sum w)^2 / sum w^2 (Kish, 1965).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluate.intervals import REPLICATES, group_weights, interval
from engine.propose.columns import MISSING, Column
from engine.propose.learn import Classifier
from engine.propose.rows import Rows

Floats = NDArray[np.float64]
Shares = dict[str, Floats]  # column -> share of every bin

LAMBDA = 0.6
CAP = 10.0
LEAST_BASE = 0.2  # of the batch that is drawn by the recipe as it is
SMOOTHING = 2.0  # rows' worth of the law as it is that every bin gets
LEAST_SHARE = 0.02  # a bin with a smaller one is left out
DRAWS = 4000  # of new laws at every step, for what the classifier says of them


@dataclass(frozen=True)
class Weighted:
    """Rows weighted towards failures."""

    whole: Floats  # [row], w
    targeted: Floats  # [row], t: w without its share of the recipe as it is
    base_share: float  # of the batch that is drawn as before


def mixture_weights(probability: Floats, sampled: Floats, *, share: float = LAMBDA, cap: float = CAP) -> Weighted:
    """Return w and its parts.

    Args:
        probability: Of failure, [row].
        sampled: How much each row stands for, [row]; ones for rows of one recipe.
        share: lambda; at most 1 - `LEAST_BASE`.
        cap: Most that w may be.
    """
    share = min(share, 1.0 - LEAST_BASE)
    relative = probability / np.average(probability, weights=sampled)
    whole = np.minimum((1.0 - share) + share * relative, cap)
    mean = float(np.average(whole, weights=sampled))
    return Weighted(whole * sampled, np.maximum(whole - (1.0 - share), 0.0) * sampled, (1.0 - share) / mean)


def effective_size(weights: Floats, group: NDArray[np.int64]) -> float:
    """Return how many groups of equal weight would say as much: (sum w)^2 / sum w^2 over groups."""
    _, number = np.unique(group, return_inverse=True)
    each = np.bincount(number, weights)
    return float(each.sum() ** 2 / (each * each).sum()) if each.any() else 0.0


def law_ratio(columns: Sequence[Column], rows: Rows, shares: Mapping[str, Floats]) -> Floats:
    """Return how much likelier every row is under other shares of bins."""
    ratio = np.ones(len(rows))
    for column in columns:
        if column.key in shares:
            each = shares[column.key] / np.where(column.base > 0.0, column.base, 1.0)
            bins = rows.bins[column.key]
            ratio *= np.where(bins == MISSING, 1.0, each[np.maximum(bins, 0)]).prod(axis=1)
    return ratio


def balanced(columns: Sequence[Column], rows: Rows, origins: Sequence[tuple[int, Mapping[str, Floats]]]) -> Floats:
    """Return how much each row of several recipes stands for under the first one, mean 1.

    Args:
        columns: Those of the recipes.
        rows: Of all recipes.
        origins: Rows of each recipe, and its shares of bins where they differ from the laws as they are.
    """
    total = float(sum(count for count, _ in origins))
    density = sum(count / total * law_ratio(columns, rows, shares) for count, shares in origins)
    weights = 1.0 / np.maximum(np.asarray(density, np.float64), 1.0e-12)
    return np.asarray(weights / weights.mean())


def marginals(columns: Sequence[Column], rows: Rows, targeted: Floats, sampled: Floats) -> Shares:
    """Return the shares of every column's bins under weights, smoothed by what its law says."""
    found: Shares = {}
    scale = len(rows) / max(float(targeted.sum()), 1.0e-12)  # so that a mean row counts as one
    for column in columns:
        bins = rows.bins[column.key]
        there = bins != MISSING
        each = np.maximum(there.sum(axis=1), 1)[:, None]
        flat, count = bins[there], len(column.base)
        towards = np.bincount(flat, (np.broadcast_to(scale * targeted[:, None] / each, bins.shape))[there], count)
        before = np.bincount(flat, (np.broadcast_to(sampled[:, None] / each, bins.shape))[there], count)
        shares = column.base * (towards + SMOOTHING) / (before + SMOOTHING)
        shares = shares / shares.sum()
        if column.kind == "spread":
            shares = widened(shares, effective_size(targeted * there.any(axis=1), rows.world))
        found[column.key] = shares
    return found


def widened(shares: Floats, size: float) -> Floats:
    """Return shares of equally probable bins, smoothed by a normal kernel that is reflected at the ends.

    Its bandwidth is Silverman's, 0.9 min(std, IQR / 1.34) n^(-1/5), in places of the law.
    Source: B. W. Silverman, Density estimation for statistics and data analysis, 1986, eq. 3.31.
    """
    count = len(shares)
    middle = (np.arange(count) + 0.5) / count
    mean = float(middle @ shares)
    std = math.sqrt(float(((middle - mean) ** 2) @ shares) + 1.0 / (12.0 * count * count))
    first, last = np.interp([0.25, 0.75], np.concatenate([[0.0], np.cumsum(shares)]), np.linspace(0.0, 1.0, count + 1))
    bandwidth = 0.9 * min(std, (last - first) / 1.34) * max(size, 1.0) ** -0.2
    away = middle[:, None] - np.concatenate([middle, -middle, 2.0 - middle])[None, :]
    kernel = np.exp(-0.5 * (away / max(bandwidth, 1.0e-6)) ** 2).reshape(count, 3, count).sum(axis=1)
    return np.asarray((kernel / kernel.sum(axis=0)) @ shares)


def trimmed(shares: Floats) -> Floats:
    """Return shares without those that are too small to matter."""
    kept = np.where(shares < min(LEAST_SHARE, 0.5 * float(shares.max())), 0.0, shares)
    return np.asarray(kept / kept.sum())


def drawn_by(classifier: Classifier, rows: Rows, shares: Shares, seed: int) -> tuple[float, Shares]:
    """Return the mean of p over draws of laws, and the shares one step sharper; what is there is as in rows.

    The step multiplies the share of every bin by the mean of p in it. All columns serve one p, so that its mean under
    independent laws never falls (the discrete replicator equation; Losert and Akin, J. Math. Biology 17, 1983).
    """
    random = np.random.Generator(np.random.Philox(key=[seed, 1]))
    like = random.integers(len(rows), size=DRAWS)
    bins, places = {}, {}
    for column in classifier.columns:
        there = rows.bins[column.key][like] != MISSING
        own, place = column.drawn(shares.get(column.key, column.base), there.shape, random)
        bins[column.key] = np.where(there, own, MISSING)
        places[column.key] = np.where(there, place, np.nan)
    probability = classifier.probability(bins, places)
    mean = float(probability.mean())
    sharper: Shares = {}
    for column in classifier.columns:
        there = bins[column.key] != MISSING
        count = np.bincount(bins[column.key][there], minlength=len(column.base))
        each = np.broadcast_to(probability[:, None], there.shape)[there]
        within = np.bincount(bins[column.key][there], each, len(column.base))
        own = shares[column.key] * (within + SMOOTHING * mean) / (count + SMOOTHING)
        sharper[column.key] = own / own.sum()
    return mean, sharper


def _of_presence(column: Column, rows: Rows, share: Floats) -> Floats:
    """Return how much likelier every row is where defects are made oftener, those included that nobody sees."""
    seen = rows.bins[column.key][:, 0] == 1
    each = share / np.where(column.base > 0.0, column.base, 1.0)
    unseen = float(np.clip((column.base[1] - seen.mean()) / max(1.0 - seen.mean(), 1.0e-12), 0.0, 1.0))
    return np.where(seen, each[1], (1.0 - unseen) * each[0] + unseen * each[1])


@dataclass(frozen=True)
class Predicted:
    """Share of pictures that would satisfy the target under new laws, by the pictures that are known."""

    value: float
    low: float
    high: float
    effective_worlds: float


def predicted(
    columns: Sequence[Column], rows: Rows, satisfied: NDArray[np.bool_], shares: Shares, seed: int
) -> Predicted:
    """Return the share by self-normalised importance sampling, with a 90 % interval of worlds drawn anew.

    Defects are known where they are seen. Those that are borne where no camera sees them stay unseen, however likely
    they are made: a picture without one bore it with the chance that Bayes' rule says.

    Source: A. Owen, Monte Carlo theory, methods and examples, 2013, chapter 9.
    """
    drawn = [column for column in columns if column.kind != "presence"]
    ratio = law_ratio(drawn, rows, shares)
    for column in columns:
        if column.kind == "presence" and column.key in shares:
            ratio = ratio * _of_presence(column, rows, shares[column.key])
    _, group = np.unique(rows.world, return_inverse=True)
    draws = group_weights(group.astype(np.int64), seed, REPLICATES) * ratio
    totals = draws.sum(axis=1)
    values = np.where(totals > 0.0, draws @ satisfied / np.where(totals > 0.0, totals, 1.0), np.nan)
    low, high = interval(values)
    value = float(np.average(satisfied, weights=ratio)) if ratio.any() else float("nan")
    return Predicted(value, low, high, effective_size(ratio, group))
