"""What a recipe draws, in bins of its own law: where values of worlds lie, and laws with other shares of the bins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.plain import to_plain
from engine.randomize.kinds import Randomizer
from engine.randomize.laws.columns import choice_columns, law_columns
from engine.randomize.laws.compare import Asked
from engine.randomize.laws.distribution import below_and_upto, is_discrete, steps_of
from engine.randomize.laws.model import Choice, Constant, Histogram, Law, columns_asked, parts_of
from engine.randomize.laws.quantile import choice_shares, quantile
from engine.randomize.laws.support import support

Floats = NDArray[np.float64]
Kind = Literal["spread", "steps", "names", "presence"]

BINS = 12  # equally probable ones of a law that is spread
PARTS = 4  # of a bin, where a law is made of others and may have gaps
SAMPLES = 8192  # of a law, from which the edges of its bins are read
MOST_NAMES = 64  # that a choice has, for it to be re-weighted
DEFECT, PROBABILITY = "defect", "probability"
MISSING = -1  # bin of a value that is not there


@dataclass(frozen=True)
class Column:
    """A column of a recipe with the shares that its law gives its bins."""

    key: str  # `<randomiser>.<key>`, as `laws.reweight` names it
    kind: Kind
    law: Law | None  # None: of names
    base: Floats  # [bin], sums to 1
    edges: tuple[float, ...] = ()  # spread: of the bins, each in as many equally probable parts as its law needs
    values: tuple[float, ...] = ()  # steps: one a bin
    names: tuple[str, ...] = ()  # names: one a bin

    @property
    def randomizer(self) -> str:
        """The name of its randomiser."""
        return self.key.partition(".")[0]

    @property
    def places(self) -> Floats:
        """The middle of every bin in [0, 1], by probability."""
        return np.cumsum(self.base) - 0.5 * self.base

    def placed(self, values: NDArray[np.generic]) -> tuple[NDArray[np.int64], Floats]:
        """Return the bin of every value and its place in [0, 1] by probability; any shape, NaN is `MISSING`."""
        if self.kind == "names":
            bins = np.full(values.shape, MISSING, np.int64)
            for number, name in enumerate(self.names):
                bins[values == name] = number
            return bins, self._middles(bins)
        numbers = values.astype(np.float64)
        known = np.isfinite(numbers)
        if self.kind != "spread":
            steps = np.asarray(self.values)
            bins = np.abs(np.where(known, numbers, 0.0)[..., None] - steps).argmin(axis=-1)
            bins = np.where(known, bins, MISSING)
            return bins, self._middles(bins)
        assert self.law is not None
        below, upto = below_and_upto(self.law, np.where(known, numbers, self.edges[0]))
        place = np.clip(0.5 * (below + upto), 0.0, 1.0)
        bins = np.minimum((place * len(self.base)).astype(np.int64), len(self.base) - 1)
        return np.where(known, bins, MISSING), np.where(known, place, np.nan)

    def drawn(
        self, shares: Floats, shape: tuple[int, ...], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], Floats]:
        """Return bins and places of values drawn by shares of the bins."""
        bins = random.choice(len(shares), size=shape, p=shares / shares.sum())
        if self.kind != "spread":
            return bins, self._middles(bins)
        return bins, (bins + random.uniform(size=shape)) / len(shares)

    def plain(self, shares: Floats) -> Any:
        """Return what `laws.reweight` has for shares of the bins: a law as plain data, or weights of names."""
        rounded = [float(f"{share:.4g}") for share in shares / shares.sum()]
        if self.kind == "names":
            return rounded
        if self.kind == "presence":
            return to_plain(Constant(min(rounded[1], 1.0)))
        if self.kind == "spread":
            parts = (len(self.edges) - 1) // len(self.base)
            return to_plain(Histogram(self.edges, tuple(np.repeat(rounded, parts).tolist())))
        kept = [(value, weight) for value, weight in zip(self.values, rounded, strict=True) if weight > 0.0]
        return to_plain(Choice(tuple(value for value, _ in kept), tuple(weight for _, weight in kept)))

    def range_of(self, shares: Floats) -> str:
        """Return in words where the shares are."""
        if self.kind == "presence":
            return f"{shares[1]:.0%} of its bearers have it"
        if self.kind != "spread":
            labels = self.names or tuple(f"{value:g}" for value in self.values)
            top = np.argsort(-shares, kind="stable")[:3]
            return ", ".join(f"{labels[number]} {shares[number]:.0%}" for number in top)
        total = np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
        ends = self.edges[:: (len(self.edges) - 1) // len(self.base)]
        low, high = (float(np.interp(at, total, ends)) for at in (0.1, 0.9))
        return f"80 % in {low:.3g} .. {high:.3g}"

    def _middles(self, bins: NDArray[np.int64]) -> Floats:
        return np.where(bins == MISSING, np.nan, self.places[np.maximum(bins, 0)])


def columns_of(asked: Asked) -> tuple[list[Column], dict[str, str]]:
    """Return the columns of a recipe that vary and may be re-weighted, and why others may not."""
    found: list[Column] = []
    left_out: dict[str, str] = {}
    for entry in asked.resolved.randomizers:
        for own in law_columns(entry.params):
            key = f"{entry.name}.{own.key}"
            if entry.entry.kind == DEFECT and own.key == PROBABILITY:
                column = _presence(key, own.law)
            elif columns_asked(own.law):
                left_out[key] = f"its law hangs on {columns_asked(own.law)[0]}"
                continue
            else:
                column = column_of_law(key, own.law)
            if isinstance(column, str):
                left_out[key] = column
            elif column is not None:
                found.append(column)
        found += _of_names(entry, left_out)
    return found, left_out


def column_of_law(key: str, law: Law) -> Column | str | None:
    """Return the column of a law; None: it does not vary; else why it cannot be re-weighted."""
    if is_discrete(law):
        values, shares = steps_of(law)
        return Column(key, "steps", law, np.asarray(shares), values=tuple(values)) if len(values) > 1 else None
    sample = np.sort(quantile(law, (np.arange(SAMPLES) + 0.5) / SAMPLES))
    below, upto = below_and_upto(law, sample)
    if (upto - below > 1.0e-6).any():
        return "its law has both single values and a spread"
    parts = PARTS if parts_of(law) else 1
    edges = np.quantile(sample, np.linspace(0.0, 1.0, BINS * parts + 1))
    low, high = support(law)
    if edges[0] - low < edges[1] - edges[0]:
        edges[0] = low  # a normal law's ends are far out, and no bin should reach there
    if high - edges[-1] < edges[-1] - edges[-2]:
        edges[-1] = high
    if (np.diff(edges) <= 0.0).any():
        return "its law is too narrow for bins"
    inner = [float(f"{edge:.6g}") for edge in edges[1:-1]]
    return Column(key, "spread", law, np.full(BINS, 1.0 / BINS), edges=(float(edges[0]), *inner, float(edges[-1])))


def _presence(key: str, law: Law) -> Column | str | None:
    """Return the column of whether a defect is there at all, which its probability decides."""
    if not isinstance(law, Constant):
        return "a probability that is drawn itself"
    if not 0.0 < law.value < 1.0:
        return None
    return Column(key, "presence", law, np.array([1.0 - law.value, law.value]), values=(0.0, 1.0))


def _of_names(entry: Randomizer, left_out: dict[str, str]) -> list[Column]:
    found = []
    for key, (names, weights) in choice_columns(entry.params).items():
        column = f"{entry.name}.{key}"
        if not hasattr(entry.params, "weights") or len(choice_columns(entry.params)) > 1:
            continue
        if names is None or any(set("*?[") & set(name) for name in names):
            left_out[column] = "only the scene knows its names"
        elif 1 < len(names) <= MOST_NAMES:
            shares = choice_shares(len(names), weights)
            found.append(Column(f"{entry.name}.weights", "names", None, shares, names=names))
    return found


def recorded_as(column: Column, asked: Asked) -> str:
    """Return the column of `index/worlds.parquet` that holds its values."""
    if column.kind != "names":
        return f"p.{column.key}"
    entry = next(one for one in asked.resolved.randomizers if one.name == column.randomizer)
    return f"p.{column.randomizer}.{next(iter(choice_columns(entry.params)))}"


def plain_laws(columns: Mapping[str, Column], shares: Mapping[str, Floats]) -> dict[str, Any]:
    """Return `laws.reweight` for shares by column."""
    return {key: columns[key].plain(shares[key]) for key in sorted(shares)}
