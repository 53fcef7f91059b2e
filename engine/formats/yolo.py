"""YOLO in the conventions of ultralytics: `images/<split>/a.jpg`, `labels/<split>/a.txt`, data.yaml.

Every value is a share of the image's width or height, in 0..1; classes count from 0. Rows:

    detect   class cx cy w h
    segment  class x1 y1 x2 y2 ...: one ring just inside the edges of the mask's pixels; bridges join parts and holes
    pose     class cx cy w h, then x y v for every keypoint
    obb      class x1 y1 .. x4 y4

Source: https://docs.ultralytics.com/datasets/. data.yaml names no `path`: so its own folder is meant, wherever it lies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray

from engine.errors import UserError
from engine.formats.coco import NO_KEYPOINTS, NO_MASK, OUTSIDE, place_image
from engine.formats.masks import bridged, inset, rings_of, within_frame
from engine.formats.oriented import is_within, rectangle_within
from engine.formats.record import Box, Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext, FormatCategory, NoOptions
from engine.formats.yolo_read import NOT_SPLITS, read_yolo_detect, read_yolo_obb, read_yolo_pose, read_yolo_segment

DECIMALS = 9  # a millionth of a pixel in an image of 1000
# Trainers cut the points of a ring to whole numbers and paint its border as well (cv2.fillPoly). So little inside the
# edges of the mask's pixels, the border is that of the mask, and whoever fills by pixel centres has the same pixels.
INSET_PX = 1.0 / 64.0
TWICE = "same row as another instance"  # ultralytics keeps one of them
SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))
ENDS = (("_l", "_r"), ("_L", "_R"), (".l", ".r"), (".L", ".R"))
STARTS = (("l_", "r_"), ("L_", "R_"))

Row = Callable[[Frame, Instance, FormatCategory], "list[float] | str"]  # values of a row after the class, or why none


@dataclass(frozen=True)
class _Classes:
    """The classes of an export, and the number of each by its name."""

    categories: tuple[FormatCategory, ...]

    @property
    def number_of(self) -> dict[str, int]:
        return {c.name: number for number, c in enumerate(self.categories)}


@FORMATS.register("yolo-detect", NoOptions, "YOLO boxes: one text file an image", read=read_yolo_detect)
def write_yolo_detect(source: Source, context: ExportContext) -> None:
    """Write boxes."""
    _write(source, context, _Classes(context.categories), lambda frame, instance, _: box_row(instance.box, frame))


@FORMATS.register("yolo-seg", NoOptions, "YOLO polygons along the edges of pixels", read=read_yolo_segment)
def write_yolo_segment(source: Source, context: ExportContext) -> None:
    """Write polygons."""
    _write(source, context, _Classes(context.categories), lambda frame, instance, _: segment_row(instance, frame))


@FORMATS.register("yolo-pose", NoOptions, "YOLO keypoints: the classes that have some", read=read_yolo_pose)
def write_yolo_pose(source: Source, context: ExportContext) -> None:
    """Write boxes and keypoints of the classes that have keypoints; others cannot be in the same files.

    Raises:
        UserError: If no class has keypoints, or classes have different numbers of them.
    """
    categories = tuple(c for c in context.categories if c.keypoints)
    if not categories:
        raise UserError("--format yolo-pose: no class of the dataset has keypoints; name them in the scene's taxonomy")
    counts = {c.name: len(c.keypoints) for c in categories}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise UserError(
            f"--format yolo-pose: all classes need the same number of keypoints ({listed}); drop some with --classes"
        )
    more: dict[str, object] = {
        "kpt_shape": [len(categories[0].keypoints), 3],
        "flip_idx": flip_index(categories[0].keypoints),
    }
    if any(flip_index(c.keypoints) != more["flip_idx"] for c in categories):
        raise UserError(
            "--format yolo-pose: classes mirror their keypoints in different order; drop some with --classes"
        )
    more["kpt_names"] = {number: list(c.keypoints) for number, c in enumerate(categories)}
    _write(source, context, _Classes(categories), pose_row, more)


@FORMATS.register("yolo-obb", NoOptions, "YOLO oriented boxes around the visible pixels", read=read_yolo_obb)
def write_yolo_obb(source: Source, context: ExportContext) -> None:
    """Write oriented boxes."""
    _write(source, context, _Classes(context.categories), lambda frame, instance, _: oriented_row(instance, frame))


def _write(
    source: Source, context: ExportContext, classes: _Classes, row: Row, more: dict[str, object] | None = None
) -> None:
    taken = [split for split in context.splits if split in (*NOT_SPLITS, "images")]
    if taken:
        raise UserError(
            f"YOLO has another meaning for '{taken[0]}' in data.yaml or in paths; give the split another name"
        )
    number_of = classes.number_of
    for split in context.splits:
        (context.out / "labels" / split).mkdir(parents=True)
        (context.out / "images" / split).mkdir(parents=True)
    for frame in source.frames():
        split = context.split_of(frame)
        name = place_image(frame, split, context)
        lines: dict[str, None] = {}
        for instance in frame.instances:
            category = context.category_of[instance.category]
            values = row(frame, instance, category) if category.name in number_of else NO_KEYPOINTS
            if isinstance(values, str):
                context.count_drop(values)
                continue
            line = " ".join([str(number_of[category.name]), *map(number_text, values)])
            if line in lines:
                context.count_drop(TWICE)
            lines[line] = None
        path = (context.out / "labels" / split / name).with_suffix(".txt")
        path.write_text("".join(line + "\n" for line in lines), encoding="ascii")
    plain = data_yaml(context.splits, [c.name for c in classes.categories]) | (more or {})
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None)
    (context.out / "data.yaml").write_text(text, encoding="utf-8")


def data_yaml(splits: tuple[str, ...], names: list[str]) -> dict[str, object]:
    """Return data.yaml. ultralytics wants `train` and `val`: where no split has that name, the first, or the last."""
    folders = {"train": splits[0], "val": splits[-1]} | {split: split for split in splits}
    plain: dict[str, object] = {key: f"images/{split}" for key, split in folders.items()}
    return plain | {"nc": len(names), "names": dict(enumerate(names))}


def number_text(value: float) -> str:
    """Return a number without needless digits."""
    return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".") or "0"


def box_row(box: Box, frame: Frame) -> list[float] | str:
    """Return cx cy w h of a box cut to the frame."""
    x0, y0 = max(box[0], 0.0), max(box[1], 0.0)
    x1, y1 = min(box[0] + box[2], frame.width), min(box[1] + box[3], frame.height)
    if x0 >= x1 or y0 >= y1:
        return OUTSIDE
    return [
        (x0 + x1) / 2 / frame.width,
        (y0 + y1) / 2 / frame.height,
        (x1 - x0) / frame.width,
        (y1 - y0) / frame.height,
    ]


def segment_row(instance: Instance, frame: Frame) -> list[float] | str:
    """Return one ring around the mask."""
    rings = _rings(instance, frame)
    return _shares(bridged(rings, [inset(ring, INSET_PX) for ring in rings]), frame) if rings else NO_MASK


def pose_row(frame: Frame, instance: Instance, category: FormatCategory) -> list[float] | str:
    """Return the box and the keypoints; those that are not labelled or not in the frame are 0 0 0."""
    row = box_row(instance.box, frame)
    if isinstance(row, str):
        return row
    points = np.zeros((len(category.keypoints), 3)) if instance.keypoints is None else instance.keypoints
    if len(points) != len(category.keypoints):
        raise UserError(f"{instance.path}: {len(points)} keypoints of a class that has {len(category.keypoints)}")
    for x, y, visible in points.tolist():
        inside = visible > 0 and 0.0 <= x <= frame.width and 0.0 <= y <= frame.height
        row += [x / frame.width, y / frame.height, visible] if inside else [0.0, 0.0, 0.0]
    return row


def oriented_row(instance: Instance, frame: Frame) -> list[float] | str:
    """Return the corners of the smallest rectangle around the mask; one that leaves the frame is fitted anew inside."""
    corners = instance.oriented_box
    if corners is None or not is_within(corners, frame.width, frame.height):
        rings = _rings(instance, frame)
        if not rings:
            return NO_MASK
        corners = rectangle_within(np.concatenate(rings).astype(np.float64), frame.width, frame.height)
    return _shares(corners, frame)


def flip_index(names: tuple[str, ...]) -> list[int]:
    """Return which keypoint each becomes in a mirrored image: left and right change places where both are there."""
    place = {name: number for number, name in enumerate(names)}
    return [place.get(_mirrored(name), number) for number, name in enumerate(names)]


def _mirrored(name: str) -> str:
    for pair in SIDES:
        for one, other in (pair, pair[::-1]):
            if one in name:
                return name.replace(one, other)
    for pair in ENDS:
        for one, other in (pair, pair[::-1]):
            if name.endswith(one):
                return name.removesuffix(one) + other
    for pair in STARTS:
        for one, other in (pair, pair[::-1]):
            if name.startswith(one):
                return other + name.removeprefix(one)
    return name


def _rings(instance: Instance, frame: Frame) -> list[NDArray[np.int64]]:
    return [] if instance.mask is None else rings_of(within_frame(instance.mask, frame.width, frame.height))


def _shares(points: NDArray[np.float64], frame: Frame) -> list[float]:
    shares: list[float] = np.clip(points / [frame.width, frame.height], 0.0, 1.0).ravel().tolist()
    return shares
