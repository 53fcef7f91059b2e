"""Scenes of many meshes: built together, shared where they are equal, and asked about once."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import engine.scene.usd.drawn.geometry
from engine.scene import Scene, SceneOptions
from engine.scene.model import Mesh
from engine.scene.usd.drawn.batch import RawReader
from engine.scene.usd.look.material import MaterialTable
from engine.write.encode import encode_png
from tests.engine.scene_stage import SQUARE, load_stage, note_texts, only_mesh

ARROW = """
    point3f[] points = [(0, 0, 0), (4, 0, 0), (4, 4, 0), (2, 1, 0), (0, 4, 0), (9, 9, 9), (6, 0, 0), (6, 4, 1)]
    int[] faceVertexCounts = [5, 4, 3]
    int[] faceVertexIndices = [0, 1, 2, 3, 4, 1, 6, 7, 2, 3, 2, 4]
    uniform token subdivisionScheme = "none"
"""  # a concave pentagon, a bent quad, a triangle, a point that nothing uses
CORNERS = ", ".join(f"({i}, {i * i % 7})" for i in range(12))
NORMALS = ", ".join(f"(0, {i}, {1 + i})" for i in range(12))
KINDS = {
    "bare": "",
    "left": 'uniform token orientation = "leftHanded"',
    "both": "uniform bool doubleSided = true",
    "corner normals": f'normal3f[] normals = [{NORMALS}] (interpolation = "faceVarying")',
    "face normals": 'normal3f[] primvars:normals = [(0, 0, 2), (0, 3, 4), (1, 0, 0)] (interpolation = "uniform")',
    "no direction": 'normal3f[] normals = [(0, 0, 0), (0, 3, 4), (1, 0, 0)] (interpolation = "uniform")',
    "corner st": f'texCoord2f[] primvars:st = [{CORNERS}] (interpolation = "faceVarying")',
    "point st": "float2[] primvars:UVMap = [(0, 0), (1, 2), (3, 4), (5, 6), (7, 8), (9, 9), (8, 7), (6, 5)] "
    '(interpolation = "vertex")',
    "indexed st": 'texCoord2f[] primvars:st = [(0, 0), (1, 2), (3, 4)] (interpolation = "faceVarying")\n'
    "int[] primvars:st:indices = [0, 1, 2, 2, 1, 0, 0, 1, 2, 0, 1, 1]",
    "face colour": 'color3f[] primvars:displayColor = [(1, 0, 0), (0, 1, 0), (0, 0, 1)] (interpolation = "uniform")',
    "point opacity": "float[] primvars:displayOpacity = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7] "
    '(interpolation = "vertex")',
}


def stage_of_kinds(size: int) -> str:
    """Return meshes of every kind, each of another size so that none are equal."""
    body = ""
    for i, text in enumerate(list(KINDS.values()) * size):
        body += f'def Mesh "m{i}" {{ {ARROW.replace("(0, 4, 0)", f"(0, {4 + i / 8}, 0)")}\n{text} }}\n'
    return body


def assert_equal_meshes(one: Mesh, two: Mesh) -> None:
    """Compare every field exactly."""
    for field in fields(Mesh):
        a, b = getattr(one, field.name), getattr(two, field.name)
        same = np.array_equal(a, b) and a.dtype == b.dtype if isinstance(a, np.ndarray) else a == b
        assert same, (one.name, field.name)


def test_meshes_built_together_equal_those_built_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Concave faces, handedness, normals, sets of texture coordinates and colours: bit for bit the same triangles."""
    together = load_stage(tmp_path, stage_of_kinds(3), meters_per_unit=0.01)
    with monkeypatch.context() as patch:
        patch.setattr(RawReader, "read", lambda *_: None)
        alone = load_stage(tmp_path, stage_of_kinds(3), meters_per_unit=0.01)
    assert len(together.meshes) == len(alone.meshes) == 3 * len(KINDS)
    for one, two in zip(together.meshes, alone.meshes, strict=True):
        assert_equal_meshes(one, two)
    by_kind = dict(zip(KINDS, together.meshes, strict=False))
    assert by_kind["corner normals"].normal is not None
    assert by_kind["no direction"].normal is None
    assert by_kind["point opacity"].opacity is not None
    assert all(len(mesh.points_m) == 7 for mesh in together.meshes)


