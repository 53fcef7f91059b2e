"""`python -m engine.dataset shift DIR --real REAL`: what tells a dataset from a reference, by cue; never a veto."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError
from engine.progress import Progress

HELP = "say what tells a dataset from a reference, and which artefacts it has"
TOLD_APART = 1  # exit code, with --fail-above alone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument("--real", type=Path, required=True, metavar="DIR", help="the reference: any dataset of ours")
    parser.add_argument(
        "--group",
        metavar="COLUMN",
        help="whose equal values are one observation (default: what the ingest named, else world)",
    )
    parser.add_argument("--crops", choices=("random", "instance", "both"), default="both", help="default: %(default)s")
    parser.add_argument("--classes", metavar="KEY,...", help="of instances to crop (default: those that both have)")
    parser.add_argument("--n", type=int, default=500, help="crops of each kind (default: %(default)s)")
    parser.add_argument("--side", type=int, default=64, metavar="PX", help="of a crop (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--no-artefacts", action="store_true", help="leave out the three tests for artefacts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report, schema shift/1")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the frames that show artefacts")
    parser.add_argument("--fail-above", type=float, metavar="AUC", help="exit code 1 if a cue's AUC is higher")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0, or 1 where --fail-above is given and exceeded."""
    from engine.shift.pictures import check_group, open_pictures
    from engine.shift.report import lines
    from engine.shift.shift import ShiftPlan, compare_datasets
    from engine.write.reports import check_place, write_report

    limit: float | None = arguments.fail_above
    if limit is not None and not 0.5 <= limit <= 1.0:
        raise UserError(f"--fail-above {limit}: an AUC lies between 0.5 and 1")
    folders = arguments.dataset.absolute(), arguments.real.absolute()
    dataset, reference = (open_pictures(folder, group=arguments.group) for folder in folders)
    check_group(arguments.group, dataset, reference)
    for file in filter(None, (arguments.json, arguments.html)):
        check_place(file)
    plan = ShiftPlan(
        arguments.crops, arguments.n, arguments.side, arguments.seed,
        tuple(filter(None, (arguments.classes or "").split(","))), not arguments.no_artefacts,
    )  # fmt: skip
    with Progress() as progress:
        report = compare_datasets(dataset, reference, plan, progress)
    for line in lines(report):
        say(line)
    if arguments.json is not None:
        from engine.write.record import json_bytes

        write_report(arguments.json, [json_bytes(report)])
    if arguments.html is not None:
        from engine.shift.page import shift_page

        write_report(arguments.html, [shift_page(report, dataset)])
        say(f"look at {arguments.html}")
    if limit is not None and report.highest_auc() > limit:
        say(f"AUC {report.highest_auc():.2f} is above --fail-above {limit:g}")
        return TOLD_APART
    return 0
