"""`python -m engine.dataset COMMAND DIR`: look at datasets and check them. One module a command."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from engine.errors import UserError, WriteFailed

COMMANDS = (
    "assets",
    "duplicates",
    "export",
    "info",
    "ingest",
    "laws",
    "shift",
    "validate",
    "verify",
    "view",
    "world",
)  # modules of this package with HELP, add_arguments(parser) and run(arguments, say) -> int
PIPE_CLOSED = 128 + 13  # as a shell reports SIGPIPE


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m engine.dataset", description="Look at datasets and check them.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"engine.dataset.{name}")
        command = commands.add_parser(name, help=module.HELP, description=f"{module.HELP[0].upper()}{module.HELP[1:]}.")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen, say)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return code


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
