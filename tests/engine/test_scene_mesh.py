"""Polygons, primvars, normals and implicit shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene import SceneOptions
from engine.scene.geometry.triangulate import triangulate
from engine.scene.model import Mesh
from tests.engine.scene_stage import SQUARE, load_stage, note_texts, only_mesh


def area_vectors(mesh: Mesh) -> NDArray[np.float64]:
    """Return half the cross product of every triangle."""
    a, b, c = (mesh.points_m[mesh.triangle[:, i]].astype(np.float64) for i in range(3))
    return 0.5 * np.cross(b - a, c - a)


def volume(mesh: Mesh) -> float:
    """Return the signed volume inside a closed mesh (divergence theorem)."""
    a, b, c = (mesh.points_m[mesh.triangle[:, i]].astype(np.float64) for i in range(3))
    return float(np.einsum("ti,ti->", a, np.cross(b, c)) / 6.0)


ARROW = np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [2, 1, 0], [0, 4, 0]], float)  # concave at (2, 1)


@pytest.mark.parametrize("first", range(5))
def test_a_concave_polygon_is_covered_once(first: int) -> None:
    """Triangles of a concave pentagon all face one way and add up to its area, whichever corner comes first."""
    points = np.roll(ARROW, first, axis=0)
    corner, face = triangulate(points, np.array([5]), np.arange(5))
    a, b, c = (points[corner[:, i]] for i in range(3))
    area = 0.5 * np.cross(b - a, c - a)[:, 2]
    assert len(corner) == 3
    assert (area > 0.0).all()
    assert area.sum() == pytest.approx(10.0)  # 16 minus the notch of 6
    assert face.tolist() == [0, 0, 0]


@pytest.mark.parametrize("first", range(4))
def test_a_concave_quad_is_split_inside(first: int) -> None:
    """A dart is split along the diagonal that lies within it."""
    points = np.roll(np.array([[0, 0, 0], [2, -1, 0], [0.5, 0, 0], [2, 1, 0]], float)[::-1], first, axis=0)
    corner, _ = triangulate(points, np.array([4]), np.arange(4))
    a, b, c = (points[corner[:, i]] for i in range(3))
    area = 0.5 * np.cross(b - a, c - a)[:, 2]
    assert np.abs(area).sum() == pytest.approx(abs(area.sum())) == pytest.approx(0.5)


def test_faces_of_mixed_sizes_stay_in_order() -> None:
    """Triangles follow the order of their faces."""
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [-1, 0.5, 0]], float)
    _, face = triangulate(points, np.array([4, 3, 5]), np.array([0, 1, 2, 3, 0, 3, 4, 0, 1, 2, 3, 4]))
    assert face.tolist() == [0, 0, 1, 2, 2, 2]


def test_left_handed_meshes_face_the_other_way(tmp_path: Path) -> None:
    """orientation = leftHanded turns the winding over, so that triangles are counter-clockwise from outside."""
    right = only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} }}'))
    left = only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} uniform token orientation = "leftHanded" }}'))
    assert area_vectors(right).sum(axis=0) == pytest.approx([0.0, 0.0, 1.0])
    assert area_vectors(left).sum(axis=0) == pytest.approx([0.0, 0.0, -1.0])


TWO_SQUARES = """
    point3f[] points = [(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 1, 0), (1, 1, 0), (0, 1, 0)]
    int[] faceVertexCounts = [4, 4]
    int[] faceVertexIndices = [0, 1, 4, 5, 1, 2, 3, 4]
    uniform token subdivisionScheme = "none"
