"""Asked against drawn: a dataset that follows its laws agrees, one that does not is named; columns become laws."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.config import portable_overrides
from engine.dataset.__main__ import main
from engine.dataset.contents import read_contents
from engine.dataset.laws import read_worlds
from engine.errors import UserError
from engine.randomize.law import Empirical, quantile
from engine.randomize.laws.compare import Asked, Comparison, Table, compare
from engine.randomize.laws.empirical import read_empirical
from engine.randomize.laws.rules import checked_laws, resolve
from engine.recipe import Laws
from engine.write.plan import Provenance, plan_dataset
from tests.engine.randomize_scene import box_scene, randomized, uniform
from tests.engine.toy_dataset import BUILD, ENVIRONMENT, make_toy, toy_recipe, toy_scene

SCENE = box_scene({"/W/A": ((0, 0, 0), (1, 1, 1)), "/W/B": ((3, 0, 0), (1, 1, 1))})
WORLDS = 400
AMBIENT, SHOT = {"kind": "ambient_scale"}, {"kind": "camera_exposure", "cameras": "*"}
BIN = {"law": "histogram", "edges": [-1, 0, 2], "weights": [3, 1]}
TINT = {
    "kind": "tint",
    "instances": "*",
    "brightness": 1,
    "saturation": 0,
    "together": False,
    "hue_deg": uniform(0, 90),
}
SWAP = {"kind": "material_swap", "instances": "*", "materials": ["/Mat/Red", "/Mat/Blue"], "weights": [3, 1]}
CASES = {"law": "conditional", "by": "sky.stops", "cases": [{"high": 0, "then": uniform(1, 2)}], "otherwise": BIN}


def compared(
    entries: dict[str, Any],
    *,
    instead: dict[str, Any] | None = None,
    groups: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, Comparison]:
    """Return the comparisons of worlds drawn by `entries`, or by what is `instead` of them, with what entries ask."""
    laws = Laws(**checked_laws(entries, {"reweight": {}, "groups": groups or {}}))
    drawn_by = Laws({}, {}) if instead is not None else laws
    drawn = randomized(SCENE, {**entries, **(instead or {})}, range(WORLDS), laws=drawn_by, **options)
    asked = Asked(resolve(entries, laws), options.get("breadth", 1.0), 0, 1)
    return {c.column: c for c in compare(asked, Table(drawn.world, drawn.step, drawn.drawn))}


LAWS = {
    "sky": {**AMBIENT, "stops": BIN},
    "shot": {**SHOT, "stops": CASES},
    "tints": TINT,
    "swap": {**SWAP, "probability": {"law": "include", "of": uniform(0.2, 0.8), "share": 0.3}},
    "lens": {
        "kind": "light_switch",
        "lights": "*",
        "probability_on": {"law": "choice", "values": [0, 1]},
        "together": True,
    },
}


@pytest.mark.parametrize("breadth", [1.0, 0.333])
def test_what_was_drawn_agrees_with_what_was_asked(breadth: float):
    found = compared(LAWS, breadth=breadth)
    tested = {name: c for name, c in found.items() if c.test}
    assert {c.verdict for c in tested.values()} == {"agrees"}
    kinds = {"p.sky.stops": "KS", "p.shot.stops": "KS", "p.tints.hue_deg": "KS", "p.tints.saturation": "equal"}
    kinds |= {"p.swap.material": "chi-square", "p.swap.probability": "KS", "p.lens.probability_on": "chi-square"}
    assert {name: found[name].test for name in kinds} == kinds
    assert found["p.swap.changed"].verdict == "recorded"
    assert found["p.tints.hue_deg"].values == 2 * WORLDS


@pytest.mark.parametrize(
    ("name", "wrong", "column"),
    [
        ("sky", {**AMBIENT, "stops": {**BIN, "weights": [2, 2]}}, "p.sky.stops"),
        ("sky", {**AMBIENT, "stops": {**BIN, "edges": [-1, 0, 3]}}, "p.sky.stops"),
        ("tints", {**TINT, "hue_deg": uniform(0, 80)}, "p.tints.hue_deg"),
        ("swap", {**LAWS["swap"], "weights": [2, 1]}, "p.swap.material"),
        (
            "swap",
            {**SWAP, "probability": {"law": "include", "of": uniform(0.2, 0.8), "share": 0.1}},
            "p.swap.probability",
        ),
        ("shot", {**SHOT, "stops": {**CASES, "cases": [{"high": 0, "then": uniform(1, 1.9)}]}}, "p.shot.stops"),
        ("tints", {**TINT, "saturation": 0.1}, "p.tints.saturation"),
    ],
)
def test_a_wrong_law_is_reported_and_no_other(name: str, wrong: dict[str, Any], column: str):
    """Planted: one randomiser drew by another law than the recipe says."""
    found = compared(LAWS, instead={name: wrong})
    assert [c.column for c in found.values() if c.verdict == "differs"] == [column]


PAIR = {"sky": {**AMBIENT, "stops": uniform(-1, 1)}, "shot": {**SHOT, "stops": {"law": "normal", "mean": 0, "std": 1}}}
RHO = {"g": {"kind": "correlated", "keys": ["sky.stops", "shot.stops"], "rho": 0.6}}
GRID = {"g": {"kind": "grid", "keys": ["sky.stops", "shot.stops"], "cells": [5, 3], "jitter": True}}


def test_groups_are_tested_by_ranks_and_by_cells():
    """A dataset drawn without its group has the marginals, and is found by the ranks or by its cells."""
    pair = "g: sky.stops, shot.stops"
    found = compared(PAIR, groups=RHO)
    assert found[pair].statistic == pytest.approx(6 / math.pi * math.asin(0.3), abs=0.08)
    assert [found[name].verdict for name in (pair, "p.sky.stops", "p.shot.stops")] == ["agrees"] * 3
    loose = compared(PAIR, groups=RHO, instead={})
    assert [loose[name].verdict for name in (pair, "p.sky.stops", "p.shot.stops")] == ["differs", "agrees", "agrees"]
    assert {c.verdict for c in compared(PAIR, groups=GRID).values()} == {"agrees"}
    assert {c.verdict for c in compared(PAIR, groups=GRID, instead={}).values()} == {"differs"}


ORBIT = {"kind": "camera_orbit", "cameras": "*", "around": "/W/A", "distance_m": uniform(2, 6), "roll_deg": 0}
ANGLES = {"azimuth_deg": uniform(0, 360), "elevation_deg": uniform(10, 80), "focal_mm": None}


@pytest.mark.parametrize(
    "law",
    [
        {"law": "mixture", "parts": [{"weight": 1, "law": uniform(1, 2)}, {"weight": 3, "law": uniform(0, 1.5)}]},
        {"law": "choice", "values": [2, -1, 1]},
        {"law": "include", "of": uniform(-1, 1), "share": 0.2, "low": 0, "high": 0.5},
    ],
)
def test_laws_that_fall_with_their_numbers_agree_on_a_grid(law: dict[str, Any]):
    """Their cells are no stretches of values."""
    found = compared({"sky": {**AMBIENT, "stops": uniform(0, 1)}, "shot": {**SHOT, "stops": law}}, groups=GRID)
    assert found["p.shot.stops"].verdict == "agrees"
    assert found["p.sky.stops"].test == "cells"


@pytest.mark.parametrize(("clearance_m", "verdict"), [(0.0, "agrees"), (3.0, "selected")])
def test_candidates_that_were_refused_are_no_fault(clearance_m: float, verdict: str):
    """Clear of everything, the nearest distances rightly never come."""
    clear = {"clearance_m": clearance_m, "tries": 32, "inside": None}
    found = compared({"camera": {**ORBIT, **ANGLES, "clear": clear}})
    assert {found[f"p.camera.{key}"].verdict for key in ("distance_m", "azimuth_deg", "elevation_deg")} == {verdict}


def test_every_law_of_the_shipped_scenes_is_found_under_its_column():
    """Names of columns follow from names of fields; the tables of these kinds have them all."""
    layers = {"layers": {"rust": uniform(0, 1), "stain": 0, "dust": 0, "wear": 0}}
    color = {"hue_deg": uniform(0, 9), "saturation": 0, "value": uniform(0, 1)}
    wood = {"kind": "pattern", "instances": "*", "materials": None, "pattern": "wood", "probability": 1, **layers}
    wood |= dict.fromkeys(("scale_m", "strength", "layer_scale_m", "wear_width_m"), 0.1) | {"bump_m": 0.0}
    wood |= {"color_a": color, "color_b": None, "roughness_low": 0.1, "roughness_high": 0.9, "direction": [0, 0, 1]}
    bent = {
        "kind": "camera_lens",
        "cameras": "*",
        "model": "brown_conrady",
        "fov_deg": None,
        "right_px": uniform(-1, 1),
    }
    bent |= {
        "coefficients": [uniform(-0.1, 0), 0, 0, 0],
        "down_px": None,
        "calibrated_width_px": None,
        "max_fov_deg": None,
    }
    found = compared({"wood": wood, "bent": bent})
    asked = [c for c in found.values() if c.law is not None]
    assert {c.verdict for c in asked} == {"agrees"}
    columns = {"p.wood.rust", "p.wood.color_a_hue_deg", "p.wood.scale_m", "p.bent.coefficient_0", "p.bent.right_px"}
    assert columns <= {c.column for c in asked}


SUN = {"kind": "sun_angle", "per": "world", "lights": "*", "azimuth_deg": 0.0, "elevation_deg": uniform(0, 90)}


def toy(out: Path, sun: dict[str, Any]) -> Path:
    """Return a complete dataset whose `p.sun.elevation_deg` is uniform over 0 .. 90, and whose recipe says `sun`."""
    recipe = dataclasses.replace(toy_recipe(), randomize={"sun": sun})
    plan = plan_dataset(recipe, toy_scene(), ("/World/Camera_0",), Provenance(BUILD, ENVIRONMENT), shard_worlds=64)
    assert make_toy(out, range(64), plan, batch=64) is not None
    return out


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that follows its laws, made once: nothing here writes into it."""
    return toy(tmp_path_factory.mktemp("toys") / "good", SUN)


