"""`python -m engine.dataset lineage DATASET_OR_RUN`: what it was made from, and what was made of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError

HELP = "say what a dataset or a run was made from, and what was made of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("folder", type=Path, help="a dataset, or a run that noted itself (engine.lineage.runs)")
    parser.add_argument("--search", type=Path, action="append", default=[], metavar="DIR",
                        help="where else datasets, exports and runs may lie; may be repeated")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the graph as JSON")
    parser.add_argument("--format", choices=("prov", "openlineage"), default="prov", help="of --json (prov)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw it")
    parser.add_argument("--html", type=Path, metavar="FILE", help="draw it on a page")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0, or 2 if the folder is neither a dataset nor a run."""
    from engine.lineage.drawing import draw
    from engine.lineage.graph import build
    from engine.lineage.pages import drawing_page
    from engine.lineage.prov import openlineage_events, prov_json
    from engine.lineage.search import search
    from engine.lineage.tree import tree_lines
    from engine.write.reports import check_place, write_json, write_report

    for file in filter(None, (arguments.json, arguments.svg, arguments.html)):
        check_place(file)
    folder: Path = arguments.folder.absolute()
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; name a dataset or a run")
    places = [folder.parent, *(path.absolute() for path in arguments.search)]
    for place in places:
        if not place.is_dir():
            raise UserError(f"--search {place} is not a folder")
    graph = build(folder, search(places))
    for line in tree_lines(graph):
        say(line)
    for note in graph.notes:
        say(f"note: {note}")
    if arguments.json is not None:
        plain = prov_json(graph) if arguments.format == "prov" else openlineage_events(graph)
        write_json(arguments.json, plain)
    if arguments.svg is not None:
        write_report(arguments.svg, [draw(graph).encode()])
    if arguments.html is not None:
        write_report(arguments.html, [drawing_page(graph).encode()])
    return 0
