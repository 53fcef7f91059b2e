"""Throwing items at places: the launch of kernels/place.py, on the CPU beside the renderer's device.

Placing works on drafts, which are on the host, and takes well under a millisecond a world; a CUDA device would wait for
them. The kernel is compiled for both, with the same results.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.bounds import Bounds
from engine.randomize.draw import Draw
from engine.randomize.philox import stream_key
from engine.randomize.place.hulls import standing_hull
from engine.randomize.place.placing import Items, put_down
from engine.randomize.pose import apply, length
from engine.randomize.select import Glob
from engine.scene.model import Anchor, Scene

Array = NDArray[np.float64]
Domain = Literal["FLOOR", "SURFACE", "VOLUME"]
Overlap = Literal["footprint", "box", "hull"]

SCRATCH_BYTES = 256 * 1024 * 1024  # rows are thrown in parts that need no more
LEAST_CELL_M = 1.0e-3  # of the grid: keeps cell numbers within 32 bits up to 2,000 km
BODY_DOUBLES, NO_HULL, NOT_THERE = 22, -1, -2  # see kernels/native/place.cpp


@dataclass(frozen=True)
class Ground:
    """Where items may land: boxes, or triangles of instances."""

    domain: Domain
    frame: Array = field(default_factory=lambda: np.zeros((0, 12)))  # [box, 12], world_from_box
    size_m: Array = field(default_factory=lambda: np.zeros((0, 3)))  # [box, 3]
    corner_m: Array = field(default_factory=lambda: np.zeros((0, 9)))  # [triangle, 9], in the carrier's frame
    carrier: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))  # [triangle], of `instance`
    instance: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # [carrier]
    least_up: float = 0.0  # least z of a triangle's normal
    align: bool = False  # whether an item's up is the triangle's normal

    @property
    def share(self) -> Array:
        """Area or volume of all boxes up to each, [box]."""
        sides = self.size_m if self.domain == "VOLUME" else self.size_m[:, :2]
        return np.cumsum(np.prod(sides, axis=1))


@dataclass(frozen=True)
class Throw:
    """How items are thrown."""

    overlap: Overlap
    tries: int
    gap_m: float
    distance_m: float  # least distance between feet, in volumes between centres; 0: none
    avoid: NDArray[np.int64]  # instances that are kept clear of where they are visible


@dataclass(frozen=True)
class Thrown:
    """Where items landed."""

    place: Array  # [row, number, 3, 4], standing frames
    attempt: NDArray[np.int32]  # [row, number], the try at which it landed, -1: nowhere


def floors(anchors: tuple[Anchor, ...], draw: Draw) -> Ground:
    """Return the floors of anchors.

    Raises:
        UserError: If none has an area.
    """
    if not any(min(anchor.size_m[:2]) > 0.0 for anchor in anchors):
        raise UserError(f"{draw.where('anchors')}: none of the anchors has a floor; author ommatidia:size")
    return _boxes("FLOOR", anchors)


def volumes(anchors: tuple[Anchor, ...], draw: Draw) -> Ground:
    """Return the boxes of anchors.

    Raises:
        UserError: If none has a volume.
    """
    if not any(min(anchor.size_m) > 0.0 for anchor in anchors):
        raise UserError(f"{draw.where('anchors')}: none of the anchors has a volume; author ommatidia:size")
    return _boxes("VOLUME", anchors)


def _boxes(domain: Domain, anchors: tuple[Anchor, ...]) -> Ground:
    frame = np.array([anchor.world_from_anchor for anchor in anchors], np.float64).reshape(-1, 12)
    return Ground(domain, frame, np.array([anchor.size_m for anchor in anchors], np.float64))


def avoided(globs: Glob | None, scene: Scene, draw: Draw) -> NDArray[np.int64]:
    """Return the instances that are kept clear of."""
    return np.zeros(0, np.int64) if globs is None else select.instances(scene, globs, draw.where("avoid"))


def throw(
    items: Items, order: NDArray[np.int64], asked: NDArray[np.int64], turn: Array, ground: Ground, how: Throw,
    at: tuple[Scene, Draft, Draw],
) -> Thrown:  # fmt: skip
    """Return where items land in every row.

    Args:
        order: [row, number], items in the order in which they are thrown.
        asked: [row], how many of them are.
        turn: [row, item, 3, 3], in the frame of the place; one axis of rows or items may be 1.
        at: The scene, its draft, and what draws: the stream `place`, counted by (world, step, item, dimension).
    """
    scene, draft, draw = at
    most = int(asked.max(initial=0))
    rows, walls = len(draft.world), len(how.avoid)
    place, attempt = np.zeros((rows, most, 3, 4)), np.full((rows, most), -1, np.int32)
    row_bytes = 8 * (
        (BODY_DOUBLES + 1) * (2 * walls + most) + 12 * most + 9 * len(items.instance) + len(ground.carrier)
    )
    part = max(1, SCRATCH_BYTES // (row_bytes + 1))
    for first in range(0, rows if most else 0, part):
        some = slice(first, first + part)
        arguments = _arguments(
            items, order[some, :most], asked[some], turn[some], ground, how, (scene, draft, draw, some)
        )
        place[some], attempt[some] = _launch(arguments)
    return Thrown(place, attempt)


def put_down_thrown(items: Items, order: NDArray[np.int64], thrown: Thrown, draft: Draft) -> NDArray[np.int32]:
    """Show the items that landed and hide all others; return how many are there, [row]."""
    draft.visible[:, items.instance] = False
    row, number = np.nonzero(thrown.attempt >= 0)
    put_down(items, order[row, number], thrown.place[row, number], row, draft)
    return (thrown.attempt >= 0).sum(axis=1).astype(np.int32)


def wall_bodies(instances: NDArray[np.int64], bounds: Bounds, draft: Draft, some: slice) -> Array:
    """Return the bodies [row, wall, BODY_DOUBLES] of instances where the draft has them.

    Layout: kernels/native/place.cpp.
    """
    pose = draft.world_from_instance[some][:, instances]
    scale = length(np.moveaxis(pose[..., :3], -1, -2))  # [row, wall, axis]
    axes = pose[..., :3] / np.where(scale > 0.0, scale, 1.0)[..., None, :]
    body = np.zeros((*pose.shape[:2], BODY_DOUBLES))
    body[..., 0:3] = body[..., 15:18] = apply(pose, bounds.center_m[instances])
    body[..., 3:12] = np.moveaxis(axes, -1, -2).reshape(*pose.shape[:2], 9)
    body[..., 12:15] = bounds.half_m[instances] * scale
    body[..., 18:21] = sum(np.abs(pose[..., :, axis]) * bounds.half_m[instances, axis, None] for axis in range(3))
    there = draft.visible[some][:, instances] & bounds.solid[instances]
    body[..., 21] = np.where(there, NO_HULL, NOT_THERE)
    return body


def _arguments(
    items: Items, order: NDArray[np.int64], asked: NDArray[np.int64], turn: Array, ground: Ground, how: Throw,
    at: tuple[Scene, Draft, Draw, slice],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Return the fields of the kernel's structs by name."""
    scene, draft, draw, some = at
    count, rows = len(items.instance), len(order)
    half_m = 0.5 * items.size_m
    reach = half_m[:, :2] if how.overlap == "footprint" else half_m
    small_m = float(length_of(reach).max(initial=0.0))
    apart_m = how.distance_m + 2.0 * float(half_m[:, 2].max(initial=0.0)) if how.distance_m > 0.0 else 0.0
    cell_m = max(2.0 * small_m + how.gap_m, apart_m, LEAST_CELL_M)
    walls = wall_bodies(how.avoid, draw.bounds, draft, some)
    corners = (
        [standing_hull(scene, draw.bounds, int(instance)) for instance in items.instance]
        if how.overlap == "hull"
        else []
    )
    low, high = stream_key(draw.seed, f"{draw.randomizer}.place")
    step = draft.step[some] if draw.per_step else np.zeros_like(draft.step[some])
    crowd = order.shape[1] + walls.shape[1]
    pose = draft.world_from_instance[some][:, ground.instance]
    return {
        "throws": {
            "domain": ground.domain, "test": how.overlap.upper(), "tries": how.tries, "align": int(ground.align),
            "buckets": 1 << max(4, int(crowd - 1).bit_length()), "gap_m": how.gap_m, "distance_m": how.distance_m,
            "least_up": ground.least_up, "cell_m": cell_m * (1.0 + 1.0e-9),
            "small_m": small_m, "low": low, "high": high, "world": draft.world[some].astype(np.uint32),
            "step": step.astype(np.uint32), "asked": asked.astype(np.int32), "order": order.astype(np.int32),
            "turn": np.broadcast_to(turn.reshape(*turn.shape[:2], 9), (rows, count, 9)),
        },
        "shapes": {
            "half_m": half_m, "corner_m": np.concatenate([*corners, np.zeros((0, 3))]),
            "first_corner": np.cumsum([0, *(len(corner) for corner in corners)]).astype(np.int32),
        },
        "ground": {
            "frame": ground.frame, "size_m": ground.size_m, "share": ground.share, "corner_m": ground.corner_m,
            "carrier": ground.carrier, "carrier_pose": pose.reshape(rows, -1, 12),
            "wall": walls,
            "carrier_shown": draft.visible[some][:, ground.instance].astype(np.uint8),
        },
    }  # fmt: skip


