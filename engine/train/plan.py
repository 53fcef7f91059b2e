"""What a trainer is asked: which labelled pictures to learn from, which pictures to predict, with which seed.

`training.json` is all that a trainer is given, so that any program can be one:

    {"schema": "training/1", "task": "segm", "seed": 0,
     "train":   [{"coco": "train-0.json", "images": "/data/real"}, {"coco": "train-1.json", "images": "/data/batch"}],
     "predict": [{"coco": "predict-0.json", "images": "/data/holdout", "out": "predictions-0.json"}],
     "settings": {}}

Paths of labels and predictions are relative to the plan's folder; `images` is the folder that `file_name` of the labels
is relative to. Labels are COCO; those to predict have pictures and classes and no annotations. Classes are the same by
name everywhere, and ids are those of each file. Predictions are COCO results (docs/evaluate.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.plain import from_plain
from engine.write.record import json_bytes, read_json

SCHEMA = "training/1"
PLAN = "training.json"
TrainTask = Literal["bbox", "segm"]


@dataclass(frozen=True)
class Labelled:
    """Pictures with annotations."""

    coco: str
    images: str


@dataclass(frozen=True)
class Wanted:
    """Pictures without, and where what a model says of them goes."""

    coco: str
    images: str
    out: str


@dataclass(frozen=True)
class TrainingPlan:
    """All that a trainer is told."""

    task: TrainTask
    seed: int
    train: tuple[Labelled, ...]
    predict: tuple[Wanted, ...]
    settings: dict[str, Any] = field(default_factory=dict)  # of the trainer, such as {"model": "pixels"}
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}, got {self.schema}")
        if not self.train:
            raise ValueError("train is empty; name labelled pictures to learn from")


def write_plan(folder: Path, plan: TrainingPlan) -> Path:
    """Write `training.json` into the folder and return its path."""
    path = folder / PLAN
    path.write_bytes(json_bytes(plan))
    return path


def read_plan(path: Path) -> TrainingPlan:
    """Return the plan in a file.

    Raises:
        UserError: If it is none.
    """
    return from_plain(TrainingPlan, read_json(path), path.name)
