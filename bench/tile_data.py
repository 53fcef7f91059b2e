"""Images of tiles with pixel masks: reading a COCO folder at half size, choosing a few, pasting, and turning masks.

A folder holds annotations.json (COCO, with `surface`, `exposure`, `clean_surface` and `label` of every image where they
are known, and masks as files, polygons or RLE) and the images that it names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.recipe import check_relative

SCALE = 0.5  # of the images that a learner sees
MASK_SHARE = 0.3  # of a pixel of that size that a mask must cover
CLASSES = ("blowhole", "break", "crack")
FREE = "free"
LIGHT_SIGMA_PX = 10.0  # of the blur that stands for the light on a surface
DARKEST = 0.03  # added to that light, so that black stays finite
TEST_EXPOSURES = (2, 5)  # of defect-free surfaces, so that bursts do not outweigh defects
PASTE_MARGIN_PX = 3
MOST_MEGAPIXELS = 100

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of a surface."""

    name: str
    gray: Image  # [y, x], 0..1
    mask: NDArray[np.bool_]  # [y, x], of all its defects
    label: str  # class of its defects, or FREE
    surface: int  # -1: not known
    exposure: int
    clean_surface: bool  # no image of this surface shows a defect


def load_tiles(folder: Path, keep: Callable[[dict[str, Any]], bool] = lambda image: True) -> list[Tile]:
    """Return the images of a COCO folder that `keep` chooses by their records, at half size.

    Raises:
        UserError: If the folder has no readable annotations.json, or an image or mask is missing.
    """
    file = folder / "annotations.json"
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        names = {entry["id"]: str(entry["name"]).lower() for entry in data["categories"]}
        images, annotations = data["images"], data["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is no COCO file: {error}; name a folder with annotations.json and images") from error
    of_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in annotations:
        of_image.setdefault(annotation["image_id"], []).append(annotation)
    return [_tile(folder, image, of_image.get(image["id"], []), names) for image in images if keep(image)]


