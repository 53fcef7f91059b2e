"""One page of HTML with a plot for every column: bars are what was drawn, the line or ticks what was asked.

Plain SVG, no script, no other file. Names come from data and are shown as text alone.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from engine.randomize.laws.compare import Asked, Comparison, Table, given_of
from engine.randomize.laws.describe import describe
from engine.randomize.laws.distribution import below_and_upto, is_discrete, steps_of
from engine.randomize.laws.model import Law, columns_asked

WIDTH_PX, HEIGHT_PX, BASE_PX = 300, 110, 18  # of a plot; below its base stand the ends of the axis
BINS = 30
MOST_BARS = 24  # of single values and names
COLORS = {
    "agrees": "#5fd38d",
    "differs": "#ff6b6b",
    "selected": "#ffb454",
    "not tested": "#949cab",
    "recorded": "#5aa9ff",
}
STYLE = """
:root { color-scheme: dark; --paper: #121418; --panel: #191c22; --line: #2c313b; --ink: #eceef2; --faint: #949cab; }
body { margin: 0; padding: 16px; background: var(--paper); color: var(--ink); font: 13px/1.45 system-ui, sans-serif; }
h1 { font-size: 16px; } h2 { margin: 0; font-size: 12px; font-weight: 600; overflow-wrap: anywhere; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 12px; }
section { padding: 10px; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; }
section.differs { border-color: #ff6b6b; } p { margin: 2px 0; color: var(--faint); overflow-wrap: anywhere; }
svg { display: block; width: 100%; } text { fill: var(--faint); font-size: 10px; }
svg.dot { display: inline; width: 9px; }
.bar { fill: #5aa9ff; opacity: 0.75; }
.asked { fill: none; stroke: #ffd166; stroke-width: 1.5; } .axis { stroke: var(--line); }
"""


def write_law_page(name: str, found: tuple[Comparison, ...], asked: Asked, table: Table) -> Iterator[bytes]:
    """Yield the page in parts, plot after plot."""
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    counts = {verdict: sum(comparison.verdict == verdict for comparison in found) for verdict in COLORS}
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n"
        f"<title>{escape(name)} - laws</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(name)}: asked and drawn</h1>\n"
        f"<p>{', '.join(f'{count} {verdict}' for verdict, count in counts.items() if count)}. "
        "Bars: drawn. Line or ticks: asked.</p>\n<main>\n"
    ).encode()
    for comparison in found:
        yield _section(comparison, asked, table).encode()
    yield b"</main>\n</body>\n</html>\n"


def _section(comparison: Comparison, asked: Asked, table: Table) -> str:
    values = table.columns.get(comparison.column)
    law = "" if comparison.law is None else f"<p>{escape(describe(comparison.law))}</p>"
    facts = [f"{comparison.values} values"]
    if comparison.test:
        facts.append(
            comparison.test if math.isnan(comparison.statistic) else f"{comparison.test} {comparison.statistic:.4g}"
        )
    if not math.isnan(comparison.p):
        facts.append(f"p {comparison.p:.3g}")
    color = COLORS[comparison.verdict]
    note = f"<p>{escape(comparison.note)}</p>" if comparison.note else ""
    plot = "" if values is None else _plot(comparison, values, asked, table)
    unit = "" if comparison.unit == "1" else f" [{escape(comparison.unit)}]"
    return (
        f'<section class="{comparison.verdict.replace(" ", "-")}"><h2>{escape(comparison.column)}{unit} '
        f'<svg class="dot" viewBox="0 0 9 9"><title>{comparison.verdict}</title>'
        f'<circle cx="4.5" cy="4.5" r="4" fill="{color}"/></svg></h2>'
        f"{law}<p>{comparison.verdict}: {', '.join(facts)}</p>{note}{plot}</section>\n"
    )


def _plot(comparison: Comparison, values: NDArray[np.generic], asked: Asked, table: Table) -> str:
    law, breadth = comparison.law, asked.breadth
    if values.dtype.kind not in "iuf" or (law is None and values.dtype.kind != "f"):
        names, number = np.unique(values.astype(str), return_counts=True)
        return _bars(list(zip(names.tolist(), number.tolist(), strict=True)), None)
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return ""
    if law is not None and not columns_asked(law) and is_discrete(law, breadth):
        steps, shares = steps_of(law, breadth)
        if len(steps) <= MOST_BARS:
            drawn = [(f"{step:g}", int(np.isclose(finite, step, rtol=1.0e-6).sum())) for step in steps]
            return _bars(drawn, [float(share * finite.size) for share in shares])
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        return _bars([(f"{low:g}", finite.size)], None)
    edges = np.linspace(low, high, BINS + 1)
    drawn_counts = np.histogram(finite, edges)[0].astype(np.float64)
    return _histogram(edges, drawn_counts, None if law is None else _expected(law, edges, numbers, asked, table))


def _expected(
    law: Law, edges: NDArray[np.float64], values: NDArray[np.float64], asked: Asked, table: Table
) -> list[float] | None:
    """Return how many values each bin should have, over the columns that the law hangs on as they came."""
    if any(f"p.{by}" not in table.columns for by in columns_asked(law)):
        return None
    given = given_of(table.columns, values)
    upto = []
    for edge in edges:
        below, at_most = below_and_upto(law, np.full(values.shape, edge), breadth=asked.breadth, given=given)
        upto.append(float((at_most if edge == edges[-1] else below).sum()))
    return np.diff(upto).tolist()


def _histogram(edges: NDArray[np.float64], drawn: NDArray[np.float64], asked: list[float] | None) -> str:
    top = max(float(drawn.max()), 1.0, *(asked or ()))
    wide, base = WIDTH_PX / len(drawn), HEIGHT_PX - BASE_PX
    bars = "".join(_bar(i * wide, wide, count / top) for i, count in enumerate(drawn))
    line = ""
    if asked is not None:
        points = []
        for i, count in enumerate(asked):
            y = base * (1.0 - count / top)
            points += [f"{i * wide:.1f},{y:.1f}", f"{(i + 1) * wide:.1f},{y:.1f}"]
        line = f'<polyline class="asked" points="{" ".join(points)}"/>'
    ends = f'<text x="0" y="{HEIGHT_PX - 4}">{edges[0]:.4g}</text>'
    ends += f'<text x="{WIDTH_PX}" y="{HEIGHT_PX - 4}" text-anchor="end">{edges[-1]:.4g}</text>'
    return _svg(bars + line + ends)


def _bars(drawn: list[tuple[str, int]], asked: list[float] | None) -> str:
    drawn = sorted(drawn, key=lambda pair: -pair[1])[:MOST_BARS] if len(drawn) > MOST_BARS else drawn
    top = max(1.0, *(count for _, count in drawn), *(asked or ()))
    wide, base = WIDTH_PX / max(len(drawn), 1), HEIGHT_PX - BASE_PX
    parts = []
    for i, (name, count) in enumerate(drawn):
        parts.append(f"<g><title>{escape(name)}: {count}</title>{_bar(i * wide, wide, count / top)}</g>")
        short = escape(name.rpartition("/")[2][: max(int(wide / 6), 1)])
        middle = f'x="{(i + 0.5) * wide:.1f}" y="{HEIGHT_PX - 4}" text-anchor="middle"'
        parts.append(f"<text {middle}>{short}</text>")
        if asked is not None:
            y = base * (1.0 - asked[i] / top)
            parts.append(f'<path class="asked" d="M{i * wide:.1f} {y:.1f}h{wide:.1f}"/>')
    return _svg("".join(parts))


def _bar(x: float, width: float, share: float) -> str:
    height = (HEIGHT_PX - BASE_PX) * share
    place = f'x="{x + 0.5:.1f}" y="{HEIGHT_PX - BASE_PX - height:.1f}"'
    return f'<rect class="bar" {place} width="{max(width - 1.0, 0.5):.1f}" height="{height:.1f}"/>'


def _svg(parts: Iterable[str] | str) -> str:
    base = HEIGHT_PX - BASE_PX
    axis = f'<path class="axis" d="M0 {base}h{WIDTH_PX}"/>'
    return f'<svg viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}">{axis}{"".join(parts)}</svg>'
