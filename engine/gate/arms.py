"""Models with and without the batch, of the same seeds; a model that was trained once is not trained again.

An arm is a folder whose name is a hash of all that decides it: content of the datasets in order, task, seed, trainer
and settings. It is made beside its place and put there when it is done, so that what is there is whole.
"""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from engine import __version__
from engine.errors import UserError
from engine.gate.request import Request, Utility, manifest_of
from engine.plain import to_plain
from engine.train.prepare import Data, prepare
from engine.train.trainer import Trainer
from engine.write.files import refusals_named, remove_tree
from engine.write.record import json_bytes, read_json

ARMS = "arms"
DONE = "arm.json"
WITH, WITHOUT = "with", "without"
LARGEST_PROGRAM = 1 << 24  # bytes of a file that a command names and that is part of what the arm is
BATCH_SHARE = "batch_share"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Arm:
    """A model's predictions of the holdout, then of the datasets of suites, in the order that they were asked."""

    seed: int
    name: str  # with, without
    folder: Path
    seconds: float
    was_there: bool

    def predictions(self, number: int = 0) -> Path:
        """Return a file of COCO results."""
        return self.folder / f"predictions-{number}.json"


def train_arms(request: Request, trainer: Trainer, say: Say, suites: Sequence[Path] = ()) -> list[tuple[Arm, Arm]]:
    """Return the arms with and without the batch for every seed, seed after seed.

    Args:
        request: What is asked.
        trainer: What follows a plan.
        say: Told when an arm is done.
        suites: Datasets that the arms predict as well.
    Raises:
        UserError: If a trainer fails.
        WriteFailed: If the disk refuses.
    """
    found = []
    for seed in range(request.utility.seeds):
        pair = []
        for name in (WITH, WITHOUT):
            arm = _arm(request, trainer, seed, name, suites)
            kept = "kept from before" if arm.was_there else f"{arm.seconds:.1f} s"
            say(f"seed {seed} {name} the batch: {kept}")
            pair.append(arm)
        found.append((pair[0], pair[1]))
    return found


def settings_of(request: Request, name: str) -> dict[str, Any]:
    """Return what the trainer of an arm is told.

    `batch_share` becomes `shares` of what is sampled: that of the batch, and the rest in equal parts. Without the
    batch there are the equal parts alone, so that both arms see as much.
    """
    told = dict(request.utility.settings)
    share = told.pop(BATCH_SHARE, None)
    if share is not None:
        if not isinstance(share, int | float) or not 0.0 < share < 1.0:
            raise UserError(f"--batch-share {share}: a share of what is sampled, above 0 and below 1")
        rest = [(1.0 - share) / len(request.against)] * len(request.against)
        told["shares"] = [*rest, float(share)] if name == WITH else [1.0 / len(rest)] * len(rest)
    return told


def identity(request: Request, seed: int, name: str, suites: Sequence[Path]) -> dict[str, Any]:
    """Return all that decides an arm, as plain data."""
    train = [*request.against, *([request.batch] if name == WITH else [])]
    return {
        "train": [manifest_of(folder).content_root for folder in train],
        "predict": [manifest_of(folder).content_root for folder in (request.holdout, *suites)],
        "task": request.utility.task, "seed": seed, "settings": to_plain(settings_of(request, name)),
        "trainer": trainer_identity(request.utility), "engine": __version__,
    }  # fmt: skip


def trainer_identity(utility: Utility) -> dict[str, Any]:
    """Return what a trainer is: its words, and hashes of the files among them."""
    files = {}
    for word in shlex.split(utility.trainer):
        path = Path(word)
        if path.is_file() and path.stat().st_size <= LARGEST_PROGRAM:
            files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"words": utility.trainer, "files": files}


def _arm(request: Request, trainer: Trainer, seed: int, name: str, suites: Sequence[Path]) -> Arm:
    decided = identity(request, seed, name, suites)
    key = hashlib.sha256(rfc8785.dumps(decided)).hexdigest()[:16]
    place = request.out / ARMS / key
    if (place / DONE).is_file():
        return Arm(seed, name, place, float(read_json(place / DONE)["seconds"]), True)
    begun = place.with_name(f".{key}.begun")
    with refusals_named(begun):
        remove_tree(begun)
        begun.mkdir(parents=True)
    train = [Data(folder) for folder in (*request.against, *([request.batch] if name == WITH else []))]
    predict = [Data(folder) for folder in (request.holdout, *suites)]
    told = settings_of(request, name)
    if request.utility.trainer == "pixels":  # features of pictures are the same for all arms
        told["cache"] = str(request.out / "features")
    started = time.monotonic()
    plan = prepare(begun, train, predict, task=request.utility.task, seed=seed, settings=told)
    trainer(plan, begun)
    seconds = time.monotonic() - started
    with refusals_named(place):
        (begun / DONE).write_bytes(json_bytes({"schema": "arm/1", "name": name, "seconds": seconds, **decided}))
        remove_tree(place)
        begun.rename(place)
    return Arm(seed, name, place, seconds, False)
