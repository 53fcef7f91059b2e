"""Check numbers in space: poses, boxes, rotated boxes and keypoints of a row, against each other and the frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engine.labels.solid import corner_signs
from engine.lens import lens_of_row, project

ORTHONORMAL = 1.0e-6  # of the products of a pose's axes
SLACK_PX = 0.01  # of a rotated box around what it holds: its corners are float32
CORNERS = 8
VISIBILITY = (0.0, 1.0, 2.0)
SAME_RANGE = 1.0e-5  # relative: float32
SAME_ANGLE_RAD = 1.0e-4
SAME_CORNER_PX, SAME_CORNER = 0.02, 1.0e-4  # and of its distance to the border: beside the camera, it is steep


def check_space(row: Mapping[str, Any], size: tuple[int, int]) -> Iterator[str]:
    """Yield what is wrong with the columns in space of a row of instances, as far as it has them."""
    if row.get("world_from_object") is not None:
        yield from _check_solid(row)
    if row.get("keypoints") is not None:
        yield from _check_keypoints(row["keypoints"], size)


def _check_solid(row: Mapping[str, Any]) -> Iterator[str]:
    pose = np.reshape(np.asarray(row["world_from_object"], np.float64), (3, 4))
    axes = pose[:, :3]
    off = np.abs(axes.T @ axes - np.eye(3)).max()
    if not (np.isfinite(pose).all() and off <= ORTHONORMAL and np.linalg.det(axes) > 0.0):
        yield f"world_from_object is no rigid pose: its axes are {off:.1e} from orthonormal and right-handed"
    extent = np.asarray(row["box_size_m"], np.float64)
    if not (np.isfinite(extent).all() and (extent >= 0.0).all() and extent.max() > 0.0):
        yield f"box_size_m is {extent.tolist()}"
    if not np.isfinite(row["box_center_m"]).all():
        yield f"box_center_m is {row['box_center_m']}"
    if row["range_m"] is not None and not (np.isfinite(row["range_m"]) and row["range_m"] >= 0.0):
        yield f"range_m is {row['range_m']}"
    seen = np.isfinite(np.reshape(np.asarray(row["corners_px"], np.float64), (CORNERS, 2)))
    if (seen[:, 0] != seen[:, 1]).any():
        yield "corners_px has half a corner"
    if row["oriented_box"] is not None:
        yield from _check_rectangle(row)


def check_sight(row: Mapping[str, Any], frame: Mapping[str, Any]) -> Iterator[str]:
    """Yield where range, angles and corners of a row do not follow from its pose and the camera of its frame."""
    if row.get("corners_px") is None or frame.get("lens_model") is None:
        return
    pose = np.reshape(np.asarray(row["world_from_object"], np.float64), (3, 4))
    camera = np.reshape(np.asarray(frame["world_from_camera"], np.float64), (4, 4))
    center = np.asarray(row["box_center_m"], np.float64)
    x, y, z = pose[:, :3].T @ (camera[:3, 3] - pose[:, :3] @ center - pose[:, 3])
    range_m = float(np.sqrt(x * x + y * y + z * z))
    if not abs(row["range_m"] - range_m) <= SAME_RANGE * (1.0 + range_m):
        yield f"range_m is {row['range_m']:.4f}, pose and camera say {range_m:.4f}"
    aside = float(np.hypot(x, y))  # an azimuth means nothing straight above
    for name, angle, arm in (
        ("azimuth_rad", np.arctan2(y, x), aside), ("elevation_rad", np.arctan2(z, aside), range_m)
    ):  # fmt: skip
        off = abs(np.angle(np.exp(1j * (row[name] - angle))))
        if not off * arm <= SAME_ANGLE_RAD * (1.0 + range_m):
            yield f"{name} is {row[name]:.4f}, pose and camera say {angle:.4f}"
    if frame.get("readout_s"):
        return  # rows are exposed one after the other: where corners are seen depends on speeds
    corner = center + 0.5 * corner_signs() * np.asarray(row["box_size_m"], np.float64)
    world = corner @ pose[:, :3].T + pose[:, 3]
    expected, _ = project(lens_of_row(frame), (world - camera[:3, 3]) @ camera[:3, :3])
    found = np.reshape(np.asarray(row["corners_px"], np.float64), (CORNERS, 2))
    size = np.array([frame["width"], frame["height"]])
    beyond = np.maximum(np.maximum(-expected, expected - size), 0.0).max(axis=1)
    off_px = np.abs(found - expected).max(axis=1)
    is_lost = np.isnan(off_px) & (beyond == 0.0) & np.isnan(found).any(axis=1)
    wrong = np.flatnonzero(is_lost | (off_px > SAME_CORNER_PX + SAME_CORNER * beyond))
    if wrong.size:
        first = int(wrong[0])
        yield f"corner {first} is at {found[first].tolist()}, pose and camera say {expected[first].round(2).tolist()}"


def _check_rectangle(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a rotated box: it is a rectangle, and touches all sides of the upright one."""
    corner = np.reshape(np.asarray(row["oriented_box"], np.float64), (4, 2))
    if not np.isfinite(corner).all():
        yield f"oriented_box is {corner.tolist()}"
        return
    side = np.roll(corner, -1, axis=0) - corner
    length = np.linalg.norm(side, axis=1)
    if np.abs(side[0] + side[2]).max() > SLACK_PX or abs(side[0] @ side[1]) > SLACK_PX * length.max():
        yield f"oriented_box is no rectangle: {corner.tolist()}"
    x, y, width, height = row["bbox"]
    low, high = corner.min(axis=0) - SLACK_PX, corner.max(axis=0) + SLACK_PX
    if not (low <= (x, y)).all() or not (high >= (x + width, y + height)).all():
        yield f"oriented_box {corner.tolist()} does not reach all sides of bbox {list(row['bbox'])}"
    if length[0] * length[1] > width * height * (1.0 + 1.0e-4) + SLACK_PX:
        yield f"oriented_box has {length[0] * length[1]:.1f} px, more than bbox"
    if length[0] * length[1] < row["area_px"] * (1.0 - 1.0e-4) - SLACK_PX:
        yield f"oriented_box has {length[0] * length[1]:.1f} px, fewer than area_px"


def _check_keypoints(values: Any, size: tuple[int, int]) -> Iterator[str]:
    if len(values) % 3:
        yield f"keypoints has {len(values)} numbers, which is no multiple of 3"
        return
    table = np.reshape(np.asarray(values, np.float64), (-1, 3))
    for number, (x, y, value) in enumerate(table.tolist()):
        if value not in VISIBILITY:
            yield f"keypoint {number} has visibility {value}"
        elif value == 0.0 and (x, y) != (0.0, 0.0):
            yield f"keypoint {number} is not labelled, but lies at {x}, {y}"
        elif not (0.0 <= x <= size[0] and 0.0 <= y <= size[1]):
            yield f"keypoint {number} lies at {x}, {y}, outside of the frame"
