"""From a target to laws: read what was drawn, weight it, check what the new laws make, sharpen, or say why not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.propose.columns import Column, plain_laws
from engine.propose.laws import Laws, laws_towards, presence_of
from engine.propose.learn import LEAST_AUC, LEAST_GROUPS, Auc, measured_auc
from engine.propose.overlay import Command, seed_of, slug, spoken, write_overlay
from engine.propose.preflight import LEAST_PURITY, Purity, Render, Shown, fly, look
from engine.propose.rows import Known, Rows, Unit, read_rows
from engine.propose.targets import Predicate
from engine.propose.weights import Predicted, Shares, balanced, predicted
from engine.recipe import Parent

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ATTEMPTS = 3  # the first laws, and sharpened ones at most twice
NEARLY_ALL = 0.9  # of the instances of an entry that satisfy a target: what varies is whether there is one


@dataclass(frozen=True)
class Settings:
    """How a proposal is made."""

    preflight: int  # worlds; 0: none
    seed: int
    out: Path
    report: str  # sha256 of evaluation.json


@dataclass(frozen=True)
class Goal:
    """What new laws should make."""

    name: str
    unit: Unit
    predicate: Predicate | None  # None: nothing can be said of pictures that no model has seen
    wanted: Flags  # of the known dataset, [instance] or [image] by unit
    images: Flags  # [image]
    why: str  # for the recipe's parents


@dataclass(frozen=True)
class Outcome:
    """A proposal, or why there is none."""

    goal: Goal
    verdict: str  # proposed, refused
    reason: str
    auc: Auc | None = None
    laws: Laws | None = None
    predicted: Predicted | None = None
    base: Purity | None = None
    attempts: tuple[tuple[Laws, Purity], ...] = ()
    recipe: str = ""
    seed: int = 0
    command: Command | None = None


def propose(known: Known, goal: Goal, command: Command, settings: Settings, tools: tuple[Render, Callable[[str], None]]) -> Outcome:
    """Return the laws that make what a goal wants, checked by a pre-flight.

    Args:
        known: The rendered dataset.
        goal: What is wanted.
        command: That made the dataset.
        settings: How.
        tools: What renders, and what is told how far it is.
    """
    say = tools[1]
    pictures = read_rows(known, "images")
    unit, rows, wanted = _rows_of(known, goal, pictures)
    base = look(known.dataset, goal.predicate).purity if goal.predicate is not None else None
    refused = _too_few(goal, rows, wanted, base)
    if refused:
        return Outcome(goal, "refused", refused, base=base)
    auc = measured_auc(known.columns, rows, wanted, settings.seed)
    say(f"{goal.name}: what is drawn tells it from the rest with an AUC of {auc.value:.2f} [{auc.low:.2f}, {auc.high:.2f}]")
    if not auc.tells:
        return Outcome(
            goal, "refused", f"nothing that is drawn tells it from the rest: AUC {auc.value:.2f} "
            f"[{auc.low:.2f}, {auc.high:.2f}] over {auc.worlds} worlds, its lower end must exceed {LEAST_AUC}; more worlds, or "
            "something that does not vary yet", auc, base=base,
        )  # fmt: skip
    kinds = shares_of_kinds(rows, wanted) if unit == "instances" else {}
    start = Start(rows, wanted, kinds, pictures, goal.images)

    def laws(now: Start, sampled: tuple[Floats, Floats], attempt: int) -> Laws:
        presences = presence_of(known.columns, now.pictures, now.kinds, now.satisfied, sampled[1])
        return laws_towards(known.columns, now.rows, now.wanted, sampled[0], presences, attempt, settings.seed)

    return attempt_all(known, goal, (unit, start, laws), command, settings, tools, Outcome(goal, "", "", auc, base=base))


@dataclass(frozen=True)
class Start:
    rows: Rows
    wanted: Flags
    kinds: Mapping[str, float]
    pictures: Rows
    satisfied: Flags  # [picture]


def attempt_all(known: Known, goal: Goal, by: tuple[Unit, Start, Any], command: Command, settings: Settings,
                tools: tuple[Render, Callable[[str], None]], so_far: Outcome) -> Outcome:  # fmt: skip
    """Return the first laws that are pure enough, sharpened by what the pre-flights before showed."""
    unit, now, laws_of = by
    render, say = tools
    origins: list[tuple[int, Shares]] = [(len(now.rows), {})]
    origins_of_pictures: list[tuple[int, Shares]] = [(len(now.pictures), {})]
    attempts: list[tuple[Laws, Purity]] = []
    name, outcome = slug(goal.name), so_far
    for attempt in range(ATTEMPTS):
        sampled = balanced(known.columns, now.rows, origins), balanced(known.columns, now.pictures, origins_of_pictures)
        found: Laws = laws_of(now, sampled, attempt)
        if not found.columns:
            return replace(outcome, verdict="refused", reason="the laws as they are come out again: nothing to change")
        likely = predicted(found.columns, now.pictures, now.satisfied, found.shares, settings.seed)
        seed = seed_of(settings.report, goal.name, attempt)
        columns = {column.key: column for column in found.columns}
        on_top = write_overlay(settings.out, name, known.recipe, command, plain_laws(columns, found.shares),
                               Parent("evaluation", settings.report, goal.why), seed)  # fmt: skip
        outcome = replace(outcome, laws=found, predicted=likely if attempt == 0 else outcome.predicted, recipe=name,
                          seed=seed, command=on_top)  # fmt: skip
        if goal.predicate is None or not settings.preflight:
            why = "no pre-flight was asked for" if goal.predicate is not None else (
                "no condition says which new pictures fail; name a slice, such as one that engine.discover finds")  # fmt: skip
            return replace(outcome, verdict="proposed", reason=f"not verified: {why}")
        out = batch_folder(settings.out, name)
        say(f"{goal.name}: rendering {settings.preflight} worlds of the pre-flight, attempt {attempt + 1} of at most {ATTEMPTS}")
        shown = fly(out, on_top.line(f"recipe={name}", conf=settings.out / "conf"), settings.preflight, goal.predicate, render)
        attempts.append((found, shown.purity))
        say(f"{goal.name}: {shown.purity.value:.0%} [{shown.purity.low:.0%}, {shown.purity.high:.0%}] of {shown.purity.images} "
            f"pictures satisfy it, {LEAST_PURITY:.0%} are asked for; {shown.purity.seconds:.0f} s")  # fmt: skip
        outcome = replace(outcome, attempts=tuple(attempts))
        if shown.purity.is_pure:
            return replace(outcome, verdict="proposed", reason="")
        now, added = _with_shown(known, unit, now, shown)
        origins.append((added, found.shares))
        origins_of_pictures.append((len(shown.images), found.shares))
    best = max(purity.value for _, purity in attempts)
    return replace(outcome, verdict="refused", reason=f"impure: {best:.0%} of the pictures of a pre-flight at most satisfy it, "
                   f"{LEAST_PURITY:.0%} are asked for, after {ATTEMPTS} attempts")  # fmt: skip


def batch_folder(out: Path, name: str) -> Path:
    """Return where a batch lies: its first worlds are those of the pre-flight."""
    return out / "batch" / name


def shares_of_kinds(rows: Rows, wanted: Flags) -> dict[str, float]:
    """Return the share of the wanted instances by entry or class."""
    kinds, count = np.unique(rows.kind[wanted].astype(str), return_counts=True)
    return {kind: number / int(wanted.sum()) for kind, number in zip(kinds.tolist(), count.tolist(), strict=True)}


def _rows_of(known: Known, goal: Goal, pictures: Rows) -> tuple[Unit, Rows, Flags]:
    """Return what is told apart: instances of the kinds that the target has; pictures where all of these satisfy it."""
    if goal.unit == "images":
        return "images", pictures, goal.wanted
    rows = read_rows(known, "instances")
    kept = np.isin(rows.kind.astype(str), list(shares_of_kinds(rows, goal.wanted)))
    if kept.any() and goal.wanted[kept].mean() < NEARLY_ALL:
        return "instances", rows.chosen(np.flatnonzero(kept)), goal.wanted[kept]
    return "images", pictures, goal.images


def _too_few(goal: Goal, rows: Rows, wanted: Flags, base: Purity | None) -> str:
    """Return why nothing can be learned, or nothing."""
    having, lacking = (len(np.unique(rows.world[own])) for own in (wanted, ~wanted))
    if base is not None and base.is_pure:
        return f"{base.value:.0%} of the pictures satisfy it as they are: render more of the recipe as it is"
    if having < LEAST_GROUPS:
        return f"insufficient: {having} worlds of the rendered dataset show it, {LEAST_GROUPS} are the least to learn from"
    if lacking < LEAST_GROUPS:
        return f"insufficient: {lacking} worlds of the rendered dataset lack it, {LEAST_GROUPS} are the least to learn from"
    return ""


def _with_shown(known: Known, unit: Unit, now: Start, shown: Shown) -> tuple[Start, int]:
    """Return what is known with the rows of a pre-flight added, and how many they are."""
    worlds = int(now.pictures.world.max(initial=0)) + 1
    pictures = read_rows(known, "images", shown.dataset, shown.truth)
    rows, wanted = pictures, shown.images
    if unit == "instances":
        rows, wanted = read_rows(known, "instances", shown.dataset, shown.truth), shown.instances
        kept = np.flatnonzero(np.isin(rows.kind.astype(str), np.unique(now.rows.kind.astype(str))))
        rows, wanted = rows.chosen(kept), wanted[kept]
    return Start(
        now.rows.joined(rows, worlds=worlds), np.concatenate([now.wanted, wanted]), now.kinds,
        now.pictures.joined(pictures, worlds=worlds), np.concatenate([now.satisfied, shown.images]),
    ), len(rows)  # fmt: skip
