"""`python -m engine.dataset diff A B`: what is different between two datasets, one line each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError

HELP = "say what is different between two datasets: parameters, taxonomy, distributions, files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the earlier one, or name@version")
    parser.add_argument("other", type=Path, help="the later one, or name@version")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="also write the report as diff/1")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if the datasets are equal, 1 if they differ."""
    from engine.compare.diff import diff
    from engine.write.files import refusals_named

    found = diff(arguments.dataset, arguments.other)
    if arguments.json is not None:
        target: Path = arguments.json.absolute()
        if not target.parent.is_dir():
            raise UserError(f"--json {target}: there is no folder {target.parent}")
        with refusals_named(target):
            beside = target.with_name(f".{target.name}.tmp")
            beside.write_text(json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            beside.rename(target)
    for line in found.lines():
        say(line)
    return 0 if found.is_equal else 1
