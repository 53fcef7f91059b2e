"""Room for cameras: candidates are drawn until one is clear of everything that is visible.

Most instances count as the boxes around them: nothing of them is nearer than that. `inside` names those that a camera
may be within the box of, such as a hall, its floor or a tunnel: of them every triangle counts, and what they enclose
where their surfaces face outwards (a wall, not the room between walls). `within` names the kind of the anchors in whose
boxes there is room at all: an aisle, and not what lies behind the wall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.bounds import distance_to_boxes
from engine.randomize.draw import Draw
from engine.randomize.select import Glob
from engine.scene.model import Anchor, Scene

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

MOST_TRIES = 1024


@dataclass(frozen=True)
class Clearance:
    """How a camera keeps out of things."""

    clearance_m: float  # least distance to the box of a visible instance, or to the triangles of those named `inside`
    tries: int  # candidates drawn before the roomiest is taken
    inside: Glob | None  # instances whose boxes do not count, but their triangles do: floors, walls, a hall
    within: str | None = None  # kind of the anchors one of whose boxes holds it; null: anywhere

    def __post_init__(self) -> None:
        if self.clearance_m < 0.0:
            raise ValueError(f"clearance_m must not be negative, got {self.clearance_m:g}")
        if not 1 <= self.tries <= MOST_TRIES:
            raise ValueError(f"tries must be in 1..{MOST_TRIES}, got {self.tries}")


@dataclass(frozen=True)
class Room:
    """How much room points have in a draft."""

    clear: Clearance
    solid: NDArray[np.bool_]  # [instance], whether its box counts
    shells: Rows  # instances whose triangles count
    homes: tuple[Anchor, ...]  # in whose boxes there is room; none: everywhere
    draft: Draft
    draw: Draw

    @classmethod
    def of(cls, clear: Clearance, scene: Scene, draft: Draft, draw: Draw) -> Room:
        """Return the room of a randomiser."""
        solid = draw.bounds.solid.copy()
        shells: Rows = np.zeros(0, np.int64)
        if clear.inside is not None:
            named = select.instances(scene, clear.inside, draw.where("clear.inside"))
            shells = named[solid[named]]
            solid[named] = False
        within = clear.within
        homes = () if within is None else select.anchors(scene, within, draw.where("clear.within"))
        return cls(clear, solid, shells, homes, draft, draw)

    def at(self, position_m: Array, rows: Rows) -> Array:
        """Return the distance [row, point] of points [row, point, 3] to what is there in these rows.

        Below 0, and how far they are from all boxes of `within`, where none of these holds them.
        """
        poses, visible = self.draft.world_from_instance[rows], self.draft.visible[rows]
        room_m = np.full(position_m.shape[:2], np.inf)
        for index in range(position_m.shape[1]):
            point_m = position_m[:, index]
            distance_m = distance_to_boxes(self.draw.bounds, poses, point_m)
            nearest_m = np.where(visible & self.solid, distance_m, np.inf).min(axis=1, initial=np.inf)
            for shell in self.shells:
                # Only what is near its box can be near its triangles, and only what boxes leave is worth asking.
                ask = visible[:, shell] & (distance_m[:, shell] < self.clear.clearance_m)
                ask &= nearest_m >= self.clear.clearance_m
                asked = np.flatnonzero(ask)
                if len(asked):
                    reach_m = self.clear.clearance_m
                    own_m = self.draw.shells.room(int(shell), poses[asked, shell], point_m[asked], reach_m)
                    nearest_m[asked] = np.minimum(nearest_m[asked], own_m)
            room_m[:, index] = nearest_m
        if self.homes:
            astray_m = np.min([_distance_to_anchor(home, position_m) for home in self.homes], axis=0)
            room_m = np.where(astray_m > 0.0, -astray_m, room_m)
        return room_m


def _distance_to_anchor(anchor: Anchor, point_m: Array) -> Array:
    """Return how far points [..., 3] are from an anchor's box, 0 inside; a side of 0 is open."""
    local_m = (point_m - anchor.world_from_anchor[:, 3]) @ anchor.world_from_anchor[:, :3]
    half_m = 0.5 * np.array([side if side > 0.0 else np.inf for side in anchor.size_m])
    local_m[..., 2] -= half_m[2] if np.isfinite(half_m[2]) else 0.0
    outside_m: Array = np.linalg.norm(np.maximum(np.abs(local_m) - half_m, 0.0), axis=-1)
    return outside_m


def first_clear(
    room: Room, candidate: Callable[[int], tuple[Array, ...]], points: Callable[..., Array] | None = None
) -> tuple[Array, ...]:
    """Return each camera's first candidate with room, or the roomiest of all tried; record the search.

    Args:
        room: Where there is some.
        candidate: From the number of a try to arrays [row, camera, ...], the first of them positions [row, camera, 3].
        points: From such arrays to all points [row, camera, point, 3] that need room; None: the positions.
    """
    clearance_m = room.clear.clearance_m

    def measure(arrays: tuple[Array, ...], rows: Rows) -> Array:
        needed = arrays[0][:, :, None] if points is None else points(*arrays)
        row_count, cameras, count = needed.shape[:3]
        return room.at(needed.reshape(row_count, -1, 3), rows).reshape(row_count, cameras, count).min(axis=2)

    best = candidate(0)
    room_m = measure(best, np.arange(len(best[0])))
    tried = np.ones(room_m.shape, np.int32)
    for number in range(1, room.clear.tries):
        open_rows = np.flatnonzero((room_m < clearance_m).any(axis=1))
        if not len(open_rows):
            break
        new = tuple(array[open_rows] for array in candidate(number))
        new_room_m = measure(new, open_rows)
        searching = room_m[open_rows] < clearance_m
        better = searching & (new_room_m > room_m[open_rows])
        tried[open_rows] += searching
        for array, values in zip((*best, room_m), (*new, new_room_m), strict=True):
            keep = better.reshape(*better.shape, *([1] * (array.ndim - 2)))
            array[open_rows] = np.where(keep, values, array[open_rows])
    room.draw.record("tried", tried)
    room.draw.record("clear", room_m >= clearance_m)
    return best
