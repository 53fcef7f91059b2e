"""The ground truth of an evaluation: labels/coco.json of a dataset, and where its annotations are in the index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.collect.groups import WORLD, independent_column
from engine.collect.holdout import opened
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.write.begin import MANIFEST
from engine.write.coco import Coco
from engine.write.record import read_json

DEFECT_MARK = "handling_step"  # a column that annotations of defects have and others have not


@dataclass(frozen=True)
class Truth:
    """Pictures and annotations in the order of labels/coco.json, sorted by image and annotation id."""

    dataset: Path
    manifest: Manifest
    labels: Path
    frame_id: NDArray[np.int64]  # [image]
    path: list[str]  # [image], pictures relative to the dataset
    annotation: dict[int, tuple[int, bool, int]]  # annotation id -> frame, whether it is a defect, its number there
    instance: list[tuple[int, bool, int]]  # the same by row of the matches; see `in_order`
    categories: Mapping[int, str]
    group: NDArray[np.int64]  # [image], numbers of groups that are independent of each other
    group_by: str  # what they are

    @property
    def image_ids(self) -> set[int]:
        """The ids that predictions name."""
        return {int(frame) + 1 for frame in self.frame_id}

    def in_order(self, annotations: NDArray[np.int64]) -> Truth:
        """Return the truth with `instance` for these annotation ids."""
        import dataclasses

        return dataclasses.replace(self, instance=[self.annotation[number] for number in annotations.tolist()])


def read_truth(dataset: Path, group: str | None) -> Truth:
    """Return the ground truth of a complete dataset.

    Args:
        dataset: The folder.
        group: Column of the frames index whose values are independent; None: see `independent_column`.
    Raises:
        UserError: If the dataset is not complete, has no labels/coco.json, or no such column.
    """
    if not (dataset / MANIFEST).is_file():
        raise UserError(f"{dataset} is no complete dataset: it has no {MANIFEST}")
    opened(dataset, "evaluate")
    labels = dataset / Coco.PATH
    if not labels.is_file():
        raise UserError(f"{dataset} has no {Coco.PATH}; make it with write=[coco]")
    opened(dataset, "evaluate")
    data = read_json(labels)
    annotation: dict[int, tuple[int, bool, int]] = {}
    try:
        images = sorted((int(image["id"]), str(image["file_name"])) for image in data["images"])
        for one in data["annotations"]:
            annotation[int(one["id"])] = (int(one["image_id"]) - 1, DEFECT_MARK in one, int(one["instance_id"]))
        categories = {int(c["id"]): str(c["name"]) for c in data["categories"]}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{labels} is damaged: {type(error).__name__}: {error}; `verify` says what else") from error
    frame_id = np.array([number - 1 for number, _ in images], np.int64)
    groups, by = _groups(dataset, frame_id, group)
    return Truth(
        dataset, read_manifest(dataset / MANIFEST), labels, frame_id, [name for _, name in images], annotation, [],
        categories, groups, by,
    )  # fmt: skip


def _groups(dataset: Path, frame_id: NDArray[np.int64], group: str | None) -> tuple[NDArray[np.int64], str]:
    """Return the group of every picture and the column that says it; a frame without a value is of its world's group.

    A negative number is no value, as for engine.shift.
    """
    path = dataset / "index" / "frames.parquet"
    names = pq.read_schema(path).names
    column = independent_column(dataset, names, group)
    table = pq.read_table(path, columns=sorted({"frame_id", WORLD, column}))
    rows = zip(table["frame_id"].to_pylist(), table[WORLD].to_pylist(), table[column].to_pylist(), strict=True)
    value_of = {frame: (WORLD, world) if _is_unknown(value) else (column, value) for frame, world, value in rows}
    number_of: dict[str, int] = {}
    values = [repr(value_of[frame]) for frame in frame_id.tolist()]
    return np.array([number_of.setdefault(value, len(number_of)) for value in values], np.int64), column


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and value < 0)
