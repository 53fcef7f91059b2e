"""Whether a dataset is balanced as a team defines it: `balance.yaml` says axes, their targets and tolerances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine._layout import conf_folder
from engine.collect.groups import independent_column
from engine.errors import UserError
from engine.evaluate.intervals import wilson
from engine.health.ask import FRAMES, INSTANCES, ask, columns_of, expression, group_of, open_labels
from engine.plain import from_plain
from engine.yaml_file import read_yaml_mapping

if TYPE_CHECKING:
    import duckdb

OTHER, OUTSIDE, NOTHING = "(other)", "(outside)", "(none)"
EVEN = "even"
SUM_TOLERANCE = 1e-6  # of targets
RESAMPLES = 1000
RESAMPLES_AT_ONCE = 50
Verdict = Literal["balanced", "too few", "too many"]


@dataclass(frozen=True)
class Axis:
    """One property of frames or instances, and how often each of its values should come."""

    of: str  # column or SQL expression
    targets: dict[str, float] | tuple[float, ...] | str  # share of each value; of bins in their order; "even"
    tolerance: float  # by which a share may differ from its target
    bins: tuple[float, ...] = ()  # edges, rising: [a, b), the last one closed; none: every value is one of its own

    def __post_init__(self) -> None:
        if not 0.0 <= self.tolerance < 1.0:
            raise ValueError(f"tolerance must be a share of 0..1, got {self.tolerance:g}")
        if self.bins and (len(self.bins) < 2 or any(b <= a for a, b in zip(self.bins, self.bins[1:]))):
            raise ValueError(f"bins must be at least two rising edges, got {list(self.bins)}")
        if isinstance(self.targets, str) and (self.targets != EVEN or not self.bins):
            raise ValueError("targets must be shares by value, or a list for bins, or `even` for bins")
        if isinstance(self.targets, tuple) and len(self.targets) != len(self.bins) - 1:
            raise ValueError(f"targets must be {max(len(self.bins) - 1, 0)} shares, one a bin, got {len(self.targets)}")
        if isinstance(self.targets, dict) and (
            not self.targets or set(self.targets) - set(self.labels or self.targets)
        ):
            raise ValueError(f"targets must name the bins: {', '.join(self.labels)}")
        total = sum(self.shares.values())
        if any(not 0.0 <= share <= 1.0 for share in self.shares.values()) or total > 1.0 + SUM_TOLERANCE:
            raise ValueError(f"targets must be shares of 0..1 that sum to 1 at most, got {total:g}")

    @property
    def labels(self) -> tuple[str, ...]:
        """What the bins are called; nothing without bins."""
        last = len(self.bins) - 2
        pairs = enumerate(zip(self.bins, self.bins[1:]))
        return tuple(f"[{a:g}, {b:g}{']' if at == last else ')'}" for at, (a, b) in pairs)

    @property
    def shares(self) -> dict[str, float]:
        """The targets by value or bin; what they leave of 1 may be any other value."""
        if isinstance(self.targets, dict):
            return dict(self.targets)
        shares = self.targets if isinstance(self.targets, tuple) else (1.0 / len(self.labels),) * len(self.labels)
        return dict(zip(self.labels, shares, strict=True))


@dataclass(frozen=True)
class Balance:
    """What balanced means."""

    axes: dict[str, Axis]
    unit: Literal["frames", "instances"] = "frames"
    where: str = "true"  # SQL: which of them count
    group: str | None = None  # column whose values are independent; None: frames, or instances, are
    confidence: float = 0.95  # of the intervals
    about: str = ""

    def __post_init__(self) -> None:
        if not self.axes:
            raise ValueError("axes must name at least one")
        if not 0.5 <= self.confidence < 1.0:
            raise ValueError(f"confidence must be in 0.5..1, got {self.confidence:g}")


@dataclass(frozen=True)
class Cell:
    """One value of an axis."""

    value: str
    count: int
    share: float
    target: float
    low: float  # interval of the share of what makes such datasets
    high: float
    verdict: Verdict


@dataclass(frozen=True)
class AxisFound:
    """How an axis came out."""

    name: str
    cells: tuple[Cell, ...]
    count: int
    groups: int | None
    chi_square: float
    freedom: int
    p: float | None  # None: groups hang together, so that chi-square has no law
    tolerance: float

    @property
    def balanced(self) -> bool:
        """Whether every share is what was asked."""
        return all(cell.verdict == "balanced" for cell in self.cells)


@dataclass(frozen=True)
class BalanceReport:
    """All axes of a dataset."""

    unit: str
    axes: tuple[AxisFound, ...] = field(default=())

    @property
    def balanced(self) -> bool:
        """Whether all are balanced."""
        return all(axis.balanced for axis in self.axes)


def read_balance(path: Path) -> Balance:
    """Return what a YAML file, or a shipped one of this name, says.

    Raises:
        UserError: If it cannot be read, or is no such definition.
    """
    shipped = conf_folder() / "balance" / f"{path}.yaml"
    return from_plain(
        Balance, read_yaml_mapping(shipped if not path.is_file() and shipped.is_file() else path), str(path)
    )


def check_balance(out: Path, spec: Balance, where: str) -> BalanceReport:
    """Return how often the values of every axis come in a dataset.

    Args:
        out: A complete dataset.
        spec: What balanced means.
        where: What holds the definition, for errors.
    Raises:
        UserError: If it asks for what the index has not, or nothing is left to count.
    """
    connection = open_labels(out)
    known = dict(_columns(connection))
    group = None if spec.group is None else independent_column(out, known, spec.group)
    found = [_axis(connection, spec, name, group, where) for name in spec.axes]
    return BalanceReport(spec.unit, tuple(found))


def _columns(connection: duckdb.DuckDBPyConnection) -> Mapping[str, str]:
    return {**columns_of(connection, "frames"), **columns_of(connection, "worlds")}


def _axis(connection: duckdb.DuckDBPyConnection, spec: Balance, name: str, group: str | None, where: str) -> AxisFound:
    axis = spec.axes[name]
    source = FRAMES if spec.unit == "frames" else INSTANCES
    value = expression(axis.of, f"{where}: axes.{name}.of")
    which = expression(spec.where, f"{where}: where")
    cell = _cell_of(axis, value)
    by = "0" if group is None else group_of(group)
    rows = ask(
        connection, f"SELECT {by}::VARCHAR AS g, {cell} AS cell, count(*) FROM {source} WHERE {which} GROUP BY ALL "  # noqa: S608
        "ORDER BY ALL", where=f"{where}: axes.{name}",
    )  # fmt: skip
    if not rows:
        raise UserError(f"{where}: where leaves no {spec.unit} to count")
    targets = axis.shares
    cells = [*targets, *sorted({str(row[1]) for row in rows} - set(targets))]
    place = {key: at for at, key in enumerate(cells)}
    names = {key: at for at, key in enumerate(dict.fromkeys(row[0] for row in rows))}
    counts = np.zeros((len(names), len(cells)), np.int64)
    for key, at, count in rows:
        counts[names[key], place[str(at)]] += count
    left = max(1.0 - sum(targets.values()), 0.0)
    wanted = {key: targets.get(key, left if key == OTHER else 0.0) for key in cells}
    bounds = _intervals(counts, spec.confidence, by_group=group is not None)
    totals, count = counts.sum(axis=0), int(counts.sum())
    made = tuple(
        _judge(key, int(totals[at]), count, wanted[key], axis.tolerance, bounds[at]) for at, key in enumerate(cells)
    )
    statistic, freedom = chi_square(totals, np.array([wanted[key] for key in cells]))
    p = None
    if group is None and freedom:
        from scipy.stats import chi2

        p = float(chi2.sf(statistic, freedom)) if math.isfinite(statistic) else 0.0
    return AxisFound(
        name, made, count, None if group is None else len(names), statistic, freedom, p, axis.tolerance
    )  # fmt: skip


def _cell_of(axis: Axis, value: str) -> str:
    """Return SQL that gives the cell of a row."""
    if axis.bins:
        cases, last = [], len(axis.bins) - 2
        for at, label in enumerate(axis.labels):
            upto = "<=" if at == last else "<"
            cases.append(f"WHEN {value} >= {axis.bins[at]!r} AND {value} {upto} {axis.bins[at + 1]!r} THEN '{label}'")
        return f"CASE WHEN {value} IS NULL THEN '{NOTHING}' {' '.join(cases)} ELSE '{OUTSIDE}' END"
    text = f"{value}::VARCHAR"
    listed = ", ".join("'" + key.replace("'", "''") + "'" for key in axis.shares)
    return f"CASE WHEN {value} IS NULL THEN '{NOTHING}' WHEN {text} IN ({listed}) THEN {text} ELSE '{OTHER}' END"


def _judge(value: str, count: int, of: int, target: float, tolerance: float, bounds: tuple[float, float]) -> Cell:
    share = count / of
    verdict: Verdict = "balanced"
    if abs(share - target) > tolerance + 1e-12:
        verdict = "too few" if share < target else "too many"
    return Cell(value, count, share, target, bounds[0], bounds[1], verdict)


def chi_square(counts: NDArray[np.int64], targets: NDArray[np.float64]) -> tuple[float, int]:
    """Return Pearson's statistic of counts against shares, and its degrees of freedom; infinite where 0 was wanted."""
    expected = targets * counts.sum()
    used = expected > 0.0
    if counts[~used].any():
        return math.inf, int(used.sum())
    parts = (counts[used] - expected[used]) ** 2 / expected[used]
    return float(parts.sum()), max(int(used.sum()) - 1, 0)


