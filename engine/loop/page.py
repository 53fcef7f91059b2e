"""The page of a circle: the weakness, before and after, the gate's evidence, times, commands and the lineage.

One file of plain SVG and text without a script. Names come from data and are shown as text alone.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from engine.evaluate.bars import bar
from engine.evaluate.page import LABELS
from engine.gate.page import STYLE as GATE_STYLE
from engine.loop.report import FIGURES, verdict_of

STYLE = (
    GATE_STYLE
    + """
.closed { color: #5fd38d; } .failed { color: #ff6b6b; } .other { color: #ffc857; }
.target td:first-child { font-weight: 600; } .not-worse { color: #5fd38d; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 10px; overflow-x: auto;
  font-size: 12px; } .wide svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; background: #fff; border-radius: 6px; padding: 8px; }
"""
)
COUNTS = frozenset({"false_alarms"})  # figures that are no shares
NUMBERS = frozenset({"pictures", "groups", "instances", "worlds", "seconds", "of processors", "starts"})
COLUMNS = ("slice", "pictures", "groups", "instances", "before", "after", "difference", "")
FAILS = {"misses": "Missed", "alarms": "False alarms a picture"}
ENDS = ("value", "low", "high")
SMALLEST_REACH = 0.02  # of an axis of differences


def loop_page(report: Mapping[str, Any], drawing: str) -> bytes:
    """Return the page; `report` is the plain report that is written as JSON, `drawing` the SVG of the lineage."""
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    inner = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode("ascii") for one in _styles(drawing)]
    allowed = " ".join(f"'sha256-{one}'" for one in (style, *inner))
    policy = f"default-src 'none'; img-src data:; style-src {allowed}; base-uri 'none'; form-action 'none'"
    verdict = report["verdict"]
    mood = verdict if verdict in ("closed", "failed") else "other"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>Loop: {escape(verdict)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>From a model's failure to the next data</h1>\n"
        f'<p class="verdict {mood}">{escape(verdict)}</p>\n<p>{escape(report["words"])}</p>\n',
        *_weakness(report),
        *_before_and_after(report),
        *_control(report),
        *_proposal(report["proposal"]),
        *_budget(report["budget"]),
        *_gate(report["gate"]),
        *_times(report),
        *([f'<h2>Where the second model comes from</h2>\n<div class="wide">{drawing}</div>\n'] if drawing else []),
        *_commands(report["stages"]),
        "</body>\n</html>\n",
    ]
    return "".join(parts).encode()


def _styles(drawing: str) -> list[str]:
    return re.findall(r"<style>(.*?)</style>", drawing, re.DOTALL)


def _weakness(report: Mapping[str, Any]) -> Iterator[str]:
    found = report["planted"]
    if found is None:
        return
    effect = found["confirmation"]
    yield f"<h2>The weakness</h2>\n<p>Planted: {escape(found['where'])}; the first model was trained without.</p>\n"
    inside, outside, more = (_rate(effect[key], found["of"]) for key in ("inside", "outside", "difference"))
    yield (
        f"<p>Found by discovery, as {escape(report['target'])}: {escape(found['found'])}. {FAILS[found['of']]}: "
        f"{inside} inside, {outside} outside, {more} more, in {effect['groups']} groups that the search did not see (p "
        f"{found['p_holm']:.2g}, Holm).</p>\n"
        f"<p>{found['of_planted']} of its {found['images']} pictures ({found['share']:.0%}) are of what was "
        f"planted, of all pictures {found['share_of_all']:.0%}.</p>\n"
    )
    lacking = found["lacking"]
    yield (
        f"<p>{lacking['training']:.0%} of what the first model learned from is of that slice, and "
        f"{lacking['validation']:.0%} of validation: of all that was confirmed, training lacks it most.</p>\n"
    )
    for one in found["others"]:
        yield (
            f"<p>Confirmed as well, {one['of']}: {escape(one['where'])}; {one['share']['training']:.0%} of what "
            f"the first model learned from, {one['share']['validation']:.0%} of validation.</p>\n"
        )


def _before_and_after(report: Mapping[str, Any]) -> Iterator[str]:
    rows = report["slices"]
    if not rows:
        return
    yield (
        "<h2>Before and after, on the test</h2>\n<p>Pictures that found nothing and decided nothing. Intervals are "
        "90 %, over whole groups, and those of differences are of both models on the same draws. Not worse: the lower "
        f"bound of the difference (95 %) is above -{report['delta']:g}; open: the data do not say.</p>\n"
    )
    for figure in FIGURES:
        yield from _table(rows, figure, report["target"])


def _table(rows: Sequence[Mapping[str, Any]], figure: str, target: str) -> Iterator[str]:
    known = [one["figures"][figure] for one in rows if figure in one["figures"]]
    if not known:
        return
    reach = max([SMALLEST_REACH, *(abs(one["difference"][end] or 0.0) for one in known for end in ENDS)])
    high = (
        1.0 if figure not in COUNTS else max(one[when]["high"] or 0.0 for one in known for when in ("before", "after"))
    )
    yield f"<h2>{escape(LABELS.get(figure, figure))}</h2>\n{_head(*COLUMNS)}"
    for one in rows:
        counts = "".join(f'<td class="number">{one[key]}</td>' for key in ("images", "groups", "instances"))
        own = one["figures"].get(figure)
        cells = '<td class="insufficient" colspan="4">insufficient</td>'
        if own is not None:
            cells = (
                f"<td>{bar(own['before'], 0.0, high)}</td><td>{bar(own['after'], 0.0, high)}</td>"
                f"<td>{bar(own['difference'], -reach, reach)}</td>"
                f'<td class="{own["verdict"].replace(" ", "-")}">{own["verdict"]}</td>'
            )
        row = ' class="target"' if one["name"] == target else ""
        yield f"<tr{row}><td>{escape(one['name'])}<p>{escape(one['where'] or '')}</p></td>{counts}{cells}</tr>\n"
    yield "</table></div>\n"


def _control(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the second model has over one that learned from as many pictures of the old laws."""
    rows = report["control"]
    if not rows:
        return
    yield (
        "<h2>The target, or the number of pictures?</h2>\n<p>The second model less a third, which learned from as many "
        "pictures made as those of the first. What is better here is more than more data.</p>\n"
    )
    for figure in FIGURES:
        known = {one["name"]: one["figures"][figure] for one in rows if figure in one["figures"]}
        differences = {name: one["difference"] for name, one in known.items()}
        reach = max([SMALLEST_REACH, *(abs(one[end] or 0.0) for one in differences.values() for end in ENDS)])
        yield f"<h2>{escape(LABELS.get(figure, figure))}</h2>\n{_head('slice', 'groups', 'difference', '')}"
        for one in rows:
            own = known.get(one["name"])
            if own is not None:
                css = ' class="target"' if one["name"] == report["target"] else ""
                yield (
                    f'<tr{css}><td>{escape(one["name"])}</td><td class="number">{one["groups"]}</td>'
                    f"<td>{bar(own['difference'], -reach, reach)}</td>"
                    f'<td class="{own["verdict"].replace(" ", "-")}">{own["verdict"]}</td></tr>\n'
                )
        yield "</table></div>\n"


def _proposal(made: Mapping[str, Any] | None) -> Iterator[str]:
    if made is None:
        return
    yield f"<h2>The recipe that was proposed</h2>\n<p>{escape(made['verdict'])} {escape(made['reason'] or '')}</p>\n"
    rows = "".join(
        f"<tr><td>{escape(one['column'])}</td><td>{escape(one['was'])}</td><td>{escape(one['words'])}</td></tr>\n"
        for one in made["columns"]
    )
    yield f"{_head('column', 'was', 'becomes')}{rows}</table></div>\n"
    purity, worlds = made["purity"], made["effective_worlds"]
    if purity["measured"] is not None:
        own = purity["measured"]
        base = "" if purity["base"] is None else f"; as the laws were, {purity['base']['value']:.0%}"
        yield (
            f"<p>Purity: {own['value']:.0%} [{own['low']:.0%}, {own['high']:.0%}] of the {own['images']} pictures of "
            f"the pre-flight are of the slice, {purity['asked']:.0%} are asked for{base}.</p>\n"
        )
    if worlds is not None:
        yield (
            f"<p>Effective sample size: {worlds['targeted']:.0f} worlds stand behind the new laws, "
            f"{worlds['mixture']:.0f} behind them with the {made['base_share']:.0%} that are made as before.</p>\n"
        )


def _budget(slices: Sequence[Mapping[str, Any]] | None) -> Iterator[str]:
    if slices is None:
        return
    rows = "".join(
        f'<tr><td>{escape(one["name"])}</td><td class="number">{one["worlds"]}</td><td>{escape(one["state"])}</td>'
        f'<td class="words">{escape(one["reason"])}</td></tr>\n'
        for one in slices
    )
    yield f"<h2>Budget</h2>\n{_head('slice', 'worlds', '', 'why')}{rows}</table></div>\n"


def _gate(gate: Mapping[str, Any] | None) -> Iterator[str]:
    if gate is None:
        return
    yield f'<h2>The gate</h2>\n<p class="verdict {gate["verdict"]}">{gate["verdict"]}</p>\n'
    yield "".join(f"<p>{escape(reason)}</p>\n" for reason in (*gate["reasons"], gate["needed"] or ""))
    checks = "".join(
        f"<tr><td>{escape(one['gate'])}</td><td>{escape(one['name'])}</td>"
        f'<td class="{one["verdict"]}">{escape(one["verdict"])}</td>'
        f'<td class="words">{escape(one["words"])}</td></tr>\n'
        for one in gate["checks"]
    )
    yield f'<div class="scroll"><table>{checks}</table></div>\n'
    yield (
        f"<p>What the batch does to models, on validation: {len(gate['seeds'])} seeds of training with and without. "
        f"The gate judges by {escape(gate['figure'])}; the other figures say where it comes from. Of false alarms, "
        "fewer are a gain. Below ten groups an interval promises more than it can hold.</p>\n"
    )
    for figure in dict.fromkeys((gate["figure"], "recall", "false_alarms", "AUROC")):
        yield from _gains(gate, figure)


def _gains(gate: Mapping[str, Any], figure: str) -> Iterator[str]:
    """Yield the gains in a figure, slice by slice, with what can be said of each."""
    known = {name: of[figure] for name, of in gate["gains"].items() if figure in of}
    if not known:
        return
    reach = max(abs(one[end] or 0.0) for one in known.values() for end in ENDS)
    rows = []
    for name, one in known.items():
        verdict = verdict_of(one, "gain", gate["delta"])
        rows.append(
            f'<tr><td>{escape(name)}</td><td class="number">{gate["slices"][name]["groups"]}</td>'
            f'<td>{bar(one, -reach, reach)}</td><td class="{verdict.replace(" ", "-")}">{verdict}</td></tr>\n'
        )
    head = _head("slice", "groups", f"gain in {LABELS.get(figure, figure)}", "")
    yield f"{head}{''.join(rows)}</table></div>\n"


def _times(report: Mapping[str, Any]) -> Iterator[str]:
    rows = "".join(
        f"<tr><td>{escape(one['name'])}</td><td>{escape(one['answer'] or 'not at its end')}</td>"
        + "".join(f'<td class="number">{value}</td>' for value in (*_seconds(one), one["starts"]))
        + "</tr>\n"
        for one in report["stages"]
    )
    total = "".join(f'<td class="number">{value}</td>' for value in _seconds(report))
    head = _head("stage", "answer", "seconds", "of processors", "starts")
    yield f"<h2>Time</h2>\n{head}{rows}<tr><td>all</td><td></td>{total}<td></td></tr></table></div>\n"


def _commands(stages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    lines = [line for one in stages for line in (f"# {one['name']}", *one["commands"])]
    yield f"<h2>The commands</h2>\n<pre>{escape(chr(10).join(lines))}</pre>\n"


def _head(*columns: str) -> str:
    """Return the beginning of a table."""
    cells = (f'<th class="{"number" if one in NUMBERS else ""}">{escape(one)}</th>' for one in columns)
    return f'<div class="scroll"><table><tr>{"".join(cells)}</tr>\n'


def _seconds(one: Mapping[str, Any]) -> tuple[str, str]:
    return f"{one['wall_s']:.1f}", f"{one['cpu_s']:.1f}"


def _rate(rate: Mapping[str, Any] | float, of: str) -> str:
    """Return a rate with its interval: a share of what is missed, false alarms by the picture."""
    form = "{:.2f}" if of == "alarms" else "{:.0%}"
    if not isinstance(rate, Mapping):
        return form.format(rate)
    ends = [rate.get(key) for key in ("low", "high")]
    span = f" [{form.format(ends[0])}, {form.format(ends[1])}]" if None not in ends else ""
    return form.format(rate["value"]) + span
