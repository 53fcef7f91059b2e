"""G5: what the batch does to models that are trained with it, judged on real validation that nobody trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.evaluate.board import AUROC, NAMES, Board, Judged
from engine.evaluate.evaluate import Measurement
from engine.evaluate.slices import ALL
from engine.gate.arms import WITH, WITHOUT, Arm
from engine.gate.check import ADMIT, HOLD, REJECT, Check, Passed, Verdict, plain
from engine.gate.request import Request
from engine.gate.rule import Decision, Gain, decide

USUAL = ("recall", "precision", "AP50", "false_alarms", AUROC)  # figures that a report has; AP where it is asked for
FEWER_IS_BETTER = frozenset({"false_alarms"})
VERDICTS: Mapping[Verdict, Passed] = {ADMIT: "pass", HOLD: "note", REJECT: "fail"}


@dataclass(frozen=True)
class Study:
    """Both arms of all seeds under one board."""

    gains: dict[str, dict[str, Gain]]  # slice -> figure
    arms: list[dict[str, Any]]  # one a seed: figures of both arms
    slices: dict[str, dict[str, int]]  # slice -> images, groups, instances, min_support
    group_by: str


def board_of(request: Request) -> Board:
    """Return what judges models, which is there before one is trained.

    Raises:
        UserError: If the holdout or a slice cannot be read, or the task needs masks that it has not.
    """
    settings = Measurement(replicates=request.utility.replicates)
    figures = {*USUAL, request.utility.metric}
    board = Board(request.holdout, request.slices, settings, request.group, figures=figures)
    board.check(request.utility.task)
    return board


def judge(request: Request, board: Board, pairs: Sequence[tuple[Arm, Arm]]) -> Study:
    """Return what the batch does to every figure of every slice of the holdout.

    Raises:
        UserError: If predictions cannot be read.
    """
    judged = [{arm.name: board.judge(arm.predictions()) for arm in pair} for pair in pairs]
    names = list(judged[0][WITH])
    support = {ALL: 2} | {name: own.min_support for name, own in request.slices.items()}
    arms = [
        {
            "seed": pair[0].seed,
            **{arm.name: {"folder": arm.folder.name, "seconds": arm.seconds, "figures": _figures(both[arm.name])}
               for arm in pair},
        }
        for pair, both in zip(pairs, judged, strict=True)
    ]  # fmt: skip
    first = judged[0][WITH]
    slices = {
        name: {"images": first[name].images, "groups": first[name].groups, "instances": first[name].instances,
               "min_support": support[name]}
        for name in names
    }  # fmt: skip
    gains = {name: {figure: _gain(judged, name, figure, support[name]) for figure in NAMES} for name in names}
    return Study(gains, [plain(arm) for arm in arms], slices, board.truth.group_by)


def decided(request: Request, study: Study) -> Decision:
    """Return the verdict of the rule on what was measured."""
    metric = request.utility.metric
    gains = {name: of[metric] for name, of in study.gains.items()}
    protected = [
        name
        for name in request.protected
        if request.protect is not None or gains[name].is_known or _is_lost(study, name, metric)
    ]
    if not np.isfinite([value for gain in gains.values() for value in gain.per_seed]).any():
        raise UserError(f"--metric {metric}: no slice of {request.holdout} has such a figure; see its evaluation")
    return decide(request.target, gains, protected, delta=request.utility.delta)


def _is_lost(study: Study, name: str, figure: str) -> bool:
    """Return whether the batch takes a figure away, such as the precision of models that say nothing any more."""
    told = [[figure in arm[own]["figures"].get(name, {}) for own in (WITHOUT, WITH)] for arm in study.arms]
    return study.slices[name]["groups"] >= study.slices[name]["min_support"] and [True, False] in told


def utility_check(request: Request, study: Study, decision: Decision) -> Check:
    """Return the check that the decision is."""
    facts = {
        "metric": request.utility.metric, "delta": request.utility.delta, "seeds": request.utility.seeds,
        "group_by": study.group_by, "slices": study.slices, "protected": list(request.protected),
        "not_judged": [name for name in request.protected if not study.gains[name][request.utility.metric].is_known],
        "needed": decision.needed, "reasons": list(decision.reasons),
    }  # fmt: skip
    return Check("G5", "utility", VERDICTS[decision.verdict], True, "; ".join(decision.reasons), facts)


def plain_gains(study: Study) -> dict[str, Any]:
    """Return every gain that is known with its central 90 % interval: slice -> figure -> value, low, high."""
    found: dict[str, Any] = {}
    for name, of in study.gains.items():
        found[name] = {}
        for figure, gain in of.items():
            if gain.is_known:
                own = gain.estimate()
                most = math.inf if figure == "false_alarms" else 1.0  # that a share can change by
                low, high = max(own.low(), -most), min(own.high(), most)
                found[name][figure] = plain({"value": own.value, "low": low, "high": high})
    return found


def _gain(judged: Sequence[Mapping[str, Mapping[str, Judged]]], name: str, figure: str, support: int) -> Gain:
    sign = -1.0 if figure in FEWER_IS_BETTER else 1.0
    pairs = [(both[WITH][name], both[WITHOUT][name]) for both in judged]
    per_seed = np.array([sign * (one.value(figure) - other.value(figure)) for one, other in pairs])
    draws = np.stack([sign * (one.draws(figure) - other.draws(figure)) for one, other in pairs])
    return Gain(per_seed, draws, pairs[0][0].groups, support)


def _figures(judged: Mapping[str, Judged]) -> dict[str, dict[str, float]]:
    return {
        name: {figure: one.value(figure) for figure in NAMES if np.isfinite(one.value(figure))}
        for name, one in judged.items()
    }
