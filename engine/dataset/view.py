"""`python -m engine.dataset view DIR`: look at labels: contact sheets as PNG, and a page of HTML."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa

from engine.errors import UserError
from engine.formats.index import IndexSource, open_dataset
from engine.formats.record import Category, Frame
from engine.progress import Progress
from engine.view.gallery.build import Options, build_gallery, gallery_size, roles_to_draw
from engine.view.gallery.place import FOLDERS, MARK, PAGE, check_target, replaced
from engine.view.gallery.source import open_shown
from engine.view.page import write_page
from engine.view.sheets import draw_sheets
from engine.write.contact_sheet import FRAMES as SHEET_FRAMES
from engine.write.files import TEMPORARY, publish, remove_tree

HELP = "look at a dataset: a page with filters over all frames and their labels, and contact sheets"
FRAMES = 48
MOST_PREVIEWED = 500  # frames of a dataset whose other files are drawn without being asked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument("--compare", type=Path, default=None, metavar="OTHER", help="a dataset to set beside it")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="folder to write (default: <dataset>-view)"
    )
    parser.add_argument(
        "--previews", default=None, metavar="FILES",
        help="draw these files of every frame: names with commas between, all or none "
        f"(default: all up to {MOST_PREVIEWED} frames, else none)",
    )  # fmt: skip
    parser.add_argument("--embed", action="store_true", help="put the pictures into the folder, to send it away")
    parser.add_argument("--single", action="store_true", help="one file with the first frames, pictures in it")
    parser.add_argument(
        "--frames", type=int, default=None, metavar="N", help=f"how many are in the single file ({FRAMES})"
    )


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once the page is there."""
    dataset: Path = arguments.dataset.absolute()
    out: Path = (arguments.out or dataset.with_name(f"{dataset.name}-view")).absolute()
    other: Path | None = None if arguments.compare is None else arguments.compare.absolute()
    _check(arguments)
    for folder in (dataset, other):
        if folder is not None and out.resolve().is_relative_to(folder.resolve()):
            raise UserError(
                f"--out {out} lies in the dataset, whose files are all in its manifest; choose a folder beside it"
            )
    check_target(out)
    try:
        if arguments.single:
            source = open_dataset(dataset, f"view in {out}")
            written = _single(source, arguments.frames or FRAMES, out)
            say(f"{', '.join(name for name in written if name != PAGE)}")
        else:
            say(_gallery(dataset, other, out, arguments))
    except (FileNotFoundError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0][:300]
        raise UserError(f"{dataset} is damaged, `verify` says where: {reason}") from error
    say(f"look at {out / PAGE}")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        UserError: If something does not.
    """
    if arguments.frames is not None and arguments.frames < 1:
        raise UserError(f"--frames {arguments.frames}: name a number of frames from 1")
    if arguments.frames is not None and not arguments.single:
        raise UserError("--frames belongs to --single; the page without it has all frames")
    for name in ("compare", "embed", "previews"):
        if arguments.single and getattr(arguments, name):
            raise UserError(f"--{name} does not go with --single, which is one file with pictures in it")


def _gallery(dataset: Path, other: Path | None, out: Path, arguments: argparse.Namespace) -> str:
    """Write the page of all frames; return one line that says what it holds."""
    shown = open_shown(dataset)
    against = None if other is None else open_shown(other)
    if against is not None and against.origin == "real" and shown.origin != "real":
        shown, against = against, shown  # every real frame is held against its nearest synthetic one
    sizes = [gallery_size(each) for each in (shown, against) if each is not None]
    options = Options(roles_to_draw(shown, against, arguments.previews, MOST_PREVIEWED), arguments.embed)
    with Progress() as progress, replaced(out) as folder:
        progress.begin(sum(sizes) + min(sizes[0], SHEET_FRAMES))
        _sheets(open_dataset(shown.out), folder, progress.update)
        build_gallery(shown, against, out, folder, options, progress.update)
    beside = "" if against is None else f", beside {sizes[1]} of {against.name}"
    drawn = f"; drawn: {', '.join(options.previews)}" if options.previews else ""
    return f"{sizes[0]} frames of {shown.name}{beside}{drawn}"


def _sheets(source: IndexSource, folder: Path, done: Callable[[int], None]) -> None:
    first = list(islice(source.frames(), SHEET_FRAMES))
    for kind, png in draw_sheets(first, source.categories, source.name):
        (folder / f"sheet_{kind}.png").write_bytes(png)
    done(len(first))


def _single(source: IndexSource, most: int, out: Path) -> tuple[str, ...]:
    """Write sheets and the page that is one file; return the names of the files."""
    count = min(most, sum(commit.frames for commit in source.rows.commits))
    with Progress() as progress:
        progress.begin(count + min(count, SHEET_FRAMES))

        def frames() -> Iterator[Frame]:
            for frame in islice(source.frames(), most):
                yield frame
                progress.update(1)

        return view(source.name, source.categories, frames, out)


def view(
    name: str, categories: tuple[Category, ...], frames: Callable[[], Iterator[Frame]], out: Path
) -> tuple[str, ...]:
    """Write sheets of the first frames and one file with all; return the names of the files, the page last.

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
        for part in (*FOLDERS, MARK):
            remove_tree(out / part)
    finally:
        remove_tree(out / TEMPORARY)
    return (*written, PAGE)
