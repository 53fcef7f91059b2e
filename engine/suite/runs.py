"""Run a pinned suite: check that nothing changed, judge a model and the blessed one on the same draws, note it."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engine import __version__
from engine.collect.holdout import find_lock
from engine.errors import UserError
from engine.evaluate.board import Board, Judged
from engine.evaluate.evaluate import Figure
from engine.evaluate.predictions import read_predictions
from engine.plain import to_plain
from engine.suite.bless import Blessing, Training, find_blessing, say_the_same
from engine.suite.history import RUN, note
from engine.suite.pin import JUDGED
from engine.suite.pinned import Pinned, Place, dataset_of, read_pinned
from engine.suite.verdict import Verdict, judge
from engine.write.files import hash_file

DIGITS = 6
NEEDS_SCORES = "AUROC"


@dataclass(frozen=True)
class Ran:
    """A suite that was run."""

    place: Place
    pinned: Pinned
    verdict: Verdict
    predictions: Path
    predictions_sha256: str
    run: Training | None
    dataset: Path
    blessed: tuple[Blessing, Path] | None
    is_locked: bool  # whether the dataset still is a locked holdout

    @property
    def is_trained_on_it(self) -> bool:
        """Whether the training that made the predictions lists the suite's dataset."""
        return self.run is not None and self.pinned.data.dataset_id in self.run.datasets


class Bench:
    """A pinned suite that is open: its data are checked and its ground truth is read."""

    def __init__(self, place: Place, dataset: Path | None = None) -> None:
        """Open a suite.

        Args:
            place: Of the suite.
            dataset: Where its dataset lies now; None: where it was.
        Raises:
            UserError: If the suite or a byte of its data is not what was pinned.
        """
        self.place = place
        self.pinned = read_pinned(place)
        self.dataset = dataset_of(place, self.pinned, dataset)
        judged = self.pinned.judged
        figures = (self.pinned.rule.metric,)
        self._board = Board(
            self.dataset, {JUDGED: judged.slice}, judged.measurement, judged.group, figures=figures
        )  # fmt: skip

    def judge(self, predictions: Path) -> Judged:
        """Return the figures of a model on what is judged.

        Raises:
            UserError: If the predictions are not of this dataset.
        """
        truth = self._board.truth
        try:
            said = read_predictions(predictions, truth.image_ids, truth.categories)
            if self.pinned.rule.metric == NEEDS_SCORES and not said.image_scores.keys() >= truth.image_ids:
                raise UserError(f"{predictions}: AUROC needs a score of every picture, {{image_id, score}}")
            return self._board.judge(predictions)[JUDGED]
        except UserError as error:
            raise UserError(
                f"{self.place}: {error}. The predictions must be of {self.pinned.data.dataset_id}, {self.dataset}"
            ) from error

    def task(self, predictions: Path) -> str | None:
        """Return what instances in a file of predictions are compared by; None: it has none."""
        truth = self._board.truth
        return read_predictions(predictions, truth.image_ids, truth.categories).task


def run_suite(place: Place, predictions: Path, run: Training | None, dataset: Path | None = None) -> Ran:
    """Return what a suite says of a model, and note it in the history.

    Args:
        place: Of the suite.
        predictions: COCO results of the model on the suite's dataset.
        run: The training that made them, to note.
        dataset: Where the dataset lies now; None: where it was.
    Raises:
        UserError: If data or blessed predictions changed, no model is blessed and there is no limit, or the
            predictions cannot be used.
        WriteFailed: If the disk refuses.
    """
    pinned = read_pinned(place)
    blessed = find_blessing(place, pinned)
    if blessed is None and pinned.rule.limit is None:
        raise UserError(
            f"{place}: no model is blessed, so that there is nothing to compare with; `python -m engine.suite bless "
            f"{place.name} --predictions FILE --why TEXT`"
        )
    bench = Bench(place, dataset)
    verdict = judge_on(bench, predictions, blessed)
    ran = Ran(
        place, pinned, verdict, predictions, hash_file(predictions), run, bench.dataset, blessed,
        find_lock(bench.dataset) is not None,
    )  # fmt: skip
    facts = plain_run(ran)
    kept = (
        "suite_id",
        "predictions_sha256",
        "run",
        "blessed_sha256",
        "metric",
        "verdict",
        "value",
        "gain",
        "is_trained_on_it",
        "engine",
    )
    note(place, RUN, {name: facts[name] for name in kept})
    return ran


