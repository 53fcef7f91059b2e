"""`blessed.json`: the model that a suite measures others against, by its predictions, which are kept with the suite."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.errors import UserError
from engine.lineage.node import read_node
from engine.plain import from_plain
from engine.suite.history import BLESS, note, read_history
from engine.suite.pinned import Pinned, Place
from engine.write.files import TEMPORARY, hash_file, publish, remove_tree
from engine.write.record import json_bytes, read_json

BLESSED, KEPT = "blessed.json", "blessed"


@dataclass(frozen=True)
class Training:
    """A finished training, as its lineage.json says."""

    id: str
    sha256: str  # of its record
    name: str  # of its folder then, for people
    datasets: tuple[str, ...]  # ids of those that it lists


@dataclass(frozen=True)
class Blessing:
    """Which model is the measure; who blessed it and when stands in the history, which names the hash of this."""

    suite_id: str
    predictions: str  # file of blessed/
    predictions_sha256: str
    run: Training | None
    why: str
    schema: Literal["blessing/1"] = "blessing/1"


def read_training(folder: Path | None) -> Training | None:
    """Return the training that made predictions; None: it is not told.

    Raises:
        UserError: If it is no finished training.
    """
    if folder is None:
        return None
    node = read_node(folder)
    if node.kind != "training" or node.state != "finished":
        raise UserError(f"--run {folder} is a {node.kind} that has {node.state}; expected a finished training")
    return Training(node.id, node.sha256, folder.absolute().name, tuple(ref.dataset_id for ref in node.datasets))


def bless(place: Place, pinned: Pinned, predictions: Path, run: Training | None, why: str) -> Blessing:
    """Keep the predictions of a model as the measure of a suite, and note it.

    Raises:
        WriteFailed: If the disk refuses.
    """
    digest = hash_file(predictions)
    made = Blessing(pinned.suite_id, f"{digest[:16]}.json", digest, run, why)
    try:
        publish(place.home, place.folder / KEPT / made.predictions, [predictions.read_bytes()])
        publish(place.home, place.folder / BLESSED, [json_bytes(made)])
    finally:
        remove_tree(place.home / TEMPORARY)
    facts = {
        "suite_id": pinned.suite_id, "predictions_sha256": digest, "run": None if run is None else run.id, "why": why,
        "blessing_sha256": hash_file(place.folder / BLESSED),
    }  # fmt: skip
    note(place, BLESS, facts)
    return made


def find_blessing(place: Place, pinned: Pinned) -> tuple[Blessing, Path] | None:
    """Return the blessed model and its predictions; None: no model is blessed.

    Raises:
        UserError: If they are not what was blessed.
    """
    path = place.folder / BLESSED
    last = None
    for entry in read_history(place):
        if entry.event == BLESS and entry.facts.get("suite") == str(place):
            last = entry
    if last is None and not path.is_file():
        return None
    remedy = "put back what was blessed, or bless a model again with --worse"
    if last is None or not path.is_file() or hash_file(path) != last.facts.get("blessing_sha256"):
        raise UserError(f"{place} does not run: {path} is not what the history says was blessed; {remedy}")
    made = from_plain(Blessing, read_json(path), f"{place}: {BLESSED}")
    kept = place.folder / KEPT / Path(made.predictions).name
    if not kept.is_file() or hash_file(kept) != made.predictions_sha256:
        what = "has changed" if kept.is_file() else "is gone"
        raise UserError(f"{place} does not run: the blessed predictions {kept} {what}; {remedy}")
    if made.suite_id != pinned.suite_id:
        raise UserError(f"{place} does not run: {path} is of {made.suite_id}, the suite is {pinned.suite_id}; {remedy}")
    return made, kept


def say_the_same(first: Path, second: Path) -> bool:
    """Return whether two files of predictions hold the same entries, in any order."""
    if hash_file(first) == hash_file(second):
        return True
    lists = [json.loads(path.read_bytes()) for path in (first, second)]
    spelled = [sorted(json.dumps(entry, sort_keys=True) for entry in entries) for entries in lists]
    return spelled[0] == spelled[1]
