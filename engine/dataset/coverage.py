"""`python -m engine.dataset coverage DIR ... --require FILE`: which target slices are met, and how to make the rest.

Exit code 1: something is missing; 2: the requirements cannot be asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.health.coverage import SliceCover
    from engine.health.missing import Command, Missing

HELP = "hold datasets against required slices, and say the commands that make what is missing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("datasets", type=Path, nargs="+", metavar="DIR", help="complete datasets, counted together")
    parser.add_argument("--require", type=Path, required=True, metavar="FILE", help="slices with counts: YAML")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="for new datasets (default: out)")
    parser.add_argument("--config-dir", type=Path, default=None, help="folder of your own with suite/ and scene/")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if nothing is missing."""
    from engine.health.coverage import cover, read_requirements
    from engine.health.missing import commands
    from engine.write.reports import write_json

    wanted = read_requirements(arguments.require, arguments.config_dir)
    covers = cover([out.absolute() for out in arguments.datasets], wanted, str(arguments.require))
    missing, runs = commands(covers, arguments.out, arguments.config_dir)
    for each, needs in zip(covers, missing, strict=True):
        for line in _lines(each, needs):
            say(line)
    if arguments.json is not None:
        write_json(arguments.json, _plain(covers, missing, runs))
    unmet = [each for each in covers if not each.met]
    if runs:
        say("")
    for command in runs:
        say(f"# {command.worlds} worlds for {', '.join(command.slices)}")
        say(str(command))
    say(
        f"{len(covers) - len(unmet)} of {len(covers)} slices are met"
        + ("" if runs or not unmet else "; no command makes the rest")
    )
    return 1 if unmet else 0


def _lines(each: SliceCover, needs: Missing) -> list[str]:
    asked = each.wanted.slice
    state = "met" if each.met else "MISSING"
    frames = f"{each.have} of {asked.count} frames" + (f", {each.missing} missing" if each.missing else "")
    groups = ""
    if asked.min_groups:
        groups = f"; {each.groups} of {asked.min_groups} groups" + (
            f", {each.missing_groups} missing" if each.missing_groups else ""
        )
    purity = ""
    if needs.purity is not None:
        purity = f"; purity {needs.purity.value:.0%} [{needs.purity.low:.0%}, {needs.purity.high:.0%}]"
    lines = [f"{state:<8}{each.wanted.name}: {frames}{groups}{purity}"]
    for counted in each.counted:
        lines += [f"        {counted.dataset}: not asked: {counted.note}"] if counted.note else []
        if not counted.note and len(each.counted) > 1:
            lines.append(f"        {counted.dataset}: {counted.have} of its {counted.frames} frames")
    if needs.note:
        lines.append(f"        {'no command' if needs.share is None else 'a new folder'}: {needs.note}")
    lines += [f"        share of new frames: {needs.share:.0%}, {needs.share_from}"] if needs.share is not None else []
    return lines


def _plain(covers: tuple[SliceCover, ...], missing: tuple[Missing, ...], runs: tuple[Command, ...]) -> dict[str, Any]:
    from engine.plain import to_plain

    slices = []
    for each, needs in zip(covers, missing, strict=True):
        counted = [to_plain(one) | {"out": str(one.out)} for one in each.counted]
        slices.append({
            "name": each.wanted.name, "where": each.wanted.where, "have": each.have, "want": each.wanted.slice.count,
            "missing": each.missing, "groups": each.groups, "min_groups": each.wanted.slice.min_groups,
            "missing_groups": each.missing_groups, "met": each.met, "datasets": counted,
            "purity": to_plain(needs.purity), "share": needs.share, "share_from": needs.share_from, "note": needs.note,
        })  # fmt: skip
    listed = [{"slices": list(run.slices), "worlds": run.worlds, "command": list(run.words)} for run in runs]
    return {"schema": "coverage/1", "met": all(each.met for each in covers), "slices": slices, "commands": listed}
