"""The main job, end to end: a dataset is its recipe and its worlds, however they were made."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as parquet
import pytest
from pxr import Gf, Usd, UsdGeom
from pycocotools.coco import COCO

import engine
from engine.dataset.__main__ import main as dataset_main
from engine.factory import Made
from engine.recipe import Job, Recipe
from tests.contract.source import ROOT
from tests.contract.test_readme import block

WORLDS = 6
SMALL = ("+scene=tabletop", f"count={WORLDS}", "rig.width=64", "rig.height=48", "device=cpu")


def make(out: Path, *overrides: str, workers: int = 1) -> Made:
    """Make the small dataset, every worker's part in turn, last worker first."""
    made = None
    for worker in reversed(range(workers)):
        recipe, job = engine.compose(*SMALL, f"out={out}", f"worker={worker}", f"workers={workers}", *overrides)
        made = engine.generate(recipe, job)
    assert made is not None
    return made


def content(out: Path) -> dict[str, bytes]:
    """Return all files that make the dataset what it is, by path."""
    folders = ("images", "depth", "masks", "index", "labels")
    files = [file for folder in folders for file in sorted((out / folder).rglob("*")) if file.is_file()]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset as the defaults make it."""
    return make(tmp_path_factory.mktemp("reference") / "out").out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "workers"),
    [
        (("batch=1", "shard_worlds=1"), 1),
        (("batch=4", "shard_worlds=5"), 1),
        (("batch=64",), 1),
        (("shard_worlds=2",), 2),
    ],
    ids=["batch 1", "batch 4", "batch 64", "two workers"],
)
def test_batches_shards_and_workers_change_no_byte(
    reference: Path, tmp_path: Path, overrides: tuple[str, ...], workers: int
) -> None:
    made = make(tmp_path / "out", *overrides, workers=workers)
    assert content(made.out) == content(reference)
    assert made.manifest is not None
    assert made.manifest.dataset_id == dataset_id(reference)


def test_threads_change_no_byte(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))
    assert content(make(tmp_path / "out").out) == content(reference)


def test_a_world_alone_is_the_world_among_others(reference: Path, tmp_path: Path) -> None:
    alone = content(make(tmp_path / "out", "worlds=[3]").out)
    frames = {path: data for path, data in alone.items() if path.startswith(("images", "depth", "masks"))}
    assert len(frames) == 4
    assert frames.items() <= content(reference).items()


def test_a_larger_count_extends_a_dataset(reference: Path, tmp_path: Path) -> None:
    make(tmp_path / "out", "count=2", "shard_worlds=4")
    assert content(make(tmp_path / "out", "shard_worlds=4").out) == content(reference)


def test_another_seed_is_another_dataset(reference: Path, tmp_path: Path) -> None:
    other = content(make(tmp_path / "out", "seed=1", "count=1").out)
    assert other["images/000/000000.jpg"] != content(reference)["images/000/000000.jpg"]


def test_the_dataset_verifies_and_is_made_again_from_its_manifest(reference: Path) -> None:
    assert dataset_main(["verify", str(reference), "--regenerate", "2"]) == 0


def dataset_id(out: Path) -> str:
    """Return the id of a complete dataset."""
    from engine.dataset.manifest import read_manifest

    return read_manifest(out / "manifest.json").dataset_id


def write_stage(path: Path) -> None:
    """Author a lit-by-nothing stage: a floor nobody labelled, two crates, a camera."""
    path.parent.mkdir(parents=True)
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    floor = UsdGeom.Cube.Define(stage, "/World/Ground/slab_7")
    floor.AddTranslateOp().Set(Gf.Vec3d(0, 0, -1.05))
    floor.AddScaleOp().Set(Gf.Vec3f(8, 8, 1))
    for name, x in (("A", -1.0), ("B", 1.5)):
        crate = UsdGeom.Cube.Define(stage, f"/World/Crates/{name}")
        crate.CreateSizeAttr(1.0)
        crate.AddTranslateOp().Set(Gf.Vec3d(x, 0, 0.5))
    camera = UsdGeom.Camera.Define(stage, "/World/Camera")
    camera.AddTranslateOp().Set(Gf.Vec3d(0, -6, 2))
    camera.AddRotateXOp().Set(75.0)
    stage.Save()


def test_the_readmes_own_scene_is_a_dataset_that_verifies(tmp_path: Path) -> None:
    """With the README's yaml as it stands, without lights, and with an instance that has no class."""
    write_stage(tmp_path / "stages" / "hall.usd")
    yaml = tmp_path / "my_conf" / "scene" / "mine.yaml"
    yaml.parent.mkdir(parents=True)
    yaml.write_text(block("yaml", after="## A scene of your own"), encoding="utf-8")
    overrides = ("+scene=mine", "count=3", "rig.width=64", "rig.height=48", "device=cpu", f"out={tmp_path / 'out'}")
    recipe, job = engine.compose(*overrides, config_dir=tmp_path / "my_conf")
    made = engine.generate(recipe, job)
    assert dataset_main(["verify", str(made.out)]) == 0
    coco = COCO(str(made.out / "labels" / "coco.json"))
    assert {coco.cats[a["category_id"]]["name"] for a in coco.anns.values()} >= {"crate"}
    frames = parquet.read_table(made.out / "index" / "frames.parquet")
    assert min(frames["lum_mean"].to_pylist()) > 0.05


def test_a_recipe_that_does_not_fit_the_scene_leaves_no_folder(tmp_path: Path) -> None:
    wrong = "+randomize.extra={kind: light_scale, lights: /No/Such, stops: 1, together: true}"
    recipe, job = engine.compose(*SMALL, wrong, f"out={tmp_path / 'out'}")
    with pytest.raises(engine.UserError, match="/No/Such"):
        engine.generate(recipe, job)
    assert not (tmp_path / "out").exists()


def test_a_changed_asset_is_refused(reference: Path) -> None:
    """A recipe with hashes is bound to the files that it was made from."""
    _, job = engine.compose(*SMALL)
    recipe = Recipe.read(reference / "recipe.json")
    asset = recipe.assets[0]
    changed = dataclasses.replace(recipe, assets=(dataclasses.replace(asset, sha256="0" * 64), *recipe.assets[1:]))
    with pytest.raises(engine.UserError, match=asset.path.rsplit("/", 1)[-1]):
        engine.generate(changed, dataclasses.replace(job, out=None))


def test_public_names_are_not_hidden_by_modules() -> None:
    """Importing every module of the package leaves its public names what they are."""
    for name in engine.__all__:
        assert not isinstance(getattr(engine, name), ModuleType)
        assert not (ROOT / "engine" / f"{name}.py").exists()


def test_the_api_and_the_command_take_the_same_job() -> None:
    recipe, job = engine.compose(*SMALL)
    assert isinstance(recipe, Recipe)
    assert isinstance(job, Job)
    assert job.usd == (ROOT / "scenes_usd" / "tabletop.usda")
