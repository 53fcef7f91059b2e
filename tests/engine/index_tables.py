"""A dataset for tests of what is said of an index: rows as mappings of columns, without pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.collect.intent import Ingest
from engine.plain import to_plain
from engine.scene.taxonomy import ObjectClass, Taxonomy
from tests.engine.toy_dataset import make_toy, toy_plan

Columns = dict[str, Any]  # of arrays or lists, one a row
CLASSES = Taxonomy("1", (
    ObjectClass(1, "stuff", "stuff", "", "Surfaces."), ObjectClass(2, "floor", "floor", "stuff", "A floor."),
    ObjectClass(3, "carton", "carton", "", "A carton.", min_area_px=100),
    ObjectClass(4, "pallet", "pallet", "", "A pallet."), ObjectClass(5, "forklift", "forklift", "", "A truck."),
))  # fmt: skip
THINGS = ("carton", "pallet", "forklift")
IDS = {c.key: c.id for c in CLASSES.classes}
WIDTH, HEIGHT = 640, 480


def clean_frames(count: int, seed: int = 0) -> Columns:
    """Return frames of a world each, six of which are one surface."""
    random = np.random.default_rng([seed, 1])
    return {
        "frame_id": np.arange(count), "world": np.arange(count), "step": np.zeros(count, np.int32),
        "camera": np.zeros(count, np.int32), "width": np.full(count, WIDTH), "height": np.full(count, HEIGHT),
        "image": [f"images/000/{i:06d}.jpg" for i in range(count)],
        "image_sha256": [random.bytes(32) for _ in range(count)], "surface": np.arange(count) // 6,
        "lum_mean": random.uniform(0.3, 0.6, count), "lum_p05": random.uniform(0.05, 0.1, count),
        "lum_std": random.uniform(0.1, 0.3, count), "sat_frac": random.uniform(0.0, 0.02, count),
        "blur_lap": np.exp(random.normal(-5, 0.3, count)), "noise_sigma": np.exp(random.normal(-4, 0.2, count)),
        "phash": random.integers(0, 2**64, count, dtype=np.uint64),
    }  # fmt: skip


def clean_instances(frames: int, seed: int = 0) -> Columns:
    """Return a floor and up to three things a frame, whose classes come independently of each other."""
    random = np.random.default_rng([seed, 2])
    rows: dict[str, list[Any]] = {}
    for frame in range(frames):
        keys = ["floor", *(key for key in THINGS if random.random() < 0.7)]
        for number, key in enumerate(keys, start=1):
            width, height = random.integers(30, 120, 2).tolist()
            x, y = int(random.integers(5, WIDTH - width - 5)), int(random.integers(5, HEIGHT - height - 5))
            row = {
                "frame_id": frame, "world": frame, "step": 0, "camera": 0, "inst_id": number, "class_id": IDS[key],
                "class": key, "prim_path": f"/World/{key}", "bbox": [float(x), float(y), float(width), float(height)],
                "area_px": int(0.7 * width * height), "truncation": 0.0,
                "edge_dist_px": min(x, y, WIDTH - x - width, HEIGHT - y - height),
            }  # fmt: skip
            for name, value in row.items():
                rows.setdefault(name, []).append(value)
    return dict(rows)


def write_index(
    out: Path, frames: Columns, instances: Columns, *, worlds: Columns | None = None, defects: Columns | None = None,
    options: Mapping[str, Any] | None = None, taxonomy: Taxonomy = CLASSES,
) -> Path:  # fmt: skip
    """Write the files of a complete dataset that reports read: its index, taxonomy, intent, and some manifest."""
    template = out.parent / ".template"
    if not template.is_dir():
        make_toy(template, range(1), toy_plan())
    shutil.copytree(template, out)
    of_world = {"world": frames["world"], "step": frames["step"]} if worlds is None else worlds
    tables = {"frames": frames, "instances": instances, "worlds": of_world, "defects": defects}
    for name, columns in tables.items():
        if columns is not None:
            pq.write_table(_table(columns), out / "index" / f"{name}.parquet")
    intent = Ingest("tables", taxonomy.id, (), True, "coco", "0" * 64, "", "", dict(options or {}))
    (out / "recipe.json").write_text(json.dumps(to_plain(intent)), encoding="utf-8")
    (out / "taxonomy.json").write_text(json.dumps({"id": taxonomy.id, **taxonomy.to_json()}), encoding="utf-8")
    return out


def _table(columns: Columns) -> pa.Table:
    types: dict[str, pa.DataType] = {"bbox": pa.list_(pa.float64(), 4), "truncation": pa.float32()}
    types |= {"image_sha256": pa.binary(32)}
    return pa.table({name: pa.array(list(values), types.get(name)) for name, values in columns.items()})


def edited(columns: Columns, **values: Callable[[Any], Any]) -> Columns:
    """Return columns with some made anew from what they were."""
    return columns | {name: make(columns[name]) for name, make in values.items()}


def put(rows: list[int], *values: Any) -> Callable[[Any], list[Any]]:
    """Return what puts values into some rows; one value goes into all."""

    def edit(column: Any) -> list[Any]:
        out = list(column)
        for at, row in enumerate(rows):
            out[row] = values[at % len(values)]
        return out

    return edit


def as_defects(instances: Columns) -> tuple[Columns, Columns]:
    """Return the floors as instances, and all other rows as defects on them."""
    is_floor = np.array(instances["class"]) == "floor"
    bearers = {name: [v for v, keep in zip(values, is_floor) if keep] for name, values in instances.items()}
    rest = {name: [v for v, keep in zip(values, is_floor) if not keep] for name, values in instances.items()}
    names = ("frame_id", "world", "step", "camera", "class_id", "class", "bbox", "area_px")
    count = len(rest["frame_id"])
    extra = {"defect_id": list(range(1000, 1000 + count)), "near_miss": [False] * count}
    return bearers, {name: rest[name] for name in names} | extra
