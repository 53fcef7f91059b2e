"""What an ingest keeps of KITTI as it was, so that an export of it says the same again.

A frame that came from KITTI has the columns `calibration_json` and `dont_care_json`, and files of the roles below. Its
world is the rectified camera frame with the axes of `read_kitti` (x right, y up), turned so that z is up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from engine.formats.kitti_label import UNKNOWN_OCCLUSION, KittiLabel, dont_care, format_label, kitti_box, matrix_line
from engine.formats.record import Array, Box, Frame
from engine.formats.registry import FormatCategory

CALIBRATION, REGIONS = "calibration_json", "dont_care_json"
ROLES: Mapping[str, tuple[str, str]] = {  # role -> folder, suffix
    "velodyne": ("velodyne", ".bin"), "kitti_depth": ("depth_2", ".png"), "kitti_flow": ("flow_2", ".png"),
}  # fmt: skip
UP_FROM_READ = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])  # z is up, y is ahead


def is_kept(frame: Frame) -> bool:
    """Return whether a frame came from KITTI."""
    return frame.row.get(REGIONS) is not None


def kept_calibration(frame: Frame) -> dict[str, Array] | None:
    """Return the matrices that a frame came with, None: it had none."""
    text = frame.row.get(CALIBRATION)
    return None if not text else {name: np.array(rows, np.float64) for name, rows in json.loads(text).items()}


def calibration_text(matrices: Mapping[str, Any]) -> str:
    """Return a calibration file."""
    return "".join(matrix_line(name, matrix) + "\n" for name, matrix in matrices.items())


def kept_lines(frame: Frame, category_of: Mapping[str, FormatCategory], *, with_solids: bool) -> Iterator[str]:
    """Yield the labels of a frame as they were, classes mapped; then the regions that nobody looked at."""
    rectified = replace(frame, world_from_camera=UP_FROM_READ @ np.eye(4))  # the camera that labels are given in
    for instance in frame.instances:
        x, y, width, height = instance.box
        said = instance.extra
        solid = None
        if with_solids and instance.solid is not None:
            solid, _ = kitti_box(rectified, instance.solid)
            alpha_rad, yaw_rad = (float(said[name]) for name in ("alpha_rad", "rotation_y_rad"))
            solid = replace(solid, alpha_rad=alpha_rad, rotation_y_rad=yaw_rad)
        truncated, occluded = said.get("truncated"), said.get("occluded")
        yield format_label(
            KittiLabel(
                category_of[instance.category].name, -1.0 if truncated is None else round(float(truncated), 6),
                UNKNOWN_OCCLUSION if occluded is None else int(occluded), (x, y, x + width, y + height), solid,
            )
        )  # fmt: skip
    for box in json.loads(frame.row[REGIONS]):
        region: Box = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        yield dont_care(region)
