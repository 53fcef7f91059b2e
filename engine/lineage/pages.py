"""Pages that people asked for by name, outside of datasets: written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from engine.errors import UserError
from engine.lineage.document import Heading, Table, page
from engine.lineage.drawing import draw
from engine.lineage.graph import Graph
from engine.lineage.in_words import number
from engine.write.begin import HEADER
from engine.write.files import refusals_named


def write_page(path: Path, text: str) -> None:
    """Write a file beside its place, then put it there.

    Raises:
        UserError: If the place lies in a dataset, whose files are all in its manifest, or its folder is missing.
        WriteFailed: If the disk refuses.
    """
    path = path.absolute()
    if any((folder / HEADER).is_file() for folder in path.parents):
        raise UserError(f"{path} lies in a dataset, whose files are all in its manifest; choose a place beside it")
    if not path.parent.is_dir() or path.is_dir():
        raise UserError(f"{path}: {'is a folder' if path.is_dir() else 'its folder does not exist'}; name a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with refusals_named(path):
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def drawing_page(graph: Graph) -> str:
    """Return the drawing with a table of all that is in it."""
    rows = [
        (node.kind, node.title, node.id, number(node.facts))
        for node in graph.nodes.values()
    ]  # fmt: skip
    start = graph.nodes[graph.start]
    title = f"Lineage of {start.title}"
    text = page(title, [Heading(title, 1), Heading("All of it"), Table(("kind", "what", "id", "facts"), rows)])
    drawing = f'<div class="wide">{draw(graph)}</div>'
    return text.replace("<h2>", f"{drawing}\n<h2>", 1).replace("max-width: 64rem", "max-width: 100rem", 1)
