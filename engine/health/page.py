"""One page of HTML about the health of a dataset: verdicts, the frames to blame, classes. No script, no other file.

Names come from data and are shown as text alone.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path

from PIL import Image

from engine.errors import UserError
from engine.health.model import Check, Classes, HealthReport
from engine.view.standalone import DARK, head
from engine.write.files import inside

THUMBNAIL_PX = 150
MOST_THUMBNAILS = 6  # of a check
QUALITY = 80
BAR_PX = 220
STYLE = (
    DARK
    + """
h1 { font-size: 18px; } h2 { font-size: 15px; margin: 28px 0 8px; }
p { margin: 2px 0; color: var(--faint); overflow-wrap: anywhere; }
table { border-collapse: collapse; } td, th { padding: 4px 10px 4px 0; text-align: left; vertical-align: top; }
.checks { width: 100%; } .checks tr { border-top: 1px solid var(--line); } th { color: var(--faint); font-weight: 500; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { font-weight: 600; white-space: nowrap; }
.broken { color: #ff6b6b; } .ok { color: #5fd38d; } .none { color: var(--faint); }
.frames { display: flex; flex-wrap: wrap; gap: 10px; margin: 6px 0 10px; }
figure { margin: 0; width: 150px; font-size: 11px; color: var(--faint); overflow-wrap: anywhere; }
figure img { display: block; max-width: 150px; max-height: 120px; border: 1px solid var(--line); }
.scroll { overflow-x: auto; } .matrix td { padding: 0; width: 22px; height: 22px; border: 1px solid var(--paper);
  font-size: 9px; text-align: center; } .matrix th { font-size: 11px; padding: 0 6px 0 0; white-space: nowrap; }
.matrix th.up { writing-mode: vertical-rl; transform: rotate(180deg); padding: 0 0 4px; vertical-align: bottom; }
svg { display: block; }
"""
)


def write_health_page(out: Path, report: HealthReport) -> Iterator[bytes]:
    """Yield the page in parts."""
    broken = len(report.broken)
    verdict = f"{broken} {'limit is' if broken == 1 else 'limits are'} broken" if broken else "no limit is broken"
    yield head(f"{report.name} - health", STYLE)
    yield (
        f"<h1>{escape(report.name)}: {verdict}</h1>\n<p>{escape(report.dataset_id)}, {report.frames} frames, "
        f"{report.instances} labels of {len(report.classes.instances)} classes</p>\n"
        '<table class="checks">\n<tr><th>verdict</th><th>check</th><th class="number">value</th>'
        '<th class="number">limit</th><th>what it is</th></tr>\n'
    ).encode()
    order = {"broken": 0, "ok": 1, "no limit": 2, "not measured": 3}
    for check in sorted(report.checks, key=lambda check: order[check.verdict]):
        yield _row(out, check).encode()
    yield b"</table>\n"
    yield _classes(report.classes, report.frames).encode()
    yield _spreads(report).encode()
    yield b"</body>\n</html>\n"


def _row(out: Path, check: Check) -> str:
    kind = check.verdict if check.verdict in ("ok", "broken") else "none"
    facts = escape(check.about) + (f": {check.count} of {check.of}" if check.of else "")
    note = f"<p>{escape(check.note)}</p>" if check.note else ""
    pictures = ""
    if check.verdict == "broken" and check.offenders:
        shown = "".join(_figure(out, o.path, o.what) for o in check.offenders[:MOST_THUMBNAILS])
        pictures = f'<div class="frames">{shown}</div>'
        rest = check.offenders[MOST_THUMBNAILS:]
        pictures += f"<p>{escape('; '.join(f'{o.path}: {o.what}' for o in rest))}</p>" if rest else ""
    return (
        f'<tr><td class="verdict {kind}">{check.verdict}</td><td>{check.name}</td>'
        f'<td class="number">{check.value_text}</td><td class="number">{escape(check.bound_text)}</td>'
        f"<td>{facts}{note}{pictures}</td></tr>\n"
    )


def _figure(out: Path, path: str, what: str) -> str:
    picture = _thumbnail(out, path)
    image = f'<img src="{picture}" alt="">' if picture else ""
    return f"<figure>{image}{escape(path)}<br>{escape(what)}</figure>"


def _thumbnail(out: Path, path: str) -> str:
    """Return a small copy of a picture as a data URI; nothing if it is none, or not the dataset's own."""
    try:
        with Image.open(inside(out, path)) as picture:
            picture.draft("RGB", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
            small = picture.convert("RGB")
            small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    except (UserError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _classes(classes: Classes, frames: int) -> str:
    if not classes.instances:
        return ""
    top = max(classes.instances.values())
    rows = []
    for key, count in sorted(classes.instances.items(), key=lambda pair: -pair[1]):
        width = max(BAR_PX * count / top, 1.0)
        bar = f'<svg width="{BAR_PX}" height="12"><rect width="{width:.1f}" height="12" fill="#5aa9ff"/></svg>'
        share = classes.frames[key] / max(frames, 1)
        rows.append(
            f'<tr><td>{escape(key)}</td><td class="number">{count}</td><td>{bar}</td>'
            f'<td class="number">{classes.frames[key]}</td><td class="number">{share:.1%}</td></tr>'
        )
    head = (
        '<h2>Classes</h2>\n<table><tr><th>class</th><th class="number">labels</th><th></th>'
        '<th class="number">frames</th><th class="number">of all</th></tr>\n'
    )
    return head + "\n".join(rows) + "</table>\n" + _matrix(classes)


def _matrix(classes: Classes) -> str:
    """Return the matrix: how many of the frames with the class of the row have that of the column."""
    if len(classes.keys) < 2:
        return ""
    tops = "".join(f'<th class="up">{escape(key)}</th>' for key in classes.keys)
    rows = []
    for at, key in enumerate(classes.keys):
        own = max(classes.together[at][at], 1)
        cells = []
        for other, count in enumerate(classes.together[at]):
            share = count / own
            title = f"{count} of {own} frames with {key} have {classes.keys[other]}"
            ink = "#121418" if share > 0.7 else "#eceef2"
            text = "" if not count or other == at else f"{100 * share:.0f}"
            cells.append(
                f'<td><svg width="22" height="22"><title>{escape(title)}</title>'
                f'<rect width="22" height="22" fill="#5aa9ff" opacity="{share:.3f}"/>'
                f'<text x="11" y="15" font-size="9" text-anchor="middle" fill="{ink}">{text}</text></svg></td>'
            )
        rows.append(f"<tr><th>{escape(key)}</th>{''.join(cells)}</tr>")
    return (
        "<h2>Together</h2>\n<p>Per cent of the frames with the class of the row that have that of the column; surfaces "
        f'that are not counted are left out.</p>\n<div class="scroll"><table class="matrix"><tr><th></th>{tops}</tr>\n'
        + "\n".join(rows) + "</table></div>\n"
    )  # fmt: skip


def _spreads(report: HealthReport) -> str:
    rows = []
    for name, quantiles in report.spreads.items():
        cells = "".join(f'<td class="number">{value:.4g}</td>' for value in quantiles.values())
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    if not rows:
        return ""
    heads = "".join(f'<th class="number">{100 * float(q):g} %</th>' for q in next(iter(report.spreads.values())))
    sizes = ", ".join(f"{size}: {count}" for size, count in list(report.sizes.items())[:8])
    more = f" and {len(report.sizes) - 8} more" if len(report.sizes) > 8 else ""
    return (
        f"<h2>Frames</h2>\n<p>Sizes: {escape(sizes)}{more}. So many per cent of the frames have at most:</p>\n"
        f"<table><tr><th></th>{heads}</tr>\n" + "\n".join(rows) + "</table>\n"
    )
