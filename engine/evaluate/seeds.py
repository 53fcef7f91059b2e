"""The error of a figure over seeds of training and groups of the test, which are both samples.

The variance of the mean over seeds has a part of either,

    error^2 = s^2 / S  +  V_g G / (G - 1),

s the spread over S seeds, V_g the variance over draws of the G groups, of the mean over seeds. What seeds and groups do
together is in both, which errs on the safe side. Satterthwaite's formula gives the degrees of freedom for S - 1 and
G - 1: five seeds are few, and a plain bootstrap over five is too narrow by a third.

Sources: Satterthwaite, Biometrics Bulletin 2, 1946; Owen, The pigeonhole bootstrap, Annals of Applied Statistics, 2007.
"""

from __future__ import annotations

import math

import numpy as np

from engine.evaluate.intervals import Floats

LEAST_KNOWN = 0.5  # share of draws in which a figure can be measured


def is_measured(per_seed: Floats, draws: Floats, groups: int) -> bool:
    """Return whether all seeds, and draws enough of at least two groups, have the figure; shapes as `variances`."""
    known = np.isfinite(draws.mean(axis=0))
    return groups >= 2 and bool(np.isfinite(per_seed).all()) and float(known.mean()) >= LEAST_KNOWN


def variances(per_seed: Floats, draws: Floats, groups: int) -> tuple[float, float]:
    """Return the parts of seeds and of groups of the variance of a mean; one seed has no part.

    Args:
        per_seed: The figure of every seed, [seed].
        draws: In every draw of the groups, the same ones for all seeds, [seed, replicate]; NaN is left out.
        groups: How many there are, at least two.
    """
    seeds, means = len(per_seed), draws.mean(axis=0)
    of_seeds = float(per_seed.var(ddof=1)) / seeds if seeds > 1 else 0.0
    return of_seeds, float(means[np.isfinite(means)].var(ddof=1)) * groups / (groups - 1)


def freedom(of_seeds: float, of_groups: float, seeds: int, groups: int) -> float:
    """Return the degrees of freedom of the sum of both parts; infinite where there is no variance."""
    parts = of_seeds**2 / max(seeds - 1, 1) + of_groups**2 / (groups - 1)
    return (of_seeds + of_groups) ** 2 / parts if parts > 0.0 else math.inf
