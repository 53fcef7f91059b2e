"""Columns as codes: numbers by bins with readable edges, words by the commonest; and the SQL of a range of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]

MOST_BINS = 12
MOST_WORDS = 24  # of a column that are asked about, the commonest first
MOST_DIGITS = 9
SHIFT = 0.25  # of a bin's share of the rows: how far an edge may move to be readable


@dataclass(frozen=True)
class Place:
    """A column: where it stands, and how a condition names it."""

    label: str  # for people: lum_mean, p.sun.power, i.cnr
    sql: str  # f.lum_mean, w."p.sun.power", i.cnr
    name: str  # for names of slices
    size: int = 0  # bits of a floating column, 0 of others: DuckDB rounds an edge to the column


@dataclass(frozen=True)
class Coded:
    """A column of codes; code `count` is what is not known, or in no bin or word that is asked about."""

    place: Place
    codes: Codes  # [row]
    edges: tuple[str, ...] | None  # between bins, as SQL has them; None: words
    words: tuple[str | bool, ...] = ()
    has_nan: bool = False

    @property
    def count(self) -> int:
        """How many codes there are."""
        return len(self.words) if self.edges is None else len(self.edges) + 1

    def ranges(self) -> list[tuple[int, int]]:
        """Return half-open ranges of codes that are predicates: every word; tails and single bins of numbers."""
        count = self.count
        if self.edges is None:
            return [(code, code + 1) for code in range(count)]
        tails = [(0, last) for last in range(1, count)] + [(first, count) for first in range(1, count)]
        return tails + [(first, first + 1) for first in range(1, count - 1)]

    def where(self, codes: tuple[int, int]) -> str:
        """Return the condition for a range of codes."""
        first, last = codes
        sql = self.place.sql
        if self.edges is None:
            return f"{sql} = {literal(self.words[first])}"
        low = f"{sql} >= {self.edges[first - 1]}" if first else ""
        high = f"{sql} < {self.edges[last - 1]}" if last < self.count else ""
        if low and not high and self.has_nan:
            return f"{low} AND NOT isnan({sql})"  # to DuckDB, NaN is larger than any number
        return " AND ".join(filter(None, (low, high)))

    def slug(self, codes: tuple[int, int]) -> str:
        """Return what a range is called."""
        if self.edges is None:
            return f"{self.place.name}_{self.words[codes[0]]}"
        side = "low" if not codes[0] else "high" if codes[1] == self.count else "mid"
        return f"{side}_{self.place.name}"


def code_numbers(place: Place, values: NDArray[np.float64], *, learn: NDArray[np.bool_], bins: int) -> Coded:
    """Return numbers as bins of about equal shares.

    Args:
        place: The column.
        values: [row], NaN: not known.
        learn: [row], those that edges are made from.
        bins: How many, at most.
    """
    known = ~np.isnan(values)
    sample = values[known & learn & np.isfinite(values)]
    texts = readable_edges(sample, bins, place.size)
    edges = np.array([as_compared(text, place.size) for text in texts])
    codes = np.searchsorted(edges, values, side="right").astype(np.uint8)
    codes[~known] = len(texts) + 1
    return Coded(place, codes, tuple(texts))


def code_words(place: Place, words: Sequence[str | bool], codes: NDArray[np.int64], keep: NDArray[np.int64]) -> Coded:
    """Return words as codes.

    Args:
        place: The column.
        words: All of them.
        codes: [row], which word; -1: none.
        keep: Which of them are asked about, in this order.
    """
    number = np.full(len(words) + 1, len(keep), np.uint8)
    number[keep] = np.arange(len(keep))
    return Coded(place, number[codes], None, tuple(words[code] for code in keep.tolist()))


def readable_edges(values: NDArray[np.float64], bins: int, size: int = 0) -> list[str]:
    """Return edges between bins of about equal shares, with the fewest digits that a quarter of a bin allows.

    Where there are no more values than bins, every value has a bin.
    """
    if not values.size:
        return []
    ordered = np.sort(values)
    different = ordered[np.append(True, np.diff(ordered) > 0.0)]
    if len(different) <= bins:
        return [_between(low, high, size) for low, high in pairwise(different.tolist())]
    found: dict[float, str] = {}
    for step in range(1, bins):
        share = step / bins
        value = float(ordered[int(share * len(ordered))])
        text = _rounded(ordered, value, share, SHIFT / bins, size)
        if text is None:
            at = int(np.searchsorted(different, value))
            text = _between(float(different[at - 1]), value, size) if at else positional(value, size)
        edge = as_compared(text, size)
        if ordered[0] < edge <= ordered[-1]:
            found.setdefault(edge, text)
    return [found[edge] for edge in sorted(found)]


def positional(value: float, size: int = 0) -> str:
    """Return a number as SQL has it, with the fewest digits that mean it."""
    number = np.float32(value) if size == 32 else np.float64(value)
    return np.format_float_positional(number, trim="-")


def as_compared(text: str, size: int) -> float:
    """Return the number that DuckDB compares a column with: that of the literal, rounded to the column's type."""
    return float(np.float32(text)) if size == 32 else float(text)


def literal(value: str | bool) -> str:
    """Return a word as SQL has it; a slice's condition has no ';'."""
    if isinstance(value, bool):
        return "true" if value else "false"
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split(";")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(59) || ".join(parts) + ")"


def _rounded(ordered: NDArray[np.float64], value: float, share: float, most: float, size: int) -> str | None:
    """Return a number near a value, below which there is about a share of the numbers."""
    for digits in range(1, MOST_DIGITS):
        text = positional(float(f"{value:.{digits - 1}e}"), size)
        below = np.searchsorted(ordered, as_compared(text, size), side="left") / len(ordered)
        if abs(below - share) <= most:
            return text
    return None


def _between(low: float, high: float, size: int) -> str:
    """Return the shortest number above `low` and not above `high`."""
    for digits in range(1, MOST_DIGITS):
        text = positional(float(f"{high:.{digits - 1}e}"), size)
        if low < as_compared(text, size) <= high:
            return text
    return positional(high, size)
