"""WebDataset: tar shards of whole samples, read one after another.

`<split>/shard-000000.tar`; a sample is the files `<key>.jpg`, `<key>.json` and, of other roles, `<key>.<role>.<end>`,
such as `<key>.depth.png`. `classes.json` lists the classes. Equal datasets make equal bytes: no times, owners, modes.

Source: https://github.com/webdataset/webdataset, "The WebDataset format"; POSIX.1-1988 ustar.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.formats.folders import BROKEN, read_json, reason
from engine.formats.pixels import write_text
from engine.formats.plain_record import (
    category_from_plain,
    frame_from_plain,
    instance_from_plain,
    plain_category,
    plain_frame,
    plain_instance,
)
from engine.formats.record import Frame, Source
from engine.formats.registry import FORMATS, ExportContext, Records, frame_stem

BYTES_A_MB = 1_000_000
CLASSES = "classes.json"
PICTURES = {"jpg", "jpeg", "png"}


@dataclass(frozen=True)
class WebdatasetOptions:
    """How shards are cut."""

    samples: int = 1000  # most of a shard
    shard_mb: float = 512.0  # [MB], a shard ends with the sample that reaches it
    roles: str = "all"  # files of a sample: all, or names by comma: image,depth,instance_map


def read_webdataset(root: Path) -> Records:
    """Return the samples of all shards; their files stay in the shards: `row` has `split`, `shard` and `members`.

    Raises:
        UserError: If a shard or its samples cannot be understood.
    """
    shards = sorted(root.glob("*/*.tar")) or sorted(root.glob("*.tar"))
    if not shards:
        raise UserError(f"{root} has no shards: neither <split>/*.tar nor *.tar")
    try:
        categories = tuple(category_from_plain(row) for row in read_json(root / CLASSES))
    except BROKEN as error:
        raise UserError(f"{root / CLASSES} is not a list of classes: {reason(error)}") from error
    name_of = {category.id: category.key for category in categories}
    frames: list[Frame] = []
    for shard in shards:
        try:
            with tarfile.open(shard) as file:
                frames += _read_shard(file, shard, shard.parent.relative_to(root).as_posix(), name_of)
        except (tarfile.TarError, OSError, *BROKEN) as error:
            raise UserError(f"{shard} cannot be understood: {reason(error)}") from error
    return Records(root.name, categories, tuple(frames))


@FORMATS.register("webdataset", WebdatasetOptions, "WebDataset: tar shards a split", read=read_webdataset)
def write_webdataset(source: Source, context: ExportContext) -> None:
    """Write the samples of every split in the order of the frames.

    Raises:
        UserError: If the options ask for files that a frame has not.
    """
    rows = ",\n".join(f"  {json.dumps(plain_category(c))}" for c in context.categories)
    write_text(context.out / CLASSES, f"[\n{rows}\n]\n")
    writers = {split: Shards(context.out / split, context.options) for split in context.splits}
    for frame in source.frames():
        writers[context.split_of(frame)].add(_sample(frame, context))
    for writer in writers.values():
        writer.close()


class Shards:
    """The open shard of a split."""

    def __init__(self, folder: Path, options: WebdatasetOptions) -> None:
        if options.samples < 1 or options.shard_mb <= 0.0:
            raise UserError("webdataset: samples and shard_mb must be above 0")
        self.folder, self.options = folder, options
        self.shards = self.samples = self.bytes = 0
        self.file: tarfile.TarFile | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, members: dict[str, bytes]) -> None:
        """Write a sample, its files in the order of their names."""
        if self.file is None:
            path = self.folder / f"shard-{self.shards:06d}.tar"
            self.file = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - open over many samples
            self.samples = self.bytes = 0
            self.shards += 1
        for name in sorted(members):
            head = tarfile.TarInfo(name)
            head.size, head.mode = len(members[name]), 0o644
            self.file.addfile(head, io.BytesIO(members[name]))
            self.bytes += head.size
        self.samples += 1
        if self.samples >= self.options.samples or self.bytes >= self.options.shard_mb * BYTES_A_MB:
            self.close()

    def close(self) -> None:
        """End the open shard, if there is one."""
        if self.file is not None:
            self.file.close()
            self.file = None


def _sample(frame: Frame, context: ExportContext) -> dict[str, bytes]:
    key = frame_stem(frame).replace(".", "_")  # a key ends at its first point
    asked = context.options.roles
    roles = list(frame.files) if asked == "all" else [role.strip() for role in asked.split(",")]
    missing = [role for role in roles if role not in frame.files]
    if missing:
        raise UserError(f"webdataset: frame {frame.id} has no {missing[0]} file; it has {', '.join(frame.files)}")
    out = {}
    for role in roles:
        path = frame.files[role]
        out[f"{key}{path.suffix}" if role == "image" else f"{key}.{role}{path.suffix}"] = path.read_bytes()
    objects = [plain_instance(i, context.category_of[i.category].id) for i in frame.instances]
    for plain, instance in zip(objects, frame.instances, strict=True):
        plain["category_name"] = context.category_of[instance.category].name
    out[f"{key}.json"] = json.dumps(plain_frame(frame) | {"objects": objects}, separators=(",", ":")).encode()
    return out


def _read_shard(file: tarfile.TarFile, shard: Path, split: str, name_of: dict[int, str]) -> list[Frame]:
    samples: dict[str, dict[str, Any]] = {}
    for member in file:
        key, _, ending = member.name.partition(".")
        sample = samples.setdefault(key, {"members": {}})
        if ending == "json":
            content = file.extractfile(member)
            if content is None:
                raise ValueError(f"{member.name} is not a file")
            sample["json"] = json.loads(content.read())
        else:
            sample["members"]["image" if ending in PICTURES else ending.partition(".")[0]] = member.name
    frames = []
    for sample in samples.values():
        plain = sample["json"]
        instances = tuple(instance_from_plain(p, name_of[p["category"]]) for p in plain["objects"])
        row = {"split": split, "shard": shard, "members": sample["members"]}
        frames.append(frame_from_plain(plain, instances, {}, row))
    return frames


def read_member(frame: Frame, role: str) -> bytes:
    """Return the bytes of a file of a frame that `read_webdataset` returned."""
    with tarfile.open(frame.row["shard"]) as file:
        content = file.extractfile(frame.row["members"][role])
        assert content is not None
        return content.read()
