"""A budget as JSON, as a table for people, and as the commands that come next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from engine.budget.allocate import FLOOR, Budget, Share, is_worth_it, stop_rule, usual_frames
from engine.budget.bandit import DRAWS
from engine.budget.history import Gain, Gated
from engine.budget.stopping import State
from engine.budget.wanted import Needs

SCHEMA, FILE, PAGE = "budget/1", "budget.json", "budget.html"
SPEND, STOP = "spend", "stop"
DIGITS = 6


def verdict(shares: Sequence[Share]) -> str:
    """Return spend, or stop where no slice is open, or all that are open are at the target."""
    return SPEND if is_worth_it(shares) else STOP


def plain_budget(needs: Needs, budget: Budget, shares: Sequence[Share], history: Sequence[Gated]) -> dict[str, Any]:
    """Return the budget as plain data; what is not known is null."""
    return {
        "schema": SCHEMA, "report": str(needs.folder.absolute()), "report_sha256": needs.sha256,
        "dataset_id": needs.dataset_id, "figure": needs.figure, "target": _number(needs.target),
        "target_is": "given" if needs.is_target_given else "the whole set", "verdict": verdict(shares),
        "worlds": budget.worlds, "frames_per_world": budget.frames_per_world, "seed": budget.seed,
        "floor": FLOOR, "draws": DRAWS, "least_gain": _number(stop_rule(needs, history, budget).least_gain),
        "worlds_left": budget.worlds_left,
        "prior": {
            "mean": budget.prior.mean, "std": budget.prior.std, "of_frames": usual_frames(needs, history, budget),
        },
        "history": [_plain_gated(one) for one in history],
        "slices": [_plain(one) for one in shares], "commands": commands(needs, shares),
    }  # fmt: skip


def reason(one: Share) -> str:
    """Return why a slice gets what it gets, in words."""
    if not one.state.is_open:
        return f"{one.state.value}: {one.stopped_because}"
    if one.state == State.EXPLORES:
        return f"explores, {one.wanted.why_unknown}; more labelled pictures of it say what it needs"
    if not one.gap:
        return "at the target, but its interval reaches below: the floor at most"
    if not one.wanted.risk_weight:
        return "a risk_weight of 0: the floor"
    tried = "never tried, the prior" if one.gain is None else f"{len(one.batches)} tried"
    return (
        f"risk {one.wanted.risk_weight:g} x gap {one.gap:.3f} x learnability "
        f"{one.learnability.mean:+.3f} ± {one.learnability.std:.3f} ({tried})"
    )


def table_lines(needs: Needs, budget: Budget, shares: Sequence[Share]) -> list[str]:
    """Return the table, a line a slice."""
    width = max(5, *(len(one.wanted.name) for one in shares))
    lines = [f"{'slice':<{width}}  worlds  {needs.figure:<18}    gap  frames spent  gain per 1,000 frames      why"]
    for one in shares:
        figure = one.wanted.figure
        shown = "-" if figure is None else f"{figure.value:.3f} [{figure.low:.2f},{figure.high:.2f}]"
        gap = "-" if one.gap is None else f"{one.gap:.3f}"
        lines.append(
            f"{one.wanted.name:<{width}}  {one.worlds:>6}  {shown:<18}  {gap:>5}  {one.frames_spent:>12,}  "
            f"{_range(one.gain):<25}  {reason(one)}"
        )
    source = "given" if needs.is_target_given else f"{needs.figure} of the whole set"
    lines.append(
        f"target {needs.target:.3f} ({source}); {sum(one.worlds for one in shares)} of {budget.worlds} worlds of "
        f"{budget.frames_per_world} frame{'' if budget.frames_per_world == 1 else 's'}; intervals: 90 %"
    )
    if verdict(shares) == STOP:
        lines.append("stop: no open slice is below the target; more worlds for these are not worth their time")
    return lines


def commands(needs: Needs, shares: Sequence[Share]) -> list[str]:
    """Return what to run next, the largest share first."""
    most_first = sorted((one for one in shares if one.worlds), key=lambda one: -one.worlds)
    return [
        f"{shlex.join(['python', '-m', 'engine.propose', str(needs.folder), '--slice', one.wanted.name])}"
        f"  # then its engine.run with count={one.worlds}"
        for one in most_first
    ]


def strangers(needs: Needs, history: Sequence[Gated]) -> list[str]:
    """Return the targets of the history that the report does not have."""
    own = {one.name for one in needs.slices}
    return sorted({one.target for one in history} - own)


def _plain(one: Share) -> dict[str, Any]:
    figure = one.wanted.figure
    return {
        "name": one.wanted.name, "worlds": one.worlds, "share": _number(one.share), "state": one.state.value,
        "reason": reason(one), "risk_weight": one.wanted.risk_weight, "groups": one.wanted.groups,
        "figure": None if figure is None else _gain(Gain(figure.value, figure.low, figure.high)),
        "gap": None if one.gap is None else _number(one.gap),
        "learnability": {"mean": _number(one.learnability.mean), "std": _number(one.learnability.std)},
        "gain_per_1000": None if one.gain is None else _gain(one.gain),
        "frames_spent": one.frames_spent, "holds": one.holds, "curve": _curve(one),
    }  # fmt: skip


def _curve(one: Share) -> list[dict[str, Any]]:
    """Return what every batch gained, with the frames spent up to it."""
    points, frames = [], 0
    for batch in one.batches:
        frames += batch.frames
        per_1000 = None if batch.gain is None else _gain(batch.gain.per_1000(batch.frames))
        points.append({
            "dataset_id": batch.dataset_id, "time": batch.time.isoformat(), "verdict": batch.verdict,
            "frames": batch.frames, "frames_so_far": frames,
            "gain": None if batch.gain is None else _gain(batch.gain), "gain_per_1000": per_1000,
        })  # fmt: skip
    return points


def _plain_gated(one: Gated) -> dict[str, Any]:
    return {
        "path": str(one.path.absolute()), "sha256": one.sha256, "time": one.time.isoformat(), "target": one.target,
        "dataset_id": one.dataset_id, "frames": one.frames, "verdict": one.verdict, "note": one.note,
    }  # fmt: skip


def _gain(gain: Gain) -> dict[str, float]:
    return {"value": _number(gain.value), "low": _number(gain.low), "high": _number(gain.high)}


def _number(value: float) -> float:
    return round(value, DIGITS)


def _range(gain: Gain | None) -> str:
    return "-" if gain is None else f"{gain.value:+.3f} [{gain.low:+.3f},{gain.high:+.3f}]"
