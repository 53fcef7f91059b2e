"""One page of HTML about a proposal: laws before and after, what they make, and what the scene cannot show.

Plain SVG, no script, no other file. Names come from data and are shown as text alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

WIDTH_PX, HEIGHT_PX, BASE_PX = 300, 96, 16  # of a plot; below its base stand the ends of the axis
STYLE = """
:root { color-scheme: dark; --paper: #121418; --panel: #191c22; --line: #2c313b; --ink: #eceef2; --faint: #949cab; }
body { margin: 0 auto; padding: 16px; max-width: 1320px; background: var(--paper); color: var(--ink);
  font: 14px/1.45 system-ui, sans-serif; }
h1 { font-size: 18px; overflow-wrap: anywhere; } h2 { font-size: 15px; margin: 28px 0 4px; }
h3 { font-size: 12px; margin: 0 0 4px; overflow-wrap: anywhere; }
p, li { margin: 2px 0; color: var(--faint); overflow-wrap: anywhere; }
.proposed { color: #5fd38d; } .refused { color: #ff6b6b; }
.laws { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 12px; margin: 8px 0; }
section { padding: 10px; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; font-size: 12px; }
svg { display: block; width: 100%; } text { fill: var(--faint); font-size: 10px; } code { overflow-wrap: anywhere; }
.new { fill: #5aa9ff; opacity: 0.8; }
.old { fill: none; stroke: #ffd166; stroke-width: 1.5; } .axis { stroke: var(--line); }
.bar { fill: #5aa9ff; } .spread { stroke: #5aa9ff; stroke-width: 5; opacity: 0.55; }
.asked { stroke: #ffd166; stroke-width: 1.5; }
.dot { fill: #eceef2; } svg.share { width: 260px; display: inline-block; vertical-align: middle; }
td { padding: 2px 12px 2px 0; }
"""
PURITY = {"base": "as it is", "predicted": "predicted", "measured": "measured"}


def write_proposal_page(proposal: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the page in parts; `proposal` is the plain one that is written as JSON."""
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        f"style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>proposal</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>The next data</h1>\n"
        f"<p>from the report {escape(proposal['report']['sha256'][:16])} about "
        f"{escape(proposal['report']['dataset_id'])}; laws of {escape(proposal['using']['dataset_id'])}. "
        "Bars: new laws. Line: the laws as they are, under which the bins of a spread are equally probable.</p>\n"
    ).encode()
    for one in proposal["proposals"]:
        yield _proposal(one).encode()
    if proposal["passed_over"]:
        names = ", ".join(escape(one["name"]) for one in proposal["passed_over"])
        yield f"<h2>Passed over</h2>\n<p>no worse than the whole, or too few groups: {names}</p>\n".encode()
    yield b"</body>\n</html>\n"


def _proposal(one: Mapping[str, Any]) -> str:
    failing = one["failing"]
    head = (
        f'<h2>{escape(one["name"])} <span class="{one["verdict"]}">{one["verdict"]}</span></h2>\n'
        f"<p><code>{escape(one['where'] or 'failures')}</code></p>\n"
        f"<p>{failing['failing']} of {failing['instances']} instances fail, {failing['groups']} groups. "
        f"{escape(one['reason'])}</p>\n"
    )
    if one["auc"] is not None:
        auc = one["auc"]
        head += (
            f"<p>What is drawn tells it from the rest: AUC {auc['value']:.2f} [{auc['low']:.2f}, {auc['high']:.2f}], "
            f"{auc['worlds']} worlds</p>\n"
        )
    parts = [head, _purity(one["purity"]), _missing(one)]
    if one["columns"]:
        parts.append(f'<div class="laws">{"".join(_law(column) for column in one["columns"])}</div>\n')
    parts.append("".join(f"<p>{escape(note)}</p>\n" for note in one["notes"]))
    for key in ("command", "base_command"):
        if one[key]:
            parts.append(f"<p><code>{escape(one[key])}</code></p>\n")
    return "".join(parts)


def _purity(purity: Mapping[str, Any]) -> str:
    rows = []
    for key, words in PURITY.items():
        found = purity[key]
        if found is None or found["value"] is None:
            continue
        detail = (
            f"{found['images']} pictures" if "images" in found else f"{found['effective_worlds']:.1f} effective worlds"
        )
        rows.append(
            f"<tr><td>{words}</td><td>{_share(found, purity['asked'])}</td><td>{found['value']:.0%}, {detail}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>\n" if rows else ""


def _share(found: Mapping[str, Any], asked: float) -> str:
    ends = [found[end] if found[end] is not None else found["value"] for end in ("low", "high")]
    x = [4 + 252 * min(max(value, 0.0), 1.0) for value in (*ends, found["value"], asked)]
    return (
        '<svg class="share" viewBox="0 0 260 14"><path class="axis" d="M4 7h252"/>'
        f'<path class="asked" d="M{x[3]:.1f} 1v12"/><path class="spread" d="M{x[0]:.1f} 7H{max(x[1], x[0] + 1):.1f}"/>'
        f'<circle class="dot" cx="{x[2]:.1f}" cy="7" r="3.5"/></svg>'
    )


def _missing(one: Mapping[str, Any]) -> str:
    if not one["not_reachable"]:
        return ""
    items = "".join(f"<li>{escape(found['words'])}</li>" for found in one["not_reachable"])
    return f"<p>Not reachable by this scene, whatever its laws say:</p><ul>{items}</ul>\n"


def _law(column: Mapping[str, Any]) -> str:
    new, old = column["shares"], column["base_shares"]
    return (
        f"<section><h3>{escape(column['column'])}</h3>{_bars(new, old, _labels(column))}"
        f"<p>was {escape(column['was'])}</p><p>now {escape(column['words'])}</p></section>"
    )


def _labels(column: Mapping[str, Any]) -> tuple[str, str]:
    law = column["new"]
    edges = law.get("edges") if isinstance(law, dict) else None
    if edges:
        return f"{edges[0]:.4g}", f"{edges[-1]:.4g}"
    old = column["old"] if isinstance(column["old"], dict) else {}
    values = old.get("values") or ([old["low"], old["high"]] if "low" in old else ["", ""])
    return str(values[0]), str(values[-1])


def _bars(new: Sequence[float], old: Sequence[float], ends: tuple[str, str]) -> str:
    top, wide, base = max(*new, *old), WIDTH_PX / len(new), HEIGHT_PX - BASE_PX
    parts, points = [], []
    for number, (after, before) in enumerate(zip(new, old, strict=True)):
        height, y = base * after / top, base * (1.0 - before / top)
        parts.append(
            f'<rect class="new" x="{number * wide + 1:.1f}" y="{base - height:.1f}" '
            f'width="{wide - 2:.1f}" height="{height:.1f}"/>'
        )
        points += [f"{number * wide:.1f},{y:.1f}", f"{(number + 1) * wide:.1f},{y:.1f}"]
    line = f'<polyline class="old" points="{" ".join(points)}"/>'
    text = (
        f'<text x="0" y="{HEIGHT_PX - 3}">{escape(ends[0])}</text>'
        f'<text x="{WIDTH_PX}" y="{HEIGHT_PX - 3}" text-anchor="end">{escape(ends[1])}</text>'
    )
    axis = f'<path class="axis" d="M0 {base}h{WIDTH_PX}"/>'
    return f'<svg viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}">{axis}{"".join(parts)}{line}{text}</svg>'
