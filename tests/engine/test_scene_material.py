"""Materials in use: opacity, primvars, two sets of texture coordinates, bindings, and what is kept once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.scene import Scene
from engine.scene.model import Material
from tests.engine.scene_stage import SQUARE, load_stage, note_texts
from tests.engine.test_scene_look import BOUND, bound_material, material_stage, texture_node
from tests.engine.test_scene_texture import write_image

TWO_FACES = """
    point3f[] points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 0), (2, 1, 0)]
    int[] faceVertexCounts = [4, 4]
    int[] faceVertexIndices = [0, 1, 2, 3, 1, 4, 5, 2]
    uniform token subdivisionScheme = "none"
"""


def write_png(folder: Path, name: str = "a", color: tuple[int, ...] = (51, 102, 204)) -> None:
    """Write an image of four texels, three of them black."""
    pixels = np.zeros((2, 2, len(color)), np.uint8)
    pixels[1, 0] = color
    write_image(folder / f"{name}.png", pixels)


def reader(name: str, kind: str, varname: str, fallback: str = "") -> str:
    """Return a primvar reader."""
    return f"""
    def Shader "{name}" {{
        uniform token info:id = "UsdPrimvarReader_{kind}"
        string inputs:varname = "{varname}"
        {fallback}
        {kind} outputs:result
    }}
    """


def colored(name: str, color: str) -> str:
    """Return a material of one colour."""
    return f"""
    def Material "{name}" {{
        token outputs:surface.connect = </{name}/s.outputs:surface>
        def Shader "s" {{
            uniform token info:id = "UsdPreviewSurface"
            color3f inputs:diffuseColor = {color}
            token outputs:surface
        }}
    }}
    """


def materials_of(scene: Scene, path: str) -> list[Material]:
    """Return the materials of a prim, by slot."""
    place = scene.placements.prim.index(path)
    first = scene.placements.first_slot[place]
    count = scene.meshes[scene.placements.mesh[place]].slot.max() + 1
    return [scene.materials[i] for i in scene.placements.slot_material[first : first + count]]


def test_opacity_has_two_modes_and_a_threshold(tmp_path: Path) -> None:
    """opacityMode, opacityThreshold and a constant opacity arrive; without them the surface is solid."""
    inputs = "float inputs:opacity = 0.5\nfloat inputs:opacityThreshold = 0.25\n"
    material = bound_material(material_stage(tmp_path, inputs + 'token inputs:opacityMode = "presence"'))
    assert (material.opacity, material.opacity_threshold, material.presence) == (0.5, 0.25, True)
    assert not bound_material(material_stage(tmp_path, inputs)).presence
    solid = bound_material(material_stage(tmp_path, ""))
    assert (solid.opacity, solid.opacity_threshold) == (1.0, 0.0)


def test_an_image_of_opacity_is_a_cutout_unless_its_mode_says_otherwise(tmp_path: Path) -> None:
    """Exporters connect alpha and leave opacityMode alone: their holes do not reflect like glass."""
    write_png(tmp_path, color=(51, 102, 204, 128))
    alpha = "float inputs:opacity.connect = </mat/t.outputs:a>\n"
    for mode, is_cutout in (("", True), ('token inputs:opacityMode = "transparent"', False)):
        assert bound_material(material_stage(tmp_path, alpha + mode, texture_node())).presence == is_cutout


def test_opacity_is_the_alpha_of_the_colour_texture(tmp_path: Path) -> None:
    """The usual cut-out: rgb and a of one texture drive colour and opacity, and the file is there once."""
    write_png(tmp_path, color=(51, 102, 204, 128))
    inputs = "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>\n"
    inputs += "float inputs:opacity.connect = </mat/t.outputs:a>\nfloat inputs:opacityThreshold = 0.5"
    scene = material_stage(tmp_path, inputs, texture_node())
    material = bound_material(scene)
    assert material.textures["opacity"].texture == material.textures["base_color"].texture
    assert material.textures["opacity"].channel == 3
    assert len(scene.textures) == 1
    assert note_texts(scene, "/mat") == []


@pytest.mark.parametrize("field", ["clearcoat", "clearcoatRoughness", "metallic", "roughness", "opacity"])
def test_numbers_come_from_textures(tmp_path: Path, field: str) -> None:
    """Every number that has a texture key takes one channel, with scale and bias of that channel."""
    write_png(tmp_path)
    extra = 'token inputs:sourceColorSpace = "raw"\nfloat4 inputs:scale = (1, 0.5, 1, 1)\n'
    node = texture_node(extra=extra + "float4 inputs:bias = (0, 0.25, 0, 0)")
    scene = material_stage(tmp_path, f"float inputs:{field}.connect = </mat/t.outputs:g>", node)
    given = bound_material(scene).textures["clearcoat_roughness" if field == "clearcoatRoughness" else field]
    texel = scene.textures[given.texture].pixels[0, 0, given.channel]
    assert given.scale[given.channel] * texel + given.bias[given.channel] == pytest.approx(0.5 * 0.4 + 0.25)


def test_the_specular_colour_may_be_a_texture(tmp_path: Path) -> None:
    """The specular workflow keeps its texture."""
    write_png(tmp_path)
    inputs = "int inputs:useSpecularWorkflow = 1\ncolor3f inputs:specularColor.connect = </mat/t.outputs:rgb>"
    material = bound_material(material_stage(tmp_path, inputs, texture_node()))
    assert "specular_color" in material.textures


# Texture coordinates


def test_chained_transforms_apply_from_the_reader_on(tmp_path: Path) -> None:
    """st, then scale by 2, then move by 0.25: (0.5, 0.5) is looked up at (1.25, 1.25)."""
    write_png(tmp_path)
    node = texture_node().replace("</mat/r.outputs:result>", "</mat/y.outputs:result>")
    for name, source, inputs in (
        ("x", "r", "float2 inputs:scale = (2, 2)"),
        ("y", "x", "float2 inputs:translation = (0.25, 0.25)"),
    ):
        node += f"""
        def Shader "{name}" {{
            uniform token info:id = "UsdTransform2d"
            float2 inputs:in.connect = </mat/{source}.outputs:result>
            {inputs}
            float2 outputs:result
        }}
        """
    scene = material_stage(tmp_path, "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>", node)
    matrix = np.reshape(bound_material(scene).textures["base_color"].uv_from_st, (2, 3))
    assert matrix @ [0.5, 0.5, 1.0] == pytest.approx([1.25, 1.25])


def test_two_primvars_are_two_sets(tmp_path: Path) -> None:
    """A second reader's primvar is Mesh.uv2, at its own coordinates."""
    write_png(tmp_path, "a")
    write_png(tmp_path, "b")
    nodes = texture_node() + texture_node("q", file="b.png").split('def Shader "r"')[0].replace("</mat/r.", "</mat/r2.")
    nodes += reader("r2", "float2", "lightmap")
    inputs = "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>\n"
    inputs += "float inputs:roughness.connect = </mat/q.outputs:r>"
    lightmap = 'texCoord2f[] primvars:lightmap = [(5, 5), (6, 5), (6, 6), (5, 6)] (interpolation = "vertex")'
    mesh = BOUND.replace("texCoord2f[] primvars:st", f"{lightmap}\ntexCoord2f[] primvars:st")
    body = f"""
    def Material "mat" {{
        token outputs:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {{ uniform token info:id = "UsdPreviewSurface"
            {inputs}
            token outputs:surface
        }}
        {nodes}
    }}
    """
    scene = load_stage(tmp_path, body + mesh)
    textures = bound_material(scene).textures
    assert (textures["base_color"].uv_set, textures["roughness"].uv_set) == (0, 1)
    assert scene.meshes[0].uv is not None
    assert scene.meshes[0].uv.max() == 1.0
    assert scene.meshes[0].uv2 is not None
    assert (scene.meshes[0].uv2.min(), scene.meshes[0].uv2.max()) == (5.0, 6.0)


