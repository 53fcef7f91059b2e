"""Noise in float64 NumPy, written from the formulas and not from the kernels; points are [..., 3] in cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Words = NDArray[np.uint64]

WORD = np.uint64(0xFFFFFFFF)
PRIMES = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
OCTAVE_SALT = 0x632BE5AB
GRADIENT_STD, VALUE_STD = 0.1911, 0.4003  # measured here, over a million points: see test_noise.py
FOLD_MEAN, FOLD_STD = 0.8037, 0.5951
NEAREST_MEAN, NEAREST_STD, SECOND_MEAN, SECOND_STD = 0.5199, 0.1723, 0.7162, 0.1426


def mixed(word: Words) -> Words:
    """Return words after a 32-bit mixer: Wellons, "Prospecting for hash functions", 2018."""
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        word = word ^ (word >> np.uint64(shift))
        word = (word * np.uint64(factor)) & WORD
    return word ^ (word >> np.uint64(15))


def lattice_word(cell: Array, seed: int) -> Words:
    """Return the random word of lattice points [..., 3]."""
    total = np.full(cell.shape[:-1], np.uint64(seed & 0xFFFFFFFF))
    for axis, prime in enumerate(PRIMES):
        index = cell[..., axis].astype(np.int64).astype(np.uint64) & WORD
        total = (total + index * np.uint64(prime)) & WORD
    return mixed(total)


def _ten_bits(word: Words) -> Array:
    return np.stack([((word >> np.uint64(k)) & np.uint64(1023)).astype(np.float64) for k in (0, 10, 20)], axis=-1)


def _over_corners(p: Array, seed: int, *, of_gradient: bool) -> Array:
    low = np.floor(p)
    r = p - low
    weight = r**3 * (r * (6.0 * r - 15.0) + 10.0)
    total = np.zeros(p.shape[:-1])
    for corner in np.ndindex(2, 2, 2):
        c = np.array(corner)
        word = lattice_word(low + c, seed)
        if of_gradient:
            value = ((_ten_bits(word) * (2.0 / 1023.0) - 1.0) * (r - c)).sum(axis=-1)
        else:
            value = (word >> np.uint64(8)).astype(np.float64) / 2.0**23 - 1.0
        total += np.where(c == 1, weight, 1.0 - weight).prod(axis=-1) * value
    return total


def gradient_noise(p: Array, seed: int) -> Array:
    """Return Perlin's noise with gradients that are even in a cube, scaled to variance 1."""
    return _over_corners(p, seed, of_gradient=True) / GRADIENT_STD


def value_noise(p: Array, seed: int) -> Array:
    """Return values at lattice points, interpolated, scaled to variance 1."""
    return _over_corners(p, seed, of_gradient=False) / VALUE_STD


def octave_noise(p: Array, seed: int, count: int, *, gain: float = 0.5, fold: float = 0.0) -> Array:
    """Return octaves of gradient noise; `fold` 1: its magnitude (turbulence), -1: the negative of that (ridges)."""
    total, variance = np.zeros(p.shape[:-1]), 0.0
    for octave in range(count):
        n = gradient_noise(p * 2.0**octave + 0.37 * octave, seed + octave * OCTAVE_SALT)
        if fold:
            n = (np.abs(n) - FOLD_MEAN) / FOLD_STD * fold
        total += gain**octave * n
        variance += gain ** (2 * octave)
    return np.asarray(total / np.sqrt(variance))


def streaks(p: Array, axis: Array, stretch: float, seed: int, count: int) -> Array:
    """Return octaves with a gain of 0.6, stretched along a unit axis."""
    along = (p @ axis)[..., None] * axis
    return octave_noise(p + along * (1.0 / stretch - 1.0), seed, count, gain=0.6)


def nearest_points(p: Array, seed: int) -> tuple[Array, Array]:
    """Return Worley's F1 and F2 of one random point a cell, before scaling."""
    low = np.floor(p)
    distances = []
    for offset in np.ndindex(3, 3, 3):
        cell = low + np.array(offset) - 1.0
        at = cell + (_ten_bits(lattice_word(cell, seed)) + 0.5) / 1024.0
        distances.append(np.linalg.norm(p - at, axis=-1))
    first, second = np.partition(np.stack(distances), 1, axis=0)[:2]
    return first, second
