"""White balance, colour matrix and tone curve of a sensor, as numbers on the host."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.randomize.look.light import black_body
from engine.sensors.model import KELVIN_OF_WHITE, Development, Matrix

Array = NDArray[np.float64]
CODES = 256
NARKOWICZ = (2.51, 0.03, 2.43, 0.59, 0.14)
BISECTIONS = 60  # of an interval of 1: to float64


def white_gains(response: Matrix, kelvin: ArrayLike) -> Array:
    """Return gains [..., 3] of the raw channels that make light of a black body's colour grey.

    At `KELVIN_OF_WHITE` they are exactly those of the white of sRGB, which green then keeps at 1.
    """
    m = np.asarray(response, np.float64)
    light = black_body(np.asarray(kelvin, np.float64)) / black_body(np.asarray(KELVIN_OF_WHITE))
    raw = np.maximum(light @ m.T, 1.0e-6)
    return np.asarray(raw[..., 1:2] / raw / m[1].sum())


def color_matrix(response: Matrix, develop: Development) -> Array:
    """Return linear sRGB from raw channels that are balanced for its white: as given, or what inverts the response."""
    if develop.color_matrix is not None:
        return np.asarray(develop.color_matrix, np.float64)
    m = np.asarray(response, np.float64)
    return np.linalg.inv(m / m.sum(axis=1, keepdims=True))


def filmic(x: ArrayLike) -> Array:
    """Return display-linear of scene-linear. Source: K. Narkowicz, "ACES filmic tone mapping curve", 2016."""
    a, b, c, d, e = NARKOWICZ
    x = np.asarray(x, np.float64)
    return np.asarray(x * (a * x + b) / (x * (c * x + d) + e))


def tone_curve(share: ArrayLike, develop: Development) -> Array:
    """Return display values in [0, 1] of shares of saturation: 2^-headroom_ev is the white of the image.

    `filmic` maps saturation to 1 and rolls off towards it; the others clip at the white of the image.
    """
    white = 2.0**develop.headroom_ev
    x = np.asarray(share, np.float64) * white
    if develop.tone == "filmic":
        return encoded_srgb(filmic(x) / filmic(white))
    x = np.clip(x, 0.0, 1.0)
    if develop.tone == "srgb":
        return encoded_srgb(x)
    return np.asarray(x ** (1.0 / develop.gamma)) if develop.tone == "gamma" else x


def encoded_srgb(linear: ArrayLike) -> Array:
    """Return sRGB values in [0, 1] of linear ones (IEC 61966-2-1)."""
    v = np.clip(np.asarray(linear, np.float64), 0.0, 1.0)
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1.0 / 2.4) - 0.055)


def code_begins(develop: Development) -> Array:
    """Return the least share of saturation that becomes each 8-bit code, [257]: -inf first, inf last."""
    middle = (np.arange(1, CODES) - 0.5) / (CODES - 1)
    low, high = np.zeros(CODES - 1), np.ones(CODES - 1)
    for _ in range(BISECTIONS):
        share = 0.5 * (low + high)
        is_below = tone_curve(share, develop) < middle
        low, high = np.where(is_below, share, low), np.where(is_below, high, share)
    return np.concatenate([[-np.inf], high, [np.inf]])