def test_a_third_primvar_is_approximated(tmp_path: Path) -> None:
    """Three sets do not fit; the third is looked up with the first, and a note says so."""
    write_png(tmp_path)
    nodes, inputs = "", ""
    for index, (field, output) in enumerate((("metallic", "r"), ("roughness", "g"), ("clearcoat", "a"))):
        nodes += texture_node(f"t{index}").split('def Shader "r"')[0].replace("</mat/r.", f"</mat/r{index}.")
        nodes += reader(f"r{index}", "float2", f"set{index}")
        inputs += f"float inputs:{field}.connect = </mat/t{index}.outputs:{output}>\n"
    scene = material_stage(tmp_path, inputs, nodes)
    assert "approximated: textures read more than two primvars; set0 stands for set2" in note_texts(scene, "/mat")


def test_readers_are_found_through_node_graphs_and_interfaces(tmp_path: Path) -> None:
    """varname from the material's input, as a token, and the texture inside a NodeGraph."""
    write_png(tmp_path)
    graph = f"""
    def NodeGraph "g" {{
        token inputs:set.connect = </mat.inputs:stPrimvar>
        color3f outputs:color.connect = </mat/g/t.outputs:rgb>
        {texture_node().replace("</mat/r.", "</mat/g/r.").replace('string inputs:varname = "st"', "token inputs:varname.connect = </mat/g.inputs:set>")}
    }}
    """  # noqa: E501
    scene = material_stage(
        tmp_path, "color3f inputs:diffuseColor.connect = </mat/g.outputs:color>", graph, 'token inputs:stPrimvar = "st"'
    )
    assert "base_color" in bound_material(scene).textures
    assert scene.meshes[0].uv is not None
    assert scene.notes == () or not [note for note in scene.notes if note.prim == "/m"]


