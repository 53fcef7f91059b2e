"""Makes a plan of complete datasets: labels of the frames to learn from, pictures of those to predict.

Classes are told to the trainer as `settings.classes`: those that the datasets to predict have annotations of, since
they say what a model is for; a rendered floor is then background, and not one more class. Ids are those of each
dataset's labels/coco.json, so that predictions are what `engine.evaluate` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.collect.holdout import opened
from engine.errors import UserError
from engine.train.plan import Labelled, TrainingPlan, TrainTask, Wanted
from engine.write.begin import MANIFEST
from engine.write.coco import Coco
from engine.write.files import refusals_named
from engine.write.record import json_bytes, read_json

CLASSES = "classes"  # of settings: names that are learned and predicted
KEPT = ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation")  # of an annotation


@dataclass(frozen=True)
class Data:
    """Frames of a dataset."""

    dataset: Path
    frames: tuple[int, ...] | None = None  # frame ids; None: all
    is_placebo: bool = False  # masks and boxes are turned by half a turn in their picture: labels that say nothing


def prepare(
    folder: Path,
    train: Sequence[Data],
    predict: Sequence[Data],
    *,
    task: TrainTask = "segm",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> TrainingPlan:
    """Write train-k.json and predict-k.json into a folder and return the plan that names them.

    Args:
        folder: Of the run, made if need be.
        train: What is learned from, in order.
        predict: Frames whose predictions are wanted, in predictions-k.json.
        task: Whether masks or boxes are compared.
        seed: Of everything that the trainer draws.
        settings: Of the trainer; `classes` is added if it is not there.
    Raises:
        UserError: If a dataset is not complete, has no labels, a frame is not in it, or no class can be learned.
        WriteFailed: If the disk refuses.
    """
    known: dict[Path, dict[str, Any]] = {}
    for data in (*train, *predict):
        if data.dataset not in known:
            known[data.dataset] = read_labels(data.dataset)
    told = dict(settings or {})
    if CLASSES not in told:
        told[CLASSES] = wanted_classes([known[data.dataset] for data in (predict or train)])
    if not told[CLASSES]:
        told[CLASSES] = wanted_classes([known[data.dataset] for data in train])
    with refusals_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    labelled, wanted = [], []
    for number, data in enumerate(train):
        name = f"train-{number}.json"
        _write(folder / name, chosen(known[data.dataset], data))
        labelled.append(Labelled(name, str(data.dataset.absolute())))
    for number, data in enumerate(predict):
        name = f"predict-{number}.json"
        _write(folder / name, chosen(known[data.dataset], data) | {"annotations": []})
        wanted.append(Wanted(name, str(data.dataset.absolute()), f"predictions-{number}.json"))
    try:
        return TrainingPlan(task, seed, tuple(labelled), tuple(wanted), told)
    except ValueError as error:
        raise UserError(str(error)) from error


def read_labels(dataset: Path) -> dict[str, Any]:
    """Return labels/coco.json of a complete dataset; that a locked holdout is read is noted.

    Raises:
        UserError: If it is not complete or has no labels.
    """
    if not (dataset / MANIFEST).is_file():
        raise UserError(f"{dataset} is no complete dataset: it has no {MANIFEST}")
    path = dataset / Coco.PATH
    if not path.is_file():
        raise UserError(f"{dataset} has no {Coco.PATH}; make it with write=[coco]")
    opened(dataset, "train")
    data = read_json(path)
    if not isinstance(data, dict) or not all(isinstance(data.get(k), list) for k in ("images", "annotations")):
        raise UserError(f"{path} is damaged: it has no images or annotations; `verify` says what else")
    return data


def wanted_classes(labels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the classes that have an annotation, in the order of the alphabet."""
    found = set()
    for data in labels:
        names = {one["id"]: str(one["name"]) for one in data["categories"]}
        found |= {names[one["category_id"]] for one in data["annotations"]}
    return sorted(found)


def chosen(labels: Mapping[str, Any], data: Data) -> dict[str, Any]:
    """Return the labels of the frames that are wanted.

    Raises:
        UserError: If a frame is not there, or none is wanted.
    """
    images = {one["id"]: one for one in labels["images"]}
    ids = sorted(images) if data.frames is None else sorted({frame + 1 for frame in data.frames})
    missing = [number for number in ids if number not in images]
    if missing or not ids:
        what = f"no frame {missing[0] - 1}" if missing else "no frames"
        raise UserError(f"{data.dataset}: labels/coco.json has {what} to train with or to predict")
    kept = set(ids)
    annotations = [
        {key: one[key] for key in KEPT if key in one} for one in labels["annotations"] if one["image_id"] in kept
    ]
    if data.is_placebo:
        annotations = [turned(one, images[one["image_id"]]) for one in annotations]
    return {
        "images": [{key: images[number][key] for key in ("id", "file_name", "width", "height")} for number in ids],
        "annotations": annotations,
        "categories": [{"id": one["id"], "name": one["name"]} for one in labels["categories"]],
    }


def turned(annotation: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """Return an annotation turned by half a turn about the centre of its picture: as large, and where nothing is."""
    width, height = image["width"], image["height"]
    x, y, box_width, box_height = annotation["bbox"]
    out = {**annotation, "bbox": [width - x - box_width, height - y - box_height, box_width, box_height]}
    shape = annotation.get("segmentation")
    if isinstance(shape, list):
        out["segmentation"] = [
            [size - value for size, value in zip((width, height) * (len(ring) // 2), ring, strict=True)]
            for ring in shape
        ]
    elif shape is not None:
        from engine.train.masks import rle_of, rle_pixels

        out["segmentation"] = rle_of(np.ascontiguousarray(rle_pixels(shape)[::-1, ::-1]))
    return out


def _write(path: Path, data: Mapping[str, Any]) -> None:
    with refusals_named(path):
        path.write_bytes(json_bytes(data))
