"""Materials: which one an instance wears, how it is tinted, and the colour and roughness of a material itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support, check_weights
from engine.randomize.laws.columns import Choices
from engine.randomize.look.color import rgb_from_hsv
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene


@dataclass(frozen=True)
class MaterialSwap:
    """Instances wear another material of the scene."""

    STAGE: ClassVar[Stage] = Stage.MATERIAL
    CHOICES: ClassVar[Choices] = {"material": ("materials", "weights")}
    instances: Glob
    materials: tuple[str, ...]  # prim paths or globs; the first match of each counts
    weights: tuple[float, ...] | None  # null: equal
    probability: Law  # that an instance is changed at all; drawn per world

    def __post_init__(self) -> None:
        check_weights(len(self.materials), self.weights)
        check_support("probability", self.probability, 0.0, 1.0)


@dataclass(frozen=True)
class Tint:
    """A colour that multiplies an instance's base colour, given as hue, saturation and brightness in linear light."""

    STAGE: ClassVar[Stage] = Stage.COLOR
    instances: Glob
    hue_deg: Law  # 0 red, 120 green, 240 blue; any turn
    saturation: Law  # 0: grey
    brightness: Law  # the largest channel; 1: as it is
    together: bool  # one tint for all these instances, or one each

    def __post_init__(self) -> None:
        check_support("hue_deg", self.hue_deg, *ANGLE_RANGE_DEG)
        check_support("saturation", self.saturation, 0.0, 1.0)
        check_support("brightness", self.brightness, 0.0, 100.0)


@dataclass(frozen=True)
class Roughness:
    """The roughness of materials; where a texture drives it, a factor on the texture."""

    STAGE: ClassVar[Stage] = Stage.COLOR
    materials: Glob
    roughness: Law

    def __post_init__(self) -> None:
        check_support("roughness", self.roughness, 0.0, 1.0)


@dataclass(frozen=True)
class MaterialColor:
    """The base colour of materials; where a texture drives it, a factor on the texture."""

    STAGE: ClassVar[Stage] = Stage.COLOR
    materials: Glob
    hue_deg: Law
    saturation: Law
    value: Law  # the largest channel, linear

    def __post_init__(self) -> None:
        check_support("hue_deg", self.hue_deg, *ANGLE_RANGE_DEG)
        check_support("saturation", self.saturation, 0.0, 1.0)
        check_support("value", self.value, 0.0, 1.0)


@RANDOMIZERS.register("material_swap", MaterialSwap)
def material_swap(params: MaterialSwap, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Choose a material for each instance."""
    instances = select.instances(scene, params.instances, draw.where("instances"))
    pool = [select.materials(scene, name, draw.where("materials"))[0] for name in params.materials]
    probability = draw.law("probability", params.probability)
    names = tuple(scene.materials[material].name for material in pool)
    index = draw.choice("material", names, params.weights, count=len(instances))
    changed = draw.uniform("changed", count=len(instances)) < probability[:, None]
    draw.record("changed", changed)
    draft.material[:, instances] = np.where(changed, np.asarray(pool)[index], draft.material[:, instances])


@RANDOMIZERS.register("tint", Tint)
def tint(params: Tint, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Multiply the tint of instances."""
    instances = select.instances(scene, params.instances, draw.where("instances"))
    count = 1 if params.together else len(instances)
    hue_deg = draw.law("hue_deg", params.hue_deg, count=count)
    saturation = draw.law("saturation", params.saturation, count=count)
    brightness = draw.law("brightness", params.brightness, count=count)
    draft.tint[:, instances] *= rgb_from_hsv(hue_deg, saturation, brightness).astype(np.float32)


@RANDOMIZERS.register("roughness", Roughness)
def roughness(params: Roughness, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Set the roughness of materials, each its own."""
    materials = select.materials(scene, params.materials, draw.where("materials"))
    draft.roughness[:, materials] = draw.law("roughness", params.roughness, count=len(materials))


@RANDOMIZERS.register("material_color", MaterialColor)
def material_color(params: MaterialColor, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Set the base colour of materials, each its own."""
    materials = select.materials(scene, params.materials, draw.where("materials"))
    hue_deg = draw.law("hue_deg", params.hue_deg, count=len(materials))
    saturation = draw.law("saturation", params.saturation, count=len(materials))
    value = draw.law("value", params.value, count=len(materials))
    draft.base_color[:, materials] = rgb_from_hsv(hue_deg, saturation, value)
