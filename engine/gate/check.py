"""What one check of the gate found, and the records that the gate leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = "gate/1"
REPORT, PAGE = "gate.json", "gate.html"
Verdict = Literal["admit", "hold", "reject"]
ADMIT: Verdict = "admit"
HOLD: Verdict = "hold"
REJECT: Verdict = "reject"
EXIT_CODES: dict[Verdict, int] = {ADMIT: 0, HOLD: 3, REJECT: 4}
DIGITS = 6

Passed = Literal["pass", "fail", "note", "skipped"]  # `note`: something to know that decides nothing


@dataclass(frozen=True)
class Check:
    """One check: a hard one that fails stops the batch."""

    gate: str  # G0 .. G6
    name: str
    verdict: Passed
    hard: bool
    words: str  # one sentence for people
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def stops(self) -> bool:
        """Whether nothing more is asked."""
        return self.hard and self.verdict == "fail"

    def to_json(self) -> dict[str, Any]:
        """Return plain data, numbers that are none as null."""
        return {
            "gate": self.gate, "name": self.name, "verdict": self.verdict, "hard": self.hard, "words": self.words,
            "facts": plain(self.facts),
        }  # fmt: skip


def plain(value: Any) -> Any:
    """Return plain data with rounded numbers; what is no number becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
