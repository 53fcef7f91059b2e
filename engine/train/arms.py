"""Arms of an experiment: what a learner learns from real pictures, rendered ones, both, and ones with wrong labels.

All arms of a seed see the same real pictures and are judged on the same draws of the test's groups, so that differences
are paired. An interval is over seeds and groups together: it speaks of other choices of real pictures and of other
groups, not of these alone: the cluster bootstrap of engine.evaluate for groups and, since a bootstrap of five seeds is
too narrow, Student's t for seeds (Biometrika 6, 1908).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.evaluate.board import NAMES, Board, Judged
from engine.evaluate.evaluate import Measurement
from engine.evaluate.figures import Floats
from engine.evaluate.intervals import interval
from engine.evaluate.slices import ALL, Slice
from engine.train.few import check_apart, few_frames, group_of_frames
from engine.train.prepare import Data, read_labels, wanted_classes
from engine.train.run import Learner, train

REAL, SYNTHETIC, BOTH, WITHOUT, PLACEBO = "real", "synthetic", "both", "without_batch", "placebo"
MEANING = {
    REAL: "real pictures alone",
    SYNTHETIC: "rendered ones alone",
    BOTH: "real and rendered",
    WITHOUT: "real and rendered, without the batch",
    PLACEBO: "as both, masks and boxes of what is asked about turned by half a turn",
}
GAINS = ((BOTH, REAL), (SYNTHETIC, REAL), (BOTH, WITHOUT), (BOTH, PLACEBO), (PLACEBO, REAL), (PLACEBO, WITHOUT))
LEAST_SUPPORT = 10  # groups of the whole set


@dataclass(frozen=True)
class Experiment:
    """What is compared."""

    real: Path
    synthetic: tuple[Path, ...]
    batch: Path | None  # rendered frames that are asked about; None: all rendered ones are
    test: Path
    counts: tuple[int, ...]  # real pictures of each class
    seeds: tuple[int, ...]
    free_count: int | None = None  # real pictures without an instance; None: as many as with one


@dataclass(frozen=True)
class Trained:
    """One training of one arm."""

    arm: str
    count: int  # real pictures of each class; 0: none
    seed: int
    data: tuple[Data, ...]

    @property
    def key(self) -> tuple[str, int]:
        """Of the arm and the number of real pictures, over seeds."""
        return self.arm, self.count


@dataclass(frozen=True)
class Stand:
    """A figure over seeds and groups."""

    value: float
    low: float
    high: float


def trainings(experiment: Experiment) -> list[Trained]:
    """Return all trainings, seed by seed, so that an experiment that is stopped has whole seeds.

    Raises:
        UserError: If a picture or a group of the test is learned from, or nothing real can be learned.
    """
    batch = () if experiment.batch is None else (experiment.batch,)
    rendered = (*experiment.synthetic, *batch)
    check_apart((experiment.real, *rendered), experiment.test)
    labels = read_labels(experiment.real)
    classes = wanted_classes([read_labels(experiment.test)])
    if not set(classes) & set(wanted_classes([labels])):
        raise UserError(f"{experiment.real} shows none of what {experiment.test} shows: {', '.join(classes) or 'none'}")
    _, group_of = group_of_frames(experiment.real)
    others = tuple(Data(path) for path in experiment.synthetic)
    asked = tuple(Data(path) for path in batch)
    turned = tuple(Data(path, is_placebo=True) for path in (batch or experiment.synthetic))
    found = []
    for seed in experiment.seeds:
        found.append(Trained(SYNTHETIC, 0, seed, (*others, *asked)))
        for count in experiment.counts:
            real = Data(experiment.real, few_frames(labels, group_of, classes, count, seed, experiment.free_count))
            found.append(Trained(REAL, count, seed, (real,)))
            found.append(Trained(BOTH, count, seed, (real, *others, *asked)))
            if batch:
                found.append(Trained(WITHOUT, count, seed, (real, *others)))
            kept = others if batch else ()
            found.append(Trained(PLACEBO, count, seed, (real, *kept, *turned)))
    return found


def judged(one: Trained, out: Path, experiment: Experiment, learner: Learner, board: Board) -> dict[str, Judged]:
    """Train unless that is done, and return every slice of the test; both are kept in the arm's folder.

    Raises:
        UserError: If the trainer fails.
    """
    folder = out / "runs" / f"{one.arm}-{one.count}-{one.seed}-{digest_of(one, experiment, learner)}"
    plan = train(folder, one.data, [Data(experiment.test)], learner, one.seed)
    return board.judge(folder / plan.predict[0].out)


def digest_of(one: Trained, experiment: Experiment, learner: Learner) -> str:
    """Return a word for what a training learns from and how: another experiment has another folder."""
    from engine.dataset.manifest import read_manifest
    from engine.write.begin import MANIFEST

    parts = [learner.name, learner.task, repr(sorted((k, v) for k, v in learner.told().items() if k != "cache"))]
    for data in (*one.data, Data(experiment.test)):
        facts = read_manifest(data.dataset / MANIFEST)
        parts.append(f"{facts.dataset_id} {facts.content_root} {data.frames} {data.is_placebo}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def stand(values: Sequence[float], draws: Floats, noise: Floats) -> Stand:
    """Return the mean over seeds with its interval; seeds without a figure are left out.

    Args:
        values: Of every seed.
        draws: In every replicate of the test's groups, [seed, replicate].
        noise: Of means over seeds in units of their standard error, [replicate]; see `seed_noise`.
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return Stand(math.nan, math.nan, math.nan)
    finite = np.isfinite(draws)
    count = finite.sum(axis=0)
    means = np.where(count, np.where(finite, draws, 0.0).sum(axis=0) / np.maximum(count, 1), math.nan)
    error = float(np.std(known, ddof=1)) / math.sqrt(len(known)) if len(known) > 1 else 0.0
    return Stand(sum(known) / len(known), *interval(means + error * noise))


