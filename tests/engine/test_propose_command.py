"""The command: from a report over a small rendered dataset to a recipe that composes, renders and names its reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import engine
from engine.dataset.__main__ import main as dataset_main
from engine.errors import UserError
from engine.evaluate.__main__ import main as evaluate_main
from engine.evaluate.stored import read_report
from engine.propose import propose as proposing
from engine.propose.__main__ import main
from engine.propose.overlay import command_of, recorded, write_overlay
from engine.propose.preflight import look
from engine.propose.targets import candidates, choose_targets, read_failures
from engine.recipe import Parent
from engine.write.files import hash_file
from engine.write.record import read_json
from tests.engine.test_mix import make_real

PLAIN = tuple(f"scene.randomize.{name}=null" for name in ("pencil", "chalk", "blowhole", "break"))
TILE = ("+scene=tile", "rig.width=64", "rig.height=48", "rig.spp=1", *PLAIN)
WORLDS = 30
WHY = Parent("evaluation", "ab" * 32, "cracks are missed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered dataset, and a report over predictions that miss everything in its darkest fifth."""
    folder = tmp_path_factory.mktemp("propose")
    recipe, job = engine.compose(*TILE, f"count={WORLDS}", f"out={folder / 'tile'}")
    engine.generate(recipe, job)
    frames = pq.read_table(folder / "tile/index/frames.parquet", columns=["frame_id", "lum_mean"]).to_pydict()
    edge = float(np.quantile(frames["lum_mean"], 0.2))
    dark = {frame for frame, value in zip(*frames.values(), strict=True) if value < edge}
    labels = read_json(folder / "tile/labels/coco.json")
    found = [
        {"image_id": one["image_id"], "category_id": one["category_id"], "bbox": one["bbox"], "score": 0.9}
        for one in labels["annotations"]
        if one["image_id"] - 1 not in dark
    ]
    (folder / "found.json").write_text(json.dumps(found))
    rules = {"dark": {"where": f"lum_mean < {edge}", "min_support": 5}, "bright": {"where": "lum_mean > 0.5"}}
    (folder / "slices.yaml").write_text(json.dumps(rules))
    words = [folder / "tile", folder / "found.json", "--slices", folder / "slices.yaml", "--out", folder / "report"]
    assert evaluate_main([str(word) for word in (*words, "--worst", "0", "--replicates", "50")]) == 0
    return folder


def test_a_proposal_renders_what_was_missed_and_names_its_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The slice is found by itself, the pre-flight is dark, the batch is the recipe's, and its lineage says why."""
    out = tmp_path / "next"
    code = main([str(folder / "report"), "--preflight", "4", "--out", str(out)])
    said = capsys.readouterr().out
    proposal = read_json(out / "proposal.json")
    assert proposal["schema"] == "proposal/1"
    (one,) = proposal["proposals"]
    assert one["name"] == "dark"
    assert (code, one["verdict"]) == (0, "proposed"), one["reason"]
    assert one["auc"]["low"] > 0.55
    assert 0.2 <= one["base_share"] <= 0.8
    assert one["purity"]["measured"]["value"] >= 0.8 > 0.25 > one["purity"]["base"]["value"]
    moved = next(column for column in one["columns"] if column["column"] == "p.exposures.stops")
    assert moved["shares"][0] > moved["base_shares"][0]  # -2.2 stops
    report = hash_file(folder / "report/evaluation.json")
    batch = out / "batch/towards_dark"
    recipe, _ = engine.compose(*TILE, "recipe=towards_dark", config_dir=out / "conf")
    assert [(parent.kind, parent.id) for parent in recipe.parents] == [("evaluation", report)]
    assert read_json(batch / "recipe.json")["laws"]["reweight"] == recipe.laws.reweight
    assert "recipe=towards_dark" in one["command"]
    assert one["command"] in said
    assert dataset_main(["lineage", str(batch)]) == 0
    assert report[:12] in capsys.readouterr().out
    assert b"<script" not in (out / "proposal.html").read_bytes()


