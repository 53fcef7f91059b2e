"""MDL materials: OmniPBR and its relatives in USD, and modules that call one of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from engine.scene import Scene
from engine.scene.look.mdl_text import MdlTexture, read_call
from engine.write.encode import encode_png
from tests.engine.scene_stage import load_stage, note_texts
from tests.engine.test_scene_look import BOUND, bound_material


def mdl_stage(folder: Path, inputs: str, material: str = "OmniPBR", module: str = "OmniPBR.mdl") -> Scene:
    """Load a square with an MDL material."""
    body = f"""
    def Material "mat" {{
        token outputs:mdl:surface.connect = </mat/s.outputs:out>
        def Shader "s" {{
            uniform token info:implementationSource = "sourceAsset"
            uniform asset info:mdl:sourceAsset = @{module}@
            uniform token info:mdl:sourceAsset:subIdentifier = "{material}"
            {inputs}
            token outputs:out
        }}
    }}
    """
    return load_stage(folder, body + BOUND)


def write_png(folder: Path, name: str = "a", color: tuple[int, int, int] = (51, 102, 204)) -> None:
    """Write an image of one texel."""
    (folder / f"{name}.png").write_bytes(encode_png(np.full((1, 1, 3), color, np.uint8)))


def shown(scene: Scene, field: str) -> float:
    """Return what a number is at the only texel."""
    given = bound_material(scene).textures[field]
    texel = scene.textures[given.texture].pixels[0, 0, given.channel]
    return float(given.scale[given.channel] * texel + given.bias[given.channel])


def test_constants_of_omni_pbr_and_its_defaults(tmp_path: Path) -> None:
    """Colour times tint, roughness, metal; without them OmniPBR's 0.2 grey, 0.5 and 0."""
    inputs = """
        color3f inputs:diffuse_color_constant = (0.8, 0.4, 0.2)\ncolor3f inputs:diffuse_tint = (0.5, 0.5, 1)
        float inputs:reflection_roughness_constant = 0.25\nfloat inputs:metallic_constant = 1
    """
    scene = mdl_stage(tmp_path, inputs)
    material = bound_material(scene)
    assert material.base_color == pytest.approx((0.4, 0.2, 0.2))
    assert (material.roughness, material.metallic) == (0.25, 1.0)
    assert material.ior == pytest.approx(1.5)  # specular_level 0.5
    assert note_texts(scene, "/mat") == []
    assert bound_material(mdl_stage(tmp_path, "")).base_color == pytest.approx((0.2, 0.2, 0.2))


def test_textures_of_omni_pbr(tmp_path: Path) -> None:
    """The colour texture replaces the constant, times brightness and tint, plus the addition."""
    write_png(tmp_path)
    inputs = """
        asset inputs:diffuse_texture = @./a.png@ (colorSpace = "raw")\nfloat inputs:albedo_brightness = 0.5
        float inputs:albedo_add = 0.125\ncolor3f inputs:diffuse_tint = (0.5, 1, 1)
        color3f inputs:diffuse_color_constant = (1, 0, 0)
    """
    given = bound_material(mdl_stage(tmp_path, inputs)).textures["base_color"]
    assert given.scale[:3] == (0.25, 0.5, 0.5)
    assert given.bias[:3] == (0.0625, 0.125, 0.125)


def test_a_desaturated_texture_is_computed(tmp_path: Path) -> None:
    """albedo_desaturation 1 is the mean of red, green and blue."""
    write_png(tmp_path)
    inputs = 'asset inputs:diffuse_texture = @./a.png@ (colorSpace = "raw")\nfloat inputs:albedo_desaturation = 1'
    scene = mdl_stage(tmp_path, inputs)
    pixels = scene.textures[bound_material(scene).textures["base_color"].texture].pixels
    assert pixels[0, 0, :3] == pytest.approx([(0.2 + 0.4 + 0.8) / 3] * 3)


def test_the_packed_texture_counts_by_its_influence(tmp_path: Path) -> None:
    """ORM: roughness in green, metal in blue, mixed with the constants; ignored unless it is enabled."""
    write_png(tmp_path)
    inputs = """
        asset inputs:ORM_texture = @./a.png@\nfloat inputs:reflection_roughness_texture_influence = 1
        float inputs:metallic_texture_influence = 0.5\nfloat inputs:metallic_constant = 1\n
    """
    scene = mdl_stage(tmp_path, inputs + "bool inputs:enable_ORM_texture = 1")
    assert shown(scene, "roughness") == pytest.approx(0.4)
    assert shown(scene, "metallic") == pytest.approx(0.5 + 0.5 * 0.8)
    off = bound_material(mdl_stage(tmp_path, inputs))
    assert (off.textures, off.metallic) == ({}, 1.0)


