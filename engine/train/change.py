"""What a change does to a figure, with bounds: seeds and groups of the test are both samples.

Their parts of the error are those of engine.evaluate.seeds; one seed speaks of one training alone. Where no seed and no
draw differs there is no error to show: what is seen in none of G groups is with 95 % rarer than 3 / G (rule of three).
Sources: Satterthwaite, Biometrics Bulletin 2, 1946; Owen, The pigeonhole bootstrap, Annals of Applied Statistics, 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.evaluate.evaluate import RULE_OF_THREE
from engine.evaluate.intervals import Floats
from engine.evaluate.seeds import freedom, is_measured, variances

LEVEL = 0.05  # of a bound: the ends of a central 90 % interval


@dataclass(frozen=True)
class Change:
    """A figure of 0..1, or the difference of two, over seeds and groups."""

    value: float
    error: float
    freedom: float
    groups: int = 0

    @property
    def is_known(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.value) and math.isfinite(self.error)

    @property
    def low(self) -> float:
        """The lower bound."""
        return max(self.value - self._reach(), -1.0)

    @property
    def high(self) -> float:
        """The upper bound."""
        return min(self.value + self._reach(), 1.0)

    def chance_below(self, threshold: float) -> float:
        """Return the p-value of "it is at most `threshold`"; small: it is above."""
        from scipy.special import stdtr

        if self.error == 0.0:
            return (1.0 - min(max(self.value - threshold, 0.0), 1.0)) ** self.groups
        return float(stdtr(min(self.freedom, 1e9), (threshold - self.value) / self.error))

    def _reach(self) -> float:
        from scipy.special import stdtrit

        if self.error == 0.0:
            return RULE_OF_THREE / max(self.groups, 1)
        return float(stdtrit(min(self.freedom, 1e9), 1.0 - LEVEL)) * self.error


def change_of(per_seed: Floats, draws: Floats, groups: int) -> Change:
    """Return a mean over seeds with its error; not known where a seed or half of the draws have no figure.

    Args:
        per_seed: The figure of every seed, [seed].
        draws: In every draw of the groups, the same ones for all seeds, [seed, replicate].
        groups: How many there are.
    """
    if not is_measured(per_seed, draws, groups):
        return Change(math.nan, math.nan, math.nan)
    parts = variances(per_seed, draws, groups)
    degrees = freedom(*parts, len(per_seed), groups)
    return Change(float(per_seed.mean()), math.sqrt(sum(parts)), degrees, groups)
