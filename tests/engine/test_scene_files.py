"""Files: what is refused, what is survived, what is recorded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UserError
from engine.scene import SceneError, SceneOptions, load_scene
from engine.scene.usd.files import scene_roots
from tests.engine.scene_stage import SQUARE, load_stage, write_stage

GOOD = f'#usda 1.0\n(\n    defaultPrim = "m"\n)\ndef Mesh "m" {{\n {SQUARE}\n}}\n'


def crate(folder: Path) -> bytes:
    """Return a small binary stage."""
    from pxr import Sdf

    source = folder / "source.usda"
    source.write_text(GOOD)
    target = folder / "source.usdc"
    Sdf.Layer.FindOrOpen(str(source)).Export(str(target))
    return target.read_bytes()


def old_crate(data: bytes) -> bytes:
    """Return the same file with the version number 0.0.1 (bytes 8 to 10 of the header)."""
    return data[:8] + bytes([0, 0, 1]) + data[11:]


BAD = {
    "empty.usd": lambda data: b"",
    "garbage.usd": lambda data: b"\x00\xff" * 500,
    "not_usd.usda": lambda data: b"hello",
    "syntax.usda": lambda data: GOOD.replace("}", "").encode(),
    "truncated.usdc": lambda data: data[: len(data) // 2],
    "header_only.usdc": lambda data: data[:64],
    "old.usdc": old_crate,
    "garbage.usdz": lambda data: b"PK\x03\x04" + b"x" * 200,
    "zero_units.usda": lambda data: GOOD.replace("(\n", "(\n    metersPerUnit = 0\n", 1).encode(),
}


@pytest.mark.parametrize("name", BAD)
def test_unusable_files_are_one_line_that_names_them(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Empty, garbage, truncated, too old, wrong units: one SceneError with the file's name, and nothing on stderr."""
    path = tmp_path / name
    path.write_bytes(BAD[name](crate(tmp_path)))
    with pytest.raises(SceneError) as caught:
        load_scene(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_an_old_crate_says_what_to_do(tmp_path: Path) -> None:
    """The version is named, and the repair."""
    path = tmp_path / "old.usdc"
    path.write_bytes(old_crate(crate(tmp_path)))
    with pytest.raises(SceneError, match="save it again with a current version of USD"):
        load_scene(path)


@pytest.mark.parametrize("name", ["nowhere.usd", "picture.png", "folder.usd"])
def test_wrong_paths_are_user_errors(tmp_path: Path, name: str) -> None:
    """Missing, another format, a folder: errors that the command line shows as they are."""
    (tmp_path / "picture.png").write_bytes(b"")
    (tmp_path / "folder.usd").mkdir()
    with pytest.raises(UserError, match=name):
        load_scene(tmp_path / name)


def test_float_units_are_repaired_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some exporters store metersPerUnit as a float, for which USD raises; its value is clear, so it is used."""
    from pxr import Tf, UsdGeom

    path = write_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} }}', meters_per_unit=2.0)
    monkeypatch.setattr(UsdGeom, "GetStageMetersPerUnit", lambda stage: Tf.RaiseCodingError("not a double"))
    scene = load_scene(path)
    assert scene.meshes[0].points_m.max() == 2.0
    assert any(note.level == "repaired" and "metersPerUnit" in note.what for note in scene.notes)


def test_units_that_are_no_number_are_refused(tmp_path: Path) -> None:
    """A text for metersPerUnit cannot be repaired."""
    text = tmp_path / "float.usda"
    text.write_text(GOOD.replace("(\n", '(\n    metersPerUnit = "x"\n', 1))
    with pytest.raises(SceneError, match=r"float\.usda"):
        load_scene(text)


def test_a_missing_reference_is_reported_and_the_rest_loads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A reference to a file that is not there costs only its prim; USD's warning becomes a note."""
    scene = load_stage(tmp_path, f'def Xform "a" (\nreferences = @./gone.usda@\n) {{ }}\ndef Mesh "m" {{ {SQUARE} }}')
    assert scene.instances.path == ("", "/m")
    assert any(note.level == "error" and note.prim == "/a" and "gone.usda" in note.what for note in scene.notes)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("arc", ["references", "payload"])
def test_a_reference_cycle_is_survived(tmp_path: Path, arc: str) -> None:
    """A file that refers to itself loads without the cycle."""
    scene = load_stage(tmp_path, f'def Xform "a" (\n{arc} = @./scene.usda@</a>\n) {{ def Mesh "m" {{ {SQUARE} }} }}')
    assert len(scene.placements.mesh) == 1
    assert any(note.level == "error" for note in scene.notes)


def test_files_outside_the_roots_are_refused_with_the_repair(tmp_path: Path) -> None:
    """A layer or texture elsewhere is not even opened, until its folder is named as a root."""
    inside, outside = tmp_path / "scene", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    (outside / "part.usda").write_text(GOOD)
    path = write_stage(inside, 'def "a" (\nreferences = @../elsewhere/part.usda@\n) { }')
    with pytest.raises(SceneError, match=r"outside the scene's folder .* add --root .*elsewhere"):
        load_scene(path, SceneOptions(roots=(inside,)))
    assert load_scene(path, SceneOptions(roots=(inside, outside))).instances.path == ("", "/a")


def test_a_link_does_not_lead_out_of_the_roots(tmp_path: Path) -> None:
    """What counts is where a file really is."""
    inside, outside = tmp_path / "scene", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    (outside / "part.usda").write_text(GOOD)
    (inside / "link.usda").symlink_to(outside / "part.usda")
    path = write_stage(inside, 'def Xform "a" (\nreferences = @./link.usda@\n) { }')
    with pytest.raises(SceneError, match="outside the scene's folder"):
        load_scene(path, SceneOptions(roots=(inside,)))


def test_default_roots_stop_below_home_and_system_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to four folders above the scene, never the home folder, never one directly under the root."""
    home = tmp_path / "home"
    deep = home / "a" / "b" / "c" / "d" / "e" / "f"
    deep.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    assert scene_roots(deep / "x.usd", ()) == ((home / "a" / "b").resolve(),)
    assert scene_roots(home / "a" / "b" / "x.usd", ()) == ((home / "a").resolve(),)
    assert scene_roots(home / "x.usd", ()) == (home.resolve(),)


def test_pipes_and_devices_are_never_read(tmp_path: Path) -> None:
    """A reference to a pipe would block for ever; it is refused before it is opened."""
    os.mkfifo(tmp_path / "pipe.usda")
    with pytest.raises(SceneError, match="not a regular file"):
        load_stage(tmp_path, 'def Xform "a" (\nreferences = @./pipe.usda@\n) { }')
    with pytest.raises(SceneError, match="not a regular file"):
        load_scene(tmp_path / "pipe.usda")


def test_an_instance_bomb_is_counted_and_refused(tmp_path: Path) -> None:
    """Eight levels of ten instances are 10^8 prims; they are counted in the prototypes, never walked."""
    body = f'class Xform "c0" {{ def Mesh "m" {{ {SQUARE} }} }}\n'
    for depth in range(1, 9):
        inner = "".join(
            f'def Xform "i{i}" (\ninstanceable = true\ninherits = </c{depth - 1}>\n) {{ }}\n' for i in range(10)
        )
        body += f'class Xform "c{depth}" {{ {inner} }}\n'
    body += 'def Xform "top" (\ninstanceable = true\ninherits = </c8>\n) { }'
    with pytest.raises(SceneError, match=r"unfolds into \d+ prims"):
        load_stage(tmp_path, body)


def test_every_file_read_is_an_asset_with_its_hash(tmp_path: Path) -> None:
    """Layers and textures, sorted, relative to the root layer's folder; a changed byte changes the hash."""
    from engine.write.encode import encode_png

    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "part.usda").write_text(GOOD)

    (tmp_path / "sky.png").write_bytes(encode_png(np.zeros((1, 2, 3), np.uint8)))
    body = 'def Xform "a" (\nreferences = @./parts/part.usda@\n) { }\n'
    scene = load_stage(tmp_path, body + 'def DomeLight "l" { asset inputs:texture:file = @./sky.png@ }')
    assert [asset.path for asset in scene.assets] == ["parts/part.usda", "scene.usda", "sky.png"]
    for asset in scene.assets:
        data = (tmp_path / asset.path).read_bytes()
        assert (asset.sha256, asset.bytes) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_texture_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """An image larger than the limit is not decoded."""
    from engine.write.encode import encode_png

    (tmp_path / "sky.png").write_bytes(encode_png(np.zeros((8, 9, 3), np.uint8)))
    with pytest.raises(SceneError, match="9x8; the limit is 64 pixels"):
        load_stage(
            tmp_path, 'def DomeLight "l" { asset inputs:texture:file = @./sky.png@ }', SceneOptions(max_texture_px=64)
        )


