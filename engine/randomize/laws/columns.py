"""Which laws a randomiser has, and under which key each is drawn and recorded.

A law in a field `stops` is drawn as `stops`; one in a mapping `color_a` as `color_a_hue_deg`, unless that mapping's
dataclass says `KEYS_ALONE = True`; the first of a list `coefficients` as `coefficient_0`. A kind may also say which of
its laws give mere candidates (`CANDIDATES`, keys) and which of its columns are names drawn with weights
(`CHOICES = {key: (field of the names, field of the weights)}`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.randomize.laws.model import Law

Path = tuple[str | int, ...]
Choices = dict[str, tuple[str | None, str]]  # key -> (field of the names, field of the weights)
LAW_KINDS = Law.__args__


@dataclass(frozen=True)
class LawColumn:
    """A law of a randomiser."""

    key: str  # of its stream and its column
    path: Path  # to it, from the randomiser's own data
    law: Law


def law_columns(params: object) -> tuple[LawColumn, ...]:
    """Return the laws of a kind's dataclass, in the order of its fields."""
    return tuple(_laws(params, (), ""))


def choice_columns(params: object) -> dict[str, tuple[tuple[str, ...] | None, tuple[float, ...] | None]]:
    """Return the named choices of a kind: key -> names or globs of them (None: only the scene knows) and weights."""
    found = {}
    for key, (names, weights) in getattr(params, "CHOICES", {}).items():
        named = None if names is None else getattr(params, names)
        named = sorted(named) if isinstance(named, Mapping) else named  # by name, as weights of mappings are
        found[key] = (None if named is None else tuple(named), getattr(params, weights))
    return found


def replaced(plain: Any, path: Path, value: Any) -> Any:
    """Return a copy of plain data with another value at a path."""
    if not path:
        return value
    if isinstance(plain, list):
        return [replaced(item, path[1:], value) if i == path[0] else item for i, item in enumerate(plain)]
    return {key: replaced(item, path[1:], value) if key == path[0] else item for key, item in plain.items()}


def _laws(owner: Any, path: Path, prefix: str) -> list[LawColumn]:
    found = []
    for field in dataclasses.fields(owner):
        value, key = getattr(owner, field.name), f"{prefix}{field.name}"
        place = (*path, field.name)
        if isinstance(value, LAW_KINDS):
            found.append(LawColumn(key, place, value))
        elif dataclasses.is_dataclass(value):
            inner = prefix if getattr(value, "KEYS_ALONE", False) else f"{key}_"
            found += _laws(value, place, inner)
        elif isinstance(value, tuple):
            single = key.removesuffix("s")
            for index, item in enumerate(value):
                if isinstance(item, LAW_KINDS):
                    found.append(LawColumn(f"{single}_{index}", (*place, index), item))
                elif dataclasses.is_dataclass(item):
                    found += _laws(item, (*place, index), f"{single}_{index}_")
    return found
