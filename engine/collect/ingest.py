"""Take in pictures and labels of others: records of a format's reader become a dataset like ours, `origin` real."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from engine.collect.collector import SHARD_WORLDS, Cell, Collector, CollectPlan, Placed, Placement
from engine.collect.columns import row_of, types_of
from engine.collect.intent import Ingest
from engine.collect.rows import frame_row, instance_row, tables_of
from engine.dataset.manifest import Manifest
from engine.errors import UserError
from engine.formats.record import Category, Frame, Source
from engine.scene.taxonomy import ObjectClass, Taxonomy
from engine.write.measure import measure_rgb
from engine.write.names import FrameGrid
from engine.write.record import FileFact, content_hash
from engine.write.threads import thread_count

IMAGE = "image"
GRID = FrameGrid(1, 1)


@dataclass(frozen=True)
class IngestRequest:
    """What to take in and how."""

    out: Path
    format: str
    taxonomy: Taxonomy
    name: str
    licence: str = ""
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    placement: Placement = "link"
    label_files: tuple[FileFact, ...] = ()  # of the source folder: what labels were read from


@dataclass(frozen=True)
class Taken:
    """A picture that was decoded."""

    size: tuple[int, int]
    fact: FileFact
    measured: Mapping[str, float | int]


def ingest(source: Source, request: IngestRequest, update: Callable[[int], None]) -> Manifest:
    """Return the manifest of the dataset that holds the frames of a source, in their order.

    Args:
        source: Frames with a picture each; `Frame.row` may hold columns of its own, numbers or text.
        request: What the dataset is called and where it goes.
        update: Told of finished frames.
    Raises:
        UserError: If a picture cannot be decoded or has another size than its labels say.
        ForeignOutput, WriteFailed: See Collector.
    """
    frames = list(source.frames())
    if not frames:
        raise UserError(f"{source.name} has no pictures to take in")
    with ThreadPoolExecutor(thread_count()) as pool:
        facts = list(pool.map(_fact, frames, range(len(frames))))
        intent = Ingest(
            request.name, request.taxonomy.id, (), True, request.format,
            content_hash([*request.label_files, *(fact for fact in facts)]), request.licence, request.source,
            dict(request.options),
        )  # fmt: skip
        plan = CollectPlan(intent, request.taxonomy, placement=request.placement)
        ids = {c.key: c.id for c in request.taxonomy.classes}
        types = types_of((frame.row for frame in frames), source.name)
        with Collector(request.out, plan) as collector:
            for first in range(0, len(frames), SHARD_WORLDS):
                worlds = tuple(range(first, min(first + SHARD_WORLDS, len(frames))))
                if collector.wants(worlds):
                    taken = pool.map(_take, (frames[world] for world in worlds), (facts[world] for world in worlds))
                    collector.add(_cell(worlds, frames, list(taken), ids, types))
                update(len(worlds))
            return collector.finish(range(len(frames)))


def taxonomy_of(categories: Sequence[Category], version: str = "1") -> Taxonomy:
    """Return the taxonomy that the classes of a format make; ids are the format's own, counted from 1."""
    shift = 1 if any(category.id < 1 for category in categories) else 0
    return Taxonomy(version, tuple(
        ObjectClass(c.id + shift, c.key, c.name or c.key, c.supercategory, "", c.keypoints, c.skeleton, c.sigmas)
        for c in sorted(categories, key=lambda c: c.id)
    ))  # fmt: skip


def _fact(frame: Frame, world: int) -> FileFact:
    path = frame.files[IMAGE]
    if not path.is_file():
        raise UserError(f"{path} is missing; the labels name it")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    suffix = path.suffix.lower()
    return FileFact(f"images/{GRID.stem(world, 0, 0)}{suffix}", digest, path.stat().st_size)


def _take(frame: Frame, fact: FileFact) -> Taken:
    path = frame.files[IMAGE]
    try:
        with Image.open(path) as picture:
            size = picture.size
            rgb = np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be decoded: {error}; repair it, or leave it out") from error
    if (frame.width, frame.height) != size:
        raise UserError(f"{path} is {size[0]}x{size[1]}, its labels say {frame.width}x{frame.height}")
    return Taken(size, fact, measure_rgb(rgb))


def _cell(
    worlds: Sequence[int], frames: Sequence[Frame], taken: Sequence[Taken], ids: Mapping[str, int],
    types: Mapping[str, tuple[str, pa.DataType]],
) -> Cell:  # fmt: skip
    rows, instances, files = [], [], []
    for world, one in zip(worlds, taken, strict=True):
        frame = frames[world]
        own = row_of(frame.row, types)
        extra = {IMAGE: one.fact.path, "image_sha256": bytes.fromhex(one.fact.sha256), "origin": "real", **own}
        rows.append(frame_row(frame, world, one.size, extra | dict(one.measured)))
        instances += [
            instance_row(instance, world, number, ids[instance.category], one.size)
            for number, instance in enumerate(frame.instances, start=1)
        ]
        files.append(Placed(one.fact, frame.files[IMAGE]))
    return Cell(tuple(worlds), tables_of(rows, instances, dict(types.values())), tuple(files))
