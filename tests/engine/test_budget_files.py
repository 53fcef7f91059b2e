"""Damaged reports and answers of the gate are refused by file, key and value."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.budget.__main__ import main
from engine.budget.history import FINEST_NOISE, read_history
from engine.evaluate.intervals import Z_90
from tests.engine.budget_story import gate_answer, write_answer, write_report

Change = Callable[[dict[str, Any]], Any]
GOOD = gate_answer("dark", 200, (0.05, 0.02, 0.08), 1)


PLAIN = {"all": {"recall": (0.8, 0.7, 0.9)}, "dark": {"recall": (0.5, 0.4, 0.6)}}


def own(answer: dict[str, Any]) -> dict[str, Any]:
    return answer["gains"]["dark"]["recall"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.update(schema="gate/0"), "schema: expected one of gate/1, got 'gate/0'"),
        (lambda a: a.pop("target"), "target: expected text, it is missing"),
        (lambda a: a["batch"].pop("frames"), "batch.frames: expected a whole number of at least 1, it is missing"),
        (lambda a: a["batch"].update(frames=0), "batch.frames: expected a whole number of at least 1, got 0"),
        (lambda a: a["batch"].update(frames=True), "batch.frames: expected a whole number of at least 1, got True"),
        (lambda a: a.update(batch=[]), "batch: expected a mapping, got []"),
        (lambda a: a.update(gains={"all": {}}), "gains.dark: expected a mapping, it is missing"),
        (lambda a: a["gains"]["dark"].update(recall={"value": 1}), "gains.dark.recall.low: expected a finite number"),
        (lambda a: own(a).update(value="0.1"), "gains.dark.recall.value: expected a finite number, got '0.1'"),
        (lambda a: own(a).update(low=float("nan")), "gains.dark.recall.low: expected a finite number, got nan"),
        (lambda a: own(a).update(low=0.09), "gains.dark.recall.low: expected a number that is not above high, 0.08"),
        (lambda a: a.update(verdict="maybe"), "verdict: expected one of admit, hold, reject, got 'maybe'"),
        (lambda a: a.update(time="yesterday"), "time: expected a time in ISO 8601"),
        (lambda a: a.update(verdict=None), "verdict: null, the gate did not finish"),
        (lambda a: a.update(gains={"dark": {"AP50": own(a)}}), "gains.dark has no 'recall', only AP50; choose one of"),
    ],
)
def test_damaged_answers_are_refused_by_file_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Change, said: str
) -> None:
    """Exit code 2, one line, and no budget."""
    report = write_report(tmp_path / "report", PLAIN)
    answer = copy.deepcopy(GOOD)
    change(answer)
    path = tmp_path / "gate.json"
    path.write_text(json.dumps(answer))
    assert main([str(report), "--worlds", "10", "--history", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}: {said}")
    assert error.count("\n") == 1
    assert not (report / "budget.json").exists()


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is not JSON"), ("[1]", "is not a mapping but [1]"), ("", "is not JSON")]
)
def test_what_is_no_answer_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    """A file that is not JSON, and one that is no mapping."""
    report = write_report(tmp_path / "report", PLAIN)
    path = tmp_path / "gate.json"
    path.write_text(text)
    assert main([str(report), "--worlds", "10", "--history", str(path)]) == 2
    assert f"error: {path} {said}" in capsys.readouterr().err


def test_an_answer_is_counted_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same answer under two names would be two batches."""
    report = write_report(tmp_path / "report", PLAIN)
    one, two = write_answer(tmp_path / "a", GOOD), write_answer(tmp_path / "b", GOOD)
    assert main([str(report), "--worlds", "10", "--history", str(one), str(two)]) == 2
    assert f"{two} is the same answer as {one}" in capsys.readouterr().err


def test_an_answer_without_a_gain_spent_frames_and_taught_nothing(tmp_path: Path) -> None:
    """A batch that was refused before training, or whose slice was insufficient, has no gain; a folder will do."""
    refused = {**gate_answer("dark", 100, (0.0, 0.0, 0.0), 1, "reject"), "gains": {}}
    unknown = gate_answer("dark", 40, (0.0, 0.0, 0.0), 4, "hold")
    unknown["gains"]["dark"] = {"AP50": {"value": 0.1, "low": 0.0, "high": 0.2}}  # recall is there for all alone
    unmeasured = gate_answer("dark", 50, (None, None, None), 2, "hold")
    untargeted = {**gate_answer("dark", 50, (0.1, 0.0, 0.2), 3), "target": None}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "gate.json").write_text(json.dumps(refused))
    paths = [write_answer(tmp_path, unmeasured), tmp_path / "run", write_answer(tmp_path, untargeted)]
    paths.append(write_answer(tmp_path, unknown))
    history = read_history(paths, "recall")
    assert [(one.target, one.frames, one.gain is None) for one in history] == [
        ("dark", 100, True), ("dark", 50, True), ("all", 50, False), ("dark", 40, True),
    ]  # fmt: skip


def test_an_interval_of_no_width_is_not_certainty(tmp_path: Path) -> None:
    """Where nothing moved in any replicate, the noise is that of half a point."""
    (one,) = read_history([write_answer(tmp_path, gate_answer("dark", 100, (0.0, 0.0, 0.0), 1))], "recall")
    assert one.gain is not None
    assert one.gain.noise == pytest.approx(FINEST_NOISE)
    assert one.gain.high == pytest.approx(Z_90 * FINEST_NOISE)


@pytest.mark.parametrize(
    ("slices", "options", "said"),
    [
        ({"all": {"recall": (0.8, 0.7, 0.9)}}, [], "has no slices but 'all'"),
        ({**PLAIN, "all": {"recall": None}}, [], "give --target"),
        ({**PLAIN, "dark": {"recall": (0.5, 0.4, 1.6)}}, [], "slices[1].figures.recall.high"),
        ({**PLAIN, "dark": {"recall": (0.5, 0.4, 0.6), "risk": -1}}, [], "slices[1].risk_weight"),
        (PLAIN, ["--target", "1.5"], "--target must be"),
        (PLAIN, ["--figure", "AP"], "figures.AP"),
        (PLAIN, ["--left", "5"], "--left 5 is less"),
        (PLAIN, ["--prior", "0", "0"], "--prior needs"),
    ],
)  # fmt: skip
def test_reports_and_options_that_cannot_be_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], slices: dict[str, Any], options: list[str], said: str
) -> None:
    """Exit code 2, one line that says which."""
    assert main([str(write_report(tmp_path, slices)), "--worlds", "10", *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_nothing_is_written_into_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, dataset = write_report(tmp_path, PLAIN), tmp_path / "dataset"
    dataset.mkdir()
    (dataset / "dataset.json").write_text("{}")
    assert main([str(report), "--worlds", "10", "--out", str(dataset / "budget")]) == 2
    assert f"lies in the dataset {dataset}" in capsys.readouterr().err
    assert not (dataset / "budget").exists()
