"""Host values as device arrays, parts of records as arrays, and copies of structs."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray


def to_device(values: NDArray[Any], dtype: Any, device: str) -> wp.array:
    """Return host values as a device array; trailing axes that belong to `dtype` are folded into it."""
    return wp.array(np.ascontiguousarray(values), dtype=dtype, device=device)


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