def test_textures_are_read_inside_a_package(tmp_path: Path) -> None:
    """A usdz gives the same pixels as the files it was packed from; the package itself is the asset."""
    from pxr import Sdf, UsdUtils

    from engine.write.encode import encode_png

    rows = np.random.default_rng(1).integers(0, 256, (3, 5, 3)).astype(np.uint8)
    (tmp_path / "sky.png").write_bytes(encode_png(rows))
    path = write_stage(tmp_path, 'def DomeLight "l" { asset inputs:texture:file = @./sky.png@ }')
    package = tmp_path / "scene.usdz"
    assert UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(path)), str(package))
    loose, packed = load_scene(path), load_scene(package)
    assert np.array_equal(loose.textures[0].pixels, packed.textures[0].pixels)
    assert [asset.path for asset in packed.assets] == ["scene.usdz"]


def test_loading_twice_gives_the_same_scene(tmp_path: Path) -> None:
    """No order of sets or dictionaries reaches the result."""
    body = "".join(f'def Mesh "m{i}" {{ {SQUARE.replace("1, 1", f"1, {i + 1}")} }}\n' for i in range(9))
    first, second = load_stage(tmp_path, body), load_scene(tmp_path / "scene.usda")
    assert first.instances.path == second.instances.path
    assert first.assets == second.assets
    assert [mesh.points_m.tobytes() for mesh in first.meshes] == [mesh.points_m.tobytes() for mesh in second.meshes]


