"""`history.jsonl` of a suite: every pin, blessing, run and bridge, each line with the hash of the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from engine.errors import UserError
from engine.lineage.ledger import Entry, append_to, read_lines
from engine.lineage.tamper import read_chain
from engine.suite.pinned import HISTORY, Place

PIN, BLESS, RUN, BRIDGE = "suite.pin", "suite.bless", "suite.run", "suite.bridge"


def note(place: Place, event: str, facts: dict[str, Any]) -> Entry:
    """Add a line to the history of a suite.

    Raises:
        UserError: If the last line is damaged.
        WriteFailed: If the disk refuses.
    """
    return append_to(place.home / HISTORY, place.home, event, {"suite": str(place), **facts})


def read_history(place: Place) -> Iterator[Entry]:
    """Yield the lines of all versions of a suite.

    Raises:
        UserError: If one cannot be read.
    """
    path = place.home / HISTORY
    try:
        yield from read_lines(path)
    except (ValueError, TypeError, KeyError, json.JSONDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}; it was changed or cut short") from error


def history_faults(place: Place) -> list[str]:
    """Return a sentence for each line that was changed, moved, added or dropped."""
    path = place.home / HISTORY
    chain = read_chain(path.read_bytes() if path.is_file() else b"")
    return [f"{path}{fault[fault.index(' line ') :]}" for fault in chain.faults]
