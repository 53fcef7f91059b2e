"""Randomise a batch: the entries of a recipe, in the order that engine/randomize/laws/rules.py works out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.augmentation import unchanged
from engine.draft import Draft
from engine.randomize.bounds import Bounds, scene_bounds
from engine.randomize.draw import Draw
from engine.randomize.kinds import Randomizer
from engine.randomize.laws.rules import Rules, resolve
from engine.randomize.shells import Shells
from engine.randomize.stage import Stage
from engine.recipe import Recipe
from engine.scene.model import Camera, Scene
from engine.sensors.settings import authored_settings


@dataclass(frozen=True)
class Plan:
    """What is worked out once a scene: the checked entries in the order in which they run, and the instances' boxes."""

    recipe: Recipe
    scene: Scene
    cameras: tuple[Camera, ...]  # of the rig
    randomizers: tuple[Randomizer, ...]
    rules: Rules
    bounds: Bounds
    shells: Shells


def plan(recipe: Recipe, scene: Scene, cameras: Sequence[Camera]) -> Plan:
    """Return the plan of a recipe for a loaded scene and the cameras of its rig.

    Raises:
        UserError: If an entry does not fit the dataclass of its kind.
    """
    found = resolve(recipe.randomize, recipe.laws)
    bounds = scene_bounds(scene)
    return Plan(recipe, scene, tuple(cameras), found.randomizers, found.rules, bounds, Shells(scene))


def randomize(plan: Plan, draft: Draft) -> None:
    """Change a draft in place and fill its `drawn` columns; its sensors become those of the recipe.

    Raises:
        UserError: If a glob selects nothing, or an anchor that an entry needs is missing.
    """
    recipe = plan.recipe
    draft.sensor = authored_settings(recipe.sensor, *draft.exposure.shape)
    if any(entry.stage == Stage.AUGMENT for entry in plan.randomizers):
        draft.augment = unchanged(*draft.exposure.shape)
    for entry in plan.randomizers:
        draw = Draw(
            seed=recipe.seed,
            randomizer=entry.name,
            draft=draft,
            rig=recipe.rig,
            cameras=plan.cameras,
            bounds=plan.bounds,
            shells=plan.shells,
            breadth=recipe.dr.breadth,
            sensor=recipe.sensor,
            per_step=entry.per == "step",
            laws=plan.rules.laws,
            members=plan.rules.members,
        )
        entry.entry.function(entry.params, plan.scene, draft, draw)
