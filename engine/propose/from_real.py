"""Proposals for failures on real pictures: through what was measured to what the scene should draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.evaluate.truth import Truth
from engine.propose.laws import Laws, laws_towards, presence_of
from engine.propose.learn import LEAST_GROUPS, MOST_COLUMNS, measured_auc
from engine.propose.measured import read_measured
from engine.propose.overlay import Command
from engine.propose.preflight import Render, look
from engine.propose.propose import Goal, Outcome, Settings, Start, attempt_all
from engine.propose.reach import Reached, reach, telling_columns
from engine.propose.rows import Known, Rows, read_rows
from engine.propose.targets import Failures, Flags, Predicate, Shown, Target, shown_by_slice
from engine.propose.weights import LAMBDA, effective_size, marginals

Floats = NDArray[np.float64]


def shown_by_nearness(reached: Reached) -> Predicate:
    """Return what tells which instances measure like the failures, and which pictures show one."""

    def shown(dataset: Path, truth: Truth) -> Shown:
        near = reached.near(read_measured(dataset, truth))
        return near, np.isin(truth.frame_id, np.array([truth.instance[row][0] for row in np.flatnonzero(near)], np.int64))

    return shown


def propose_from_real(
    known: Known, target: Target, failures: Failures, command: Command, settings: Settings,
    tools: tuple[Render, Callable[[str], None]],
) -> tuple[Outcome, Reached]:  # fmt: skip
    """Return laws that make what measures like failures on real pictures, and what no laws can make.

    Args:
        known: The rendered dataset whose recipe is to be changed.
        target: Of the report over real pictures.
        failures: Of the report.
        command: That made the rendered dataset.
        settings: How.
        tools: What renders, and what is told how far it is.
    """
    rows, pictures = read_rows(known, "instances"), read_rows(known, "images")
    wanted = target.chosen & failures.failing & failures.counted
    group = failures.truth.group[failures.image]
    real = read_measured(failures.truth.dataset, failures.truth)
    reached = reach(real, wanted, group, read_measured(known.dataset, known.truth), rows.world)
    counted = f"{int(reached.reachable.sum())} of {int(wanted.sum())} failures"
    tools[1](f"{target.name}: {counted} can be shown by {known.dataset.name}, compared by {', '.join(reached.columns) or 'nothing'}")
    predicate, is_slice = _predicate(target, known, reached)
    goal = Goal(target.name, "instances", predicate, np.zeros(0, np.bool_), np.zeros(0, np.bool_), _why(target, failures))
    if not reached.reachable.any():
        reason = "not reachable by this scene" if wanted.any() else "nothing fails"
        return Outcome(goal, "refused", reason), reached
    base = look(known.dataset, predicate)
    if base.purity.is_pure:
        reason = f"{base.purity.value:.0%} of the pictures satisfy it as they are: render more of the recipe as it is"
        return Outcome(goal, "refused", reason, base=base.purity), reached
    kinds = _kinds(rows.kind, reached.weights)
    kept = np.flatnonzero(np.isin(rows.kind.astype(str), list(kinds)))
    start = Start(rows.chosen(kept), base.instances[kept], kinds, pictures, base.images)
    accepted = reached.weights[kept]
    of_pictures = np.bincount(rows.image, reached.weights, len(pictures))
    presences = presence_of(known.columns, pictures, kinds, of_pictures / of_pictures.max(), np.ones(len(pictures)))
    auc = None
    if is_slice and _is_mixed(start.rows, start.wanted):
        auc = measured_auc(known.columns, start.rows, start.wanted, settings.seed)

    def laws(now: Start, sampled: tuple[Floats, Floats], attempt: int) -> Laws:
        by_nearness = accepted_laws(known, start, accepted, presences)
        told = auc is not None and auc.tells
        if (told or attempt) and 0 < int(now.wanted.sum()) < len(now.wanted):
            found = laws_towards(known.columns, now.rows, now.wanted, sampled[0], presences, attempt, settings.seed)
            return _with_columns(found, by_nearness)
        return by_nearness

    return attempt_all(known, goal, ("instances", start, laws), command, settings, tools,
                       Outcome(goal, "", "", auc, base=base.purity)), reached  # fmt: skip


def _with_columns(laws: Laws, other: Laws) -> Laws:
    """Return laws with the columns of others that they leave as they are, as far as there may be more."""
    more = [column for column in other.columns if column.key not in laws.shares][: MOST_COLUMNS - len(laws.columns)]
    shares = laws.shares | {column.key: other.shares[column.key] for column in more}
    return replace(laws, columns=(*laws.columns, *more), shares=shares)


def _is_mixed(rows: Rows, wanted: Flags) -> bool:
    having, lacking = (len(np.unique(rows.world[own])) for own in (wanted, ~wanted))
    return min(having, lacking) >= LEAST_GROUPS


def accepted_laws(known: Known, start: Start, accepted: Floats, presences: dict) -> Laws:  # type: ignore[type-arg]
    """Return the laws of the accepted rows, each widened by one bandwidth."""
    columns = telling_columns(known.columns, start.rows, accepted, MOST_COLUMNS - len(presences))
    shares = marginals(columns, start.rows, accepted, np.ones(len(start.rows)))
    shares |= {key: column.base * rates / (column.base @ rates) for key, (column, rates) in presences.items()}
    size = effective_size(accepted, start.rows.world)
    found = (*(column for column, _ in presences.values()), *columns)
    whole = (1.0 - LAMBDA) + LAMBDA * accepted / max(float(accepted.mean()), 1.0e-12)
    return Laws(found, shares, 1.0, 1.0 - LAMBDA, float("nan"), size, effective_size(whole, start.rows.world))


def _predicate(target: Target, known: Known, reached: Reached) -> tuple[Predicate, bool]:
    """Return the slice's own condition where the rendered dataset can be asked it, else nearness to the failures."""
    if target.own is None:
        return shown_by_nearness(reached), False
    asked = shown_by_slice(target.name, target.own)
    try:
        asked(known.dataset, known.truth)
    except UserError:
        return shown_by_nearness(reached), False
    return asked, True


def _kinds(kind: NDArray[np.object_], weights: Floats) -> dict[str, float]:
    names = np.unique(kind[weights > 0.0].astype(str))
    return {name: float(weights[kind == name].sum() / weights.sum()) for name in names.tolist()}


def _why(target: Target, failures: Failures) -> str:
    return f"{target.failing} of {target.instances} instances fail in {target.name}, {target.groups} groups by {failures.truth.group_by}"
