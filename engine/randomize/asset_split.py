"""Splits of assets: instances that are held out of a dataset are not in its scene, whoever would place or show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.merge import with_instances
from engine.scene.model import Scene


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
