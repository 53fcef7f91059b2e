"""MaterialX: networks of ND_* nodes in USD, and documents that a stage refers to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.scene import Scene
from engine.write.encode import encode_png
from tests.engine.scene_stage import load_stage, note_texts
from tests.engine.test_scene_look import BOUND, bound_material

NODE = 'def Shader "{name}" {{ uniform token info:id = "{kind}"\n{inputs}\n{type} outputs:out }}\n'


def node(name: str, kind: str, inputs: str, output: str = "color3f") -> str:
    """Return a node of the material."""
    return NODE.format(name=name, kind=kind, inputs=inputs, type=output)


def material_stage(
    folder: Path, inputs: str, nodes: str = "", surface: str = "ND_standard_surface_surfaceshader"
) -> Scene:
    """Load a square with a MaterialX material."""
    body = f"""
    def Material "mat" {{
        token outputs:mtlx:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {{
            uniform token info:id = "{surface}"
            {inputs}
            token outputs:surface
        }}
        {nodes}
    }}
    """
    return load_stage(folder, body + BOUND)


def to(name: str, node_name: str, kind: str = "color3f") -> str:
    """Return an input that is connected to a node."""
    return f"{kind} inputs:{name}.connect = </mat/{node_name}.outputs:out>\n"


def image(name: str = "i", extra: str = "", output: str = "color3f") -> str:
    """Return an image node."""
    kind = {"color3f": "color3", "float3": "vector3", "float": "float"}[output]
    return node(name, f"ND_image_{kind}", f"asset inputs:file = @./{name}.png@\n{extra}", output)


def write_png(folder: Path, name: str = "i", color: tuple[int, ...] = (51, 102, 204), size: int = 1) -> None:
    """Write a one-coloured image."""
    (folder / f"{name}.png").write_bytes(encode_png(np.full((size, size, 3), color, np.uint8)))


def shown(scene: Scene, field: str) -> np.ndarray[Any, Any]:
    """Return what a field is at the image's only texel."""
    given = bound_material(scene).textures[field]
    texel = scene.textures[given.texture].pixels[0, 0]
    return np.array(given.scale) * texel + np.array(given.bias)


def test_standard_surface_constants_follow_the_table(tmp_path: Path) -> None:
    """base times base_color, metalness, specular roughness and index, coat, emission times its colour."""
    inputs = """
        float inputs:base = 0.5\ncolor3f inputs:base_color = (0.8, 0.4, 0.2)\nfloat inputs:metalness = 0.25
        float inputs:specular_roughness = 0.3\nfloat inputs:specular_IOR = 1.8\nfloat inputs:coat = 0.75
        float inputs:coat_roughness = 0.05\nfloat inputs:emission = 2\ncolor3f inputs:emission_color = (1, 0.5, 0)
    """
    scene = material_stage(tmp_path, inputs)
    material = bound_material(scene)
    assert material.base_color == pytest.approx((0.4, 0.2, 0.1))
    assert (material.metallic, material.roughness, material.ior) == pytest.approx((0.25, 0.3, 1.8))
    assert (material.clearcoat, material.clearcoat_roughness) == pytest.approx((0.75, 0.05))
    assert material.emission == pytest.approx((2.0, 1.0, 0.0))
    assert (material.opacity, material.textures) == (1.0, {})
    assert note_texts(scene, "/mat") == []


def test_unauthored_inputs_have_the_models_own_defaults(tmp_path: Path) -> None:
    """Not those of UsdPreviewSurface: 0.8 grey, and a roughness of 0.2 or 0.3."""
    for surface, roughness in (("ND_standard_surface_surfaceshader", 0.2), ("ND_open_pbr_surface_surfaceshader", 0.3)):
        material = bound_material(material_stage(tmp_path, "", surface=surface))
        assert material.base_color == pytest.approx((0.8, 0.8, 0.8))
        assert material.roughness == pytest.approx(roughness)
        assert (material.metallic, material.ior, material.emission) == (0.0, 1.5, (0.0, 0.0, 0.0))


