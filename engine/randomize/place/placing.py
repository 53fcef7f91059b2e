"""Putting instances down: what layout.py and clutter.py share.

An item stands as its author stood it: its footprint and height are those of its authored world box, and it is moved by
the middle of that box's lower face, turned about the vertical only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize.bounds import Bounds
from engine.randomize.pose import compose, turned_about_z
from engine.scene.model import Scene

Array = NDArray[np.float64]

FIT_SLACK_M = 1.0e-6  # an item exactly as large as its slot fits, whatever its sums round to


@dataclass(frozen=True)
class Items:
    """Instances that may be put down."""

    instance: NDArray[np.int64]  # [item]
    size_m: Array  # [item, 3], of the authored world box
    stood_from_instance: Array  # [item, 3, 4]: the authored pose with the middle of the lower face at the origin


def items_of(scene: Scene, bounds: Bounds, instances: NDArray[np.int64]) -> Items:
    """Return the items; an instance without geometry has no size and fits everywhere."""
    low_m, high_m = bounds.low_m[instances], bounds.high_m[instances]
    foot_m = 0.5 * (low_m + high_m)
    foot_m[:, 2] = low_m[:, 2]
    poses = scene.instances.world_from_instance[instances].copy()
    poses[:, :, 3] -= foot_m
    return Items(instances, high_m - low_m, poses)


def at_origin(poses: Array) -> Array:
    """Return poses [..., 3, 4] without their turn and place: only the lengths of their axes are left."""
    out = np.zeros_like(poses)
    out[..., (0, 1, 2), (0, 1, 2)] = np.linalg.norm(poses[..., :3], axis=-2)
    return out


def footprint(size_m: Array, yaw_rad: Array) -> tuple[Array, Array]:
    """Return the width along x and y [...] of boxes [..., 3] turned about the vertical."""
    cos, sin = np.abs(np.cos(yaw_rad)), np.abs(np.sin(yaw_rad))
    return size_m[..., 0] * cos + size_m[..., 1] * sin, size_m[..., 0] * sin + size_m[..., 1] * cos


def put_down(items: Items, item: NDArray[np.int64], place: Array, rows: NDArray[np.int64], draft: Draft) -> None:
    """Show one item in each of `rows` with its foot at the origin of `place` [row, 3, 4]."""
    instance = items.instance[item]
    draft.world_from_instance[rows, instance] = compose(place, items.stood_from_instance[item])
    draft.visible[rows, instance] = True


def standing_place(world_from_anchor: Array, yaw_rad: Array, foot_m: Array) -> Array:
    """Return poses [row, 3, 4] in an anchor's frame [3, 4]: turned about its z, foot at `foot_m` [row, 3]."""
    return compose(world_from_anchor, turned_about_z(yaw_rad, foot_m))
