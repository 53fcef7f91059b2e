"""Asked against drawn: every column of a dataset held against the law that it was drawn by.

Each value x becomes F(x), its place in its own law's distribution, anywhere in F's step where the law gives x a
probability of its own. If the law holds, these are even over [0, 1), whatever the law and whatever it hangs on, which
the Kolmogorov-Smirnov test decides. Laws of single values and names get a chi-square test of their counts instead, and
a conditional law is tested in each of its cases too. With m tests, p below `LEVEL / m` is called different
(Bonferroni): of datasets that follow their laws, one of 1 / LEVEL is reported.

Sources: J. D. Brockwell, "Universal residuals: a multivariate transformation", Stat. Prob. Letters 77, 2007 (steps);
ranks: E. C. Fieller, H. O. Hartley, E. S. Pearson, "Tests for rank correlation coefficients I", Biometrika 44, 1957.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.randomize.kinds import Randomizer
from engine.randomize.laws.columns import choice_columns, law_columns
from engine.randomize.laws.distribution import below_and_upto, is_discrete, is_smooth, rises, steps_of
from engine.randomize.laws.group import Correlated, Grid, Member
from engine.randomize.laws.model import Conditional, Law, columns_asked
from engine.randomize.laws.quantile import Given, case_of, choice_shares
from engine.randomize.laws.rules import Resolved
from engine.randomize.laws.support import support, unit_of
from engine.randomize.philox import uniform

Array = NDArray[np.float64]
Verdict = Literal["agrees", "differs", "selected", "not tested", "recorded"]

LEVEL = 0.01  # probability that a dataset that follows its laws is reported
LEAST_VALUES = 8  # that a test can say anything about
LEAST_EXPECTED = 5.0  # counts of a chi-square test; rarer values are taken together
FIELLER = 1.06  # variance of Fisher's z of a rank correlation of n pairs: 1.06 / (n - 3)
SLACK = 1.0e-6  # relative, of values against the ends of a law's range


@dataclass(frozen=True)
class Asked:
    """What a dataset's recipe says of its draws."""

    resolved: Resolved
    breadth: float
    seed: int
    steps: int


@dataclass(frozen=True)
class Table:
    """The rows of worlds.parquet."""

    world: NDArray[np.int64]  # [row]
    step: NDArray[np.int32]  # [row]
    columns: Mapping[str, NDArray[np.generic]]  # `p.<randomiser>.<key>` -> [row] or [row, k]


@dataclass(frozen=True)
class Comparison:
    """One column, or one pair of columns of a correlated group."""

    column: str  # `p.<randomiser>.<key>`
    unit: str
    law: Law | None  # None: a choice of names, a pair, or nothing that was asked
    values: int
    test: str  # KS, chi-square, cells, equal, rank correlation
    statistic: float
    p: float  # nan: the test has none
    verdict: Verdict
    note: str = ""


def compare(asked: Asked, table: Table) -> tuple[Comparison, ...]:
    """Return a comparison for every column, asked ones first, then pairs of groups, then what is merely recorded."""
    found: list[Comparison] = []
    for entry in asked.resolved.randomizers:
        rows = np.ones(len(table.world), np.bool_) if entry.per == "step" else _first_rows(table)
        for column in law_columns(entry.params):
            key = f"{entry.name}.{column.key}"
            found.append(_law(key, entry, column.law, asked, _rows(table, rows)))
        for key, (names, weights) in choice_columns(entry.params).items():
            found.append(_names(f"p.{entry.name}.{key}", names, weights, asked.breadth, _rows(table, rows)))
    found += _pairs(asked, _rows(table, _first_rows(table)), {comparison.column: comparison for comparison in found})
    known = {comparison.column for comparison in found}
    for name, values in table.columns.items():
        if name not in known:
            found.append(Comparison(name, unit_of(name), None, values.size, "", math.nan, math.nan, "recorded"))
    return _judged(found)


def given_of(columns: Mapping[str, NDArray[np.generic]], values: NDArray[np.generic]) -> Given:
    """Return what finds the column that a law hangs on, in a shape that fits `values`."""

    def given(by: str) -> NDArray[np.generic]:
        other = columns[f"p.{by}"]
        fitted = other[:, None] if other.ndim < values.ndim else other
        return np.broadcast_to(fitted, values.shape)

    return given


