"""Scenes as plain arrays: nothing is lost on the way, and nothing damaged comes back."""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene import Scene, load_scene
from engine.scene.model import IesProfile, Light, LightKind, Material, TextureInput
from engine.scene.store import arrays as module
from engine.scene.store.arrays import Arrays, ArraysError, scene_from_arrays, scene_to_arrays
from engine.scene.store.checks import check_scene
from engine.scene.store.tensor_file import TensorFileError, file_buffer, parse_tensors, write_tensors
from tests.engine.scene_stage import CUBE, SQUARE, load_stage

SMALL = (
    "04_CesiumMan/CesiumMan.usdz",
    "03_intentvfx_simpleAsset/scenes/simpleAssetScene.usd",
    "08_kaolin_pizza/pizza.usda",
    "07_TextureFileFormatTests/_scene.usda",
    "09_arnold_nestedInstances/data/test.usda",
)


def assert_same(first: object, second: object, where: str = "scene") -> None:
    """Assert that two trees of dataclasses are equal bit for bit, types included."""
    assert type(first) is type(second), where
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        for field in dataclasses.fields(first):
            assert_same(getattr(first, field.name), getattr(second, field.name), f"{where}.{field.name}")
    elif isinstance(first, np.ndarray):
        assert isinstance(second, np.ndarray)
        assert (first.dtype, first.shape) == (second.dtype, second.shape), where
        assert first.tobytes() == second.tobytes(), where
    elif isinstance(first, tuple):
        assert isinstance(second, tuple)
        assert len(first) == len(second), where
        for index, (a, b) in enumerate(zip(first, second, strict=True)):
            assert_same(a, b, f"{where}[{index}]")
    elif isinstance(first, dict):
        assert isinstance(second, dict)
        assert list(first) == list(second), where
        for key in first:
            assert_same(first[key], second[key], f"{where}[{key}]")
    else:
        assert repr(first) == repr(second), where


