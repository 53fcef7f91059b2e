"""Materials, textures and lights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from engine.scene.model import LightKind, Material, Scene, Wrap
from engine.write.encode import encode_png
from tests.engine.scene_stage import SQUARE, load_stage, note_texts

BOUND = f"""
def Mesh "m" (
    prepend apiSchemas = ["MaterialBindingAPI"]
) {{ {SQUARE}
    rel material:binding = </mat>
    texCoord2f[] primvars:st = [(0, 0), (1, 0), (1, 1), (0, 1)] (interpolation = "vertex")
}}
"""


def material_stage(folder: Path, inputs: str, nodes: str = "", interface: str = "") -> Scene:
    """Load a square with a UsdPreviewSurface material."""
    body = f"""
    def Material "mat" {{
        {interface}
        token outputs:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {{
            uniform token info:id = "UsdPreviewSurface"
            {inputs}
            token outputs:surface
        }}
        {nodes}
    }}
    """
    return load_stage(folder, body + BOUND)


def bound_material(scene: Scene) -> Material:
    """Return the material of the square."""
    return scene.materials[scene.placements.slot_material[scene.placements.first_slot[0]]]


def texture_node(name: str = "t", extra: str = "", *, file: str = "a.png") -> str:
    """Return a UsdUVTexture that reads primvar st."""
    return f"""
    def Shader "{name}" {{
        uniform token info:id = "UsdUVTexture"
        asset inputs:file = @./{file}@
        float2 inputs:st.connect = </mat/r.outputs:result>
        {extra}
        float3 outputs:rgb
        float outputs:r
        float outputs:g
        float outputs:a
    }}
    def Shader "r" {{
        uniform token info:id = "UsdPrimvarReader_float2"
        string inputs:varname = "st"
        float2 outputs:result
    }}
    """


def test_constants_arrive_and_unauthored_ones_are_the_specification(tmp_path: Path) -> None:
    """Authored inputs are taken over; the others have the defaults of UsdPreviewSurface."""
    scene = material_stage(tmp_path, "color3f inputs:diffuseColor = (0.25, 0.5, 1)\nfloat inputs:metallic = 0.75")
    material = bound_material(scene)
    assert material.base_color == (0.25, 0.5, 1.0)
    assert (material.metallic, material.roughness, material.ior, material.opacity) == (0.75, 0.5, 1.5, 1.0)


def test_inputs_come_through_the_material_interface(tmp_path: Path) -> None:
    """A connection to the material's own input gives that input's value."""
    scene = material_stage(
        tmp_path, "float inputs:roughness.connect = </mat.inputs:rough>", interface="float inputs:rough = 0.125"
    )
    assert bound_material(scene).roughness == 0.125


def test_the_specular_workflow_is_kept(tmp_path: Path) -> None:
    """The specular colour is the reflectance at normal incidence; metallic has no say, as the specification wants."""
    inputs = "int inputs:useSpecularWorkflow = 1\ncolor3f inputs:specularColor = (0.5, 0.25, 0.125)\n"
    material = bound_material(material_stage(tmp_path, inputs + "float inputs:metallic = 1"))
    assert material.specular_color == (0.5, 0.25, 0.125)
    assert (material.metallic, material.base_color) == (0.0, (0.18, 0.18, 0.18))
    assert bound_material(material_stage(tmp_path, inputs.replace("= 1", "= 0"))).specular_color is None


def test_an_8_bit_colour_texture_is_decoded_and_flipped(tmp_path: Path) -> None:
    """sRGB bytes become linear light, and the image's last row is v = 0."""
    image = np.zeros((2, 3, 3), np.uint8)
    image[0] = 255
    image[1, 0] = 188
    (tmp_path / "a.png").write_bytes(encode_png(image))
    scene = material_stage(tmp_path, "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>", texture_node())
    given = bound_material(scene).textures["base_color"]
    pixels = scene.textures[given.texture].pixels
    assert pixels.shape == (2, 3, 4)
    assert pixels[0, 0, :3] == pytest.approx(((188 / 255 + 0.055) / 1.055) ** 2.4)
    assert pixels[1] == pytest.approx(1.0)
    assert pixels[..., 3] == pytest.approx(1.0)