LOOP = """
def Material "mat" {
    token outputs:surface.connect = </mat/s.outputs:surface>
    def Shader "s" { uniform token info:id = "UsdPreviewSurface"
        color3f inputs:diffuseColor.connect = </mat/s.inputs:diffuseColor>
        float inputs:roughness.connect = </mat/t.outputs:r>
        float inputs:metallic.connect = </mat/gone.outputs:r>
        string inputs:ior = "x"
        token outputs:surface
    }
    def Shader "t" { uniform token info:id = "UsdUVTexture"
        float2 inputs:st.connect = </mat/x.outputs:result>
        float outputs:r
    }
    def Shader "x" { uniform token info:id = "UsdTransform2d"
        float2 inputs:in.connect = </mat/x.outputs:result>
        float2 outputs:result
    }
}
"""
BINDING = f'def Mesh "m" (\nprepend apiSchemas = ["MaterialBindingAPI"]\n) {{ {SQUARE} rel material:binding = </mat> }}'
STRANGE = {  # what a file may say, and what the report answers
    "a material whose nodes form loops": (LOOP + BINDING, "texture without a file"),
    "a material that does not exist": (BINDING, "its material does not exist"),
    "a light whose size is no number": ('def SphereLight "l" { float inputs:radius = nan }', "radius has an unusable"),
    "a light whose intensity is a word": (
        'def DiskLight "l" { string inputs:intensity = "a" }',
        "intensity has an unusable",
    ),
    "a camera without an aperture": ('def Camera "c" { float horizontalAperture = 0 }', "camera without a positive"),
    "a camera that is nowhere": (
        'def Camera "c" { double3 xformOp:translate = (nan, 0, 0)\n'
        'uniform token[] xformOpOrder = ["xformOp:translate"] }',
        "its transform is not finite",
    ),
    "an anchor with a word for its size": (
        'def Xform "a" { token ommatidia:anchor = "slot"\nstring ommatidia:size = "x" }',
        "ommatidia:size has an unusable value",
    ),
    "a sphere of negative radius": ('def Sphere "s" { double radius = -1 }', "Sphere with an unusable size"),
    "a mesh at infinity": (
        f'def Mesh "m" {{ {SQUARE} float3 xformOp:scale = (inf, 1, 1)\n'
        'uniform token[] xformOpOrder = ["xformOp:scale"] }',
        "singular or not finite",
    ),
    "a colour that is no number": (
        f'def Mesh "m" {{ {SQUARE} color3f[] primvars:displayColor = [(nan, 0, 0)] }}',
        "values that are not finite",
    ),
    "creases beside the points": (
        f'def Mesh "m" {{ {SQUARE.replace("none", "catmullClark")} int[] creaseIndices = [0, 99]\n'
        "int[] creaseLengths = [2]\nfloat[] creaseSharpnesses = [1] }",
        "creases do not fit",
    ),
    "an instancer without prototypes": ('def PointInstancer "p" { int[] protoIndices = [0] }', "without elements"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_strange_values_are_survived_and_reported(tmp_path: Path, case: str) -> None:
    """A value of the wrong type or without meaning costs at most its prim, and is a line of the report."""
    body, words = STRANGE[case]
    scene = load_stage(tmp_path, body)
    assert any(words in note.what for note in scene.notes)
    assert all(np.isfinite(mesh.points_m).all() for mesh in scene.meshes)
    assert all(np.isfinite(light.radiance).all() and np.isfinite(light.size_m).all() for light in scene.lights)


def test_a_deep_hierarchy_loads_in_seconds(tmp_path: Path) -> None:
    """A thousand nested prims are walked without recursion."""
    scene = load_stage(tmp_path, 'def Xform "x" { ' * 1000 + f'def Mesh "m" {{ {SQUARE} }}' + "}" * 1000)
    assert scene.instances.path[1].endswith("/x/m")
