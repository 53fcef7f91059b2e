"""Hugging Face `datasets`: parquet shards with pictures inside, and what their columns are.

`data/<split>-00000-of-00002.parquet` and `README.md`, a dataset card whose head names the files of every split. The
schema says which column is an Image and which number a ClassLabel, so that `datasets.load_dataset(FOLDER)` decodes
them.

Source: https://huggingface.co/docs/datasets/about_dataset_features and .../repository_structure
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from engine.errors import UserError
from engine.formats.folders import BROKEN, reason
from engine.formats.from_rows import EXTRA_COLUMNS
from engine.formats.pixels import frame_file, write_text
from engine.formats.plain_record import (
    category_from_plain,
    frame_from_plain,
    instance_from_plain,
    origin_of,
    plain_category,
    plain_frame,
    plain_instance,
)
from engine.formats.record import Category, Frame, Source
from engine.formats.registry import FORMATS, ExportContext, FormatCategory, Records
from engine.write.encode import encode_png
from engine.write.readback import read_depth_m
from engine.write.rows import POLYGONS_COLUMN
from engine.write.writers import depth_to_mm

BYTES_A_MB = 1_000_000
ROWS_A_GROUP = 64
METADATA, CLASSES = b"huggingface", b"ommatidia.classes"
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
MASK = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])
NUMBERS = pa.list_(pa.float64())
OBJECT: dict[str, pa.DataType] = {
    "id": pa.int64(), "category": pa.int64(), "bbox": pa.list_(pa.float64()), "area": pa.int64(), "iscrowd": pa.int8(),
    "segmentation": MASK, "depth_m": pa.float64(), "occlusion": pa.float64(), "truncation": pa.float64(),
    "prim_path": pa.string(), "oriented_box": NUMBERS, "keypoints": NUMBERS, "amodal_bbox": NUMBERS,
    "amodal_segmentation": MASK, "in_frame_px": pa.int64(), "full_px": pa.int64(), "full_is_cut": pa.bool_(),
    "occluder": pa.int64(), "occluder_px": pa.int64(), "world_from_object": NUMBERS, "box_size_m": NUMBERS,
    "box_center_m": NUMBERS, "corners_px": NUMBERS, "asset": pa.string(),
    **dict.fromkeys(EXTRA_COLUMNS, pa.float64()), POLYGONS_COLUMN: pa.list_(NUMBERS),
}  # fmt: skip
FRAME: dict[str, pa.DataType] = {
    "image": PICTURE, "image_id": pa.int64(), "width": pa.int32(), "height": pa.int32(), "world": pa.int64(),
    "step": pa.int32(), "camera": pa.int32(), "origin": pa.string(), "k": NUMBERS, "world_from_camera": NUMBERS,
    "depth_kind": pa.string(), "lens_model": pa.string(), "lens_coefficients": NUMBERS, "lens_limit": pa.float64(),
    "objects": pa.list_(pa.struct(list(OBJECT.items()))),
}  # fmt: skip
DEPTH = "depth"
REAL, SYNTHETIC = "real", "synthetic"
MADE = {
    frozenset({SYNTHETIC}): "Synthetic pictures with exact labels, made by Ommatidia.",
    frozenset({REAL}): "Real pictures with the labels of their source, collected by Ommatidia.",
    frozenset({REAL, SYNTHETIC}): "Real and synthetic pictures, collected and made by Ommatidia; `origin` says which.",
    frozenset(): "",
}


@dataclass(frozen=True)
class HuggingfaceOptions:
    """What goes into the shards."""

    depth: bool = True  # a column of 16-bit PNGs [mm], 0: none; of datasets that have depth
    shard_mb: float = 500.0  # [MB], a shard ends with the frame that reaches it
    license: str = "other"  # of the card


def read_huggingface(root: Path) -> Records:
    """Return the frames of all shards; pictures stay inside: `row` has `split`, `shard` and `shard_row`.

    Raises:
        UserError: If a shard cannot be understood, or was not written by `write_huggingface`.
    """
    shards = sorted((root / "data").glob("*-of-*.parquet"))
    if not shards:
        raise UserError(f"{root} has no data/<split>-00000-of-00001.parquet")
    frames: list[Frame] = []
    categories: tuple[Category, ...] = ()
    for shard in shards:
        try:
            table = pq.read_table(shard)
            rows = json.loads(table.schema.metadata[CLASSES])
            categories = tuple(category_from_plain(row) for row in rows)
            names = [category.key for category in categories]
            plain = table.drop_columns([name for name in ("image", DEPTH) if name in table.column_names])
            for number, row in enumerate(plain.to_pylist()):
                instances = tuple(instance_from_plain(o, names[o["category"]]) for o in row["objects"])
                place = {"split": shard.name.rsplit("-", 3)[0], "shard": shard, "shard_row": number}
                frames.append(frame_from_plain(row, instances, {}, place))
        except (pa.ArrowException, OSError, *BROKEN) as error:
            raise UserError(f"{shard} is not a shard of ours: {reason(error)}") from error
    return Records(root.name, categories, tuple(frames))


@FORMATS.register(
    "huggingface", HuggingfaceOptions, "Hugging Face datasets: parquet with pictures", read=read_huggingface
)
def write_huggingface(source: Source, context: ExportContext) -> None:
    """Write the shards of every split and the card.

    Raises:
        UserError: If a frame has no picture, or some frames have depth and others not.
    """
    options: HuggingfaceOptions = context.options
    if options.shard_mb <= 0.0:
        raise UserError("huggingface: shard_mb must be above 0")
    dashed = [split for split in context.splits if "-" in split]
    if dashed:
        raise UserError(f"huggingface: `datasets` reads no split with a dash, such as {dashed[0]}; write _ for it")
    parts: dict[str, Parts] = {}
    origins: set[str] = set()
    for frame in source.frames():
        split = context.split_of(frame)
        if split not in parts:
            has_depth = options.depth and (DEPTH in frame.files or DEPTH in frame.row)
            parts[split] = Parts(
                context.out / "data", split, schema_of(context.categories, has_depth), options.shard_mb
            )
        origins.add(origin_of(frame))
        parts[split].add(_row(frame, context, DEPTH in parts[split].schema.names))
    counts = {split: parts[split].close() for split in context.splits if split in parts}
    write_text(context.out / "README.md", _card(source.name, context.categories, counts, options.license, origins))


class Parts:
    """The shards of a split; how many there are is known at the end, when they get their names."""

    def __init__(self, folder: Path, split: str, schema: pa.Schema, shard_mb: float) -> None:
        self.folder, self.split, self.schema, self.most_bytes = folder, split, schema, shard_mb * BYTES_A_MB
        self.rows: list[dict[str, Any]] = []
        self.bytes = self.count = 0
        self.files: list[Path] = []
        self.writer: pq.ParquetWriter | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, row: dict[str, Any]) -> None:
        """Write a frame."""
        if self.writer is None:
            self.files.append(self.folder / f".{self.split}-{len(self.files):05d}")
            self.writer = pq.ParquetWriter(self.files[-1], self.schema, compression="zstd")
            self.bytes = 0
        self.rows.append(row)
        self.count += 1
        self.bytes += sum(len(row[name]["bytes"]) for name in ("image", DEPTH) if row.get(name))
        if len(self.rows) >= ROWS_A_GROUP or self.bytes >= self.most_bytes:
            self._flush()
        if self.bytes >= self.most_bytes:
            self._end()

    def close(self) -> int:
        """Give the shards their names and return the number of frames."""
        self._end()
        for number, path in enumerate(self.files):
            path.rename(self.folder / f"{self.split}-{number:05d}-of-{len(self.files):05d}.parquet")
        return self.count

    def _flush(self) -> None:
        if self.rows and self.writer is not None:
            self.writer.write_table(pa.Table.from_pylist(self.rows, self.schema))
            self.rows = []

    def _end(self) -> None:
        self._flush()
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def schema_of(categories: tuple[FormatCategory, ...], has_depth: bool) -> pa.Schema:
    """Return the columns of a shard with the features of `datasets` and the classes in their metadata."""
    names = [category.name for category in categories]
    columns = FRAME | ({DEPTH: PICTURE} if has_depth else {})
    features = {name: _feature(kind) for name, kind in columns.items()}
    features["objects"][0]["category"] = {"names": names, "_type": "ClassLabel"}
    metadata = {METADATA: json.dumps({"info": {"features": features}}).encode()}
    metadata[CLASSES] = json.dumps([plain_category(category) for category in categories]).encode()
    return pa.schema(list(columns.items()), metadata=metadata)


def _feature(kind: pa.DataType) -> Any:
    """Return a type in the words of `datasets`."""
    if kind == PICTURE:
        return {"_type": "Image"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    names = {pa.float64(): "float64", pa.float32(): "float32", pa.bool_(): "bool"}
    return {"dtype": names.get(kind, str(kind)), "_type": "Value"}


def _row(frame: Frame, context: ExportContext, has_depth: bool) -> dict[str, Any]:
    picture = frame_file(frame, "image", "huggingface", "write=coco")
    objects = [plain_instance(i, context.category_of[i.category].id) for i in frame.instances]
    row = {"image": {"bytes": picture.read_bytes(), "path": picture.name}, **plain_frame(frame), "objects": objects}
    if has_depth and DEPTH in frame.row and frame.row[DEPTH] is None:  # of a real picture in a mixture
        row[DEPTH] = None
    elif has_depth:
        path = frame_file(frame, DEPTH, "huggingface", "export with depth=false")
        row[DEPTH] = {"bytes": _depth_png(path), "path": f"{path.stem}.png"}
    return row


def _depth_png(path: Path) -> bytes:
    if path.suffix == ".png":
        return path.read_bytes()
    return encode_png(depth_to_mm(read_depth_m(path).astype(np.float32)))


def _card(
    name: str, categories: tuple[FormatCategory, ...], counts: dict[str, int], license_name: str, origins: set[str]
) -> str:
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in counts]
    head = {
        "license": license_name,
        "task_categories": ["object-detection", "image-segmentation", "depth-estimation"],
        "tags": sorted(origins),
        "pretty_name": name,
        "configs": [{"config_name": "default", "data_files": files}],
    }
    text = io.StringIO()
    yaml.safe_dump(head, text, sort_keys=False, allow_unicode=True)
    lines = [f"| {split} | {count} |" for split, count in counts.items()]
    return "\n".join([
        "---", text.getvalue() + "---", "", f"# {name}", "", MADE[frozenset(origins)],
        "", "| split | frames |", "| --- | --- |", *lines, "",
        "`objects`: one struct an object. `bbox` is x, y, width, height [px] of the visible pixels, origin in the",
        "image's corner; `area` its pixels; `segmentation` COCO's compressed RLE. `amodal_*`, `in_frame_px` and",
        "`full_px` are of the whole silhouette, `world_from_object` (3x4), `box_size_m`, `box_center_m` of the box.",
        "`k` is row-major 3x3, `world_from_camera` row-major 4x4: x right, y up, looks along -z. `depth`: 16-bit [mm].",
        "", "Classes: " + ", ".join(c.name for c in categories) + ".", "",
        *(f"Keypoints (x, y, v) of {c.name}: {', '.join(c.keypoints)}.\n" for c in categories if c.keypoints),
    ])  # fmt: skip
