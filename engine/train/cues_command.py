"""`python -m engine.train cues`: whether a model learned the task or an artefact of the pictures it learned from."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.collect.refs import dataset_path
from engine.errors import UserError
from engine.evaluate.evaluate import Measurement
from engine.evaluate.slices import read_slices
from engine.lineage.node import dataset_ref
from engine.plain import to_plain
from engine.train.__main__ import add_learner, learner_of
from engine.train.cues import METRICS, Study, study
from engine.train.options import numbers
from engine.train.removal import CUES, Removal
from engine.write.files import TEMPORARY, publish, remove_tree
from engine.write.record import json_bytes

SCHEMA = "cues/1"
REPORT = "cues.json"
MOST_SEEDS = 100


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    made = argparse.ArgumentParser(
        prog="python -m engine.train cues",
        description="Train, and say which cue of the pictures the model leans on: what it loses without each.",
    )
    made.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help="datasets to learn from")
    made.add_argument("--test", type=Path, required=True, metavar="DIR", help="pictures to judge by, of others")
    made.add_argument(
        "--reference", type=Path, nargs="+", default=[], metavar="DIR",
        help="datasets, real ones as a rule, whose models say what the task needs",
    )  # fmt: skip
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of trainings, pictures, report")
    add_learner(made)
    made.add_argument("--seeds", default="0,1,2", metavar="N,..", help="one training each (%(default)s)")
    made.add_argument("--cues", default=",".join(CUES), metavar="NAME,..", help="what is removed (%(default)s)")
    made.add_argument("--sigma", type=float, default=1.5, metavar="PX", help="of the blur of edges (%(default)s)")
    made.add_argument(
        "--light-order", type=int, default=2, metavar="N", help="of the surface that is taken for light (%(default)s)"
    )
    made.add_argument("--slices", type=Path, metavar="FILE", help="slices.yaml: conditions by name")
    made.add_argument("--metric", choices=METRICS, default="AP50", help="what may fall (%(default)s)")
    made.add_argument("--margin", type=float, default=0.05, help="a fall of less is none (%(default)s)")
    made.add_argument("--score", type=float, default=0.5, help="from which recall and precision count (%(default)s)")
    made.add_argument("--replicates", type=int, default=500, metavar="N", help="of the bootstrap (%(default)s)")
    made.add_argument("--group", metavar="COLUMN", help="column of the test's independent groups")
    return made


def run(chosen: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Train what is not trained yet, write cues.json and print the verdicts; return 0."""
    if chosen.replicates < 50:
        raise UserError(f"--replicates must be at least 50, got {chosen.replicates}")
    try:
        removal = Removal(chosen.sigma, chosen.light_order)
    except ValueError as error:
        raise UserError(f"--sigma, --light-order: {error}") from error
    asked = Study(
        tuple(dataset_path(path) for path in chosen.data), dataset_path(chosen.test),
        tuple(dataset_path(path) for path in chosen.reference), numbers(chosen.seeds, "--seeds", 0, MOST_SEEDS),
        tuple(dict.fromkeys(chosen.cues.split(","))), chosen.metric, chosen.margin, removal,
    )  # fmt: skip
    out: Path = chosen.out.absolute()
    learner = learner_of(chosen)
    if learner.command is None and learner.model == "pixels" and "cache" not in learner.settings:
        learner = replace(learner, settings={**learner.settings, "cache": str(out / "features")})
    slices = {} if chosen.slices is None else read_slices(chosen.slices)
    settings = Measurement(chosen.score, chosen.replicates)
    report: dict[str, Any] = {
        "schema": SCHEMA, "learner": learner.name, "task": learner.task, "datasets": _datasets(asked),
        "settings": to_plain(settings), "removal": to_plain(removal),
        **study(asked, out, learner, slices, settings, chosen.group, say),
    }  # fmt: skip
    try:
        publish(out, out / REPORT, [json_bytes(report)])
    finally:
        remove_tree(out / TEMPORARY)
    for line in table_lines(report):
        say(line)
    say(f"intervals: 90 %, over {len(asked.seeds)} seeds and groups by {report['group_by']}; written to {out}")
    return 0


def table_lines(report: Mapping[str, Any]) -> list[str]:
    """Return the slices and their verdicts as text."""
    lines = []
    for one in report["slices"]:
        head = f"{one['name']}: {one['images']} pictures, {one['groups']} groups, {one['instances']} instances"
        if one["verdict"]:
            lines.append(f"{head}: {one['verdict']}, {one['min_support']} groups and a figure are needed")
            continue
        lines.append(f"{head}; as is {report['metric']} {one['as_is']['value']:.3f}")
        for row in one["cues"]:
            value = row["without"]["value"]
            figure = "unknown" if value is None else f"{value:.3f}"
            lines.append(f"  {row['cue']:<10} {figure:<8} {row['words']}")
    return lines


def _datasets(asked: Study) -> dict[str, Any]:
    named = {"data": asked.data, "test": (asked.test,), "reference": asked.reference}
    return {name: [to_plain(dataset_ref(path)) for path in paths] for name, paths in named.items()}
