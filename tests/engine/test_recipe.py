"""The recipe: what its id depends on, what it does not, and what a recipe file may say."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import UserError
from engine.keypoints import ClassKeypoints
from engine.optics import LensConfig, Mount
from engine.recipe import (
    NOT_IN_RECIPE,
    AssetRef,
    Breadth,
    Job,
    Laws,
    Parent,
    Recipe,
    Rig,
    SceneConfig,
    default_out,
    with_assets,
    without_assets,
)
from engine.sensors.depth import TimeOfFlightSensor
from engine.sensors.lidar import LidarBeam, LidarDetector, LidarMotion, LidarMount, RosetteLidar
from engine.sensors.model import Chip, Development, Exposure, Lens, Sensor

SENSOR = Sensor(
    Lens(0.5, (-0.1, -0.2, 0.1), 0.9, (1e-3, -1e-3), 1.2, 0.1, 0.2, 2.5),
    Exposure("auto", 2.8, 0.01, 800.0, 50.0, 0.2, -2.0, 4.0),
    Chip(
        1e4,
        200.0,
        2.5,
        8.0,
        0.01,
        1.5,
        1e-3,
        100.0,
        7,
        "rggb",
        ((0.5, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.3, 0.7)),
        12,
        0.05,
    ),
    Development(1.0, 5000.0, True, "malvar", ((1.5, -0.4, -0.1),) * 3, 1.1, 0.9, "filmic", 2.2, 80.0),
)
LENS = LensConfig("kannala_brandt", (0.01, 0.02, 0.03, 0.04), 150.0, None, (320.5, 240.5), 1280.0, 160.0)
MOUNT_LENS = LensConfig("brown_conrady", (0.01, 0.02, 0.03, 0.04), None, (400.0, 410.0), (320.5, 240.5), 1280.0, 160.0)
MOUNTS = {"left": Mount(0.1, 0.2, 0.3, 1.0, 2.0, 3.0, MOUNT_LENS)}
KEYPOINTS = {"box": ClassKeypoints({"a": (0.25, 1.0, 0.5)}, "m", True, 0.1, (("a", "b"),), {"a": 0.1})}
RECIPE = Recipe(
    scene=SceneConfig("dock", "dock.usda", 3.5, ("default", "render"), 2, {"/W/*": "box"}, "taxonomy.json", KEYPOINTS),
    rig=Rig(
        ("/Cams/*",),
        640,
        480,
        1,
        4,
        "direct",
        0.5,
        (0.1, 0.2, 0.3),
        1.5,
        0.4,
        False,
        clamp_radiance=3.0,
        lens=LENS,
        mounts=MOUNTS,
        shutter_s=(-0.01, 0.02),
        shutter_samples=3,
        readout_s=0.01,
    ),
    randomize={
        "sun": {"kind": "sun_angle", "per": "world", "elevation_deg": {"law": "uniform", "low": 2, "high": 12.5}}
    },
    dr=Breadth(1.0),
    outputs=("rgb", "depth", "depth_sensor", "lidar"),
    write={"coco": {"kind": "coco", "min_area_px": 1}},
    seed=7,
    depth_sensor=TimeOfFlightSensor(
        80e6, 10, 2e5, 2e3, 20.0, 1.5e5, 0.6, 150.0, 0.35, 0.1, 1.0, (0.2, 18.0), 1e-3, 0.01
    ),
    lidar=RosetteLidar(
        LidarMount("/Cams/Front", (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), True),
        LidarBeam((0.5, 4.9), 7),
        LidarDetector("dual", 0.75, (1.0, 260.0), 90.0, 0.1, 5.0, 0.02, 0.01, 0.001, 0.05, 0.005),
        LidarMotion((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), "start"),
        *((121.57, -77.73), (9.6, 9.5), 100_000.0, 0.1),
    ),
    assets=(AssetRef("dock.usda", "ab" * 32, 123),),
    taxonomy_id="tax_0123",
    parents=(Parent("slice_report", "ev_77", "dark & low contrast"),),
    sensor=SENSOR,
    laws=Laws(
        {"sun.elevation_deg": {"law": "beta", "alpha": 2.0, "beta": 5.0, "low": 2.0, "high": 12.5}},
        {"even": {"kind": "sobol", "keys": ["sun.elevation_deg"]}},
    ),
    plugins=("my_randomizers==1.0",),
)
OTHER = {
    "m": "box",  # another valid word for each closed choice
    "direct": "labels",
    "rgb": "normal",
    "depth": "instance",
    "dual": "last",
    "start": "middle",
    "auto": "rig",
    "rggb": "bggr",
    "malvar": "bilinear",
    "filmic": "srgb",
    "kannala_brandt": "brown_conrady",
    "brown_conrady": "kannala_brandt",
}
NOT_ALONE = (("outputs", 2), ("outputs", 3), ("depth_sensor", "kind"), ("lidar", "kind"))  # other leaves go with them


def _leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, key))
    elif value is not None:  # of two keys that exclude each other; another lens of the example has the other
        yield path


def _changed(plain: Any, path: tuple) -> Any:
    """Return a copy with one leaf changed to another valid value."""
    plain = copy.deepcopy(plain)
    owner = plain
    for key in path[:-1]:
        owner = owner[key]
    value = owner[path[-1]]
    if isinstance(value, str):
        owner[path[-1]] = OTHER.get(value, f"{value}x")
    elif isinstance(value, bool):
        owner[path[-1]] = not value
    else:
        owner[path[-1]] = value + 2 if isinstance(value, int) else value / 2
    return plain


@pytest.mark.parametrize("path", [p for p in _leaves(RECIPE.to_json()) if p not in (("schema",), *NOT_ALONE)], ids=str)
def test_every_leaf_of_a_recipe_is_in_its_id(path: tuple):
    changed = Recipe.from_json(_changed(RECIPE.to_json(), path))
    assert changed.id != RECIPE.id


def test_every_field_of_a_recipe_is_tried_above():
    """No field is empty or null in the example, at any depth, so the test above leaves none out."""
    assert {path[0] for path in _leaves(RECIPE.to_json())} == {f.name for f in dataclasses.fields(Recipe)}
    sensor = (SENSOR.lens, SENSOR.exposure, SENSOR.chip, SENSOR.develop)
    for part in (RECIPE.scene, RECIPE.rig, RECIPE.dr, RECIPE.assets[0], RECIPE.parents[0], *sensor):
        assert all(value not in (None, (), {}) for value in dataclasses.asdict(part).values())


def test_what_the_id_leaves_out_is_the_job_and_the_program():
    """The list in the code names every field of Job, so a new one must be placed on one side or the other."""
    assert {f.name for f in dataclasses.fields(Job)} | {"engine"} == set(NOT_IN_RECIPE)
    assert not {f.name for f in dataclasses.fields(Recipe)} & set(NOT_IN_RECIPE)


def test_the_id_is_the_hash_of_the_canonical_json():
    """Against the standard library: sorted keys, no spaces, whole numbers without a point."""

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: whole(item) for key, item in value.items()}
        if isinstance(value, list):
            return [whole(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    text = json.dumps(whole(RECIPE.to_json()), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert RECIPE.canonical() == text.encode()
    assert RECIPE.id == hashlib.sha256(text.encode()).hexdigest()


def test_a_recipe_comes_back_from_its_file(tmp_path: Path):
    """Whatever the order of its keys and the spelling of its numbers."""
    shuffled = dict(reversed(RECIPE.to_json().items()))
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(shuffled, indent=3))
    assert Recipe.read(file) == RECIPE
    assert Recipe.from_json(json.loads(RECIPE.canonical())).id == RECIPE.id


def test_loading_a_scene_fills_assets_and_taxonomy():
    """Sorted by path, whatever order the loader found them in; and taken out again."""
    assets = [SimpleNamespace(path=p, sha256=p * 8, bytes=1) for p in ("b", "a")]
    bare = without_assets(RECIPE)
    filled = with_assets(bare, SimpleNamespace(assets=assets, taxonomy=SimpleNamespace(id="tax_9")))
    assert [asset.path for asset in filled.assets] == ["a", "b"]
    assert filled.taxonomy_id == "tax_9"
    assert without_assets(filled) == bare
    assert filled.id != bare.id


def test_the_default_folder_is_named_by_scene_and_id():
    assert default_out(RECIPE) == Path("out") / f"dock-{RECIPE.id[:8]}"
    with pytest.raises(ValueError, match="with_assets"):
        default_out(without_assets(RECIPE))


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("rig", "widht"), 3, "recipe.rig: unknown key 'widht'; known keys: cameras, width, height, steps, spp, "),
        (("colour",), 3, "recipe: unknown key 'colour'; known keys: scene, rig, randomize, dr, outputs, write, seed, "),
        (("rig", "width"), 0, "recipe.rig: width must be in 1..32768, got 0"),
        (("rig", "width"), 40000, "recipe.rig: width must be in 1..32768, got 40000"),
        (("rig", "width"), 640.5, "recipe.rig.width: expected a whole number, got 640.5"),
        (("rig", "width"), True, "recipe.rig.width: expected a whole number, got True"),
        (("rig", "quality"), "best", "recipe.rig.quality: 'best' is not one of: labels, direct"),
        (("rig", "cameras"), "/A", "recipe.rig.cameras: expected a list, got '/A'"),
        (("rig", "ambient_radiance"), [1, 2], "recipe.rig.ambient_radiance: expected 3 values, got 2"),
        (("outputs",), ["rgb", "rgb"], "recipe: outputs names one twice: rgb, rgb"),
        (("outputs",), [], "recipe: outputs is empty; name at least one of rgb, depth, normal, instance"),
        (("seed",), -1, "recipe: seed must be in 0..9007199254740991, got -1"),
        (("seed",), 2**53, "recipe.seed: 9007199254740992 is beyond 2^53 - 1"),
        (
            ("scene", "usd"),
            "../dock.usda",
            "recipe.scene: '../dock.usda' must be a relative path with / and without ..",
        ),
        (("scene", "usd"), "/data/dock.usda", "recipe.scene: '/data/dock.usda' must be a relative path"),
        (("scene", "name"), "a/b", "recipe.scene: name: 'a/b' is not a name; use up to 64 letters, digits, _ and -"),
        (("dr", "breadth"), 1.5, "recipe.dr: breadth must be in 0.0..1.0, got 1.5"),
        (("randomize", "sun"), {}, "recipe: randomize.sun has no kind"),
        (("schema",), "recipe/9", "recipe.schema: 'recipe/9' is not one of: recipe/1"),
    ],
)
def test_a_wrong_recipe_is_one_line_with_the_path(path: tuple, value: Any, line: str):
    plain = RECIPE.to_json()
    owner = plain
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    with pytest.raises(UserError) as caught:
        Recipe.from_json(plain)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"schema": "recipe/1"}', "[]", "\x00"])
def test_a_broken_recipe_file_is_one_line(tmp_path: Path, text: str):
    file = tmp_path / "recipe.json"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        Recipe.read(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"count": 0}, "count must be in 1..100000000, got 0"),
        ({"count": 2**33}, "count must be in 1..100000000"),
        ({"batch": -1}, "batch must be in 0.."),
        ({"worker": 4, "workers": 4}, r"worker must be in 0..3 \(workers=4\), got 4"),
        ({"worker": -1}, "worker must be in 0..0"),
        ({"device": "gpu"}, "device must be auto, cpu, all or cuda:N, got 'gpu'"),
        ({"device": "cuda:"}, "device must be"),
        ({"worlds": ()}, "worlds is an empty list"),
        ({"worlds": (3, 3)}, "worlds names a world twice"),
        ({"worlds": (-1,)}, "worlds must be in 0.."),
        ({"shard_worlds": 0}, "shard_worlds must be in 1.."),
    ],
)
def test_a_job_that_cannot_be_is_refused(changes: dict, line: str):
    job = Job(None, Path("dock.usda"), 64, None, "auto", 0, 0, 1, 16)
    with pytest.raises(ValueError, match=line):
        dataclasses.replace(job, **changes)


def test_a_job_makes_its_count_or_only_the_named_worlds():
    job = Job(None, Path("dock.usda"), 3, None, "cuda:12", 0, 0, 1, 16)
    assert list(job.world_ids()) == [0, 1, 2]
    assert list(dataclasses.replace(job, worlds=(17, 4)).world_ids()) == [4, 17]
