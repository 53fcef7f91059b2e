"""`python -m engine.loop --out out/loop`: from a model's failure to the next data, and whether it helped."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.dataset.__main__ import say
from engine.errors import UserError, WriteFailed
from engine.loop.circle import Circle, Size
from engine.loop.execute import end_leftovers
from engine.loop.page import loop_page
from engine.loop.report import drawing_of, plain_loop
from engine.loop.runner import FAILED, run_stages
from engine.loop.state import locked, read_state
from engine.loop.tiles import TILE_SIZE, TileCircle
from engine.provenance import source_sha256
from engine.write.reports import write_json, write_report

JSON, PAGE = "loop.json", "loop.html"
WORDS = {
    "base": "worlds that the first model learns from, with --real that failures are looked for in",
    "validation": "worlds that find weaknesses and decide; no use with --real",
    "test": "worlds that say what came of it; no use with --real",
    "preflight": "worlds by which a recipe is checked",
    "worlds": "that the budget shares out",
    "seeds": "of the gate",
}
LABELS = "annotations.json"
CLOSED, ENDED, BROKEN = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Run the circle and return its exit code: 0 closed, 1 ended by an answer such as hold, 2 failed."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.loop",
        description="Run the whole circle: train, evaluate, discover, propose, generate, gate, train again.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder; the same command goes on from what is there"
    )
    parser.add_argument("--real", type=Path, metavar="DIR", help="run it on these real tiles (COCO) instead")
    parser.add_argument("--any-program", action="store_true", help="keep what an earlier version of the program made")
    for name, default in vars(Size()).items():
        words = f"{WORDS[name]} ({default}; with --real {vars(TILE_SIZE)[name]})"
        parser.add_argument(f"--{name}", type=int, metavar="N", help=words)
    chosen = parser.parse_args(arguments)
    try:
        return run(chosen)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code if isinstance(error, WriteFailed) else BROKEN


def run(arguments: argparse.Namespace) -> int:
    """Run the circle, write its report and return the exit code."""
    asked = {name: getattr(arguments, name) for name in vars(Size()) if getattr(arguments, name) is not None}
    circle = Circle(arguments.out, replace(Size(), **asked))
    if arguments.real is not None:
        if not (arguments.real / LABELS).is_file():
            raise UserError(
                f"--real {arguments.real}: there is no {LABELS}; name a folder of COCO pictures with surfaces"
            )
        circle = TileCircle(arguments.out, replace(TILE_SIZE, **asked), real=arguments.real)
    with locked(arguments.out):
        if left := end_leftovers(arguments.out):
            say(f"ended {left} processes that an earlier loop had left running")
        program = "any" if arguments.any_program else source_sha256()
        ended = run_stages(arguments.out, circle.stages(), say, program=program)
        report: dict[str, Any] = plain_loop(circle, ended, read_state(arguments.out))
        write_json(arguments.out / JSON, report)
        write_report(arguments.out / PAGE, [loop_page(report, drawing_of(circle.at("lineage.svg")))])
    say(report["words"])
    say(f"{report['wall_s']:.0f} s, {report['cpu_s']:.0f} s of processors; look at {arguments.out / PAGE}")
    if ended.answer == FAILED:
        return BROKEN
    return CLOSED if report["verdict"] == "closed" else ENDED


if __name__ == "__main__":
    sys.exit(main())
