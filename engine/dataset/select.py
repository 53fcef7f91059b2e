"""`python -m engine.dataset select DIR --where SQL --out OUT`: the frames that satisfy a condition, as a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.progress import Progress

HELP = "make a dataset of the frames that satisfy a condition, without copying files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named, or name@version")
    parser.add_argument("--where", required=True, metavar="SQL", help="condition over the frame f and its world w")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset to make")
    parser.add_argument("--name", default="", help="what it is called (default: the name of the folder)")
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="draw N of the frames (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of that draw (default: %(default)s)")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once the dataset is there."""
    from engine.collect.select import SelectRequest, select
    from engine.dataset.contents import read_contents
    from engine.dataset.finalise import count_commits

    out: Path = arguments.out.absolute()
    source: Path = arguments.dataset.absolute()
    request = SelectRequest(
        source, out, arguments.where, arguments.name or out.name, arguments.limit, arguments.seed
    )  # fmt: skip
    there = count_commits(read_contents(source)[0].commits)
    with Progress() as progress:
        progress.begin(there.frames)
        manifest = select(request, progress.update)
    counts = manifest.counts
    say(f"{manifest.dataset_id}: {counts.frames} of {there.frames} frames, {counts.instances} instances in {out}")
    return 0
