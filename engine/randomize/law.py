"""Laws: how a value is spread, as tagged plain data: `{law: uniform, low: 2, high: 12}`; a bare number is a constant.

Values come from the law's inverse distribution function at a counter-based uniform number, so that editing a law moves
values without reshuffling them, and nothing depends on the batch.

Breadth. `breadth` in [0, 1] is one switch for how much of the spread is used; 1 is the law as written, 0 its centre:
uniform and integer shrink around the middle of their range (integer: its real-valued range, then rounds down),
log_uniform around the geometric middle, normal and truncated_normal scale the deviations from the mean, choice gives
its most likely value (the first of equals) the probability `1 - breadth` and shares the rest as written. A constant
has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

SMALLEST_UNIFORM = 2.0**-54  # half of a 53-bit step: keeps 0 out of functions that are infinite there
LARGEST_UNIFORM = 1.0 - 2.0**-53  # the largest double below 1
NORMAL_REACH = 8.3  # standard deviations: the normal quantile of SMALLEST_UNIFORM is -8.292

# Where quantities mean something and float32 keeps them finite.
STOPS_RANGE = (-64.0, 64.0)  # [stops]
ANGLE_RANGE_DEG = (-36_000.0, 36_000.0)  # [deg], a hundred turns either way
LENGTH_RANGE_M = (-1.0e6, 1.0e6)  # [m]


@dataclass(frozen=True)
class Constant:
    """Always `value`."""

    TAG: ClassVar[tuple[str, str]] = ("law", "constant")
    BARE: ClassVar[str] = "value"

    value: float


@dataclass(frozen=True)
class Uniform:
    """Evenly spread over [low, high)."""

    TAG: ClassVar[tuple[str, str]] = ("law", "uniform")

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """The logarithm is evenly spread over [log low, log high)."""

    TAG: ClassVar[tuple[str, str]] = ("law", "log_uniform")

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)
        if self.low <= 0.0:
            raise ValueError(f"log_uniform needs low above 0, got {self.low}")


@dataclass(frozen=True)
class Normal:
    """Normal with the given mean and standard deviation."""

    TAG: ClassVar[tuple[str, str]] = ("law", "normal")

    mean: float
    std: float

    def __post_init__(self) -> None:
        _check_std(self.std)


@dataclass(frozen=True)
class TruncatedNormal:
    """Normal with the given mean and standard deviation before cutting, conditioned on [low, high]."""

    TAG: ClassVar[tuple[str, str]] = ("law", "truncated_normal")

    mean: float
    std: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_std(self.std)
        _check_range(self.low, self.high)
        if not self.low <= self.mean <= self.high:
            raise ValueError(f"truncated_normal needs low <= mean <= high, got {self.low}, {self.mean}, {self.high}")


@dataclass(frozen=True)
class Choice:
    """One of `values`, with probabilities proportional to `weights` (equal when null)."""

    TAG: ClassVar[tuple[str, str]] = ("law", "choice")

    values: tuple[float, ...]
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_weights(len(self.values), self.weights)


@dataclass(frozen=True)
class Integer:
    """A whole number from low to high, both included, all equally likely."""

    TAG: ClassVar[tuple[str, str]] = ("law", "integer")

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)


Law = Constant | Uniform | LogUniform | Normal | TruncatedNormal | Choice | Integer


def quantile(law: Law, uniform: NDArray[np.float64], *, breadth: float = 1.0) -> NDArray[np.float64]:
    """Return the law's values at the probabilities `uniform` in [0, 1), any shape.

    Source: inverse transform sampling, L. Devroye, Non-Uniform Random Variate Generation, 1986, chapter II.2.
    """
    match law:
        case Constant(value):
            return np.full(uniform.shape, value)
        case Uniform(low, high):
            low, high = _shrink(low, high, breadth)
            return low + (high - low) * uniform
        case LogUniform(low, high):
            log_low, log_high = _shrink(math.log(low), math.log(high), breadth)
            return np.exp(log_low + (log_high - log_low) * uniform)
        case Normal(mean, std):
            return mean + std * breadth * _normal_quantile(uniform)
        case TruncatedNormal():
            return law.mean + breadth * _truncated_deviation(law, uniform)
        case Choice(values, weights):
            return np.asarray(values)[choose(len(values), weights, uniform, breadth=breadth)]
        case Integer(low, high):
            first, end = _shrink(float(low), high + 1.0, breadth)
            return np.clip(np.floor(first + (end - first) * uniform), low, high)


def choose(
    count: int, weights: tuple[float, ...] | None, uniform: NDArray[np.float64], *, breadth: float = 1.0
) -> NDArray[np.int64]:
    """Return which of `count` weighted values falls on each probability, same shape as `uniform`."""
    weight = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    probability = weight / math.fsum(weight)
    likeliest = np.zeros(count)
    likeliest[int(np.argmax(weight))] = 1.0
    upper = np.cumsum(breadth * probability + (1.0 - breadth) * likeliest)
    possible = np.flatnonzero(breadth * probability + (1.0 - breadth) * likeliest > 0.0)
    # Rounding may leave the last bound below 1: whatever lies beyond belongs to the last value that can occur.
    return np.minimum(np.searchsorted(upper, uniform, side="right"), possible[-1])


def check_weights(count: int, weights: tuple[float, ...] | None) -> None:
    """Refuse an empty choice and weights that are not probabilities up to a factor.

    Raises:
        ValueError: One line that says which rule is broken.
    """
    if count == 0:
        raise ValueError("a choice needs at least one value")
    if weights is None:
        return
    if len(weights) != count:
        raise ValueError(f"{count} values but {len(weights)} weights")
    if min(weights) < 0.0 or max(weights) == 0.0:
        raise ValueError("weights must not be negative, and at least one must be above 0")


def support(law: Law) -> tuple[float, float]:
    """Return bounds of the values that a law may give; those of a normal law end where its random numbers do."""
    match law:
        case Constant(value):
            return value, value
        case Normal(mean, std):
            return mean - NORMAL_REACH * std, mean + NORMAL_REACH * std
        case Choice(values, weights):
            possible = [v for i, v in enumerate(values) if weights is None or weights[i] > 0.0]
            return min(possible), max(possible)
        case _:
            return float(law.low), float(law.high)


def check_support(name: str, law: Law, low: float, high: float) -> None:
    """Refuse a law that may leave [low, high], the range in which the quantity `name` means something.

    Raises:
        ValueError: If it may; the message says the law's range and the allowed one.
    """
    smallest, largest = support(law)
    if smallest < low or largest > high:
        raise ValueError(f"{name} must stay in [{low:g}, {high:g}], but this law gives [{smallest:g}, {largest:g}]")


def _normal_quantile(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri  # 0.1 s to import: only laws that need it pay

    return np.asarray(ndtri(np.clip(uniform, SMALLEST_UNIFORM, LARGEST_UNIFORM)))


def _truncated_deviation(law: TruncatedNormal, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtr

    if law.std == 0.0:
        return np.zeros(uniform.shape)
    below, above = ndtr((law.low - law.mean) / law.std), ndtr((law.high - law.mean) / law.std)
    deviation = law.std * _normal_quantile(below + (above - below) * uniform)
    return np.clip(deviation, law.low - law.mean, law.high - law.mean)


def _shrink(low: float, high: float, breadth: float) -> tuple[float, float]:
    if breadth == 1.0:
        return low, high
    middle, half = 0.5 * (low + high), 0.5 * (high - low) * breadth
    return middle - half, middle + half


def _check_range(low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"low {low:g} is above high {high:g}")


def _check_std(std: float) -> None:
    if std < 0.0:
        raise ValueError(f"std {std:g} is negative")
