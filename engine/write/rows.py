"""The three tables of a dataset's index, built batch by batch; `engine.write.merge` puts shards together.

worlds: one row a world and step, with every drawn value. frames: one row a frame. instances: one row an instance seen
in a frame. Rows are sorted by (world, step, camera, instance), whatever order they came in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.frames import FrameKeys
from engine.labels.model import Amodal, Labels, Solid
from engine.lens.model import COEFFICIENTS, LensModel
from engine.scene.model import Scene
from engine.write.names import FrameGrid

TABLES = ("worlds", "frames", "instances")  # of every dataset
DEFECTS = "defects"  # and of those whose recipe has defects
SORT_KEYS = {
    "worlds": ("world", "step"),
    "frames": ("world", "step", "camera"),
    "instances": ("world", "step", "camera", "inst_id"),
    DEFECTS: ("world", "step", "camera", "defect_id"),
}
RLE_COLUMN = "rle"  # in the rows of a shard, for writers; the merged index leaves it to labels/coco.json
HASH_BYTES = 32
AMODAL_RLE_COLUMN = "amodal_rle"  # likewise
POLYGONS_COLUMN = "polygons"  # likewise, of masks that people drew
MASK_COLUMNS = (RLE_COLUMN, AMODAL_RLE_COLUMN, POLYGONS_COLUMN)


@dataclass(frozen=True)
class Drawn:
    """Every random value of a batch. `columns` holds arrays [row] or [row, k], keyed `p.<randomiser>.<key>`."""

    world: NDArray[np.int64]  # [row]
    step: NDArray[np.int32]  # [row]
    columns: dict[str, NDArray[np.generic]]


def world_rows(drawn: Drawn, rows: NDArray[np.intp]) -> pa.Table:
    """Return the drawn values of the given rows of a batch."""
    columns = {"world": pa.array(drawn.world[rows], pa.int64()), "step": pa.array(drawn.step[rows], pa.int32())}
    for name in sorted(drawn.columns):
        columns[name] = column_of(drawn.columns[name][rows])
    return pa.table(columns)


def frame_row(keys: FrameKeys, view: int, grid: FrameGrid, size: tuple[int, int]) -> dict[str, Any]:
    """Return what is known of a frame before its files are made; `size` is (width, height) [px].

    `k` is row-major 3x3, `world_from_camera` row-major 4x4; the camera's x is right, y up, and it looks along -Z.
    """
    world, step, camera = (int(column[view]) for column in (keys.world, keys.step, keys.camera))
    pose = np.vstack([np.asarray(keys.world_from_camera[view], np.float64), [[0.0, 0.0, 0.0, 1.0]]])
    row = {
        "frame_id": grid.number(world, step, camera),
        "world": world,
        "step": step,
        "camera": camera,
        "width": size[0],
        "height": size[1],
        "k": np.asarray(keys.k[view], np.float64).ravel().tolist(),
        "world_from_camera": pose.ravel().tolist(),
    }
    if (lens := keys.lenses) is not None:
        row |= {name: float(getattr(lens, name)[view]) for name in ("exposure", "f_stop", "focus_distance_m")}
        opening_s, closing_s = (float(time_s) for time_s in lens.shutter_s[view])
        row |= {
            "shutter_open_s": opening_s,
            "shutter_close_s": closing_s,
            "label_time_s": 0.5 * (opening_s + closing_s),
        }
        row |= {name: float(getattr(lens, name)[view]) for name in ("exposure_s", "readout_s", "lens_radius_m")}
        row |= {name: np.asarray(getattr(lens, name)[view]).tolist() for name in ("velocity_m_s", "spin_rad_s")}
        model = LensModel(int(lens.model[view]))
        row |= {"lens_model": model.name.lower(), "lens_limit": float(lens.limit[view]), "depth_kind": model.depth_kind}
        row["lens_coefficients"] = lens.coefficients[view].tolist()
    if keys.metered_ev is not None:
        row["metered_ev"] = float(keys.metered_ev[view])
    return row


def frame_table(rows: list[dict[str, Any]], own: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    """Return frame rows as a table. Measured columns are float32, `<role>_sha256` 32 bytes, `<role>` text, null or not.

    Args:
        rows: Of one dataset.
        own: Types of other columns.
    Raises:
        ValueError: If frames of one dataset have different columns.
    """
    types: dict[str, pa.DataType] = {
        "frame_id": pa.int64(),
        "world": pa.int64(),
        "step": pa.int32(),
        "camera": pa.int32(),
        "width": pa.int32(),
        "height": pa.int32(),
        "k": pa.list_(pa.float64(), 9),
        "world_from_camera": pa.list_(pa.float64(), 16),
        "n_instances": pa.int32(),
        "lens_limit": pa.float64(),
        "lens_coefficients": pa.list_(pa.float64(), COEFFICIENTS),
        "velocity_m_s": pa.list_(pa.float64(), 3),
        "spin_rad_s": pa.list_(pa.float64(), 3),
        "phash": pa.uint64(),
        "exif_orientation": pa.int32(),
        "n_left_out": pa.int32(),
        "n_outside": pa.int32(),
        **(own or {}),
    }
    names = list(rows[0]) if rows else list(types)
    for row in rows:
        if list(row) != names:
            raise ValueError(f"frame {row['frame_id']} has columns {list(row)}, an earlier one {names}")
    for name in names:
        if name.endswith("_sha256"):
            types[name] = pa.binary(HASH_BYTES)
        elif name not in types:
            is_text = f"{name}_sha256" in names or any(isinstance(row[name], str) for row in rows)
            types[name] = pa.string() if is_text else pa.float32()
    return pa.table({name: pa.array([row[name] for row in rows], types[name]) for name in names})


@dataclass(frozen=True)
class InstanceSource:
    """What names and numbers the instances of a dataset."""

    paths: pa.Array  # [instance], prim paths
    class_keys: dict[int, str]  # taxonomy id -> key; 0: ""
    stable_id: NDArray[np.uint64]  # [instance]
    grid: FrameGrid
    width: int  # [px]
    height: int  # [px]

    @classmethod
    def from_scene(cls, scene: Scene, grid: FrameGrid, width: int, height: int) -> InstanceSource:
        """Return the source of a scene's instances."""
        keys = {0: ""} | {c.id: c.key for c in scene.taxonomy.classes}
        return cls(pa.array(scene.instances.path, pa.string()), keys, scene.instances.stable_id, grid, width, height)


