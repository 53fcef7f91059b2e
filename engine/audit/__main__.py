"""`python -m engine.audit page|verdict|show`: real failures beside their nearest synthetic and real pictures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from engine.audit.audit import AuditPlan, audit
from engine.audit.page import audit_page
from engine.audit.report import AUDIT, PAGE, outside_of, plain_audit
from engine.audit.verdict import Judgement, Places, changes_of, judge, read_audit, read_verdicts
from engine.collect.refs import dataset_path
from engine.dataset.__main__ import say
from engine.errors import UserError, WriteFailed
from engine.evaluate.stored import read_report
from engine.write.files import TEMPORARY, publish, remove_tree

MOST_SAID = 8  # columns


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.audit", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    page = commands.add_parser("page", help="write the page of a report")
    page.add_argument("report", type=Path, help="folder that engine.evaluate wrote")
    page.add_argument("--synthetic", type=Path, required=True, metavar="DIR", help="dataset that the model learns from")
    page.add_argument("--real", type=Path, metavar="DIR", help="real pictures (default: the dataset of the report)")
    page.add_argument("--dataset", type=Path, metavar="DIR", help="where the dataset of the report lies now")
    page.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    for name, what in (
        ("most", "failures on the page"), ("per-group", "of one group at most"), ("side", "of crops [px]"),
        ("pool", "pictures, and instances of a class, to compare with"), ("seed", "of the choice among them"),
    ):  # fmt: skip
        default = getattr(AuditPlan, {"side": "side_px"}.get(name, name.replace("-", "_")))
        page.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{what} (%(default)s)")
    page.set_defaults(run=_page)
    verdict = commands.add_parser("verdict", help="store what a person makes of an audit")
    verdict.add_argument("--by", required=True, metavar="NAME", help="who says so")
    verdict.add_argument("--verdict", required=True, choices=get_args(Judgement))
    verdict.add_argument("--why", required=True, metavar="TEXT")
    verdict.add_argument("--failure", action="append", default=[], metavar="ID=TEXT", help="of one failure")
    verdict.set_defaults(run=_verdict)
    show = commands.add_parser("show", help="print the verdicts, and whether they still hold")
    show.add_argument("--check", action="store_true", help="exit 1 unless the last one holds")
    show.set_defaults(run=_show)
    for one in (verdict, show):
        one.add_argument("audit", type=Path, help="folder that `page` wrote")
        for name in ("report", "dataset", "synthetic", "real"):
            one.add_argument(f"--{name}", type=Path, metavar="DIR", help="where it lies now (default: where it was)")
    return parser


def _page(chosen: argparse.Namespace) -> int:
    out = chosen.out.absolute()
    synthetic = dataset_path(chosen.synthetic)
    real = None if chosen.real is None else dataset_path(chosen.real)
    dataset = None if chosen.dataset is None else dataset_path(chosen.dataset)
    plan = AuditPlan(chosen.most, chosen.per_group, chosen.side, chosen.pool, seed=chosen.seed)
    for place in filter(None, (read_report(chosen.report, dataset).dataset, synthetic, real)):
        if out.resolve().is_relative_to(place.resolve()):
            raise UserError(f"--out {out} is in the dataset {place}; audits go beside it")
    made = audit(chosen.report, synthetic, real, plan, dataset=dataset, say=say)
    try:
        page = publish(out, out / PAGE, audit_page(made))
        plain = plain_audit(made, page.sha256)
        publish(out, out / AUDIT, [(json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode()])
    finally:
        remove_tree(out / TEMPORARY)
    for note in made.notes:
        say(note)
    for hint in made.hints:
        if hint.verdict == "told apart":
            say(f"{hint.kind}: {hint.words}")
    for column, failures in [*outside_of(made).items()][:MOST_SAID]:
        say(f"{column} all synthetic values: {len(failures)} failures, {', '.join(failures[:3])}")
    say(f"{len(made.rows)} failures; look at {out / PAGE}, then say what you make of them: engine.audit verdict")
    return 0


def _verdict(chosen: argparse.Namespace) -> int:
    failures = {}
    for text in chosen.failure:
        name, separator, words = text.partition("=")
        if not separator or name in failures:
            raise UserError(f"--failure {text}: expected ID=TEXT, once for an id")
        failures[name] = words
    made = judge(chosen.audit, chosen.by, chosen.verdict, chosen.why, failures, _places(chosen))
    say(f"{made.time} {made.by}: {made.verdict}; stored in {chosen.audit} and the ledger of the synthetic dataset")
    return 0


def _show(chosen: argparse.Namespace) -> int:
    read_audit(chosen.audit)
    verdicts = read_verdicts(chosen.audit)
    places = _places(chosen)
    if not verdicts:
        say(f"{chosen.audit} has no verdict yet")
    holds = False
    for one in verdicts:
        changes = changes_of(chosen.audit, one.about, places)
        holds = not changes
        stale = "" if holds else f", stale: {'; '.join(changes)}"
        say(f"{one.time} {one.by}: {one.verdict}{stale}")
        say(f"  {one.why}")
        for name, text in one.failures.items():
            say(f"  {name}: {text}")
    return int(chosen.check and not holds)


def _places(chosen: argparse.Namespace) -> Places:
    names = ("report", "dataset", "synthetic", "real")
    given = {name: getattr(chosen, name) for name in names if getattr(chosen, name) is not None}
    return Places(**{name: path if name == "report" else dataset_path(path) for name, path in given.items()})


if __name__ == "__main__":
    sys.exit(main())
