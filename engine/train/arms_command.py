"""`python -m engine.train arms`: does rendered data help a learner, and how much is it worth in real pictures?"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.collect.refs import dataset_path
from engine.errors import UserError
from engine.evaluate.board import Board, Judged
from engine.evaluate.evaluate import Measurement
from engine.evaluate.slices import read_slices
from engine.train.__main__ import add_learner, learner_of
from engine.train.arms import MEANING, Experiment, compared, judged, trainings
from engine.train.arms_page import drawn, write_arms_page
from engine.train.options import numbers
from engine.train.run import Learner
from engine.write.files import TEMPORARY, publish, remove_tree
from engine.write.record import json_bytes

SCHEMA = "arms/1"
REPORT, PAGE = "arms.json", "arms.html"
SHOWN = ("AP50", "recall", "AUROC")  # in the table that is printed


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    made = argparse.ArgumentParser(
        prog="python -m engine.train arms",
        description="Compare learning from real pictures, rendered ones, both, and rendered ones with wrong labels.",
    )
    made.add_argument("--real", type=Path, required=True, metavar="DIR", help="real pictures to learn from")
    made.add_argument("--synthetic", type=Path, nargs="+", required=True, metavar="DIR", help="rendered datasets")
    made.add_argument("--batch", type=Path, metavar="DIR", help="a rendered dataset whose worth is asked, beside those")
    made.add_argument("--test", type=Path, required=True, metavar="DIR", help="real pictures to judge by, of others")
    made.add_argument(
        "--k", default="1,3,10", metavar="N,..", help="real pictures of each class, and as many without (%(default)s)"
    )
    made.add_argument("--free", type=int, metavar="N", help="real pictures without an instance (default: as many)")
    made.add_argument("--seeds", default="0..4", metavar="A..B", help="repetitions, or a list a,b,c (%(default)s)")
    add_learner(made)
    made.add_argument("--slices", type=Path, metavar="FILE", help="slices.yaml: conditions by name")
    made.add_argument("--score", type=float, default=0.5, help="from which a prediction is made (%(default)s)")
    made.add_argument("--replicates", type=int, default=200, metavar="N", help="of the bootstrap (%(default)s)")
    made.add_argument("--group", metavar="COLUMN", help="column of the test's independent groups")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of trainings and report")
    return made


def run(chosen: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Train what is not trained yet, compare, write arms.json and arms.html; return 0."""
    if chosen.replicates < 50:
        raise UserError(f"--replicates must be at least 50, got {chosen.replicates}")
    if chosen.free is not None and chosen.free < 0:
        raise UserError(f"--free must be 0 or more, got {chosen.free}")
    experiment = Experiment(
        dataset_path(chosen.real), tuple(dataset_path(path) for path in chosen.synthetic),
        None if chosen.batch is None else dataset_path(chosen.batch), dataset_path(chosen.test),
        numbers(chosen.k, "--k", 1), numbers(chosen.seeds, "--seeds", 0), chosen.free,
    )  # fmt: skip
    out: Path = chosen.out.absolute()
    learner = learner_of(chosen)
    learner.trainer()
    if chosen.trainer is None and chosen.model == "pixels" and "cache" not in learner.settings:
        told = {**learner.settings, "cache": str(out / "features")}
        learner = Learner(learner.model, learner.command, learner.task, told)
    slices = {} if chosen.slices is None else read_slices(chosen.slices)
    settings = Measurement(chosen.score, chosen.replicates)
    board = Board(experiment.test, slices, settings, chosen.group)
    board.check(learner.task)
    wanted = trainings(experiment)
    results: dict[tuple[str, int], list[Mapping[str, Judged]]] = {}
    for number, one in enumerate(wanted, start=1):
        began = time.monotonic()
        found = judged(one, out, experiment, learner, board)
        results.setdefault(one.key, []).append(found)
        words = " ".join(f"{figure} {found['all'].value(figure):.3f}" for figure in SHOWN)
        took = f"{time.monotonic() - began:.0f} s"
        say(f"{number}/{len(wanted)} {one.arm}@{one.count} seed {one.seed}: {words} ({took})")
    report = {
        "schema": SCHEMA,
        "learner": learner.name,
        "task": learner.task,
        "seeds": list(experiment.seeds),
        "k": list(experiment.counts),
        "datasets": _datasets(experiment),
        "group_by": board.truth.group_by,
        "settings": {"score": settings.score, "replicates": settings.replicates, "seed": settings.seed},
        "arms": {name: MEANING[name] for name in dict.fromkeys(one.arm for one in wanted)},
        "slices": compared(results, slices, settings),
    }
    try:
        publish(out, out / PAGE, write_arms_page(report))
        publish(out, out / REPORT, [json_bytes(report)])
    finally:
        remove_tree(out / TEMPORARY)
    for line in table_lines(report):
        say(line)
    say(f"intervals: 90 %, over {drawn(report)} by {board.truth.group_by}; written to {out}")
    return 0


def table_lines(report: Mapping[str, Any]) -> list[str]:
    """Return arms and gains as text, a line each."""
    lines = []
    for one in report["slices"]:
        head = f"{one['name']}: {one['images']} pictures, {one['groups']} groups"
        if one["verdict"]:
            lines.append(f"{head}: {one['verdict']}, fewer than {one['min_support']} groups")
            continue
        lines.append(head)
        for row in one["arms"]:
            lines.append(f"  {row['arm']}@{row['k']}".ljust(22) + _words(row["figures"], ""))
        for row in one["gains"]:
            name = f"  {row['arm']} - {row['over']} @{row['k']}"
            lines.append(name.ljust(32) + _words(row["figures"], "+"))
    return lines


def _words(figures: Mapping[str, Any], sign: str) -> str:
    words = []
    for name in SHOWN:
        one = figures[name]
        if one["value"] is None or one["low"] is None:
            words.append(f"{name} unknown")
        else:
            verdict = f" {one['verdict']}" if "verdict" in one else ""
            words.append(f"{name} {one['value']:{sign}.3f} [{one['low']:{sign}.3f},{one['high']:{sign}.3f}]{verdict}")
    return "  ".join(words)


def _datasets(experiment: Experiment) -> dict[str, Any]:
    from engine.lineage.node import dataset_ref
    from engine.plain import to_plain

    paths = {"real": experiment.real, "test": experiment.test}
    paths |= {f"synthetic {number}": path for number, path in enumerate(experiment.synthetic)}
    if experiment.batch is not None:
        paths["batch"] = experiment.batch
    return {name: to_plain(dataset_ref(path)) for name, path in paths.items()}
