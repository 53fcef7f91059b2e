"""An index of many frames with tiny pictures, made by NumPy: what a gallery shows, without a dataset being written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pycocotools import mask as coco_mask

from engine.formats.record import Category
from engine.view.gallery.source import Shown

WIDTH, HEIGHT, PICTURES, CELL = 64, 48, 100, 500
EVIL = "<img src=x onerror=window.evil=1>';window.evil=2;//\u2028</script><script>window.evil=3</script>"
CATEGORIES = (
    Category(1, "carton", "Carton"),
    Category(2, EVIL, EVIL, "", ("head", "foot"), ((0, 1),)),
    Category(3, "pallet", "Pallet"),
)
KEYS = {category.id: category.key for category in CATEGORIES}


@dataclass(frozen=True)
class TableRows:
    """Tables in parts of some worlds."""

    whole: dict[str, pa.Table]

    def tables(self, name: str) -> Iterator[pa.Table]:
        table = self.whole.get(name)
        if table is None:
            return
        worlds = table["world"].to_numpy()
        for begin in range(0, len(self.whole["worlds"]), CELL):
            first, last = np.searchsorted(worlds, [begin, begin + CELL])
            yield table.slice(int(first), int(last - first))


def many_frames(out: Path, count: int, *, seed: int = 5, origin: str = "synthetic") -> Shown:
    """Return `count` frames; the last has the file name of a picture with signs that an address must quote."""
    random = np.random.default_rng(seed)
    (out / "images").mkdir(parents=True)
    (out / "index").mkdir()
    for number in range(PICTURES):
        shade = random.integers(0, 256, 3)
        Image.new("RGB", (WIDTH, HEIGHT), tuple(shade.tolist())).save(out / picture_name(number))
    tables = {
        "worlds": _worlds(random, count),
        "frames": _frames(random, count),
        "instances": _instances(random, count),
    }
    for name, table in tables.items():
        kept = [column for column in table.column_names if column != "rle"]
        pq.write_table(table.select(kept), out / "index" / f"{name}.parquet")
    return Shown(f"many {EVIL}", out, origin, CATEGORIES, TableRows(tables))


def picture_name(number: int) -> str:
    return f"images/{number % PICTURES:03d} #?%.jpg"


def box_of(frame: int, number: int) -> tuple[int, int, int, int]:
    """Return the box [px] of an object, which its mask fills."""
    return 4 + 13 * number + frame % 7, 5 + frame % 11, 9, 14 + number


def _worlds(random: np.random.Generator, count: int) -> pa.Table:
    lamp = random.normal(5.0, 2.0, count)
    lamp[::17] = np.nan
    tried = [None if i % 5 == 0 else int(v) for i, v in enumerate(random.integers(0, 9, count))]
    return pa.table({
        "world": pa.array(np.arange(count)), "step": pa.array(np.zeros(count, np.int32)),
        "p.lamp.power": pa.array(lamp), "p.lamp.tried": pa.array(tried, pa.int32()),
        "p.paint.color": pa.array(random.uniform(size=(count, 3)).tolist(), pa.list_(pa.float32(), 3)),
        "p.name.word": pa.array([(EVIL, "two;three", "it's", None)[i % 4] for i in range(count)]),
    })  # fmt: skip


def _frames(random: np.random.Generator, count: int) -> pa.Table:
    return pa.table({
        "frame_id": pa.array(np.arange(count)), "world": pa.array(np.arange(count)),
        "step": pa.array(np.zeros(count, np.int32)), "camera": pa.array(np.zeros(count, np.int32)),
        "width": pa.array(np.full(count, WIDTH, np.int32)), "height": pa.array(np.full(count, HEIGHT, np.int32)),
        "image": pa.array([picture_name(i) for i in range(count)]),
        "image_sha256": pa.array([bytes(32)] * count, pa.binary(32)),
        "lum_mean": pa.array(random.uniform(size=count).astype(np.float32)),
        "blur_lap": pa.array(random.lognormal(size=count).astype(np.float32)),
        "phash": pa.array(random.integers(0, 2**64, count, np.uint64)),
    })  # fmt: skip


def _instances(random: np.random.Generator, count: int) -> pa.Table:
    rows = []
    for frame in range(count):
        for number in range(frame % 4):
            x, y, width, height = box_of(frame, number)
            seen = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
            seen[y : y + height, x : x + width] = 1
            points = [x + 2.0, y + 2.0, 2.0, x + 6.0, y + 10.0, 1.0] if number == 1 else []
            rows.append(
                (frame, number + 1, (x, y, width, height), width * height, coco_mask.encode(seen)["counts"], points)
            )
    frames, ids, boxes, areas, masks, points = (list(column) for column in zip(*rows))
    zeros = np.zeros(len(rows), np.int32)
    return pa.table({
        "frame_id": pa.array(frames, pa.int64()), "world": pa.array(frames, pa.int64()),
        "step": pa.array(zeros), "camera": pa.array(zeros), "inst_id": pa.array(ids, pa.int32()),
        "class_id": pa.array(ids, pa.int32()), "class": pa.array([KEYS[i] for i in ids]),
        "prim_path": pa.array([f"/World/{EVIL}/Box_{i}" for i in ids]),
        "bbox": pa.array(boxes, pa.list_(pa.float64(), 4)), "area_px": pa.array(areas, pa.int32()),
        "depth_m": pa.array(random.uniform(1, 9, len(rows)).astype(np.float32)),
        "occlusion": pa.array(random.uniform(size=len(rows)).astype(np.float32)),
        "keypoints": pa.array(points, pa.list_(pa.float32())), "rle": pa.array(masks, pa.binary()),
    })  # fmt: skip
