"""What a crop shows, as some seventy numbers in five cues; no learned weights, only filters that can be looked up.

`spectrum` is power by frequency and direction, `noise` what a median filter takes away, `edge` how steep and how sharp,
`illumination` brightness, contrast and shading, `texture` which directions edges have in each quarter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CUES = ("spectrum", "noise", "edge", "illumination", "texture")
BANDS = ((0.03, 0.08), (0.08, 0.16), (0.16, 0.28), (0.28, 0.4), (0.4, 0.5))  # of cycles a pixel
SECTOR_RAD = 0.4  # to either side of a direction
LOCAL_SIGMA = 10.0 / 64.0  # of the side: over how much a crop is divided by its brightness
SHADING_SIGMA = 8.0 / 64.0  # of the side: what is slower is light, not surface
DARK = 0.03  # added to brightness before dividing by it
WHITE = 254.5 / 255.0
ORIENTATIONS = 8
BLOCK = 64  # crops worked on at once
EXCHANGES = (  # pairs to sort one after another, after which the fifth of nine is the median
    (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3),
    (5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2),
)  # fmt: skip


def measure_cues(luma: NDArray[np.float32]) -> dict[str, Array]:
    """Return the numbers of every cue, [crop, number], of crops [crop, y, x] of 0..1."""
    parts = [_measure(luma[first : first + BLOCK].astype(np.float64)) for first in range(0, len(luma), BLOCK)]
    return {cue: np.concatenate([part[cue] for part in parts]) for cue in CUES}


def joined(cues: Mapping[str, Array], *, without: str = "") -> Array:
    """Return the numbers of all cues side by side, or of all but one."""
    return np.concatenate([cues[cue] for cue in cues if cue != without], axis=1)


def _measure(luma: Array) -> dict[str, Array]:
    from scipy.ndimage import gaussian_filter

    side = luma.shape[-1]
    sigma, slow = LOCAL_SIGMA * side, SHADING_SIGMA * side
    even = luma / (gaussian_filter(luma, (0, sigma, sigma)) + DARK)  # so that dark and bright crops compare
    residual = even - median_of_nine(even)
    across, down = _derivatives(even)
    steep = np.hypot(across, down)
    return {
        "spectrum": _spectrum(even),
        "noise": _noise(residual, luma),
        "edge": _edge(even, steep),
        "illumination": _illumination(luma, even, gaussian_filter(luma, (0, slow, slow))),
        "texture": _texture(across, down, steep),
    }  # fmt: skip


def median_of_nine(values: Array) -> Array:
    """Return the median of every value of [crop, y, x] and its eight neighbours; the border repeats.

    Source: the exchanges of Paeth, Median Finding on a 3 x 3 Grid, Graphics Gems, 1990; Smith, 1996, has these 19.
    """
    wide = np.pad(values, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = values.shape[1:]
    nine = [wide[:, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    for low, high in EXCHANGES:
        nine[low], nine[high] = np.minimum(nine[low], nine[high]), np.maximum(nine[low], nine[high])
    return nine[4]


def _derivatives(even: Array) -> tuple[Array, Array]:
    """Return Sobel's derivatives of every crop by itself: `scipy.ndimage.sobel` would smooth from crop to crop."""
    from scipy.ndimage import correlate1d

    step, smooth = (-1.0, 0.0, 1.0), (1.0, 2.0, 1.0)
    return (
        correlate1d(correlate1d(even, step, axis=2), smooth, axis=1),
        correlate1d(correlate1d(even, step, axis=1), smooth, axis=2),
    )


def _spectrum(even: Array) -> Array:
    """Return mean log power in every band of frequency, across, down and between."""
    side = even.shape[-1]
    window = np.outer(np.hanning(side), np.hanning(side))
    power = np.abs(np.fft.fft2((even - even.mean(axis=(1, 2), keepdims=True)) * window)) ** 2
    power = np.log(power + 1.0e-6)
    fy, fx = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    radius, angle = np.hypot(fx, fy), np.arctan2(np.abs(fy), np.abs(fx))
    sectors = (angle < SECTOR_RAD, angle > np.pi / 2 - SECTOR_RAD, np.abs(angle - np.pi / 4) < SECTOR_RAD / 2)
    return np.stack(
        [power[:, (radius >= low) & (radius < high) & part].mean(axis=1) for low, high in BANDS for part in sectors],
        axis=1,
    )  # fmt: skip


