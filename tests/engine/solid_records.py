"""Records of boxes that float64 rays meet: exact depth, masks, counts and sweeps, by slabs, not by the engine.

Boxes stand upright in the world, turned about its z; the camera looks down by `pitch_deg`, 0: at the horizon.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from engine.formats.record import Amodal, Category, Frame, Instance, Mask, Solid
from engine.formats.registry import Records

WIDTH, HEIGHT = 96, 64
K = np.array([[80.0, 0.0, 47.0], [0.0, 80.0, 33.0], [0.0, 0.0, 1.0]])
CATEGORIES = (Category(1, "carton", "Carton"), Category(2, "truck", "Truck"))
SENSOR_FROM_MOUNT_M = np.array([0.3, -0.1, 0.5])  # the LiDAR, in world axes from the camera's centre
#             class     x     y     z   yaw   length width height [m]
BOXES = (("truck", 0.5, 9.0, 0.0, 0.4, 4.0, 2.0, 1.8), ("carton", -1.2, 6.0, 0.0, -1.1, 0.8, 1.1, 0.7),
         ("carton", 3.4, 7.5, 0.2, 2.0, 2.5, 0.6, 1.4))  # fmt: skip


def solid_records(folder: Path, *, steps: int = 1, pitch_deg: float = 0.0) -> Records:
    """Return a world of three boxes over some steps; the truck drives ahead by 0.5 m a step."""
    return Records("solid", CATEGORIES, tuple(_frame(folder, step, pitch_deg) for step in range(steps)))


def solids(step: int) -> list[Solid]:
    """Return the boxes; the object's origin is not the box's centre."""
    out = []
    for name, x, y, z, yaw, *size in BOXES:
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1.0]])
        center = np.array([0.1, 0.05, size[2] / 2])
        ahead = turn[:, 0] * (0.5 * step if name == "truck" else 0.0)
        pose = np.column_stack([turn, np.array([x, y, z]) + ahead])
        out.append(Solid(pose, np.array(size), center, np.full((8, 2), np.nan), 2**63 + len(out)))
    return out


def world_from_camera(pitch_deg: float) -> np.ndarray:
    """Return a camera 1.6 m above the ground that looks along the world's y."""
    sine, cosine = np.sin(np.radians(pitch_deg)), np.cos(np.radians(pitch_deg))
    right, back = np.array([1.0, 0, 0]), np.array([0.0, -cosine, sine])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.column_stack([right, np.cross(back, right), back]), [0.0, 0.0, 1.6]
    return pose


def meet(solid: Solid, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return how many `direction`s [ray, 3] lead from `origin` to a box: +inf where it is missed."""
    start = solid.world_from_object[:, :3].T @ (origin - solid.world_from_object[:, 3]) - solid.center_m
    along = direction @ solid.world_from_object[:, :3]
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = (-solid.size_m / 2 - start) / along, (solid.size_m / 2 - start) / along
    near, far = np.minimum(one, other).max(axis=-1), np.maximum(one, other).min(axis=-1)
    return np.where((near <= far) & (near > 0), near, np.inf)


def _frame(folder: Path, step: int, pitch_deg: float) -> Frame:
    pose, boxes = world_from_camera(pitch_deg), solids(step)
    margin = np.array([WIDTH, HEIGHT])
    y, x = np.mgrid[0 : 3 * HEIGHT, 0 : 3 * WIDTH] + 0.5
    right, down = (x - margin[0] - K[0, 2]) / K[0, 0], (y - margin[1] - K[1, 2]) / K[1, 1]
    rays = np.stack([right, -down, -np.ones_like(right)], axis=-1).reshape(-1, 3) @ pose[:3, :3].T
    depth = np.stack([meet(box, pose[:3, 3], rays).reshape(3 * HEIGHT, 3 * WIDTH) for box in boxes])
    inner = np.s_[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH]
    nearest = depth.min(axis=0)[inner]
    ids = np.where(np.isfinite(nearest), depth[:, HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH].argmin(axis=0) + 1, 0)
    files = {name: folder / name / f"{step:06d}{end}" for name, end in
             (("image", ".png"), ("depth", ".npy"), ("pointcloud", ".ply"))}  # fmt: skip
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.stack([ids * 60, 255 - ids * 40, 20 + 0 * ids], axis=-1).astype(np.uint8)
    Image.fromarray(rgb).save(files["image"])
    np.save(files["depth"], nearest.astype(np.float32))
    files["pointcloud"].write_bytes(_sweep(boxes, pose))
    instances = tuple(
        _instance(i, boxes[i - 1], np.isfinite(depth[i - 1]), ids) for i in range(1, len(boxes) + 1) if (ids == i).any()
    )
    row = {"depth_kind": "planar", "lens_model": "pinhole"}
    return Frame(step, WIDTH, HEIGHT, instances, files, 0, step, 0, K, pose, row)


def _instance(number: int, solid: Solid, whole: np.ndarray, ids: np.ndarray) -> Instance:
    seen = ids == number
    x, y, width, height = _box(whole)
    canvas = Mask(_counts(whole[y : y + height, x : x + width]), height, width, x - WIDTH, y - HEIGHT)
    in_frame = int(whole[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH].sum())
    amodal = Amodal(canvas, (x - WIDTH, y - HEIGHT, width, height), in_frame, int(whole.sum()), False, 0, 0)
    box = tuple(float(value) for value in _box(seen))
    mask = Mask(_counts(seen), HEIGHT, WIDTH)
    return Instance(number, BOXES[number - 1][0], box, int(seen.sum()), mask, 1.0, amodal, solid, path=f"/Box_{number}")


def _counts(mask: np.ndarray) -> bytes:
    counts: bytes = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    y, x = np.nonzero(mask)
    return int(x.min()), int(y.min()), int(x.max() - x.min() + 1), int(y.max() - y.min() + 1)


def _sweep(boxes: list[Solid], pose: np.ndarray) -> bytes:
    """Return a cloud as the LiDAR's writer makes it: x ahead (the world's y), y left, z up."""
    sensor = np.column_stack([[0.0, 1, 0], [-1.0, 0, 0], [0.0, 0, 1], pose[:3, 3] + SENSOR_FROM_MOUNT_M])
    azimuth, elevation = np.meshgrid(np.radians(np.arange(-40, 41, 2.0)), np.radians(np.arange(-20, 6, 2.0)))
    beams = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], -1)
    beams = beams.reshape(-1, 3)
    ranges = np.stack([meet(box, sensor[:, 3], beams @ sensor[:, :3].T) for box in boxes])
    there = np.isfinite(ranges.min(axis=0))
    points = np.zeros(int(there.sum()), [*((n, "<f4") for n in "xyz"), ("intensity", "<f4"), ("instance", "<i4")])
    points["x"], points["y"], points["z"] = (beams[there] * ranges.min(axis=0)[there, None]).T
    points["intensity"], points["instance"] = 1.5, ranges.argmin(axis=0)[there] + 1
    numbers = " ".join(f"{value:.9g}" for value in sensor.ravel())
    head = ["ply", "format binary_little_endian 1.0"]
    head += [f"comment world_from_sensor at the start of the sweep, 3x4 by rows: {numbers}"]
    head += [f"element vertex {len(points)}"]
    kinds = {"f": "float", "i": "int"}
    head += [f"property {kinds[points.dtype[name].kind]} {name}" for name in points.dtype.names]
    return "\n".join([*head, "end_header\n"]).encode() + points.tobytes()
