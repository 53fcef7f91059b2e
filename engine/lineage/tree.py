"""A lineage as a tree of lines: from the start back to what it was made from, then on to what was made of it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.lineage.graph import Graph, Node
from engine.lineage.in_words import number

MOST_ALIKE = 8  # of one kind below one line; more are counted
SAID = {  # kind -> facts that its line says
    "dataset": ("frames", "origin", "where"), "recipe": ("schema", "seed", "licence", "source", "where"),
    "asset": ("sha256",), "shard": ("frames",), "reason": ("why",), "export": (), "weights": ("sha256",),
    "report": ("sha256",), "make": ("python", "simd"), "training": ("state", "metrics"),
    "evaluation": ("state", "metrics"), "program": ("commit", "source_sha256"), "taxonomy": (),
    "verdict": ("why", "sha256"),
}  # fmt: skip
HASHES = {"sha256", "commit", "source_sha256"}


def tree_lines(graph: Graph) -> Iterator[str]:
    """Yield the lines."""
    yield line_of(graph.nodes[graph.start])
    for title, ahead in (("made from", False), ("used by", True)):
        lines = list(_below(graph, graph.start, "", {graph.start}, ahead))
        if lines:
            yield title
            yield from lines


def line_of(node: Node) -> str:
    """Return a node in one line."""
    facts = []
    for key in SAID.get(node.kind, ()):
        value = node.facts.get(key)
        if value not in (None, "", {}, "here"):
            facts.append(f"{key} {str(value)[:12] if key in HASHES else number(value)}")
    name = node.id if node.kind in ("dataset", "training", "evaluation") else ""
    kind = "" if node.kind == "make" else node.kind  # "made on cpu"
    words = [kind, node.title if node.title != name else "", name, f"({', '.join(facts)})" if facts else ""]
    return " ".join(filter(None, words))


def _below(graph: Graph, node: str, indent: str, seen: set[str], ahead: bool) -> Iterator[str]:
    edges = graph.ahead(node) if ahead else graph.behind(node)
    ends = list(dict.fromkeys(edge.source if ahead else edge.target for edge in edges))
    if ahead:  # what was made of a dataset is there itself
        ends = [end for end in ends if graph.nodes[end].kind != "make"]
    shown: dict[str, int] = {}
    rows: list[tuple[str, str | None]] = []
    for end in ends:
        kind = graph.nodes[end].kind
        shown[kind] = shown.get(kind, 0) + 1
        if shown[kind] <= MOST_ALIKE:
            rows.append((line_of(graph.nodes[end]), end))
    rows += [
        (f"and {count - MOST_ALIKE} more of kind {kind}", None) for kind, count in shown.items() if count > MOST_ALIKE
    ]
    for i, (line, name) in enumerate(rows):
        last = i == len(rows) - 1
        again = name is not None and name in seen
        leads_on = name is not None and any(graph.ahead(name) if ahead else graph.behind(name))
        yield f"{indent}{'└' if last else '├'} {line}{', see above' if again and leads_on else ''}"
        if name is not None and not again:
            seen.add(name)
            yield from _below(graph, name, f"{indent}{' ' if last else '│'}  ", seen, ahead)
