"""Rows of the index as records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.formats.record import Amodal, Array, Category, Frame, Instance, Mask, Solid
from engine.scene.taxonomy import Taxonomy
from engine.write.files import inside
from engine.write.rows import AMODAL_RLE_COLUMN, RLE_COLUMN

DEFECT_COLUMNS = (  # of a defect, as they are
    "kind", "entry", "handling_step", "inst_id", "contrast", "cnr", "severity", "length_m", "width_m", "depth_um",
    "edge_distance_m",
)  # fmt: skip
EXTRA_COLUMNS = (  # of an instance, as they are; the latter are those of pictures of others
    "range_m", "azimuth_rad", "elevation_rad", "stated_area", "occluded", "alpha_rad", "rotation_y_rad", "polygons",
)  # fmt: skip


def categories_of(taxonomy: Taxonomy) -> tuple[Category, ...]:
    """Return the classes of a taxonomy."""
    return tuple(
        Category(c.id, c.key, c.name, c.parent, c.keypoints, c.skeleton, c.sigmas) for c in taxonomy.classes
    )  # fmt: skip


def frame_of(
    row: Mapping[str, Any], instances: list[dict[str, Any]], out: Path, defects: list[dict[str, Any]] | None = None
) -> Frame:
    """Return the record of a row of the frame table with its defects and its labelled instances.

    Defects come first: where masks overlap, formats that give a pixel to one object give it to the first.
    """
    roles = [name.removesuffix("_sha256") for name in row if name.endswith("_sha256")]
    size = row["width"], row["height"]
    files = {role: inside(out, row[role]) for role in roles if row[role] is not None}
    return Frame(
        row["frame_id"], row["width"], row["height"],
        (*(defect_of(seen, *size) for seen in defects or ()), *(instance_of(seen, *size) for seen in instances)),
        files,
        row["world"], row["step"], row["camera"],
        _matrix(row.get("k"), 3), _matrix(row.get("world_from_camera"), 4), row,
        stem="" if row.get("parent") is None else f"{row['frame_id']:06d}",  # of mixtures: pictures share names
    )  # fmt: skip


def _matrix(values: list[float] | None, size: int) -> Array | None:
    return None if values is None else np.reshape(values, (size, size))


def is_exported(row: Mapping[str, Any]) -> bool:
    """Return whether a row of the table of defects goes into formats: it has a class and is no near-miss."""
    return bool(row["class_id"]) and not row["near_miss"]


def defect_of(row: Mapping[str, Any], width: int, height: int) -> Instance:
    """Return the record of a row of the table of defects: an object of its own on the one that `path` names.

    It has no silhouette and no box in space: those of its bearer say where it is.
    """
    x, y, box_width, box_height = row["bbox"]
    return Instance(
        row["defect_id"], row["class"], (x, y, box_width, box_height), row["area_px"],
        Mask(row[RLE_COLUMN], height, width),
        oriented_box=np.reshape(row["oriented_box"], (4, 2)).astype(np.float64),
        path=row["prim_path"], lies_on=row["inst_id"], extra={name: row[name] for name in DEFECT_COLUMNS},
    )  # fmt: skip


def instance_of(row: Mapping[str, Any], width: int, height: int) -> Instance:
    """Return the record of a row of the instance table."""
    amodal = solid = keypoints = oriented = None
    x, y, box_width, box_height = row["bbox"]
    if row.get("amodal_bbox") is not None:
        box = row["amodal_bbox"]
        counts = row[AMODAL_RLE_COLUMN]
        whole = None
        if counts is not None:
            whole = Mask(counts, round(box[3]), round(box[2]), round(box[0]), round(box[1]))
        amodal = Amodal(whole, tuple(box), *(row[name] for name in
                        ("in_frame_px", "full_px", "full_is_cut", "occluder", "occluder_px")))  # fmt: skip
    if row.get("world_from_object") is not None:
        pose = np.reshape(row["world_from_object"], (3, 4))
        size, center = np.asarray(row["box_size_m"]), np.asarray(row["box_center_m"])
        solid = Solid(pose, size, center, np.reshape(row["corners_px"], (8, 2)).astype(np.float64), row["asset"])
    if row.get("oriented_box") is not None:
        oriented = np.reshape(row["oriented_box"], (4, 2)).astype(np.float64)
    if row.get("keypoints"):
        keypoints = np.reshape(row["keypoints"], (-1, 3)).astype(np.float64)
    counts = row[RLE_COLUMN]  # None: the instance has a box alone, and `area_px` is that of the box
    mask = None if counts is None else Mask(counts, height, width)
    seen_px = None if counts is None else row["area_px"]
    return Instance(
        row["inst_id"], row["class"], (x, y, box_width, box_height), seen_px, mask, row["depth_m"], amodal, solid,
        oriented, keypoints, row["prim_path"] or "", bool(row.get("is_crowd")),
        extra={name: row[name] for name in EXTRA_COLUMNS if row.get(name) is not None} | _said(row),
    )  # fmt: skip


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a source of pictures of others said of an instance beside all that formats have in common."""
    said: dict[str, Any] = {} if row.get("extra") is None else json.loads(row["extra"])
    if row.get("amodal_bbox") is None and row.get("truncation") is not None:
        said["truncated"] = row["truncation"]
    return said if row.get("source_id") is None else said | {"source_id": row["source_id"]}
