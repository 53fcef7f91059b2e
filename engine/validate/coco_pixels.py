"""What our own COCO annotations hold beside the standard: pixel counts, whole silhouettes, occlusion, truncation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.validate.finding import Finding, are_numbers, is_number, is_whole, shown

SHARE_TOLERANCE = 1.0e-3  # of occlusion and truncation, which are written rounded
COUNTS = ("visible_px", "in_frame_px", "full_px")


def check_pixel_counts(file: str, where: str, annotation: Mapping[str, Any], *, has_box: bool) -> Iterator[Finding]:
    """Yield where counts of pixels contradict each other, or a box leaves that of the whole silhouette."""
    counts = [annotation[name] for name in COUNTS if annotation.get(name) is not None]
    if counts and (not all(map(is_whole, counts)) or min(counts) < 1 or counts != sorted(counts)):
        yield Finding(file, where, "pixel-counts-order", shown(counts), "0 < visible <= in frame <= full")
    for rule, share, part, whole in (
        ("occlusion-wrong", "occlusion", "visible_px", "in_frame_px"),
        ("truncation-wrong", "truncation", "in_frame_px", "full_px"),
    ):
        found, few, many = (annotation.get(name) for name in (share, part, whole))
        if found is None or not is_whole(few) or not is_whole(many) or min(few, many) < 1:
            continue
        wanted = 1.0 - few / many
        if not is_number(found) or abs(found - wanted) > SHARE_TOLERANCE:
            yield Finding(file, where, rule, shown(found), f"{wanted:.4f}")
    if annotation.get("amodal_bbox") is not None:
        yield from _check_amodal(file, where, annotation, has_box=has_box)


def _check_amodal(file: str, where: str, annotation: Mapping[str, Any], *, has_box: bool) -> Iterator[Finding]:
    outer, box = annotation["amodal_bbox"], annotation.get("bbox")
    if not are_numbers(outer, 4) or outer[2] <= 0 or outer[3] <= 0:
        yield Finding(file, where, "amodal-box-invalid", shown(outer), "x, y and a positive width and height")
    elif has_box and box is not None:
        is_inside = all(outer[i] <= box[i] and box[i] + box[i + 2] <= outer[i] + outer[i + 2] for i in range(2))
        if not is_inside:
            yield Finding(file, where, "box-outside-amodal", shown(box), f"inside {shown(outer)}")