def test_open_pbr_constants_follow_the_table(tmp_path: Path) -> None:
    """The names of OpenPBR for the same quantities."""
    inputs = """
        float inputs:base_weight = 0.5\ncolor3f inputs:base_color = (1, 0.5, 0)\nfloat inputs:base_metalness = 1
        float inputs:specular_ior = 2\nfloat inputs:coat_weight = 1\nfloat inputs:coat_roughness = 0.25
        float inputs:emission_luminance = 10\ncolor3f inputs:emission_color = (0.5, 0.25, 0)
        float inputs:geometry_opacity = 0.5
    """
    material = bound_material(material_stage(tmp_path, inputs, surface="ND_open_pbr_surface_surfaceshader"))
    assert material.base_color == pytest.approx((0.5, 0.25, 0.0))
    assert (material.metallic, material.ior, material.clearcoat) == (1.0, 2.0, 1.0)
    assert material.emission == pytest.approx((5.0, 2.5, 0.0))
    assert (material.opacity, material.presence) == (0.5, True)


def test_a_weak_or_tinted_highlight_keeps_its_reflectance(tmp_path: Path) -> None:
    """specular 0.5 halves the reflectance at normal incidence; a tinted one is a specular colour."""
    half = bound_material(material_stage(tmp_path, "float inputs:specular = 0.5"))
    assert ((half.ior - 1) / (half.ior + 1)) ** 2 == pytest.approx(0.02)
    tinted = bound_material(material_stage(tmp_path, "color3f inputs:specular_color = (1, 0.5, 0)"))
    assert tinted.specular_color == pytest.approx((0.04, 0.02, 0.0))


def test_transmission_lets_light_straight_through(tmp_path: Path) -> None:
    """Transmission takes the diffuse part away and keeps the gloss, with a note."""
    scene = material_stage(tmp_path, "float inputs:transmission = 0.75")
    material = bound_material(scene)
    assert (material.opacity, material.presence) == (0.25, False)
    assert note_texts(scene, "/mat") == ["approximated: transmission is straight through, without refraction or tint"]


def test_gltf_alpha_follows_its_mode(tmp_path: Path) -> None:
    """Opaque ignores alpha, mask cuts at the cutoff, blend shows it."""
    found = []
    for mode in (0, 1, 2):
        inputs = f"float inputs:alpha = 0.25\nint inputs:alpha_mode = {mode}\nfloat inputs:alpha_cutoff = 0.5"
        material = bound_material(material_stage(tmp_path, inputs, surface="ND_gltf_pbr_surfaceshader"))
        found.append((material.opacity, material.opacity_threshold))
    assert found == [(1.0, 0.0), (0.25, 0.5), (0.25, 0.0)]


def test_preview_surface_as_a_materialx_node(tmp_path: Path) -> None:
    """ND_UsdPreviewSurface has the inputs of UsdPreviewSurface."""
    inputs = (
        "color3f inputs:diffuseColor = (0.1, 0.2, 0.3)\nfloat inputs:metallic = 1\nfloat inputs:opacityThreshold = 0"
    )
    material = bound_material(material_stage(tmp_path, inputs, surface="ND_UsdPreviewSurface_surfaceshader"))
    assert material.base_color == pytest.approx((0.1, 0.2, 0.3))
    assert material.metallic == 1.0


