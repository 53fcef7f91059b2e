"""COCO detection and instance segmentation: `labels/coco.json`, one file for the whole dataset.

Source: COCO data format, https://cocodataset.org/#format-data. Ids are whole numbers from 1: readers take annotation 0
for "no match" and category 0 for the background. Paths are relative to the dataset folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.registry import WRITERS
from engine.scene.taxonomy import Taxonomy
from engine.write.merge import MergedRows
from engine.write.rows import RLE_COLUMN
from engine.write.view import DatasetParams

LINES_A_CHUNK = 4096


@dataclass(frozen=True)
class Coco(DatasetParams):
    """What goes into the file."""

    PATH: ClassVar[str] = "labels/coco.json"
    FORMAT: ClassVar[str] = "coco"
    NEEDS: ClassVar[tuple[str, ...]] = ("images",)
    min_area_px: int  # instances with fewer visible pixels are left out

    def __post_init__(self) -> None:
        if self.min_area_px < 1:
            raise ValueError(f"min_area_px must be at least 1, got {self.min_area_px}: readers reject empty boxes")


@WRITERS.register("coco", Coco)
def write_coco(params: Coco, rows: MergedRows) -> Iterator[bytes]:
    """Yield the file in parts, one image or annotation a line; unlabelled instances are left out."""
    head = {"info": {"description": "rendered by Ommatidia", "version": "1.0"}, "licenses": []}
    yield b"{" + _text(head)[1:-1].encode() + b',\n"categories":[\n'
    yield from _joined(_text(category) for category in coco_categories(rows.taxonomy))
    yield b'],\n"images":[\n'
    yield from _joined(_text(coco_image(frame)) for frame in rows.rows("frames"))
    yield b'],\n"annotations":[\n'
    yield from _joined(_text(annotation) for annotation in iterate_annotations(params, rows))
    yield b"]}\n"


def coco_categories(taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Return the categories: every class of the taxonomy, with its id."""
    return [{"id": c.id, "name": c.key, "supercategory": c.parent} for c in taxonomy.classes]


def coco_image(frame: dict[str, Any]) -> dict[str, Any]:
    """Return the image of a row of the frame table."""
    return {
        "id": frame["frame_id"] + 1,
        "file_name": frame["image"],
        "width": frame["width"],
        "height": frame["height"],
        "world": frame["world"],
        "step": frame["step"],
        "camera": frame["camera"],
    }


def coco_annotation(instance: dict[str, Any], annotation_id: int, size: list[int]) -> dict[str, Any]:
    """Return the annotation of a row of the instance table; `size` is [height, width] of its image."""
    return {
        "id": annotation_id,
        "image_id": instance["frame_id"] + 1,
        "category_id": instance["class_id"],
        "bbox": [round(value) for value in instance["bbox"]],
        "area": instance["area_px"],
        "iscrowd": 0,
        "segmentation": {"size": size, "counts": instance[RLE_COLUMN].decode("ascii")},
        "visible_px": instance["area_px"],
        "distance_m": round(instance["depth_m"], 4),
        "instance": instance["prim_path"],
        "instance_id": instance["inst_id"],
    }


def iterate_annotations(params: Coco, rows: MergedRows) -> Iterator[dict[str, Any]]:
    """Yield the annotations in the order of the file."""
    number = 0
    for frames, instances in zip(rows.tables("frames"), rows.tables("instances"), strict=True):
        sizes = zip(*(frames[name].to_pylist() for name in ("height", "width")))
        size_of = dict(zip(frames["frame_id"].to_pylist(), map(list, sizes)))
        for batch in instances.to_batches(max_chunksize=1024):
            for row in batch.to_pylist():
                if row["class_id"] and row["area_px"] >= params.min_area_px:
                    number += 1
                    yield coco_annotation(row, number, size_of[row["frame_id"]])


def _joined(lines: Iterator[str]) -> Iterator[bytes]:
    """Yield lines with commas between them, many at a time."""
    chunk: list[str] = []
    separator = ""
    for line in lines:
        chunk.append(separator + line)
        separator = ",\n"
        if len(chunk) == LINES_A_CHUNK:
            yield "".join(chunk).encode()
            chunk.clear()
    yield ("".join(chunk) + "\n").encode()


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
