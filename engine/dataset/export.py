"""`python -m engine.dataset export DIR --format NAME`: a dataset in a format of trainers; nothing is rendered."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import yaml

from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError, WriteFailed
from engine.progress import Progress
from engine.write.begin import MANIFEST

if TYPE_CHECKING:
    from engine.formats.index import IndexSource
    from engine.formats.record import Source
    from engine.formats.splits import SplitPlan

HELP = "write a dataset in another format, without rendering"
LIST = "help"  # as the name of a format


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, nargs="?", help="the folder that out= named")
    parser.add_argument("--format", metavar="NAME", help="what to write; --list shows all")
    parser.add_argument("--list", action="store_true", help="list the formats and their options")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to make (default: <dataset>-<format> beside it)"
    )
    parser.add_argument("--classes", type=Path, metavar="FILE", help="YAML, `class key: name` or `class key: null`")
    parser.add_argument(
        "--taxonomy", type=Path, metavar="FILE", help="what the trainer expects: refused if labels would mean others"
    )
    parser.add_argument(
        "--split",
        metavar="NAME=FRACTION,...",
        help="such as train=0.8,val=0.2, or keep: those that the data came in (default: train=1)",
    )
    parser.add_argument(
        "--split-by",
        metavar="WHAT",
        help="frame, world, asset, or a column of the frames or worlds index (default: the first group of the dataset, "
        "else frame)",
    )
    parser.add_argument("--split-class", default="", metavar="KEY", help="by asset: only assets of this class count")
    parser.add_argument("--seed", type=int, default=0, help="of the split (default: %(default)s)")
    parser.add_argument(
        "--min-visible-px", type=int, default=1, metavar="N", help="drop instances with fewer visible pixels (1)"
    )
    parser.add_argument(
        "--min-visible-fraction",
        type=float,
        default=0.0,
        metavar="F",
        help="drop instances of whose whole silhouette less is seen",
    )
    parser.add_argument(
        "--min-side-px",
        type=float,
        default=0.0,
        metavar="N",
        help="drop instances whose box of visible pixels has a shorter side",
    )
    parser.add_argument(
        "--max-truncation",
        type=float,
        default=1.0,
        metavar="F",
        help="drop instances of which more lies outside of the frame",
    )
    parser.add_argument("--copy", action="store_true", help="copy images; otherwise they are hard links where possible")
    parser.add_argument("--shareable", action="store_true", help="refuse real pictures and assets of unknown licence")
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="refuse near duplicates of this dataset",
    )
    parser.add_argument("--accept-unknown-licences", action="store_true", help="share assets that nobody licensed")
    parser.add_argument(
        "--accept-photographs", action="store_true", help="share pictures that show photographed assets"
    )
    parser.add_argument("--scenes", type=Path, action="append", default=[], metavar="DIR", help="where licences lie")
    parser.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="of the format, see --list; may be repeated"
    )


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once the folder is there."""
    from engine.formats.export import ExportRequest, export
    from engine.formats.filters import Filters
    from engine.formats.index import open_dataset
    from engine.formats.registry import FORMATS

    if arguments.list or arguments.format == LIST:
        list_formats(say)
        return 0
    if arguments.dataset is None or arguments.format is None:
        raise UserError("name a dataset and --format NAME; --list shows the formats")
    chosen = FORMATS.get(arguments.format)
    dataset: Path = arguments.dataset.absolute()
    out: Path = (arguments.out or dataset.with_name(f"{dataset.name}-{chosen.name}")).absolute()
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UserError(
            f"--out {out} lies in the dataset, whose files are all in its manifest; choose a folder beside it"
        )
    source = open_dataset(dataset, f"export as {chosen.name} to {out}")
    plan = split_plan(arguments, dataset, say)
    limits = (arguments.min_visible_px, arguments.min_visible_fraction, arguments.min_side_px, arguments.max_truncation)
    request = ExportRequest(
        chosen, out, parse_options(arguments.option), arguments.classes, plan, Filters(*limits), arguments.copy,
    )  # fmt: skip
    relabelled, facts = _with_taxonomy(source, read_manifest(dataset / MANIFEST), arguments.taxonomy)
    facts |= _shareable(dataset, arguments)
    with Progress() as progress:
        report = export(relabelled, request, facts=facts, clock=progress)
    _log(dataset, chosen.name, out, say)
    counts = ", ".join(f"{name} {count}" for name, count in report["frames"].items())
    instances = sum(report["instances"].values())
    say(f"{chosen.name}: frames {counts}; {instances} instances of {len(report['classes'])} classes")
    for reason, count in report["dropped"].items():
        say(f"dropped {count}: {reason}")
    for reason, count in report["not_held"].items():
        say(f"not held by the format, {count}: {reason}")
    say(f"written to {out}")
    return 0


