"""One row of a YOLO label file, by the kind of its dataset: detect, segment, pose or obb."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from engine.validate.finding import Finding, shown

DETECT_COLUMNS, OBB_COLUMNS, LEAST_SEGMENT_COLUMNS = 5, 9, 7
PIXELS_FROM = 2.0  # coordinates from here on are pixels, those between 1 and here are too large
RIGHT_ANGLE_TOLERANCE_DEG = 5.0
ROUNDING = 1.0e-6  # of coordinates written with six decimals
BORDER_PX = 1.0  # by which a box may leave its image


@dataclass(frozen=True)
class Kind:
    """What rows of a dataset hold."""

    task: str  # detect, segment, pose, obb
    class_count: int | None
    keypoints: tuple[int, int] = (0, 3)

    @property
    def columns(self) -> str:
        """Say how many columns a row has."""
        if self.task == "pose":
            return str(DETECT_COLUMNS + self.keypoints[0] * self.keypoints[1])
        return {"detect": "5", "obb": "9", "segment": "7, 9, 11, ..."}[self.task]

    def fits(self, count: int) -> bool:
        """Return whether a row of so many columns is of this kind."""
        if self.task == "segment":
            return count >= LEAST_SEGMENT_COLUMNS and count % 2 == 1
        return str(count) == self.columns


@dataclass(frozen=True)
class Line:
    """A row with its place."""

    file: str
    number: int
    size: tuple[int, int] | None  # of the image [px]

    def finding(self, rule: str, value: str, expected: str) -> Finding:
        """Return a finding of this row."""
        return Finding(self.file, f"line {self.number}", rule, value, expected)


def check_row(line: Line, words: list[str], kind: Kind) -> Iterator[Finding]:
    """Yield what is wrong with a row; the number of its columns was looked at before."""
    values = numbers_of(words)
    if values is None:
        odd = next(word for word in words if _number(word) is None)
        yield line.finding("value-not-number", shown(odd), "a finite number")
        return
    class_id, rest = values[0], values[1:]
    if class_id != int(class_id):
        yield line.finding("class-not-integer", shown(words[0]), "a whole number")
    elif class_id < 0 or (kind.class_count is not None and class_id >= kind.class_count):
        last = "" if kind.class_count is None else f" to {kind.class_count - 1}"
        yield line.finding("class-out-of-range", shown(words[0]), f"a class from 0{last}")
    places = _coordinates(rest, kind)
    faults = list(_check_range(line, places))
    yield from faults
    if faults:
        return
    if kind.task in ("detect", "pose"):
        yield from _check_box(line, rest[:4])
    if kind.task == "segment":
        yield from _check_polygon(line, rest)
    if kind.task == "obb":
        yield from _check_oriented(line, rest)
    if kind.task == "pose":
        yield from _check_pose(line, rest, kind)


def numbers_of(words: list[str]) -> list[float] | None:
    """Return words as finite numbers, or None if one is not."""
    values = [_number(word) for word in words]
    return None if any(value is None for value in values) else [value for value in values if value is not None]


def _number(word: str) -> float | None:
    if len(word) > 64 or "_" in word:
        return None
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _coordinates(rest: list[float], kind: Kind) -> list[float]:
    """Return the values of a row that must be shares of the image: not the flags of keypoints."""
    if kind.task != "pose" or kind.keypoints[1] == 2:
        return rest
    return rest[:4] + [value for index, value in enumerate(rest[4:]) if index % 3 != 2]


def _check_range(line: Line, places: list[float]) -> Iterator[Finding]:
    low, high = min(places), max(places)
    if low < 0:
        yield line.finding("value-negative", f"{low:g}", "coordinates from 0 to 1")
    if high >= PIXELS_FROM:
        yield line.finding("value-in-pixels", f"{high:g}", "coordinates from 0 to 1, shares of the image")
    elif high > 1:
        yield line.finding("value-above-one", f"{high:g}", "coordinates from 0 to 1")


def _check_box(line: Line, box: list[float]) -> Iterator[Finding]:
    x, y, width, height = box
    if width <= 0 or height <= 0:
        yield line.finding("box-zero-size", shown(box), "a width and height above 0")
        return
    slack_x, slack_y = (BORDER_PX / side + ROUNDING for side in line.size or (100, 100))
    out_x, out_y = (max(width / 2 - x, x + width / 2 - 1), max(height / 2 - y, y + height / 2 - 1))
    if out_x > slack_x or out_y > slack_y:
        yield line.finding("box-leaves-image", shown(box), "a box inside the image")


def _check_polygon(line: Line, points: list[float]) -> Iterator[Finding]:
    if _area(points) < 1.0e-12:
        yield line.finding("polygon-zero-area", f"{len(points) // 2} points", "a ring around an area")


def _check_oriented(line: Line, points: list[float]) -> Iterator[Finding]:
    corners = [(points[i], points[i + 1]) for i in range(0, 8, 2)]
    turns = [_cross(corners[i - 2], corners[i - 1], corners[i]) for i in range(4)]
    if all(abs(turn) < 1.0e-12 for turn in turns):
        yield line.finding("obb-zero-area", shown(points), "four corners around an area")
    elif not (all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)):
        yield line.finding("obb-self-crossing", shown(points), "corners in the order around the box")
    elif line.size is not None:
        pixels = [(x * line.size[0], y * line.size[1]) for x, y in corners]
        off = max(abs(_angle_deg(pixels[i - 2], pixels[i - 1], pixels[i]) - 90.0) for i in range(4))
        sides = min(math.dist(pixels[i - 1], pixels[i]) for i in range(4))
        if off > RIGHT_ANGLE_TOLERANCE_DEG and sides > 10 * BORDER_PX and not _touches_border(corners):
            yield line.finding("obb-not-rectangle", f"{off:.1f} degrees off", "four right angles")


def _touches_border(corners: list[tuple[float, float]]) -> bool:
    """Return whether a corner was clipped to the image."""
    return any(value <= ROUNDING or value >= 1.0 - ROUNDING for corner in corners for value in corner)


def _check_pose(line: Line, rest: list[float], kind: Kind) -> Iterator[Finding]:
    x, y, width, height = rest[:4]
    step = kind.keypoints[1]
    for number in range(kind.keypoints[0]):
        point = rest[4 + number * step : 4 + (number + 1) * step]
        v = point[2] if step == 3 else 2.0
        value = f"keypoint {number} {shown(point)}"
        if v not in (0, 1, 2):
            yield line.finding("keypoint-visibility", value, "v of 0, 1 or 2")
        elif v == 0 and (point[0] != 0 or point[1] != 0):
            yield line.finding("keypoint-unlabelled-not-zero", value, "x = y = 0 where v = 0")
        elif (
            v > 0 and step == 3 and (abs(point[0] - x) > 1.5 * width + 0.05 or abs(point[1] - y) > 1.5 * height + 0.05)
        ):
            yield line.finding("box-not-keypoints", value, f"a point near the box {shown(rest[:4])}")


def _area(points: list[float]) -> float:
    x, y = points[0::2], points[1::2]
    return 0.5 * abs(sum(x[i - 1] * y[i] - x[i] * y[i - 1] for i in range(len(x))))


def _cross(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _angle_deg(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    one, two = math.atan2(a[1] - b[1], a[0] - b[0]), math.atan2(c[1] - b[1], c[0] - b[0])
    return abs(math.degrees(math.remainder(one - two, 2.0 * math.pi)))
