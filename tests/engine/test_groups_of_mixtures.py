"""Real frames come in bursts of a surface, and go on doing so in what is made of their dataset."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.collect.groups import group_columns
from engine.compare.columns import Index
from engine.dataset.__main__ import main
from engine.evaluate.truth import read_truth
from engine.health.balance import Axis, Balance, check_balance
from engine.health.inspect import inspect
from engine.health.limits import Limits
from tests.engine.toy_dataset import make_toy, toy_plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six real pictures of two surfaces, and a mixture of them with four rendered ones."""
    folder = tmp_path_factory.mktemp("groups")
    make_toy(folder / "toy", range(6), toy_plan())
    make_toy(folder / "rendered", range(4), toy_plan(seed=5))
    source = folder / "source"
    shutil.copytree(folder / "toy/images", source / "images")
    labels = json.loads((folder / "toy/labels/coco.json").read_text())
    for number, image in enumerate(labels["images"]):
        image["surface"] = number // 3
    (source / "annotations.json").write_text(json.dumps(labels))
    options = ("--group", "surface=surface", "--taxonomy", str(folder / "toy/taxonomy.json"))
    assert main(["ingest", str(source), "--format", "coco", *options, "--out", str(folder / "real")]) == 0
    assert main(["merge", str(folder / "real"), str(folder / "rendered"), "--out", str(folder / "mixed")]) == 0
    assert main(["select", str(folder / "real"), "--where", "true", "--out", str(folder / "chosen")]) == 0
    return folder


def test_what_was_made_of_real_frames_has_their_groups(folder: Path) -> None:
    assert [group_columns(folder / name) for name in ("real", "chosen", "mixed")] == [("surface",)] * 3


def test_a_group_of_any_name_is_handed_on(folder: Path, tmp_path: Path) -> None:
    """From the ingest through a selection and a mixture of it to a selection of that."""
    options = ("--group", "lot=surface", "--taxonomy", str(folder / "toy/taxonomy.json"))
    assert main(["ingest", str(folder / "source"), "--format", "coco", *options, "--out", str(tmp_path / "real")]) == 0
    some, mixed, again = (str(tmp_path / name) for name in ("some", "mixed", "again"))
    assert main(["select", str(tmp_path / "real"), "--where", "lot = 1", "--out", some]) == 0
    assert main(["merge", some, str(folder / "rendered"), "--out", mixed]) == 0
    assert main(["select", mixed, "--where", "true", "--out", again]) == 0
    assert [group_columns(Path(name))[0] for name in (some, mixed, again)] == ["lot"] * 3


def test_predictions_on_a_selection_are_judged_by_surface(folder: Path) -> None:
    """Two groups, as in the dataset that was selected from; in the mixture rendered worlds count as one each."""
    found = {name: read_truth(folder / name, None) for name in ("real", "chosen", "mixed")}
    assert {truth.group_by for truth in found.values()} == {"surface"}
    counts = {name: len(np.unique(truth.group)) for name, truth in found.items()}
    assert counts == {"real": 2, "chosen": 2, "mixed": 6}


def test_frames_of_one_surface_are_no_near_duplicates_in_a_mixture(folder: Path) -> None:
    checks = {check.name: check for check in inspect(folder / "mixed", Limits()).checks}
    assert "another surface" in checks["near_duplicates"].about


def test_intervals_count_surfaces_and_rendered_worlds(folder: Path) -> None:
    spec = Balance({"origin": Axis("origin", targets={"real": 0.6, "synthetic": 0.4}, tolerance=0.1)}, group="surface")
    assert check_balance(folder / "mixed", spec, "test").axes[0].groups == 6
    codes = Index(folder / "mixed").groups("frames")
    assert codes[:6].tolist() == [codes[0]] * 3 + [codes[3]] * 3
    assert len(np.unique(codes)) == 6


def test_a_mixture_is_split_without_tearing_surfaces_apart(folder: Path) -> None:
    split = ("--split", "train=0.5,val=0.5", "--out", str(folder / "export"))
    assert main(["export", str(folder / "mixed"), "--format", "coco", *split]) == 0
    frames = pq.read_table(folder / "mixed/index/frames.parquet", columns=["frame_id", "surface"]).to_pylist()
    surface_of = {row["frame_id"]: row["surface"] for row in frames}
    shown = []
    for part in ("train", "val"):
        images = json.loads(next((folder / "export").rglob(f"*{part}*.json")).read_text())["images"]
        shown.append({surface_of[image["id"] - 1] for image in images} - {None})
    assert not shown[0] & shown[1]


def test_a_shipped_balance_is_found_beside_a_folder_of_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tile").mkdir()
    monkeypatch.chdir(folder)
    assert main(["balance", "mixed", "--spec", "tile"]) in (0, 1)
    assert "defective" in capsys.readouterr().out


def test_coverage_counts_no_frame_twice_and_makes_none_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mixture holds its parents; with which seeds they were rendered it does not say, so low ones are left alone."""
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text("slices: {all: {where: 'true', run: [+scene=tile], count: 90}}")
    options = ("--require", str(wanted), "--out", str(tmp_path / "out"))
    assert main(["coverage", str(folder / "mixed"), str(folder / "rendered"), *options]) == 2
    assert "mixed was made of" in capsys.readouterr().err
    assert main(["coverage", str(folder / "mixed"), *options]) == 1
    (seed,) = re.findall(r"seed=([0-9]+)", capsys.readouterr().out)
    assert int(seed) >= 1000
