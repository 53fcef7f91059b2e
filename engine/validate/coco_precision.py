"""Self-AP: annotations given to pycocotools as detections of themselves must have an average precision of 1."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.validate.finding import Finding, shown

KINDS = ("bbox", "segm", "keypoints")
LARGEST_CROWD = 10000  # detections of an image that count
DEFAULT_SIGMA = 0.05  # of a keypoint whose category states none
UNFIT = (ValueError, KeyError, TypeError, IndexError, AssertionError, AttributeError, ZeroDivisionError)


def check_precision(data: Any, file: str) -> Iterator[Finding]:
    """Yield every kind of label whose AP is not 1; only of data in which nothing else is wrong."""
    annotations = [a for a in data["annotations"] if not a.get("iscrowd")]
    for kind in KINDS:
        if kind == "segm" and not all("segmentation" in a for a in annotations):
            continue
        for chosen in _groups(annotations, kind):
            try:
                precision = self_precision(data, chosen, kind)
            except UNFIT as error:
                value = f"{type(error).__name__}: {shown(str(error))}"
                yield Finding(file, kind, "self-ap", value, "pycocotools reads it")
                continue
            if abs(precision - 1.0) > 1.0e-9:
                yield Finding(file, kind, "self-ap", f"{precision:.6f}", "1")


def _groups(annotations: list[Any], kind: str) -> list[list[Any]]:
    """Return what is judged together: everything, or keypoints of one category, whose sigmas are its own."""
    if kind != "keypoints":
        return [annotations] if annotations else []
    groups: dict[int, list[Any]] = {}
    for annotation in annotations:
        if annotation.get("num_keypoints"):
            groups.setdefault(annotation["category_id"], []).append(annotation)
    return list(groups.values())


def self_precision(data: Any, annotations: list[Any], kind: str) -> float:
    """Return the average precision of annotations as detections of themselves."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {**data, "annotations": [dict(a) for a in data["annotations"]]}
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes([_result(truth, a, kind) for a in annotations]), kind)
        judge.params.maxDets = [LARGEST_CROWD] if kind == "keypoints" else [1, 10, LARGEST_CROWD]
        if kind == "keypoints":
            category = truth.cats[annotations[0]["category_id"]]
            judge.params.catIds = [category["id"]]
            judge.params.kpt_oks_sigmas = np.array(
                category.get("sigmas") or [DEFAULT_SIGMA] * len(category["keypoints"])
            )
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]
    found = precision[:, :, :, 0, -1]
    return float(found[found > -1].mean())


def _result(truth: Any, annotation: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return an annotation as a detection; `loadRes` takes the kind from the keys that it finds, and masks as RLE."""
    result = {key: annotation[key] for key in ("image_id", "category_id")} | {"score": 1.0}
    if kind == "segm":
        return result | {"segmentation": truth.annToRLE(annotation)}
    return result | {kind: annotation[kind]}
