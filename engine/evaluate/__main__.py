"""`python -m engine.evaluate DATASET PREDICTIONS`: what a model gets right and wrong, slice by slice."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.dataset.__main__ import say
from engine.errors import UserError, WriteFailed
from engine.evaluate.compare import Compared, compare
from engine.evaluate.evaluate import Measurement, measure_slices
from engine.evaluate.figures import Part
from engine.evaluate.images import measure_images
from engine.evaluate.match import Matches, match
from engine.evaluate.predictions import Predictions, read_predictions
from engine.evaluate.report import default_out, match_table, plain_report, prediction_table, table_lines
from engine.evaluate.slices import SliceReader, read_slices
from engine.evaluate.truth import Truth, read_truth
from engine.write.files import TEMPORARY, publish, remove_tree
from engine.write.tables import parquet_bytes

REPORT, MATCHES, PREDICTIONS = "evaluation.json", "matches.parquet", "predictions.parquet"


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
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (%(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        return _run_noted(chosen)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Evaluate and write the report; return 0 once it is there."""
    if arguments.replicates < 50 or arguments.seed < 0:
        raise UserError("--replicates must be at least 50, --seed 0 or more")
    truth = read_truth(arguments.dataset.absolute(), arguments.group)
    predictions, matches = _matched(truth, arguments.predictions)
    truth = truth.in_order(matches.truth_id)
    settings = Measurement(arguments.score, arguments.replicates, arguments.seed)
    slices = {} if arguments.slices is None else read_slices(arguments.slices)
    reader = SliceReader(truth.dataset, truth)
    parts = {name: (own, *reader.part(name, own)) for name, own in slices.items()}
    measured = measure_slices(truth, matches, parts, settings)
    compared: list[Compared] = []
    if arguments.against is not None:
        _, other = _matched(truth, arguments.against)
        whole = Part(np.ones(len(matches.truth_id), np.bool_), np.ones(len(matches.image_ids), np.bool_))
        cases = {"all": whole} | {name: part for name, (_, part, _) in parts.items()}
        enough = {one.name for one in measured if one.is_sufficient}
        pair = (matches, other)
        compared = [compare(name, part, truth, pair, settings) for name, part in cases.items() if name in enough]
    scores = None
    if predictions.image_scores:
        shown = np.bincount(matches.truth_image[~matches.truth_ignored], minlength=len(matches.image_ids)) > 0
        scores = measure_images(truth, shown, predictions.image_scores, settings)
    out = (arguments.out or default_out(arguments.predictions)).absolute()
    report = plain_report(truth, measured, compared, scores, settings)
    _write(out, report, truth, matches)
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


def _matched(truth: Truth, path: Path) -> tuple[Predictions, Matches]:
    predictions = read_predictions(path, truth.image_ids, truth.categories)
    return predictions, match(truth.labels, predictions)


def _write(out: Path, report: dict[str, object], truth: Truth, matches: Matches) -> None:
    try:
        publish(out, out / MATCHES, [parquet_bytes(match_table(truth, matches))])
        publish(out, out / PREDICTIONS, [parquet_bytes(prediction_table(truth, matches))])
        publish(out, out / REPORT, [(json.dumps(report, indent=1) + "\n").encode()])
    finally:
        remove_tree(out / TEMPORARY)


if __name__ == "__main__":
    sys.exit(main())
