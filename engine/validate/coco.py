"""Check a COCO file by arithmetic, ours or anybody's: readers accept boxes that contradict masks without a word.

Source: COCO data format, https://cocodataset.org/#format-data; `pycocotools.mask` is the judge of areas and boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import UserError
from engine.validate.coco_category import check_category
from engine.validate.coco_keypoints import check_keypoints
from engine.validate.coco_mask import MaskBatch
from engine.validate.coco_pixels import check_pixel_counts
from engine.validate.finding import Finding, are_numbers, is_number, is_whole, shown

MAX_SIDE_PX = 2**16  # pycocotools takes memory for every pixel of an outline
BATCH = 1024  # annotations whose masks are measured together
LISTS = ("images", "annotations", "categories")

# File name -> (width, height) [px]; None: no such file. Raises UserError: not to be read; ValueError: no image.
ImageSize = Callable[[str], tuple[int, int] | None]


@dataclass
class Known:
    """What annotations refer to; ids that are text are known by the number they spell, since they are named already."""

    file: str
    size_of: dict[Any, tuple[int, int] | None] = field(default_factory=dict)  # image -> (width, height), None: unknown
    categories: dict[Any, Mapping[str, Any]] = field(default_factory=dict)


def has_lists(data: Any) -> bool:
    """Return whether the data have the three lists of a detection file, whatever is in them."""
    return isinstance(data, dict) and all(isinstance(data.get(name), list) for name in LISTS)


def check_coco(
    data: Any, file: str, image_size: ImageSize, tick: Callable[[int], None] = lambda _: None
) -> Iterator[Finding]:
    """Yield every fault of a parsed COCO detection file.

    Args:
        data: The JSON data.
        file: Its path, for the findings.
        image_size: Looks up a picture.
        tick: Told how many items were looked at.
    """
    if not has_lists(data):
        yield Finding(file, "", "coco-lists", shown(data), f"the lists {', '.join(LISTS)}")
        return
    known = Known(file)
    yield from check_ids(file, "images", data["images"], zero="image-id-below-one")
    yield from check_images(known, data["images"], image_size, tick)
    yield from check_ids(file, "categories", data["categories"])
    yield from _check_categories(known, data["categories"])
    yield from check_ids(file, "annotations", data["annotations"])
    yield from _check_annotations(known, data["annotations"], tick)


def check_ids(file: str, name: str, items: list[Any], *, zero: str = "id-below-one") -> Iterator[Finding]:
    """Yield what is wrong with the ids of a list."""
    seen: set[int] = set()
    for position, item in enumerate(items):
        where = f"{name}[{position}]"
        if not isinstance(item, dict):
            yield Finding(file, where, "item-not-object", shown(item), "an object")
            continue
        number = item.get("id")
        if not is_whole(number):
            yield Finding(file, where, "id-not-integer", shown(number), "a whole number")
            continue
        if number in seen:
            yield Finding(file, where, "id-duplicate", str(number), "an id of its own")
        elif number < 1:
            yield Finding(file, where, zero, str(number), "ids from 1")
        seen.add(number)


def key_of(value: Any) -> Any:
    """Return an id as a key: a number, also where text spells one; None: it is neither."""
    if is_whole(value):
        return value
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else value
    return None


def check_images(
    known: Known, images: list[Any], image_size: ImageSize, tick: Callable[[int], None]
) -> Iterator[Finding]:
    """Yield what is wrong with images, and remember their sizes: those of the files where they can be read."""
    names: set[str] = set()
    for image in images:
        tick(1)
        if not isinstance(image, dict):
            continue
        where = f"image {shown(image.get('id'))}"
        size = (image.get("width"), image.get("height"))
        stated = _sides(*size)
        if stated is None:
            wanted = f"width and height from 1 to {MAX_SIDE_PX}"
            yield Finding(known.file, where, "image-size-invalid", shown(list(size)), wanted)
        actual = None
        name = image.get("file_name")
        if not isinstance(name, str) or not name:
            yield Finding(known.file, where, "file-name-invalid", shown(name), "text")
        else:
            if name in names:
                yield Finding(known.file, where, "file-name-duplicate", shown(name), "a file of its own")
            names.add(name)
            actual, finding = _measure(known.file, where, name, image_size)
            if finding is not None:
                yield finding
        if actual is not None and stated is not None and actual != stated:
            rule = "image-size-swapped" if actual == stated[::-1] else "image-size-wrong"
            yield Finding(known.file, where, rule, f"{size[0]}x{size[1]}", f"{actual[0]}x{actual[1]} of {name}")
        known.size_of.setdefault(key_of(image.get("id")), actual or stated)


def _sides(width: Any, height: Any) -> tuple[int, int] | None:
    if is_whole(width) and is_whole(height) and 1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX:
        return width, height
    return None


def _measure(file: str, where: str, name: str, image_size: ImageSize) -> tuple[tuple[int, int] | None, Finding | None]:
    try:
        actual = image_size(name)
    except UserError as error:
        return None, Finding(file, where, "path-outside", shown(name), f"a file inside the folder ({error})")
    except ValueError:
        return None, Finding(file, where, "image-unreadable", shown(name), "an image")
    if actual is None:
        return None, Finding(file, where, "image-missing", shown(name), "a file")
    return actual, None


def _check_categories(known: Known, categories: list[Any]) -> Iterator[Finding]:
    names: set[str] = set()
    for category in categories:
        if isinstance(category, dict):
            known.categories.setdefault(key_of(category.get("id")), category)
            yield from check_category(known.file, category, names)


def _check_annotations(known: Known, annotations: list[Any], tick: Callable[[int], None]) -> Iterator[Finding]:
    seen: set[int] = set()
    batch = MaskBatch(known.file)
    outlines = [a["segmentation"] for a in annotations if isinstance(a, dict) and "segmentation" in a]
    has_masks = any(outline != [] for outline in outlines)
    if outlines and not has_masks:
        value = f"[] in all {len(outlines)} annotations that have one"
        yield Finding(known.file, "", "segmentation-none", value, "masks, or no segmentation")
    for position, annotation in enumerate(annotations):
        if isinstance(annotation, dict):
            bare = {key: value for key, value in annotation.items() if key != "segmentation"}
            yield from _check_annotation(known, annotation if has_masks else bare, seen, batch)
        if len(batch.rows) >= BATCH or position == len(annotations) - 1:
            yield from batch.check()
            tick(BATCH)
            batch = MaskBatch(known.file)


def _check_annotation(
    known: Known, annotation: Mapping[str, Any], seen: set[int], batch: MaskBatch
) -> Iterator[Finding]:
    file, where = known.file, f"annotation {shown(annotation.get('id'))}"
    category, faults = _refer(file, where, annotation, "category_id", known.categories)
    yield from faults
    size, faults = _refer(file, where, annotation, "image_id", known.size_of)
    yield from faults
    if not is_number(annotation.get("iscrowd")) or annotation["iscrowd"] not in (0, 1):
        yield Finding(file, where, "iscrowd-invalid", shown(annotation.get("iscrowd")), "0 or 1")
    box_faults = list(check_box(file, where, annotation, size))
    yield from box_faults
    area_faults = list(_check_area(file, where, annotation, has_box=not box_faults))
    yield from area_faults
    if category is not None:
        yield from check_keypoints(file, where, annotation, category, size)
    yield from check_pixel_counts(file, where, annotation, has_box=not box_faults)
    same = _identity(annotation)
    if same is not None:
        if same in seen:
            yield Finding(file, where, "row-duplicate", shown(annotation.get("bbox")), "an object listed once")
        seen.add(same)
    if size is not None and "segmentation" in annotation:
        yield from batch.add(where, annotation, size, (not box_faults, not area_faults))
    elif size is not None and not box_faults:
        yield from _check_outside(file, where, annotation["bbox"], size)


def _refer(
    file: str, where: str, annotation: Mapping[str, Any], name: str, known: Mapping[Any, Any]
) -> tuple[Any, tuple[Finding, ...]]:
    """Return what an id refers to, or None, and what is wrong with it."""
    value = annotation.get(name)
    key = key_of(value)
    if key is None or key not in known:
        rule = "image-id-unknown" if name == "image_id" else "category-id-unknown"
        return None, (
            Finding(file, where, rule, shown(value), f"an id of {'images' if name == 'image_id' else LISTS[2]}"),
        )
    faults = () if is_whole(value) else (Finding(file, where, "id-not-integer", shown(value), f"a whole {name}"),)
    return known[key], faults


def check_box(file: str, where: str, annotation: Mapping[str, Any], size: Any) -> Iterator[Finding]:
    """Yield what is wrong with a box by itself; whether it leaves the image is for who knows its mask."""
    box = annotation.get("bbox")
    if not are_numbers(box, 4):
        yield Finding(file, where, "box-invalid", shown(box), "four finite numbers x, y, width, height")
    elif box[2] <= 0 or box[3] <= 0:
        yield Finding(file, where, "box-not-positive", shown(box), "a positive width and height")


def _check_outside(file: str, where: str, box: Any, size: tuple[int, int]) -> Iterator[Finding]:
    if leaves(box, size):
        yield Finding(file, where, "box-outside", shown(box), f"a box inside {size[0]}x{size[1]}")


def leaves(box: Any, size: tuple[int, int]) -> bool:
    """Return whether a box reaches over the border of an image by more than rounding."""
    x, y, width, height = box
    slack = 0.0 if all(map(is_whole, box)) else 1.0e-3  # decimals of other tools
    return bool(x < -slack or y < -slack or x + width > size[0] + slack or y + height > size[1] + slack)


def _check_area(file: str, where: str, annotation: Mapping[str, Any], *, has_box: bool) -> Iterator[Finding]:
    area, box = annotation.get("area"), annotation.get("bbox")
    if not is_number(area) or area <= 0:
        yield Finding(file, where, "area-invalid", shown(area), "a positive number")
    elif has_box and box is not None and "segmentation" not in annotation and area > box[2] * box[3] * 1.001 + 1:
        yield Finding(file, where, "area-above-box", shown(area), f"at most {shown(box[2] * box[3])}")


def _identity(annotation: Mapping[str, Any]) -> int | None:
    """Return a number that two annotations share if they say the same of one image, class, box and mask."""
    box, segmentation = annotation.get("bbox"), annotation.get("segmentation")
    if not are_numbers(box, 4):
        return None
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else segmentation
    points = annotation.get("keypoints")
    try:
        outline = counts if isinstance(counts, str) else repr(counts)
        return hash(
            (key_of(annotation.get("image_id")), key_of(annotation.get("category_id")), *box, outline, repr(points))
        )
    except RecursionError:
        return None
