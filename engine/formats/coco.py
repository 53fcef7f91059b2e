"""COCO: `annotations/instances_<split>.json` or `person_keypoints_<split>.json`, pictures in `images/<split>/`.

Layout and fields as https://cocodataset.org/#format-data; `file_name` is relative to `images/<split>`.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import numpy as np

from engine.errors import UserError
from engine.formats.coco_json import (
    REAL,
    annotation_json,
    annotation_record,
    category_json,
    category_record,
    image_json,
    json_line,
    said_json,
)
from engine.formats.record import Category, Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext, FormatCategory, Records, frame_stem
from engine.write.files import inside

LENS = ("lens_model", "lens_coefficients", "lens_limit")  # of images that no pinhole saw
IMAGE_KNOWN = frozenset(
    {"id", "file_name", "width", "height", "world", "step", "camera", "k", "world_from_camera", *LENS}
)  # fields that a reader understands; others are columns of the frame's own
RENDERED, COLLECTED = "rendered by", "collected by"
SPOOL_BYTES = 16 * 2**20  # of a list in memory; longer ones lie on disk until the file is put together
# Reasons why formats cannot hold an instance.
NO_KEYPOINTS = "class without keypoints"
NO_MASK = "no mask"
OUTSIDE = "box outside of the frame"


@dataclass(frozen=True)
class CocoOptions:
    """What goes into the files."""

    masks: bool = True  # false: boxes only


@dataclass(frozen=True)
class KeypointOptions(CocoOptions):
    """What goes into the files of keypoints."""

    unlabelled: bool = True  # also instances none of whose keypoints is labelled


def _read_instances(folder: Path) -> Records:
    return read_coco(folder, "instances")


def _read_keypoints(folder: Path) -> Records:
    return read_coco(folder, "person_keypoints")


@FORMATS.register("coco", CocoOptions, "COCO boxes and masks, keypoints where classes have them", read=_read_instances)
def write_instances(source: Source, context: ExportContext) -> None:
    """Write instances_<split>.json."""
    _write(source, context, "instances", context.categories)


@FORMATS.register(
    "coco-keypoints", KeypointOptions, "COCO keypoints: the classes that have some, nothing else", read=_read_keypoints
)
def write_keypoints(source: Source, context: ExportContext) -> None:
    """Write person_keypoints_<split>.json.

    Raises:
        UserError: If no class has keypoints.
    """
    categories = tuple(c for c in context.categories if c.keypoints)
    if not categories:
        raise UserError(
            "--format coco-keypoints: no class of the dataset has keypoints; name them in the scene's taxonomy"
        )
    _write(source, context, "person_keypoints", categories)


class SplitLists:
    """A JSON file whose lists grow side by side; they are joined at the end."""

    def __init__(self, path: Path, head: dict[str, Any], names: Iterable[str], stack: ExitStack) -> None:
        self.path, self.head = path, head
        self.lists: dict[str, BinaryIO] = {}
        for name in names:
            spool = stack.enter_context(SpooledTemporaryFile(max_size=SPOOL_BYTES))  # noqa: SIM115 - the stack closes it
            self.lists[name] = cast(BinaryIO, spool)
        self.lengths = dict.fromkeys(self.lists, 0)

    def add(self, name: str, value: Mapping[str, Any]) -> None:
        """Add an entry to a list."""
        separator = ",\n" if self.lengths[name] else ""
        self.lists[name].write(f"{separator}{json_line(value)}".encode())
        self.lengths[name] += 1

    def close(self) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("xb") as file:
            file.write(json_line(self.head)[:-1].encode())
            for name, spool in self.lists.items():
                file.write(f',\n"{name}":[\n'.encode())
                spool.seek(0)
                shutil.copyfileobj(spool, file)
                file.write(b"\n]")
            file.write(b"}\n")


def head_json(source: Source, categories: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a file begins with."""
    info = {"description": f"{source.name}, rendered by Ommatidia", "version": "1.0"}
    return {"info": info, "licenses": [], "categories": categories}


def add_licence(head: dict[str, Any], frame: Frame, image: Mapping[str, Any]) -> None:
    """Note the licence of a picture of others in the table of a file, and that they were not rendered."""
    if frame.row.get("origin") == REAL:
        head["info"] = {**head["info"], "description": str(head["info"]["description"]).replace(RENDERED, COLLECTED)}
    number, name = image.get("license"), image.get("licence")
    if isinstance(number, int) and number not in {one["id"] for one in head["licenses"]}:
        head["licenses"].append({"id": number, "name": name or "", "url": image.get("licence_url") or ""})


def place_image(frame: Frame, split: str, context: ExportContext) -> str:
    """Put the picture of a frame into images/<split>/ and return its name there.

    Raises:
        UserError: If it has none.
    """
    if "image" not in frame.files:
        raise UserError(f"frame {frame.id} has no picture; make the dataset with a writer of kind images")
    name = frame_stem(frame) + frame.files["image"].suffix
    context.place(frame.files["image"], Path("images") / split / name)
    return name


