"""Which cue a model leans on: what it loses on pictures that lack one.

A fall alone does not say that a cue is an artefact: what is removed may be what the task needs. Models that learned
from a reference, real pictures as a rule, say what it needs: the verdict is then on how much more is lost than there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.compare.statistics import holm_by_name
from engine.errors import UserError
from engine.evaluate.board import NAMES, Board, Judged
from engine.evaluate.evaluate import Measurement
from engine.evaluate.slices import ALL, Slice
from engine.train.change import LEVEL, Change, change_of
from engine.train.copies import Copies, write_copies
from engine.train.few import check_apart
from engine.train.prepare import Data
from engine.train.removal import CUES, Removal
from engine.train.run import Learner, train

AS_IS = "as is"
LEANS, STANDS, OPEN, ABSENT, INSUFFICIENT = "leans", "does not lean", "open", "absent", "insufficient"
METRICS = tuple(name for name in NAMES if name != "false_alarms")
LEAST_SUPPORT = 10  # groups of the whole set
LEAST_TO_LOSE = 2.0  # times the margin: a figure below, as is, is too low to fall

Results = list[dict[str, dict[str, Judged]]]  # of every seed: by cue, by slice


@dataclass(frozen=True)
class Study:
    """What is asked."""

    data: tuple[Path, ...]
    test: Path
    reference: tuple[Path, ...] = ()  # what those models learn from that say what the task needs
    seeds: tuple[int, ...] = (0, 1, 2)
    cues: tuple[str, ...] = CUES
    metric: str = "AP50"
    margin: float = 0.05  # a fall of less is none
    removal: Removal = field(default_factory=Removal)

    def __post_init__(self) -> None:
        if not 0.0 < self.margin < 1.0:
            raise UserError(f"--margin must be in 0..1, got {self.margin:g}")
        if self.test.resolve() in {path.resolve() for path in (*self.data, *self.reference)}:
            raise UserError(f"--test {self.test} is learned from; name pictures that the models have not seen")
        unknown = [cue for cue in self.cues if cue not in CUES]
        if unknown or not self.cues:
            raise UserError(f"--cues {','.join(unknown)}: expected some of {', '.join(CUES)}")


@dataclass(frozen=True)
class Found:
    """One cue in one slice."""

    without: Change  # the figure
    fall: Change  # of the figure, as is minus without
    reference: Change | None  # the fall of the reference
    excess: Change  # the fall beyond that of the reference, or the fall

    @property
    def is_known(self) -> bool:
        """Whether it can be judged."""
        return self.excess.is_known


def study(
    asked: Study, out: Path, learner: Learner, slices: Mapping[str, Slice], settings: Measurement,
    group: str | None = None, say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Train, predict the test as it is and without each cue, and return what is lost as plain data.

    Args:
        asked: Datasets, seeds and cues.
        out: Folder of trainings and changed pictures; what is done there already is kept.
        learner: Who learns.
        slices: By name; `all` is added.
        settings: Score, replicates and seed of the draws.
        group: Column of the test's independent groups.
        say: Told of every training.
    Raises:
        UserError: If data cannot be read or the trainer fails.
    """
    check_apart((*asked.data, *asked.reference), asked.test)
    board = Board(asked.test, slices, settings, group)
    copies = write_copies(out, asked.test, asked.cues, asked.removal)
    own = _judged(asked, asked.data, "run", out, (learner, board, copies), say)
    reference = _judged(asked, asked.reference, "reference", out, (learner, board, copies), say)
    return {
        "metric": asked.metric, "margin": asked.margin, "seeds": list(asked.seeds),
        "group_by": board.truth.group_by, "cues": {cue: {"changed": copies.changed[cue]} for cue in asked.cues},
        "levels": copies.levels,
        "slices": [_slice(name, slices.get(name), asked, copies, (own, reference)) for name in (ALL, *slices)],
    }  # fmt: skip


def _judged(
    asked: Study, data: Sequence[Path], name: str, out: Path, by: tuple[Learner, Board, Copies],
    say: Callable[[str], None],
) -> Results:  # fmt: skip
    """Return every seed's figures as is and without each cue; nothing without data."""
    learner, board, copies = by
    results: Results = []
    for seed in asked.seeds if data else ():
        folder = out / "runs" / f"{name}-{seed}"
        plan = train(folder, [Data(path) for path in data], [Data(asked.test)], learner, seed, copies=copies.folders)
        names = (AS_IS, *copies.folders)
        results.append({
            cue: board.judge(folder / wanted.out) for cue, wanted in zip(names, plan.predict, strict=True)
        })  # fmt: skip
        figures = " ".join(f"{cue} {results[-1][cue][ALL].value(asked.metric):.3f}" for cue in names)
        say(f"{name} seed {seed}: {asked.metric} {figures}")
    return results


