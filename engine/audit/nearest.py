"""Which crops are most like another one: distances by cue, in the spread of what they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audit.cut import NAMED, Array, Cuts
from engine.shift.cues import CUES

TINY = 1.0e-9  # a number that never varies says nothing: it counts as it is, not divided
QUERIES = 300  # synthetic crops whose nearest others say how near is usual
USUAL = 0.99  # quantile of them
WORDS = {  # of a named number: what more of it is called
    "crop.brightness": "brightness", "crop.contrast": "contrast", "crop.shading": "shading", "crop.noise": "noise",
    "crop.noise_grain": "grain of noise", "crop.steepness": "steepness of edges", "crop.sharpness": "sharpness",
    "crop.coarse_detail": "coarse detail", "crop.fine_detail": "fine detail",
}  # fmt: skip


@dataclass(frozen=True)
class Neighbour:
    """A crop of the pool, and how far it is: by cue, root mean squares of standardised differences of its numbers."""

    row: int  # of the pool
    distance: float  # root mean square over the cues
    by_cue: Mapping[str, float]

    @property
    def farthest(self) -> str:
        """The cue by which it differs most."""
        return max(CUES, key=lambda cue: self.by_cue[cue])


@dataclass(frozen=True)
class Yardstick:
    """The spread of every number, by cue."""

    deviation: Mapping[str, Array]

    @classmethod
    def of(cls, pools: Sequence[Cuts]) -> Yardstick:
        """Return the mean spread within pools; what differs between them does not widen it."""
        known = [pool for pool in pools if len(pool) > 1]
        spreads = {}
        for cue in CUES:
            variances = [pool.cues[cue].var(axis=0) for pool in known]
            deviation = np.sqrt(np.mean(variances, axis=0)) if variances else np.ones(1)
            spreads[cue] = np.where(deviation > TINY, deviation, 1.0)
        return cls(spreads)

    def distances(self, one: Mapping[str, Array], pool: Cuts) -> Array:
        """Return how far a crop, whose numbers are [number] by cue, is from each of a pool, [crop, cue]."""
        return np.stack(
            [np.sqrt(np.mean(((pool.cues[cue] - one[cue]) / self.deviation[cue]) ** 2, axis=1)) for cue in CUES],
            axis=1,
        )  # fmt: skip

    def words(self, one: Mapping[str, Array], other: Mapping[str, Array], cue: str) -> str:
        """Return what the one has less or more of than the other, of the named numbers of a cue; "": none is named."""
        named = [name for name, (own, _) in NAMED.items() if own == cue]
        if not named:
            return ""
        steps = {name: self._step(one, other, name) for name in named}
        name = max(named, key=lambda name: abs(steps[name]))
        return f"{'less' if steps[name] < 0 else 'more'} {WORDS[name]}"

    def _step(self, one: Mapping[str, Array], other: Mapping[str, Array], name: str) -> float:
        cue, places = NAMED[name]
        at = list(places)
        return float(np.mean((one[cue][at] - other[cue][at]) / self.deviation[cue][at]))


def nearest(
    yardstick: Yardstick, one: Mapping[str, Array], pool: Cuts, *, count: int, without: NDArray[np.bool_] | None = None
) -> tuple[Neighbour, ...]:
    """Return the nearest crops of a pool, of each group one at most, the nearest first.

    Args:
        yardstick: What distances are measured in.
        one: Numbers of a crop, by cue.
        pool: Where to look.
        count: How many.
        without: Rows of the pool that do not count.
    """
    if not len(pool):
        return ()
    by_cue = yardstick.distances(one, pool)
    total = np.sqrt(np.mean(by_cue**2, axis=1))
    found: list[Neighbour] = []
    seen: set[int] = set()
    for row in np.argsort(total, kind="stable").tolist():
        group = int(pool.group[row])
        if group in seen or (without is not None and without[row]):
            continue
        seen.add(group)
        found.append(Neighbour(row, float(total[row]), dict(zip(CUES, by_cue[row].tolist(), strict=True))))
        if len(found) == count:
            break
    return tuple(found)


def usual_distance(yardstick: Yardstick, pool: Cuts) -> float | None:
    """Return how far the nearest crop of another group is for 99 % of a pool; None: it is of one group."""
    if len(np.unique(pool.group)) < 2:
        return None
    rows = np.unique(np.linspace(0, len(pool) - 1, min(QUERIES, len(pool))).astype(int))
    found = []
    for row in rows.tolist():
        one = {cue: values[row] for cue, values in pool.cues.items()}
        near = nearest(yardstick, one, pool, count=1, without=pool.group == pool.group[row])
        found.append(near[0].distance)
    return float(np.quantile(found, USUAL))