def _law(key: str, entry: Randomizer, law: Law, asked: Asked, table: Table) -> Comparison:
    name, breadth = f"p.{key}", asked.breadth
    recorded = table.columns.get(name)
    blank = Comparison(name, unit_of(key), law, 0, "", math.nan, math.nan, "not tested")
    if recorded is None:
        return replace(blank, note="the dataset has no such column: its randomiser had no use for it")
    values: Array = recorded.astype(np.float64)
    blank = replace(blank, values=values.size)
    if key.partition(".")[2] in getattr(entry.params, "CANDIDATES", ()):
        tried = table.columns.get(f"p.{entry.name}.tried")
        if tried is None or (tried.astype(np.int64) > 1).any():
            return replace(blank, verdict="selected", note="of candidates those that fit were kept: it rightly differs")
    missing = [by for by in columns_asked(law) if f"p.{by}" not in table.columns]
    several = [by for by in columns_asked(law) if by not in missing and not _fits(table.columns[f"p.{by}"], values)]
    if several:
        return replace(blank, note=f"hangs on {several[0]}, which has another number of values a row")
    if missing:
        return replace(blank, note=f"hangs on {missing[0]}, which the dataset does not have")
    low, high = support(law, breadth)
    slack = SLACK * max(abs(low), abs(high))
    outside = int(((values < low - slack) | (values > high + slack)).sum())
    if outside:
        share = outside / values.size
        return replace(blank, test="range", statistic=share, p=0.0, note=f"{outside} outside of [{low:g}, {high:g}]")
    member = asked.resolved.rules.members.get(key)
    if member is not None and isinstance(member.group, Grid) and rises(law, breadth):
        return _in_cells(blank, law, values, member, asked, table)
    if not columns_asked(law) and is_discrete(law, breadth):
        steps, shares = steps_of(law, breadth)
        return _counts(blank, values, steps, shares)
    return _places(blank, law, values, asked, table)


def _fits(other: NDArray[np.generic], values: NDArray[np.generic]) -> bool:
    return other.ndim == 1 or other.shape == values.shape


def _places(blank: Comparison, law: Law, values: Array, asked: Asked, table: Table) -> Comparison:
    """Test that places in the distribution are even, over all and in each case of a conditional law."""
    given = given_of(table.columns, values)
    below, upto = below_and_upto(law, values, breadth=asked.breadth, given=given)
    inside = uniform(0, f"compare/{blank.column}", np.arange(values.size)).reshape(values.shape)
    place = below + inside * (upto - below)
    parts = [place.ravel()]
    if isinstance(law, Conditional):
        which = case_of(law, given)
        parts += [place[which == case] for case in range(len(law.cases) + 1)]
    tests = [_ks(part) for part in parts if len(part) >= LEAST_VALUES]
    if not tests:
        return replace(blank, note=f"fewer than {LEAST_VALUES} values")
    p = min(1.0, len(tests) * min(p for _, p in tests))
    note = "" if len(parts) == 1 else f"{len(tests) - 1} of {len(parts) - 1} cases have values"
    return replace(blank, test="KS", statistic=tests[0][0], p=p, note=note)


def _counts(blank: Comparison, values: Array, steps: list[float], shares: Array) -> Comparison:
    """Test how often each value of a law of single values came."""
    step = np.asarray(steps)
    nearest = np.clip(np.searchsorted(step, values.ravel() - SLACK * np.abs(values.ravel())), 0, len(step) - 1)
    off = ~np.isclose(step[nearest], values.ravel(), rtol=SLACK, atol=1.0e-12)
    if off.any():
        note = f"{int(off.sum())} values that the law never gives"
        return replace(blank, test="chi-square", statistic=math.inf, p=0.0, note=note)
    if len(step) == 1:
        return replace(blank, test="equal", statistic=0.0, verdict="agrees")
    statistic, p = _chi_square(np.bincount(nearest, minlength=len(step)).astype(np.float64), shares)
    if math.isnan(p):
        return replace(blank, note=f"fewer than {LEAST_EXPECTED:g} expected of two values or more")
    return replace(blank, test="chi-square", statistic=statistic, p=p)


def _names(
    name: str, names: tuple[str, ...] | None, weights: tuple[float, ...] | None, breadth: float, table: Table
) -> Comparison:
    values = table.columns.get(name)
    blank = Comparison(name, "name", None, 0 if values is None else values.size, "", math.nan, math.nan, "not tested")
    if values is None or names is None:
        return replace(blank, note="only the scene knows all names" if names is None else "not in the dataset")
    drawn, number = np.unique(values.astype(str), return_counts=True)
    counts = np.zeros(len(names))
    for found, count in zip(drawn.tolist(), number.tolist(), strict=True):
        matching = (i for i, glob in enumerate(names) if found == glob or fnmatchcase(found, glob))
        place = next(matching, None)
        if place is None:
            return replace(blank, test="chi-square", statistic=math.inf, p=0.0, note=f"{found} was never asked for")
        counts[place] += count
    statistic, p = _chi_square(counts, choice_shares(len(names), weights, breadth))
    if math.isnan(p):
        return replace(blank, note=f"fewer than {LEAST_EXPECTED:g} expected of two names or more")
    return replace(blank, test="chi-square", statistic=statistic, p=p)


