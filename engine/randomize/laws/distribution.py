"""Distribution functions of laws: how probable what lies below a value is, and the value itself.

They are written apart from the quantile functions, so that asked and drawn can be held against each other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.randomize.laws.model import (
    Beta,
    Choice,
    Conditional,
    Empirical,
    Histogram,
    Include,
    Integer,
    Law,
    LogUniform,
    Mixture,
    Normal,
    TruncatedNormal,
    Uniform,
    parts_of,
)
from engine.randomize.laws.quantile import Given, case_of, choice_shares, include_ends
from engine.randomize.laws.support import center_of, median, shrink, support

Array = NDArray[np.float64]

SAME = 1.0e-9  # relative: values so near are one, whatever file and arithmetic they came through
ROUNDING = 4.0 * 2.0**-52  # relative: a beta law of small shapes has much of its probability this near to its ends


def below_and_upto(law: Law, value: Array, *, breadth: float = 1.0, given: Given | None = None) -> tuple[Array, Array]:
    """Return P(X < value) and P(X <= value); they differ where the law gives a value with a probability of its own."""
    match law:
        case Mixture(parts):
            shares = choice_shares(len(parts), tuple(part.weight for part in parts), breadth)
            inner = [below_and_upto(part.law, value, breadth=breadth, given=given) for part in parts]
            below, upto = (sum(share * ends[i] for share, ends in zip(shares, inner, strict=True)) for i in (0, 1))
            return np.asarray(below), np.asarray(upto)
        case Include():
            low, high, share = include_ends(law, breadth)
            below, upto = below_and_upto(law.of, value, breadth=breadth, given=given)
            ends = _step([low, high], np.array([0.5, 0.5]), value)
            return (1.0 - share) * below + share * ends[0], (1.0 - share) * upto + share * ends[1]
        case Conditional(_, cases, otherwise):
            which = case_of(law, given)
            below, upto = below_and_upto(otherwise, value, breadth=breadth, given=given)
            for index, case in enumerate(cases):
                ends = below_and_upto(case.then, value, breadth=breadth, given=given)
                below, upto = (np.where(which == index, new, old) for new, old in zip(ends, (below, upto), strict=True))
            return below, upto
        case _:
            steps = _steps(law, breadth)
            if steps is not None:
                return _step(*steps, value)
            if isinstance(law, Empirical):
                return _between(law, value, breadth)
            slack = ROUNDING * max(abs(law.low), abs(law.high)) if isinstance(law, Beta) else 0.0
            below, upto = (np.clip(_smooth(law, value + shift, breadth), 0.0, 1.0) for shift in (-slack, slack))
            return below, upto


def is_discrete(law: Law, breadth: float = 1.0) -> bool:
    """Return whether a law gives single values alone, each with a probability of its own."""
    parts = parts_of(law)
    return all(is_discrete(part, breadth) for part in parts) if parts else _steps(law, breadth) is not None


def is_smooth(law: Law, breadth: float = 1.0) -> bool:
    """Return whether a law gives no single value a probability of its own, and rises with its number."""
    return not parts_of(law) and _steps(law, breadth) is None


def rises(law: Law, breadth: float = 1.0) -> bool:
    """Return whether larger numbers give no smaller values, where what the law hangs on is given."""
    match law:
        case Mixture():
            return False
        case Include():
            low, high, _ = include_ends(law, breadth)
            first, last = support(law.of, breadth)
            return low <= first and last <= high and rises(law.of, breadth)
        case Choice(values):
            return list(values) == sorted(values)
        case _:
            return all(rises(part, breadth) for part in parts_of(law))


def steps_of(law: Law, breadth: float = 1.0) -> tuple[list[float], Array]:
    """Return the values of a discrete law that hangs on no column, rising, and their probabilities."""
    match law:
        case Mixture(parts):
            shares = choice_shares(len(parts), tuple(part.weight for part in parts), breadth)
            inner = [steps_of(part.law, breadth) for part in parts]
        case Include():
            low, high, share = include_ends(law, breadth)
            shares = np.array([1.0 - share, share])
            inner = [steps_of(law.of, breadth), ([low, high], np.array([0.5, 0.5]))]
        case _:
            found = _steps(law, breadth)
            assert found is not None, law
            shares, inner = np.ones(1), [found]
    joined: dict[float, float] = {}
    for share, (values, weights) in zip(shares, inner, strict=True):
        for value, weight in zip(values, weights, strict=True):
            joined[value] = joined.get(value, 0.0) + float(share * weight)
    values = sorted(value for value, weight in joined.items() if weight > 0.0)
    return values, np.array([joined[value] for value in values])


def _steps(law: Law, breadth: float) -> tuple[list[float], Array] | None:
    """Return values and probabilities of a simple law, if it has such; a law that shrank to a point has one."""
    match law:
        case Choice(values, weights) | Empirical(values=tuple(values), weights=weights):
            return list(values), choice_shares(len(values), weights, breadth)
        case Integer(low, high):
            first, end = shrink(float(low), high + 1.0, breadth)
            if end > first:
                whole = np.arange(max(low, math.floor(first)), min(high, math.floor(end)) + 1)
                overlap = np.minimum(whole + 1.0, end) - np.maximum(whole, first)
                return whole.astype(np.float64).tolist(), np.maximum(overlap, 0.0) / (end - first)
        case Uniform() | LogUniform() | Histogram() | Empirical() | Beta() | TruncatedNormal() | Normal():
            is_point = getattr(law, "low", 0.0) == getattr(law, "high", 1.0) or getattr(law, "std", 1.0) == 0.0
            if breadth > 0.0 and not is_point:
                return None
    return [center_of(law)], np.ones(1)


def _smooth(law: Law, value: Array, breadth: float) -> Array:
    """Return the distribution function of a simple law without steps."""
    from scipy.special import betainc, ndtr

    match law:
        case Uniform(low, high):
            low, high = shrink(low, high, breadth)
            return (value - low) / (high - low)
        case LogUniform(low, high):
            log_low, log_high = shrink(math.log(low), math.log(high), breadth)
            return (np.log(np.maximum(value, np.finfo(np.float64).tiny)) - log_low) / (log_high - log_low)
        case Normal(mean, std):
            return np.asarray(ndtr((value - mean) / (std * breadth)))
        case TruncatedNormal(mean, std, low, high):
            wide = np.clip(mean + (value - mean) / breadth, low, high)
            below, above = ndtr((low - mean) / std), ndtr((high - mean) / std)
            return np.asarray((ndtr((wide - mean) / std) - below) / (above - below))
        case Beta(alpha, beta, low, high):
            wide = law.mean + (value - law.mean) / breadth
            return np.asarray(betainc(alpha, beta, np.clip((wide - low) / (high - low), 0.0, 1.0)))
        case Histogram(edges, weights):
            wide = median(law) + (value - median(law)) / breadth
            return np.interp(wide, edges, np.concatenate([[0.0], np.cumsum(weights) / math.fsum(weights)]))
    raise ValueError(f"{type(law).__name__} has no smooth distribution function")


def _between(law: Empirical, value: Array, breadth: float) -> tuple[Array, Array]:
    """Return both shares of a law of evenly spaced quantiles, of which equal ones make a step."""
    quantiles = np.asarray(law.quantiles)
    share = np.linspace(0.0, 1.0, len(quantiles))
    steps, first, count = np.unique(quantiles, return_index=True, return_counts=True)
    center = median(law)
    steps = center + breadth * (steps - center)
    slack = SAME * np.maximum(np.abs(steps), 1.0e-30)
    begun = np.searchsorted(steps - slack, value, side="right")  # steps at or below the value
    passed = np.searchsorted(steps + slack, value, side="left")  # steps below it
    upto_step = np.concatenate([[0.0], share[first + count - 1], [1.0]])
    from_step = np.concatenate([[0.0], share[first], [1.0]])
    last = len(steps) - 1
    low, high = steps[np.clip(begun - 1, 0, last)], steps[np.clip(begun, 0, last)]
    part = np.where(high > low, (value - low) / np.where(high > low, high - low, 1.0), 0.0)
    inside = upto_step[begun] + np.clip(part, 0.0, 1.0) * (from_step[begun + 1] - upto_step[begun])
    inside = np.where(begun == 0, 0.0, np.where(begun > last, 1.0, inside))
    on_step = begun > passed
    return np.where(on_step, from_step[passed + 1], inside), np.where(on_step, upto_step[begun], inside)


def _step(values: list[float], weights: Array, value: Array) -> tuple[Array, Array]:
    order = np.argsort(np.asarray(values), kind="stable")
    steps = np.asarray(values, np.float64)[order]
    share = np.concatenate([[0.0], np.cumsum(np.asarray(weights)[order])])
    slack = SAME * np.maximum(np.abs(steps), 1.0e-30)
    below = share[np.searchsorted(steps + slack, value, side="left")]
    return below, share[np.searchsorted(steps - slack, value, side="right")]
