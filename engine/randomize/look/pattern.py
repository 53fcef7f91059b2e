"""Procedural materials: which pattern instances and materials wear, and its parameters, each thing its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from engine.draft import NO_PATTERN, Draft
from engine.pattern import LAYERS, OWN_COLOR, PATTERN_NAMES, new_slots, wear_slots
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import Law, check_support
from engine.randomize.look.color import Color, drawn_color
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

SIZE_RANGE_M = (1.0e-5, 1.0e3)
BUMP_RANGE_M = (0.0, 1.0)
LAW_KEYS = ("scale_m", "strength", "bump_m", "roughness_low", "roughness_high", "layer_scale_m", "wear_width_m")
Name = Literal[
    "none", "cardboard", "painted_metal", "brushed_metal", "cast_metal", "concrete", "asphalt", "wood", "plastic_film",
    "fabric", "ground_ceramic",
]  # fmt: skip


@dataclass(frozen=True)
class Layers:
    """What lies on a surface, as the share that it covers; 0: nothing, at no cost."""

    KEYS_ALONE: ClassVar[bool] = True  # columns are called rust, not layers_rust
    rust: Law
    stain: Law
    dust: Law  # on what looks up
    wear: Law  # at sharp edges

    def __post_init__(self) -> None:
        for name in LAYERS:
            check_support(name, getattr(self, name), 0.0, 1.0)


@dataclass(frozen=True)
class Pattern:
    """A procedural material on instances, or on all that is made of some materials."""

    STAGE: ClassVar[Stage] = Stage.COLOR
    instances: Glob | None
    materials: Glob | None
    pattern: Name  # none: the material stays, the layers come on it
    probability: Law  # that a thing wears it at all; drawn per world
    scale_m: Law  # of its main feature: flute, ring, stone, thread
    strength: Law  # of its contrast in colour and roughness; 1: as it is known
    bump_m: Law  # standard deviation of its relief
    color_a: Color | None  # null: the material's own
    color_b: Color | None  # null: the material's own
    roughness_low: Law
    roughness_high: Law
    direction: tuple[float, float, float]  # of grain and streaks, in the frame of the mesh
    layers: Layers
    layer_scale_m: Law  # of blotches of rust, stains and dust
    wear_width_m: Law  # how far wear reaches from an edge

    def __post_init__(self) -> None:
        if self.instances is None and self.materials is None:
            raise ValueError("instances and materials are both null; name what wears the pattern")
        check_support("probability", self.probability, 0.0, 1.0)
        check_support("strength", self.strength, 0.0, 4.0)
        check_support("bump_m", self.bump_m, *BUMP_RANGE_M)
        for name in ("scale_m", "layer_scale_m", "wear_width_m"):
            check_support(name, getattr(self, name), *SIZE_RANGE_M)
        for name in ("roughness_low", "roughness_high"):
            check_support(name, getattr(self, name), 0.0, 1.0)
        if not any(self.direction):
            raise ValueError("direction is [0, 0, 0]; give a direction such as [0, 0, 1]")


@RANDOMIZERS.register("pattern", Pattern)
def pattern(params: Pattern, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Have things wear a pattern, each with values of its own."""
    instances, materials = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if params.instances is not None:
        instances = select.instances(scene, params.instances, draw.where("instances"))
    if params.materials is not None:
        materials = select.materials(scene, params.materials, draw.where("materials"))
    count = len(instances) + len(materials)
    slots = new_slots(draft, count)
    slots.set("kind", PATTERN_NAMES.index(params.pattern))
    slots.set("direction", np.asarray(params.direction) / np.linalg.norm(params.direction))
    for name in LAW_KEYS:
        slots.set(name, draw.law(name, getattr(params, name), count=count))
    for name in ("color_a", "color_b"):
        color: Color | None = getattr(params, name)
        slots.set(name, OWN_COLOR if color is None else drawn_color(color, name, draw, count))
    for name in LAYERS:
        slots.set(name, draw.law(name, getattr(params.layers, name), count=count))
    worn = draw.uniform("worn", count=count) < draw.law("probability", params.probability)[:, None]
    draw.record("worn", worn)
    wear_slots(draft, slots, instances=instances, materials=materials, worn=worn)
    everyone = np.arange(1, len(scene.instances.path))
    wearers = everyone if len(materials) else instances
    seed = np.floor(draw.uniform("seed", count=len(scene.instances.path)) * 2.0**32).astype(np.uint32)
    is_own = np.isin(wearers, instances) | (draft.pattern_of_instance[:, wearers] == NO_PATTERN)
    draft.pattern_seed[:, wearers] = np.where(is_own, seed[:, wearers], draft.pattern_seed[:, wearers])
    draw.record("seed", seed[:, wearers])