ARITHMETIC = [  # kind, inputs, what comes out
    ("ND_add_color3", "color3f inputs:in1 = (0.1, 0.2, 0.3)\ncolor3f inputs:in2 = (0.3, 0.2, 0.1)", (0.4, 0.4, 0.4)),
    (
        "ND_subtract_color3",
        "color3f inputs:in1 = (0.5, 0.5, 0.5)\ncolor3f inputs:in2 = (0.1, 0.2, 0.3)",
        (0.4, 0.3, 0.2),
    ),
    ("ND_multiply_color3FA", "color3f inputs:in1 = (0.2, 0.4, 0.6)\nfloat inputs:in2 = 0.5", (0.1, 0.2, 0.3)),
    ("ND_divide_color3FA", "color3f inputs:in1 = (0.2, 0.4, 0.6)\nfloat inputs:in2 = 2", (0.1, 0.2, 0.3)),
    ("ND_divide_color3FA", "color3f inputs:in1 = (0.2, 0.4, 0.6)\nfloat inputs:in2 = 0", (0.0, 0.0, 0.0)),
    ("ND_power_color3FA", "color3f inputs:in1 = (0.5, 0.25, 1)\nfloat inputs:in2 = 2", (0.25, 0.0625, 1.0)),
    ("ND_invert_color3", "color3f inputs:in = (0.1, 0.2, 0.3)", (0.9, 0.8, 0.7)),
    ("ND_clamp_color3", "color3f inputs:in = (-1, 0.5, 2)", (0.0, 0.5, 1.0)),
    (
        "ND_mix_color3",
        "color3f inputs:bg = (0, 0, 1)\ncolor3f inputs:fg = (1, 0, 0)\nfloat inputs:mix = 0.25",
        (0.25, 0.0, 0.75),
    ),
    ("ND_convert_float_color3", "float inputs:in = 0.25", (0.25, 0.25, 0.25)),
    (
        "ND_combine3_color3",
        "float inputs:in1 = 0.1\nfloat inputs:in2 = 0.2\nfloat inputs:in3 = 0.3",
        (0.1, 0.2, 0.3),
    ),
    (
        "ND_swizzle_color3_color3",
        'color3f inputs:in = (0.1, 0.2, 0.3)\nstring inputs:channels = "bgr"',
        (0.3, 0.2, 0.1),
    ),
    (
        "ND_remap_color3FA",
        "color3f inputs:in = (2, 3, 4)\nfloat inputs:inlow = 2\nfloat inputs:inhigh = 4\nfloat inputs:outhigh = 0.5",
        (0.0, 0.25, 0.5),
    ),
    (
        "ND_ifgreater_color3",
        "float inputs:value1 = 2\nfloat inputs:value2 = 1\ncolor3f inputs:in1 = (1, 0, 0)",
        (1.0, 0.0, 0.0),
    ),
    (
        "ND_switch_color3",
        "float inputs:which = 1\ncolor3f inputs:in1 = (1, 0, 0)\ncolor3f inputs:in2 = (0, 1, 0)",
        (0, 1, 0),
    ),
    ("ND_luminance_color3", "color3f inputs:in = (1, 0, 0)", (0.2722287,) * 3),
    ("ND_saturate_color3", "color3f inputs:in = (1, 0, 0)\nfloat inputs:amount = 0", (0.2722287,) * 3),
    ("ND_hsvtorgb_color3", "color3f inputs:in = (0.333333333, 1, 0.5)", (0.0, 0.5, 0.0)),
    ("ND_rgbtohsv_color3", "color3f inputs:in = (0, 0.5, 0)", (1 / 3, 1.0, 0.5)),
    ("ND_contrast_color3FA", "color3f inputs:in = (0.5, 0.75, 0.25)\nfloat inputs:amount = 2", (0.5, 1.0, 0.0)),
    ("ND_dot_color3", "color3f inputs:in = (0.1, 0.2, 0.3)", (0.1, 0.2, 0.3)),
    ("ND_constant_color3", "color3f inputs:value = (0.1, 0.2, 0.3)", (0.1, 0.2, 0.3)),
]


@pytest.mark.parametrize(("kind", "inputs", "expected"), ARITHMETIC, ids=[each[0] for each in ARITHMETIC])
def test_arithmetic_of_constants_is_exact(
    tmp_path: Path, kind: str, inputs: str, expected: tuple[float, float, float]
) -> None:
    """Nodes of constants are a constant, by the formulas of the specification, and nothing is reported."""
    scene = material_stage(tmp_path, to("base_color", "n"), node("n", kind, inputs))
    assert bound_material(scene).base_color == pytest.approx(expected, abs=1e-6)
    assert note_texts(scene, "/mat") == []


