"""Scenes that the eye is measured on: the peers' comparison scene, and one of our own with the same statistics.

Both become a `Subject`: one `engine.scene.model.Scene` and, per world, where everything is, its colour and its camera.
The peers' scene is made by the program `scene.py` beside the peers, loaded by its path; ours needs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import gpu
from engine.config import compose
from engine.draft import Draft
from engine.recipe import Rig
from engine.rig import authored_draft
from engine.scene.model import (
    Camera,
    Instances,
    Light,
    LightKind,
    Material,
    Mesh,
    Placements,
    Scene,
    Texture,
    TextureInput,
    Wrap,
)
from engine.scene.taxonomy import Taxonomy

DETAIL_TRIANGLES = 80_000  # of the one detailed mesh of both scenes
BOXES = 200
FOV_Y_RAD = math.radians(60)
AMBIENT = (0.15, 0.15, 0.17)


@dataclass(frozen=True)
class Shape:
    """A mesh whose corners share their data, as most programs want it."""

    points_m: NDArray[np.float32]  # [point, 3]
    triangle: NDArray[np.int32]  # [triangle, 3]
    uv: NDArray[np.float32]  # [point, 2]
    normal: NDArray[np.float32]  # [point, 3]


@dataclass(frozen=True)
class Subject:
    """A scene and its worlds; instance i of the worlds is instance i + 1 of the scene."""

    name: str
    scene: Scene
    fov_y_rad: float
    ambient: tuple[float, float, float]  # irradiance / pi that arrives everywhere, unoccluded
    world_from_instance: NDArray[np.float64]  # [world, instance, 3, 4]
    tint: NDArray[np.float32]  # [world, instance, 3]
    world_from_camera: NDArray[np.float64]  # [world, 3, 4]
    light_direction: NDArray[np.float64]  # [world, light, 3], unit, of travel

    @property
    def world_count(self) -> int:
        """Return how many different worlds there are."""
        return len(self.world_from_camera)

    @property
    def instance_count(self) -> int:
        """Return how many instances a world has."""
        return self.world_from_instance.shape[1]

    @property
    def triangle_count(self) -> int:
        """Return how many triangles a world has."""
        return int(sum(len(self.scene.meshes[m].triangle) for m in self.scene.placements.mesh))


def eye_rig(width: int, height: int, *, quality: str = "direct", spp: int = 1, ambient_reach_m: float = 0.0) -> Rig:
    """Return the shipped rig with one camera; a reach of 0 is an ambient term without rays, as the peers have it."""
    return dataclasses.replace(
        _shipped_rig(quality), cameras=("auto",), width=width, height=height, steps=1, spp=spp, exposure_ev=0.0,
        ambient_radiance=AMBIENT, ambient_reach_m=ambient_reach_m,
    )  # fmt: skip


@functools.cache
def _shipped_rig(quality: str) -> Rig:
    outputs = "outputs=[depth,normal,instance]"
    recipe, _ = compose("+scene=tabletop", f"quality={quality}", "write=geometry", outputs)
    return recipe.rig


def draft_of(subject: Subject, rig: Rig, worlds: list[int]) -> Draft:
    """Return some worlds as a draft; a number beyond the subject's worlds starts again at the first."""
    index = np.array(worlds) % subject.world_count
    rows = len(index)
    draft = authored_draft(
        subject.scene, rig, subject.scene.cameras, np.array(worlds, np.int64), np.zeros(rows, np.int32)
    )
    draft.world_from_instance[:, 1:] = subject.world_from_instance[index]
    draft.tint[:, 1:] = subject.tint[index]
    draft.world_from_camera[:, 0] = subject.world_from_camera[index]
    draft.focal_px[:] = rig.height / 2 / math.tan(subject.fov_y_rad / 2)
    draft.center_px[:] = (rig.width / 2, rig.height / 2)
    draft.world_from_light[:, :, :, :3] = _frames_along(subject.light_direction[index])
    # Without a reach the renderer gives only the share of the ambient term that nothing can keep away.
    open_share = 1.0 if rig.ambient_reach_m > 0.0 else float(gpu.shade.AMBIENT_OPEN_SHARE)
    draft.ambient[:] = np.array(subject.ambient, np.float32) / np.float32(open_share)
    return draft


