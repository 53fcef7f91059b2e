"""Columns of frames that the source of pictures brings: what it says of a picture beyond labels, with one type each.

Numbers, truth values and text keep their type. Lists and objects are JSON text, in a column whose name ends with
`_json`. A column that would have the name of one of ours is called `source_<name>`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from engine.errors import UserError

OWN = frozenset(
    {
        "frame_id",
        "world",
        "step",
        "camera",
        "width",
        "height",
        "k",
        "world_from_camera",
        "n_instances",
        "image",
        "image_sha256",
        "origin",
        "lum_mean",
        "lum_p05",
        "lum_std",
        "sat_frac",
        "blur_lap",
        "noise_sigma",
        "phash",
        "exif_orientation",
        "n_left_out",
        "n_outside",
        "velodyne",
        "velodyne_sha256",
        "depth",
        "depth_sha256",
        "flow_forward",
        "flow_forward_sha256",
        "kitti_depth",
        "kitti_flow",
        "lens_model",
        "lens_limit",
        "lens_coefficients",
        "batch_id",
        "parent",
        "parent_frame_id",
        "shard",
    }
)  # fmt: skip - columns of frames that are ours; all others are the source's
JSON = "_json"
RENAMED = "source_"
LONGEST_NAME = 64
LARGEST_INT = 2**63
INT, FLOAT, BOOL, TEXT = pa.int64(), pa.float64(), pa.bool_(), pa.string()

Values = Mapping[str, Any]  # what a source says of a picture, by its own names


def column_name(name: str, *, is_json: bool = False) -> str:
    """Return the name of the column that holds what the source calls `name`."""
    taken = name in OWN or name.endswith("_sha256")
    return f"{RENAMED if taken else ''}{name}{JSON if is_json else ''}"


def types_of(rows: Iterable[Values], where: str) -> dict[str, tuple[str, pa.DataType]]:
    """Return column and type of everything that a source says of its pictures, by the source's own names, sorted.

    Args:
        rows: What it says, a picture each; a missing name is null.
        where: Names the source in errors.
    Raises:
        UserError: If a name cannot be that of a column, or a number is not finite.
    """
    kinds: dict[str, set[type]] = {}
    for values in rows:
        for name, value in values.items():
            if value is not None:
                kinds.setdefault(name, set()).add(_kind(value, name, where))
    found: dict[str, tuple[str, pa.DataType]] = {}
    for name, seen in sorted(kinds.items()):
        if not name or len(name) > LONGEST_NAME or not name.isprintable() or re.search(r"[\s\"]", name):
            raise UserError(f"{where}: '{name[:LONGEST_NAME]}' cannot be the name of a column; rename it")
        scalar = _scalar(seen)
        found[name] = (column_name(name, is_json=scalar is None), TEXT if scalar is None else scalar)
    if len({column for column, _ in found.values()}) != len(found):
        raise UserError(f"{where}: two of {', '.join(found)} would be one column; rename one")
    return found


def row_of(values: Values, types: Mapping[str, tuple[str, pa.DataType]]) -> dict[str, Any]:
    """Return what a source says of a picture as the columns of `types_of`."""
    row: dict[str, Any] = {}
    for name, (column, _) in types.items():
        value = values.get(name)
        row[column] = json_text(value) if value is not None and column.endswith(JSON) else value
    return row


def source_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a source said of a picture, from a row of the index; undoes `row_of`."""
    said: dict[str, Any] = {}
    for column, value in row.items():
        if value is None or column in OWN or column.endswith("_sha256"):
            continue
        name = column.removesuffix(JSON)
        bare = name.removeprefix(RENAMED)
        is_renamed = bare != name and column_name(bare) == name
        said[bare if is_renamed else name] = json.loads(value) if column.endswith(JSON) else value
    return said


def json_text(value: Any) -> str:
    """Return plain data as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _kind(value: Any, name: str, where: str) -> type:
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where}: {name} is {value}, which is no finite number; give it one, or null")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LARGEST_INT:
        return object
    kind = type(value)
    return kind if kind in (bool, int, float, str) else object


def _scalar(seen: set[type]) -> pa.DataType | None:
    """Return the type that holds all values; None: JSON text does."""
    if seen == {int, float}:
        return FLOAT
    kinds = {bool: BOOL, int: INT, float: FLOAT, str: TEXT}
    return kinds.get(next(iter(seen))) if len(seen) == 1 else None
