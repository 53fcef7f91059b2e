"""Learnability: what a slice gains per 1,000 frames, as a belief that every gated batch sharpens, and draws of it.

A slice is an arm, a batch for it a pull. The belief about its gain per 1,000 frames is normal; what is seen is the gain
that the gate found in all its batches, with the noise of the interval. The *reward* is the lower end of that interval,
so that a slice whose gain is uncertain counts for less until it is measured better; it comes near the gain as batches
come. People and stop rules read the gain itself, without a prior.

Sources: conjugate normal with known noise, Gelman et al., Bayesian Data Analysis, 3rd ed., 2.5. Drawing from the belief
and acting on the draw: W. R. Thompson, On the likelihood that one unknown probability exceeds another, Biometrika 25,
1933. In batches, by the average over draws: S. L. Scott, A modern Bayesian look at the multi-armed bandit, Applied
Stochastic Models in Business and Industry 26, 2010. Widening where batches disagree: R. T. Birge, The calculation of
errors by the method of least squares, Physical Review 40, 1932.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.budget.history import Gain
from engine.evaluate.intervals import Z_90

Floats = NDArray[np.float64]
DRAWS = 4000  # of the belief; shares then move by less than a hundredth between seeds


@dataclass(frozen=True)
class Normal:
    """A normal belief about a gain per 1,000 frames."""

    mean: float
    std: float


def belief(prior: Normal, gain: Gain | None) -> Normal:
    """Return what is believed after a pooled gain, of which the lower bound is what was seen; all per 1,000 frames."""
    if gain is None:
        return prior
    ours, seen = 1.0 / prior.std**2, 1.0 / gain.noise**2
    return Normal((ours * prior.mean + seen * gain.low) / (ours + seen), math.sqrt(1.0 / (ours + seen)))


def pooled(gains: Sequence[Gain]) -> Gain | None:
    """Return the mean gain per 1,000 frames, weighted by precision, with its 90 % interval; None without any.

    Where batches disagree by more than their noise, the interval is wider by Birge's ratio.
    """
    if not gains:
        return None
    values, weights = np.array([g.value for g in gains]), np.array([1.0 / g.noise**2 for g in gains])
    mean = float(np.sum(weights * values) / np.sum(weights))
    std = math.sqrt(1.0 / float(np.sum(weights)))
    if len(gains) > 1:
        std *= max(1.0, math.sqrt(float(np.sum(weights * (values - mean) ** 2)) / (len(gains) - 1)))
    return Gain(mean, mean - Z_90 * std, mean + Z_90 * std)


def thompson_shares(worths: Sequence[float], beliefs: Sequence[Normal], *, seed: int, draws: int = DRAWS) -> Floats:
    """Return the share of each slice: proportional to worth times drawn learnability, the mean over draws.

    A draw below 0 counts as 0: what does no good gets nothing. Draws in which no slice gains are left out; where that
    is all of them, or nothing is worth anything, the shares are even.

    Args:
        worths: Risk weight times gap, at least 0.
        beliefs: About the gain per 1,000 frames, in the same order.
        seed: Of the draws.
        draws: How many.
    """
    count = len(worths)
    random = np.random.Generator(np.random.Philox(key=[seed, count]))
    normal = random.standard_normal((draws, count))
    mean, std = (np.array([getattr(one, key) for one in beliefs]) for key in ("mean", "std"))
    weights = np.asarray(worths, np.float64) * np.maximum(mean + std * normal, 0.0)
    totals = weights.sum(axis=1)
    known = totals > 0.0
    if not known.any():
        return np.full(count, 1.0 / max(count, 1))
    return np.asarray((weights[known] / totals[known, None]).mean(axis=0))


def whole_numbers(shares: Sequence[float], total: int) -> list[int]:
    """Return whole numbers that add up to `total` and are the shares of it rounded down, or one more.

    Those with the largest remainders get one more, the first of equals first.
    Source: Hamilton's method; Balinski and Young, Fair Representation, 1982.
    """
    quotas = np.asarray(shares, np.float64) / np.sum(shares) * total
    counts = np.floor(quotas + 1e-9).astype(np.int64)
    rest = quotas - counts
    for index in np.argsort(-rest, kind="stable")[: max(total - int(counts.sum()), 0)]:
        counts[index] += 1
    return [int(count) for count in counts]
