"""Colours as people say them: hue, saturation and value, each with a law, drawn as linear RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support


@dataclass(frozen=True)
class Color:
    """A colour in linear light."""

    hue_deg: Law  # 0 red, 120 green, 240 blue; any turn
    saturation: Law
    value: Law  # the largest channel

    def __post_init__(self) -> None:
        check_support("hue_deg", self.hue_deg, *ANGLE_RANGE_DEG)
        check_support("saturation", self.saturation, 0.0, 1.0)
        check_support("value", self.value, 0.0, 1.0)


def drawn_color(color: Color, name: str, draw: Draw, count: int) -> NDArray[np.float64]:
    """Return colours [row, count, 3] of the columns `<name>_hue_deg` and so on."""
    keys = ("hue_deg", "saturation", "value")
    return rgb_from_hsv(*(draw.law(f"{name}_{key}", getattr(color, key), count=count) for key in keys))


def rgb_from_hsv(
    hue_deg: NDArray[np.float64], saturation: NDArray[np.float64], value: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return RGB [..., 3] of hue, saturation and value; the hue wraps around.

    Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978, the hexcone model.
    """
    sextant = (hue_deg / 60.0) % 6.0
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = (offset + sextant) % 6.0
        channels.append(value - value * saturation * np.clip(np.minimum(k, 4.0 - k), 0.0, 1.0))
    return np.stack(channels, axis=-1)
