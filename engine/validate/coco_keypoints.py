"""Keypoints of COCO annotations: [x, y, v] each, v = 0 not labelled, 1 hidden, 2 visible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.validate.coco_category import keypoint_names
from engine.validate.finding import Finding, is_number, shown


def check_keypoints(
    file: str, where: str, annotation: Mapping[str, Any], category: Mapping[str, Any], size: tuple[int, int] | None
) -> Iterator[Finding]:
    """Yield what is wrong with the keypoints of an annotation; `size` is that of its image, where it is known."""
    names = keypoint_names(category)
    if names is None:
        return  # named with the category
    if "keypoints" not in annotation:
        if names:
            yield Finding(file, where, "keypoints-missing", "none", f"{3 * len(names)} numbers")
        return
    points = annotation["keypoints"]
    if not isinstance(points, list) or len(points) != 3 * len(names):
        found = f"{len(points)} numbers" if isinstance(points, list) else shown(points)
        yield Finding(file, where, "keypoints-length", found, f"{3 * len(names)} numbers x, y, v")
        return
    if not all(map(is_number, points)):
        yield Finding(file, where, "value-not-number", shown(points), "finite numbers x, y, v")
        return
    labelled = 0
    for number, (x, y, v) in enumerate(zip(points[0::3], points[1::3], points[2::3])):
        labelled += v > 0
        value = f"{names[number][:40]} {shown([x, y, v])}"
        if v not in (0, 1, 2):
            yield Finding(file, where, "keypoint-visibility", value, "v of 0, 1 or 2")
        elif v == 0 and (x != 0 or y != 0):
            yield Finding(file, where, "keypoint-unlabelled-not-zero", value, "x = y = 0 where v = 0")
        elif v > 0 and size is not None and not (0 <= x <= size[0] and 0 <= y <= size[1]):
            yield Finding(file, where, "keypoint-outside", value, f"a point inside {size[0]}x{size[1]}")
    if annotation.get("num_keypoints") != labelled:
        yield Finding(file, where, "num-keypoints-wrong", shown(annotation.get("num_keypoints")), str(labelled))
