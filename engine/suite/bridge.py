"""Join the histories of two suites: the same model on the old data and on the new, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.evaluate.evaluate import Figure
from engine.evaluate.intervals import interval
from engine.suite.bless import Training, find_blessing
from engine.suite.history import BRIDGE, note
from engine.suite.pinned import Place, find_suite, read_pinned
from engine.suite.runs import Bench, plain_figure
from engine.suite.verdict import figure_of
from engine.write.files import hash_file


def bridge(place: Place, new: Path, run: Training | None, old: Path | None = None) -> dict[str, Any]:
    """Return what one model has on a suite and on the one before it, and note it in the history of both.

    The two sets are independent, and so are their draws: the interval of the step is over both.

    Args:
        place: Of the newer suite, which was pinned with what it bridges.
        new: The model's predictions on the newer suite's dataset.
        run: The training that made the model; must be that of the old one's blessing, if both are known.
        old: Its predictions on the older dataset; None: those that the older suite has blessed.
    Raises:
        UserError: If it bridges nothing, or the two files are not known to be of one model.
    """
    pinned = read_pinned(place)
    if not pinned.bridges:
        raise UserError(f"{place} bridges no other suite; pin it with --bridges OLD")
    before = find_suite(place.store, pinned.bridges)
    theirs = read_pinned(before)
    if theirs.rule.metric != pinned.rule.metric:
        raise UserError(f"{place} measures {pinned.rule.metric}, {before} {theirs.rule.metric}: they cannot be joined")
    if old is None:
        old = _blessed(before, run)
    benches = [(place, new), (before, old)]
    judged = [Bench(where).judge(predictions) for where, predictions in benches]
    figures = [figure_of(one.rule.metric, found) for one, found in zip((pinned, theirs), judged, strict=True)]
    metric = pinned.rule.metric
    draws = [found.draws(metric) for found in judged]
    count = min(map(len, draws))
    other = np.random.Generator(np.random.Philox(key=[pinned.judged.seed, 1])).permutation(draws[1])[:count]
    step = Figure(figures[0].value - figures[1].value, *interval(draws[0][:count] - other))
    facts = {
        "suite_id": pinned.suite_id, "before": str(before), "before_id": theirs.suite_id, "metric": metric,
        "value": plain_figure(figures[0]), "value_before": plain_figure(figures[1]), "step": plain_figure(step),
        "predictions_sha256": hash_file(new), "before_sha256": hash_file(old), "run": None if run is None else run.id,
    }  # fmt: skip
    for home in {one.name: one for one in (before, place)}.values():
        note(home, BRIDGE, facts)
    return {"schema": "suite-bridge/1", "suite": str(place), **facts}


def _blessed(before: Place, run: Training | None) -> Path:
    found = find_blessing(before, read_pinned(before))
    if found is None:
        raise UserError(f"{before} has no blessed model; give the model's predictions on it with --old FILE")
    blessing, kept = found
    if run is not None and blessing.run is not None and run.id != blessing.run.id:
        raise UserError(
            f"{before} has blessed the model of {blessing.run.id}, --run is {run.id}: a bridge is one model on both; "
            "give its predictions on the older suite with --old FILE"
        )
    return kept
