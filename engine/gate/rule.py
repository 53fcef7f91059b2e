"""The rule of admission: what a batch gains on the target, what it costs elsewhere, and when neither is known.

A gain is the figure of a model that was trained with the batch less that of one without, of the same seed, on the same
draws of groups. Seeds and groups are both samples (engine.evaluate.seeds); bounds are mean -+ t error.

Source: Blackwelder, "Proving the null hypothesis" in clinical trials,
Controlled Clinical Trials 3, 1982 (non-inferiority).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.compare.statistics import holm_by_name
from engine.evaluate.intervals import Floats
from engine.evaluate.seeds import freedom, is_measured, variances
from engine.gate.check import ADMIT, HOLD, REJECT, Verdict

LEVEL = 0.05  # of a bound: the ends of a central 90 % interval, and the lower 95 % bound
DELTA = 0.02  # of a figure: what a batch may cost and still not be called worse
FEWEST_SEEDS = 5
MOST_HOLDS = 2
POWER = 0.8  # of finding a gain as large as the one that was seen
MOST_SEEDS, MOST_TIMES_GROUPS = 100, 50  # beyond, more of the same is no advice


@dataclass(frozen=True)
class Gain:
    """What a batch does to one figure of one slice; above 0 is better."""

    per_seed: Floats  # [seed]
    draws: Floats  # [seed, replicate], of the same groups for all seeds
    groups: int
    min_support: int = 2

    @property
    def is_known(self) -> bool:
        """Whether there are groups and values enough to say anything."""
        enough = self.groups >= self.min_support and len(self.per_seed) >= 2
        return enough and is_measured(self.per_seed, self.draws, self.groups)

    def estimate(self) -> Estimate:
        """Return the mean and its error; `is_known` must hold."""
        parts = variances(self.per_seed, self.draws, self.groups)
        return Estimate(float(self.per_seed.mean()), *parts, len(self.per_seed), self.groups)


@dataclass(frozen=True)
class Estimate:
    """A mean gain with the two parts of its variance."""

    value: float
    of_seeds: float
    of_groups: float
    seeds: int
    groups: int

    @property
    def error(self) -> float:
        """Standard error."""
        return math.sqrt(self.of_seeds + self.of_groups)

    @property
    def freedom(self) -> float:
        """Degrees of freedom (Satterthwaite)."""
        return freedom(self.of_seeds, self.of_groups, self.seeds, self.groups)

    @property
    def has_spread(self) -> bool:
        """Whether any seed or group differs from another."""
        return self.error > 0.0

    def low(self, level: float = LEVEL) -> float:
        """Return the lower bound, which the true gain is below in at most `level` of all studies."""
        return self.value - self._reach(level)

    def high(self, level: float = LEVEL) -> float:
        """Return the upper bound."""
        return self.value + self._reach(level)

    def chance_below(self, threshold: float) -> float:
        """Return the p-value of "the gain is at most `threshold`"; small: it is above."""
        return self._tail(self.value - threshold)

    def chance_above(self, threshold: float) -> float:
        """Return the p-value of "the gain is at least `threshold`"; small: it is below."""
        return self._tail(threshold - self.value)

    def _reach(self, level: float) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(min(self.freedom, 1e9), 1.0 - level)) * self.error if self.has_spread else 0.0

    def _tail(self, distance: float) -> float:
        from scipy.special import stdtr

        if not self.has_spread:
            return 0.0 if distance > 0.0 else 1.0
        return float(stdtr(min(self.freedom, 1e9), -distance / self.error))


@dataclass(frozen=True)
class Decision:
    """A verdict, why, and what more would decide it."""

    verdict: Verdict
    reasons: tuple[str, ...]
    needed: str = ""  # of a hold: how many seeds or groups more


def decide(
    target: str, gains: Mapping[str, Gain], protected: Sequence[str], *, overall: str = "all", delta: float = DELTA
) -> Decision:
    """Return the verdict of the utility of a batch.

    Args:
        target: The slice that must gain.
        gains: By slice; with `target`, `overall` and the protected ones.
        protected: Slices that must not lose more than `delta`.
        overall: The slice of everything.
        delta: The margin.
    """
    unknown = [name for name in dict.fromkeys((target, overall, *protected)) if not gains[name].is_known]
    known = {name: gains[name].estimate() for name in gains if gains[name].is_known}
    guarded = {name: known[name] for name in protected if name in known and name not in (target, overall)}
    harmed = _harmed(known.get(overall), guarded, overall, delta)
    if harmed:
        return Decision(REJECT, harmed)
    if target in unknown:
        return Decision(HOLD, (_insufficient(target, gains[target]),), "more groups of the target in the holdout")
    own = known[target]
    if own.high() <= 0.0 and (own.has_spread or own.value < 0.0):
        return Decision(REJECT, (f"{target} does not gain: {_in_words(own)}, and the upper bound is not above 0",))
    reasons = [_insufficient(name, gains[name]) for name in unknown]
    if not own.has_spread and own.value > 0.0 and 0.5**own.groups >= LEVEL:
        reasons.append(f"{target}: {_in_words(own)}; so few groups may be alike by chance")  # the sign test
    if own.low() <= 0.0:
        reasons.append(f"{target}: {_in_words(own)}; whether it gains is open")
    risks = _at_risk(known.get(overall), guarded, overall, delta)
    if own.low() <= 0.0:
        risks.pop(target, None)  # said already
    if reasons or risks:
        open_ones = {name: known[name] for name in risks}
        return Decision(HOLD, (*reasons, *risks.values()), _needed_of(target, own, open_ones, delta))
    calm = [overall, *guarded] if target != overall else [*guarded]
    sure = f"; {', '.join(calm)} lose less than {delta:g}" if calm else ""
    return Decision(ADMIT, (f"{target} gains: {_in_words(own)}{sure}",))


def needed(own: Estimate, name: str = "the target", margin: float = 0.0) -> str:
    """Return how many seeds, or groups of the holdout, would show that a gain like the one seen is above -margin."""
    if own.value + margin <= 0.0:
        less = f" a loss below {margin:g}" if margin else " a gain"
        return f"{name}: no number of seeds shows{less} where none is seen; the batch needs other or more frames"
    seeds = next((n for n in range(own.seeds + 1, MOST_SEEDS + 1) if _shows(own, n, own.groups, margin)), None)
    larger = (own.groups * quarters // 4 for quarters in range(5, 4 * MOST_TIMES_GROUPS + 1))
    groups = next((count for count in larger if _shows(own, own.seeds, count, margin)), None)
    both = [f"{seeds} seeds in place of {own.seeds}"] if seeds is not None else []
    both += [f"{groups} groups of the holdout in place of {own.groups}"] if groups is not None else []
    if not both:
        return f"{name}: neither more seeds nor more groups of the holdout alone would do; the batch needs more frames"
    what = f"that {own.value:+.3f} is above {-margin:g}" if margin else f"a gain of {own.value:.3f}"
    return f"{name}: {what} would show with a power of {POWER:.0%} at {' or '.join(both)}"


def _needed_of(target: str, own: Estimate, others: Mapping[str, Estimate], delta: float) -> str:
    """Return what the target needs; where it gains, what the slice needs whose loss is least sure to be bearable."""
    if own.low() <= 0.0 or not others:
        return needed(own, target) if own.low() <= 0.0 else ""
    name = max(others, key=lambda one: others[one].chance_below(-delta))
    return needed(others[name], name, delta)


def _shows(own: Estimate, seeds: int, groups: int, margin: float) -> bool:
    from scipy.special import stdtrit

    more = Estimate(
        own.value, own.of_seeds * own.seeds / seeds, own.of_groups * own.groups / groups, seeds, groups
    )  # fmt: skip
    reach = stdtrit(more.freedom, 1.0 - LEVEL) + stdtrit(more.freedom, POWER)
    return bool(own.value + margin > reach * more.error)


def _harmed(
    whole: Estimate | None, guarded: Mapping[str, Estimate], overall: str, delta: float
) -> tuple[str, ...]:  # fmt: skip
    chances = holm_by_name({name: one.chance_above(-delta) for name, one in guarded.items()})
    if whole is not None:
        chances = {overall: whole.chance_above(-delta), **chances}
    known = dict(guarded) if whole is None else {overall: whole, **guarded}
    return tuple(
        f"{name} loses more than {delta:g}: {_in_words(known[name])}" for name, p in chances.items() if p < LEVEL
    )


def _at_risk(
    whole: Estimate | None, guarded: Mapping[str, Estimate], overall: str, delta: float
) -> dict[str, str]:  # fmt: skip
    chances = holm_by_name({name: one.chance_below(-delta) for name, one in guarded.items()})
    if whole is not None:
        chances = {overall: whole.chance_below(-delta), **chances}
    known = dict(guarded) if whole is None else {overall: whole, **guarded}
    return {
        name: f"{name}: {_in_words(known[name])}; that it loses less than {delta:g} is not shown (p {p:.2f})"
        for name, p in chances.items()
        if p >= LEVEL
    }


def _insufficient(name: str, gain: Gain) -> str:
    return f"{name}: insufficient, {gain.groups} groups of {max(gain.min_support, 2)}, or nothing to measure"


def _in_words(one: Estimate) -> str:
    return f"{one.value:+.3f} [{one.low():+.3f}, {one.high():+.3f}] ({one.seeds} seeds, {one.groups} groups)"
