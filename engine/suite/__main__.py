"""`python -m engine.suite COMMAND`: make named suites, check what they show, pin them and hold models to them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine import signals
from engine.dataset.__main__ import say
from engine.errors import Stopped, UserError, WorkersFailed, WriteFailed
from engine.suite.check import Checked, check_suite
from engine.suite.commands import add_commands
from engine.suite.config import read_suite, suite_names

FAILED = 1  # a suite does not show what it says


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.suite",
        description="Make named suites, check on the ground truth what they show, and hold models to them.",
    )
    parser.add_argument("--config-dir", type=Path, default=None, help="folder of your own with suite/NAME.yaml")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listed = commands.add_parser("list", help="show the suites")
    listed.set_defaults(run=_list)
    made = commands.add_parser("make", help="render a suite and check it")
    made.add_argument("name")
    made.add_argument("overrides", nargs="*", help="further overrides of engine.run, such as count=64 out=DIR")
    made.add_argument(
        "--pure",
        type=int,
        default=None,
        metavar="N",
        help="make N worlds all of whose frames satisfy it: look for them",
    )
    made.add_argument(
        "--most", type=int, default=None, metavar="M", help="worlds that --pure tries (20 N, at least 256)"
    )
    made.set_defaults(run=_make)
    checked = commands.add_parser("check", help="check a dataset against a suite")
    checked.add_argument("name")
    checked.add_argument("dataset", type=Path)
    checked.add_argument("--json", action="store_true", help="say it as JSON")
    checked.set_defaults(run=_check)
    add_commands(commands)
    chosen, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(chosen, "overrides") or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:  # overrides that come after an option
        chosen.overrides = [*chosen.overrides, *rest]
    try:
        code: int = chosen.run(chosen, say)
    except (UserError, WriteFailed, Stopped, WorkersFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return code


def _list(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    for name in suite_names(arguments.config_dir):
        suite = read_suite(name, arguments.config_dir)
        say(f"{name}: {suite.about}")
        say(f"    where {suite.where}")
    return 0


def _make(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    from engine.config import compose
    from engine.recipe import default_out
    from engine.resume import complete_dataset
    from engine.run import run
    from engine.suite.pure import most_worlds, scout

    if arguments.most is not None and arguments.pure is None:
        raise UserError("--most is of --pure N; give both")
    suite, folder = read_suite(arguments.name, arguments.config_dir), arguments.config_dir
    command = (*suite.run, f"count={suite.count}", f"out=out/suite-{arguments.name}", *arguments.overrides)
    recipe, job = compose(*command, config_dir=folder)
    if arguments.pure is not None:
        most = most_worlds(arguments.pure) if arguments.most is None else arguments.most
        worlds = scout(arguments.name, suite, (recipe, job), arguments.pure, most, say)
        command = (*command, f"worlds=[{','.join(map(str, worlds))}]")
        say(command[-1])
        suite, (recipe, job) = replace(suite, share=1.0), compose(*command, config_dir=folder)
    run(recipe, job, command=command, config_folders=() if folder is None else (folder,))
    if job.workers > 1 and complete_dataset(recipe, job) is None:
        say("other workers still make their part; check it when all is there")
        return 0
    out = job.out or default_out(recipe)
    code = _tell(check_suite(arguments.name, suite, out), say)
    if not code:
        say(f"hold models to it: python -m engine.suite pin {arguments.name} {out}")
    return code


def _check(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    checked = check_suite(arguments.name, read_suite(arguments.name, arguments.config_dir), arguments.dataset)
    if arguments.json:
        say(json.dumps(vars(checked) | {"share": checked.share, "holds": checked.holds}))
        return 0 if checked.holds else FAILED
    return _tell(checked, say)


def _tell(checked: Checked, say: Callable[[str], None]) -> int:
    say(str(checked))
    return 0 if checked.holds else FAILED


if __name__ == "__main__":
    signals.install()
    sys.exit(main())
