"""`python -m engine.evaluate DATASET PREDICTIONS`: what a model gets right and wrong, slice by slice."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from engine.collect.refs import dataset_path
from engine.dataset.__main__ import say
from engine.errors import UserError, WriteFailed
from engine.evaluate.compare import Compared, compare
from engine.evaluate.evaluate import Measurement, measure_slices
from engine.evaluate.failures import failures_of
from engine.evaluate.figures import Part
from engine.evaluate.images import measure_images
from engine.evaluate.match import match
from engine.evaluate.page import write_evaluation_page
from engine.evaluate.predictions import read_predictions
from engine.evaluate.report import (
    MATCHES,
    PREDICTIONS,
    REPORT,
    default_out,
    match_table,
    plain_report,
    prediction_table,
    table_lines,
)
from engine.evaluate.slices import SliceReader, read_slices
from engine.evaluate.truth import read_truth
from engine.write.files import TEMPORARY, publish, remove_tree
from engine.write.reports import check_place
from engine.write.tables import parquet_bytes

PAGE = "evaluation.html"
MOST_PICTURED = 500


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.evaluate", description="Say what a model gets right and wrong, slice by slice."
    )
    parser.add_argument("dataset", type=Path, help="a complete dataset with labels/coco.json")
    parser.add_argument(
        "predictions", type=Path, help="COCO results: a JSON list of image_id, category_id, bbox, score"
    )
    parser.add_argument("--slices", type=Path, metavar="FILE", help="slices.yaml: conditions by name")
    parser.add_argument("--against", type=Path, metavar="FILE", help="predictions of another model, compared in pairs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: <predictions>-report)")
    parser.add_argument("--run", type=Path, metavar="DIR", help="training that made them, to note in the lineage")
    parser.add_argument("--score", type=float, default=0.0, help="predictions below count for AP alone (%(default)s)")
    parser.add_argument(
        "--group", metavar="COLUMN", help="column of independent groups (default: of the ingest, or world)"
    )
    parser.add_argument("--replicates", type=int, default=500, metavar="N", help="of the bootstrap (%(default)s)")
    parser.add_argument("--worst", type=int, default=24, metavar="N", help="pictures on the page (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (%(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        chosen.dataset = dataset_path(chosen.dataset)
        return _run_noted(chosen)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Evaluate and write the report; return 0 once it is there."""
    if arguments.replicates < 50 or arguments.seed < 0:
        raise UserError("--replicates must be at least 50, --seed 0 or more")
    if not 0 <= arguments.worst <= MOST_PICTURED:
        raise UserError(f"--worst must be in 0..{MOST_PICTURED}, got {arguments.worst}")
    out = (arguments.out or default_out(arguments.predictions)).absolute()
    if out.resolve().is_relative_to(arguments.dataset.resolve()):
        raise UserError(f"--out {out} is in the dataset; reports go beside it")
    check_place(out / REPORT)
    truth = read_truth(arguments.dataset.absolute(), arguments.group)
    predictions = read_predictions(arguments.predictions, truth.image_ids, truth.categories)
    others = None
    if arguments.against is not None:
        others = read_predictions(arguments.against, truth.image_ids, truth.categories)
    matches = match(truth.labels, predictions, None if others is None else others.task)
    truth = truth.in_order(matches.truth_id)
    settings = Measurement(arguments.score, arguments.replicates, arguments.seed)
    slices = {} if arguments.slices is None else read_slices(arguments.slices)
    reader = SliceReader(truth.dataset, truth)
    parts = {name: (own, *reader.part(name, own)) for name, own in slices.items()}
    measured = measure_slices(truth, matches, parts, settings)
    compared: list[Compared] = []
    if others is not None:
        other = match(truth.labels, others, matches.task)
        if other.task != matches.task:
            raise UserError(f"--against has instances compared as {other.task}, the predictions as {matches.task}")
        whole = Part(np.ones(len(matches.truth_id), np.bool_), np.ones(len(matches.image_ids), np.bool_))
        cases = {"all": whole} | {name: part for name, (_, part, _) in parts.items()}
        enough = {one.name for one in measured if one.is_sufficient}
        pair = (matches, other)
        compared = [compare(name, part, truth, pair, settings) for name, part in cases.items() if name in enough]
    scores = None
    if predictions.image_scores:
        shown = np.bincount(matches.truth_image[~matches.truth_ignored], minlength=len(matches.image_ids)) > 0
        scores = measure_images(truth, shown, predictions.image_scores, settings)
    failures = failures_of(truth, matches, predictions, arguments.worst, settings.score)
    report = plain_report(truth, matches.task, measured, compared, scores, settings, failures)
    report["predictions"] = str(arguments.predictions.absolute())
    tables = {MATCHES: match_table(truth, matches), PREDICTIONS: prediction_table(truth, matches, predictions)}
    _write(out, tables, {
        REPORT: [(json.dumps(report, indent=1) + "\n").encode()],
        PAGE: write_evaluation_page(truth, report, failures, arguments.predictions.name),
    })  # fmt: skip
    for line in table_lines(measured, compared):
        say(line)
    if scores is not None:
        words = [f"{name} {one.value:.3f} [{one.low:.2f},{one.high:.2f}]" for name, one in scores.figures.items()]
        say(f"pictures: {scores.positive} of {scores.images} show something; {', '.join(words)}")
    say(f"intervals: 90 %, over {report['groups']} groups by {truth.group_by}; risk {report['risk']}; written to {out}")
    return 0


def _run_noted(arguments: argparse.Namespace) -> int:
    from engine.evaluate.noted import noted

    out = (arguments.out or default_out(arguments.predictions)).absolute()
    told = {name: getattr(arguments, name) for name in ("score", "group", "replicates", "seed")}
    files = {"run": arguments.run, "dataset": arguments.dataset, "predictions": arguments.predictions}
    with noted(out, settings=told, **files):
        return run(arguments, say)


def _write(out: Path, tables: Mapping[str, pa.Table], files: Mapping[str, Iterable[bytes]]) -> None:
    """Write the tables, then the files, the report last."""
    try:
        for name, table in tables.items():
            publish(out, out / name, [parquet_bytes(table)])
        for name in sorted(files, key=lambda name: name == REPORT):
            publish(out, out / name, files[name])
    finally:
        remove_tree(out / TEMPORARY)


if __name__ == "__main__":
    sys.exit(main())
