"""Which instance each prediction found: pycocotools' matching, kept as rows for every slice to count."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.evaluate.predictions import Predictions, Task
from engine.evaluate.shapes import check_shapes, keypoint_sigmas

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of the overlap, as COCO averages over
MOST_DETECTIONS: Mapping[Task, int] = {"bbox": 100, "segm": 100, "keypoints": 20}  # of a class in a picture, as COCO's


@dataclass(frozen=True)
class Matches:
    """Every instance and every prediction of a dataset. Images are positions in `image_ids`."""

    task: Task  # what instances were compared by
    image_ids: NDArray[np.int64]  # [image], sorted
    categories: Mapping[int, str]  # id -> key
    truth_image: NDArray[np.int64]  # [truth]
    truth_id: NDArray[np.int64]  # [truth], annotation ids of labels/coco.json
    truth_class: NDArray[np.int64]  # [truth], category ids
    truth_ignored: NDArray[np.bool_]  # [truth], crowds: neither found nor missed
    truth_score: NDArray[np.float64]  # [truth, threshold], of the prediction that found it; NaN: missed
    found_image: NDArray[np.int64]  # [prediction]
    found_class: NDArray[np.int64]
    found_score: NDArray[np.float64]
    found_truth: NDArray[np.int64]  # [prediction, threshold], row of the instance that it found; -1: none
    found_ignored: NDArray[np.bool_]  # [prediction, threshold], of a crowd
    found_entry: NDArray[np.int64]  # [prediction], its place in `Predictions.instances`


def match(labels: Path, predictions: Predictions, task: Task | None = None) -> Matches:
    """Return which instances of a labels/coco.json the predictions found, class by class.

    Within a class and picture the surest prediction chooses first, the instance that it overlaps most of those
    that are left, if by the threshold at least. Source: pycocotools' COCOeval.evaluateImg, which does it.

    Args:
        labels: The ground truth.
        predictions: What a model said.
        task: What to compare instances by, where the predictions have no instances to tell.
    Raises:
        UserError: If the labels or predictions cannot be used for the task.
    """
    from pycocotools.coco import COCO

    task = predictions.task or task or "bbox"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(labels))
            check_shapes(predictions, truth.imgs, truth.cats)
            check_masks(truth.dataset["annotations"], task)
            if task == "keypoints":
                _complete_keypoints(truth)
            cells = _cells(truth, _results(truth, predictions), task)
    except (KeyError, TypeError, ValueError, AssertionError, IndexError) as error:
        raise UserError(f"the predictions cannot be compared as {task}: {type(error).__name__}: {error}") from error
    return _rows(task, truth, cells)


def check_masks(annotations: Sequence[Mapping[str, Any]], task: Task) -> None:
    """Check that instances have what they are compared by.

    Raises:
        UserError: If masks are compared and one is missing.
    """
    without = sum("segmentation" not in one for one in annotations) if task == "segm" else 0
    if without:
        raise UserError(
            f"{without} of {len(annotations)} instances of the dataset have a box alone; to compare boxes, train with "
            "--task bbox, or leave `segmentation` out of the predictions"
        )


def _complete_keypoints(truth: Any) -> None:
    """Give instances without keypoints none that are labelled, so that they are ignored, as COCO does."""
    count_of = {number: len(sigmas) for number, sigmas in keypoint_sigmas(truth.cats).items()}
    for one in truth.dataset["annotations"]:
        if "keypoints" not in one:
            one |= {"keypoints": [0] * (3 * count_of.get(one["category_id"], 0)), "num_keypoints": 0}


def _cells(truth: Any, found: Any, task: Task) -> list[Any]:
    """Return what COCOeval says of every class and picture; keypoints are compared by the sigmas of their class."""
    from pycocotools.cocoeval import COCOeval

    parts: list[tuple[list[int], list[float]]] = [(truth.getCatIds(), [])]
    if task == "keypoints":
        parts = [([number], sigmas) for number, sigmas in keypoint_sigmas(truth.cats).items()]
    cells: list[Any] = []
    for category_ids, sigmas in parts:
        evaluation = COCOeval(truth, found, task)
        evaluation.params.catIds = category_ids
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [MOST_DETECTIONS[task]]
        evaluation.params.iouThrs = THRESHOLDS
        if sigmas:
            evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        cells += evaluation.evalImgs
    return cells


def _results(truth: Any, predictions: Predictions) -> Any:
    from pycocotools.coco import COCO

    if predictions.instances:
        return truth.loadRes([dict(entry) for entry in predictions.instances])
    nothing = COCO()
    nothing.dataset = {"images": truth.dataset["images"], "categories": truth.dataset["categories"], "annotations": []}
    nothing.createIndex()
    return nothing


def _rows(task: Task, truth: Any, cells: list[Any]) -> Matches:
    image_ids = np.array(sorted(truth.imgs), np.int64)
    position = {int(image): number for number, image in enumerate(image_ids)}
    truths: dict[str, list[Any]] = {name: [] for name in ("image", "id", "class", "ignored")}
    founds: dict[str, list[Any]] = {name: [] for name in ("image", "class", "score", "match", "ignored", "entry")}
    for cell in cells:
        if cell is None:
            continue
        image, category = position[int(cell["image_id"])], int(cell["category_id"])
        truths["image"] += [image] * len(cell["gtIds"])
        truths["id"] += [int(i) for i in cell["gtIds"]]
        truths["class"] += [category] * len(cell["gtIds"])
        truths["ignored"] += [bool(flag) for flag in cell["gtIgnore"]]
        founds["image"] += [image] * len(cell["dtIds"])
        founds["class"] += [category] * len(cell["dtIds"])
        founds["score"] += cell["dtScores"]
        founds["entry"] += [int(i) - 1 for i in cell["dtIds"]]  # loadRes counts from 1
        founds["match"] += list(np.asarray(cell["dtMatches"], np.int64).T)
        founds["ignored"] += list(np.asarray(cell["dtIgnore"], np.bool_).T)
    row_of = {annotation: row for row, annotation in enumerate(truths["id"])}
    count = len(THRESHOLDS)
    match_ids = np.array(founds["match"], np.int64).reshape(-1, count)
    rows = [row_of.get(annotation, -1) for annotation in match_ids.ravel().tolist()]
    found_truth = np.array(rows, np.int64).reshape(-1, count)
    score = np.array(founds["score"], np.float64)
    truth_score = np.full((len(row_of), count), np.nan)
    for column in range(count):
        hit = found_truth[:, column] >= 0
        truth_score[found_truth[hit, column], column] = score[hit]
    return Matches(
        task=task,
        image_ids=image_ids,
        categories={int(c["id"]): str(c["name"]) for c in truth.dataset["categories"]},
        truth_image=np.array(truths["image"], np.int64),
        truth_id=np.array(truths["id"], np.int64),
        truth_class=np.array(truths["class"], np.int64),
        truth_ignored=np.array(truths["ignored"], np.bool_),
        truth_score=truth_score,
        found_image=np.array(founds["image"], np.int64),
        found_class=np.array(founds["class"], np.int64),
        found_score=score,
        found_truth=found_truth,
        found_ignored=np.array(founds["ignored"], np.bool_).reshape(-1, count),
        found_entry=np.array(founds["entry"], np.int64),
    )