# Primvars


def test_display_color_drives_the_colour(tmp_path: Path) -> None:
    """A reader of displayColor is the mesh's; a mesh without one shows the reader's fallback."""
    node = reader("c", "float3", "displayColor", "float3 inputs:fallback = (0.5, 0.25, 0.125)")
    inputs = "color3f inputs:diffuseColor.connect = </mat/c.outputs:result>"
    scene = material_stage(tmp_path, inputs, node)
    assert bound_material(scene).base_color == (0.5, 0.25, 0.125)
    assert not bound_material(scene).uses_display_color
    mesh = BOUND.replace("texCoord2f[]", "color3f[] primvars:displayColor = [(1, 0, 0)]\ntexCoord2f[]")
    body = colored("mat", "(0, 0, 0)").replace(
        "diffuseColor = (0, 0, 0)", "diffuseColor.connect = </mat/c.outputs:result>"
    )
    scene = load_stage(tmp_path, body.rstrip().removesuffix("}") + node + "}" + mesh)
    assert bound_material(scene).uses_display_color
    assert bound_material(scene).base_color == (1.0, 1.0, 1.0)  # a factor of what the mesh has
    assert scene.placements.color is not None
    assert scene.placements.color[0] == pytest.approx([1.0, 0.0, 0.0, 1.0])


def test_other_primvars_give_every_prim_its_value(tmp_path: Path) -> None:
    """Two meshes bind one material that reads primvars:rough: two materials; a third mesh has the fallback."""
    body = f"""
    def Material "mat" {{
        token outputs:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {{ uniform token info:id = "UsdPreviewSurface"
            float inputs:roughness.connect = </mat/p.outputs:result>
            token outputs:surface
        }}
        {reader("p", "float", "rough", "float inputs:fallback = 0.75")}
    }}
    def Xform "x" {{ float primvars:rough = 0.125 ( interpolation = "constant" )
        {BOUND.replace('"m"', '"inherits"')}
    }}
    {BOUND.replace('"m"', '"own"').replace("texCoord2f[]", "float primvars:rough = 0.5" + chr(10) + "texCoord2f[]")}
    {BOUND.replace('"m"', '"none"')}
    """
    scene = load_stage(tmp_path, body)
    found = [materials_of(scene, path)[0].roughness for path in ("/x/inherits", "/own", "/none")]
    assert found == [0.125, 0.5, 0.75]
    assert len(scene.meshes) == 1


