"""Curves, points, tetrahedra and implicit shapes as triangles, against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from engine.scene import SceneError, SceneOptions
from engine.scene.geometry.curves import CurveKind, sample_curves
from engine.scene.geometry.nurbs import sample_nurbs
from engine.scene.geometry.tubes import Line, ribbons, tubes
from engine.scene.usd.drawn.points import MAX_SPHERES
from tests.engine.scene_stage import load_stage, note_texts, only_mesh
from tests.engine.test_scene_mesh import area_vectors, volume


def spiral(count: int) -> NDArray[np.float64]:
    """Return points of a rising spiral."""
    angle = np.linspace(0.0, 4.0 * np.pi, count)
    return np.stack([np.cos(angle), np.sin(angle), 0.1 * angle], axis=-1)


@pytest.mark.parametrize(
    ("basis", "wrap", "count", "segments"),
    [
        ("linear", "nonperiodic", 5, 4),
        ("linear", "periodic", 5, 5),
        ("bezier", "nonperiodic", 7, 2),
        ("bezier", "periodic", 6, 2),
        ("bspline", "nonperiodic", 7, 4),
        ("bspline", "periodic", 7, 7),
        ("bspline", "pinned", 7, 6),
        ("catmullRom", "nonperiodic", 7, 4),
        ("catmullRom", "pinned", 7, 6),
    ],
)
def test_segments_and_varying_values_are_those_of_usd(basis: str, wrap: str, count: int, segments: int) -> None:
    """Segment counts of UsdGeomBasisCurves; a varying primvar has one value more on an open curve."""
    samples = sample_curves(np.array([count, count]), CurveKind(basis, wrap, 4))
    pieces = 1 if basis == "linear" else 4
    ends = 0 if wrap == "periodic" else 1
    assert samples.count.tolist() == [segments * pieces + ends] * 2
    assert samples.varying_count == 2 * (segments + ends)
    assert samples.vertex_weight.sum(axis=1) == pytest.approx(1.0)
    varying = samples.at_varying(np.arange(float(samples.varying_count))[:, None])
    assert varying[: segments * pieces, 0][::pieces] == pytest.approx(np.arange(segments))


def test_bspline_samples_are_those_of_scipy() -> None:
    """A nonperiodic cubic B-spline with uniform knots, evaluated independently."""
    points = spiral(9)
    samples = sample_curves(np.array([9]), CurveKind("bspline", "nonperiodic", 5))
    spline = BSpline(np.arange(13.0), points, 3)
    at = np.append((np.arange(6)[:, None] + np.arange(5) / 5).ravel(), 6.0) + 3.0
    assert samples.at_vertices(points) == pytest.approx(spline(at))


@pytest.mark.parametrize("basis", ["bspline", "catmullRom"])
def test_pinned_curves_begin_and_end_in_their_points(basis: str) -> None:
    """Phantom points pull an open curve to its first and last control point."""
    points = spiral(6)
    line = sample_curves(np.array([6]), CurveKind(basis, "pinned", 4)).at_vertices(points)
    assert line[[0, -1]] == pytest.approx(points[[0, -1]])


def test_catmull_rom_and_bezier_pass_through_their_knots() -> None:
    """Catmull-Rom goes through every inner point, a Bezier chain through every third."""
    points = spiral(7)
    catmull = sample_curves(np.array([7]), CurveKind("catmullRom", "nonperiodic", 4)).at_vertices(points)
    assert catmull[::4] == pytest.approx(points[1:6])
    bezier = sample_curves(np.array([7]), CurveKind("bezier", "nonperiodic", 4)).at_vertices(points)
    assert bezier[::4] == pytest.approx(points[::3])


def test_a_rational_circle_is_round() -> None:
    """The quadratic NURBS circle of nine points: every sample has the radius."""
    half = np.sqrt(0.5)
    points = np.array([[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1], [1, 0]], float)
    knots = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4], float)
    samples = sample_nurbs(np.array([9]), np.array([3]), knots, np.array([1, half] * 4 + [1]), 8)
    assert samples is not None
    line = samples.at_vertices(np.column_stack([points, np.zeros(9)]))
    assert len(line) == 33
    assert np.linalg.norm(line, axis=-1) == pytest.approx(1.0)
    assert sample_nurbs(np.array([9]), np.array([3]), knots[:-1], None, 8) is None


def test_a_straight_tube_has_the_volume_of_its_prism() -> None:
    """Closed, outward, and as thick as stated: a 12-sided prism of radius 0.5 and length 3."""
    skin = tubes(Line(np.array([[0, 0, 0], [1, 0, 0], [3.0, 0, 0]]), np.full(3, 0.5), np.array([3]), closed=False), 12)
    corner = skin.point[skin.triangle]
    inside = np.einsum("ti,ti->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) / 6.0
    assert inside == pytest.approx(3.0 * 0.5 * 12 * 0.25 * np.sin(2.0 * np.pi / 12))
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    assert (np.einsum("tcx,tx->tc", skin.normal, area) > 0.0).all()


def test_closed_tubes_have_no_seam_and_no_ends() -> None:
    """A closed tube around a bent loop is one watertight surface with the volume of a torus."""
    angle = np.arange(64) * 2.0 * np.pi / 64
    loop = np.stack([np.cos(angle), np.sin(angle), 0.3 * np.sin(2.0 * angle)], axis=-1)
    skin = tubes(Line(loop, np.full(64, 0.1), np.array([64]), closed=True), 8)
    edge = np.sort(np.concatenate([skin.triangle[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
    _, use = np.unique(edge, axis=0, return_counts=True)
    assert (use == 2).all()
    corner = skin.point[skin.triangle]
    inside = np.einsum("ti,ti->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) / 6.0
    length = np.linalg.norm(loop - np.roll(loop, 1, axis=0), axis=-1).sum()
    assert inside == pytest.approx(length * 0.01 * 4.0 * np.sin(2.0 * np.pi / 8), rel=0.01)
    side = np.linalg.norm(skin.point[skin.triangle[:, 0]] - skin.point[skin.triangle[:, 1]], axis=-1)
    assert side.max() < 0.2  # no strip is twisted around the tube


def test_a_cone_has_tilted_normals() -> None:
    """Where the radius shrinks along a tube, its normals lean forward by that slope."""
    skin = tubes(Line(np.array([[0, 0, 0], [0, 0, 2.0]]), np.array([1.0, 0.0]), np.array([2]), closed=False), 8)
    side = np.abs(skin.normal[..., 2]) < 0.99
    assert skin.normal[side][:, 2] == pytest.approx(1.0 / np.sqrt(5.0), abs=1e-6)


def test_ribbons_face_along_their_normals() -> None:
    """A strip of width 2 r whose faces look along the given normal."""
    line = Line(np.array([[0, 0, 0], [0, 0, 2.0]]), np.array([0.5, 0.5]), np.array([2]), closed=False)
    skin = ribbons(line, np.array([[0, 1.0, 0], [0, 1.0, 0]]))
    corner = skin.point[skin.triangle]
    area = 0.5 * np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    assert area.sum(axis=0) == pytest.approx([0.0, 2.0, 0.0])
    assert skin.normal == pytest.approx(np.broadcast_to([0.0, 1.0, 0.0], skin.normal.shape))


CURVE = """
def BasisCurves "hair" {
    uniform token type = "cubic"
    uniform token basis = "bezier"
    int[] curveVertexCounts = [4, 4]
    point3f[] points = [(0,0,0), (0,0,1), (0,0,2), (0,0,3), (5,0,0), (5,0,1), (5,0,2), (5,0,3)]
    float[] widths = [1, 0.5, 1, 0.5] ( interpolation = "varying" )
    EXTRA
}
"""


def test_curves_of_a_file_are_tubes(tmp_path: Path) -> None:
    """Two Bezier curves whose width halves: radii, colours and coordinates follow their interpolation."""
    extra = 'color3f[] primvars:displayColor = [(1, 0, 0), (0, 0, 1)] (interpolation = "uniform")'
    scene = load_stage(tmp_path, CURVE.replace("EXTRA", extra))
    mesh = only_mesh(scene)
    radius = np.linalg.norm(mesh.points_m[:, :2] - np.round(mesh.points_m[:, :2] / 5.0) * 5.0, axis=-1)
    assert radius == pytest.approx(0.5 - mesh.points_m[:, 2] / 12.0, abs=1e-5)
    assert mesh.color is not None
    red = mesh.points_m[mesh.triangle][..., 0] < 2.5
    assert mesh.color[red] == pytest.approx(np.broadcast_to([1.0, 0.0, 0.0], mesh.color[red].shape))
    assert mesh.color[~red] == pytest.approx(np.broadcast_to([0.0, 0.0, 1.0], mesh.color[~red].shape))
    assert mesh.uv is not None
    assert mesh.uv[..., 1] == pytest.approx(mesh.points_m[mesh.triangle][..., 2] / 3.0, abs=1e-6)
    assert mesh.normal is not None
    assert (np.einsum("tcx,tx->tc", mesh.normal, area_vectors(mesh)) > 0.0).all()
    assert "converted: 2 curves drawn as tubes of 12 sides" in note_texts(scene, "/hair")
    assert scene.instances.path == ("", "/hair")


def test_curves_with_normals_are_two_sided_ribbons(tmp_path: Path) -> None:
    """Authored normals orient flat strips."""
    extra = 'normal3f[] normals = [(0, 1, 0)] (interpolation = "constant")'
    mesh = only_mesh(load_stage(tmp_path, CURVE.replace("EXTRA", extra)))
    assert mesh.two_sided
    assert np.abs(mesh.points_m[:, 1]).max() < 1e-6
    assert np.abs(area_vectors(mesh)).sum(axis=0)[1] == pytest.approx(2 * 3.0 * 0.75)


@pytest.mark.parametrize(
    ("change", "level"),
    [
        (("[4, 4]", "[4, 5]"), "error"),
        (("float[] widths", "string[] widths"), "skipped"),
        (("[1, 0.5, 1, 0.5]", "[1, 2, 3]"), "skipped"),
        (('"bezier"', '"hermite"'), "repaired"),
        (("(5,0,3)", "(5,0,nan)"), "error"),
    ],
)
def test_broken_curves_are_reported(tmp_path: Path, change: tuple[str, str], level: str) -> None:
    """Counts, widths, bases and points that do not fit cost that part, with a note."""
    body = CURVE.replace("EXTRA", "")
    if level == "skipped" and "string" in change[1]:
        body = body.replace("[1, 0.5, 1, 0.5]", '["a"]')
    scene = load_stage(tmp_path, body.replace(*change))
    assert any(text.startswith(level) for text in note_texts(scene, "/hair"))


def test_points_share_one_sphere(tmp_path: Path) -> None:
    """Three points: one mesh, three placements of their own size and colour, one instance."""
    body = """def Points "p" { point3f[] points = [(0,0,0), (1,0,0), (2,0,0)]\nfloat[] widths = [0.2, 0.4, 0.6]
    color3f[] primvars:displayColor = [(1,0,0), (0,1,0), (0,0,1)] ( interpolation = "vertex" ) }"""
    scene = load_stage(tmp_path, body)
    mesh, placed = only_mesh(scene), scene.placements
    assert np.linalg.norm(mesh.points_m, axis=-1).max() == pytest.approx(1.0)
    assert placed.world_from_mesh[:, 0, 0] == pytest.approx([0.1, 0.2, 0.3])
    assert placed.world_from_mesh[:, 0, 3] == pytest.approx([0.0, 1.0, 2.0])
    assert placed.color is not None
    assert placed.color[:, :3] == pytest.approx(np.eye(3))
    assert set(placed.instance.tolist()) == {1}
    assert scene.materials[placed.slot_material[placed.first_slot[0]]].uses_display_color


def test_a_cloud_of_points_is_one_mesh(tmp_path: Path) -> None:
    """More points than placements are worth become octahedra of one mesh, with a note."""
    count = MAX_SPHERES + 1
    places = ", ".join(f"({i % 200}, {i // 200}, 0)" for i in range(count))
    scene = load_stage(tmp_path, f'def Points "p" {{ point3f[] points = [{places}]\nfloat[] widths = [0.5] }}')
    assert len(scene.placements.mesh) == 1
    assert len(only_mesh(scene).triangle) == 8 * count
    assert f"approximated: {count} points drawn as octahedra" in note_texts(scene, "/p")
    assert volume(only_mesh(scene)) == pytest.approx(count * 4.0 / 3.0 * 0.25**3, rel=1e-3)


def test_points_of_many_elements_are_counted_before_they_unfold(tmp_path: Path) -> None:
    """A hundred points in each of a hundred elements are 10,000 placements: refused above the limit."""
    places = ", ".join(f"({i}, 0, 0)" for i in range(100))
    body = f'def PointInstancer "pi" {{ rel prototypes = [</pi/p>]\nint[] protoIndices = {[0] * 100}\n'
    body += f'point3f[] positions = [{places}]\ndef Points "p" {{ point3f[] points = [{places}]\n'
    body += "float[] widths = [1] } }"
    with pytest.raises(SceneError, match="unfolds into 10000 placements, the limit is 5000"):
        load_stage(tmp_path, body, SceneOptions(max_placements=5000))


TETS = """def TetMesh "t" {
    point3f[] points = [(0,0,0), (1,0,0), (0,1,0), (0,0,1), (1,1,1)]
    int4[] tetVertexIndices = [(0, 1, 2, 3), (1, 2, 3, 4)]
    EXTRA
}"""


@pytest.mark.parametrize(
    "extra", ["", "int3[] surfaceFaceVertexIndices = [(0,2,1), (0,1,3), (0,3,2), (1,2,4), (2,3,4), (3,1,4)]"]
)
def test_a_tet_mesh_is_its_surface(tmp_path: Path, extra: str) -> None:
    """Two tetrahedra that share a face have six outer triangles, authored or not, around their volume."""
    mesh = only_mesh(load_stage(tmp_path, TETS.replace("EXTRA", extra)))
    assert len(mesh.triangle) == 6
    assert abs(volume(mesh)) == pytest.approx(1.0 / 6.0 + 1.0 / 3.0)


IMPLICIT = {
    "Cube": ("double size = 2", 8.0),
    "Sphere": ("double radius = 1", 4.0 / 3.0 * np.pi),
    "Cylinder": ("double radius = 1\ndouble height = 2", 2.0 * np.pi),
    "Cylinder_1": ("double radiusBottom = 1\ndouble radiusTop = 0.5\ndouble height = 2", 2.0 * np.pi * 1.75 / 3.0),
    "Cone": ("double radius = 1\ndouble height = 3", np.pi),
    "Capsule": ("double radius = 1\ndouble height = 1", np.pi + 4.0 / 3.0 * np.pi),
    "Capsule_1": ("double radiusBottom = 1\ndouble radiusTop = 1\ndouble height = 1", np.pi + 4.0 / 3.0 * np.pi),
}


@pytest.mark.parametrize("kind", IMPLICIT)
@pytest.mark.parametrize("axis", ["X", "Z"])
def test_implicit_shapes_have_their_volume_and_coordinates(tmp_path: Path, kind: str, axis: str) -> None:
    """Volumes of the shapes; texture coordinates fill the unit square."""
    sizes, expected = IMPLICIT[kind]
    mesh = only_mesh(load_stage(tmp_path, f'def {kind} "s" {{ {sizes}\nuniform token axis = "{axis}" }}'))
    assert volume(mesh) == pytest.approx(expected, rel=3e-3)
    assert mesh.uv is not None
    assert mesh.uv.min() == pytest.approx(0.0, abs=1e-3)
    assert mesh.uv.max() == pytest.approx(1.0, abs=1e-3)


def test_a_colour_that_varies_over_a_sphere_is_its_mean(tmp_path: Path) -> None:
    """USD gives implicit shapes no points to put values on."""
    body = 'def Sphere "s" { color3f[] primvars:displayColor = [(1, 0, 0), (0, 0, 1)] ( interpolation = "vertex" ) }'
    scene = load_stage(tmp_path, body)
    mesh = only_mesh(scene)
    assert mesh.color is not None
    assert mesh.color == pytest.approx(np.broadcast_to([0.5, 0.0, 0.5], mesh.color.shape))
    assert any("its mean is used" in text for text in note_texts(scene, "/s"))


UNSUPPORTED = ("Volume", "NurbsPatch", "HermiteCurves", "ParticleField3DGaussianSplat", "GenerativeProcedural")


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_what_is_not_drawn_is_noted_by_kind_and_path(tmp_path: Path, kind: str) -> None:
    """One note a prim, counted by its type."""
    scene = load_stage(tmp_path, f'def {kind} "a" {{ }}\ndef {kind} "b" {{ }}\ndef Cube "c" {{ }}')
    for path in ("/a", "/b"):
        assert note_texts(scene, path) == [f"skipped: type {kind} is not supported"]
    assert scene.skipped == {kind: 2}


def test_the_finest_level_of_detail_is_drawn(tmp_path: Path) -> None:
    """Of the children of a UsdLodRootAPI the first is drawn, with a note."""
    levels = "".join(f'def Cube "lod{i}" {{ double size = {i + 1} }}\n' for i in range(3))
    scene = load_stage(
        tmp_path, f'def Xform "x" ( prepend apiSchemas = ["LODRootAPI"] ) {{ int lod:default:index = 2\n{levels} }}'
    )
    assert volume(only_mesh(scene)) == pytest.approx(1.0)
    assert "approximated: the first of 3 levels of detail is drawn" in note_texts(scene, "/x")
