"""COCO as a source of pictures: one file of labels or one a split, wherever COCO, Roboflow and others put them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.collect.source import Labelled, Picture, file_inside
from engine.errors import UserError
from engine.formats.coco import IMAGE_KNOWN, LENS
from engine.formats.coco_json import annotation_record, category_record
from engine.formats.folders import BROKEN, read_json, reason
from engine.formats.record import Category, Instance

ROBOFLOW = "_annotations.coco.json"
PLAIN = ("annotations.json", ROBOFLOW, "instances.json")
TASKS = ("instances", "person_keypoints")  # prefixes of COCO's files; the first that is there is read
LISTS = ("images", "annotations", "categories")
CAMERA = ("k", "world_from_camera")
KEPT = ("source_id", "source_file_name")  # what an export of ours says of the images before it
FEWEST_NUMBERS = 6  # of a polygon
TITLE = 80  # characters of a description that name the data


@dataclass(frozen=True)
class LabelFile:
    """A file of labels and where its pictures lie."""

    path: Path
    split: str  # "": it is not one of several
    places: tuple[Path, ...]  # folders that pictures may be relative to


@dataclass(frozen=True)
class CocoPictures:
    """Labels of COCO, parsed; masks are made when they are asked for."""

    folder: Path
    categories: tuple[Category, ...]
    pictures: Sequence[Picture]
    images: Sequence[Mapping[str, Any]]  # as in the file
    of_picture: Sequence[Sequence[Mapping[str, Any]]]  # annotations
    keys: Sequence[Mapping[int, str]]  # of the file of a picture: category id -> key
    label_files: Mapping[str, Path]
    info: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The description in the file."""
        return str(self.info.get("description") or "coco")[:TITLE]

    def labels(self, number: int, size: tuple[int, int]) -> Labelled:
        """Return the annotations and the camera of an image.

        Raises:
            UserError: If one cannot be understood.
        """
        picture, keys = self.pictures[number], self.keys[number]
        found = []
        for plain in self.of_picture[number]:
            where = f"{picture.name}, annotation {plain.get('id')}"
            found.append(annotation_of(plain, keys[plain["category_id"]], size, where))
        image = self.images[number]
        if LENS[0] in image:  # k alone does not say where a point is seen; both stay columns of the source
            return Labelled(tuple(found))
        return Labelled(tuple(found), _matrix(image.get("k"), 3), _matrix(image.get("world_from_camera"), 4))

    def place(self, number: int, instance: Instance) -> str:
        """Return picture and annotation."""
        return f"{self.pictures[number].name}, annotation {instance.extra.get('source_id', instance.id)}"


def open_coco(folder: Path, annotations: Path | None = None) -> CocoPictures:
    """Return the pictures of a COCO folder.

    Args:
        folder: Where pictures lie.
        annotations: The file of labels; None: the files are looked for.
    Raises:
        UserError: If there is none, or one contradicts itself.
    """
    files = label_files(folder, annotations)
    categories: dict[str, Category] = {}
    pictures: list[Picture] = []
    images: list[Mapping[str, Any]] = []
    of_picture: list[Sequence[Mapping[str, Any]]] = []
    keys: list[Mapping[int, str]] = []
    info: Mapping[str, Any] = {}
    names: set[Path] = set()
    for file in files:
        where = _relative(file.path, folder)
        data = _read(file.path)
        key_of = _categories(data, categories, where)
        info = info or (data["info"] if isinstance(data.get("info"), Mapping) else {})
        base = _place(file, data["images"])
        grouped = _grouped(data, key_of, where)
        licences = _licences(data)
        for image in data["images"]:
            picture = _picture(image, folder, base, (file.split, where), licences)
            if picture.path in names:
                raise UserError(f"{where}: {picture.name} is listed twice; keep one image of that file_name")
            names.add(picture.path)
            pictures.append(picture)
            images.append(image)
            of_picture.append(grouped.pop(image["id"], ()))
            keys.append(key_of)
    labels = {_relative(file.path, folder): file.path for file in files}
    ordered = tuple(sorted(categories.values(), key=lambda c: c.id))
    return CocoPictures(folder, ordered, pictures, images, of_picture, keys, labels, info)


def label_files(folder: Path, annotations: Path | None) -> list[LabelFile]:
    """Return the files of labels of a folder, sorted by split.

    Raises:
        UserError: If there is none.
    """
    if annotations is not None:
        return [LabelFile(annotations, "", _places(folder, annotations.parent, annotations.stem))]
    for name in PLAIN:
        if (folder / name).is_file():
            return [LabelFile(folder / name, "", (folder, folder / "images"))]
    splits = sorted(folder.glob(f"*/{ROBOFLOW}"))
    if splits:
        return [LabelFile(path, path.parent.name, (path.parent, folder)) for path in splits]
    found = sorted((folder / "annotations").glob("*.json"))
    for task in TASKS:
        named = [path for path in found if path.stem.startswith(f"{task}_")]
        if named:
            return [_split_file(folder, path, path.stem.removeprefix(f"{task}_")) for path in named]
    detection = [path for path in found if not path.stem.startswith("captions")]
    if detection:
        is_one = len(detection) == 1
        return [_split_file(folder, path, "" if is_one else path.stem) for path in detection]
    raise UserError(
        f"{folder} has no COCO labels: neither annotations.json, annotations/*.json nor <split>/{ROBOFLOW}; "
        "name the file with --annotations"
    )


