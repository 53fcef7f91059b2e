"""Scatter on surfaces and in volumes: dart throwing and blue noise, with exact tests of boxes or convex hulls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support
from engine.randomize.place.carriers import carrying_area, surfaces
from engine.randomize.place.clutter import MOST_ITEMS, MOST_TRIES
from engine.randomize.place.placing import items_of
from engine.randomize.place.throwing import Ground, Throw, avoided, floors, put_down_thrown, throw, volumes
from engine.randomize.pose import turns_about_z
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

Array = NDArray[np.float64]

DENSITY_RANGE = (0.0, 1.0e6)  # [1/m^2] or [1/m^3]


@dataclass(frozen=True)
class ScatterSurface:
    """Items on what faces up, each point equally likely: triangles of instances as placed so far, or anchors' floors.

    An item is put down by the middle of its lower face, upright or along the triangle's normal. `distance_m` above 0
    makes the feet blue noise: a Poisson disk process. Tests other than `footprint` are exact in space, so that one item
    may stand under another. An item that finds no place in `tries` is hidden and counted in `failed`.
    """

    STAGE: ClassVar[Stage] = Stage.CLUTTER
    items: Glob  # instances
    carriers: Glob | None  # instances whose triangles carry, where they are visible; null: `anchors`
    anchors: str | None  # kind of anchors whose floors carry; null: `carriers`
    count: Law | None  # items a world; null: `per_m2`
    per_m2: Law | None  # items on a square metre that carries; null: `count`
    steepest_deg: float  # slope of a triangle that still carries
    align: bool  # whether items stand along the triangle's normal; false: upright
    yaw_deg: Law  # about the item's up
    distance_m: float  # least distance between feet; 0: none
    gap_m: float  # least distance between items, and to what is avoided
    overlap: Literal["footprint", "box", "hull"]
    avoid: Glob | None  # instances whose boxes are kept clear of where they are visible; not the carriers
    tries: int  # places tried for each item

    def __post_init__(self) -> None:
        check_support("yaw_deg", self.yaw_deg, *ANGLE_RANGE_DEG)
        _check_amount("per_m2", self.count, self.per_m2)
        _check_throw(self.distance_m, self.gap_m, self.tries)
        if (self.carriers is None) == (self.anchors is None):
            raise ValueError("exactly one of carriers and anchors is needed, the other one null")
        if not 0.0 <= self.steepest_deg < 90.0:
            raise ValueError(f"steepest_deg must be in [0, 90), got {self.steepest_deg:g}")


@dataclass(frozen=True)
class ScatterVolume:
    """Items anywhere in the boxes of anchors, wholly inside, each point equally likely; for what flies or falls.

    `distance_m` above 0 makes their centres blue noise: a Poisson disk process. An item that finds no place in `tries`
    is hidden and counted in `failed`.
    """

    STAGE: ClassVar[Stage] = Stage.CLUTTER
    items: Glob  # instances
    anchors: str  # kind of the anchors
    count: Law | None  # items a world; null: `per_m3`
    per_m3: Law | None  # items in a cubic metre; null: `count`
    yaw_deg: Law | None  # about the anchor's z; null: turned any way, all rotations equally likely
    distance_m: float  # least distance between centres; 0: none
    gap_m: float  # least distance between items, and to what is avoided
    overlap: Literal["box", "hull"]
    avoid: Glob | None  # instances whose boxes are kept clear of where they are visible
    tries: int  # places tried for each item

    def __post_init__(self) -> None:
        if self.yaw_deg is not None:
            check_support("yaw_deg", self.yaw_deg, *ANGLE_RANGE_DEG)
        _check_amount("per_m3", self.count, self.per_m3)
        _check_throw(self.distance_m, self.gap_m, self.tries)


@RANDOMIZERS.register("scatter_surface", ScatterSurface)
def scatter_surface(params: ScatterSurface, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Throw items onto surfaces, in a fresh random order in every world."""
    if params.carriers is not None:
        carriers = select.instances(scene, params.carriers, draw.where("carriers"))
        ground = surfaces(scene, carriers, params.steepest_deg, params.align, draw)
    else:
        ground = floors(select.anchors(scene, params.anchors or "", draw.where("anchors")), draw)
    wanted = _wanted(params.count, "per_m2", params.per_m2, ground, draft, draw)
    how = Throw(params.overlap, params.tries, params.gap_m, params.distance_m, avoided(params.avoid, scene, draw))
    count = len(select.instances(scene, params.items, draw.where("items")))
    turn = turns_about_z(np.deg2rad(draw.law("yaw_deg", params.yaw_deg, count=count)))
    _throw_all(params.items, wanted, turn, ground, how, (scene, draft, draw))


