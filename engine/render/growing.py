"""Memory whose size is known only once something has been counted: kept, and made anew where it is too small."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

SPARE = 1.25  # of what is asked for, so that it seldom grows


class Growing:
    """Arrays by name; what `take` returns is good until it is asked for that name again."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._arrays: dict[str, wp.array] = {}

    def take(self, name: str, count: int, dtype: Any) -> wp.array:
        """Return an array of `count` values, which are any."""
        found = self._arrays.get(name)
        if found is None or found.shape[0] < count:
            found = wp.empty(max(1, int(count * SPARE)), dtype=dtype, device=self.device)
            self._arrays[name] = found
        return found[:count]


def last_of(values: wp.array) -> int:
    """Return the last of some numbers; waits for the device."""
    return int(values[-1:].numpy()[0])


def texts_of(text: NDArray[np.uint8], first_byte: NDArray[np.int32]) -> tuple[bytes, ...]:
    """Return the texts that lie one after the other."""
    joined, places = text.tobytes(), first_byte.tolist()
    return tuple(joined[a:b] for a, b in pairwise(places))