def test_ordinary_meshes_are_never_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What exporters write goes the fast way; one broken mesh among many is read again, alone, for its note."""
    read: list[str] = []
    alone = engine.scene.usd.drawn.geometry.READERS["Mesh"]
    monkeypatch.setitem(
        engine.scene.usd.drawn.geometry.READERS,
        "Mesh",
        lambda o, leaf, r: (read.append(leaf.path), alone(o, leaf, r))[1],
    )
    whole = load_stage(tmp_path, stage_of_kinds(1))
    assert read == []
    broken = stage_of_kinds(1).replace("(6, 4, 1)", "(nan, 4, 1)", 1)
    scene = load_stage(tmp_path, broken)
    assert read == ["/m0"]
    assert "1 points are not finite" in note_texts(scene, "/m0")[0]
    for one, two in zip(whole.meshes[1:], sorted(scene.meshes, key=lambda m: int(m.name[2:]))[1:], strict=True):
        assert_equal_meshes(one, two)


RED_AND_BLUE = "".join(
    f'def Material "{name}" {{ token outputs:surface.connect = </{name}/s.outputs:surface>\n'
    f'def Shader "s" {{ uniform token info:id = "UsdPreviewSurface"\ncolor3f inputs:diffuseColor = {color}\n'
    "token outputs:surface } }\n"
    for name, color in (("red", "(1, 0, 0)"), ("blue", "(0, 0, 1)"), ("azure", "(0, 0, 1)"), ("spare", "(0, 1, 0)"))
)
APPLIED = '( prepend apiSchemas = ["MaterialBindingAPI"] )'


def colors_of(scene: Scene) -> dict[str, tuple[float, float, float]]:
    """Return drawn prim -> base colour of its first slot."""
    placed = scene.placements
    materials = [scene.materials[i] for i in placed.slot_material[placed.first_slot]]
    return {path: material.base_color for path, material in zip(placed.prim, materials, strict=True)}


def test_prims_with_the_same_bindings_are_asked_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own, inherited and stronger bindings and collections arrive as UsdShade says, with one question for each kind."""
    asked: list[int] = []
    bound = MaterialTable.bound
    monkeypatch.setattr(MaterialTable, "bound", lambda t, prims: (asked.append(len(prims)), bound(t, prims))[1])
    meshes = "".join(f'def Mesh "m{i}" {{ {SQUARE} }}\n' for i in range(20))
    own = "".join(
        f'def Mesh "o{i}" {APPLIED} {{ {SQUARE}\nrel material:binding = </{("red", "blue")[i % 2]}> }}\n'
        for i in range(20)
    )
    stronger = 'bindMaterialAs = "strongerThanDescendants"'
    body = RED_AND_BLUE
    body += f'def Xform "a" {APPLIED} {{ rel material:binding = </blue>\n{meshes}\n{own} }}\n'
    body += f'def Xform "b" {APPLIED} {{ rel material:binding = </blue> ( {stronger} )\n{meshes}\n{own} }}\n'
    body += f'def Xform "c" {{ {meshes} }}\n'
    collection = 'prepend apiSchemas = ["MaterialBindingAPI", "CollectionAPI:few"]'
    body += f'def Xform "d" ( {collection} ) {{ rel collection:few:includes = </d/m3>\n'
    body += f"rel material:binding:collection:few = [</d.collection:few>, </red>]\n{meshes} }}\n"
    scene = load_stage(tmp_path, body.replace(") {", "\n) {"))
    colors = colors_of(scene)
    for path, color in colors.items():
        group, name = path[1], path[3:]
        index = int(name[1:])
        expected = {"a": (0.0, 0.0, 1.0), "b": (0.0, 0.0, 1.0)}.get(group, (0.18, 0.18, 0.18))
        if (group == "a" and name[0] == "o" and index % 2 == 0) or (group == "d" and index == 3):
            expected = (1.0, 0.0, 0.0)
        assert color == expected, path
    assert asked[0] == 6 + 20  # a, b: inherited, red, blue; every prim below a collection


