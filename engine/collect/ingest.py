"""Take in pictures and labels of others: a folder of any format becomes a dataset like ours, `origin` real.

First every file is hashed, since what the dataset is called follows from its content; then every picture is decoded
once, measured and linked, 256 pictures a commit. A run that was stopped goes on behind its last commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.collect.classes import ClassPlan
from engine.collect.collector import SHARD_WORLDS, Cell, Collector, CollectPlan, Placed, Placement
from engine.collect.columns import row_of, types_of
from engine.collect.decode import Damaged, Decoded, decode, large_pictures_allowed
from engine.collect.groups import OPTION, group_values
from engine.collect.intent import Ingest
from engine.collect.kept import sound_instances
from engine.collect.rows import Place, frame_row, instance_row, tables_of
from engine.collect.source import ENDINGS, Labelled, Picture, PictureSource, RecordPictures
from engine.dataset.manifest import Manifest
from engine.errors import UserError
from engine.formats.registry import Records
from engine.scene.taxonomy import Taxonomy
from engine.write.names import FrameGrid
from engine.write.record import FileFact, Skip, content_hash
from engine.write.threads import thread_count

IMAGE, LICENCE, LABEL = "image", "licence", "label"
GRID = FrameGrid(1, 1)
Types = Mapping[str, tuple[str, pa.DataType]]


@dataclass(frozen=True)
class IngestRequest:
    """What to take in and how."""

    out: Path
    format: str
    taxonomy: Taxonomy
    name: str
    licence: str = ""
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)  # what else the intent says
    placement: Placement = "link"
    key_of: Mapping[str, str | None] = field(default_factory=dict)  # class of the source -> of the taxonomy; None: drop
    groups: Mapping[str, str] = field(default_factory=dict)  # name -> rule; see engine.collect.groups
    skip_damaged: bool = False

    @classmethod
    def planned(cls, out: Path, file_format: str, classes: ClassPlan, name: str, **more: Any) -> IngestRequest:
        """Return a request with the classes of a plan."""
        return cls(out, file_format, classes.taxonomy, name, key_of=classes.key_of, **more)


@dataclass(frozen=True)
class _Hashed:
    """The files of a picture, or why it has none."""

    facts: Mapping[str, FileFact]  # by role
    damage: str = ""


@dataclass(frozen=True)
class _Taken:
    """A picture that was decoded, with its labels."""

    decoded: Decoded
    labelled: Labelled
    left_out: int
    outside: int


@dataclass(frozen=True)
class _Job:
    """What all pictures of an ingest have in common."""

    source: PictureSource
    request: IngestRequest
    pictures: Sequence[Picture]
    hashed: Sequence[_Hashed]
    types: Types
    roles: tuple[str, ...]  # of other files than the picture

    key_of: Mapping[str, str | None]  # what becomes of the classes of the source


def ingest(source: PictureSource | Records, request: IngestRequest, update: Callable[[int], None]) -> Manifest:
    """Return the manifest of the dataset that holds the pictures of a source, in their order.

    Args:
        source: Pictures with what is said of them; or the records of any reader of formats.
        request: What the dataset is called and where it goes.
        update: Told of finished frames.
    Raises:
        UserError: If a picture or a label is not sound, or a group is missing.
        ForeignOutput, WriteFailed: See Collector.
    """
    pictured: PictureSource = RecordPictures.of(source) if isinstance(source, Records) else source
    with ThreadPoolExecutor(thread_count()) as pool, large_pictures_allowed():
        try:
            return _ingest(_prepare(pictured, request, pool), pool, update)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _prepare(source: PictureSource, request: IngestRequest, pool: ThreadPoolExecutor) -> _Job:
    pictures = source.pictures
    if not pictures:
        raise UserError(f"{source.name} has no pictures to take in")
    groups = group_values(pictures, request.groups)
    said = [_said(picture, own, request) for picture, own in zip(pictures, groups, strict=True)]
    types = types_of(said, source.name)
    pictures = [
        Picture(one.name, one.path, row_of(values, types), one.size, one.files)
        for one, values in zip(pictures, said, strict=True)
    ]
    roles = tuple(sorted({role for picture in pictures for role in picture.files}))
    numbers = range(len(pictures))
    hashed = list(pool.map(lambda world: _hash(pictures[world], world, skip_damaged=request.skip_damaged), numbers))
    key_of = {c.key: c.key for c in source.categories} | dict(request.key_of)
    return _Job(source, request, pictures, hashed, types, roles, key_of)


def _said(picture: Picture, groups: Mapping[str, Any], request: IngestRequest) -> dict[str, Any]:
    """Return what the columns of a picture's own say."""
    said = {**picture.said, **groups}
    if request.licence and said.get(LICENCE) is None:
        said[LICENCE] = request.licence
    if request.format == "folder" and said.get(LABEL) is not None:
        said[LABEL] = request.key_of.get(said[LABEL], said[LABEL])
    return said


