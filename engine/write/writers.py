"""Writers of per-frame files: pictures, depth, normals, instance and class maps. Each is a pure function of a view."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.registry import WRITERS
from engine.sensors.sweep import Sweep, points_of
from engine.write.encode import encode_jpeg, encode_npy, encode_ply, encode_png
from engine.write.view import LARGEST_UINT16, FrameFile, FrameParams, View

MILLIMETRES_A_METRE = 1000.0
LARGEST_UINT8 = 255


@dataclass(frozen=True)
class Images(FrameParams):
    """Pictures as people and networks look at them: sRGB, 8 bits."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("rgb",)
    format: Literal["jpg", "png"]
    quality: int  # jpg only, 1..100, where the sensor does not say another

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality must be in 1..100, got {self.quality}")


@dataclass(frozen=True)
class Depth(FrameParams):
    """Planar depth, along the optical axis."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("depth",)
    encoding: Literal["png16_mm", "npy"]


@dataclass(frozen=True)
class Normals(FrameParams):
    """World normals as 16-bit RGB."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("normal",)


@dataclass(frozen=True)
class Masks(FrameParams):
    """Instance map (16 bits) and class map (8 bits, or 16 where a class id needs them)."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("instance",)


@dataclass(frozen=True)
class DepthSensorFiles(FrameParams):
    """Planar depth as a depth camera measured it."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("depth_sensor",)
    encoding: Literal["png16_mm", "npy"]


@dataclass(frozen=True)
class Pointcloud(FrameParams):
    """Returns of a LiDAR in its own frame, with the camera that it sits at."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("lidar",)
    MISSING: ClassVar[tuple[str, ...]] = ("pointcloud",)
    format: Literal["ply", "npy"]


@WRITERS.register("images", Images)
def write_images(params: Images, view: View) -> list[FrameFile]:
    """Return the picture of a frame."""
    assert view.rgb is not None
    quality = view.jpeg_quality or params.quality
    data = encode_jpeg(view.rgb, quality=quality) if params.format == "jpg" else encode_png(view.rgb)
    return [FrameFile("image", f"images/{view.stem}.{params.format}", data)]


@WRITERS.register("depth", Depth)
def write_depth(params: Depth, view: View) -> list[FrameFile]:
    """Return the depth of a frame: whole millimetres, or float32 metres with +inf where nothing was hit."""
    assert view.depth_m is not None
    if params.encoding == "npy":
        return [FrameFile("depth", f"depth/{view.stem}.npy", encode_npy(view.depth_m))]
    return [FrameFile("depth", f"depth/{view.stem}.png", encode_png(depth_to_mm(view.depth_m)))]


@WRITERS.register("depth_sensor", DepthSensorFiles)
def write_depth_sensor(params: DepthSensorFiles, view: View) -> list[FrameFile]:
    """Return what a depth camera measured: whole millimetres, or float32 metres; 0: no measurement."""
    depth_m = view.depth_sensor_m
    assert depth_m is not None
    if params.encoding == "npy":
        return [FrameFile("depth_sensor", f"depth_sensor/{view.stem}.npy", encode_npy(depth_m))]
    whole = depth_to_mm(np.where(depth_m > 0.0, depth_m, np.float32(np.inf)))
    return [FrameFile("depth_sensor", f"depth_sensor/{view.stem}.png", encode_png(whole))]


@WRITERS.register("pointcloud", Pointcloud)
def write_pointcloud(params: Pointcloud, view: View) -> list[FrameFile]:
    """Return the sweep of a frame; of frames of other cameras nothing."""
    if view.sweep is None:
        return []
    points = points_of(view.sweep, view.classes.class_of_instance)
    data = encode_npy(points) if params.format == "npy" else encode_ply(points, ply_comments(view.sweep))
    return [FrameFile("pointcloud", f"pointcloud/{view.stem}.{params.format}", data)]


def ply_comments(sweep: Sweep) -> list[str]:
    """Return what a reader of a cloud must know beside its columns."""
    pose = " ".join(f"{value:.9g}" for value in sweep.world_from_sensor.ravel())
    return [
        "sensor frame: x ahead, y left, z up; metres, seconds, radians",
        f"world_from_sensor at the start of the sweep, 3x4 by rows: {pose}",
        "intensity: 1 is a white Lambert target 1 m away that faces the sensor",
    ]


@WRITERS.register("normals", Normals)
def write_normals(params: Normals, view: View) -> list[FrameFile]:
    """Return the normals of a frame: each component n as round(32768 + 32767 n); 0 0 0 where nothing was hit."""
    assert view.normal is not None
    return [FrameFile("normal", f"normals/{view.stem}.png", encode_png(normals_to_uint16(view.normal)))]


@WRITERS.register("masks", Masks)
def write_masks(params: Masks, view: View) -> list[FrameFile]:
    """Return the instance map and the class map of a frame, and a table of ids where 16 bits do not hold them."""
    assert view.instance is not None
    files = []
    if view.classes.remapped:
        ids, stored = remap_instances(view.instance)
        table = json.dumps({"schema": "mask_ids/1", "instance": ids.tolist()}) + "\n"
        files.append(FrameFile("instance_ids", f"masks/{view.stem}.ids.json", table.encode()))
    else:
        stored = view.instance.astype(np.uint16)
    small = view.classes.largest_class_id <= LARGEST_UINT8
    class_ids = view.classes.class_of_instance
    class_map = (class_ids.astype(np.uint8) if small else class_ids.astype(np.uint16))[view.instance]
    files.append(FrameFile("instance_map", f"masks/{view.stem}.instance.png", encode_png(stored)))
    files.append(FrameFile("class_map", f"masks/{view.stem}.class.png", encode_png(class_map)))
    return files


def normals_to_uint16(normal: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return unit normals as 16-bit RGB; 0 0 0 where nothing was hit."""
    scaled = np.rint(32768.0 + 32767.0 * normal).astype(np.uint16)
    scaled[~normal.any(axis=-1)] = 0
    return scaled


def depth_to_mm(depth_m: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return depth [mm], rounded; 0 where nothing was hit or 65.535 m are not enough, at least 1 elsewhere."""
    millimetres = depth_m * np.float32(MILLIMETRES_A_METRE)
    np.rint(millimetres, out=millimetres)
    np.maximum(millimetres, 1.0, out=millimetres)
    millimetres[millimetres > LARGEST_UINT16] = 0.0
    return millimetres.astype(np.uint16)


def remap_instances(
    instance: NDArray[np.int32], *, what: str = "instances"
) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
    """Return the sorted ids in a frame, 0 first, and the frame as positions in that table; `what` names them.

    Raises:
        ValueError: If one frame shows more than 65,535 of them.
    """
    ids = np.union1d(np.zeros(1, np.int32), instance).astype(np.int32)
    if len(ids) - 1 > LARGEST_UINT16:
        raise ValueError(f"one frame shows {len(ids) - 1} {what}; a 16-bit map holds {LARGEST_UINT16}")
    return ids, np.searchsorted(ids, instance).astype(np.uint16)
