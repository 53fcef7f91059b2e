"""Which cue a model leans on: planted artefacts are caught by their cue and no other, forms by none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, stats

from engine.compare.statistics import holm_by_name
from engine.errors import UserError
from engine.evaluate.evaluate import Measurement
from engine.evaluate.intervals import group_weights
from engine.evaluate.slices import Slice
from engine.lineage.node import read_node
from engine.train import cues_command
from engine.train.__main__ import main
from engine.train.change import Change, change_of
from engine.train.cues import LEANS, OPEN, STANDS, Found, Study, judge, study
from engine.train.labelled import read_wanted
from engine.train.plan import read_plan
from engine.train.removal import CUES, Removal, base_of, measure_levels, without
from tests.engine.cue_toys import ToyLearner, flawed, make_flawed

SETTINGS = Measurement(0.5, 60)
TOY = ToyLearner("toy", command="toy")


def removed(cue: str, rgb: np.ndarray, *, others: list[np.ndarray] | None = None) -> np.ndarray:
    base = base_of(rgb.astype(np.float32))
    levels = measure_levels(others or [rgb], Removal())
    return without(cue, rgb, base, Removal(), levels, np.random.default_rng(0))


def gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_sharp_edges_become_those_of_a_gaussian_and_noise_stays() -> None:
    step = np.where(np.arange(80) < 40, 90.0, 150.0) * np.ones((40, 1))
    blurred = removed("sharpness", gray(step))[..., 0]
    assert np.abs(blurred - ndimage.gaussian_filter(step, 1.5, mode="nearest")).max() <= 1.0
    noise = np.random.default_rng(1).normal(0.0, 4.0, step.shape)
    there = removed("sharpness", gray(step + noise))[5:-5, 5:30, 0]
    assert there.std() == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("kind", ["noise", "checker"])
def test_a_signature_of_noise_is_gone_and_edges_stand(kind: str) -> None:
    """Roughness of the flaw is that of its surroundings; the steepest step of a hard disc keeps 85 %."""
    rgb, mask = flawed(kind, np.random.default_rng(2))
    inside, outside = ndimage.binary_erosion(mask, iterations=2), ~ndimage.binary_dilation(mask, iterations=2)
    fine = [
        image[..., 1] - ndimage.uniform_filter(image[..., 1], 5) for image in (rgb * 1.0, removed("noise", rgb) * 1.0)
    ]
    before, after = (one[inside].std() / one[outside].std() for one in fine)
    assert before > 2.5
    assert 0.8 < after < 1.25
    assert fine[1][outside].std() == pytest.approx(fine[0][outside].std(), rel=0.15)
    hard, disc = flawed("sharpness", np.random.default_rng(3))
    near = ndimage.binary_dilation(disc) & ~ndimage.binary_erosion(disc)
    steep = [
        np.quantile(np.abs(np.diff(image[..., 1] * 1.0, axis=1))[near[:, 1:]], 0.8)
        for image in (hard, removed("noise", hard))
    ]
    assert steep[1] > 0.85 * steep[0]


def test_light_contrast_and_color_are_evened() -> None:
    y, x = np.mgrid[-1:1:60j, -1:1:80j]
    vignette = removed("light", gray(150.0 * np.exp(0.3 * x - 0.25 * (x * x + y * y))))
    assert vignette.std() / vignette.mean() < 0.01
    surface = np.random.default_rng(4).normal(0.0, 1.0, (60, 80))
    pictures = [gray(mean + spread * surface) for mean, spread in ((80, 8), (120, 14), (170, 20))]
    for picture in pictures:
        out = removed("contrast", picture, others=pictures)[..., 0]
        assert (out.mean(), out.std()) == (pytest.approx(120, abs=0.5), pytest.approx(14, rel=0.03))
    rgb, mask = flawed("color", np.random.default_rng(5))
    plain = removed("color", rgb)
    assert (plain[..., 0] == plain[..., 2]).all()
    around = ndimage.binary_dilation(mask, iterations=4) & ~mask
    assert abs(float(plain[mask].mean()) - float(plain[around].mean())) < 1.5


def test_bounds_are_those_of_seeds_where_groups_agree_and_of_groups_where_seeds_do() -> None:
    seeds = np.array([0.1, 0.16, 0.07, 0.12])
    one = change_of(seeds, np.repeat(seeds[:, None], 50, axis=1), 20)
    theirs = stats.ttest_1samp(seeds, 0.0).confidence_interval(0.9)
    assert (one.low, one.high) == pytest.approx((theirs.low, theirs.high))
    assert one.chance_below(0.05) == pytest.approx(stats.ttest_1samp(seeds, 0.05, alternative="greater").pvalue)
    falls = np.random.default_rng(0).normal(0.1, 0.2, 30)
    draws = group_weights(np.arange(30), 0, 4000) @ falls / 30
    two = change_of(np.full(3, falls.mean()), np.repeat(draws[None], 3, axis=0), 30)
    theirs = stats.ttest_1samp(falls, 0.0).confidence_interval(0.9)
    assert (two.low, two.high) == pytest.approx((theirs.low, theirs.high), abs=0.005)
    same = change_of(np.ones(3), np.ones((3, 50)), 60)
    assert (same.low, same.high) == (1.0 - 3 / 60, 1.0)
    assert same.chance_below(1.0 - 3 / 60) == pytest.approx(0.05, abs=0.005)


def test_of_models_that_lose_just_the_margin_one_in_twenty_is_accused() -> None:
    """400 studies of 3 seeds, 40 groups, 5 cues: any of four that cost .05 is accused in 5 %; one of .3 is found."""
    random, studies, groups = np.random.default_rng(6), 400, 40
    weights = group_weights(np.arange(groups), 0, 200) / groups
    asked = Study((Path("a"),), Path("b"))
    good = Change(0.9, 0.01, 30.0, groups)
    accused = acquitted = caught = 0
    for _ in range(studies):
        found = {}
        for cue, true in zip(CUES, (0.3, 0.05, 0.05, 0.05, 0.05), strict=True):
            falls = true + random.normal(0.0, 0.2, groups) + random.normal(0.0, 0.02, (3, 1))
            one = change_of(falls.mean(axis=1), falls @ weights.T, groups)
            found[cue] = Found(good, one, None, one)
        p = holm_by_name({cue: one.excess.chance_below(0.05) for cue, one in found.items()})
        said = [judge(cue, one, (good, None), asked, p[cue])[0] for cue, one in found.items()]
        caught += said[0] == LEANS
        accused += LEANS in said[1:]
        acquitted += said[1] == STANDS
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
    assert accused / studies <= most
    assert acquitted / studies <= most
    assert caught / studies > 0.95


def test_a_reference_says_what_the_task_needs() -> None:
    """What real pictures need as well is no artefact; what cannot fall says nothing."""
    asked = Study((Path("a"),), Path("b"))
    good, weak = Change(0.8, 0.02, 30.0, 40), Change(0.08, 0.02, 30.0, 40)
    much, less, none = (Change(value, 0.015, 30.0, 40) for value in (0.3, 0.28, 0.02))
    needed = judge("noise", Found(good, much, less, none), (good, good), asked, 0.9)
    assert needed[0] == STANDS
    said = "does not lean on noise: AP50 falls by 0.300 [0.275,0.325], that of the reference by 0.280"
    assert needed[1].startswith(said)
    assert judge("noise", Found(good, much, none, less), (good, good), asked, 0.001)[0] == LEANS
    for whole in ((weak, good), (good, weak)):
        verdict, words = judge("noise", Found(good, none, none, none), whole, asked, 0.9)
        assert (verdict, "is too low to fall by 0.05" in words) == (OPEN, True)


@pytest.mark.parametrize(("kind", "cue"), [("form", None), ("sharpness", "sharpness")])
def test_an_artefact_is_caught_by_its_cue_and_a_form_by_none(tmp_path: Path, kind: str, cue: str | None) -> None:
    train = make_flawed(tmp_path / "train", kind, 20, seed=10)
    test = make_flawed(tmp_path / "test", kind, 36, seed=20)
    slices = {"few": Slice("frame_id < 5")}
    told = study(Study((train,), test, seeds=(0,)), tmp_path / "out", TOY, slices, SETTINGS)
    everything, few = told["slices"]
    assert everything["as_is"]["value"] > 0.9
    assert [row["cue"] for row in everything["cues"] if row["verdict"] == LEANS] == ([cue] if cue else [])
    assert (few["verdict"], few["cues"]) == ("insufficient", [])


def test_the_command_keeps_what_is_done_and_leaves_labels_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cues_command, "learner_of", lambda _: TOY)
    train, test = (make_flawed(tmp_path / name, "checker", count, seed=count) for name, count in (("a", 12), ("b", 14)))
    before = {path: path.read_bytes() for path in test.rglob("*.png")}
    out = tmp_path / "out"
    words = ["cues", "--data", str(train), "--test", str(test), "--out", str(out), "--replicates", "60", "--seeds", "1"]
    words += ["--cues", "noise,color"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "noise      0.000    leans on noise: AP50 falls by 1.000 [0.786,1.000]" in said
    assert "leans on color" not in said
    words += ["--reference", str(train)]
    assert main(words) == 0
    assert "leans on noise" not in capsys.readouterr().out  # the reference leans as much
    report = json.loads((out / "cues.json").read_text())
    assert (report["schema"], report["seeds"], list(report["cues"])) == ("cues/1", [1], ["color", "noise"])
    row = report["slices"][0]["cues"][0]
    assert row["fall"]["value"] == row["reference_fall"]["value"] > 0.5
    assert row["excess"]["value"] == 0.0
    assert before == {path: path.read_bytes() for path in test.rglob("*.png")}
    plan = read_plan(out / "runs/run-1/training.json")
    asked = [read_wanted(wanted, out / "runs/run-1", plan)[0] for wanted in plan.predict]
    assert [[one.image_id for one in pictures] for pictures in asked] == [list(range(1, 15))] * 3
    assert all(one.rgb().shape == (56, 72, 3) for pictures in asked for one in pictures)
    assert read_node(out / "runs/run-1").settings["copies"].keys() == {"noise", "color"}
    monkeypatch.setattr(ToyLearner, "trainer", lambda _: pytest.fail)
    assert main(words) == 0
    assert json.loads((out / "cues.json").read_text()) == report
    capsys.readouterr()
    assert main([*words, "--sigma", "2"]) == 2
    assert "holds a finished run of other data or settings; choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cues", "noise,hue"], "--cues hue: expected some of noise, sharpness"),
        (["--seeds", "a"], "--seeds a: expected whole numbers"),
        (["--seeds=-1"], "--seeds -1: expected 1 to 100 numbers"),
        (["--margin", "0"], "--margin must be in 0..1, got 0"),
        (["--light-order", "9"], "light_order must be in 1..6, got 9"),
        (["--sigma", "0"], "sigma_px must be in 0.3..20 px, got 0"),
        (["--replicates", "9"], "--replicates must be at least 50"),
        (["--data", "{test}"], "is learned from; name pictures that the models have not seen"),
        (["--data", "{test}-gone"], "b-gone"),
    ],
)
def test_what_cannot_be_asked_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    test = tmp_path / "b"
    test.mkdir()
    plain: list[Any] = ["cues", "--data", str(tmp_path), "--test", str(test), "--out", str(tmp_path / "out")]
    assert main([*plain, *(word.format(test=test) for word in words)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_study_says_what_is_wrong_before_it_trains() -> None:
    with pytest.raises(UserError, match="expected some of"):
        Study((Path("a"),), Path("b"), cues=())
