"""Values of laws: each law's inverse distribution function, so that a uniform number in [0, 1) becomes a value.

Source: inverse transform sampling, L. Devroye, Non-Uniform Random Variate Generation, 1986, chapter II.2; mixtures:
the composition method, chapter II.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from engine.randomize.laws.model import (
    Beta,
    Case,
    Choice,
    Conditional,
    Constant,
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
)
from engine.randomize.laws.support import center_of, median, shrink, support

Array = NDArray[np.float64]
Given = Callable[[str], NDArray[np.generic]]  # values of another column, of a shape that broadcasts to that asked for

SMALLEST_UNIFORM = 2.0**-54  # half of a 53-bit step: keeps 0 out of functions that are infinite there
LARGEST_UNIFORM = 1.0 - 2.0**-53  # the largest double below 1


def quantile(law: Law, uniform: Array, *, breadth: float = 1.0, given: Given | None = None) -> Array:
    """Return the law's values at the probabilities `uniform` in [0, 1), any shape.

    Args:
        breadth: Share of the law's spread that is used, see engine/randomize/law.py.
        given: Finds the values of the column that a conditional law hangs on.
    """
    match law:
        case Constant(value):
            return np.full(uniform.shape, value)
        case Uniform(low, high):
            low, high = shrink(low, high, breadth)
            return low + (high - low) * uniform
        case LogUniform(low, high):
            log_low, log_high = shrink(math.log(low), math.log(high), breadth)
            return np.exp(log_low + (log_high - log_low) * uniform)
        case Normal(mean, std):
            return mean + std * breadth * normal_quantile(uniform)
        case TruncatedNormal():
            return law.mean + breadth * _truncated_deviation(law, uniform)
        case Beta():
            return law.mean + breadth * _beta_deviation(law, uniform)
        case Choice(values, weights) | Empirical(values=tuple(values), weights=weights):
            return np.asarray(values)[choose(len(values), weights, uniform, breadth=breadth)]
        case Integer(low, high):
            first, end = shrink(float(low), high + 1.0, breadth)
            return np.clip(np.floor(first + (end - first) * uniform), *support(law, breadth))
        case Histogram() | Empirical():
            center = median(law)
            return np.asarray(center + breadth * (np.interp(uniform, *_table(law)) - center))
        case Include():
            return _with_ends(law, uniform, breadth, given)
        case Mixture():
            return _mixed(law, uniform, breadth, given)
        case Conditional(_, cases, otherwise):
            which = case_of(law, given)
            found = quantile(otherwise, uniform, breadth=breadth, given=given)
            for index, case in enumerate(cases):
                found = np.where(which == index, quantile(case.then, uniform, breadth=breadth, given=given), found)
            return found


def choose(count: int, weights: tuple[float, ...] | None, uniform: Array, *, breadth: float = 1.0) -> NDArray[np.int64]:
    """Return which of `count` weighted values falls on each probability, same shape as `uniform`."""
    probability = choice_shares(count, weights, breadth)
    possible = np.flatnonzero(probability > 0.0)
    # Rounding may leave the last bound below 1: whatever lies beyond belongs to the last value that can occur.
    return np.minimum(np.searchsorted(np.cumsum(probability), uniform, side="right"), possible[-1])


def choice_shares(count: int, weights: tuple[float, ...] | None, breadth: float = 1.0) -> Array:
    """Return the probability of each of `count` weighted values; the likeliest gains `1 - breadth`."""
    weight = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    likeliest = np.zeros(count)
    likeliest[int(np.argmax(weight))] = 1.0
    return np.asarray(breadth * (weight / math.fsum(weight)) + (1.0 - breadth) * likeliest)


def case_of(law: Conditional, given: Given | None) -> NDArray[np.int64]:
    """Return which case of a conditional law holds, by the values of its column; the number of cases: none does."""
    if given is None:
        raise ValueError(f"a conditional law needs the column {law.by}, which is not known here")
    value = given(law.by)
    which = np.full(value.shape, len(law.cases), np.int64)
    for index in range(len(law.cases) - 1, -1, -1):
        which[_holds(law.cases[index], value)] = index
    return which


def include_ends(law: Include, breadth: float) -> tuple[float, float, float]:
    """Return the two values that are included, and the share of all that are one of them."""
    own, center = support(law.of, breadth), center_of(law.of)
    low = own[0] if law.low is None else center + breadth * (law.low - center)
    high = own[1] if law.high is None else center + breadth * (law.high - center)
    return low, high, breadth * law.share


def normal_quantile(uniform: Array) -> Array:
    """Return the standard normal's quantiles, finite at 0 and 1."""
    from scipy.special import ndtri  # 0.1 s to import: only laws that need it pay

    return np.asarray(ndtri(np.clip(uniform, SMALLEST_UNIFORM, LARGEST_UNIFORM)))