def length_of(vector: Array) -> Array:
    """Return lengths over the last axis of 2 or 3."""
    return np.asarray(np.sqrt(sum(vector[..., axis] ** 2 for axis in range(vector.shape[-1]))))


def _launch(fields: dict[str, dict[str, Any]], device: str = "cpu") -> tuple[Array, NDArray[np.int32]]:
    """Run the kernel; return places [row, number, 3, 4] and tries [row, number]."""
    import warp as wp

    from engine.gpu import place as kernel
    from engine.gpu import random

    def on_device(values: NDArray[Any]) -> Any:
        return wp.array(np.ascontiguousarray(values), device=device)

    throws, given = kernel.Throws(), dict(fields["throws"])
    throws.key = random.RandomKey()
    throws.key.low, throws.key.high = given.pop("low"), given.pop("high")
    throws.domain, throws.test = kernel.Domain[given.pop("domain")], kernel.Test[given.pop("test")]
    structs: list[tuple[Any, dict[str, Any]]] = [(throws, given)]
    structs += [(struct(), fields[name]) for name, struct in (("shapes", kernel.Shapes), ("ground", kernel.Ground))]
    for struct, values in structs:
        for name, value in values.items():
            setattr(struct, name, on_device(value) if isinstance(value, np.ndarray) else value)
    rows, most = fields["throws"]["order"].shape
    crowd = most + fields["ground"]["wall"].shape[1]
    scratch = kernel.Scratch()
    scratch.head = wp.empty((rows, throws.buckets + 1), dtype=wp.int32, device=device)
    scratch.next = wp.empty((rows, crowd), dtype=wp.int32, device=device)
    scratch.body = wp.empty((rows, crowd, BODY_DOUBLES), dtype=wp.float64, device=device)
    scratch.area_m2 = wp.empty((rows, len(fields["ground"]["carrier"])), dtype=wp.float64, device=device)
    place = wp.zeros((rows, most, 12), dtype=wp.float64, device=device)
    attempt = wp.full((rows, most), -1, dtype=wp.int32, device=device)
    arguments = [*(struct for struct, _ in structs), scratch, place, attempt]
    wp.launch(kernel.throw_items, rows, arguments, device=device)
    return place.numpy().reshape(rows, most, 3, 4), attempt.numpy()
