"""Self-AP: annotations given to pycocotools as detections of themselves must have an average precision of 1."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

from engine.validate.finding import Finding, shown

KINDS = ("bbox", "segm", "keypoints")
UNFIT = (ValueError, KeyError, TypeError, IndexError, AssertionError, AttributeError, ZeroDivisionError)


def check_precision(data: Any, file: str) -> Iterator[Finding]:
    """Yield every kind of label whose AP is not 1; only of data in which nothing else is wrong."""
    annotations = [a for a in data["annotations"] if not a.get("iscrowd")]
    for kind in KINDS:
        if kind == "segm" and not all("segmentation" in a for a in annotations):
            continue
        chosen = [a for a in annotations if kind != "keypoints" or a.get("num_keypoints")]
        if not chosen:
            continue
        try:
            precision = self_precision(data, chosen, kind)
        except UNFIT as error:
            yield Finding(file, kind, "self-ap", f"{type(error).__name__}: {shown(str(error))}", "pycocotools reads it")
            continue
        if abs(precision - 1.0) > 1.0e-9:
            yield Finding(file, kind, "self-ap", f"{precision:.6f}", "1")


def self_precision(data: Any, annotations: list[Any], kind: str) -> float:
    """Return the average precision of annotations as detections of themselves."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {**data, "annotations": [dict(a) for a in data["annotations"]]}
        truth.createIndex()
        keys = ("image_id", "category_id", "bbox", "segmentation", "keypoints")
        results = [
            {key: a[key] for key in keys if key in a and _goes_with(key, kind)} | {"score": 1.0} for a in annotations
        ]
        judge = COCOeval(truth, truth.loadRes(results), kind)
        judge.params.maxDets = [20] if kind == "keypoints" else [1, 10, 10000]
        if kind == "keypoints":
            sigmas = _sigmas(data)
            if sigmas is not None:
                judge.params.kpt_oks_sigmas = sigmas
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]
    found = precision[:, :, :, 0, -1]
    return float(found[found > -1].mean())


def _goes_with(key: str, kind: str) -> bool:
    """Return whether a result of a kind has this key: `loadRes` takes the kind from the keys that it finds."""
    return key in ("image_id", "category_id", {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}[kind])


def _sigmas(data: Any) -> Any:
    """Return the sigmas of the category with keypoints, one of 0.05 where it states none."""
    import numpy as np

    for category in data["categories"]:
        if category.get("keypoints"):
            return np.array(category.get("sigmas") or [0.05] * len(category["keypoints"]))
    return None
