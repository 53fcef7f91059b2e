"""Labels of a frame drawn over a picture by Pillow: boxes, boxes in space, masks, silhouettes, keypoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.formats.record import Category, Frame, Instance, Mask
from engine.validate.rle import runs_of
from engine.write.contact_sheet import class_color

EDGES = tuple((i, i | 1 << axis) for i in range(8) for axis in range(3) if not i >> axis & 1)  # of Solid.corners_px
FRONT = (255, 255, 255)
MASK_OPACITY = 0.45
LARGEST_MARKED = 0.5  # of the frame; filled, walls and floors would hide everything else
VISIBLE, HIDDEN = 2, 1  # keypoints
POINT_RADIUS_PX = 3


@dataclass(frozen=True)
class Canvas:
    """A picture that is drawn on, and how much smaller it is than the frame."""

    image: Image.Image
    scale: tuple[float, float]
    categories: Mapping[str, Category]

    def color(self, instance: Instance) -> tuple[int, int, int]:
        """Return the colour of an instance's class."""
        category = self.categories.get(instance.category)
        return class_color(0 if category is None else category.id)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a place of the frame lies on the picture."""
        return x * self.scale[0], y * self.scale[1]


def draw_overlay(kind: str, frame: Frame, picture: Image.Image, categories: Mapping[str, Category]) -> Image.Image:
    """Return the picture, of any size, with one kind of label over it."""
    scale = picture.width / frame.width, picture.height / frame.height
    canvas = Canvas(picture.convert("RGB"), scale, categories)
    for instance in sorted(frame.instances, key=lambda i: -(i.visible_px or 0)):
        if HAS[kind](instance):
            _DRAW[kind](canvas, frame, instance)
    return canvas.image


def decode_mask(mask: Mask) -> NDArray[np.bool_]:
    """Return a mask on its canvas, [y, x]; all False if its counts do not fill it."""
    runs = runs_of(mask.counts.decode("latin-1"))
    if runs is None or sum(runs) != mask.height * mask.width:
        return np.zeros((mask.height, mask.width), np.bool_)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(mask.width, mask.height).T


def outline_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask that touch what is not of it."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def _boxes(canvas: Canvas, frame: Frame, instance: Instance) -> None:
    draw = ImageDraw.Draw(canvas.image)
    x, y, width, height = instance.box
    left, top = canvas.at(x, y)
    right, bottom = canvas.at(x + width, y + height)
    color = canvas.color(instance)
    draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=color)
    font = ImageFont.load_default(11)
    name = instance.category[:24]
    if draw.textlength(name, font) + 4 <= right - left and bottom - top >= 26:
        draw.rectangle((left, top, left + draw.textlength(name, font) + 4, top + 13), fill=color)
        draw.text((left + 2, top), name, (0, 0, 0), font)


def _oriented(canvas: Canvas, frame: Frame, instance: Instance) -> None:
    if instance.oriented_box is not None and np.isfinite(instance.oriented_box).all():
        corners = [canvas.at(*corner) for corner in instance.oriented_box.tolist()]
        ImageDraw.Draw(canvas.image).line([*corners, corners[0]], canvas.color(instance), 2)


def _boxes_3d(canvas: Canvas, frame: Frame, instance: Instance) -> None:
    assert instance.solid is not None
    draw, corners = ImageDraw.Draw(canvas.image), instance.solid.corners_px
    limit = 20.0 * max(frame.width, frame.height)  # a corner beside the camera lies anywhere
    for a, b in EDGES:
        ends = corners[[a, b]]
        if np.isfinite(ends).all() and np.abs(ends).max() < limit:
            is_top = bool(a & 4 and b & 4)
            line = [canvas.at(*end) for end in ends.tolist()]
            draw.line(line, FRONT if is_top else canvas.color(instance), 2)


def _masks(canvas: Canvas, frame: Frame, instance: Instance) -> None:
    assert instance.mask is not None
    is_large = instance.box[2] * instance.box[3] >= LARGEST_MARKED * frame.width * frame.height
    _blend(canvas, frame, instance.mask, canvas.color(instance), 0.0 if is_large else MASK_OPACITY)


def _amodal(canvas: Canvas, frame: Frame, instance: Instance) -> None:
    assert instance.amodal is not None and instance.amodal.mask is not None  # noqa: PT018
    _blend(canvas, frame, instance.amodal.mask, canvas.color(instance), 0.0)


def _blend(canvas: Canvas, frame: Frame, mask: Mask, color: tuple[int, int, int], opacity: float) -> None:
    """Tint a mask and draw its outline; what lies outside of the frame is left out."""
    whole = decode_mask(mask)
    placed = np.zeros((frame.height, frame.width), np.bool_)
    x0, x1 = max(0, mask.x), min(frame.width, mask.x + mask.width)
    y0, y1 = max(0, mask.y), min(frame.height, mask.y + mask.height)
    if x0 >= x1 or y0 >= y1:
        return
    placed[y0:y1, x0:x1] = whole[y0 - mask.y : y1 - mask.y, x0 - mask.x : x1 - mask.x]
    size = canvas.image.size
    small = np.array(Image.fromarray(placed.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)) > 0
    rows, columns = np.flatnonzero(small.any(axis=1)), np.flatnonzero(small.any(axis=0))
    if not rows.size:
        return
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    place = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    strength = np.where(outline_of(small)[part], 1.0, opacity * small[part])[..., None]
    mixed = np.array(canvas.image.crop(place)) * (1.0 - strength) + np.array(color) * strength
    canvas.image.paste(Image.fromarray(np.rint(mixed).astype(np.uint8)), place)


def _keypoints(canvas: Canvas, frame: Frame, instance: Instance) -> None:
    assert instance.keypoints is not None
    draw, points, color = ImageDraw.Draw(canvas.image), instance.keypoints, canvas.color(instance)
    category = canvas.categories.get(instance.category)
    for a, b in () if category is None else category.skeleton:
        if max(a, b) < len(points) and min(points[a, 2], points[b, 2]) > 0 and np.isfinite(points[[a, b]]).all():
            draw.line([canvas.at(*points[a, :2]), canvas.at(*points[b, :2])], color, 2)
    for x, y, v in points.tolist():
        if v > 0 and np.isfinite([x, y]).all():
            centre = canvas.at(x, y)
            draw.circle(centre, POINT_RADIUS_PX, color if v == VISIBLE else (0, 0, 0), FRONT)


def _has_amodal(instance: Instance) -> bool:
    return instance.amodal is not None and instance.amodal.mask is not None


HAS: Mapping[str, Callable[[Instance], bool]] = MappingProxyType({
    "boxes": lambda i: True, "oriented_boxes": lambda i: i.oriented_box is not None,
    "boxes_3d": lambda i: i.solid is not None, "masks": lambda i: i.mask is not None,
    "amodal": _has_amodal, "keypoints": lambda i: i.keypoints is not None,
})  # fmt: skip
_DRAW: Mapping[str, Callable[[Canvas, Frame, Instance], None]] = MappingProxyType({
    "boxes": _boxes, "oriented_boxes": _oriented, "boxes_3d": _boxes_3d, "masks": _masks, "amodal": _amodal,
    "keypoints": _keypoints,
})  # fmt: skip
