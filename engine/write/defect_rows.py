"""Rows of index/defects.parquet: one for every defect or near-miss seen in a frame. docs/formats.md has the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.defect import DefectKind, is_near_miss, record_values
from engine.frames import FrameKeys
from engine.labels.model import Marks
from engine.write.rows import RLE_COLUMN, InstanceSource, column_of

MICROMETRES_A_METRE = 1.0e6


def defect_rows(source: InstanceSource, keys: FrameKeys, marks: Marks, rows: NDArray[np.intp]) -> pa.Table:
    """Return the given rows of `marks` with the frame they belong to.

    `defect_id` goes on where `inst_id` ends, so that both are unique in a frame together. `number` counts the defects
    of its entry, as the columns `p.<entry>.*` of the world do; `map_id` is the value of its pixels in defect maps.
    """
    view = marks.view[rows]
    world, step, camera = keys.world[view], keys.step[view].astype(np.int64), keys.camera[view].astype(np.int64)
    box, record, inst = marks.box_px[rows], marks.record[rows], marks.instance[rows]
    kinds = marks.kind[rows]
    columns = {
        "frame_id": pa.array((world * source.grid.steps + step) * source.grid.cameras + camera, pa.int64()),
        "world": pa.array(world, pa.int64()),
        "step": pa.array(step, pa.int32()),
        "camera": pa.array(camera, pa.int32()),
        "defect_id": pa.array(len(source.paths) + marks.slot[rows], pa.int32()),
        "map_id": pa.array(marks.slot[rows] + 1, pa.int32()),
        "class_id": pa.array(marks.class_id[rows], pa.int32()),
        "class": pa.array([source.class_keys[int(c)] for c in marks.class_id[rows]], pa.string()),
        "kind": pa.array([DefectKind(int(kind)).name.lower() for kind in kinds], pa.string()),
        "near_miss": pa.array([is_near_miss(int(kind)) for kind in kinds], pa.bool_()),
        "entry": pa.array([marks.entry[i] for i in rows], pa.string()),
        "number": pa.array(marks.number[rows], pa.int32()),
        "handling_step": pa.array([marks.handling_step[i] for i in rows], pa.string()),
        "inst_id": pa.array(inst, pa.int32()),
        "prim_path": source.paths.take(pa.array(inst, pa.int32())),
        "bbox": column_of(np.column_stack([box[:, :2], box[:, 2:] - box[:, :2]]).astype(np.float32)),
        "oriented_box": column_of(marks.oriented_box_px[rows].reshape(len(rows), 8)),
        "area_px": pa.array(marks.visible_px[rows], pa.int32()),
        "contrast": pa.array(marks.contrast[rows], pa.float32()),
        "cnr": pa.array(marks.cnr[rows], pa.float32()),
        "depth_um": pa.array(record_values(record, "depth_m") * np.float32(MICROMETRES_A_METRE), pa.float32()),
    }
    for name in ("severity", "length_m", "width_m", "edge_distance_m"):
        columns[name] = pa.array(record_values(record, name), pa.float32())
    columns[RLE_COLUMN] = pa.array([marks.rle[i] for i in rows], pa.binary())
    return pa.table(columns)


def count_defects(tables: Iterable[pa.Table]) -> tuple[dict[str, int], int]:
    """Return how many defects of each class tables have, and how many near-misses."""
    defects: Counter[str] = Counter()
    near = 0
    for table in tables:
        for key, is_near in zip(table["class"].to_pylist(), table["near_miss"].to_pylist(), strict=True):
            near += is_near
            if not is_near:
                defects[key] += 1
    return dict(sorted(defects.items())), near
