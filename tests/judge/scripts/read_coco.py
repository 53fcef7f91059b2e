"""What pycocotools, datumaro, supervision and torchvision make of a COCO folder. Usage: read_coco.py FOLDER TASK"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def own_precision(coco: COCO, kind: str) -> float:
    """Return the average precision of the ground truth as its own detections; 1 where there is nothing to find."""
    annotations = coco.loadAnns(coco.getAnnIds())
    if kind == "keypoints":
        annotations = [annotation for annotation in annotations if annotation.get("num_keypoints")]
    if not annotations:
        return 1.0
    fields = ("image_id", "category_id", "bbox", "segmentation", "keypoints")
    found = [{key: a[key] for key in fields if key in a} | {"score": 1.0} for a in annotations]
    judge = COCOeval(coco, coco.loadRes(found), kind)
    judge.params.maxDets = [1000] * 3 if kind != "keypoints" else [1000]
    judge.params.imgIds = coco.getImgIds()
    if kind == "keypoints":
        categories = coco.loadCats(coco.getCatIds())
        judge.params.kpt_oks_sigmas = np.full(max(len(c.get("keypoints", ())) for c in categories), 0.05)
        judge.params.catIds = [c["id"] for c in categories if c.get("keypoints")]
    judge.evaluate()
    judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, -1]  # all areas, most detections
    return round(float(precision[precision > -1].mean()), 12)


def with_pycocotools(file: Path, kinds: list[str]) -> dict[str, Any]:
    coco = COCO(str(file))
    wrong = 0
    for annotation in coco.loadAnns(coco.getAnnIds()):
        if "segmentation" not in annotation:
            continue
        mask = coco.annToMask(annotation)
        y, x = np.nonzero(mask)
        box = [int(x.min()), int(y.min()), int(x.max() - x.min() + 1), int(y.max() - y.min() + 1)]
        wrong += int(mask.sum()) != annotation["area"] or box != annotation["bbox"]
    return {
        "images": len(coco.getImgIds()),
        "annotations": len(coco.getAnnIds()),
        "wrong": wrong,
        "precision": {kind: own_precision(coco, kind) for kind in kinds},
    }


def with_datumaro(folder: Path, name: str) -> dict[str, Any]:
    import datumaro

    dataset = datumaro.Dataset.import_from(str(folder), name)
    counts = dict.fromkeys(("mask", "bbox", "points", "polygon", "rle_mask"), 0)
    items = pictures = 0
    for item in dataset:
        items += 1
        pictures += item.media is not None and item.media.data.shape[0] > 0
        for annotation in item.annotations:
            counts[annotation.type.name] = counts.get(annotation.type.name, 0) + 1
    return {"items": items, "pictures": pictures, "subsets": sorted(dataset.subsets()), **counts}


def with_supervision(file: Path, images: Path) -> dict[str, Any]:
    import supervision

    dataset = supervision.DetectionDataset.from_coco(str(images), str(file), force_masks=True)
    boxes, areas = [], []
    for _, _, found in dataset:
        boxes += found.xyxy.tolist()
        areas += [] if found.mask is None else [int(mask.sum()) for mask in found.mask]
    return {"images": len(dataset), "boxes": sorted(boxes), "areas": sorted(areas)}


def with_torchvision(file: Path, images: Path) -> dict[str, Any]:
    """Consume the data as torchvision's detection models are trained: boxes as tensors xyxy, labels from 1."""
    import torch
    from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
    from torchvision.transforms.v2 import functional

    dataset = wrap_dataset_for_transforms_v2(CocoDetection(str(images), str(file)), ("boxes", "labels", "masks"))
    boxes, masks, least = 0, 0, 1
    for image, target in dataset:
        if "boxes" not in target:  # torchvision leaves out every key of an image without objects
            continue
        flipped = functional.horizontal_flip(target["boxes"])
        assert ((flipped[:, 2:] - flipped[:, :2]) > 0).all()
        assert (target["boxes"] <= torch.tensor([*image.size, *image.size])).all()
        boxes += len(target["boxes"])
        masks += int(target["masks"].sum())
        least = min(least, int(target["labels"].min()))
    return {"images": len(dataset), "boxes": boxes, "mask_px": masks, "least_label": least}


def main() -> None:
    folder, task = Path(sys.argv[1]), sys.argv[2]
    says: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        if task == "panoptic":
            says["datumaro"] = with_datumaro(folder, "coco_panoptic")
        else:
            kinds = {"instances": ["bbox", "segm"], "person_keypoints": ["bbox", "segm", "keypoints"]}[task]
            for file in sorted((folder / "annotations").glob(f"{task}_*.json")):
                split = file.stem.removeprefix(f"{task}_")
                says[split] = {"pycocotools": with_pycocotools(file, kinds)}
                if task == "instances":
                    images = folder / "images" / split
                    says[split]["supervision"] = with_supervision(file, images)
                    says[split]["torchvision"] = with_torchvision(file, images)
            says["datumaro"] = with_datumaro(folder, f"coco_{task}")
    print(json.dumps(says))


if __name__ == "__main__":
    main()
