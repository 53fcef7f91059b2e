"""Subdivision surfaces against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene.subdivide.cache import TopologyCache
from engine.scene.subdivide.face_varying import refine_corner_values
from engine.scene.subdivide.level import first_level
from engine.scene.subdivide.rules import refine
from engine.scene.subdivide.stencil import SHARP, Cage, Refined, limit_normals, subdivide

POINTS = np.array([[x, y, z] for z in (-1.0, 1.0) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
FACES = np.array([0, 3, 2, 1, 4, 5, 6, 7, 0, 1, 5, 4, 2, 3, 7, 6, 1, 2, 6, 5, 0, 4, 7, 3])
EDGES = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4], [0, 4], [1, 5], [2, 6], [3, 7]])
GRID = np.array([[x, y, 0.0] for y in range(4) for x in range(4)])
GRID_FACES = np.array([[i, i + 1, i + 5, i + 4] for i in (0, 1, 2, 4, 5, 6, 8, 9, 10)])


def cube_cage(sharpness: float = 0.0) -> Cage:
    """Return the cube [-1, 1]^3 with all edges creased alike."""
    return Cage(8, np.full(6, 4), FACES, crease=EDGES, crease_sharpness=np.full(12, sharpness))


def inside(points: NDArray[np.float64], refined: Refined) -> float:
    """Return the volume inside refined quads."""
    p = points[refined.faces]
    triangles = p[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3)
    return float(np.einsum("ti,ti->", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2])) / 6.0)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_corners_of_a_cube_go_to_half_their_distance(steps: int) -> None:
    """(n^2 v + 4 e + f) / (n (n + 5)) with n = 3 is v / 2 on a cube, after any number of steps."""
    points = subdivide(cube_cage(), steps).stencil @ POINTS
    assert points[:8] == pytest.approx(POINTS / 2.0)


def test_points_of_every_step_lie_on_one_limit_surface() -> None:
    """A point of a coarse level has the same limit as in a finer level: both levels describe one surface."""
    coarse, fine = (subdivide(cube_cage(), steps).stencil @ POINTS for steps in (1, 3))
    assert fine[: len(coarse)] == pytest.approx(coarse)


def test_stencils_keep_every_affine_map() -> None:
    """Weights of every point add up to 1, for positions, varying and face-varying values."""
    refined = subdivide(cube_cage(0.5), 2)
    for stencil in (refined.stencil, refined.linear):
        assert stencil @ np.ones((8, 1)) == pytest.approx(1.0)
    assert refine_corner_values(cube_cage(0.5), 2, np.ones((24, 2))) == pytest.approx(1.0)


def test_a_fully_creased_cube_stays_a_cube() -> None:
    """Edges of sharpness 10 never soften: the volume stays 8 and every normal is an axis."""
    refined = subdivide(cube_cage(SHARP), 3)
    points = refined.stencil @ POINTS
    assert inside(points, refined) == pytest.approx(8.0)
    normal = limit_normals(refined, refined.refined @ POINTS)
    assert normal is not None
    assert np.sort(np.abs(normal), axis=-1) == pytest.approx(np.broadcast_to([0.0, 0.0, 1.0], normal.shape))


def test_sharper_creases_keep_more_of_the_cube() -> None:
    """Volume grows with the sharpness, from the smooth surface to the cube, without jumps at whole numbers."""
    sharpness = [0.0, 0.5, 0.999, 1.001, 1.5, 2.5, SHARP]
    volumes = []
    for value in sharpness:
        refined = subdivide(cube_cage(value), 4)
        volumes.append(inside(refined.stencil @ POINTS, refined))
    assert volumes == sorted(volumes)
    assert volumes[2] == pytest.approx(volumes[3], rel=2e-3)
    assert volumes[0] < 0.5 * volumes[-1]


def test_a_flat_grid_keeps_its_outline_with_sharp_corners() -> None:
    """edgeAndCorner, USD's default: boundary curves end in the corners, so a square stays that square."""
    refined = subdivide(Cage(16, np.full(9, 4), GRID_FACES.ravel()), 2)
    points = refined.stencil @ GRID
    assert points.min(axis=0) == pytest.approx([0.0, 0.0, 0.0])
    assert points.max(axis=0) == pytest.approx([3.0, 3.0, 0.0])
    p = points[refined.faces]
    area = 0.5 * np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1])[:, 2]
    assert (area > 0.0).all()
    assert area.sum() == pytest.approx(9.0)