def peers_scene_module(folder: Path) -> Any:
    """Return the program that makes the peers' scene."""
    spec = importlib.util.spec_from_file_location("ommatidia_peers_scene", folder / "scene.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(folder / "scene.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def comparison_subject(
    folder: Path, worlds: int, *, boxes: int = BOXES, detail_triangles: int = DETAIL_TRIANGLES
) -> Subject:
    """Return the peers' scene.

    Args:
        folder: Where the peers and their `scene.py` lie.
        worlds: How many worlds.
        boxes: Instances of the cube on the shelves.
        detail_triangles: Triangles of the detailed mesh, about.
    """
    peers = peers_scene_module(folder)
    made = peers.make_scene(worlds, boxes, detail_triangles)
    first = made.worlds[0]
    shapes = [Shape(m.verts, m.faces, m.uvs, m.normals) for m in made.meshes]
    poses = np.stack([_poses(w.pos, peers.quat_mat(w.quat), w.scale) for w in made.worlds])
    cameras = np.stack([_poses(w.cam_pos[:1], peers.quat_mat(w.cam_quat[:1]), np.ones((1, 3)))[0] for w in made.worlds])
    lights = np.stack([w.light_dir for w in made.worlds]).astype(np.float64)
    scene = _scene("comparison", shapes, first.mesh, first.tex, made.textures, poses[0], first.light_color)
    tint = np.stack([w.color for w in made.worlds]).astype(np.float32)
    return Subject("comparison", scene, made.fov_y, made.ambient, poses, tint, cameras, lights)


def own_subject(
    worlds: int, *, instances: int = 250, detail_triangles: int = DETAIL_TRIANGLES, seed: int = 11
) -> Subject:
    """Return a scrapyard of our own: crates on a floor in a ring of lamp posts, and a wrinkled ball before the camera.

    Args:
        worlds: How many worlds.
        instances: Of a world; the floor and the ball, up to 48 posts, and crates, which shrink as they get more.
        detail_triangles: Triangles of the ball, about.
        seed: Of everything drawn.
    """
    rng = np.random.default_rng(seed)
    posts = min(48, instances // 4)
    boxes = instances - posts - 2
    mesh = np.array([0] + [1] * (posts + boxes) + [2], np.int32)
    texture = np.array([0] + [2] * posts + [1] * boxes + [3], np.int32)
    poses, tints, cameras, lights = [], [], [], []
    for world in range(worlds):
        draw = np.random.default_rng([seed, world])
        place, size, turn = _scrapyard(draw, posts, boxes)
        tints.append(draw.uniform(0.5, 1.0, (len(mesh), 3)))
        angle = draw.uniform(0, 2 * math.pi)
        place[-1] = (4.5 * math.cos(angle + 0.15), 4.5 * math.sin(angle + 0.15), 1.0)
        eye = np.array([9.0 * math.cos(angle), 9.0 * math.sin(angle), draw.uniform(1.8, 3.2)])
        cameras.append(_look_at(eye, draw.uniform((-0.5, -0.5, 0.6), (0.5, 0.5, 1.2))))
        poses.append(_poses(place, _turned(turn), size))
        lights.append(draw.uniform((-0.8, 0.3, -0.9), (-0.2, 0.8, -0.7), (2, 3)) * [[1, 1, 1], [-1, 0.4, 1]])
    direction = np.array(lights) / np.linalg.norm(lights, axis=-1, keepdims=True)
    shapes = [_floor(25.0), _crate(), _ball(detail_triangles)]
    color = np.array([(0.9, 0.85, 0.75), (0.3, 0.38, 0.5)], np.float32)
    scene = _scene("own", shapes, mesh, texture, _images(rng), np.array(poses)[0], color)
    tint = np.array(tints, np.float32)
    return Subject("own", scene, FOV_Y_RAD, AMBIENT, np.array(poses), tint, np.array(cameras), direction)


def _scene(
    name: str, shapes: list[Shape], mesh: NDArray[np.int32], texture: NDArray[np.int32],
    images: list[NDArray[np.uint8]], poses: NDArray[np.float64], irradiance: NDArray[np.float32],
) -> Scene:  # fmt: skip
    """Return a scene of shapes, each placement an instance; its material is its texture, Lambert as far as we can."""
    count = len(mesh)
    instances = np.arange(1, count + 1, dtype=np.int32)
    unit = (1.0,) * 4
    inputs = [TextureInput(i, 0, unit, (0.0,) * 4, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)) for i in range(len(images))]
    materials = [Material("fallback")] + [
        Material(f"/look_{i}", roughness=1.0, ior=1.0, textures={"base_color": found}) for i, found in enumerate(inputs)
    ]
    placements = Placements(mesh.astype(np.int32), instances, texture.astype(np.int32),
                            np.arange(1, len(images) + 1, dtype=np.int32), poses)  # fmt: skip
    roots = np.concatenate([np.eye(3, 4)[None], poses])
    owners = Instances(
        ("", *(f"/item_{i}" for i in range(count))), np.arange(count + 1, dtype=np.uint64),
        np.array([0] + [1] * count, np.int32), ("none",) * (count + 1), ((),) * (count + 1), roots,
    )  # fmt: skip
    lights = tuple(  # without an angle, the radiance of a distant light is its irradiance
        Light(f"/sun_{i}", LightKind.DISTANT, np.eye(3, 4), (0.0, 0.0), 0.0, tuple((math.pi * e).tolist()))
        for i, e in enumerate(irradiance)
    )
    return Scene(
        Path(f"{name}.usda"), tuple(_mesh(shape) for shape in shapes), placements, owners, tuple(materials),
        tuple(_texture(image, i) for i, image in enumerate(images)), lights,
        (Camera("/camera", np.eye(3, 4), 24.0, 24.0, 24.0),), (), Taxonomy("1", ()), (), (),
    )  # fmt: skip


def _mesh(shape: Shape) -> Mesh:
    corner = shape.triangle
    slot = np.zeros(len(corner), np.int32)
    return Mesh("mesh", shape.points_m, corner, shape.normal[corner], shape.uv[corner], None, slot, True)


def _texture(image: NDArray[np.uint8], index: int) -> Texture:
    """Return an sRGB image whose first row is v = 0."""
    code = np.linspace(0.0, 1.0, 256)
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)
    pixels = np.concatenate([linear[image], np.ones((*image.shape[:2], 1), np.float32)], axis=-1)
    return Texture(f"image_{index}", pixels, Wrap.REPEAT, Wrap.REPEAT)


