"""Which instance each prediction found: pycocotools' matching, kept as rows for every slice to count."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.evaluate.predictions import Predictions

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of the overlap, as COCO averages over
MOST_DETECTIONS = 100  # of a class in a picture; the surest


@dataclass(frozen=True)
class Matches:
    """Every instance and every prediction of a dataset. Images are positions in `image_ids`."""

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


def match(labels: Path, predictions: Predictions) -> Matches:
    """Return which instances of a labels/coco.json the predictions found, class by class.

    Within a class and picture the surest prediction chooses first, the instance that it overlaps most of those
    that are left, if by the threshold at least. Source: pycocotools' COCOeval.evaluateImg, which does it.

    Raises:
        UserError: If the labels or predictions cannot be used for the task.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    task = predictions.task or "bbox"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(labels))
            found = _results(truth, predictions)
            evaluation = COCOeval(truth, found, task)
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
            evaluation.params.maxDets = [MOST_DETECTIONS]
            evaluation.params.iouThrs = THRESHOLDS
            evaluation.evaluate()
    except (KeyError, TypeError, ValueError, AssertionError, IndexError) as error:
        raise UserError(f"the predictions cannot be compared as {task}: {type(error).__name__}: {error}") from error
    return _rows(truth, evaluation)


def _results(truth: Any, predictions: Predictions) -> Any:
    from pycocotools.coco import COCO

    if predictions.instances:
        return truth.loadRes([dict(entry) for entry in predictions.instances])
    nothing = COCO()
    nothing.dataset = {"images": truth.dataset["images"], "categories": truth.dataset["categories"], "annotations": []}
    nothing.createIndex()
    return nothing


def _rows(truth: Any, evaluation: Any) -> Matches:
    image_ids = np.array(sorted(truth.imgs), np.int64)
    position = {int(image): number for number, image in enumerate(image_ids)}
    truths: dict[str, list[Any]] = {name: [] for name in ("image", "id", "class", "ignored")}
    founds: dict[str, list[Any]] = {name: [] for name in ("image", "class", "score", "match", "ignored")}
    for cell in evaluation.evalImgs:
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
    )
