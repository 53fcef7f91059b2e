"""What an evaluation found, as JSON, a table for people and rows for the next question."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from engine.evaluate.compare import Compared
from engine.evaluate.evaluate import FIGURES, Figure, Measured, Measurement
from engine.evaluate.failures import Failure
from engine.evaluate.figures import LOOSE
from engine.evaluate.images import ImageScores
from engine.evaluate.match import Matches
from engine.evaluate.predictions import Predictions, Task
from engine.evaluate.shapes import box_of
from engine.evaluate.truth import Truth
from engine.plain import to_plain

SCHEMA = "evaluation/1"
REPORT, MATCHES, PREDICTIONS = "evaluation.json", "matches.parquet", "predictions.parquet"
DIGITS = 6
INSUFFICIENT = "insufficient"
COMPARED_BY: Mapping[Task, str] = {"bbox": "boxes", "segm": "masks", "keypoints": "keypoints"}


def plain_report(
    truth: Truth, task: Task, measured: Sequence[Measured], compared: Sequence[Compared],
    scores: ImageScores | None, settings: Measurement, failures: Sequence[Failure],
) -> dict[str, Any]:  # fmt: skip
    """Return the report as plain data; what is not known is null."""
    return {
        "schema": SCHEMA, "dataset": str(truth.dataset),
        "dataset_id": truth.manifest.dataset_id, "content_root": truth.manifest.content_root,
        "compared_by": COMPARED_BY[task], "group_by": truth.group_by,
        "images": len(truth.frame_id), "groups": int(truth.group.max(initial=-1)) + 1,
        "settings": to_plain(settings), "risk": _number(sum(one.risk for one in measured[1:])),
        "slices": [_plain(one) for one in measured],
        "image_scores": None if scores is None else _plain_scores(scores),
        "against": [
            {"slice": one.name} | {name: _figure(figure) | {"verdict": one.verdict(name)}
             for name, figure in one.differences.items()}
            for one in compared
        ],
        "worst": [
            {"frame_id": int(truth.frame_id[one.image]), "path": one.path, "missed": one.missed, "alarms": one.alarms}
            for one in failures
        ],
    }  # fmt: skip


def table_lines(measured: Sequence[Measured], compared: Sequence[Compared]) -> list[str]:
    """Return the table, a line a slice."""
    width = max(len(one.name) for one in measured)
    lines = [f"{'slice':<{width}}  images groups instances  recall           precision        AP               AP50"]
    for one in measured:
        head = f"{one.name:<{width}}  {one.images:>6} {one.groups:>6} {one.instances:>9}  "
        if not one.is_sufficient:
            fewer = f"{one.groups} groups, fewer than min_support {one.min_support}"
            lines.append(f"{head}{INSUFFICIENT}: {fewer if one.images else 'nothing satisfies its condition'}")
            continue
        lines.append(head + "  ".join(_short(one.figures[name]) for name in FIGURES[:4]))
    for other in compared:
        words = [f"{name} {_short(other.differences[name])} {other.verdict(name)}" for name in ("recall", "AP")]
        lines.append(f"{other.name:<{width}}  against the other model: {'; '.join(words)}")
    return lines


def match_table(truth: Truth, matches: Matches) -> pa.Table:
    """Return a row an instance: whether a prediction found it with an overlap of 0.5, and with which score."""
    score = matches.truth_score[:, LOOSE]
    return pa.table({
        "frame_id": pa.array([key[0] for key in truth.instance], pa.int64()),
        "is_defect": pa.array([key[1] for key in truth.instance], pa.bool_()),
        "truth_id": pa.array([key[2] for key in truth.instance], pa.int64()),
        "class": pa.array([matches.categories[int(c)] for c in matches.truth_class], pa.string()),
        "is_crowd": pa.array(matches.truth_ignored, pa.bool_()),
        "found": pa.array(np.isfinite(score), pa.bool_()),
        "score": pa.array([value if math.isfinite(value) else None for value in score.tolist()], pa.float64()),
        "overlaps": pa.array(np.isfinite(matches.truth_score).sum(axis=1), pa.int32()),
    })  # fmt: skip


def prediction_table(truth: Truth, matches: Matches, predictions: Predictions) -> pa.Table:
    """Return a row a prediction: where it is, and what it found with an overlap of 0.5, null: nothing."""
    rows = matches.found_truth[:, LOOSE].tolist()
    keys = [truth.instance[row] if row >= 0 else None for row in rows]
    return pa.table({
        "frame_id": pa.array(truth.frame_id[matches.found_image], pa.int64()),
        "class": pa.array([matches.categories[int(c)] for c in matches.found_class], pa.string()),
        "score": pa.array(matches.found_score, pa.float64()),
        "is_defect": pa.array([None if key is None else key[1] for key in keys], pa.bool_()),
        "truth_id": pa.array([None if key is None else key[2] for key in keys], pa.int64()),
        "ignored": pa.array(matches.found_ignored[:, LOOSE], pa.bool_()),
        "bbox": pa.array(
            [box_of(predictions.instances[entry]) for entry in matches.found_entry.tolist()], pa.list_(pa.float64(), 4)
        ),
    })  # fmt: skip


def default_out(predictions: Path) -> Path:
    """Return where a report goes: beside the predictions."""
    return predictions.with_name(f"{predictions.stem}-report")


def _plain(one: Measured) -> dict[str, Any]:
    figures: dict[str, Any] = {name: _figure(figure) for name, figure in one.figures.items()}
    return {
        "name": one.name, "where": one.where, "about": one.about, "of": "instances" if one.of_instances else "images",
        "images": one.images, "groups": one.groups, "instances": one.instances, "missed": one.missed,
        "risk_weight": one.risk_weight, "alarm_weight": one.alarm_weight, "min_support": one.min_support,
        "risk": _number(one.risk) if one.is_sufficient else None,
        "verdict": None if one.is_sufficient else INSUFFICIENT, "figures": figures,
    }  # fmt: skip


def _plain_scores(scores: ImageScores) -> dict[str, Any]:
    return {"images": scores.images, "positive": scores.positive} | {
        name: _figure(figure) for name, figure in scores.figures.items()
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {"value": _number(figure.value), "low": _number(figure.low), "high": _number(figure.high)}


def _number(value: float) -> float | None:
    return round(value, DIGITS) if math.isfinite(value) else None


def _short(figure: Figure) -> str:
    if math.isnan(figure.value):
        return f"{'-':<15}"
    return f"{figure.value:.3f} [{figure.low:.2f},{figure.high:.2f}]"
