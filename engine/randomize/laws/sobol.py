"""Sobol points, scrambled by a hash: point i depends on (seed, i) alone, and any 2^k aligned points fill space evenly.

Sources: S. Joe, F. Kuo, "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput.
30, 2008, table new-joe-kuo-6; B. Burley, "Practical hash-based Owen scrambling", JCGT 9(4), 2020; S. Laine, T. Karras,
"Stratified sampling for stochastic transparency", EGSR 2011.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

BITS = 32
PRIMITIVE = (  # (degree s, coefficients a, initial numbers m) of dimensions 1 and up; dimension 0 is van der Corput's
    (1, 0, (1,)),
    (2, 1, (1, 3)),
    (3, 1, (1, 3, 1)),
    (3, 2, (1, 1, 1)),
    (4, 1, (1, 1, 3, 3)),
    (4, 4, (1, 3, 5, 13)),
    (5, 2, (1, 1, 5, 5, 17)),
    (5, 4, (1, 1, 5, 5, 5)),
    (5, 7, (1, 1, 7, 11, 19)),
    (5, 11, (1, 1, 5, 1, 1)),
    (5, 13, (1, 1, 1, 3, 11)),
    (5, 14, (1, 3, 5, 5, 31)),
    (6, 1, (1, 3, 3, 9, 7, 49)),
    (6, 13, (1, 1, 1, 15, 21, 21)),
    (6, 16, (1, 3, 1, 13, 27, 49)),
    (6, 19, (1, 1, 1, 15, 7, 5)),
    (6, 22, (1, 3, 1, 15, 13, 25)),
    (6, 25, (1, 1, 5, 5, 19, 61)),
    (7, 1, (1, 3, 7, 11, 23, 15, 103)),
    (7, 4, (1, 3, 7, 13, 13, 15, 69)),
)
MOST_DIMENSIONS = 1 + len(PRIMITIVE)
_MIX = (0x6C50B47C, 0xB82F1E52, 0xC7AFE638, 0x8D22F6E6)  # Burley, section 3, after Laine and Karras


def sobol_bits(point: NDArray[np.uint32], dimension: int) -> NDArray[np.uint32]:
    """Return coordinates of points in natural order, as numerators over 2^32."""
    found = np.zeros(point.shape, np.uint32)
    for bit, direction in enumerate(_directions(dimension)):
        found ^= np.where((point >> np.uint32(bit)) & np.uint32(1), np.uint32(direction), np.uint32(0))
    return found


def owen_scrambled(bits: NDArray[np.uint32], seed: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return numerators with every bit flipped by a hash of the bits above it, keyed by `seed`, which broadcasts."""
    mixed = _reversed(bits) + seed
    for factor in _MIX:
        mixed = mixed ^ (mixed * np.uint32(factor))
    return _reversed(mixed)


@functools.cache
def _directions(dimension: int) -> tuple[int, ...]:
    if dimension == 0:
        return tuple(1 << (BITS - 1 - bit) for bit in range(BITS))
    degree, coefficients, initial = PRIMITIVE[dimension - 1]
    found = [number << (BITS - 1 - bit) for bit, number in enumerate(initial)]
    for bit in range(degree, BITS):
        value = found[bit - degree] ^ (found[bit - degree] >> degree)
        for term in range(1, degree):
            if (coefficients >> (degree - 1 - term)) & 1:
                value ^= found[bit - term]
        found.append(value)
    return tuple(found)


def _reversed(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return words with their 32 bits in reverse order."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF), (16, 0x0000FFFF)):
        low, high = bits & np.uint32(mask), (bits >> np.uint32(shift)) & np.uint32(mask)
        bits = (low << np.uint32(shift)) | high
    return bits
