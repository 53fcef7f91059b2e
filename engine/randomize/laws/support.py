"""Ranges: between which values a law may give anything, which a quantity may have, and in which unit it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from engine.randomize.laws.model import (
    Beta,
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
    parts_of,
)

T = TypeVar("T")

NORMAL_REACH = 8.3  # standard deviations: the normal quantile of SMALLEST_UNIFORM is -8.292

# Where quantities mean something and float32 keeps them finite.
STOPS_RANGE = (-64.0, 64.0)  # [stops]
ANGLE_RANGE_DEG = (-36_000.0, 36_000.0)  # [deg], a hundred turns either way
LENGTH_RANGE_M = (-1.0e6, 1.0e6)  # [m]

UNITS = {  # by the end of a key, the longest that fits
    "m_s": "m/s", "deg_s": "deg/s", "rad_s": "rad/s", "m": "m", "mm": "mm", "um": "um", "px": "px", "s": "s",
    "deg": "deg", "rad": "rad", "w": "W", "nit": "cd/m2", "lx": "lx", "ev": "stops", "stops": "stops", "e": "e-",
    "kelvin": "K", "kg": "kg", "count": "items", "hour": "h", "year": "d", "iso": "ISO",
}  # fmt: skip
NO_UNIT = "1"  # a share, a factor or a number


def unit_of(key: str) -> str:
    """Return the unit of a key, which its last words say: `speed_m_s` is in m/s; `1` where there is none."""
    words = key.rpartition(".")[2].split("_")
    for start in range(max(len(words) - 2, 0), len(words)):
        if (unit := UNITS.get("_".join(words[start:]))) is not None:
            return unit
    return NO_UNIT


def support(law: Law, breadth: float = 1.0) -> tuple[float, float]:
    """Return bounds of the values that a law may give; those of a normal law end where its random numbers do."""
    match law:
        case Constant(value):
            return value, value
        case Uniform(low, high):
            return shrink(low, high, breadth)
        case LogUniform(low, high):
            if breadth == 1.0:
                return low, high
            log_low, log_high = shrink(math.log(low), math.log(high), breadth)
            return math.exp(log_low), math.exp(log_high)
        case Normal(mean, std):
            return mean - NORMAL_REACH * std * breadth, mean + NORMAL_REACH * std * breadth
        case TruncatedNormal() | Beta():
            return _about(law.mean, law.low, law.high, breadth)
        case Integer(low, high):
            first, end = shrink(float(low), high + 1.0, breadth)
            return float(max(low, math.floor(first))), float(min(high, math.ceil(end) - (1 if end > first else 0)))
        case Choice(values, weights) | Empirical(values=tuple(values), weights=weights):
            possible = _possible(values, weights, breadth)
            return min(possible), max(possible)
        case Histogram(edges, weights):
            filled = [index for index, weight in enumerate(weights) if weight > 0.0]
            return _about(median(law), edges[filled[0]], edges[filled[-1] + 1], breadth)
        case Empirical(quantiles=tuple(quantiles)):
            return _about(median(law), quantiles[0], quantiles[-1], breadth)
        case Empirical():
            return -math.inf, math.inf  # not read yet
        case Include(of, _, low, high):
            ends, center = support(of, breadth), center_of(of)
            first = ends[0] if low is None else center + breadth * (low - center)
            last = ends[1] if high is None else center + breadth * (high - center)
            return min(ends[0], first), max(ends[1], last)
        case Mixture() | Conditional():
            return _of_parts(law, breadth)


def center_of(law: Law) -> float:
    """Return what a law gives at breadth 0; of a conditional law what it gives otherwise."""
    match law:
        case Conditional():
            return center_of(law.otherwise)
        case Mixture(parts):
            return center_of(max(parts, key=lambda part: part.weight).law)
        case Include():
            return center_of(law.of)
        case Integer(low, high):
            return float(min(high, math.floor(0.5 * (low + high + 1.0))))
        case _:
            return support(law, 0.0)[0]


def check_support(name: str, law: Law, low: float, high: float) -> None:
    """Refuse a law that may leave [low, high], the range in which the quantity `name` means something.

    Raises:
        ValueError: If it may; the message says the law's range and the allowed one.
    """
    if _is_unread(law):
        return  # an empirical law that has yet to be read
    smallest, largest = support(law)
    if smallest < low or largest > high:
        raise ValueError(f"{name} must stay in [{low:g}, {high:g}], but this law gives [{smallest:g}, {largest:g}]")


def shrink(low: float, high: float, breadth: float) -> tuple[float, float]:
    """Return a range shrunk around its middle."""
    if breadth == 1.0:
        return low, high
    middle, half = 0.5 * (low + high), 0.5 * (high - low) * breadth
    return middle - half, middle + half


def median(law: Histogram | Empirical) -> float:
    """Return the median of bins or quantiles, which breadth shrinks them around."""
    if isinstance(law, Empirical):
        assert law.quantiles is not None
        place = 0.5 * (len(law.quantiles) - 1)
        low, high = law.quantiles[math.floor(place)], law.quantiles[math.ceil(place)]
        return low + (place - math.floor(place)) * (high - low)
    half, below = 0.5 * math.fsum(law.weights), 0.0
    for index, weight in enumerate(law.weights):
        if weight > 0.0 and below + weight >= half:
            share = (half - below) / weight
            return law.edges[index] + share * (law.edges[index + 1] - law.edges[index])
        below += weight
    return law.edges[-1]


def _is_unread(law: Law) -> bool:
    unread = isinstance(law, Empirical) and law.dataset is not None
    return unread or any(_is_unread(part) for part in parts_of(law))


def _of_parts(law: Mixture | Conditional, breadth: float) -> tuple[float, float]:
    laws = parts_of(law)
    if isinstance(law, Mixture):
        laws = tuple(_possible(laws, tuple(part.weight for part in law.parts), breadth))
    bounds = [support(part, breadth) for part in laws]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _about(center: float, low: float, high: float, breadth: float) -> tuple[float, float]:
    if breadth == 1.0:
        return low, high
    return center + breadth * (low - center), center + breadth * (high - center)


def _possible(values: Sequence[T], weights: tuple[float, ...] | None, breadth: float) -> list[T]:
    likeliest = 0 if weights is None else weights.index(max(weights))
    if breadth == 0.0:
        return [values[likeliest]]
    return [value for i, value in enumerate(values) if weights is None or weights[i] > 0.0]