def _write(source: Source, context: ExportContext, task: str, categories: tuple[FormatCategory, ...]) -> None:
    options: CocoOptions = context.options
    number_of = {c.name: number for number, c in enumerate(categories, start=1)}
    head = head_json(source, [category_json(c, number_of[c.name], c.name) for c in categories])
    with ExitStack() as stack:
        files = {
            split: SplitLists(
                context.out / f"annotations/{task}_{split}.json", deepcopy(head), ("images", "annotations"), stack
            )
            for split in context.splits
        }
        for frame in source.frames():
            split = context.split_of(frame)
            lists = files[split]
            image = image_json(frame, place_image(frame, split, context))
            image |= said_json(frame, image)
            add_licence(lists.head, frame, image)
            lists.add("images", image)
            for instance, category in _fitting(frame, context, number_of):
                number = lists.lengths["annotations"] + 1
                plain = annotation_json(
                    instance, number, frame.id + 1, number_of[category.name],
                    keypoints=len(category.keypoints), masks=options.masks,
                )  # fmt: skip
                if len(category.keys) > 1:
                    plain["class_key"] = instance.category
                lists.add("annotations", plain)
        for lists in files.values():
            lists.close()


def _fitting(
    frame: Frame, context: ExportContext, number_of: Mapping[str, int]
) -> Iterator[tuple[Instance, FormatCategory]]:
    """Yield the instances that the file may hold, and count the others."""
    unlabelled = getattr(context.options, "unlabelled", True)
    for instance in frame.instances:
        category = context.category_of[instance.category]
        points = instance.keypoints
        if category.name not in number_of:
            context.count_drop(NO_KEYPOINTS)
        elif points is not None and len(points) != len(category.keypoints) and category.keypoints:
            raise UserError(f"{instance.path}: {len(points)} keypoints of a class that has {len(category.keypoints)}")
        elif not unlabelled and (points is None or not (points[:, 2] > 0).any()):
            context.count_drop("no keypoint is labelled")
        else:
            yield instance, category


def read_coco(folder: Path, task: str = "instances") -> Records:
    """Return what `annotations/<task>_*.json` of a folder hold, split after split.

    Raises:
        UserError: If there is no such file, or one cannot be understood; `validate` says more.
    """
    files = sorted((folder / "annotations").glob(f"{task}_*.json"))
    if not files:
        raise UserError(f"{folder} has no annotations/{task}_<split>.json")
    categories: dict[str, Category] = {}
    frames: list[Frame] = []
    for file in files:
        split = file.stem.removeprefix(f"{task}_")
        places = (
            folder / "images" / split,
            folder / split,
            folder / "images",
        )  # ours; that of COCO itself; one for all
        images = next((place for place in places if place.is_dir()), places[0])
        of_file, more = read_coco_file(file, images)
        for category in of_file:
            if categories.setdefault(category.key, category) != category:
                raise UserError(f"{file}: category '{category.key}' differs from that of {files[0].name}")
        frames += [replace(frame, row=dict(frame.row) | {"split": split}) for frame in more]
    return Records(folder.name, tuple(sorted(categories.values(), key=lambda c: c.id)), tuple(frames))


def read_coco_file(file: Path, images: Path) -> tuple[tuple[Category, ...], list[Frame]]:
    """Return the categories and frames of one file, whose pictures lie in `images`.

    Raises:
        UserError: If it cannot be understood.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        categories = tuple(category_record(plain) for plain in data["categories"])
        name_of = {c.id: c.key for c in categories}
        size_of = {image["id"]: (image["width"], image["height"]) for image in data["images"]}
        of_image: dict[int, list[Instance]] = {}
        for plain in data["annotations"]:
            name = plain.get("class_key", name_of[plain["category_id"]])
            instance = annotation_record(plain, name_of[plain["category_id"]], *size_of[plain["image_id"]])
            extra = dict(instance.extra) if name == instance.category else dict(instance.extra) | {"class_key": name}
            of_image.setdefault(plain["image_id"], []).append(replace(instance, extra=extra))
        return categories, [_frame(image, of_image.get(image["id"], []), images) for image in data["images"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UserError(f"{file}: not a COCO file that can be read: {type(error).__name__}: {error}") from error


def _frame(image: Mapping[str, Any], instances: list[Instance], images: Path) -> Frame:
    row: dict[str, Any] = {name: image[name] for name in LENS if name in image}
    if row:
        row = {"lens_limit": math.inf} | row
    row |= {name: value for name, value in image.items() if name not in IMAGE_KNOWN}
    k = np.reshape(image["k"], (3, 3)) if "k" in image else None
    pose = np.reshape(image["world_from_camera"], (4, 4)) if "world_from_camera" in image else None
    return Frame(
        image["id"] - 1, image["width"], image["height"], tuple(instances),
        {"image": inside(images, image["file_name"])}, image.get("world", 0), image.get("step", 0),
        image.get("camera", 0), k, pose, row,
    )  # fmt: skip
