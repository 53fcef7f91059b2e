"""One page of HTML about arms: curves over the number of real pictures, and the gains with their intervals.

Plain SVG, no script, no other file. Names come from data and are shown as text alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from engine.evaluate.page import STYLE
from engine.view.standalone import head

WIDTH_PX, HEIGHT_PX, LEFT_PX, BOTTOM_PX, TOP_PX, RIGHT_PX = 380, 240, 44, 28, 10, 12
CURVES = ("AP50", "recall", "AUROC")
FIGURES = (*CURVES, "AP", "precision", "false_alarms")
COLORS = {
    "real": "#9aa4b5", "synthetic": "#c792ea", "both": "#5fd38d", "without_batch": "#5aa9ff", "placebo": "#ff9f5a",
}  # fmt: skip
SHIFT_PX = 3.0  # between arms, so that their intervals can be told apart
OWN_STYLE = STYLE + "\n".join(
    [
        ".charts { display: flex; flex-wrap: wrap; gap: 14px; } .charts figure { padding: 8px; }",
        ".grid { stroke: var(--line); stroke-width: 1; } .tick { fill: var(--faint); font-size: 11px; }",
        ".curve { fill: none; stroke-width: 2; } .reach { stroke-width: 1.5; opacity: 0.6; }",
        ".flat { stroke-dasharray: 5 4; }",
        *(f".s-arm-{arm} {{ stroke: {color}; }} .f-arm-{arm} {{ fill: {color}; }}" for arm, color in COLORS.items()),
    ]
)  # fmt: skip


def drawn(report: Mapping[str, Any]) -> str:
    """Return what intervals are over: one seed says nothing of other seeds."""
    return "seeds and groups" if len(report["seeds"]) > 1 else "groups alone, of one seed,"


def write_arms_page(report: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the page in parts; `report` is what is written as arms.json."""
    names = {key: one["name"] for key, one in report["datasets"].items()}
    title = f"What {report['learner']} learns from"
    yield head(title, OWN_STYLE)
    yield (
        f"<h1>{escape(title)}</h1>\n"
        f"<p>{escape('; '.join(f'{key}: {name}' for key, name in names.items()))}</p>\n"
        f"<p>seeds: {len(report['seeds'])}; the same real pictures for all arms of a seed, k of each class and as many "
        f"without. Bars are 90 % intervals over {drawn(report)} by {escape(report['group_by'])}, drawn together "
        f"{report['settings']['replicates']} times; predictions with a score of {report['settings']['score']:g} or "
        "more, AP over all scores.</p>\n"
        f"<p>{_key(report['arms'])}</p>\n"
    ).encode()
    for one in report["slices"]:
        yield _slice(one, report["k"]).encode()
    yield b"</body>\n</html>\n"


def _slice(one: Mapping[str, Any], counts: Sequence[int]) -> str:
    head = f"<h2>{escape(one['name'])}</h2>\n"
    support = f"{one['images']} pictures, {one['groups']} groups, {one['instances']} instances"
    where = f"<p>{escape(one['where'])}</p>" if one["where"] else ""
    if one["verdict"]:
        reason = f"{escape(one['verdict'])}: {support}, fewer than {one['min_support']} groups"
        return f'{head}{where}<p class="insufficient">{reason}</p>\n'
    charts = "".join(f"<figure>{_chart(one['arms'], name, counts)}{name}</figure>" for name in CURVES)
    return f'{head}{where}<p>{support}</p>\n<div class="charts">{charts}</div>\n{_gains(one["gains"])}'


