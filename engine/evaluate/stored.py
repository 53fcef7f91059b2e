"""A report that was written, read again: where its dataset lies, its slices, and the match of every instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.evaluate.report import MATCHES, PREDICTIONS, REPORT, SCHEMA
from engine.write.begin import MANIFEST
from engine.write.files import hash_file
from engine.write.record import read_stored

NEEDED = {"dataset_id": str, "content_root": str, "group_by": str, "settings": dict, "slices": list}


@dataclass(frozen=True)
class StoredReport:
    """A folder that `python -m engine.evaluate` wrote; `facts` is its evaluation.json, see docs/evaluate.md."""

    folder: Path
    dataset: Path  # absolute; it is the dataset of the report
    facts: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The hash of evaluation.json: what a recipe names as its parent."""
        return hash_file(self.folder / REPORT)

    @property
    def group_by(self) -> str:
        """Column of the frames whose values are independent."""
        return str(self.facts["group_by"])

    @property
    def score(self) -> float:
        """What a prediction needs to be made."""
        return float(self.facts["settings"]["score"])

    def matches(self) -> pa.Table:
        """Return a row an instance: frame_id is_defect truth_id class is_crowd found score overlaps."""
        return pq.read_table(self.folder / MATCHES)

    def predictions(self) -> pa.Table:
        """Return a row a prediction: frame_id class score is_defect truth_id ignored bbox."""
        return pq.read_table(self.folder / PREDICTIONS)


def read_report(folder: Path, dataset: Path | None = None) -> StoredReport:
    """Return a report, with the dataset that it is about.

    Args:
        folder: What `engine.evaluate --out` was.
        dataset: Where the dataset lies now; None: where it was.
    Raises:
        UserError: If there is no report, or its dataset is not there or has changed.
    """
    path = folder / REPORT
    facts = read_stored(path, SCHEMA, "python -m engine.evaluate")
    _check(facts, path)
    place = Path(str(facts.get("dataset", ""))) if dataset is None else dataset
    if not (place / MANIFEST).is_file():
        raise UserError(f"the dataset of {path} is not at '{place}'; say where it is with --dataset DIR")
    found = read_manifest(place / MANIFEST)
    if (found.dataset_id, found.content_root) != (facts["dataset_id"], facts["content_root"]):
        raise UserError(
            f"{place} is {found.dataset_id} and the report is about {facts['dataset_id']} with other content; "
            "evaluate again, or give --dataset"
        )
    return StoredReport(folder.absolute(), place.absolute(), facts)


def _check(facts: Mapping[str, Any], path: Path) -> None:
    """Raise where what every reader of a report needs is missing or something else."""
    wrong = [key for key, kind in NEEDED.items() if not isinstance(facts.get(key), kind)]
    if not wrong and not isinstance(facts["settings"].get("score"), int | float):
        wrong = ["settings.score"]
    if not wrong and not all(isinstance(one, dict) and {"name", "where"} <= one.keys() for one in facts["slices"]):
        wrong = ["slices"]
    if wrong:
        raise UserError(f"{path} is damaged at {wrong[0]}; make it again with python -m engine.evaluate")
