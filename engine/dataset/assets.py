"""`python -m engine.dataset assets DIR`: licence and provenance of every file that a dataset was rendered from."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

HELP = "list the assets of a dataset with licence and provenance"
UNKNOWN = 1  # exit code: some have no known licence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument(
        "--scenes", type=Path, action="append", default=[], metavar="DIR", help="where scenes lie, before those shipped"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table, schema assets/1")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 1 if the licence of an asset is unknown, else 0."""
    from engine.sharing.assets import asset_table
    from engine.write.record import json_bytes
    from engine.write.reports import check_place, write_report

    dataset = arguments.dataset.absolute()
    if arguments.json is not None:
        check_place(arguments.json)
    table = asset_table(dataset, scene_folders(arguments.scenes))
    for row in table.rows:
        photograph = ", a photograph" if row.photograph else ""
        licence = f"{row.licence}; {row.provenance}{photograph}" if row.licence else f"licence unknown: {row.said_by}"
        say(f"{row.path}  {row.sha256[:12]}  {row.bytes} bytes  {licence}")
    if table.unknown:
        say(f"{len(table.unknown)} of {len(table.rows)} have no known licence")
    if arguments.json is not None:
        write_report(arguments.json, [json_bytes(table)])
    return UNKNOWN if table.unknown else 0


def scene_folders(given: list[Path]) -> tuple[Path, ...]:
    """Return where assets are looked for: folders that were given, then that of the shipped scenes."""
    from engine._layout import scenes_folder

    return (*(folder.absolute() for folder in given), scenes_folder())
