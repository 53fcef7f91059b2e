"""One row of a KITTI object label: 2D box, size, centre of the bottom and heading in the rectified camera frame.

Source: devkit of the KITTI object benchmark, readme.txt; x right, y down, z forward, alpha = rotation_y - atan2(x, z).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.validate.finding import Finding, shown

COLUMNS = 15  # and a score, in files of results
TYPES = frozenset(
    ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc", "DontCare", "Person")
)
ANGLE_TOLERANCE_RAD = 0.1  # KITTI rounds to hundredths and measures alpha at another point of the box
ANGLE_RANGE_SLACK_RAD = 0.01  # of pi, written with two decimals
BORDER_PX = 1.0
LEAST_INSIDE = 0.5  # share of the 2D box that the projection of the 3D box must hold
LEAST_OVERLAP = 0.3  # intersection over union where the whole object is seen
LEAST_SIDE_PX = 6.0  # of a 2D box that says anything: rows hold whole pixels
ROUNDING_PX = 2.0  # places are rounded to centimetres, boxes to pixels
MOST_TYPES = 1000  # unknown ones that are named
NEAR_M = 0.1  # corners nearer than this are not projected
UNKNOWN_TRUNCATED, UNKNOWN_OCCLUDED = -1.0, 3.0
DONTCARE = (-1.0, -1.0, -10.0)
DONTCARE_TAIL = (-1.0, -1.0, -1.0, -1000.0, -1000.0, -1000.0, -10.0)


@dataclass
class Seen:
    """What the rows of a folder have in common."""

    rows: int = 0  # of objects
    is_hidden_ever: bool = False  # truncated or occluded is not 0 somewhere
    unknown_types: set[str] = field(default_factory=set)
    rows_without_solid: int = 0
    shifts: list[float] = field(default_factory=list)  # of 3D boxes against 2D ones, in heights of these, downwards


@dataclass(frozen=True)
class Place:
    """Where a row stands, and what it is compared with."""

    file: str
    number: int
    size: tuple[int, int] | None  # of the image [px]
    projection: NDArray[np.float64] | None  # [3, 4]

    def finding(self, rule: str, value: str, expected: str) -> Finding:
        """Return a finding of this row."""
        return Finding(self.file, f"line {self.number}", rule, value, expected)


def check_object(place: Place, kind: str, values: list[float], seen: Seen) -> Iterator[Finding]:
    """Yield what is wrong with the values of a row after its type, at least 14 finite numbers."""
    truncated, occluded, alpha = values[:3]
    box, size, location, rotation = values[3:7], values[7:10], values[10:13], values[13]
    if kind == "DontCare":
        tail = tuple(values[7:14])
        if tuple(values[:3]) != DONTCARE or tail != DONTCARE_TAIL or not _is_box(box):
            yield place.finding("dontcare-malformed", shown(values), "-1 -1 -10, a box, -1 -1 -1 -1000 -1000 -1000 -10")
        return
    seen.rows += 1
    seen.is_hidden_ever = seen.is_hidden_ever or truncated != 0 or occluded != 0
    if kind not in TYPES and kind not in seen.unknown_types and len(seen.unknown_types) < MOST_TYPES:
        seen.unknown_types.add(kind)
        yield place.finding("type-unknown", shown(kind), "a type of KITTI")
    is_unknown = truncated == UNKNOWN_TRUNCATED and occluded == UNKNOWN_OCCLUDED
    if not 0.0 <= truncated <= 1.0 and not is_unknown:
        yield place.finding("truncated-range", f"{truncated:g}", "0 to 1")
    if occluded not in (0, 1, 2, 3):
        yield place.finding("occluded-range", f"{occluded:g}", "0, 1, 2 or 3")
    faults = list(_check_box(place, box))
    if (alpha, *values[7:14]) == (DONTCARE[2], *DONTCARE_TAIL):
        seen.rows_without_solid += 1
        yield from faults
        return
    faults += _check_solid(place, size, location, (alpha, rotation))
    yield from faults
    if not faults and place.projection is not None:
        yield from _check_projection(place, values, seen)


def _is_box(box: list[float]) -> bool:
    return box[0] < box[2] and box[1] < box[3]


def _check_box(place: Place, box: list[float]) -> Iterator[Finding]:
    if not _is_box(box):
        yield place.finding("box-inverted", shown(box), "left < right and top < bottom")
    elif place.size is not None:
        slack = BORDER_PX
        low, high = min(box[:2]), (box[2] - place.size[0], box[3] - place.size[1])
        if low < -slack or max(high) > slack:
            yield place.finding("box-leaves-image", shown(box), f"a box inside {place.size[0]}x{place.size[1]}")


def _check_solid(
    place: Place, size: list[float], location: list[float], angles: tuple[float, float]
) -> Iterator[Finding]:
    alpha, rotation = angles
    if min(size) <= 0:
        yield place.finding("dimensions-not-positive", shown(size), "height, width and length above 0")
    if location == [0.0, 0.0, 0.0] or min(location) <= -1000.0:
        yield place.finding("location-missing", shown(location), "x, y, z in metres")
        return
    if location[2] <= 0:
        yield place.finding("location-behind", shown(location), "z above 0")
    limit = math.pi + ANGLE_RANGE_SLACK_RAD
    is_in_range = True
    for rule, angle in (("alpha-range", alpha), ("rotation-range", rotation)):
        if abs(angle) > limit:
            is_in_range = False
            yield place.finding(rule, f"{angle:g}", "-pi to pi")
    wanted = math.remainder(rotation - math.atan2(location[0], location[2]), 2.0 * math.pi)
    if is_in_range and abs(math.remainder(alpha - wanted, 2.0 * math.pi)) > ANGLE_TOLERANCE_RAD:
        yield place.finding("alpha-inconsistent", f"{alpha:g}", f"{wanted:.2f}, rotation_y - atan2(x, z)")


def corners_of(values: list[float]) -> NDArray[np.float64]:
    """Return the 8 corners of the 3D box, camera frame, shape [8, 3]."""
    height, width, length = values[7:10]
    x = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
    y = np.array([0, 0, 0, 0, -1, -1, -1, -1]) * height
    z = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * width / 2
    cosine, sine = math.cos(values[13]), math.sin(values[13])
    turned = np.stack([cosine * x + sine * z, y, -sine * x + cosine * z], axis=1)
    corners: NDArray[np.float64] = turned + np.array(values[10:13])
    return corners


def _check_projection(place: Place, values: list[float], seen: Seen) -> Iterator[Finding]:
    """Yield where the projection of the 3D box has little to do with the 2D box."""
    corners = corners_of(values)
    if corners[:, 2].min() < NEAR_M or place.projection is None:
        return
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        homogeneous = np.column_stack([corners, np.ones(8)]) @ place.projection.T
        points = homogeneous[:, :2] / homogeneous[:, 2:]
    if not np.isfinite(points).all():
        return
    box = np.array(values[3:7])
    around = np.concatenate([points.min(axis=0), points.max(axis=0)])
    if place.size is not None:
        around = np.clip(around, 0, [*place.size, *place.size])
    wide = around + ROUNDING_PX * np.array([-1, -1, 1, 1])
    shared = _overlap(box, wide)
    inside = shared / _area(box)
    overlap = max(_union_share(box, around), _union_share(box, wide))
    is_whole = values[0] <= 0.05 and values[1] == 0
    is_small = min(box[2] - box[0], box[3] - box[1]) < LEAST_SIDE_PX
    if is_whole:
        seen.shifts.append(float((around[1] + around[3] - box[1] - box[3]) / 2.0 / (box[3] - box[1])))
    if not is_small and (inside < LEAST_INSIDE or (is_whole and overlap < LEAST_OVERLAP)):
        value = f"2D box {shown([round(float(v), 1) for v in box])}, overlap {overlap:.2f}"
        yield place.finding(
            "projection-far", value, f"near {shown([round(float(v), 1) for v in around])} of the 3D box"
        )


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return _area(np.concatenate([np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])]))


def _union_share(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    shared = _overlap(a, b)
    return shared / (_area(a) + _area(b) - shared)


def _area(box: NDArray[np.float64]) -> float:
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))
