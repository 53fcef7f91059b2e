"""`log/ledger.jsonl`: decisions about a dataset, one JSON object a line, each with the hash of the line before it.

A line that is changed, dropped or moved breaks the chain from there on. Whoever can write the file can also make a
whole new chain: it is evidence only together with a copy of the last hash that is kept elsewhere. It is outside of
every hash of the dataset, as all of log/ is.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import rfc8785

from engine.errors import UserError
from engine.write.begin import LOG
from engine.write.events import log_event
from engine.write.files import make_folder, refusals_named

LEDGER = f"{LOG}/ledger.jsonl"
TAIL_BYTES = 65_536  # of the file that are read to find its last line; more where that is longer
GENESIS = "0" * 64  # what the first line names as the one before it


@dataclass(frozen=True)
class Entry:
    """A line: when, who, what, and its place in the chain."""

    time: str  # UTC, ISO 8601
    who: str  # login name of the process
    event: str
    facts: dict[str, Any]
    previous: str  # hash of the line before
    hash: str


def append(out: Path, event: str, **facts: Any) -> Entry:
    """Add a line, durably; several processes take turns.

    Args:
        out: The dataset folder.
        event: What happened: holdout.lock, holdout.read, admit, ...
        facts: Plain data about it.
    Raises:
        UserError: If the last line is damaged, so that nothing can follow it.
        WriteFailed: If the disk refuses.
    """
    return append_to(out / LEDGER, out, event, facts)


def append_to(path: Path, out: Path, event: str, facts: dict[str, Any]) -> Entry:
    """Add a line to a file of such lines that is kept elsewhere below `out`; see `append`."""
    with refusals_named(path):
        make_folder(path.parent, out=out)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            previous = _last_hash(path, _last_line(file))
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            plain: dict[str, Any] = {"time": now, "who": _login(), "event": event, "facts": facts, "previous": previous}
            entry = Entry(**plain, hash=entry_hash(plain))
            file.write(rfc8785.dumps({**plain, "hash": entry.hash}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    return entry


def note(out: Path, event: str, **facts: Any) -> None:
    """Add a line; where the ledger is damaged, only the log says so: what happened is no less done.

    Raises:
        WriteFailed: If the disk refuses.
    """
    try:
        append(out, event, **facts)
    except UserError as error:
        log_event(out, "unnoted", what=event, why=str(error))


def read_entries(out: Path) -> Iterator[Entry]:
    """Yield the lines as they are, without a look at the chain; nothing where there is no ledger."""
    yield from read_lines(out / LEDGER)


def read_lines(path: Path) -> Iterator[Entry]:
    """Yield the lines of one file of them."""
    if path.is_file():
        for line in path.read_bytes().splitlines():
            yield Entry(**json.loads(line))


def entry_hash(plain: dict[str, Any]) -> str:
    """Return the sha256 of the canonical JSON (RFC 8785) of a line without its own hash."""
    return hashlib.sha256(rfc8785.dumps({name: value for name, value in plain.items() if name != "hash"})).hexdigest()


def _last_line(file: BinaryIO) -> bytes:
    """Return the last line with its end, however long the file is; nothing if there is none."""
    size = file.seek(0, os.SEEK_END)
    tail = b""
    while len(tail) < size and b"\n" not in tail[:-1]:
        start = max(size - len(tail) - TAIL_BYTES, 0)
        file.seek(start)
        tail = file.read(size - start)
    return tail[tail[:-1].rfind(b"\n") + 1 :]


def _last_hash(path: Path, line: bytes) -> str:
    """Return the hash that the next line names as the one before it."""
    if not line:
        return GENESIS
    try:
        last = json.loads(line)["hash"]
        if not line.endswith(b"\n") or not isinstance(last, str):
            raise ValueError("it is cut short")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: the last line is damaged ({error}); see engine.dataset tamper-check") from error
    return last


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in containers
        return f"uid {os.getuid()}"
