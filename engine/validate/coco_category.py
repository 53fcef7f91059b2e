"""Categories of a COCO file: names, keypoints, skeletons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.validate.finding import Finding, is_number, is_whole, shown


def check_category(file: str, category: Mapping[str, Any], names: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with a category; `names` are those of the earlier ones and grows."""
    where = f"category {shown(category.get('id'))}"
    name = category.get("name")
    if not isinstance(name, str) or not name:
        yield Finding(file, where, "category-name-invalid", shown(name), "text")
    elif name in names:
        yield Finding(file, where, "category-name-duplicate", shown(name), "a name of its own")
    else:
        names.add(name)
    isthing = category.get("isthing", 1)
    if (not is_whole(isthing) and not isinstance(isthing, bool)) or isthing not in (0, 1):
        yield Finding(file, where, "isthing-invalid", shown(isthing), "0 or 1")
    points = keypoint_names(category)
    if points is None:
        yield Finding(file, where, "keypoint-names-invalid", shown(category["keypoints"]), "a list of different names")
        return
    skeleton = category.get("skeleton", [])
    if not isinstance(skeleton, list) or not all(_is_bone(bone, len(points)) for bone in skeleton):
        wanted = f"pairs of keypoints from 1 to {len(points)}"
        yield Finding(file, where, "skeleton-out-of-range", shown(skeleton), wanted)
    sigmas = category.get("sigmas", [])
    is_list = isinstance(sigmas, list) and all(is_number(sigma) and sigma > 0 for sigma in sigmas)
    if not is_list or (sigmas and len(sigmas) != len(points)):
        yield Finding(file, where, "sigmas-invalid", shown(sigmas), f"{len(points)} positive numbers")


def keypoint_names(category: Mapping[str, Any]) -> list[str] | None:
    """Return the names of the keypoints of a category, none if it has none; None: they are no names."""
    names = category.get("keypoints", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return None
    return names


def _is_bone(bone: Any, count: int) -> bool:
    return isinstance(bone, list) and len(bone) == 2 and all(is_whole(end) and 1 <= end <= count for end in bone)