def test_a_texture_times_and_plus_constants_is_a_scale_and_a_bias(tmp_path: Path) -> None:
    """(texel * 0.5 + 0.25) in two nodes keeps the file's own texels."""
    write_png(tmp_path)
    nodes = image() + node("m", "ND_multiply_color3FA", to("in1", "i") + "float inputs:in2 = 0.5")
    nodes += node("a", "ND_add_color3FA", to("in1", "m") + "float inputs:in2 = 0.25")
    scene = material_stage(tmp_path, to("base_color", "a"), nodes)
    given = bound_material(scene).textures["base_color"]
    assert (given.scale[:3], given.bias[:3]) == ((0.5,) * 3, (0.25,) * 3)
    assert scene.textures[given.texture].name == "i.png"
    assert note_texts(scene, "/mat") == []


def test_the_base_weight_scales_a_texture(tmp_path: Path) -> None:
    """base 0.5 times a textured base_color is a scale of 0.5."""
    write_png(tmp_path)
    scene = material_stage(tmp_path, "float inputs:base = 0.5\n" + to("base_color", "i"), image())
    assert bound_material(scene).textures["base_color"].scale[:3] == (0.5,) * 3


def test_channels_and_their_order_are_followed(tmp_path: Path) -> None:
    """extract picks a channel for a number; combine of channels in another order shows them so."""
    write_png(tmp_path)
    nodes = image("i", output="float3") + node(
        "e", "ND_extract_vector3", to("in", "i", "float3") + "int inputs:index = 1", "float"
    )
    scene = material_stage(tmp_path, to("specular_roughness", "e", "float"), nodes)
    assert bound_material(scene).textures["roughness"].channel == 1
    assert shown(scene, "roughness")[1] == pytest.approx(0.4)
    nodes = image("i", output="float3") + "".join(
        node(f"e{n}", "ND_extract_vector3", to("in", "i", "float3") + f"int inputs:index = {n}", "float")
        for n in range(3)
    )
    nodes += node(
        "c", "ND_combine3_color3", to("in1", "e2", "float") + to("in2", "e1", "float") + to("in3", "e0", "float")
    )
    scene = material_stage(tmp_path, to("base_color", "c"), nodes)
    assert shown(scene, "base_color")[:3] == pytest.approx([0.8, 0.4, 0.2])


def test_only_colour_images_are_colour_managed(tmp_path: Path) -> None:
    """The same bytes are sRGB for a colour, and plain numbers for a vector."""
    write_png(tmp_path, color=(128, 128, 128))
    managed = material_stage(tmp_path, to("base_color", "i"), image())
    assert shown(managed, "base_color")[0] == pytest.approx(0.21586, abs=1e-4)
    plain = material_stage(tmp_path, to("base_color", "i", "float3"), image(output="float3"))
    assert shown(plain, "base_color")[0] == pytest.approx(128 / 255)


def test_a_product_of_two_images_is_computed(tmp_path: Path) -> None:
    """Images on the same coordinates are combined texel by texel, at the larger size."""
    write_png(tmp_path, "i", (128, 64, 255), size=4)
    write_png(tmp_path, "j", (255, 128, 51), size=2)
    nodes = image("i", output="float3") + image("j", output="float3")
    nodes += node("m", "ND_multiply_vector3", to("in1", "i", "float3") + to("in2", "j", "float3"), "float3")
    scene = material_stage(tmp_path, to("base_color", "m", "float3"), nodes)
    pixels = scene.textures[bound_material(scene).textures["base_color"].texture].pixels
    assert pixels.shape == (4, 4, 4)
    expected = np.array([128 / 255, 64 / 255 * 128 / 255, 51 / 255])
    assert pixels[..., :3] == pytest.approx(np.broadcast_to(expected, (4, 4, 3)), abs=1e-6)
    assert note_texts(scene, "/mat") == ["converted: base_color of 2 images is computed as one image"]


