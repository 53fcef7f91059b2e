"""Scenes that are one but for some prims, joined: the prims of each stand beside those of the others."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
from numpy.typing import NDArray

from engine.scene.error import SceneError
from engine.scene.model import Keypoints, Material, Placements, Scene, Texture


def below(scene: Scene, prim: str) -> NDArray[np.bool_]:
    """Return which instances [instance] are a prim or below it."""
    return np.array([path == prim or path.startswith((f"{prim}/", f"{prim}[")) for path in scene.instances.path])


def with_instances(scene: Scene, kept: NDArray[np.bool_]) -> Scene:
    """Return a scene with some of its instances [instance] and their placements; all else stays, used or not."""
    return ordered(scene, np.flatnonzero(kept))


def ordered(scene: Scene, chosen: NDArray[np.int64]) -> Scene:
    """Return a scene with the chosen instances in that order, and their placements in the order that they had."""
    own, placed, points = scene.instances, scene.placements, scene.keypoints
    number = np.full(len(own.path), -1, np.int32)
    number[chosen] = np.arange(len(chosen), dtype=np.int32)
    is_placed = number[placed.instance] >= 0
    at = np.flatnonzero(number[points.instance] >= 0)
    at = at[np.lexsort((points.number[at], number[points.instance[at]]))]
    placements = dataclasses.replace(
        placed,
        mesh=placed.mesh[is_placed],
        instance=number[placed.instance[is_placed]],
        first_slot=placed.first_slot[is_placed],
        world_from_mesh=placed.world_from_mesh[is_placed],
        color=None if placed.color is None else placed.color[is_placed],
        prim=tuple(prim for prim, keeps in zip(placed.prim, is_placed, strict=False) if keeps),
    )
    instances = dataclasses.replace(
        own,
        path=tuple(own.path[i] for i in chosen),
        stable_id=own.stable_id[chosen],
        class_id=own.class_id[chosen],
        label_source=tuple(own.label_source[i] for i in chosen),
        tags=tuple(own.tags[i] for i in chosen),
        world_from_instance=own.world_from_instance[chosen],
    )
    keypoints = Keypoints(
        number[points.instance[at]], points.number[at], points.position_m[at], points.depth_m[at]
    )  # fmt: skip
    links = None if scene.link_sets is None else scene.link_sets[:, is_placed]
    return dataclasses.replace(
        scene, placements=placements, instances=instances, keypoints=keypoints, link_sets=links
    )  # fmt: skip


def joined(scene: Scene, other: Scene, suffix: str) -> Scene:
    """Return a scene with all instances of another one as well, the background aside, their paths with a suffix.

    Raises:
        SceneError: If the two do not share a taxonomy, or link lights to things.
    """
    if other.taxonomy != scene.taxonomy:
        raise SceneError(f"scene '{scene.source}': {suffix} has classes of its own; name scene.taxonomy")
    if scene.link_sets is not None or other.link_sets is not None:
        raise SceneError(f"scene '{scene.source}': {suffix} cannot be an alternative where lights are linked to things")
    first, meshes = len(scene.instances.path) - 1, len(scene.meshes)
    materials, of_material, textures = _looks(scene, other)
    one, two, slots = scene.placements, other.placements, len(scene.placements.slot_material)
    placements = dataclasses.replace(
        one,
        mesh=np.concatenate([one.mesh, two.mesh + meshes]).astype(np.int32),
        instance=np.concatenate([one.instance, two.instance + first]).astype(np.int32),
        first_slot=np.concatenate([one.first_slot, two.first_slot + slots]).astype(np.int32),
        slot_material=np.concatenate([one.slot_material, of_material[two.slot_material]]).astype(np.int32),
        world_from_mesh=np.concatenate([one.world_from_mesh, two.world_from_mesh]),
        color=None if one.color is None and two.color is None else np.concatenate([_color(one), _color(two)]),
        prim=(*one.prim, *two.prim),
    )
    own, more = scene.instances, other.instances
    paths = tuple(path + suffix for path in more.path[1:])
    ids = [int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") for path in paths]
    instances = dataclasses.replace(
        own,
        path=(*own.path, *paths),
        stable_id=np.concatenate([own.stable_id, np.array(ids, np.uint64)]),
        class_id=np.concatenate([own.class_id, more.class_id[1:]]),
        label_source=(*own.label_source, *more.label_source[1:]),
        tags=(*own.tags, *more.tags[1:]),
        world_from_instance=np.concatenate([own.world_from_instance, more.world_from_instance[1:]]),
    )
    a, b = scene.keypoints, other.keypoints
    keypoints = Keypoints(
        np.concatenate([a.instance, b.instance + first]).astype(np.int32),
        np.concatenate([a.number, b.number]),
        np.concatenate([a.position_m, b.position_m]),
        np.concatenate([a.depth_m, b.depth_m]),
    )
    known = {asset.path for asset in scene.assets}
    whole = dataclasses.replace(
        scene,
        meshes=(*scene.meshes, *other.meshes),
        placements=placements,
        instances=instances,
        keypoints=keypoints,
        materials=materials,
        textures=textures,
        assets=(*scene.assets, *(asset for asset in other.assets if asset.path not in known)),
    )
    return ordered(whole, np.array(sorted(range(len(instances.path)), key=lambda i: instances.path[i])))


def _color(placements: Placements) -> NDArray[np.float32]:
    return np.ones((len(placements.mesh), 4), np.float32) if placements.color is None else placements.color


def _looks(scene: Scene, other: Scene) -> tuple[tuple[Material, ...], NDArray[np.int32], tuple[Texture, ...]]:
    """Return materials of both, where those of the other are, and textures of both; what is equal is there once."""
    textures = list(scene.textures)
    known = {(texture.name, texture.wrap_u, texture.wrap_v, texture.size_px): i for i, texture in enumerate(textures)}
    at = []
    for texture in other.textures:
        key = (texture.name, texture.wrap_u, texture.wrap_v, texture.size_px)
        if key not in known or not _is_same(textures[known[key]], texture):
            known[key] = len(textures)
            textures.append(texture)
        at.append(known[key])
    materials, place = list(scene.materials), []
    own = {material.name: index for index, material in enumerate(materials)}
    for material in other.materials:
        inputs = {name: dataclasses.replace(i, texture=at[i.texture]) for name, i in material.textures.items()}
        moved = dataclasses.replace(material, textures=inputs)
        if material.name not in own or materials[own[material.name]] != moved:
            own[material.name] = len(materials)
            materials.append(moved)
        place.append(own[material.name])
    return tuple(materials), np.array(place, np.int32), tuple(textures)


def _is_same(one: Texture, two: Texture) -> bool:
    if (one.byte is None) != (two.byte is None):
        return False
    if one.byte is not None and two.byte is not None and not np.array_equal(one.byte, two.byte):
        return False
    return np.array_equal(one.pixels, two.pixels)
