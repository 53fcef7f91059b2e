"""Configuration: what Hydra composes becomes a recipe and a job, or one line that says what is known."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from engine.config import compose
from engine.errors import UserError
from engine.recipe import Breadth
from tests.contract.source import ROOT

SUN = "randomize=[dusk_lights]"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own folder: my_conf/scene/mine.yaml beside its stage; it is also the working folder."""
    folder = tmp_path / "my_conf" / "scene"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("usd: mine.usda\nrig: {exposure_ev: 1.5}\n")
    (folder / "mine.usda").write_text('#usda 1.0\ndef Xform "World" {}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(*overrides: str):
    return compose("+scene=mine", *overrides, config_dir="my_conf")


def test_a_scene_of_your_own_is_one_yaml(mine: Path):
    """Its USD file is found beside the yaml, its name is that of the yaml, and its rig fills what rig leaves open."""
    recipe, job = made()
    assert (recipe.scene.name, recipe.scene.usd) == ("mine", "mine.usda")
    assert job.usd == (mine / "my_conf/scene/mine.usda").resolve()
    assert (recipe.rig.exposure_ev, recipe.rig.width, recipe.rig.cameras) == (1.5, 640, ("auto",))
    assert (job.count, job.out, job.worlds) == (64, None, None)
    assert made("rig.exposure_ev=-1")[0].rig.exposure_ev == -1.0


def test_a_usd_path_is_looked_for_beside_the_yaml_then_here(mine: Path):
    here = mine / "here.usda"
    shutil.copy(mine / "my_conf/scene/mine.usda", here)
    assert made("scene.usd=here.usda")[1].usd == here
    shutil.copy(here, mine / "my_conf/scene/here.usda")
    assert made("scene.usd=here.usda")[1].usd == mine / "my_conf/scene/here.usda"
    recipe, job = made(f"scene.usd={here}")
    assert (recipe.scene.usd, job.usd) == ("here.usda", here)


def test_a_moved_folder_has_the_same_id(mine: Path, monkeypatch: pytest.MonkeyPatch):
    before = made(SUN)[0].id
    shutil.copytree(mine / "my_conf", mine / "elsewhere" / "my_conf")
    monkeypatch.chdir(mine / "elsewhere")
    assert made(SUN)[0].id == before
    assert made(SUN, f"scene.usd={mine}/elsewhere/my_conf/scene/mine.usda")[0].id == before


@pytest.mark.parametrize(
    "override",
    ["count=3", "worlds=[17]", "device=cpu", "batch=5", "workers=4", "shard_worlds=3", "out=/data/x"],
)
def test_what_the_job_says_leaves_the_id(mine: Path, override: str):
    recipe, job = made(override)
    reference, reference_job = made()
    assert recipe.id == reference.id
    assert job != reference_job


@pytest.mark.parametrize(
    "override",
    ["seed=1", "rig=preview", "recipe=geometry", "dr=narrow", SUN, "write=lossless", "rig.spp=5", "scene.time=2"],
)
def test_what_the_recipe_says_changes_the_id(mine: Path, override: str):
    assert made(override)[0].id != made()[0].id


def test_overrides_are_recorded_but_spelling_does_not_matter(mine: Path):
    """Two ways to say the same thing are one recipe."""
    first, job = made("recipe=still")
    assert job.overrides == ("+scene=mine", "recipe=still")
    assert first == made("dr.breadth=0")[0]
    assert first.dr == made("dr=off")[0].dr == Breadth(0.0)


def test_recorded_overrides_say_nothing_of_the_machine(mine: Path):
    """Whoever makes the dataset, and wherever: the record is the same. Prim paths in lists are absolute paths too."""
    here = mine / "my_conf/scene/mine.usda"
    _, job = made(
        f"out={mine}/data",
        "worker=1",
        "workers=2",
        "device=cpu",
        "batch=3",
        f"scene.usd={here}",
        "hydra.run.dir=.",
        f"+scene.class_map.box='{mine}/x'",
        f"+scene.class_map.lid=file:{mine}/x",
        f"rig.cameras=[{mine}/x]",
        "count=3",
        "seed=4",
    )
    assert job.overrides == ("+scene=mine", "count=3", "seed=4")
    assert (job.worker, job.workers, job.device, job.batch, job.count) == (1, 2, "cpu", 3, 3)


def test_a_recipe_holds_every_parameter_written_out(mine: Path):
    """Of randomisers and writers, so that a later default cannot change what an old recipe means."""
    recipe, _ = made(SUN)
    assert recipe.randomize == {
        "dusk_lights": {
            "kind": "sun_angle",
            "per": "world",
            "lights": "*",
            "azimuth_deg": {"law": "uniform", "low": 0.0, "high": 360.0},
            "elevation_deg": {"law": "uniform", "low": 2.0, "high": 12.0},
        }
    }
    assert recipe.write["coco"] == {"kind": "coco", "min_area_px": 1}


def test_outputs_are_what_the_writers_need(mine: Path):
    assert made()[0].outputs == ("rgb", "depth", "instance")
    assert made("recipe=geometry")[0].outputs == ("depth", "normal", "instance")
    assert made("outputs=[normal,rgb,depth,instance]")[0].outputs == ("normal", "rgb", "depth", "instance")


def test_a_randomizer_replaces_or_removes_that_of_the_scene(mine: Path):
    yaml = mine / "my_conf/scene/mine.yaml"
    yaml.write_text(
        "usd: mine.usda\nrandomize:\n  dim: {kind: ambient_scale, stops: -1}\n  sky: {kind: ambient_scale, stops: 2}\n"
    )
    assert made()[0].randomize["dim"] == {"kind": "ambient_scale", "per": "world", "stops": -1.0}
    assert made("scene.randomize.dim.stops=-3")[0].randomize["dim"]["stops"] == -3.0
    assert set(made("scene.randomize.dim=null")[0].randomize) == {"sky"}
    assert set(made("~scene.randomize.dim")[0].randomize) == {"sky"}
    assert set(made("+randomize.dim=null")[0].randomize) == {"sky"}
    assert made("+randomize.dim={kind:ambient_scale,stops:5}")[0].randomize["dim"]["stops"] == 5.0


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["cout=3"], "unknown key 'cout'; did you mean count? known keys: scene, rig, "),
        (["+cout=3"], "unknown key 'cout'; did you mean count? known keys: scene, rig, "),
        (
            ["nn=3"],
            "unknown key 'nn'; known keys: scene, rig, randomize, sensor, dr, laws, labels, outputs, write, seed, ",
        ),
        (
            ["rig.widht=3"],
            "unknown key 'rig.widht'; did you mean width? known keys of rig: cameras, width, height, steps, ",
        ),
        (["+rig.widht=3"], "rig: unknown key 'widht'; known keys: cameras, width, height, steps, "),
        (
            ["+nn=3"],
            "unknown key 'nn'; known keys: scene, rig, randomize, sensor, dr, laws, labels, outputs, write, seed, ",
        ),
        (["+assets=[]"], "unknown key 'assets'; known keys: scene, rig, "),
        (["+scene.rig.fov=3"], "unknown key 'scene.rig.fov'; known keys: cameras, steps, exposure_ev, "),
        (["scene.usdd=x"], "unknown key 'scene.usdd'; did you mean usd? known keys of scene: name, usd, time, "),
        (["count=abc"], "count: 'abc' is not a whole number"),
        (["rig.width=wide"], "rig.width: 'wide' is not a whole number"),
        (["rig.cameras=x"], "rig.cameras needs a list such as [auto]"),
        (["worlds=5"], "worlds needs a list such as [17]"),
        (["count=null"], "count: null is no value for it"),
        (["scene.class_map=3"], "scene.class_map needs a mapping such as {a: b}"),
        (["=x"], "an override has no key in front of its '='; write key=value"),
        (["foo"], "'foo' is not an override; write key=value"),
        (["+scene=tabletop"], "scene is chosen twice; keep one of the two"),
        (["rig=7"], "a choice is the name of a file in conf/, such as rig=square"),
        (["count=0"], "count must be in 1..100000000, got 0"),
        (["count=4294967295"], "count must be in 1..100000000, got 4294967295"),
        (["rig.width=0"], "rig: width must be in 1..32768, got 0"),
        (["rig.height=99999"], "rig: height must be in 1..32768, got 99999"),
        (["seed=-1"], "seed must be in 0..9007199254740991, got -1"),
        (["worker=2"], "worker must be in 0..0 (workers=1), got 2"),
        (["device=gpu0"], "device must be auto, cpu, all or cuda:N, got 'gpu0'"),
        (["dr=huge"], "unknown dr 'huge'; known: narrow, off, wide"),
        (["rig.quality=best"], "rig.quality: 'best' is not one of: labels, direct"),
        (["quality=labels"], "quality=labels computes no light, but rgb is asked for; take recipe=geometry or"),
        (["outputs=[rgb,dept]", "write=geometry"], "write.depth needs the output depth"),
        (["write.images.quality=300"], "write.images: quality must be in 1..100, got 300"),
        (["+write.x.kind=cocoo"], "write.x: unknown writer kind 'cocoo'; known kinds: albedo, "),
        (["+randomize.x.kind=sun"], "randomize.x: unknown kind 'sun'; known kinds: advance, "),
        (["+randomize.x=3"], "randomize.x: needs a mapping with a kind, one of: advance, "),
        (
            [SUN, "randomize.dusk_lights.elevation_deg=95"],
            "randomize.dusk_lights: elevation_deg must stay in [-90, 90]",
        ),
        ([SUN, "randomize.dusk_lights.per=frame"], "randomize.dusk_lights.per: 'frame' is not one of: world, step"),
        ([SUN, "~randomize.dusk_lights.lights"], "randomize.dusk_lights: missing key 'lights'; known keys: lights, "),
        (["scene.usd=gone.usda"], "scene 'mine': no file "),
        (["cluster=cloud"], "unknown cluster 'cloud'; known: local, slurm"),
        (["a=b=c"], "mismatched input '='"),
    ],
)
def test_a_wrong_line_is_answered_in_one_line(mine: Path, overrides: list[str], line: str):
    with pytest.raises(UserError) as caught:
        made(*overrides)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_missing_or_unknown_scene_lists_the_scenes(mine: Path):
    """Yours and the shipped ones."""
    with pytest.raises(UserError, match=r"no scene chosen; add \+scene=NAME, one of: .*\bmine\b.*\bwarehouse\b"):
        compose(config_dir="my_conf")
    with pytest.raises(UserError, match=r"unknown scene 'moon'; known: .*\bmine\b.*\bwarehouse\b"):
        compose("+scene=moon", config_dir="my_conf")


