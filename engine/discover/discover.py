"""A report in, slices that nobody named out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.discover.confirm import Carried, confirm, distinct
from engine.discover.lattice import Half, Level, Predicate, search
from engine.discover.rows import Options, Rows

WORDS = {"misses": "missed", "alarms": "false alarms a picture", "low_confidence": "found with a low score"}


@dataclass(frozen=True)
class Named:
    """A predicate that went on, with the name and the condition that it has as a slice."""

    name: str
    where: str
    carried: Carried


@dataclass(frozen=True)
class Discovery:
    """What was found, and what was searched."""

    rows: Rows
    halves: tuple[Half, Half]  # discovery, confirmation
    levels: tuple[Level, ...]
    named: tuple[Named, ...]  # confirmed ones first
    note: str  # why nothing can be found, if so

    @property
    def confirmed(self) -> list[Named]:
        """The slices."""
        return [one for one in self.named if one.carried.is_confirmed]


def discover(rows: Rows, options: Options) -> Discovery:
    """Search the discovery half, and confirm on the other."""
    own = (rows.discovery, ~rows.discovery)
    first, second = (Half.of(rows.columns, rows.outcome, rows.group, use) for use in own)
    note = _without_power(first, second, rows, options)
    if note:
        return Discovery(rows, (first, second), (), (), note)
    levels = search(first, most=options.most, support=options.support, rate=options.rate)
    carried = confirm((first, second), distinct(first, levels, options.support), options.support, options.seed)
    names: dict[str, int] = {}
    named = [Named(_name(rows, one.predicate, names), where_of(rows, one.predicate), one) for one in carried]
    return Discovery(rows, (first, second), tuple(levels), tuple(named), "")


def where_of(rows: Rows, predicate: Predicate) -> str:
    """Return the condition of a predicate, as slices.yaml has it."""
    return " AND ".join(rows.columns[column].where((first, last)) for column, first, last in predicate)


def columns_of(rows: Rows, predicate: Predicate) -> list[str]:
    """Return the columns of a predicate."""
    return [rows.columns[column].place.label for column, _, _ in predicate]


def _without_power(first: Half, second: Half, rows: Rows, options: Options) -> str:
    if not rows.columns:
        return "no column can be searched"
    if first.groups < 2 * options.support:
        return (
            f"no power: the discovery half has {first.groups} independent groups, and a slice and its rest need "
            f"{options.support} each; more groups, or --support"
        )
    for half, name in ((first, "discovery"), (second, "confirmation")):
        if len(half.outcome) and np.ptp(half.outcome) == 0.0:
            return f"nothing to tell apart: in the {name} half every row has the outcome {half.outcome[0]:g}"
    return ""


def _name(rows: Rows, predicate: Predicate, names: dict[str, int]) -> str:
    """Return a name of small letters, digits and _, as a file may have it, that no other slice has."""
    parts = [rows.columns[column].slug((first, last)) for column, first, last in predicate]
    text = "_and_".join(parts).lower()
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in text)
    plain = "_".join(part for part in plain.split("_") if part)[:72] or "slice"
    names[plain] = names.get(plain, 0) + 1
    return plain if names[plain] == 1 else f"{plain}_{names[plain]}"
