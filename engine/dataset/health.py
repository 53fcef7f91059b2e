"""Three fractions that tell at a glance whether a dataset went wrong, and `python -m engine.dataset health DIR`.

The fractions are in the manifest; the command checks far more (engine/health/). Exit code 1: a limit is broken.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from engine.dataset.manifest import Health
from engine.write.merge import MergedRows

if TYPE_CHECKING:
    from engine.health.model import Check, HealthReport

HELP = "check what the frames and labels of a dataset are like, against limits"
SHOWN = 3  # offenders on the screen
TINY_AREA_PX = 64  # 8 x 8: less than one cell of the finest grid of common detectors (stride 8)
DIGITS = 6  # of the fractions in the manifest


def measure_health(rows: MergedRows) -> Health:
    """Return the fraction of frames without a labelled instance, of labelled instances below 64 px, and of frames
    whose picture is byte for byte that of an earlier frame.
    """
    frames = empty = instances = tiny = repeated = 0
    seen: set[bytes] = set()
    for frame_table, instance_table in zip(rows.tables("frames"), rows.tables("instances"), strict=True):
        labelled = instance_table.filter(pc.not_equal(instance_table["class_id"], 0))
        frames += frame_table.num_rows
        empty += frame_table.num_rows - len(np.unique(labelled["frame_id"].to_numpy()))
        instances += labelled.num_rows
        tiny += int(np.count_nonzero(labelled["area_px"].to_numpy() < TINY_AREA_PX))
        if "image_sha256" in frame_table.column_names:
            for digest in frame_table["image_sha256"].to_pylist():
                repeated += digest in seen
                if digest is not None:
                    seen.add(digest)
    return Health(_fraction(empty, frames), _fraction(tiny, instances), _fraction(repeated, frames))


def _fraction(part: int, whole: int) -> float:
    return round(part / whole, DIGITS) if whole else 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument("--limits", type=Path, metavar="FILE", help="YAML with other measures and limits")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if no limit is broken."""
    from engine.health.inspect import inspect
    from engine.health.limits import read_limits
    from engine.health.page import write_health_page
    from engine.plain import to_plain
    from engine.write.reports import write_json, write_report

    dataset: Path = arguments.dataset.absolute()
    limits = read_limits(arguments.limits)
    report = inspect(dataset, limits)
    for line in _lines(report):
        say(line)
    if arguments.json is not None:
        write_json(arguments.json, {"schema": "health/1", "measures": to_plain(limits.measures), **to_plain(report)})
    if arguments.html is not None:
        write_report(arguments.html, write_health_page(dataset, report))
        say(f"look at {arguments.html}")
    return 1 if report.broken else 0


def _lines(report: HealthReport) -> list[str]:
    classes = len(report.classes.instances)
    lines = [f"{report.dataset_id}: {report.frames} frames, {report.instances} labels of {classes} classes"]
    for check in report.checks:
        lines += _check_lines(check)
    judged = sum(check.verdict in ("ok", "broken") for check in report.checks)
    lines.append(f"{len(report.broken)} of {judged} limits broken, {len(report.checks) - judged} without a verdict")
    return lines


def _check_lines(check: Check) -> list[str]:
    verdict = "BROKEN" if check.verdict == "broken" else check.verdict
    count = f", {check.count} of {check.of}" if check.of else ""
    note = f" ({check.note})" if check.note else ""
    lines = [
        f"{verdict:<13}{check.name:<21}{check.value_text:>9}  limit {check.bound_text:<9} {check.about}{count}{note}"
    ]
    if check.verdict == "broken":
        lines += [f"             {offender.path}: {offender.what}" for offender in check.offenders[:SHOWN]]
        rest = check.count - SHOWN
        lines += [f"             and {rest} more"] if check.offenders and rest > 0 else []
    return lines
