"""What a comparison finds: one line each, with the figures that it is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["counts", "parameter", "taxonomy", "distribution", "file"]
LEVELS: tuple[Level, ...] = ("counts", "parameter", "taxonomy", "distribution", "file")  # in the order of the report


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in both datasets."""

    level: Level
    change: str  # added, removed, changed, renamed, ...
    subject: str  # a key, class, column, or role of files
    text: str  # what it was and is, for people
    weight: float = 0.0  # the largest first, inside its level
    facts: dict[str, Any] = field(default_factory=dict)  # the same for programs; plain data

    def __str__(self) -> str:
        return f"{self.level:<13}{self.subject}: {self.text}"

    def to_json(self) -> dict[str, Any]:
        """Return the plain-data form."""
        return {"change": self.change, "subject": self.subject, "text": self.text, **self.facts}


def sorted_by_weight(found: list[Difference]) -> list[Difference]:
    """Return differences, the most important first; of equal ones, by name."""
    return sorted(found, key=lambda one: (-one.weight, one.subject))