def test_normal_maps_of_omni_pbr_point_down_the_green(tmp_path: Path) -> None:
    """bump_factor scales the slope; flip_tangent_v, on by default, is the DirectX convention."""
    write_png(tmp_path, color=(255, 128, 255))
    inputs = "asset inputs:normalmap_texture = @./a.png@\nfloat inputs:bump_factor = 0.5\n"
    given = bound_material(mdl_stage(tmp_path, inputs)).textures["normal"]
    assert (given.scale[:3], given.bias[:3]) == ((1.0, -1.0, 2.0), (-0.5, 0.5, -1.0))
    given = bound_material(mdl_stage(tmp_path, inputs + "bool inputs:flip_tangent_v = 0")).textures["normal"]
    assert (given.scale[:3], given.bias[:3]) == ((1.0, 1.0, 2.0), (-0.5, -0.5, -1.0))


def test_emission_is_an_exitance(tmp_path: Path) -> None:
    """MDL's intensity is pi times the radiance of a diffuse emitter; off unless it is enabled."""
    inputs = "color3f inputs:emissive_color = (1, 0.5, 0)\nfloat inputs:emissive_intensity = 10\n"
    assert bound_material(mdl_stage(tmp_path, inputs)).emission == (0.0, 0.0, 0.0)
    lit = bound_material(mdl_stage(tmp_path, inputs + "bool inputs:enable_emission = 1"))
    assert lit.emission == pytest.approx((10 / math.pi, 5 / math.pi, 0.0))


def test_opacity_of_omni_pbr_is_a_cut_out(tmp_path: Path) -> None:
    """Presence, with a threshold where there is one; off unless it is enabled."""
    inputs = "float inputs:opacity_constant = 0.5\nfloat inputs:opacity_threshold = 0.25\n"
    assert bound_material(mdl_stage(tmp_path, inputs)).opacity == 1.0
    material = bound_material(mdl_stage(tmp_path, inputs + "bool inputs:enable_opacity = 1"))
    assert (material.opacity, material.opacity_threshold, material.presence) == (0.5, 0.25, True)


def test_texture_coordinates_of_omni_pbr(tmp_path: Path) -> None:
    """Scaled, turned, moved; a projection onto the axes is approximated, with a note."""
    write_png(tmp_path)
    inputs = """
        asset inputs:diffuse_texture = @./a.png@\nfloat2 inputs:texture_scale = (2, 4)
        float2 inputs:texture_translate = (0.5, 0)\nfloat inputs:texture_rotate = 90\nbool inputs:project_uvw = 1
    """
    scene = mdl_stage(tmp_path, inputs)
    matrix = np.reshape(bound_material(scene).textures["base_color"].uv_from_st, (2, 3))
    assert matrix @ [0.25, 0.5, 1.0] == pytest.approx([-2.0 + 0.5, 0.5])
    assert any("project_uvw" in note for note in note_texts(scene, "/mat"))


def test_glass_lets_light_through(tmp_path: Path) -> None:
    """OmniGlass: clear, with its index and frosting."""
    inputs = "float inputs:glass_ior = 1.25\nfloat inputs:frosting_roughness = 0.5"
    material = bound_material(mdl_stage(tmp_path, inputs, "OmniGlass", "OmniGlass.mdl"))
    assert (material.opacity, material.presence, material.ior, material.roughness) == (0.0, False, 1.25, 0.5)


def test_omni_surface_and_gltf_follow_their_names(tmp_path: Path) -> None:
    """The constants of OmniSurface, and the factors of the glTF module."""
    inputs = "color3f inputs:diffuse_reflection_color = (1, 0.5, 0)\nfloat inputs:diffuse_reflection_weight = 0.5"
    assert bound_material(mdl_stage(tmp_path, inputs, "OmniSurface")).base_color == pytest.approx((0.5, 0.25, 0.0))
    inputs = "color3f inputs:base_color_factor = (1, 0.5, 0)\nfloat inputs:metallic_factor = 0"
    material = bound_material(mdl_stage(tmp_path, inputs, "gltf_material", "gltf/pbr.mdl"))
    assert (material.base_color, material.metallic, material.roughness) == ((1.0, 0.5, 0.0), 0.0, 1.0)


