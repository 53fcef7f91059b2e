"""KITTI's object benchmark: pictures, labels in 2D and 3D, calibration, sweeps, depth and flow; see kitti_label.py.

Everything lies in `training/`, numbered as exported; `ImageSets/<split>.txt` names the frames of a split, as OpenPCDet
and MMDetection3D expect. The rectified camera frame is that of the frame's own camera, or level; P0..P3 are
all of that camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from engine.errors import UserError
from engine.formats.axes import homogeneous, is_pinhole, opencv_from_world, pinhole_k, solid_of
from engine.formats.kitti_images import kitti_depth
from engine.formats.kitti_kept import ROLES, calibration_text, is_kept, kept_calibration, kept_lines
from engine.formats.kitti_label import (
    DONT_CARE,
    KittiBox,
    KittiLabel,
    Occlusions,
    dont_care,
    format_label,
    kitti_box,
    level_from_opencv,
    matrix_line,
)
from engine.formats.kitti_read import read_kitti
from engine.formats.pixels import depth_image_m, frame_file, picture_as_png, write_file, write_text
from engine.formats.ply import comment_values, read_ply
from engine.formats.record import Array, Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext
from engine.write.encode import encode_png
from engine.write.flow_files import encode_kitti_flow, read_flo

TRAINING = "training"
LEAST_SIDE_M = 1.0e-3  # thinner boxes are sheets
FLOW = "flow_forward"
POSE_COMMENT = "world_from_sensor"


@dataclass(frozen=True)
class KittiBoxOptions:
    """How labels are written in pictures."""

    box: Literal["amodal", "visible"] = "amodal"  # whole silhouette inside the frame, or visible pixels alone
    partly_occluded_from: float = 0.1  # level 1: share of the object's pixels in the frame that others hide
    largely_occluded_from: float = 0.5  # level 2
    dont_care_below_px: float = 0.0  # objects whose box is lower become DontCare regions

    def __post_init__(self) -> None:
        if not 0.0 <= self.partly_occluded_from <= self.largely_occluded_from <= 1.0:
            raise ValueError("0 <= partly_occluded_from <= largely_occluded_from <= 1 must hold")
        if not 0.0 <= self.dont_care_below_px < math.inf:
            raise ValueError(f"dont_care_below_px must be 0 or more, got {self.dont_care_below_px:g}")


@dataclass(frozen=True)
class KittiOptions(KittiBoxOptions):
    """How labels are written in space as well."""

    frame: Literal["camera", "level"] = "level"  # rectified frame: level has upright boxes exactly, and a P2 that turns
    most_tilt_deg: float = 180.0  # between an object's vertical and the frame's; KITTI has upright objects only
    unfit: Literal["drop", "dont_care"] = "drop"  # objects that tilt more, are flat, or have their centre behind

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.most_tilt_deg <= 180.0:
            raise ValueError(f"most_tilt_deg must be in 0..180, got {self.most_tilt_deg:g}")


@FORMATS.register(
    "kitti", KittiOptions, "KITTI objects in 2D and 3D, with calibration, sweeps, depth", read=read_kitti,
    needs_bodies=True,
)  # fmt: skip
def write_kitti(source: Source, context: ExportContext) -> None:
    """Write labels in 2D and 3D, pictures, calibration, and sweeps, depth and flow where the dataset has them."""
    _write(source, context, with_solids=True)


@FORMATS.register("kitti-2d", KittiBoxOptions, "KITTI objects in 2D: unknown in space", read=read_kitti)
def write_kitti_2d(source: Source, context: ExportContext) -> None:
    """Write labels in 2D and pictures; what KITTI says of space is unknown: -1, -10 and -1000."""
    _write(source, context, with_solids=False)


def _write(source: Source, context: ExportContext, *, with_solids: bool) -> None:
    names: dict[str, list[str]] = {split: [] for split in context.splits}
    root = context.out / TRAINING
    for number, frame in enumerate(source.frames()):
        stem = f"{number:06d}"
        names[context.split_of(frame)].append(stem)
        write_file(root / "image_2" / f"{stem}.png", picture_as_png(frame_file(frame, "image", "KITTI", "write=coco")))
        if is_kept(frame):
            lines = [*kept_lines(frame, context.category_of, with_solids=with_solids)]
        else:
            lines = [line for instance in frame.instances if (line := _line(frame, instance, context, with_solids))]
        write_text(root / "label_2" / f"{stem}.txt", "".join(line + "\n" for line in lines))
        for role in ROLES.keys() & frame.files.keys():
            folder, suffix = ROLES[role]
            context.place(frame.files[role], Path(TRAINING) / folder / f"{stem}{suffix}")
        if is_kept(frame):
            if matrices := kept_calibration(frame):
                write_text(root / "calib" / f"{stem}.txt", calibration_text(matrices))
        elif with_solids:
            _write_space(frame, root, stem, _rectified(frame, context))
        elif frame.k is not None and is_pinhole(frame):
            write_text(root / "calib" / f"{stem}.txt", calibration(frame.k, np.eye(4), np.eye(3)))
    for split, stems in names.items():
        write_text(context.out / "ImageSets" / f"{split}.txt", "".join(stem + "\n" for stem in stems))


def _rectified(frame: Frame, context: ExportContext) -> Array:
    """Return the rotation from a frame's camera to the rectified camera frame."""
    return level_from_opencv(frame) if context.options.frame == "level" else np.eye(3)