@RANDOMIZERS.register("scatter_volume", ScatterVolume)
def scatter_volume(params: ScatterVolume, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Throw items into boxes, in a fresh random order in every world."""
    ground = volumes(select.anchors(scene, params.anchors, draw.where("anchors")), draw)
    wanted = _wanted(params.count, "per_m3", params.per_m3, ground, draft, draw)
    how = Throw(params.overlap, params.tries, params.gap_m, params.distance_m, avoided(params.avoid, scene, draw))
    count = len(select.instances(scene, params.items, draw.where("items")))
    if params.yaw_deg is None:
        turn = any_rotation([draw.uniform("turn", count=count, dimension=i) for i in range(3)])
    else:
        turn = turns_about_z(np.deg2rad(draw.law("yaw_deg", params.yaw_deg, count=count)))
    _throw_all(params.items, wanted, turn, ground, how, (scene, draft, draw))


def any_rotation(u: list[Array]) -> Array:
    """Return rotations [..., 3, 3] of three uniform numbers, all equally likely.

    Source: Shoemake, "Uniform random rotations", Graphics Gems III, 1992.
    """
    radius = np.sqrt(1.0 - u[0]), np.sqrt(u[0])
    angle = 2.0 * np.pi * u[1], 2.0 * np.pi * u[2]
    x, y = radius[0] * np.sin(angle[0]), radius[0] * np.cos(angle[0])
    z, w = radius[1] * np.sin(angle[1]), radius[1] * np.cos(angle[1])
    rows = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _wanted(
    count: Law | None, key: str, density: Law | None, ground: Ground, draft: Draft, draw: Draw
) -> NDArray[np.int64]:
    """Return how many items each row asks for, drawn as `count`, or as the density `key` on what carries."""
    if density is not None:  # rounded up or down at random, so that the mean is the density
        wanted = draw.law(key, density) * carrying_area(ground, draft) + draw.uniform("rounding")
    else:
        wanted = draw.law("count", count) if count is not None else np.zeros(len(draft.world))
    return np.floor(wanted).astype(np.int64)


def _throw_all(
    globs: Glob, wanted: NDArray[np.int64], turn: Array, ground: Ground, how: Throw, at: tuple[Scene, Draft, Draw]
) -> None:
    """Throw as many items as are wanted, and record how many there are, and how many found no place."""
    scene, draft, draw = at
    items = items_of(scene, draw.bounds, select.instances(scene, globs, draw.where("items")))
    asked = np.minimum(wanted, len(items.instance))
    order = np.argsort(draw.uniform("order", count=len(items.instance)), axis=1, kind="stable")
    draft.visible[:, items.instance] = False
    placed = put_down_thrown(items, order, throw(items, order, asked, turn, ground, how, at), draft)
    draw.record("placed", placed)
    draw.record("failed", (asked - placed).astype(np.int32))
    draw.record("short", (wanted - asked).astype(np.int32))  # asked for beyond all items


def _check_amount(key: str, count: Law | None, density: Law | None) -> None:
    if count is not None:
        check_support("count", count, 0, MOST_ITEMS)
    if density is not None:
        check_support(key, density, *DENSITY_RANGE)
    if (count is None) == (density is None):
        raise ValueError(f"exactly one of count and {key} is needed, the other one null")


def _check_throw(distance_m: float, gap_m: float, tries: int) -> None:
    for key, value in (("distance_m", distance_m), ("gap_m", gap_m)):
        if value < 0.0:
            raise ValueError(f"{key} must not be negative, got {value:g}")
    if not 1 <= tries <= MOST_TRIES:
        raise ValueError(f"tries must be in 1..{MOST_TRIES}, got {tries}")
