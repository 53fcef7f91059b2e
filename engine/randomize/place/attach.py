"""Attach: thin things stick to the faces of others and go where these go, as labels on cartons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support, check_weights, choose
from engine.randomize.pose import compose, pose_of
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

Array = NDArray[np.float64]
Face = Literal["front", "back", "left", "right", "top"]

# Axes of a face in the host's frame: along it to the right, up, and out of it.
FACES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    "front": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "back": ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),
    "left": ((0, -1, 0), (0, 0, 1), (-1, 0, 0)),
    "right": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "top": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}


@dataclass(frozen=True)
class Attach:
    """Items on hosts, at most one each; what is left over is hidden.

    An item is authored upright, facing its own -y, its origin where it touches the host. It comes to a face of the
    host's box (in the host's own frame), and takes part in all that the host does, shear included.
    """

    STAGE: ClassVar[Stage] = Stage.ATTACH
    items: Glob  # instances
    others: Glob | None  # more items, of which a share of the hosts gets one instead: labels that are wrong
    other_share: Law  # of the hosts that get any, drawn per world
    hosts: Glob  # instances; hidden ones get none
    probability: Law  # that a visible host gets one, drawn per world
    faces: tuple[Face, ...]  # of the host's own box: front is its -y, right its +x
    weights: tuple[float, ...] | None  # of the faces; null: equal
    along: Law  # where on the face, to its right: -1 and 1 are flush with its edges, 0 its middle
    up: Law  # likewise, upwards
    roll_deg: Law  # counter-clockwise seen from outside

    def __post_init__(self) -> None:
        check_support("other_share", self.other_share, 0.0, 1.0)
        check_support("probability", self.probability, 0.0, 1.0)
        check_weights(len(self.faces), self.weights)
        check_support("along", self.along, -1.0, 1.0)
        check_support("up", self.up, -1.0, 1.0)
        check_support("roll_deg", self.roll_deg, *ANGLE_RANGE_DEG)


@RANDOMIZERS.register("attach", Attach)
def attach(params: Attach, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Deal items to hosts, both in fresh random orders, and put them onto faces."""
    pools = [select.instances(scene, params.items, draw.where("items"))]
    if params.others is not None:
        pools.append(select.instances(scene, params.others, draw.where("others")))
    hosts = select.instances(scene, params.hosts, draw.where("hosts"))
    count = len(hosts)
    for pool in pools:
        draft.visible[:, pool] = False
    probability, other_share = (draw.law(key, getattr(params, key)) for key in ("probability", "other_share"))
    wanted = draft.visible[:, hosts] & (draw.uniform("wanted", count=count) < probability[:, None])
    is_other = draw.uniform("other", count=count) < other_share[:, None]
    face = choose(len(params.faces), params.weights, draw.uniform("face", count=count), breadth=draw.breadth)
    place = [draw.law(key, getattr(params, key), count=count) for key in ("along", "up", "roll_deg")]
    item = np.zeros((len(draft.world), count), np.int64)
    for number, pool in enumerate(pools):
        mine = wanted & (is_other if number else ~is_other | (len(pools) == 1))
        item = np.where(mine, _dealt(mine, pool, draw, f"deal_{number}"), item)
    axes = _axes(params.faces)
    room_m = [_room(draw.bounds.half_m, hosts, item, axes[face][..., side, :], side) for side in (0, 1)]
    fits = (item > 0) & (room_m[0] >= 0.0) & (room_m[1] >= 0.0)
    row, host = np.nonzero(fits)
    instance = item[row, host]
    axis = axes[face[row, host]]
    shift_m = [np.maximum(room_m[side], 0.0)[row, host] * place[side][row, host] for side in (0, 1)]
    center, half = draw.bounds.center_m[hosts[host]], draw.bounds.half_m[hosts[host]]
    origin = center + axis[:, 2] * np.sum(np.abs(axis[:, 2]) * half, axis=-1, keepdims=True)
    origin = origin + axis[:, 0] * shift_m[0][:, None] + axis[:, 1] * shift_m[1][:, None]
    roll_rad = np.deg2rad(place[2][row, host])[:, None]
    right = axis[:, 0] * np.cos(roll_rad) + axis[:, 1] * np.sin(roll_rad)
    up = axis[:, 1] * np.cos(roll_rad) - axis[:, 0] * np.sin(roll_rad)
    host_from_item = pose_of(right, -axis[:, 2], up, origin)
    draft.world_from_instance[row, instance] = compose(draft.world_from_instance[row, hosts[host]], host_from_item)
    draft.visible[row, instance] = True
    draw.record("item", np.where(fits, item, 0).astype(np.int32))
    draw.record("face", np.where(fits, np.asarray(params.faces)[face], ""))
    draw.record("attached", fits.sum(axis=1).astype(np.int32))
    draw.record("attached_others", (fits & is_other).sum(axis=1).astype(np.int32) * (len(pools) - 1))
    draw.record("starved", (wanted & (item == 0)).sum(axis=1).astype(np.int32))


def _dealt(mine: NDArray[np.bool_], pool: NDArray[np.int64], draw: Draw, key: str) -> NDArray[np.int64]:
    """Return an item of the pool [row, host] for each of `mine`, 0 where the pool has none left."""
    rank = np.where(mine, draw.uniform(f"{key}_hosts", count=mine.shape[1]), np.inf)
    place = np.argsort(np.argsort(rank, axis=1, kind="stable"), axis=1, kind="stable")  # of the host among those asking
    order = np.argsort(draw.uniform(f"{key}_items", count=len(pool)), axis=1, kind="stable")
    dealt = pool[np.take_along_axis(order, np.minimum(place, len(pool) - 1), axis=1)]
    return np.where(mine & (place < len(pool)), dealt, 0)


def _axes(faces: tuple[Face, ...]) -> Array:
    """Return [face, 3 axes, 3]."""
    return np.array([FACES[face] for face in faces], np.float64)


def _room(half_m: Array, hosts: NDArray[np.int64], item: NDArray[np.int64], axis: Array, side: int) -> Array:
    """Return how far [row, host] an item's middle may be from that of the face along one of its axes; below 0: none."""
    return np.asarray((np.abs(axis) * half_m[hosts]).sum(axis=-1) - half_m[item, 0 if side == 0 else 2])