def test_materials_that_nothing_binds_can_be_found(tmp_path: Path) -> None:
    """Every Material prim is loaded; equal ones share an entry under both names."""
    mesh = f'def Mesh "m" {APPLIED} {{ {SQUARE}\nrel material:binding = </blue> }}'
    scene = load_stage(tmp_path, (RED_AND_BLUE + mesh).replace(") {", "\n) {"))
    assert set(scene.material_of) == {"/red", "/blue", "/azure", "/spare"}
    assert scene.material_of["/blue"] == scene.material_of["/azure"] == scene.placements.slot_material[0]
    assert scene.materials[scene.material_of["/spare"]].base_color == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("kind", ["native", "point", "copy"])
def test_a_thousand_instances_keep_one_copy_of_their_mesh(tmp_path: Path, kind: str) -> None:
    """Native instances, elements of an instancer and plain copies of the same arrays: one mesh, many placements."""
    mesh = f'def Mesh "m" {{ {SQUARE} }}'
    if kind == "point":
        places = ", ".join(f"({i}, 0, 0)" for i in range(1000))
        body = f'def PointInstancer "p" {{ rel prototypes = </p/m>\nint[] protoIndices = [{", ".join(["0"] * 1000)}]\n'
        body += f"point3f[] positions = [{places}]\n{mesh} }}"
    elif kind == "native":
        body = f'class Xform "c" {{ {mesh} }}\n'
        body += "".join(f'def Xform "i{i}" ( instanceable = true\ninherits = </c>\n) {{ }}\n' for i in range(1000))
    else:
        body = "".join(f'def Xform "i{i}" {{ {mesh} }}\n' for i in range(1000))
    scene = load_stage(tmp_path, body)
    assert len(scene.meshes) == 1
    assert scene.placements.mesh.tolist() == [0] * 1000
    assert len(scene.instances.path) == 1001


def test_meshes_that_differ_in_constant_colour_are_shared(tmp_path: Path) -> None:
    """displayColor and displayOpacity that do not vary go to the placement; a prim's own hide its ancestors'."""
    own = "color3f[] primvars:displayColor = [(0, 1, 0)]"
    varying = 'color3f[] primvars:displayColor = [(0, 0, 1)] (interpolation = "uniform")'
    body = 'def Xform "x" { color3f[] primvars:displayColor = [(1, 0, 0)]\nfloat[] primvars:displayOpacity = [0.5]\n'
    body += f'def Mesh "a" {{ {SQUARE} }}\ndef Mesh "b" {{ {SQUARE}\n{own} }}\ndef Mesh "c" {{ {SQUARE}\n{varying} }}\n'
    body += f'def Xform "y" {{ {varying}\ndef Mesh "d" {{ {SQUARE} }} }}\n}}\ndef Mesh "e" {{ {SQUARE} }}'
    scene = load_stage(tmp_path, body)
    assert len(scene.meshes) == 2
    assert scene.placements.color is not None
    colors = dict(zip(scene.placements.prim, scene.placements.color.tolist(), strict=True))
    assert colors == {
        "/x/a": [1.0, 0.0, 0.0, 0.5],
        "/x/b": [0.0, 1.0, 0.0, 0.5],
        "/x/c": [1.0, 1.0, 1.0, 0.5],
        "/x/y/d": [1.0, 1.0, 1.0, 0.5],  # the nearer one is not constant, so nothing is inherited
        "/e": [1.0, 1.0, 1.0, 1.0],
    }
    varied = scene.meshes[scene.placements.mesh[scene.placements.prim.index("/x/c")]]
    assert varied.color is not None
    assert varied.color == pytest.approx(np.broadcast_to([0.0, 0.0, 1.0], varied.color.shape))


