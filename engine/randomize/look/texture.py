"""Textures from a folder: instances wear a material of the scene with one of the folder's images as its base colour."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import Law, check_support
from engine.randomize.laws.columns import Choices
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.recipe import check_relative
from engine.registry import RANDOMIZERS
from engine.scene.model import Material, Scene, Texture, TextureInput

ONE, ZERO = (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0)
AS_IS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # texture coordinates, row-major 2 x 3


@dataclass(frozen=True)
class TextureChoice:
    """One image for every instance; where the mesh has texture coordinates."""

    STAGE: ClassVar[Stage] = Stage.MATERIAL
    CHOICES: ClassVar[Choices] = {"image": (None, "weights")}
    instances: Glob
    material: str  # prim path or glob of the material that they wear; the first match counts
    folder: str  # of JPEG and PNG files, relative to the USD file's folder
    weights: tuple[float, ...] | None  # in the order of the files' names; null: equal
    probability: Law  # that an instance is changed at all; drawn per world
    together: bool  # one image for all these instances, or one each

    def __post_init__(self) -> None:
        check_relative(self.folder)
        check_support("probability", self.probability, 0.0, 1.0)


def with_texture_choices(scene: Scene, params: TextureChoice, images: tuple[Texture, ...], where: str) -> Scene:
    """Return a scene with a material for every image of a folder.

    Raises:
        UserError: If the scene has no such material.
    """
    material = scene.materials[select.materials(scene, params.material, f"{where}.material")[0]]
    have = {texture.name: index for index, texture in enumerate(scene.textures)}
    added = [image for image in images if image.name not in have]
    have |= {image.name: len(scene.textures) + index for index, image in enumerate(added)}
    known = {each.name for each in scene.materials}
    worn = [_wearing(material, have[image.name], image.name) for image in images]
    materials = (*scene.materials, *(each for each in worn if each.name not in known))
    return dataclasses.replace(scene, textures=(*scene.textures, *added), materials=materials)


@RANDOMIZERS.register("texture", TextureChoice)
def texture(params: TextureChoice, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Choose an image for each instance."""
    instances = select.instances(scene, params.instances, draw.where("instances"))
    material = scene.materials[select.materials(scene, params.material, draw.where("material"))[0]]
    begin = _name(material, f"{params.folder}/")
    pool = [i for i, each in enumerate(scene.materials) if _is_direct(each.name, begin)]
    if not pool:
        raise UserError(f"{draw.where('folder')}: the scene was loaded without {params.folder}; name it in the recipe")
    probability = draw.law("probability", params.probability)
    count = 1 if params.together else len(instances)
    names = tuple(scene.materials[i].name.rpartition("/")[2] for i in pool)
    index = draw.choice("image", names, params.weights, count=count)
    changed = draw.uniform("changed", count=count) < probability[:, None]
    draw.record("changed", changed)
    draft.material[:, instances] = np.where(changed, np.asarray(pool)[index], draft.material[:, instances])


def _wearing(material: Material, texture: int, image: str) -> Material:
    """Return a material with another image in place of its base colour."""
    before = material.textures.get("base_color")
    uv_from_st, uv_set = (AS_IS, 0) if before is None else (before.uv_from_st, before.uv_set)
    base = TextureInput(texture, 0, ONE, ZERO, uv_from_st, uv_set)
    return dataclasses.replace(
        material,
        name=_name(material, image),
        textures={**material.textures, "base_color": base},
        uses_display_color=False,
    )


def _name(material: Material, image: str) -> str:
    return f"{material.name}@{image}"


def _is_direct(name: str, begin: str) -> bool:
    return name.startswith(begin) and "/" not in name[len(begin) :]
