"""The page of a verdict: checks, gains as bars, every seed, and what tells the batch from real pictures.

One file of plain SVG and text without a script. Names come from data and are shown as text alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from engine.evaluate.bars import bar
from engine.evaluate.page import STYLE as PLAIN_STYLE
from engine.evaluate.slices import ALL

STYLE = (
    PLAIN_STYLE
    + """
.verdict { font-size: 22px; margin: 4px 0 10px; } .admit, .pass { color: #5fd38d; } .reject, .fail { color: #ff6b6b; }
.hold, .note { color: #ffc857; } .skipped { color: var(--faint); } td.words { max-width: 620px; }
"""
)
FIGURES = ("recall", "precision", "AP", "AP50", "false_alarms", "AUROC")
SMALLEST_REACH = 0.02  # of an axis of gains


def gate_page(report: Mapping[str, Any]) -> bytes:
    """Return the page; `report` is the plain report that is written as JSON."""
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    batch, verdict = report["batch"], report["verdict"]
    title = f"{batch['dataset_id']}: {verdict}"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Batch {escape(batch['dataset_id'])}, {batch['frames']} frames</h1>\n"
        f'<p class="verdict {verdict}">{escape(verdict)}</p>\n',
        *(f"<p>{escape(reason)}</p>\n" for reason in report["reasons"]),
        *([f"<p>{escape(report['needed'])}</p>\n"] if report["needed"] else []),
        _question(report),
        _checks(report["checks"]),
        _gains(report),
        _figures(report),
        _seeds(report),
        _cues(report["checks"]),
        "</body>\n</html>\n",
    ]
    return "".join(parts).encode()


def _question(report: Mapping[str, Any]) -> str:
    against = ", ".join(f"{one['dataset_id']} ({one['frames']} frames, {one['origin']})" for one in report["against"])
    holdout = report["holdout"]
    locked = f", locked as {holdout['benchmark']}" if holdout["benchmark"] else ""
    return (
        f"<p>trained with {escape(against)}, with and without the batch, by {escape(report['trainer'])}, "
        f"{len(report['seeds'])} seeds; judged on {escape(holdout['dataset_id'])} ({holdout['frames']} frames, "
        f"{escape(holdout['origin'])}{escape(locked)})</p>\n"
    )


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(one['gate'])}</td><td>{escape(one['name'])}</td>"
        f'<td class="{one["verdict"]}">{escape(one["verdict"])}</td><td>{"hard" if one["hard"] else "soft"}</td>'
        f'<td class="words">{escape(one["words"])}</td></tr>'
        for one in checks
    )
    return f'<h2>Checks</h2>\n<div class="scroll"><table>{rows}</table></div>\n'


def _gains(report: Mapping[str, Any]) -> str:
    figure, gains = report["figure"], report["gains"]
    if not gains:
        return ""
    reach = _reach([of[figure] for of in gains.values() if figure in of])
    rows = []
    for name, of in gains.items():
        role = "target" if name == report["target"] else "must not lose"
        if name not in (report["target"], ALL, *report["protected"]):
            role = "not asked"
        support = report["slices"][name]
        cell = bar(of[figure], -reach, reach) if figure in of else '<span class="insufficient">insufficient</span>'
        rows.append(
            f'<tr><td>{escape(name)}</td><td>{role}</td><td class="number">{support["images"]}</td>'
            f'<td class="number">{support["groups"]}</td><td>{cell}</td></tr>'
        )
    return (
        f"<h2>Gain of {escape(figure)}</h2>\n<p>With the batch minus without, the middle is 0; the bar is the central "
        f"90 % interval over seeds and groups. A loss of {report['delta']:g} is bearable.</p>\n"
        '<div class="scroll"><table><tr><th>slice</th><th></th><th class="number">pictures</th>'
        '<th class="number">groups</th><th>gain</th></tr>\n' + "\n".join(rows) + "\n</table></div>\n"
    )


def _figures(report: Mapping[str, Any]) -> str:
    gains = report["gains"]
    names = [figure for figure in FIGURES if any(figure in of for of in gains.values())]
    if not names:
        return ""
    reach = {figure: _reach([of[figure] for of in gains.values() if figure in of]) for figure in names}
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    rows = []
    for name, of in gains.items():
        cells = "".join(
            f"<td>{bar(of[figure], -reach[figure], reach[figure]) if figure in of else ''}</td>" for figure in names
        )
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return (
        "<h2>All figures</h2>\n<p>Gains; of false alarms, how many fewer a picture.</p>\n"
        f'<div class="scroll"><table><tr><th>slice</th>{head}</tr>\n' + "\n".join(rows) + "\n</table></div>\n"
    )


def _seeds(report: Mapping[str, Any]) -> str:
    if not report["arms"]:
        return ""
    figure, names = report["figure"], list(dict.fromkeys((report["target"], ALL)))
    head = "".join(
        f'<th class="number">{escape(name)}, with</th><th class="number">without</th><th class="number">gain</th>'
        for name in names
    )
    rows = []
    for arm in report["arms"]:
        cells = ""
        for name in names:
            one, other = (arm[side]["figures"][name].get(figure) for side in ("with", "without"))
            gain = None if one is None or other is None else one - other
            cells += "".join(f'<td class="number">{_number(value)}</td>' for value in (one, other, gain))
        rows.append(f'<tr><td class="number">{arm["seed"]}</td>{cells}</tr>')
    return (
        f'<h2>{escape(figure)} of every seed</h2>\n'
        f'<div class="scroll"><table><tr><th class="number">seed</th>{head}</tr>\n'
        + "\n".join(rows) + "\n</table></div>\n"
    )  # fmt: skip


def _cues(checks: Sequence[Mapping[str, Any]]) -> str:
    found = next((one for one in checks if one["name"] == "distribution" and "kinds" in one["facts"]), None)
    if found is None:
        return ""
    rows = []
    for kind, of in found["facts"]["kinds"].items():
        for cue, own in of["cues"].items():
            auc = own["auc"]
            dot = {"value": auc["value"], "low": auc["null_low"], "high": auc["null_high"]}
            rows.append(
                f"<tr><td>{escape(kind)}</td><td>{escape(cue)}</td><td>{bar(dot, 0.0, 1.0)}</td>"
                f"<td>{escape(own['verdict'])}</td></tr>"
            )
    return (
        "<h2>What tells it from real pictures</h2>\n<p>AUC of a classifier on one cue; the bar is that of real against "
        'real. It names what could be mended and decides nothing.</p>\n<div class="scroll"><table>'
        + "\n".join(rows) + "</table></div>\n"
    )  # fmt: skip


def _reach(figures: Sequence[Mapping[str, Any]]) -> float:
    ends = [abs(one[end]) for one in figures for end in ("value", "low", "high") if one[end] is not None]
    return max([*ends, SMALLEST_REACH])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