"""


def test_holes_are_not_drawn(tmp_path: Path) -> None:
    """Faces named by holeIndices vanish; the others stay."""
    mesh = only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {TWO_SQUARES} int[] holeIndices = [0] }}'))
    assert mesh.points_m[mesh.triangle][..., 0].min() == 1.0
    assert area_vectors(mesh).sum(axis=0) == pytest.approx([0.0, 0.0, 1.0])


ST = "texCoord2f[] primvars:st"
INTERPOLATIONS = [
    ("constant", "[(0.5, 0.25)]", lambda point, face: (0.5, 0.25)),
    ("uniform", "[(0, 0), (1, 1)]", lambda point, face: (face, face)),
    ("vertex", "[(0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (0, 1)]", lambda point, face: (point[0], point[1])),
    ("varying", "[(0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (0, 1)]", lambda point, face: (point[0], point[1])),
    (
        "faceVarying",
        "[(0, 0), (1, 0), (1, 1), (0, 1), (11, 0), (12, 0), (12, 1), (11, 1)]",
        lambda point, face: (point[0] + 10 * face, point[1]),
    ),
]


@pytest.mark.parametrize(("name", "values", "expected"), INTERPOLATIONS)
def test_every_interpolation_reaches_the_right_corners(tmp_path: Path, name: str, values: str, expected) -> None:  # type: ignore[no-untyped-def]
    """Constant, uniform, vertex, varying and faceVarying values arrive at the corners they belong to."""
    mesh = only_mesh(
        load_stage(tmp_path, f'def Mesh "m" {{ {TWO_SQUARES} {ST} = {values} (interpolation = "{name}") }}')
    )
    assert mesh.uv is not None
    for triangle, uv in zip(mesh.triangle, mesh.uv, strict=True):
        points = mesh.points_m[triangle]
        face = int(points[:, 0].mean() > 1.0)
        assert uv == pytest.approx(np.array([expected(point, face) for point in points]))


def test_indexed_primvars_are_looked_up(tmp_path: Path) -> None:
    """Values go through `:indices`."""
    body = f'{ST} = [(9, 9), (0, 0), (1, 1)] (interpolation = "uniform")\nint[] primvars:st:indices = [2, 1]'
    mesh = only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {TWO_SQUARES} {body} }}'))
    assert mesh.uv is not None
    assert mesh.uv[:2] == pytest.approx(1.0)
    assert mesh.uv[2:] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("primvar", "reason"),
    [
        (f'{ST} = [(0, 0), (1, 1), (2, 2)] (interpolation = "vertex")', "3 values, not what vertex needs"),
        (
            f'{ST} = [(0, 0)] (interpolation = "uniform")\nint[] primvars:st:indices = [0, 7]',
            "point outside its values",
        ),
    ],
)
def test_unfitting_primvars_are_left_out_with_a_note(tmp_path: Path, primvar: str, reason: str) -> None:
    """A wrong length or index costs the primvar, never the mesh, and is reported."""
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {TWO_SQUARES} {primvar} }}')
    assert only_mesh(scene).uv is None
    assert reason in note_texts(scene, "/m")[0]


def test_display_color_is_inherited_from_an_ancestor(tmp_path: Path) -> None:
    """A constant displayColor on an Xform colours the meshes below it."""
    body = f'def Xform "x" {{ color3f[] primvars:displayColor = [(1, 0.5, 0.25)]\ndef Mesh "m" {{ {SQUARE} }} }}'
    scene = load_stage(tmp_path, body)
    assert only_mesh(scene).color is None
    assert scene.placements.color is not None
    assert scene.placements.color == pytest.approx(np.array([[1.0, 0.5, 0.25, 1.0]]))
    assert scene.materials[scene.placements.slot_material[0]].uses_display_color


def test_polygon_meshes_keep_authored_normals_and_are_flat_without(tmp_path: Path) -> None:
    """Scheme none: `primvars:normals` beats `normals`; without either the mesh has no normals of its own."""
    both = 'normal3f[] normals = [(0, 0, 2)] (interpolation = "constant")\n'
    both += 'normal3f[] primvars:normals = [(0, 3, 4)] (interpolation = "constant")'
    mesh = only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} {both} }}'))
    assert mesh.normal is not None
    assert mesh.normal[0, 0] == pytest.approx([0.0, 0.6, 0.8])
    assert only_mesh(load_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} }}')).normal is None


def test_subset_faces_get_the_material_of_their_subset(tmp_path: Path) -> None:
    """A GeomSubset binds its faces; the rest keeps the mesh's own material."""
    shader = 'uniform token info:id = "UsdPreviewSurface"\ncolor3f inputs:diffuseColor = {}\ntoken outputs:surface'
    material = (
        'def Material "{0}" {{ token outputs:surface.connect = </{0}/s.outputs:surface>\ndef Shader "s" {{ {1} }} }}'
    )
    red = material.format("red", shader.format("(1, 0, 0)"))
    blue = material.format("blue", shader.format("(0, 0, 1)"))
    subset = """
    def GeomSubset "right" (prepend apiSchemas = ["MaterialBindingAPI"]) {
        uniform token elementType = "face"
        uniform token familyName = "materialBind"
        int[] indices = [1]
        rel material:binding = </blue>
    }
    """
    mesh = (
        f'def Mesh "m" (prepend apiSchemas = ["MaterialBindingAPI"]) {{ {TWO_SQUARES} rel material:binding = </red>\n'
    )
    scene = load_stage(tmp_path, f"{red}\n{blue}\n{mesh} {subset} }}")
    drawn = only_mesh(scene)
    left = drawn.points_m[drawn.triangle][..., 0].mean(axis=1) < 1.0
    material_of = scene.placements.slot_material[scene.placements.first_slot[0] + drawn.slot]
    assert {scene.materials[i].base_color for i in material_of[left]} == {(1.0, 0.0, 0.0)}
    assert {scene.materials[i].base_color for i in material_of[~left]} == {(0.0, 0.0, 1.0)}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('def Cube "c" { double size = 3 }', 27.0),
        ('def Sphere "c" { double radius = 2 }', 4.0 / 3.0 * np.pi * 8.0),
        ('def Cylinder "c" { double radius = 2\ndouble height = 3 }', np.pi * 12.0),
        ('def Cone "c" { double radius = 2\ndouble height = 3 }', np.pi * 4.0),
        ('def Capsule "c" { double radius = 1\ndouble height = 3 }', np.pi * 3.0 + 4.0 / 3.0 * np.pi),
    ],
)
@pytest.mark.parametrize("axis", ["X", "Y", "Z"])
def test_implicit_shapes_enclose_their_volume(tmp_path: Path, body: str, expected: float, axis: str) -> None:
    """Cube, sphere, cylinder, cone and capsule are closed, face outwards, and have the right volume and length."""
    if "Cube" not in body and "Sphere" not in body:
        body = body.replace("{", f'{{ uniform token axis = "{axis}"\n', 1)
    mesh = only_mesh(load_stage(tmp_path, body))
    assert volume(mesh) == pytest.approx(expected, rel=4e-3)
    assert np.abs(area_vectors(mesh).sum(axis=0)).max() < 1e-6 * np.abs(area_vectors(mesh)).sum()
    if mesh.normal is not None:
        flat = area_vectors(mesh)
        assert (np.einsum("tcx,tx->tc", mesh.normal, flat) > 0.0).all()


