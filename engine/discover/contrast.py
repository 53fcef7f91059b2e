"""How much more often rows of a slice fail than the rest, where rows come in groups and groups are the observations.

The difference of two rates d = p1 - p0 has the influence of group g

    psi_g = (k_g - p1 m_g) / n1 - ((K_g - k_g) - p0 (M_g - m_g)) / n0

with M_g rows and K_g failures of the group, m_g and k_g of them in the slice, n1 and n0 rows inside and outside. Its
variance is the larger of two:

- sum psi_g^2 G / (G - 1): the sandwich of the regression on the slice's indicator, clustered by group. Source: Liang
  and Zeger, Biometrika 73, 1986; as a ratio of sums over clusters: Rao and Scott, Biometrics 48, 1992.
- what d would have if nobody failed more than others: s^2 [(1 - r) sum w_i^2 + r sum_g (sum_{i in g} w_i)^2], with s^2
  the variance of all outcomes, w_i = 1 / n1 inside and -1 / n0 outside, and r the correlation of two rows of a group,
  by pairs. Source: Donner and Klar, Design and Analysis of Cluster Randomization Trials, 2000. It speaks where the
  first is silent: all rows of a small slice failed.

t = d / sqrt(variance) is compared with Student's t of one degree of freedom less than there are groups inside or
outside, whichever are fewer (cautious; Cameron and Miller, J. Human Resources 50, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Totals:
    """Sums over all groups that a slice and its rest are taken from."""

    rows: float
    failures: float
    groups: int
    rows_rows: float  # sum of M_g M_g
    rows_failures: float
    failures_failures: float
    variance: float  # of an outcome
    correlation: float  # of the outcomes of two rows of a group, 0..1

    @classmethod
    def of(cls, outcome: Floats, rows: Floats, failures: Floats) -> Totals:
        """Return the totals of outcomes [row] in groups of `rows` with `failures` [group]."""
        count = float(len(outcome))
        mean = float(outcome.sum()) / count if count else 0.0
        variance = float(((outcome - mean) ** 2).sum()) / count if count else 0.0
        pairs = float((rows * (rows - 1.0)).sum()) * variance
        together = float(((failures - mean * rows) ** 2).sum()) - variance * count
        return cls(
            count, float(outcome.sum()), len(rows), float(rows @ rows), float(rows @ failures),
            float(failures @ failures), variance, min(max(together / pairs, 0.0), 1.0) if pairs > 0.0 else 0.0,
        )  # fmt: skip


@dataclass(frozen=True)
class Contrast:
    """Slices against their rests; every array is [slice]."""

    rows: Floats  # inside
    groups: Counts  # with a row inside
    rest_groups: Counts  # with a row outside
    inside: Floats  # rate of failure
    outside: Floats
    variance: Floats  # of the difference

    @property
    def difference(self) -> Floats:
        """How much more often rows inside fail."""
        return self.inside - self.outside

    @property
    def freedom(self) -> Floats:
        """Degrees of freedom of t."""
        return np.maximum(np.minimum(self.groups, self.rest_groups) - 1, 1).astype(np.float64)

    @property
    def strength(self) -> Floats:
        """t: the effect x sqrt(n), n what the groups inside and outside are worth; what slices are ranked by."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.difference / np.sqrt(self.variance)

    @property
    def p(self) -> Floats:
        """One-sided: how likely a difference so large is where there is none; 1 where nothing can be said."""
        from scipy.special import stdtr

        t = self.strength
        known = np.isfinite(t) & (self.groups >= 2) & (self.rest_groups >= 2)
        return np.where(known, stdtr(self.freedom, -np.where(known, t, 0.0)), 1.0)


def contrast(inside: tuple[Floats, Floats], group: tuple[Floats, Floats], totals: Totals) -> Contrast:
    """Return slices against what of the totals is outside them.

    Args:
        inside: Rows and failures of every slice in every group, [slice, group]; groups without any may be left out.
        group: All rows and failures of these groups, [group].
        totals: Of all groups.
    """
    m, k = inside
    all_m, all_k = group
    n1, f1 = m.sum(axis=1), k.sum(axis=1)
    n0 = totals.rows - n1
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p0 = f1 / n1, (totals.failures - f1) / n0
        a = 1.0 / n1 + 1.0 / n0
        b = p1 / n1 + p0 / n0
        mm, kk, mk = (np.einsum("sg,sg->s", one, two) for one, two in ((m, m), (k, k), (m, k)))
        own = np.stack([all_m, all_k], axis=1)
        (m_rows, m_failures), (k_rows, k_failures) = (m @ own).T, (k @ own).T
        rest = totals.failures_failures - 2.0 * p0 * totals.rows_failures + p0 * p0 * totals.rows_rows
        square = (
            a * a * kk + b * b * mm - 2.0 * a * b * mk
            - 2.0 * (a * (k_failures - p0 * k_rows) - b * (m_failures - p0 * m_rows)) / n0
            + rest / (n0 * n0)
        )  # fmt: skip
        robust = np.maximum(square, 0.0) * totals.groups / max(totals.groups - 1, 1)
        weights = a * a * mm - 2.0 * a * m_rows / n0 + totals.rows_rows / (n0 * n0)
        pooled = totals.variance * ((1.0 - totals.correlation) * a + totals.correlation * weights)
    full = np.count_nonzero(m == all_m, axis=1)
    return Contrast(
        n1, np.count_nonzero(m > 0.0, axis=1), totals.groups - full, p1, p0, np.maximum(robust, pooled)
    )  # fmt: skip


def contrast_of(outcome: Floats, group: Counts, chosen: NDArray[np.bool_]) -> Contrast:
    """Return one slice, `chosen` [row], against the rest of the rows; group numbers may have gaps."""
    count = int(group.max(initial=-1)) + 1
    rows = np.bincount(group, minlength=count)
    there = rows > 0
    sums = [rows, np.bincount(group, outcome, count)]
    sums += [np.bincount(group[chosen], minlength=count), np.bincount(group[chosen], outcome[chosen], count)]
    all_m, all_k, m, k = (own[there].astype(np.float64) for own in sums)
    return contrast((m[None], k[None]), (all_m, all_k), Totals.of(outcome, all_m, all_k))


def benjamini_hochberg(p: Floats, tested: float, rate: float) -> float:
    """Return the largest p-value that passes at a rate of false discoveries, -1: none does.

    Args:
        p: Those that are known; of the others of `tested` it is taken for 1.
        tested: How many there are.
        rate: Of false discoveries among those that pass.
    Source: Benjamini and Hochberg, JRSS B 57, 1995.
    """
    ordered = np.sort(p)
    passes = np.flatnonzero(ordered <= rate * np.arange(1, len(p) + 1) / max(tested, 1.0))
    return float(ordered[passes[-1]]) if passes.size else -1.0