def test_raw_textures_and_channels_keep_their_numbers(tmp_path: Path) -> None:
    """sourceColorSpace raw is not decoded; an input reads the channel of the output it is connected to."""
    image = np.full((1, 1, 3), (51, 102, 204), np.uint8)
    (tmp_path / "a.png").write_bytes(encode_png(image))
    extra = 'token inputs:sourceColorSpace = "raw"\n'
    extra += "float4 inputs:scale = (1, 2, 1, 1)\nfloat4 inputs:bias = (0, -0.5, 0, 0)"
    scene = material_stage(tmp_path, "float inputs:roughness.connect = </mat/t.outputs:g>", texture_node(extra=extra))
    given = bound_material(scene).textures["roughness"]
    assert given.channel == 1
    texel = scene.textures[given.texture].pixels[0, 0, given.channel]
    assert given.scale[1] * texel + given.bias[1] == pytest.approx(0.3)


def test_16_bit_textures_are_not_decoded_by_default(tmp_path: Path) -> None:
    """`auto` decodes 8-bit colour only."""
    (tmp_path / "a.png").write_bytes(encode_png(np.full((1, 1, 3), 32768, np.uint16)))
    scene = material_stage(tmp_path, "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>", texture_node())
    assert scene.textures[0].pixels[0, 0, :3] == pytest.approx(32768 / 65535)


def test_a_colour_from_one_channel_is_grey(tmp_path: Path) -> None:
    """A colour connected to a single channel shows that channel in red, green and blue."""
    (tmp_path / "a.png").write_bytes(encode_png(np.full((1, 1, 3), (51, 102, 204), np.uint8)))
    node = texture_node(extra='token inputs:sourceColorSpace = "raw"')
    scene = material_stage(tmp_path, "color3f inputs:diffuseColor.connect = </mat/t.outputs:g>", node)
    assert scene.textures[0].pixels[0, 0, :3] == pytest.approx([0.4, 0.4, 0.4])


def test_wraps_are_taken_over_and_metadata_means_repeat(tmp_path: Path) -> None:
    """wrapS and wrapT by name; the unauthored `useMetadata` repeats."""
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((1, 1, 3), np.uint8)))
    for authored, wrap in (
        ("clamp", Wrap.CLAMP),
        ("mirror", Wrap.MIRROR),
        ("black", Wrap.BLACK),
        ("useMetadata", Wrap.REPEAT),
    ):
        node = texture_node(extra=f'token inputs:wrapS = "{authored}"')
        scene = material_stage(tmp_path, "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>", node)
        assert (scene.textures[0].wrap_u, scene.textures[0].wrap_v) == (wrap, Wrap.REPEAT)


def test_a_2d_transform_scales_then_rotates_then_moves(tmp_path: Path) -> None:
    """UsdTransform2d between reader and texture: uv = R(90 degrees) (2 s, t) + (0.5, 0)."""
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((1, 1, 3), np.uint8)))
    node = texture_node().replace("</mat/r.outputs:result>", "</mat/x.outputs:result>")
    node += """
    def Shader "x" {
        uniform token info:id = "UsdTransform2d"
        float2 inputs:in.connect = </mat/r.outputs:result>
        float inputs:rotation = 90
        float2 inputs:scale = (2, 1)
        float2 inputs:translation = (0.5, 0)
        float2 outputs:result
    }
    """
    scene = material_stage(tmp_path, "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>", node)
    matrix = np.reshape(bound_material(scene).textures["base_color"].uv_from_st, (2, 3))
    assert matrix @ [0.25, 0.75, 1.0] == pytest.approx([0.5 - 0.75, 0.5])


def test_an_8_bit_normal_map_without_scale_is_repaired(tmp_path: Path) -> None:
    """Bytes cannot hold negative numbers: scale 2 and bias -1 are supplied and reported."""
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((1, 1, 3), np.uint8)))
    node = texture_node(extra='token inputs:sourceColorSpace = "raw"')
    scene = material_stage(tmp_path, "normal3f inputs:normal.connect = </mat/t.outputs:rgb>", node)
    given = bound_material(scene).textures["normal"]
    assert (given.scale[:3], given.bias[:3]) == ((2.0,) * 3, (-1.0,) * 3)
    assert note_texts(scene, "/mat") == ["repaired: 8-bit normal map without scale and bias: 2 and -1 are used"]


