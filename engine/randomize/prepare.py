"""What entries of a recipe ask of a scene before anything is drawn: folders of images, and assets that are held out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from engine.randomize.asset_split import AssetSplit, without_held_out
from engine.randomize.kinds import randomizer
from engine.randomize.look.augment import AugmentBackground
from engine.randomize.look.texture import TextureChoice, with_texture_choices
from engine.randomize.look.variant import Load, VariantChoice, with_variants
from engine.recipe import Recipe
from engine.scene.image_folder import read_image_folder
from engine.scene.model import Asset, Scene


def prepared_scene(recipe: Recipe, scene: Scene, usd: Path, roots: tuple[Path, ...], load: Load) -> Scene:
    """Return a scene with the images that its recipe names, hashed among its assets, and without what it holds out.

    `load` reads the stage with other variants selected.

    Raises:
        UserError: If a folder is not there, or holds an image that cannot be read.
    """
    entries = [randomizer(name, data) for name, data in recipe.randomize.items()]
    folders = {}
    for entry in entries:
        folder = entry.params.folder if isinstance(entry.params, AugmentBackground | TextureChoice) else None
        if folder is not None and folder not in folders:
            folders[folder] = read_image_folder(folder, usd, roots, f"randomize.{entry.name}.folder")
    for entry in entries:
        if isinstance(entry.params, VariantChoice):
            scene = with_variants(scene, entry.params, load, f"randomize.{entry.name}")
    for entry in entries:
        if isinstance(entry.params, AssetSplit):
            scene = without_held_out(scene, entry.params, f"randomize.{entry.name}")
        if isinstance(entry.params, TextureChoice):
            images = folders[entry.params.folder].textures
            scene = with_texture_choices(scene, entry.params, images, f"randomize.{entry.name}")
    behind = [entry.params.folder for entry in entries if isinstance(entry.params, AugmentBackground)]
    pictures = [texture for folder, found in folders.items() if folder in behind for texture in found.textures]
    known = {asset.path for asset in scene.assets}
    added: list[Asset] = [a for folder in folders.values() for a in folder.assets if a.path not in known]
    return dataclasses.replace(scene, pictures=tuple(pictures), assets=(*scene.assets, *added))