def judge_on(bench: Bench, predictions: Path, blessed: tuple[Blessing, Path] | None) -> Verdict:
    """Return what an open suite says of a model against another; None: by the limit alone.

    Raises:
        UserError: If the predictions cannot be used, or cannot be compared.
    """
    found = bench.judge(predictions)
    rule = bench.pinned.rule
    if blessed is None:
        return judge(rule, found, None)
    _, kept = blessed
    tasks = [bench.task(path) for path in (predictions, kept)]
    if None not in tasks and tasks[0] != tasks[1]:
        raise UserError(
            f"{bench.place}: the predictions are compared as {tasks[0]}, those of the blessed model as {tasks[1]}; "
            "give both the same, or bless a model anew"
        )
    return judge(rule, found, bench.judge(kept), is_same=say_the_same(predictions, kept))


def plain_run(ran: Ran) -> dict[str, Any]:
    """Return a run as plain data."""
    pinned, verdict = ran.pinned, ran.verdict
    return {
        "suite": str(ran.place), "suite_id": pinned.suite_id, "dataset_id": pinned.data.dataset_id,
        "verdict": verdict.word, "why": verdict.why, "metric": pinned.rule.metric, "allow": pinned.rule.allow,
        "limit": pinned.rule.limit, "value": plain_figure(verdict.value), "blessed": plain_figure(verdict.blessed),
        "gain": plain_figure(verdict.gain), "images": verdict.images, "groups": verdict.groups,
        "instances": verdict.instances, "group_by": pinned.judged.group, "min_support": pinned.rule.min_support,
        "predictions": str(ran.predictions.absolute()), "predictions_sha256": ran.predictions_sha256,
        "run": None if ran.run is None else ran.run.id,
        "blessed_sha256": None if ran.blessed is None else ran.blessed[0].predictions_sha256,
        "is_locked": ran.is_locked,
        "is_trained_on_it": ran.is_trained_on_it, "engine": __version__,
    }  # fmt: skip


def run_lines(ran: Ran) -> list[str]:
    """Return a run as lines for people."""
    verdict = ran.verdict
    sizes = f"{verdict.images} pictures, {verdict.groups} groups, {verdict.instances} instances"
    lines = [f"{verdict.word.upper():<12} {ran.place}: {_words(ran)}{verdict.why}; {sizes}"]
    if ran.is_trained_on_it:
        lines.append(f"{'':<12} its training lists the suite's dataset: what was learned by heart is no answer")
    if not ran.is_locked:
        lines.append(f"{'':<12} its dataset is no locked holdout: reads of it are not noted")
    return lines


def write_report(ran: Ran, folder: Path) -> None:
    """Write an evaluation of the model on the suite's dataset, against the blessed one, with the worst pictures.

    Raises:
        UserError: If it cannot be made.
    """
    from engine.evaluate.__main__ import main

    pinned = ran.pinned
    folder.mkdir(parents=True, exist_ok=True)
    own = to_plain(pinned.judged.slice) | {"min_support": pinned.rule.min_support, "about": pinned.about}
    slices = folder / "slices.yaml"
    slices.write_text(yaml.safe_dump({ran.place.name: own}, sort_keys=False), encoding="utf-8")
    judged = pinned.judged
    words = [str(ran.dataset), str(ran.predictions), "--slices", str(slices), "--out", str(folder)]
    words += ["--score", f"{judged.score!r}", "--group", judged.group, "--seed", str(judged.seed)]
    words += ["--replicates", str(judged.replicates)]
    if ran.blessed is not None:
        words += ["--against", str(ran.blessed[1])]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said := io.StringIO()):
        code = main(words)
    if code:
        raise UserError(f"{ran.place}: the report in {folder} was not made: {said.getvalue().strip()}")


def _words(ran: Ran) -> str:
    value = ran.verdict.value
    if value is None or ran.verdict.gain is None:
        return ""
    return f"{ran.pinned.rule.metric} {value.value:.3f} [{value.low:.2f}, {value.high:.2f}]; "


def plain_figure(figure: Figure | None) -> Mapping[str, float | None] | None:
    """Return a figure as plain data; what is not known is null."""
    if figure is None:
        return None
    parts = {"value": figure.value, "low": figure.low, "high": figure.high}
    return {name: round(value, DIGITS) if math.isfinite(value) else None for name, value in parts.items()}
