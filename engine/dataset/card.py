"""`python -m engine.dataset card DIR`: what a dataset is, for people; Markdown here, or a page."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

HELP = "describe a dataset: how it was made, what is in it, what changed, licences, limits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page instead of Markdown")
    parser.add_argument("--since", type=Path, metavar="DIR", help="an earlier version, to say what changed")
    parser.add_argument("--search", type=Path, action="append", default=[], metavar="DIR",
                        help="where else datasets that it was made from may lie; may be repeated")  # fmt: skip
    parser.add_argument("--scenes", type=Path, action="append", default=[], metavar="DIR",
                        help="where scenes lie, for licences of assets, before those shipped")  # fmt: skip


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0, or 2 if the dataset is not complete."""
    from engine.collect.holdout import opened
    from engine.dataset.assets import scene_folders
    from engine.lineage.changes import changes, read_version
    from engine.lineage.document import markdown, page
    from engine.lineage.pages import card_of, contact_sheet
    from engine.lineage.search import search
    from engine.lineage.verdicts import verdict_blocks
    from engine.recipe import Recipe
    from engine.sharing.assets import asset_table
    from engine.write.reports import write_report

    out: Path = arguments.dataset.absolute()
    opened(out, "card")
    version = read_version(out)
    befores = [read_version(arguments.since.absolute())] if arguments.since is not None else []
    if version.manifest.parents:
        found = search([out.parent, *(path.absolute() for path in arguments.search)]).datasets
        ids = [parent.dataset_id for parent in version.manifest.parents]
        befores += [read_version(found[name][0]) for name in ids if name in found]
    licences = {}
    if isinstance(version.intent, Recipe):
        table = asset_table(out, scene_folders(arguments.scenes))
        licences = {row.path: f"{row.licence}; {row.provenance}" for row in table.rows if row.licence}
    blocks = card_of(version, [(before, list(changes(before, version))) for before in befores], licences)
    blocks += verdict_blocks(out)
    if arguments.html is None:
        say(markdown(blocks).rstrip("\n"))
        return 0
    title = f"{out.name}: {version.manifest.dataset_id}"
    write_report(arguments.html, [page(title, [*blocks[:1], *contact_sheet(out), *blocks[1:]]).encode()])
    say(f"written to {arguments.html}")
    return 0
