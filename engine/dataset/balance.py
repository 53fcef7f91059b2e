"""`python -m engine.dataset balance DIR --spec balance.yaml`: whether a dataset is balanced as a team defines it.

Exit code 1: a share differs from its target by more than is tolerated; 2: the definition cannot be asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.health.balance import AxisFound

HELP = "hold shares of frames or instances against a team's targets"
BAR = 20  # characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument(
        "--spec", type=Path, required=True, metavar="FILE", help="what balanced means: YAML, or a shipped name"
    )
    parser.add_argument(
        "--slices-out", type=Path, metavar="FILE", help="write every cell as a slice for python -m engine.evaluate"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if every share is what was asked."""
    from engine.health.balance import check_balance, read_balance, to_json
    from engine.write.reports import write_json

    spec = read_balance(arguments.spec)
    report = check_balance(arguments.dataset.absolute(), spec, str(arguments.spec))
    for axis in report.axes:
        for line in _lines(axis, report.unit):
            say(line)
    if arguments.json is not None:
        write_json(arguments.json, to_json(report))
    if arguments.slices_out is not None:
        from engine.health.balance_slices import slices_of, yaml_bytes
        from engine.write.reports import write_report

        slices = slices_of(spec, report, str(arguments.spec))
        write_report(arguments.slices_out, [yaml_bytes(slices)])
        rest = "" if spec.group is None else f" --group {spec.group}"
        command = f"python -m engine.evaluate DATASET PREDICTIONS --slices {arguments.slices_out}{rest}"
        say(f"{len(slices)} slices: {command}")
    off = [axis.name for axis in report.axes if not axis.balanced]
    say("balanced" if not off else f"not balanced: {', '.join(off)}")
    return 0 if report.balanced else 1


def _lines(axis: AxisFound, unit: str) -> list[str]:
    groups = "" if axis.groups is None else f" of {axis.groups} groups"
    p = "" if axis.p is None else f", p {axis.p:.2g}"
    chi = f"chi-square {axis.chi_square:.3g} with {axis.freedom} degrees of freedom{p}"
    lines = [f"{axis.name}: {axis.count} {unit}{groups}, tolerance {axis.tolerance:.1%}, {chi}"]
    for cell in axis.cells:
        interval = f"[{cell.low:.1%}, {cell.high:.1%}]"
        bar = "#" * round(BAR * cell.share)
        lines.append(
            f"  {cell.verdict:<9} {cell.value:<22}{cell.count:>8} {cell.share:>7.1%} {interval:<18} "
            f"target {cell.target:>6.1%}  {bar}"
        )
    return lines
