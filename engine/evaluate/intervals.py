"""Intervals of shares and of any figure over groups of frames that are not independent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Z_90 = 1.6448536269514722  # two-sided 90 %
QUANTILES = (0.05, 0.95)
REPLICATES = 500


def wilson(successes: float, trials: float, z: float = Z_90) -> tuple[float, float]:
    """Return the interval of a share; (0, 1) without trials.

    Source: E. B. Wilson, Probable inference, the law of succession, JASA 22, 1927.
    """
    if trials <= 0.0:
        return 0.0, 1.0
    share = successes / trials
    center = share + z * z / (2.0 * trials)
    half = z * math.sqrt(share * (1.0 - share) / trials + z * z / (4.0 * trials * trials))
    scale = 1.0 + z * z / trials
    return max((center - half) / scale, 0.0), min((center + half) / scale, 1.0)


def group_weights(group: NDArray[np.int64], seed: int, replicates: int = REPLICATES) -> Floats:
    """Return how often each item is drawn when its groups are drawn with replacement, [replicate, item].

    See `draws_of_groups`, which keeps one replicate at a time.
    """
    return np.array([*draws_of_groups(group, seed, replicates)])


def draws_of_groups(group: NDArray[np.int64], seed: int, replicates: int = REPLICATES) -> Iterator[Floats]:
    """Yield for every replicate how often each item is drawn when its groups are drawn with replacement, [item].

    Args:
        group: Of every item, numbers from 0; groups are drawn as often as there are groups.
        seed: Of the draws.
        replicates: How many times.
    Source: the cluster bootstrap, Field and Welsh, Bootstrapping clustered data, JRSS B 69, 2007.
    """
    groups = int(group.max(initial=-1)) + 1
    random = np.random.Generator(np.random.Philox(key=[seed, groups]))
    share = np.full(groups, 1.0 / max(groups, 1))
    for _ in range(replicates):
        counts = random.multinomial(groups, share) if groups else np.zeros(0, np.int64)
        yield counts[group].astype(np.float64)


def interval(figures: Floats) -> tuple[float, float]:
    """Return the central 90 % of bootstrapped figures; NaN, replicates that had nothing to measure, are left out."""
    known = figures[np.isfinite(figures)]
    if not known.size:
        return math.nan, math.nan
    low, high = np.quantile(known, QUANTILES)
    return float(low), float(high)


def bootstrap(figure: Callable[[Floats], float], weights: Iterable[Floats]) -> tuple[float, float]:
    """Return the interval of a figure; `figure` is given the weights [item] of a replicate."""
    return interval(np.array([figure(own) for own in weights]))
