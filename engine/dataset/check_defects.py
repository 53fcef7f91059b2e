"""Check defects: box, area and bearer of every mask, which of two has a pixel, and contrast measured again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.contrast import contrast_in, luma_of
from engine.dataset.check_geometry import UNREADABLE
from engine.dataset.check_mask import decode_rle
from engine.defect import DefectKind, is_near_miss
from engine.write.files import inside
from engine.write.merge import MergedRows
from engine.write.readback import read_instance_map
from engine.write.rows import RLE_COLUMN

LOSSLESS = ".png"
MAPS = {"defect_map": False, "near_miss_map": True}  # column of the frames: whether it holds near-misses
TOLERANCE = 1.0e-4  # of contrast, 1: black to white; of CNR relative: sums of other order


def check_defects(
    rows: MergedRows, frame: Mapping[str, Any], defects: list[dict[str, Any]], bearers: set[int]
) -> Iterator[str]:
    """Yield what contradicts itself among the defects of a frame, in whose picture `bearers` are seen."""
    shape = (frame["height"], frame["width"])
    taken = {is_near: np.zeros(shape, np.bool_) for is_near in (False, True)}
    classes = {0: "", **{each.id: each.key for each in rows.taxonomy.classes}}
    masks = {}
    for row in defects:
        name = f"defect {row['defect_id']}"
        mask = decode_rle(row[RLE_COLUMN], shape)
        if mask is None or not mask.any():
            yield f"{name}: its mask is not an RLE of this frame, or empty"
            continue
        yield from (f"{name}: {what}" for what in _check_row(row, mask, bearers))
        if row["class"] != classes.get(row["class_id"]):
            yield f"{name}: its class is '{row['class']}', class_id {row['class_id']} is another"
        if (taken[row["near_miss"]] & mask).any():
            yield f"{name}: its mask covers pixels of another one"
        taken[row["near_miss"]] |= mask
        masks[row["defect_id"]] = mask
    if len(masks) == len(defects):  # the rest is about all of them together
        yield from _check_maps(rows, frame, defects, masks)
        yield from _check_contrast(rows, frame, defects, masks, taken[False] | taken[True])


def _check_row(row: Mapping[str, Any], mask: NDArray[np.bool_], bearers: set[int]) -> Iterator[str]:
    y, x = np.nonzero(mask)
    if len(y) != row["area_px"]:
        yield f"area_px is {row['area_px']}, its mask has {len(y)} px"
    box = [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
    if list(row["bbox"]) != box:
        yield f"bbox is {row['bbox']}, that of its mask is {box}"
    if row["inst_id"] not in bearers:
        yield f"lies on instance {row['inst_id']}, which the frame does not show"
    kinds = {kind.name.lower(): is_near_miss(kind) for kind in DefectKind}
    if kinds.get(row["kind"]) is not row["near_miss"]:
        yield f"near_miss is {row['near_miss']}, its kind is {row['kind']}"


def _check_maps(
    rows: MergedRows, frame: Mapping[str, Any], defects: list[dict[str, Any]], masks: Mapping[int, NDArray[np.bool_]]
) -> Iterator[str]:
    """Yield which maps of a frame, where it has some, do not hold the masks."""
    for role, is_near in MAPS.items():
        name = frame.get(role)
        if name is None or not inside(rows.out, name).is_file():
            continue
        try:
            with Image.open(inside(rows.out, name)) as image:
                found = np.array(image)
        except UNREADABLE:
            continue  # named by the check of pictures
        asked = np.zeros(found.shape, np.int64)
        for row in defects:
            if row["near_miss"] is is_near:
                asked[masks[row["defect_id"]]] = row["map_id"]
        odd = np.argwhere(found != asked)
        if len(odd):
            yield f"{len(odd)} px of {name} differ from the masks of its rows, first at {odd[0][1]}, {odd[0][0]}"


def _check_contrast(
    rows: MergedRows,
    frame: Mapping[str, Any],
    defects: list[dict[str, Any]],
    masks: Mapping[int, NDArray[np.bool_]],
    marked: NDArray[np.bool_],
) -> Iterator[str]:
    """Yield whose contrast is not that of the picture, where the picture lost nothing and ids are there."""
    names = [frame.get(role) for role in ("image", "instance_map")]
    if not defects or not all(name is not None and inside(rows.out, name).is_file() for name in names):
        return
    if not str(names[0]).endswith(LOSSLESS):
        return
    try:
        with Image.open(inside(rows.out, str(names[0]))) as image:
            luma = luma_of(np.array(image.convert("RGB")))
        ids = read_instance_map(rows.out, frame)
    except UNREADABLE:
        return  # named by the check of pictures
    for row in defects:
        found = contrast_in(luma, masks[row["defect_id"]], ~marked & (ids == row["inst_id"]), row["bbox"])
        stated = (row["contrast"], row["cnr"])
        if not np.allclose(found, stated, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            what = f"contrast and cnr are {stated[0]:.4f} and {stated[1]:.3f}"
            yield f"defect {row['defect_id']}: {what}, the picture has {found[0]:.4f} and {found[1]:.3f}"
