"""The cells of `balance.yaml` as `slices.yaml`: shares say what a model was shown, slices what it made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from engine.errors import UserError
from engine.evaluate.slices import Slice
from engine.health.ask import expression
from engine.health.balance import NOTHING, OTHER, OUTSIDE, Axis, Balance, BalanceReport
from engine.plain import to_plain

INSTANCE = "NOT i.is_defect"  # balance counts labelled instances; slices have defects beside them


def slices_of(spec: Balance, report: BalanceReport, where: str) -> dict[str, Slice]:
    """Return a slice for every cell of a report, by a name of its axis and value.

    Args:
        spec: What balanced means.
        report: Of a dataset, by `check_balance`; values that only it has are cells, too.
        where: What holds the definition, for errors.
    Raises:
        UserError: If a value cannot be part of a condition.
    """
    found: dict[str, Slice] = {}
    for axis in report.axes:
        for cell in axis.cells:
            name = _free(f"{axis.name}_{_slug(cell.value)}", found)
            condition = _condition(spec, spec.axes[axis.name], cell.value, f"{where}: axes.{axis.name}")
            about = f"{axis.name} {cell.value}: {cell.count} of {axis.count} {report.unit}, target {cell.target:.1%}"
            try:
                found[name] = Slice(condition, about=f"{about}, {cell.verdict}")
            except ValueError as error:
                raise UserError(f"{where}: axes.{axis.name}: {cell.value!r} cannot be a slice: {error}") from error
    return found


def yaml_bytes(slices: Mapping[str, Slice]) -> bytes:
    """Return slices as `engine.evaluate.slices.read_slices` reads them."""
    plain: dict[str, Any] = {name: to_plain(one) for name, one in slices.items()}
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1000).encode()


def _condition(spec: Balance, axis: Axis, value: str, where: str) -> str:
    """Return the SQL of a cell over frames, or over instances of slices."""
    parts = [INSTANCE] if spec.unit == "instances" else []
    if spec.where.strip().lower() != "true":
        parts.append(expression(spec.where, f"{where}: where"))
    return " AND ".join([*parts, _cell(axis, value, expression(axis.of, where))])


def _cell(axis: Axis, value: str, of: str) -> str:
    if value == NOTHING:
        return f"{of} IS NULL"
    if value == OUTSIDE and axis.bins:
        return f"{of} IS NOT NULL AND NOT ({of} >= {axis.bins[0]!r} AND {of} <= {axis.bins[-1]!r})"
    if axis.bins:
        at = axis.labels.index(value)
        upto = "<=" if at == len(axis.labels) - 1 else "<"
        return f"{of} >= {axis.bins[at]!r} AND {of} {upto} {axis.bins[at + 1]!r}"
    if value == OTHER:
        return f"{of} IS NOT NULL AND {of}::VARCHAR NOT IN ({', '.join(map(_quoted, axis.shares))})"
    return f"{of}::VARCHAR = {_quoted(value)}"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _slug(value: str) -> str:
    """Return a value as a word of a name: letters, digits, points, signs."""
    return re.sub(r"[^\w.+-]+", "_", value).strip("_") or "value"


def _free(name: str, taken: Mapping[str, Slice]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
