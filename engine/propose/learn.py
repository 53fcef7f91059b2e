"""Which drawn values tell failures from the rest: a small classifier of p(failure | drawn values).

Values enter by their place in their own law, as Legendre polynomials over [0, 1]. Columns come in one by one, each time
the one whose score test with the residuals is strongest, clustered by world, or by picture for what varies from step to
step within worlds (Rao's test; Liang and Zeger, Biometrika 73, 1986), until none reaches `Z_ENOUGH` or there are
`MOST_COLUMNS`. Then a logistic regression with an L2 penalty takes them and the products of pairs. Its AUC comes from
worlds that neither the choice of columns nor the fit has seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.evaluate.images import Ranked
from engine.evaluate.intervals import group_weights, interval
from engine.propose.columns import MISSING, Column
from engine.propose.rows import Rows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_COLUMNS = 6  # that carry the weights
Z_ENOUGH = 2.5  # a column that says less is not taken after the first
FOLDS = 5
PENALTY = 1.0  # scikit-learn's C; features have variance 1
REPLICATES = 300
LEAST_AUC = 0.55  # that the lower end of the interval must exceed
LEAST_GROUPS = 5  # worlds with a failure, and without one


@dataclass(frozen=True)
class Auc:
    """How well failures are told from the rest on unseen worlds, with a 90 % interval over worlds."""

    value: float
    low: float
    high: float
    worlds: int
    rows: int
    failing: int

    @property
    def tells(self) -> bool:
        """Whether it does better than chance by more than a trifle."""
        return self.low > LEAST_AUC


@dataclass(frozen=True)
class Classifier:
    """p(failure | drawn values) by a few columns."""

    columns: tuple[Column, ...]
    model: Any  # scikit-learn's logistic regression

    def probability(self, bins: Mapping[str, NDArray[np.int64]], places: Mapping[str, Floats]) -> Floats:
        """Return the probability of every row."""
        parts = [features(column, bins[column.key], places[column.key]) for column in self.columns]
        return np.asarray(self.model.predict_proba(_design(parts))[:, 1])


def features(column: Column, bins: NDArray[np.int64], places: Floats) -> Floats:
    """Return what a column says of every row, [row, feature]; without a value all are 0.

    Args:
        column: What it is.
        bins: [row, k], `MISSING` without a value.
        places: [row, k] in [0, 1].
    """
    there = bins != MISSING
    count = np.maximum(there.sum(axis=1), 1)
    if column.kind in ("names", "presence") or len(column.base) == 2:
        parts = []
        for number, share in list(enumerate(column.base))[: 1 if len(column.base) == 2 else None]:
            scale = math.sqrt(max(share * (1.0 - share), 1.0e-6))
            parts.append((((bins == number) - share) * there).sum(axis=1) / count / scale)
        return np.stack(parts, axis=1)
    x = np.where(there, 2.0 * np.where(there, places, 0.5) - 1.0, 0.0)
    first = math.sqrt(3.0) * x.sum(axis=1) / count
    second = math.sqrt(5.0) * np.where(there, 1.5 * x * x - 0.5, 0.0).sum(axis=1) / count
    parts = [first, second]
    if bins.shape[1] > 1:
        known = there.any(axis=1)
        for pick, empty in ((np.min, np.inf), (np.max, -np.inf)):
            end = pick(np.where(there, x, empty), axis=1)
            parts.append(np.where(known, math.sqrt(3.0) * np.where(np.isfinite(end), end, 0.0), 0.0))
    return np.stack(parts, axis=1)


def fit(
    columns: Sequence[Column], rows: Rows, failing: Flags, weights: Floats, *, most: int = MOST_COLUMNS
) -> Classifier:
    """Return a classifier of the columns that say most."""
    parts = {column.key: features(column, rows.bins[column.key], rows.places[column.key]) for column in columns}
    chosen = _chosen(columns, parts, failing, weights, rows)[:most]
    model = _model()
    model.fit(_design([parts[column.key] for column in chosen]), failing, sample_weight=weights)
    return Classifier(tuple(chosen), model)


def measured_auc(columns: Sequence[Column], rows: Rows, failing: Flags, seed: int) -> Auc:
    """Return the AUC over folds of worlds; columns are chosen anew in each."""
    from sklearn.model_selection import StratifiedGroupKFold

    _, group = np.unique(rows.world, return_inverse=True)
    score = np.zeros(len(rows))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    for train, test in folds.split(np.zeros((len(rows), 1)), failing, group):
        if failing[train].all() or not failing[train].any():
            score[test] = 0.5
            continue
        fitted = fit(columns, rows.chosen(train), failing[train], np.ones(len(train)))
        held = rows.chosen(test)
        score[test] = fitted.probability(held.bins, held.places)
    order = np.argsort(-score, kind="stable")
    ranked = Ranked(failing[order], np.append(np.diff(score[order]) != 0.0, True))
    draws = group_weights(group.astype(np.int64), seed, REPLICATES)
    value = ranked.figures(np.ones(len(rows)))[0]
    low, high = interval(np.array([ranked.figures(own[order])[0] for own in draws]))
    return Auc(value, low, high, int(group.max()) + 1, len(rows), int(failing.sum()))


def require_sklearn() -> None:
    """Refuse to go on without scikit-learn.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise UserError("proposals need scikit-learn: pip install 'ommatidia[loop]'") from error


