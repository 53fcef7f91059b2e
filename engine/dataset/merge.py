"""`python -m engine.dataset merge A B ... --out OUT`: shards of one recipe as one dataset, others as a mixture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.progress import Progress

HELP = "put datasets together: shards of one recipe as one run would have made them, others as a mixture"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("datasets", type=Path, nargs="+", help="folders that out= named, or name@version")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset to make")
    parser.add_argument("--name", default="", help="of a mixture (default: the name of the folder)")
    parser.add_argument(
        "--drop", action="append", default=[], metavar="TABLE.COLUMN",
        help="of a mixture: leave a column and its files out"
    )  # fmt: skip


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once the dataset is there."""
    from engine.collect.merge import merge
    from engine.collect.mixture import MixRequest
    from engine.dataset.contents import read_contents
    from engine.dataset.finalise import count_commits

    out: Path = arguments.out.absolute()
    folders = [folder.absolute() for folder in arguments.datasets]
    request = MixRequest(out, arguments.name or out.name, tuple(dict.fromkeys(arguments.drop)))
    with Progress() as progress:
        progress.begin(sum(count_commits(read_contents(folder)[0].commits).frames for folder in folders))
        merged = merge(folders, request, progress.update)
    counts, manifest = merged.manifest.counts, merged.manifest
    kind = "one dataset" if merged.is_joined else "mixture"
    for note in merged.notes:
        say(note)
    say(f"{manifest.dataset_id}: {kind}, {counts.frames} frames, {counts.instances} instances in {out}")
    return 0
