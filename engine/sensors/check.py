"""Checks of physical parameters: what is out of range is said with its name and bounds."""

from __future__ import annotations


def check_between(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside [low, high].

    Raises:
        ValueError: With the name, the bounds and the number.
    """
    if not low <= value <= high:
        raise ValueError(f"{name} must be in {low:g}..{high:g}, got {value:g}")


def check_pair(name: str, pair: tuple[float, float], low: float, high: float) -> None:
    """Refuse a pair that does not rise, or reaches outside [low, high].

    Raises:
        ValueError: With the name, the bounds and the pair.
    """
    if not low <= pair[0] <= pair[1] <= high:
        raise ValueError(f"{name} must rise within {low:g}..{high:g}, got [{pair[0]:g}, {pair[1]:g}]")