def _holds(case: Case, value: NDArray[np.generic]) -> NDArray[np.bool_]:
    if case.names is not None:
        names, index = np.unique(value.astype(str), return_inverse=True)
        known = [any(name == glob or fnmatchcase(name, glob) for glob in case.names) for name in names.tolist()]
        return np.asarray(known, np.bool_)[index].reshape(value.shape)
    number = value.astype(np.float64)
    low = -math.inf if case.low is None else case.low
    high = math.inf if case.high is None else case.high
    return np.asarray((number >= low) & (number < high))


def _table(law: Histogram | Empirical) -> tuple[Array, Array]:
    """Return rising probabilities and the values there, between which the law is evenly spread."""
    if isinstance(law, Empirical):
        assert law.quantiles is not None
        return np.linspace(0.0, 1.0, len(law.quantiles)), np.asarray(law.quantiles)
    share = np.asarray(law.weights) / math.fsum(law.weights)
    return np.concatenate([[0.0], np.minimum(np.cumsum(share), 1.0)]), np.asarray(law.edges)


def _truncated_deviation(law: TruncatedNormal, uniform: Array) -> Array:
    from scipy.special import ndtr

    if law.std == 0.0:
        return np.zeros(uniform.shape)
    below, above = ndtr((law.low - law.mean) / law.std), ndtr((law.high - law.mean) / law.std)
    deviation = law.std * normal_quantile(below + (above - below) * uniform)
    return np.clip(deviation, law.low - law.mean, law.high - law.mean)


def _beta_deviation(law: Beta, uniform: Array) -> Array:
    from scipy.special import betaincinv

    value = law.low + (law.high - law.low) * betaincinv(law.alpha, law.beta, uniform)
    return np.asarray(np.clip(value, law.low, law.high) - law.mean)


def _with_ends(law: Include, uniform: Array, breadth: float, given: Given | None) -> Array:
    low, high, share = include_ends(law, breadth)
    inner = np.clip((uniform - 0.5 * share) / max(1.0 - share, SMALLEST_UNIFORM), 0.0, LARGEST_UNIFORM)
    found = quantile(law.of, inner, breadth=breadth, given=given)
    return np.where(uniform < 0.5 * share, low, np.where(uniform >= 1.0 - 0.5 * share, high, found))


def _mixed(law: Mixture, uniform: Array, breadth: float, given: Given | None) -> Array:
    """Return values of the parts: each has a stretch of the unit interval, within which it is drawn by itself."""
    weights = tuple(part.weight for part in law.parts)
    which = choose(len(law.parts), weights, uniform, breadth=breadth)
    share = choice_shares(len(law.parts), weights, breadth)
    first = np.cumsum(share) - share
    found = np.zeros(uniform.shape)
    for index, part in enumerate(law.parts):
        if share[index] > 0.0:
            inner = np.clip((uniform - first[index]) / share[index], 0.0, LARGEST_UNIFORM)
            value = quantile(part.law, inner, breadth=breadth, given=given)
            found = np.where(which == index, value, found)
    return found
