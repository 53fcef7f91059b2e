"""What all formats have in common: classes, frames and the instances seen in them, as plain records.

A dataset of ours, or the folder of any format, is read into these; every format is written from them. A fact that a
format does not hold is None. Pixels, cameras and poses as in docs/formats.md: origin in the image's corner, half-open
boxes; the camera's x is right, y up, and it looks along -z.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]  # x, y, width, height [px]


@dataclass(frozen=True)
class Category:
    """A class; `id` is that of the taxonomy, or of the format that it was read from."""

    id: int
    key: str
    name: str = ""
    supercategory: str = ""
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()  # counted from 0
    sigmas: tuple[float, ...] = ()


@dataclass(frozen=True)
class Mask:
    """A mask as compressed COCO counts on a canvas of `height` x `width` whose corner lies at `x`, `y` of the image."""

    counts: bytes
    height: int
    width: int
    x: int = 0
    y: int = 0


@dataclass(frozen=True)
class Amodal:
    """The whole silhouette, also what is hidden or outside of the frame."""

    mask: Mask | None  # on a canvas of the size of `box`
    box: Box
    in_frame_px: int
    full_px: int
    is_cut: bool  # it reaches the border of the window in which silhouettes are followed: there may be more
    occluder: int  # instance that hides most of it, 0: none
    occluder_px: int


@dataclass(frozen=True)
class Solid:
    """Pose and box in space; see engine/labels/model.py."""

    world_from_object: Array  # [3, 4], orthonormal
    size_m: Array  # [3]
    center_m: Array  # [3], in the object's frame
    corners_px: Array  # [8, 2], NaN: not seen
    asset: int | None = None


@dataclass(frozen=True)
class Instance:
    """One object in one frame."""

    id: int  # unique in the frame; `inst_id` of our index, the track in a sequence
    category: str  # key of its class
    box: Box  # of the visible pixels
    visible_px: int | None = None
    mask: Mask | None = None  # on the canvas of the frame
    depth_m: float | None = None  # least planar depth of its visible pixels
    amodal: Amodal | None = None
    solid: Solid | None = None
    oriented_box: Array | None = None  # [4, 2] px
    keypoints: Array | None = None  # [k, 3]: x, y [px], 0 not labelled | 1 hidden | 2 visible
    path: str = ""  # prim path
    is_crowd: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)  # what a format holds beside
    lies_on: int = 0  # the instance that bears this defect, which has no silhouette or body; 0: it is no defect

    @property
    def occlusion(self) -> float | None:
        """Share of what the frame could show of it that others hide."""
        if self.amodal is None or self.visible_px is None or not self.amodal.in_frame_px:
            return None
        return 1.0 - self.visible_px / self.amodal.in_frame_px

    @property
    def truncation(self) -> float | None:
        """Share of it that lies outside the frame."""
        if self.amodal is None or not self.amodal.full_px:
            return None
        return 1.0 - self.amodal.in_frame_px / self.amodal.full_px


@dataclass(frozen=True)
class Frame:
    """One picture with what is seen in it; unlabelled instances are not here."""

    id: int
    width: int
    height: int
    instances: tuple[Instance, ...]
    files: Mapping[str, Path]  # role (image, depth, instance_map, ...) -> file
    world: int = 0
    step: int = 0
    camera: int = 0
    k: Array | None = None  # [3, 3]
    world_from_camera: Array | None = None  # [4, 4]
    row: Mapping[str, Any] = field(default_factory=dict)  # of index/frames.parquet, where it comes from one
    stem: str = ""  # of file names that are made of it; "": that of its image


class Source(Protocol):
    """Frames in the order of their ids, read again at every call, so that memory stays that of a part."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """All classes, sorted by id, seen or not."""

    @property
    def name(self) -> str:
        """What the data are called, for titles and folders."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames, those without instances as well."""
