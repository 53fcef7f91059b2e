"""Splits of assets: instances that are held out of a dataset are not in its scene, whoever would place or show them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Keypoints, Scene


@dataclass(frozen=True)
class AssetSplit:
    """Of several sets of instances one is used. Loading takes the others out; instances in no set stay."""

    STAGE: ClassVar[Stage] = Stage.PLACE
    sets: dict[str, Glob]  # name, such as train and test -> instances
    use: str  # name of the set that this dataset has

    def __post_init__(self) -> None:
        if self.use not in self.sets:
            raise ValueError(f"use must be one of the sets {', '.join(sorted(self.sets))}, got '{self.use}'")


@RANDOMIZERS.register("asset_split", AssetSplit)
def asset_split(params: AssetSplit, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Record the set; its instances are all that the scene has of the sets."""
    draw.record("split", np.full(len(draft.world), params.use))


def without_held_out(scene: Scene, params: AssetSplit, where: str) -> Scene:
    """Return a scene without the instances of the sets that are not used.

    Raises:
        UserError: If an instance is in two sets, or a glob selects none.
    """
    owner: dict[int, str] = {}
    for name, globs in sorted(params.sets.items()):
        for instance in select.instances(scene, globs, f"{where}.sets.{name}").tolist():
            if instance in owner:
                path = scene.instances.path[instance]
                raise UserError(f"{where}.sets: {path} is in {owner[instance]} and in {name}; an asset has one split")
            owner[instance] = name
    kept = np.array([owner.get(i, params.use) == params.use for i in range(len(scene.instances.path))])
    return with_instances(scene, kept)


def with_instances(scene: Scene, kept: NDArray[np.bool_]) -> Scene:
    """Return a scene with some of its instances [instance] and their placements; all else stays, used or not."""
    number = (np.cumsum(kept) - 1).astype(np.int32)
    placed, points, own = scene.placements, scene.keypoints, scene.instances
    is_placed, has_point = kept[placed.instance], kept[points.instance]
    placements = dataclasses.replace(
        placed,
        mesh=placed.mesh[is_placed],
        instance=number[placed.instance[is_placed]],
        first_slot=placed.first_slot[is_placed],
        world_from_mesh=placed.world_from_mesh[is_placed],
        color=None if placed.color is None else placed.color[is_placed],
        prim=tuple(prim for prim, keeps in zip(placed.prim, is_placed, strict=False) if keeps),
    )
    instances = dataclasses.replace(
        own,
        path=tuple(path for path, keeps in zip(own.path, kept, strict=True) if keeps),
        stable_id=own.stable_id[kept],
        class_id=own.class_id[kept],
        label_source=tuple(source for source, keeps in zip(own.label_source, kept, strict=True) if keeps),
        tags=tuple(tags for tags, keeps in zip(own.tags, kept, strict=True) if keeps),
        world_from_instance=own.world_from_instance[kept],
    )
    keypoints = Keypoints(
        number[points.instance[has_point]],
        points.number[has_point],
        points.position_m[has_point],
        points.depth_m[has_point],
    )
    links = None if scene.link_sets is None else scene.link_sets[:, is_placed]
    return dataclasses.replace(
        scene, placements=placements, instances=instances, keypoints=keypoints, link_sets=links
    )  # fmt: skip
