"""How much light varies from picture to picture: exposure, contrast of shading, its slope and direction, highlights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIDE_PX = 64  # pictures are reduced to about this before light is looked at
DARK = 0.01  # added before logarithms
LOW, HIGH = 0.1, 0.9  # quantiles whose distance is the spread
NAMES = ("exposure", "shading", "slope_x", "slope_y", "highlights")
DIRECTION = "direction"


def measure_light(luma: NDArray[np.float32]) -> tuple[float, ...]:
    """Return log brightness, contrast of shading, its slopes to the right and down, and highlights over the mean."""
    from scipy.ndimage import gaussian_filter

    step = max(1, min(luma.shape) // SIDE_PX)
    rows, columns = luma.shape[0] // step, luma.shape[1] // step
    small = luma[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3))
    mean = float(small.mean()) + DARK
    shading = gaussian_filter(small.astype(np.float64), max(min(rows, columns) / 8.0, 1.0)) / mean
    x, y = np.linspace(-1.0, 1.0, columns), np.linspace(-1.0, 1.0, rows)
    slope_x = float((shading * x[None]).sum() / ((x**2).sum() * rows))
    slope_y = float((shading * y[:, None]).sum() / ((y**2).sum() * columns))
    return float(np.log(mean)), float(shading.std()), slope_x, slope_y, float(np.quantile(small, 0.99) / mean)


def spreads(light: Array) -> Mapping[str, float]:
    """Return how far each number spreads over the pictures [picture, number], and the direction of the slope.

    The distance between the 10th and the 90th percentile; of the direction, one minus the length of the mean of unit
    vectors: 0 where light always comes from one side, near 1 where it comes from all.
    """
    low, high = np.quantile(light, (LOW, HIGH), axis=0)
    found = {name: float(value) for name, value in zip(NAMES, high - low, strict=True)}
    slopes = light[:, 2:4]
    lengths = np.hypot(slopes[:, 0], slopes[:, 1])
    unit = slopes / (lengths[:, None] + 1.0e-9)
    found[DIRECTION] = 1.0 - float(np.hypot(*unit.mean(axis=0)))
    return found


def narrowest(light: Array, reference: Array) -> tuple[str, float]:
    """Return which spread is smallest beside that of the reference, and their ratio."""
    own, other = spreads(light), spreads(reference)
    ratios = {name: (own[name] + 1.0e-4) / (other[name] + 1.0e-4) for name in own}
    name = min(ratios, key=lambda key: ratios[key])
    return name, ratios[name]
