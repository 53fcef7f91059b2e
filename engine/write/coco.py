"""COCO detection, instance segmentation and keypoints: `labels/coco.json`, one file for the whole dataset.

Source: COCO data format, https://cocodataset.org/#format-data. Ids are whole numbers from 1: readers take annotation 0
for "no match" and category 0 for the background. Paths are relative to the dataset folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.formats.coco_json import annotation_json, category_json, joined_lines, json_line
from engine.formats.from_rows import categories_of, defect_of, instance_of
from engine.registry import WRITERS
from engine.scene.taxonomy import Taxonomy
from engine.write.merge import MergedRows, plain_rows
from engine.write.view import DatasetParams

UNLABELLED, TOO_SMALL, NEAR_MISS = "unlabelled", "below_min_area_px", "near_miss"


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
    """Yield the file in parts, one image or annotation a line; what is left out is counted at the end."""
    return _write_coco(params, rows, "rendered by Ommatidia")


def write_collected_coco(params: Coco, rows: MergedRows) -> Iterator[bytes]:
    """Yield the file of a dataset whose pictures existed."""
    return _write_coco(params, rows, "collected by Ommatidia")


def _write_coco(params: Coco, rows: MergedRows, description: str) -> Iterator[bytes]:
    left_out = no_left_out()
    head = {"info": {"description": description, "version": "1.0"}, "licenses": []}
    yield b"{" + json_line(head)[1:-1].encode() + b',\n"categories":[\n'
    yield from joined_lines(json_line(category) for category in coco_categories(rows.taxonomy))
    yield b'],\n"images":[\n'
    yield from joined_lines(json_line(coco_image(frame)) for frame in rows.rows("frames"))
    yield b'],\n"annotations":[\n'
    yield from joined_lines(json_line(annotation) for annotation in iterate_annotations(params, rows, left_out))
    yield b'],\n"left_out":' + json_line(left_out).encode() + b"}\n"


def coco_categories(taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Return the categories: every class of the taxonomy, with its id."""
    return [category_json(c, c.id, c.key) for c in categories_of(taxonomy)]


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


def no_left_out() -> Counter[str]:
    """Return the counts of instances that are not in the file, all 0."""
    return Counter({UNLABELLED: 0, TOO_SMALL: 0, NEAR_MISS: 0})


def iterate_annotations(params: Coco, rows: MergedRows, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the annotations in the order of the file, defects of a cell after its instances; count what is left out."""
    number = 0
    keypoints_of = {c.id: len(c.keypoints) for c in rows.taxonomy.classes}
    for frames, *tables in rows.cells():
        sizes = zip(*(frames[name].to_pylist() for name in ("width", "height")))
        size_of = dict(zip(frames["frame_id"].to_pylist(), sizes))
        for table, record in zip(tables, (instance_of, defect_of), strict=True):
            for row in plain_rows(table):
                if why := _left_out(row, params):
                    left_out[why] += 1
                    continue
                number += 1
                instance = record(row, *size_of[row["frame_id"]])
                keypoints = keypoints_of[row["class_id"]]
                yield annotation_json(instance, number, row["frame_id"] + 1, row["class_id"], keypoints=keypoints)


def _left_out(row: dict[str, Any], params: Coco) -> str:
    """Return why a row is not in the file, "" if it is."""
    if row.get("near_miss"):
        return NEAR_MISS
    if not row["class_id"]:
        return UNLABELLED
    return TOO_SMALL if row["area_px"] < params.min_area_px else ""