def test_a_plane_faces_its_axis(tmp_path: Path) -> None:
    """UsdGeomPlane: width and length lie where the schema says, the front looks along the axis."""
    for axis, size in (("X", (0.0, 3.0, 2.0)), ("Y", (2.0, 0.0, 3.0)), ("Z", (2.0, 3.0, 0.0))):
        body = f'def Plane "p" {{ double width = 2\ndouble length = 3\nuniform token axis = "{axis}" }}'
        mesh = only_mesh(load_stage(tmp_path, body))
        assert np.ptp(mesh.points_m, axis=0) == pytest.approx(size)
        assert area_vectors(mesh).sum(axis=0)["XYZ".index(axis)] == pytest.approx(6.0)


def test_equal_meshes_are_kept_once(tmp_path: Path) -> None:
    """Two prims with the same arrays share one mesh, though they are no USD instances; a third differs."""
    other = SQUARE.replace("(1, 1, 0)", "(1, 2, 0)")
    body = f'def Mesh "a" {{ {SQUARE} }}\ndef Mesh "b" {{ {SQUARE} }}\ndef Mesh "c" {{ {other} }}'
    scene = load_stage(tmp_path, body)
    assert len(scene.meshes) == 2
    assert scene.placements.mesh.tolist() == [0, 0, 1]


