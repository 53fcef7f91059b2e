"""Records of frames that exist as rows of the index: what `engine.write.rows` makes of rendered ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from engine.formats.record import Frame, Instance
from engine.write.rows import RLE_COLUMN, frame_table

INSTANCE_TYPES: dict[str, pa.DataType] = {
    "frame_id": pa.int64(), "world": pa.int64(), "step": pa.int32(), "camera": pa.int32(),
    "inst_id": pa.int32(), "class_id": pa.int32(), "class": pa.string(), "prim_path": pa.string(),
    "stable_id": pa.uint64(), "bbox": pa.list_(pa.float64(), 4), "area_px": pa.int32(), "edge_dist_px": pa.int32(),
    "depth_m": pa.float32(), "is_crowd": pa.bool_(), "source_id": pa.int64(), "truncation": pa.float32(),
    "world_from_object": pa.list_(pa.float64(), 12), "box_size_m": pa.list_(pa.float64(), 3),
    "box_center_m": pa.list_(pa.float64(), 3), "corners_px": pa.list_(pa.float64(), 16), "asset": pa.uint64(),
    "range_m": pa.float64(), "azimuth_rad": pa.float64(), "elevation_rad": pa.float64(),
    "oriented_box": pa.list_(pa.float64(), 8), "keypoints": pa.list_(pa.float32()), RLE_COLUMN: pa.binary(),
}  # fmt: skip


def frame_row(frame: Frame, number: int, size: tuple[int, int], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a frame that is the world of this number; `extra` holds paths, hashes and measured columns."""
    matrices = {"k": frame.k, "world_from_camera": frame.world_from_camera}
    return {
        "frame_id": number, "world": number, "step": 0, "camera": 0, "width": size[0], "height": size[1],
        **{name: None if value is None else np.ravel(value).tolist() for name, value in matrices.items()},
        "n_instances": len(frame.instances), **extra,
    }  # fmt: skip


def instance_row(instance: Instance, number: int, inst_id: int, class_id: int, size: tuple[int, int]) -> dict[str, Any]:
    """Return the row of an instance of the frame of this number. `inst_id` counts from 1 in its frame.

    `area_px` is the area of the mask; where there is none, of the box, and `rle` is null.
    """
    x, y, width, height = instance.box
    has_mask = instance.mask is not None
    area_px = instance.visible_px if has_mask and instance.visible_px is not None else round(width * height)
    row: dict[str, Any] = {
        "frame_id": number, "world": number, "step": 0, "camera": 0, "inst_id": inst_id, "class_id": class_id,
        "class": instance.category, "prim_path": "", "stable_id": 0, "bbox": [x, y, width, height],
        "area_px": max(int(area_px), 1), "depth_m": instance.depth_m, "is_crowd": instance.is_crowd,
        "edge_dist_px": int(np.floor(min(x, y, size[0] - x - width, size[1] - y - height))),
        "source_id": instance.id, "truncation": instance.extra.get("truncated"),
        RLE_COLUMN: None if instance.mask is None else instance.mask.counts,
    }  # fmt: skip
    if instance.oriented_box is not None:
        row["oriented_box"] = np.ravel(instance.oriented_box).tolist()
    if instance.keypoints is not None:
        row["keypoints"] = np.ravel(instance.keypoints).tolist()
    return row


def tables_of(
    frames: Sequence[dict[str, Any]], instances: Sequence[dict[str, Any]], own: Mapping[str, pa.DataType]
) -> dict[str, pa.Table]:
    """Return the tables of some frames; every part of a dataset has the same columns, null where nothing is known.

    `own` are the types of the columns of frames that the source brings.
    """
    columns = {
        name: pa.array([row.get(name) for row in instances], kind) for name, kind in INSTANCE_TYPES.items()
    }  # fmt: skip
    worlds = {"world": pa.array([row["world"] for row in frames], pa.int64())}
    worlds["step"] = pa.array([0] * len(frames), pa.int32())
    return {"worlds": pa.table(worlds), "frames": frame_table(list(frames), own), "instances": pa.table(columns)}
