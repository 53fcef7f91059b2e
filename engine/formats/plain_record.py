"""Records as plain data: what a JSON file or a table of structs holds of a frame and its instances; and back.

Names, units and frames are those of the index (docs/formats.md), with masks beside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.formats.from_rows import EXTRA_COLUMNS
from engine.formats.record import Amodal, Category, Frame, Instance, Mask, Solid
from engine.formats.registry import FormatCategory

Json = dict[str, Any]


def plain_category(category: FormatCategory) -> Json:
    """Return a class; the skeleton counts its keypoints from 0."""
    return {
        "id": category.id, "name": category.name, "supercategory": category.supercategory,
        "keypoints": list(category.keypoints), "skeleton": [list(pair) for pair in category.skeleton],
        "sigmas": list(category.sigmas),
    }  # fmt: skip


def category_from_plain(plain: Mapping[str, Any]) -> Category:
    """Return the class."""
    name, skeleton = plain["name"], tuple((a, b) for a, b in plain.get("skeleton", ()))
    keypoints, sigmas = tuple(plain.get("keypoints", ())), tuple(plain.get("sigmas", ()))
    return Category(plain["id"], name, name, plain["supercategory"], keypoints, skeleton, sigmas)


def plain_instance(instance: Instance, category: int) -> Json:
    """Return an instance as numbers, texts and lists; None is what is not known. `category` is the format's id."""
    out: Json = {
        "id": instance.id,
        "category": category,
        "bbox": [float(value) for value in instance.box],
        "area": instance.visible_px,
        "iscrowd": int(instance.is_crowd),
        "segmentation": _plain_mask(instance.mask),
        "depth_m": None if instance.depth_m is None else float(instance.depth_m),
        "occlusion": instance.occlusion,
        "truncation": instance.truncation,
        "prim_path": instance.path,
        "oriented_box": _flat(instance.oriented_box),
        "keypoints": _flat(instance.keypoints),
    }
    amodal, solid = instance.amodal, instance.solid
    out |= {
        "amodal_bbox": None if amodal is None else [float(value) for value in amodal.box],
        "amodal_segmentation": None if amodal is None else _plain_mask(amodal.mask),
        "in_frame_px": None if amodal is None else amodal.in_frame_px,
        "full_px": None if amodal is None else amodal.full_px,
        "full_is_cut": None if amodal is None else amodal.is_cut,
        "occluder": None if amodal is None else amodal.occluder,
        "occluder_px": None if amodal is None else amodal.occluder_px,
        "world_from_object": None if solid is None else _flat(solid.world_from_object),
        "box_size_m": None if solid is None else _flat(solid.size_m),
        "box_center_m": None if solid is None else _flat(solid.center_m),
        "corners_px": None if solid is None else _flat(solid.corners_px),
        "asset": None if solid is None or solid.asset is None else f"{solid.asset:016x}",
    }
    return out | {name: instance.extra.get(name) for name in EXTRA_COLUMNS}


def instance_from_plain(plain: Mapping[str, Any], name: str) -> Instance:
    """Return the instance; `name` is its class."""
    amodal = solid = None
    if plain["amodal_bbox"] is not None:
        mask, box = plain["amodal_segmentation"], tuple(plain["amodal_bbox"])
        canvas = None if mask is None else _mask(mask, round(box[0]), round(box[1]))
        amodal = Amodal(
            canvas, box, plain["in_frame_px"], plain["full_px"], plain["full_is_cut"], plain["occluder"],
            plain["occluder_px"],
        )  # fmt: skip
    if plain["world_from_object"] is not None:
        asset = None if plain["asset"] is None else int(plain["asset"], 16)
        size, center = (np.array(plain[name], np.float64) for name in ("box_size_m", "box_center_m"))
        solid = Solid(_array(plain["world_from_object"], 3, 4), size, center, _array(plain["corners_px"], 8, 2), asset)
    x, y, width, height = plain["bbox"]
    return Instance(
        plain["id"], name, (x, y, width, height), plain["area"],
        None if plain["segmentation"] is None else _mask(plain["segmentation"], 0, 0), plain["depth_m"], amodal, solid,
        None if plain["oriented_box"] is None else _array(plain["oriented_box"], 4, 2),
        None if plain["keypoints"] is None else _array(plain["keypoints"], -1, 3),
        plain["prim_path"], bool(plain["iscrowd"]),
        {name: plain[name] for name in EXTRA_COLUMNS if plain.get(name) is not None},
    )  # fmt: skip


def plain_frame(frame: Frame) -> Json:
    """Return what is known of a frame but its instances and files."""
    limit, bends = frame.row.get("lens_limit"), frame.row.get("lens_coefficients")
    unsaid = (None, None) if frame.k is None else ("planar", "pinhole")  # nobody knows the camera of a real picture
    return {
        "image_id": frame.id, "width": frame.width, "height": frame.height,
        "world": frame.world, "step": frame.step, "camera": frame.camera, "origin": origin_of(frame),
        "k": None if frame.k is None else _flat(frame.k),
        "world_from_camera": None if frame.world_from_camera is None else _flat(frame.world_from_camera),
        "depth_kind": frame.row.get("depth_kind") or unsaid[0],
        "lens_model": frame.row.get("lens_model") or unsaid[1],
        "lens_coefficients": None if bends is None else [float(value) for value in bends],
        "lens_limit": float(limit) if limit is not None and math.isfinite(limit) else None,  # None: without
    }  # fmt: skip


def origin_of(frame: Frame) -> str:
    """Return whether a frame is real or synthetic; rendered datasets do not say so of every frame."""
    return str(frame.row.get("origin") or ("real" if frame.row.get("is_real") else "synthetic"))


def frame_from_plain(
    plain: Mapping[str, Any], instances: tuple[Instance, ...], files: Mapping[str, Path], row: Json
) -> Frame:
    """Return the frame."""
    pose = None if plain["world_from_camera"] is None else _array(plain["world_from_camera"], 4, 4)
    known = {name: plain[name] for name in ("depth_kind", "lens_model", "lens_coefficients")}
    known["origin"] = plain.get("origin")
    known["lens_limit"] = math.inf if plain["lens_limit"] is None else plain["lens_limit"]
    return Frame(
        plain["image_id"], plain["width"], plain["height"], instances, files, plain["world"], plain["step"],
        plain["camera"], None if plain["k"] is None else _array(plain["k"], 3, 3), pose, known | row,
    )  # fmt: skip


def _flat(values: np.ndarray[Any, Any] | None) -> list[float | None] | None:
    """Return numbers by rows; what is none is None, which JSON has a word for."""
    if values is None:
        return None
    flat: list[float] = np.asarray(values, np.float64).ravel().tolist()
    return [None if math.isnan(value) else value for value in flat]


def _array(values: list[float | None], rows: int, columns: int) -> np.ndarray[Any, Any]:
    return np.array([np.nan if value is None else value for value in values], np.float64).reshape(rows, columns)


def _plain_mask(mask: Mask | None) -> Json | None:
    """Return a mask as COCO has it: height and width, and the compressed counts as text."""
    return None if mask is None else {"size": [mask.height, mask.width], "counts": mask.counts.decode("ascii")}


def _mask(plain: Mapping[str, Any], x: int, y: int) -> Mask:
    return Mask(plain["counts"].encode("ascii"), plain["size"][0], plain["size"][1], x, y)
