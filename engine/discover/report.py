"""What a search found, as slices.yaml, as JSON (schema discovery/1) and as lines for a terminal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import yaml

from engine.discover.confirm import CONFIRMED_AT, Carried, Effect, Rate, rate_of
from engine.discover.discover import WORDS, Discovery, Named, columns_of, where_of
from engine.discover.lattice import Half, Level
from engine.discover.rows import Options
from engine.evaluate.stored import StoredReport
from engine.plain import to_plain

SCHEMA = "discovery/1"
SLICES, JSON, PAGE = "discovered.yaml", "discovery.json", "discovery.html"
DIGITS = 6
SHORT_P = 3  # digits of a p-value


def slices_yaml(found: Discovery, options: Options, report: StoredReport) -> str:
    """Return the confirmed slices in the format of slices.yaml."""
    slices = {
        one.name: {
            "where": one.where, "risk_weight": 1.0, "min_support": options.support, "about": about(one, options),
        }
        for one in found.confirmed
    }  # fmt: skip
    head = (
        f"# Found by python -m engine.discover --of {options.of} --seed {options.seed}, in the report {report.sha256}\n"
    )
    return head + yaml.safe_dump(slices, sort_keys=False, allow_unicode=True, width=120)


def about(one: Named, options: Options) -> str:
    """Return a slice in words: the confirmation half's own estimate."""
    effect = one.carried.confirmation
    return (
        f"{WORDS[options.of]}: {_rate(effect.inside, options)} inside, {_rate(effect.outside, options)} outside, "
        f"{_rate(effect.difference, options)} more ({_span(effect.difference)}), in {effect.groups} groups that the "
        "search did not see"
    )


def plain_discovery(found: Discovery, options: Options, report: StoredReport) -> dict[str, Any]:
    """Return the search as plain data; what is not known is null."""
    rows = found.rows
    return {
        "schema": SCHEMA, "report": str(report.folder), "report_sha256": report.sha256,
        "dataset": str(report.dataset), "dataset_id": report.facts["dataset_id"], "group_by": report.group_by,
        "score": report.score, "low_score": _number(rows.low_score), "settings": to_plain(options),
        "confirmed_at": CONFIRMED_AT,
        "halves": {
            name: _half(half, options.seed)
            for name, half in zip(("discovery", "confirmation"), found.halves, strict=True)
        },
        "searched": {
            "columns": [
                {
                    "column": one.place.label, "sql": one.place.sql, "predicates": len(one.ranges()),
                    "edges": None if one.edges is None else [float(edge) for edge in one.edges],
                    "words": None if one.edges is not None else list(one.words),
                    "unknown": int(np.count_nonzero(one.codes == one.count)),
                }
                for one in rows.columns
            ],
            "left_out": [to_plain(one) for one in rows.left],
            "levels": [_level(level) for level in found.levels],
        },
        "note": found.note, "slices": [_slice(one, found) for one in found.named],
    }  # fmt: skip


def lines_of(found: Discovery, options: Options) -> list[str]:
    """Return what people read."""
    first, second = found.halves
    rows = found.rows
    everything = Half.of((), rows.outcome, rows.group, np.ones(len(rows.outcome), np.bool_))
    share = rate_of(everything, np.ones(len(rows.outcome), np.bool_), options.seed)
    lines = [
        f"{len(rows.outcome)} rows in {everything.groups} groups, {WORDS[options.of]} {_rate(share, options)} "
        f"({_span(share)}); {len(rows.columns)} columns searched in {first.groups} groups, to be confirmed in "
        f"{second.groups}"
    ]
    for level in found.levels:
        lines.append(
            f"{level.conjuncts} {'conjunct' if level.conjuncts == 1 else 'conjuncts'}: {level.tested} of "
            f"{level.counted} predicates reached, {len(level.found)} passed"
        )
    if found.note:
        return [*lines, found.note]
    lines.append(f"{len(found.named)} carried to the other half, {len(found.confirmed)} confirmed")
    for one in found.named:
        lines += _lines(one, options)
    return lines


def _lines(one: Named, options: Options) -> list[str]:
    carried, effect = one.carried, one.carried.confirmation
    word = "" if carried.is_confirmed else "not confirmed: "
    return [
        f"  {word}{one.name}: {one.where}",
        f"    {_rate(effect.inside, options)} inside {_rate(effect.outside, options)} outside, difference "
        f"{_rate(effect.difference, options)} [{_span(effect.difference)}], {effect.groups} groups, "
        f"p (Holm) {carried.p_holm:.2g}",
    ]


def _slice(one: Named, found: Discovery) -> dict[str, Any]:
    carried: Carried = one.carried
    return {
        "name": one.name, "where": one.where, "confirmed": carried.is_confirmed,
        "columns": columns_of(found.rows, carried.predicate), "conjuncts": len(carried.predicate),
        "strength": _number(carried.strength), "p_holm": _p(carried.p_holm),
        "discovery": _effect(carried.discovery), "confirmation": _effect(carried.confirmation),
        "alike": [
            {"where": where_of(found.rows, other.predicate), "jaccard": _number(other.jaccard)}
            for other in carried.alike
        ],
    }  # fmt: skip


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "rows": effect.rows, "groups": effect.groups, "failures": effect.failures, "inside": _plain(effect.inside),
        "outside": _plain(effect.outside), "difference": _plain(effect.difference), "p": _p(effect.p),
    }  # fmt: skip


def _half(half: Half, seed: int) -> dict[str, Any]:
    rate = rate_of(half, np.ones(len(half.outcome), np.bool_), seed)
    return {
        "rows": len(half.outcome), "groups": half.groups, "failures": float(half.outcome.sum()), "rate": _plain(rate),
    }  # fmt: skip


def _level(level: Level) -> dict[str, Any]:
    return {
        "conjuncts": level.conjuncts, "counted": level.counted, "tested": level.tested, "passed": len(level.found),
        "largest_p": None if level.threshold < 0.0 else _p(level.threshold),
    }  # fmt: skip


def _plain(rate: Rate) -> dict[str, float | None]:
    return {"value": _number(rate.value), "low": _number(rate.low), "high": _number(rate.high)}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, DIGITS)


def _p(value: float) -> float:
    return float(f"{value:.{SHORT_P}g}")


def _rate(rate: Rate, options: Options) -> str:
    if not math.isfinite(rate.value):
        return "unknown"
    return f"{rate.value:.3g}" if options.of == "alarms" else f"{100.0 * rate.value:.1f} %"


def _span(rate: Rate) -> str:
    if not math.isfinite(rate.low):
        return "interval unknown"
    return f"90 % {rate.low:.2f} to {rate.high:.2f}"
