"""A lineage as a drawing: the oldest at the left, the newest at the right, as SVG of our own.

Many alike (files of a scene, shards) are one box with their number.
"""

from __future__ import annotations

import html
from itertools import pairwise

from engine.lineage.document import CONTROLS
from engine.lineage.graph import Graph, Node
from engine.lineage.in_words import number
from engine.lineage.layout import BOX_HEIGHT, BOX_WIDTH, GAP_X, Item, lay_out
from engine.lineage.tree import line_of

MOST_ALIKE = 3  # with the same neighbours; more are one box
MARGIN, HEAD = 28, 74  # [px]
LETTERS = 27  # of a line in a box
COLORS = {
    "dataset": "#2f7d5b", "recipe": "#7a5ea8", "asset": "#8a6d3b", "taxonomy": "#8a6d3b", "shard": "#5b8a78",
    "reason": "#b0526a", "export": "#3c7ea6", "weights": "#3c7ea6", "report": "#3c7ea6", "make": "#6b7280",
    "training": "#c2631d", "evaluation": "#c2631d", "program": "#6b7280",
}  # fmt: skip
OTHER_COLOR = "#6b7280"
LEGEND = (("entity", "what there is"), ("activity", "what was done"), ("agent", "by which program"))
STYLE = """
svg { font: 12px system-ui, sans-serif } .paper { fill: #fcfcfa }
.box rect { stroke-width: 1.4 } .title { font-weight: 600; fill: #1c2024 } .faint { fill: #5a6472; font-size: 11px }
.head { font-size: 16px; font-weight: 600; fill: #1c2024 } .edge { fill: none; stroke: #a9b1bd; stroke-width: 1.3 }
.tip { fill: #a9b1bd }
"""


def draw(graph: Graph) -> str:
    """Return the drawing as an SVG document; its text is data and is escaped."""
    members, edges = _grouped(graph)
    layout = lay_out(list(members), edges)
    head = _cut(line_of(graph.nodes[graph.start]), 100)
    width = 2 * MARGIN + max(layout.width, 7.5 * len(head))
    height = HEAD + MARGIN + layout.height
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="lineage of {_escape(graph.start)}">',
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
        f'<text class="head" x="{MARGIN}" y="28">Lineage of {_escape(head)}</text>',
        *_legend(),
    ]
    for (newer, older), route in layout.routes.items():
        lines.append(_curve([layout.boxes[older], *route, layout.boxes[newer]], graph.nodes[older].role == "agent"))
    for name, box in layout.boxes.items():
        lines.append(_draw_box(members[name], box, is_start=name == graph.start))
    return "\n".join([*lines, "</svg>\n"])


def _grouped(graph: Graph) -> tuple[dict[str, list[Node]], list[tuple[str, str]]]:
    """Return the nodes of every box by the id of its first, and the edges between boxes, newer first."""
    around: dict[str, set[tuple[str, str, str]]] = {name: set() for name in graph.nodes}
    for edge in graph.edges:
        around[edge.source].add(("behind", edge.relation, edge.target))
        around[edge.target].add(("ahead", edge.relation, edge.source))
    alike: dict[tuple[str, frozenset[tuple[str, str, str]]], list[Node]] = {}
    for node in graph.nodes.values():
        alike.setdefault((node.kind, frozenset(around[node.id])), []).append(node)
    members: dict[str, list[Node]] = {}
    box_of: dict[str, str] = {}
    for nodes in alike.values():
        together = len(nodes) > MOST_ALIKE and all(node.id != graph.start for node in nodes)
        for node in nodes:
            box_of[node.id] = nodes[0].id if together else node.id
            members.setdefault(box_of[node.id], []).append(node)
    return members, [(box_of[edge.source], box_of[edge.target]) for edge in graph.edges]


def _curve(chain: list[Item], is_dashed: bool) -> str:
    """Return a path from box to box, flat through its waypoints."""
    steps: list[str] = []
    for older, newer in pairwise(chain):
        x0, x1 = MARGIN + older.x + BOX_WIDTH, MARGIN + newer.x
        y0, y1, bend = HEAD + older.y, HEAD + newer.y, GAP_X / 2
        steps.append(f"{'L' if steps else 'M'}{x0:.0f} {y0:.1f}")
        steps.append(f"C{x0 + bend:.0f} {y0:.1f} {x1 - bend:.0f} {y1:.1f} {x1:.0f} {y1:.1f}")
    dashes = ' stroke-dasharray="4 3"' if is_dashed else ""
    return f'<path class="edge" d="{"".join(steps)}" marker-end="url(#tip)"{dashes}/>'


def _draw_box(nodes: list[Node], box: Item, *, is_start: bool) -> str:
    node = nodes[0]
    color = COLORS.get(node.kind, OTHER_COLOR)
    title = f"{len(nodes)} of kind {node.kind}" if len(nodes) > 1 else node.title
    under = f"{node.title}, ..." if len(nodes) > 1 else _under(node)
    radius = {"entity": 9, "activity": 0}.get(node.role, BOX_HEIGHT // 2)
    dashes = ' stroke-dasharray="5 3"' if node.role == "agent" else ""
    x, y = MARGIN + box.x, HEAD + box.y - BOX_HEIGHT / 2
    place = f'x="{x:.0f}" y="{y:.1f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="{radius}"'
    return (
        f'<g class="box"><title>{_escape(_hint(node))}</title><rect class="paper" {place}/>'
        f'<rect {place} fill="{color}" fill-opacity="{0.28 if is_start else 0.09}" stroke="{color}"{dashes}/>'
        f'<text class="title" x="{x + 12:.0f}" y="{y + 21:.1f}">{_escape(_cut(title, LETTERS))}</text>'
        f'<text class="faint" x="{x + 12:.0f}" y="{y + 38:.1f}">{_escape(_cut(under, LETTERS + 3))}</text></g>'
    )


def _under(node: Node) -> str:
    facts = node.facts
    if node.kind in ("training", "evaluation"):
        return f"{node.kind}, {facts.get('state', 'not found')}"
    if node.kind == "dataset":
        return f"{facts['frames']} frames, {node.id}"
    if node.kind == "reason":
        return str(facts.get("why", ""))
    digest = facts.get("sha256") or facts.get("export_sha256") or facts.get("source_sha256") or ""
    return f"{node.kind} {str(digest)[:8]}".strip()


def _hint(node: Node) -> str:
    return "\n".join([f"{node.kind} {node.id}", *(f"{key}: {number(value)}" for key, value in node.facts.items())])


def _legend() -> list[str]:
    parts = []
    for i, (role, words) in enumerate(LEGEND):
        x, radius = MARGIN + i * 150, {"entity": 4, "activity": 0}.get(role, 7)
        dashes = ' stroke-dasharray="3 2"' if role == "agent" else ""
        parts.append(
            f'<rect x="{x}" y="42" width="22" height="14" rx="{radius}" fill="none" stroke="#667080"{dashes}/>'
        )
        parts.append(f'<text class="faint" x="{x + 30}" y="53">{words}</text>')
    return parts


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _escape(text: str) -> str:
    return html.escape("\n".join(CONTROLS.sub(" ", line) for line in text.split("\n")))