def _in_cells(blank: Comparison, law: Law, values: Array, member: Member, asked: Asked, table: Table) -> Comparison:
    """Check that every value lies in the cell of its world, by its place in the distribution."""
    assert isinstance(member.group, Grid)
    cells = member.group.cells[member.group.keys.index(member.key)]
    matrix = values if values.ndim == 2 else values[:, None]
    cell = member.cell(
        asked.seed, (table.world[:, None], table.step[:, None], np.arange(matrix.shape[1])[None, :]), asked.steps
    )
    below, upto = below_and_upto(law, matrix, breadth=asked.breadth, given=given_of(table.columns, matrix))
    wrong = (upto < cell / cells - SLACK) | (below > (cell + 1) / cells + SLACK)
    verdict: Verdict = "differs" if wrong.any() else "agrees"
    note = f"{len(np.unique(cell))} of {cells} cells are taken"
    return replace(blank, test="cells", statistic=float(wrong.mean()), verdict=verdict, note=note)


def _pairs(asked: Asked, table: Table, columns: Mapping[str, Comparison]) -> list[Comparison]:
    """Test the rank correlation of every pair of a correlated group, where both laws rise with their numbers."""
    groups = {m.name: m.group for m in asked.resolved.rules.members.values() if isinstance(m.group, Correlated)}
    found = []
    for name, group in groups.items():
        rho = group.matrix()
        for i, first in enumerate(group.keys):
            for j in range(i):
                pair = f"{name}: {group.keys[j]}, {first}"
                blank = Comparison(pair, "1", None, 0, "rank correlation", math.nan, math.nan, "not tested")
                found.append(_pair(blank, (group.keys[j], first), rho[i][j], asked, table, columns))
    return found


def _pair(
    blank: Comparison, keys: tuple[str, str], rho: float, asked: Asked, table: Table, columns: Mapping[str, Comparison]
) -> Comparison:
    from scipy.stats import norm, spearmanr

    asked_rank = 6.0 / math.pi * math.asin(0.5 * rho)  # of normal scores with that correlation
    laws = [asked.resolved.rules.laws.get(key) for key in keys]
    drawn = [table.columns.get(f"p.{key}") for key in keys]
    if any(values is None for values in drawn) or any(columns[f"p.{key}"].verdict == "selected" for key in keys):
        return replace(blank, note="one of them is not in the dataset, or was selected")
    first, second = (values for values in drawn if values is not None)
    count = min(values.shape[1] if values.ndim == 2 else 1 for values in (first, second))
    pairs = [values.reshape(len(table.world), -1)[:, :count].ravel() for values in (first, second)]
    if any(law is None or not is_smooth(law, asked.breadth) for law in laws):
        return replace(blank, values=len(pairs[0]), note="one of the laws has steps or parts: ranks say too little")
    if len(pairs[0]) < LEAST_VALUES:
        return replace(blank, values=len(pairs[0]), note=f"fewer than {LEAST_VALUES} pairs")
    rank = float(spearmanr(*pairs).statistic)
    note = f"asked {asked_rank:.3f} (rho {rho:g})"
    if abs(asked_rank) == 1.0:
        p = 1.0 if math.isclose(rank, asked_rank, abs_tol=SLACK) else 0.0
    else:
        z = (math.atanh(min(max(rank, -0.999999), 0.999999)) - math.atanh(asked_rank)) * math.sqrt(
            (len(pairs[0]) - 3) / FIELLER
        )
        p = float(2.0 * norm.sf(abs(z)))
    return replace(blank, values=len(pairs[0]), statistic=rank, p=p, note=note)


def _judged(found: list[Comparison]) -> tuple[Comparison, ...]:
    tests = sum(not math.isnan(comparison.p) for comparison in found)
    level = LEVEL / max(tests, 1)
    return tuple(
        comparison
        if math.isnan(comparison.p)
        else replace(comparison, verdict="differs" if comparison.p < level else "agrees")
        for comparison in found
    )


def _ks(place: Array) -> tuple[float, float]:
    from scipy.stats import kstest

    result = kstest(place, "uniform")
    return float(result.statistic), float(result.pvalue)


def _chi_square(counts: Array, shares: Array) -> tuple[float, float]:
    """Return the statistic and p; nan where too few are expected of two values. What was never asked gives p = 0."""
    from scipy.stats import chisquare

    if counts[shares <= 0.0].any():
        return math.inf, 0.0
    counts, expected = counts[shares > 0.0], counts.sum() * shares[shares > 0.0]
    if len(expected) == 1:
        return 0.0, 1.0
    rare = expected < LEAST_EXPECTED
    if rare.any():
        counts = np.concatenate([counts[~rare], [counts[rare].sum()]])
        expected = np.concatenate([expected[~rare], [expected[rare].sum()]])
    if len(expected) < 2 or expected.min() < 1.0:
        return math.nan, math.nan
    result = chisquare(counts, expected * (counts.sum() / expected.sum()))
    return float(result.statistic), float(result.pvalue)


def _first_rows(table: Table) -> NDArray[np.bool_]:
    """Return which rows are the first of their worlds: all steps of one share what is drawn once a world."""
    first = np.zeros(len(table.world), np.bool_)
    first[np.unique(table.world, return_index=True)[1]] = True
    return first


def _rows(table: Table, rows: NDArray[np.bool_]) -> Table:
    return Table(table.world[rows], table.step[rows], {name: values[rows] for name, values in table.columns.items()})
