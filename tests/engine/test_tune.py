"""Tuning: at most six parameters and thirty trials, resumed from its log, the winner measured with new seeds."""

from __future__ import annotations

import json
import math
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from engine.budget.__main__ import main
from engine.budget.objective import command_line, read_value
from engine.budget.trials import FILE, Trial, TrialLog
from engine.budget.tune import Objective, Search, Tuned, student, suggest, tune
from engine.budget.tuning import Range, Tuning, read_tuning
from engine.collect.holdout import lock
from engine.config import compose
from engine.errors import UserError
from tests.engine.toy_dataset import make_toy, toy_plan

HILL = """
import json, random, sys
values = dict(word.split("=", 1) for word in sys.argv[2:])
x = float(values.get("rig.x", -1.0))
noise = random.Random(f"{sys.argv[1]} {x}").gauss(0.0, 0.02)
print("measured")
print(json.dumps({"value": 1.0 - (x - 0.4) ** 2 + noise}))
"""
ONE = Tuning({"rig.x": Range(-1.0, 1.0)})


class Bowl(Objective):
    """An objective without a process, so that searches take no time: a bowl at 0.4, and noise by seed and place."""

    def measure(self, folder: Path, overrides: object, seed: int) -> tuple[float | None, str]:
        (word,) = list(overrides) or ["rig.x=-1.0"]  # type: ignore[call-overload]
        x = float(word.partition("=")[2])
        noise = float(np.random.default_rng([seed, zlib.crc32(word.encode())]).standard_normal())
        return 1.0 - (x - 0.4) ** 2 + 0.02 * noise, ""


def finished(number: int, x: float, value: float | None) -> Trial:
    return Trial("trial", number, 0, {"rig.x": x}, (f"rig.x={x}",), value, "", 0.0, "2026-01-01T00:00:00+00:00")


def test_more_than_six_parameters_are_refused_with_the_reason(tmp_path: Path) -> None:
    """Thirty noisy trials say nothing about seven."""
    path = tmp_path / "seven.yaml"
    path.write_text("parameters:\n" + "".join(f"  rig.x{i}: {{low: 0, high: 1}}\n" for i in range(7)))
    with pytest.raises(UserError, match=r"seven.yaml: parameters: 1 to 6, got 7: 30 noisy trials say nothing"):
        read_tuning(path)
    with pytest.raises(UserError, match=r"--trials must be in 1..30, got 31"):
        Search(31, 5, 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rig.x: {low: 1, high: 1}", "low must be below high"),
        ("rig.x: {low: 0, high: 1, log: true}", "low must be above 0 where log is true"),
        ("rig.x: {low: 0.5, high: 2, integer: true}", "must be whole"),
        ("rig.x: {low: 0, high: 1, step: 1}", "unknown key 'step'"),
        ("p.lamp: {low: 0, high: 1}", "a column is p.<randomiser>.<key>"),
        ("'rig.x=1 out': {low: 0, high: 1}", "is no column"),
    ],
)
def test_parameters_that_cannot_be_are_refused(tmp_path: Path, line: str, said: str) -> None:
    """The error names the file and the parameter."""
    path = tmp_path / "tune.yaml"
    path.write_text(f"parameters:\n  {line}\n")
    with pytest.raises(UserError, match=said):
        read_tuning(path)


def test_overrides_are_what_a_recipe_takes() -> None:
    """A column keeps a fifth of its own law; a key is set."""
    tuning = Tuning({"p.exposure.stops": Range(-3.0, 0.0), "rig.spp": Range(1, 8, integer=True)})
    overrides = tuning.overrides({"p.exposure.stops": -1.25e-05, "rig.spp": 4})
    before, _ = compose("+scene=warehouse")
    recipe, _ = compose("+scene=warehouse", *overrides)
    own, tuned = recipe.laws.reweight["exposure.stops"]["parts"]
    assert recipe.rig.spp == 4
    assert (tuned["weight"], tuned["law"]) == (0.8, -1.25e-05)
    assert (own["weight"], own["law"]) == (0.2, before.randomize["exposure"]["stops"])  # type: ignore[index]


def test_places_in_the_command_are_filled() -> None:
    """One word for each override, at the end where none is named; nothing is split by a shell."""
    words = command_line(["run", "{overrides}", "out={out}/d", "s={seed}"], Path("/tmp/a b"), ["x=1", "y=2"], 7)
    assert words == ["run", "x=1", "y=2", "out=/tmp/a b/d", "s=7"]
    assert command_line(["run"], Path("o"), ["x={law:base}"], 0) == ["run", "x={law:base}"]


@pytest.mark.parametrize(
    "said", ["", "0.5", '{"value": null}', '{"value": NaN}', '{"score": 1}', "[1]", '{"value": true}']
)
def test_a_last_line_without_a_value_is_a_failure(said: str) -> None:
    """The reason shows the line."""
    value, why = read_value(f"some words\n{said}\n" if said else "")
    assert value is None
    assert said in why
    assert read_value(f'{said}\n{{"value": 0.5}}\n\n') == (0.5, "")


