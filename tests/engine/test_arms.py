"""Arms: real and rendered pictures that help are seen to, a placebo does not, and what is done is not done again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.errors import UserError
from engine.evaluate.board import NAMES, Judged
from engine.evaluate.evaluate import Measurement
from engine.train import run
from engine.train.__main__ import main
from engine.train.arms import compared, gain, seed_noise, stand
from engine.train.arms_page import drawn
from engine.train.options import numbers
from tests.engine.train_pictures import make_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arms")
    for seed, (name, count) in enumerate({"real": 30, "rendered": 18, "batch": 12, "test": 24}.items()):
        make_pictures(folder / name, count, seed)
    (folder / "slices.yaml").write_text(json.dumps({"rare": {"where": "frame_id < 4"}}))
    return folder


def words(folder: Path, *more: str) -> list[str]:
    paths = [word for name in ("real", "test", "batch") for word in (f"--{name}", str(folder / name))]
    settings = ["--set", "trees=20", "samples=1500", "--slices", str(folder / "slices.yaml"), "--replicates", "60"]
    return ["arms", *paths, "--synthetic", str(folder / "rendered"), "--k", "2", "--seeds", "0..1", *settings, *more]


def test_arms_are_compared_and_go_on_where_they_stopped(
    folder: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert main(words(folder, "--out", str(out))) == 0
    report = json.loads((out / "arms.json").read_text())
    everything, rare = report["slices"]
    keys = [(row["arm"], row["k"]) for row in everything["arms"]]
    few = [(arm, 2) for arm in ("real", "both", "without_batch", "placebo")]
    assert keys == [("synthetic", 0), *few]
    value = {key: row["figures"]["AP50"]["value"] for key, row in zip(keys, everything["arms"], strict=True)}
    assert value["both", 2] > value["real", 2]
    assert value["both", 2] > value["placebo", 2], "wrong labels teach nothing"
    assert (rare["verdict"], rare["arms"], rare["groups"]) == ("insufficient", [], 2)
    pairs = {(row["arm"], row["over"], row["k"]): row["figures"]["AP50"] for row in everything["gains"]}
    assert pairs["both", "real", 2]["value"] == pytest.approx(value["both", 2] - value["real", 2], abs=2e-6)
    assert pairs["synthetic", "real", 2]["value"] == pytest.approx(value["synthetic", 0] - value["real", 2], abs=2e-6)
    page = (out / "arms.html").read_text()
    assert page.count("<svg") > 3
    assert "insufficient" in page
    assert len(list((out / "runs").glob("*/lineage.json"))) == 10

    def refuse(*_: Any) -> None:
        raise AssertionError("trained again")

    before = (out / "arms.json").read_bytes()
    monkeypatch.setattr(run, "training_run", refuse)
    assert main(words(folder, "--out", str(out))) == 0
    assert (out / "arms.json").read_bytes() == before
    assert "10/10" in capsys.readouterr().out


def test_a_test_that_is_learned_is_refused(folder: Path, tmp_path: Path, capsys: Any) -> None:
    more = ("--out", str(tmp_path / "out"), "--test", str(folder / "real"))
    assert main(words(folder, *more)) == 2
    assert "surface 'real-0'" in capsys.readouterr().err


def planted(seed: int, center: float, groups: int = 40) -> Judged:
    """Return a figure whose draws spread as those of `groups` groups of an own spread of 0.3 do."""
    noise = np.random.default_rng(9).normal(0.0, 0.3 / np.sqrt(groups), 200)  # of the groups: alike for all models
    own = np.random.default_rng([seed, int(center * 1000)]).normal(0.0, 0.01)
    table = np.repeat((center + own + noise)[:, None], len(NAMES), axis=1)
    return Judged(np.full(len(NAMES), center + own), table, 100, groups, 100, 100, groups)


def gains_of(center: float, repeat: int) -> dict[str, Any]:
    """Return the gain of an arm over another, six seeds each."""
    results = {
        ("real", 1): [{"all": planted(100 * repeat + seed, 0.5)} for seed in range(6)],
        ("both", 1): [{"all": planted(100 * repeat + seed + 50, center)} for seed in range(6)],
    }
    (one,) = compared(results, {}, Measurement(replicates=200))
    low, high = one["arms"][0]["figures"]["AP50"]["low"], one["arms"][0]["figures"]["AP50"]["high"]
    assert high - low == pytest.approx(2 * 1.645 * 0.3 / np.sqrt(40), rel=0.35)
    return dict(one["gains"][0]["figures"])


def test_a_planted_gain_is_found_and_no_gain_is_open() -> None:
    for center, verdict, alarms in ((0.6, "better", "worse"), (0.4, "worse", "better")):
        figures = gains_of(center, 0)
        assert figures["AP50"]["value"] == pytest.approx(center - 0.5, abs=0.03)
        assert (figures["AP50"]["verdict"], figures["false_alarms"]["verdict"]) == (verdict, alarms)
    verdicts = [gains_of(0.5, repeat)["AP50"]["verdict"] for repeat in range(60)]
    assert verdicts.count("open") >= 48, "nine of ten, less three deviations"


def test_few_groups_have_no_number() -> None:
    results = {("real", 1): [{"all": planted(0, 0.5, groups=9)}]}
    (one,) = compared(results, {}, Measurement(replicates=200))
    assert (one["verdict"], one["arms"], one["gains"]) == ("insufficient", [], [])


def test_a_gain_over_oneself_is_nothing() -> None:
    judges = [planted(seed, 0.5) for seed in range(4)]
    found = gain(judges, judges, "AP50", seed_noise(4, 200, 0))
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_seeds_without_a_figure_are_left_out() -> None:
    blank = Judged(np.full(len(NAMES), np.nan), np.full((200, len(NAMES)), np.nan), 100, 40, 0, 0, 0)
    results = {("real", 1): [{"all": planted(0, 0.5)}, {"all": blank}], ("both", 1): [{"all": blank}] * 2}
    first, second = compared(results, {}, Measurement(replicates=200))[0]["arms"]
    assert first["figures"]["AP"]["value"] == pytest.approx(0.5, abs=0.05)
    assert second["figures"]["AP"] == {"value": None, "low": None, "high": None, "seeds": [None, None]}


def test_two_seeds_of_five_are_as_uncertain_as_two() -> None:
    """The rest has no figure, such as a precision of nothing: one degree of freedom, whose t is three times as far."""
    values, draws = [0.4, 0.6], np.repeat([[0.4], [0.6]], 20_000, axis=1)
    alone = stand(values, draws, seed_noise(2, 20_000, 0))
    empty = np.full((3, 20_000), np.nan)
    left = stand([*values, *[np.nan] * 3], np.concatenate([draws, empty]), seed_noise(5, 20_000, 0))
    assert left.value == alone.value == pytest.approx(0.5)
    reach = 0.1 * stats.t.ppf(0.95, 1)
    assert (left.low, left.high) == pytest.approx((0.5 - reach, 0.5 + reach), abs=0.07)
    assert (alone.low, alone.high) == pytest.approx((0.5 - reach, 0.5 + reach), abs=0.07)


@pytest.mark.parametrize("text", ["", "a", "3..1", "0", "1,,2", "-1"])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--k"):
        numbers(text, "--k", 1)
    assert numbers("3,1,10", "--k", 1) == (1, 3, 10)
    assert numbers("0..4", "--seeds", 0) == (0, 1, 2, 3, 4)


def test_intervals_of_one_seed_say_that_they_are_of_groups_alone() -> None:
    assert drawn({"seeds": [0, 1]}) == "seeds and groups"
    assert "alone" in drawn({"seeds": [0]})
