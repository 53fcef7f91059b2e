"""Inputs of a batch: host values at fixed places of one block of memory, which the device reads.

On the CPU the kernels read the block itself. On CUDA it is pinned, and one copy takes it to its twin on the device, so
that a recorded graph finds the values of every batch at the same addresses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

ALIGNMENT = 64  # of a field in the block: a cache line


@dataclass(frozen=True)
class Field:
    """Values of one array of a batch, and how the device holds them."""

    name: str
    dtype: Any  # of an element on the device; trailing axes of `shape` belong to it
    shape: tuple[int, ...]  # [row or view, ...]
    scalar: type[np.generic]
    parts: tuple[tuple[Any, NDArray[Any]], ...]  # index into the trailing axes, and what stands there
    start: NDArray[Any] | None = None  # what every row holds where no part writes
    may_share: bool = False  # rows that are all equal are stored once and read with stride 0

    @property
    def is_shared(self) -> bool:
        """Return whether one row stands for all."""
        return self.may_share and self.shape[0] > 1 and all(_all_equal(values) for _, values in self.parts)

    def write(self, out: NDArray[Any]) -> None:
        """Write the values; `out` has one row if the field is shared."""
        for index, values in self.parts:
            out[index] = values[: len(out)]


def field(
    name: str, dtype: Any, values: NDArray[Any], scalar: type[np.generic] = np.float32, *, may_share: bool = False
) -> Field:
    """Return a field that is one array of values, converted to `scalar` where it is written."""
    return Field(name, dtype, values.shape, scalar, ((..., values),), may_share=may_share)


def _all_equal(rows: NDArray[Any]) -> bool:
    return bool((rows[1] == rows[0]).all() and (rows[2:] == rows[:1]).all())


def layout_of(fields: Sequence[Field]) -> tuple[tuple[str, tuple[int, ...], bool], ...]:
    """Return what memory the fields of a batch need: equal for batches that may use the same."""
    return tuple((field.name, field.shape, field.is_shared) for field in fields)


class Inputs:
    """Memory for the fields of batches of one layout."""

    def __init__(self, fields: Sequence[Field], device: str) -> None:
        """Reserve the memory; nothing is written but what `Field.start` says."""
        self._shared = [field.is_shared for field in fields]
        self._fields = {field.name: (field, shared) for field, shared in zip(fields, self._shared, strict=True)}
        self._offset: dict[str, int] = {}
        end = 0
        for field, shared in zip(fields, self._shared, strict=True):
            self._offset[field.name] = end
            size = math.prod(_stored(field, shared)) * np.dtype(field.scalar).itemsize
            end += -(-size // ALIGNMENT) * ALIGNMENT
        self._is_cpu = wp.get_device(device).is_cpu
        self._host = wp.empty(end, dtype=wp.uint8, device="cpu", pinned=not self._is_cpu)
        self._block = self._host if self._is_cpu else wp.empty(end, dtype=wp.uint8, device=device)
        self._views = [self._host_view(field, shared) for field, shared in zip(fields, self._shared, strict=True)]
        for field, view in zip(fields, self._views, strict=True):
            if field.start is not None:
                view[...] = field.start

    def _host_view(self, field: Field, shared: bool) -> NDArray[Any]:
        shape, first = _stored(field, shared), self._offset[field.name]
        size = math.prod(shape) * np.dtype(field.scalar).itemsize
        return self._host.numpy()[first : first + size].view(field.scalar).reshape(shape)

    def has(self, name: str) -> bool:
        """Return whether there is a field of that name."""
        return name in self._fields

    def array(self, name: str) -> wp.array:
        """Return a field as the device reads it."""
        field, shared = self._fields[name]
        inner = getattr(field.dtype, "_shape_", ())
        shape = field.shape[: len(field.shape) - len(inner)]
        strides, step = [], wp.types.type_size_in_bytes(field.dtype)
        for size in reversed(shape):
            strides.append(step)
            step *= size
        strides.reverse()
        if shared:
            strides[0] = 0
        if 0 in shape:
            return wp.empty(shape, dtype=field.dtype, device=self._block.device)
        start = self._block.ptr + self._offset[name]
        view = wp.array(ptr=start, dtype=field.dtype, shape=shape, strides=tuple(strides), device=self._block.device)
        view._owner = self._block  # the view has no memory of its own
        return view

    def write(self, fields: Sequence[Field]) -> None:
        """Write the values of a batch of the same layout."""
        for field, view in zip(fields, self._views, strict=True):
            field.write(view)

    def upload(self) -> None:
        """Bring what was written to the device; a copy on its stream."""
        if not self._is_cpu:
            wp.copy(self._block, self._host)


def _stored(field: Field, shared: bool) -> tuple[int, ...]:
    return (1 if shared else field.shape[0], *field.shape[1:])
