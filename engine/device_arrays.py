"""Host values as device arrays; a value that all rows share is stored once and read with stride 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray


def to_device(values: NDArray[Any], dtype: Any, device: str) -> wp.array:
    """Return host values as a device array; trailing axes that belong to `dtype` are folded into it."""
    return wp.array(np.ascontiguousarray(values), dtype=dtype, device=device)


def rows_to_device(values: NDArray[Any], dtype: Any, device: str) -> wp.array:
    """Return `[row, ...]` values as a device array; rows that are all equal become one row with stride 0."""
    rows = len(values)
    if rows < 2 or not (values[1:] == values[:1]).all():
        return to_device(values, dtype, device)
    shared = to_device(values[:1], dtype, device)
    strides = (0, *shared.strides[1:])
    view = wp.array(
        ptr=shared.ptr, dtype=shared.dtype, shape=(rows, *shared.shape[1:]), strides=strides, device=device, copy=False
    )
    view._owner = shared  # the view has no memory of its own
    return view


def part_of(records: wp.array, first: int, dtype: Any, corners: int | None = None) -> wp.array:
    """Return a view from float `first` of every record [record, float] on: a value, or one a corner."""
    size, (count, floats) = wp.types.type_size_in_bytes(dtype), records.shape
    shape, strides = ((count,), (4 * floats,)) if corners is None else ((count, corners), (4 * floats, size))
    if count == 0:
        return wp.empty(shape, dtype=dtype, device=records.device)
    start = records.ptr + 4 * first
    view = wp.array(ptr=start, dtype=dtype, shape=shape, strides=strides, device=records.device, copy=False)
    view._owner = records  # the view has no memory of its own
    return view


def copied(struct: Any) -> Any:
    """Return a copy of a Warp struct, nested ones included; the arrays in it are shared."""
    out = struct._cls()
    for name in struct._cls.vars:
        value = getattr(struct, name)
        setattr(out, name, copied(value) if hasattr(value, "_cls") else value)
    return out
