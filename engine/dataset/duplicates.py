"""`python -m engine.dataset duplicates DIR [OTHER ...]`: pictures that look the same, within and across datasets."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError
from engine.progress import Progress

HELP = "find pictures that look the same, within a dataset and across"
LISTED = 20  # pairs on the terminal
LEAK = 1  # exit code
MOST_BITS = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, nargs="+", help="folders that out= named")
    parser.add_argument("--holdout", type=Path, metavar="DIR", help="a dataset that none may share a picture with")
    parser.add_argument(
        "--threshold", type=int, default=6, metavar="BITS", help="in which hashes differ at most (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the pairs, schema duplicates/1")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the pairs side by side")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 1 if a pair crosses datasets, else 0."""
    from engine.shift.duplicates import duplicates_page, find_duplicates
    from engine.shift.pictures import open_pictures
    from engine.write.reports import check_place, write_report

    if not 0 <= arguments.threshold <= MOST_BITS:
        raise UserError(f"--threshold {arguments.threshold}: from 0, equal hashes, to {MOST_BITS} bits of 64")
    folders = [folder.absolute() for folder in arguments.dataset]
    sets = [open_pictures(folder) for folder in folders]
    holdout = None if arguments.holdout is None else open_pictures(arguments.holdout.absolute())
    everything = [*sets, *([] if holdout is None else [holdout])]
    for file in filter(None, (arguments.json, arguments.html)):
        check_place(file)
    with Progress() as progress:
        report = find_duplicates(sets, holdout, arguments.threshold, progress)
    for part in report.searched:
        where = f"within {part.first}" if part.first == part.second else f"{part.first} and {part.second}"
        say(
            f"{where}: {part.duplicates} near duplicates of {part.candidates} candidates by hash"
            + (f", {part.compared} of which were compared" if part.compared < part.candidates else "")
            + (f"; {part.undecided} too flat to tell" if part.undecided else "")
        )
    telling = report.telling
    for pair in telling[:LISTED]:
        leak = "LEAK " if pair.crosses else ""
        say(
            f"  {leak}{pair.first} frame {pair.first_frame} - {pair.second} frame {pair.second_frame}: "
            f"{pair.bits} bits, detail {pair.similarity:.2f}"
        )
    if len(telling) > LISTED:
        say(f"  and {len(telling) - LISTED} more: --json FILE lists them")
    if alike := len(report.pairs) - len(telling):
        say(f"  {alike} pairs of one group (surface, drive, world) are alike by nature: --json FILE lists them, too")
    if arguments.json is not None:
        from engine.write.record import json_bytes

        write_report(arguments.json, [json_bytes(report)])
    if arguments.html is not None:
        write_report(arguments.html, [duplicates_page(report, everything)])
        say(f"look at {arguments.html}")
    return LEAK if report.leaks else 0