def instance_rows(source: InstanceSource, keys: FrameKeys, labels: Labels, rows: NDArray[np.intp]) -> pa.Table:
    """Return the given rows of `labels` with the frame they belong to.

    `bbox` is x, y, width, height [px] of the visible pixels, corner origin; `edge_dist_px` the gap between the box
    and the nearest border of the image. docs/formats.md explains all columns.
    """
    view = labels.view[rows]
    world, step, camera = keys.world[view], keys.step[view].astype(np.int64), keys.camera[view].astype(np.int64)
    box = labels.box_px[rows]
    corner, size = box[:, :2], box[:, 2:] - box[:, :2]
    gaps = np.column_stack([corner, source.width - box[:, 2], source.height - box[:, 3]])
    inst, class_id = labels.instance[rows], labels.class_id[rows]
    columns = {
        "frame_id": pa.array((world * source.grid.steps + step) * source.grid.cameras + camera, pa.int64()),
        "world": pa.array(world, pa.int64()),
        "step": pa.array(step, pa.int32()),
        "camera": pa.array(camera, pa.int32()),
        "inst_id": pa.array(inst, pa.int32()),
        "class_id": pa.array(class_id, pa.int32()),
        "class": pa.array([source.class_keys[int(c)] for c in class_id], pa.string()),
        "prim_path": source.paths.take(pa.array(inst, pa.int32())),
        "stable_id": pa.array(source.stable_id[inst], pa.uint64()),
        "bbox": column_of(np.column_stack([corner, size]).astype(np.float32)),
        "area_px": pa.array(labels.visible_px[rows], pa.int32()),
        "edge_dist_px": pa.array(gaps.min(axis=1), pa.int32()),
        "depth_m": pa.array(labels.distance_m[rows], pa.float32()),
    }
    if labels.amodal is not None:
        columns |= _amodal_columns(labels.amodal, labels.visible_px, rows)
    if labels.solid is not None:
        columns |= _solid_columns(labels.solid, rows)
    if labels.material is not None:
        columns["material"] = pa.array(labels.material[rows].tolist(), pa.string())
    if labels.keypoints is not None:
        points = [labels.keypoints[row].tolist() for row in rows]
        columns["keypoints"] = pa.array(points, pa.list_(pa.float32()))
    columns[RLE_COLUMN] = pa.array([labels.rle[i] for i in rows], pa.binary())
    return pa.table(columns)


