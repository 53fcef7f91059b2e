"""When a slice gets no more worlds. Rules are tried in order; the first that holds is the reason.

Source of giving up what can no longer succeed: Lan, Simon and Halperin, Stochastically curtailed tests in long-term
clinical trials, Sequential Analysis 1, 1982.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.budget.history import FRAMES, Gain
from engine.evaluate.evaluate import Figure

LEAST_BATCHES = 2  # before a slice is given up for what it gained
MOST_HOLDS = 2  # the gate may say "measure again" so often
WORTHWHILE_PART = 0.5  # of the gap, which what is left must be able to close


class State(StrEnum):
    """What becomes of a slice."""

    CLOSED = "closed"  # at the target
    HELD = "held"  # the gate cannot tell
    NO_GAIN = "no_gain"  # at best less than the least worthwhile gain
    OUT_OF_REACH = "out_of_reach"  # at best too little for what is left
    EXPLORES = "explores"  # nobody knows its gap
    OPEN = "open"

    @property
    def is_open(self) -> bool:
        """Whether it gets worlds."""
        return self in (State.OPEN, State.EXPLORES)


@dataclass(frozen=True)
class Standing:
    """What is known of a slice when the rules are asked."""

    figure: Figure | None
    target: float
    gain: Gain | None  # pooled, per 1,000 frames
    batches: int  # with a measured gain
    holds: int  # in a row, up to now


@dataclass(frozen=True)
class StopRule:
    """What is left to spend, and what is worth it."""

    frames_left: int | None  # None: nobody knows, and a gap is never out of reach
    least_gain: float  # per 1,000 frames

    def state(self, slice_: Standing) -> tuple[State, str]:
        """Return what becomes of a slice, and why."""
        figure, gain = slice_.figure, slice_.gain
        if figure is not None and figure.low >= slice_.target:
            return State.CLOSED, f"the lower bound {figure.low:.3f} is at the target {slice_.target:.3f}"
        if slice_.holds >= MOST_HOLDS:
            return State.HELD, f"the gate said hold {slice_.holds} times in a row; another recipe, or a person, decides"
        if gain is not None and slice_.batches >= LEAST_BATCHES:
            best = f"at best {gain.high:+.3f} per 1,000 frames after {slice_.batches} batches"
            if gain.high <= self.least_gain:
                return State.NO_GAIN, f"{best}, not above the least worthwhile {self.least_gain:.3g}"
            if figure is not None and self.frames_left is not None:
                gap, most = slice_.target - figure.value, gain.high * self.frames_left / FRAMES
                if most < WORTHWHILE_PART * gap:
                    return State.OUT_OF_REACH, (
                        f"{best}: {self.frames_left} frames close at most {most:.3f}, not half of the gap {gap:.3f}"
                    )
        if figure is None:
            return State.EXPLORES, ""
        return State.OPEN, ""