def gain(first: Sequence[Judged], second: Sequence[Judged], figure: str, noise: Floats) -> Stand:
    """Return how much better one arm is than another, paired by seed and by draws of groups."""
    values = [a.value(figure) - b.value(figure) for a, b in zip(first, second, strict=True)]
    draws = np.array([a.draws(figure) - b.draws(figure) for a, b in zip(first, second, strict=True)])
    return stand(values, draws, noise)


def seed_noise(seeds: int, replicates: int, seed: int) -> Floats:
    """Return draws of Student's t for so many seeds, [replicate], alike for all arms; 0 for one seed alone.

    It is what the mean over seeds is off by, in units of its standard error.
    """
    if seeds < 2:
        return np.zeros(replicates)
    random = np.random.Generator(np.random.Philox(key=[seed, 2**32 + seeds]))
    return random.standard_t(seeds - 1, replicates)


def compared(
    results: Mapping[tuple[str, int], Sequence[Mapping[str, Judged]]],
    slices: Mapping[str, Slice],
    settings: Measurement,
) -> list[dict[str, Any]]:
    """Return the figures of every slice and arm, and the gains between arms, as plain data.

    Args:
        results: Of every arm and number of real pictures, what each seed's model is worth; seeds in one order.
        slices: By name; `all` is added.
        settings: Of the draws.
    """
    count = len(next(iter(results.values())))
    noise = seed_noise(count, settings.replicates, settings.seed)
    found = []
    for name in (ALL, *slices):
        first = next(iter(results.values()))[0][name]
        support = LEAST_SUPPORT if name == ALL else slices[name].min_support
        enough = first.groups >= support
        own = {key: [one[name] for one in seeds] for key, seeds in results.items()}
        found.append({
            "name": name,
            "where": "" if name == ALL else slices[name].where,
            "images": first.images,
            "groups": first.groups,
            "instances": first.instances,
            "min_support": support,
            "verdict": None if enough else "insufficient",
            "arms": [_arm(key, judges, noise) for key, judges in own.items()] if enough else [],
            "gains": _gains(own, noise) if enough else [],
        })  # fmt: skip
    return found


def _arm(key: tuple[str, int], judges: Sequence[Judged], noise: Floats) -> dict[str, Any]:
    figures = {}
    for figure in NAMES:
        values = [one.value(figure) for one in judges]
        figures[figure] = _plain(stand(values, np.array([one.draws(figure) for one in judges]), noise))
        figures[figure]["seeds"] = [_number(value) for value in values]
    return {"arm": key[0], "k": key[1], "figures": figures}


def _gains(own: Mapping[tuple[str, int], Sequence[Judged]], noise: Floats) -> list[dict[str, Any]]:
    found = []
    for first, second in GAINS:
        for count in (key[1] for key in own if key[0] == second):
            key = (first, count) if (first, count) in own else (first, 0)
            if key not in own:
                continue
            figures = {name: _plain(gain(own[key], own[second, count], name, noise)) for name in NAMES}
            for name, plain in figures.items():
                plain["verdict"] = _verdict(plain, name)
            found.append({"arm": first, "over": second, "k": count, "figures": figures})
    return found


def _verdict(plain: Mapping[str, Any], figure: str) -> str:
    low, high = plain["low"], plain["high"]
    if low is None or high is None or low <= 0.0 <= high:
        return "open"
    return "better" if (low > 0.0) != (figure == "false_alarms") else "worse"


def _plain(one: Stand) -> dict[str, Any]:
    return {"value": _number(one.value), "low": _number(one.low), "high": _number(one.high)}


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
