"""`python -m engine.discover REPORT`: weak slices that nobody named, found on one half, confirmed on the other."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from engine.collect.refs import dataset_path
from engine.dataset.__main__ import say
from engine.discover.discover import discover
from engine.discover.page import write_discovery_page
from engine.discover.report import JSON, PAGE, SLICES, lines_of, plain_discovery, slices_yaml
from engine.discover.rows import KINDS, Options, read_rows
from engine.errors import UserError, WriteFailed
from engine.evaluate.stored import read_report
from engine.write.files import TEMPORARY, publish, remove_tree, unpublish


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    own = Options()
    parser = argparse.ArgumentParser(
        prog="python -m engine.discover", description="Find slices where a model fails more, which nobody named."
    )
    parser.add_argument("report", type=Path, help="folder that python -m engine.evaluate wrote")
    parser.add_argument("--of", choices=KINDS, default=own.of, help="what fails (%(default)s)")
    parser.add_argument("--most", type=int, default=own.most, metavar="N", help="conjuncts, 1 to 3 (%(default)s)")
    parser.add_argument(
        "--support", type=int, default=own.support, metavar="N", help="groups of the discovery half (%(default)s)"
    )
    parser.add_argument("--rate", type=float, default=own.rate, help="of false discoveries that go on (%(default)s)")
    parser.add_argument("--columns", nargs="+", default=[], metavar="NAME", help="search these alone; * is any text")
    parser.add_argument("--below", type=float, metavar="S", help="low_confidence: scores that are low, and S itself")
    parser.add_argument("--dataset", type=Path, metavar="DIR", help="where the dataset lies, if it was moved")
    parser.add_argument("--seed", type=int, default=own.seed, help="of the halves (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: the report's)")
    chosen = parser.parse_args(arguments)
    try:
        return run(chosen)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def run(arguments: argparse.Namespace) -> int:
    """Search and write what was found; return 0 once it is there, also where nothing was found."""
    options = Options(
        arguments.of, arguments.most, arguments.support, arguments.rate, tuple(arguments.columns), arguments.seed,
        arguments.below,
    )  # fmt: skip
    dataset = None if arguments.dataset is None else dataset_path(arguments.dataset)
    report = read_report(arguments.report, dataset)
    out: Path = (arguments.out or arguments.report).absolute()
    if out.resolve().is_relative_to(report.dataset.resolve()):
        raise UserError(f"--out {out} is in the dataset; what is found goes beside it")
    found = discover(read_rows(report, options), options)
    plain = plain_discovery(found, options, report)
    try:
        publish(out, out / PAGE, write_discovery_page(plain))
        if found.confirmed:
            publish(out, out / SLICES, [slices_yaml(found, options, report).encode()])
        else:
            unpublish(out / SLICES)  # an earlier search's
        publish(out, out / JSON, [(json.dumps(plain, indent=1) + "\n").encode()])
    finally:
        remove_tree(out / TEMPORARY)
    for line in lines_of(found, options):
        say(line)
    say(f"written to {out}" if found.confirmed else f"no slice is confirmed; what was searched is in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
