"""Tests of two samples whose rows come in groups: frames of one surface, objects of one world.

Rows of a group are alike, so that a thousand of them tell less than a thousand independent ones. Every test therefore
counts n / deff rows, where deff = 1 + (m - 1) ICC is the design effect of a clustered sample (Kish, Survey Sampling,
1965), m the size-weighted mean group size, and ICC the intraclass correlation of the column by analysis of variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_ROWS = 8  # of either sample; below, nothing is tested
LEAST_EXPECTED = 1.0  # rows of a cell of a table of counts; rarer categories are put together


@dataclass(frozen=True)
class Sample:
    """Values of a column in one dataset."""

    values: NDArray[np.float64]  # finite
    group: NDArray[np.int64]  # of every value: 0, 1, ..., all present

    @property
    def groups(self) -> int:
        """How many there are."""
        return int(self.group.max()) + 1 if len(self.group) else 0


@dataclass(frozen=True)
class Test:
    """How two samples differ."""

    kind: str  # ks, or chi2
    statistic: float
    p: float
    effect: float  # ks: earth mover's distance in standard deviations; chi2: Cramer's V
    effective: tuple[float, float]  # rows, as if they were independent


def compare_numbers(one: Sample, two: Sample) -> Test:
    """Return the test of Kolmogorov and Smirnov on effective rows, and the distance of the distributions.

    The distance is the first Wasserstein distance over the pooled standard deviation: a shift by one standard deviation
    has 1. Source of the p-value: Stephens, J. R. Stat. Soc. B 32 (1970), the approximation for finite samples.
    """
    from scipy.special import kolmogorov

    effective = effective_rows(one), effective_rows(two)
    values = np.sort(one.values), np.sort(two.values)
    largest, area = _distances(*values)
    root = np.sqrt(effective[0] * effective[1] / (effective[0] + effective[1]))
    p = float(kolmogorov((root + 0.12 + 0.11 / root) * largest))
    spread = np.sqrt((one.values.var() * len(one.values) + two.values.var() * len(two.values)) / sum(map(len, values)))
    if spread <= 0.0:  # two constants: that of both together
        spread = np.concatenate(values).std()
    return Test("ks", largest, p, float(area / spread) if spread > 0.0 else 0.0, effective)


def compare_categories(one: Sample, two: Sample) -> Test | None:
    """Return the test of Pearson on two columns of codes 0, 1, ...; None if there is one category alone.

    The statistic is divided by the mean design effect of the categories (Rao and Scott, Ann. Stat. 12, 1984, first
    order). Categories that are expected less than once in either sample are put together.
    """
    from scipy.stats import chi2

    size = int(max(one.values.max(), two.values.max())) + 1
    counts = np.stack([np.bincount(s.values.astype(np.int64), minlength=size) for s in (one, two)]).astype(np.float64)
    effective = tuple(_effective_of_codes(s, c) for s, c in zip((one, two), counts, strict=True))
    counts *= np.array(effective)[:, None] / counts.sum(axis=1, keepdims=True)
    counts = _without_rare(counts[:, counts.sum(axis=0) > 0.0])
    if counts.shape[1] < 2:
        return None
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    p = float(chi2.sf(statistic, counts.shape[1] - 1))
    return Test("chi2", statistic, p, float(np.sqrt(statistic / counts.sum())), (effective[0], effective[1]))


def effective_rows(sample: Sample) -> float:
    """Return how many independent rows a sample is worth: between its number of groups and its number of rows."""
    rows, groups = len(sample.values), sample.groups
    if groups == rows or groups < 2:
        return float(groups)
    return float(np.clip(rows / _design_effect(sample.values, sample.group), groups, rows))


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values adjusted for their number. Source: Holm, Scand. J. Stat. 6 (1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.minimum(p[order] * np.arange(len(p), 0, -1), 1.0))
    return adjusted


def holm_by_name(chances: Mapping[str, float]) -> dict[str, float]:
    """Return p-values by name, adjusted by `holm`."""
    return dict(zip(chances, holm(np.array(list(chances.values()))).tolist(), strict=True))


def _distances(one: NDArray[np.float64], two: NDArray[np.float64]) -> tuple[float, float]:
    """Return the largest gap between two distribution functions, and the area between them, of sorted values."""
    points = np.concatenate([one, two])
    points.sort(kind="stable")
    gap = np.abs(
        np.searchsorted(one, points, side="right") / len(one) - np.searchsorted(two, points, side="right") / len(two)
    )
    return float(gap.max()), float((gap[:-1] * np.diff(points)).sum())


def _design_effect(values: NDArray[np.float64], group: NDArray[np.int64]) -> float:
    rows = len(values)
    sizes = np.bincount(group).astype(np.float64)
    groups = len(sizes)
    centred = values - values.mean()
    sums = np.bincount(group, weights=centred)
    between = float((sums**2 / sizes).sum())
    within = max(float((centred**2).sum()) - between, 0.0)
    mean_between, mean_within = between / (groups - 1), within / (rows - groups)
    typical = (rows - (sizes**2).sum() / rows) / (groups - 1)
    total = mean_between + (typical - 1.0) * mean_within
    icc = np.clip((mean_between - mean_within) / total, 0.0, 1.0) if total > 0.0 else 1.0
    return float(1.0 + ((sizes**2).sum() / rows - 1.0) * icc)


def _effective_of_codes(sample: Sample, counts: NDArray[np.float64]) -> float:
    """Return the effective rows of a column of codes: over the design effects of its categories, by their variance."""
    rows, groups = len(sample.values), sample.groups
    if groups == rows or groups < 2:
        return float(groups)
    share = counts / rows
    weights = share * (1.0 - share)
    common = np.argsort(-weights)[:16]  # the rest hardly counts
    effects = [_design_effect((sample.values == code).astype(np.float64), sample.group) for code in common.tolist()]
    if not weights[common].sum() > 0.0:
        return float(groups)
    return float(np.clip(rows / np.average(effects, weights=weights[common]), groups, rows))


def _without_rare(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a table with the categories that are too rare in one."""
    expected = counts.sum(axis=1).min() * counts.sum(axis=0) / counts.sum()
    rare = expected < LEAST_EXPECTED
    if rare.sum() < 2:
        return counts
    return np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
