"""Small scenes as plain arrays, for tests that need no USD."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.frames import Frames
from engine.labels.config import LabelConfig
from engine.recipe import Rig
from engine.render import Outputs, Renderer
from engine.rig import authored_draft
from engine.scene.model import Camera, Instances, Keypoints, Light, Material, Mesh, Placements, Scene, Texture
from engine.scene.taxonomy import Taxonomy
from engine.sensors.depth import StereoSensor
from engine.sensors.lidar import LidarBeam, LidarDetector, LidarMotion, LidarMount, SpinningLidar

ALL = Outputs(rgb=True, rgb_linear=True, depth=True, normal=True, instance=True)
LABELS = Outputs(rgb=False, rgb_linear=False, depth=True, normal=True, instance=True)
IMAGES = dataclasses.replace(ALL, labels=LabelConfig(margin=0.1), keypoint_tolerance_m=0.05)
STEREO = StereoSensor(0.1, 0.1, 0.0, (0.0, 1000.0), 0.5, 3, 0.0, 0.1, 85.0, 0.01)
SPINNING = SpinningLidar(
    LidarMount("auto", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), upright=False),
    LidarBeam((5.0, 5.0), 4),
    LidarDetector("dual", 0.2, (0.0, 100.0), 30.0, 0.1, 5.0, 0.01, 0.01, 0.0, 0.1, 0.01),
    LidarMotion((1.0, 0.0, 0.0), (0.0, 0.0, 20.0), "middle"),
    *(8, (-20.0, 20.0), (), (), 1.0e-5, 10.0, True, 40, 0.0),
)
EVERYTHING = dataclasses.replace(IMAGES, depth_sensor=STEREO, lidar=SPINNING)
IDENTITY = np.eye(3, 4)


def mesh(points: object, triangles: object, *, uv: object | None = None) -> Mesh:
    """Return a mesh with one material slot and faceted normals."""
    triangle = np.array(triangles, np.int32)
    corners = None if uv is None else np.array(uv, np.float32)
    return Mesh(
        "mesh", np.array(points, np.float32), triangle, None, corners, None, np.zeros(len(triangle), np.int32), True
    )


def quad(size_m: float) -> Mesh:
    """Return a square in the plane z = 0 around the origin, with texture coordinates from 0 to 1."""
    h = size_m / 2
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    uv = [[corners[i] for i in t] for t in [(0, 1, 2), (0, 2, 3)]]
    return mesh([(-h, -h, 0), (h, -h, 0), (h, h, 0), (-h, h, 0)], [(0, 1, 2), (0, 2, 3)], uv=uv)


def sphere(radius_m: float, *, rings: int = 24) -> Mesh:
    """Return a closed sphere of triangles around the origin."""
    theta, phi = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False)
    ring = np.stack(np.broadcast_arrays(np.sin(theta)[:, None] * np.cos(phi), np.sin(theta)[:, None] * np.sin(phi),
                                        np.cos(theta)[:, None]), axis=-1)  # fmt: skip
    ring[-1, :, :2] = 0.0  # sin(pi) is not quite 0; the pole is one point
    count = 2 * rings
    triangles = []
    for i in range(rings):
        for j in range(count):
            a, b, c, d = (r * count + k % count for r, k in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)))
            triangles += [(a, b, c)] * (i < rings - 1) + [(a, c, d)] * (i > 0)
    return mesh(radius_m * ring.reshape(-1, 3), triangles)


def grid(squares: int) -> Mesh:
    """Return unit squares of two triangles in the plane z = 0 around the origin; their diagonals take turns."""
    index = np.arange((squares + 1) ** 2).reshape(squares + 1, squares + 1)
    a, b, c, d = (corner.ravel() for corner in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    y, x = (axis.ravel() for axis in np.indices((squares, squares)))
    even = ((x + y) % 2 == 0)[:, None, None]
    halves = [np.stack([np.stack(t, 1) for t in pair], 1) for pair in (((a, b, c), (a, c, d)), ((a, b, d), (b, c, d)))]
    i, j = np.indices((squares + 1, squares + 1)).reshape(2, -1) - squares / 2
    return mesh(np.stack([i, j, 0 * i], 1), np.where(even, *halves).reshape(-1, 3))


def box(squares: int) -> Mesh:
    """Return a closed cube around the origin whose faces are grids of unit squares."""
    face = grid(squares)
    points, triangles = [], []
    for axis in range(3):
        for side in (-1, 1):
            turned = np.roll(face.points_m * [1, side, 1] + [0, 0, side * squares / 2], axis + 1, axis=1)
            triangles.append(face.triangle + len(face.points_m) * len(points))
            points.append(turned)
    corners, index = np.unique(np.concatenate(points), axis=0, return_inverse=True)  # faces share their borders
    return mesh(corners, index.reshape(-1)[np.concatenate(triangles)])


def pose(*, at: object = (0, 0, 0), axes: object | None = None) -> NDArray[np.float64]:
    """Return a 3x4 map with the given origin and columns of axes."""
    out = np.eye(3, 4)
    out[:, 3] = at
    if axes is not None:
        out[:, :3] = axes
    return out


def look_at(eye: object, target: object, *, up: object = (0, 0, 1)) -> NDArray[np.float64]:
    """Return the pose of a camera or light that looks along -Z from `eye` to `target`."""
    back = np.subtract(eye, target) / np.linalg.norm(np.subtract(eye, target))
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    return pose(at=eye, axes=np.stack([right, np.cross(back, right), back], axis=1))


def camera(world_from_camera: NDArray[np.float64], *, focal_mm: float = 24.0) -> Camera:
    """Return a camera with a square aperture of 24 mm."""
    return Camera("/camera", world_from_camera, focal_mm, 24.0, 24.0)


def scene(
    placed: list[tuple[Mesh, NDArray[np.float64]]], *, lights: tuple[Light, ...] = (),
    materials: tuple[Material, ...] = (Material("grey"),), textures: tuple[Texture, ...] = (),
) -> Scene:  # fmt: skip
    """Return a scene of meshes, each an instance of its own with the last material and a keypoint."""
    meshes: list[Mesh] = []
    index = []
    for item, _ in placed:
        if not any(item is known for known in meshes):
            meshes.append(item)
        index.append(next(i for i, known in enumerate(meshes) if known is item))
    count = len(placed)
    poses = np.array([p for _, p in placed], np.float64).reshape(-1, 3, 4)
    placements = Placements(
        np.array(index, np.int32), np.arange(1, count + 1, dtype=np.int32), np.zeros(count, np.int32),
        np.array([len(materials) - 1], np.int32), poses,
    )  # fmt: skip
    roots = np.concatenate([IDENTITY[None], poses])
    instances = Instances(
        ("", *(f"/object_{i}" for i in range(count))), np.arange(count + 1, dtype=np.uint64),
        np.array([0] + [1] * count, np.int32), ("none",) * (count + 1), ((),) * (count + 1), roots,
    )  # fmt: skip
    owner, zero = np.arange(1, count + 1, dtype=np.int32), np.zeros(count, np.int32)
    keypoints = Keypoints(owner, zero, np.full((count, 3), 0.2), np.zeros(count, np.float32))
    return Scene(
        Path("test.usda"), tuple(meshes), placements, instances, materials, textures, lights, (), (),
        Taxonomy("1", ()), (), (), keypoints=keypoints,
    )  # fmt: skip


def rig(*, size_px: tuple[int, int] = (32, 32), spp: int = 4, quality: str = "direct") -> Rig:
    """Return a rig without ambient light; `size_px` is (width, height)."""
    return Rig(("auto",), *size_px, 1, spp, quality, 0.0, (0.0, 0.0, 0.0), 0.0, 0.5, False)  # type: ignore[arg-type]


def draft_of(stage: Scene, setup: Rig, cam: Camera, worlds: list[int]) -> Draft:
    """Return the authored draft of some worlds."""
    return authored_draft(stage, setup, (cam,), np.array(worlds, np.int64), np.zeros(len(worlds), np.int32))


def render(stage: Scene, cam: Camera, setup: Rig | None = None, *, outputs: Outputs = ALL, seed: int = 0) -> Frames:
    """Return the frame of world 0."""
    setup = setup or rig()
    renderer = Renderer(stage, setup, outputs, seed=seed, device="cpu", threads=1)
    return renderer.render(draft_of(stage, setup, cam, [0]))


def with_ambient(setup: Rig, radiance: float, reach_m: float) -> Rig:
    """Return a rig with a grey ambient term."""
    return dataclasses.replace(setup, ambient_radiance=(radiance,) * 3, ambient_reach_m=reach_m)
