"""From a target to laws: read what was drawn, weight it, check what the new laws make, sharpen, or say why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.propose.columns import plain_laws
from engine.propose.laws import GOALS, Laws, laws_towards, presence_of
from engine.propose.learn import LEAST_AUC, LEAST_GROUPS, Auc, measured_auc
from engine.propose.overlay import Command, seed_of, slug, write_overlay
from engine.propose.preflight import LEAST_PURITY, Purity, Render, Shown, fly, look
from engine.propose.rows import Known, Rows, Unit, read_rows
from engine.propose.targets import Predicate
from engine.propose.weights import Predicted, Shares, balanced, predicted
from engine.recipe import Parent

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ATTEMPTS = 3  # the first laws, and sharpened ones at most twice
NEARLY_ALL = 0.9  # of the instances of an entry that satisfy a target: what varies is whether there is one
AS_IT_IS = "render more of the recipe as it is"
NO_CONDITION = "no condition says which new pictures fail; name a slice, such as one that engine.discover finds"


@dataclass(frozen=True)
class Settings:
    """How proposals are made."""

    preflight: int  # worlds; 0: none
    seed: int
    out: Path
    report: str  # sha256 of evaluation.json
    command: Command  # that made the rendered dataset
    render: Render
    say: Callable[[str], None]


@dataclass(frozen=True)
class Goal:
    """What new laws should make."""

    name: str
    why: str  # for the recipe's parents
    unit: Unit
    predicate: Predicate | None  # None: nothing can be said of pictures that no model has seen
    wanted: Flags  # of the rendered dataset, [instance] or [image] by unit
    images: Flags  # [image]


@dataclass(frozen=True)
class Outcome:
    """A proposal, or why there is none."""

    verdict: str  # proposed, refused
    reason: str
    auc: Auc | None = None
    base: Purity | None = None  # of the recipe as it is
    laws: Laws | None = None
    predicted: Predicted | None = None
    attempts: tuple[tuple[Laws, Purity], ...] = ()
    recipe: str = ""  # name of the overlay
    seed: int = 0
    command: Command | None = None  # that the overlay goes on top of


@dataclass(frozen=True)
class Evidence:
    """Rows that laws are read from; pre-flights add theirs."""

    unit: Unit
    rows: Rows
    wanted: Flags  # [row]
    pictures: Rows
    satisfied: Flags  # [picture]
    kinds: Mapping[str, float]  # share of the wanted instances by entry
    origins: tuple[tuple[int, Shares], ...] = ()  # of pre-flights: rows, and their laws
    origins_of_pictures: tuple[tuple[int, Shares], ...] = ()

    def sampled(self, known: Known) -> tuple[Floats, Floats]:
        """Return how much rows and pictures stand for under the laws as they are."""
        found = []
        for rows, added in ((self.rows, self.origins), (self.pictures, self.origins_of_pictures)):
            first = len(rows) - sum(count for count, _ in added)
            found.append(balanced(known.columns, rows, [(first, {}), *added]))
        return found[0], found[1]


LawsOf = Callable[[Evidence, int], Laws]  # is given the attempt


def propose(known: Known, goal: Goal, settings: Settings) -> Outcome:
    """Return the laws that make what a goal wants of a rendered dataset, checked by a pre-flight."""
    base = None if goal.predicate is None else look(known.dataset, goal.predicate).purity
    evidence = evidence_of(known, goal)
    refused = too_little(evidence, base)
    if refused:
        return Outcome("refused", refused, base=base)
    auc = measured_auc(known.columns, evidence.rows, evidence.wanted, settings.seed)
    found = f"AUC {auc.value:.2f} [{auc.low:.2f}, {auc.high:.2f}] over {auc.worlds} worlds"
    settings.say(f"{goal.name}: told from the rest by what is drawn with an {found}")
    if not auc.tells:
        reason = f"nothing that is drawn tells it from the rest: {found}, its lower end must exceed {LEAST_AUC}"
        return Outcome("refused", reason, auc, base)

    def laws_of(now: Evidence, attempt: int) -> Laws:
        sampled = now.sampled(known)
        presences = presence_of(known.columns, now.pictures, now.kinds, now.satisfied, sampled[1])
        promise = 0.0 if goal.predicate is None else GOALS[attempt]
        return laws_towards(known.columns, now.rows, now.wanted, sampled[0], presences, promise, settings.seed)

    return attempted(known, goal, evidence, laws_of, settings, Outcome("", "", auc, base))


def attempted(
    known: Known, goal: Goal, evidence: Evidence, laws_of: LawsOf, settings: Settings, so_far: Outcome
) -> Outcome:
    """Return the first laws that are pure enough, sharpened by what the pre-flights before them showed."""
    outcome, name = so_far, slug(goal.name)
    batch = batch_folder(settings.out, name)
    for attempt in range(ATTEMPTS):
        laws = laws_of(evidence, attempt)
        if not laws.columns:
            return replace(outcome, verdict="refused", reason=f"the laws as they are come out again; {AS_IT_IS}")
        reweight = plain_laws({column.key: column for column in laws.columns}, laws.shares)
        seed, parent = seed_of(settings.report, goal.name, attempt), Parent("evaluation", settings.report, goal.why)
        command = write_overlay(settings.out, name, known.recipe, settings.command, reweight, parent, seed)
        likely = predicted(laws.columns, evidence.pictures, evidence.satisfied, laws.shares, settings.seed)
        outcome = replace(outcome, laws=laws, predicted=likely, recipe=name, seed=seed, command=command)
        if goal.predicate is None or not settings.preflight:
            why = NO_CONDITION if goal.predicate is None else "no pre-flight was asked for"
            return replace(outcome, verdict="proposed", reason=f"not verified: {why}")
        settings.say(f"{goal.name}: pre-flight {attempt + 1} of at most {ATTEMPTS}, {settings.preflight} worlds")
        line = command.line(f"recipe={name}", conf=settings.out / "conf")
        shown = fly(batch, line, settings.preflight, goal.predicate, settings.render)
        purity = shown.purity
        outcome = replace(outcome, attempts=(*outcome.attempts, (laws, purity)))
        reach = f"[{purity.low:.0%}, {purity.high:.0%}] of {purity.images} pictures, in {purity.seconds:.0f} s"
        settings.say(f"{goal.name}: purity {purity.value:.0%} {reach}; {LEAST_PURITY:.0%} are asked for")
        if purity.is_pure:
            return replace(outcome, verdict="proposed")
        evidence = _with_shown(known, evidence, shown, laws.shares)
    best = max(purity.value for _, purity in outcome.attempts)
    asked = f"{LEAST_PURITY:.0%} are asked for"
    return replace(
        outcome, verdict="refused", reason=f"impure: {best:.0%} of the pictures of a pre-flight at most, {asked}"
    )


def evidence_of(known: Known, goal: Goal) -> Evidence:
    """Return what is told apart: instances of the kinds that the goal has; pictures where all of these satisfy it."""
    pictures = read_rows(known, "images")
    if goal.unit == "instances":
        rows = read_rows(known, "instances")
        kinds = shares_of_kinds(rows, goal.wanted.astype(np.float64))
        kept = np.isin(rows.kind.astype(str), list(kinds))
        if kept.any() and goal.wanted[kept].mean() < NEARLY_ALL:
            rows = rows.chosen(np.flatnonzero(kept))
            return Evidence("instances", rows, goal.wanted[kept], pictures, goal.images, kinds)
    wanted = goal.wanted if goal.unit == "images" else goal.images
    return Evidence("images", pictures, wanted, pictures, goal.images, {})


def too_little(evidence: Evidence, base: Purity | None) -> str:
    """Return why nothing can be learned, or nothing."""
    if base is not None and base.is_pure:
        return f"{base.value:.0%} of the pictures satisfy it as they are: {AS_IT_IS}"
    for words, own in (("show", evidence.wanted), ("lack", ~evidence.wanted)):
        worlds = len(np.unique(evidence.rows.world[own]))
        if worlds < LEAST_GROUPS:
            return (
                f"insufficient: {worlds} worlds of the rendered dataset {words} it, {LEAST_GROUPS} at least are needed"
            )
    return ""


def shares_of_kinds(rows: Rows, weights: Floats) -> dict[str, float]:
    """Return the share of weighted instances by entry of defects, or class."""
    names, number = np.unique(rows.kind.astype(str), return_inverse=True)
    total = np.bincount(number, weights, len(names)) / max(float(weights.sum()), 1.0e-12)
    return {name: float(share) for name, share in zip(names.tolist(), total, strict=True) if share > 0.0}


def batch_folder(out: Path, name: str) -> Path:
    """Return where a batch lies: its first worlds are those of the pre-flight."""
    return out / "batch" / name


def _with_shown(known: Known, now: Evidence, shown: Shown, shares: Shares) -> Evidence:
    """Return evidence with the rows of a pre-flight."""
    pictures = read_rows(known, "images", shown.dataset, shown.truth)
    rows, wanted = pictures, shown.images
    if now.unit == "instances":
        rows, wanted = read_rows(known, "instances", shown.dataset, shown.truth), shown.instances
        kept = np.flatnonzero(np.isin(rows.kind.astype(str), list(now.kinds)))
        rows, wanted = rows.chosen(kept), wanted[kept]
    worlds = int(now.pictures.world.max(initial=0)) + 1
    return replace(
        now,
        rows=now.rows.joined(rows, worlds=worlds),
        wanted=np.concatenate([now.wanted, wanted]),
        pictures=now.pictures.joined(pictures, worlds=worlds),
        satisfied=np.concatenate([now.satisfied, shown.images]),
        origins=(*now.origins, (len(rows), shares)),
        origins_of_pictures=(*now.origins_of_pictures, (len(pictures), shares)),
    )
