"""`python -m engine.dataset lock DIR --as NAME`: a test set that cannot change silently and whose reads are noted."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.collect.holdout import READ, check_lock, find_lock, lock, unlock
from engine.errors import UserError
from engine.formats.splits import NAME
from engine.lineage.ledger import read_entries

HELP = "lock a dataset as a holdout: every read is noted, a change is a new benchmark"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--as", dest="name", metavar="NAME", help="lock it under this name, such as holdout")
    what.add_argument("--unlock", action="store_true", help="unlock it; needs --why")
    what.add_argument("--show", action="store_true", help="check the lock and list the reads")
    parser.add_argument("--why", default="", metavar="TEXT", help="reason, for the ledger")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0, with --show 1 if it is not locked. Raises UserError where the lock does not hold."""
    dataset: Path = arguments.dataset.absolute()
    if not (dataset / "dataset.json").is_file():
        raise UserError(f"{dataset} is not a dataset of ours: it has no dataset.json")
    if arguments.show:
        return _show(dataset, say)
    if arguments.unlock:
        held = unlock(dataset, arguments.why)
        say(f"unlocked {held.benchmark_id}; what is locked next has another id if it differs")
        return 0
    if not NAME.fullmatch(arguments.name):
        raise UserError(f"--as {arguments.name}: a name has letters, digits, - and _, 64 at most")
    held = lock(dataset, arguments.name, arguments.why)
    say(f"{held.benchmark_id}: {held.dataset_id} is locked as {held.name}; keep the id where nobody can change it")
    return 0


def _show(dataset: Path, say: Callable[[str], None]) -> int:
    held = find_lock(dataset)
    if held is None:
        say("not locked")
        return 1
    check_lock(dataset, held)
    say(f"{held.benchmark_id}: {held.dataset_id} is locked as {held.name}, unchanged")
    for entry in read_entries(dataset):
        if entry.event == READ and entry.facts.get("benchmark") == held.benchmark_id:
            say(f"{entry.time} {entry.who}: {entry.facts.get('why') or entry.facts.get('command')}")
    return 0
