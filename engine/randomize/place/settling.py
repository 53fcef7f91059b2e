"""Settle: what was put somewhere falls and comes to rest on what is fixed, and on each other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.bounds import Bounds
from engine.randomize.draw import Draw
from engine.randomize.place import rest_cache
from engine.randomize.place.carriers import triangles_of
from engine.randomize.place.drop import Body, Drop, Rest, Settings, drop, turned
from engine.randomize.place.hulls import FLAT_SHARE, box_corners, outer_hull
from engine.randomize.pose import apply, dot, length
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

Array = NDArray[np.float64]

ALIKE = 1.0e-6  # relative: axes that count as orthogonal, and lengths as equal
LEAST_STEPS, MOST_STEPS = 1, 100_000
LOST_M = 0.05  # below the lowest point of the ground


@dataclass(frozen=True)
class Settle:
    """Rigid bodies under gravity, by Newton (`pip install ommatidia[settle]`).

    Items fall from where earlier entries put them, where they are visible; as the convex hulls of their meshes, of one
    density. The ground is fixed: the triangles of its instances, where they are visible. What falls past it is hidden
    and counted in `lost`. Poses at rest are kept in the cache of scenes; nothing in a recipe names them.
    """

    STAGE: ClassVar[Stage] = Stage.SETTLE
    items: Glob  # instances that fall
    ground: Glob  # instances that do not
    seconds: float  # how long they fall and settle
    step_s: float  # of the simulation; nothing may move farther in one than walls are thick
    friction: float  # coefficient

    def __post_init__(self) -> None:
        if not (self.step_s > 0.0 and LEAST_STEPS <= self.seconds / self.step_s <= MOST_STEPS):
            raise ValueError(f"seconds / step_s must be in {LEAST_STEPS}..{MOST_STEPS} steps")
        if not 0.0 <= self.friction <= 10.0:
            raise ValueError(f"friction must be in [0, 10], got {self.friction:g}")


@RANDOMIZERS.register("settle", Settle)
def settle(params: Settle, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Let items fall, or find where they came to rest before."""
    items = select.instances(scene, params.items, draw.where("items"))
    items = items[draw.bounds.solid[items]]
    ground = select.instances(scene, params.ground, draw.where("ground"))
    both = np.intersect1d(items, ground)
    if len(both):
        raise UserError(f"{draw.where('ground')}: {scene.instances.path[both[0]]} is among the items that fall too")
    scale = _scale(scene, draft, items, draw)
    bodies = [_body(scene, draw.bounds, int(instance), scale[i]) for i, instance in enumerate(items)]
    fixed = {int(instance): triangles_of(scene, int(instance)) for instance in ground}
    settings = Settings(params.seconds, params.step_s, params.friction)
    drops = [_drop_of(row, items, fixed, draft, draw.bounds, scale) for row in range(len(draft.world))]
    rests = _rests(bodies, drops, settings, draw.where("kind"))
    lost, speed_m_s = np.zeros(len(drops), np.int32), np.zeros(len(drops))
    for row, (one, rest) in enumerate(zip(drops, rests)):
        _put(row, items[list(one.body)], rest, scale[list(one.body)], (draft, draw.bounds))
        low_m = min((triangles[..., 2].min() for triangles in one.ground if len(triangles)), default=-np.inf)
        gone = ~np.isfinite(rest.pose).all(axis=1) | (rest.pose[:, 2] < low_m - LOST_M)
        draft.visible[row, items[list(one.body)][gone]] = False
        lost[row], speed_m_s[row] = gone.sum(), rest.speed_m_s[~gone].max(initial=0.0)
    draw.record("lost", lost)
    draw.record("speed_m_s", speed_m_s)  # of the fastest that is left
    draw.record("overlap_m", np.array([rest.overlap_m for rest in rests]))


def _rests(bodies: list[Body], drops: list[Drop], settings: Settings, where: str) -> list[Rest]:
    """Return where each drop rests: kept, or simulated now, equal ones once."""
    keys = [rest_cache.key_of(bodies, one, settings) for one in drops]
    rows: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows[key].append(row)
    found = {key: rest_cache.kept(key, len(drops[same[0]].body)) for key, same in rows.items()}
    missing = [key for key, rest in found.items() if rest is None]
    fallen = drop(bodies, [drops[rows[key][0]] for key in missing], settings, where) if missing else []
    for key, fell in zip(missing, fallen):
        rest_cache.keep(key, fell)
        found[key] = fell
    return [rest for key in keys if (rest := found[key]) is not None]