def annotation_of(plain: Mapping[str, Any], key: str, size: tuple[int, int], where: str) -> Instance:
    """Return an annotation; `extra` has `source_id`, `polygons` and `stated_area` where they say more than the mask.

    Raises:
        UserError: If it cannot be understood.
    """
    try:
        polygons = check_segmentation(plain.get("segmentation"), size)
        if "bbox" not in plain:
            plain = {**plain, "bbox": _box_of(plain, size)}
        instance = annotation_record(plain, key, *size)
    except BROKEN as error:
        raise UserError(f"{where} cannot be understood: {reason(error)}; repair it") from error
    extra = {name: value for name, value in instance.extra.items() if value is not None}
    extra["source_id"] = extra.get("source_id", plain["id"])
    if plain.get("class_key", key) != key:
        extra["class_key"] = plain["class_key"]
    if polygons is not None:
        extra["polygons"] = polygons
    mask, seen = instance.mask, instance.visible_px
    if mask is not None:
        seen = area_px(mask.counts, mask.height, mask.width)
        if not seen:
            mask = seen = None  # thinner than a pixel: the box is what is left of it
    stated = plain.get("area")
    if isinstance(stated, int | float) and math.isfinite(stated) and stated != seen:
        extra["stated_area"] = float(stated)
    return replace(instance, mask=mask, visible_px=seen, extra=extra)


def area_px(counts: bytes, height: int, width: int) -> int:
    """Return the pixels of a mask."""
    from pycocotools import mask as coco_mask

    return int(coco_mask.area({"size": [height, width], "counts": counts}))


def check_segmentation(segmentation: Any, size: tuple[int, int]) -> list[list[float]] | None:
    """Return the polygons of a mask, None: it has none; pycocotools reads beyond the end of what is no mask.

    Raises:
        ValueError: If it is no mask of a picture of (width, height).
    """
    from engine.validate.rle import runs_of

    if isinstance(segmentation, Mapping):
        counts = segmentation["counts"]
        runs = runs_of(counts) if isinstance(counts, str) else counts
        if tuple(segmentation["size"]) != size[::-1]:
            raise ValueError(f"a mask of size {segmentation['size']} in an image of [{size[1]}, {size[0]}]")
        if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
            raise ValueError("counts of a mask that are no run lengths")
        if sum(runs) != size[0] * size[1]:
            raise ValueError(f"the runs of a mask add up to {sum(runs)}, the image has {size[0] * size[1]} pixels")
        return None
    if not segmentation:
        return None
    polygons = [[float(value) for value in polygon] for polygon in segmentation]
    for polygon in polygons:
        if len(polygon) < FEWEST_NUMBERS or len(polygon) % 2 or not all(map(math.isfinite, polygon)):
            raise ValueError(f"a polygon of {len(polygon)} numbers; it needs three points x, y or more, all finite")
        if max(map(abs, polygon)) > 4 * max(size):
            raise ValueError(f"a polygon with a point at {max(map(abs, polygon)):g}, far outside of the picture")
    return polygons


def _read(path: Path) -> Any:
    data = read_json(path)
    if not isinstance(data, Mapping) or not all(isinstance(data.get(name), list) for name in LISTS):
        raise UserError(f"{path} is no COCO file: it needs the lists {', '.join(LISTS)}")
    for name in LISTS:
        if not all(isinstance(item, Mapping) for item in data[name]):
            raise UserError(f"{path}: {name} holds something that is no object")
    return data


def _categories(data: Any, known: dict[str, Category], where: str) -> dict[int, str]:
    """Return the key of every category of a file, and add them to those known."""
    used = {annotation.get("category_id") for annotation in data["annotations"]}
    key_of: dict[int, str] = {}
    named: dict[str, Category] = {}
    for plain in data["categories"]:
        try:
            category = category_record(plain)
        except BROKEN as error:
            raise UserError(f"{where}: a category cannot be understood: {reason(error)}") from error
        if category.id in key_of:
            raise UserError(f"{where}: two categories have the id {category.id}; give each its own")
        if not category.key.strip() or not category.key.isprintable():
            raise UserError(f"{where}: category {category.id} has the name {category.key!r}; name it")
        other = named.get(category.key)
        if other is not None and {other.id, category.id} <= used:
            raise UserError(f"{where}: two categories are called '{category.key}'; rename one")
        if other is None or category.id in used:  # Roboflow lists the data set itself as an unused category 0
            named[category.key] = category
        key_of[category.id] = category.key
    for key, category in named.items():
        first = known.setdefault(key, category)
        if (first.id, first.keypoints) != (category.id, category.keypoints):
            raise UserError(f"{where}: category '{key}' has another id or other keypoints than in the first file")
    taken: dict[int, str] = {}
    for key, category in known.items():
        if taken.setdefault(category.id, key) != key:
            raise UserError(f"{where}: '{key}' and '{taken[category.id]}' of another file share the id {category.id}")
    return key_of


