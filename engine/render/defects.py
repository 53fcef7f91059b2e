"""Defects of a batch on a device: records of every row, sorted by the instance that bears them."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.defect import COLUMNS, FIRST_NEAR_MISS, is_visible, record_values
from engine.draft import Draft
from engine.render.inputs import Field, Inputs, field

NEAR_FLOATS = 8  # of what decides whether a point may be touched, see kernels/defect.py


def defect_fields(draft: Draft) -> list[Field]:
    """Return the defects of a draft; none if its recipe has none."""
    if draft.defect.shape[1] == 0:
        return []
    first, near_to = sorted_defects(draft)
    return [
        field("defect", wp.float32, draft.defect, may_share=True),
        field("defect_first", wp.int32, first, np.int32, may_share=True),
        field("defect_near_to", wp.float32, near_to, may_share=True),
    ]


def defects_of_rows(inputs: Inputs) -> Any:
    """Return kernels.defect.Defects of the rows in `inputs`, which have the fields of `defect_fields`."""
    defects = gpu.defect.Defects()
    defects.record, defects.first = inputs.array("defect"), inputs.array("defect_first")
    defects.near_to = inputs.array("defect_near_to")
    return defects


def lying_of(patterns: Any, defects: Any) -> Any:
    """Return kernels.defect.Lying of the patterns and defects of some rows."""
    lying = gpu.defect.Lying()
    lying.patterns, lying.defects = patterns, defects
    return lying


def no_defects(device: str) -> Any:
    """Return kernels.defect.Defects of a batch without any."""
    defects = gpu.defect.Defects()
    defects.record = defects.near_to = wp.empty((0, 0, 0), dtype=wp.float32, device=device)
    defects.first = wp.empty((0, 0), dtype=wp.int32, device=device)
    return defects


def sorted_defects(draft: Draft) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return where each instance's defects begin [row, instance + 1], and what lies where [row, place, 8].

    Of an instance, near-misses come after defects, so that dust lies on a scratch; else slots keep their order. What is
    invisible comes last and belongs to nobody.
    """
    record, bearer = draft.defect, draft.defect_of
    rows, slots = bearer.shape
    instances = draft.visible.shape[1]
    is_used = (bearer > 0) & is_visible(record)
    later = record_values(record, "kind") >= FIRST_NEAR_MISS
    key = np.where(is_used, bearer.astype(np.int64) * 2 + later, 2 * instances)
    order = np.argsort(key, axis=1, kind="stable")
    ordered = np.take_along_axis(key, order, axis=1) // 2
    first = np.stack([np.searchsorted(row, np.arange(instances + 1)) for row in ordered]).astype(np.int32)
    near_to = np.zeros((rows, slots, NEAR_FLOATS), np.float32)
    for target, name in ((slice(0, 3), "center_m"), (3, "reach_m"), (5, "placement")):
        start = COLUMNS[name]
        column = slice(start, start + 3) if isinstance(target, slice) else start
        values = np.take_along_axis(record[..., column].reshape(rows, slots, -1), order[..., None], axis=1)
        near_to[..., target] = values if isinstance(target, slice) else values[..., 0]
    near_to.view(np.int32)[..., 4] = order
    return first, near_to
