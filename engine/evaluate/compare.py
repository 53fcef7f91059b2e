"""Two models on the same data: the difference of every figure, by a paired bootstrap over groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.evaluate.evaluate import FIGURES, Figure, Measurement, figure_values, replicate_weights
from engine.evaluate.figures import Curves, Part
from engine.evaluate.intervals import interval
from engine.evaluate.match import Matches
from engine.evaluate.truth import Truth


@dataclass(frozen=True)
class Compared:
    """A slice under two models: figures of this one minus those of the other."""

    name: str
    differences: Mapping[str, Figure]

    def verdict(self, figure: str) -> str:
        """Return better, worse or open: whether the interval of a difference lies on one side of 0."""
        one = self.differences[figure]
        sign = -1.0 if figure == "false_alarms" else 1.0
        low, high = sorted((sign * one.low, sign * one.high))
        return "better" if low > 0.0 else "worse" if high < 0.0 else "open"


def compare(name: str, part: Part, truth: Truth, models: tuple[Matches, Matches], settings: Measurement) -> Compared:
    """Return the differences, first model minus second; both are measured on the same draws of groups."""
    curves = [Curves(matches, part) for matches in models]
    once = part.image.astype(np.float64)
    values = [figure_values(one, once, settings.score) for one in curves]
    draws = replicate_weights(part, truth, settings)
    replicates = [[figure_values(one, own, settings.score) for one in curves] for own in draws]
    found = {}
    for figure in FIGURES:
        differences = np.array([a[figure] - b[figure] for a, b in replicates])
        found[figure] = Figure(values[0][figure] - values[1][figure], *interval(differences))
    return Compared(name, found)
