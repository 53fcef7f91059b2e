"""A page of headings, sentences, lists and tables, written as Markdown or as HTML; all text is data and is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --faint: #667080; --paper: #fcfcfa; --line: #d8dce2; --fill: #f1f3f5 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaee; --faint: #98a0ac; --paper: #14161a; --line: #30353c; --fill: #1d2026 } }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.8rem; margin: 0 0 .3rem } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem }
p { margin: .5rem 0; max-width: 48rem } ul { padding-left: 1.2rem; max-width: 56rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem; margin: .6rem 0 }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--faint); font-weight: 600 } td { overflow-wrap: break-word; max-width: 42rem }
td:first-child { white-space: nowrap } .number { text-align: right; font-variant-numeric: tabular-nums }
img { max-width: 100%; border: 1px solid var(--line); border-radius: 6px }
"""
MARKS = re.compile(r"([\\`*\[\]<>|&~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")  # that Markdown takes for its own
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")  # and what turns text around
NUMBER = re.compile(r"-?[\d.,]+( ?%)?")


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows of text under a line of names."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A picture as an address, which pages have and Markdown has not."""

    source: str  # data: or a path relative to the page
    text: str


Block = Heading | Paragraph | Points | Table | Picture


def markdown(blocks: Sequence[Block]) -> str:
    """Return the page as Markdown (CommonMark with tables of GitHub)."""
    return "\n\n".join(part for block in blocks if (part := _markdown_block(block))) + "\n"


def page(title: str, blocks: Sequence[Block]) -> str:
    """Return the page as one HTML file that loads nothing and runs nothing."""
    body = "\n".join(line for block in blocks for line in _html_block(block))
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _markdown_block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_mark(block.text)}"
    if isinstance(block, Paragraph):
        return _mark(block.text)
    if isinstance(block, Points):
        return "\n".join(f"- {_mark(line)}" for line in block.lines)
    if isinstance(block, Table):
        lines = [block.head, ["---"] * len(block.head), *block.rows]
        cells = [[cell if i == 1 else _mark(cell) for cell in line] for i, line in enumerate(lines)]
        return "\n".join(f"| {' | '.join(line)} |" for line in cells)
    return ""


def _html_block(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"<h{block.level}>{_escape(block.text)}</h{block.level}>"
    elif isinstance(block, Paragraph):
        yield f"<p>{_escape(block.text)}</p>"
    elif isinstance(block, Points):
        yield "<ul>"
        yield from (f"<li>{_escape(line)}</li>" for line in block.lines)
        yield "</ul>"
    elif isinstance(block, Table):
        columns = list(zip(*block.rows, strict=True))
        kinds = [' class="number"' if column and all(map(NUMBER.fullmatch, column)) else "" for column in columns]
        kinds = kinds or [""] * len(block.head)
        yield '<div class="wide"><table>'
        for tag, row in (("th", block.head), *(("td", row) for row in block.rows)):
            cells = (f"<{tag}{kind}>{_escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))
            yield f"<tr>{''.join(cells)}</tr>"
        yield "</table></div>"
    else:
        yield f'<p><img src="{html.escape(block.source)}" alt="{_escape(block.text)}"></p>'


def _escape(text: str) -> str:
    return html.escape(_plain(text))


def _mark(text: str) -> str:
    return MARKS.sub(r"\\\1", _plain(text))


def _plain(text: str) -> str:
    """Return text on one line, without signs that turn it around."""
    return CONTROLS.sub(" ", text).strip()
