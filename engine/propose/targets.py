"""What a proposal is for: slices of a report that are worse than the whole, or the failures themselves.

An instance fails if it is missed, or found with less confidence than `--low-confidence`. Of slices that nobody named
those count whose share of failures exceeds that of all, by the lower end of a 90 % interval of the difference over
groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError, near_matches
from engine.evaluate.figures import Part
from engine.evaluate.intervals import REPLICATES, group_weights, interval
from engine.evaluate.slices import ALL, Slice, SliceReader, read_slices
from engine.evaluate.stored import StoredReport
from engine.evaluate.truth import Truth
from engine.propose.rows import Unit, labelled_truth

Flags = NDArray[np.bool_]
FAILURES = "failures"  # name of the target that is no slice


@dataclass(frozen=True)
class Target:
    """What the next data should show."""

    name: str
    own: Slice | None  # None: failures, which no condition describes
    of: Unit
    chosen: Flags  # [instance of the report's truth], those that are of it
    instances: int
    failing: int
    groups: int
    difference: tuple[float, float]  # 90 % interval of its share of failures minus that of all

    @property
    def is_weak(self) -> bool:
        """Whether it is worse than the whole."""
        return self.difference[0] > 0.0

    @property
    def is_sufficient(self) -> bool:
        """Whether it has enough groups to say so."""
        return self.own is None or self.groups >= self.own.min_support

    @property
    def risk(self) -> float:
        """What its failures weigh: the risk weight times the share that fails."""
        weight = 1.0 if self.own is None else self.own.risk_weight
        return weight * self.failing / max(self.instances, 1)


@dataclass(frozen=True)
class Failures:
    """Labelled instances of the report's dataset and which of them fail."""

    truth: Truth  # with every labelled instance
    failing: Flags  # [instance]
    counted: Flags  # [instance], not a crowd
    image: NDArray[np.int64]  # [instance], position of its picture


Shown = tuple[Flags, Flags]  # [instance], [image]
Predicate = Callable[[Path, Truth], Shown]  # which instances and pictures of a dataset satisfy a target


def read_failures(report: StoredReport, low_confidence: float | None) -> Failures:
    """Return which instances of a report fail.

    Raises:
        UserError: If the report has other instances than its dataset.
    """
    truth = labelled_truth(report.dataset, report.group_by)
    table = report.matches().to_pydict()
    keys = zip(table["frame_id"], table["is_defect"], table["truth_id"], strict=True)
    least = max(report.score, -np.inf if low_confidence is None else low_confidence)
    said = {
        key: (not found or score < least, crowd)
        for key, found, score, crowd in zip(keys, table["found"], table["score"], table["is_crowd"], strict=True)
    }
    if set(said) != set(truth.instance):
        raise UserError(f"{report.folder}: its matches are of other instances than {report.dataset}; evaluate again")
    place = {frame: number for number, frame in enumerate(truth.frame_id.tolist())}
    return Failures(
        truth,
        np.array([said[key][0] for key in truth.instance], np.bool_),
        np.array([not said[key][1] for key in truth.instance], np.bool_),
        np.array([place[key[0]] for key in truth.instance], np.int64),
    )


def candidates(report: StoredReport, file: Path | None) -> dict[str, Slice]:
    """Return the slices of a report, or those of a file."""
    if file is not None:
        return read_slices(file)
    return {
        one["name"]: Slice(one["where"], one["risk_weight"], one["min_support"], one["about"])
        for one in report.facts["slices"]
        if one["name"] != ALL
    }


def choose_targets(
    slices: Mapping[str, Slice], names: Sequence[str], failures: Failures, seed: int
) -> tuple[list[Target], list[Target]]:
    """Return the targets, those of the greatest risk first, and the slices that are none.

    Args:
        slices: To choose from.
        names: Those that a user asks for, weak or not; none: all weak ones. Without slices the failures are the target.
        failures: Of the report.
        seed: Of the intervals.
    Raises:
        UserError: If a name is not there.
    """
    for name in names:
        if name not in slices:
            raise UserError(f"--slice {name}: there is no such slice; there are {near_matches(name, tuple(slices))}")
    if not slices:
        everything = np.ones(len(failures.failing), np.bool_)
        return [_target(FAILURES, None, "instances", everything, failures, seed)], []
    reader = SliceReader(failures.truth.dataset, failures.truth)
    found = []
    for name in names or tuple(slices):
        part, of_instances = reader.part(name, slices[name])
        chosen = part.truth & part.image[failures.image]
        found.append(_target(name, slices[name], "instances" if of_instances else "images", chosen, failures, seed))
    found.sort(key=lambda target: (-target.risk, target.name))
    if names:
        return found, []
    return [one for one in found if one.is_weak and one.is_sufficient], [
        one for one in found if not (one.is_weak and one.is_sufficient)
    ]


def shown_by_slice(name: str, own: Slice) -> Predicate:
    """Return what tells which instances and pictures satisfy a slice's condition."""

    def shown(dataset: Path, truth: Truth) -> Shown:
        part: Part = SliceReader(dataset, truth).part(name, own)[0]
        frames = truth.frame_id[part.image]
        return part.truth & np.isin(np.array([key[0] for key in truth.instance], np.int64), frames), part.image

    return shown


def _target(
    name: str, own: Slice | None, of: Unit, chosen: Flags, failures: Failures, seed: int
) -> Target:  # fmt: skip
    inside = chosen & failures.counted
    group = failures.truth.group[failures.image]
    groups = len(np.unique(group[inside]))
    draws = group_weights(failures.truth.group, seed, REPLICATES)[:, failures.image]
    shares = [_share(draws * which, failures.failing) for which in (inside, failures.counted)]
    low, high = interval(shares[0] - shares[1])
    return Target(
        name, own, of, chosen, int(inside.sum()), int((inside & failures.failing).sum()), groups, (low, high)
    )  # fmt: skip


def _share(weights: NDArray[np.float64], failing: Flags) -> NDArray[np.float64]:
    total = weights.sum(axis=1)
    return np.where(total > 0.0, weights @ failing / np.where(total > 0.0, total, 1.0), np.nan)
