"""A small scene made of arrays: turned shapes before a curved backdrop, whose light and materials sheets choose."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from bench.gallery.sheet import Effort, Picture
from bench.materials import RGB, box_mesh, look_at, pose
from engine._layout import conf_folder
from engine.plain import from_plain
from engine.recipe import Rig
from engine.render import Renderer
from engine.rig import authored_draft
from engine.scene.model import (
    Camera,
    IesProfile,
    Instances,
    Light,
    Material,
    Mesh,
    Placements,
    Scene,
    Texture,
)
from engine.scene.taxonomy import Taxonomy
from engine.sensors.change import changed
from engine.sensors.model import Sensor

TURNS = 96  # corners of a turned shape around its axis
Part = tuple[Mesh, NDArray[np.float64], Material]

PAWN_M = (  # radius and height of the profile, from the base up
    (0.0, 0.0), (0.072, 0.0), (0.078, 0.008), (0.076, 0.02), (0.062, 0.032), (0.05, 0.045), (0.036, 0.075),
    (0.028, 0.11), (0.026, 0.14), (0.03, 0.155), (0.046, 0.163), (0.047, 0.171), (0.033, 0.178), (0.036, 0.186),
    (0.046, 0.2), (0.05, 0.219), (0.046, 0.238), (0.034, 0.254), (0.018, 0.264), (0.0, 0.267),
)  # fmt: skip
BACKDROP = Material("/backdrop", base_color=(0.46, 0.45, 0.43), roughness=0.8)
LACQUER = Material("/lacquer", base_color=(0.42, 0.025, 0.02), roughness=0.45, clearcoat=1.0, clearcoat_roughness=0.03)
GOLD = Material("/gold", base_color=(1.0, 0.72, 0.32), metallic=1.0, roughness=0.22)
PORCELAIN = Material("/porcelain", base_color=(0.75, 0.76, 0.74), roughness=0.12)
RUBBER = Material("/rubber", base_color=(0.05, 0.13, 0.22), roughness=0.6)


def turned_mesh(profile_m: NDArray[np.float64]) -> Mesh:
    """Return a smooth shape of revolution about z: rows of the profile are radius and height, going up outside."""
    around = np.linspace(0.0, 2.0 * np.pi, TURNS + 1)
    along = np.gradient(profile_m, axis=0)
    radius, height = np.broadcast_arrays(profile_m[:, :1], 0.0 * around)[0], profile_m[:, 1:] + 0.0 * around
    points = np.stack([radius * np.cos(around), radius * np.sin(around), height], axis=-1)
    out, up = along[:, 1:] + 0.0 * around, -along[:, :1] + 0.0 * around
    normal = np.stack([out * np.cos(around), out * np.sin(around), up], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    index = np.arange(radius.size).reshape(radius.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    triangle = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    flat = points.reshape(-1, 3)
    normals = normal.reshape(-1, 3)[triangle].astype(np.float32)
    _, first, same = np.unique(np.round(flat, 7), axis=0, return_index=True, return_inverse=True)
    flat, triangle = flat[first], same.reshape(-1)[triangle].astype(np.int32)  # one body, without a seam: glass bends
    corners = flat[triangle]
    twice_area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    triangle, normals = triangle[twice_area > 1.0e-12], normals[twice_area > 1.0e-12]
    slot = np.zeros(len(triangle), np.int32)
    return Mesh("turned", flat.astype(np.float32), triangle, normals, None, None, slot, False)


def ball_mesh(radius_m: float) -> Mesh:
    """Return a sphere that stands on the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 65)
    return turned_mesh(radius_m * np.stack([np.cos(angle), 1.0 + np.sin(angle)], axis=1))


def ring_mesh(radius_m: float, thickness_m: float) -> Mesh:
    """Return a torus that lies on the origin."""
    angle = np.linspace(0.0, 2.0 * np.pi, 49)
    section = np.stack([np.cos(angle), 1.0 + np.sin(angle)], axis=1)
    return turned_mesh(thickness_m * section + np.array([radius_m, 0.0]))


def pawn_mesh() -> Mesh:
    """Return a pawn of chess with a smooth outline."""
    from scipy.interpolate import PchipInterpolator

    rough = np.array(PAWN_M)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(rough, axis=0), axis=1))])
    return turned_mesh(PchipInterpolator(length, rough)(np.linspace(0.0, length[-1], 120)))


