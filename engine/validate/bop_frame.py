"""Objects of one image of a BOP scene: poses, boxes, counts of pixels and masks.

Source: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from engine.validate.finding import Finding, are_numbers, is_number, is_whole, shown
from engine.validate.folder import BadFile, Folder, image_size, is_file, is_folder, read_pixels

ROTATION_TOLERANCE = 1.0e-3
SHARE_TOLERANCE = 1.0e-3
COUNTS = ("px_count_all", "px_count_valid", "px_count_visib")
UNSEEN = [-1, -1, -1, -1]


@dataclass(frozen=True)
class Place:
    """An object of an image."""

    file: str  # the JSON that names it
    image: int
    number: int

    @property
    def where(self) -> str:
        """Say which object of which image."""
        return f"image {self.image}, object {self.number}"

    def finding(self, rule: str, value: str, expected: str) -> Finding:
        """Return a finding of this object."""
        return Finding(self.file, self.where, rule, value, expected)


def check_camera(file: str, image: str, camera: Any) -> Iterator[Finding]:
    """Yield what is wrong with the camera of an image."""
    where = f"image {image}"
    if not isinstance(camera, dict):
        yield Finding(file, where, "item-not-object", shown(camera), "an object")
        return
    k = camera.get("cam_K")
    is_k = are_numbers(k, 9) and min(k[0], k[4]) > 0 and k[3] == 0 and list(k[6:]) == [0, 0, 1]
    if not is_k:
        yield Finding(file, where, "camera-malformed", shown(k), "fx s cx 0 fy cy 0 0 1")
    scale = camera.get("depth_scale")
    if not is_number(scale) or scale <= 0:
        yield Finding(file, where, "depth-scale-missing", shown(scale), "a positive number")
    if "cam_R_w2c" in camera:
        yield from check_rotation(file, where, camera["cam_R_w2c"], "cam_R_w2c")
    if "cam_t_w2c" in camera and not are_numbers(camera["cam_t_w2c"], 3):
        yield Finding(file, where, "translation-malformed", shown(camera["cam_t_w2c"]), "cam_t_w2c of three numbers")


def check_rotation(file: str, where: str, flat: Any, name: str) -> Iterator[Finding]:
    """Yield what is wrong with a rotation given by rows."""
    if not are_numbers(flat, 9):
        yield Finding(file, where, "rotation-malformed", shown(flat), f"{name} of nine numbers")
        return
    matrix = np.array(flat, np.float64).reshape(3, 3)
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(matrix @ matrix.T - np.eye(3)).max()
    if not error <= ROTATION_TOLERANCE:
        yield Finding(file, where, "rotation-malformed", shown(flat), f"{name} orthonormal, it is off by {error:.3g}")
    elif np.linalg.det(matrix) < 0:
        yield Finding(file, where, "rotation-mirrored", shown(flat), f"{name} with determinant +1")


def check_pose(place: Place, entry: Any, models: set[int] | None) -> Iterator[Finding]:
    """Yield what is wrong with an entry of scene_gt; `models` are the objects of models_info, None: unknown."""
    if not isinstance(entry, dict):
        yield place.finding("item-not-object", shown(entry), "an object")
        return
    number = entry.get("obj_id")
    if not is_whole(number) or number < 1:
        yield place.finding("object-id-invalid", shown(number), "a whole number from 1")
    elif models is not None and number not in models:
        yield place.finding("object-without-model", str(number), "an object of models_info.json")
    yield from check_rotation(place.file, place.where, entry.get("cam_R_m2c"), "cam_R_m2c")
    translation = entry.get("cam_t_m2c")
    if not are_numbers(translation, 3):
        yield place.finding("translation-malformed", shown(translation), "cam_t_m2c of three numbers")
    elif translation[2] <= 0:
        yield place.finding("object-behind", shown(translation), "z above 0")


def check_info(place: Place, info: Any) -> list[Finding]:
    """Return what is wrong with an entry of scene_gt_info by itself."""
    if not isinstance(info, dict):
        return [place.finding("item-not-object", shown(info), "an object")]
    findings = []
    total, valid, seen = (info.get(name) for name in COUNTS)
    if not (is_whole(total) and is_whole(valid) and is_whole(seen)) or min(valid, seen) < 0 or max(valid, seen) > total:
        findings.append(place.finding("pixel-counts-order", shown([total, valid, seen]), "all >= valid, visib >= 0"))
    else:
        share, wanted = info.get("visib_fract"), seen / total if total else 0.0
        if not is_number(share) or abs(share - wanted) > SHARE_TOLERANCE:
            findings.append(place.finding("visib-fract-wrong", shown(share), f"{wanted:.4f}"))
    outer, inner = info.get("bbox_obj"), info.get("bbox_visib")
    if not _is_box(outer, total) or not _is_box(inner, seen):
        findings.append(
            place.finding("box-invalid", shown([outer, inner]), "bbox_obj, bbox_visib: x, y, width, height")
        )
        return findings
    is_inside = all(outer[i] <= inner[i] and inner[i] + inner[i + 2] <= outer[i] + outer[i + 2] for i in range(2))
    if UNSEEN not in (outer, inner) and not is_inside:
        findings.append(place.finding("box-visib-outside-obj", shown(inner), f"inside bbox_obj {shown(outer)}"))
    return findings


def _is_box(box: Any, pixels: Any) -> TypeGuard[list[float]]:
    """Return whether it is a box; the toolkit measures from first to last pixel: a line of them has width 0."""
    if not are_numbers(box, 4) or box == UNSEEN:
        return box == UNSEEN
    least, most = sorted(box[2:])
    return least > 0 or (least == 0 and is_whole(pixels) and pixels <= most + 1)


@dataclass(frozen=True)
class MaskFiles:
    """The masks of an object."""

    whole: Path
    visible: Path


def check_masks(
    folder: Folder, place: Place, files: MaskFiles, info: dict[str, Any] | None, size: tuple[int, int] | None
) -> Iterator[Finding]:
    """Yield where masks are missing, of another size, or contradict the entry of scene_gt_info (None: not sound)."""
    masks = []
    for path in (files.whole, files.visible):
        if not is_folder(path.parent):
            continue
        if not is_file(path) or not folder.holds(path):
            yield place.finding("mask-missing", folder.name(path), "a mask of the object")
            continue
        found = image_size(path)
        if size is not None and found not in (size, None):
            yield Finding(folder.name(path), place.where, "mask-size", f"{found}", f"{size} of the image")
            continue
        try:
            pixels = read_pixels(path)
        except BadFile as error:
            yield Finding(folder.name(path), place.where, "image-unreadable", str(error), "a mask")
            continue
        masks.append((path, (pixels if pixels.ndim == 2 else pixels[..., 0]) > 0))
    if len(masks) == 2 and masks[0][1].shape == masks[1][1].shape:
        outside = int(np.count_nonzero(masks[1][1] & ~masks[0][1]))
        if outside:
            yield place.finding("mask-visib-outside-mask", f"{outside} pixels", "mask_visib inside mask")
    if masks and info is not None and masks[-1][0] == files.visible:
        yield from _check_visible(place, masks[-1][1], info)


def _check_visible(place: Place, mask: Any, info: dict[str, Any]) -> Iterator[Finding]:
    area = int(np.count_nonzero(mask))
    if area != info["px_count_visib"]:
        yield place.finding("pixels-not-mask", shown(info["px_count_visib"]), f"{area} of mask_visib")
    box = UNSEEN
    if area:
        x, y = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        box = [int(x[0]), int(y[0]), int(x[-1] - x[0]) + 1, int(y[-1] - y[0]) + 1]
    tolerance = 1  # the toolkit's own boxes end at the last pixel, one less
    if area and any(abs(a - b) > tolerance for a, b in zip(info["bbox_visib"], box)):
        yield place.finding("box-not-mask", shown(info["bbox_visib"]), f"{box} of mask_visib")
