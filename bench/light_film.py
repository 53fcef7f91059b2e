"""What transparent film costs: the warehouse with its stretch film, and the same worlds with film that is opaque.

Both are measured in one run, in turns, so that their ratio holds on any machine and beside other work.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from bench.eye_clock import Turn, clocked, logged_launches
from engine.config import compose
from engine.factory import build_factory, load_recipe_scene
from engine.scene.model import Material, Scene

FILM = "StretchFilm"  # how the name of its material ends
RUNS = 3  # of a world; the least counts


def film_costs(size_px: tuple[int, int], *, worlds: int, runs: int = RUNS) -> dict[str, Any]:
    """Return the processor time of a frame with film and with opaque film [s], and their ratios, also of kernels.

    Whole loads are as often wrapped as the scene's rules say, and the camera stands where they put it.
    """
    size = (f"rig.width={size_px[0]}", f"rig.height={size_px[1]}")
    recipe, scene = load_recipe_scene(*compose("+scene=warehouse", "device=cpu", *size))
    turns: dict[str, list[Turn]] = {"film": [], "opaque": []}
    kernels: dict[str, dict[str, float]] = {name: {} for name in turns}
    with ExitStack() as open_renderers:
        made = {
            name: build_factory(recipe, found, device="cpu")
            for name, found in (("film", scene), ("opaque", with_opaque_film(scene)))
        }
        for factory in made.values():
            open_renderers.callback(factory.renderer.close)
            factory.renderer.render(factory.draft([0]))
        for world in range(worlds):
            drafts = {name: factory.draft([world]) for name, factory in made.items()}
            found: dict[str, list[Turn]] = {name: [] for name in made}
            best: dict[str, dict[str, float]] = {name: {} for name in made}
            for _ in range(runs):
                for name, factory in made.items():
                    with logged_launches() as log:
                        found[name].append(clocked(partial(factory.renderer.render, drafts[name])))
                    best[name] = {key: min(s, best[name].get(key, s)) for key, s in log.cpu_s().items()}
            for name in made:
                turns[name].append(min(found[name], key=lambda turn: turn.cpu_s))
                kernels[name] = {key: s / worlds + kernels[name].get(key, 0.0) for key, s in best[name].items()}
    rows = {f"{name}_cpu_s": sum(turn.cpu_s for turn in each) / worlds for name, each in turns.items()}
    sums = {f"film_{group}_vs_opaque": _ratio(kernels, group) for group in ("primary", "shadow")}
    return {**rows, "film_vs_opaque": rows["film_cpu_s"] / rows["opaque_cpu_s"], **sums, "film_kernels": kernels}


def with_opaque_film(scene: Scene) -> Scene:
    """Return a scene whose film hides what is behind it, and is in all else the same.

    Raises:
        ValueError: If there is no transparent film in it.
    """
    if not any(is_film(material) for material in scene.materials):
        raise ValueError(f"{scene.source.name} has no transparent material {FILM}")
    return replace(scene, materials=tuple(replace(m, opacity=1.0) if is_film(m) else m for m in scene.materials))


def is_film(material: Material) -> bool:
    """Return whether a material is the film, and seen through."""
    return material.name.endswith(FILM) and material.opacity < 1.0


def _ratio(kernels: dict[str, dict[str, float]], group: str) -> float:
    """Return what kernels whose name has a word take with film, over what they take without."""
    sums = {name: sum(s for key, s in each.items() if group in key) for name, each in kernels.items()}
    return sums["film"] / sums["opaque"]
