"""The cache of scenes: what it finds is what would be read, and what changed is read again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.scene import Scene, SceneError, SceneOptions, load_scene
from engine.scene import load as module
from engine.scene.store.cache import PARTIAL, cache_folder
from engine.write.encode import encode_png
from tests.engine.scene_stage import CUBE, SQUARE, write_stage
from tests.engine.test_scene_arrays import assert_same

OPTIONS = SceneOptions(cache=True, sandbox="false")
PART = f'#usda 1.0\n(\n    defaultPrim = "m"\n)\ndef Mesh "m" {{\n {SQUARE}\n}}\n'


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("OMMATIDIA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The stages that were really read."""
    seen: list[Path] = []
    read = module.read_scene
    monkeypatch.setattr(module, "read_scene", lambda path, options: (seen.append(path), read(path, options))[1])
    return seen


def scene_with_parts(folder: Path) -> Path:
    """Write a stage that needs a layer, a texture and a class list, and looks for two files in vain."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part.usda").write_text(PART)
    (folder / "sky.png").write_bytes(encode_png(np.zeros((2, 4, 3), np.uint8)))
    (folder / "taxonomy.json").write_text('{"schema": "taxonomy/1", "classes": [{"id": 3, "key": "box"}]}')
    body = """
        def "a" (references = @./part.usda@) { }
        def "b" (references = @./gone.usda@) { }
        def DomeLight "sky" { asset inputs:texture:file = @./sky.png@ }
        def DomeLight "night" { asset inputs:texture:file = @./night.png@ }
    """
    return write_stage(folder, body.replace("(references", "(\nreferences").replace("@) {", "@\n) {"))


def test_a_second_load_reads_no_stage_and_is_equal(tmp_path: Path, cache: Path, reads: list[Path]) -> None:
    """Bit for bit, load report included."""
    path = scene_with_parts(tmp_path / "scene")
    first, second = load_scene(path, OPTIONS), load_scene(path, OPTIONS)
    assert len(reads) == 1
    assert_same(second, first)
    assert [note.level for note in first.notes].count("error") >= 2


def edited(name: str, content: bytes) -> Callable[[Path], None]:
    """Return what writes a file of the scene."""
    return lambda folder: (folder / name).write_bytes(content) and None


CHANGES = {
    "the root layer": lambda folder: (folder / "scene.usda").write_text(
        (folder / "scene.usda").read_text().replace('"a"', '"c"')
    ),
    "a referenced layer": edited("part.usda", PART.replace("(1, 1, 0)", "(1, 2, 0)").encode()),
    "a texture": edited("sky.png", encode_png(np.full((2, 4, 3), 9, np.uint8))),
    "a texture that was missing": edited("night.png", encode_png(np.zeros((2, 4, 3), np.uint8))),
    "a layer that was missing": edited("gone.usda", PART.encode()),
    "the class list": edited("taxonomy.json", b'{"schema": "taxonomy/1", "classes": [{"id": 4, "key": "box"}]}'),
    "a layer that is gone": lambda folder: (folder / "part.usda").unlink(),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_any_file_is_seen(tmp_path: Path, cache: Path, reads: list[Path], what: str) -> None:
    """The scene is what a fresh load gives, even if size and time of the file stay."""
    folder = tmp_path / "scene"
    path = scene_with_parts(folder)
    load_scene(path, OPTIONS)
    before = {file: file.stat() for file in folder.iterdir()}
    CHANGES[what](folder)
    for file, about in before.items():
        if file.exists():
            os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    again = load_scene(path, OPTIONS)
    assert len(reads) == 2
    assert_same(again, load_scene(path, replace(OPTIONS, cache=False)))


def test_options_that_change_the_scene_are_part_of_the_key(tmp_path: Path, cache: Path, reads: list[Path]) -> None:
    """Every option does, but for those that say how a scene is loaded."""
    path = scene_with_parts(tmp_path / "scene")
    other = tmp_path / "other.json"
    other.write_text('{"schema": "taxonomy/1", "classes": []}')
    changed = [
        OPTIONS,
        replace(OPTIONS, time=1.0),
        replace(OPTIONS, purposes=("default",)),
        replace(OPTIONS, subdivision_level=1),
        replace(OPTIONS, class_map={"/a": "box"}),
        replace(OPTIONS, taxonomy=other),
    ]
    for options in changed:
        load_scene(path, options)
    assert len(reads) == len(changed)
    load_scene(path, replace(OPTIONS, sandbox_seconds=9.0, cache_gib=1.0, trusted_roots=(tmp_path,)))
    assert len(reads) == len(changed)


def test_a_copy_of_the_folder_finds_the_same_entry(tmp_path: Path, cache: Path, reads: list[Path]) -> None:
    """Paths are relative to the root layer: another checkout, another machine with a shared cache."""
    first = load_scene(scene_with_parts(tmp_path / "one"), OPTIONS)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    second = load_scene(tmp_path / "two" / "scene.usda", OPTIONS)
    assert len(reads) == 1
    assert second.source == tmp_path / "two" / "scene.usda"
    assert_same(replace(second, source=first.source), first)


def test_equal_root_layers_beside_other_parts_are_other_scenes(tmp_path: Path, cache: Path, reads: list[Path]) -> None:
    """The key is the same, the files are not; both entries live beside each other."""
    one, two = scene_with_parts(tmp_path / "one"), scene_with_parts(tmp_path / "two")
    (tmp_path / "two" / "part.usda").write_text(PART.replace("(1, 1, 0)", "(1, 5, 0)"))
    for _ in range(2):
        assert load_scene(one, OPTIONS).meshes[0].points_m.max() == 1.0
        assert load_scene(two, OPTIONS).meshes[0].points_m.max() == 5.0
    assert len(reads) == 2


def test_the_roots_of_now_decide(tmp_path: Path, cache: Path) -> None:
    """An entry made while a folder was allowed is not a way around that it no longer is."""
    inside, outside = tmp_path / "scene", tmp_path / "elsewhere"
    for folder in (inside, outside):
        folder.mkdir()
    (outside / "part.usda").write_text(PART)
    path = write_stage(inside, 'def "a" (\nreferences = @../elsewhere/part.usda@\n) { }')
    load_scene(path, replace(OPTIONS, roots=(outside,)))
    with pytest.raises(SceneError, match="outside the scene's folder"):
        load_scene(path, replace(OPTIONS, roots=(inside,)))


@pytest.mark.parametrize("damage", ["bit", "cut", "empty"])
def test_a_damaged_entry_is_made_again_and_said(tmp_path: Path, cache: Path, reads: list[Path], damage: str) -> None:
    """A disk that rots costs one load and leaves one line."""
    path = scene_with_parts(tmp_path / "scene")
    first = load_scene(path, OPTIONS)
    (entry,) = cache.iterdir()
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 1
    entry.write_bytes({"bit": bytes(data), "cut": bytes(data[: len(data) // 2]), "empty": b""}[damage])
    again = load_scene(path, OPTIONS)
    assert len(reads) == 2
    assert [note.what for note in again.notes if note.prim == "cache"]
    assert_same(replace(again, notes=first.notes), first)
    assert_same(load_scene(path, OPTIONS), first)
    assert len(reads) == 2


def test_the_cache_is_bounded(tmp_path: Path, cache: Path) -> None:
    """What was not used for longest goes first; partial files of processes that died go too."""
    paths = [scene_with_parts(tmp_path / name) for name in ("a", "b", "c")]
    for number, path in enumerate(paths):  # scenes that differ
        (path.parent / "part.usda").write_text(PART.replace("(1, 1, 0)", f"(1, {number + 2}, 0)"))
    load_scene(paths[0], OPTIONS)
    (entry,) = cache.iterdir()
    size = entry.stat().st_size
    left = cache / f"x{PARTIAL}"
    left.write_bytes(b"x")
    os.utime(left, (time.time() - 7200.0,) * 2)
    two = replace(OPTIONS, cache_gib=2.5 * size / 2**30)
    load_scene(paths[1], two)
    os.utime(entry, (1.0, 1.0))
    load_scene(paths[2], two)
    assert not entry.exists()
    assert not left.exists()
    assert len(list(cache.iterdir())) == 2


def test_many_at_once_get_the_same(tmp_path: Path, cache: Path) -> None:
    """Several loads of one scene share an entry and leave nothing behind."""
    path = scene_with_parts(tmp_path / "scene")
    load_scene(path, OPTIONS)
    for entry in cache.iterdir():
        entry.unlink()
    with ThreadPoolExecutor(4) as pool:
        scenes: list[Scene] = list(pool.map(lambda _: load_scene(path, OPTIONS), range(8)))
    for scene in scenes[1:]:
        assert_same(scene, scenes[0])
    assert len(list(cache.iterdir())) == 1


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full or foreign disk is a line of the load report."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("OMMATIDIA_CACHE", str(tmp_path / "file" / "below"))
    scene = load_scene(scene_with_parts(tmp_path / "scene"), OPTIONS)
    assert any(note.prim == "cache" and "not kept" in note.what for note in scene.notes)


def test_a_scene_larger_than_the_cache_is_not_kept(tmp_path: Path, cache: Path) -> None:
    """It would push out everything else; the load report says what to raise."""
    scene = load_scene(scene_with_parts(tmp_path / "scene"), replace(OPTIONS, cache_gib=1e-6))
    assert not cache.exists()
    assert any("raise scene.cache_gib" in note.what for note in scene.notes)


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OMMATIDIA_CACHE` names it, empty means none, else the user's cache folder has it."""
    monkeypatch.setenv("OMMATIDIA_CACHE", "/data/cache")
    assert cache_folder() == Path("/data/cache")
    monkeypatch.setenv("OMMATIDIA_CACHE", "")
    assert cache_folder() is None
    monkeypatch.delenv("OMMATIDIA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/ommatidia/scenes")


def test_a_cached_scene_is_neither_read_nor_subdivided(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meshes that subdivide come from the cache as they are. bench/load.py says how much faster that is."""
    body = "".join(f'def Mesh "m{i}" {{ {CUBE.replace("-1, -1", f"-{i + 1}, -1")} }}\n' for i in range(30))
    path = write_stage(tmp_path, body)
    first = load_scene(path, OPTIONS)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the stage is read again")

    monkeypatch.setattr("engine.scene.load.read_scene", refuse)
    monkeypatch.setattr("engine.scene.usd.scene.build_scene", refuse)
    again = load_scene(path, OPTIONS)
    assert len(again.meshes) == len(first.meshes) == 30
    for one, two in zip(first.meshes, again.meshes, strict=True):
        np.testing.assert_array_equal(one.points_m, two.points_m)
    path.write_text(path.read_text(encoding="utf-8").replace("m29", "n29"), encoding="utf-8")
    with pytest.raises(AssertionError, match="read again"):
        load_scene(path, OPTIONS)
