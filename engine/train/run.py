"""One training: a plan of datasets, followed by a trainer, noted as a node of the lineage."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.lineage.node import NODE, read_node
from engine.lineage.runs import training_run
from engine.train.copies import RECORD, with_copies
from engine.train.models import trainer_of
from engine.train.plan import PLAN, TrainingPlan, TrainTask
from engine.train.prepare import Data, prepare
from engine.train.trainer import Trainer, command_trainer
from engine.write.files import hash_file
from engine.write.reports import check_place


@dataclass(frozen=True)
class Learner:
    """Who learns, and what it is told."""

    model: str = "pixels"  # of `engine.train.models.MODELS`
    command: str | None = None  # of another trainer, in place of the model
    task: TrainTask = "segm"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return self.model if self.command is None else self.command

    def trainer(self) -> Trainer:
        """Return what follows a plan.

        Raises:
            UserError: If there is no such model, or a package is missing.
        """
        return trainer_of(self.model) if self.command is None else command_trainer(self.command)

    def told(self) -> dict[str, Any]:
        """Return the settings of a plan."""
        return dict(self.settings) | ({"model": self.model} if self.command is None else {})


def train(
    out: Path,
    train: Sequence[Data],
    predict: Sequence[Data],
    learner: Learner,
    seed: int,
    *,
    copies: Mapping[str, Path] | None = None,
) -> TrainingPlan:
    """Train, predict and write the node of the lineage; a folder whose training is done, of the same, is left alone.

    Args:
        out: Folder of the run.
        train: What is learned from.
        predict: Whose predictions are written, to predictions-k.json.
        learner: Who learns.
        seed: Of everything that is drawn.
        copies: Folders of changed pictures of the first dataset to predict, by name (engine.train.copies); they are
            predicted after all others, in this order.
    Raises:
        UserError: If data or settings do not fit, the trainer fails, or the folder holds another finished run.
    """
    trainer = learner.trainer()
    done = (out / NODE).is_file() and read_node(out).state == "finished"
    if done and not (out / PLAN).is_file():
        raise UserError(f"{out} holds another finished run; choose another folder")
    check_place(out / NODE)
    if done:
        with tempfile.TemporaryDirectory() as place:  # what is there stays as it was learned from
            plan, told = _prepared(Path(place), train, predict, learner, seed, copies or {})
        if read_node(out).settings != told:
            raise UserError(f"{out} holds a finished run of other data or settings; choose another folder")
        return plan
    plan, told = _prepared(out, train, predict, learner, seed, copies or {})
    folders = list(dict.fromkeys(data.dataset for data in train))
    with training_run(out, datasets=folders, settings=told) as run:
        trainer(plan, out)
        outputs = [wanted.out for wanted in plan.predict]
        missing = [name for name in outputs if not (out / name).is_file()]
        if missing:
            raise UserError(f"the trainer {learner.name} wrote no {missing[0]} in {out}")
        run.finish(outputs=outputs, proportions=shares_of(train, out, plan))
    return plan


def _prepared(
    folder: Path,
    train: Sequence[Data],
    predict: Sequence[Data],
    learner: Learner,
    seed: int,
    copies: Mapping[str, Path],
) -> tuple[TrainingPlan, dict[str, Any]]:
    """Write the files of a plan; return it, and the settings of its node."""
    plan = prepare(folder, train, predict, task=learner.task, seed=seed, settings=learner.told())
    told = {"trainer": learner.name, "task": plan.task, "seed": seed, "data": inputs_digest(folder, plan)}
    told["settings"] = {name: value for name, value in plan.settings.items() if name != "cache"}
    if copies:
        plan = with_copies(plan, folder, list(copies.values()))
        told["copies"] = {name: hash_file(place / RECORD) for name, place in copies.items()}
    return plan, told


def inputs_digest(folder: Path, plan: TrainingPlan) -> str:
    """Return a hash of all labels that a plan names."""
    names = [*(one.coco for one in plan.train), *(one.coco for one in plan.predict)]
    return hashlib.sha256("".join(f"{name} {hash_file(folder / name)}\n" for name in names).encode()).hexdigest()


def shares_of(train: Sequence[Data], folder: Path, plan: TrainingPlan) -> dict[str, Any]:
    """Return how many pictures and instances each dataset gave."""
    from engine.write.record import read_json

    counts: list[dict[str, Any]] = []
    for data, labelled in zip(train, plan.train, strict=True):
        labels = read_json(folder / labelled.coco)
        counts.append({
            "dataset": data.dataset.name, "pictures": len(labels["images"]), "instances": len(labels["annotations"]),
            "is_placebo": data.is_placebo,
        })  # fmt: skip
    total = max(sum(one["pictures"] for one in counts), 1)
    return {"datasets": [one | {"share": one["pictures"] / total} for one in counts]}