@pytest.mark.parametrize(
    "override",
    [
        "+randomize.x._target_=os.system",
        "+randomize.x={kind:sun_angle,lights:{_target_:builtins.open}}",
        "+write.x=[{_target_:os.system}]",
        "+scene.class_map._target_=os.system",
        "+scene.randomize.x._partial_=true",
    ],
)
def test_nothing_in_a_configuration_names_a_callable(mine: Path, override: str):
    with pytest.raises(UserError, match=r"nothing in a configuration is executed"):
        made(override)


@pytest.mark.parametrize(
    "overrides",
    [
        ["scene.name=${oc.env:CANARY}"],
        ["+scene.class_map.a=x-${oc.env:CANARY}"],
        ["+randomize.x={kind:ambient_scale,stops:'${oc.env:CANARY}'}"],
        ["+randomize.x={kind:'${scene.name}${oc.env:CANARY}',stops:1}"],
        ["out=/data/${oc.env:CANARY}", "scene.name=${out}"],
        ["scene.taxonomy=oc.env", "+scene.class_map.a='${${scene.taxonomy}:CANARY}'"],
        ["+randomize.x={kind:ambient_scale,stops:'${oc.decode:${oc.env:CANARY}}'}"],
    ],
)
def test_a_secret_of_the_environment_cannot_enter_a_recipe(
    mine: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str]
):
    monkeypatch.setenv("CANARY", "sesame")
    with pytest.raises(UserError, match=r"a recipe (may not hold|can only refer to its own keys)") as caught:
        made(*overrides)
    assert "sesame" not in str(caught.value)