def test_a_constant_set_is_inherited_and_a_missing_one_replaced(tmp_path: Path) -> None:
    """Texture coordinates come down from an ancestor like any constant primvar."""
    body = f'def Xform "x" {{ texCoord2f[] primvars:st = [(0.25, 0.75)]\ndef Mesh "m" {{ {SQUARE} }} }}'
    mesh = only_mesh(load_stage(tmp_path, body))
    assert mesh.uv is not None
    assert mesh.uv == pytest.approx(np.broadcast_to([0.25, 0.75], (2, 3, 2)))


def test_a_material_with_two_sets_fills_both(tmp_path: Path) -> None:
    """Textures that read st and st1 find them in uv and uv2, each as its TextureInput says."""
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((1, 1, 3), np.uint8)))
    nodes = "".join(
        f'def Shader "r{name}" {{ uniform token info:id = "UsdPrimvarReader_float2"\nstring inputs:varname = "{name}"\n'
        f'float2 outputs:result }}\ndef Shader "t{name}" {{ uniform token info:id = "UsdUVTexture"\n'
        f"asset inputs:file = @./a.png@\nfloat2 inputs:st.connect = </mat/r{name}.outputs:result>\n"
        "float3 outputs:rgb\nfloat outputs:r }\n"
        for name in ("st", "st1")
    )
    body = 'def Material "mat" { token outputs:surface.connect = </mat/s.outputs:surface>\ndef Shader "s" {\n'
    body += (
        'uniform token info:id = "UsdPreviewSurface"\ncolor3f inputs:diffuseColor.connect = </mat/tst.outputs:rgb>\n'
    )
    body += f"float inputs:roughness.connect = </mat/tst1.outputs:r>\ntoken outputs:surface }}\n{nodes} }}\n"
    sets = 'texCoord2f[] primvars:st = [(0, 0), (1, 0), (1, 1), (0, 1)] (interpolation = "vertex")\n'
    sets += 'texCoord2f[] primvars:st1 = [(5, 5)] (interpolation = "uniform")'
    body += f'def Mesh "m" {APPLIED} {{ {SQUARE}\n{sets}\nrel material:binding = </mat> }}'.replace(") {", "\n) {")
    scene = load_stage(tmp_path, body)
    mesh = only_mesh(scene)
    material = scene.materials[scene.placements.slot_material[0]]
    found = {}
    for key in ("base_color", "roughness"):
        found[key] = (mesh.uv, mesh.uv2)[material.textures[key].uv_set]
    assert found["base_color"] == pytest.approx(mesh.points_m[mesh.triangle][..., :2])
    assert found["roughness"] == pytest.approx(np.full((2, 3, 2), 5.0))


def test_normals_of_the_wrong_length_are_left_out_with_a_note(tmp_path: Path) -> None:
    """The mesh is flat then; a wrong guess would shade it wrongly."""
    normals = 'normal3f[] normals = [(0, 0, 1), (0, 1, 0)] (interpolation = "vertex")'
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {SQUARE}\n{normals} }}')
    assert only_mesh(scene).normal is None
    assert note_texts(scene, "/m") == ["skipped: normals has 2 values, not what vertex needs"]


def test_the_order_and_names_of_meshes_are_those_of_the_stage(tmp_path: Path) -> None:
    """Subdivided, broken and ordinary meshes keep the order of their prims, whatever way each was built."""
    smooth = SQUARE.replace('subdivisionScheme = "none"', 'subdivisionScheme = "catmullClark"')
    body = "".join(
        f'def Mesh "m{i}" {{ {(SQUARE, smooth)[i % 2].replace("(1, 1, 0)", f"(1, {1 + i}, 0)")} }}\n' for i in range(6)
    )
    scene = load_stage(tmp_path, body, SceneOptions(subdivision_level=1))
    assert [mesh.name for mesh in scene.meshes] == [f"/m{i}" for i in range(6)]
