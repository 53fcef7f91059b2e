"""`python -m engine.dataset COMMAND DIR`: look at datasets and check them. One module a command."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from engine.errors import UserError, WriteFailed

COMMANDS = (
    "info",
    "verify",
    "view",
    "laws",
    "world",
    "ingest",
    "lock",
    "health",
    "balance",
    "coverage",
    "shift",
    "duplicates",
    "assets",
    "select",
    "merge",
    "refs",
    "diff",
    "taxonomy",
    "mix",
    "lineage",
    "card",
    "tamper-check",
    "export",
    "validate",
)  # in the order of docs/datasets.md; modules with HELP, add_arguments(parser) and run(arguments, say) -> int
COMPARED = frozenset({"against", "compare", "holdout", "real", "since"})  # options that name a dataset
PIPE_CLOSED = 128 + 13  # as a shell reports SIGPIPE


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.dataset",
        description="Look at datasets, take pictures in, check, compare, mix, trace and export them.",
    )
    parser.add_argument(
        "--store", type=Path, default=None, metavar="DIR",
        help="where name@version, which may stand for any dataset, is looked up (default: OMMATIDIA_STORE, or store/)",
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"engine.dataset.{name.replace('-', '_')}")
        command = commands.add_parser(name, help=module.HELP, description=f"{module.HELP[0].upper()}{module.HELP[1:]}.")
        module.add_arguments(command)
        command.set_defaults(run=module.run, named=named_datasets(command))
    chosen = parser.parse_args(arguments)
    try:
        resolve_names(chosen)
        code: int = chosen.run(chosen, say)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return code


def named_datasets(command: argparse.ArgumentParser) -> tuple[str, ...]:
    """Return the arguments of a command that are datasets: paths that are positional or to be compared with."""
    return tuple(
        action.dest for action in command._actions
        if action.type is Path and (not action.option_strings or action.dest in COMPARED)
    )  # fmt: skip


def resolve_names(arguments: argparse.Namespace) -> None:
    """Put the folders of datasets in place of every `name@version` that is no path.

    Raises:
        UserError: If a name or version is not known; see engine/collect/refs.py.
    """
    from engine.collect.refs import dataset_path

    for name in arguments.named:
        value = getattr(arguments, name)
        if isinstance(value, list):
            setattr(arguments, name, [dataset_path(each, arguments.store) for each in value])
        elif value is not None:
            setattr(arguments, name, dataset_path(value, arguments.store))


def say(line: str) -> None:
    """Print a line at once; whoever reads no more, such as `| head`, ends the program without a word.

    Raises:
        SystemExit: If standard output is a closed pipe. No OSError, which commands take for one of their files.
    """
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end
        raise SystemExit(PIPE_CLOSED) from None


if __name__ == "__main__":
    sys.exit(main())