def test_a_primvar_that_varies_over_the_mesh_is_its_mean(tmp_path: Path) -> None:
    """Only displayColor varies inside a mesh; another primvar is its mean, with a note."""
    mesh = BOUND.replace(
        "texCoord2f[]", 'float[] primvars:rough = [0, 0.5, 0.5, 1] (interpolation = "vertex")\ntexCoord2f[]'
    )
    body = f"""
    def Material "mat" {{
        token outputs:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {{ uniform token info:id = "UsdPreviewSurface"
            float inputs:roughness.connect = </mat/p.outputs:result>
            token outputs:surface
        }}
        {reader("p", "float", "rough")}
    }}
    """
    scene = load_stage(tmp_path, body + mesh)
    assert bound_material(scene).roughness == 0.5
    assert note_texts(scene, "/m") == ["approximated: primvar rough drives the material and varies; its mean is used"]


# Bindings


def test_subsets_bind_their_faces(tmp_path: Path) -> None:
    """A GeomSubset's material is that of its faces, the mesh's own that of the rest."""
    mesh = f"""
    def Mesh "m" ( prepend apiSchemas = ["MaterialBindingAPI"] ) {{ {TWO_FACES}
        rel material:binding = </red>
        def GeomSubset "part" ( prepend apiSchemas = ["MaterialBindingAPI"] ) {{
            uniform token elementType = "face"
            uniform token familyName = "materialBind"
            int[] indices = [1]
            rel material:binding = </green>
        }}
    }}
    """
    scene = load_stage(tmp_path, colored("red", "(1, 0, 0)") + colored("green", "(0, 1, 0)") + mesh)
    red, green = materials_of(scene, "/m")
    assert (red.base_color, green.base_color) == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    faces = scene.meshes[0].points_m[scene.meshes[0].triangle].mean(axis=1)
    assert np.array_equal(scene.meshes[0].slot, (faces[:, 0] > 1.0).astype(np.int32))


def test_the_stronger_binding_of_an_ancestor_wins(tmp_path: Path) -> None:
    """A binding on the mesh beats the ancestor's, unless that is strongerThanDescendants."""
    body = colored("red", "(1, 0, 0)") + colored("green", "(0, 1, 0)")
    for strength, expected in (("weakerThanDescendants", "/green"), ("strongerThanDescendants", "/red")):
        scene = load_stage(
            tmp_path,
            body
            + f"""
            def Xform "x" ( prepend apiSchemas = ["MaterialBindingAPI"] ) {{
                rel material:binding = </red> ( bindMaterialAs = "{strength}" )
                {BOUND.replace("</mat>", "</green>")}
            }}
            """,
        )
        assert materials_of(scene, "/x/m")[0].name == expected


def test_collections_bind_their_members(tmp_path: Path) -> None:
    """A collection binding on an ancestor reaches the prims that it includes, and no others."""
    meshes = "".join(f'def Mesh "{name}" {{ {SQUARE} }}\n' for name in ("in", "out"))
    body = f"""
    def Xform "x" ( prepend apiSchemas = ["MaterialBindingAPI", "CollectionAPI:some"] ) {{
        uniform token collection:some:expansionRule = "expandPrims"
        rel collection:some:includes = </x/in>
        rel material:binding:collection:some = [</x.collection:some>, </red>]
        {meshes}
    }}
    """
    scene = load_stage(tmp_path, colored("red", "(1, 0, 0)") + body)
    assert materials_of(scene, "/x/in")[0].name == "/red"
    assert materials_of(scene, "/x/out")[0].name == "fallback"


