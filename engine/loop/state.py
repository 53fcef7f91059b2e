"""`state.json` of a loop: which stage made what is there, from which inputs, with which answer, in what time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import UserError
from engine.plain import from_plain
from engine.write.files import refusals_named
from engine.write.record import read_json
from engine.write.reports import write_json

SCHEMA = "loop-state/1"
STATE = "state.json"
LOCK = ".loop.lock"


@dataclass(frozen=True)
class Past:
    """What is known of a stage."""

    key: str  # of commands, inputs and program
    commands: tuple[str, ...]
    started: float  # seconds of the clock, when it began last
    answer: str = ""  # empty: it has not come to its end
    code: int | None = None  # of the last command
    starts: int = 1  # how often it was begun with this key
    wall_s: float = 0.0  # of all starts
    cpu_s: float = 0.0  # of processors, in those starts that came to their end


@dataclass(frozen=True)
class State:
    """Stages by name, in the order in which they began first."""

    stages: dict[str, Past] = field(default_factory=dict)
    schema: str = SCHEMA


def read_state(out: Path) -> State:
    """Return what an earlier run left; nothing, if there was none.

    Raises:
        UserError: If the file is of something else.
    """
    path = out / STATE
    if not path.is_file():
        return State()
    plain = read_json(path)
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        raise UserError(f"{path} is not of the schema {SCHEMA}; choose another --out, or remove it to begin anew")
    return from_plain(State, plain, path.name)


def write_state(out: Path, state: State) -> None:
    """Put the file in its place, whole."""
    from engine.plain import to_plain

    write_json(out / STATE, to_plain(state))


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other loops out of a folder until this one ends, however it ends.

    Raises:
        UserError: If another one works there.
        WriteFailed: If the disk refuses.
    """
    path = out / LOCK
    with refusals_named(path):
        out.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read().strip() or "unknown"
            raise UserError(
                f"another loop works in {out} (process {who}); wait for it, or choose another --out"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