def _tile(folder: Path, image: dict[str, Any], annotations: list[dict[str, Any]], names: dict[int, str]) -> Tile:
    full = _read_gray(folder, image["file_name"])
    if image.get("mask_file"):
        mask = _read_gray(folder, image["mask_file"]) > 0
        if mask.shape != full.shape:
            raise UserError(f"{folder / image['mask_file']} has another size than {image['file_name']}")
    else:
        mask = np.zeros(full.shape, np.bool_)
        for annotation in annotations:
            mask |= mask_of(annotation["segmentation"], full.shape)
    label = image.get("label") or (names[annotations[0]["category_id"]] if annotations else FREE)
    size = tuple(max(16, round(side * SCALE)) for side in full.shape[::-1])
    gray = cv2.resize(full, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    surface, exposure = int(image.get("surface", -1)), int(image.get("exposure", 0))
    clean = bool(image.get("clean_surface", label == FREE))
    return Tile(image["file_name"], gray, share > MASK_SHARE, label, surface, exposure, clean)


def _read_gray(folder: Path, name: str) -> NDArray[np.uint8]:
    try:
        check_relative(name)  # links are followed: a split of a folder may be made of them
    except ValueError as error:
        raise UserError(f"{folder}: {error}") from error
    path = folder / name
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if found is None or found.size > MOST_MEGAPIXELS * 1_000_000:
        raise UserError(f"{path} is no image that can be read; check the folder")
    return np.asarray(found, np.uint8)


def mask_of(segmentation: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the mask [y, x] of a COCO segmentation: polygons, counts, or compressed counts."""
    height, width = shape[:2]
    if isinstance(segmentation, list):
        mask = np.zeros((height, width), np.uint8)
        for polygon in segmentation:
            cv2.fillPoly(mask, [np.round(np.asarray(polygon).reshape(-1, 2)).astype(np.int32)], 1)
        return mask.astype(np.bool_)
    if not isinstance(segmentation["counts"], list):
        from pycocotools import mask as coco_mask

        return np.asarray(coco_mask.decode(segmentation), np.bool_)
    counts = np.asarray(segmentation["counts"], np.int64)
    return np.asarray(np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T)


def load_real(train: Path, test: Path) -> tuple[list[Tile], list[Tile], list[Tile]]:
    """Return real defects and defect-free images to train on, and what to test on.

    Defect-free are images of surfaces without any defect; the test takes two exposures of each.
    """

    def is_of_use(image: dict[str, Any]) -> bool:
        return image.get("label") in CLASSES or (image.get("label") == FREE and bool(image.get("clean_surface")))

    def is_tested(image: dict[str, Any]) -> bool:
        return is_of_use(image) and (image["label"] != FREE or image.get("exposure") in TEST_EXPOSURES)

    trained, tested = load_tiles(train, is_of_use), load_tiles(test, is_tested)
    shared = {tile.surface for tile in trained} & {tile.surface for tile in tested}
    if shared - {-1}:
        raise UserError(f"surfaces {sorted(shared)} are in --train and in --test; split the images by surface")
    defects = [tile for tile in trained if tile.label != FREE and tile.mask.any()]
    normals = [tile for tile in trained if tile.label == FREE]
    tested = [tile for tile in tested if tile.label == FREE or tile.mask.any()]
    for what, found in (("defects in --train", defects), ("defect-free images in --train", normals)):
        if not found:
            raise UserError(f"there are no {what}; it needs images labelled {', '.join(CLASSES)} and {FREE}")
    return defects, normals, tested


def few_of(defects: Sequence[Tile], count: int, random: np.random.RandomState) -> list[Tile]:
    """Return `count` images of each class, each of another surface as long as there are any."""
    chosen: list[Tile] = []
    for label in CLASSES:
        of_class = [tile for tile in defects if tile.label == label]
        shuffled = [of_class[index] for index in random.permutation(len(of_class))]
        seen: set[int] = set()
        first: list[Tile] = []
        again: list[Tile] = []
        for tile in shuffled:
            (again if tile.surface in seen else first).append(tile)
            seen.add(tile.surface)
        chosen += (first + again)[:count]
    return chosen


def light_of(gray: Image) -> Image:
    """Return what stands for the light on a surface: a wide blur, never quite 0."""
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), LIGHT_SIGMA_PX) + DARKEST, np.float32)


def pasted(defects: Sequence[Tile], normals: Sequence[Tile], count: int, random: np.random.RandomState) -> list[Tile]:
    """Return defect-free images with one of the defects pasted somewhere, mirrored, in the light that is there."""
    out: list[Tile] = []
    for _ in range(count):
        source, target = defects[random.randint(len(defects))], normals[random.randint(len(normals))]
        ys, xs = np.nonzero(source.mask)
        rows = slice(max(ys.min() - PASTE_MARGIN_PX, 0), ys.max() + PASTE_MARGIN_PX + 1)
        columns = slice(max(xs.min() - PASTE_MARGIN_PX, 0), xs.max() + PASTE_MARGIN_PX + 1)
        ratio, mask = (source.gray / light_of(source.gray))[rows, columns], source.mask[rows, columns]
        if random.rand() < 0.5:
            ratio, mask = ratio[:, ::-1], mask[:, ::-1]
        if random.rand() < 0.5:
            ratio, mask = ratio[::-1], mask[::-1]
        height, width = (min(a, b) for a, b in zip(ratio.shape, target.gray.shape, strict=True))
        y, x = random.randint(target.gray.shape[0] - height + 1), random.randint(target.gray.shape[1] - width + 1)
        soft = cv2.dilate(np.ascontiguousarray(mask, np.float32), np.ones((3, 3)))
        share = np.clip(cv2.GaussianBlur(soft, (0, 0), 1.0)[:height, :width], 0.0, 1.0)
        gray, place = target.gray.copy(), (slice(y, y + height), slice(x, x + width))
        light = light_of(target.gray)[place] - DARKEST
        gray[place] = np.clip(gray[place] * (1.0 - share) + ratio[:height, :width] * light * share, 0.0, 1.0)
        full = np.zeros(gray.shape, np.bool_)
        full[place] = mask[:height, :width]
        if full.any():
            out.append(replace(target, gray=gray, mask=full, label=source.label))
    return out


def turned_masks(tiles: Sequence[Tile]) -> list[Tile]:
    """Return the placebo: the same images with every mask turned by half a turn."""
    return [replace(tile, mask=np.ascontiguousarray(tile.mask[::-1, ::-1])) for tile in tiles]