def test_values_below_zero_survive_being_computed(tmp_path: Path) -> None:
    """Texels are stored from 0 up; scale and bias bring back a product that is negative."""
    write_png(tmp_path, "i", (255, 0, 51))
    write_png(tmp_path, "j", (255, 255, 255))
    nodes = image("i", output="float3") + image("j", output="float3")
    nodes += node("a", "ND_subtract_vector3FA", to("in1", "i", "float3") + "float inputs:in2 = 0.5", "float3")
    nodes += node("m", "ND_multiply_vector3", to("in1", "a", "float3") + to("in2", "j", "float3"), "float3")
    scene = material_stage(tmp_path, to("emission_color", "m", "float3") + "float inputs:emission = 1", nodes)
    given = bound_material(scene).textures["emission"]
    assert scene.textures[given.texture].pixels.min() >= 0.0
    assert shown(scene, "emission")[:3] == pytest.approx([0.5, -0.5, -0.3], abs=1e-6)


def test_images_on_different_coordinates_show_the_first(tmp_path: Path) -> None:
    """What cannot be combined is the first texture with the others at their default, and a note says so."""
    write_png(tmp_path, "i")
    write_png(tmp_path, "j")
    second = node(
        "j",
        "ND_tiledimage_vector3",
        "asset inputs:file = @./j.png@\nfloat2 inputs:uvtiling = (2, 2)\nfloat3 inputs:default = (0.5, 0.5, 0.5)",
        "float3",
    )
    nodes = image("i", output="float3") + second
    nodes += node("m", "ND_multiply_vector3", to("in1", "i", "float3") + to("in2", "j", "float3"), "float3")
    scene = material_stage(tmp_path, to("base_color", "m", "float3"), nodes)
    assert shown(scene, "base_color")[:3] == pytest.approx([0.1, 0.2, 0.4])
    (note,) = note_texts(scene, "/mat")
    assert note.startswith("approximated: base_color of images on different coordinates: './i.png' is used")


def test_normal_maps_are_decoded_and_scaled(tmp_path: Path) -> None:
    """normalmap: 2 texel - 1, with the slope times the scale."""
    write_png(tmp_path, color=(255, 128, 255))
    nodes = image("i", output="float3")
    nodes += node("n", "ND_normalmap_float", to("in", "i", "float3") + "float inputs:scale = 0.5", "float3")
    scene = material_stage(tmp_path, to("normal", "n", "float3"), nodes)
    given = bound_material(scene).textures["normal"]
    assert (given.scale[:3], given.bias[:3]) == ((1.0, 1.0, 2.0), (-0.5, -0.5, -1.0))
    assert note_texts(scene, "/mat") == []


COORDINATES = [
    (
        "ND_place2d_vector2",
        "float2 inputs:scale = (0.5, 2)\nfloat2 inputs:offset = (0.25, 0)",
        [0.2 / 0.5 - 0.25, 0.6 / 2],
    ),
    ("ND_place2d_vector2", "float inputs:rotate = 90", [0.6, -0.2]),
    (
        "ND_place2d_vector2",
        "float inputs:rotate = 90\nfloat2 inputs:pivot = (0.5, 0.5)\nfloat2 inputs:offset = (0.1, 0)\n"
        "int inputs:operationorder = 1",
        [0.1 + 0.5, 0.4 + 0.5],
    ),
    ("ND_rotate2d_vector2", "float inputs:amount = 90", [0.6, -0.2]),
    ("ND_multiply_vector2FA", "float inputs:in2 = 3", [0.6, 1.8]),
    ("ND_add_vector2", "float2 inputs:in2 = (0.5, 0.25)", [0.7, 0.85]),
]


@pytest.mark.parametrize(("kind", "inputs", "expected"), COORDINATES)
def test_texture_coordinates_go_through_affine_nodes(
    tmp_path: Path, kind: str, inputs: str, expected: list[float]
) -> None:
    """The map from (s, t) = (0.2, 0.6) is that of the node's formula."""
    write_png(tmp_path)
    given = "texcoord" if "place2d" in kind else "in" if "rotate2d" in kind else "in1"
    nodes = node("t", "ND_texcoord_vector2", "int inputs:index = 0", "float2")
    nodes += node("p", kind, to(given, "t", "float2") + inputs, "float2") + image(extra=to("texcoord", "p", "float2"))
    scene = material_stage(tmp_path, to("base_color", "i"), nodes)
    matrix = np.reshape(bound_material(scene).textures["base_color"].uv_from_st, (2, 3))
    assert matrix @ [0.2, 0.6, 1.0] == pytest.approx(expected)
    assert note_texts(scene, "/mat") == []


