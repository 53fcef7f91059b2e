"""Small datasets of pictures that a test draws, with groups and masks, by the same commits as all others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pycocotools import mask as coco_mask

from engine.collect.collector import Cell, Collector, CollectPlan, Placed
from engine.collect.intent import Ingest
from engine.scene.taxonomy import ObjectClass, Taxonomy
from engine.write.measure import measure_rgb
from engine.write.record import FileFact

CRACK = "crack"
TAXONOMY = Taxonomy("1", (ObjectClass(1, CRACK, "Crack"),))


def picture_set(
    out: Path, pictures: Sequence[np.ndarray], surfaces: Sequence[int], masks: Sequence[np.ndarray | None] = ()
) -> Path:
    """Write a dataset of real pictures, [y, x] of 0..255 or 0..1, each with the surface that it shows."""
    sources = out.with_name(f"{out.name}-pictures")
    sources.mkdir(parents=True)
    rows, instances, files, digests = [], [], [], []
    for world, picture in enumerate(pictures):
        levels = picture if picture.dtype == np.uint8 else np.clip(np.round(picture * 255), 0, 255).astype(np.uint8)
        path = sources / f"{world:04d}.png"
        Image.fromarray(levels).save(path)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
        fact = FileFact(f"images/000/{world:06d}.png", digests[-1], path.stat().st_size)
        height, width = levels.shape[:2]
        found = [] if not masks or masks[world] is None else [_instance_row(world, masks[world])]
        own = {"frame_id": world, "world": world, "step": 0, "camera": 0, "width": width, "height": height}
        rgb = np.asarray(Image.fromarray(levels).convert("RGB"))
        extra = {"image": fact.path, "image_sha256": bytes.fromhex(fact.sha256), "origin": "real"}
        own |= {"k": None, "world_from_camera": None, "n_instances": len(found), **extra, "surface": surfaces[world]}
        rows.append(own | measure_rgb(rgb))
        instances += found
        files.append(Placed(fact, path))
    name = hashlib.sha256("".join(digests).encode()).hexdigest()
    intent = Ingest(out.name, TAXONOMY.id, (), True, "coco", name, "", "", {"groups": ["surface"]})
    plan = CollectPlan(intent, TAXONOMY, shard_worlds=len(rows))
    worlds = tuple(range(len(rows)))
    with Collector(out, plan) as collector:
        collector.add(Cell(worlds, _tables(rows, instances), tuple(files)))
        collector.finish(worlds)
    return out


INSTANCE_TYPES = {
    "frame_id": pa.int64(), "world": pa.int64(), "step": pa.int32(), "camera": pa.int32(), "inst_id": pa.int32(),
    "class_id": pa.int32(), "class": pa.string(), "prim_path": pa.string(), "stable_id": pa.uint64(),
    "bbox": pa.list_(pa.float64(), 4), "area_px": pa.int32(), "edge_dist_px": pa.int32(), "depth_m": pa.float32(),
    "is_crowd": pa.bool_(), "source_id": pa.int64(), "rle": pa.binary(),
}  # fmt: skip


def _tables(frames: list[dict[str, Any]], instances: list[dict[str, Any]]) -> dict[str, pa.Table]:
    matrices = {"k": pa.list_(pa.float64(), 9), "world_from_camera": pa.list_(pa.float64(), 16)}
    types = {name: INSTANCE_TYPES[name] for name in ("frame_id", "world", "step", "camera")}
    types |= {"phash": pa.uint64(), **matrices}
    columns = {name: pa.array([row[name] for row in frames], types.get(name)) for name in frames[0]}
    seen = {name: pa.array([row.get(name) for row in instances], kind) for name, kind in INSTANCE_TYPES.items()}
    worlds = {"world": columns["world"], "step": columns["step"]}
    return {"worlds": pa.table(worlds), "frames": pa.table(columns), "instances": pa.table(seen)}


def _instance_row(world: int, mask: np.ndarray) -> dict[str, Any]:
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    box = [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y]
    counts = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return {
        "frame_id": world, "world": world, "step": 0, "camera": 0, "inst_id": 1, "class_id": 1, "class": CRACK,
        "prim_path": "", "stable_id": 0, "bbox": box, "area_px": int(mask.sum()), "edge_dist_px": 0, "is_crowd": False,
        "source_id": world, "rle": counts,
    }  # fmt: skip


def surface_picture(
    random: np.random.Generator, side: int = 96, *, noise: float = 0.02, blur: float = 1.2
) -> np.ndarray:
    """Return a picture, [y, x] of 0..1, of rough ground with a few steps, behind a lens and a sensor."""
    from scipy.ndimage import gaussian_filter

    wide = side + 24
    ground = gaussian_filter(random.normal(size=(wide, wide)), (random.uniform(2, 4), random.uniform(0.5, 1.5)))
    picture = random.uniform(0.4, 0.6) + 0.25 * ground
    for _ in range(4):
        y, x = random.integers(0, wide - 12, 2)
        height, width = random.integers(8, 40, 2)
        picture[y : y + height, x : x + width] += random.uniform(0.1, 0.25) * random.choice([-1, 1])
    ramp = np.linspace(-0.1, 0.1, wide)
    picture = picture + random.uniform(-1, 1) * ramp[None] + random.uniform(-1, 1) * ramp[:, None]
    seen = gaussian_filter(picture, blur)[12 : 12 + side, 12 : 12 + side]
    return seen + noise * random.normal(size=(side, side))