def _scale(scene: Scene, draft: Draft, items: NDArray[np.int64], draw: Draw) -> Array:
    """Return the lengths of the items' axes [item, 3], as authored: the same in every batch.

    Raises:
        UserError: If a pose shears, mirrors, or scales differently.
    """
    authored = length(np.moveaxis(scene.instances.world_from_instance[items][..., :3], -1, -2))
    columns = np.moveaxis(draft.world_from_instance[:, items][..., :3], -1, -2)  # [row, item, axis, 3]
    off = [np.abs(dot(columns[..., i, :], columns[..., k, :])) for i, k in ((0, 1), (1, 2), (2, 0))]
    bad = (np.max(off, axis=0) > ALIKE * authored.max(axis=-1) ** 2) | (np.linalg.det(columns) <= 0.0)
    bad |= np.abs(length(columns) - authored).max(axis=-1) > ALIKE * authored.max(axis=-1)
    if bad.any():
        path = scene.instances.path[items[np.nonzero(bad)[1][0]]]
        raise UserError(
            f"{draw.where('items')}: {path} is sheared, mirrored or scaled; author it rigid, or leave it out"
        )
    return authored


def _body(scene: Scene, bounds: Bounds, instance: int, scale: Array) -> Body:
    """Return an instance's hull about the middle of its box, along its own axes [m]."""
    from scipy.spatial import ConvexHull

    half_m = bounds.half_m[instance] * scale
    if half_m.min() <= FLAT_SHARE * half_m.max():
        corner_m = box_corners(np.maximum(half_m, FLAT_SHARE * half_m.max() * 10.0))
    else:
        points_m = (triangles_of(scene, instance).reshape(-1, 3) - bounds.center_m[instance]) * scale
        corner_m = outer_hull(points_m)
    hull = ConvexHull(corner_m)
    face = hull.simplices.copy()
    edges = corner_m[face[:, 1]] - corner_m[face[:, 0]], corner_m[face[:, 2]] - corner_m[face[:, 0]]
    inward = (np.cross(*edges) * hull.equations[:, :3]).sum(axis=1) < 0.0
    face[inward] = face[inward][:, ::-1]
    return Body(corner_m.astype(np.float32), face.astype(np.int32))


def _drop_of(
    row: int, items: NDArray[np.int64], fixed: dict[int, Array], draft: Draft, bounds: Bounds, scale: Array
) -> Drop:
    """Return what falls in a row."""
    from scipy.spatial.transform import Rotation

    shown = np.flatnonzero(draft.visible[row, items])
    pose = draft.world_from_instance[row, items[shown]]
    position = apply(pose, bounds.center_m[items[shown]])
    rotation = (
        Rotation.from_matrix(pose[:, :, :3] / scale[shown, None, :]).as_quat() if len(shown) else np.zeros((0, 4))
    )
    ground = [
        apply(draft.world_from_instance[row, instance], triangles).astype(np.float32)
        for instance, triangles in fixed.items()
        if draft.visible[row, instance]
    ]
    start = np.concatenate([position, rotation], axis=1).astype(np.float32)
    return Drop(tuple(int(i) for i in shown), start, tuple(ground))


def _put(row: int, instance: NDArray[np.int64], rest: Rest, scale: Array, at: tuple[Draft, Bounds]) -> None:
    """Move instances to where they rest."""
    draft, bounds = at
    rotation = rest.pose[:, None, 3:7].astype(np.float64)
    rotation /= np.sqrt((rotation**2).sum(axis=-1, keepdims=True))
    axes = turned(np.broadcast_to(rotation, (len(instance), 3, 4)), np.broadcast_to(np.eye(3), (len(instance), 3, 3)))
    linear = np.moveaxis(axes * scale[:, :, None], 1, 2)  # columns are the axes
    pose = np.concatenate([linear, np.zeros((len(instance), 3, 1))], axis=-1)
    pose[..., 3] = rest.pose[:, :3] - apply(pose, bounds.center_m[instance])
    draft.world_from_instance[row, instance] = pose
