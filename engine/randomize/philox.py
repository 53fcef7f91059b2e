"""Counter-based random numbers on the host: Philox4x32-10, the reference of `kernels/random.py`.

A value depends on its key and counter alone, so a draw is the same in any batch, on any device and in any order.
Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MULTIPLIER = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)  # golden ratio and sqrt(3) - 1, in 32 bits
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def stream_key(seed: int, stream: str) -> tuple[int, int]:
    """Return the two 32-bit key words of a named stream: the first 8 bytes of sha256 of `seed/stream`."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def philox(counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Return four random words for every counter, shape [*counter, 4]; the counter's words broadcast."""
    words = [np.asarray(word).astype(np.uint64) & _LOW for word in np.broadcast_arrays(*counter)]
    low_key, high_key = key
    for _ in range(_ROUNDS):
        first, second = _MULTIPLIER[0] * words[0], _MULTIPLIER[1] * words[2]
        words = [
            (second >> _HALF) ^ words[1] ^ np.uint64(low_key),
            second & _LOW,
            (first >> _HALF) ^ words[3] ^ np.uint64(high_key),
            first & _LOW,
        ]
        low_key, high_key = (low_key + _WEYL[0]) & 0xFFFFFFFF, (high_key + _WEYL[1]) & 0xFFFFFFFF
    return np.stack(words, axis=-1).astype(np.uint32)


def uniform(
    seed: int, stream: str, world: ArrayLike, step: ArrayLike = 0, index: ArrayLike = 0, dimension: ArrayLike = 0
) -> NDArray[np.float64]:
    """Return 53-bit uniform numbers in [0, 1), one for every (world, step, index, dimension); all broadcast.

    Raises:
        ValueError: If a world, step, index or dimension does not fit 32 bits.
    """
    counter = (world, step, index, dimension)
    for name, word in zip(("world", "step", "index", "dimension"), counter, strict=True):
        values = np.asarray(word)
        if values.size and (values.min() < 0 or values.max() > 0xFFFFFFFF):
            raise ValueError(f"{name} {values.min()}..{values.max()} is outside the 32-bit range of the counter")
    words = philox(counter, stream_key(seed, stream)).astype(np.uint64)
    mantissa = ((words[..., 0] << np.uint64(32)) | words[..., 1]) >> np.uint64(11)
    return mantissa.astype(np.float64) * 2.0**-53
