"""The page of an audit: one file of HTML without scripts; every failure with its neighbours, and where its numbers lie.

Words of data are shown as text alone. It says what differs, and leaves what that means to whoever looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from engine.audit.audit import WHOLE, Audit, Level, Near, Row
from engine.audit.cut import Place
from engine.audit.failures import ALARM, MISSED
from engine.audit.hints import Hint
from engine.audit.pictures import Shown, show
from engine.audit.report import outside_of
from engine.audit.standing import Standing
from engine.evaluate.page import STYLE as PLAIN
from engine.shift.cues import CUES
from engine.shift.pictures import Pictures
from engine.view.standalone import head

BAR_PX, BAR_HEIGHT_PX = 120, 12
CUE_PX = 44
FAR = 3.0  # standard deviations at the end of a cue's bar
MOST_NAMED = 6  # failures that are named beside a column
STYLE = (
    PLAIN
    + """
.row { display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start; margin: 6px 0; }
.row figure { width: 168px; padding: 6px; box-sizing: border-box; }
.row figure.failure { border-color: #ff6b6b; } .lane { flex: 0 0 auto; }
.lane > p { font-size: 12px; margin: 0 0 4px; } .lane .row { margin: 0; }
.picture img { image-rendering: pixelated; } .whole .picture img { image-rendering: auto; }
.picture:hover svg { opacity: 0; }
.o { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke; }
.o-failed { stroke: #ff6b6b; } .o-alarm { stroke: #ffb454; stroke-dasharray: 5 3; } .o-own { stroke: #5fd38d; }
.o-other { stroke: #949cab; stroke-width: 0.8; } .o-square { stroke: #5aa9ff; stroke-dasharray: 2 3; stroke-width: 1; }
.cues { border-spacing: 0; width: 100%; margin-top: 4px; } .cues td { padding: 0 3px 0 0;
  font-size: 11px; overflow-wrap: normal; }
.cues tr { border: 0; } .cues .far td { color: var(--ink); } .cue { fill: #5aa9ff; }
.reading { color: var(--ink); } .outside { color: #ff6b6b; }
section { border-top: 1px solid var(--line); margin-top: 26px; } details { margin: 6px 0; }
summary { cursor: pointer; color: var(--faint); } code { overflow-wrap: anywhere; }
.columns td { padding: 2px 12px 2px 0; font-size: 12px; } .range0 { fill: #2c313b; } .at { fill: #eceef2; }
.at.far { fill: #ff6b6b; }
"""
)
Pictured = Mapping[tuple[str, Place, bool], Shown]


def audit_page(audit: Audit) -> Iterator[bytes]:
    """Yield the page in parts."""
    pictured = _pictured(audit)
    name = audit.report.folder.name
    yield head(f"{name}: failures beside {audit.synthetic.name}", STYLE)
    yield _introduction(audit).encode()
    yield _hints(audit.hints).encode()
    yield _outside(audit).encode()
    for number, row in enumerate(audit.rows, 1):
        yield _row(number, row, pictured).encode()
    yield b"</body>\n</html>\n"


def _pictured(audit: Audit) -> Pictured:
    """Return all pictures of the page, by side: own, synthetic, real."""
    wanted: dict[str, list[tuple[Place, bool, str]]] = {"own": [], "synthetic": [], "real": []}
    for row in audit.rows:
        kind = "failed" if row.failure.kind == MISSED else "alarm"
        around, _ = row.levels
        wanted["own"] += [(around.place, False, kind), (around.place, True, kind)]
        for level in row.levels:
            is_whole = level.kind == WHOLE
            wanted["synthetic"] += [(near.place, is_whole, "own") for near in level.synthetic]
            wanted["real"] += [(near.place, is_whole, "own") for near in level.real]
    sides = {"own": audit.failing, "synthetic": audit.synthetic, "real": audit.real}
    return {
        (side, *key): shown
        for side, places in wanted.items()
        for key, shown in show(sides[side], dict.fromkeys(places), audit.plan.side_px).items()
    }


def _introduction(audit: Audit) -> str:
    chosen, plan = audit.chosen, audit.plan
    small = f", {chosen.too_small} in pictures smaller than a crop" if chosen.too_small else ""
    notes = "".join(f'<p class="reading">{escape(note)}</p>' for note in audit.notes)
    return (
        f"<h1>Failures of {escape(audit.report.folder.name)} beside {escape(audit.synthetic.name)}</h1>\n"
        f"<p>{len(chosen.failures)} of {chosen.missed} misses and {chosen.alarms} false alarms{small}; at most "
        f"{plan.per_group} of one {escape(audit.failing.group_by)}; misses, false alarms and classes by turns, "
        "the worst first.</p>\n"
        f"<p>Failures in {_named(audit.failing)}. Synthetic: {_named(audit.synthetic)}. Real, of other groups "
        f"alone: {_named(audit.real)}.</p>\n{notes}"
        f"<p>Distances are by cue: root mean squares of standardised differences, in the mean spread of the synthetic "
        f"and of the real ones; crops of {plan.side_px} px around things, and nine all over a picture for the whole. "
        "Point at a picture to take its labels away.</p>\n"
        "<p>What is it that the synthetic has not, or has otherwise? Say so: <code>python -m engine.audit verdict "
        "AUDIT --by NAME --verdict fit|unfit|unsure --why TEXT --failure ID=TEXT</code></p>\n"
    )


def _named(pictures: Pictures) -> str:
    return (
        f"{escape(pictures.name)}, {escape(pictures.dataset_id)}, {len(pictures.frame_id)} pictures in "
        f"{pictures.groups} groups by {escape(pictures.group_by)}"
    )


def _hints(hints: tuple[Hint, ...]) -> str:
    if not hints:
        why = "scikit-learn is not installed, or there are too few groups"
        return f"<h2>All crops together</h2>\n<p>Not said: {why}.</p>\n"
    lanes = []
    for kind, words in (("instances", "around instances"), ("ground", "all over pictures")):
        lines = "".join(f"<li>{escape(hint.words)}</li>" for hint in hints if hint.kind == kind)
        if lines:
            lanes.append(f"<p>{words}</p><ul>{lines}</ul>")
    return f"<h2>All crops together</h2>\n{''.join(lanes)}\n"


def _outside(audit: Audit) -> str:
    found = outside_of(audit)
    if not found:
        return "<h2>Outside of the synthetic range</h2>\n<p>No measured column of these failures is.</p>\n"
    lines = []
    for column, failures in found.items():
        links = [f'<a href="#{escape(one)}">{escape(one)}</a>' for one in failures[:MOST_NAMED]]
        more = f" and {len(failures) - MOST_NAMED} more" if len(failures) > MOST_NAMED else ""
        lines.append(
            f"<li>{escape(column)} all synthetic values: {len(failures)} failures, {', '.join(links)}{more}</li>"
        )
    return f"<h2>Outside of the synthetic range</h2>\n<ul>{''.join(lines)}</ul>\n"


def _row(number: int, row: Row, pictured: Pictured) -> str:
    failure = row.failure
    what = f"{failure.place.class_name}, {failure.kind}"
    if failure.score is not None:
        what += f" at {failure.score:.2f}" if failure.kind == ALARM else f", found at {failure.score:.2f} alone"
    around, whole = row.levels
    return (
        f'<section id="{escape(failure.id)}"><h2>{number}. {escape(what)}</h2>\n'
        f"<p>{escape(failure.id)}; {escape(pictured['own', around.place, False].path)}</p>\n"
        + _level("around it", around, around.place, pictured)
        + _level("the whole picture", whole, around.place, pictured)
        + "</section>\n"
    )


def _level(title: str, level: Level, own: Place, pictured: Pictured) -> str:
    is_whole = level.kind == WHOLE
    reading = "".join(f'<p class="reading">{escape(line)}</p>' for line in level.reading)
    reading += "".join(f'<p class="outside">{escape(one.words)}</p>' for one in level.outside)
    shown = pictured["own", own, is_whole]
    lanes = [_lane(title, _figure(shown, "", "failure"))]
    for side, found in (("synthetic", level.synthetic), ("real", level.real)):
        figures = "".join(_figure(pictured[side, one.place, is_whole], _caption(one)) for one in found)
        lanes.append(_lane(f"nearest {side}", figures or "<p>none of another group</p>"))
    kind = " whole" if is_whole else ""
    return (
        f'{reading}<div class="row{kind}">{"".join(lanes)}</div>\n<details><summary>measured columns</summary>'
        f"{_columns(level.columns)}</details>\n"
    )


def _lane(title: str, figures: str) -> str:
    return f'<div class="lane"><p>{escape(title)}</p><div class="row">{figures}</div></div>'


def _figure(shown: Shown, caption: str, kind: str = "") -> str:
    x, y, width, height = shown.window
    outlines = "".join(
        f'<path class="o o-{one.kind}" d="{one.path}"><title>{escape(one.title)}</title></path>'
        for one in shown.outlines
    )
    if shown.square is not None:
        left, top, side = shown.square
        outlines += f'<rect class="o o-square" x="{left}" y="{top}" width="{side}" height="{side}"/>'
    return (
        f'<figure class="{kind}"><div class="picture"><img src="{shown.uri}" alt="">'
        f'<svg viewBox="{x} {y} {width} {height}">{outlines}</svg></div>{caption or escape(shown.path)}</figure>'
    )


def _caption(one: Near) -> str:
    what = one.place.class_name or "picture"
    if not one.place.class_name and one.place.corner != (0, 0):
        what = "anything"
    status = {True: ", found", False: ", missed as well", None: ""}[one.found]
    bars = "".join(
        f'<tr class="{"far" if cue == one.farthest else ""}"><td>{cue}</td><td>{_cue_bar(one.by_cue[cue])}</td>'
        f'<td class="number">{one.by_cue[cue]:.2f}</td></tr>'
        for cue in CUES
    )
    return (
        f"{escape(what)}{status}, frame {one.place.frame_id}<br>distance {one.distance:.2f}, farthest by "
        f'{one.farthest}<table class="cues">{bars}</table>'
    )


def _cue_bar(value: float) -> str:
    width = max(min(value / FAR, 1.0) * CUE_PX, 1.0)
    return f'<svg width="{CUE_PX}" height="6"><rect class="cue" width="{width:.1f}" height="6"/></svg>'


def _columns(columns: tuple[Standing, ...]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.column)}</td><td class=number>{one.value:.4g}</td>"
        f"<td>{_place_bar(one)}</td><td class=number>{one.percentile:.0f} %</td>"
        f"<td class=number>{one.low:.4g} to {one.high:.4g} ({one.count})</td>"
        f"<td class=number>{'-' if one.real_percentile is None else f'{one.real_percentile:.0f} %'}</td>"
        f'<td class="outside">{f"{one.outside} all synthetic" if one.outside else ""}</td></tr>'
        for one in columns
    )
    return (
        '<div class="scroll"><table class="columns"><tr><th>column</th><th>value</th><th></th>'
        "<th>among synthetic</th><th>least to greatest (values)</th><th>among real</th><th></th>"
        f"</tr>{rows}</table></div>"
    )


def _place_bar(one: Standing) -> str:
    at = min(max(one.percentile, 0.0), 100.0) / 100.0 * (BAR_PX - 4)
    far = " far" if one.outside else ""
    return (
        f'<svg width="{BAR_PX}" height="{BAR_HEIGHT_PX}"><rect class="range0" y="4" width="{BAR_PX}" height="4"/>'
        f'<rect class="at{far}" x="{at:.1f}" width="4" height="{BAR_HEIGHT_PX}"/></svg>'
    )