def test_invisible_and_guide_prims_are_not_drawn(tmp_path: Path) -> None:
    """Visibility and purpose come down from ancestors; a purpose of its own counts more."""
    guide = f'def Xform "g" {{ uniform token purpose = "guide"\ndef Mesh "m" {{ {SQUARE} }}\n'
    guide += f'def Mesh "r" {{ {SQUARE} uniform token purpose = "render" }} }}'
    hidden = f'def Xform "h" {{ token visibility = "invisible"\ndef Mesh "m" {{ {SQUARE} }} }}'
    scene = load_stage(tmp_path, f"{guide}\n{hidden}")
    assert len(scene.placements.mesh) == 1
    every = load_stage(tmp_path, f"{guide}\n{hidden}", SceneOptions(purposes=("default", "render", "guide")))
    assert len(every.placements.mesh) == 2


@pytest.mark.parametrize(
    ("change", "level", "drawn"),
    [
        (("[0, 1, 4, 5, 1, 2, 3, 4]", "[0, 1, 4, 5, 1, 2, 3, 99]"), "repaired", 1.0),
        (("[0, 1, 4, 5, 1, 2, 3, 4]", "[0, 1, 4, 5, 1, 2, -3, 4]"), "repaired", 1.0),
        (("(2, 0, 0)", "(nan, 0, 0)"), "repaired", 1.0),
        (("(2, 0, 0)", "(inf, 0, 0)"), "repaired", 1.0),
        (("[4, 4]", "[4, 2, 2]"), "repaired", 1.0),
        (("[4, 4]", "[4, 5]"), "error", 0.0),
        (("[4, 4]", "[-4, 12]"), "error", 0.0),
        (("point3f[] points = [", "string[] points = [] #"), "error", 0.0),
    ],
)
def test_broken_faces_are_left_out_and_reported(
    tmp_path: Path, change: tuple[str, str], level: str, drawn: float
) -> None:
    """Indices out of range, points that are no numbers and counts that do not fit: never drawn, never silent."""
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {TWO_SQUARES.replace(*change)} }}')
    area = sum(np.linalg.norm(area_vectors(mesh), axis=1).sum() for mesh in scene.meshes)
    assert area == pytest.approx(drawn)
    assert all(np.isfinite(mesh.points_m).all() for mesh in scene.meshes)
    assert any(text.startswith((level, "skipped")) for text in note_texts(scene, "/m"))


def test_time_samples_are_read_at_the_chosen_time(tmp_path: Path) -> None:
    """Points and transforms are those of the time code, the first one when none is chosen."""
    body = f'def Mesh "m" {{ {SQUARE} double3 xformOp:translate.timeSamples = {{ 1: (0, 0, 0), 3: (4, 0, 0) }}\n'
    body += 'uniform token[] xformOpOrder = ["xformOp:translate"] }'
    extra = "startTimeCode = 1\n    endTimeCode = 3"
    for time, x in ((None, 0.0), (1.0, 0.0), (2.0, 2.0), (3.0, 4.0)):
        scene = load_stage(tmp_path, body, SceneOptions(time=time), extra=extra)
        assert scene.placements.world_from_mesh[0][0, 3] == pytest.approx(x)
