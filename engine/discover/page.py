"""One page of HTML about a search: slices with the effect in both halves as bars, what was searched, what was left out.

Names come from data and are shown as text alone. No script, no other file.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from engine.evaluate.bars import bar
from engine.evaluate.page import STYLE

WHAT = {
    "misses": "instances that were missed", "alarms": "false alarms of pictures",
    "low_confidence": "found instances with a low score",
}  # fmt: skip
HEADS = (
    "slice",
    "confirmation half: inside",
    "outside",
    "difference",
    "groups",
    "p (Holm)",
    "discovery half: difference",
    "groups",
)


def write_discovery_page(plain: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the page in parts; `plain` is what is written as JSON."""
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    confirmed = [one for one in plain["slices"] if one["confirmed"]]
    others = [one for one in plain["slices"] if not one["confirmed"]]
    title = f"{len(confirmed)} weak {'slice' if len(confirmed) == 1 else 'slices'}"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{title} - discovery</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title} that nobody named: {WHAT[plain['settings']['of']]}</h1>\n"
    ).encode()
    yield _head(plain).encode()
    yield _table("Confirmed", confirmed, plain).encode()
    yield _table("Found, and not confirmed", others, plain).encode()
    yield _searched(plain["searched"], plain["settings"]).encode()
    yield b"</body>\n</html>\n"


def _head(plain: Mapping[str, Any]) -> str:
    halves, settings = plain["halves"], plain["settings"]
    words = [
        f"{name} half: {half['rows']} rows in {half['groups']} groups, {_text(half['rate'])}"
        for name, half in halves.items()
    ]
    low = "" if plain["low_score"] is None else f"; scores up to {plain['low_score']:g} are low"
    note = f'<p class="worse">{escape(plain["note"])}</p>\n' if plain["note"] else ""
    return (
        f"<p>{escape(plain['dataset_id'])}; groups by {escape(plain['group_by'])}; predictions with a score of "
        f"{plain['score']:g} or more{low}</p>\n<p>{escape('; '.join(words))}</p>\n{note}"
        f"<p>A dot is the figure, the bar its 90 % interval. What the discovery half says of a slice is flattered by "
        f"the search; the confirmation half did not choose it. Slices need {settings['support']} groups in the "
        f"discovery half, pass there at a rate of {settings['rate']:g} false discoveries, and are confirmed at "
        f"{plain['confirmed_at']:g}, by Holm.</p>\n"
    )


def _table(title: str, slices: Sequence[Mapping[str, Any]], plain: Mapping[str, Any]) -> str:
    if not slices:
        return f"<h2>{title}</h2>\n<p>none</p>\n"
    halves = ("confirmation", "discovery")
    top = max(_reach(one[half][name]) for one in plain["slices"] for half in halves for name in ("inside", "outside"))
    reach = max(_reach(one[half]["difference"]) for one in plain["slices"] for half in halves)
    top = 1.0 if plain["settings"]["of"] != "alarms" else top
    rows = []
    for one in slices:
        sure, first = one["confirmation"], one["discovery"]
        alike = "".join(f"<p>also: {escape(o['where'])} (Jaccard {o['jaccard']:.2f})</p>" for o in one["alike"])
        rows.append(
            f"<tr><td>{escape(one['name'])}<p>{escape(one['where'])}</p>{alike}</td>"
            f"<td>{bar(sure['inside'], 0.0, top)}</td><td>{bar(sure['outside'], 0.0, top)}</td>"
            f'<td>{bar(sure["difference"], -reach, reach)}</td><td class="number">{sure["groups"]}</td>'
            f'<td class="number">{one["p_holm"]:.2g}</td><td>{bar(first["difference"], -reach, reach)}</td>'
            f'<td class="number">{first["groups"]}</td></tr>'
        )
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADS)
    return (
        f'<h2>{title}</h2>\n<div class="scroll"><table class="slices"><tr>{head}</tr>\n'
        + "\n".join(rows)
        + ("\n</table></div>\n")
    )


def _searched(searched: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    levels = "".join(
        f'<tr><td class="number">{one["conjuncts"]}</td><td class="number">{one["counted"]}</td>'
        f'<td class="number">{one["tested"]}</td><td class="number">{one["passed"]}</td>'
        f'<td class="number">{"-" if one["largest_p"] is None else format(one["largest_p"], ".2g")}</td></tr>\n'
        for one in searched["levels"]
    )
    columns = "".join(
        f'<tr><td>{escape(one["column"])}</td><td class="number">{one["predicates"]}</td><td>{_values(one)}</td>'
        f'<td class="number">{one["unknown"]}</td></tr>\n'
        for one in searched["columns"]
    )
    left = "".join(
        f"<tr><td>{escape(one['label'])}</td><td>{escape(one['why'])}</td></tr>\n" for one in searched["left_out"]
    )
    return (
        f"<h2>What was searched</h2>\n<p>Rate {settings['rate']:g}, in equal parts for every number of conjuncts; "
        "p-values are corrected for all predicates that there are, reached or not.</p>\n<table><tr>"
        + "".join(f'<th class="number">{n}</th>' for n in ("conjuncts", "predicates", "reached", "passed", "largest p"))
        + f"</tr>\n{levels}</table>\n<h2>Columns</h2>\n<table><tr><th>column</th>"
        '<th class="number">predicates</th><th>edges, or values</th><th class="number">rows in none</th></tr>\n'
        f"{columns}</table>\n<h2>Left out</h2>\n<table><tr><th>column</th><th>why</th></tr>\n{left}</table>\n"
    )


def _values(one: Mapping[str, Any]) -> str:
    if one["edges"] is not None:
        return escape(", ".join(f"{edge:g}" for edge in one["edges"]))
    return escape(", ".join(str(word) for word in one["words"]))


def _text(rate: Mapping[str, Any]) -> str:
    if rate["low"] is None:
        return "rate unknown"
    return f"rate {rate['value']:.3f} ({rate['low']:.3f} to {rate['high']:.3f})"


def _reach(rate: Mapping[str, Any]) -> float:
    ends = [rate[end] for end in ("value", "low", "high") if rate[end] is not None]
    return max((abs(end) for end in ends if math.isfinite(end)), default=0.0) or 1e-9
