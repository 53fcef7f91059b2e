"""Keys of random streams as kernels take them."""

from __future__ import annotations

from typing import Any

from engine import gpu
from engine.randomize.philox import stream_key


def random_key(seed: int, stream: str) -> Any:
    """Return kernels.random.RandomKey of a stream."""
    key = gpu.random.RandomKey()
    key.low, key.high = stream_key(seed, stream)
    return key
