"""Domains: one of several named groups a world, of lights (`light_choice`) or of whole surroundings (`domain`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import check_weights
from engine.randomize.laws.columns import Choices
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene


@dataclass(frozen=True)
class LightChoice:
    """One group of lights shines; those of the other groups are off. Lights in no group are left alone."""

    STAGE: ClassVar[Stage] = Stage.DIM
    CHOICES: ClassVar[Choices] = {"group": ("groups", "weights")}
    groups: dict[str, Glob]  # name -> lights
    weights: tuple[float, ...] | None  # in the order of the groups' names; null: equal

    def __post_init__(self) -> None:
        check_weights(len(self.groups), self.weights)


@dataclass(frozen=True)
class Surroundings:
    """What belongs to one domain."""

    show: Glob | None = None  # instances that are there in this domain only
    lights: Glob | None = None  # lights that shine in this domain only: a dome with an image of a place
    wear: dict[str, Glob] | None = None  # material -> instances that wear it: other walls


@dataclass(frozen=True)
class Domain:
    """One of several surroundings."""

    STAGE: ClassVar[Stage] = Stage.DIM
    CHOICES: ClassVar[Choices] = {"domain": ("domains", "weights")}
    domains: dict[str, Surroundings]
    weights: tuple[float, ...] | None  # in the order of the domains' names; null: equal

    def __post_init__(self) -> None:
        check_weights(len(self.domains), self.weights)


@RANDOMIZERS.register("light_choice", LightChoice)
def light_choice(params: LightChoice, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Choose a group of lights."""
    names = tuple(sorted(params.groups))
    groups = [select.lights(scene, params.groups[name], draw.where(f"groups.{name}")) for name in names]
    chosen = draw.choice("group", names, params.weights)
    draft.radiance[_outside(groups, chosen, draft.radiance.shape[1])] = 0.0


@RANDOMIZERS.register("domain", Domain)
def domain(params: Domain, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Choose surroundings: hide the instances, put out the lights and keep off the materials of all others."""
    names = tuple(sorted(params.domains))
    chosen = draw.choice("domain", names, params.weights)
    none: NDArray[np.int64] = np.zeros(0, np.int64)
    shown, lit = [], []
    for number, name in enumerate(names):
        one, where = params.domains[name], draw.where(f"domains.{name}")
        shown.append(none if one.show is None else select.instances(scene, one.show, f"{where}.show"))
        lit.append(none if one.lights is None else select.lights(scene, one.lights, f"{where}.lights"))
        rows = np.flatnonzero(chosen == number)
        for material, globs in (one.wear or {}).items():
            found = select.materials(scene, material, f"{where}.wear")
            if len(found) != 1:
                raise UserError(f"{where}.wear: '{material}' matches {len(found)} materials; name one")
            instances = select.instances(scene, globs, f"{where}.wear")
            draft.material[rows[:, None], instances] = found[0]
    draft.visible[_outside(shown, chosen, draft.visible.shape[1])] = False
    draft.radiance[_outside(lit, chosen, draft.radiance.shape[1])] = 0.0


def _outside(groups: list[NDArray[np.int64]], chosen: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Return what is a member of some group, but not of the chosen one, [row, member]."""
    is_member = np.zeros((len(groups), count), np.bool_)
    for group, members in zip(is_member, groups, strict=True):
        group[members] = True
    return is_member.any(axis=0) & ~is_member[chosen]
