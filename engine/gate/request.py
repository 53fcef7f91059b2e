"""What the gate is asked, and the datasets that it is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.collect.holdout import find_lock
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError, near_matches
from engine.evaluate.board import NAMES
from engine.evaluate.slices import ALL, Slice
from engine.gate.proposal import Asked
from engine.gate.rule import DELTA, FEWEST_SEEDS
from engine.train.plan import TrainTask
from engine.write.begin import MANIFEST

BITS = 6  # in which the hashes of near duplicates differ at most
FEWEST_REPLICATES = 50
MOST_REPEATED = 0.1


@dataclass(frozen=True)
class Accepted:
    """What a person answers for."""

    real_imagery: bool = False  # the batch shows the real world
    unknown_licences: bool = False  # of its assets


@dataclass(frozen=True)
class Utility:
    """How models are trained and judged."""

    metric: str = "AP50"
    delta: float = DELTA
    seeds: int = FEWEST_SEEDS  # 0 .. seeds - 1
    replicates: int = 500
    task: TrainTask = "segm"
    trainer: str = "pixels"  # what the arms are called by: the name of a model, or a command
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the trainer

    def __post_init__(self) -> None:
        if self.metric not in NAMES:
            raise UserError(f"--metric {self.metric} is not known; near: {near_matches(self.metric, NAMES)}")
        if self.seeds < FEWEST_SEEDS:
            raise UserError(f"--seeds {self.seeds}: at least {FEWEST_SEEDS}, fewer say nothing of a trainer's luck")
        if not 0.0 < self.delta < 1.0:
            raise UserError(f"--delta {self.delta:g}: a loss of the figure between 0 and 1 that is still bearable")
        if self.replicates < FEWEST_REPLICATES:
            raise UserError(f"--replicates {self.replicates}: at least {FEWEST_REPLICATES}")


@dataclass(frozen=True)
class Request:
    """One question to the gate; folders are complete datasets."""

    batch: Path
    against: tuple[Path, ...]  # what is trained on already
    holdout: Path  # real validation, which judges
    out: Path
    tests: tuple[Path, ...] = ()  # final tests: never judged by, and no picture of theirs may be in the batch
    slices: Mapping[str, Slice] = field(default_factory=dict)
    target: str = ALL
    protect: tuple[str, ...] | None = None  # None: every other slice that has groups enough
    asked: Asked | None = None  # what engine.propose asked for
    utility: Utility = field(default_factory=Utility)
    accepted: Accepted = field(default_factory=Accepted)
    group: str | None = None  # column of the holdout whose values are independent
    suites: tuple[str, ...] = ()  # pinned ones that models with the batch must pass
    store: Path | None = None  # where they are
    scenes: tuple[Path, ...] = ()  # where scenes lie, for licences
    crops: int = 300  # of G4, of either kind; 0 leaves it out
    most_repeated: float = MOST_REPEATED  # share of the batch that may look like another world of it

    def __post_init__(self) -> None:
        known = (ALL, *self.slices)
        for name in (self.target, *(self.protect or ())):
            if name not in known:
                raise UserError(f"slice {name} is not known; near: {near_matches(name, known)}; see --slices")
        if not 0.0 <= self.most_repeated <= 1.0:
            raise UserError(f"--repeats {self.most_repeated:g}: a share from 0 to 1")
        if not self.against:
            raise UserError("--against names no dataset; name what is trained on already")

    @property
    def protected(self) -> tuple[str, ...]:
        """Slices that must not lose."""
        names = self.protect if self.protect is not None else tuple(self.slices)
        return tuple(name for name in names if name not in (self.target, ALL))


def check_apart(request: Request) -> None:
    """Refuse datasets that stand on two sides of the question.

    Raises:
        UserError: If one is not complete, or is named as two of batch, against, holdout and test.
    """
    told = [("batch", request.batch), ("--holdout", request.holdout)]
    told += [("--against", folder) for folder in request.against] + [("--test", folder) for folder in request.tests]
    seen: dict[str, tuple[str, Path]] = {}
    for role, folder in told:
        content = manifest_of(folder).content_root
        if content in seen:
            other, place = seen[content]
            why = "; models are judged on validation, never on the final test" if "--test" in (role, other) else ""
            raise UserError(f"{role} {folder} is {other} {place}: the same content cannot be both{why}")
        seen[content] = role, folder


def manifest_of(folder: Path) -> Manifest:
    """Return the manifest of a complete dataset.

    Raises:
        UserError: If there is none.
    """
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder} is no complete dataset: it has no {MANIFEST}")
    return read_manifest(folder / MANIFEST)


def named(folder: Path) -> dict[str, Any]:
    """Return what a dataset is known by, as plain data."""
    manifest = manifest_of(folder)
    held = find_lock(folder)
    return {
        "dataset_id": manifest.dataset_id, "content_root": manifest.content_root, "frames": manifest.counts.frames,
        "origin": manifest.origin, "path": str(folder), "benchmark": None if held is None else held.benchmark_id,
    }  # fmt: skip
