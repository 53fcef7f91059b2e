"""What `health` finds: checks with a value, what it may be, and the frames that are to blame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.health.limits import Bound

Verdict = Literal["ok", "broken", "no limit", "not measured"]
Unit = Literal["share", "number"]
MOST_OFFENDERS = 12


@dataclass(frozen=True)
class Offender:
    """A frame that is to blame."""

    frame_id: int
    path: str  # of its picture in the dataset; "frame 7" without one
    what: str


@dataclass(frozen=True)
class Check:
    """One property of a dataset."""

    name: str
    about: str  # what the value is
    unit: Unit
    value: float | None  # None: not measured
    bound: Bound
    verdict: Verdict
    count: int = 0  # of those that are at fault, of a share
    of: int = 0
    note: str = ""
    offenders: tuple[Offender, ...] = ()  # the worst ones first, one of a frame

    @property
    def value_text(self) -> str:
        """The value for people."""
        if self.value is None:
            return ""
        return f"{self.value:.2%}" if self.unit == "share" else f"{self.value:.4g}"

    @property
    def bound_text(self) -> str:
        """What the value may be, for people."""
        ends = ((">=", self.bound.least), ("<=", self.bound.most))
        form = "{:g} %" if self.unit == "share" else "{:g}"
        scale = 100.0 if self.unit == "share" else 1.0
        return " and ".join(f"{sign} {form.format(scale * end)}" for sign, end in ends if end is not None) or "none"


@dataclass(frozen=True)
class Classes:
    """Counts of labels by class, and in how many frames classes are together."""

    instances: Mapping[str, int]
    frames: Mapping[str, int]
    keys: tuple[str, ...]  # of the matrix: most frequent first, without stuff
    together: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class HealthReport:
    """All checks of a dataset."""

    name: str
    dataset_id: str
    frames: int
    instances: int
    checks: tuple[Check, ...]
    classes: Classes
    sizes: Mapping[str, int] = field(default_factory=dict)  # "640x480" -> frames
    spreads: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # column -> quantile -> value

    @property
    def broken(self) -> tuple[Check, ...]:
        """Checks that break their limit."""
        return tuple(check for check in self.checks if check.verdict == "broken")


def judged(name: str, about: str, unit: Unit, value: float | None, bound: Bound, **more: object) -> Check:
    """Return a check with its verdict."""
    verdict: Verdict = "broken"
    if value is None:
        verdict = "not measured"
    elif bound == Bound():
        verdict = "no limit"
    elif bound.holds(value):
        verdict = "ok"
    return Check(name, about, unit, value, bound, verdict, **more)  # type: ignore[arg-type]