def _amodal_columns(amodal: Amodal, visible_px: NDArray[np.int32], rows: NDArray[np.intp]) -> dict[str, pa.Array]:
    """Return the columns of silhouettes: `occlusion` = 1 - visible / in frame, `truncation` = 1 - in frame / full."""
    box, in_frame, full = amodal.box_px[rows], amodal.in_frame_px[rows], amodal.full_px[rows]
    return {
        "amodal_bbox": column_of(np.column_stack([box[:, :2], box[:, 2:] - box[:, :2]]).astype(np.float32)),
        "in_frame_px": pa.array(in_frame, pa.int32()),
        "full_px": pa.array(full, pa.int32()),
        "full_is_cut": pa.array(amodal.is_cut[rows], pa.bool_()),
        "occlusion": pa.array((1.0 - visible_px[rows] / in_frame).astype(np.float32)),
        "truncation": pa.array((1.0 - in_frame / full).astype(np.float32)),
        "occluder": pa.array(amodal.occluder[rows], pa.int32()),
        "occluder_px": pa.array(amodal.occluder_px[rows], pa.int32()),
        AMODAL_RLE_COLUMN: pa.array([amodal.rle[i] for i in rows], pa.binary()),
    }


def _solid_columns(solid: Solid, rows: NDArray[np.intp]) -> dict[str, pa.Array]:
    """Return the columns of poses and boxes in space, matrices by rows."""
    flat: dict[str, NDArray[Any]] = {
        "world_from_object": solid.world_from_object, "box_size_m": solid.size_m, "box_center_m": solid.center_m,
        "corners_px": solid.corners_px, "range_m": solid.range_m, "azimuth_rad": solid.azimuth_rad,
        "elevation_rad": solid.elevation_rad, "oriented_box": solid.oriented_box_px, "asset": solid.asset,
    }  # fmt: skip
    taken = {name: values[rows] for name, values in flat.items()}
    return {
        name: column_of(values.reshape(len(rows), math.prod(values.shape[1:])) if values.ndim > 1 else values)
        for name, values in taken.items()
    }


def sorted_rows(tables: list[pa.Table], name: str) -> pa.Table:
    """Return the rows of all tables in one, in the order of the index.

    Raises:
        ValueError: If the tables have different columns, or two rows have the same key.
    """
    for table in tables[1:]:
        if table.schema != tables[0].schema:
            odd = sorted(set(tables[0].schema.names) ^ set(table.schema.names))
            raise ValueError(f"{name} rows have different columns: {', '.join(odd) or 'same names, other types'}")
    table = pa.concat_tables(tables).combine_chunks()
    keys = [table[key].to_numpy() for key in SORT_KEYS[name]]
    order = np.lexsort(keys[::-1])
    stacked = np.column_stack([key[order] for key in keys])
    repeated = (stacked[1:] == stacked[:-1]).all(axis=1)
    if repeated.any():
        where = dict(zip(SORT_KEYS[name], stacked[int(repeated.argmax())].tolist()))
        raise ValueError(f"{name} has two rows with {where}")
    return table.take(pa.array(order)).combine_chunks()


def column_of(values: NDArray[np.generic]) -> pa.Array:
    """Return an array [row] or [row, k] as a column; text and numbers keep their type."""
    if values.ndim == 1:
        return pa.array(values.tolist() if values.dtype.kind in "UO" else np.ascontiguousarray(values))
    if values.ndim != 2:
        raise ValueError(f"a column is [row] or [row, k], got shape {values.shape}")
    flat = pa.array(np.ascontiguousarray(values).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
