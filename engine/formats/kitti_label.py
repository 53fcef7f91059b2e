"""Lines of KITTI's label files and what they say in space.

KITTI's box stands upright: its height lies along the rectified camera's y, and it turns about y alone. Ours may stand
in any way before a camera that looks down, so that a line keeps the yaw and loses the rest, a tilt that is measured. A
rectified frame that is level (`level_from_opencv`) loses nothing of objects that stand upright in the world.

Height is the axis of the box that is nearest to the world's vertical; length is x of the object, or y where x is the
vertical one, and that is where the object heads.

Source: Geiger, Lenz and Urtasun, "Are we ready for autonomous driving? The KITTI vision benchmark suite", CVPR 2012,
and the readme.txt of its object development kit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.errors import UserError
from engine.formats.axes import KITTI_FROM_OBJECT, moved, opencv_from_object, opencv_from_world, wrapped
from engine.formats.record import Array, Box, Frame, Instance, Solid

DONT_CARE = "DontCare"
UNKNOWN_OCCLUSION = 3
COLUMNS = 15  # of a label; results have a score as the sixteenth
UNKNOWN_ANGLE_RAD, UNKNOWN_SIZE_M, UNKNOWN_PLACE_M = -10.0, -1.0, -1000.0
VERTICAL = 2  # axis of the world
STEEP = 1.0e-6  # of a direction: its horizontal part is none


@dataclass(frozen=True)
class KittiBox:
    """A box in the rectified camera frame: x right, y down, z ahead."""

    height_m: float
    width_m: float
    length_m: float
    bottom_m: tuple[float, float, float]  # centre of the bottom face
    rotation_y_rad: float
    alpha_rad: float  # rotation_y less the direction in which the object is seen


@dataclass(frozen=True)
class KittiLabel:
    """One line; `box` is left, top, right, bottom [px], `solid` None where nothing is known of it."""

    name: str
    truncated: float  # -1: unknown
    occluded: int  # 0 visible, 1 partly, 2 largely hidden, 3 or -1 unknown
    box: tuple[float, float, float, float]
    solid: KittiBox | None = None


def kitti_box(frame: Frame, solid: Solid, rectified_from_opencv: Array | None = None) -> tuple[KittiBox, float]:
    """Return the upright box of an object, and by what angle [rad] its own vertical differs from the frame's.

    Args:
        frame: That sees it.
        solid: Pose and box.
        rectified_from_opencv: Rotation [3, 3] of the rectified camera frame; None: the camera's own.
    """
    pose = opencv_from_object(frame, solid)
    if rectified_from_opencv is not None:
        pose[:3] = rectified_from_opencv @ pose[:3]
    up, forward, side = box_axes(solid)
    height_m, length_m, width_m = (float(solid.size_m[axis]) for axis in (up, forward, side))
    center = moved(pose, np.asarray(solid.center_m))
    bottom = center + np.array([0.0, 0.5 * height_m, 0.0])
    ahead = pose[:3, forward]
    yaw = wrapped(math.atan2(-ahead[2], ahead[0]))
    alpha = wrapped(yaw - math.atan2(center[0], center[2]))
    x, y, z = bottom.tolist()
    tilt_rad = math.acos(min(1.0, abs(float(pose[1, up]))))
    return KittiBox(height_m, width_m, length_m, (x, y, z), yaw, alpha), tilt_rad


def box_axes(solid: Solid) -> tuple[int, int, int]:
    """Return which axes of an object are its height, its length and its width."""
    up = int(np.argmax(np.abs(solid.world_from_object[VERTICAL, :3])))
    forward = 1 if up == 0 else 0
    return up, forward, 3 - up - forward


def level_from_opencv(frame: Frame) -> Array:
    """Return the rotation [3, 3] from a frame's camera to a level one of the same heading: y is the world's down.

    Of a camera that looks straight up or down the heading is that of the picture's top.
    """
    axes = opencv_from_world(frame)[:3, :3]  # columns: the world's axes
    ahead = axes[2] if np.hypot(axes[2, 0], axes[2, 1]) > STEEP else -axes[1] * np.sign(-axes[2, VERTICAL])
    z = np.array([ahead[0], ahead[1], 0.0]) / np.hypot(ahead[0], ahead[1])
    y = np.array([0.0, 0.0, -1.0])
    level_from_world = np.stack([np.cross(y, z), y, z])
    turn: Array = level_from_world @ axes.T
    return turn


def opencv_from_kitti_object(box: KittiBox) -> Array:
    """Return the pose [4, 4] of an object of KITTI in the rectified camera: at the bottom's centre, x ahead, z up."""
    sine, cosine = math.sin(box.rotation_y_rad), math.cos(box.rotation_y_rad)
    turn = np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])
    out = np.eye(4)
    out[:3, :3] = turn @ KITTI_FROM_OBJECT
    out[:3, 3] = box.bottom_m
    return out


