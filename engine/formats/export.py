"""From records to the folder of a format: classes mapped, frames split, instances filtered, everything counted."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from engine.errors import UserError
from engine.formats.classes import ClassMap, check_mapped, class_map_of, identity_map, read_class_map
from engine.formats.filters import Filters
from engine.formats.record import Category, Frame, Source
from engine.formats.registry import ExportContext, Format
from engine.formats.splits import SPLIT_COLUMN, Groups, SplitPlan, check_filled, split_groups, splitter
from engine.plain import from_plain, to_plain
from engine.write.files import hash_file, refusals_named, remove_tree
from engine.write.record import read_json

EXPORT = "export.json"
UNMAPPED = "class mapped to null"
BODILESS = "a defect has no body, which the format needs"
LINK_REFUSALS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES)


class Clock(Protocol):
    """What is told of finished frames; see `engine.progress.Progress`."""

    def begin(self, total_frames: int) -> None:
        """Start."""

    def update(self, frames: int) -> None:
        """Add frames."""


@dataclass(frozen=True)
class ExportRequest:
    """What to write and how."""

    format: Format
    out: Path
    options: Mapping[str, Any] = field(default_factory=dict)  # plain data for `format.options`
    classes: Path | Mapping[str, Any] | None = None
    split: SplitPlan = field(default_factory=SplitPlan)
    filters: Filters = field(default_factory=Filters)
    copy: bool = False


@dataclass(frozen=True)
class Scan:
    """What is known of a source after one pass."""

    frames: int
    seen: Counter[str]  # instances by class key
    split_of_frame: dict[int, str] | None  # by frame id; None: the number of frame or world decides
    splits: Counter[str]


@dataclass
class Prepared:
    """A source as a format gets it. The first pass counts, later ones repeat it."""

    source: Source
    mapped: ClassMap
    filters: Filters
    clock: Clock | None
    needs_bodies: bool  # see engine.formats.registry.Format
    dropped: Counter[str] = field(default_factory=Counter)  # by the map and the filters, by reason
    not_held: Counter[str] = field(default_factory=Counter)  # what the format cannot hold, by reason
    kept: Counter[str] = field(default_factory=Counter)  # by name in the format
    _counted: bool = False

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of the dataset."""
        return self.source.categories

    @property
    def name(self) -> str:
        """What the data are called."""
        return self.source.name

    def frames(self) -> Iterator[Frame]:
        """Yield the frames with the instances that are left."""
        first, self._counted = not self._counted, True
        for frame in self.source.frames():
            kept = []
            for instance in frame.instances:
                category = self.mapped.of_key[instance.category]
                reason = UNMAPPED if category is None else self.filters.reason(instance)
                if self.needs_bodies and instance.lies_on:
                    reason = BODILESS
                if reason is None:
                    kept.append(instance)
                if first and reason is not None:
                    self.dropped[reason] += 1
                elif first and category is not None:
                    self.kept[category.name] += 1
            yield replace(frame, instances=tuple(kept))
            if first and self.clock is not None:
                self.clock.update(1)


