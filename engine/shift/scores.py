"""How different two samples are: a classifier that tells them apart, a kernel distance, and who lies near whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

FOLDS = 5
TREES, LEAVES, LEARNING_RATE, BINS = 40, 8, 0.15, 63  # of the boosted trees: small, for a thousand rows
NEIGHBOURS = 5  # of precision, recall, density and coverage
FAR = 8.0  # standard deviations of the reference: what lies beyond counts as that far
TINY = 1.0e-6
NEAR_AND_FAR = ("precision", "recall", "density", "coverage")


@dataclass(frozen=True)
class Sample:
    """Numbers of crops, [crop, number], and the group of each."""

    values: Array
    group: Indices

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.values)


@dataclass(frozen=True)
class Told:
    """How well boosted trees tell two samples apart, on groups that they were not fitted on."""

    auc: float  # mean over folds, by pairs; 0.5: not at all
    drop: tuple[float, ...]  # what the AUC loses when a block of columns is shuffled, by block


def told_apart(one: Sample, two: Sample, seed: int, blocks: Sequence[slice] = ()) -> Told | None:
    """Return how well a classifier tells two samples apart; None: too few groups to hold some out.

    No group is on both sides of a fold. The mean of the folds' AUCs, not the AUC of all predictions together: a fold
    that lacks a group shifts all of its predictions.

    Args:
        one: A sample.
        two: The other.
        seed: Decides the folds and the shuffling.
        blocks: Columns that are shuffled together, to see what the classifier relies on.
    Source: Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017.
    """
    random = np.random.default_rng(seed)
    fold = folds_by_group(one.group, two.group, random)
    if fold is None:
        return None
    values = np.concatenate([one.values, two.values])
    is_two = np.repeat([False, True], [len(one), len(two)])
    aucs, weights, drops = [], [], []
    for number in range(int(fold.max()) + 1):
        test = fold == number
        pairs = int(is_two[test].sum()) * int((~is_two[test]).sum())
        if not pairs or len(np.unique(is_two[~test])) < 2:
            continue
        weights.append(pairs)
        with _one_thread():
            predict = _fitted(values[~test], is_two[~test], seed)
            auc = area_under_curve(predict(values[test]), is_two[test])
            aucs.append(auc)
            drops.append([auc - area_under_curve(predict(_shuffled(values[test], block, random)), is_two[test])
                          for block in blocks])  # fmt: skip
    if not aucs:
        return None
    mean = np.average(np.array(drops).reshape(len(aucs), len(blocks)), axis=0, weights=weights)
    return Told(float(np.average(aucs, weights=weights)), tuple(mean.tolist()))


def folds_by_group(one: Indices, two: Indices, random: np.random.Generator) -> Indices | None:
    """Return the fold of every row of both samples, groups whole and both samples spread; None: fewer than 2 groups."""
    names, number = np.unique(np.concatenate([one, two]), return_inverse=True)
    sizes = np.zeros((len(names), 2), np.int64)
    np.add.at(sizes, (number, np.repeat([0, 1], [len(one), len(two)])), 1)
    count = min(FOLDS, *(int((sizes[:, side] > 0).sum()) for side in (0, 1)))
    if count < 2:
        return None
    fold_of, load = np.zeros(len(names), np.int64), np.zeros((count, 2))
    order = random.permutation(len(names))
    for index in order[np.argsort(-sizes[order].max(axis=1), kind="stable")]:
        burden = (load * (sizes[index] > 0)).sum(axis=1)
        fold_of[index] = int(np.argmin(burden))
        load[fold_of[index]] += sizes[index]
    return fold_of[number]


def area_under_curve(score: Array, positive: NDArray[np.bool_]) -> float:
    """Return the probability that a positive has a higher score than a negative, ties counted half."""
    from scipy.stats import rankdata

    rank = rankdata(score)
    positives = int(positive.sum())
    negatives = len(positive) - positives
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def standardised(reference: Array, other: Array) -> tuple[Array, Array]:
    """Return both in standard deviations of the reference, far outliers brought in."""
    mean, deviation = reference.mean(axis=0), reference.std(axis=0) + TINY
    return np.clip((reference - mean) / deviation, -FAR, FAR), np.clip((other - mean) / deviation, -FAR, FAR)


def squared_distances(one: Array, two: Array) -> Array:
    """Return the squared distance of every row of one to every row of the other."""
    squares = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1)[None] - 2.0 * one @ two.T
    return np.maximum(squares, 0.0)


def distances_of(reference: Array, other: Array) -> tuple[Array, Array, Array]:
    """Return squared distances within the reference, within the other, and from the one to the other."""
    one, two = standardised(reference, other)
    return squared_distances(one, one), squared_distances(two, two), squared_distances(one, two)


def mean_discrepancy(within: Array, within_other: Array, across: Array) -> float:
    """Return the unbiased squared MMD under an RBF kernel whose squared width is the median squared distance.

    Source: Gretton et al., A Kernel Two-Sample Test, JMLR 2012, equation 3; the median heuristic of its section 8.
    """
    width = float(np.median(within[~np.eye(len(within), dtype=bool)])) + TINY
    n, m = len(within), len(within_other)
    one, two, both = (np.exp(-squares / width) for squares in (within, within_other, across))
    return float((one.sum() - n) / (n * (n - 1)) + (two.sum() - m) / (m * (m - 1)) - 2.0 * both.mean())


def nearness(within: Array, within_other: Array, across: Array) -> tuple[float, float, float, float]:
    """Return precision, recall, density and coverage of the other sample, with five neighbours.

    Source: Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, ICML 2020.
    """
    k = min(NEIGHBOURS, len(within) - 1, len(within_other) - 1)
    reach, reach_other = (np.partition(squares, k, axis=1)[:, k] for squares in (within, within_other))
    inside = across <= reach[:, None]
    return (
        float(inside.any(axis=0).mean()),
        float((across <= reach_other[None]).any(axis=1).mean()),
        float(inside.sum(axis=0).mean() / k),
        float((across.min(axis=1) <= reach).mean()),
    )


def check_learner() -> None:
    """Refuse to begin where the classifier is not installed.

    Raises:
        UserError: If it is not.
    """
    import importlib.util

    if importlib.util.find_spec("sklearn") is None:
        raise UserError("comparing needs scikit-learn: pip install 'ommatidia[shift]'")


def _one_thread() -> AbstractContextManager[object]:
    """Threads would wait for each other longer than these small trees take."""
    import sklearn.ensemble  # noqa: F401 - before the limit, which is of libraries that are loaded
    from threadpoolctl import threadpool_limits  # of scikit-learn

    return threadpool_limits(1)


def _fitted(values: Array, is_two: NDArray[np.bool_], seed: int) -> Callable[[Array], Array]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=LEARNING_RATE, max_bins=BINS, early_stopping=False,
        random_state=seed,
    ).fit(values, is_two)  # fmt: skip

    def predict(rows: Array) -> Array:
        score: Array = model.decision_function(rows)
        return score

    return predict


def _shuffled(values: Array, block: slice, random: np.random.Generator) -> Array:
    out = values.copy()
    out[:, block] = values[random.permutation(len(values)), block]
    return out