def test_laws_that_stay_impure_are_sharpened_twice_and_then_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pre-flight that shows the recipe as it is, whatever the laws say."""
    seeds = []

    def fly(out: Path, line: Sequence[str], worlds: int, predicate: object, render: object) -> object:
        seeds.append(read_overlay(tmp_path / "next"))
        return look(folder / "tile", predicate)  # type: ignore[arg-type]

    monkeypatch.setattr(proposing, "fly", fly)
    assert main([str(folder / "report"), "--slice", "dark", "--out", str(tmp_path / "next")]) == 1
    (one,) = read_json(tmp_path / "next/proposal.json")["proposals"]
    assert one["verdict"] == "refused"
    assert one["reason"].startswith("impure: 20% of the pictures")
    assert len(one["purity"]["attempts"]) == len(set(seeds)) == 3
    assert one["command"] is None


def test_without_slices_the_failures_are_the_target_and_nothing_is_verified(folder: Path, tmp_path: Path) -> None:
    words = [folder / "tile", folder / "found.json", "--out", tmp_path / "report", "--worst", "0", "--replicates", "50"]
    assert evaluate_main([str(word) for word in words]) == 0
    assert main([str(tmp_path / "report"), "--out", str(tmp_path / "next")]) == 0
    (one,) = read_json(tmp_path / "next/proposal.json")["proposals"]
    assert (one["name"], one["where"], one["steps"]) == ("failures", None, 0)
    assert one["reason"].startswith("not verified: no condition says which new pictures fail")
    assert not one["purity"]["verified"]
    assert "p.exposures.stops" in {column["column"] for column in one["columns"]}


def test_low_confidence_is_a_failure_as_well(folder: Path) -> None:
    """Predictions that are unsure of everything that they found: nothing of a slice is missed, and all of it fails."""
    report = read_report(folder / "report")
    whole = report.facts["slices"][0]
    for least, failing in ((None, whole["missed"]), (0.95, whole["instances"])):
        assert int(read_failures(report, least).failing.sum()) == failing
    slices = candidates(report, None)
    for least, weak in ((None, ["dark"]), (0.95, [])):
        assert [one.name for one in choose_targets(slices, (), read_failures(report, least), 0)[0]] == weak


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--slice", "darck"), "there is no such slice; there are dark"),
        (("--slices", "discovered.yaml"), "engine.discover writes it where a slice is confirmed"),
        (("--preflight", "-1"), "--preflight and --seed must be 0 or more"),
        (
            ("--slice", "dark", "--run", "+scene=tile rig.width=99"),
            "does not make the dataset's recipe: rig, randomize differ",
        ),
    ],
)
def test_bad_input_is_one_line(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder / "report"), *arguments, "--out", str(tmp_path / "next")]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not (tmp_path / "next/proposal.json").exists()


def test_a_batch_is_not_taken_for_a_pre_flight(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was rendered to the end of the command that an earlier proposal printed stays."""
    batch = tmp_path / "next/batch/towards_dark"
    shutil.copytree(folder / "tile", batch)
    words = [str(folder / "report"), "--slice", "dark", "--preflight", "4", "--out", str(tmp_path / "next")]
    assert main(words) == 2
    assert f"{batch} holds {WORLDS} worlds, more than a pre-flight of 4" in capsys.readouterr().err
    assert (batch / "manifest.json").is_file()


@pytest.mark.parametrize("override", [
    "+hydra.callbacks.mine._target_=os.system", "hydra={callbacks: {mine: {_target_: os.system}}}",
    "+rig@hydra.callbacks.mine=preview", "hydra/launcher=submitit_slurm", "--multirun", " -cd=/elsewhere",
    "recipe=../../elsewhere/mine", "scene.sandbox=false", "scene.usd=/elsewhere/scene.usda",
])  # fmt: skip
def test_what_a_dataset_says_of_its_making_runs_nothing_else(override: str) -> None:
    """A manifest may be anybody's: Hydra would import what its own keys name."""
    assert recorded(TILE) == TILE
    with pytest.raises(UserError, match="which is not run; give the command line with --run"):
        recorded((*TILE, override))


def test_real_pictures_need_a_rendered_dataset_beside_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one that is an error; with one whose scene has none of their classes, both are asked for by name."""
    make_real(tmp_path / "real", 12)
    (tmp_path / "none.json").write_text("[]")
    report = tmp_path / "report"
    assert (
        evaluate_main([str(tmp_path / "real"), str(tmp_path / "none.json"), "--out", str(report), "--worst", "0"]) == 0
    )
    assert main([str(report), "--out", str(tmp_path / "next")]) == 2
    assert "name the rendered dataset whose recipe is to be changed: --using DIR" in capsys.readouterr().err
    assert main([str(report), "--using", str(folder / "tile"), "--out", str(tmp_path / "next")]) == 1
    (one,) = read_json(tmp_path / "next/proposal.json")["proposals"]
    assert (one["verdict"], one["reason"]) == ("refused", "not reachable by this scene")
    assert {missing["of_class"] for missing in one["not_reachable"]} == {"nail", "screw"}


def test_an_overlay_takes_the_place_of_laws_that_were_reweighted_before(tmp_path: Path) -> None:
    """By a command line, and by an overlay below it: laws, parents and seed are the new ones, the rest stays."""
    first = "+laws.reweight.crack.severity={law: uniform, low: 0.2, high: 0.5}"
    base, job = engine.compose(*TILE, first, "count=4", "seed=7")
    law = {"law": "histogram", "edges": [0.75, 0.8, 1.0], "weights": [1.0, 3.0]}
    command = write_overlay(
        tmp_path / "a", "once", base, command_of(job.overrides, ()), {"crack.severity": law}, WHY, 5
    )
    assert command.overrides == TILE
    made, job = engine.compose(*TILE, "recipe=once", config_dir=tmp_path / "a/conf")
    assert (made.seed, made.laws.reweight, made.parents) == (5, {"crack.severity": law}, (WHY,))
    other = {"law": "uniform", "low": 0.9, "high": 1.0}
    again = command_of(job.overrides, (tmp_path / "a/conf",))
    why = Parent("evaluation", "cd" * 32, "they still are")
    write_overlay(tmp_path / "b", "twice", made, again, {"crack.severity": other, "crack.probability": 1.0}, why, 6)
    line = again.line("recipe=twice", conf=tmp_path / "b/conf")
    assert line[:2] == ["--config-dir", str(tmp_path / "b/conf")]
    twice, _ = engine.compose(
        f"hydra.searchpath=[file://{tmp_path}/a/conf,file://{tmp_path}/b/conf]", *TILE, "recipe=twice"
    )
    assert twice.laws.reweight["crack.severity"] == other
    assert twice.parents == (WHY, why)


def read_overlay(out: Path) -> str:
    return (out / "conf/recipe/towards_dark.yaml").read_text().split("seed: ")[1].split("\n")[0]
