"""Cut-outs as pictures on a page: the pixels as they are, and labels over them that can be taken away."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.audit.cut import Place
from engine.formats.masks import rings_of, within_frame
from engine.formats.record import Frame, Instance
from engine.shift.pictures import Pictures, read_frames, read_rgb

WIDEST_PX = 320  # of a whole picture on the page
EXACT_PX = 160  # squares up to this side keep every pixel, for their noise is what is looked at
MARGIN = 1.25  # of the sides of what a crop shows
QUALITY = 88
LONGEST_TITLE = 60  # characters


@dataclass(frozen=True)
class Outline:
    """A label: its kind is a class of the page's style."""

    kind: str  # failed | alarm | own | other
    title: str
    path: str  # of SVG, in pixels of the frame


@dataclass(frozen=True)
class Shown:
    """A picture and its labels; `window` is x, y, width and height of what it shows in its frame [px]."""

    uri: str
    window: tuple[int, int, int, int]
    square: tuple[int, int, int] | None  # corner and side of what was measured, where more than it is shown
    outlines: tuple[Outline, ...]
    path: str  # of the file, relative to the dataset


def show(
    pictures: Pictures, wanted: Iterable[tuple[Place, bool, str]], side_px: int
) -> dict[tuple[Place, bool], Shown]:
    """Return pictures of places.

    Args:
        pictures: The dataset.
        wanted: A place, whether its whole picture is shown, and the kind of the outline of what is there.
        side_px: Of the squares that were measured.
    Raises:
        UserError: If a picture is missing or damaged.
    """
    of_frame: dict[int, list[tuple[Place, bool, str]]] = {}
    for one in wanted:
        of_frame.setdefault(one[0].frame_id, []).append(one)
    found = {}
    for frame in read_frames(pictures, of_frame):
        rgb = read_rgb(frame, max(frame.width, frame.height))
        path = str(frame.row.get("image", ""))
        for place, is_whole, kind in of_frame[frame.id]:
            window = (0, 0, frame.width, frame.height) if is_whole else _window(place, frame, side_px)
            square = None if is_whole or window[2] == side_px else (*place.corner, side_px)
            outlines = tuple(_outlines(frame, place, kind, window))
            found[place, is_whole] = Shown(_uri(rgb, window), window, square, outlines, path)
    return found


def _window(place: Place, frame: Frame, side_px: int) -> tuple[int, int, int, int]:
    """Return a square around all of a thing, at least what was measured."""
    x, y = place.corner
    if place.box is None or max(place.box[2:]) * MARGIN <= side_px:
        return x, y, side_px, side_px
    side = min(int(max(place.box[2:]) * MARGIN), frame.width, frame.height)
    middle = place.box[0] + place.box[2] / 2, place.box[1] + place.box[3] / 2
    left, top = (
        min(max(round(center - side / 2), 0), size - side)
        for center, size in zip(middle, (frame.width, frame.height), strict=True)
    )
    return left, top, side, side


def _outlines(frame: Frame, place: Place, kind: str, window: tuple[int, int, int, int]) -> Iterable[Outline]:
    """Yield the labels of a frame, that of the place last."""
    last: Outline | None = None
    for instance in frame.instances:
        is_own = bool(place.number) and instance.id == place.number
        is_own = is_own and ("handling_step" in instance.extra) == place.is_defect
        path = _path(instance, frame, window)
        if not path:
            continue
        outline = Outline(kind if is_own else "other", instance.category[:LONGEST_TITLE], path)
        if is_own:
            last = outline
        else:
            yield outline
    if last is not None:
        yield last
    elif place.box is not None and not place.number:
        yield Outline(kind, place.class_name[:LONGEST_TITLE], _box_path(place.box))


def _path(instance: Instance, frame: Frame, window: tuple[int, int, int, int]) -> str:
    if instance.mask is None:
        return _box_path(instance.box)
    x, y, width, height = window
    pixels = within_frame(instance.mask, frame.width, frame.height)[y : y + height, x : x + width]
    corners = [ring + np.array([x, y]) for ring in rings_of(pixels)]
    return "".join(_ring_path(ring.tolist()) for ring in corners)


def _ring_path(ring: Sequence[Sequence[int]]) -> str:
    (x, y), *rest = ring
    return f"M{x} {y}" + "".join(f"L{a} {b}" for a, b in rest) + "Z"


def _box_path(box: Sequence[float]) -> str:
    x, y, width, height = box
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}Z"


def _uri(rgb: NDArray[np.uint8], window: tuple[int, int, int, int]) -> str:
    x, y, width, height = window
    picture = Image.fromarray(rgb[y : y + height, x : x + width])
    buffer = io.BytesIO()
    if max(width, height) <= EXACT_PX:
        is_gray = bool((np.ptp(rgb[y : y + height, x : x + width], axis=2) == 0).all())
        (picture.convert("L") if is_gray else picture).save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        picture.thumbnail((WIDEST_PX, WIDEST_PX), Image.Resampling.LANCZOS)
        picture.save(buffer, "JPEG", quality=QUALITY)
        kind = "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
