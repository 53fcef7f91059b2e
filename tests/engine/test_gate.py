"""The gate lets in what helps, holds what does nothing, and turns away what is poisoned, each by the right check."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.dataset.__main__ import main as dataset_main
from engine.errors import UserError
from engine.evaluate.slices import Slice
from engine.gate.check import ADMIT, Check
from engine.gate.gate import earlier_holds, run_gate, with_suite
from engine.gate.request import Accepted, Request, Utility
from engine.gate.rule import Decision
from engine.lineage.ledger import append, read_entries
from engine.suite.__main__ import main as suite_main
from engine.train.plan import TrainingPlan
from engine.write.files import hash_file
from tests.engine.gate_toys import Toy, make_toys, toy_trainer

DARK, LIGHT = Slice("lum_mean < 0.35"), Slice("lum_mean >= 0.35")
UTILITY = Utility(trainer="toy", task="bbox", replicates=50)
Ask = Callable[..., dict[str, Any]]


def never(plan: TrainingPlan, folder: Path) -> None:
    """Train nothing: what a check stops needs no model."""
    raise AssertionError("a model was trained")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training data without the dark, and a holdout of which half is dark."""
    root = tmp_path_factory.mktemp("gate")
    make_toys(root / "base", 60, 1, Toy())
    make_toys(root / "holdout", 40, 2, Toy(dark=0.5))
    make_toys(root / "good", 40, 3, Toy(dark=1.0))
    return root


@pytest.fixture(scope="module")
def ask(root: Path) -> Ask:
    """Ask the gate about a batch; models without the batch are trained once."""

    def asked(batch: Path, trainer: Any = toy_trainer, **more: Any) -> dict[str, Any]:
        request = Request(
            batch, (root / "base",), root / "holdout", root / "gate", slices={"dark": DARK, "light": LIGHT},
            target="dark", utility=UTILITY, accepted=Accepted(True, True), crops=0,
        )  # fmt: skip
        return run_gate(dataclasses.replace(request, **more), trainer, lambda _: None)

    return asked


def failed(report: dict[str, Any]) -> tuple[str, str]:
    """Return the one check that stopped a batch."""
    assert report["verdict"] == "reject"
    (one,) = [check for check in report["checks"] if check["verdict"] == "fail"]
    assert one == report["checks"][-1]
    return one["gate"], one["name"]


@pytest.fixture(scope="module")
def admitted(root: Path, ask: Ask) -> dict[str, Any]:
    """Ask about a batch of what was missing."""
    return ask(root / "good")


