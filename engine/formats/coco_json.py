"""Categories, images and annotations of COCO, from records and into them; labels/coco.json and the exports share them.

Source: COCO data format, https://cocodataset.org/#format-data. Ids are whole numbers from 1: readers take annotation 0
for "no match" and category 0 for the background. `area` is that of the mask. Facts that COCO has no field for stand
under the names of index/instances.parquet, which readers pass over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from engine.collect.columns import source_values
from engine.formats.axes import is_pinhole
from engine.formats.record import Amodal, Category, Frame, Instance, Mask, Solid
from engine.formats.registry import FormatCategory

LINES_A_CHUNK = 4096
DECIMALS_PX = 4
AMODAL_FIELDS = ("in_frame_px", "full_px", "full_is_cut", "occluder", "occluder_px")
REAL = "real"  # origin of a frame that was taken in
BESIDE = frozenset({"stated_area", "polygons", "ring"})  # what a record holds for fields of other names
KNOWN = frozenset(
    {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "visible_px", "distance_m", "instance"}
    | {"instance_id", "class_key", "keypoints", "num_keypoints", "amodal_bbox", "amodal_segmentation", "occlusion"}
    | {"truncation", "world_from_object", "box_size_m", "box_center_m", "corners_px", "asset", "oriented_box"}
    | set(AMODAL_FIELDS)
)  # fields that a reader understands; others become `extra`


def category_json(category: Category | FormatCategory, number: int, name: str) -> dict[str, Any]:
    """Return a category; the skeleton counts from 1."""
    plain: dict[str, Any] = {"id": number, "name": name, "supercategory": category.supercategory}
    if category.keypoints:
        plain["keypoints"] = list(category.keypoints)
        plain["skeleton"] = [[a + 1, b + 1] for a, b in category.skeleton]
        if category.sigmas:
            plain["sigmas"] = list(category.sigmas)
    return plain


def image_json(frame: Frame, file_name: str) -> dict[str, Any]:
    """Return an image with its camera."""
    plain: dict[str, Any] = {"id": frame.id + 1, "file_name": file_name, "width": frame.width, "height": frame.height}
    plain |= {"world": frame.world, "step": frame.step, "camera": frame.camera}
    if frame.k is not None and frame.world_from_camera is not None:
        plain |= {"k": frame.k.ravel().tolist(), "world_from_camera": frame.world_from_camera.ravel().tolist()}
        if not is_pinhole(frame):  # k alone does not say where a point is seen
            limit, bends = float(frame.row["lens_limit"]), [float(value) for value in frame.row["lens_coefficients"]]
            plain |= {"lens_model": frame.row["lens_model"], "lens_coefficients": bends}
            plain |= {"lens_limit": limit} if math.isfinite(limit) else {}
    return plain


def said_json(frame: Frame, plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the source of a picture of others said of it, and of one in a mixture where it comes from.

    Names that COCO gives another meaning are `source_`.
    """
    mixed = {name: frame.row[name] for name in ("origin", "parent") if frame.row.get("parent") is not None}
    if frame.row.get("origin") != REAL:
        return mixed
    said = source_values(frame.row)
    return mixed | {f"source_{name}" if name in plain else name: value for name, value in said.items()}


def annotation_json(
    instance: Instance, number: int, image_id: int, category_id: int, *, keypoints: int = 0, masks: bool = True
) -> dict[str, Any]:
    """Return the annotation of an instance, whose class has so many keypoints."""
    plain: dict[str, Any] = {"id": number, "image_id": image_id, "category_id": category_id}
    plain |= {"bbox": _whole(instance.box), "area": instance.visible_px, "iscrowd": int(instance.is_crowd)}
    if plain["area"] is None:
        plain["area"] = instance.box[2] * instance.box[3]
    plain["area"] = instance.extra.get("stated_area", plain["area"])  # as the source has it, of a polygon for one
    if masks and instance.extra.get("polygons"):
        plain["segmentation"] = instance.extra["polygons"]
    elif masks and instance.mask is not None:
        plain["segmentation"] = _rle_json(instance.mask)
    if instance.visible_px is not None:
        plain["visible_px"] = instance.visible_px
    if instance.depth_m is not None:
        plain["distance_m"] = round(instance.depth_m, 4)
    plain |= {"instance": instance.path, "instance_id": instance.id}
    if keypoints:
        points = np.zeros((keypoints, 3)) if instance.keypoints is None else instance.keypoints
        plain |= keypoints_json(points)
    if instance.amodal is not None:
        plain |= _amodal_json(instance, instance.amodal, masks=masks)
    if instance.solid is not None:
        plain |= _solid_json(instance.solid)
    if instance.oriented_box is not None:
        plain["oriented_box"] = instance.oriented_box.round(DECIMALS_PX).ravel().tolist()
    others = {name: value for name, value in instance.extra.items() if name not in plain and name not in BESIDE}
    return plain | {name: value for name, value in others.items() if _is_finite(value)}


def keypoints_json(points: np.ndarray) -> dict[str, Any]:
    """Return keypoints [k, 3] as COCO has them: 0 0 0 where not labelled, and how many are."""
    flat: list[float | int] = []
    for x, y, visible in points.tolist():
        flat += [round(x, DECIMALS_PX), round(y, DECIMALS_PX), int(visible)] if visible > 0 else [0, 0, 0]
    return {"keypoints": flat, "num_keypoints": int((points[:, 2] > 0).sum())}


