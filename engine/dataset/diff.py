"""`python -m engine.dataset diff A B`: what is different between two datasets, one line each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

HELP = "say what is different between two datasets: parameters, taxonomy, distributions, files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the earlier one, or name@version")
    parser.add_argument("other", type=Path, help="the later one, or name@version")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="also write the report as diff/1")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if the datasets are equal, 1 if they differ."""
    from engine.compare.diff import diff
    from engine.write.reports import check_place, write_json

    if arguments.json is not None:
        check_place(arguments.json)
    found = diff(arguments.dataset, arguments.other)
    if arguments.json is not None:
        write_json(arguments.json, found.to_json())
    for line in found.lines():
        say(line)
    return 0 if found.is_equal else 1