def _poses(at: NDArray[Any], axes: NDArray[Any], size: NDArray[Any]) -> NDArray[np.float64]:
    """Return poses [item, 3, 4] that scale, turn and move."""
    linear = np.asarray(axes, np.float64) * np.asarray(size, np.float64)[:, None, :]
    return np.concatenate([linear, np.asarray(at, np.float64)[:, :, None]], axis=2)


def _turned(angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations about z, [item, 3, 3]."""
    c, s, zero, one = np.cos(angle_rad), np.sin(angle_rad), np.zeros_like(angle_rad), np.ones_like(angle_rad)
    return np.stack([c, -s, zero, s, c, zero, zero, zero, one], axis=-1).reshape(-1, 3, 3)


def _look_at(eye: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    frame = _frames_along((target - eye) / np.linalg.norm(target - eye))
    return np.concatenate([frame, eye[:, None]], axis=1)


def _frames_along(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return orthonormal axes [..., 3, 3] whose -Z is a unit direction that is not vertical."""
    z = -direction
    x = np.cross(np.array([0.0, 0.0, 1.0]), z)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _scrapyard(
    draw: np.random.Generator, posts: int, boxes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return where everything is, its size and how it is turned about z, [item, ...]; the ball, last, at the origin."""
    along = np.arange(posts) * (2 * math.pi / posts)
    post = np.stack([6.5 * np.cos(along), 6.5 * np.sin(along), np.full(posts, 1.2)], axis=1)
    post_size = np.tile([0.1, 0.1, 2.4], (posts, 1))
    shrink = min(1.0, math.sqrt(BOXES / boxes))
    size = draw.uniform((0.3, 0.35, 0.2), (0.6, 0.8, 0.55), (boxes, 3)) * shrink
    spiral = np.sqrt((np.arange(boxes) + 0.5) / boxes)  # Vogel's spiral: even cover of a disk
    angle = np.arange(boxes) * math.pi * (3 - math.sqrt(5))
    radius = 1.6 + 4.2 * spiral
    height = draw.integers(0, 3, boxes) * 0.56 * shrink + size[:, 2] / 2 + 1e-3
    crate = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    crate[:, :2] += draw.uniform(-0.06, 0.06, (boxes, 2))
    place = np.concatenate([np.zeros((1, 3)), post, crate, np.zeros((1, 3))])
    sizes = np.concatenate([np.ones((1, 3)), post_size, size, np.ones((1, 3))])
    turn = np.concatenate([[0.0], along, draw.uniform(0, math.pi, boxes), [0.0]])
    return place, sizes, turn


def _floor(half_m: float) -> Shape:
    """Return a square of two triangles, its image repeated every two metres."""
    corner = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32) * half_m
    points = np.concatenate([corner, np.zeros((4, 1), np.float32)], axis=1)
    triangle = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
    return Shape(points, triangle, corner / 2, np.tile(np.float32([0, 0, 1]), (4, 1)))


def _crate() -> Shape:
    """Return a unit cube of 24 corners, an image on every face."""
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    points, normals = [], []
    for axis in range(3):
        for side in (-1.0, 1.0):
            across = np.eye(3)[[(axis + 1) % 3, (axis + 2) % 3]]
            u, v = across if side > 0 else across[::-1]
            points.append(square[:, :1] * u + square[:, 1:] * v + np.eye(3)[axis] * side / 2)
            normals.append(np.tile(np.eye(3)[axis] * side, (4, 1)))
    face = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
    triangle = (np.arange(6, dtype=np.int32)[:, None, None] * 4 + face).reshape(-1, 3)
    uv = np.tile((square + 0.5).astype(np.float32), (6, 1))
    return Shape(np.concatenate(points).astype(np.float32), triangle, uv, np.concatenate(normals).astype(np.float32))


def _ball(triangles: int) -> Shape:
    """Return a closed, wrinkled ball of about so many triangles with smooth normals."""
    rings = max(3, round(math.sqrt(triangles / 4)))
    count = 2 * rings
    theta = (np.arange(rings + 1) / rings * math.pi)[:, None]
    phi = (np.arange(count + 1) / count * 2 * math.pi)[None]  # the last column repeats the first: the image's seam
    radius = 0.9 * (1 + 0.08 * np.sin(9 * theta) * np.cos(7 * phi) + 0.02 * np.sin(60 * theta) * np.sin(45 * phi))
    sine = np.sin(theta)
    sine[-1] = 0.0  # sin(pi) is not quite 0; a pole is one point
    points = radius[..., None] * np.stack(
        np.broadcast_arrays(sine * np.cos(phi), sine * np.sin(phi), np.cos(theta)), -1
    )
    points[:, -1] = points[:, 0]
    i, j = (index.ravel() for index in np.meshgrid(np.arange(rings), np.arange(count), indexing="ij"))
    a, b, c, d = (r * (count + 1) + k for r, k in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)))
    triangle = np.concatenate([np.stack([a, b, c], 1)[i < rings - 1], np.stack([a, c, d], 1)[i > 0]]).astype(np.int32)
    along = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normal = np.cross(along[0], along[1]).reshape(-1, 3)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    flat = points.reshape(-1, 3)
    normal = np.where(length > 1e-12, normal / np.maximum(length, 1e-12), flat / np.linalg.norm(flat, axis=1)[:, None])
    uv = np.stack(np.broadcast_arrays(phi / (2 * math.pi) * 4, 2 - theta / math.pi * 2), -1).reshape(-1, 2)
    return Shape(flat.astype(np.float32), triangle, uv.astype(np.float32), normal.astype(np.float32))


def _images(rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Return four images: slabs, planks, brushed metal, patina."""
    images = []
    looks = ((0.6, 0.58, 0.55), (0.66, 0.5, 0.33), (0.55, 0.56, 0.6), (0.4, 0.55, 0.5))
    for size, color in zip((1024, 512, 512, 512), looks, strict=True):
        y, x = np.mgrid[:size, :size]
        coarse = np.kron(rng.random((32, 32)), np.ones((size // 32, size // 32)))
        value = 0.75 + 0.25 * coarse + 0.15 * np.sin(y * (40 / size)) * ((x // (size // 8)) % 2)
        images.append((np.clip(value[..., None] * np.array(color), 0, 1) * 255).astype(np.uint8))
    return images
