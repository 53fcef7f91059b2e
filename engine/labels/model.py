"""Labels: flat tables keyed by (view, instance)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Amodal:
    """Whole silhouettes, as if nothing stood in front, also beyond the frame: of the rows of `Labels`.

    They are followed up to a margin around the frame; a silhouette that reaches its border is `is_cut`: then `full_px`
    is the least that it has.
    """

    in_frame_px: NDArray[np.int32]  # [row], pixels of the frame
    full_px: NDArray[np.int32]  # [row], all pixels
    box_px: NDArray[np.int32]  # [row, 4]: x0, y0, x1, y1, half-open, may reach outside the frame
    is_cut: NDArray[np.bool_]  # [row]
    rle: tuple[bytes, ...]  # [row], compressed COCO counts on a canvas of the size of `box_px`
    occluder: NDArray[np.int32]  # [row], the instance that hides most of it inside the frame, the lower of two; 0: none
    occluder_px: NDArray[np.int32]  # [row], that it hides


@dataclass(frozen=True)
class Solid:
    """Where the rows of `Labels` stand, and their boxes in space.

    An object's frame is that of its instance without scale and shear; its box has the axes of that frame and is tight
    around all its points.
    """

    world_from_object: NDArray[np.float64]  # [row, 3, 4], orthonormal, right-handed
    size_m: NDArray[np.float64]  # [row, 3], of the box
    center_m: NDArray[np.float64]  # [row, 3], of the box in the object's frame
    corners_px: NDArray[np.float32]  # [row, 8, 2], bit a of corner i: +size/2 along axis a; NaN: no ray has it
    range_m: NDArray[np.float32]  # [row], from the camera's centre to that of the box
    azimuth_rad: NDArray[np.float32]  # [row], direction to the camera in the object's frame: from +x towards +y
    elevation_rad: NDArray[np.float32]  # [row], likewise: from the xy plane towards +z
    oriented_box_px: NDArray[np.float32]  # [row, 4, 2], corners of the smallest rectangle around the visible pixels
    asset: NDArray[np.uint64]  # [row], hash of the instance's meshes: equal for copies of one asset


@dataclass(frozen=True)
class Marks:
    """Defects and near-misses that a view sees, sorted by (view, slot); see engine/defect.py.

    Where two defects overlap the later slot has the pixel; near-misses are kept apart and never take one from a defect.
    """

    view: NDArray[np.int32]  # [row]
    slot: NDArray[np.int32]  # [row], of `Draft.defect` in the row of that view
    number: NDArray[np.int32]  # [row], of the slot among those of its entry
    instance: NDArray[np.int32]  # [row], the instance that bears it
    class_id: NDArray[np.int32]  # [row]
    kind: NDArray[np.int32]  # [row], engine.defect.DefectKind
    entry: tuple[str, ...]  # [row], the randomiser that made it
    handling_step: tuple[str, ...]  # [row]
    visible_px: NDArray[np.int32]  # [row], pixels whose centre it covers by half or more
    box_px: NDArray[np.int32]  # [row, 4]: x0, y0, x1, y1, half-open
    rle: tuple[bytes, ...]  # [row], compressed COCO counts on the canvas of the frame
    oriented_box_px: NDArray[np.float32]  # [row, 4, 2], corners of the smallest rectangle around the pixels
    contrast: NDArray[np.float32]  # [row], mean luma of its pixels minus that of the ring around it, 1: black to white
    cnr: NDArray[np.float32]  # [row], |contrast| over the ring's standard deviation of luma; NaN: no ring
    record: NDArray[np.float32]  # [row, 32]


@dataclass(frozen=True)
class Labels:
    """One row for every instance seen in a view, unlabelled ones included, sorted by (view, instance).

    Pixels: see docs/formats.md.
    """

    view: NDArray[np.int32]  # [row]
    instance: NDArray[np.int32]  # [row], index into Scene.instances
    class_id: NDArray[np.int32]  # [row]
    visible_px: NDArray[np.int32]  # [row], pixels whose centre sees the instance
    box_px: NDArray[np.int32]  # [row, 4]: x0, y0, x1, y1; half-open, tight around the visible pixels
    distance_m: NDArray[np.float32]  # [row], smallest planar depth of the instance's visible pixels
    rle: tuple[bytes, ...]  # [row], compressed COCO counts of the visible mask, column-major
    amodal: Amodal | None = None  # None: not asked for
    solid: Solid | None = None  # None: the frames were not made from a draft
    keypoints: tuple[NDArray[np.float32], ...] | None = None  # [row] of [3 * k]: x, y [px], v of the class's keypoints
    marks: Marks | None = None  # rows of their own; None: the recipe has no defects


def joined_labels(parts: Sequence[Labels], views: Sequence[int]) -> Labels:
    """Return the labels of parts of a batch as those of the whole; `views` says how many each part has."""
    if len(parts) == 1:
        return parts[0]
    offset = np.concatenate([[0], np.cumsum(views)]).astype(np.int32)
    moved = [dataclasses.replace(part, view=part.view + first) for part, first in zip(parts, offset[:-1], strict=True)]
    amodal = [part.amodal for part in parts if part.amodal is not None]
    columns = [field.name for field in dataclasses.fields(Amodal)]
    whole = Amodal(**{name: _joined(amodal, name) for name in columns}) if amodal else None
    names = ("view", "instance", "class_id", "visible_px", "box_px", "distance_m", "rle")
    return Labels(**{name: _joined(moved, name) for name in names}, amodal=whole)


def _joined(parts: Sequence[Any], name: str) -> Any:
    """Return a column of all parts in one."""
    values = [getattr(part, name) for part in parts]
    return sum(values, ()) if isinstance(values[0], tuple) else np.concatenate(values)
