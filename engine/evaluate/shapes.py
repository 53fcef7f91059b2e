"""Whether masks and keypoints of predictions fit the pictures and classes that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import UserError
from engine.evaluate.predictions import Predictions, is_finite
from engine.validate.coco_precision import DEFAULT_SIGMA
from engine.validate.rle import runs_of


def keypoint_sigmas(categories: Mapping[int, Mapping[str, Any]]) -> dict[int, list[float]]:
    """Return the fall-off of every keypoint, by category id, of the categories that have keypoints.

    Source: COCO keypoint evaluation, https://cocodataset.org/#keypoints-eval; a category's own `sigmas`, or 0.05 each.
    """
    return {
        number: [float(s) for s in category.get("sigmas") or [DEFAULT_SIGMA] * len(category["keypoints"])]
        for number, category in categories.items()
        if category.get("keypoints")
    }


def box_of(entry: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """Return x, y, width and height [px] of a prediction: its box, or around mask or keypoints; None: nothing."""
    box = entry.get("bbox")
    if box is None and isinstance(entry.get("segmentation"), Mapping):
        from pycocotools import mask as coco_mask

        box = coco_mask.toBbox(entry["segmentation"]).tolist()
        box = box if box[2] > 0 else None
    elif box is None and entry.get("keypoints"):
        across, down = entry["keypoints"][::3], entry["keypoints"][1::3]
        box = [min(across), min(down), max(across) - min(across), max(down) - min(down)]
    return None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3]))


def check_shapes(
    predictions: Predictions,
    images: Mapping[int, Mapping[str, Any]],
    categories: Mapping[int, Mapping[str, Any]],
) -> None:
    """Raise where a mask does not fill its picture, or keypoints are not as many as those of their class.

    Args:
        predictions: What a model said.
        images: Of labels/coco.json, by id.
        categories: The same.
    Raises:
        UserError: Instance, value and repair.
    """
    if predictions.task == "segm":
        for number, entry in enumerate(predictions.instances):
            image = images[entry["image_id"]]
            _check_mask(number, entry["segmentation"], [int(image["height"]), int(image["width"])])
    elif predictions.task == "keypoints":
        counts = {number: len(sigmas) for number, sigmas in keypoint_sigmas(categories).items()}
        for number, entry in enumerate(predictions.instances):
            _check_keypoints(number, entry["keypoints"], counts.get(entry["category_id"], 0))


def _check_mask(number: int, mask: Any, size: list[int]) -> None:
    """A mask whose runs do not fill it would keep pycocotools busy for ever."""
    where = f"the predictions, instance {number}: segmentation"
    if not isinstance(mask, dict) or not isinstance(mask.get("counts"), str):
        raise UserError(f"{where} is not {{size, counts}} with a string of counts, as pycocotools.mask.encode makes it")
    if mask.get("size") != size:
        raise UserError(f"{where} has the size {mask.get('size')!r}, its picture {size} (height, width)")
    runs = runs_of(mask["counts"])
    if runs is None or sum(runs) != size[0] * size[1]:
        raise UserError(f"{where} has counts that do not fill {size[0]} x {size[1]} pixels")


def _check_keypoints(number: int, keypoints: Any, count: int) -> None:
    where = f"the predictions, instance {number}: keypoints"
    if not count:
        raise UserError(f"{where} are of a class that has none in labels/coco.json")
    sound = isinstance(keypoints, list) and all(map(is_finite, keypoints))
    if not sound or len(keypoints) != 3 * count:
        raise UserError(f"{where} must be {3 * count} numbers, x y v of each of the {count} of its class")
