"""Variants of a prim, such as sizes or models: all are in the scene, and every world shows one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.draw import Draw
from engine.randomize.law import check_weights
from engine.randomize.laws.columns import Choices
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.merge import below, joined, with_instances
from engine.scene.model import Scene

Load = Callable[[tuple[str, ...]], Scene]  # the same stage with other variants selected


@dataclass(frozen=True)
class VariantChoice:
    """One variant of a variant set. Variants hold things: lights and cameras are those of the authored selection."""

    STAGE: ClassVar[Stage] = Stage.DIM
    CHOICES: ClassVar[Choices] = {"variant": ("variants", "weights")}
    prim: str  # path of the prim that has the variant set
    set: str  # its name
    variants: tuple[str, ...]  # names of those that are chosen among
    weights: tuple[float, ...] | None  # in that order; null: equal

    def __post_init__(self) -> None:
        check_weights(len(self.variants), self.weights)
        if len(frozenset(self.variants)) != len(self.variants):
            raise ValueError(f"variants names one twice: {', '.join(self.variants)}")

    def suffix(self, variant: str) -> str:
        """Return what the paths of a variant's instances end with."""
        return f"{{{self.set}={variant}}}"


def with_variants(scene: Scene, params: VariantChoice, load: Load, where: str) -> Scene:
    """Return a scene in which the instances of every variant stand beside each other, in place of the authored one's.

    Raises:
        UserError: If a variant has no instances, or cannot be joined.
    """
    scene = with_instances(scene, ~below(scene, params.prim))
    for variant in params.variants:
        other = load((f"{params.prim}{params.suffix(variant)}",))
        own = below(other, params.prim)
        if not own.any():
            raise UserError(f"{where}.variants: nothing of {params.prim} is drawn in its variant '{variant}'")
        own[0] = True
        scene = joined(scene, with_instances(other, own), params.suffix(variant))
    return scene


@RANDOMIZERS.register("variant", VariantChoice)
def variant(params: VariantChoice, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Choose a variant and hide the others."""
    chosen = draw.choice("variant", params.variants, params.weights)
    for number, name in enumerate(params.variants):
        ends = params.suffix(name)
        own = below(scene, params.prim) & np.array([path.endswith(ends) for path in scene.instances.path])
        own |= np.array([path == params.prim + ends for path in scene.instances.path])
        if not own.any():
            raise UserError(f"{draw.where('variants')}: the scene was loaded without '{name}'; name it in the recipe")
        draft.visible[np.ix_(chosen != number, own)] = False
