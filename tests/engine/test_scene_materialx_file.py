"""MaterialX documents that a stage refers to, and that usd-core cannot read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pxr import Sdf

from engine.scene import Scene, SceneError, SceneOptions, load_scene
from engine.scene.model import Material
from tests.engine.scene_stage import SQUARE, load_stage, note_texts, write_stage
from tests.engine.test_scene_look import BOUND, bound_material
from tests.engine.test_scene_materialx import shown, write_png

DOCUMENT = """<?xml version="1.0"?>
<materialx version="1.38" colorspace="lin_rec709" {attributes}>
  {content}
  <standard_surface name="SR" type="surfaceshader">
    {inputs}
  </standard_surface>
  <surfacematerial name="Gold" type="material">
    <input name="surfaceshader" type="surfaceshader" nodename="SR" />
  </surfacematerial>
</materialx>
"""


def document_stage(
    folder: Path, inputs: str, content: str = "", *, attributes: str = "", options: SceneOptions | None = None
) -> Scene:
    """Load a square bound to the material of a document, which the stage refers to."""
    pytest.importorskip("MaterialX")
    (folder / "looks").mkdir(exist_ok=True)
    text = DOCUMENT.format(inputs=inputs, content=content, attributes=attributes)
    (folder / "looks/gold.mtlx").write_text(text, encoding="utf-8")
    return load_scene(write_stage(folder, REFERENCE), options)


REFERENCE = f"""
def Scope "Looks" ( prepend references = @./looks/gold.mtlx@</MaterialX/Materials> ) {{ }}
def Mesh "m" ( prepend apiSchemas = ["MaterialBindingAPI"] ) {{ {SQUARE}
    rel material:binding = </Looks/Gold>
    texCoord2f[] primvars:st = [(0, 0), (1, 0), (1, 1), (0, 1)] (interpolation = "vertex")
}}
"""
VALUE = '<input name="{0}" type="{1}" value="{2}" />'


def test_a_document_is_the_material_that_it_describes(tmp_path: Path) -> None:
    """Constants of the document arrive, the file is listed with its hash, and nothing is an error."""
    inputs = VALUE.format("base_color", "color3", "0.9, 0.6, 0.2") + VALUE.format("base", "float", "1")
    inputs += VALUE.format("metalness", "float", "1") + VALUE.format("specular_roughness", "float", "0.125")
    scene = document_stage(tmp_path, inputs)
    material = bound_material(scene)
    assert material.base_color == pytest.approx((0.9, 0.6, 0.2))
    assert (material.metallic, material.roughness, material.name) == (1.0, 0.125, "/Looks/Gold")
    assert "looks/gold.mtlx" in [asset.path for asset in scene.assets]
    assert {note.level for note in scene.notes} == {"converted"}


def test_a_document_and_the_same_network_in_usd_are_one_material(tmp_path: Path) -> None:
    """The import and the ND_* reader agree: both squares have the same material."""
    pytest.importorskip("MaterialX")
    inputs = VALUE.format("base_color", "color3", "0.5, 0.25, 0.125") + VALUE.format("coat", "float", "0.5")
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks/gold.mtlx").write_text(DOCUMENT.format(inputs=inputs, content="", attributes=""))
    usd = """
    def Material "mat" {
        token outputs:mtlx:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {
            uniform token info:id = "ND_standard_surface_surfaceshader"
            color3f inputs:base_color = (0.5, 0.25, 0.125)
            float inputs:coat = 0.5
            token outputs:surface
        }
    }
    """
    scene = load_stage(tmp_path, REFERENCE + usd + BOUND.replace('"m"', '"n"'))
    assert len(set(scene.placements.slot_material[scene.placements.first_slot].tolist())) == 1


def test_textures_of_a_document_are_beside_it(tmp_path: Path) -> None:
    """A relative path, with a file prefix, starts at the document; its colour space is that of the input."""
    (tmp_path / "looks/tex").mkdir(parents=True)
    write_png(tmp_path / "looks/tex", "i", (128, 128, 128))
    content = """
    <nodegraph name="NG" fileprefix="tex/">
      <image name="a" type="color3">
        <input name="file" type="filename" value="i.png" colorspace="srgb_texture" />
      </image>
      <image name="b" type="float"><input name="file" type="filename" value="i.png" /></image>
      <output name="color" type="color3" nodename="a" /><output name="rough" type="float" nodename="b" />
    </nodegraph>
    """
    inputs = '<input name="base_color" type="color3" nodegraph="NG" output="color" />'
    inputs += '<input name="specular_roughness" type="float" nodegraph="NG" output="rough" />'
    scene = document_stage(tmp_path, inputs, content)
    assert shown(scene, "base_color")[0] == pytest.approx(0.21586, abs=1e-4)
    assert shown(scene, "roughness")[0] == pytest.approx(128 / 255)
    assert "looks/tex/i.png" in [asset.path for asset in scene.assets]


def test_definitions_of_a_document_are_expanded(tmp_path: Path) -> None:
    """A node that the document defines by a graph is that graph, with its inputs."""
    content = """
    <nodedef name="ND_twice" node="twice">
      <input name="in" type="color3" value="0, 0, 0" /><output name="out" type="color3" />
    </nodedef>
    <nodegraph name="NG_twice" nodedef="ND_twice">
      <multiply name="m" type="color3">
        <input name="in1" type="color3" interfacename="in" /><input name="in2" type="float" value="2" />
      </multiply>
      <output name="out" type="color3" nodename="m" />
    </nodegraph>
    <twice name="t" type="color3"><input name="in" type="color3" value="0.1, 0.2, 0.3" /></twice>
    """
    scene = document_stage(tmp_path, '<input name="base_color" type="color3" nodename="t" />', content)
    assert bound_material(scene).base_color == pytest.approx((0.2, 0.4, 0.6))


def test_inputs_of_a_node_graph_have_their_values(tmp_path: Path) -> None:
    """A graph's own input gives its value to the nodes inside."""
    content = """
    <nodegraph name="NG">
      <input name="tint" type="color3" value="0.25, 0.5, 1" />
      <multiply name="m" type="color3">
        <input name="in1" type="color3" interfacename="tint" /><input name="in2" type="float" value="0.5" />
      </multiply>
      <output name="out" type="color3" nodename="m" />
    </nodegraph>
    """
    scene = document_stage(tmp_path, '<input name="base_color" type="color3" nodegraph="NG" />', content)
    assert bound_material(scene).base_color == pytest.approx((0.125, 0.25, 0.5))


