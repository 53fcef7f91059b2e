"""Writing a world back: what it changed, as a sparse USD layer over the scene that it was drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.draft import Draft
from engine.recipe import Recipe
from engine.scene.model import Camera, Note, Scene
from engine.scene.options import SceneOptions


@dataclass(frozen=True)
class DrawnWorld:
    """One row of a draft, and what it was drawn from."""

    recipe: Recipe  # with assets
    cameras: tuple[Camera, ...]  # of the rig, in the order of the draft
    draft: Draft
    row: int


def write_world(
    path: Path | str, scene: Scene, drawn: DrawnWorld, options: SceneOptions | None = None
) -> tuple[Note, ...]:
    """Write a world as a layer that has the scene's file as its only sublayer; return what could not be written.

    The layer holds opinions for what the world changed and nothing else: transforms, visibility, bindings and inputs of
    materials, lights, cameras; and labels. Opened in any USD program it shows this world; loaded without randomisers
    it gives the same instances, so the same labels. Its format follows the name: `.usda` text, `.usdc` and `.usd`
    binary. It appears complete or not at all.

    Args:
        path: The file to write; it refers to the scene relatively, so the two move together.
        scene: The scene that the world was drawn from, as it was loaded.
        drawn: The world.
        options: How the scene was loaded.
    Raises:
        SceneError: If the name is no USD name, the scene's file is another by now, or the disk refuses.
    """
    from engine.scene.usd.override.world import write_override  # imports pxr

    return write_override(Path(path), scene, drawn, options or SceneOptions())
