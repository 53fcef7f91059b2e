"""`python -m engine.budget tune CONFIG --out DIR -- COMMAND ...`: tune at most six parameters of a recipe."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.budget.objective import Objective, refuse_holdouts
from engine.budget.trials import TrialLog
from engine.budget.tune import Search, Tuned, plain_tuned, student, tune
from engine.budget.tuning import MOST_TRIALS, Tuning, read_tuning
from engine.errors import UserError
from engine.write.files import TEMPORARY, publish, remove_tree
from engine.write.record import json_bytes

RESULT = "tuned.json"
COMMAND_FROM = "--"


def run_tune(arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Tune and write what came out; return 0 where the winner is better than the untuned recipe, else 1."""
    given = list(arguments)
    at = given.index(COMMAND_FROM) if COMMAND_FROM in given else len(given)
    chosen, words = _parser().parse_args(given[:at]), tuple(given[at + 1 :])
    if not words:
        raise UserError('no command: end with `-- COMMAND ...`, whose last line is {"value": NUMBER}')
    if chosen.timeout_s is not None and not chosen.timeout_s > 0.0:
        raise UserError(f"--timeout-s must be above 0, got {chosen.timeout_s:g}")
    search = Search(chosen.trials, chosen.again, chosen.seed)
    tuning = read_tuning(chosen.config)
    refuse_holdouts(words)
    out = chosen.out.absolute()
    log = TrialLog(out, tuning, words, search.seed)
    try:
        tuned = tune(tuning, Objective(words, chosen.timeout_s), search, log, say)
    finally:
        log.close()
    try:
        publish(out, out / RESULT, [json_bytes(plain_tuned(tuning, tuned, search, words))])
    finally:
        remove_tree(out / TEMPORARY)
    for line in result_lines(tuning, tuned, search):
        say(line)
    return 0 if tuned.verdict(tuning.sign) == "better" else 1


def result_lines(tuning: Tuning, tuned: Tuned, search: Search) -> list[str]:
    """Return what came out, for people."""
    winner, baseline, gain = student(tuned.winner), student(tuned.baseline), tuned.gain
    assert tuned.best.value is not None
    return [
        f"best of {search.trials}: trial {tuned.best.trial} with {tuned.best.value:.4f}, as the search saw it",
        f"with {search.again} new seeds: {winner.value:.4f} [{winner.low:.4f}, {winner.high:.4f}]; the search "
        f"flattered it by {tuning.sign * (tuned.best.value - winner.value):+.4f}",
        f"untuned, same seeds: {baseline.value:.4f} [{baseline.low:.4f}, {baseline.high:.4f}]",
        f"gain: {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}], {tuned.verdict(tuning.sign)}; intervals: 90 %, "
        "over seeds alone",
        shlex.join(tuned.best.overrides),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine.budget tune",
        usage="%(prog)s CONFIG --out DIR [options] -- COMMAND [{overrides}] [{seed}] [{out}]",
        description="Tune at most six parameters of a recipe by a command that prints how good it is on validation.",
    )
    parser.add_argument("config", type=Path, help="YAML: parameters by name with low, high, log, integer; direction")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="of the log; the same one resumes")
    parser.add_argument("--trials", type=int, default=MOST_TRIALS, metavar="N", help="of the search (%(default)s)")
    parser.add_argument("--again", type=int, default=5, metavar="N", help="new seeds for the winner (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the search (%(default)s)")
    parser.add_argument("--timeout-s", type=float, metavar="S", help="for a run (default: none)")
    return parser