def _write_space(frame: Frame, root: Path, stem: str, rectified_from_opencv: Array) -> None:
    """Write what of a frame lies in space: calibration, sweep, depth, flow to the next step."""
    points, opencv_from_sensor = None, np.eye(4)
    if "pointcloud" in frame.files:
        points, opencv_from_sensor = velodyne_points(frame)
    write_text(
        root / "calib" / f"{stem}.txt",
        calibration(pinhole_k(frame, "KITTI"), opencv_from_sensor, rectified_from_opencv),
    )
    if points is not None:
        write_file(root / "velodyne" / f"{stem}.bin", points.astype("<f4").tobytes())
    if "depth" in frame.files:
        write_file(root / "depth_2" / f"{stem}.png", encode_png(kitti_depth(depth_image_m(frame, "KITTI"))))
    if FLOW in frame.files:
        flow = frame.files[FLOW]
        data = flow.read_bytes() if flow.suffix == ".png" else encode_kitti_flow(read_flo(flow))
        write_file(root / "flow_2" / f"{stem}.png", data)


def _line(frame: Frame, instance: Instance, context: ExportContext, with_solids: bool) -> str | None:
    options: KittiBoxOptions = context.options
    left, top, right, bottom = _box(frame, instance, options.box)
    region = (left, top, right - left, bottom - top)
    if bottom - top < options.dont_care_below_px:
        context.count_drop("a DontCare region: the box is lower than dont_care_below_px")
        return dont_care(region)
    solid = None
    if with_solids:
        solid, tilt_rad = kitti_box(frame, solid_of(frame, instance, "KITTI"), _rectified(frame, context))
        reason = _unfit(solid, tilt_rad, context.options.most_tilt_deg)
        if reason is not None:
            context.count_drop(reason)
            return dont_care(region) if context.options.unfit == "dont_care" else None
    truncated = -1.0 if instance.truncation is None else round(instance.truncation, 6)
    level = Occlusions(options.partly_occluded_from, options.largely_occluded_from).level(instance)
    name = context.category_of[instance.category].name
    if name == DONT_CARE:
        raise UserError(f"KITTI calls regions {DONT_CARE} that are no objects, so no class can; map it to another word")
    return format_label(KittiLabel(name, truncated, level, (left, top, right, bottom), solid))


def _unfit(box: KittiBox, tilt_rad: float, most_tilt_deg: float) -> str | None:
    """Return why KITTI cannot hold a box, None: it can."""
    if box.bottom_m[2] <= 0.0:
        return "the centre of its box is not before the camera"
    if min(box.height_m, box.width_m, box.length_m) < LEAST_SIDE_M:
        return "its box is flat"
    if math.degrees(tilt_rad) > most_tilt_deg:
        return "it tilts by more than most_tilt_deg"
    return None


def _box(frame: Frame, instance: Instance, kind: str) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom inside the frame."""
    x, y, width, height = instance.box
    if kind == "amodal" and instance.amodal is not None:
        x, y, width, height = instance.amodal.box
    return max(x, 0.0), max(y, 0.0), min(x + width, float(frame.width)), min(y + height, float(frame.height))


def calibration(k: Array, opencv_from_sensor: Array, rectified_from_opencv: Array) -> str:
    """Return a calibration file: one camera, turned by R0_rect and back by P0..P3; the inertial sensor is the LiDAR."""
    projection = np.hstack([k @ rectified_from_opencv.T, np.zeros((3, 1))])
    lines = [matrix_line(f"P{number}", projection) for number in range(4)]
    lines.append(matrix_line("R0_rect", rectified_from_opencv))
    lines.append(matrix_line("Tr_velo_to_cam", opencv_from_sensor[:3]))
    lines.append(matrix_line("Tr_imu_to_velo", np.eye(4)[:3]))
    return "\n".join(lines) + "\n"


def velodyne_points(frame: Frame) -> tuple[Array, Array]:
    """Return the sweep of a frame as x, y, z, reflectance [point, 4], and the pose of its sensor in the camera.

    Raises:
        UserError: If the cloud does not say where its sensor stood.
    """
    path = frame.files["pointcloud"]
    if path.suffix != ".ply":
        raise UserError(f"{path} does not say where its sensor stood; make the dataset with format: ply")
    points, comments = read_ply(path)
    pose = comment_values(comments, POSE_COMMENT)
    if pose is None or pose.size != 12:
        raise UserError(f"{path} has no comment {POSE_COMMENT}; it is not a cloud of ours")
    reflectance = np.clip(points["intensity"], 0.0, 1.0)
    table = np.stack([points["x"], points["y"], points["z"], reflectance], axis=1).astype(np.float64)
    return table, opencv_from_world(frame) @ homogeneous(pose.reshape(3, 4))
