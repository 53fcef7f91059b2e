"""Whether a class looks the same in two datasets that claim the same definition: tests of shape, group by group.

Instances of one world, surface or sequence are not independent. The two-sample Kolmogorov-Smirnov test is therefore
taken with effective sizes: each sample counts as many instances as would spread its distribution function that little
if they were independent. Source: L. Kish, Survey Sampling, 1965, section 5.4 (design effect), at nine quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.health.ask import ask, columns_of, open_labels
from engine.health.groups import group_column, group_sql
from engine.scene.taxonomy import Taxonomy
from engine.write.begin import TAXONOMY, read_taxonomy

if TYPE_CHECKING:
    import duckdb

Array = NDArray[np.float64]
Verdict = Literal["drifted", "same", "insufficient"]
SHAPES = {  # what is measured of an instance, in SQL; `bbox` is x, y, width, height and counted from 1 there
    "area_share": "i.area_px / (f.width * f.height)::DOUBLE",
    "aspect": "i.bbox[3] / nullif(i.bbox[4], 0)",
    "extent": "i.area_px / nullif(i.bbox[3] * i.bbox[4], 0)",  # share of its box that it fills
}
DEFECT_SHAPES = {
    "contrast": "abs(i.contrast)", "cnr": "abs(i.cnr)",
    "length_m": "i.length_m", "width_m": "i.width_m",
}  # fmt: skip
LABELS = "labels i JOIN frames f USING (frame_id, world, step, camera) JOIN worlds w USING (world, step)"
DEFECTS = (
    "(SELECT * FROM defects WHERE class_id <> 0) i JOIN frames f USING (frame_id, world, step, camera) "
    "JOIN worlds w USING (world, step)"
)
MOST_INSTANCES = 50_000  # of a class; more are drawn from by hash, so that memory does not grow
LEAST_INSTANCES, LEAST_GROUPS = 20, 8  # of each dataset; below, nothing is said
QUANTILES = np.linspace(0.1, 0.9, 9)


@dataclass(frozen=True)
class Drift:
    """One measure of one class in two datasets."""

    key: str
    measure: str
    verdict: Verdict
    count: tuple[int, int]  # instances
    groups: tuple[int, int]
    median: tuple[float, float]
    distance: float  # Kolmogorov-Smirnov: largest difference of the distribution functions
    delta: float  # Cliff: P(second is larger) - P(first is larger)
    p: float
    p_holm: float


@dataclass(frozen=True)
class DriftReport:
    """All that was compared, and what could not be."""

    group: tuple[str, str]  # column whose values are the independent observations
    rows: tuple[Drift, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]  # classes with labels in one of the two alone
    redefined: tuple[str, ...]  # not compared: their definitions differ
    undefined: tuple[str, ...]  # compared, although neither has a definition

    @property
    def drifted(self) -> tuple[Drift, ...]:
        """What changed."""
        return tuple(row for row in self.rows if row.verdict == "drifted")


@dataclass(frozen=True)
class _Side:
    connection: duckdb.DuckDBPyConnection
    taxonomy: Taxonomy
    group: str


def compare_shapes(
    first: Path, second: Path, *, alpha: float = 0.05, effect: float = 0.1, group: str | None = None
) -> DriftReport:
    """Return how the shapes of classes differ between two datasets.

    Args:
        first: A complete dataset; the second likewise.
        second: What is held against it.
        alpha: Chance that anything at all is called drifted although nothing changed (Holm over all tests).
        effect: Least distance that is called drift, however certain a smaller one may be.
        group: Column of frames whose values are independent; None: what the ingest says, else the world.
    Raises:
        UserError: If there is no such dataset or column.
    """
    sides = tuple(_side(out, group) for out in (first, second))
    counts = [_classes(side) for side in sides]
    definitions = [{c.key: c.definition for c in side.taxonomy.classes} for side in sides]
    both = sorted(set(counts[0]) & set(counts[1]))
    same = [key for key in both if definitions[0].get(key) == definitions[1].get(key)]
    rows = [row for key in same for row in _of_class(sides, key)]
    judged = judge(rows, alpha=alpha, effect=effect)
    return DriftReport(
        (sides[0].group, sides[1].group), judged,
        (tuple(sorted(set(counts[0]) - set(counts[1]))), tuple(sorted(set(counts[1]) - set(counts[0])))),
        tuple(key for key in both if key not in same), tuple(key for key in same if not definitions[0].get(key)),
    )  # fmt: skip


def judge(rows: Sequence[Drift], *, alpha: float, effect: float) -> tuple[Drift, ...]:
    """Return rows with p adjusted by Holm over all of them, and verdicts."""
    tested = [row for row in rows if row.verdict != "insufficient"]
    order = np.argsort([row.p for row in tested], kind="stable")
    adjusted = np.zeros(len(tested))
    largest = 0.0
    for rank, at in enumerate(order):
        largest = max(largest, min(1.0, tested[at].p * (len(tested) - rank)))
        adjusted[at] = largest
    values = iter(adjusted.tolist())
    out = []
    for row in rows:
        p = row.p if row.verdict == "insufficient" else next(values)
        verdict: Verdict = row.verdict
        if verdict != "insufficient":
            verdict = "drifted" if p < alpha and row.distance >= effect else "same"
        out.append(replace(row, p_holm=p, verdict=verdict))
    return tuple(out)


def compare_samples(values: tuple[Array, Array], groups: tuple[NDArray[Any], NDArray[Any]]) -> dict[str, float]:
    """Return distance, delta and p of two samples whose values in one group may hang together."""
    from scipy.stats import kstwobign

    first, second = (np.sort(value) for value in values)
    pooled = np.concatenate([first, second])
    upto = [np.searchsorted(side, pooled, side="right") / len(side) for side in (first, second)]
    distance = float(np.abs(upto[0] - upto[1]).max())
    below = np.searchsorted(first, second, side="left") + np.searchsorted(first, second, side="right")
    sizes = [effective_size(value, group, np.quantile(pooled, QUANTILES)) for value, group in zip(values, groups)]
    root = math.sqrt(sizes[0] * sizes[1] / (sizes[0] + sizes[1]))
    p = float(kstwobign.sf((root + 0.12 + 0.11 / root) * distance))  # Stephens, JRSS B 32, 1970
    return {"distance": distance, "delta": float(below.sum() / len(first) / len(second) - 1.0), "p": p}


def effective_size(values: Array, groups: NDArray[Any], places: Array) -> float:
    """Return how many independent values would know the distribution function as well; at least that of the groups."""
    _, index = np.unique(groups, return_inverse=True)
    count, number = int(index.max()) + 1, len(values)
    if count == number:
        return float(number)
    per_group = np.bincount(index)
    clustered = independent = 0.0
    for place in places:
        holds = (values <= place).astype(np.float64)
        share = float(holds.mean())
        residual = np.bincount(index, holds) - share * per_group
        clustered += float(residual @ residual) * count / (count - 1) / number**2
        independent += share * (1.0 - share) / number
    return number / max(clustered / independent, 1.0) if independent > 0.0 else float(count)


def _side(out: Path, group: str | None) -> _Side:
    connection = open_labels(out)
    known = {**columns_of(connection, "frames"), **columns_of(connection, "worlds")}
    chosen = group_column(out, known, group)
    return _Side(connection, read_taxonomy(out / TAXONOMY), chosen)


def _classes(side: _Side) -> dict[str, int]:
    return dict(ask(side.connection, "SELECT class, count(*) FROM labels GROUP BY class", where="labels"))


def _of_class(sides: tuple[_Side, ...], key: str) -> list[Drift]:
    """Return the tests of a class; of contrast where both have it among their defects."""
    rows = []
    for source, shapes, table in ((LABELS, SHAPES, "labels"), (DEFECTS, DEFECT_SHAPES, "defects")):
        columns = [columns_of(side.connection, table) for side in sides]
        measures = [name for name in shapes if all(known and (name in known or name in SHAPES) for known in columns)]
        if not measures:
            continue
        taken = [_values(side, source, [shapes[name] for name in measures], key) for side in sides]
        for at, measure in enumerate(measures):
            samples = [_known(values[:, at], groups) for values, groups in taken]
            if any(len(values) for values, _ in samples):
                rows.append(_row(key, measure, samples))
    return rows


def _known(values: Array, groups: NDArray[Any]) -> tuple[Array, NDArray[Any]]:
    finite = np.isfinite(values)
    return values[finite], groups[finite]


def _values(side: _Side, source: str, measures: Sequence[str], key: str) -> tuple[Array, NDArray[Any]]:
    """Return measures [instance, measure], NaN where unknown, and the group of each instance."""
    asked = ", ".join(f"({sql})::DOUBLE" for sql in measures)
    question = (
        f"SELECT {group_sql(side.group)}::VARCHAR, {asked} FROM {source} WHERE i.class = ? "  # noqa: S608
        f"ORDER BY hash({group_sql(side.group)}, frame_id) LIMIT {MOST_INSTANCES}"
    )
    rows = ask(side.connection, question, where=key, values=[key])
    values = np.array([row[1:] for row in rows], np.float64).reshape(len(rows), len(measures))
    _, groups = np.unique(np.array([str(row[0]) for row in rows], np.str_), return_inverse=True)
    return values, groups


def _row(key: str, measure: str, taken: Sequence[tuple[Array, NDArray[Any]]]) -> Drift:
    count = (len(taken[0][0]), len(taken[1][0]))
    groups = (len(np.unique(taken[0][1])), len(np.unique(taken[1][1])))
    median = tuple(float(np.median(values)) if len(values) else math.nan for values, _ in taken)
    nothing = Drift(key, measure, "insufficient", count, groups, (median[0], median[1]), *[math.nan] * 4)
    if min(count) < LEAST_INSTANCES or min(groups) < LEAST_GROUPS:
        return nothing
    facts = compare_samples((taken[0][0], taken[1][0]), (taken[0][1], taken[1][1]))
    return replace(nothing, verdict="same", distance=facts["distance"], delta=facts["delta"], p=facts["p"])