def _ingest(job: _Job, pool: ThreadPoolExecutor, update: Callable[[int], None]) -> Manifest:
    request, count = job.request, len(job.pictures)
    plan = CollectPlan(_intent(job), request.taxonomy, placement=request.placement)
    with Collector(request.out, plan) as collector:
        waiting: tuple[range, list[Future[_Taken | str]]] | None = None
        for first in range(0, count, SHARD_WORLDS):
            worlds = range(first, min(first + SHARD_WORLDS, count))
            if not collector.wants(worlds):
                update(len(worlds))
                continue
            begun = worlds, [pool.submit(_take, job, world) for world in worlds]
            if waiting is not None:  # is written while the next pictures are decoded
                collector.add(_cell(job, *waiting, update))
            waiting = begun
        if waiting is not None:
            collector.add(_cell(job, *waiting, update))
        return collector.finish(range(count))


def _intent(job: _Job) -> Ingest:
    request = job.request
    facts = [fact for one in job.hashed for fact in one.facts.values()]
    labels = [FileFact(f"labels/{number:06d}", _digest(path), path.stat().st_size)
              for number, (_, path) in enumerate(sorted(job.source.label_files.items()))]  # fmt: skip
    options: dict[str, Any] = {
        OPTION: list(request.groups),
        "group_rules": dict(request.groups),
        "classes": {name: key for name, key in request.key_of.items() if name != key},
        "columns": sorted(column for column, _ in job.types.values()),
        "skip_damaged": request.skip_damaged,
        **request.options,
    }
    return Ingest(
        request.name, request.taxonomy.id, (), True, request.format, content_hash([*labels, *facts]), request.licence,
        request.source, options,
    )  # fmt: skip


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(picture: Picture, world: int, *, skip_damaged: bool) -> _Hashed:
    suffix = picture.path.suffix.lower()
    damage = ""
    if not picture.path.is_file():
        damage = f"{picture.name} is missing; the labels name it: put it there, or correct its name"
    elif suffix not in ENDINGS:
        damage = f"{picture.name} has the ending '{suffix}'; pictures end with {', '.join(sorted(ENDINGS))}"
    if damage and not skip_damaged:
        raise UserError(damage)
    if damage:
        return _Hashed({}, damage)
    places = {IMAGE: (f"images/{GRID.stem(world, 0, 0)}{suffix}", picture.path)}
    places |= {
        role: (f"{role}/{GRID.stem(world, 0, 0)}{path.suffix.lower()}", path) for role, path in picture.files.items()
    }  # fmt: skip
    return _Hashed({
        role: FileFact(place, _digest(path), path.stat().st_size) for role, (place, path) in places.items()
    })  # fmt: skip


def _take(job: _Job, world: int) -> _Taken | str:
    """Return a picture with its labels, or why it is left out."""
    picture = job.pictures[world]
    if job.hashed[world].damage:
        return job.hashed[world].damage
    try:
        decoded = decode(picture.path, picture.name, picture.size)
    except Damaged as error:
        if job.request.skip_damaged:
            return str(error)
        raise
    labelled = job.source.labels(world, decoded.size)

    def place(instance: Any) -> str:
        return job.source.place(world, instance)

    kept, left_out, outside = sound_instances(
        labelled.instances, decoded.size, place, skip_damaged=job.request.skip_damaged
    )
    key_of = job.key_of
    for instance in kept:
        if instance.category not in key_of:
            raise UserError(f"{place(instance)}: class '{instance.category}' is none of the source's classes")
    kept = tuple(instance for instance in kept if key_of[instance.category] is not None)
    return _Taken(decoded, Labelled(kept, labelled.k, labelled.world_from_camera), left_out, outside)


def _cell(job: _Job, worlds: range, futures: list[Future[_Taken | str]], update: Callable[[int], None]) -> Cell:
    rows, instances, files, skips = [], [], [], []
    ids = {c.key: c.id for c in job.request.taxonomy.classes}
    key_of = job.key_of
    for world, taken in zip(worlds, _results(futures), strict=True):
        update(1)
        if isinstance(taken, str):
            skips.append(Skip(world, taken))
            continue
        rows.append(frame_row(taken.labelled, world, taken.decoded.size, _frame_columns(job, world, taken)))
        numbers = {one.id: number for number, one in enumerate(taken.labelled.instances, start=1)}
        for number, instance in enumerate(taken.labelled.instances, start=1):
            key = key_of[instance.category]
            assert key is not None
            instances.append(instance_row(instance, key, ids[key], Place(world, number, taken.decoded.size, numbers)))
        paths = {IMAGE: job.pictures[world].path, **job.pictures[world].files}
        files += [Placed(fact, paths[role]) for role, fact in job.hashed[world].facts.items()]
    tables = tables_of(rows, instances, dict(job.types.values())) if rows else {}
    return Cell(tuple(worlds), tables, tuple(files), tuple(skips))


def _results(futures: list[Future[_Taken | str]]) -> Iterator[_Taken | str]:
    """Yield the results in order; what is behind an error is not begun any more."""
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _frame_columns(job: _Job, world: int, taken: _Taken) -> dict[str, Any]:
    facts = job.hashed[world].facts
    columns: dict[str, Any] = {}
    for role in (IMAGE, *job.roles):
        fact = facts.get(role)
        columns |= {role: None if fact is None else fact.path}
        columns |= {f"{role}_sha256": None if fact is None else bytes.fromhex(fact.sha256)}
    columns |= {"origin": "real", "exif_orientation": taken.decoded.orientation}
    columns |= {"n_left_out": taken.left_out, "n_outside": taken.outside}
    return columns | dict(job.pictures[world].said) | dict(taken.decoded.measured)
