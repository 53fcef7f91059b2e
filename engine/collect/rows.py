"""Records of frames that exist as rows of the index: what `engine.write.rows` makes of rendered ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engine.collect.columns import json_text
from engine.collect.source import Labelled
from engine.formats.record import Amodal, Instance, Solid
from engine.write.rows import AMODAL_RLE_COLUMN, POLYGONS_COLUMN, RLE_COLUMN, frame_table

NUMBERS = pa.list_(pa.float64())  # Arrow 25 and older cannot read lists of a fixed size back if one of them is null
MATRICES = ("k", "world_from_camera")  # null where nobody knows the camera
INSTANCE_TYPES: dict[str, pa.DataType] = {
    "frame_id": pa.int64(), "world": pa.int64(), "step": pa.int32(), "camera": pa.int32(),
    "inst_id": pa.int32(), "class_id": pa.int32(), "class": pa.string(), "prim_path": pa.string(),
    "stable_id": pa.uint64(), "bbox": pa.list_(pa.float64(), 4), "area_px": pa.int32(), "edge_dist_px": pa.int32(),
    "depth_m": pa.float32(), "is_crowd": pa.bool_(), "source_id": pa.int64(), "truncation": pa.float32(),
    "world_from_object": NUMBERS, "box_size_m": NUMBERS, "box_center_m": NUMBERS, "corners_px": NUMBERS,
    "asset": pa.uint64(),
    "range_m": pa.float64(), "azimuth_rad": pa.float64(), "elevation_rad": pa.float64(),
    "oriented_box": NUMBERS, "keypoints": pa.list_(pa.float32()),
    "amodal_bbox": NUMBERS, "in_frame_px": pa.int32(), "full_px": pa.int32(),
    "full_is_cut": pa.bool_(), "occlusion": pa.float32(), "occluder": pa.int32(), "occluder_px": pa.int32(),
    "source_class": pa.string(), "stated_area": pa.float64(), "occluded": pa.int32(), "alpha_rad": pa.float64(),
    "rotation_y_rad": pa.float64(), "extra": pa.string(), POLYGONS_COLUMN: pa.list_(pa.list_(pa.float64())),
    RLE_COLUMN: pa.binary(), AMODAL_RLE_COLUMN: pa.binary(),
}  # fmt: skip
OWN_COLUMNS = ("stated_area", "occluded", "alpha_rad", "rotation_y_rad", "range_m", "azimuth_rad", "elevation_rad")


@dataclass(frozen=True)
class Place:
    """Where an instance is: frame, number in it from 1, size of the picture [px], and the numbers of the others."""

    world: int
    inst_id: int
    size: tuple[int, int]
    inst_id_of: Mapping[int, int]  # by the id that the source gave them


def frame_row(labelled: Labelled, number: int, size: tuple[int, int], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a frame that is the world of this number; `extra` holds paths, hashes and measured columns."""
    matrices = {"k": labelled.k, "world_from_camera": labelled.world_from_camera}
    return {
        "frame_id": number, "world": number, "step": 0, "camera": 0, "width": size[0], "height": size[1],
        **{name: None if value is None else np.ravel(value).tolist() for name, value in matrices.items()},
        "n_instances": len(labelled.instances), **extra,
    }  # fmt: skip


def instance_row(instance: Instance, key: str, class_id: int, place: Place) -> dict[str, Any]:
    """Return the row of an instance whose class is `key` in the taxonomy.

    `area_px` is the area of the mask; where there is none, of the box, and `rle` is null.
    """
    x, y, width, height = instance.box
    size = place.size
    has_mask = instance.mask is not None
    area_px = instance.visible_px if has_mask and instance.visible_px is not None else round(width * height)
    said = dict(instance.extra)
    truncated, _ = said.pop("truncated", None), said.pop("ring", None)
    row: dict[str, Any] = {
        "frame_id": place.world, "world": place.world, "step": 0, "camera": 0, "inst_id": place.inst_id,
        "class_id": class_id, "class": key, "prim_path": instance.path, "stable_id": 0, "bbox": [x, y, width, height],
        "area_px": max(int(area_px), 1), "depth_m": instance.depth_m, "is_crowd": instance.is_crowd,
        "edge_dist_px": int(np.floor(min(x, y, size[0] - x - width, size[1] - y - height))),
        "source_id": said.pop("source_id", instance.id),
        "source_class": None if key == instance.category else instance.category,
        "truncation": None if truncated is None or truncated < 0.0 else truncated,
        RLE_COLUMN: None if instance.mask is None else instance.mask.counts,
        POLYGONS_COLUMN: said.pop(POLYGONS_COLUMN, None),
        **{name: said.pop(name, None) for name in OWN_COLUMNS},
    }  # fmt: skip
    if instance.oriented_box is not None:
        row["oriented_box"] = np.ravel(instance.oriented_box).tolist()
    if instance.keypoints is not None:
        row["keypoints"] = np.ravel(instance.keypoints).tolist()
    if instance.amodal is not None:
        row |= _amodal(instance, instance.amodal, place)
    if instance.solid is not None:
        row |= _solid(instance.solid)
    row["extra"] = json_text(said) if said else None
    return row


def _amodal(instance: Instance, whole: Amodal, place: Place) -> dict[str, Any]:
    return {
        "amodal_bbox": list(whole.box), "in_frame_px": whole.in_frame_px, "full_px": whole.full_px,
        "full_is_cut": whole.is_cut, "occluder": place.inst_id_of.get(whole.occluder, 0),
        "occluder_px": whole.occluder_px, "occlusion": instance.occlusion, "truncation": instance.truncation,
        AMODAL_RLE_COLUMN: None if whole.mask is None else whole.mask.counts,
    }  # fmt: skip


def _solid(solid: Solid) -> dict[str, Any]:
    flat = {
        "world_from_object": solid.world_from_object, "box_size_m": solid.size_m, "box_center_m": solid.center_m,
        "corners_px": solid.corners_px,
    }  # fmt: skip
    return {name: np.ravel(value).tolist() for name, value in flat.items()} | {"asset": solid.asset}


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
    table = frame_table(list(frames), own)
    for name in MATRICES:
        table = table.set_column(table.column_names.index(name), name, table[name].cast(NUMBERS))
    return {"worlds": pa.table(worlds), "frames": table, "instances": pa.table(columns)}