def test_colours_in_a_colour_space_become_linear(tmp_path: Path) -> None:
    """A constant in srgb_texture is decoded as a texture would be."""
    inputs = '<input name="base_color" type="color3" value="0.5, 0.5, 0.5" colorspace="srgb_texture" />'
    assert bound_material(document_stage(tmp_path, inputs)).base_color == pytest.approx((0.21404,) * 3, abs=1e-4)


def test_inputs_of_a_document_can_be_set_in_usd(tmp_path: Path) -> None:
    """An opinion on the material is stronger than the document's value, as with OpenUSD's own plugin."""
    pytest.importorskip("MaterialX")
    (tmp_path / "looks").mkdir()
    inputs = VALUE.format("base_color", "color3", "0.5, 0.5, 0.5")
    (tmp_path / "looks/gold.mtlx").write_text(DOCUMENT.format(inputs=inputs, content="", attributes=""))
    over = 'over "Gold" { color3f inputs:base_color = (1, 0, 0) }'
    scene = load_stage(tmp_path, REFERENCE.replace("{ }", f"{{ {over} }}", 1))
    assert bound_material(scene).base_color == (1.0, 0.0, 0.0)


def test_included_documents_belong_to_the_scene(tmp_path: Path) -> None:
    """xi:include is followed inside the allowed folders only, and the included file is listed."""
    pytest.importorskip("MaterialX")
    (tmp_path / "looks").mkdir()
    graph = '<nodegraph name="NG"><constant name="c" type="color3">' + VALUE.format("value", "color3", "0.25, 0.5, 1")
    graph += '</constant><output name="out" type="color3" nodename="c" /></nodegraph>'
    (tmp_path / "looks/graph.mtlx").write_text(f'<?xml version="1.0"?><materialx version="1.38">{graph}</materialx>')
    include = '<xi:include href="graph.mtlx" />'
    inputs = '<input name="base_color" type="color3" nodegraph="NG" output="out" />'
    xmlns = 'xmlns:xi="http://www.w3.org/2001/XInclude"'
    scene = document_stage(tmp_path, inputs, include, attributes=xmlns)
    assert bound_material(scene).base_color == pytest.approx((0.25, 0.5, 1.0))
    assert "looks/graph.mtlx" in [asset.path for asset in scene.assets]
    (tmp_path / "outside.mtlx").write_text('<?xml version="1.0"?><materialx version="1.38"></materialx>')
    root = tmp_path / "inside"
    (root / "looks").mkdir(parents=True)
    with pytest.raises(SceneError, match=r"outside\.mtlx.*outside"):
        document_stage(
            root, "", '<xi:include href="../../outside.mtlx" />', attributes=xmlns, options=SceneOptions(roots=(root,))
        )


