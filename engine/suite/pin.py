"""Freeze a dataset as a suite: its condition is checked on the ground truth, every byte of it is checked and locked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.collect.holdout import describe, find_lock, lock
from engine.collect.refs import check_name, dataset_path, resolve_ref
from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.evaluate.board import Board
from engine.evaluate.evaluate import RULE_OF_THREE
from engine.lineage.ledger import LEDGER
from engine.lineage.tamper import check_dataset, read_chain
from engine.suite.check import Checked, check_condition
from engine.suite.history import PIN, note
from engine.suite.pinned import (
    Frozen,
    Judged,
    Pinned,
    Place,
    Rule,
    find_suite,
    keep_pinned,
    read_pinned,
    versions,
)
from engine.suite.verdict import OF_PICTURES
from engine.write.begin import MANIFEST

JUDGED = "judged"  # name of the slice


@dataclass(frozen=True)
class PinRequest:
    """What is pinned, and how."""

    store: Path
    name: str
    dataset: Path  # a folder, or name@version
    about: str
    share: float  # of the frames that must satisfy the condition, at least
    judged: Judged  # group "": the column that is found
    rule: Rule
    bridges: str  # name or name@version of the suite before it; ""
    is_locked: bool  # whether the dataset becomes a locked holdout


def pin(request: PinRequest, say: Callable[[str], None]) -> tuple[Place, Pinned] | None:
    """Pin a dataset as a suite and return it; None: too few frames are what the suite says, which was said.

    Raises:
        UserError: If the dataset is not whole, or the condition cannot be asked of it.
        WriteFailed: If the disk refuses; a dataset that cannot be written to cannot be locked.
    """
    check_name(request.name, "suite")
    folder = dataset_path(request.dataset, request.store).absolute()
    _check_whole(folder)
    before = _before(request)
    checked = check_condition(
        request.name, request.judged.where, folder, least=request.share, where=f"{request.name}: where"
    )
    if not checked.holds or not checked.satisfied:
        say(str(checked))
        say("not pinned: make worlds that are what it says (make NAME --pure N), or ask for less with --share")
        return None
    made = _describe(request, folder, checked, before)
    place, is_new = keep_pinned(request.store, made)
    if is_new:
        _note(place, made)
    if request.is_locked and find_lock(folder) is None:
        held = lock(folder, request.name, f"pinned as the suite {place}")
        say(f"{held.benchmark_id}: the dataset is locked, every read of it is noted (engine.dataset lock --show)")
    if not is_new:
        say(f"{place} is this suite already: {made.suite_id}")
        return place, read_pinned(place)
    for line in pinned_lines(place, made):
        say(line)
    if len(known := versions(request.store, request.name)) > 1 and not made.bridges:
        say(f"it is not compared with {request.name}@{known[-2]}: --bridges {request.name}@{known[-2]} joins them")
    return place, made


def _note(place: Place, made: Pinned) -> None:
    facts = {"suite_id": made.suite_id, "dataset_id": made.data.dataset_id, "engine": made.data.engine}
    note(place, PIN, {**facts, "bridges": made.bridges})


def pinned_lines(place: Place, pinned: Pinned) -> list[str]:
    """Return what people want to know of a suite."""
    rule, judged = pinned.rule, pinned.judged
    side = "at most" if rule.metric == "false_alarms" else "at least"
    limit = "" if rule.limit is None else f", {side} {rule.limit:g} itself"
    lines = [
        f"{place} {pinned.suite_id}: {pinned.data.dataset_id} by engine {pinned.data.engine}, "
        f"{rule.metric} with a loss of at most {rule.allow:g}{limit}",
        f"    judged: {pinned.frames} frames in {pinned.groups} groups by {judged.group}, {pinned.instances} instances",
        f"    where {pinned.judged.where}" + (f" / instances {judged.instances}" if judged.instances else ""),
    ]
    if pinned.groups < rule.min_support:
        lines.append(f"    it will say insufficient: fewer than {rule.min_support} groups; pin more worlds")
    least = RULE_OF_THREE / max(pinned.frames if rule.metric in OF_PICTURES else pinned.instances, 1)
    if least > rule.allow:
        lines.append(
            f"    it is small: a model that answers otherwise can pass with --allow {least:.3f} or more, or more worlds"
        )
    return lines


def _before(request: PinRequest) -> str:
    if not request.bridges:
        return ""
    before = find_suite(request.store, request.bridges)
    read_pinned(before)
    return str(before)


def _describe(request: PinRequest, folder: Path, checked: Checked, bridges: str) -> Pinned:
    """Return the suite; what is judged is counted by an evaluation of no predictions."""
    manifest = read_manifest(folder / MANIFEST)
    judged = request.judged
    with tempfile.TemporaryDirectory(prefix="ommatidia-suite-") as temporary:
        nothing = Path(temporary) / "none.json"
        nothing.write_text("[]", encoding="utf-8")
        few = replace(judged.measurement, replicates=2)
        board = Board(folder, {JUDGED: judged.slice}, few, judged.group or None, figures=("recall",))
        counted = board.judge(nothing)[JUDGED]
    if not counted.images:
        raise UserError(f"--instances {judged.instances!r}: no frame that satisfies the condition shows such instances")
    engine = f"{manifest.engine.version}+{manifest.engine.source_sha256[:12]}"
    frozen = Frozen(manifest.recipe_id, engine, describe(folder, request.name))
    made = Pinned(
        request.name, request.about, frozen, replace(judged, group=board.truth.group_by), request.rule,
        _where_it_lies(request, folder), counted.images, counted.groups, counted.instances, checked.share, bridges,
    )  # fmt: skip
    return replace(made, suite_id=made.id)


def _where_it_lies(request: PinRequest, folder: Path) -> str:
    """Return name and version of the dataset, or its path: from the store if both move together, else all of it."""
    if folder != request.dataset.absolute():
        return str(resolve_ref(request.store, str(request.dataset)))
    place, home = folder.resolve(), request.store.resolve()
    return os.path.relpath(place, home) if place.is_relative_to(home.parent) else str(place)


def _check_whole(folder: Path) -> None:
    """Refuse a dataset that is not complete or not what its manifest says, byte for byte."""
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder} is no complete dataset: it has no {MANIFEST}")
    ledger = folder / LEDGER
    chain = read_chain(ledger.read_bytes() if ledger.is_file() else b"")
    _, faults = check_dataset(folder, chain, deep=True)
    if faults:
        raise UserError(f"{folder} cannot be pinned: {faults[0]}; `python -m engine.dataset verify` says what else")
