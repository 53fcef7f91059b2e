"""`python -m engine.dataset mix PLAN`: what an epoch of a mix is made of, and the epoch itself as a stream."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.progress import Progress

PIPE_CLOSED = 128 + 13  # as a shell reports SIGPIPE
HELP = "mix datasets for training: the realised proportions of epochs, or an epoch as a stream"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("plan", type=Path, help="mix.yaml: sources, shares, weights")
    parser.add_argument("--epoch", type=int, default=0, help="the first to show, or the one to write (default: 0)")
    parser.add_argument("--epochs", type=int, default=1, help="how many to show (default: 1)")
    parser.add_argument("--rank", type=int, default=0, help="of a process (default: 0)")
    parser.add_argument("--ranks", type=int, default=1, help="processes that share an epoch (default: 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object an epoch")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--tar", metavar="FILE", help="write the epoch as one WebDataset stream; - is standard output")
    target.add_argument("--out", type=Path, metavar="DIR", help="write the epoch as the folder of a format")
    parser.add_argument("--format", default="huggingface", metavar="NAME", help="of --out (default: %(default)s)")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the format")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once everything is said or written."""
    from engine.dataset.export import parse_options
    from engine.mix.mixed import Mixed
    from engine.mix.plan import read_plan
    from engine.mix.stream import export_epoch, write_tar

    if arguments.epoch < 0 or arguments.epochs < 1:
        raise UserError("--epoch counts from 0 and --epochs from 1")
    if not 0 <= arguments.rank < arguments.ranks:
        raise UserError(f"--rank {arguments.rank}: must be below --ranks {arguments.ranks} and not negative")
    mixed = Mixed(read_plan(arguments.plan))
    draws = mixed.epoch(arguments.epoch).of_rank(arguments.rank, arguments.ranks)
    with Progress() as progress:
        if arguments.out is not None:
            options = parse_options(arguments.option)
            out: Path = arguments.out.absolute()
            export_epoch(mixed, draws, arguments.format, out, options=options, clock=progress)
        elif arguments.tar is not None:
            progress.begin(len(draws.frame))
            if arguments.tar == "-":
                return _to_pipe(lambda file: write_tar(mixed, draws, file, progress.update))
            _write_file(Path(arguments.tar), lambda file: write_tar(mixed, draws, file, progress.update))
    for epoch in range(arguments.epoch, arguments.epoch + arguments.epochs):
        own = mixed.epoch(epoch).of_rank(arguments.rank, arguments.ranks)
        said = {"epoch": epoch, "rank": arguments.rank, "ranks": arguments.ranks, **mixed.proportions(own)}
        say(json.dumps(said) if arguments.json else _line(said))
    return 0


def _to_pipe(write: Callable[[Any], None]) -> int:
    """Write to standard output; whoever reads no more ends the stream without a word."""
    try:
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end
        return PIPE_CLOSED
    return 0


def _write_file(path: Path, write: Callable[..., None]) -> None:
    """Write a file beside its place and rename it, so that a stream that was broken off does not look whole."""
    from engine.write.files import refusals_named

    temporary = path.with_name(f"{path.name}.part")
    with refusals_named(path):
        try:
            with temporary.open("wb") as file:
                write(file)
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)


def _line(said: dict[str, object]) -> str:
    parts = [f"epoch {said['epoch']}: {said['frames']} frames, {said['distinct']} distinct, {said['real']} real"]
    for what in ("sources", "classes", "slices"):
        counts = said[what]
        assert isinstance(counts, dict)
        if counts:
            parts.append(", ".join(f"{name} {count}" for name, count in counts.items()))
    return "; ".join(parts)
