"""Is a sample of crops told apart from a reference, by which cue, and by how much more than two halves of it?

Pictures come in groups (a surface, a sequence, a world), and two halves of the reference by group are told apart as
well, a little. That, and never a shuffling of crops, is what the difference is measured against: with eleven surfaces
a half, shuffled crops call real pictures unreal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.shift.crops import Crops
from engine.shift.cues import CUES, joined, measure_cues
from engine.shift.report import CueResult, CueShare, KindResult, Measure, Removal, Verdict
from engine.shift.scores import (
    NEAR_AND_FAR,
    Sample,
    distances_of,
    mean_discrepancy,
    nearness,
    told_apart,
)

Array = NDArray[np.float64]

ALL = "all"
HALVES = 8  # splits of the reference
REPEATS = 3  # of them that the dataset is compared with; the median counts
FEWEST_GROUPS = 8  # of a half, and of the dataset: below, nothing is said
DEVIATIONS = 3.0  # of the halves' AUCs above their mean: two in a thousand cues by chance, were they normal
MARGIN = 0.02  # of AUC
WIDEST = 0.8  # where halves of the reference may reach this AUC, not being told apart says nothing
NEAREST_DEAD = 0.3  # precision and the others say nothing where halves of the reference stay below this
HALF = 0.5  # AUC of what is not told apart
STEPS = HALVES + REPEATS + len(CUES) + 2  # what `update` counts


@dataclass(frozen=True)
class Side:
    """Crops and their numbers."""

    crops: Crops
    cues: Mapping[str, Array]

    @classmethod
    def of(cls, crops: Crops) -> Side:
        """Return crops with their numbers."""
        return cls(crops, measure_cues(crops.luma))

    def sample(self, cue: str, rows: NDArray[np.int64], *, without: str = "") -> Sample:
        """Return the numbers of a cue of some crops."""
        values = joined(self.cues, without=without) if cue == ALL else self.cues[cue]
        return Sample(values[rows], self.crops.group[rows])

    @property
    def groups(self) -> int:
        """How many groups the crops come from."""
        return len(np.unique(self.crops.group))


@dataclass(frozen=True)
class Scores:
    """Of one comparison and one cue."""

    auc: float | None
    mmd2: float
    near: tuple[float, float, float, float]


def compare_crops(
    kind: str,
    dataset: Crops,
    reference: Crops,
    seed: int,
    update: Callable[[int], None] = lambda _: None,
    *,
    halves: int | None = None,
) -> KindResult:
    """Return what tells the crops of a dataset from those of a reference.

    Args:
        kind: What the crops are.
        dataset: Its crops.
        reference: Twice as many, since halves of them are compared.
        seed: Decides halves, folds and trees.
        update: Told of finished parts, `STEPS` in all.
        halves: Splits of the reference; None: eight.
    """
    side, other = Side.of(reference), Side.of(dataset)
    classes = tuple(dataset.by_class)
    counts = (len(dataset), len(reference), other.groups, side.groups)
    if min(other.groups, side.groups // 2) < 2 or min(len(dataset), len(reference) // 2) < 10:
        update(STEPS)
        return KindResult(kind, *counts, classes, (), "", (), (), _too_few(other.groups, side.groups))
    splits = _halves(side, len(dataset), seed, HALVES if halves is None else halves)
    rows = np.arange(len(dataset))
    null: list[dict[str, Scores]] = []
    for number, (first, second) in enumerate(splits):
        null.append(_scores(side, first, side, second, seed + number))
        update(1)
    found: list[dict[str, Scores]] = []
    for number, (first, _) in enumerate(splits[:REPEATS]):
        found.append(_scores(side, first, other, rows, seed + number))
        update(1)
    enough = min(other.groups, side.groups // 2) >= FEWEST_GROUPS
    cues = tuple(_result(cue, [f[cue] for f in found], [n[cue] for n in null], enough) for cue in (ALL, *CUES))
    note = "" if enough else _too_few(other.groups, side.groups)
    if not any(cue.verdict == "told apart" for cue in cues):
        update(STEPS - HALVES - REPEATS)
        return KindResult(kind, *counts, classes, cues, "", (), (), note)
    first = splits[0][0]
    shares = _shares(side, first, other, {cue.cue: cue.auc.value or HALF for cue in cues}, (seed, update))
    removals = _removals(reference.take(first), dataset, (seed, update))
    strongest = max(cues[1:], key=lambda cue: (cue.verdict == "told apart", cue.auc.value or HALF)).cue
    return KindResult(kind, *counts, classes, cues, strongest, shares, removals, note)


def _too_few(groups: int, reference_groups: int) -> str:
    return (
        f"no power: {groups} groups against {reference_groups}; the dataset needs {FEWEST_GROUPS}, the reference "
        f"{2 * FEWEST_GROUPS}, of which halves are compared"
    )


def _halves(side: Side, count: int, seed: int, halves: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return rows of two halves of the reference by group, each at most `count`, several times."""
    random = np.random.default_rng([seed, 1])
    groups = np.unique(side.crops.group)
    splits = []
    for _ in range(halves):
        chosen = random.permutation(groups)[: len(groups) // 2]
        inside = np.isin(side.crops.group, chosen)
        both = (random.permutation(np.flatnonzero(rows)) for rows in (inside, ~inside))
        first, second = (np.sort(rows[:count]) for rows in both)
        splits.append((first, second))
    return splits


def _scores(
    one: Side, rows: NDArray[np.int64], two: Side, other_rows: NDArray[np.int64], seed: int
) -> dict[str, Scores]:
    found = {}
    for cue in (ALL, *CUES):
        a, b = one.sample(cue, rows), two.sample(cue, other_rows)
        told = told_apart(a, b, seed)
        distances = distances_of(a.values, b.values)
        found[cue] = Scores(None if told is None else told.auc, mean_discrepancy(*distances), nearness(*distances))
    return found


def _result(cue: str, found: list[Scores], null: list[Scores], enough: bool) -> CueResult:
    auc = auc_measure([s.auc for s in found], [s.auc for s in null], enough)
    mmd2 = float(np.median([s.mmd2 for s in found]))
    nulls = [s.mmd2 for s in null]
    mmd = Measure(mmd2, min(nulls), max(nulls), enough and mmd2 > max(nulls), enough)
    near = []
    for index in range(len(NEAR_AND_FAR)):
        value, halves = float(np.median([s.near[index] for s in found])), [s.near[index] for s in null]
        alive = enough and float(np.median(halves)) >= NEAREST_DEAD
        near.append(Measure(value, min(halves), max(halves), alive and value < min(halves), alive))
    verdict: Verdict = "told apart" if auc.beyond else "not told apart"
    if not auc.power:
        verdict = "no power"
    return CueResult(cue, verdict, _words(cue, verdict, auc), auc, mmd, *near)


def auc_measure(found: list[float | None], null: list[float | None], enough: bool) -> Measure:
    """Return the AUC of a comparison, given those of some halves, beside those of halves of the reference."""
    values, halves = [a for a in found if a is not None], [a for a in null if a is not None]
    if not values or len(halves) < 2:
        return Measure(None, None, None, False, False)
    value = max(float(np.median(values)), HALF)
    floored = np.maximum(halves, HALF)
    limit = max(float(floored.max()), float(floored.mean()) + DEVIATIONS * float(floored.std(ddof=1))) + MARGIN
    beyond = enough and value > limit
    return Measure(value, float(floored.min()), float(floored.max()), beyond, beyond or (enough and limit <= WIDEST))


def _words(cue: str, verdict: Verdict, auc: Measure) -> str:
    name = "all cues" if cue == ALL else cue
    if auc.value is None:
        return f"no power by {name}: too few groups to hold some out"
    numbers = f"{auc.value:.2f}; real against real {auc.null_low:.2f}-{auc.null_high:.2f}"
    return f"{verdict} by {name} ({numbers})"


def _shares(
    side: Side, rows: NDArray[np.int64], other: Side, aucs: Mapping[str, float],
    rest: tuple[int, Callable[[int], None]],
) -> tuple[CueShare, ...]:  # fmt: skip
    """Return what each cue contributes: alone, by its absence, and by shuffling it."""
    seed, update = rest
    everything = np.arange(len(other.crops))
    blocks, column = [], 0
    for cue in CUES:
        width = side.cues[cue].shape[1]
        blocks.append(slice(column, column + width))
        column += width
    told = told_apart(side.sample(ALL, rows), other.sample(ALL, everything), seed, blocks)
    whole = max((told.auc if told else HALF) - HALF, 1.0e-9)
    shares = []
    for number, cue in enumerate(CUES):
        rest_told = told_apart(
            side.sample(ALL, rows, without=cue), other.sample(ALL, everything, without=cue), seed
        )  # fmt: skip
        without = max(rest_told.auc if rest_told else HALF, HALF)
        lost = min(max((whole + HALF - without) / whole, 0.0), 1.0)
        alone = min((aucs[cue] - HALF) / whole, 1.0)
        shares.append(CueShare(cue, alone, without, lost, told.drop[number] if told else 0.0))
        update(1)
    return tuple(shares)


def _removals(reference: Crops, dataset: Crops, rest: tuple[int, Callable[[int], None]]) -> tuple[Removal, ...]:
    """Return how well all cues tell apart what is left after blurring, and after swapping noise."""
    from scipy.ndimage import gaussian_filter

    seed, update = rest
    blurred = [gaussian_filter(crops.luma, (0, 1.5, 1.5)) for crops in (reference, dataset)]
    random = np.random.default_rng([seed, 2])
    fine = reference.luma - gaussian_filter(reference.luma, (0, 1.0, 1.0))
    coarse = [gaussian_filter(crops.luma, (0, 1.0, 1.0)) for crops in (reference, dataset)]
    swapped = [np.clip(part + fine[random.integers(0, len(fine), len(part))], 0.0, 1.0) for part in coarse]
    removals = []
    for name, what, (one, two) in (
        ("low_pass", "a blur of 1.5 px of both", blurred),
        ("noise_swap", "noise of the reference in both", swapped),
    ):
        told = told_apart(
            Sample(joined(measure_cues(one)), reference.group), Sample(joined(measure_cues(two)), dataset.group), seed
        )
        removals.append(Removal(name, what, max(told.auc if told else HALF, HALF)))
        update(1)
    return tuple(removals)
