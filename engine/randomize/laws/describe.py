"""Laws in words: one short line each, for tables and pages."""

from __future__ import annotations

from engine.plain import to_plain
from engine.randomize.laws.model import (
    Choice,
    Conditional,
    Constant,
    Empirical,
    Histogram,
    Include,
    Integer,
    Law,
    LogUniform,
    Mixture,
    Normal,
    Uniform,
)

FEW = 6  # values that are all named


def describe(law: Law) -> str:
    """Return a law as one line, such as `uniform 2 .. 12`."""
    match law:
        case Constant(value):
            return f"constant {value:g}"
        case Uniform(low, high) | LogUniform(low, high) | Integer(low, high):
            return f"{law.TAG[1]} {low:g} .. {high:g}"
        case Normal(mean, std):
            return f"normal {mean:g} +- {std:g}"
        case Choice(values, weights):
            return f"choice of {_few(values)}" + ("" if weights is None else f" by {_few(weights)}")
        case Histogram(edges, weights):
            return f"histogram of {len(weights)} bins, {edges[0]:g} .. {edges[-1]:g}"
        case Empirical():
            return f"empirical, {law.table} {law.column}" + ("" if law.source is None else f" of {law.source[:16]}")
        case Mixture(parts):
            return "mixture: " + ", ".join(f"{part.weight:g} {describe(part.law)}" for part in parts)
        case Include():
            return f"{describe(law.of)}, its ends in {100.0 * law.share:g} %"
        case Conditional(by, cases, otherwise):
            return f"by {by}: {len(cases)} cases, else {describe(otherwise)}"
        case _:
            plain = to_plain(law)
            return f"{plain.pop('law')} " + ", ".join(f"{key} {value:g}" for key, value in plain.items())


def _few(values: tuple[float, ...]) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:FEW])
    return f"[{shown}{', ...' if len(values) > FEW else ''}]"
