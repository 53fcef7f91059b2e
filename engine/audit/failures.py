"""The failures of a report that are looked at: misses and false alarms, worst first, a few of each group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.audit.cut import Place, is_wanted
from engine.errors import UserError
from engine.evaluate.report import PREDICTIONS
from engine.evaluate.stored import StoredReport
from engine.shift.pictures import Pictures, column_names, read_columns

MISSED, ALARM = "missed", "false alarm"
BOX = "bbox"  # column of the predictions that older reports have not


@dataclass(frozen=True)
class Failure:
    """An instance that was missed, or a prediction of something that is not there."""

    id: str  # unique in the report: what a verdict names
    kind: str  # MISSED | ALARM
    place: Place
    group: int  # of the dataset's Pictures
    score: float | None  # of a false alarm, or of the prediction that found it but is below the report's score


@dataclass(frozen=True)
class Chosen:
    """What is looked at, and of how much."""

    failures: tuple[Failure, ...]
    missed: int  # in all
    alarms: int
    too_small: int  # in pictures smaller than a crop


def choose_failures(report: StoredReport, pictures: Pictures, *, most: int, per_group: int, side_px: int) -> Chosen:
    """Return the worst failures of a report.

    Misses take turns with false alarms, and classes with each other: misses that no prediction found come before those
    that one found with a score below the report's, then the largest, and the surest of the false alarms.

    Args:
        report: Of predictions on the dataset of `pictures`.
        pictures: Frames that count; failures in others do not.
        most: How many.
        per_group: How many of one group, so that one surface does not fill the page.
        side_px: Pictures with a shorter side cannot be compared.
    Raises:
        UserError: If the report is of an earlier version, without places of predictions.
    """
    group_of = dict(zip(pictures.frame_id.tolist(), pictures.group.tolist(), strict=True))
    large = set(pictures.frame_id[pictures.size.min(axis=1) >= side_px].tolist())
    misses = [one for one in _misses(report, pictures) if one.place.frame_id in group_of]
    alarms = [one for one in _alarms(report) if one.place.frame_id in group_of]
    fitting = [[one for one in part if one.place.frame_id in large] for part in (misses, alarms)]
    in_turn = _in_turn([_in_turn(_by_class(part)) for part in fitting])
    taken: list[Failure] = []
    count: Counter[int] = Counter()
    for one in in_turn:
        group = group_of[one.place.frame_id]
        if len(taken) < most and count[group] < per_group:
            count[group] += 1
            taken.append(Failure(one.id, one.kind, one.place, group, one.score))
    return Chosen(tuple(taken), len(misses), len(alarms), len(misses) + len(alarms) - len(in_turn))


def _in_turn(parts: Sequence[Sequence[Failure]]) -> list[Failure]:
    """Return all, one of each part by turns as long as it has some."""
    longest = max(map(len, parts), default=0)
    return [part[turn] for turn in range(longest) for part in parts if turn < len(part)]


def _by_class(failures: Sequence[Failure]) -> list[list[Failure]]:
    """Return the failures of each class, that with the worst one first."""
    of_class: dict[str, list[Failure]] = {}
    for one in failures:
        of_class.setdefault(one.place.class_name, []).append(one)
    return list(of_class.values())


def _misses(report: StoredReport, pictures: Pictures) -> list[Failure]:
    areas = _areas(pictures)
    found: list[tuple[tuple[Any, ...], Failure]] = []
    for row in report.matches().to_pylist():
        score = row["score"]
        if row["is_crowd"] or (score is not None and score >= report.score):
            continue
        key = row["frame_id"], row["is_defect"], row["truth_id"]
        mark = "d" if row["is_defect"] else ""
        place = Place(key[0], row["class"], key[2], row["is_defect"])
        failure = Failure(f"missed-{key[0]}-{mark}{key[2]}", MISSED, place, 0, score)
        found.append(((score is not None, -areas.get(key, 0), key), failure))
    return [failure for _, failure in sorted(found, key=lambda one: one[0])]


def _alarms(report: StoredReport) -> list[Failure]:
    table = report.predictions()
    if BOX not in table.column_names:
        raise UserError(
            f"{report.folder / PREDICTIONS} has no column {BOX}: it is of an earlier version; evaluate again"
        )
    found = []
    numbers: Counter[int] = Counter()
    for row in table.to_pylist():
        frame = row["frame_id"]
        numbers[frame] += 1
        if row["truth_id"] is not None or row["ignored"] or row["score"] < report.score or row[BOX] is None:
            continue
        x, y, width, height = row[BOX]
        place = Place(frame, row["class"], 0, is_defect=False, box=(x, y, width, height))
        found.append(Failure(f"alarm-{frame}-{numbers[frame]}", ALARM, place, 0, row["score"]))
    return sorted(found, key=lambda one: (-(one.score or 0.0), one.id))


def _areas(pictures: Pictures) -> Mapping[tuple[int, bool, int], int]:
    """Return the pixels of every instance and defect, by frame, whether it is a defect, and its number there."""
    areas = {}
    for table, key in (("instances", "inst_id"), ("defects", "defect_id")):
        if key in column_names(pictures.out, table):
            rows = read_columns(pictures.out, table, ("frame_id", key, "area_px", "class_id", "near_miss"))
            rows = rows.filter(is_wanted(rows))
            columns = (rows[name].to_numpy().astype(np.int64).tolist() for name in ("frame_id", key, "area_px"))
            for frame, number, area in zip(*columns, strict=True):
                areas[frame, table == "defects", number] = area
    return areas
