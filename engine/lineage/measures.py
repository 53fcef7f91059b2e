"""What is in a dataset, counted over its index column by column, so that memory does not grow with the frames."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engine.dataset.manifest import INDEX

SMALL_PX, MEDIUM_PX = 32**2, 96**2  # areas that COCO's evaluation divides at
SIZES = ("small", "medium", "large")
LIGHT_EDGES = (0.0, 0.1, 0.25, 0.5, 0.75)  # mean luma of a picture, 0 black to 1 white
LIGHTS = ("very dark", "dark", "middling", "bright", "very bright")
ROWS = 65_536  # at a time


@dataclass(frozen=True)
class Measures:
    """Counts over the index."""

    sizes: dict[str, tuple[int, int, int]]  # class -> small, medium, large instances; "" those without a class
    defect_sizes: dict[str, tuple[int, int, int]]  # the same of defects, without near-misses
    lights: tuple[int, ...] | None  # pictures by LIGHTS; None: nothing was measured on pictures
    saturated: int  # pictures with more than 1 % of their pixels at 255
    columns: dict[str, int]  # table -> columns
    picture_sizes: dict[tuple[int, int], int]  # width, height [px] -> frames
    licences: dict[tuple[str, str, str], int]  # parent, origin, licence of frames that say their origin -> frames


def measure(out: Path) -> Measures:
    """Return the counts of the dataset at `out`, whose index is there."""
    tables = {path.stem: pq.ParquetFile(path) for path in sorted((out / INDEX).glob("*.parquet"))}
    lights, saturated = _lights(tables["frames"])
    return Measures(
        _sizes(tables["instances"]), _sizes(tables["defects"]) if "defects" in tables else {}, lights, saturated,
        {name: len(file.schema_arrow.names) for name, file in tables.items()}, _picture_sizes(tables["frames"]),
        _licences(tables["frames"]),
    )  # fmt: skip


def size_of(area_px: np.ndarray) -> np.ndarray:
    """Return positions in SIZES of areas."""
    return np.digitize(area_px, (SMALL_PX, MEDIUM_PX))


def _sizes(file: pq.ParquetFile) -> dict[str, tuple[int, int, int]]:
    has_near_misses = "near_miss" in file.schema_arrow.names
    counted: Counter[tuple[str, int]] = Counter()
    for batch in file.iter_batches(ROWS, columns=["class", "area_px", *["near_miss"] * has_near_misses]):
        names = batch["class"].to_pylist()
        sizes = size_of(batch["area_px"].to_numpy(zero_copy_only=False)).tolist()
        misses = batch["near_miss"].to_pylist() if has_near_misses else [False] * len(names)
        counted.update(
            (name or "", size) for name, size, missed in zip(names, sizes, misses, strict=True) if not missed
        )
    names = sorted({name for name, _ in counted})
    return {name: (counted[name, 0], counted[name, 1], counted[name, 2]) for name in names}


def _lights(file: pq.ParquetFile) -> tuple[tuple[int, ...] | None, int]:
    if not {"lum_mean", "sat_frac"} <= set(file.schema_arrow.names):
        return None, 0
    counts, saturated = np.zeros(len(LIGHTS), np.int64), 0
    for batch in file.iter_batches(ROWS, columns=["lum_mean", "sat_frac"]):
        light = batch["lum_mean"].to_numpy(zero_copy_only=False)
        place = np.digitize(light[np.isfinite(light)], LIGHT_EDGES[1:])
        counts += np.bincount(place, minlength=len(LIGHTS))
        saturated += int(np.count_nonzero(batch["sat_frac"].to_numpy(zero_copy_only=False) > 0.01))
    return tuple(counts.tolist()), saturated


def _licences(file: pq.ParquetFile) -> dict[tuple[str, str, str], int]:
    names = file.schema_arrow.names
    if "origin" not in names:
        return {}
    columns = [name for name in ("parent", "origin", "licence") if name in names]
    counted: Counter[tuple[str, str, str]] = Counter()
    for batch in file.iter_batches(ROWS, columns=columns):
        rows = ({name: value or "" for name, value in row.items()} for row in batch.to_pylist())
        counted.update((row.get("parent", ""), row["origin"], row.get("licence", "")) for row in rows)
    return dict(sorted(counted.items()))


def _picture_sizes(file: pq.ParquetFile) -> dict[tuple[int, int], int]:
    counted: Counter[tuple[int, int]] = Counter()
    for batch in file.iter_batches(ROWS, columns=["width", "height"]):
        counted.update(zip(batch["width"].to_pylist(), batch["height"].to_pylist(), strict=True))
    return dict(counted.most_common())
