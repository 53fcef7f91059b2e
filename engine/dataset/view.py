"""`python -m engine.dataset view DIR`: look at labels: contact sheets as PNG, and one page of HTML."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa

from engine.errors import UserError
from engine.formats.index import open_dataset
from engine.formats.record import Category, Frame
from engine.progress import Progress
from engine.view.page import write_page
from engine.view.sheets import draw_sheets
from engine.write.contact_sheet import FRAMES as SHEET_FRAMES
from engine.write.files import TEMPORARY, publish, remove_tree

HELP = "draw the labels over the pictures: contact sheets and one HTML page"
FRAMES = 48
PAGE = "index.html"
OURS = re.compile(rf"{re.escape(PAGE)}|sheet_\w+\.png|{re.escape(TEMPORARY)}")  # names of what a view writes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="folder to write (default: <dataset>-view)"
    )
    parser.add_argument("--frames", type=int, default=FRAMES, metavar="N", help="the first N on the page (%(default)s)")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once the page is there."""
    dataset: Path = arguments.dataset.absolute()
    out: Path = (arguments.out or dataset.with_name(f"{dataset.name}-view")).absolute()
    if arguments.frames < 1:
        raise UserError(f"--frames {arguments.frames}: name a number of frames from 1")
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UserError(
            f"--out {out} lies in the dataset, whose files are all in its manifest; choose a folder beside it"
        )
    check_target(out)
    source = open_dataset(dataset, f"view in {out}")
    count = min(arguments.frames, sum(commit.frames for commit in source.rows.commits))
    with Progress() as progress:
        progress.begin(count + min(count, SHEET_FRAMES))

        def frames() -> Iterator[Frame]:
            for frame in islice(source.frames(), arguments.frames):
                yield frame
                progress.update(1)

        try:
            written = view(source.name, source.categories, frames, out)
        except (FileNotFoundError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0][:300]
            raise UserError(f"{dataset} is damaged, `verify` says where: {reason}") from error
    say(f"{', '.join(name for name in written if name != PAGE)}")
    say(f"look at {out / PAGE}")
    return 0


def check_target(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier view, whose files are replaced.

    Raises:
        UserError: If it does, or is no folder.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; choose a folder")
    others = sorted(file.name for file in out.glob("*") if not OURS.fullmatch(file.name))
    if others:
        raise UserError(f"--out {out} holds {others[0]}, which is no part of a view; choose another folder")


def view(
    name: str, categories: tuple[Category, ...], frames: Callable[[], Iterator[Frame]], out: Path
) -> tuple[str, ...]:
    """Write sheets of the first frames and the page of all; return the names of the files, the page last.

    Args:
        name: What the page is called.
        categories: All classes.
        frames: Yields the frames, anew at every call.
        out: Folder, made if it is missing; files of the same names are replaced.
    Raises:
        UserError: If there are no frames, or a file of one cannot be read.
    """
    first = list(islice(frames(), SHEET_FRAMES))
    if not first:
        raise UserError(f"{name} has no frames to look at")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    try:
        for kind, png in draw_sheets(first, categories, name):
            written.append(f"sheet_{kind}.png")
            publish(out, out / written[-1], (png,))
        publish(out, out / PAGE, write_page(name, categories, frames()))
        for sheet in out.glob("sheet_*.png"):
            if sheet.name not in written:  # of an earlier view
                sheet.unlink()
    finally:
        remove_tree(out / TEMPORARY)
    return (*written, PAGE)
