"""`python -m engine.propose REPORT`: the next recipe, from what a model got wrong."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.collect.refs import dataset_path
from engine.dataset.__main__ import say
from engine.dataset.manifest import read_manifest
from engine.errors import UserError, WriteFailed
from engine.evaluate.stored import read_report
from engine.propose.from_real import propose_from_real
from engine.propose.learn import require_sklearn
from engine.propose.overlay import Command, command_of, recorded
from engine.propose.preflight import Render, render_by_command
from engine.propose.propose import Goal, Outcome, Settings, propose
from engine.propose.reach import Reached
from engine.propose.report import PROPOSAL, lines_of, plain_proposal
from engine.propose.rows import Known, read_known
from engine.propose.targets import (
    Failures,
    Target,
    candidates,
    choose_targets,
    read_failures,
    shown_by_slice,
)
from engine.write.begin import MANIFEST
from engine.write.files import TEMPORARY, publish, remove_tree

PREFLIGHT = 200
NOT_PROPOSED = 1
DISCOVERED = "discovered.yaml"
INTERRUPTED = 130  # 128 + SIGINT, as shells count
PAGE = "proposal.html"
OPTIONS: dict[str, dict[str, Any]] = {
    "slices": {"type": Path, "metavar": "FILE", "help": "slices to choose from (default: those of the report)"},
    "slice": {
        "action": "append", "default": [], "metavar": "NAME",
        "help": "target this one; may be repeated (default: all that are worse than the whole)",
    },
    "using": {
        "type": Path, "metavar": "SYNTHETIC",
        "help": "rendered dataset whose recipe is to be changed (default: that of the report)",
    },
    "low-confidence": {"type": float, "metavar": "S", "help": "found with less counts as a failure, too"},
    "dataset": {"type": Path, "metavar": "DIR", "help": "where the dataset of the report lies now"},
    "preflight": {
        "type": int, "default": PREFLIGHT, "metavar": "N",
        "help": "worlds that are made to see what the laws make; 0: none (%(default)s)",
    },
    "run": {"metavar": "LINE", "help": "overrides of engine.run that made SYNTHETIC, where it does not say"},
    "config-dir": {
        "type": Path, "action": "append", "default": [], "metavar": "DIR",
        "help": "configuration folder that it was made with; may be repeated",
    },
    "seed": {"type": int, "default": 0, "help": "of folds and intervals (%(default)s)"},
    "out": {"type": Path, "metavar": "DIR", "help": "folder to write (default: <report>-proposal)"},
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.propose", description="Write the next recipe, from what a model got wrong."
    )
    parser.add_argument("report", type=Path, help="folder that engine.evaluate wrote")
    for name, words in OPTIONS.items():
        parser.add_argument(f"--{name}", **words)
    chosen = parser.parse_args(arguments)
    try:
        return run(chosen, say, render_by_command)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing is proposed, the same command begins again\n")
        return INTERRUPTED


def run(arguments: argparse.Namespace, say: Callable[[str], None], render: Render) -> int:
    """Write the proposal; return 0 if there is one.

    Raises:
        UserError: If report, slices or dataset do not fit.
    """
    require_sklearn()
    if arguments.preflight < 0 or arguments.seed < 0:
        raise UserError("--preflight and --seed must be 0 or more")
    if arguments.slices is not None and not arguments.slices.is_file():
        confirmed = "; python -m engine.discover writes it where a slice is confirmed"
        where = confirmed if arguments.slices.name == DISCOVERED else ""
        raise UserError(f"--slices: there is no {arguments.slices}{where}")
    given = None if arguments.dataset is None else dataset_path(arguments.dataset)
    report = read_report(arguments.report, given)
    using = report.dataset if arguments.using is None else dataset_path(arguments.using).absolute()
    out = (arguments.out or arguments.report.with_name(f"{arguments.report.name}-proposal")).absolute()
    for dataset in (report.dataset, using):
        if out.resolve().is_relative_to(dataset.resolve()):
            raise UserError(f"--out {out} is in the dataset {dataset}; proposals go beside it")
    known = read_known(using)
    failures = read_failures(report, arguments.low_confidence)
    slices = candidates(report, arguments.slices)
    targets, passed_over = choose_targets(slices, arguments.slice, failures, arguments.seed)
    command = _command(arguments, known)
    settings = Settings(arguments.preflight, arguments.seed, out, report.sha256, command, render, say)
    is_same = read_manifest(report.dataset / MANIFEST).dataset_id == known.manifest.dataset_id
    made: list[tuple[Target, Outcome, Reached | None]] = []
    for target in targets:
        if is_same:
            made.append((target, propose(known, _goal(target, failures, known), settings), None))
        else:
            made.append((target, *propose_from_real(known, target, failures, settings)))
    proposal = plain_proposal(report, known, settings, made, passed_over)
    for line in lines_of(proposal):
        say(line)
    if not targets:
        say("no slice of the report is worse than the whole by its interval; name one with --slice")
    _write(out, proposal, made)
    say(f"written to {out}")
    return 0 if any(outcome.verdict == "proposed" for _, outcome, _ in made) else NOT_PROPOSED


def _command(arguments: argparse.Namespace, known: Known) -> Command:
    if arguments.run is None:
        return command_of(recorded(known.manifest.job.overrides), arguments.config_dir)
    try:
        return command_of(shlex.split(arguments.run), arguments.config_dir)
    except ValueError as error:
        raise UserError(f"--run {arguments.run}: {error}; quote words as in a shell") from error


def _goal(target: Target, failures: Failures, known: Known) -> Goal:
    """Return what new data should show, where the report is about the rendered dataset itself."""
    why = f"{target.failing} of {target.instances} instances fail in {target.name}, {target.groups} groups"
    if target.own is None:
        wanted = failures.failing & failures.counted
        images = np.zeros(len(known.truth.frame_id), np.bool_)
        images[failures.image[wanted]] = True
        return Goal(target.name, why, "instances", None, wanted, images)
    predicate = shown_by_slice(target.name, target.own)
    instances, images = predicate(known.dataset, known.truth)
    return Goal(target.name, why, target.of, predicate, instances if target.of == "instances" else images, images)


def _write(out: Path, proposal: dict, made: list[tuple[Target, Outcome, Reached | None]]) -> None:  # type: ignore[type-arg]
    from engine.propose.page import write_proposal_page

    try:
        publish(out, out / PAGE, write_proposal_page(proposal))
        publish(out, out / PROPOSAL, [(json.dumps(proposal, indent=1) + "\n").encode()])
    finally:
        remove_tree(out / TEMPORARY)


if __name__ == "__main__":
    sys.exit(main())
