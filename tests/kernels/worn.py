"""A square that wears a pattern, for tests: its albedo without noise, and drafts of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.materials import preset
from engine.draft import Draft
from engine.pattern import LAYERS
from engine.randomize import apply
from engine.recipe import Breadth, Recipe, Rig, SceneConfig
from engine.render import Outputs, Renderer
from engine.rig import authored_draft
from engine.scene.model import Camera, Material, Scene
from tests.kernels.scenes import camera, look_at, rig

RGB = Outputs(rgb=True, rgb_linear=True, depth=False, normal=False, instance=False)
NO_LAYERS = dict.fromkeys(LAYERS, 0.0)
GREY = Material("/grey", base_color=(0.4, 0.3, 0.2))
HEIGHT_M = 200.0  # of the camera, so that its rays are nearly parallel


def above(width_m: float, *, at: tuple[float, float] = (0.0, 0.0)) -> Camera:
    """Return a camera that looks straight down on a square of the given width."""
    eye, target = (*at, HEIGHT_M), (*at, 0.0)
    return camera(look_at(eye, target, up=(0, 1, 0)), focal_mm=24.0 * HEIGHT_M / width_m)


def even_light(size_px: int) -> Rig:
    """Return a rig whose only light comes from everywhere: pixels are albedos, without noise."""
    return dataclasses.replace(rig(size_px=(size_px, size_px), spp=1), ambient_radiance=(1.0, 1.0, 1.0))


def worn_draft(
    stage: Scene, setup: Rig, cam: Camera, entries: dict[str, Any], *, worlds: tuple[int, ...] = (0,), seed: int = 0
) -> Draft:
    """Return the draft of some worlds after these randomisers."""
    recipe = Recipe(SceneConfig("worn", "worn.usda", None, ("default",), 0, {}, None), setup, entries, Breadth(1.0),
                    ("rgb",), {}, seed)  # fmt: skip
    draft = authored_draft(stage, setup, (cam,), np.array(worlds), np.zeros(len(worlds), np.int32))
    apply.randomize(apply.plan(recipe, stage, (cam,)), draft)
    return draft


def seen(
    stage: Scene, cam: Camera, entries: dict[str, Any], *, size_px: int = 64, worlds: tuple[int, ...] = (0,),
    threads: int = 1,
) -> NDArray[np.float32]:  # fmt: skip
    """Return the albedos [world, y, x, 3] that a camera sees."""
    setup = even_light(size_px)
    renderer = Renderer(stage, setup, RGB, seed=0, device="cpu", threads=threads)
    linear = renderer.render(worn_draft(stage, setup, cam, entries, worlds=worlds)).rgb_linear
    renderer.close()
    assert linear is not None
    return linear


def bare(name: str, **changes: Any) -> dict[str, Any]:
    """Return the entry of a preset without layers and without relief."""
    return {name: preset(name, **{"layers": NO_LAYERS, "bump_m": 0.0, **changes})}


def layer(name: str, share: float, **changes: Any) -> dict[str, Any]:
    """Return an entry that puts one layer on the material that is there."""
    return {name: preset("weathered", layers={**NO_LAYERS, name: share}, **changes)}