def test_a_batch_that_helps_is_admitted_on_record(
    root: Path, admitted: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    report = admitted
    assert report["verdict"] == "admit"
    dark = report["gains"]["dark"]["AP50"]
    assert 0.3 < dark["low"] < dark["value"] < dark["high"]
    assert [(one["gate"], one["name"], one["verdict"]) for one in report["checks"]] == [
        ("G0", "integrity", "pass"), ("G0", "taxonomy", "pass"), ("G1", "privacy", "pass"), ("G1", "licences", "pass"),
        ("G2", "near_duplicates", "pass"), ("G2", "leaks", "pass"), ("G2", "repeats", "pass"), ("G3", "purity", "pass"),
        ("G3", "coverage", "skipped"), ("G4", "distribution", "skipped"), ("G5", "utility", "pass"),
    ]  # fmt: skip
    for arm in report["arms"]:
        assert arm["with"]["figures"]["dark"]["AP50"] > arm["without"]["figures"]["dark"]["AP50"]
    written = json.loads((root / "gate/gate.json").read_text())
    assert written == report
    entries = [entry for entry in read_entries(root / "good") if entry.event in ("gate", "admit")]
    assert [entry.event for entry in entries] == ["gate"] * 11 + ["admit"]
    assert entries[-1].facts["evidence"] == hash_file(root / "gate/gate.json")
    page = (root / "gate/gate.html").read_text()
    assert '<p class="verdict admit">admit</p>' in page
    assert "<script" not in page
    assert dataset_main(["tamper-check", str(root / "good")]) == 0
    for command, said in (("card", "admit"), ("lineage", "admit")):
        assert dataset_main([command, str(root / "good")]) == 0
        assert said in capsys.readouterr().out


def test_a_model_is_trained_once(root: Path, ask: Ask, admitted: dict[str, Any]) -> None:
    """Asked again with one more seed, two more models are trained; the first five say what they said."""
    trained = []

    def trainer(plan: TrainingPlan, folder: Path) -> None:
        trained.append((plan.seed, len(plan.train)))
        toy_trainer(plan, folder)

    after = ask(root / "good", trainer, utility=dataclasses.replace(UTILITY, seeds=6))
    assert sorted(trained) == [(5, 1), (5, 2)]
    assert after["arms"][:5] == admitted["arms"]


def test_more_of_what_is_known_is_held_and_the_third_time_rejected(ask: Ask, tmp_path: Path) -> None:
    """The same question again is no new evidence; two holds on other evidence are enough."""
    same = make_toys(tmp_path / "same", 40, 4, Toy())
    first = ask(same, target="all", slices={})
    assert first["verdict"] == "hold"
    assert first["needed"]
    assert earlier_holds(same, first["inputs"]) == 0
    for number in range(2):
        append(same, "hold", inputs=f"other {number}")
    third = ask(same, target="all", slices={})
    assert third["verdict"] == "reject"
    assert "held 2 times before" in third["reasons"][0]


def test_swapped_classes_are_rejected_by_what_they_do(ask: Ask, tmp_path: Path) -> None:
    report = ask(make_toys(tmp_path / "swapped", 40, 5, Toy(dark=1.0, swapped=True)))
    assert failed(report) == ("G5", "utility")
    assert report["gains"]["dark"]["AP50"]["high"] < 0.0


def test_a_placebo_is_not_admitted(ask: Ask, tmp_path: Path) -> None:
    report = ask(make_toys(tmp_path / "turned", 40, 6, Toy(dark=1.0, turned=True)), slices={"dark": DARK})
    assert report["verdict"] in ("hold", "reject")
    assert report["checks"][-1]["gate"] == "G5"


def test_a_suite_that_fails_rejects_what_would_be_admitted(root: Path, ask: Ask, tmp_path: Path) -> None:
    """One suite allows a loss that nobody has, the other asks for more than there is."""
    dataset = make_toys(tmp_path / "day", 24, 10, Toy())
    labels = json.loads((dataset / "labels/coco.json").read_text())["annotations"]
    rows = [{key: one[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9} for one in labels]
    (tmp_path / "perfect.json").write_text(json.dumps(rows))
    store = ["--store", str(tmp_path / "store")]
    common = ["--where", "lum_mean > 0.3", "--metric", "AP50", "--replicates", "50"]
    assert suite_main(["pin", "day", str(dataset), *common, "--allow", "0.9", *store]) == 0
    blessed = ["--predictions", str(tmp_path / "perfect.json"), "--why", "it is the truth"]
    assert suite_main(["bless", "day", *blessed, *store]) == 0
    assert suite_main(["pin", "beyond", str(dataset), *common, "--limit", "1.5", *store]) == 0
    report = ask(
        root / "good", slices={"dark": DARK}, suites=("day", "beyond"), store=tmp_path / "store", out=tmp_path / "gate"
    )
    found = {check["facts"]["suite"]: check["verdict"] for check in report["checks"] if check["gate"] == "G6"}
    assert found == {"day@v1": "pass", "beyond@v1": "fail"}
    assert report["verdict"] == "reject"
    assert report["reasons"][0].startswith("suite beyond@v1: 5 fail")
    admitted = Decision(ADMIT, ("it gains",))
    unsure = Check("G6", "suite", "note", True, "day@v1: 3 open, 2 pass", {"word": "open"})
    assert with_suite(admitted, unsure).verdict == "hold"


def test_being_told_from_real_pictures_is_no_veto(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Fewer halves and trees than the product has: the difference is plain."""
    pytest.importorskip("sklearn")
    for name, value in (("compare.HALVES", 3), ("compare.REPEATS", 1), ("scores.TREES", 6)):
        monkeypatch.setattr(f"engine.shift.{name}", value)
    report = ask(make_toys(tmp_path / "noisy", 40, 7, Toy(dark=1.0, noise=0.05)), crops=30, slices={"dark": DARK})
    (check,) = [one for one in report["checks"] if one["gate"] == "G4"]
    assert check["facts"]["kinds"]["random"]["cues"]["noise"]["auc"]["value"] > 0.95
    assert check["words"].startswith("told apart by")
    assert (check["verdict"], check["hard"]) == ("note", False)
    assert report["verdict"] == "admit"


def test_frames_of_the_holdout_or_of_a_test_are_a_leak(root: Path, ask: Ask, tmp_path: Path) -> None:
    """Of the holdout, of which half is dark, as they are; of a test as another picture file with other bytes."""
    options = ("--where", "lum_mean < 0.35", "--limit", "5", "--out")
    assert dataset_main(["select", str(root / "holdout"), *options, str(tmp_path / "few")]) == 0
    assert dataset_main(["merge", str(root / "good"), str(tmp_path / "few"), "--out", str(tmp_path / "leaky")]) == 0
    report = ask(tmp_path / "leaky", never)
    assert failed(report) == ("G2", "leaks")
    assert "5 pictures of the holdout" in report["reasons"][0]
    test = make_toys(tmp_path / "test", 8, 3, Toy(dark=1.0))
    near = make_toys(tmp_path / "near", 40, 3, Toy(dark=1.0, noise=0.004))
    report = ask(near, never, tests=(test,))
    assert failed(report) == ("G2", "leaks")
    assert "near duplicates of the test test" in report["reasons"][0]


def test_a_batch_of_copies_is_rejected(root: Path, ask: Ask, tmp_path: Path) -> None:
    """Copies of itself, and of what is trained on already."""
    make_toys(tmp_path / "again", 40, 3, Toy(dark=1.0, noise=0.004))
    assert dataset_main(["merge", str(root / "good"), str(tmp_path / "again"), "--out", str(tmp_path / "twice")]) == 0
    assert failed(ask(tmp_path / "twice", never)) == ("G2", "near_duplicates")
    report = ask(root / "good", never, against=(root / "base", tmp_path / "twice"))
    assert failed(report) == ("G2", "repeats")
    assert "40 of 40 frames are in twice already" in report["reasons"][0]


def test_frames_that_were_not_asked_for_are_rejected(ask: Ask, tmp_path: Path) -> None:
    report = ask(make_toys(tmp_path / "light", 20, 8, Toy(dark=0.5)), never)
    assert failed(report) == ("G3", "purity")
    facts = report["checks"][-1]["facts"]
    assert facts["low"] < facts["share"] == 0.5 < facts["high"]


def test_real_pictures_and_unknown_licences_need_somebody_to_answer_for_them(root: Path, ask: Ask) -> None:
    assert failed(ask(root / "good", never, accepted=Accepted(False, True))) == ("G1", "privacy")
    assert failed(ask(root / "good", never, accepted=Accepted(True, False))) == ("G1", "licences")


def test_a_batch_that_was_touched_is_rejected(ask: Ask, tmp_path: Path) -> None:
    out = make_toys(tmp_path / "touched", 12, 9, Toy(dark=1.0))
    picture = next((out / "images").rglob("*.png"))
    picture.write_bytes(picture.read_bytes() + b"\0")
    report = ask(out, never)
    assert failed(report) == ("G0", "integrity")
    assert picture.name in report["reasons"][0]


def test_what_cannot_be_asked_is_said(root: Path, ask: Ask) -> None:
    with pytest.raises(UserError, match="never on the final test"):
        ask(root / "good", never, tests=(root / "holdout",))
    with pytest.raises(UserError, match="the same content cannot be both"):
        ask(root / "base", never)
    with pytest.raises(UserError, match="slice rare is not known; near: "):
        ask(root / "good", never, target="rare")
    with pytest.raises(UserError, match="at least 5"):
        Utility(seeds=4)
    with pytest.raises(UserError, match="no complete dataset"):
        ask(root / "nowhere", never)
