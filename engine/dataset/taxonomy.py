"""`python -m engine.dataset taxonomy ...`: versions of a list of classes, and drift of their shapes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.progress import Progress

if TYPE_CHECKING:
    from engine.health.drift import DriftReport
    from engine.scene.taxonomy import Taxonomy

HELP = "check, show and convert versions of a taxonomy; find classes whose shapes drifted"
DROP = "null"
Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="say what is wrong with a taxonomy, and with it as a later version")
    check.add_argument("taxonomy", type=Path, metavar="NEW", help="taxonomy.json, or a dataset")
    check.add_argument("--against", type=Path, metavar="OLD", help="the version before: taxonomy.json, or a dataset")
    show = actions.add_parser("show", help="list classes, changes and retired ids")
    show.add_argument("taxonomy", type=Path, help="taxonomy.json, or a dataset")
    show.add_argument("--json", action="store_true", help="as JSON")
    convert = actions.add_parser("convert", help="make a dataset with the classes of a later version")
    convert.add_argument("dataset", type=Path)
    convert.add_argument("--to", type=Path, required=True, metavar="NEW", help="taxonomy.json of the later version")
    convert.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset to make")
    convert.add_argument(
        "--rule",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="for a class that was split, retired or redefined",
    )
    drift = actions.add_parser("drift", help="hold the shapes of every class in two datasets against each other")
    drift.add_argument("first", type=Path, metavar="A")
    drift.add_argument("second", type=Path, metavar="B")
    drift.add_argument(
        "--group", metavar="COLUMN", help="whose values are independent (what the ingest says, or world)"
    )
    drift.add_argument(
        "--alpha", type=float, default=0.05, help="chance of a false alarm over all (default: %(default)s)"
    )
    drift.add_argument("--effect", type=float, default=0.1, help="least KS distance that counts (default: %(default)s)")
    drift.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")


def run(arguments: argparse.Namespace, say: Say) -> int:
    """Run the command; return 0 if nothing is found."""
    actions = {"check": _check, "show": _show, "convert": _convert, "drift": _drift}
    return actions[arguments.action](arguments, say)


def _check(arguments: argparse.Namespace, say: Say) -> int:
    from engine.formats.expected import read_expected
    from engine.scene.taxonomy_changes import check_successor, check_taxonomy, steps_between

    new = read_expected(arguments.taxonomy)
    findings = list(check_taxonomy(new))
    old = None if arguments.against is None else read_expected(arguments.against)
    if old is not None:
        findings += check_successor(old, new)
    for finding in findings:
        say(f"FAULT {finding}")
    if findings:
        return 1
    say(f"{new.id}: version {new.version}, {len(new.classes)} classes, nothing is wrong")
    if old is not None:
        steps = steps_between(old, new)
        lossy = [step.reason for step in steps.values() if step.needs_rule]
        say(f"follows version {old.version}; " + ("labels convert" if not lossy else f"to convert: {'; '.join(lossy)}"))
    return 0


def _show(arguments: argparse.Namespace, say: Say) -> int:
    from engine.formats.expected import read_expected

    taxonomy = read_expected(arguments.taxonomy)
    if arguments.json:
        say(json.dumps({"id": taxonomy.id, **taxonomy.to_json()}, ensure_ascii=False))
        return 0
    for line in _shown(taxonomy):
        say(line)
    return 0


def _shown(taxonomy: Taxonomy) -> list[str]:
    lines = [f"{taxonomy.id}  version {taxonomy.version}, {len(taxonomy.classes)} classes"]
    parent = {c.key: c.parent for c in taxonomy.classes}
    for c in taxonomy.classes:
        depth, key = 0, c.parent
        while key in parent and depth < len(parent):
            depth, key = depth + 1, parent[key]
        more = [f"also {', '.join(c.aliases)}"] if c.aliases else []
        more += [f"from {c.min_area_px} px"] if c.min_area_px else []
        more += [f"{len(c.keypoints)} keypoints"] if c.keypoints else []
        tail = f" ({'; '.join(more)})" if more else ""
        lines.append(f"{c.id:>5}  {'  ' * depth}{c.key:<{max(24 - 2 * depth, 1)}} {c.definition}{tail}")
    for old in taxonomy.retired:
        lines.append(f"{old.id:>5}  {old.key}: retired")
    for change in taxonomy.changes:
        into = f" into {', '.join(change.into)}" if change.into else ""
        lines.append(f"after {change.since}: {change.op} {change.key}{into}")
    return lines


def _convert(arguments: argparse.Namespace, say: Say) -> int:
    from engine.collect.convert import Classes, convert
    from engine.formats.expected import read_expected
    from engine.formats.index import open_dataset
    from engine.scene.taxonomy_changes import check_successor, mapping_between

    dataset, out = arguments.dataset.absolute(), arguments.out.absolute()
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UserError(f"--out {out} lies in the dataset; choose a folder beside it")
    source, new = open_dataset(dataset), read_expected(arguments.to)
    old = source.rows.taxonomy
    rules = _rules(arguments.rule, {c.key for c in old.classes}, {c.key for c in new.classes})
    findings = check_successor(old, new)
    mapping, lossy = mapping_between(old, new, rules)
    findings = findings or lossy
    for finding in findings:
        say(f"FAULT {finding}")
    if findings:
        return 1
    counts = sum(commit.frames for commit in source.rows.commits)
    with Progress() as progress:
        progress.begin(counts)
        manifest = convert(dataset, out, Classes(old, new, mapping), progress.update)
    moved = ", ".join(f"{key} -> {into or 'nothing'}" for key, into in mapping.items() if key != into)
    moved = moved or "no class has another name"
    say(f"{manifest.dataset_id}: version {new.version} of the taxonomy ({moved}) in {out}")
    return 0


def _rules(given: list[str], old: set[str], new: set[str]) -> dict[str, str | None]:
    rules: dict[str, str | None] = {}
    for text in given:
        key, separator, into = text.partition("=")
        if not separator or key not in old or (into not in new and into != DROP):
            raise UserError(f"--rule {text}: expected OLD=NEW, a class of the dataset and one of --to, or {DROP}")
        rules[key] = None if into == DROP else into
    return rules


def _drift(arguments: argparse.Namespace, say: Say) -> int:
    from engine.health.drift import compare_shapes
    from engine.plain import to_plain

    if not 0.0 < arguments.alpha < 1.0 or not 0.0 <= arguments.effect <= 1.0:
        raise UserError("--alpha must lie between 0 and 1, --effect in 0..1")
    report = compare_shapes(
        arguments.first, arguments.second, alpha=arguments.alpha, effect=arguments.effect, group=arguments.group
    )
    for line in _drift_lines(report):
        say(line)
    if arguments.json is not None:
        from engine.write.reports import write_json

        plain: dict[str, Any] = {"schema": "taxonomy-drift/1", **to_plain(report)}
        write_json(arguments.json, plain | {"alpha": arguments.alpha, "effect": arguments.effect})
    return 1 if report.drifted else 0


def _drift_lines(report: DriftReport) -> list[str]:
    lines = [
        f"{'verdict':<13}{'class':<22}{'measure':<12}{'n':>13}{'groups':>11}{'median A':>11}{'median B':>11}"
        f"{'KS':>7}{'delta':>7}{'p (Holm)':>10}"
    ]
    order = {"drifted": 0, "same": 1, "insufficient": 2}
    for row in sorted(report.rows, key=lambda row: (order[row.verdict], row.key, row.measure)):
        numbers = f"{row.count[0]}/{row.count[1]:<6}".rjust(13) + f"{row.groups[0]}/{row.groups[1]}".rjust(11)
        tail = "" if row.verdict == "insufficient" else f"{row.distance:>7.2f}{row.delta:>+7.2f}{row.p_holm:>10.2g}"
        medians = "".join(f"{value:>11.4g}" for value in row.median)
        lines.append(f"{row.verdict:<13}{row.key:<22}{row.measure:<12}{numbers}{medians}{tail}")
    for name, keys in (("only in A", report.only[0]), ("only in B", report.only[1]), ("redefined", report.redefined)):
        if keys:
            lines.append(f"{name}: {', '.join(keys)}")
    if report.undefined:
        lines.append(f"no definition says what these are: {', '.join(report.undefined)}")
    lines.append(f"{len(report.drifted)} of {len(report.rows)} measures drifted; independent are values of "
                 f"{' and '.join(dict.fromkeys(report.group))}")  # fmt: skip
    return lines
