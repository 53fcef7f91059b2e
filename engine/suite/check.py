"""Whether frames show what a suite is about: the share that satisfies its condition, counted on the ground truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.query import frames_where, open_index
from engine.suite.config import Suite

Z_90 = 1.6448536269514722  # two-sided 90 %


@dataclass(frozen=True)
class Checked:
    """How many frames are what a suite says."""

    name: str
    frames: int
    worlds: int
    satisfied: int
    low: float  # of the share, 90 % interval
    high: float
    least: float  # share that the suite asks for
    satisfying: tuple[int, ...]  # worlds all of whose frames satisfy it

    @property
    def share(self) -> float:
        """The share of frames that satisfy the condition."""
        return self.satisfied / self.frames if self.frames else 0.0

    @property
    def holds(self) -> bool:
        """Whether the share is what the suite asks for."""
        return self.share >= self.least

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "FAILS"
        return (
            f"{verdict} {self.name}: {self.satisfied} of {self.frames} frames of {self.worlds} worlds, "
            f"{self.share:.1%} [{self.low:.1%}, {self.high:.1%}], asked: {self.least:.0%}"
        )


def check_suite(name: str, suite: Suite, out: Path) -> Checked:
    """Return what share of a dataset's frames satisfies a suite's condition.

    The interval is Wilson's over worlds, since frames of one world are not independent: each world counts with the
    share of its frames. Source: E. B. Wilson, Probable inference, JASA 22, 1927.

    Raises:
        UserError: If there is no dataset, or the condition asks for what its index has not.
    """
    return check_condition(name, suite.where, out, least=suite.share, where=f"suite/{name}.yaml: where")


def check_condition(name: str, condition: str, out: Path, *, least: float, where: str) -> Checked:
    """Return what share of a dataset's frames satisfies a condition; `where` is what it is, for errors."""
    rows = frames_where(open_index(out), condition, where=where)
    worlds = np.array([world for world, _ in rows], np.int64)
    holds = np.array([holds for _, holds in rows], np.bool_)
    numbers, index = np.unique(worlds, return_inverse=True)
    by_world = np.bincount(index, holds) / np.maximum(np.bincount(index), 1)
    low, high = wilson(float(by_world.sum()), len(by_world))
    whole = tuple(numbers[by_world == 1.0].tolist())
    return Checked(name, len(rows), len(numbers), int(holds.sum()), low, high, least, whole)


def wilson(successes: float, count: int, z: float = Z_90) -> tuple[float, float]:
    """Return the interval of a share, 90 % by default; of nothing: all there is."""
    if count == 0:
        return 0.0, 1.0
    share, square = successes / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(middle - half, 0.0), min(middle + half, 1.0)