def test_edge_only_rounds_the_corners_of_the_boundary() -> None:
    """edgeOnly: the corner point moves to the B-spline limit (4 v + a + b) / 6 of the boundary curve."""
    refined = subdivide(Cage(16, np.full(9, 4), GRID_FACES.ravel(), boundary="edgeOnly"), 3)
    points = refined.stencil @ GRID
    assert points[0] == pytest.approx([1.0 / 6.0, 1.0 / 6.0, 0.0])


def test_a_regular_grid_reproduces_the_bicubic_spline() -> None:
    """Away from boundaries the limit of a quadratic height field is x^2 + 1/3: B-splines add h^2 / 3 to squares."""
    side = 9
    height = np.array([[x, y, float(x * x)] for y in range(side) for x in range(side)], float)
    faces = np.array(
        [[i, i + 1, i + side + 1, i + side] for j in range(side - 1) for i in range(j * side, j * side + side - 1)]
    )
    refined = subdivide(Cage(side * side, np.full(len(faces), 4), faces.ravel()), 2)
    points = refined.stencil @ height
    middle = (np.abs(points[:, 0] - 4.0) < 1.5) & (np.abs(points[:, 1] - 4.0) < 1.5)
    assert middle.sum() > 50
    assert points[middle, 2] == pytest.approx(points[middle, 0] ** 2 + 1.0 / 3.0)


def test_face_varying_values_are_split_linearly() -> None:
    """Texture coordinates of a face stay a bilinear map of it."""
    cage = Cage(4, np.array([4]), np.arange(4))
    refined = subdivide(cage, 2)
    uv = refine_corner_values(cage, 2, np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    position = (refined.linear @ np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))[refined.faces]
    assert uv.reshape(-1, 4, 2) == pytest.approx(position)


def icosahedron() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the points and triangles of a regular icosahedron."""
    g = (1.0 + 5.0**0.5) / 2.0
    points = [(0.0, a, b * g) for a in (-1, 1) for b in (-1, 1)]
    points = np.array([np.roll(p, i) for i in range(3) for p in points])
    near = np.linalg.norm(points[:, None] - points, axis=-1) < 2.1
    faces = [
        (i, j, k) for i in range(12) for j in range(i) for k in range(j) if near[i, j] and near[j, k] and near[i, k]
    ]
    outward = [f if np.linalg.det(points[list(f)]) > 0 else f[::-1] for f in faces]
    return points, np.array(outward)


def sheet(side: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the quads of a grid of `side` x `side` points, and the points' whole-number coordinates."""
    y, x = np.mgrid[: side - 1, : side - 1].reshape(2, -1)
    first = y * side + x
    points = np.array([[x, y] for y in range(side) for x in range(side)], float)
    return np.stack([first, first + 1, first + side + 1, first + side], axis=-1), points


def bspline(t: float) -> NDArray[np.float64]:
    """Return the four weights of a uniform cubic B-spline at t in [0, 1] of its middle span."""
    s = 1.0 - t
    return np.array([s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3]) / 6.0


def bspline_slope(t: float) -> NDArray[np.float64]:
    """Return the derivatives of `bspline`."""
    s = 1.0 - t
    return np.array([-(s**2), 3 * t**2 - 4 * t, -(3 * s**2 - 4 * s), t**2]) / 2.0


def test_a_regular_patch_is_the_tensor_product_spline() -> None:
    """Limit points and normals of a random 4 x 4 cage are those of the bicubic B-spline of its middle face."""
    points = np.random.default_rng(3).normal(size=(4, 4, 3)) * 0.3 + np.dstack([*np.mgrid[:4, :4], np.zeros((4, 4))])
    cage = Cage(16, np.full(9, 4), GRID_FACES.ravel())
    refined = subdivide(cage, 2)
    cage_points = points.transpose(1, 0, 2).reshape(-1, 3)  # x runs first
    position = (refined.stencil @ cage_points)[refined.faces]
    normal = limit_normals(refined, refined.refined @ cage_points)
    assert normal is not None
    parameter = (refined.linear @ np.dstack(np.mgrid[:4, :4]).transpose(1, 0, 2).reshape(-1, 2))[refined.faces] - 1.0
    middle = refined.face == 4
    assert middle.sum() == 16
    for (u, v), p, n in zip(
        parameter[middle].reshape(-1, 2), position[middle].reshape(-1, 3), normal[middle].reshape(-1, 3), strict=True
    ):
        assert p == pytest.approx(np.einsum("i,j,ijx->x", bspline(u), bspline(v), points))
        along_u = np.einsum("i,j,ijx->x", bspline_slope(u), bspline(v), points)
        along_v = np.einsum("i,j,ijx->x", bspline(u), bspline_slope(v), points)
        area = np.cross(along_u, along_v)
        assert n == pytest.approx(area / np.linalg.norm(area), abs=1e-6)


