"""What a Mesh prim says about its subdivision reaches the surface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.scene import SceneOptions
from tests.engine.scene_stage import CUBE, load_stage, note_texts, only_mesh
from tests.engine.test_scene_mesh import area_vectors, volume
from tests.engine.test_scene_subdivide import icosahedron, sheet


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
    assert "approximated: subdivision scheme catmullClark: the cage is drawn (level 0)" in note_texts(scene, "/m")


def test_a_dense_cage_takes_fewer_steps(tmp_path: Path) -> None:
    """The face limit of a mesh bounds the steps, and the report names them."""
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {CUBE} }}', SceneOptions(subdivision_max_faces=100))
    assert len(only_mesh(scene).triangle) == 6 * 4**2 * 2
    assert "approximated: dense cage: subdivided 2 times instead of 3" in note_texts(scene, "/m")


def test_bilinear_surfaces_keep_points_and_flat_faces(tmp_path: Path) -> None:
    """Scheme bilinear splits without smoothing: a cube stays a cube with its own facets."""
    mesh = only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {CUBE} uniform token subdivisionScheme = "bilinear" }}'))
    assert volume(mesh) == pytest.approx(8.0)
    assert len(mesh.triangle) == 6 * 4**3 * 2
    assert mesh.normal is None


def test_loop_needs_triangles(tmp_path: Path) -> None:
    """A quad cage with scheme loop is drawn as it is, with a note; triangles become a smooth closed surface."""
    body = f'def Mesh "m" {{ {CUBE} uniform token subdivisionScheme = "loop" }}'
    scene = load_stage(tmp_path, body)
    assert volume(only_mesh(scene)) == pytest.approx(8.0)
    reason = "approximated: subdivision scheme loop: the cage is drawn (not all faces are triangles)"
    assert reason in note_texts(scene, "/m")
    points, faces = icosahedron()
    listed = ", ".join(f"({x}, {y}, {z})" for x, y, z in points)
    body = f'def Mesh "m" {{ point3f[] points = [{listed}]\nint[] faceVertexCounts = {[3] * 20}\n'
    body += f'int[] faceVertexIndices = {faces.ravel().tolist()}\nuniform token subdivisionScheme = "loop" }}'
    mesh = only_mesh(load_stage(tmp_path, body))
    assert len(mesh.triangle) == 20 * 4**3
    radius = np.linalg.norm(mesh.points_m, axis=-1)
    assert np.ptp(radius) < 0.02 * radius.mean()
    assert mesh.normal is not None
    outward = mesh.points_m[mesh.triangle] / np.linalg.norm(mesh.points_m[mesh.triangle], axis=-1, keepdims=True)
    assert np.einsum("tcx,tcx->tc", mesh.normal, outward).min() > 0.99


def test_faces_at_an_open_boundary_are_not_drawn_for_none(tmp_path: Path) -> None:
    """interpolateBoundary none draws only faces whose surroundings are complete, unless the boundary is creased."""
    quads, grid = sheet(4)
    points = ", ".join(f"({x}, {y}, 0)" for x, y in grid)
    body = f'def Mesh "m" {{ point3f[] points = [{points}]\nint[] faceVertexCounts = {[4] * 9}\n'
    body += f'int[] faceVertexIndices = {quads.ravel().tolist()}\ntoken interpolateBoundary = "none"\n'
    assert len(only_mesh(load_stage(tmp_path, body + "}")).triangle) == 4**3 * 2
    outline = [0, 1, 2, 3, 7, 11, 15, 14, 13, 12, 8, 4, 0]
    crease = f"int[] creaseIndices = {outline}\nint[] creaseLengths = [13]\nfloat[] creaseSharpnesses = [10] }}"
    assert len(only_mesh(load_stage(tmp_path, body + crease)).triangle) == 9 * 4**3 * 2