@dataclass(frozen=True)
class Occlusions:
    """From which share of hidden pixels an object is partly, and largely hidden."""

    partly: float
    largely: float

    def level(self, instance: Instance) -> int:
        """Return KITTI's level; 3 where nothing is known."""
        share = instance.occlusion
        if share is None:
            return UNKNOWN_OCCLUSION
        return 0 if share < self.partly else 1 if share < self.largely else 2


def format_label(label: KittiLabel) -> str:
    """Return the line of a label, without a line break."""
    if any(c.isspace() for c in label.name) or not label.name:
        raise UserError(f"KITTI separates columns by spaces, and class '{label.name}' has one; map it to a word")
    numbers = [label.truncated]
    if label.solid is None:
        rest = [UNKNOWN_SIZE_M] * 3 + [UNKNOWN_PLACE_M] * 3 + [UNKNOWN_ANGLE_RAD]
        alpha = UNKNOWN_ANGLE_RAD
    else:
        box = label.solid
        rest = [box.height_m, box.width_m, box.length_m, *box.bottom_m, box.rotation_y_rad]
        alpha = box.alpha_rad
    words = [label.name, *map(_number, numbers), str(label.occluded), *map(_number, [alpha, *label.box, *rest])]
    return " ".join(words)


def dont_care(box: Box) -> str:
    """Return the line of a region that is neither an object nor background; `box` is x, y, width, height."""
    x, y, width, height = box
    return format_label(KittiLabel(DONT_CARE, -1.0, -1, (x, y, x + width, y + height)))


def parse_label(line: str, where: str) -> KittiLabel:
    """Return what a line says; a score is left out.

    Raises:
        UserError: If it is not a line of KITTI; `where` names it.
    """
    words = line.split()
    if len(words) not in (COLUMNS, COLUMNS + 1):
        raise UserError(f"{where}: {len(words)} columns, KITTI's labels have {COLUMNS}")
    try:
        values = [float(word) for word in words[1:]]
        occluded = int(values[1])
    except (ValueError, OverflowError) as error:
        raise UserError(f"{where}: not a number: {error}") from error
    truncated, _, alpha, left, top, right, bottom, height, width, length, x, y, z, yaw = values[: COLUMNS - 1]
    solid = None
    if height > 0.0 and x > UNKNOWN_PLACE_M:
        solid = KittiBox(height, width, length, (x, y, z), yaw, alpha)
    return KittiLabel(words[0], truncated, occluded, (left, top, right, bottom), solid)


def _number(value: float) -> str:
    """Return a number with six decimals at most, whole ones without a point."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def matrix_line(name: str, matrix: Array) -> str:
    """Return a line of a calibration file."""
    return f"{name}: " + " ".join(f"{value:.12e}" for value in np.asarray(matrix).ravel())


def parse_calibration(text: str, where: str) -> dict[str, Array]:
    """Return the matrices of a calibration file by name: P0..P3 and Tr_* [3, 4], R0_rect [3, 3].

    Raises:
        UserError: If a line is not one of them.
    """
    out: dict[str, Array] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, _, values = line.partition(":")
        try:
            flat = np.array([float(word) for word in values.split()])
            out[name.strip()] = flat.reshape(3, -1) if flat.size in (9, 12) else flat
        except ValueError as error:
            raise UserError(f"{where}, line {number}: {error}") from error
        if out[name.strip()].ndim != 2:
            raise UserError(f"{where}, line {number}: {name} has {flat.size} numbers, 9 or 12 are expected")
    return out