def test_tiled_images_repeat_and_shift(tmp_path: Path) -> None:
    """tiledimage: coordinates times the tiling, less the offset, times tile over image size."""
    write_png(tmp_path)
    extra = (
        "float2 inputs:uvtiling = (2, 4)\nfloat2 inputs:uvoffset = (0.5, 0)\nfloat2 inputs:realworldimagesize = (2, 1)"
    )
    nodes = node("i", "ND_tiledimage_color3", f"asset inputs:file = @./i.png@\n{extra}")
    scene = material_stage(tmp_path, to("base_color", "i"), nodes)
    matrix = np.reshape(bound_material(scene).textures["base_color"].uv_from_st, (2, 3))
    assert matrix @ [0.5, 0.5, 1.0] == pytest.approx([(0.5 * 2 - 0.5) / 2, 2.0])


def test_primvars_by_name_are_the_texture_coordinates(tmp_path: Path) -> None:
    """geompropvalue names the primvar; a second image may read another one."""
    write_png(tmp_path, "i")
    write_png(tmp_path, "j")
    nodes = "".join(
        node(f"u{n}", "ND_geompropvalue_vector2", f'string inputs:geomprop = "{n}"', "float2") for n in ("st", "map2")
    )
    nodes += image("i", to("texcoord", "ust", "float2")) + image("j", to("texcoord", "umap2", "float2"), "float")
    scene = material_stage(tmp_path, to("base_color", "i") + to("specular_roughness", "j", "float"), nodes)
    textures = bound_material(scene).textures
    assert (textures["base_color"].uv_set, textures["roughness"].uv_set) == (0, 1)


def test_what_is_not_supported_gives_its_texture_or_constant(tmp_path: Path) -> None:
    """A node that nobody knows stands for the first texture behind it, or its own constant; a note says so."""
    write_png(tmp_path)
    scene = material_stage(tmp_path, to("base_color", "b"), image() + node("b", "ND_blur_color3", to("in", "i")))
    assert "base_color" in bound_material(scene).textures
    assert note_texts(scene, "/mat") == [
        "approximated: node ND_blur_color3 is not supported: its texture './i.png' is used"
    ]
    inputs = "color3f inputs:color1 = (1, 0, 0)\ncolor3f inputs:color2 = (0, 1, 0)"
    scene = material_stage(tmp_path, to("base_color", "b"), node("b", "ND_checkerboard_color3", inputs))
    assert bound_material(scene).base_color == (1.0, 0.0, 0.0)
    scene = material_stage(tmp_path, to("base_color", "b"), node("b", "ND_worleynoise2d_color3", ""))
    assert bound_material(scene).base_color == pytest.approx((0.8, 0.8, 0.8))
    assert note_texts(scene, "/mat")[0].startswith("skipped: node ND_worleynoise2d_color3 is not supported")


def test_a_network_that_explodes_is_cut_off(tmp_path: Path) -> None:
    """Forty squarings in a row are computed once each; a thousand nodes in a row are an error and the default."""
    nodes = node("n0", "ND_constant_color3", "color3f inputs:value = (0.5, 0.5, 0.5)")
    nodes += "".join(
        node(f"n{i}", "ND_multiply_color3", to("in1", f"n{i - 1}") + to("in2", f"n{i - 1}")) for i in range(1, 41)
    )
    assert bound_material(material_stage(tmp_path, to("base_color", "n40"), nodes)).base_color == (0.0, 0.0, 0.0)
    nodes += "".join(node(f"n{i}", "ND_dot_color3", to("in", f"n{i - 1}")) for i in range(41, 1000))
    scene = material_stage(tmp_path, to("base_color", "n999"), nodes)
    assert bound_material(scene).base_color == pytest.approx((0.8, 0.8, 0.8))
    assert any("nodes in a row" in note for note in note_texts(scene, "/mat"))
