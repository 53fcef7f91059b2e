"""From failures on real pictures to what a scene should draw: the rendered instances that measure most like them.

Rejection with summary statistics (approximate Bayesian computation; Beaumont, Zhang, Balding, Genetics 162, 2002): of
the rendered instances of the class, the `NEAREST` nearest in measured columns are accepted (of few, a tenth). A failure
that lies farther from all of them than 99 % of rendered instances lie from the nearest one of another world is not
reachable: the scene cannot show it, whatever its laws say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.propose.columns import MISSING, Column
from engine.propose.measured import Measured, plain_value
from engine.propose.rows import Rows
from engine.propose.weights import effective_size

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

NEAREST = 50  # accepted for a failure, but of few
MOST_ACCEPTED, LEAST_ACCEPTED = 0.1, 10  # at most this share of them, if that is not fewer than so many
FAR = 0.99  # quantile of the distances between rendered instances of different worlds
IQR_OF_NORMAL = 1.349
NEIGHBOURS = 64  # that are looked at for one of another world, at first
LEVEL = 0.05  # of the test that any column differs among the accepted (Bonferroni)
PARTS = 4  # of [0, 1] that the test counts in
LEAST_ROWS = 20  # rendered instances of a class, for distances to mean something


@dataclass(frozen=True)
class Missing:
    """What a scene does not show: failures of a class in some groups, and by which column."""

    of_class: str
    groups: int
    instances: int
    column: str  # "": there is no such class
    value: float  # median of the failures
    low: float  # what the scene shows, its 1 % and 99 % quantile
    high: float

    def __str__(self) -> str:
        where = f"{self.of_class}, {self.instances} failures in {self.groups} groups"
        if not self.column:
            return f"{where}: the scene draws none, or too few to compare; it needs an asset or a rule for it"
        said = f"{self.column} is {self.value:.3g}, the scene shows {self.low:.3g} .. {self.high:.3g}"
        if self.low <= self.value <= self.high:
            return f"{where}: {said}, but not together with the rest"
        return f"{where}: {said}"


@dataclass(frozen=True)
class Space:
    """Measured columns of one class, standardised by the median and the interquartile range of what is rendered."""

    names: tuple[str, ...]
    center: Floats
    scale: Floats

    def of(self, measured: Measured, rows: Flags) -> Floats:
        """Return rows as points; the distance of two is the root of the mean square over columns."""
        table = np.stack([measured.columns[name][rows] for name in self.names], axis=1)
        points = (table - self.center) / self.scale / np.sqrt(len(self.names))
        return np.where(np.isfinite(points), points, 0.0)  # not known: as the median


@dataclass(frozen=True)
class Place:
    """Where the reachable failures of a class lie, and how near counts as like them."""

    of_class: str
    space: Space
    queries: Floats
    limit: float


@dataclass(frozen=True)
class Reached:
    """Which failures a scene can show, and by which rendered instances."""

    weights: Floats  # [rendered instance], of those that were accepted
    places: tuple[Place, ...]  # by class
    reachable: Flags  # [real instance]
    missing: tuple[Missing, ...]
    columns: tuple[str, ...]  # that were compared

    def near(self, measured: Measured) -> Flags:
        """Return which rendered instances lie within reach of a failure."""
        found = np.zeros(len(measured.classes), np.bool_)
        for place in self.places:
            own = measured.classes == place.of_class
            if own.any():
                distance, _ = nearest(place.queries, place.space.of(measured, own), 1)
                found[np.flatnonzero(own)[distance[:, 0] <= place.limit]] = True
        return found


def reach(real: Measured, failing: Flags, group: Ints, synthetic: Measured, world: Ints) -> Reached:
    """Return the rendered instances that measure like the failing real ones.

    Args:
        real: Measured columns of the real dataset.
        failing: [real instance].
        group: [real instance], independent groups; each has the same weight.
        synthetic: Measured columns of the rendered dataset.
        world: [rendered instance].
    """
    weights = np.zeros(len(world))
    places: list[Place] = []
    reachable = np.zeros(len(failing), np.bool_)
    missing: list[Missing] = []
    compared: set[str] = set()
    for name in sorted(set(real.classes[failing].tolist())):
        query, own = failing & (real.classes == name), synthetic.classes == name
        if own.sum() < LEAST_ROWS or len(np.unique(world[own])) < 2:
            missing.append(Missing(name, len(np.unique(group[query])), int(query.sum()), "", np.nan, np.nan, np.nan))
            continue
        space = space_of(real, query, synthetic, own)
        if not space.names:
            missing.append(Missing(name, len(np.unique(group[query])), int(query.sum()), "", np.nan, np.nan, np.nan))
            continue
        compared |= set(space.names)
        points, queries = space.of(synthetic, own), space.of(real, query)
        limit = farthest(points, world[own])
        distance, index = nearest(points, queries, accepted_count(len(points)))
        inside = distance[:, 0] <= limit
        reachable[np.flatnonzero(query)[inside]] = True
        _, number, count = np.unique(group[query], return_inverse=True, return_counts=True)
        for row in np.flatnonzero(inside):
            np.add.at(weights, np.flatnonzero(own)[index[row]], 1.0 / count[number[row]] / index.shape[1])
        if inside.any():
            places.append(Place(name, space, queries[inside], limit))
        missing += _missing(
            name, space, queries[~inside], group[query][~inside], points, distance[~inside], index[~inside]
        )
    return Reached(weights, tuple(places), reachable, tuple(missing), tuple(sorted(compared)))


def space_of(real: Measured, query: Flags, synthetic: Measured, own: Flags) -> Space:
    """Return the columns that both have and in which the scene varies."""
    names = sorted(real.usable(query) & synthetic.usable(own))
    table = {name: synthetic.columns[name][own] for name in names}
    quartiles = {name: np.nanquantile(column, [0.25, 0.5, 0.75]) for name, column in table.items()}
    scale = {name: (found[2] - found[0]) / IQR_OF_NORMAL for name, found in quartiles.items()}
    kept = [name for name in names if scale[name] > 1.0e-9]
    return Space(
        tuple(kept), np.array([quartiles[name][1] for name in kept]), np.array([scale[name] for name in kept])
    )  # fmt: skip


def accepted_count(count: int) -> int:
    """Return how many of so many rendered instances are accepted for a failure."""
    return min(NEAREST, max(LEAST_ACCEPTED, int(MOST_ACCEPTED * count)))


def farthest(points: Floats, world: Ints) -> float:
    """Return how far all but 1 % of rendered instances are from the nearest one of another world at most."""
    from scipy.spatial import cKDTree

    count = len(points)
    distance, index = cKDTree(points).query(points, k=min(NEIGHBOURS, count))
    other = np.where(world[index] == world[:, None], np.inf, distance).min(axis=1)
    for row in np.flatnonzero(~np.isfinite(other)):  # all that were looked at are of its own world
        away = np.sqrt(((points - points[row]) ** 2).sum(axis=1))
        other[row] = away[world != world[row]].min()
    return float(np.quantile(other, FAR))


def nearest(points: Floats, queries: Floats, count: int) -> tuple[Floats, Ints]:
    """Return distance and index of the nearest points of every query, [query, k]."""
    from scipy.spatial import cKDTree

    found = min(count, len(points))
    distance, index = cKDTree(points).query(queries, k=found)
    return distance.reshape(len(queries), found), index.reshape(len(queries), found).astype(np.int64)


def telling_columns(columns: Sequence[Column], rows: Rows, accepted: Floats, most: int) -> list[Column]:
    """Return the columns whose values differ most between accepted and all rows, by a chi-square test of quarters.

    Worlds are the observations: as many as the effective number of accepted ones.
    """
    from scipy.stats import chi2

    found: list[tuple[float, str, Column]] = []
    for column in columns:
        bins = rows.bins[column.key]
        there = bins != MISSING
        if not there.any():
            continue
        part = (
            np.arange(len(column.base))
            if column.kind != "spread"
            else np.arange(len(column.base)) * PARTS // len(column.base)
        )
        each = np.maximum(there.sum(axis=1), 1)[:, None]
        counts = [
            np.bincount(part[bins[there]], np.broadcast_to(w[:, None] / each, bins.shape)[there], int(part.max()) + 1)
            for w in (accepted, np.ones(len(rows)))
        ]
        if counts[0].sum() <= 0.0:
            continue
        new, before = (own / own.sum() for own in counts)
        filled = before > 0.0
        size = effective_size(accepted * there.any(axis=1), rows.world)
        statistic = size * float((((new - before) ** 2)[filled] / before[filled]).sum())
        p = float(chi2.sf(statistic, max(int(filled.sum()) - 1, 1)))
        if p < LEVEL / len(columns):
            found.append((p, column.key, column))
    return [column for _, _, column in sorted(found, key=lambda one: one[:2])[:most]]


def _missing(
    name: str, space: Space, queries: Floats, group: Ints, points: Floats, distance: Floats, index: Ints
) -> list[Missing]:
    """Return what failures out of reach have that the scene has not: each is counted under its most distant column."""
    if not len(queries):
        return []
    low, high = np.quantile(points, [0.01, 0.99], axis=0)
    beyond = np.maximum(np.maximum(low - queries, queries - high), 0.0)
    away = np.abs(queries - points[index[:, 0]])
    worst = np.where(beyond.max(axis=1) > 0.0, beyond.argmax(axis=1), away.argmax(axis=1))
    found = []
    for number in sorted(set(worst.tolist()), key=lambda n: (-int((worst == n).sum()), n)):
        rows = worst == number
        scale, column = space.scale[number] * np.sqrt(len(space.names)), space.names[number]
        ends = [
            plain_value(column, float(end) * scale + space.center[number])
            for end in (np.median(queries[rows, number]), low[number], high[number])
        ]
        found.append(Missing(name, len(np.unique(group[rows])), int(rows.sum()), column, *ends))
    return found
