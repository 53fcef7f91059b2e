"""Scenes that light is measured on: a furnace, a room and a hall that Mitsuba has too, and a table under lamps."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.eye_scene import eye_rig, own_subject
from bench.materials import look_at, sphere_mesh, studio_dome
from engine.draft import Draft
from engine.recipe import Rig
from engine.rig import authored_draft
from engine.scene.model import Camera, Instances, Light, LightKind, Material, Mesh, Placements, Scene, Texture
from engine.scene.taxonomy import Taxonomy

WHITE = Material("white", base_color=(0.75,) * 3, ior=1.0)
RED = Material("red", base_color=(0.63, 0.06, 0.05), ior=1.0)
GREEN = Material("green", base_color=(0.14, 0.45, 0.09), ior=1.0)
BLACK = Material("black", base_color=(0.0,) * 3, ior=1.0)
METAL = Material("metal", base_color=(0.9, 0.7, 0.4), metallic=1.0, roughness=0.45)
GLASS = Material("glass", opacity=0.0, ior=1.5, roughness=0.3)
ROOM_CAMERA = Camera("/camera", look_at((0, -3.9, 1), (0, 0, 1)), 35.0, 24.0, 24.0)
BLOCK_PX = 32  # of the room's picture: means of blocks are compared
FURNACE_RINGS = ((0.0, 0.55), (0.55, 0.8), (0.8, 0.93))  # of a ball's picture, by distance from its middle
FURNACE_PX = 32

Part = tuple[Mesh, NDArray[np.float64], Material]


def square_mesh(size_m: float) -> Mesh:
    """Return a square in the plane z = 0 around the origin, an image on it once."""
    uv = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    points = np.concatenate([(uv - 0.5) * size_m, np.zeros((4, 1), np.float32)], axis=1).astype(np.float32)
    triangle = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
    return Mesh("square", points, triangle, None, uv[triangle], None, np.zeros(2, np.int32), True)


def faceted(mesh: Mesh) -> Mesh:
    """Return a mesh whose triangles are flat and lit on both sides, as light inside glass meets them."""
    return dataclasses.replace(mesh, normal=None, two_sided=True)


def facing(at: object, normal: object) -> NDArray[np.float64]:
    """Return the pose of a plate at a point with a normal."""
    z = np.array(normal, np.float64)
    x = np.array([1.0, 0, 0]) if abs(z[2]) > 0.9 else np.cross(z, [0, 0, 1.0])
    return np.concatenate([np.stack([x, np.cross(z, x), z], axis=1), np.reshape(np.array(at, np.float64), (3, 1))], 1)


def stage_of(parts: list[Part], lights: tuple[Light, ...], textures: tuple[Texture, ...] = ()) -> Scene:
    """Return a scene of meshes, each an instance with a material of its own."""
    meshes: list[Mesh] = []
    for mesh, _, _ in parts:
        if not any(mesh is known for known in meshes):
            meshes.append(mesh)
    index = [next(i for i, known in enumerate(meshes) if known is mesh) for mesh, _, _ in parts]
    count = len(parts)
    slot = np.arange(count, dtype=np.int32)
    poses = np.array([pose for _, pose, _ in parts], np.float64).reshape(-1, 3, 4)
    placements = Placements(np.array(index, np.int32), slot + 1, slot, slot, poses)
    instances = Instances(
        ("", *(f"/part_{i}" for i in range(count))), np.arange(count + 1, dtype=np.uint64),
        np.array([0] + [1] * count, np.int32), ("none",) * (count + 1), ((),) * (count + 1),
        np.concatenate([np.eye(3, 4)[None], poses]),
    )  # fmt: skip
    return Scene(
        Path("light.usda"), tuple(meshes), placements, instances, tuple(material for *_, material in parts), textures,
        lights, (), (), Taxonomy("1", ()), (), (),
    )  # fmt: skip


def dark_rig(
    width_px: int, height_px: int, *, spp: int, quality: str = "direct", bounces: int = 0,
    energy_compensation: bool = True,
) -> Rig:  # fmt: skip
    """Return a rig without ambient light."""
    dark = eye_rig(width_px, height_px, quality=quality, spp=spp)
    return dataclasses.replace(
        dark, ambient_radiance=(0.0,) * 3, bounces=bounces, energy_compensation=energy_compensation
    )


def stage_draft(scene: Scene, rig: Rig, camera: Camera) -> Draft:
    """Return world 0 as authored, seen by one camera."""
    return authored_draft(scene, rig, (camera,), np.zeros(1, np.int64), np.zeros(1, np.int32))


def furnace(roughness: float, metallic: float) -> tuple[Scene, Camera]:
    """Return a white ball under a dome of radiance 1, where nothing should be seen, and its camera."""
    white = Material("white", base_color=(1.0,) * 3, roughness=roughness, metallic=metallic)
    dome = Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (1.0,) * 3)
    camera = Camera("/camera", look_at((0, -30, 0), (0, 0, 0)), 340.0, 24.0, 24.0)
    return stage_of([(faceted(sphere_mesh(1.0, rings=64)), np.eye(3, 4), white)], (dome,)), camera


def ring_means(image: NDArray[Any]) -> list[float]:
    """Return the mean of every ring of a furnace's picture."""
    y, x = (np.mgrid[:FURNACE_PX, :FURNACE_PX] - 15.5) / 15.1  # pixels of the ball's radius
    radius = np.hypot(x, y)
    return [float(image[(radius >= low) & (radius < high)].mean()) for low, high in FURNACE_RINGS]


