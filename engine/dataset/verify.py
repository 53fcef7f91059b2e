"""`python -m engine.dataset verify DIR`: name every file that is not what it should be.

In order: bookkeeping files parse, every byte has its hash, counts and index follow from the shards, the labels agree
with arithmetic and with the pixels; with `--regenerate N`, N random worlds are rendered again and compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from engine.collect.intent import dataset_writers
from engine.dataset.check_files import check_files
from engine.dataset.check_pixels import check_pixels, image_size
from engine.dataset.check_rows import check_coco_rows, check_counts, check_index
from engine.dataset.contents import Contents, read_contents
from engine.dataset.faults import REMAKE_VIEWS, Fault
from engine.errors import UserError
from engine.validate.coco import check_coco, has_lists
from engine.write.begin import MANIFEST
from engine.write.coco import Coco
from engine.write.files import inside
from engine.write.merge import MergedRows, rows_path, tables_of
from engine.write.record import read_json

HELP = "check hashes, counts, schema, and labels against pixels"

# Rules about what people drew: a dataset that holds it as it was drawn is sound; `validate` says what is wrong with it.
SAID_BY_OTHERS = frozenset(
    {"area-above-box", "area-invalid", "area-not-mask", "box-is-xyxy", "box-not-mask", "box-outside", "row-duplicate"}
    | {"crowd-needs-rle", "polygon-outside", "rle-not-canonical", "segmentation-none", "category-name-invalid"}
    | {"keypoint-outside", "keypoint-unlabelled-not-zero", "keypoint-visibility", "keypoints-missing"}
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument(
        "--partial", action="store_true", help="accept a dataset that is not complete yet; check what is committed"
    )
    parser.add_argument("--regenerate", metavar="N", type=int, default=0, help="render N random worlds again, compare")
    parser.add_argument("--device", default=None, help="device of --regenerate; default: that of the manifest")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--usd", type=Path, default=None, help="root layer of the scene for --regenerate, if it moved")
    place.add_argument("--config-dir", type=Path, default=None, help="configuration folder that the run was given")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if nothing is wrong."""
    out = arguments.dataset.absolute()
    if arguments.partial and not (out / "dataset.json").is_file():
        say(f"{out}: nothing is committed yet")
        return 0
    if arguments.regenerate < 0:
        raise UserError(f"--regenerate {arguments.regenerate}: name a number of worlds from 0; 0 renders none again")
    contents, faults = verify(out, partial=arguments.partial, say=lambda fault: say(f"FAULT {fault}"))
    if not faults and arguments.regenerate:
        from engine.dataset.regenerate import regenerate

        again = regenerate(
            contents,
            arguments.regenerate,
            device=arguments.device,
            usd=arguments.usd,
            config_folder=arguments.config_dir,
        )
        faults = list(again.faults)
        for line in (*(f"FAULT {fault}" for fault in faults), str(again)):
            say(line)
    worlds = sum(len(commit.worlds) for commit in contents.commits)
    state = "complete" if contents.manifest is not None else "not complete"
    name = contents.manifest.dataset_id if contents.manifest is not None else out.name
    verdict = f"{len(faults)} faults" if faults else "ok"
    say(f"{verdict}: {name}, {state}, {worlds} worlds in {len(contents.commits)} commits")
    return 1 if faults else 0


def verify(
    out: Path, *, partial: bool = False, say: Callable[[Fault], None] | None = None
) -> tuple[Contents, list[Fault]]:
    """Return the bookkeeping of the dataset at `out` and everything that is wrong with it.

    Args:
        out: The dataset folder.
        partial: Whether a dataset without a manifest is fine, because work goes on.
        say: Told of every fault when it is found.
    Raises:
        UserError: If there is no dataset.
    """
    contents, unreadable = read_contents(out)
    if partial and not (out / MANIFEST).is_file():
        unreadable = [fault for fault in unreadable if fault.what != "is missing"]
    faults: list[Fault] = []

    def keep(found: Iterable[Fault]) -> None:
        for fault in found:
            faults.append(fault)
            if say is not None:
                say(fault)

    keep(unreadable)
    keep(check_files(contents))
    rows = contents.rows
    damaged = {fault.file for fault in faults}
    needed = {rows_path(commit.id, name) for commit in contents.commits for name in tables_of(commit)}
    if rows is not None and not damaged & needed and not _is_moving(contents):
        keep(_run_checks(contents, rows))
    return contents, faults


def _is_moving(contents: Contents) -> bool:
    """Return whether a crash left rows of a committed shard in a temporary folder; the next run moves them."""
    paths = [rows_path(commit.id, name) for commit in contents.commits if commit.frames for name in tables_of(commit)]
    return any(not (contents.out / path).is_file() for path in paths)


def _run_checks(contents: Contents, rows: MergedRows) -> Iterator[Fault]:
    checks: list[Callable[[], Iterator[Fault]]] = [lambda: check_pixels(rows)]
    if (manifest := contents.manifest) is not None:
        checks += [
            lambda: check_index(rows),
            lambda: check_counts(manifest, contents.commits, rows),
            lambda: _check_exports(contents, rows),
        ]
    for check in checks:
        try:
            yield from check()
        except (UserError, ValueError, KeyError, pa.ArrowException, OSError) as error:
            yield Fault("index", f"the rows of the shards contradict each other: {error}", REMAKE_VIEWS)


def _check_exports(contents: Contents, rows: MergedRows) -> Iterator[Fault]:
    assert contents.manifest is not None
    if contents.intent is None:
        return
    for export in contents.manifest.exports:
        if export.taxonomy_id != contents.manifest.taxonomy_id:
            yield Fault(export.path, f"was made with the taxonomy {export.taxonomy_id}", REMAKE_VIEWS)
    for writer in dataset_writers(contents.intent):
        path = contents.out / writer.params.PATH
        if isinstance(writer.params, Coco) and path.is_file():
            is_ours = contents.recipe is not None
            yield from _check_coco(path, writer.params, rows, others=frozenset() if is_ours else SAID_BY_OTHERS)


def _check_coco(path: Path, params: Coco, rows: MergedRows, *, others: frozenset[str]) -> Iterator[Fault]:
    try:
        data = read_json(path)
    except UserError as error:
        yield Fault(params.PATH, str(error).removeprefix(f"{path} "), REMAKE_VIEWS)
        return
    for finding in check_coco(data, params.PATH, lambda name: image_size(inside(rows.out, name))):
        if finding.rule in others:
            continue
        what = f"{finding.where}: {finding.rule}, {finding.value}; expected {finding.expected}"
        yield Fault(params.PATH, what.removeprefix(": "), REMAKE_VIEWS, finding.rule)
    if has_lists(data):
        yield from check_coco_rows(data, params, rows)