def test_only_the_job_may_ask_the_environment(mine: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CANARY", "sesame")
    recipe, job = made("out=/data/${oc.env:CANARY}/${scene.name}-${seed}")
    assert job.out == Path("/data/sesame/mine-0")
    assert b"sesame" not in recipe.canonical()
    assert "sesame" not in json.dumps(job.overrides)


def test_recipe_keys_may_refer_to_each_other(mine: Path):
    assert made("rig.height=${rig.width}")[0].rig.height == 640
    labels = made("+scene.class_map.box='${scene.name}: x'")[0].scene.class_map
    assert labels == {"box": "mine: x"}  # this colon calls nothing


def test_a_plugin_registers_a_kind_and_is_recorded(mine: Path, monkeypatch: pytest.MonkeyPatch):
    """Only where the environment or the command line names it; a configuration cannot."""
    (mine / "fog_plugin.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from engine.randomize.stage import Stage\n"
        "from engine.registry import RANDOMIZERS\n"
        "@dataclass(frozen=True)\n"
        "class Fog:\n"
        "    STAGE: ClassVar[Stage] = Stage.LIGHT\n"
        "    density: float\n"
        "@RANDOMIZERS.register('fog', Fog)\n"
        "def fog(params, scene, draft, draw):\n"
        "    pass\n"
    )
    with pytest.raises(UserError, match="unknown kind 'fog'"):
        made("+randomize.x={kind:fog,density:2}")
    with pytest.raises(UserError, match="unknown key 'plugins'"):
        made("+plugins=[fog_plugin]")
    monkeypatch.setenv("OMMATIDIA_PLUGINS", "no_such_module")
    with pytest.raises(UserError, match="plug-in 'no_such_module' is not installed and not in the working folder"):
        made()
    monkeypatch.setenv("OMMATIDIA_PLUGINS", "fog_plugin")
    monkeypatch.syspath_prepend(str(mine))
    recipe, _ = made("+randomize.x={kind:fog,density:2}")
    assert recipe.randomize["x"] == {"kind": "fog", "per": "world", "density": 2.0}
    assert recipe.plugins == ("fog_plugin==0",)


def test_a_named_change_reweights_laws_that_stay_as_the_scene_has_them(mine: Path):
    """`base` is the scene's law; columns may be written with their dots, as the index has them."""
    (mine / "my_conf/scene/mine.yaml").write_text(
        "usd: mine.usda\nrandomize:\n  dim: {kind: ambient_scale, stops: {law: uniform, low: -1, high: 1}}\n"
    )
    (mine / "my_conf/recipe").mkdir()
    (mine / "my_conf/recipe/again.yaml").write_text(
        "# @package _global_\nlaws:\n  reweight:\n"
        "    p.dim.stops: {law: mixture, parts: [{weight: 1, law: {law: base}}]}\n"
        "  groups:\n    even: {kind: sobol, keys: [dim.stops]}\n"
    )
    recipe, _ = made("recipe=again")
    base = {"law": "uniform", "low": -1.0, "high": 1.0}
    assert recipe.randomize["dim"]["stops"] == base
    assert recipe.laws.reweight == {"dim.stops": {"law": "mixture", "parts": [{"weight": 1.0, "law": base}]}}
    assert recipe.laws.groups == {"even": {"kind": "sobol", "keys": ["dim.stops"]}}
    assert recipe.id != made()[0].id
    nested = "+laws.reweight.dim.stops={law: mixture, parts: [{weight: 1, law: {law: base}}]}"
    assert made(nested, "+laws.groups.even={kind: sobol, keys: [dim.stops]}")[0].id == recipe.id


def test_the_printed_configuration_ends_with_the_laws_that_hold(mine: Path):
    """Of the scene and of re-weightings, at their breadth; as comments, so that the rest stays YAML."""
    (mine / "my_conf/scene/mine.yaml").write_text(
        "usd: mine.usda\nrandomize:\n  dim: {kind: ambient_scale, stops: {law: uniform, low: -1, high: 1}}\n"
    )
    command = [sys.executable, "-m", "engine.run", "--cfg", "job", "--config-dir", str(mine / "my_conf"), "+scene=mine"]
    command += ["dr.breadth=0.5", "+laws.reweight.dim.stops={law: uniform, low: 2, high: 4}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    comments = [line for line in done.stdout.splitlines() if line.startswith("#")]
    assert comments == [
        "# laws as they are drawn, 0.5 of their breadth: column [unit] law, range",
        "# p.dim.stops [stops] uniform 2 .. 4, [2.5, 3.5]; re-weighted, was uniform -1 .. 1",
    ]
    assert yaml.safe_load(done.stdout)["laws"]["reweight"] == {
        "dim": {"stops": {"law": "uniform", "low": 2, "high": 4}}
    }
