"""`python -m engine.dataset ingest DIR --format NAME`: pictures and labels of others as a dataset like ours."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.progress import Progress

if TYPE_CHECKING:
    from engine.collect.source import PictureSource

HELP = "take in pictures and labels of others as a dataset like ours"
FORMATS = ("coco", "yolo", "kitti", "folder")
ONLY = {"annotations": "coco", "task": "yolo", "label_by": "folder"}  # options of one format
TASKS = ("detect", "segment", "pose", "obb")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("folder", type=Path, help="where the pictures and labels are")
    parser.add_argument("--format", required=True, choices=FORMATS, help="how they are labelled")
    parser.add_argument("--out", type=Path, metavar="DIR", help="dataset to make (default: <folder>-dataset beside it)")
    parser.add_argument("--name", default="", help="of the dataset (default: what its labels call it, or the format)")
    parser.add_argument("--licence", default="", help="of pictures whose labels name none")
    parser.add_argument("--source", default="", help="where they come from: an address, a citation")
    parser.add_argument(
        "--images", default="link", choices=("link", "reference", "copy"),
        help="hard links, where impossible references (default); symbolic links; copies",
    )  # fmt: skip
    parser.add_argument("--taxonomy", type=Path, metavar="FILE", help="taxonomy.json whose classes and ids are used")
    parser.add_argument("--classes", type=Path, metavar="FILE", help="YAML, `name: class key` or `name: null` to drop")
    parser.add_argument(
        "--group", action="append", default=[], metavar="NAME=RULE",
        help="what must stay together in a split: a column of the source, `folder`, or a pattern with one group over "
        "the path of the picture, such as surface='exp([0-9])_'; may be repeated, the first is split by",
    )  # fmt: skip
    parser.add_argument("--skip-damaged", action="store_true", help="leave out damaged pictures and boxes, and say so")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="coco: the file of labels (default: found)")
    parser.add_argument("--task", choices=TASKS, help="yolo: of the rows (default: what they look like)")
    parser.add_argument(
        "--label-by", choices=("folder", "none"), help="folder: whether sub-folders are classes (default: folder)"
    )


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once the dataset is there."""
    from engine.collect.classes import plan_classes
    from engine.collect.groups import parse_groups
    from engine.collect.ingest import IngestRequest, ingest

    folder: Path = arguments.folder.absolute()
    out: Path = (arguments.out or folder.with_name(f"{folder.name}-dataset")).absolute()
    _check(arguments, folder, out)
    groups = parse_groups(arguments.group)
    source = open_source(arguments, folder)
    classes = plan_classes(source.categories, arguments.taxonomy, arguments.classes)
    info: dict[str, Any] = getattr(source, "info", {})
    request = IngestRequest.planned(
        out, arguments.format, classes, arguments.name or source.name, licence=arguments.licence,
        source=arguments.source or str(info.get("source") or info.get("url") or ""), placement=arguments.images,
        groups=groups, skip_damaged=arguments.skip_damaged,
    )  # fmt: skip
    with Progress() as progress:
        progress.begin(len(source.pictures))
        manifest = ingest(source, request, progress.update)
    _summarise(out, say)
    for skip in manifest.skips:
        say(f"left out: {skip.reason}")
    say(f"{manifest.dataset_id}: {manifest.counts.frames} frames, {manifest.counts.instances} instances in {out}")
    return 0


def open_source(arguments: argparse.Namespace, folder: Path) -> PictureSource:
    """Return the pictures of a folder in the format that was asked for."""
    if arguments.format == "coco":
        from engine.collect.ingest_coco import open_coco

        return open_coco(folder, None if arguments.annotations is None else arguments.annotations.absolute())
    if arguments.format == "yolo":
        from engine.collect.ingest_yolo import open_yolo_pictures

        return open_yolo_pictures(folder, arguments.task)
    if arguments.format == "kitti":
        from engine.collect.ingest_kitti import open_kitti

        return open_kitti(folder)
    from engine.collect.ingest_folder import open_folder

    return open_folder(folder, with_labels=arguments.label_by != "none")


def _check(arguments: argparse.Namespace, folder: Path, out: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; name the one with the pictures and labels")
    if (folder / "dataset.json").is_file():
        raise UserError(f"{folder} is a dataset of ours already; `info` says what it holds")
    for option, of_format in ONLY.items():
        if getattr(arguments, option) is not None and arguments.format != of_format:
            raise UserError(f"--{option.replace('_', '-')} is for --format {of_format}, not {arguments.format}")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--out {out} lies in the folder that is taken in; choose a place beside it")


def _summarise(out: Path, say: Callable[[str], None]) -> None:
    """Say how many boxes are not as they should be."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(out / "index" / "frames.parquet", columns=["n_left_out", "n_outside", "exif_orientation"])
    left_out, outside = (pc.sum(table[name]).as_py() or 0 for name in ("n_left_out", "n_outside"))
    turned = len(table) - table["exif_orientation"].null_count
    if left_out:
        say(f"{left_out} boxes left out: no area, no numbers, or far from the picture")
    if outside:
        say(f"{outside} boxes leave their picture by more than a pixel; kept as they are")
    if turned:
        say(f"{turned} pictures have an EXIF orientation; labels are of the pixels as stored")
