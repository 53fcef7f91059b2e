"""From what a model must see to what is there: target slices with counts, held against datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.collect.groups import independent_column
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.evaluate.intervals import wilson
from engine.health.ask import FRAMES, ask, columns_of, expression, group_of, open_labels
from engine.plain import from_plain
from engine.suite.config import Suite, read_suite
from engine.write.begin import MANIFEST
from engine.yaml_file import read_yaml_mapping


@dataclass(frozen=True)
class Slice:
    """Frames that are wanted, and how such frames are made."""

    count: int  # frames
    where: str | None = None  # SQL over a frame `f`; None: that of the suite
    suite: str | None = None  # conf/suite/NAME.yaml: its condition and its overrides
    run: tuple[str, ...] = ()  # overrides of engine.run that make such frames, after those of the suite
    min_groups: int = 0  # groups that must have such a frame
    group: str | None = None  # column that says which; None: what an ingest says, else the world
    share: float | None = None  # of frames so made that satisfy it, until it was measured; None: that of the suite
    about: str = ""

    def __post_init__(self) -> None:
        if self.count < 0 or self.min_groups < 0:
            raise ValueError("count and min_groups must be at least 0")
        if self.where is None and self.suite is None:
            raise ValueError("needs where, a condition, or suite, whose condition it is")
        if self.share is not None and not 0.0 < self.share <= 1.0:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share:g}")


@dataclass(frozen=True)
class Requirements:
    """All slices that are wanted."""

    slices: dict[str, Slice]
    run: tuple[str, ...] = ()  # overrides after those of every slice, such as rig.width=640
    about: str = ""

    def __post_init__(self) -> None:
        if not self.slices:
            raise ValueError("slices must name at least one")


@dataclass(frozen=True)
class Wanted:
    """A slice with what its suite says."""

    name: str
    slice: Slice
    where: str
    run: tuple[str, ...]  # whole; nothing: nobody says how such frames are made
    share: float | None


@dataclass(frozen=True)
class Counted:
    """What a dataset has of a slice."""

    dataset: str
    out: Path
    frames: int
    have: int
    worlds: int
    worlds_with: int  # with such a frame
    groups: int  # with such a frame
    note: str = ""  # why it could not be asked


@dataclass(frozen=True)
class SliceCover:
    """What all datasets have of a slice."""

    wanted: Wanted
    counted: tuple[Counted, ...]

    @property
    def have(self) -> int:
        """Frames."""
        return sum(each.have for each in self.counted)

    @property
    def groups(self) -> int:
        """Groups; those of different datasets are different."""
        return sum(each.groups for each in self.counted)

    @property
    def missing(self) -> int:
        """Frames that are still to be made."""
        return max(self.wanted.slice.count - self.have, 0)

    @property
    def missing_groups(self) -> int:
        """Groups that still have no such frame."""
        return max(self.wanted.slice.min_groups - self.groups, 0)

    @property
    def met(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and not self.missing_groups


@dataclass(frozen=True)
class Share:
    """What share of the frames of some datasets are of a slice, counted by worlds."""

    have: int
    frames: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share."""
        return self.have / self.frames if self.frames else 0.0


def read_requirements(path: Path, config_dir: Path | None = None) -> dict[str, Wanted]:
    """Return the slices of a YAML file by name.

    Raises:
        UserError: If it cannot be read, or names a suite that does not exist.
    """
    wanted = from_plain(Requirements, read_yaml_mapping(path), str(path))
    found = {}
    for name, one in wanted.slices.items():
        suite: Suite | None = None if one.suite is None else read_suite(one.suite, config_dir)
        where = one.where if one.where is not None else suite.where if suite else ""
        own = (*(suite.run if suite else ()), *one.run)
        run = (*own, *wanted.run) if own else ()
        found[name] = Wanted(name, one, where, run, one.share if suite is None or one.share else suite.share)
    return found


def cover(folders: Sequence[Path], wanted: dict[str, Wanted], where: str) -> tuple[SliceCover, ...]:
    """Return what datasets have of every slice.

    Args:
        folders: Complete datasets, of different content.
        wanted: The slices.
        where: What holds them, for errors.
    Raises:
        UserError: If a dataset is none, is named twice, or no dataset can be asked for a slice.
    """
    manifests = [_manifest(out) for out in folders]
    for at, manifest in enumerate(manifests):
        twins = [folders[i] for i in range(at) if _same(manifests[i], manifest)]
        if twins:
            raise UserError(f"{folders[at]} and {twins[0]} are of one recipe: their worlds are the same; name one")
        parents = {parent.dataset_id for parent in manifest.parents}
        within = [out for out, other in zip(folders, manifests, strict=True) if other.dataset_id in parents]
        if within:
            raise UserError(f"{folders[at]} was made of {within[0]}: frames would count twice; name one")
    connections = [open_labels(out) for out in folders]
    covers = []
    for name, one in wanted.items():
        counted = []
        for out, connection in zip(folders, connections, strict=True):
            known = {**columns_of(connection, "frames"), **columns_of(connection, "worlds")}
            try:
                group = group_of(independent_column(out, known, one.slice.group))
                counted.append(_count(out, connection, one, group, f"{where}: slices.{name}"))
            except UserError as error:
                counted.append(Counted(out.name, out, 0, 0, 0, 0, 0, str(error)))
        if all(each.note for each in counted):
            raise UserError(counted[0].note)
        covers.append(SliceCover(one, tuple(counted)))
    return tuple(covers)


def _manifest(out: Path) -> Manifest:
    if not (out / MANIFEST).is_file():
        raise UserError(f"{out} is no complete dataset: it has no {MANIFEST}")
    return read_manifest(out / MANIFEST)


def _same(one: Manifest, other: Manifest) -> bool:
    return one.dataset_id == other.dataset_id or one.recipe_id == other.recipe_id


def _count(out: Path, connection: object, wanted: Wanted, group: str, where: str) -> Counted:
    condition = expression(wanted.where, f"{where}: where")
    holds = f"COALESCE(CAST({condition} AS BOOLEAN), false)"
    ((frames, have, worlds, worlds_with, groups),) = ask(
        connection,  # type: ignore[arg-type]
        "SELECT count(*), count(*) FILTER (holds), count(DISTINCT world), count(DISTINCT world) FILTER (holds), "  # noqa: S608
        f"count(DISTINCT g) FILTER (holds) FROM (SELECT {holds} AS holds, world, {group} AS g FROM {FRAMES})",
        where=f"{where}: where",
    )
    return Counted(out.name, out, frames, have, worlds, worlds_with, groups)


def share_of(counted: Sequence[Counted]) -> Share:
    """Return what share of the frames of datasets are of a slice; the interval is Wilson's, 90 %, over worlds."""
    frames, have = sum(each.frames for each in counted), sum(each.have for each in counted)
    worlds = sum(each.worlds for each in counted)
    low, high = wilson(worlds * have / frames if frames else 0.0, worlds)
    return Share(have, frames, low, high)
