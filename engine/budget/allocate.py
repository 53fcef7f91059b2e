"""Worlds for every slice: n proportional to risk_weight x gap x learnability, above a floor for all that are open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.budget.bandit import DRAWS, Normal, belief, pooled, thompson_shares, whole_numbers
from engine.budget.history import FRAMES, Gain, Gated, holds_in_a_row, latest_of_batches
from engine.budget.stopping import Standing, State, StopRule
from engine.budget.wanted import Needs, Wanted
from engine.errors import UserError

FLOOR = 0.1  # of the budget, evenly over the open slices: what seems hopeless is tried now and then
LEAST_GAIN = 0.01  # of a figure by a batch of the usual size: what nobody would notice
MOST_WORLDS = 100_000_000  # as count of a recipe


@dataclass(frozen=True)
class Budget:
    """What there is to spend, and how."""

    worlds: int
    frames_per_world: int
    prior: Normal  # of what a batch of the usual size gains for a slice that nobody tried
    least_gain: (
        float | None
    )  # per 1,000 frames; a slice that at best gains no more is given up. None: a hundredth a batch
    worlds_left: int | None  # for this round and all later ones; None: nobody knows
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.worlds <= MOST_WORLDS or self.frames_per_world < 1 or self.seed < 0:
            raise UserError(
                f"--worlds must be in 1..{MOST_WORLDS}, --frames-per-world at least 1, --seed 0 or more; got "
                f"{self.worlds}, {self.frames_per_world}, {self.seed}"
            )
        if self.worlds_left is not None and self.worlds_left < self.worlds:
            raise UserError(f"--left {self.worlds_left} is less than --worlds {self.worlds}, which are a part of it")
        if not math.isfinite(self.prior.mean) or not 0.0 < self.prior.std < math.inf:
            raise UserError(
                f"--prior needs a mean and a standard deviation above 0, got {self.prior.mean:g} {self.prior.std:g}"
            )
        if self.least_gain is not None and not 0.0 <= self.least_gain < math.inf:
            raise UserError(f"--least-gain must be 0 or more, got {self.least_gain:g}")

    @property
    def frames(self) -> int:
        """Frames of this round."""
        return self.worlds * self.frames_per_world


@dataclass(frozen=True)
class Share:
    """What a slice gets, and all that it follows from."""

    wanted: Wanted
    gap: float | None
    batches: tuple[Gated, ...]  # the last answer about each, oldest first
    holds: int
    gain: Gain | None  # per 1,000 frames, of all batches
    learnability: Normal
    state: State
    stopped_because: str
    share: float  # of the budget
    worlds: int

    @property
    def worth(self) -> float:
        """Risk weight times gap; 0 where the gap is unknown."""
        return self.wanted.risk_weight * (self.gap or 0.0)

    @property
    def frames_spent(self) -> int:
        """Frames of its batches so far."""
        return sum(one.frames for one in self.batches)


def allocate(needs: Needs, history: Sequence[Gated], budget: Budget) -> list[Share]:
    """Return what every slice gets, in the report's order; the worlds add up to the budget, or to 0 if all stopped."""
    prior, rule = prior_per_1000(needs, history, budget), stop_rule(needs, history, budget)
    shares = [_known(needs, wanted, history, prior, rule) for wanted in needs.slices]
    opened = [one for one in shares if one.state.is_open]
    if not is_worth_it(opened):
        return shares
    worths = [one.worth for one in opened]
    drawn = thompson_shares(worths, [one.learnability for one in opened], seed=budget.seed, draws=DRAWS)
    parts = [FLOOR / len(opened) + (1.0 - FLOOR) * float(share) for share in drawn]
    counts = iter(zip(parts, whole_numbers(parts, budget.worlds), strict=True))
    given = [next(counts) if one.state.is_open else (0.0, 0) for one in shares]
    return [replace(one, share=share, worlds=worlds) for one, (share, worlds) in zip(shares, given, strict=True)]


def is_worth_it(shares: Sequence[Share]) -> bool:
    """Return whether there is anything to spend on: a slice below the target, or one that nobody knows."""
    return any(one.state == State.EXPLORES or (one.state == State.OPEN and one.worth > 0.0) for one in shares)


def usual_frames(needs: Needs, history: Sequence[Gated], budget: Budget) -> int:
    """Return how many frames a usual batch has: that of the usual frame of the history, or this whole budget."""
    own = {one.name for one in needs.slices}
    frames = [one.frames for one in latest_of_batches(one for one in history if one.target in own)]
    return round(sum(count**2 for count in frames) / sum(frames)) if frames else budget.frames


def prior_per_1000(needs: Needs, history: Sequence[Gated], budget: Budget) -> Normal:
    """Return what is believed of the gain per 1,000 frames of a slice that nobody tried."""
    scale = FRAMES / usual_frames(needs, history, budget)
    return Normal(budget.prior.mean * scale, budget.prior.std * scale)


def stop_rule(needs: Needs, history: Sequence[Gated], budget: Budget) -> StopRule:
    """Return when a slice is given up."""
    left = None if budget.worlds_left is None else budget.worlds_left * budget.frames_per_world
    least = LEAST_GAIN * FRAMES / usual_frames(needs, history, budget)
    return StopRule(left, least if budget.least_gain is None else budget.least_gain)


def _known(needs: Needs, wanted: Wanted, history: Sequence[Gated], prior: Normal, rule: StopRule) -> Share:
    own = [one for one in history if one.target == wanted.name]
    batches = latest_of_batches(own)
    gains = [one.gain.per_1000(one.frames) for one in batches if one.gain is not None]
    gain, holds = pooled(gains), holds_in_a_row(own)
    state, why = rule.state(Standing(wanted.figure, needs.target, gain, len(gains), holds))
    learnability = belief(prior, gain)
    return Share(wanted, needs.gap(wanted), tuple(batches), holds, gain, learnability, state, why, 0.0, 0)