def test_a_missing_texture_gives_its_fallback(tmp_path: Path) -> None:
    """A texture that is not there is reported, and its fallback colour is used."""
    node = texture_node(extra="float4 inputs:fallback = (0.5, 0.25, 0.125, 1)", file="missing.png")
    scene = material_stage(tmp_path, "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>", node)
    assert bound_material(scene).base_color == (0.5, 0.25, 0.125)
    assert note_texts(scene, "/mat") == ["error: texture './missing.png' is missing; its fallback is used"]


def test_a_wrong_primvar_name_falls_back_to_the_texture_coordinates(tmp_path: Path) -> None:
    """A reader that asks for a primvar which is not there gets the mesh's texture coordinates, with a note."""
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((1, 1, 3), np.uint8)))
    node = texture_node().replace('"st"', '"UVMap"')
    scene = material_stage(tmp_path, "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>", node)
    uv = scene.meshes[0].uv
    assert uv is not None
    assert uv == pytest.approx(scene.meshes[0].points_m[scene.meshes[0].triangle][..., :2])
    assert "primvar 'UVMap', which is missing; primvars:st was used" in note_texts(scene, "/m")[0]


def test_equal_materials_are_one_and_unsupported_ones_fall_back(tmp_path: Path) -> None:
    """Two materials of equal content share an index; a vendor's shader leaves displayColor or grey, with a note."""
    shader = 'def Shader "s" {{ uniform token info:id = "{1}"\nfloat inputs:metallic = 1\ntoken outputs:surface }}\n'
    material = 'def Material "{0}" {{ token outputs:surface.connect = </{0}/s.outputs:surface>\n' + shader + "}}\n"
    mesh = BOUND.replace("</mat>", "</{0}>").replace('"m"', '"m_{0}"').replace("{ ", "{{ ").replace("\n}", "\n}}")
    names = {"one": "UsdPreviewSurface", "two": "UsdPreviewSurface", "odd": "acme:surface"}
    scene = load_stage(tmp_path, "".join(material.format(n, i) + mesh.format(n) for n, i in names.items()))
    index = scene.placements.slot_material[scene.placements.first_slot]
    assert index[0] == index[1] != index[2] == 0
    assert note_texts(scene, "/odd") == ["skipped: surface shader acme:surface is not supported; displayColor is used"]


def light(folder: Path, kind: str, content: str, **header: float | str) -> tuple[float, Scene]:
    """Return the red radiance of the only light, and the scene."""
    scene = load_stage(folder, f'def {kind} "l" {{ {content} }}', **header)
    return scene.lights[0].radiance[0], scene


def test_radiance_is_color_times_intensity_times_two_to_the_exposure(tmp_path: Path) -> None:
    """L = color * intensity * 2^exposure."""
    content = "float inputs:intensity = 3\nfloat inputs:exposure = 2\ncolor3f inputs:color = (0.5, 1, 2)"
    _, scene = light(tmp_path, "RectLight", content)
    assert scene.lights[0].radiance == pytest.approx((6.0, 12.0, 24.0))


NORMALIZED = [
    ("SphereLight", "float inputs:radius = 2", 16.0 * math.pi, (2.0, 0.0)),
    ("DiskLight", "float inputs:radius = 2", 4.0 * math.pi, (2.0, 0.0)),
    ("RectLight", "float inputs:width = 2\nfloat inputs:height = 3", 6.0, (2.0, 3.0)),
    ("CylinderLight", "float inputs:radius = 2\nfloat inputs:length = 3", 12.0 * math.pi, (2.0, 3.0)),
]


@pytest.mark.parametrize(("kind", "size", "area", "size_m"), NORMALIZED)
def test_normalize_divides_by_the_area_in_the_world(
    tmp_path: Path, kind: str, size: str, area: float, size_m: tuple[float, float]
) -> None:
    """A normalised light scaled by 2 is four times as large and a quarter as bright; units only change metres."""
    content = f"bool inputs:normalize = 1\nfloat inputs:intensity = 100\n{size}\n"
    radiance, _ = light(tmp_path, kind, content)
    assert radiance == pytest.approx(100.0 / area)
    content += 'float3 xformOp:scale = (2, 2, 2)\nuniform token[] xformOpOrder = ["xformOp:scale"]'
    radiance, scene = light(tmp_path, kind, content, meters_per_unit=0.01)
    assert radiance == pytest.approx(100.0 / area / 4.0)
    assert scene.lights[0].size_m == pytest.approx(tuple(2.0 * 0.01 * s for s in size_m))
    axes = scene.lights[0].world_from_light[:, :3]
    assert axes.T @ axes == pytest.approx(np.eye(3))


