"""No ray slips through a closed surface: at shared edges and corners, along axes, in any pose, from either side."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene.model import Mesh
from tests.kernels.hard_scenes import with_slivers
from tests.kernels.rays import cast, trees_of
from tests.kernels.scenes import box, grid, pose, scene, sphere

Floats = NDArray[np.float64]
RAYS = 10_000_000
SLACK = 0.02  # of a ray's length to its target, for what rounding does to thin and to distant meshes
TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
RIGHT_ANGLES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # mirrored
POSES = {
    "as it is": pose(),
    "turned": pose(at=(3, -2, 1), axes=TURN),
    "mirrored": pose(at=(1, 2, 3), axes=TURN * [-1, 1, 1]),
    "right angles": pose(at=(-4, 8, 2), axes=2.0 * RIGHT_ANGLES),
    "stretched": pose(at=(3, -2, 1), axes=TURN * [0.1, 1, 10]),
    "sheared": pose(at=(1, 2, 3), axes=TURN.T @ np.diag([0.1, 1, 5]) @ TURN),
    "tiny": pose(at=(0.3, -0.2, 0.1), axes=1e-3 * TURN),
    "huge": pose(at=(30, -20, 10), axes=1e3 * TURN),
    "far": pose(at=(1e3, -2e3, 1e3), axes=TURN),
}


def dented(ball: Mesh) -> Mesh:
    """Return a ball with hollows, which some rays leave more than once."""
    x, y, z = ball.points_m.T
    return dataclasses.replace(ball, points_m=ball.points_m * (1.0 + 0.3 * np.sin(5 * x) * np.sin(7 * y + z))[:, None])


# Closed meshes, and half the side of a cube that is well inside.
INSIDE = ((sphere(1.0, rings=16), 0.4), (sphere(1.0, rings=64), 0.4), (dented(sphere(1.0, rings=24)), 0.2),
          (box(1), 0.4), (box(8), 3.5))  # fmt: skip


def in_world(p: Floats, origin: Floats, target: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return origins and directions in the world of rays that reach their targets, in the mesh's frame, at t = 1."""
    start, end = ((point @ p[:, :3].T + p[:, 3]).astype(np.float32) for point in (origin, target))
    return start, end - start


def edge_points(shape: Mesh, rng: np.random.Generator) -> Floats:
    """Return corners, middles of edges and one more point of each edge."""
    a = shape.points_m[shape.triangle].reshape(-1, 3).astype(np.float64)
    b = shape.points_m[np.roll(shape.triangle, -1, axis=1)].reshape(-1, 3).astype(np.float64)
    return np.concatenate([shape.points_m, 0.5 * (a + b), a + rng.random((len(a), 1)) * (b - a)])