def test_loop_keeps_the_paraboloid_of_its_box_spline() -> None:
    """On a regular triangle grid Loop's limit is a quartic box spline: it adds a constant to x^2, y^2 and x y."""
    side = 9
    quads, grid = sheet(side)
    faces = quads[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    # The grid's triangles are those of the lattice with directions (1, 0), (0, 1), (1, 1): three box-spline directions.
    values = np.stack([grid[:, 0], grid[:, 1], grid[:, 0] ** 2, grid[:, 1] ** 2, grid[:, 0] * grid[:, 1]], axis=-1)
    cage = Cage(side * side, np.full(len(faces), 3), faces.ravel(), scheme="loop")
    x, y, xx, yy, xy = (subdivide(cage, 2).stencil @ values).T
    middle = (np.abs(x - 4.0) < 1.5) & (np.abs(y - 4.0) < 1.5)
    assert middle.sum() > 50
    # Each direction d is convolved twice with a unit box along it: variance 2/12 d d^T, so 1/3 for x^2 and 1/6 for x y.
    assert xx[middle] == pytest.approx(x[middle] ** 2 + 1.0 / 3.0)
    assert yy[middle] == pytest.approx(y[middle] ** 2 + 1.0 / 3.0)
    assert xy[middle] == pytest.approx(x[middle] * y[middle] + 1.0 / 6.0)


def test_an_infinitely_sharp_edge_is_a_cubic_spline_curve() -> None:
    """The boundary of a cage, and a crease within it, are the B-spline curves of their own points."""
    side = 7
    quads, grid = sheet(side)
    points = np.column_stack([grid, np.random.default_rng(5).normal(size=len(grid))])
    row = 3 * side + np.arange(side)  # a crease along y = 3, from boundary to boundary
    crease = np.stack([row[:-1], row[1:]], axis=-1)
    cage = Cage(
        side * side, np.full(len(quads), 4), quads.ravel(), crease=crease, crease_sharpness=np.full(side - 1, SHARP)
    )
    refined = subdivide(cage, 2)
    limit = refined.stencil @ points
    parameter = refined.linear @ grid
    for line in (0.0, 3.0):
        control = points[grid[:, 1] == line]
        on_line = (parameter[:, 1] == line) & (parameter[:, 0] >= 1.0) & (parameter[:, 0] < side - 2.0)
        assert on_line.sum() == 16
        for u, point in zip(parameter[on_line, 0], limit[on_line], strict=True):
            first = int(u) - 1
            assert point == pytest.approx(bspline(u - int(u)) @ control[first : first + 4])


@pytest.mark.parametrize("scheme", ["catmullClark", "loop"])
@pytest.mark.parametrize("sharpness", [0.0, 0.4, 1.0, 2.7, SHARP])
def test_every_level_has_the_same_limit(scheme: str, sharpness: float) -> None:
    """Points and normals of one step are those of four: semi-sharp creases and corners are followed to their end."""
    points, faces = icosahedron()
    points = points * [1.0, 1.3, 0.7]
    link = np.array([[f[(k + 1) % 3], f[(k + 2) % 3]] for f in faces for k in range(3) if f[k] == 0])
    alone = next(i for i in range(12) if i != 0 and i not in link)
    cage = Cage(
        12,
        np.full(20, 3),
        faces.ravel(),
        scheme=scheme,
        crease=link,
        crease_sharpness=sharpness * np.array([1.0, 0.5, 0.9, 1.0, 1.0]) if sharpness < SHARP else np.full(5, SHARP),
        corner=np.array([alone]),
        corner_sharpness=np.array([sharpness]),
    )
    found = []
    for steps in (1, 4):
        refined = subdivide(cage, steps)
        normal = limit_normals(refined, refined.refined @ points)
        assert normal is not None
        found.append((refined.stencil @ points, {}))
        for corner, n in zip(refined.faces.ravel(), normal.reshape(-1, 3), strict=True):
            found[-1][1].setdefault(int(corner), set()).add(tuple(np.round(n.astype(float), 4) + 0.0))
    coarse, fine = found
    assert fine[0][: len(coarse[0])] == pytest.approx(coarse[0])
    for point in range(12):  # a sharp corner has one normal a face, which has no limit tangent plane beyond its face
        if sharpness < SHARP:
            a, b = (np.array(sorted(each[1][point])) for each in found)
            assert np.abs(a[0] - b[0]).max() < 1e-3
            assert np.ptp(a, axis=0).max() < 1e-3


def test_normals_of_a_round_cage_point_outwards_evenly() -> None:
    """An icosahedron's symmetry: every normal at a cage point is that point's direction, for both schemes."""
    points, faces = icosahedron()
    for scheme in ("catmullClark", "loop"):
        refined = subdivide(Cage(12, np.full(20, 3), faces.ravel(), scheme=scheme), 2)
        normal = limit_normals(refined, refined.refined @ points)
        assert normal is not None
        at_cage = refined.faces < 12
        direction = points / np.linalg.norm(points, axis=-1, keepdims=True)
        assert normal[at_cage] == pytest.approx(direction[refined.faces[at_cage]], abs=1e-6)


def test_both_sides_of_a_crease_have_their_own_normals() -> None:
    """Where the top of a creased cube meets its side, the normals are the faces' own."""
    rim = EDGES[4:8]
    refined = subdivide(Cage(8, np.full(6, 4), FACES, crease=rim, crease_sharpness=np.full(4, SHARP)), 3)
    points = refined.refined @ POINTS
    normal = limit_normals(refined, points)
    assert normal is not None
    on_top = refined.face == 1
    assert normal[on_top] == pytest.approx(np.broadcast_to([0.0, 0.0, 1.0], normal[on_top].shape), abs=1e-6)
    on_rim = (points[refined.faces][..., 2] > 1.0 - 1e-9) & ~on_top[:, None]
    assert on_rim.sum() == 4 * 8 * 2
    assert np.abs(normal[on_rim][:, 2]).max() < 0.7


RULES = {  # faceVaryingLinearInterpolation -> whether a corner of a chart, and an edge of it, stay where they are
    "none": (False, False),
    "cornersOnly": (True, False),
    "cornersPlus1": (True, False),
    "cornersPlus2": (True, False),
    "boundaries": (True, True),
    "all": (True, True),
}


@pytest.mark.parametrize("rule", RULES)
def test_charts_of_texture_coordinates_follow_their_rule(rule: str) -> None:
    """The outline of a UV chart: corners and edges are sharp or smooth as `faceVaryingLinearInterpolation` says."""
    quads, grid = sheet(4)
    bent = grid.copy()
    bent[grid[:, 1] == 0.0, 1] = [0.0, 0.3, -0.2, 0.0]
    cage = Cage(16, np.full(9, 4), quads.ravel(), boundary="edgeOnly", face_varying=rule)
    uv = refine_corner_values(cage, 2, bent[quads.ravel()])
    place = (subdivide(cage, 2).linear @ grid)[subdivide(cage, 2).faces].reshape(-1, 2)
    corner_sharp, edge_sharp = RULES[rule]
    corner = uv[(place == [0.0, 0.0]).all(axis=1)]
    edge = uv[(place == [1.0, 0.0]).all(axis=1)]
    assert (np.abs(corner - bent[0]).max() < 1e-6) == corner_sharp
    assert (np.abs(edge - bent[1]).max() < 1e-6) == edge_sharp
    if not edge_sharp:
        assert edge[0] == pytest.approx(bent[:3].T @ [1 / 6, 4 / 6, 1 / 6], abs=1e-6)
    inner = uv[(place == [1.0, 1.0]).all(axis=1)]
    smooth = np.einsum("i,j,jix->x", [1 / 6, 4 / 6, 1 / 6], [1 / 6, 4 / 6, 1 / 6], bent.reshape(4, 4, 2)[:3, :3])
    assert inner[0] == pytest.approx(bent[5] if rule == "all" else smooth, abs=1e-6)


def test_seams_where_three_charts_meet_stay_sharp() -> None:
    """cornersPlus1 keeps junctions of three charts, which cornersOnly smooths."""
    quads, grid = sheet(5)
    chart = np.array([0 if y < 2 else 1 + (x >= 2) for y in range(4) for x in range(4)])
    values = np.column_stack([grid[quads.ravel()], np.repeat(10.0 * chart, 4)])
    at = (subdivide(Cage(25, np.full(16, 4), quads.ravel()), 2).linear @ grid)[
        subdivide(Cage(25, np.full(16, 4), quads.ravel()), 2).faces
    ].reshape(-1, 2)
    moved = {}
    for rule in ("cornersOnly", "cornersPlus1"):
        cage = Cage(25, np.full(16, 4), quads.ravel(), face_varying=rule)
        uv = refine_corner_values(cage, 2, values)
        lower = (at == [2.0, 2.0]).all(axis=1) & (np.abs(uv[:, 2]) < 1e-6)
        moved[rule] = uv[lower, :2]
    assert moved["cornersPlus1"] == pytest.approx(np.broadcast_to([2.0, 2.0], moved["cornersPlus1"].shape))
    assert len(moved["cornersOnly"]) == 2


def test_a_crossed_or_degenerate_cage_still_has_a_surface() -> None:
    """More than two faces at an edge, opposite winding, repeated points, loose points: finite, with whole weights."""
    quads, grid = sheet(5)
    variants = [
        np.vstack([quads, [[6, 7, 0, 24]]]),
        np.vstack([quads, quads[5:6]]),
        np.vstack([quads[:5], quads[5:6, ::-1], quads[6:]]),
        np.vstack([quads[:5], [[6, 7, 7, 11]], quads[6:]]),
        quads[:1],
        np.array([[0, 0, 0, 0]]),
    ]
    points = np.column_stack([grid, grid[:, 0] * grid[:, 1]])
    for faces in variants:
        for boundary in ("none", "edgeOnly", "edgeAndCorner"):
            cage = Cage(25, np.full(len(faces), 4), faces.ravel(), boundary=boundary)
            refined = subdivide(cage, 2)
            assert refined.stencil @ np.ones((25, 1)) == pytest.approx(1.0)
            normal = limit_normals(refined, refined.refined @ points)
            assert normal is not None
            assert np.isfinite(normal).all()


def test_smooth_triangles_use_their_own_edge_weight() -> None:
    """triangleSubdivisionRule = smooth: an edge point between two triangles takes 0.47 of each face point."""
    faces = np.array([0, 1, 2, 0, 2, 3])
    points = np.array([[0.0, 0, 0], [1, 0, 1], [1, 1, 0], [0, 1, 2]])
    for smooth, share in ((False, 0.25), (True, 0.47)):
        cage = Cage(4, np.array([3, 3]), faces, smooth_triangles=smooth)
        level = first_level(cage)
        values = points
        for matrix in refine(level, "catmullClark", smooth_triangles=smooth):
            values = matrix @ values
        edge = int(np.flatnonzero((level.edge == [0, 2]).all(axis=1))[0])
        face = [points[[0, 1, 2]].mean(axis=0), points[[0, 2, 3]].mean(axis=0)]
        expected = (0.5 - share) * (points[0] + points[2]) + share * (face[0] + face[1])
        assert values[4 + edge] == pytest.approx(expected)


def test_a_topology_is_worked_out_once() -> None:
    """Two cages with the same faces share their stencil; another sharpness has its own; the cache is bounded."""
    one = subdivide(cube_cage(0.25), 2)
    assert subdivide(cube_cage(0.25), 2) is one
    assert subdivide(cube_cage(0.3), 2) is not one
    cache = TopologyCache(max_bytes=3 * one.byte_count())
    kept = [cache.get(Refined, bytes([i]), lambda i=i: replace(one, face=one.face + i)) for i in range(8)]
    assert cache.get(Refined, bytes([7]), lambda: one) is kept[7]
    assert cache.get(Refined, bytes([0]), lambda: one) is one
