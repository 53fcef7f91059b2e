"""What the gate said of a dataset (docs/gate.md): lines of its ledger, for cards and drawings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.lineage.document import Block, Heading, Paragraph, Table
from engine.lineage.ledger import Entry, read_entries

VERDICTS = ("admit", "hold", "reject")  # events of the ledger
MOST = 20  # on a card, the latest


@dataclass(frozen=True)
class Judged:
    """One verdict."""

    verdict: str
    time: str
    hash: str  # of the line
    facts: Mapping[str, Any]

    @property
    def reasons(self) -> str:
        """Why, in one line."""
        return "; ".join(str(reason) for reason in self.facts.get("reasons", ()))


def verdicts(dataset: Path) -> list[Judged]:
    """Return the verdicts about a dataset, the latest last; none where its ledger cannot be read."""
    try:
        return [_judged(entry) for entry in read_entries(dataset) if entry.event in VERDICTS]
    except (ValueError, TypeError, OSError):
        return []  # tamper-check says so


def verdict_blocks(dataset: Path) -> list[Block]:
    """Return a section about them; nothing where there is none."""
    found = verdicts(dataset)
    if not found:
        return []
    rows = [
        (one.time[:19], one.verdict, str(one.facts.get("target", "")), _gain(one), one.reasons,
         str(one.facts.get("evidence", ""))[:12])
        for one in found[-MOST:]
    ]  # fmt: skip
    words = f"{len(found)} verdicts of engine.gate; the ledger has them with the hash of the report that each rests on."
    head = ("time", "verdict", "target", "gain", "why", "evidence")
    return [Heading("Admission to training"), Paragraph(words), Table(head, rows)]


def _judged(entry: Entry) -> Judged:
    return Judged(entry.event, entry.time, entry.hash, entry.facts)


def _gain(one: Judged) -> str:
    gains = one.facts.get("gains")
    own = gains.get(one.facts.get("target")) if isinstance(gains, dict) else None
    if not isinstance(own, dict) or any(own.get(key) is None for key in ("value", "low", "high")):
        return "not measured"
    figure = one.facts.get("figure", "")
    return f"{figure} {own['value']:+.3f} [{own['low']:+.3f}, {own['high']:+.3f}]"