def test_the_command_says_shows_and_answers_by_its_exit_code(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["laws", str(good)]) == 0
    said = capsys.readouterr().out
    assert "p.sun.elevation_deg  deg   uniform 0 .. 90  64" in said
    written = good.with_name("good-laws.html")
    assert said.endswith(f"look at {written}\n")
    page = written.read_text(encoding="utf-8")
    assert page.count("<section") == page.count("<h2>") == 3
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert sorted(path.name for path in good.parent.iterdir()) == ["good", "good-laws.html"]
    bad = toy(tmp_path / "<script>bad<", {**SUN, "elevation_deg": uniform(0, 45)})
    assert main(["laws", str(bad), "--json"]) == 1
    columns = {c["column"]: c for c in json.loads(capsys.readouterr().out)["columns"]}
    assert columns["p.sun.elevation_deg"]["verdict"] == "differs"
    assert columns["p.sun.elevation_deg"]["law"] == {"law": "uniform", "low": 0.0, "high": 45.0}
    assert columns["p.paint.color"]["verdict"] == "recorded"
    assert [path.name for path in tmp_path.iterdir()] == ["<script>bad<"]
    assert main(["laws", str(bad), "--out", str(tmp_path / "bad.html")]) == 1
    assert "<script" not in (tmp_path / "bad.html").read_text(encoding="utf-8")  # names are text


