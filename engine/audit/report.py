"""audit.json: what an audit compared, and every row of it, as plain data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from engine.audit.audit import Audit, Level, Near
from engine.audit.cut import Place
from engine.audit.failures import Failure
from engine.audit.standing import Standing
from engine.collect.holdout import describe
from engine.evaluate.report import MATCHES, PREDICTIONS, REPORT
from engine.plain import to_plain
from engine.shift.pictures import Pictures
from engine.write.files import hash_file

SCHEMA = "audit/1"
AUDIT, PAGE = "audit.json", "audit.html"
REPORT_FILES = (REPORT, MATCHES, PREDICTIONS)
DIGITS = 6


def dataset_facts(place: Path) -> dict[str, Any]:
    """Return what says whether a dataset is still the same one: ids, and hashes of what names all of its files.

    Raises:
        UserError: If it is not complete.
    """
    found = to_plain(describe(place, "audit"))
    names = ("dataset_id", "content_root", "manifest_sha256", "checksums_sha256")
    return {"path": str(place), **{name: found[name] for name in names}}


def report_facts(folder: Path) -> dict[str, Any]:
    """Return the folder of a report and the hashes of its files; null: it is not there."""
    hashes = {name: hash_file(folder / name) if (folder / name).is_file() else None for name in REPORT_FILES}
    return {"path": str(folder), "files": hashes}


def plain_audit(audit: Audit, page_sha256: str) -> dict[str, Any]:
    """Return an audit as plain data."""
    return {
        "schema": SCHEMA, "page_sha256": page_sha256,
        "report": report_facts(audit.report.folder),
        "datasets": {
            name: dataset_facts(pictures.out.absolute()) | _facts(pictures)
            for name, pictures in (("report", audit.failing), ("synthetic", audit.synthetic), ("real", audit.real))
        },
        "settings": to_plain(audit.plan), "score": audit.report.score, "notes": list(audit.notes),
        "missed": audit.chosen.missed, "false_alarms": audit.chosen.alarms, "too_small": audit.chosen.too_small,
        "hints": [to_plain(hint) | {"auc": _number(hint.auc), "null_low": _number(hint.null_low),
                                    "null_high": _number(hint.null_high)} for hint in audit.hints],
        "failures": [
            _failure(row.failure) | {level.kind: _level(level) for level in row.levels} for row in audit.rows
        ],
    }  # fmt: skip


def outside_of(audit: Audit) -> dict[str, list[str]]:
    """Return which columns of which failures lie outside of all synthetic values, by column."""
    found: dict[str, list[str]] = {}
    for row in audit.rows:
        for level in row.levels:
            for one in level.outside:
                found.setdefault(f"{one.column} {one.outside}", []).append(row.failure.id)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _facts(pictures: Pictures) -> dict[str, Any]:
    return {"frames": len(pictures.frame_id), "groups": pictures.groups, "group_by": pictures.group_by}


def _failure(failure: Failure) -> dict[str, Any]:
    place = failure.place
    return {
        "id": failure.id, "kind": failure.kind, "class": place.class_name, "frame_id": place.frame_id,
        "is_defect": place.is_defect, "truth_id": place.number or None, "score": _number(failure.score),
    }  # fmt: skip


def _level(level: Level) -> dict[str, Any]:
    reading = [*level.reading, *(one.words for one in level.outside)]
    return {
        **_place(level.place), "usual": _number(level.usual), "reading": reading,
        "synthetic": [_near(one) for one in level.synthetic], "real": [_near(one) for one in level.real],
        "columns": [_standing(one) for one in level.columns],
    }  # fmt: skip


def _near(one: Near) -> dict[str, Any]:
    return {
        "frame_id": one.place.frame_id, "class": one.place.class_name or None, "number": one.place.number or None,
        "is_defect": one.place.is_defect, **_place(one.place), "distance": _number(one.distance),
        "by_cue": {cue: _number(value) for cue, value in one.by_cue.items()}, "farthest": one.farthest,
        "found": one.found,
    }  # fmt: skip


def _place(place: Place) -> dict[str, Any]:
    return {"box": None if place.box is None else [_number(v) for v in place.box], "corner": list(place.corner)}


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "column": one.column, "value": _number(one.value), "percentile": _number(one.percentile),
        "low": _number(one.low), "high": _number(one.high), "count": one.count,
        "real_percentile": _number(one.real_percentile), "outside": one.outside or None,
    }  # fmt: skip


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), DIGITS)
