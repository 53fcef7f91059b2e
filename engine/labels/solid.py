"""Where instances stand and their boxes in space: the part of labels that follows from the draft alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.frames import FrameKeys
from engine.labels.model import Labels, Solid
from engine.labels.rectangle import rectangles_of
from engine.labels.sight import Points, see
from engine.randomize.pose import apply, dot, length
from engine.recipe import Rig
from engine.scene.bounds import Shapes, object_boxes, object_frames
from engine.scene.model import Scene

CORNERS = 8

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SolidSource:
    """What a scene says of its instances, the same in every world, and the rig that sees them."""

    shapes: Shapes
    rig: Rig

    @classmethod
    def of(cls, scene: Scene, rig: Rig) -> SolidSource:
        """Return the source of a scene."""
        return cls(Shapes(scene), rig)


def with_solids(labels: Labels, keys: FrameKeys, draft: Draft, source: SolidSource) -> Labels:
    """Return labels with poses and boxes in space, see docs/formats.md.

    Args:
        labels: Of frames that were made from the draft.
        keys: Of those frames.
        draft: Where everything is at the middle of the shutter.
        source: Of the draft's scene.
    """
    view, instance = labels.view.astype(np.int64), labels.instance.astype(np.int64)
    row = view // max(draft.world_from_camera.shape[1], 1)
    world_from_instance = draft.world_from_instance[row, instance]
    pose, object_from_instance = object_frames(world_from_instance)
    low, high = object_boxes(object_from_instance, instance, source.shapes)
    size, center = high - low, 0.5 * (low + high)
    to_camera = keys.world_from_camera[view, :, 3] - apply(pose, center)
    seen_from = np.stack([dot(pose[:, :, axis], to_camera) for axis in range(3)], axis=-1)
    corner = center[:, None] + size[:, None] * corner_signs() * 0.5
    solid = Solid(
        world_from_object=pose,
        size_m=size,
        center_m=center,
        corners_px=_corners_px(apply(pose[:, None], corner), view, (row, instance), keys, draft, source.rig),
        range_m=length(to_camera).astype(np.float32),
        azimuth_rad=np.arctan2(seen_from[:, 1], seen_from[:, 0]).astype(np.float32),
        elevation_rad=np.arctan2(seen_from[:, 2], np.hypot(seen_from[:, 0], seen_from[:, 1])).astype(np.float32),
        oriented_box_px=rectangles_of(labels.rle, labels.box_px, source.rig.height),
        asset=source.shapes.asset[instance],
    )
    return dataclasses.replace(labels, solid=solid)


def corner_signs() -> Array:
    """Return [8, 3] of -1 and 1: bit a of a corner's number says on which side of axis a it lies."""
    bits = np.arange(CORNERS)[:, None] >> np.arange(3) & 1
    return np.where(bits == 1, 1.0, -1.0)


def _corners_px(
    corner_m: Array,
    view: NDArray[np.int64],
    place: tuple[NDArray[np.int64], NDArray[np.int64]],
    keys: FrameKeys,
    draft: Draft,
    rig: Rig,
) -> NDArray[np.float32]:
    """Return where corners [row, 8, 3] are seen; `place` is the row of the draft and the instance of each row."""
    row, instance = (np.repeat(index, CORNERS) for index in place)
    points = Points(
        view=np.repeat(view, CORNERS),
        world_m=corner_m.reshape(-1, 3),
        origin_m=draft.world_from_instance[row, instance, :, 3],
        velocity_m_s=draft.instance_velocity_m_s[row, instance],
        spin_rad_s=draft.instance_spin_rad_s[row, instance],
    )
    return see(points, keys, rig).pixel.reshape(-1, CORNERS, 2).astype(np.float32)
