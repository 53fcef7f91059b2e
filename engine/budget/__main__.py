"""`python -m engine.budget REPORT --worlds N` shares worlds out; `... tune CONFIG` tunes parameters of a recipe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.budget.allocate import Budget, allocate
from engine.budget.bandit import Normal
from engine.budget.history import read_history
from engine.budget.page import budget_page
from engine.budget.report import FILE, PAGE, SPEND, plain_budget, strangers, table_lines, verdict
from engine.budget.wanted import SHARES, read_needs
from engine.dataset.__main__ import say
from engine.errors import UserError, WriteFailed
from engine.write.files import TEMPORARY, publish, remove_tree
from engine.write.record import json_bytes
from engine.write.reports import check_place

TUNE = "tune"
PRIOR_MEAN, PRIOR_STD = 0.05, 0.05  # of a figure by a batch of the usual size: five points, or none, or ten


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == [TUNE]:
            from engine.budget.tune_command import run_tune

            return run_tune(given[1:], say)
        return run(_parser().parse_args(given), say)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def run(chosen: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Share the worlds out and write budget.json; return 0, or 1 where every slice is to be stopped."""
    out = (chosen.out or chosen.report).absolute()
    check_place(out / FILE)
    prior = Normal(*chosen.prior)
    budget = Budget(chosen.worlds, chosen.frames_per_world, prior, chosen.least_gain, chosen.left, chosen.seed)
    needs = read_needs(chosen.report, chosen.figure, chosen.target)
    history = read_history(chosen.history, chosen.figure)
    shares = allocate(needs, history, budget)
    plain = plain_budget(needs, budget, shares, history)
    try:
        publish(out, out / PAGE, [budget_page(plain)])
        publish(out, out / FILE, [json_bytes(plain)])
    finally:
        remove_tree(out / TEMPORARY)
    for line in table_lines(needs, budget, shares):
        say(line)
    for name in strangers(needs, history):
        say(f"history: '{name}' is no slice of this report; its batches count for nothing here")
    for line in plain["commands"]:
        say(line)
    return 0 if verdict(shares) == SPEND else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine.budget",
        description="Say how many worlds each slice of a report is worth. `tune CONFIG` tunes parameters of a recipe.",
    )
    parser.add_argument("report", type=Path, help="folder that engine.evaluate wrote")
    parser.add_argument("--worlds", type=int, required=True, metavar="N", help="to share out")
    parser.add_argument(
        "--history", type=Path, nargs="+", action="extend", default=[], metavar="GATE",
        help="gate.json files, or their folders: what batches of these slices gained",
    )  # fmt: skip
    parser.add_argument(
        "--target", type=float, metavar="SHARE", help="of every slice (default: the whole set's figure)"
    )
    parser.add_argument("--figure", choices=SHARES, default=SHARES[0], help="that gaps are measured in (%(default)s)")
    parser.add_argument("--frames-per-world", type=int, default=1, metavar="N", help="steps x cameras (%(default)s)")
    parser.add_argument(
        "--least-gain",
        type=float,
        metavar="GAIN",
        help="worth having, per 1,000 frames (default: 0.01 by a usual batch)",
    )
    parser.add_argument(
        "--left", type=int, metavar="N", help="worlds for this round and all later ones (default: open)"
    )
    parser.add_argument(
        "--prior", type=float, nargs=2, default=(PRIOR_MEAN, PRIOR_STD), metavar=("MEAN", "STD"),
        help="what a batch of the usual size gains for a slice that was never tried (0.05 0.05)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the draws (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: the report)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
