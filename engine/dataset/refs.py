"""`python -m engine.dataset refs add|list|resolve`: names and versions of datasets, `tiles@v2`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError

HELP = "give datasets names and versions, and find them by those"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="add|list|resolve")
    add = actions.add_parser("add", help="give a dataset a version, which becomes the latest")
    add.add_argument("name", help="of the dataset")
    add.add_argument("dataset", type=Path, help="the folder that out= named")
    add.add_argument("--as", dest="version", default=None, help="version (default: the next of v1, v2, ...)")
    every = actions.add_parser("list", help="say all versions of all datasets")
    resolve = actions.add_parser("resolve", help="say where a dataset lies")
    resolve.add_argument("ref", help="name@version; without a version the latest")
    for action in (add, every, resolve):
        action.add_argument(
            "--store", type=Path, default=argparse.SUPPRESS, metavar="DIR", help="OMMATIDIA_STORE, or store/"
        )
    every.add_argument("--json", action="store_true", help="as JSON, refs/1")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0, or 1 if a listed dataset is not where it was."""
    from engine.collect.refs import add_ref, list_refs, resolve_ref, store_at

    store = store_at(arguments.store)
    if arguments.action == "add":
        ref = add_ref(store, arguments.name, arguments.dataset, arguments.version)
        say(f"{ref} is {ref.dataset_id} in {ref.place}")
        return 0
    if arguments.action == "resolve":
        say(str(resolve_ref(store, arguments.ref).place))
        return 0
    rows = []
    for ref in list_refs(store):
        try:
            is_there = bool(resolve_ref(store, str(ref)))
        except UserError:
            is_there = False
        rows.append((ref, is_there))
    if arguments.json:
        plain = [
            {"name": ref.name, "version": ref.version, "dataset_id": ref.dataset_id, "place": str(ref.place),
             "latest": ref.is_latest, "there": is_there}
            for ref, is_there in rows
        ]  # fmt: skip
        say(json.dumps({"schema": "refs/1", "store": str(store), "refs": plain}, indent=1))
    else:
        for ref, is_there in rows:
            marks = ("  latest" if ref.is_latest else "") + ("" if is_there else "  NOT THERE")
            say(f"{ref!s:<24}{ref.dataset_id}  {ref.place}{marks}")
        if not rows:
            say(f"the store {store} has no datasets; `refs add NAME DIR` gives one a name")
    return 0 if all(is_there for _, is_there in rows) else 1