def _amodal_json(instance: Instance, amodal: Amodal, *, masks: bool) -> dict[str, Any]:
    plain: dict[str, Any] = {"amodal_bbox": _whole(amodal.box)}
    if masks and amodal.mask is not None:
        plain["amodal_segmentation"] = _rle_json(amodal.mask) | {"origin": [amodal.mask.x, amodal.mask.y]}
    values = (amodal.in_frame_px, amodal.full_px, amodal.is_cut, amodal.occluder, amodal.occluder_px)
    plain |= dict(zip(AMODAL_FIELDS, values, strict=True))
    assert instance.visible_px is not None
    return (
        plain
        | {"occlusion": round(1.0 - instance.visible_px / amodal.in_frame_px, 6)}
        | {"truncation": round(1.0 - amodal.in_frame_px / amodal.full_px, 6)}
    )


def _solid_json(solid: Solid) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "world_from_object": solid.world_from_object.ravel().tolist(),
        "box_size_m": solid.size_m.tolist(),
        "box_center_m": solid.center_m.tolist(),
        "corners_px": [value if math.isfinite(value) else None
                       for value in solid.corners_px.round(DECIMALS_PX).ravel().tolist()],
    }  # fmt: skip
    return plain if solid.asset is None else plain | {"asset": f"{solid.asset:016x}"}  # beyond what JSON numbers keep


def _rle_json(mask: Mask) -> dict[str, Any]:
    return {"size": [mask.height, mask.width], "counts": mask.counts.decode("ascii")}


def _whole(box: Iterable[float]) -> list[float]:
    """Return a box with whole numbers where it has them; those of masks are."""
    return [int(value) if float(value).is_integer() else float(value) for value in box]


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def category_record(plain: Mapping[str, Any]) -> Category:
    """Return the record of a category."""
    skeleton = tuple((int(a) - 1, int(b) - 1) for a, b in plain.get("skeleton", ()))
    name = str(plain["name"])
    parent, keypoints = str(plain.get("supercategory", "")), tuple(plain.get("keypoints", ()))
    return Category(int(plain["id"]), name, name, parent, keypoints, skeleton, tuple(plain.get("sigmas", ())))


def annotation_record(plain: Mapping[str, Any], category: str, width: int, height: int) -> Instance:
    """Return the record of an annotation of an image of `width` x `height`."""
    mask = _mask_record(plain.get("segmentation"), width, height)
    amodal = solid = keypoints = oriented = None
    if "amodal_bbox" in plain:
        whole = plain.get("amodal_segmentation")
        canvas = None if whole is None else Mask(whole["counts"].encode(), *whole["size"], *whole["origin"])
        amodal = Amodal(canvas, tuple(plain["amodal_bbox"]), *(plain[name] for name in AMODAL_FIELDS))
    if "world_from_object" in plain:
        corners = np.array([math.nan if value is None else value for value in plain["corners_px"]]).reshape(8, 2)
        asset = int(plain["asset"], 16) if "asset" in plain else None
        pose = np.reshape(plain["world_from_object"], (3, 4)).astype(np.float64)
        solid = Solid(pose, np.array(plain["box_size_m"]), np.array(plain["box_center_m"]), corners, asset)
    if plain.get("keypoints"):
        keypoints = np.reshape(plain["keypoints"], (-1, 3)).astype(np.float64)
    if "oriented_box" in plain:
        oriented = np.reshape(plain["oriented_box"], (4, 2)).astype(np.float64)
    x, y, box_width, box_height = map(float, plain["bbox"])
    visible = plain.get("visible_px", plain["area"] if mask is not None and "area" in plain else None)
    return Instance(
        int(plain.get("instance_id", plain["id"])), category, (x, y, box_width, box_height),
        None if visible is None else round(visible), mask, plain.get("distance_m"), amodal, solid, oriented, keypoints,
        str(plain.get("instance", "")), bool(plain.get("iscrowd", 0)),
        {name: value for name, value in plain.items() if name not in KNOWN},
    )  # fmt: skip


def _mask_record(segmentation: Any, width: int, height: int) -> Mask | None:
    """Return a mask from what COCO allows: polygons, compressed or plain counts."""
    from pycocotools import mask as coco_mask

    if not segmentation:
        return None
    if isinstance(segmentation, Mapping):
        if tuple(segmentation["size"]) != (height, width):
            raise ValueError(f"a mask of size {segmentation['size']} in an image of [{height}, {width}]")
        counts = segmentation["counts"]
        if isinstance(counts, str):
            return Mask(counts.encode("ascii"), height, width)
        return Mask(coco_mask.frPyObjects(dict(segmentation), height, width)["counts"], height, width)
    return Mask(coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))["counts"], height, width)


def json_line(value: Mapping[str, Any]) -> str:
    """Return one entry of a list as a line."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def joined_lines(lines: Iterable[str]) -> Iterator[bytes]:
    """Yield lines with commas between them, many at a time."""
    chunk: list[str] = []
    separator = ""
    for line in lines:
        chunk.append(separator + line)
        separator = ",\n"
        if len(chunk) == LINES_A_CHUNK:
            yield "".join(chunk).encode()
            chunk.clear()
    yield ("".join(chunk) + "\n").encode()
