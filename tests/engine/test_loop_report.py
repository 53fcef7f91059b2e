"""The report of a circle: differences judged slice by slice, and a page that says no where the answer was no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.loop.circle import Circle
from engine.loop.page import loop_page
from engine.loop.report import beyond_number, judged, outcome, plain_loop, verdict_of
from engine.loop.runner import Ended
from engine.loop.state import Past, State


def figure(value: float, low: float, high: float) -> dict[str, float]:
    """Return a figure with its interval."""
    return {"value": value, "low": low, "high": high}


def evaluation(recall: dict[str, float], against: dict[str, float] | None) -> dict[str, Any]:
    """Return an evaluation with one measured slice and one below its support."""
    shape = {"where": "lum_mean < 0.1", "images": 40, "groups": 40, "instances": 50}
    slices = [
        {"name": "dark", **shape, "figures": {"recall": recall}},
        {"name": "rare", **shape, "groups": 3, "figures": {}},
    ]
    compared = [] if against is None else [{"slice": "dark", "recall": against}, {"slice": "rare", "recall": against}]
    return {"slices": slices, "against": compared}


def test_slices_are_judged_by_the_bound_of_the_difference() -> None:
    """Before and after as they are; a slice below its support has no figures, and so no verdict."""
    before, after = figure(0.5, 0.4, 0.6), figure(0.7, 0.6, 0.8)
    rows = judged(evaluation(before, None), evaluation(after, figure(0.2, 0.1, 0.3)))
    dark, rare = rows
    assert dark["figures"]["recall"] == {
        "before": before, "after": after, "difference": figure(0.2, 0.1, 0.3), "verdict": "better"
    }  # fmt: skip
    assert (dark["groups"], rare["figures"]) == (40, {})


@pytest.mark.parametrize(
    ("target", "other", "verdict"),
    [
        ((0.1, 0.3), (-0.01, 0.05), "closed"),
        ((-0.01, 0.3), (-0.01, 0.05), "not better"),
        ((0.1, 0.3), (-0.2, -0.1), "not better"),
    ],
)
def test_a_circle_is_closed_only_if_the_target_gains_and_nothing_loses(
    target: tuple[float, float], other: tuple[float, float], verdict: str
) -> None:
    """By AP50 on the test; what loses is named."""
    once = figure(0.5, 0.4, 0.6)
    rows = [
        {"name": name, "figures": {"AP50": {
            "before": once, "after": once, "difference": figure(0.1, *ends),
            "verdict": verdict_of(figure(0.1, *ends), "AP50", 0.02),
        }}}
        for name, ends in (("dark", target), ("lit", other))
    ]  # fmt: skip
    found, words = outcome(rows, "dark")
    assert found == verdict
    assert ("Worse: AP50 of lit." in words) == (other[1] < 0.0)


@pytest.fixture
def held(tmp_path: Path) -> Circle:
    """Return a circle that ended at a gate that held."""
    circle = Circle(tmp_path)
    (tmp_path / "gate").mkdir()
    gate = {
        "verdict": "hold", "reasons": ["dark: +0.010 [-0.050, +0.070]; whether it gains is open"], "needed": "12 seeds",
        "figure": "AP50", "delta": 0.02, "seeds": [0, 1, 2, 3, 4], "target": "dark", "protected": ["lit"],
        "seconds": 9.0, "gains": {"dark": {"AP50": figure(0.01, -0.05, 0.07)}}, "slices": {"dark": {"groups": 40}},
        "checks": [{"gate": "G5", "name": "utility", "verdict": "note", "words": "open <b>", "hard": True}],
    }  # fmt: skip
    (tmp_path / "gate/gate.json").write_text(json.dumps(gate))
    return circle


def test_a_gate_that_holds_is_the_verdict_of_the_loop(held: Circle) -> None:
    """The report says which stage said no and why, has no figures of a second model, and the page shows the same."""
    past = Past("k", ("python -m engine.gate",), 0.0, "hold", 3, 2, 9.0, 8.5)
    report = plain_loop(held, Ended("gate", "hold", "", ("gate",)), State({"gate": past}))
    assert (report["verdict"], report["stage"], report["slices"], report["suite"]) == ("hold", "gate", None, None)
    assert report["words"].startswith("The circle ends at gate: hold. dark: +0.010")
    assert (report["wall_s"], report["cpu_s"]) == (9.0, 8.5)
    page = loop_page(report, "").decode()
    assert '<p class="verdict other">hold</p>' in page
    assert "whether it gains is open" in page
    assert "12 seeds" in page
    assert "Before and after" not in page
    assert "open &lt;b&gt;" in page
    assert "<script" not in page
    assert "python -m engine.gate" in page


def test_a_stage_that_failed_is_no_result(held: Circle) -> None:
    """Failed is neither hold nor closed, and what the command said is named."""
    past = Past("k", ("python -m engine.train",), 0.0)
    report = plain_loop(held, Ended("train-first", "failed", "it ended with 2", ()), State({"train-first": past}))
    assert report["verdict"] == "failed"
    assert report["gate"] is None
    assert report["words"] == "The circle is not closed. it ended with 2"
    assert report["stages"][0]["answer"] is None


def test_a_control_says_what_is_more_than_more_data(tmp_path: Path) -> None:
    """The second model over one of as many pictures that nobody asked for: in the words and on the page."""
    circle = Circle(tmp_path)
    (tmp_path / "test-control").mkdir()
    told = evaluation(figure(0.7, 0.6, 0.8), figure(0.1, 0.05, 0.15))
    told["against"][0]["AP50"] = figure(0.087, 0.055, 0.117)
    (tmp_path / "test-control/evaluation.json").write_text(json.dumps(told))
    report = plain_loop(circle, Ended("lineage", "closed", "", ("evaluate-test-control",)), State({}))
    dark = report["control"][0]
    assert (dark["name"], dark["groups"]) == ("dark", 40)
    assert dark["figures"]["AP50"] == {"difference": figure(0.087, 0.055, 0.117), "verdict": "better"}
    assert beyond_number(report["control"], "dark") == (
        " Over as many pictures that nobody asked for: +0.087 [+0.055, +0.117], better."
    )
    assert beyond_number(report["control"], "rare") == ""
    page = loop_page(report, "").decode()
    assert "The target, or the number of pictures?" in page
    assert "0.087" in page
