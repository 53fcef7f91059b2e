"""Catmull-Clark surfaces against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene import SceneOptions
from engine.scene.subdivide import SHARP, Cage, Refined, smooth_normals, subdivide
from tests.engine.scene_stage import CUBE, load_stage, note_texts, only_mesh
from tests.engine.test_scene_mesh import area_vectors, volume

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
    p = points[refined.quads]
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
    for matrix in (refined.stencil, refined.linear, refined.corner_stencil):
        assert np.asarray(matrix.sum(axis=1)).ravel() == pytest.approx(1.0)


def test_a_fully_creased_cube_stays_a_cube() -> None:
    """Edges of sharpness 10 never soften: the volume stays 8 and every normal is an axis."""
    refined = subdivide(cube_cage(SHARP), 3)
    points = refined.stencil @ POINTS
    assert inside(points, refined) == pytest.approx(8.0)
    normal = smooth_normals(points, refined)
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
    p = points[refined.quads]
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
    refined = subdivide(Cage(4, np.array([4]), np.arange(4)), 2)
    uv = refined.corner_stencil @ np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    position = (refined.linear @ np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))[refined.quads]
    assert uv.reshape(-1, 4, 2) == pytest.approx(position)


def test_subdivision_is_the_default_and_ignores_authored_normals(tmp_path: Path) -> None:
    """A mesh without a scheme is a subdivision surface: smooth, smaller than its cage, with outward normals."""
    normals = 'normal3f[] normals = [(1, 0, 0)] (interpolation = "constant")'
    mesh = only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {CUBE} {normals} }}'))
    assert len(mesh.triangle) == 6 * 4**3 * 2
    assert 1.0 < volume(mesh) < 8.0
    assert mesh.normal is not None
    assert (np.einsum("tcx,tx->tc", mesh.normal, area_vectors(mesh)) > 0.0).all()
    left = only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {CUBE} uniform token orientation = "leftHanded" }}'))
    assert volume(left) == pytest.approx(-volume(mesh))
    assert left.normal is not None
    assert (np.einsum("tcx,tx->tc", left.normal, area_vectors(left)) > 0.0).all()


def test_authored_creases_reach_the_surface(tmp_path: Path) -> None:
    """creaseIndices, creaseLengths and creaseSharpnesses of a file make the same cube as in memory."""
    chains = "int[] creaseIndices = [0, 1, 2, 3, 0, 4, 5, 6, 7, 4, 0, 4, 1, 5, 2, 6, 3, 7]\n"
    chains += "int[] creaseLengths = [5, 5, 2, 2, 2, 2]\nfloat[] creaseSharpnesses = [10, 10, 10, 10, 10, 10]"
    assert volume(only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {CUBE} {chains} }}'))) == pytest.approx(8.0)


def test_level_zero_draws_the_cage(tmp_path: Path) -> None:
    """subdivision_level 0 keeps the control mesh, and says so."""
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {CUBE} }}', SceneOptions(subdivision_level=0))
    assert volume(only_mesh(scene)) == pytest.approx(8.0)
    assert "approximated: subdivision scheme catmullClark: the cage itself is drawn" in note_texts(scene, "/m")


def test_a_dense_cage_takes_fewer_steps(tmp_path: Path) -> None:
    """The face limit of a mesh bounds the steps, and the report names them."""
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {CUBE} }}', SceneOptions(subdivision_max_faces=100))
    assert len(only_mesh(scene).triangle) == 6 * 4**2 * 2
    assert "approximated: dense cage: subdivided 2 times instead of 3" in note_texts(scene, "/m")