def export(
    source: Source, request: ExportRequest, *, facts: Mapping[str, Any] | None = None, clock: Clock | None = None
) -> dict[str, Any]:
    """Write a source in a format and return what export.json says.

    Args:
        source: The frames; a dataset by `engine.formats.index.open_dataset`.
        request: What to write.
        facts: What else export.json shall say, such as the dataset's id.
        clock: Is told of frames that are done.
    Raises:
        UserError: If the target is taken, a class is not mapped, a split is empty, or the format needs what is missing.
        WriteFailed: If the disk refuses.
    """
    check_target(request.out)
    options: Any = from_plain(request.format.options, dict(request.options), "--option")
    mapped = _class_map(request.classes, source.categories)
    scanned = scan(source, request.split)
    check_mapped(mapped, scanned.seen)
    check_filled(request.split, scanned.splits)
    if clock is not None:
        clock.begin(scanned.frames)
    prepared = Prepared(source, mapped, request.filters, clock, request.format.needs_bodies)
    temporary = request.out.with_name(f".{request.out.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with refusals_named(request.out):
        temporary.mkdir(parents=True)
        try:
            placer = Placer(temporary, copy=request.copy)
            context = ExportContext(
                temporary, mapped.categories, {key: c for key, c in mapped.of_key.items() if c is not None},
                request.split.names, splitter(request.split, scanned.split_of_frame), placer.place,
                lambda reason: prepared.not_held.update((reason,)), options,
            )  # fmt: skip
            request.format.write(prepared, context)
            report = dict(facts or {}) | _report(request, mapped, scanned, prepared, options)
            report["label_sha256"] = placer.hashes()
            _write_json(temporary / EXPORT, report)
            check_target(request.out)  # again: another export may have been quicker
            temporary.rename(request.out)
        finally:
            remove_tree(temporary)
    return report


def check_target(out: Path) -> None:
    """Refuse a target that holds something.

    Raises:
        UserError: If it does.
    """
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UserError(f"--out {out} is there already; remove it or choose another folder")


def scan(source: Source, plan: SplitPlan) -> Scan:
    """Return what a pass over the source tells: frames, classes seen, groups that must not be split.

    Raises:
        UserError: If the groups that were asked for are not in the data.
    """
    seen: Counter[str] = Counter()
    frames, counts = 0, Counter[str]()
    if plan.is_kept:
        return _scan_kept(source)
    groups = None if plan.by in ("frame", "world") or len(plan.fractions) == 1 else Groups()
    shown, of_number = _shown_by(source, plan), splitter(plan, None)
    for frame in source.frames():
        frames += 1
        seen.update(instance.category for instance in frame.instances)
        if groups is None:
            counts[of_number(frame)] += 1
        else:
            groups.add(frame.id, shown(frame))
    if not frames:
        raise UserError(f"{source.name} has no frames")
    if groups is None:
        return Scan(frames, seen, None, counts)
    split_of_frame = split_groups(plan, groups.of_frames())
    return Scan(frames, seen, split_of_frame, Counter(split_of_frame.values()))


def _scan_kept(source: Source) -> Scan:
    """Return what a pass over the source tells whose frames say which split they are in."""
    seen: Counter[str] = Counter()
    split_of_frame = {}
    for frame in source.frames():
        seen.update(instance.category for instance in frame.instances)
        split_of_frame[frame.id] = str(frame.row[SPLIT_COLUMN])
    return Scan(len(split_of_frame), seen, split_of_frame, Counter(split_of_frame.values()))


def _shown_by(source: Source, plan: SplitPlan) -> Callable[[Frame], list[Hashable]]:
    """Return what says which things a frame must share its split with others for."""
    if plan.only_class and plan.only_class not in {c.key for c in source.categories}:
        raise UserError(f"--split-class {plan.only_class}: the dataset has no such class")
    if plan.by == "asset":
        return lambda frame: _assets(frame, plan.only_class)
    values = getattr(source, "world_values", None)
    of_world: Mapping[tuple[int, int], Any] | None = None if values is None else values(plan.by)

    def value(frame: Frame) -> list[Hashable]:
        if plan.by in frame.row:
            if frame.row[plan.by] is None and frame.row.get("origin") == "synthetic":
                return [("world", frame.world)]  # rendered worlds are independent; of a mixture with real pictures
            if frame.row[plan.by] is None:
                if frame.row.get("parent") is not None:  # of a mixture: its dataset had no such groups
                    return [("world", frame.world)]
                raise UserError(f"--split-by {plan.by}: frame {frame.id} has none, so that it may be in any split")
            return [_hashable(frame.row[plan.by])]
        if of_world is not None:
            return [_hashable(of_world[frame.world, frame.step])]
        raise UserError(f"--split-by {plan.by}: neither frame, world, asset nor a column of the frames or worlds index")

    return value


def _assets(frame: Frame, only_class: str) -> list[Hashable]:
    found: list[Hashable] = []
    for instance in frame.instances:
        if only_class in ("", instance.category) and not instance.lies_on:
            if instance.solid is None or instance.solid.asset is None:
                raise UserError(
                    "--split-by asset: the dataset has no assets of instances; make it anew with this version"
                )
            found.append(instance.solid.asset)
    return found


def _hashable(value: Any) -> Hashable:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _class_map(classes: Path | Mapping[str, Any] | None, known: tuple[Category, ...]) -> ClassMap:
    if classes is None:
        return identity_map(known)
    return read_class_map(classes, known) if isinstance(classes, Path) else class_map_of(classes, known, "classes")


@dataclass
class Placer:
    """Puts files of the dataset into an export, and knows which of its files are labels."""

    out: Path
    copy: bool
    placed: set[Path] = field(default_factory=set)

    def place(self, file: Path, path: Path) -> None:
        """Put `file` at `path` below the export: a hard link, or a copy where asked for or links are impossible."""
        target = self.out / path
        if not target.resolve().is_relative_to(self.out.resolve()):
            raise ValueError(f"{path} is not below the export")
        if not file.is_file():
            raise UserError(f"{file} is missing; `python -m engine.dataset verify` says what else is")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self.copy:
            try:
                target.hardlink_to(file)
            except OSError as error:
                if error.errno not in LINK_REFUSALS:
                    raise
                self.copy = True
        if self.copy:
            shutil.copyfile(file, target)
        self.placed.add(target)

    def hashes(self) -> dict[str, str]:
        """Return the sha256 of every file that was written, by its path; placed ones are the dataset's own."""
        files = sorted(path for path in self.out.rglob("*") if path.is_file() and path not in self.placed)
        return {path.relative_to(self.out).as_posix(): hash_file(path) for path in files}


def _report(
    request: ExportRequest, mapped: ClassMap, scanned: Scan, prepared: Prepared, options: Any
) -> dict[str, Any]:
    split = request.split
    return {
        "format": request.format.name,
        "options": to_plain(options),
        "filters": to_plain(request.filters),
        "split": {
            "by": SPLIT_COLUMN if split.is_kept else split.by,
            "seed": split.seed,
            "class": split.only_class,
            "fractions": dict(split.fractions),
        },
        "frames": {name: scanned.splits[name] for name in split.names},
        "classes": [{"id": c.id, "name": c.name, "keys": list(c.keys)} for c in mapped.categories],
        "instances": {c.name: prepared.kept[c.name] for c in mapped.categories},
        "dropped": dict(sorted(prepared.dropped.items())),
        "not_held": dict(sorted(prepared.not_held.items())),
    }


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    import json

    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_export(folder: Path) -> dict[str, Any]:
    """Return the export.json of a folder.

    Raises:
        UserError: If it is missing or is not one.
    """
    data = read_json(folder / EXPORT)
    if not isinstance(data, dict) or "format" not in data:
        raise UserError(f"{folder / EXPORT} is not the report of an export")
    return data