def test_a_normalised_distant_light_keeps_its_irradiance(tmp_path: Path) -> None:
    """normalize divides by pi sin^2 of half the angle, so the irradiance is the intensity whatever the angle."""
    for angle in (0.0, 0.53, 5.0):
        content = f"bool inputs:normalize = 1\nfloat inputs:intensity = 7\nfloat inputs:angle = {angle}"
        radiance, scene = light(tmp_path, "DistantLight", content)
        assert radiance * math.pi * math.sin(scene.lights[0].half_angle_rad) ** 2 == pytest.approx(7.0)


def test_names_without_the_inputs_prefix_are_understood(tmp_path: Path) -> None:
    """Files written before 2021 author `intensity` instead of `inputs:intensity`."""
    assert light(tmp_path, "DiskLight", "float intensity = 5")[0] == 5.0


def test_colour_temperature_tints_only_when_enabled(tmp_path: Path) -> None:
    """3000 K is reddish; without a temperature, or not enabled, the light is white."""
    warm = light(tmp_path, "DiskLight", "bool inputs:enableColorTemperature = 1\nfloat inputs:colorTemperature = 3000")[
        1
    ]
    red, _, blue = warm.lights[0].radiance
    assert red > 1.2 > 0.8 > blue
    for content in ("bool inputs:enableColorTemperature = 1", "float inputs:colorTemperature = 3000"):
        assert light(tmp_path, "DiskLight", content)[1].lights[0].radiance == (1.0, 1.0, 1.0)


def test_a_shaping_cone_is_a_half_angle(tmp_path: Path) -> None:
    """shaping:cone:angle is measured from the axis; 90 degrees and more is no cone."""
    content = "float inputs:shaping:cone:angle = 60\nfloat inputs:shaping:cone:softness = 0.25"
    spot = light(tmp_path, "SphereLight", content)[1].lights[0]
    assert (spot.cone_cos, spot.cone_softness) == (pytest.approx(0.5), 0.25)
    half = light(tmp_path, "SphereLight", "float inputs:shaping:cone:angle = 90")[1].lights[0]
    assert half.cone_cos == pytest.approx(0.0, abs=1e-9)  # nothing goes backwards
    assert light(tmp_path, "SphereLight", "float inputs:shaping:focus = 2")[1].lights[0].cone_cos == -1.0


@pytest.mark.parametrize("up", ["Y", "Z"])
@pytest.mark.parametrize("pole", ["scene", "Y", "Z"])
def test_the_pole_of_a_dome_is_where_it_is_asked_for(tmp_path: Path, up: str, pole: str) -> None:
    """DomeLight_1: the image's top lies along poleAxis of the stage; the first DomeLight has it along Y."""
    _, scene = light(tmp_path, "DomeLight_1", f'uniform token poleAxis = "{pole}"', up=up)
    axis = up if pole == "scene" else pole
    stage_axis = {"Y": [0.0, 1.0, 0.0], "Z": [0.0, 0.0, 1.0]}[axis]
    world = stage_axis if up == "Z" else [stage_axis[0], -stage_axis[2], stage_axis[1]]
    assert scene.lights[0].kind == LightKind.DOME
    assert scene.lights[0].world_from_light[:, 2] == pytest.approx(world)
    _, scene = light(tmp_path, "DomeLight", "", up=up)
    assert scene.lights[0].world_from_light[:, 2] == pytest.approx([0.0, 0.0, 1.0] if up == "Y" else [0.0, 1.0, 0.0])


def test_the_centre_of_a_dome_image_follows_openexr(tmp_path: Path) -> None:
    """USD: the centre of the image is +Z of the light and u = 1/4 is +X; ours is -Y and +X about the pole Z."""
    _, scene = light(tmp_path, "DomeLight", "", up="Y")
    frame = scene.lights[0].world_from_light[:, :3]
    assert frame @ [0, -1, 0] == pytest.approx([0.0, -1.0, 0.0])  # stage +Z is -Y of the world
    assert frame @ [1, 0, 0] == pytest.approx([1.0, 0.0, 0.0])