def _chosen(
    columns: Sequence[Column], parts: Mapping[str, Floats], failing: Flags, weights: Floats, rows: Rows
) -> list[Column]:
    """Return the columns that tell most, the strongest first."""
    owner = np.repeat(np.arange(len(columns)), [parts[column.key].shape[1] for column in columns])
    table = np.concatenate([parts[column.key] for column in columns], axis=1)
    probability = np.full(len(failing), np.average(failing, weights=weights))
    taken: list[int] = []
    while len(taken) < min(MOST_COLUMNS, len(columns)):
        z = _score_test(table, weights * (failing - probability), rows, weights)
        z[np.isin(owner, taken)] = 0.0
        best = int(np.argmax(np.abs(z)))
        if taken and abs(z[best]) < Z_ENOUGH:
            break
        taken.append(int(owner[best]))
        design = _design([parts[columns[number].key] for number in taken])
        probability = _model().fit(design, failing, sample_weight=weights).predict_proba(design)[:, 1]
    return [columns[number] for number in taken]


def _score_test(table: Floats, residual: Floats, rows: Rows, weights: Floats) -> Floats:
    """Return how many standard errors the covariance of every feature with the residuals is from 0.

    What varies within worlds more than between them is compared within worlds, and pictures are the observations.
    """
    centered = table - np.average(table, axis=0, weights=weights)
    _, world = np.unique(rows.world, return_inverse=True)
    _, image = np.unique(rows.image, return_inverse=True)
    total = np.bincount(world, weights)[:, None]
    within = centered - (_sums(centered * weights[:, None], world) / total)[world]
    is_within = (weights @ within**2) > 0.5 * (weights @ centered**2)
    between = _standard(_sums(centered * residual[:, None], world))
    return np.where(is_within, _standard(_sums(within * residual[:, None], image)), between)


def _sums(table: Floats, group: NDArray[np.int64]) -> Floats:
    """Return the sum of every group, numbers from 0, [group, feature]."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(group[order]) != 0))
    return np.asarray(np.add.reduceat(table[order], starts, axis=0))


def _standard(each: Floats) -> Floats:
    """Return sums over clusters by their standard errors."""
    spread = np.sqrt((each * each).sum(axis=0))
    return np.where(spread > 0.0, each.sum(axis=0) / np.where(spread > 0.0, spread, 1.0), 0.0)


def _design(parts: Sequence[Floats]) -> Floats:
    """Return the features of the columns beside the products of pairs of first ones."""
    products = [
        (one[:, 0] * other[:, 0])[:, None] for number, one in enumerate(parts) for other in parts[:number]
    ]  # fmt: skip
    return np.concatenate([*parts, *products], axis=1)


def _model() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=PENALTY, max_iter=500)