def test_ten_million_rays_from_inside_meet_the_surface() -> None:
    """Aimed at shared edges and corners, they end there at the latest."""
    rng, rays = np.random.default_rng(0), 0
    batch = -(-RAYS // (len(INSIDE) * len(POSES)))
    for shape, half_m in INSIDE:
        origin = rng.uniform(-half_m, half_m, (batch, 3))
        origin[::8] = 0.0
        target = rng.permutation(np.resize(edge_points(shape, rng), (batch, 3)))
        for name, p in POSES.items():
            t, placement, _ = cast(trees_of(scene([(shape, p)])), *in_world(p, origin, target))
            assert (placement == 0).all(), name
            assert t.max() <= 1.0 + SLACK, name
            rays += len(t)
    assert rays >= RAYS


def faces_around(shape: Mesh, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Return points on edges and corners [point, 3], and the triangles that share each [point, k], some repeated."""
    corners, index = np.unique(shape.points_m, axis=0, return_inverse=True)  # a pole is many points in one place
    triangle = index.reshape(-1)[shape.triangle]
    owner = np.repeat(np.arange(len(triangle)), 3)
    a, b = triangle.ravel(), np.roll(triangle, -1, axis=1).ravel()
    order = np.lexsort((np.maximum(a, b), np.minimum(a, b)))
    pair = owner[order].reshape(-1, 2)  # every edge is there twice
    start, end = (corners[i[order[::2]]].astype(np.float64) for i in (a, b))
    around = [owner[a == i] for i in range(len(corners))]
    most = max(len(found) for found in around)
    return (
        np.concatenate([corners, start + rng.uniform(0.1, 0.9, (len(start), 1)) * (end - start)]),
        np.concatenate([np.resize(found, (1, most)) for found in around] + [np.resize(pair.T, (most, len(pair))).T]),
    )


@pytest.mark.parametrize("shape", [sphere(1.0, rings=16), box(1), box(8)], ids=["ball", "cube", "cube of squares"])
def test_rays_from_outside_do_not_enter_a_convex_mesh(shape: Mesh) -> None:
    """Aimed at edges and corners all of whose faces look at the eye, they end there, and not at the far side."""
    rng, count = np.random.default_rng(1), 60_000
    point, faces = faces_around(shape, rng)
    corner = shape.points_m[shape.triangle].astype(np.float64)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    chosen = np.resize(np.arange(len(point)), count)
    away = rng.normal(size=(count, 3))
    away *= np.abs(point).max() * rng.uniform(2.0, 6.0, (count, 1)) / np.linalg.norm(away, axis=1, keepdims=True)
    to_eye = away - point[chosen]
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
    faced = (normal[faces[chosen]] @ to_eye[:, :, None] > 0.05).all(axis=(1, 2))
    origin, target = away[faced], point[chosen[faced]]
    assert len(origin) > 0.1 * count
    for name, p in POSES.items():
        t, placement, _ = cast(trees_of(scene([(shape, p)])), *in_world(p, origin, target))
        assert (placement == 0).all(), name
        assert np.abs(t - 1.0).max() <= SLACK, name


def lattice(half: int) -> Floats:
    """Return all points whose coordinates are halves between -half / 2 and half / 2."""
    return (np.indices((2 * half + 1,) * 3).reshape(3, -1).T - half) / 2.0


def test_rays_between_points_of_a_lattice_meet_it_where_they_end() -> None:
    """A cube of unit squares: where a ray is aimed is a corner, or the middle of an edge, and often exactly met."""
    cube, inside = box(8), lattice(7)
    surface = lattice(8)[np.abs(lattice(8)).max(axis=1) == 4.0]
    for name in ("as it is", "right angles", "turned"):
        trees = trees_of(scene([(cube, POSES[name])]))
        for part in np.array_split(inside[:: 1 if name == "as it is" else 5], 6):
            origin, target = np.repeat(part, len(surface), axis=0), np.tile(surface, (len(part), 1))
            t, placement, _ = cast(trees, *in_world(POSES[name], origin, target))
            assert (placement == 0).all(), name
            assert np.abs(t - 1.0).max() < 1e-5, name


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("name", ["as it is", "right angles"])
def test_rays_along_axes_are_exact(name: str, zero: float) -> None:
    """From all sides and from inside, through corners and along edges: the distance has no error at all."""
    cube, p = box(8), POSES[name]
    trees = trees_of(scene([(cube, p)]))
    for axis in range(3):
        for side in (-1.0, 1.0):
            direction = np.full((1, 3), zero)
            direction[0, axis] = side
            through = lattice(7)
            inwards = through.copy()
            inwards[:, axis] = -6.0 * side
            for origin, wall in ((through, 4.0 * side), (inwards, -4.0 * side)):
                start, _ = in_world(p, origin, origin)
                along = np.zeros_like(start) + np.float32(zero)
                row = int(np.flatnonzero(p[:, axis])[0])
                along[:, row] = p[row, axis] * side
                t, placement, _ = cast(trees, start, along)
                assert (placement == 0).all()
                assert (t == (wall - origin[:, axis]) * side).all()


def test_rays_almost_along_axes_leave_a_cube() -> None:
    """Slopes down to the least float, from points that are one or two floats beside a lattice, or beside zero."""
    rng, count = np.random.default_rng(2), 300_000
    for name in ("as it is", "right angles"):
        p, trees = POSES[name].astype(np.float32), trees_of(scene([(box(8), POSES[name])]))
        origin = rng.choice(lattice(7)[:, 0], (count, 3)).astype(np.float32)
        step = rng.integers(-2, 3, (count, 3))
        for least in (1, 2):
            towards = np.where(step > 0, np.float32(9), np.float32(-9))
            origin = np.where(np.abs(step) >= least, np.nextafter(origin, towards), origin)
        size = 10.0 ** rng.uniform(-45, -2, (count, 3))
        slope = (size * rng.choice([-1, 0, 0, 1], (count, 3))).astype(np.float32)
        slope[np.arange(count), rng.integers(0, 3, count)] = rng.choice([-1.0, 1.0], count)
        placement = cast(trees, origin @ p[:, :3].T + p[:, 3], slope @ p[:, :3].T)[1]
        assert (placement == 0).all(), name


@pytest.mark.parametrize("first", [-1.0, 1.0])
@pytest.mark.parametrize("second", [-1.0, 1.0])
def test_there_is_no_gap_between_tiles(first: float, second: float) -> None:
    """Two grids side by side, mirrored or not: a ray straight down on their common border meets both, and so the first.

    In the frames of both meshes it may lie on the upper side of every box that holds their borders.
    """
    tiles = scene([(grid(4), pose(at=(2 * side, 0, 0), axes=np.diag([mirror, 1.0, 1.0])))
                   for side, mirror in ((-1, first), (1, second))])  # fmt: skip
    origin = np.array([(0.0, y, 5.0) for y in np.linspace(-1.9, 1.9, 50)], np.float32)
    t, placement, _ = cast(trees_of(tiles), origin, np.tile(np.array([(0.0, 0.0, -1.0)], np.float32), (50, 1)))
    assert (placement == 0).all()
    assert (t == 5.0).all()


def test_slivers_leave_no_gap() -> None:
    """A ball with triangles of no area along its edges, among the others, is as closed as without."""
    ball, rng = sphere(1.0, rings=16), np.random.default_rng(3)
    shape = with_slivers(ball)
    target = np.resize(edge_points(ball, rng), (100_000, 3))
    for name, p in POSES.items():
        t, placement, _ = cast(
            trees_of(scene([(shape, p)])), *in_world(p, rng.uniform(-0.4, 0.4, target.shape), target)
        )
        assert (placement == 0).all(), name
        assert t.max() <= 1.0 + SLACK, name
