"""Procedural materials on a sphere, a box and a floor: scenes for the gallery, and what a material costs.

`python -m bench.materials` prints the time that each adds to a shaded pixel, on one thread.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from engine._layout import conf_folder
from engine.draft import Draft
from engine.pattern import LAYERS, PATTERN_NAMES
from engine.randomize import apply
from engine.recipe import Breadth, Recipe, Rig, SceneConfig
from engine.render import Outputs, Renderer
from engine.rig import authored_draft
from engine.scene.model import Camera, Instances, Light, LightKind, Material, Mesh, Placements, Scene, Texture, Wrap
from engine.scene.taxonomy import Taxonomy

PRESETS = (*PATTERN_NAMES[1:], "weathered")
FLOOR, SPHERE, BOX, SLAB = 1, 2, 3, 4  # instances
RGB = Outputs(rgb=True, rgb_linear=False, depth=False, normal=False, instance=False)
ROUNDS = 15  # of a measurement: the median over them of what a material takes more than none


def sphere_mesh(radius_m: float, rings: int = 48) -> Mesh:
    """Return a smooth sphere around the origin."""
    theta, phi = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1)
    t, f = np.meshgrid(theta, phi, indexing="ij")
    points = np.stack([np.sin(t) * np.cos(f), np.sin(t) * np.sin(f), np.cos(t)], axis=-1).reshape(-1, 3)
    index = np.arange(points.shape[0]).reshape(t.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    triangle = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    area = np.linalg.norm(np.cross(points[triangle[:, 1]] - points[triangle[:, 0]],
                                   points[triangle[:, 2]] - points[triangle[:, 0]]), axis=1)  # fmt: skip
    triangle = triangle[area > 1e-9]
    normal = points[triangle].astype(np.float32)
    slot = np.zeros(len(triangle), np.int32)
    return Mesh("sphere", (radius_m * points).astype(np.float32), triangle, normal, None, None, slot, False)


def box_mesh(x_m: float, y_m: float, z_m: float) -> Mesh:
    """Return a box of two triangles a side that stands on the origin."""
    corners = np.array([(x, y, z) for z in (0, 1) for y in (-0.5, 0.5) for x in (-0.5, 0.5)]) * (x_m, y_m, z_m)
    sides = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    triangle = np.array([t for a, b, c, d in sides for t in ((a, b, c), (a, c, d))], np.int32)
    slot = np.zeros(12, np.int32)
    return Mesh("box", corners.astype(np.float32), triangle, None, None, None, slot, False)


def studio_dome() -> Texture:
    """Return an image of a studio: grey walls, a floor, two soft boxes and a window."""
    v, u = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(0, 1, 128, endpoint=False), indexing="ij")
    light = np.where(v > 0.0, 0.45 + 0.25 * v, 0.16 + 0.05 * v)[..., None] * np.array([1.0, 0.98, 0.95])
    light[(v > 0.25) & (v < 0.62) & (u > 0.05) & (u < 0.17)] = (5.0, 4.8, 4.5)
    light[(v > 0.15) & (v < 0.5) & (u > 0.56) & (u < 0.64)] = (2.2, 2.5, 3.0)
    rgba = np.ones((64, 128, 4), np.float32)
    rgba[..., :3] = light
    return Texture("studio", rgba, Wrap.REPEAT, Wrap.CLAMP)


def pose(x_m: float, y_m: float, z_m: float, yaw_deg: float = 0.0) -> NDArray[np.float64]:
    """Return a pose [3, 4] turned about z."""
    cos, sin = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    return np.array([[cos, -sin, 0, x_m], [sin, cos, 0, y_m], [0, 0, 1, z_m]], np.float64)


def look_at(eye: tuple[float, float, float], target: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the pose of something that looks along -Z from `eye` to `target`."""
    back = np.subtract(eye, target) / np.linalg.norm(np.subtract(eye, target))
    right = np.cross((0, 0, 1), back) / np.linalg.norm(np.cross((0, 0, 1), back))
    return np.concatenate([np.stack([right, np.cross(back, right), back], 1), np.reshape(eye, (3, 1))], axis=1)