def some_scene(folder: Path) -> Scene:
    """Return a small scene with two meshes, a light, and every kind of thing that files seldom have."""
    body = f'def Mesh "a" {{ {SQUARE} }}\ndef Mesh "b" {{ {CUBE} }}\ndef SphereLight "l" {{ }}'
    scene = load_stage(folder, body)
    angles = np.linspace(0.0, 1.0, 3, dtype=np.float32)
    light = replace(scene.lights[0], ies=0, lit=1, kind=LightKind.DISK, shadow_distance_m=float("inf"))
    material = Material("m", textures={"roughness": TextureInput(0, 2, (1.0,) * 4, (0.0,) * 4, (1.0,) * 6, 1)})
    return replace(
        scene,
        lights=(light,),
        ies=(IesProfile("i", angles, angles, np.ones((3, 3), np.float32)),),
        link_sets=np.array([[True, False], [False, True]]),
        materials=(*scene.materials, replace(material, textures={})),
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_scene_comes_back_bit_for_bit(shared_dir: Path, tmp_path: Path, name: str) -> None:
    """Real scenes, through the file: meshes, textures, instances, labels, lights, notes."""
    scene = load_scene(shared_dir / "usd" / name)
    write_tensors(tmp_path / "scene.safetensors", scene_to_arrays(scene), {})
    read = parse_tensors(file_buffer(tmp_path / "scene.safetensors")).arrays
    check_scene(scene, read)
    assert_same(scene_from_arrays(read), scene)


def test_rare_fields_come_back_too(tmp_path: Path) -> None:
    """Photometric profiles, link sets, infinite distances, textures of one input."""
    scene = some_scene(tmp_path)
    arrays = scene_to_arrays(scene)
    check_scene(scene, arrays)
    assert_same(scene_from_arrays(arrays), scene)


def test_no_field_of_the_model_is_left_out(tmp_path: Path) -> None:
    """Every field of every dataclass of the model is a column."""
    names = set(scene_to_arrays(some_scene(tmp_path)))
    for kind, prefix in ((Scene, "scene."), (Light, "scene.lights[]."), (Material, "scene.materials[].")):
        for field in dataclasses.fields(kind):
            assert any(name.startswith(prefix + field.name) for name in names), field.name


def test_a_type_that_is_not_understood_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field of a new type raises where it would otherwise be forgotten."""

    @dataclass(frozen=True)
    class Strange:
        value: set[int]

    monkeypatch.setattr(module, "_hints", lambda kind: (("value", set[int]),))
    with pytest.raises(TypeError, match="cannot be stored"):
        module._put({}, "strange", Strange, [Strange({1})])


def test_an_array_of_the_wrong_type_is_refused(tmp_path: Path) -> None:
    """What the model says is what is stored: a float64 where it says float32 is a mistake of ours."""
    scene = some_scene(tmp_path)
    mesh = replace(scene.meshes[0], points_m=scene.meshes[0].points_m.astype(np.float64))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="points_m"):
        scene_to_arrays(replace(scene, meshes=(mesh,)))


def test_arrays_that_two_objects_share_are_stored_once(tmp_path: Path) -> None:
    """The pixels of one image behind two textures are one array, before and after."""
    scene = some_scene(tmp_path)
    mesh = scene.meshes[0]
    arrays = scene_to_arrays(replace(scene, meshes=(mesh, mesh)))
    assert len(arrays["scene.meshes[].points_m"]) == len(mesh.points_m)
    first, second = scene_from_arrays(arrays).meshes
    assert first.points_m is second.points_m


def test_what_is_read_cannot_be_written_to(tmp_path: Path) -> None:
    """Arrays are views of the file: nobody may change a cached scene by accident."""
    write_tensors(tmp_path / "a", scene_to_arrays(some_scene(tmp_path)), {})
    scene = scene_from_arrays(parse_tensors(file_buffer(tmp_path / "a")).arrays)
    with pytest.raises(ValueError, match="read-only"):
        scene.meshes[0].points_m[0] = 0.0


def test_every_damaged_byte_is_found(tmp_path: Path) -> None:
    """One bit anywhere in the file, in the header or in the arrays, and any length that is missing."""
    file = tmp_path / "a"
    write_tensors(file, scene_to_arrays(some_scene(tmp_path)), {"key": "value"})
    data = file.read_bytes()
    draw = np.random.default_rng(1)
    for place in [0, 3, 8, 9, len(data) - 1, *draw.integers(0, len(data), 200).tolist()]:
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(draw.integers(8))
        with pytest.raises(TensorFileError):
            parse_tensors(memoryview(damaged))
    for length in (0, 7, 100, len(data) - 1):
        with pytest.raises(TensorFileError):
            parse_tensors(memoryview(data[:length]))


BROKEN = {  # column, and what a hostile child might put there
    "triangles beyond the points": ("scene.meshes[].triangle", lambda array: array + 1000),
    "negative triangles": ("scene.meshes[].triangle", lambda array: array - 1),
    "points that are not finite": ("scene.meshes[].points_m", lambda array: array * np.float32(np.nan)),
    "meshes that are not there": ("scene.placements.mesh", lambda array: array + 7),
    "instances that are not there": ("scene.placements.instance", lambda array: array + 7),
    "materials that are not there": ("scene.placements.slot_material", lambda array: array + 99),
    "slots that are not there": ("scene.placements.first_slot", lambda array: array + 99),
    "places that are not finite": ("scene.placements.world_from_mesh", lambda array: array * np.inf),
    "classes that are not there": ("scene.instances.class_id", lambda array: array + 5),
    "ends beyond the array": ("scene.meshes[].points_m/end", lambda array: array + 1),
    "arrays that are not there": ("scene.meshes[].points_m/of", lambda array: array + 50),
    "counts that are not those": ("scene.meshes/count", lambda array: array + 1),
    "names that are no text": ("scene.meshes[].name", lambda array: np.frombuffer(b"[1,2]", np.uint8)),
    "names that are no JSON": ("scene.meshes[].name", lambda array: np.frombuffer(b"\xff[", np.uint8)),
    "doubles for floats": ("scene.meshes[].points_m", lambda array: array.astype(np.float64)),
    "a kind of light that there is not": ("scene.lights[].kind", lambda array: np.frombuffer(b"[77]", np.uint8)),
    "a profile that is not there": ("scene.lights[].ies", lambda array: np.frombuffer(b"[9]", np.uint8)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_arrays_that_cannot_be_drawn_are_refused(tmp_path: Path, name: str) -> None:
    """What a child process hands over is looked at before the renderer trusts it."""
    column, change = BROKEN[name]
    arrays: Arrays = dict(scene_to_arrays(some_scene(tmp_path)))
    with np.errstate(invalid="ignore"):
        arrays[column] = change(arrays[column])
    with pytest.raises(ArraysError):
        check_scene(scene_from_arrays(arrays), arrays)


@pytest.mark.judge
def test_the_file_is_what_the_safetensors_library_reads(tmp_path: Path) -> None:
    """Independent reader: the same arrays under the same names."""
    from safetensors.numpy import load_file

    arrays = scene_to_arrays(some_scene(tmp_path))
    write_tensors(tmp_path / "a.safetensors", arrays, {})
    read: dict[str, NDArray[np.generic]] = load_file(tmp_path / "a.safetensors")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(read[name], array)


def test_arrays_declared_by_an_alias_are_arrays() -> None:
    """NumPy 2.5 declares `NDArray[T]` by a `type` statement, which hides the class that it stands for."""

    class Alias:
        __value__ = NDArray

    hint = types.GenericAlias(Alias, (np.float32,))
    assert module._dtype(hint) == module._dtype(NDArray[np.float32]) == np.float32
