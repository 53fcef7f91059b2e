"""Host memory for images, given out again once nobody looks at them: fresh memory would be cleared page by page."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import DTypeLike, NDArray

KEPT_BLOCKS = 4  # of one size; more than so many are given back to the system


class HostMemory:
    """Blocks of host memory by their size; pinned where a CUDA device copies into them."""

    def __init__(self, *, pinned: bool) -> None:
        self._pinned = pinned
        self._free: dict[int, deque[wp.array]] = {}

    def take(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of undefined content; its memory is free again when the last view of it is gone."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size == 0:
            return np.empty(shape, dtype)
        free = self._free.setdefault(size, deque(maxlen=KEPT_BLOCKS))
        try:
            block = free.pop()  # the one used last: it may still be in the caches
        except IndexError:
            block = wp.empty(size, dtype=wp.uint8, device="cpu", pinned=self._pinned)
        return np.asarray(_Loan(free, block, tuple(shape), np.dtype(dtype)))


class _Loan:
    """What an array made of a block has as its base."""

    def __init__(self, free: deque[wp.array], block: wp.array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._free, self._block = free, block
        self.__array_interface__ = {"version": 3, "data": (block.ptr, False), "shape": shape, "typestr": dtype.str}

    def __del__(self) -> None:
        self._free.append(self._block)


def device_view(values: NDArray[Any], dtype: Any, *, pinned: bool = False, owned: bool = True) -> wp.array:
    """Return host memory as an array that kernels on the CPU and copies can use.

    It keeps the memory alive, unless it is not `owned`: then somebody else must, while it is used.
    """
    inner = getattr(dtype, "_shape_", ())
    shape = values.shape[: values.ndim - len(inner)]
    view = wp.array(ptr=values.ctypes.data, dtype=dtype, shape=shape, device="cpu", pinned=pinned)
    if owned:
        view._owner = values
    return view