def test_the_command_refuses_a_page_inside_the_dataset(good: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["laws", str(good), "--out", str(good / "laws.html")]) == 2
    assert "lies in the dataset" in capsys.readouterr().err


def test_a_column_of_a_dataset_becomes_a_law_that_needs_no_file(good: Path):
    """257 quantiles with the dataset's id; drawn from, they are the column again."""
    written = {"law": "empirical", "dataset": str(good), "column": "p.sun.elevation_deg"}
    data = read_empirical({"stops": written, "else": [3]}, "randomize.x")
    assert data["else"] == [3]
    assert str(good) not in json.dumps(data)
    law = data["stops"]
    manifest = json.loads((good / "manifest.json").read_text(encoding="utf-8"))
    assert (law["dataset"], law["source"], len(law["quantiles"])) == (None, manifest["dataset_id"], 257)
    values = quantile(
        Empirical(law["column"], quantiles=tuple(law["quantiles"])), np.linspace(0, 1, 500, endpoint=False)
    )
    drawn = read_worlds(read_contents(good)[0]).columns["p.sun.elevation_deg"].astype(float)
    assert stats.ks_2samp(values, drawn).statistic < 0.02
    assert read_empirical(data, "x") == data  # a recipe is read again as it is


def test_counts_and_one_class_become_weights(good: Path):
    law = read_empirical({"law": "empirical", "dataset": str(good), "column": "n_instances", "table": "frames"}, "x")
    assert sum(law["weights"]) == 64.0
    assert law["values"] == sorted(law["values"])
    of_class = {
        "law": "empirical",
        "dataset": str(good),
        "column": "area_px",
        "table": "instances",
        "of_class": "pallet",
    }
    pallets, everything = (read_empirical({**of_class, "of_class": key}, "x") for key in ("pallet", None))
    assert 0 < sum(pallets["weights"]) < sum(everything["weights"])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"dataset": "nowhere"}, "x.dataset: "),
        (
            {"column": "p.sun.elevation"},
            "x.column: the table worlds has no column 'p.sun.elevation'; it has p.sun.elev",
        ),
        ({"table": "instances", "column": "area_px", "of_class": "palet"}, "x.of_class: "),
        ({"of_class": "pallet"}, "x.of_class: only the table instances has classes"),
        ({"table": "frames", "column": "image"}, "x.column: image holds no numbers"),
        ({"tabel": "frames"}, "x: unknown key 'tabel'"),
    ],
)
def test_a_column_that_is_not_there_is_one_line(good: Path, change: dict[str, Any], line: str):
    written = {"law": "empirical", "dataset": str(good), "column": "p.sun.elevation_deg", **change}
    with pytest.raises(UserError) as caught:
        read_empirical(written, "x")
    assert str(caught.value).startswith(line)


def test_the_path_of_an_empirical_law_is_not_recorded():
    written = "+laws.reweight.sky.stops={law: empirical, dataset: /data/mine, column: x}"
    assert portable_overrides((written, "count=3")) == ("count=3",)


def test_laws_of_a_dataset_need_no_renderer():
    """A dataset can be judged on a machine that could not have made it."""
    import subprocess

    code = "import sys, engine.dataset.laws; assert 'warp' not in sys.modules and 'pxr' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
