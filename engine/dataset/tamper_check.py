"""`python -m engine.dataset tamper-check DIR`: is it what it was? Chain of the ledger, manifest, content root."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError

HELP = "check the chain of the ledger, the manifest and the content root"
PLAINLY = (
    "evidence only if the last hash or the content root is kept elsewhere, where who writes here cannot write "
    "(a tag in git, a signed mail, paper): whoever can write all files here can make others that fit each other"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument("--head", metavar="HASH", default=None, help="hash of a line of the ledger, as it was kept")
    parser.add_argument("--root", metavar="HASH", default=None, help="content root, as it was kept")
    parser.add_argument("--deep", action="store_true", help="hash every file, not only bookkeeping and sizes")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if nothing contradicts, 1 if something does, 2 if it is no dataset."""
    from engine.lineage.ledger import LEDGER
    from engine.lineage.tamper import check_dataset, check_head, read_chain
    from engine.write.begin import HEADER

    out: Path = arguments.dataset.absolute()
    if not (out / HEADER).is_file():
        raise UserError(f"{out} is not a dataset: it has no {HEADER}")
    for option, value in (("--head", arguments.head), ("--root", arguments.root)):
        if value is not None and not re.fullmatch("[0-9a-f]{64}", value):
            raise UserError(f"{option} {value[:80]}: a hash has 64 hex digits, 0-9 and a-f")
    path = out / LEDGER
    chain = read_chain(path.read_bytes() if path.is_file() else b"")
    manifest, contradictions = check_dataset(out, chain, deep=arguments.deep)
    faults = [*chain.faults, *contradictions]
    if arguments.head is not None:
        fault, what = check_head(chain, arguments.head)
        if fault:
            faults.append(fault)
        else:
            say(what)
    if arguments.root is not None and manifest is not None and manifest.content_root != arguments.root:
        faults.append(f"content_root is {manifest.content_root[:12]}, the kept one is {arguments.root[:12]}")
    for fault in faults:
        say(f"FAULT {fault}")
    say(f"ledger        {len(chain.lines)} lines" + ("" if path.is_file() else f" (there is no {LEDGER})"))
    say(f"last hash     {chain.head}")
    if manifest is not None:
        how = "every file hashed" if arguments.deep else "from checksums and sizes; --deep hashes every file"
        say(f"content root  {manifest.content_root} ({how})")
    if arguments.head is None and arguments.root is None:
        say(f"note          {PLAINLY}")
    say(f"{len(faults)} faults" if faults else "ok: nothing contradicts")
    return 1 if faults else 0
