"""COCO panoptic files: segments against the PNG that holds their ids as R + 256 G + 65536 B; 0 is void."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.validate.coco import Known, check_ids, check_images, has_lists, key_of
from engine.validate.coco_category import check_category
from engine.validate.finding import Finding, are_numbers, is_number, is_whole, shown
from engine.validate.folder import BadFile, Folder, image_size, is_file, is_folder, read_pixels

VOID = 0


def is_panoptic(data: Any) -> bool:
    """Return whether the annotations of a parsed file are panoptic ones."""
    annotations = data.get("annotations") if isinstance(data, dict) else None
    return isinstance(annotations, list) and any(isinstance(a, dict) and "segments_info" in a for a in annotations[:16])


def check_panoptic(
    folder: Folder, path: Path, data: Any, measure: Callable[[str], tuple[int, int] | None]
) -> Iterator[Finding]:
    """Yield every fault of a parsed panoptic file; `measure` looks up the size of a picture."""
    file = folder.name(path)
    if not has_lists(data):
        yield Finding(file, "", "coco-lists", shown(data), "the lists images, annotations and categories")
        return
    known = Known(file)
    yield from check_ids(file, "images", data["images"], zero="image-id-below-one")
    yield from check_images(known, data["images"], measure, folder.tick)
    yield from check_ids(file, "categories", data["categories"])
    names: set[str] = set()
    categories: set[Any] = set()
    for category in data["categories"]:
        if isinstance(category, dict):
            categories.add(key_of(category.get("id")))
            yield from check_category(file, category, names)
            if "isthing" not in category:
                where = f"category {shown(category.get('id'))}"
                yield Finding(file, where, "isthing-invalid", "none", "0 or 1")
    pictures, seen, all_known = _folder_of(folder, path), set(), True
    for position, annotation in enumerate(data["annotations"]):
        folder.tick(1)
        if not isinstance(annotation, dict):
            yield Finding(file, f"annotations[{position}]", "item-not-object", shown(annotation), "an object")
            continue
        key, where = key_of(annotation.get("image_id")), f"annotation of image {shown(annotation.get('image_id'))}"
        if key is None or key not in known.size_of:
            all_known = False
            yield Finding(file, where, "image-id-unknown", shown(annotation.get("image_id")), "an id of images")
            continue
        if key in seen:
            yield Finding(file, where, "panoptic-duplicate", shown(annotation.get("image_id")), "one an image")
        seen.add(key)
        yield from _check_picture(folder, pictures, annotation, (file, where), (known.size_of[key], categories))
    missing = [key for key in known.size_of if key is not None and key not in seen]
    for key in missing if all_known else ():
        yield Finding(
            file, f"image {shown(key)}", "panoptic-missing", "none", "an annotation, perhaps without segments"
        )


def _folder_of(folder: Folder, path: Path) -> Path:
    """Return where the PNGs lie: beside the file, in a folder of its name, or in one named panoptic."""
    for place in (path.with_suffix(""), path.parent / "panoptic", folder.root / path.stem, folder.root / "panoptic"):
        if is_folder(place) and folder.holds(place):
            return place
    return path.parent


def _check_picture(
    folder: Folder, pictures: Path, annotation: dict[str, Any], place: tuple[str, str], known: tuple[Any, set[Any]]
) -> Iterator[Finding]:
    (file, where), (size, categories) = place, known
    segments = annotation.get("segments_info")
    if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
        yield Finding(file, where, "item-not-object", shown(segments), "segments_info, a list of objects")
        return
    name = annotation.get("file_name")
    base = next((b for b in (pictures, folder.root, pictures.parent) if _is_there(folder, b, name)), pictures)
    path = folder.inside(base, name)
    if path is None:
        yield Finding(file, where, "path-outside", shown(name), "a file inside the folder")
        return
    if not is_file(path):
        yield Finding(file, where, "image-missing", shown(name), "a panoptic PNG")
        return
    if size is not None and image_size(path) not in (size, None):
        yield Finding(file, where, "panoptic-size", f"{image_size(path)} of {name}", f"{size}")
        return
    try:
        pixels = read_pixels(path)
    except BadFile as error:
        yield Finding(file, where, "image-unreadable", shown(name), f"an image ({error})")
        return
    if pixels.ndim != 3 or pixels.shape[2] < 3 or pixels.dtype != np.uint8:
        yield Finding(file, where, "panoptic-size", f"{pixels.shape} of {pixels.dtype}", "8-bit RGB")
        return
    ids = (pixels[..., :3].astype(np.int64) @ np.array([1, 256, 65536])).astype(np.int64)
    yield from _check_segments(ids, segments, categories, place)


def _is_there(folder: Folder, base: Path, name: Any) -> bool:
    path = folder.inside(base, name)
    return path is not None and is_file(path)


def _check_segments(
    ids: Any, segments: list[dict[str, Any]], categories: set[Any], place: tuple[str, str]
) -> Iterator[Finding]:
    file, where = place
    values, first, counts = np.unique(ids, return_index=True, return_counts=True)
    area_of = dict(zip(values.tolist(), counts.tolist()))
    place_of = dict(zip(values.tolist(), first.tolist()))
    named: set[int] = set()
    for segment in segments:
        number = segment.get("id")
        here = f"{where}, segment {shown(number)}"
        if not is_whole(number):
            yield Finding(file, here, "id-not-integer", shown(number), "a whole number")
            continue
        if number in named:
            yield Finding(file, here, "id-duplicate", str(number), "a segment of its own")
        named.add(number)
        if number == VOID or number not in area_of:
            yield Finding(file, here, "panoptic-segment-absent", str(number), "an id with pixels in the PNG")
            continue
        if key_of(segment.get("category_id")) not in categories:
            yield Finding(file, here, "category-id-unknown", shown(segment.get("category_id")), "an id of categories")
        if not is_number(segment.get("iscrowd", 0)) or segment.get("iscrowd", 0) not in (0, 1):
            yield Finding(file, here, "iscrowd-invalid", shown(segment.get("iscrowd")), "0 or 1")
        if segment.get("area") != area_of[number]:
            yield Finding(file, here, "area-not-mask", shown(segment.get("area")), f"{area_of[number]} of the PNG")
        box = _box_of(ids, number)
        if not are_numbers(segment.get("bbox"), 4):
            yield Finding(file, here, "box-invalid", shown(segment.get("bbox")), "four finite numbers")
        elif segment["bbox"] != box:
            yield Finding(file, here, "box-not-mask", shown(segment["bbox"]), f"{box} of the PNG")
    for number in values.tolist():
        if number != VOID and number not in named:
            y, x = divmod(place_of[number], ids.shape[1])
            value = f"id {number}, first at x={x} y={y}"
            yield Finding(file, where, "panoptic-segment-missing", value, "a segment for every id but 0")


def _box_of(ids: Any, number: int) -> list[int]:
    mask = ids == number
    x, y = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return [int(x[0]), int(y[0]), int(x[-1] - x[0]) + 1, int(y[-1] - y[0]) + 1]