def test_the_interval_over_seeds_is_that_of_student() -> None:
    """As of scipy's own; the gain is over pairs, so what a seed does to both cancels."""
    values = [0.71, 0.74, 0.69, 0.75, 0.72]
    found = student(values)
    low, high = stats.t.interval(0.9, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    best = finished(0, 0.1, 0.8)
    paired = Tuned(best, 0, (0.5, 0.7, 0.9), (0.4, 0.6, 0.8))
    assert (paired.gain.low, paired.gain.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert (paired.verdict(1.0), paired.verdict(-1.0)) == ("better", "worse")


def test_a_holdout_in_the_command_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty looks at the test set would fit the test set."""
    dataset = tmp_path / "holdout"
    make_toy(dataset, range(4), toy_plan())
    config = tmp_path / "tune.yaml"
    config.write_text("parameters:\n  rig.x: {low: 0, high: 1}\n")
    lock(dataset, "final")
    assert main(["tune", str(config), "--out", str(tmp_path / "out"), "--", "measure", f"--data={dataset}"]) == 2
    assert "which is locked as final: tuning by a test set fits the test set" in capsys.readouterr().err


class TestSearch:
    """What needs Optuna."""

    @pytest.fixture(autouse=True)
    def _optuna(self) -> None:
        pytest.importorskip("optuna")

    def test_the_same_trials_suggest_the_same_next(self) -> None:
        """The next trial is a function of those before and the seed; a failed one is left out of what is learnt."""
        done = [finished(i, x, 1.0 - (x - 0.4) ** 2) for i, x in enumerate(np.linspace(-1.0, 1.0, 12).tolist())]
        assert suggest(ONE, done, 0) == suggest(ONE, done, 0) != suggest(ONE, done, 1)
        assert suggest(ONE, [*done, finished(12, 0.3, None)], 0)["rig.x"] == pytest.approx(0.4, abs=0.6)

    def test_parameters_stay_in_their_ranges(self) -> None:
        """Whole numbers are whole, both ends belong to the range, a logarithm spreads over decades."""
        tuning = Tuning({"a.n": Range(1, 3, integer=True), "a.k": Range(1e-4, 1.0, log=True)})
        found = [suggest(tuning, [], seed) for seed in range(60)]
        assert {one["a.n"] for one in found} == {1, 2, 3}
        assert np.median([math.log10(one["a.k"]) for one in found]) == pytest.approx(-2.0, abs=0.6)

    def test_the_winner_is_near_the_top_and_its_search_value_flatters(self, tmp_path: Path) -> None:
        """On a bowl with noise, over five seeds: the top is found, and new seeds say less than the search did."""
        flattered = []
        for seed in range(5):
            log = TrialLog(tmp_path / str(seed), ONE, ["bowl"], 10 * seed)
            tuned = tune(ONE, Bowl(("bowl",), None), Search(14, 5, 10 * seed), log, lambda line: None)
            log.close()
            assert tuned.best.parameters["rig.x"] == pytest.approx(0.4, abs=0.35)
            assert tuned.verdict(1.0) == "better"
            flattered.append((tuned.best.value or 0.0) - student(tuned.winner).value)
        assert np.mean(flattered) > 0.005

    def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The command stops after four trials and a torn line; the same command ends with what an unbroken run has."""
        config, script = tmp_path / "tune.yaml", tmp_path / "hill.py"
        config.write_text("parameters:\n  rig.x: {low: -1, high: 1}\n")
        script.write_text(HILL)
        command = ["--", sys.executable, "-I", "-S", str(script), "{seed}", "{overrides}"]
        whole, torn = tmp_path / "whole", tmp_path / "torn"
        options = ["--trials", "6", "--again", "2"]
        main(["tune", str(config), "--out", str(whole), *options, *command])
        torn.mkdir()
        lines = (whole / FILE).read_bytes().splitlines(keepends=True)
        (torn / FILE).write_bytes(b"".join(lines[:5]) + lines[5][:20])
        main(["tune", str(config), "--out", str(torn), *options, *command])
        assert (torn / "tuned.json").read_bytes() == (whole / "tuned.json").read_bytes()
        result = json.loads((torn / "tuned.json").read_bytes())
        assert (result["trials"], len(result["winner"]["values"]), result["new_seeds"]) == (6, 2, [1, 2])
        assert main(["tune", str(config), "--out", str(torn), "--seed", "1", *options, *command]) == 2
        assert "belongs to another tuning: its seed is not that of this command" in capsys.readouterr().err

    def test_a_command_that_keeps_failing_stops_the_search(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """After three in a row, with the last words of the command; the failures are on record."""
        config = tmp_path / "tune.yaml"
        config.write_text("parameters:\n  rig.x: {low: -1, high: 1}\n")
        command = ["--", sys.executable, "-I", "-S", "-c", "raise SystemExit('no data')"]
        assert main(["tune", str(config), "--out", str(tmp_path / "out"), *command]) == 2
        assert "3 trials in a row failed, the last one so: it ended with 1: no data" in capsys.readouterr().err
        assert len((tmp_path / "out" / FILE).read_text().splitlines()) == 4
