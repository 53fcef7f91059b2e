"""Cards and drawings of a history as blocks of a document."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.collect.intent import Ingest
from engine.dataset.manifest import CONTACT_SHEET
from engine.lineage.card import LICENCES, CardFacts, card_blocks
from engine.lineage.changes import Version
from engine.lineage.document import Block, Heading, Picture, Points, Table, page
from engine.lineage.drawing import draw
from engine.lineage.graph import Graph, Node
from engine.lineage.in_words import number
from engine.write.begin import HEADER, TAXONOMY, read_taxonomy
from engine.write.files import inside
from engine.write.record import read_header

LARGEST_SHEET = 16 * 2**20  # bytes of a contact sheet that a page takes in


def card_of(
    version: Version, changed: Sequence[tuple[Version, Sequence[str]]], licences: Mapping[str, str]
) -> list[Block]:
    """Return the card of a dataset, with what changed since others before its last two sections.

    Raises:
        UserError: If one of its files cannot be read.
    """
    out = version.folder
    header, taxonomy = read_header(out / HEADER), read_taxonomy(out / TAXONOMY)
    blocks = card_blocks(CardFacts(out, header, version.intent, taxonomy, version.manifest, licences))
    added: list[Block] = []
    for before, lines in changed:
        added.append(Heading(f"What changed since {before.folder.name}, {before.manifest.dataset_id}"))
        added.append(Points(lines))
    place = next(i for i, block in enumerate(blocks) if block == Heading(LICENCES))
    parents = {parent.dataset_id for parent in version.manifest.parents}
    sources = [
        f"pictures of {before.folder.name}: {before.intent.licence or 'the licence is not recorded'}; "
        f"source {before.intent.source or 'not recorded'}"
        for before, _ in changed
        if before.manifest.dataset_id in parents and isinstance(before.intent, Ingest)
    ]
    if sources:
        end = next(i for i in range(place + 1, len(blocks)) if isinstance(blocks[i], Heading))
        blocks[end:end] = [Points(sources)]
    return [*blocks[:place], *added, *blocks[place:]]


def contact_sheet(out: Path) -> list[Block]:
    """Return the contact sheet as part of a page; none if there is none, or a very large one."""
    path = inside(out, CONTACT_SHEET)
    if not path.is_file() or path.stat().st_size > LARGEST_SHEET:
        return []
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return [Picture(f"data:image/png;base64,{data}", "The first frames with their masks, boxes and classes")]


def drawing_page(graph: Graph) -> str:
    """Return the drawing with a table of all that is in it."""
    rows = [(node.kind, node.title, node.id, _facts(node)) for node in graph.nodes.values()]
    start = graph.nodes[graph.start]
    title = f"Lineage of {start.title}"
    text = page(title, [Heading(title, 1), Heading("All of it"), Table(("kind", "what", "id", "facts"), rows)])
    drawing = f'<div class="wide">{draw(graph)}</div>'
    return text.replace("<h2>", f"{drawing}\n<h2>", 1).replace("max-width: 64rem", "max-width: 100rem", 1)


def _facts(node: Node) -> str:
    times = {"started": node.start, "ended": node.end}
    facts = {**node.facts, **{key: time for key, time in times.items() if time is not None}}
    return ", ".join(f"{key} {number(value)}" for key, value in facts.items())
