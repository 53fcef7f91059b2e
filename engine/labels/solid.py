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
from engine.randomize.pose import apply, cross, dot, length, rotate
from engine.recipe import Rig
from engine.scene.bounds import Shapes
from engine.scene.model import Scene

STRAIGHT = 1.0e-9  # of the largest axis: axes that lean by less are at right angles
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
    return 2.0 * bits - 1.0


def object_frames(world_from_instance: Array) -> tuple[Array, Array]:
    """Return poses of objects [..., 3, 4], rigid and right-handed, and what takes their instances to them [..., 3, 3].

    z keeps its direction, y is made normal to it, x follows: a mirrored frame has its x turned over. The second is the
    scale, the shear and the mirror that the first has not; their origins are the same.
    """
    matrix = world_from_instance[..., :3]
    z = matrix[..., 2] / length(matrix[..., 2])[..., None]
    y = matrix[..., 1] - z * dot(z, matrix[..., 1])[..., None]
    y /= length(y)[..., None]
    axes = np.stack([cross(y, z), y, z], axis=-1)
    pose = np.concatenate([axes, world_from_instance[..., 3:]], axis=-1)
    columns = [
        np.stack([dot(axes[..., a], matrix[..., b]) for a in range(3)], axis=-1) for b in range(3)
    ]  # fmt: skip
    return pose, np.stack(columns, axis=-1)


def object_boxes(object_from_instance: Array, instance: NDArray[np.int64], shapes: Shapes) -> tuple[Array, Array]:
    """Return the lowest and highest coordinates of instances in their objects' frames, [row, 3] both.

    Frames that are only scaled (or mirrored) scale the instance's own bounds; leaning ones ask the corners of its hull.
    """
    low, high = (bound[instance] for bound in shapes.bounds_m)
    scale = np.diagonal(object_from_instance, axis1=1, axis2=2)
    a, b = scale * low, scale * high
    out_low, out_high = np.minimum(a, b), np.maximum(a, b)
    leaning = object_from_instance * (1.0 - np.eye(3))
    largest = np.abs(object_from_instance).max(axis=(1, 2), initial=0.0)
    for i in np.flatnonzero(np.abs(leaning).max(axis=(1, 2), initial=0.0) > STRAIGHT * largest).tolist():
        points = rotate(object_from_instance[i], shapes.hull_m(int(instance[i])))
        out_low[i], out_high[i] = points.min(axis=0), points.max(axis=0)
    return out_low, out_high


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