def _grouped(data: Any, key_of: Mapping[int, str], where: str) -> dict[Any, list[Mapping[str, Any]]]:
    """Return the annotations of every image."""
    images: set[Any] = set()
    for image in data["images"]:
        number = image.get("id")
        if not isinstance(number, int | str) or number in images:
            raise UserError(f"{where}: image id {number!r} is missing, or used twice; give each image its own")
        images.add(number)
    seen: set[Any] = set()
    grouped: dict[Any, list[Mapping[str, Any]]] = {}
    for annotation in data["annotations"]:
        number, image = annotation.get("id"), annotation.get("image_id")
        if type(number) is not int or number in seen:
            raise UserError(f"{where}: annotation id {number!r} is no whole number, or used twice; number them anew")
        if image not in images:
            raise UserError(f"{where}: annotation {number} is of image {image!r}, which is not there; add or remove it")
        if annotation.get("category_id") not in key_of:
            raise UserError(f"{where}: annotation {number} is of category {annotation.get('category_id')!r}, unknown")
        seen.add(number)
        grouped.setdefault(image, []).append(annotation)
    return grouped


def _picture(
    image: Mapping[str, Any],
    folder: Path,
    base: Path,
    origin: tuple[str, str],
    licences: Mapping[Any, Mapping[str, Any]],
) -> Picture:
    split, where = origin
    path = file_inside(base, image.get("file_name"), f"{where}: image {image['id']}")
    name = _relative(path, folder)
    known = IMAGE_KNOWN - {*LENS, *CAMERA} if LENS[0] in image else IMAGE_KNOWN
    said = {key: value for key, value in image.items() if key not in known}
    said = {"split": split} | said if split else said
    said |= {key: value for key, value in licences.get(image.get("license"), {}).items() if key not in said}
    said["source_id"] = image.get(KEPT[0], image["id"])
    said["file_name"] = said.pop(KEPT[1], image["file_name"])
    width, height = image.get("width"), image.get("height")
    if width is None and height is None:
        return Picture(name, path, said)
    if type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise UserError(f"{where}: image {image['id']} ({name}) has the size {width!r} x {height!r}; correct it")
    return Picture(name, path, said, (width, height))


def _licences(data: Mapping[str, Any]) -> dict[Any, dict[str, Any]]:
    """Return name and address of the licences of a file by their id."""
    table = data.get("licenses")
    found: dict[Any, dict[str, Any]] = {}
    for one in table if isinstance(table, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("id"), int | str):
            facts = {"licence": one.get("name"), "licence_url": one.get("url")}
            found[one["id"]] = {name: str(value) for name, value in facts.items() if value}
    return found


def _split_file(folder: Path, path: Path, split: str) -> LabelFile:
    return LabelFile(path, split, _places(folder, path.parent, split))


def _places(folder: Path, beside: Path, split: str) -> tuple[Path, ...]:
    """Return where pictures may lie: ours and COCO's own, in the folder of all, or beside the labels."""
    near = (beside,) if beside.resolve().is_relative_to(folder.resolve()) else ()
    return (folder / "images" / split, folder / split, folder, folder / "images", *near)


def _place(file: LabelFile, images: Sequence[Mapping[str, Any]]) -> Path:
    """Return the folder that the first picture lies in; of none, the first that is there."""
    for name in [image["file_name"] for image in images[:1] if isinstance(image.get("file_name"), str)]:
        for place in file.places:
            if not Path(name).is_absolute() and ".." not in Path(name).parts and (place / name).is_file():
                return place
    return next((place for place in file.places if place.is_dir()), file.places[0])


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _matrix(values: Any, side: int) -> Any:
    return None if values is None else np.reshape(np.asarray(values, np.float64), (side, side))


def _box_of(plain: Mapping[str, Any], size: tuple[int, int]) -> list[float]:
    """Return the box of a mask."""
    from pycocotools import mask as coco_mask

    segmentation = plain["segmentation"]
    rles = coco_mask.frPyObjects(segmentation, size[1], size[0])
    box: list[float] = coco_mask.toBbox(coco_mask.merge(rles) if isinstance(rles, list) else rles).tolist()
    return box


def info_text(source: CocoPictures) -> str:
    """Return what the file says of itself, as JSON."""
    return json.dumps(source.info, ensure_ascii=False, sort_keys=True) if source.info else ""
