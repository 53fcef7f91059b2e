"""What a proposal says, as JSON (`proposal/1`) and in lines for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engine.evaluate.stored import StoredReport
from engine.plain import to_plain
from engine.propose.laws import variation
from engine.propose.overlay import seed_of, spoken
from engine.propose.preflight import LEAST_PURITY, Purity
from engine.propose.propose import Outcome, Settings, batch_folder
from engine.propose.reach import Reached
from engine.propose.rows import Known
from engine.propose.targets import Target
from engine.propose.weights import CAP, LAMBDA, LEAST_BASE
from engine.randomize.laws.describe import describe

SCHEMA = "proposal/1"
PROPOSAL = "proposal.json"
DIGITS = 6
BATCH_WORLDS = 1000  # of the batch that the commands are written for


def plain_proposal(
    report: StoredReport, known: Known, settings: Settings, made: Sequence[tuple[Target, Outcome, Reached | None]],
    passed_over: Sequence[Target],
) -> dict[str, Any]:  # fmt: skip
    """Return a proposal as plain data; what is not known is null."""
    return {
        "schema": SCHEMA,
        "report": {"folder": str(report.folder), "sha256": report.sha256, "dataset_id": report.facts["dataset_id"]},
        "using": {"dataset": str(known.dataset), "dataset_id": known.manifest.dataset_id, "recipe_id": known.recipe.id},
        "settings": {"lambda": LAMBDA, "cap": CAP, "least_base": LEAST_BASE, "least_purity": LEAST_PURITY,
                     "preflight": settings.preflight, "seed": settings.seed},
        "proposals": [_plain(*one, settings) for one in made],
        "passed_over": [{"name": one.name} | _failing(one) for one in passed_over],
        "not_reweighted": dict(known.left_out),
    }  # fmt: skip


def lines_of(proposal: dict[str, Any]) -> list[str]:
    """Return a proposal in lines."""
    lines = []
    for one in proposal["proposals"]:
        failing = one["failing"]
        counted = f"{failing['failing']} of {failing['instances']} instances fail"
        lines.append(f"{one['name']}: {counted}, in {failing['groups']} groups")
        lines += [f"  not reachable by this scene: {words}" for words in (m["words"] for m in one["not_reachable"])]
        if one["verdict"] == "refused":
            lines.append(f"  no proposal: {one['reason']}")
            continue
        for column in one["columns"]:
            lines.append(f"  {column['column']}: {column['was']} -> {column['words']}")
        lines += [f"  {note}" for note in one["notes"]]
        lines.append(
            f"  batch: {one['base_share']:.0%} by the recipe as it is, {1 - one['base_share']:.0%} by the new laws; "
            f"effective number of worlds behind them {one['effective_worlds']['targeted']:.1f}"
        )
        lines.append(f"  purity: {_purity_words(one)}")
        lines += [f"  {command}" for command in (one["command"], one["base_command"])]
    return lines


def _plain(target: Target, outcome: Outcome, reached: Reached | None, settings: Settings) -> dict[str, Any]:
    laws, command = outcome.laws, outcome.command
    proposed = outcome.verdict == "proposed" and laws is not None and command is not None
    plain: dict[str, Any] = {
        "name": target.name, "where": None if target.own is None else target.own.where, "of": target.of,
        "verdict": outcome.verdict, "reason": outcome.reason, "failing": _failing(target),
        "auc": None if outcome.auc is None else _numbers(asdict(outcome.auc)),
        "reachable": None if reached is None else int(reached.reachable.sum()),
        "not_reachable": [] if reached is None else [_numbers(asdict(m)) | {"words": str(m)} for m in reached.missing],
        "compared": None if reached is None else list(reached.columns),
        "columns": [], "notes": [], "base_share": None, "steps": None, "effective_worlds": None,
        "purity": {
            "asked": LEAST_PURITY, "base": _purity(outcome.base), "promised": None, "predicted": None,
            "measured": _purity(outcome.attempts[-1][1]) if outcome.attempts else None,
            "attempts": [_purity(purity) for _, purity in outcome.attempts],
            "verified": proposed and bool(outcome.attempts),
        },
        "recipe": None, "seed": None, "batch": None, "command": None, "base_command": None,
    }  # fmt: skip
    if laws is not None:
        plain |= {
            "columns": [
                {
                    "column": f"p.{column.key}", "kind": column.kind,
                    "old": None if column.law is None else to_plain(column.law),
                    "new": column.plain(laws.shares[column.key]),
                    "was": "own weights" if column.law is None else describe(column.law),
                    "words": column.range_of(laws.shares[column.key]),
                    "variation": _number(variation(column, laws.shares[column.key])),
                    "shares": [_number(float(share)) for share in laws.shares[column.key]],
                    "base_shares": [_number(float(share)) for share in column.base],
                }
                for column in laws.columns
            ],
            "notes": list(laws.notes), "base_share": _number(laws.base_share), "steps": laws.steps,
            "effective_worlds": {"targeted": _number(laws.effective_worlds), "mixture": _number(laws.joint_worlds)},
        }  # fmt: skip
        plain["purity"]["promised"] = _number(laws.promised)
        if outcome.predicted is not None:
            plain["purity"]["predicted"] = _numbers(asdict(outcome.predicted))
    if proposed and command is not None and laws is not None:
        batch = batch_folder(settings.out, outcome.recipe)
        targeted = max(round(BATCH_WORLDS * (1.0 - laws.base_share)), settings.preflight)
        base = max(round(targeted * laws.base_share / (1.0 - laws.base_share)), 1)
        conf = settings.out / "conf"
        before = settings.command
        as_it_is = [] if before.recipe is None else [f"recipe={before.recipe}"]
        base_seed = seed_of(settings.report, outcome.recipe, -1)
        plain |= {
            "recipe": f"conf/recipe/{outcome.recipe}.yaml", "seed": outcome.seed, "batch": str(batch),
            "command": spoken(command.line(f"recipe={outcome.recipe}", f"count={targeted}", f"out={batch}", conf=conf)),
            "base_command": spoken(before.line(*as_it_is, f"seed={base_seed}", f"count={base}", f"out={batch}_base")),
        }  # fmt: skip
    return plain


def _failing(target: Target) -> dict[str, Any]:
    low, high = target.difference
    return {
        "instances": target.instances, "failing": target.failing, "groups": target.groups, "risk": _number(target.risk),
        "more_than_all": {"low": _number(low), "high": _number(high)}, "is_sufficient": target.is_sufficient,
    }  # fmt: skip


def _purity(purity: Purity | None) -> dict[str, Any] | None:
    return None if purity is None else _numbers(asdict(purity))


def _purity_words(one: dict[str, Any]) -> str:
    purity = one["purity"]
    words = []
    if purity["base"] is not None:
        words.append(f"{purity['base']['value']:.0%} of the pictures as they are")
    if purity["predicted"] is not None and purity["predicted"]["value"] is not None:
        found = purity["predicted"]
        words.append(f"{found['value']:.0%} predicted from {found['effective_worlds']:.1f} effective worlds")
    if purity["measured"] is None:
        return "; ".join([*words, one["reason"] or "not verified"])
    found = purity["measured"]
    reach = f"[{found['low']:.0%}, {found['high']:.0%}]"
    words.append(f"{found['value']:.0%} {reach} of {found['images']} measured, attempt {len(purity['attempts'])}")
    return "; ".join(words)


def _numbers(plain: dict[str, Any]) -> dict[str, Any]:
    return {key: _number(value) if isinstance(value, float) else value for key, value in plain.items()}


def _number(value: float) -> float | None:
    return round(value, DIGITS) if math.isfinite(value) else None
