"""The page of a comparison, and that of duplicates: one file of HTML without scripts, pictures inside."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.shift.pictures import Pictures, read_frames, read_rgb
from engine.shift.report import ArtefactResult, ColumnResult, CueResult, KindResult, Measure, ShiftReport, lines

THUMBNAIL_PX = 240
MARK = (255, 64, 32)
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:.6rem 0}th,td{text-align:left;padding:.25rem .7rem;border-bottom:1px solid #ddd}
td.n{font-variant-numeric:tabular-nums}.yes{color:#a40000;font-weight:600}.dead{color:#666}
figure{display:inline-block;margin:.4rem;vertical-align:top}figcaption{font-size:12px;color:#555;max-width:240px}
.bar{position:relative;width:14rem;height:1rem;background:#f1f1f1}
.bar i{position:absolute;top:0;bottom:0;background:#b9cfe8}
.bar b{position:absolute;top:-2px;bottom:-2px;width:3px;background:#222}
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}th,td{border-color:#444}.yes{color:#ff8a7a}
.bar{background:#333}.bar i{background:#35506e}.bar b{background:#eee}figcaption,.dead{color:#aaa}}
"""


def shift_page(report: ShiftReport, dataset: Pictures) -> bytes:
    """Return the page of a comparison; the frames in which artefacts show are read from the dataset."""
    title = f"{report.dataset.name} against {report.reference.name}"
    wanted = {worst.frame_id for artefact in report.artefacts for worst in artefact.worst}
    boxes = {(a.name, w.frame_id): w.box for a in report.artefacts for w in a.worst}
    pictures = {
        (a.name, frame_id): thumbnail(rgb, size, boxes.get((a.name, frame_id)))
        for frame_id, (rgb, size) in _pictures(dataset, wanted).items()
        for a in report.artefacts
        if (a.name, frame_id) in boxes
    }
    first = next(lines(report))
    body = [f"<h1>{html.escape(title)}</h1><p>{html.escape(first)}. Intervals: halves of the reference by group.</p>"]
    body += [_kind(kind) for kind in report.kinds]
    if report.columns:
        body.append(_columns(report.columns))
    body += [_artefact(artefact, pictures) for artefact in report.artefacts]
    return page(title, body)


def page(title: str, body: Iterable[str]) -> bytes:
    """Return a page."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<main>{''.join(body)}</main></html>\n"
    ).encode()


def thumbnail(
    rgb: NDArray[np.uint8], size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> str:
    """Return a picture as a data URL, with a box of the whole picture's pixels drawn on it."""
    picture = Image.fromarray(rgb)
    if box is not None:
        scale = picture.width / size[0]
        x, y, width, height = (value * scale for value in box)
        ImageDraw.Draw(picture).rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=MARK, width=2)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def figure(picture: str, caption: str) -> str:
    """Return a picture with words below it."""
    words = html.escape(caption)
    return f'<figure><img src="{picture}" alt="{words}"><figcaption>{words}</figcaption></figure>'


def _pictures(pictures: Pictures, frame_ids: set[int]) -> Mapping[int, tuple[NDArray[np.uint8], tuple[int, int]]]:
    return {
        frame.id: (read_rgb(frame, THUMBNAIL_PX), (frame.width, frame.height))
        for frame in read_frames(pictures, frame_ids)
    }


def _kind(kind: KindResult) -> str:
    around = f" around {', '.join(kind.classes)}" if kind.classes else ""
    head = (
        f"<h2>{kind.kind} crops{html.escape(around)}</h2><p>{kind.crops} crops of {kind.groups} groups against "
        f"{kind.reference_crops} of {kind.reference_groups}. {html.escape(kind.note)}</p>"
    )
    if not kind.cues:
        return head
    rows = "".join(_cue(cue) for cue in kind.cues)
    table = (
        "<table><tr><th>cue</th><th>AUC, and of real against real</th><th></th><th>MMD²</th><th>precision</th>"
        f"<th>recall</th><th>density</th><th>coverage</th></tr>{rows}</table>"
    )
    if not kind.strongest:
        return head + table
    shares = "".join(
        f"<tr><td>{s.cue}</td><td class=n>{s.alone:.0%}</td><td class=n>{s.auc_without:.2f}</td>"
        f"<td class=n>{s.lost_without:.0%}</td><td class=n>{s.shuffled:.3f}</td></tr>"
        for s in kind.shares
    )
    removals = "".join(f"<li>After {html.escape(r.what)}: AUC {r.auc:.2f}.</li>" for r in kind.removals)
    return (
        f"{head}{table}<p>Strongest cue: <b>{kind.strongest}</b>.</p><table><tr><th>cue</th><th>difference alone</th>"
        f"<th>AUC without it</th><th>lost without it</th><th>AUC lost by shuffling it</th></tr>{shares}</table>"
        f"<ul>{removals}</ul>"
    )


def _cue(cue: CueResult) -> str:
    css = {"told apart": "yes", "no power": "dead"}.get(cue.verdict, "")
    others = "".join(
        _cell(measure, digits)
        for measure, digits in ((cue.mmd2, 4), (cue.precision, 2), (cue.recall, 2), (cue.density, 2), (cue.coverage, 2))
    )
    return f'<tr><td>{cue.cue}</td><td class="{css}">{html.escape(cue.words)}</td><td>{_bar(cue.auc)}</td>{others}</tr>'


def _bar(auc: Measure) -> str:
    if auc.value is None or auc.null_low is None or auc.null_high is None:
        return ""
    low, high, value = ((a - 0.5) * 200.0 for a in (auc.null_low, auc.null_high, auc.value))
    return (
        f'<div class=bar title="0.5 to 1"><i style="left:{low:.1f}%;width:{max(high - low, 1.0):.1f}%"></i>'
        f'<b style="left:{min(value, 99.0):.1f}%"></b></div>'
    )


def _cell(measure: Measure, digits: int) -> str:
    if measure.value is None:
        return "<td></td>"
    null = f"{measure.null_low:.{digits}f}–{measure.null_high:.{digits}f}"
    css = "n yes" if measure.beyond else "n" if measure.power else "n dead"
    word = "" if measure.power else " no power"
    return f'<td class="{css}">{measure.value:.{digits}f}<br><small>{null}{word}</small></td>'


def _columns(columns: tuple[ColumnResult, ...]) -> str:
    rows = "".join(
        f'<tr><td>{html.escape(c.column)}</td><td class="{"yes" if c.differs else ""}">'
        f"{'differs' if c.differs else 'does not differ'}</td><td class=n>{c.distance:.2f}</td>"
        f"<td class=n>{c.p:.2g}</td>"
        f"<td class=n>{c.median:.3g}</td><td class=n>{c.reference_median:.3g}</td></tr>"
        for c in columns
    )
    return (
        "<h2>Measured columns</h2><table><tr><th>column</th><th></th><th>KS</th><th>p (Holm)</th><th>median</th>"
        f"<th>of the reference</th></tr>{rows}</table>"
    )


def _artefact(artefact: ArtefactResult, pictures: Mapping[tuple[str, int], str]) -> str:
    css = "yes" if artefact.found else "" if artefact.power else "dead"
    shown = "".join(
        figure(pictures[artefact.name, worst.frame_id], f"frame {worst.frame_id}: {worst.value:.2f}")
        for worst in artefact.worst
        if (artefact.name, worst.frame_id) in pictures
    )
    return f'<h2>{artefact.name}</h2><p class="{css}">{html.escape(artefact.words)}</p>{shown}'
