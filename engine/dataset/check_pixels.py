"""Check pictures against labels: id maps, class maps, depth, boxes and masks of a frame must say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.annotators import EFFECTS
from engine.collect.kept import nonsense
from engine.dataset.check_amodal import check_amodal
from engine.dataset.check_defects import check_defects
from engine.dataset.check_geometry import DEPTH_TOLERANCE_M, UNREADABLE, check_geometry
from engine.dataset.check_mask import decode_rle
from engine.dataset.check_space import check_sight, check_space
from engine.dataset.faults import Fault, remake_shard
from engine.errors import UserError
from engine.write.exr import exr_size
from engine.write.files import inside
from engine.write.flow_files import flo_size
from engine.write.merge import MergedRows, rows_path, tables_of
from engine.write.readback import read_depth_m, read_instance_map
from engine.write.rows import AMODAL_RLE_COLUMN, DEFECTS, RLE_COLUMN, sorted_rows
from engine.write.tables import read_parquet
from engine.write.view import LARGEST_UINT16
from engine.write.writers import MILLIMETRES_A_METRE

LOOK_ROLES = (
    "albedo", "roughness", "metallic", "shadow", "shadow_lit", "effect", *(f"effect_{name}" for name in EFFECTS),
    "rgb16", "hdr",
)  # fmt: skip
FLOW_ROLES = (
    "flow_forward", "flow_forward_state", "flow_backward", "flow_backward_state", "scene_flow_forward",
    "scene_flow_backward",
)  # fmt: skip
IMAGE_ROLES = ("image", "depth", "normal", "instance_map", "class_map")
GEOMETRY_ROLES = (
    "range", "normal_camera", "part_map", "material_map", "position", "uv", "nocs", "edge", "defect_map",
    "near_miss_map",
)  # fmt: skip
FILE_ROLES = (*IMAGE_ROLES, *GEOMETRY_ROLES, *LOOK_ROLES, *FLOW_ROLES)  # columns that name a picture
TABLE_ROLES = ("instance_ids", "part_ids", "material_ids")  # and those that name a table of ids


def check_pixels(rows: MergedRows) -> Iterator[Fault]:
    """Yield where the files of a frame contradict its rows."""
    for commit in rows.commits:
        if not commit.frames:
            continue
        repair = remake_shard(commit.id)
        tables = {}
        for name in tables_of(commit):
            tables[name] = sorted_rows([read_parquet(rows.out / rows_path(commit.id, name))], name).to_pylist()
        seen, defects = (_by_frame(tables.get(name, [])) for name in ("instances", DEFECTS))
        for frame in tables["frames"]:
            instances = seen.get(frame["frame_id"], [])
            for file, what in _check_frame(rows, frame, instances):
                yield Fault(file, what, repair)
            bearers = {row["inst_id"] for row in instances}
            for what in check_defects(rows, frame, defects.get(frame["frame_id"], []), bearers):
                yield Fault(where_of(frame), what, repair)


def _by_frame(rows: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    by_frame: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_frame.setdefault(row["frame_id"], []).append(row)
    return by_frame


def _check_frame(
    rows: MergedRows, frame: Mapping[str, Any], instances: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    size = (frame["width"], frame["height"])
    for role in (*FILE_ROLES, *TABLE_ROLES):
        try:
            if frame.get(role) is not None:
                inside(rows.out, frame[role])
        except UserError as error:
            yield str(frame[role]), f"frame {frame['frame_id']} names it: {error}"
            return
    for role in FILE_ROLES:
        name = frame.get(role)
        if name is None or not (rows.out / name).is_file():
            continue  # its absence is named by the check of files
        found = image_size(rows.out / name)
        if found != size:
            yield (
                name,
                f"is {found[0]}x{found[1]}, the index says {size[0]}x{size[1]}" if found else "cannot be decoded",
            )
            return
    for row in instances:
        where = where_of(frame)
        faults = [*check_space(row, size)] or [*check_sight(row, frame)]
        yield from ((where, f"instance {row['inst_id']}: {what}") for what in faults)
    if frame["n_instances"] != len(instances):
        yield where_of(frame), f"n_instances is {frame['n_instances']}, there are {len(instances)} rows"
    if frame.get("instance_map") is None:
        for row in instances:
            yield from ((where_of(frame), f"instance {row['inst_id']}: {what}") for what in _check_alone(row, frame))
    elif (rows.out / frame["instance_map"]).is_file():
        try:
            yield from _check_maps(rows, frame, instances)
        except UNREADABLE as error:
            yield frame["instance_map"], f"it, its class map or its depth cannot be decoded: {error}"
    yield from check_geometry(rows.out, frame)


def where_of(frame: Mapping[str, Any]) -> str:
    """Return the file that faults of a frame are named after."""
    return frame.get("image") or "index"


def _check_alone(row: Mapping[str, Any], frame: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with an instance of a frame without a map: boxes and masks as people drew them."""
    if why := nonsense(tuple(row["bbox"]), (frame["width"], frame["height"])):
        yield f"bbox is {list(row['bbox'])}, which {why}"
    if row[RLE_COLUMN] is None:
        return
    mask = decode_rle(row[RLE_COLUMN], (frame["height"], frame["width"]))
    if mask is None:
        yield "its mask is not an RLE of this frame"
    elif (area := int(np.count_nonzero(mask))) != row["area_px"]:
        yield f"area_px is {row['area_px']}, its mask has {area} px"


