"""Data as scripts: a page that was opened from a disk may load scripts beside it, and nothing else that holds data.

A chunk is one call, `chunk("name", '...')`, whose text is JSON; the page parses it, so that names are never code.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LARGEST_EXACT = 2**53  # whole numbers that JavaScript holds exactly
DIGITS = 7  # of floats in rows: what float32 holds
KINDS = {"<f4": "f4", "<f8": "f8", "<i4": "i4", "<u4": "u4", "|u1": "u1", "<u2": "u2"}


def script(name: str, data: Any) -> bytes:
    """Return a chunk: ASCII alone, without anything that HTML or a string of JavaScript would take for its end."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"chunk({json.dumps(name)},'{quoted}');\n".encode("ascii")


def packed(values: NDArray[Any]) -> dict[str, str]:
    """Return an array as its type and its bytes, little-endian."""
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    return {"type": KINDS[little.dtype.str], "data": base64.b64encode(little.tobytes()).decode("ascii")}


def smallest_codes(codes: NDArray[Any], count: int) -> NDArray[Any]:
    """Return codes below a count in the smallest type that holds them."""
    return codes.astype(np.uint8 if count <= 2**8 else np.uint16 if count <= 2**16 else np.uint32)


def plain_columns(table: pa.Table) -> dict[str, list[Any]]:
    """Return the columns of a table as lists for JSON: floats of seven digits, hashes as hex, masks as their text."""
    return {name: _plain(name, column.combine_chunks()) for name, column in zip(table.column_names, table.columns)}


def _plain(name: str, column: Any) -> list[Any]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    kind = column.type
    if pa.types.is_floating(kind):
        return _floats(column.to_numpy(zero_copy_only=False))
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.list_value_length(column).to_pylist()
        values = iter(_plain(name, column.flatten()))
        return [None if length is None else [next(values) for _ in range(length)] for length in lengths]
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind) or pa.types.is_large_binary(kind):
        is_mask = name.endswith("rle")
        return [
            None if v is None else v.decode("latin-1") if is_mask else v.hex() for v in column.to_pylist()
        ]  # fmt: skip
    if pa.types.is_uint64(kind) or pa.types.is_int64(kind):
        return [v if v is None or -LARGEST_EXACT < v < LARGEST_EXACT else str(v) for v in column.to_pylist()]
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind):
        return list(column.to_pylist())
    return [None if v is None else str(v) for v in column.to_pylist()]


def _floats(values: NDArray[Any]) -> list[Any]:
    """Return floats with seven digits; JSON has no NaN and no infinity, which become null."""
    wide = values.astype(np.float64)
    known = np.isfinite(wide)
    with np.errstate(divide="ignore"):
        exponent = np.where(known & (wide != 0), np.floor(np.log10(np.abs(np.where(known, wide, 1.0)))), 0.0)
    decimals = np.clip(DIGITS - 1 - exponent, -300, 300)
    scale = 10.0 ** np.abs(decimals)  # a power of ten above 1 is exact to 10^22, and its inverse is not
    with np.errstate(over="ignore"):  # of the branch that is not taken
        rounded = np.where(decimals >= 0, np.rint(wide * scale) / scale, np.rint(wide / scale) * scale)
    if known.all():
        return list(rounded.tolist())
    return [v if ok else None for v, ok in zip(rounded.tolist(), known.tolist())]
