"""Check a COCO file by arithmetic, ours or anybody's: readers accept boxes that contradict masks without a word.

Source: COCO data format, https://cocodataset.org/#format-data; `pycocotools.mask` is the judge of areas and boxes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from engine.dataset.faults import REMAKE_VIEWS, Fault
from engine.errors import UserError
from engine.plain import MAX_INTEGER

POLYGON_TOLERANCE_PX = 1.0  # polygons are rasterised with half-pixel rules that differ between tools
FAR_OUTSIDE = 4  # times the larger side of the image; pycocotools takes memory for every pixel of an outline
LONGEST_VALUE = 60  # characters of a value in a fault
POLYGON_TOLERANCE_AREA = 0.1  # relative, for the same reason

# File name -> (width, height) [px]; None: no such file. May raise UserError: not a file to be read.
ImageSize = Callable[[str], tuple[int, int] | None]


@dataclass(frozen=True)
class CocoFault:
    """Where in the file, which rule, and what was found there."""

    where: str
    rule: str
    found: str


def check_coco(data: Any, file: str, image_size: ImageSize) -> Iterator[Fault]:
    """Yield every fault of a parsed COCO detection file.

    Args:
        data: The JSON data.
        file: Its path, for the faults.
        image_size: Looks up a picture.
    """
    for fault in _all(data, image_size):
        yield Fault(file, f"{fault.where}: {fault.rule}, {fault.found}", REMAKE_VIEWS)


def has_lists(data: Any) -> bool:
    """Return whether the data have the three lists of a detection file, whatever is in them."""
    lists = ("images", "annotations", "categories")
    return isinstance(data, dict) and all(isinstance(data.get(name), list) for name in lists)


def _all(data: Any, image_size: ImageSize) -> Iterator[CocoFault]:
    lists = ("images", "annotations", "categories")
    if not has_lists(data):
        yield CocoFault("file", "needs the lists images, annotations and categories", "other data")
        return
    for name in lists:
        yield from _check_numbers(name, data[name])
    images, annotations, categories = ([item for item in data[name] if isinstance(item, dict)] for name in lists)
    for image in images:
        yield from _check_image(image, image_size)
    for category in categories:
        yield from _check_category(category)
    image_of = {image["id"]: image for image in images if _is_whole(image.get("id"))}
    category_of = {category["id"]: category for category in categories if _is_whole(category.get("id"))}
    for annotation in annotations:
        yield from _check_annotation(annotation, image_of, category_of)


def _check_numbers(name: str, items: list[Any]) -> Iterator[CocoFault]:
    seen: set[int] = set()
    for position, item in enumerate(items):
        where = f"{name}[{position}]"
        if not isinstance(item, dict):
            yield CocoFault(where, "must be an object", _shown(item))
            continue
        number = item.get("id")
        if not _is_whole(number):
            yield CocoFault(where, "id must be a whole number", _shown(number))
            continue
        if number < 1:
            yield CocoFault(where, "ids begin at 1", str(number))
        elif number in seen:
            yield CocoFault(where, "id is used twice", str(number))
        seen.add(number)


def _check_image(image: Mapping[str, Any], image_size: ImageSize) -> Iterator[CocoFault]:
    where = f"image {_shown(image.get('id'))}"
    size: tuple[Any, Any] = (image.get("width"), image.get("height"))
    name = image.get("file_name")
    if not all(map(_is_whole, size)) or min(size) < 1:
        yield CocoFault(where, "width and height must be whole numbers of pixels", _shown(list(size)))
    if not isinstance(name, str):
        yield CocoFault(where, "file_name must be text", _shown(name))
        return
    try:
        actual = image_size(name)
    except UserError as error:
        yield CocoFault(where, "its file is not one of the dataset", str(error))
        return
    if actual is None:
        yield CocoFault(where, "its file is missing", name)
    elif size != actual:
        yield CocoFault(where, f"its file is {actual[0]}x{actual[1]}", f"width x height say {size[0]}x{size[1]}")


def _check_category(category: Mapping[str, Any]) -> Iterator[CocoFault]:
    where = f"category {_shown(category.get('id'))}"
    if not isinstance(category.get("name"), str):
        yield CocoFault(where, "name must be text", _shown(category.get("name")))
    if not isinstance(category.get("keypoints", []), list):
        yield CocoFault(where, "keypoints must be a list of names", _shown(category["keypoints"]))


def _check_annotation(
    annotation: Mapping[str, Any], images: Mapping[Any, Any], categories: Mapping[Any, Any]
) -> Iterator[CocoFault]:
    where = f"annotation {_shown(annotation.get('id'))}"
    ids = [annotation.get(key) for key in ("image_id", "category_id")]
    image, category = (known.get(key) if _is_whole(key) else None for known, key in zip((images, categories), ids))
    if category is None:
        yield CocoFault(where, "category_id is unknown", _shown(ids[1]))
    elif "keypoints" in annotation:
        yield from _check_keypoints(where, annotation, category)
    if annotation.get("iscrowd") not in (0, 1):
        yield CocoFault(where, "iscrowd must be 0 or 1", _shown(annotation.get("iscrowd")))
    if not _is_number(annotation.get("area")):
        yield CocoFault(where, "area must be a number", _shown(annotation.get("area")))
    if image is None:
        yield CocoFault(where, "image_id is unknown", _shown(ids[0]))
        return
    size = (image.get("width"), image.get("height"))
    if not all(map(_is_whole, size)):
        return  # named with the image
    box_faults = list(_check_box(where, annotation.get("bbox"), size))
    yield from box_faults
    if "segmentation" in annotation:
        yield from _check_segmentation(where, annotation, size, box_is_sound=not box_faults)


def _check_box(where: str, box: Any, size: tuple[Any, Any]) -> Iterator[CocoFault]:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        yield CocoFault(where, "bbox must be four finite numbers x, y, width, height", _shown(box))
        return
    x, y, width, height = box
    if width <= 0 or height <= 0:
        yield CocoFault(where, "bbox must have a positive width and height", str(box))
    elif x < 0 or y < 0 or x + width > size[0] or y + height > size[1]:
        yield CocoFault(where, f"bbox leaves the image of {size[0]}x{size[1]}", str(box))


def _check_segmentation(
    where: str, annotation: Mapping[str, Any], size: tuple[Any, Any], *, box_is_sound: bool
) -> Iterator[CocoFault]:
    segmentation = annotation["segmentation"]
    exact = isinstance(segmentation, Mapping)
    rle = _rle_of_mapping(where, segmentation, size) if exact else _rle_of_polygons(where, annotation, size)
    if isinstance(rle, CocoFault):
        yield rle
        return
    area, box = _measure(rle)
    if area == 0:
        yield CocoFault(where, "its mask is empty", "0 px")
        return
    if box_is_sound and not _close(box, annotation["bbox"], 0.0 if exact else POLYGON_TOLERANCE_PX):
        yield CocoFault(where, f"the box of its mask is {box}", f"bbox says {annotation['bbox']}")
    stated: Any = annotation.get("area")
    if _is_number(stated) and abs(stated - area) > (0 if exact else POLYGON_TOLERANCE_AREA * area + 1):
        yield CocoFault(where, f"the area of its mask is {area}", f"area says {stated}")


def _rle_of_mapping(where: str, segmentation: Mapping[str, Any], size: tuple[Any, Any]) -> dict[str, Any] | CocoFault:
    from pycocotools import mask as coco_mask

    if segmentation.get("size") != [size[1], size[0]]:
        return CocoFault(where, f"RLE size must be [height, width] {[size[1], size[0]]}", str(segmentation.get("size")))
    counts = segmentation.get("counts")
    if isinstance(counts, list):
        if not all(_is_whole(count) and count >= 0 for count in counts):
            return CocoFault(where, "RLE counts must be whole numbers from 0", _shown(counts))
        if sum(counts) != size[0] * size[1]:
            return CocoFault(where, "RLE counts must add up to the pixels of the image", str(sum(counts)))
        rle: dict[str, Any] = coco_mask.frPyObjects(dict(segmentation), size[1], size[0])
        return rle
    runs = None if not isinstance(counts, str) else runs_of(counts)
    if runs is None or sum(runs) != size[0] * size[1]:
        return CocoFault(where, "RLE counts must decode to the pixels of the image", f"{str(counts)[:24]}...")
    return {"size": [size[1], size[0]], "counts": str(counts).encode("ascii")}


def runs_of(counts: str) -> list[int] | None:
    """Return the run lengths of a compressed RLE, or None if it is not one. pycocotools would read beyond the end.

    Source: `rleFrString` of the COCO API, https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c:
    characters carry 5 bits above 48, bit 5 says that more follow, the sign is that of the last one's bit 4; from the
    third run on (the fourth number), numbers are differences from the run two before.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        if len(runs) > 2:
            value += runs[-2]
        if value < 0:
            return None
        runs.append(value)
        value = shift = 0
    return None if shift else runs


