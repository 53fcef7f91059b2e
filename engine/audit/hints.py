"""What tells all synthetic crops from all real ones, cue by cue: a hint for whoever looks, and never a veto."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audit.cut import Cuts, spread
from engine.audit.nearest import Yardstick
from engine.shift.compare import FEWEST_GROUPS, auc_measure
from engine.shift.cues import CUES
from engine.shift.scores import Sample, told_apart

CROPS = 200  # of either side that a classifier sees
HALVES = 4  # splits of the real ones by group
REPEATS = 2  # of them that the synthetic ones are compared with
FEWEST_CROPS = 10


@dataclass(frozen=True)
class Hint:
    """How well one cue tells synthetic from real crops: AUC, and what halves of the real ones reach."""

    kind: str  # of crops: around instances, ground
    cue: str
    verdict: str  # told apart | not told apart | no power
    auc: float | None
    null_low: float | None
    null_high: float | None
    words: str


def hints(kind: str, synthetic: Cuts, real: Cuts, seed: int) -> tuple[Hint, ...]:
    """Return a hint for every cue; none where scikit-learn is missing or there are too few crops or groups.

    As `engine.dataset shift` does: boosted trees on groups that they were not fitted on, beside halves of the real
    crops by group.
    """
    import importlib.util

    if importlib.util.find_spec("sklearn") is None or min(len(synthetic), len(real)) < 2 * FEWEST_CROPS:
        return ()
    one = synthetic.take(spread(synthetic.group.tolist(), CROPS, kind, seed, "hint"))
    other = real.take(spread(real.group.tolist(), 2 * CROPS, kind, seed, "hint"))
    groups = len(np.unique(other.group))
    if min(len(np.unique(one.group)), groups // 2) < 2:
        return ()
    enough = min(len(np.unique(one.group)), groups // 2) >= FEWEST_GROUPS
    splits = _halves(other.group, seed)
    yardstick = Yardstick.of((one, other))
    usual = [{cue: np.median(cuts.cues[cue], axis=0) for cue in CUES} for cuts in (one, other)]
    found = []
    for cue in CUES:
        null = [_auc(other, first, other, second, cue, seed) for first, second in splits]
        rows = np.arange(len(one))
        auc = auc_measure([_auc(other, first, one, rows, cue, seed) for first, _ in splits[:REPEATS]], null, enough)
        verdict = "no power" if not auc.power else "told apart" if auc.beyond else "not told apart"
        words = f"{verdict} by {cue}"
        if auc.value is not None:
            words += f": {auc.value:.2f} (real against real {auc.null_low:.2f} to {auc.null_high:.2f})"
        step = yardstick.words(usual[0], usual[1], cue) if auc.beyond else ""
        words += f", synthetic has {step}" if step else ""
        found.append(Hint(kind, cue, verdict, auc.value, auc.null_low, auc.null_high, words))
    return tuple(found)


def _auc(
    one: Cuts, rows: NDArray[np.int64], two: Cuts, other_rows: NDArray[np.int64], cue: str, seed: int
) -> float | None:
    samples = [Sample(cuts.cues[cue][at], cuts.group[at]) for cuts, at in ((one, rows), (two, other_rows))]
    told = told_apart(samples[0], samples[1], seed)
    return None if told is None else told.auc


def _halves(group: NDArray[np.int64], seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    random = np.random.default_rng([seed, 3])
    names = np.unique(group)
    splits = []
    for _ in range(HALVES):
        inside = np.isin(group, random.permutation(names)[: len(names) // 2])
        splits.append((np.flatnonzero(inside)[:CROPS], np.flatnonzero(~inside)[:CROPS]))
    return splits
