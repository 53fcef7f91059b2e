"""Proposals for failures on real pictures: through what was measured to what the scene should draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.evaluate.truth import Truth
from engine.propose.columns import Column
from engine.propose.laws import GOALS, Laws, laws_towards, presence_of
from engine.propose.learn import MOST_COLUMNS, measured_auc
from engine.propose.measured import read_measured
from engine.propose.preflight import look
from engine.propose.propose import AS_IT_IS, Evidence, Goal, Outcome, Settings, attempted, shares_of_kinds, too_little
from engine.propose.reach import Reached, reach, telling_columns
from engine.propose.rows import Known, read_rows
from engine.propose.targets import Failures, Predicate, Shown, Target, shown_by_slice
from engine.propose.weights import LAMBDA, effective_size, marginals, trimmed

Floats = NDArray[np.float64]


def shown_by_nearness(reached: Reached) -> Predicate:
    """Return what tells which instances measure like the failures, and which pictures show one."""

    def shown(dataset: Path, truth: Truth) -> Shown:
        near = reached.near(read_measured(dataset, truth))
        frames = np.array([truth.instance[row][0] for row in np.flatnonzero(near)], np.int64)
        return near, np.isin(truth.frame_id, frames)

    return shown


def propose_from_real(known: Known, target: Target, failures: Failures, settings: Settings) -> tuple[Outcome, Reached]:
    """Return laws that make what measures like failures on real pictures, and what no laws can make.

    Args:
        known: The rendered dataset whose recipe is to be changed.
        target: Of the report over real pictures.
        failures: Of the report.
        settings: How.
    """
    rows, pictures = read_rows(known, "instances"), read_rows(known, "images")
    failing = target.chosen & failures.failing & failures.counted
    group = failures.truth.group[failures.image]
    real = read_measured(failures.truth.dataset, failures.truth)
    reached = reach(real, failing, group, read_measured(known.dataset, known.truth), rows.world)
    counted = f"{int(reached.reachable.sum())} of {int(failing.sum())} failures"
    columns = ", ".join(reached.columns) or "nothing"
    settings.say(f"{target.name}: {counted} can be shown by {known.dataset.name}, compared by {columns}")
    if not reached.reachable.any():
        return Outcome("refused", "not reachable by this scene" if failing.any() else "nothing fails"), reached
    predicate, is_slice = _predicate(target, known, reached)
    base = look(known.dataset, predicate)
    if base.purity.is_pure:
        reason = f"{base.purity.value:.0%} of the pictures satisfy it as they are: {AS_IT_IS}"
        return Outcome("refused", reason, base=base.purity), reached
    kinds = shares_of_kinds(rows, reached.weights)
    kept = np.flatnonzero(np.isin(rows.kind.astype(str), list(kinds)))
    evidence = Evidence("instances", rows.chosen(kept), base.instances[kept], pictures, base.images, kinds)
    of_pictures = np.bincount(rows.image, reached.weights, len(pictures))
    presences = presence_of(known.columns, pictures, kinds, of_pictures / of_pictures.max(), np.ones(len(pictures)))
    nearest = accepted_laws(known, evidence, reached.weights[kept], presences)
    auc = None
    if is_slice and not too_little(evidence, None):
        auc = measured_auc(known.columns, evidence.rows, evidence.wanted, settings.seed)

    def laws_of(now: Evidence, attempt: int) -> Laws:
        told = attempt > 0 or (auc is not None and auc.tells)
        if not told or now.wanted.all() or not now.wanted.any():
            return nearest
        sampled = now.sampled(known)[0]
        found = laws_towards(known.columns, now.rows, now.wanted, sampled, presences, GOALS[attempt], settings.seed)
        return _with_columns(found, nearest)

    name = target.name
    goal = Goal(name, _why(target, failures), "instances", predicate, base.instances, base.images)
    return attempted(known, goal, evidence, laws_of, settings, Outcome("", "", auc, base.purity)), reached


def accepted_laws(
    known: Known, evidence: Evidence, accepted: Floats, presences: Mapping[str, tuple[Column, Floats]]
) -> Laws:
    """Return the laws of accepted rows, each widened by one bandwidth."""
    rows = evidence.rows
    columns = telling_columns(known.columns, rows, accepted, MOST_COLUMNS - len(presences))
    shares = {key: trimmed(own) for key, own in marginals(columns, rows, accepted, np.ones(len(rows))).items()}
    shares |= {key: column.base * rates / (column.base @ rates) for key, (column, rates) in presences.items()}
    found = (*(column for column, _ in presences.values()), *columns)
    whole = (1.0 - LAMBDA) + LAMBDA * accepted / max(float(accepted.mean()), 1.0e-12)
    sizes = effective_size(accepted, rows.world), effective_size(whole, rows.world)
    return Laws(found, shares, 0, 1.0 - LAMBDA, float("nan"), *sizes)


def _with_columns(laws: Laws, other: Laws) -> Laws:
    """Return laws with the columns of others that they leave as they are, as far as there may be more."""
    more = [column for column in other.columns if column.key not in laws.shares][: MOST_COLUMNS - len(laws.columns)]
    shares = laws.shares | {column.key: other.shares[column.key] for column in more}
    return replace(laws, columns=(*laws.columns, *more), shares=shares)


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


def _why(target: Target, failures: Failures) -> str:
    groups = f"{target.groups} groups by {failures.truth.group_by}"
    return f"{target.failing} of {target.instances} instances fail in {target.name}, {groups}"
