"""Scenes that are hard to trace: degenerate, tiny, huge, coplanar, mirrored, stretched, or on a lattice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Mesh, Scene
from tests.kernels.scenes import box, grid, mesh, pose, quad, scene, sphere

Placed = list[tuple[Mesh, NDArray[np.float64]]]
HUGE = range(1, 13)  # placements of a random scene, after the floor
TINY = range(133, 213)


def turned(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random rotation, mirrored or not."""
    axes: NDArray[np.float64] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return axes * np.array([rng.choice([-1.0, 1.0]), 1.0, 1.0])


def with_slivers(ball: Mesh) -> Mesh:
    """Return a mesh with triangles of no area: an edge and its middle, two corners in one place, or all three."""
    a, b, c = ball.triangle.T
    middle = len(ball.points_m) + np.arange(len(a))
    points = np.concatenate([ball.points_m, 0.5 * (ball.points_m[a] + ball.points_m[b])])
    triangles = [ball.triangle, np.stack([a, middle, b], 1), np.stack([b, c, c], 1), np.stack([c, c, c], 1)]
    return mesh(points, np.random.default_rng(0).permutation(np.concatenate(triangles)))


def shards(rng: np.random.Generator) -> Mesh:
    """Return loose triangles, of which a third are needles and a third have no area."""
    corner = rng.normal(size=(90, 3, 3)) * 0.5
    corner[::3, 2] = corner[::3, 0] + 1e-3 * rng.normal(size=(30, 3))
    corner[1::6, 2] = corner[1::6, 1]
    corner[4::6] = corner[4::6, :1]
    return mesh(corner.reshape(-1, 3), np.arange(270).reshape(-1, 3))


def random_scene(seed: int, *, rings: int = 24) -> Scene:
    """Return plates, balls and shards seen from the origin, where float32 can say where tiny things are.

    Mirrored, stretched, from millimetres before an eye that looks at (-7, 6, -4) to kilometres behind the rest, some in
    one plane or one place.
    """
    rng = np.random.default_rng(seed)
    shapes = (sphere(0.5, rings=rings), with_slivers(sphere(0.5, rings=6)), quad(1.0), shards(rng))
    middle_m = np.array([-7.0, 6.0, -4.0])
    placed: Placed = [(quad(4.0), pose(at=(0, 0, -6), axes=1e3 * np.eye(3)))]

    def add(index: int, at: NDArray[np.float64], size: float) -> None:
        placed.append((shapes[index % 4], pose(at=at, axes=turned(rng) * rng.uniform(0.2, 1.8, 3) * size)))

    for i in range(len(HUGE)):
        away = rng.normal(size=3) * (1.0, 1.0, 0.3)
        add(i % 3, away / np.linalg.norm(away) * rng.uniform(1500.0, 3000.0), 1e3)
    for i in range(120):
        add(i, middle_m + rng.uniform(-3, 3, 3), 10.0 ** rng.uniform(-1.5, 0.3))
    for i in range(len(TINY)):
        add(i, (0.1 * middle_m + 0.4 * rng.normal(size=3)) * rng.uniform(0.02, 0.15), 1e-3)
    for i in range(20):
        at, axes = middle_m + rng.uniform(-3, 3, 3), turned(rng)
        for _ in range(3):
            s, c = np.sin(angle := rng.uniform(0, 2 * np.pi)), np.cos(angle)
            within = axes @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            placed.append((shapes[2], pose(at=at + axes[:, :2] @ rng.uniform(-0.3, 0.3, 2), axes=within)))
        placed.append((shapes[i % 3], placed[-1][1]))
    return scene(placed)


def lattice_scene() -> Scene:
    """Return boxes and a floor of tiles whose corners have integer coordinates, or halves, turned by right angles.

    The floor is the square of 32 m around the origin in the plane z = 0.
    """
    rng = np.random.default_rng(0)
    tile, shapes = grid(4), (box(1), box(4))
    placed: Placed = []
    for x, y in np.indices((8, 8)).reshape(2, -1).T * 4 - 14:
        placed.append((tile, pose(at=(x, y, 0), axes=np.diag(rng.choice([-1.0, 1.0], 3)))))
    for i in range(40):
        axes = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], 3) * rng.choice([0.5, 1.0, 2.0], 3)
        placed.append((shapes[i % 2], pose(at=rng.integers(-12, 13, 3), axes=axes)))
    return scene(placed)
