"""Every slice of a dataset, measured: figures with intervals over independent groups, and what the misses weigh."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from engine.evaluate.figures import Curves, Floats, Part
from engine.evaluate.intervals import REPLICATES, draws_of_groups, interval, wilson
from engine.evaluate.match import Matches
from engine.evaluate.slices import ALL, Slice
from engine.evaluate.truth import Truth

RULE_OF_THREE = 3.0  # -ln 0.05: what is seen in none of n is with 95 % rarer than this / n
FIGURES = ("recall", "precision", "AP", "AP50", "false_alarms")


@dataclass(frozen=True)
class Figure:
    """A number and its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """A slice."""

    name: str
    where: str
    about: str
    of_instances: bool  # its condition chooses instances, not pictures
    images: int
    groups: int
    instances: int
    missed: int
    risk_weight: float
    min_support: int
    figures: Mapping[str, Figure]  # empty below min_support

    @property
    def is_sufficient(self) -> bool:
        """Whether there is enough for figures."""
        return bool(self.figures)

    @property
    def risk(self) -> float:
        """What its misses weigh: risk_weight times the share of instances that is missed; 0 where unknown."""
        recall = self.figures.get("recall")
        return 0.0 if recall is None or math.isnan(recall.value) else self.risk_weight * (1.0 - recall.value)


@dataclass(frozen=True)
class Measurement:
    """How slices are measured."""

    score: float = 0.0  # predictions below are not made: recall, precision and false alarms are of those that are
    replicates: int = REPLICATES
    seed: int = 0


def measure_slices(
    truth: Truth,
    matches: Matches,
    parts: Mapping[str, tuple[Slice, Part, bool]],
    settings: Measurement,
) -> list[Measured]:
    """Return the figures of the whole set and of every slice."""
    everything = Part(np.ones(len(matches.truth_id), np.bool_), np.ones(len(matches.image_ids), np.bool_))
    whole = Slice("true", risk_weight=1.0, min_support=1, about="everything")
    cases = {ALL: (whole, everything, False), **parts}
    return [measure(name, case, truth, matches, settings) for name, case in cases.items()]


def measure(
    name: str, case: tuple[Slice, Part, bool], truth: Truth, matches: Matches, settings: Measurement
) -> Measured:
    """Return the figures of one slice."""
    own, part, of_instances = case
    curves = Curves(matches, part)
    groups = np.unique(truth.group[part.image])
    counted = part.truth & part.image[matches.truth_image] & ~matches.truth_ignored
    found = matches.truth_score[counted, 0] >= settings.score
    enough = len(groups) >= own.min_support and bool(part.image.any())
    return Measured(
        name, own.where, own.about, of_instances, int(part.image.sum()), len(groups), int(counted.sum()),
        int(counted.sum() - found.sum()), own.risk_weight, own.min_support,
        _figures(curves, part, truth, settings) if enough else {},
    )  # fmt: skip


def replicate_weights(part: Part, truth: Truth, settings: Measurement) -> Iterator[Floats]:
    """Yield the weight of every picture, [image], replicate by replicate; those of the part alone count."""
    _, group = np.unique(truth.group[part.image], return_inverse=True)
    for own in draws_of_groups(group.astype(np.int64), settings.seed, settings.replicates):
        weights = np.zeros(len(part.image))
        weights[part.image] = own
        yield weights


def figure_values(curves: Curves, weights: Floats, score: float, names: Collection[str] = FIGURES) -> dict[str, float]:
    """Return every figure under weights of the pictures; those that are not named are NaN."""
    measured: dict[str, Callable[[], float]] = {
        "recall": lambda: curves.recall(weights, score=score),
        "precision": lambda: curves.precision(weights, score=score),
        "AP": lambda: curves.average_precision(weights),
        "AP50": lambda: curves.average_precision(weights, loose=True),
        "false_alarms": lambda: curves.false_alarms(weights, score=score),
    }
    return {name: measure() if name in names else math.nan for name, measure in measured.items()}


def _figures(curves: Curves, part: Part, truth: Truth, settings: Measurement) -> dict[str, Figure]:
    """Return the figures with intervals: of the bootstrap over groups, or others where it has no spread to show.

    Wilson's are those of recall where every group is one picture with one instance at most, and, of as many trials
    as there are groups, of shares where nothing or everything is right: there, every replicate says the same. No
    false alarms in n groups are at most 3 / n a picture. One group alone says nothing of others: NaN.
    Source of the rule of three: Hanley, Lippman-Hand, If nothing goes wrong, is everything all right? JAMA 249, 1983.
    """
    values = figure_values(curves, part.image.astype(np.float64), settings.score)
    groups = len(np.unique(truth.group[part.image]))
    if groups < 2:
        return {name: Figure(value, math.nan, math.nan) for name, value in values.items()}
    replicates = [figure_values(curves, own, settings.score) for own in replicate_weights(part, truth, settings)]
    found = {name: Figure(value, *interval(_column(replicates, name))) for name, value in values.items()}
    counts = curves.counts(settings.score)
    trials = {"precision": counts.hits + counts.alarms}
    for name in ("recall", "precision", "AP", "AP50"):
        value, most = values[name], min(trials.get(name, counts.instances), groups)
        if value in (0.0, 1.0):
            found[name] = Figure(value, *wilson(value * most, most))
    if groups == int(part.image.sum()) and counts.most_in_image <= 1 and counts.instances:
        found["recall"] = Figure(values["recall"], *wilson(counts.found, counts.instances))
    if values["false_alarms"] == 0.0:
        found["false_alarms"] = Figure(0.0, 0.0, RULE_OF_THREE / groups)
    return found


def _column(replicates: list[dict[str, float]], name: str) -> Floats:
    return np.array([one[name] for one in replicates])
