"""What a check found: file, place, rule, value and what was expected; and plain values of strangers shown safely."""

from __future__ import annotations

import math
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from engine.plain import MAX_INTEGER
from engine.validate.rules import RULES, Severity

LONGEST_VALUE = 80  # characters of a value that are shown

_short = reprlib.Repr()  # of bounded depth: the repr of what JSON may nest overflows the stack
_short.maxlevel, _short.maxlist, _short.maxdict, _short.maxstring, _short.maxother = (
    4,
    8,
    8,
    LONGEST_VALUE,
    LONGEST_VALUE,
)


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    file: str  # relative to the folder that is checked
    where: str  # "annotation 3", "line 4"; empty: the file as a whole
    rule: str  # key of engine.validate.rules.RULES
    value: str  # what was found
    expected: str

    @property
    def severity(self) -> Severity:
        """Whether the data are wrong, or only odd."""
        return RULES[self.rule].severity

    def __str__(self) -> str:
        place = printable(f"{self.file}: {self.where}" if self.where else self.file)
        return f"{place}: {self.rule}: {printable(self.value)}; expected {printable(self.expected)}"


@dataclass
class Findings:
    """Findings of a whole check: all are counted, of each rule only the first few are kept."""

    kept_per_rule: int
    kept: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """Count findings and yield those that are kept."""
        for finding in found:
            self.counts[finding.rule] += 1
            if self.counts[finding.rule] <= self.kept_per_rule:
                self.kept.append(finding)
                yield finding

    def total(self, severity: Severity) -> int:
        """Return how many findings of a severity there are, kept or not."""
        return sum(count for rule, count in self.counts.items() if RULES[rule].severity is severity)


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a finite number that readers can hold."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def is_whole(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number that JSON keeps exactly: larger ones overflow in readers."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER


def are_numbers(value: Any, count: int) -> TypeGuard[list[float]]:
    """Return whether a value is a list of that many finite numbers."""
    return isinstance(value, list) and len(value) == count and all(map(is_number, value))


def shown(value: Any) -> str:
    """Return a value as short text, whatever it is."""
    try:
        text = _short.repr(value)
    except (ValueError, RecursionError):  # a whole number of more digits than Python prints
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def printable(text: str) -> str:
    """Return text on one line without control characters, whose names files of strangers may have."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