MODULE = """mdl 1.4;
using ::OmniPBR import OmniPBR; // a comment with = OmniPBR( in it
import ::tex::gamma_mode;
export material Oak(*)
[[ ::anno::author("somebody (else)") ]]
 = OmniPBR::OmniPBR(
    diffuse_color_constant: color(0.5f, 0.25, .125f),
    diffuse_texture: texture_2d("./textures/oak.png" /* tag 1 */, ::tex::gamma_linear),
    reflection_roughness_constant: 0.75f,
    enable_emission: false,
    diffuse_tint: color(1.f),
    texture_scale: float2(2.f, 4.f));
export material Pine(color tint = color(0.25f, 0.5f, 1.f) [[ anno::hidden() ]], uniform float rough = 0.125f)
 = OmniPBR(diffuse_color_constant: tint, reflection_roughness_constant: rough, metallic_constant: 1.0 - rough);
"""


def test_arguments_of_a_module_are_literals() -> None:
    """Numbers, colours, textures and parameters are understood; expressions are left out, comments are no code."""
    call = read_call(MODULE, "Oak")
    assert call is not None
    assert call.base == "OmniPBR"
    assert call.arguments == {
        "diffuse_color_constant": (0.5, 0.25, 0.125),
        "diffuse_texture": MdlTexture("./textures/oak.png", "raw"),
        "reflection_roughness_constant": 0.75,
        "enable_emission": 0.0,
        "diffuse_tint": (1.0, 1.0, 1.0),
        "texture_scale": (2.0, 4.0),
    }
    pine = read_call(MODULE, "Pine")
    assert pine is not None
    assert pine.arguments == {"diffuse_color_constant": (0.25, 0.5, 1.0), "reflection_roughness_constant": 0.125}
    assert pine.parameters == {"diffuse_color_constant": "tint", "reflection_roughness_constant": "rough"}
    assert read_call(MODULE, "Birch") is None
    assert read_call("export material Cut(", "Cut") is None


def test_a_module_beside_the_scene_gives_its_arguments(tmp_path: Path) -> None:
    """Textures are beside the module, authored inputs are stronger, and both files are listed."""
    (tmp_path / "m/textures").mkdir(parents=True)
    (tmp_path / "m/Wood.mdl").write_text(MODULE)
    write_png(tmp_path / "m/textures", "oak")
    scene = mdl_stage(tmp_path, "", "Oak", "./m/Wood.mdl")
    material = bound_material(scene)
    assert material.roughness == 0.75
    given = material.textures["base_color"]
    assert scene.textures[given.texture].pixels[0, 0, :3] == pytest.approx([0.2, 0.4, 0.8])  # gamma_linear: raw
    assert given.uv_from_st == (2.0, 0.0, 0.0, 0.0, 4.0, 0.0)
    assert {"m/Wood.mdl", "m/textures/oak.png"} <= {asset.path for asset in scene.assets}
    stronger = mdl_stage(tmp_path, "float inputs:reflection_roughness_constant = 0.5", "Oak", "./m/Wood.mdl")
    assert bound_material(stronger).roughness == 0.5
    pine = bound_material(mdl_stage(tmp_path, "float inputs:rough = 0.25", "Pine", "./m/Wood.mdl"))
    assert (pine.roughness, pine.base_color) == (0.25, (0.25, 0.5, 1.0))


def test_an_unknown_material_is_read_by_usual_names_or_reported(tmp_path: Path) -> None:
    """OmniPBR's names under another material's; without any, displayColor and a note that names it."""
    scene = mdl_stage(tmp_path, "color3f inputs:diffuse_color_constant = (1, 0, 0)", "Custom", "Custom.mdl")
    assert bound_material(scene).base_color == (1.0, 0.0, 0.0)
    assert note_texts(scene, "/mat") == [
        "approximated: MDL Custom is not known: its inputs are read as those of a usual one"
    ]
    scene = mdl_stage(tmp_path, "", "Custom", "Custom.mdl")
    assert bound_material(scene).name == "fallback"
    assert note_texts(scene, "/mat") == ["skipped: surface shader MDL Custom is not supported; displayColor is used"]