@pytest.mark.parametrize(
    "text", ["", "<materialx", "no xml", '<materialx version="1.38"><xi:include href="x"/></materialx>']
)
def test_a_broken_document_is_reported_and_survived(tmp_path: Path, text: str) -> None:
    """The mesh is there in grey; the notes name the file."""
    pytest.importorskip("MaterialX")
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks/gold.mtlx").write_text(text)
    scene = load_scene(write_stage(tmp_path, REFERENCE))
    assert len(scene.meshes) == 1
    assert bound_material(scene).name == "fallback"
    assert any(note.level == "error" for note in scene.notes)


def test_without_the_package_the_note_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The optional package is named where a document needs it; everything else loads."""
    monkeypatch.setitem(sys.modules, "MaterialX", None)
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks/gold.mtlx").write_text(DOCUMENT.format(inputs="", content="", attributes=""))
    scene = load_scene(write_stage(tmp_path, REFERENCE))
    assert len(scene.meshes) == 1
    assert any("pip install 'ommatidia[materialx]'" in note for note in note_texts(scene, "gold.mtlx"))


def test_a_document_in_a_package_keeps_its_textures(tmp_path: Path) -> None:
    """In a usdz, document and texture are members of the package."""
    pytest.importorskip("MaterialX")
    (tmp_path / "looks").mkdir()
    write_png(tmp_path / "looks", "i", (255, 0, 0))
    content = '<image name="a" type="color3"><input name="file" type="filename" value="i.png" /></image>'
    inputs = '<input name="base_color" type="color3" nodename="a" />'
    (tmp_path / "looks/gold.mtlx").write_text(DOCUMENT.format(inputs=inputs, content=content, attributes=""))
    stage = write_stage(tmp_path, REFERENCE)
    package = tmp_path / "packed/scene.usdz"
    package.parent.mkdir()
    with Sdf.ZipFileWriter.CreateNew(str(package)) as writer:
        for name in ("scene.usda", "looks/gold.mtlx", "looks/i.png"):
            writer.AddFile(str(tmp_path / name), name)
    stage.unlink()
    scene = load_scene(package)
    assert shown(scene, "base_color")[:3] == pytest.approx([1.0, 0.0, 0.0])
    assert [asset.path for asset in scene.assets] == ["scene.usdz"]


def test_the_source_layers_stay_as_they_were(tmp_path: Path) -> None:
    """The file that refers to the document is not changed, and a second load reads it anew."""
    inputs = VALUE.format("base", "float", "0.5")
    first = document_stage(tmp_path, inputs)
    assert "gold.mtlx@" in (tmp_path / "scene.usda").read_text()
    second = document_stage(tmp_path, VALUE.format("base", "float", "0.25"))
    assert bound_material(first).base_color == pytest.approx((0.4,) * 3)
    assert bound_material(second).base_color == pytest.approx((0.2,) * 3)


def test_the_chess_pieces_have_their_textures(shared_dir: Path) -> None:
    """Every material of a piece has a colour, a roughness and a normal map, decoded from 0..1 to -1..1."""
    pytest.importorskip("MaterialX")
    scene = load_scene(shared_dir / "usd/01_OpenChessSet/assets/Bishop/Bishop.usd", SceneOptions(subdivision_level=0))
    materials: list[Material] = [m for m in scene.materials if m.name != "fallback"]
    assert {m.name for m in materials} == {"/Bishop/Materials/M_Bishop_B", "/Bishop/Materials/M_Bishop_W"}
    assert all(set(m.textures) == {"base_color", "metallic", "roughness", "normal"} for m in materials)
    normal = materials[0].textures["normal"]
    assert (normal.scale[:3], normal.bias[:3]) == ((2.0,) * 3, (-1.0,) * 3)
    assert scene.textures[normal.texture].pixels[..., :3].mean(axis=(0, 1)) == pytest.approx([0.5, 0.5, 1.0], abs=0.05)
