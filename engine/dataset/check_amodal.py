"""Check the columns of whole silhouettes: counts, boxes, masks and shares of a row must say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.labels.config import LARGEST_MARGIN
from engine.validate.rle import runs_of
from engine.write.rows import AMODAL_RLE_COLUMN

SHARE_TOLERANCE = 1.0e-6  # float32


def check_amodal(row: Mapping[str, Any], visible: NDArray[np.bool_]) -> Iterator[str]:
    """Yield where the silhouette of a row of the instance table contradicts itself, or what is visible [y, x]."""
    seen, in_frame, full = row["area_px"], row["in_frame_px"], row["full_px"]
    if not 1 <= seen <= in_frame <= full:
        yield f"visible, in_frame_px and full_px are {seen}, {in_frame} and {full}: none may exceed the next"
        return
    for name, expected in (("occlusion", 1.0 - seen / in_frame), ("truncation", 1.0 - in_frame / full)):
        if not abs(row[name] - expected) <= SHARE_TOLERANCE:
            yield f"{name} is {row[name]:.6f}, its pixels say {expected:.6f}"
    hider, hidden = row["occluder"], row["occluder_px"]
    if (hider == 0) != (hidden == 0) or hidden > in_frame - seen or hider == row["inst_id"]:
        yield f"occluder {hider} hides {hidden} px of it, {in_frame - seen} px of the frame are hidden"
    box, most = np.asarray(row["amodal_bbox"], np.float64), (2.0 * LARGEST_MARGIN + 1.0) * max(visible.shape)
    if not (np.isfinite(box).all() and (np.abs(box) <= most).all() and (box[2:] > 0.0).all()):
        yield f"amodal_bbox is {box.tolist()}, which no window of its frame holds"
        return
    x, y, width, height = (round(value) for value in box.tolist())
    runs = runs_of(row[AMODAL_RLE_COLUMN].decode("latin-1"))
    if runs is None or sum(runs) != width * height:
        yield f"amodal_rle is not an RLE of its box, {width}x{height} px"
        return
    mask = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T
    if (found := int(np.count_nonzero(mask))) != full:
        yield f"full_px is {full}, its amodal mask has {found} px"
    if not (mask[0].any() and mask[-1].any() and mask[:, 0].any() and mask[:, -1].any()):
        yield "amodal_bbox is not tight around its mask"
    in_image = np.zeros(visible.shape, np.bool_)
    left, top = max(x, 0), max(y, 0)
    part = mask[top - y : max(visible.shape[0] - y, 0), left - x : max(visible.shape[1] - x, 0)]
    in_image[top : top + part.shape[0], left : left + part.shape[1]] = part
    if (found := int(np.count_nonzero(in_image))) != in_frame:
        yield f"in_frame_px is {in_frame}, its amodal mask has {found} px in the frame"
    if (outside := int(np.count_nonzero(visible & ~in_image))) > 0:
        yield f"{outside} visible px are not in its amodal mask"
