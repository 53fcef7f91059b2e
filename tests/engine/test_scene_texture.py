"""Texture files: what their numbers become, and what happens to files that cannot be used."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from numpy.typing import NDArray
from pxr import UsdUtils

from engine.scene import Scene, SceneError, SceneOptions, load_scene
from engine.scene.look.image_file import linear_from_srgb
from engine.scene.look.udim import assemble, tile_number
from engine.write.encode import encode_png
from tests.engine.scene_stage import load_stage, note_texts, write_stage
from tests.engine.test_scene_look import BOUND, bound_material, material_stage, texture_node

DIFFUSE = "color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>"


def write_image(path: Path, pixels: NDArray[Any], **attributes: str | float) -> None:
    """Write [y, x, channel] in the type of the array, alpha as it is."""
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], str(pixels.dtype))
    spec.attribute("oiio:UnassociatedAlpha", 1)
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec)
    assert out.write_image(pixels)
    out.close()


def textured(folder: Path, name: str, extra: str = "", inputs: str = DIFFUSE) -> Scene:
    """Load the square with a texture."""
    return material_stage(folder, inputs, texture_node(extra=extra, file=name))


def texel(scene: Scene) -> list[float]:
    """Return the first texel of the first texture."""
    return [float(value) for value in scene.textures[0].pixels[0, 0]]


def test_alpha_is_straight(tmp_path: Path) -> None:
    """Colours are not multiplied by alpha: a red texel of alpha 0 is still red."""
    pixels = np.array([[[255, 0, 0, 0]]], np.uint8)
    write_image(tmp_path / "a.png", pixels)
    assert texel(textured(tmp_path, "a.png")) == pytest.approx([1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grey_fills_colours_and_missing_alpha_is_one(tmp_path: Path, channels: int, dtype: type) -> None:
    """One and two channels are grey, without sRGB; three and four are colours, sRGB where they are bytes."""
    top = np.iinfo(dtype).max
    values = (np.array([0.2, 0.4, 0.6, 0.8]) * top).round().astype(dtype)
    name = "a.png" if dtype is np.uint8 else "a.tif"  # OpenImageIO writes into a PNG that it is sRGB
    write_image(tmp_path / name, values[:channels].reshape(1, 1, channels))
    given = values.astype(np.float32) / top
    color = given[[0, 0, 0]] if channels < 3 else given[:3]
    if dtype is np.uint8 and channels >= 3:
        color = linear_from_srgb(color)
    alpha = given[channels - 1] if channels in (2, 4) else 1.0
    assert texel(textured(tmp_path, name)) == pytest.approx([*color, alpha], abs=1e-6)


def test_half_float_files_keep_what_is_brighter_than_one(tmp_path: Path) -> None:
    """OpenEXR: linear, above 1 and below 0 as they are; what is no number becomes one."""
    pixels = np.array([[[7.5, -0.25, np.nan]]], np.float32).astype(np.float16)
    write_image(tmp_path / "a.exr", pixels)
    assert texel(textured(tmp_path, "a.exr")) == pytest.approx([7.5, -0.25, 0.0, 1.0])


def test_radiance_files_are_linear(tmp_path: Path) -> None:
    """Radiance HDR: linear and above 1."""
    write_image(tmp_path / "a.hdr", np.array([[[8.0, 4.0, 2.0]]], np.float32))
    assert texel(textured(tmp_path, "a.hdr"))[:3] == pytest.approx([8.0, 4.0, 2.0], rel=0.01)


def test_16_bit_colours_are_srgb_where_the_file_says_so(tmp_path: Path) -> None:
    """`auto` follows the file: an Exif colour space of sRGB decodes 16 bits too; raw overrules it."""
    write_image(tmp_path / "a.tif", np.full((1, 1, 3), 32768, np.uint16), Exif__ColorSpace=1)
    plain = 32768 / 65535
    assert texel(textured(tmp_path, "a.tif"))[0] == pytest.approx(linear_from_srgb(np.array(plain)))
    assert texel(textured(tmp_path, "a.tif", 'token inputs:sourceColorSpace = "raw"'))[0] == pytest.approx(plain)


def test_cmyk_files_are_colours(shared_dir: Path) -> None:
    """The CMYK JPEG of the usd-wg tests shows the colours of its RGB sibling."""
    folder = shared_dir / "usd/07_TextureFileFormatTests"
    pixels = {}
    for kind in ("cmyk", "rgb"):
        scene = load_scene(folder / f"jpeg_{kind}_8-bit.usda")
        pixels[kind] = next(t.pixels for t in scene.textures if t.name.endswith(".jpg"))
    difference = np.abs(pixels["cmyk"][..., :3] - pixels["rgb"][..., :3])
    assert np.median(difference) < 0.1
    assert np.corrcoef(pixels["cmyk"][..., 0].ravel(), pixels["rgb"][..., 0].ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ("lin_rec709_scene", [0.5, 0.5, 0.5]),
        ("srgb_texture", [0.21404, 0.21404, 0.21404]),
        ("g22_rec709_scene", [0.5**2.2] * 3),
        ("raw", [0.5, 0.5, 0.5]),
    ],
)
def test_the_colour_space_of_the_file_attribute_counts(tmp_path: Path, space: str, expected: list[float]) -> None:
    """`colorSpace` metadata on inputs:file decides where sourceColorSpace does not."""
    write_image(tmp_path / "a.exr", np.full((1, 1, 3), 0.5, np.float32))
    node = texture_node(file="a.exr").replace("@./a.exr@", f'@./a.exr@ (colorSpace = "{space}")')
    assert texel(material_stage(tmp_path, DIFFUSE, node))[:3] == pytest.approx(expected, abs=1e-4)


def test_wide_primaries_become_those_of_rec_709(tmp_path: Path) -> None:
    """ACEScg white is white; its green is out of gamut, so red and blue go below 0."""
    for rgb, check in (([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), ([0.0, 1.0, 0.0], [-0.621, 1.138, -0.129])):
        write_image(tmp_path / "a.exr", np.array([[rgb]], np.float32))
        node = texture_node(file="a.exr").replace("@./a.exr@", '@./a.exr@ (colorSpace = "acescg")')
        assert texel(material_stage(tmp_path, DIFFUSE, node))[:3] == pytest.approx(check, abs=0.03)


def test_color_space_api_reaches_the_textures_below(tmp_path: Path) -> None:
    """ColorSpaceAPI of an ancestor decides for a file that has no colour space of its own."""
    write_image(tmp_path / "a.png", np.full((1, 1, 3), 128, np.uint8))
    body = """
    def Material "mat" ( prepend apiSchemas = ["ColorSpaceAPI"] ) {
        uniform token colorSpace:name = "lin_rec709_scene"
        token outputs:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {
            uniform token info:id = "UsdPreviewSurface"
            color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>
            token outputs:surface
        }
        %s
    }
    """
    scene = load_stage(tmp_path, body % texture_node() + BOUND)
    assert texel(scene)[0] == pytest.approx(128 / 255)


def udim_stage(folder: Path, tiles: dict[int, tuple[int, int, int]], size: int = 4) -> Scene:
    """Load the square with a set of one-coloured tiles."""
    for tile, color in tiles.items():
        (folder / f"a.{tile}.png").write_bytes(encode_png(np.full((size, size, 3), color, np.uint8)))
    return textured(folder, "a.<UDIM>.png", 'token inputs:sourceColorSpace = "raw"')


def test_udim_tiles_are_one_image(tmp_path: Path) -> None:
    """A point (u, v) of tile 1001 + i + 10 j finds that tile's texel; a tile that is missing is black."""
    tiles = {1001: (255, 0, 0), 1002: (0, 255, 0), 1012: (0, 0, 255)}
    scene = udim_stage(tmp_path, tiles)
    given = bound_material(scene).textures["base_color"]
    pixels = scene.textures[given.texture].pixels
    assert pixels.shape == (8, 8, 4)
    for tile, color in {**tiles, 1011: (0, 0, 0)}.items():
        st = np.array([(tile - 1001) % 10 + 0.4, (tile - 1001) // 10 + 0.7, 1.0])
        u, v = np.reshape(given.uv_from_st, (2, 3)) @ st
        assert 0.0 <= u < 1.0
        assert 0.0 <= v < 1.0
        assert pixels[int(v * 8), int(u * 8), :3] == pytest.approx(np.array(color) / 255)
    assert note_texts(scene, "/mat") == ["converted: 3 tiles of 'a.<UDIM>.png' are one image"]
    assert sorted(asset.path for asset in scene.assets) == ["a.1001.png", "a.1002.png", "a.1012.png", "scene.usda"]


def test_udim_tiles_shrink_below_the_limit(tmp_path: Path) -> None:
    """Two tiles of 16 x 16 in 128 pixels become 8 x 8 each, with a note."""
    udim_stage(tmp_path, {1001: (255, 0, 0), 1002: (0, 255, 0)}, size=16)
    scene = load_scene(tmp_path / "scene.usda", SceneOptions(max_texture_px=256))
    assert scene.textures[0].pixels.shape == (8, 16, 4)
    assert note_texts(scene, "/mat") == ["approximated: 2 tiles of 'a.<UDIM>.png' are one image, at a lower resolution"]


def test_udim_numbers_are_read_at_their_place() -> None:
    """A name with other digits does not confuse the tile, and tiles far apart still have a bounded image."""
    assert tile_number("/x/2024_a.<UDIM>.4k.png", "/x/2024_a.1013.4k.png") == 1013
    from engine.scene.look.image_file import ImageFile

    one = ImageFile(np.ones((64, 64, 4), np.float32), is_8_bit=True)
    image, _, shrunk = assemble({1001: one, 1999: one}, 10_000)
    assert shrunk
    assert image.pixels.shape[0] * image.pixels.shape[1] <= 10_000


def test_textures_in_a_package_are_those_outside(tmp_path: Path) -> None:
    """A usdz holds the same texels as the folder that it was made from, 16 bits and all."""
    write_image(tmp_path / "a.png", np.arange(48, dtype=np.uint16).reshape(4, 4, 3) * 1000)
    loose = textured(tmp_path, "a.png")
    package = tmp_path / "packed/scene.usdz"
    package.parent.mkdir()
    assert UsdUtils.CreateNewUsdzPackage(str(tmp_path / "scene.usda"), str(package))
    (tmp_path / "a.png").unlink()
    packed = load_scene(package)
    assert np.array_equal(loose.textures[0].pixels, packed.textures[0].pixels)


@pytest.mark.parametrize("kind", ["empty", "garbage", "cut off", "not an image"])
def test_broken_files_give_the_fallback_and_one_note(tmp_path: Path, kind: str) -> None:
    """A file that cannot be decoded is reported once, and its fallback colour is used for every input."""
    whole = encode_png(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    content = {"empty": b"", "garbage": b"\x00\xff" * 99, "cut off": whole[: len(whole) // 2], "not an image": b"#usda"}
    (tmp_path / "a.png").write_bytes(content[kind])
    inputs = f"{DIFFUSE}\ncolor3f inputs:emissiveColor.connect = </mat/t.outputs:rgb>"
    scene = textured(tmp_path, "a.png", "float4 inputs:fallback = (0.5, 0.25, 0.125, 1)", inputs)
    material = bound_material(scene)
    assert (material.base_color, material.emission) == ((0.5, 0.25, 0.125),) * 2
    assert material.textures == {}
    (note,) = note_texts(scene, "/mat")
    assert note.startswith("error: texture 'a.png': ")


def test_the_fallback_is_not_scaled(tmp_path: Path) -> None:
    """Scale and bias are for texels; a fallback is the value itself."""
    (tmp_path / "a.png").write_bytes(b"no")
    extra = "float4 inputs:fallback = (0.5, 0.25, 0.125, 1)\nfloat4 inputs:scale = (2, 2, 2, 1)\n"
    scene = textured(tmp_path, "a.png", extra + "float4 inputs:bias = (0.1, 0.1, 0.1, 0)")
    assert bound_material(scene).base_color == pytest.approx((0.5, 0.25, 0.125))


def test_a_texture_outside_the_folders_is_refused(tmp_path: Path) -> None:
    """A path that leaves the allowed folders is one clear error, and nothing is read."""
    (tmp_path / "scene").mkdir()
    (tmp_path / "secret.png").write_bytes(encode_png(np.zeros((1, 1, 3), np.uint8)))
    root = tmp_path / "scene"
    with pytest.raises(SceneError, match=r"secret\.png.*outside"):
        material_stage_in(root, "../secret.png", SceneOptions(roots=(root,)))


def material_stage_in(folder: Path, name: str, options: SceneOptions) -> Scene:
    """Load the square with a texture and options."""
    body = f"""
    def Material "mat" {{
        token outputs:surface.connect = </mat/s.outputs:surface>
        def Shader "s" {{
            uniform token info:id = "UsdPreviewSurface"
            {DIFFUSE}
            token outputs:surface
        }}
        {texture_node().replace("@./a.png@", f"@{name}@")}
    }}
    """
    return load_scene(write_stage(folder, body + BOUND), options)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """Twenty thousand pixels square in a few kilobytes: the header is enough to say no."""
    import zlib

    side = 20_000
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunks = b"".join(
        (len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in (header, data, b"IEND")
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    scene = textured(tmp_path, "a.png")
    assert [note.split(":")[0] for note in note_texts(scene, "/mat")] == ["error"]
    assert bound_material(scene).base_color == (0.0, 0.0, 0.0)


def test_usd_wg_formats_all_load(shared_dir: Path) -> None:
    """Every file of the texture format tests: no errors, eight images, opacity where an alpha is."""
    scene = load_scene(shared_dir / "usd/07_TextureFileFormatTests/all_files.usda")
    assert not [note for note in scene.notes if note.level in ("error", "skipped")]
    assert len(scene.textures) == 8
    assert {t.pixels.shape for t in scene.textures} == {(256, 256, 4)}


def test_a_package_member_that_is_cut_off_is_reported(tmp_path: Path) -> None:
    """A broken image in a usdz is a note, not a crash."""
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    textured(tmp_path, "a.png")
    package = tmp_path / "scene.usdz"
    assert UsdUtils.CreateNewUsdzPackage(str(tmp_path / "scene.usda"), str(package))
    with zipfile.ZipFile(package) as archive:
        name = next(info for info in archive.infolist() if info.filename.endswith(".png"))
    raw = bytearray(package.read_bytes())
    start = raw.index(b"\x89PNG", name.header_offset)
    raw[start : start + 16] = bytes(16)
    broken = tmp_path / "broken.usdz"
    broken.write_bytes(raw)
    shutil.rmtree(tmp_path / "packed", ignore_errors=True)
    scene = load_scene(broken)
    assert any(note.level == "error" and "texture" in note.what for note in scene.notes)
    assert bound_material(scene).base_color == (0.0, 0.0, 0.0)