def image_size(path: Any) -> tuple[int, int] | None:
    """Return (width, height) of an image or an array file, None if it is neither."""
    try:
        if path.suffix == ".flo":
            return flo_size(path)
        if path.suffix == ".npy":
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
            return shape[1], shape[0]
        if path.suffix == ".exr":
            return exr_size(path)
        with Image.open(path) as image:
            return image.size
    except UNREADABLE:
        return None


def _check_maps(
    rows: MergedRows, frame: Mapping[str, Any], instances: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    ids = read_instance_map(rows.out, frame)
    name = frame["instance_map"]
    painted = np.zeros(ids.shape, np.int32)
    class_of = np.zeros(max([int(ids.max()), *(row["inst_id"] for row in instances)]) + 1, np.int32)
    for row in instances:
        mask = decode_rle(row[RLE_COLUMN], ids.shape)
        if mask is None:
            yield name, f"the mask of instance {row['inst_id']} is not an RLE of this frame"
            return
        yield from ((name, f"instance {row['inst_id']}: {what}") for what in _check_instance(row, mask, frame))
        if row.get(AMODAL_RLE_COLUMN) is not None:
            yield from ((name, f"instance {row['inst_id']}: {what}") for what in check_amodal(row, mask))
        painted[mask] = row["inst_id"]
        class_of[row["inst_id"]] = row["class_id"]
    if (wrong := np.count_nonzero(painted != ids)) > 0:
        y, x = np.argwhere(painted != ids)[0].tolist()
        yield name, f"{wrong} px differ from the masks, first at x={x} y={y}: {ids[y, x]} instead of {painted[y, x]}"
    if frame.get("class_map") is not None and (rows.out / frame["class_map"]).is_file():
        with Image.open(rows.out / frame["class_map"]) as image:
            wrong = np.count_nonzero(np.array(image) != class_of[ids])
        if wrong:
            yield frame["class_map"], f"{wrong} px are not the class of their instance"
    yield from _check_depth(rows, frame, instances, ids)


def _check_instance(row: Mapping[str, Any], mask: NDArray[np.bool_], frame: Mapping[str, Any]) -> Iterator[str]:
    area = int(np.count_nonzero(mask))
    if area != row["area_px"] or area == 0:
        yield f"area_px is {row['area_px']}, its mask has {area} px"
    if area:
        y, x = np.nonzero(mask)
        box = [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
        if list(row["bbox"]) != box:
            yield f"bbox is {row['bbox']}, that of its mask is {box}"
        gap = min(box[0], box[1], frame["width"] - box[0] - box[2], frame["height"] - box[1] - box[3])
        if row["edge_dist_px"] != gap:
            yield f"edge_dist_px is {row['edge_dist_px']}, its mask is {gap} px from the border"


def _check_depth(
    rows: MergedRows, frame: Mapping[str, Any], instances: list[dict[str, Any]], ids: NDArray[np.int32]
) -> Iterator[tuple[str, str]]:
    """Yield instances whose distance is not the smallest depth of their pixels."""
    name = frame.get("depth")
    if name is None or not (rows.out / name).is_file():
        return
    depth_m = read_depth_m(rows.out / name)
    nearest = np.full(int(ids.max()) + 1, np.inf, np.float32)
    np.minimum.at(nearest, ids.ravel(), depth_m.ravel())
    for row in instances:
        found = nearest[row["inst_id"]] if row["inst_id"] < len(nearest) else np.inf
        far = row["depth_m"] > LARGEST_UINT16 / MILLIMETRES_A_METRE - DEPTH_TOLERANCE_M
        if not far and abs(found - row["depth_m"]) > DEPTH_TOLERANCE_M:
            yield name, f"instance {row['inst_id']}: depth_m is {row['depth_m']:.4f}, its nearest pixel {found:.4f}"
