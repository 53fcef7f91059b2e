"""What a column of a table holds: numbers, words or lists, however they are stored."""

from __future__ import annotations

import pyarrow as pa


def is_number(kind: pa.DataType) -> bool:
    """Return whether values are numbers; booleans count as 0 and 1."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def is_word(kind: pa.DataType) -> bool:
    """Return whether values are texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def is_list(kind: pa.DataType) -> bool:
    """Return whether values are lists, of any or of one length."""
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind))
