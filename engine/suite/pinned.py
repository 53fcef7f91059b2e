"""A pinned suite: frozen data, a condition and a rule, by which one model is judged against another.

    <store>/suites/<name>/<version>/suite.json       what is pinned; never changed
    <store>/suites/<name>/<version>/blessed.json     which model is the measure; its predictions lie in blessed/
    <store>/suites/<name>/history.jsonl              every pin, blessing, run and bridge, a line each

What decides an answer makes the id: other data, another engine that made them, another condition or another rule are
another suite.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import rfc8785

from engine.collect.holdout import Lock, check_lock
from engine.collect.refs import check_name, dataset_path
from engine.errors import UserError, near_matches
from engine.evaluate.evaluate import Measurement
from engine.evaluate.slices import Slice
from engine.plain import from_plain, to_plain
from engine.suite.config import Metric
from engine.write.begin import MANIFEST
from engine.write.files import TEMPORARY, publish_new, remove_tree
from engine.write.record import json_bytes, read_json

SUITES, SUITE, HISTORY = "suites", "suite.json", "history.jsonl"
VERSION = re.compile(r"v([1-9]\d{0,5})", re.ASCII)
FEWER_IS_BETTER: Metric = "false_alarms"
LARGEST_LOSS = 1e6


@dataclass(frozen=True)
class Rule:
    """What passes."""

    metric: Metric
    allow: float  # loss of the metric against the blessed model that is allowed
    limit: float | None  # the metric itself, at least; false alarms at most; None: against the blessed model alone
    open: Literal["open", "pass"]  # what an interval on both sides of the threshold is
    min_support: int  # fewest independent groups for an answer

    def __post_init__(self) -> None:
        if not 0.0 <= self.allow <= LARGEST_LOSS:
            raise ValueError(f"allow must be in 0..{LARGEST_LOSS:g}, got {self.allow:g}: the loss that is allowed")
        if self.limit is not None and not 0.0 <= self.limit <= LARGEST_LOSS:
            raise ValueError(f"limit must be in 0..{LARGEST_LOSS:g}, got {self.limit:g}")
        if self.min_support < 2:
            raise ValueError(f"min_support must be at least 2 groups, got {self.min_support}")


@dataclass(frozen=True)
class Judged:
    """What is judged: frames, instances in them, and how figures and intervals are made."""

    where: str  # SQL over the frame: frames that satisfy it are judged
    instances: str  # SQL over instances `i` in them; "": all
    group: str  # column of the frames whose values are independent
    score: float  # predictions below are not made
    replicates: int
    seed: int

    def __post_init__(self) -> None:
        if self.replicates < 50 or self.seed < 0:
            raise ValueError("replicates must be at least 50, seed 0 or more")

    @property
    def measurement(self) -> Measurement:
        """How slices are measured."""
        return Measurement(self.score, self.replicates, self.seed)

    @property
    def slice(self) -> Slice:
        """What is judged, as a slice of the dataset."""
        if not self.instances:
            return Slice(self.where)
        frames = f"SELECT f.frame_id FROM frames f JOIN worlds w USING (world, step) WHERE ({self.where})"  # noqa: S608
        return Slice(f"f.frame_id IN ({frames}) AND ({self.instances})")


@dataclass(frozen=True)
class Frozen:
    """The data: which, from which recipe and program, and the hashes that every run checks."""

    recipe_id: str
    engine: str  # version and first digits of the sources' hash of the program that made it
    lock: Lock  # of every byte

    @property
    def dataset_id(self) -> str:
        """The id of the dataset."""
        return self.lock.dataset_id


@dataclass(frozen=True)
class Pinned:
    """`suite.json`."""

    name: str
    about: str
    data: Frozen
    judged: Judged
    rule: Rule
    dataset: str  # where it lies: name@version, or a path, relative to the store where both lie below one folder
    frames: int  # that satisfy the condition
    groups: int  # independent ones of these
    instances: int
    share: float  # of the dataset's frames that satisfy the condition
    bridges: str  # name@version of the suite that it goes on from; ""
    schema: Literal["suite/1"] = "suite/1"
    suite_id: str = ""

    @property
    def id(self) -> str:
        """What the content says the id is: `su_` and 16 hex digits over name, data, condition and rule."""
        parts = {"name": self.name, "data": self.data, "judged": self.judged, "rule": self.rule}
        return "su_" + hashlib.sha256(rfc8785.dumps(to_plain(parts))).hexdigest()[:16]


@dataclass(frozen=True)
class Place:
    """Where a version of a suite is kept."""

    store: Path
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def home(self) -> Path:
        """The folder of all versions."""
        return self.store / SUITES / self.name

    @property
    def folder(self) -> Path:
        """The folder of this version."""
        return self.home / self.version


def versions(store: Path, name: str) -> list[str]:
    """Return the versions of a suite, the oldest first."""
    found = [VERSION.fullmatch(path.parent.name) for path in (store / SUITES / name).glob(f"*/{SUITE}")]
    return [f"v{number}" for number in sorted(int(match[1]) for match in found if match)]


def pinned_places(store: Path) -> Iterator[Place]:
    """Yield every version of every suite of a store."""
    for home in sorted((store / SUITES).glob("*")):
        for version in versions(store, home.name):
            yield Place(store, home.name, version)


def latest_places(store: Path) -> list[Place]:
    """Return the latest version of every suite of a store."""
    return list({place.name: place for place in pinned_places(store)}.values())


def find_suite(store: Path, text: str) -> Place:
    """Return what `name@version` or `name` (the latest) means.

    Raises:
        UserError: If no such suite is pinned.
    """
    name, _, version = text.partition("@")
    check_name(name, "suite")
    known = versions(store, name)
    if not known:
        names = tuple(place.name for place in latest_places(store))
        what = f"pinned are {near_matches(name, names)}" if names else "`engine.suite pin NAME DATASET` pins one"
        raise UserError(f"{text}: the store {store} has no pinned suite '{name}'; {what}")
    if version in ("", "latest"):
        version = known[-1]
    if version not in known:
        raise UserError(f"{text}: {name} has no version '{version}'; there are {', '.join(known)}")
    return Place(store, name, version)


def read_pinned(place: Place) -> Pinned:
    """Return a pinned suite.

    Raises:
        UserError: If its file is not what was pinned.
    """
    path = place.folder / SUITE
    found = from_plain(Pinned, read_json(path), f"{place}: {SUITE}")
    if found.id != found.suite_id or found.name != place.name:
        raise UserError(
            f"{path} was changed after it was pinned: its content is {found.id}, it says {found.suite_id} of "
            f"'{found.name}'; put it back, or pin the suite anew"
        )
    return found


def keep_pinned(store: Path, pinned: Pinned) -> tuple[Place, bool]:
    """Keep a suite as the next version; return where, and whether it is new: the latest one may be the same.

    Raises:
        UserError: If the latest version is not what was pinned.
        WriteFailed: If the disk refuses.
    """
    while True:
        known = versions(store, pinned.name)
        if known and read_pinned(last := Place(store, pinned.name, known[-1])).suite_id == pinned.suite_id:
            return last, False
        place = Place(store, pinned.name, f"v{int(known[-1][1:]) + 1 if known else 1}")
        try:
            if publish_new(place.home, place.folder / SUITE, json_bytes(pinned)):
                return place, True
        finally:
            remove_tree(place.home / TEMPORARY)


def dataset_of(place: Place, pinned: Pinned, given: Path | None = None) -> Path:
    """Return the folder of the pinned data, every byte of which is what was pinned.

    Args:
        place: Of the suite.
        pinned: The suite.
        given: Where the dataset lies now; None: where it was.
    Raises:
        UserError: If it is not there, or has changed.
    """
    if given is not None:
        folder = dataset_path(given, place.store)
    elif "@" in pinned.dataset and "/" not in pinned.dataset:
        folder = dataset_path(Path(pinned.dataset), place.store)
    else:
        folder = Path(os.path.normpath(place.store.resolve() / pinned.dataset))
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{place}: {pinned.data.dataset_id} is not at {folder}; --dataset DIR says where it is now")
    try:
        check_lock(folder, pinned.data.lock)
    except UserError as error:
        reason = str(error).partition("; put back")[0]
        raise UserError(
            f"{place} does not run: {reason}; put back the copy that was pinned, or pin what is there as a new suite"
        ) from error
    return folder.absolute()