def cove_mesh(width_m: float = 6.0, depth_m: float = 0.9, height_m: float = 3.0, bend_m: float = 0.5) -> Mesh:
    """Return a floor that bends up into a wall at y = depth."""
    angle = np.linspace(0.0, np.pi / 2, 33)
    bend = np.stack([depth_m - bend_m + bend_m * np.sin(angle), bend_m - bend_m * np.cos(angle)], axis=1)
    line = np.concatenate([[[-4.0, 0.0]], bend, [[depth_m, height_m]]])
    along = np.concatenate([[[1.0, 0.0]], np.stack([np.cos(angle), np.sin(angle)], axis=1), [[0.0, 1.0]]])
    points, normal = (
        np.stack([np.insert(rows, 0, x, axis=1) for x in (-s, s)], axis=1).reshape(-1, 3)
        for rows, s in ((line, width_m / 2), (along[:, ::-1] * [-1.0, 1.0], 0.0))
    )
    a = 2 * np.arange(len(line) - 1)
    triangle = np.concatenate([np.stack([a, a + 1, a + 3], 1), np.stack([a, a + 3, a + 2], 1)]).astype(np.int32)
    slot, normals = np.zeros(len(triangle), np.int32), normal[triangle].astype(np.float32)
    return Mesh("cove", points.astype(np.float32), triangle, normals, None, None, slot, True)


def still_life() -> list[Part]:
    """Return things to light."""
    return [
        (cove_mesh(), pose(0, 0, 0), BACKDROP),
        (pawn_mesh(), pose(-0.02, -0.02, 0), LACQUER),
        (ball_mesh(0.085), pose(-0.24, 0.04, 0), PORCELAIN),
        (ring_mesh(0.075, 0.024), pose(0.14, -0.17, 0), GOLD),
        (box_mesh(0.15, 0.15, 0.15), pose(0.23, 0.09, 0, 31), RUBBER),
    ]


def assembled(
    parts: Sequence[Part], lights: Sequence[Light], *, textures: Sequence[Texture] = (), ies: Sequence[IesProfile] = ()
) -> Scene:
    """Return a scene of meshes, each an instance with a material of its own."""
    count = len(parts)
    poses = np.stack([at for _, at, _ in parts])
    rows = np.arange(count, dtype=np.int32)
    instances = Instances(
        ("", *(material.name for *_, material in parts)), np.arange(count + 1, dtype=np.uint64),
        np.array([0] + [1] * count, np.int32), ("none",) * (count + 1), ((),) * (count + 1),
        np.concatenate([np.eye(3, 4)[None], poses]),
    )  # fmt: skip
    return Scene(
        Path("still_life.usda"), tuple(mesh for mesh, *_ in parts), Placements(rows, rows + 1, rows, rows, poses),
        instances, tuple(material for *_, material in parts), tuple(textures), tuple(lights), (), (),
        Taxonomy("1", ()), (), (), tuple(ies),
    )  # fmt: skip


def photographed(
    scene: Scene, eye: Camera, size_px: tuple[int, int], *, quality: str, spp: int, effort: Effort, target: float = 0.2
) -> Picture:
    """Return a scene through a camera that exposes by itself and has a filmic tone curve."""
    bounced = quality == "path"
    rig = Rig(
        ("auto",), effort.px(size_px[0]), effort.px(size_px[1]), 1, effort.spp(spp), quality,  # type: ignore[arg-type]
        0.0, (0.0,) * 3 if bounced else (0.05,) * 3, 0.15, 0.5, False, clamp_radiance=6.0 if bounced else 0.0,
        denoise=bounced and not effort.quick,
    )  # fmt: skip
    ideal = from_plain(Sensor, yaml.safe_load((conf_folder() / "sensor" / "ideal.yaml").read_text()), "sensor")
    values = {"exposure.mode": "auto", "exposure.meter_target": target, "exposure.meter_low_ev": -12.0,
              "exposure.meter_high_ev": 12.0, "develop.tone": "filmic", "develop.headroom_ev": 2.5}  # fmt: skip
    outputs = type(RGB)(**{**vars(RGB), "sensor": changed(ideal, values)})
    draft = authored_draft(scene, rig, (eye,), np.zeros(1, np.int64), np.zeros(1, np.int32))
    with closing(Renderer(scene, rig, outputs, seed=0, device="cpu")) as renderer:
        rgb = renderer.render(draft).rgb
    assert rgb is not None
    return rgb[0]


STILL_LIFE_CAMERA = Camera("/camera", look_at((0.06, -1.2, 0.42), (0.0, 0.0, 0.105)), 38.0, 24.0, 16.0)