def test_the_first_description_that_is_known_counts(tmp_path: Path) -> None:
    """UsdPreviewSurface before MaterialX before MDL before a renderer's own; unknown ones are passed over."""
    shaders = {
        "surface": ("UsdPreviewSurface", "diffuseColor", 0.1),
        "mtlx:surface": ("ND_standard_surface_surfaceshader", "base_color", 0.2),
        "arnold:surface": ("arnold:standard_surface", "base_color", 0.4),
    }
    for first, value in enumerate((0.1, 0.2, 0.4)):
        outputs, nodes = "", ""
        for index, (output, (kind, name, level)) in enumerate(list(shaders.items())[first:]):
            outputs += f"token outputs:{output}.connect = </mat/s{index}.outputs:surface>\n"
            nodes += f'def Shader "s{index}" {{ uniform token info:id = "{kind}"\n'
            nodes += f"color3f inputs:{name} = ({level}, {level}, {level})\ntoken outputs:surface\n}}\n"
        outputs += "token outputs:acme:surface.connect = </mat/u.outputs:surface>\n"
        nodes += 'def Shader "u" { uniform token info:id = "acme"\ntoken outputs:surface\n}\n'
        scene = load_stage(tmp_path, f'def Material "mat" {{ {outputs} {nodes} }}' + BOUND)
        assert bound_material(scene).base_color == pytest.approx((value,) * 3)


def test_an_arnold_surface_is_read_by_its_names(tmp_path: Path) -> None:
    """arnold:standard_surface has the inputs of MaterialX's; arnold:image is a texture; both with a note."""
    write_png(tmp_path)
    body = """
    def Material "mat" {
        token outputs:arnold:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {
            uniform token info:id = "arnold:standard_surface"
            color3f inputs:base_color.connect = </mat/i.outputs:rgba>
            float inputs:metalness = 1
            token outputs:surface
        }
        def Shader "i" {
            uniform token info:id = "arnold:image"
            string inputs:filename = "a.png"
            color4f outputs:rgba
        }
    }
    """
    scene = load_stage(tmp_path, body + BOUND)
    assert bound_material(scene).metallic == 1.0
    assert "base_color" in bound_material(scene).textures
    assert note_texts(scene, "/mat") == [
        "approximated: surface shader arnold:standard_surface: the inputs with a counterpart are used"
    ]


# Kept once


def test_a_thousand_copies_of_a_material_are_one(tmp_path: Path) -> None:
    """References to one asset compose a material each; they are read once, and one that is changed is its own."""
    asset = f"""#usda 1.0
    ( defaultPrim = "a" )
    def Xform "a" {{
        {colored("red", "(1, 0, 0)").replace("</red", "</a/red")}
        {BOUND.replace("</mat>", "</a/red>")}
    }}
    """
    (tmp_path / "asset.usda").write_text(asset.replace("{", "{\n").replace("}", "\n}\n"))
    body = "".join(f'def "c{i}" ( prepend references = @./asset.usda@ ) {{ }}\n' for i in range(200))
    changed = 'over "red" { over "s" { color3f inputs:diffuseColor = (0, 0, 1) } }'
    body += f'def "last" ( prepend references = @./asset.usda@ ) {{ {changed} }}\n'
    scene = load_stage(tmp_path, body)
    assert [material.base_color for material in scene.materials[1:]] == [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)]
    assert materials_of(scene, "/last/m")[0].base_color == (0.0, 0.0, 1.0)


def test_materials_with_the_same_values_are_one(tmp_path: Path) -> None:
    """Interned by what they say, not by path: values, textures and all."""
    write_png(tmp_path)
    bodies = ""
    for name in ("one", "two"):
        body = colored(name, "(0, 0, 0)").replace(
            "diffuseColor = (0, 0, 0)", f"diffuseColor.connect = </{name}/t.outputs:rgb>"
        )
        bodies += body.rstrip().removesuffix("}") + texture_node().replace("</mat/", f"</{name}/") + "}"
        bodies += BOUND.replace('"m"', f'"m_{name}"').replace("</mat>", f"</{name}>")
    scene = load_stage(tmp_path, bodies)
    assert len(scene.materials) == 2
    assert materials_of(scene, "/m_one")[0] is materials_of(scene, "/m_two")[0]
