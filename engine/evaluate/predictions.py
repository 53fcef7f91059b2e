"""Predictions as COCO results: `[{"image_id", "category_id", "bbox"|"segmentation"|"keypoints", "score"}, ...]`.

An entry with `image_id` and `score` alone is a score of the picture: how sure the model is that it shows anything.

Source: COCO results format, https://cocodataset.org/#format-results.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.errors import UserError

Task = Literal["bbox", "segm", "keypoints"]
SHAPES: dict[Task, str] = {"segm": "segmentation", "keypoints": "keypoints", "bbox": "bbox"}  # richest first


@dataclass(frozen=True)
class Predictions:
    """What a model said about the pictures of a dataset."""

    task: Task | None  # what instances are compared by; None: there are none
    instances: tuple[dict[str, Any], ...]  # entries as they are
    image_scores: dict[int, float]  # image_id -> score


def read_predictions(path: Path, image_ids: set[int], category_ids: Mapping[int, str]) -> Predictions:
    """Return the predictions in a file.

    Args:
        path: JSON.
        image_ids: Of the dataset's labels/coco.json.
        category_ids: Classes by id.
    Raises:
        UserError: If an entry cannot be understood or names what is not there: file, entry, value and repair.
    """
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise UserError(f"{path}: expected a list of COCO results, such as [{{image_id, category_id, bbox, score}}]")
    instances: list[dict[str, Any]] = []
    scores: dict[int, float] = {}
    for number, entry in enumerate(data):
        where = f"{path}, entry {number}"
        image = entry.get("image_id")
        if not _is_id(image) or image not in image_ids:
            raise UserError(
                f"{where}: image_id {image!r} is no picture of the dataset; ids are those of labels/coco.json"
            )
        score = entry.get("score")
        if not is_finite(score):
            raise UserError(f"{where}: score {score!r} is not a number")
        if "category_id" not in entry:
            if image in scores:
                raise UserError(f"{where}: image {image} has a second score of the picture; one is enough")
            scores[image] = float(score)
            continue
        if not _is_id(entry["category_id"]) or entry["category_id"] not in category_ids:
            known = ", ".join(f"{key} {name}" for key, name in sorted(category_ids.items()))
            raise UserError(f"{where}: category_id {entry['category_id']!r} is no class of the dataset: {known}")
        instances.append(entry)
    task = _task_of(instances, path)
    _check_boxes([entry for entry in instances if task == "bbox" or "bbox" in entry], path)
    return Predictions(task, tuple(instances), scores)


def _task_of(instances: list[dict[str, Any]], path: Path) -> Task | None:
    """Return what all instances have."""
    if not instances:
        return None
    for task, key in SHAPES.items():
        having = sum(key in entry for entry in instances)
        if having == len(instances):
            return task
        if having:
            odd = next(number for number, entry in enumerate(instances) if key not in entry)
            raise UserError(f"{path}: {having} of {len(instances)} instances have a {key}, number {odd} has none")
    raise UserError(f"{path}: instances have none of {', '.join(SHAPES.values())}")


def is_finite(value: Any) -> bool:
    """Return whether a value of a JSON file is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # NaN is not


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_boxes(instances: list[dict[str, Any]], path: Path) -> None:
    for number, entry in enumerate(instances):
        box = entry["bbox"]
        is_box = isinstance(box, list) and len(box) == 4 and all(map(is_finite, box))
        if not is_box or min(box[2:]) < 0:
            raise UserError(f"{path}, instance {number}: bbox {box!r} is not [x, y, width, height] in pixels")
