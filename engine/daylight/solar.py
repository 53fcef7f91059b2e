"""Where the sun is, to about half a degree, without refraction.

Source: Spencer, "Fourier series representation of the position of the sun", Search 2(5), 1971, as in NOAA's "General
solar position calculations".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MINUTES_A_DEGREE = 4.0  # that the earth turns


def declination_rad(day: Array) -> Array:
    """Return the sun's declination; `day` counts from 1 at the beginning of January 1 and may have a fraction."""
    g = _year_angle_rad(day)
    return np.asarray(
        0.006918 - 0.399912 * np.cos(g) + 0.070257 * np.sin(g) - 0.006758 * np.cos(2.0 * g)
        + 0.000907 * np.sin(2.0 * g) - 0.002697 * np.cos(3.0 * g) + 0.00148 * np.sin(3.0 * g)
    )  # fmt: skip


def equation_of_time_min(day: Array) -> Array:
    """Return how many minutes a sundial is ahead of mean solar time."""
    g = _year_angle_rad(day)
    series = 0.000075 + 0.001868 * np.cos(g) - 0.032077 * np.sin(g) - 0.014615 * np.cos(2.0 * g)
    return np.asarray(229.18 * (series - 0.040849 * np.sin(2.0 * g)))


def sun_angles_rad(latitude_rad: Array, day_of_year: Array, hour: Array) -> tuple[Array, Array]:
    """Return the sun's elevation above the horizon and its bearing, clockwise from north.

    Args:
        latitude_rad: North is positive.
        day_of_year: 1 is January 1.
        hour: Mean solar time, 0 to 24: universal time plus an hour for every 15 degrees of longitude to the east.
    """
    day = np.floor(day_of_year) + hour / 24.0
    declination = declination_rad(day)
    minutes = 60.0 * (hour - 12.0) + equation_of_time_min(day)
    hour_angle = np.deg2rad(minutes / MINUTES_A_DEGREE)
    east = -np.cos(declination) * np.sin(hour_angle)
    turned = np.cos(declination) * np.cos(hour_angle)
    north = np.sin(declination) * np.cos(latitude_rad) - turned * np.sin(latitude_rad)
    up = np.sin(declination) * np.sin(latitude_rad) + turned * np.cos(latitude_rad)
    return np.arcsin(np.clip(up, -1.0, 1.0)), np.arctan2(east, north)


def _year_angle_rad(day: Array) -> Array:
    return np.asarray(2.0 * np.pi * (day - 1.5) / 365.0)  # 0 at noon of January 1