def _intervals(counts: NDArray[np.int64], confidence: float, *, by_group: bool) -> list[tuple[float, float]]:
    """Return an interval of every share: Wilson's, or of whole groups drawn again with replacement."""
    from scipy.stats import norm

    of = int(counts.sum())
    if not by_group:
        z = float(norm.ppf(0.5 + confidence / 2))
        return [wilson(float(count), of, z) for count in counts.sum(axis=0)]
    groups = len(counts)
    if groups < 2:
        return [(0.0, 1.0)] * counts.shape[1]  # one observation says nothing of others
    random = np.random.default_rng(0)
    shares = []
    for _ in range(RESAMPLES // RESAMPLES_AT_ONCE):
        drawn = random.multinomial(groups, np.full(groups, 1.0 / groups), size=RESAMPLES_AT_ONCE) @ counts
        shares.append(drawn / drawn.sum(axis=1, keepdims=True))
    ends = np.quantile(np.concatenate(shares), [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    return [(float(low), float(high)) for low, high in ends.T]


def to_json(report: BalanceReport) -> dict[str, Any]:
    """Return the plain form."""
    from engine.plain import to_plain

    plain: dict[str, Any] = {"schema": "balance/1", "balanced": report.balanced, **to_plain(report)}
    for axis, found in zip(plain["axes"], report.axes, strict=True):
        axis["balanced"] = found.balanced
    return plain
