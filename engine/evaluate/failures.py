"""The frames where a model fails most, as small pictures with ground truth and predictions drawn over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.evaluate.figures import LOOSE
from engine.evaluate.match import Matches
from engine.evaluate.predictions import Predictions
from engine.evaluate.shapes import box_of
from engine.evaluate.truth import Truth
from engine.formats.record import Mask
from engine.view.color import colorize, read_values
from engine.view.overlay import decode_mask, outline_of
from engine.write.files import inside
from engine.write.record import read_json

WIDTH_PX = 420  # of a picture on the page
QUALITY = 80
COLORS = {"found": (95, 211, 141), "missed": (255, 107, 107), "hit": (90, 169, 255), "alarm": (255, 180, 84)}
Box = tuple[float, float, float, float]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Shape:
    """An instance or a prediction over its picture."""

    kind: str  # of COLORS
    text: str
    box: Box | None  # x, y, width, height [px]
    mask: Any  # COCO's segmentation, or None
    points: Points  # keypoints [px]


@dataclass(frozen=True)
class Failure:
    """A frame and what is wrong in it."""

    image: int  # row of the matches
    path: str
    size: tuple[int, int]
    missed: int
    alarms: int
    shapes: tuple[Shape, ...]


def worst_frames(matches: Matches, count: int, score: float) -> list[tuple[int, int, int]]:
    """Return the pictures with the most misses and sure false alarms, the worst first: row, misses, false alarms.

    A miss weighs 1 and a false alarm its score, where scores are between 0 and 1.
    """
    images = len(matches.image_ids)
    missed = ~(matches.truth_score[:, LOOSE] >= score) & ~matches.truth_ignored
    alarm = is_alarm(matches, score)
    misses = np.bincount(matches.truth_image[missed], minlength=images)
    alarms = np.bincount(matches.found_image[alarm], minlength=images)
    weight = np.bincount(matches.found_image[alarm], matches.found_score[alarm].clip(0.0, 1.0), images)
    order = np.argsort(-(misses + weight), kind="stable")[:count]
    return [(row, int(misses[row]), int(alarms[row])) for row in order.tolist() if misses[row] + alarms[row]]


def is_alarm(matches: Matches, score: float) -> NDArray[np.bool_]:
    """Return which predictions of at least this score found nothing."""
    nothing = (matches.found_truth[:, LOOSE] < 0) & ~matches.found_ignored[:, LOOSE]
    return nothing & (matches.found_score >= score)


def failures_of(truth: Truth, matches: Matches, predictions: Predictions, count: int, score: float) -> list[Failure]:
    """Return the worst frames with everything that is drawn over them."""
    worst = worst_frames(matches, count, score)
    labels = read_json(truth.labels)
    size_of = {int(one["id"]): (int(one["width"]), int(one["height"])) for one in labels["images"]}
    wanted = {int(matches.image_ids[row]) for row, _, _ in worst}
    annotation_of = {int(one["id"]): one for one in labels["annotations"] if one["image_id"] in wanted}
    alarm = is_alarm(matches, score)
    found = []
    for row, misses, alarms in worst:
        shapes = [*_truths(matches, row, annotation_of, score), *_found(matches, row, predictions, alarm, score)]
        size = size_of[int(matches.image_ids[row])]
        found.append(Failure(row, truth.path[row], size, misses, alarms, tuple(shapes)))
    return found


def _truths(matches: Matches, row: int, annotations: Mapping[int, Any], score: float) -> list[Shape]:
    shapes = []
    for number in np.flatnonzero((matches.truth_image == row) & ~matches.truth_ignored).tolist():
        kind = "found" if matches.truth_score[number, LOOSE] >= score else "missed"
        name = matches.categories[int(matches.truth_class[number])]
        shapes.append(_shape(kind, f"{name}, {kind}", annotations[int(matches.truth_id[number])]))
    return shapes


def _found(matches: Matches, row: int, predictions: Predictions, alarm: NDArray[np.bool_], score: float) -> list[Shape]:
    shapes = []
    for number in np.flatnonzero((matches.found_image == row) & (matches.found_score >= score)).tolist():
        kind = "alarm" if alarm[number] else "hit"
        name = matches.categories[int(matches.found_class[number])]
        words = "false alarm" if alarm[number] else "prediction"
        text = f"{name} {matches.found_score[number]:.2f}, {words}"
        shapes.append(_shape(kind, text, predictions.instances[int(matches.found_entry[number])]))
    return shapes


def _shape(kind: str, text: str, entry: Mapping[str, Any]) -> Shape:
    points = entry.get("keypoints") or []
    shown = tuple(
        (float(x), float(y)) for x, y, v in zip(points[::3], points[1::3], points[2::3], strict=True) if v > 0
    )
    mask = entry.get("segmentation")
    place = None if shown and entry.get("bbox") is None else box_of(entry)
    return Shape(kind, text, place, mask if isinstance(mask, dict) else None, shown)


def picture_uri(truth: Truth, failure: Failure) -> str:
    """Return the picture with outlines of masks, small, as a data URI; nothing if it cannot be read."""
    try:
        values = read_values(inside(truth.dataset, failure.path))
    except (UserError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    picture = Image.fromarray(colorize("image", values)).convert("RGB")
    width = min(WIDTH_PX, picture.width)
    size = width, max(1, round(width * picture.height / picture.width))
    pixels = np.array(picture.resize(size, Image.Resampling.LANCZOS))
    _draw_masks(pixels, failure.shapes)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _draw_masks(pixels: NDArray[np.uint8], shapes: Sequence[Shape]) -> None:
    for shape in shapes:
        if shape.mask is None:
            continue
        mask = Image.fromarray(_decoded(shape.mask)).resize(
            (pixels.shape[1], pixels.shape[0]), Image.Resampling.NEAREST
        )
        pixels[outline_of(np.asarray(mask))] = COLORS[shape.kind]


def _decoded(segmentation: Mapping[str, Any]) -> NDArray[np.bool_]:
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    data = counts if isinstance(counts, bytes) else str(counts).encode("latin-1")
    return decode_mask(Mask(data, height, width))
