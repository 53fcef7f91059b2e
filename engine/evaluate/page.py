"""One page of HTML about an evaluation: slices with intervals as bars, two models, and the worst failures pictured.

Plain SVG and small pictures inside it, no script, no other file. Names come from data and are shown as text alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from engine.evaluate.bars import bar
from engine.evaluate.failures import COLORS, Failure, Shape, picture_uri
from engine.evaluate.truth import Truth
from engine.view.standalone import DARK, head

LABELS = {
    "recall": "recall", "precision": "precision", "AP": "AP", "AP50": "AP50", "false_alarms": "false alarms a picture",
}  # fmt: skip
COMPARED = ("recall", "precision", "AP", "false_alarms")
STYLE = (
    DARK
    + """
h1 { font-size: 18px; overflow-wrap: anywhere; } h2 { font-size: 15px; margin: 28px 0 8px; }
p { margin: 2px 0; color: var(--faint); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
td, th { padding: 5px 12px 5px 0; text-align: left; vertical-align: top; } tr { border-top: 1px solid var(--line); }
th { color: var(--faint); font-weight: 500; white-space: nowrap; } td p { max-width: 260px; font-size: 12px; }
.slices td:first-child { min-width: 130px; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.range { font-size: 12px; color: var(--faint); white-space: nowrap; font-variant-numeric: tabular-nums; }
.insufficient { color: var(--faint); } .better { color: #5fd38d; } .worse { color: #ff6b6b; }
.open { color: var(--faint); } svg.bar { display: block; } .axis { stroke: var(--line); stroke-width: 2; }
.spread { stroke: #5aa9ff; stroke-width: 5; opacity: 0.55; }
.value { fill: #eceef2; }
.worst { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 14px;
  align-items: start; }
figure { margin: 0; padding: 8px; background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  font-size: 12px; color: var(--faint); overflow-wrap: anywhere; }
.picture { position: relative; margin-bottom: 6px; }
.picture img { display: block; width: 100%; max-height: 400px; object-fit: contain; }
.picture svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.shape { fill: transparent; stroke-width: 2; } .missed, .alarm { stroke-width: 2.5; } .hit { stroke-dasharray: 5 3; }
.alarm { stroke-dasharray: 5 3; } .key { display: inline-block; margin-right: 14px; } .key svg { margin-right: 5px; }
"""
    + "\n".join(
        f".s-{kind} {{ stroke: rgb{color}; }} .p-{kind} {{ fill: rgb{color}; }}" for kind, color in COLORS.items()
    )
)
KEY = {"found": "ground truth, found", "missed": "ground truth, missed", "hit": "prediction", "alarm": "false alarm"}


def write_evaluation_page(
    truth: Truth, report: Mapping[str, Any], failures: Sequence[Failure], title: str
) -> Iterator[bytes]:
    """Yield the page in parts; `report` is the plain report that is written as JSON."""
    settings = report["settings"]
    yield head(f"{title} - evaluation", STYLE)
    yield (
        f"<h1>{escape(title)} on {escape(truth.dataset.name)}</h1>\n"
        f"<p>{escape(report['dataset_id'])}; {report['images']} pictures in {report['groups']} independent groups, by "
        f"{escape(report['group_by'])}; compared by {escape(report['compared_by'])}; predictions with a score of "
        f"{settings['score']:g} or more; risk {report['risk']:.4g}</p>\n"
        f"<p>A dot is the figure, the bar its 90 % interval: {settings['replicates']} draws of whole groups, or "
        "Wilson's. AP is over all scores.</p>\n"
    ).encode()
    yield _slices(report).encode()
    yield _image_scores(report["image_scores"]).encode()
    yield _against(report["against"]).encode()
    yield _head_of_failures(len(failures)).encode()
    for failure in failures:
        yield _figure(truth, failure).encode()
    yield b"</div>\n</body>\n</html>\n"


def _slices(report: Mapping[str, Any]) -> str:
    most = max((_high(one["figures"].get("false_alarms")) for one in report["slices"]), default=0.0)
    top = {"false_alarms": max(most, 1e-9)}
    head = "".join(f"<th>{escape(label)}</th>" for label in LABELS.values())
    rows = []
    for one in report["slices"]:
        about = f"<p>{escape(one['about'])}</p>" if one["about"] else ""
        weights = (one["risk_weight"], one["alarm_weight"])
        about += "<p>risk: {:g} x missed share + {:g} x false alarms a picture</p>".format(*weights)
        cells = "".join(
            f"<td>{bar(one['figures'][name], 0.0, top.get(name, 1.0))}</td>" for name in LABELS if one["figures"]
        )
        if one["verdict"]:
            fewer = f"{one['groups']} groups, fewer than {one['min_support']}"
            reason = fewer if one["images"] else "nothing satisfies its condition"
            cells = f'<td colspan="{len(LABELS)}" class="insufficient">{escape(one["verdict"])}: {reason}</td>'
        rows.append(
            f"<tr><td>{escape(one['name'])}<p>{escape(one['where'])}</p>{about}</td>"
            f'<td class="number">{one["images"]}</td><td class="number">{one["groups"]}</td>'
            f'<td class="number">{one["instances"]}</td><td class="number">{one["missed"]}</td>'
            f'<td class="number">{_number(one["risk"])}</td>{cells}</tr>'
        )
    names = "".join(f'<th class="number">{n}</th>' for n in ("pictures", "groups", "instances", "missed", "risk"))
    return (
        f'<h2>Slices</h2>\n<div class="scroll"><table class="slices"><tr><th>slice</th>{names}{head}</tr>\n'
        + "\n".join(rows) + "\n</table></div>\n"
    )  # fmt: skip


def _image_scores(scores: Mapping[str, Any] | None) -> str:
    if scores is None:
        return ""
    names = [name for name in scores if name not in ("images", "positive")]
    rows = "\n".join(
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{bar(scores[name], 0.0, 1.0)}</td></tr>" for name in names
    )
    words = f"<p>{scores['positive']} of {scores['images']} pictures show something</p>"
    return f"<h2>Scores of pictures</h2>\n{words}<table>{rows}</table>\n"


def _against(compared: Sequence[Mapping[str, Any]]) -> str:
    if not compared:
        return ""
    rows = []
    for one in compared:
        cells = ""
        for name in COMPARED:
            verdict = one[name]["verdict"]
            reach = max(_reach(other[name]) for other in compared)
            cells += f'<td>{bar(one[name], -reach, reach)}<span class="{verdict}">{verdict}</span></td>'
        rows.append(f"<tr><td>{escape(one['slice'])}</td>{cells}</tr>")
    head = "".join(f"<th>{escape(LABELS[name])}</th>" for name in COMPARED)
    return (
        "<h2>Against the other model</h2>\n"
        "<p>This model minus the other, on the same draws of groups; the middle is 0.</p>\n"
        f'<div class="scroll"><table><tr><th>slice</th>{head}</tr>\n' + "\n".join(rows) + "\n</table></div>\n"
    )


def _head_of_failures(count: int) -> str:
    if not count:
        return '<h2>Worst pictures</h2>\n<p>Nothing is missed and nothing is a false alarm.</p>\n<div class="worst">\n'
    key = "".join(
        f'<span class="key"><svg width="18" height="10"><path class="shape {kind} s-{kind}" d="M0 5h18"/></svg>'
        f"{words}</span>"
        for kind, words in KEY.items()
    )
    return f'<h2>Worst pictures</h2>\n<p>{key}</p>\n<div class="worst">\n'


def _figure(truth: Truth, failure: Failure) -> str:
    width, height = failure.size
    uri = picture_uri(truth, failure)
    image = f'<img src="{uri}" alt="">' if uri else ""
    shapes = "".join(_shape(shape, max(width, height) / 120.0) for shape in failure.shapes)
    words = f"{failure.missed} missed, {failure.alarms} false alarms"
    return (
        f'<figure><div class="picture">{image}<svg viewBox="0 0 {width} {height}">{shapes}</svg></div>'
        f"{escape(failure.path)}<br>{words}</figure>\n"
    )


def _shape(shape: Shape, radius_px: float) -> str:
    parts = ""
    if shape.box is not None:
        x, y, width, height = shape.box
        parts += (
            f'<rect class="shape {shape.kind} s-{shape.kind}" vector-effect="non-scaling-stroke" '
            f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
        )
    for x, y in shape.points:
        parts += f'<circle class="p-{shape.kind}" cx="{x:.2f}" cy="{y:.2f}" r="{radius_px:.2f}"/>'
    return f"<g><title>{escape(shape.text)}</title>{parts}</g>"


def _high(figure: Mapping[str, Any] | None) -> float:
    ends = () if figure is None else (figure["value"], figure["high"])
    return max((end for end in ends if end is not None), default=0.0)


def _reach(figure: Mapping[str, Any]) -> float:
    ends = (figure["value"], figure["low"], figure["high"])
    return max((abs(end) for end in ends if end is not None and math.isfinite(end)), default=0.0) or 1e-9


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