def _with_taxonomy(source: IndexSource, manifest: Manifest, expected: Path | None) -> tuple[Source, dict[str, Any]]:
    """Return the frames under the classes that a trainer expects, and what export.json says of them."""
    from engine.formats.expected import Reclassed, expected_classes, read_expected

    facts: dict[str, Any] = {"dataset_id": manifest.dataset_id, "taxonomy_id": manifest.taxonomy_id}
    if expected is None:
        return source, facts
    taxonomy, seen = read_expected(expected), {*manifest.counts.by_class, *manifest.counts.defects}
    mapping = expected_classes(source.rows.taxonomy, taxonomy, seen, f"--taxonomy {expected}")
    if mapping is None:
        return source, facts
    facts |= {"taxonomy_id": taxonomy.id, "converted_from": manifest.taxonomy_id}
    return Reclassed(source, taxonomy, mapping), facts


def split_plan(arguments: argparse.Namespace, dataset: Path, say: Callable[[str], None]) -> SplitPlan:
    """Return how frames are split; groups that the dataset names are not torn apart unless that is asked for.

    Raises:
        UserError: If it cannot be done.
    """
    from engine.collect.groups import group_columns
    from engine.formats.splits import ALL, KEPT, SPLIT_COLUMN, SplitPlan, kept_fractions, parse_fractions

    seed, only_class = arguments.seed, arguments.split_class
    if arguments.split == KEPT:
        frames = pq.ParquetFile(dataset / "index" / "frames.parquet")
        if SPLIT_COLUMN not in frames.schema_arrow.names:
            raise UserError(f"--split {KEPT}: the dataset came in no splits; give fractions, such as train=0.8,val=0.2")
        return SplitPlan(kept_fractions(frames.read([SPLIT_COLUMN])[SPLIT_COLUMN].to_pylist()), is_kept=True)
    fractions = ALL if arguments.split is None else parse_fractions(arguments.split)
    groups = group_columns(dataset)
    by = arguments.split_by or (groups[0] if groups and len(fractions) > 1 else "frame")
    if len(fractions) > 1 and groups and arguments.split_by is None:
        say(f"split by {by}, which the dataset names as a group")
    elif len(fractions) > 1 and groups and by not in groups:
        say(f"warning: split by {by} tears the groups {', '.join(groups)} apart; what is learned leaks into the test")
    return SplitPlan(fractions, by, seed, only_class)


def _shareable(dataset: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what is noted about sharing; nothing where nobody asked.

    Raises:
        UserError: If the dataset must not be shared.
    """
    from engine.dataset.assets import scene_folders
    from engine.sharing.shareable import SharePlan, check_shareable

    if not arguments.shareable:
        if arguments.against or arguments.accept_unknown_licences or arguments.accept_photographs:
            raise UserError("--against and --accept-... belong to --shareable")
        return {}
    plan = SharePlan(
        scene_folders(arguments.scenes), tuple(path.absolute() for path in arguments.against),
        accept_unknown_licences=arguments.accept_unknown_licences, accept_photographs=arguments.accept_photographs,
    )  # fmt: skip
    return {"shareable": check_shareable(dataset, plan)}


def list_formats(say: Callable[[str], None]) -> None:
    """Say the formats, each with a line and its options with their defaults."""
    from engine.formats.registry import FORMATS
    from engine.plain import to_plain

    for name in FORMATS.names():
        chosen = FORMATS.get(name)
        options = to_plain(chosen.options())
        listed = ", ".join(f"{key}={yaml.safe_dump(value).split(chr(10))[0]}" for key, value in options.items())
        say(f"{name:<14} {chosen.summary}" + (f" ({listed})" if listed else ""))


def parse_options(given: list[str]) -> dict[str, Any]:
    """Return `key=value` pairs; values are YAML.

    Raises:
        UserError: If one is something else, or a key is given twice.
    """
    options: dict[str, Any] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not separator or not key or key in options:
            raise UserError(f"--option {text}: expected key=value, every key once")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"--option {text}: the value is not YAML: {' '.join(str(error).split())}") from error
    return options


def _log(dataset: Path, name: str, out: Path, say: Callable[[str], None]) -> None:
    """Note the export in the dataset's log; one that may not be written to has none."""
    from engine.formats.export import EXPORT
    from engine.lineage.ledger import note
    from engine.write.events import log_event
    from engine.write.files import hash_file

    try:
        log_event(dataset, "export", format=name, target=str(out))
        note(dataset, "export", format=name, target=str(out), export_sha256=hash_file(out / EXPORT))
    except WriteFailed as error:
        say(f"not noted in the dataset's log: {error}")
