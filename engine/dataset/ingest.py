"""`python -m engine.dataset ingest DIR --format NAME`: pictures and labels of others as a dataset like ours."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.progress import Progress

HELP = "take in pictures and labels of others as a dataset like ours"
FORMATS = ("coco", "yolo", "kitti", "folder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("folder", type=Path, help="where the pictures and labels are")
    parser.add_argument("--format", required=True, choices=FORMATS, help="how they are labelled")
    parser.add_argument("--out", type=Path, metavar="DIR", help="dataset to make (default: <folder>-dataset beside it)")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="coco: the file of labels")
    parser.add_argument("--licence", default="", help="of the pictures")
    parser.add_argument("--source", default="", help="where they come from: an address, a citation")
    parser.add_argument("--images", default="link", choices=("link", "reference", "copy"), help="hard links (default)")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once the dataset is there."""
    from engine.collect.ingest import IngestRequest, ingest, taxonomy_of
    from engine.formats.coco import read_coco_file
    from engine.formats.registry import Records

    folder: Path = arguments.folder.absolute()
    out: Path = (arguments.out or folder.with_name(f"{folder.name}-dataset")).absolute()
    categories, frames = read_coco_file(arguments.annotations or folder / "annotations.json", folder)
    records = Records(folder.name, categories, tuple(frames))
    request = IngestRequest(
        out, arguments.format, taxonomy_of(categories), folder.name, arguments.licence, arguments.source,
        placement=arguments.images,
    )  # fmt: skip
    with Progress() as progress:
        progress.begin(len(frames))
        manifest = ingest(records, request, progress.update)
    say(f"{manifest.dataset_id}: {manifest.counts.frames} frames, {manifest.counts.instances} instances in {out}")
    return 0