def cornell_room(balls: tuple[Material, Material] = (METAL, WHITE)) -> Scene:
    """Return a room of 2 m with a lamp below its ceiling and two balls."""
    lamp = Light("/lamp", LightKind.RECT, facing((0, 0, 1.98), (0, 0, 1)), (0.5, 0.5), 0.0, (17.0, 12.0, 4.0))
    wall, ball = square_mesh(2.0), faceted(sphere_mesh(0.35))
    parts = [
        (wall, facing((0, 0, 0), (0, 0, 1)), WHITE), (wall, facing((0, 0, 2), (0, 0, -1)), WHITE),
        (wall, facing((0, 1, 1), (0, -1, 0)), WHITE), (wall, facing((-1, 0, 1), (1, 0, 0)), RED),
        (wall, facing((1, 0, 1), (-1, 0, 0)), GREEN), (ball, facing((-0.4, 0.3, 0.36), (0, 0, 1)), balls[0]),
        (ball, facing((0.4, -0.2, 0.36), (0, 0, 1)), balls[1]),
        (square_mesh(0.5), facing((0, 0, 1.985), (0, 0, -1)), BLACK),  # the back of the lamp, which is no body for us
    ]  # fmt: skip
    return stage_of(parts, (lamp,))


def block_means(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of every block of a square picture."""
    count = image.shape[0] // BLOCK_PX
    return np.array(image.mean(axis=-1).reshape(count, BLOCK_PX, count, BLOCK_PX).mean(axis=(1, 3)))


def lambert_hall() -> tuple[Scene, Camera]:
    """Return the scene of `bench.eye`, matte, under a dome and a sun: 250 things, 83 thousand triangles; its camera."""
    subject = own_subject(1)
    source = subject.scene
    meshes = [faceted(mesh) for mesh in source.meshes]
    parts = [
        (meshes[m], pose, Material(f"/look_{i}", base_color=tuple((0.7 * tint).tolist()), ior=1.0))
        for i, (m, pose, tint) in enumerate(
            zip(source.placements.mesh, subject.world_from_instance[0], subject.tint[0], strict=True)
        )
    ]
    towards = -subject.light_direction[0, 0]
    lights = (
        Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (0.5, 0.55, 0.65)),
        Light("/sun", LightKind.DISTANT, look_at(tuple(towards), (0, 0, 0)), (0.0, 0.0), 0.0, (2.5, 2.3, 2.0)),
    )
    focal_mm = 12.0 / math.tan(subject.fov_y_rad / 2)
    return stage_of(parts, lights), Camera("/camera", subject.world_from_camera[0], focal_mm, 24.0, 24.0)


def table(lights: tuple[Light, ...], materials: tuple[Material, Material]) -> tuple[Scene, Camera]:
    """Return a floor and a ball on it that fill the picture, with their materials; and the camera.

    Texture 0 is an image of a studio.
    """
    parts = [
        (square_mesh(12.0), np.eye(3, 4), materials[0]),
        (sphere_mesh(0.5), facing((0, 0, 0.5), (0, 0, 1)), materials[1]),
    ]
    camera = Camera("/camera", look_at((0.0, -2.2, 1.5), (0, 0, 0.35)), 30.0, 24.0, 18.0)
    return stage_of(parts, lights, (studio_dome(),)), camera
