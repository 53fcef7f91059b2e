"""One page of HTML about a budget: who gets what and why, and what every batch gained per 1,000 frames, drawn.

Plain SVG, no script, no other file. Names come from data and are shown as text alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from engine.evaluate.page import STYLE as PLAIN

BAR_PX, BAR_HEIGHT_PX = 150, 14
CURVE_PX, CURVE_HEIGHT_PX, MARGIN_PX = 460, 150, 34
STYLE = (
    PLAIN
    + """
.target { stroke: #f5c451; stroke-width: 2; } .least { stroke: #f5c451; stroke-dasharray: 4 4; }
.share { fill: #5fd38d; }
.curve { display: grid; grid-template-columns: repeat(auto-fill, minmax(480px, 1fr)); gap: 14px; }
text { fill: #949cab; font: 11px system-ui, sans-serif; } .line { fill: none; stroke: #5aa9ff; opacity: 0.5; }
.admit { stroke: #5fd38d; fill: #5fd38d; } .hold { stroke: #f5c451; fill: #f5c451; }
.reject { stroke: #ff6b6b; fill: #ff6b6b; }
.whisker { stroke-width: 2; } pre { white-space: pre-wrap; overflow-wrap: anywhere; color: var(--faint); }
"""
)


def budget_page(budget: Mapping[str, Any]) -> bytes:
    """Return the page; `budget` is what budget.json holds."""
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    whole = "" if budget["target_is"] == "given" else f", the {budget['figure']} of the whole set"
    worlds = sum(one["worlds"] for one in budget["slices"])
    curves = "".join(_curve(one, budget["least_gain"]) for one in budget["slices"] if one["curve"])
    commands = "\n".join(budget["commands"]) or "nothing: no open slice is below the target"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>budget</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(budget['verdict'])}: {worlds} of {budget['worlds']} worlds</h1>\n"
        f"<p>{escape(budget['dataset_id'])}; target {budget['target']:.3f}{escape(whole)}; intervals are 90 %; "
        f"a batch of the usual size has {budget['prior']['of_frames']} frames</p>\n"
        f"{_table(budget)}\n<h2>Gain per 1,000 frames, batch by batch</h2>\n"
        "<p>A dot is a batch, at the frames spent up to it: green was admitted, yellow held, red rejected. The dashed "
        "line is the least worthwhile gain.</p>\n"
        f'<div class="curve">{curves or "<p>nothing was gated yet</p>"}</div>\n'
        f"<h2>Next</h2>\n<pre>{escape(commands)}</pre>\n</body>\n</html>\n"
    ).encode()


def _table(budget: Mapping[str, Any]) -> str:
    most = max((one["worlds"] for one in budget["slices"]), default=0) or 1
    rows = []
    for one in budget["slices"]:
        width = BAR_PX * one["worlds"] / most
        figure = "unknown" if one["figure"] is None else _figure(one["figure"], budget["target"])
        gap = "-" if one["gap"] is None else f"{one['gap']:.3f}"
        gain = one["gain_per_1000"]
        told = "-" if gain is None else f"{gain['value']:+.3f} <p>{gain['low']:+.3f} to {gain['high']:+.3f}</p>"
        bar = f'<rect class="share" width="{width:.1f}" height="6"/>'
        rows.append(
            f"<tr><td>{escape(one['name'])}</td><td>{one['worlds']}"
            f'<svg class="bar" width="{BAR_PX}" height="6">{bar}</svg></td>'
            f'<td>{figure}</td><td class="number">{gap}</td><td class="number">{one["risk_weight"]:g}</td>'
            f'<td class="number">{one["frames_spent"]:,}</td><td class="number">{told}</td>'
            f"<td>{escape(one['reason'])}</td></tr>"
        )
    names = ("slice", "worlds", escape(budget["figure"]), "gap", "risk", "frames spent", "gain per 1,000 frames", "why")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f'<div class="scroll"><table><tr>{head}</tr>\n' + "\n".join(rows) + "\n</table></div>"


def _figure(figure: Mapping[str, float], target: float) -> str:
    """Return a figure as a dot on its interval, from 0 to 1, with the target as a line."""
    low, value, high, goal = (BAR_PX * own for own in (figure["low"], figure["value"], figure["high"], target))
    middle = BAR_HEIGHT_PX / 2
    return (
        f'<svg class="bar" width="{BAR_PX}" height="{BAR_HEIGHT_PX}"><path class="axis" d="M0 {middle}H{BAR_PX}"/>'
        f'<path class="spread" d="M{low:.1f} {middle}H{high:.1f}"/>'
        f'<path class="target" d="M{goal:.1f} 0V{BAR_HEIGHT_PX}"/>'
        f'<circle class="value" cx="{value:.1f}" cy="{middle}" r="3.5"/></svg>'
        f'{figure["value"]:.3f} <span class="range">{figure["low"]:.3f} to {figure["high"]:.3f}</span>'
    )


def _curve(one: Mapping[str, Any], least: float) -> str:
    """Return what each batch of a slice gained, over the frames spent up to it."""
    points: Sequence[Mapping[str, Any]] = one["curve"]
    known = [point for point in points if point["gain_per_1000"] is not None]
    ends = [0.0, least, *(point["gain_per_1000"][end] for point in known for end in ("low", "high"))]
    low, high, most = min(ends), max(ends), points[-1]["frames_so_far"]

    def x(frames: float) -> float:
        return MARGIN_PX * 1.5 + (CURVE_PX - MARGIN_PX * 2) * frames / most

    def y(gain: float) -> float:
        return 10 + (CURVE_HEIGHT_PX - MARGIN_PX) * (high - gain) / ((high - low) or 1.0)

    right = CURVE_PX - MARGIN_PX / 2
    parts = [f'<path class="axis" d="M{x(0):.1f} {y(0.0):.1f}H{right}"/>']
    parts.append(f'<path class="least" d="M{x(0):.1f} {y(least):.1f}H{right}"/>')
    for value in sorted({low, 0.0, high}):
        parts.append(f'<text x="{x(0) - 5:.1f}" y="{y(value) + 4:.1f}" text-anchor="end">{value:+.2f}</text>')
    for frames, anchor in ((0, "start"), (most, "end")):
        at = x(frames)
        parts.append(f'<text x="{at:.1f}" y="{CURVE_HEIGHT_PX - 6}" text-anchor="{anchor}">{frames:,} frames</text>')
    line = " ".join(f"{x(p['frames_so_far']):.1f},{y(p['gain_per_1000']['value']):.1f}" for p in known)
    parts.append(f'<polyline class="line" points="{line}"/>')
    for point in known:
        gain, at = point["gain_per_1000"], x(point["frames_so_far"])
        parts.append(
            f'<g class="{escape(point["verdict"])}"><title>{escape(point["dataset_id"])}: {gain["value"]:+.3f}</title>'
            f'<path class="whisker" d="M{at:.1f} {y(gain["low"]):.1f}V{y(gain["high"]):.1f}"/>'
            f'<circle cx="{at:.1f}" cy="{y(gain["value"]):.1f}" r="3.5"/></g>'
        )
    unknown = len(points) - len(known)
    note = f", {unknown} of {len(points)} not measured" if unknown else ""
    drawing = f'<svg width="{CURVE_PX}" height="{CURVE_HEIGHT_PX}">{"".join(parts)}</svg>'
    return f"<figure>{escape(one['name'])}{note}<br>{drawing}</figure>\n"