def _rle_of_polygons(where: str, annotation: Mapping[str, Any], size: tuple[Any, Any]) -> dict[str, Any] | CocoFault:
    from pycocotools import mask as coco_mask

    polygons = annotation["segmentation"]
    if annotation.get("iscrowd") == 1:
        return CocoFault(where, "iscrowd=1 needs an RLE", "polygons")
    if not isinstance(polygons, list) or not polygons:
        return CocoFault(where, "segmentation must not be empty", _shown(polygons))
    reach = FAR_OUTSIDE * max(size)
    for polygon in polygons:
        if not isinstance(polygon, list):
            return CocoFault(where, "a polygon must be a list of numbers x, y", _shown(polygon))
        if len(polygon) < 6 or len(polygon) % 2 or not all(map(_is_number, polygon)):
            return CocoFault(where, "a polygon needs at least three points x, y", f"{len(polygon)} numbers")
        if max(map(abs, polygon)) > reach:
            return CocoFault(where, "a polygon lies far outside its image", _shown(polygon))
    rle: dict[str, Any] = coco_mask.merge(coco_mask.frPyObjects(polygons, size[1], size[0]))
    return rle


def _measure(rle: dict[str, Any]) -> tuple[int, list[int]]:
    from pycocotools import mask as coco_mask

    return int(coco_mask.area(rle)), [round(value) for value in coco_mask.toBbox(rle)]


def _check_keypoints(where: str, annotation: Mapping[str, Any], category: Mapping[str, Any]) -> Iterator[CocoFault]:
    points, names = annotation["keypoints"], category.get("keypoints", [])
    if not isinstance(names, list):
        return  # named with the category
    if not isinstance(points, list) or len(points) != 3 * len(names) or not all(map(_is_number, points)):
        yield CocoFault(where, f"keypoints must be {3 * len(names)} numbers, 3 each", _shown(points))
        return
    visible = sum(1 for v in points[2::3] if v > 0)
    if annotation.get("num_keypoints") != visible:
        yield CocoFault(where, f"num_keypoints must be {visible}", repr(annotation.get("num_keypoints")))


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_whole(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number that JSON keeps exactly: larger ones overflow in readers."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _close(a: list[int], b: list[float], tolerance: float) -> bool:
    return all(abs(x - y) <= tolerance for x, y in zip(a, b))