def material_scene() -> Scene:
    """Return a sphere, a box and an upright slab on a floor, under a studio's light."""
    meshes = (box_mesh(4.0, 4.0, 0.02), sphere_mesh(0.15), box_mesh(0.26, 0.2, 0.2), box_mesh(1.1, 0.03, 0.62))
    poses = np.stack([pose(0, 0, -0.02), pose(-0.2, -0.12, 0.15), pose(0.2, -0.1, 0, 28), pose(0.02, 0.3, 0, -4)])
    count = len(meshes)
    root = np.concatenate([np.eye(3, 4)[None], poses])
    lights = (
        Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (1.0,) * 3, texture=0),
        Light("/key", LightKind.RECT, look_at((-1.3, -1.0, 1.7), (0, 0, 0.1)), (0.6, 0.6), 0.0, (22.0, 21.0, 20.0)),
    )
    camera = Camera("/camera", look_at((0.05, -1.25, 0.62), (0.0, 0.06, 0.17)), 36.0, 24.0, 18.0)
    placements = Placements(
        np.arange(count, dtype=np.int32), np.arange(1, count + 1, dtype=np.int32), np.zeros(count, np.int32),
        np.zeros(1, np.int32), poses,
    )  # fmt: skip
    instances = Instances(
        ("", "/floor", "/sphere", "/box", "/slab"), np.arange(count + 1, dtype=np.uint64),
        np.array([0] + [1] * count, np.int32), ("none",) * (count + 1), ((),) * (count + 1), root,
    )  # fmt: skip
    grey = Material("/grey", base_color=(0.3, 0.3, 0.3), roughness=0.7)
    return Scene(Path("materials.usda"), meshes, placements, instances, (grey,), (studio_dome(),), lights, (camera,),
                 (), Taxonomy("1", ()), (), ())  # fmt: skip


def preset(name: str, **changes: Any) -> dict[str, Any]:
    """Return the entry of a recipe that conf/randomize has for a material."""
    entry: dict[str, Any] = yaml.safe_load((conf_folder() / "randomize" / f"{name}.yaml").read_text())[name]
    return {**entry, **changes}


def material_rig(width_px: int, height_px: int, spp: int) -> Rig:
    """Return a rig for the scene's camera."""
    return Rig(("auto",), width_px, height_px, 1, spp, "direct", 0.5, (0.06, 0.06, 0.06), 0.15, 0.5, False)


def material_draft(scene: Scene, rig: Rig, entries: dict[str, Any], *, world: int = 0, seed: int = 0) -> Draft:
    """Return the draft of a world whose surfaces wear what the entries say."""
    recipe = Recipe(SceneConfig("materials", "materials.usda", None, ("default",), 0, {}, None), rig, entries,
                    Breadth(1.0), ("rgb",), {}, seed)  # fmt: skip
    draft = authored_draft(scene, rig, scene.cameras, np.array([world]), np.zeros(1, np.int32))
    apply.randomize(apply.plan(recipe, scene, scene.cameras), draft)
    return draft


def material_images(
    width_px: int,
    height_px: int,
    *,
    spp: int = 16,
    names: tuple[str, ...] = PRESETS,
    world: int = 0,
    denoise: bool = False,
) -> dict[str, NDArray[np.uint8]]:
    """Return an image [y, x, 3] of every material on sphere, box, slab and floor."""
    scene, rig = material_scene(), replace(material_rig(width_px, height_px, spp), denoise=denoise)
    renderer = Renderer(scene, rig, RGB, seed=0, device="cpu")
    images = {}
    for name in names:
        rgb = renderer.render(material_draft(scene, rig, {name: preset(name)}, world=world)).rgb
        assert rgb is not None
        images[name] = rgb[0].copy()
    renderer.close()
    return images


def material_costs(*, side_px: int = 256) -> dict[str, float]:
    """Return by how many nanoseconds each material makes a shaded pixel dearer, on one thread at one sample."""
    scene, rig = material_scene(), material_rig(side_px, side_px * 3 // 4, 1)
    renderer = Renderer(scene, rig, RGB, seed=0, device="cpu", threads=1)
    none = dict.fromkeys(LAYERS, 0.0)
    entries: dict[str, dict[str, Any]] = {"plain": {}}
    entries |= {name: {name: preset(name, layers=none)} for name in PATTERN_NAMES[1:]}
    entries |= {layer: {layer: preset("weathered", layers={**none, layer: 0.3})} for layer in LAYERS}
    drafts = {name: material_draft(scene, rig, entry) for name, entry in entries.items()}
    seconds: dict[str, list[float]] = {name: [] for name in drafts}
    for _ in range(ROUNDS + 1):  # the first is a warm-up
        for name, draft in drafts.items():
            start = time.thread_time()
            renderer.render(draft)
            seconds[name].append(time.thread_time() - start)
    pixels = rig.width * rig.height
    plain = np.array(seconds.pop("plain"))[1:]
    return {name: float(np.median(np.array(taken)[1:] - plain)) / pixels * 1.0e9 for name, taken in seconds.items()}


if __name__ == "__main__":
    for name, nanoseconds in material_costs().items():
        print(f"{name:16s} {nanoseconds:6.0f} ns a pixel")