def _slice(
    name: str, own: Slice | None, asked: Study, copies: Copies, results: tuple[Results, Results]
) -> dict[str, Any]:
    first = results[0][0][AS_IS][name]
    support = LEAST_SUPPORT if own is None else own.min_support
    plain: dict[str, Any] = {
        "name": name, "where": "" if own is None else own.where, "images": first.images, "groups": first.groups,
        "instances": first.instances, "min_support": support, "verdict": None,
    }  # fmt: skip
    as_is = figure_of(results[0], AS_IS, name, asked.metric)
    if first.groups < max(support, 2) or not as_is.is_known:
        return plain | {"verdict": INSUFFICIENT, "cues": []}
    reference = figure_of(results[1], AS_IS, name, asked.metric) if results[1] else None
    found = {cue: _found(results, cue, name, asked.metric) for cue in asked.cues}
    chances = {cue: one.excess.chance_below(asked.margin) for cue, one in found.items() if one.is_known}
    adjusted = holm_by_name({cue: p for cue, p in chances.items() if copies.changed[cue] > 0.0})
    rows = []
    for cue, one in found.items():
        verdict, words = judge(cue, one, (as_is, reference), asked, adjusted.get(cue))
        rows.append({
            "cue": cue, "without": _plain(one.without), "fall": _plain(one.fall),
            "reference_fall": _plain(one.reference), "excess": _plain(one.excess), "p": adjusted.get(cue),
            "verdict": verdict, "words": words,
        })  # fmt: skip
    return plain | {"as_is": _plain(as_is), "reference_as_is": _plain(reference), "cues": rows}


def figure_of(results: Results, cue: str, name: str, metric: str) -> Change:
    """Return the figure of a slice without a cue, over seeds."""
    judges = [one[cue][name] for one in results]
    return change_of(
        np.array([one.value(metric) for one in judges]), np.array([one.draws(metric) for one in judges]),
        judges[0].groups,
    )  # fmt: skip


def _found(results: tuple[Results, Results], cue: str, name: str, metric: str) -> Found:
    groups = results[0][0][AS_IS][name].groups
    falls = [_falls(one, cue, name, metric) for one in results if one]
    own = change_of(*falls[0], groups)
    without = figure_of(results[0], cue, name, metric)
    if len(falls) == 1:
        return Found(without, own, None, own)
    more = (falls[0][0] - falls[1][0], falls[0][1] - falls[1][1])
    return Found(without, own, change_of(*falls[1], groups), change_of(*more, groups))


def _falls(results: Results, cue: str, name: str, metric: str) -> tuple[Any, Any]:
    pairs = [(one[AS_IS][name], one[cue][name]) for one in results]
    return (
        np.array([a.value(metric) - b.value(metric) for a, b in pairs]),
        np.array([a.draws(metric) - b.draws(metric) for a, b in pairs]),
    )  # fmt: skip


def judge(
    cue: str, one: Found, as_is: tuple[Change, Change | None], asked: Study, adjusted: float | None
) -> tuple[str, str]:
    """Return a verdict on a cue, and the same as a sentence.

    `adjusted` is the p-value, by Holm over the cues, of "no more than the margin is lost"; None: the pictures have no
    such cue.
    """
    metric, margin = asked.metric, asked.margin
    if adjusted is None and one.is_known:
        return ABSENT, f"the pictures have no {cue} to remove"
    if adjusted is None:
        return OPEN, f"open: {metric} without {cue} is not known"
    weak = [who for who, own in zip(("the model", "the reference"), as_is) if own and own.low < LEAST_TO_LOSE * margin]
    fall = f"{metric} falls by {_words(one.fall)}"
    if one.reference is not None:
        fall += f", that of the reference by {one.reference.value:.3f}: {_words(one.excess)} more"
    if weak:
        return OPEN, f"open: as is, {metric} of {' and '.join(weak)} is too low to fall by {margin:g}; {fall}"
    if adjusted < LEVEL:
        return LEANS, f"leans on {cue}: {fall}"
    if one.excess.high < margin:
        return STANDS, f"does not lean on {cue}: {fall}, less than {margin:g}"
    return OPEN, f"open: {fall}; whether by more than {margin:g} is not shown"


def _words(one: Change) -> str:
    return f"{one.value:.3f} [{one.low:.3f},{one.high:.3f}]"


def _plain(one: Change | None) -> dict[str, float | None] | None:
    if one is None:
        return None
    return {name: round(getattr(one, name), 6) if one.is_known else None for name in ("value", "low", "high")}
