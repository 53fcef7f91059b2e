"""COCO panoptic: `annotations/panoptic_<split>.json` and PNGs whose colours are segment ids, R + 256 G + 65536 B.

Every pixel belongs to one segment or to none (0). Things have a segment each, all of one stuff class are one segment.
Source: https://cocodataset.org/#format-data, panoptic segmentation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.formats.coco import NO_MASK, SplitLists, head_json, place_image
from engine.formats.coco_json import category_json, category_record, image_json
from engine.formats.masks import box_of, encode, within_frame
from engine.formats.palette import category_color
from engine.formats.record import Category, Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext, FormatCategory, NoOptions, Records, frame_stem
from engine.write.files import inside

TASK = "panoptic"
COVERED = "every pixel belongs to another segment"


def read_panoptic(folder: Path) -> Records:
    """Return what `annotations/panoptic_*.json` of a folder hold.

    Raises:
        UserError: If there is no such file, or one cannot be understood.
    """
    files = sorted((folder / "annotations").glob(f"{TASK}_*.json"))
    if not files:
        raise UserError(f"{folder} has no annotations/{TASK}_<split>.json")
    frames: list[Frame] = []
    categories: tuple[Category, ...] = ()
    for file in files:
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            categories = tuple(category_record(plain) for plain in data["categories"])
            image_of = {image["id"]: image for image in data["images"]}
            name_of = {c.id: c.key for c in categories}
            frames += [_frame(plain, image_of[plain["image_id"]], name_of, file) for plain in data["annotations"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{file}: not a panoptic file that can be read: {type(error).__name__}: {error}") from error
    return Records(folder.name, categories, tuple(frames))


@FORMATS.register("coco-panoptic", NoOptions, "COCO panoptic: every pixel in one segment", read=read_panoptic)
def write_panoptic(source: Source, context: ExportContext) -> None:
    """Write the JSON and a PNG of every frame."""
    head = head_json(source, [_category(c) for c in context.categories])
    with ExitStack() as stack:
        files = {
            split: SplitLists(context.out / f"annotations/{TASK}_{split}.json", head, ("images", "annotations"), stack)
            for split in context.splits
        }
        for frame in source.frames():
            split = context.split_of(frame)
            name = f"{frame_stem(frame)}.png"
            segments, infos = segments_of(frame, context)
            path = context.out / f"annotations/{TASK}_{split}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(colors_of(segments)).save(path)
            files[split].add("images", image_json(frame, place_image(frame, split, context)))
            files[split].add("annotations", {"image_id": frame.id + 1, "file_name": name, "segments_info": infos})
        for lists in files.values():
            lists.close()


def segments_of(frame: Frame, context: ExportContext) -> tuple[NDArray[np.int32], list[dict[str, Any]]]:
    """Return the segment of every pixel, and what each is; ids count from 1 in the order of the instances.

    Where masks overlap, which those of our datasets do not, the first instance has the pixel.
    """
    segments = np.zeros((frame.height, frame.width), np.int32)
    of_stuff: dict[int, dict[str, Any]] = {}
    infos: list[dict[str, Any]] = []
    for instance in frame.instances:
        if instance.mask is None:
            context.count_drop(NO_MASK)
            continue
        category = context.category_of[instance.category]
        pixels = within_frame(instance.mask, frame.width, frame.height) & (segments == 0)
        if not pixels.any():
            context.count_drop(COVERED)
            continue
        info = None if category.isthing else of_stuff.get(category.id)
        if info is None:
            info = {"id": len(infos) + 1, "category_id": category.id + 1, "iscrowd": int(instance.is_crowd)}
            if category.isthing:
                info |= {"instance": instance.path, "instance_id": instance.id}
            else:
                of_stuff[category.id] = info
            infos.append(info)
        segments[pixels] = info["id"]
    for info in infos:
        pixels = segments == info["id"]
        info |= {"area": int(pixels.sum()), "bbox": [round(value) for value in box_of(pixels)]}
    return segments, infos


def colors_of(segments: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return segment ids as colours [y, x, 3]."""
    return np.stack([segments & 255, segments >> 8 & 255, segments >> 16], axis=-1).astype(np.uint8)


def ids_of(colors: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return colours [y, x, 3] as segment ids."""
    wide = colors.astype(np.int32)
    return wide[..., 0] | wide[..., 1] << 8 | wide[..., 2] << 16


def _category(category: FormatCategory) -> dict[str, Any]:
    plain = category_json(category, category.id + 1, category.name)
    return plain | {"isthing": int(category.isthing), "color": list(category_color(category))}


def _frame(plain: Mapping[str, Any], image: Mapping[str, Any], name_of: Mapping[int, str], file: Path) -> Frame:
    path = inside(file.with_suffix(""), plain["file_name"])
    with Image.open(path) as picture:
        segments = ids_of(np.asarray(picture.convert("RGB")))
    if segments.shape != (image["height"], image["width"]):
        raise UserError(
            f"{path}: is {segments.shape[1]}x{segments.shape[0]}, its image {image['width']}x{image['height']}"
        )
    instances = []
    for info in plain["segments_info"]:
        pixels = segments == info["id"]
        if not pixels.any():
            raise UserError(f"{path}: has no pixel of segment {info['id']}")
        number = info.get("instance_id", info["id"])
        instances.append(
            Instance(number, name_of[info["category_id"]], box_of(pixels), int(pixels.sum()), encode(pixels),
                     path=info.get("instance", ""), is_crowd=bool(info["iscrowd"]), extra={"segment": info["id"]})
        )  # fmt: skip
    split = file.stem.removeprefix(f"{TASK}_")
    frame = Frame(
        image["id"] - 1, image["width"], image["height"], tuple(instances),
        {"image": inside(file.parents[1] / "images" / split, image["file_name"]), "segments": path},
        image.get("world", 0), image.get("step", 0), image.get("camera", 0), row={"split": split},
    )  # fmt: skip
    if "k" not in image:
        return frame
    return replace(
        frame, k=np.reshape(image["k"], (3, 3)), world_from_camera=np.reshape(image["world_from_camera"], (4, 4))
    )