def _noise(residual: Array, luma: Array) -> Array:
    """Return strength, tail weight, skew and correlation with neighbours of the residual, and with brightness."""
    flat = residual.reshape(len(residual), -1)
    std = flat.std(axis=1) + 1.0e-6
    magnitude = np.abs(flat)
    mean = magnitude.mean(axis=1)
    skew = ((flat - flat.mean(axis=1, keepdims=True)) ** 3).mean(axis=1) / std**3
    variance = flat.var(axis=1) + 1.0e-9
    pairs = (
        (residual[:, :, 1:], residual[:, :, :-1]),
        (residual[:, 1:], residual[:, :-1]),
        (residual[:, 1:, 1:], residual[:, :-1, :-1]),
    )
    lag = [(a * b).mean(axis=(1, 2)) / variance for a, b in pairs]
    bright = luma.reshape(len(luma), -1)
    bright = bright - bright.mean(axis=1, keepdims=True)
    follows = (bright * magnitude).mean(axis=1) / (bright.std(axis=1) * magnitude.std(axis=1) + 1.0e-9)
    return np.stack([std, mean / std, skew, *lag, follows], axis=1)


def _edge(even: Array, steep: Array) -> Array:
    """Return quantiles of steepness, and how much of it happens within a pixel."""
    from scipy.ndimage import laplace

    flat = steep.reshape(len(steep), -1)
    quantiles = np.log(np.quantile(flat, (0.5, 0.9, 0.99, 0.999), axis=1).T + 1.0e-4)
    second = np.stack([laplace(crop) for crop in even]).reshape(len(even), -1)
    sharp = np.quantile(np.abs(second), 0.99, axis=1) / (np.quantile(flat, 0.99, axis=1) + 1.0e-4)
    return np.concatenate([quantiles, np.stack([second.var(axis=1), sharp], axis=1)], axis=1)


def _illumination(luma: Array, even: Array, shading: Array) -> Array:
    """Return brightness, contrast, shading and its direction, and the darkest and brightest details."""
    side = luma.shape[-1]
    ramp = np.linspace(-1.0, 1.0, side)
    flat = luma.reshape(len(luma), -1)
    norm = (ramp**2).sum() * side
    slopes = [
        (luma * ramp[None, None, :]).sum(axis=(1, 2)) / norm,
        (luma * ramp[None, :, None]).sum(axis=(1, 2)) / norm,
    ]
    details = np.quantile(even.reshape(len(even), -1), (0.01, 0.05, 0.95, 0.99), axis=1)
    overall = [flat.mean(axis=1), flat.std(axis=1), shading.std(axis=(1, 2)), (flat >= WHITE).mean(axis=1)]
    return np.stack([*overall, *slopes, *details], axis=1)


def _texture(across: Array, down: Array, steep: Array) -> Array:
    """Return which share of the steepness of a crop has each direction in each quarter."""
    side = steep.shape[-1]
    direction = (np.arctan2(down, across) % np.pi / np.pi * ORIENTATIONS).astype(np.int64) % ORIENTATIONS
    share = steep / (steep.sum(axis=(1, 2), keepdims=True) + 1.0e-6)
    half = np.arange(side) * 2 // side
    cell = direction + ORIENTATIONS * (half[:, None] * 2 + half[None])
    cells = ORIENTATIONS * 4
    number = (np.arange(len(steep))[:, None, None] * cells + cell).ravel()
    histogram: Array = np.bincount(number, share.ravel(), len(steep) * cells).astype(np.float64)
    return histogram.reshape(len(steep), cells)