def _chart(arms: Sequence[Mapping[str, Any]], figure: str, counts: Sequence[int]) -> str:
    """Return the curves of a figure over k, which is drawn on a scale of logarithms."""
    ends = [row["figures"][figure][end] for row in arms for end in ("value", "low", "high")]
    known = [value for value in ends if value is not None]
    if not known:
        return '<p class="insufficient">unknown</p>'
    low, high = math.floor(min(known) * 10.0) / 10.0, math.ceil(max(known) * 10.0) / 10.0
    high = high if high > low else low + 0.1
    parts = [_axes(low, high, counts)]
    for place, arm in enumerate(dict.fromkeys(row["arm"] for row in arms)):
        rows = [row for row in arms if row["arm"] == arm and row["figures"][figure]["value"] is not None]
        points = []
        for row in rows:
            own = row["figures"][figure]
            y = _y(own["value"], low, high)
            if row["k"] == 0:  # of no real pictures: as wide as the chart
                right = WIDTH_PX - RIGHT_PX
                parts.append(f'<path class="curve flat s-arm-{arm}" d="M{LEFT_PX} {y:.1f}H{right}"/>')
                continue
            x = _x(row["k"], counts) + (place - 1.5) * SHIFT_PX
            points.append(f"{x:.1f} {y:.1f}")
            parts.append(f'<circle class="f-arm-{arm}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
            if own["low"] is not None:
                first, last = (_y(own[end], low, high) for end in ("low", "high"))
                parts.append(f'<path class="reach s-arm-{arm}" d="M{x:.1f} {first:.1f}V{last:.1f}"/>')
        if len(points) > 1:
            parts.append(f'<path class="curve s-arm-{arm}" d="M{"L".join(points)}"/>')
    return f'<svg width="{WIDTH_PX}" height="{HEIGHT_PX}">{"".join(parts)}</svg><br>'


def _axes(low: float, high: float, counts: Sequence[int]) -> str:
    parts = []
    steps = max(round((high - low) / 0.1), 1)
    every = max(math.ceil(steps / 6), 1)
    for step in range(0, steps + 1, every):
        value = low + step * 0.1
        y = _y(value, low, high)
        parts.append(f'<path class="grid" d="M{LEFT_PX} {y:.1f}H{WIDTH_PX - RIGHT_PX}"/>')
        parts.append(f'<text class="tick" x="{LEFT_PX - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    for count in counts:
        x, y = _x(count, counts), HEIGHT_PX - BOTTOM_PX + 16
        parts.append(f'<text class="tick" x="{x:.1f}" y="{y}" text-anchor="middle">{count}</text>')
    return "".join(parts)


def _x(count: int, counts: Sequence[int]) -> float:
    first, last = math.log(min(counts)), math.log(max(counts))
    share = (math.log(count) - first) / (last - first) if last > first else 0.5
    return LEFT_PX + 20.0 + share * (WIDTH_PX - LEFT_PX - RIGHT_PX - 40.0)


def _y(value: float, low: float, high: float) -> float:
    return TOP_PX + (high - value) / (high - low) * (HEIGHT_PX - TOP_PX - BOTTOM_PX)


def _gains(gains: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for row in gains:
        cells = "".join(_cell(row["figures"][name]) for name in FIGURES)
        name = f"{row['arm']} over {row['over']}".replace("_", " ")
        rows.append(f'<tr><td>{escape(name)}</td><td class="number">{row["k"]}</td>{cells}</tr>')
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in FIGURES)
    table = f'<table><tr><th>gain</th><th class="number">k</th>{head}</tr>\n' + "\n".join(rows) + "\n</table>"
    return f'<div class="scroll">{table}</div>\n'


def _cell(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return '<td class="insufficient">unknown</td>'
    reach = "" if one["low"] is None else f"{one['low']:+.3f} to {one['high']:+.3f}"
    return f'<td class="{one["verdict"]}">{one["value"]:+.3f} <span class="range">{reach}</span></td>'


def _key(arms: Mapping[str, str]) -> str:
    return "".join(
        f'<span class="key"><svg width="18" height="10"><path class="curve s-arm-{escape(arm)}" d="M0 5h18"/></svg>'
        f"{escape(arm.replace('_', ' '))}: {escape(meaning)}</span>"
        for arm, meaning in arms.items()
    )
