"""Drift of shapes under one definition: found where it was planted, not where laws are equal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.dataset.__main__ import main
from engine.errors import UserError
from engine.health.drift import LEAST_GROUPS, Drift, compare_samples, compare_shapes, judge
from engine.scene.taxonomy import Taxonomy
from tests.engine.index_tables import CLASSES, as_defects, clean_frames, clean_instances, edited, write_index


def clustered(random: np.random.Generator, groups: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return values of which `share` of the variance is that of their group, and the groups."""
    of = np.repeat(np.arange(groups), random.poisson(8, groups) + 1)
    values = random.normal(size=groups)[of] * np.sqrt(share) + random.normal(size=len(of)) * np.sqrt(1 - share)
    return values, of


def test_equal_laws_are_called_drifted_as_rarely_as_alpha_says() -> None:
    """400 pairs of 30 groups each, half of the variance between groups: at most 5 % plus three standard errors."""
    alarms = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        first, second = clustered(random, 30, 0.5), clustered(random, 30, 0.5)
        alarms += compare_samples((first[0], second[0]), (first[1], second[1]))["p"] < 0.05
    assert alarms <= 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)


def test_a_shift_is_found_with_its_size() -> None:
    random = np.random.default_rng(0)
    first, second = clustered(random, 60, 0.2), clustered(random, 60, 0.2)
    facts = compare_samples((first[0], second[0] + 1.0), (first[1], second[1]))
    assert facts["p"] < 1e-6
    assert facts["delta"] == pytest.approx(0.52, abs=0.1)  # 2 Phi(1 / sqrt 2) - 1
    assert facts["distance"] == pytest.approx(0.38, abs=0.1)  # 2 Phi(1 / 2) - 1


def test_p_is_adjusted_over_all_measures() -> None:
    """Holm over three: 0.01 becomes 0.03, 0.02 becomes 0.04, 0.5 stays."""
    rows = [Drift("a", str(p), "same", (99, 99), (99, 99), (0, 0), 0.5, 0.5, p, np.nan) for p in (0.02, 0.01, 0.5)]
    judged = judge(rows, alpha=0.035, effect=0.1)
    assert [row.p_holm for row in judged] == pytest.approx([0.04, 0.03, 0.5])
    assert [row.verdict for row in judged] == ["same", "drifted", "same"]
    assert judge(rows, alpha=0.035, effect=0.6)[1].verdict == "same"


def tables(folder: Path, name: str, seed: int, scale: float = 1.0, frames: int = 120, **more: Any) -> Path:
    """Write an index in which cartons are so many times as large as they are by law."""
    instances = clean_instances(frames, seed)
    is_carton = np.array(instances["class"]) == "carton"
    area = np.array(instances["area_px"])
    grown = edited(instances, area_px=lambda _: np.where(is_carton, area * scale, area).astype(np.int32))
    return write_index(folder / name, clean_frames(frames, seed), grown, **more)


def test_the_command_names_the_class_that_drifted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two datasets of one law have no drift; cartons that fill half as much of their boxes are found, they alone."""
    first, second, third = (tables(tmp_path, f"d{seed}", seed, scale) for seed, scale in ((0, 1), (1, 1), (2, 0.5)))
    assert main(["taxonomy", "drift", str(first), str(second)]) == 0
    assert "0 of 12 measures drifted; independent are values of world" in capsys.readouterr().out
    report = tmp_path / "drift.json"
    assert main(["taxonomy", "drift", str(first), str(third), "--json", str(report)]) == 1
    assert "drifted      carton" in capsys.readouterr().out
    plain = json.loads(report.read_text())
    drifted = {(row["key"], row["measure"]) for row in plain["rows"] if row["verdict"] == "drifted"}
    assert plain["schema"] == "taxonomy-drift/1"
    assert drifted == {("carton", "area_share"), ("carton", "extent")}


def test_drift_of_the_contrast_of_defects_is_found(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    folders = []
    for name, contrast in (("a", 0.3), ("b", 0.3), ("c", 0.15)):
        rows = clean_instances(120)
        defects = {
            key: rows[key] for key in ("frame_id", "world", "step", "camera", "class_id", "class", "bbox", "area_px")
        }
        count = len(defects["frame_id"])
        defects["defect_id"] = range(1000, 1000 + count)
        defects |= {
            "near_miss": [False] * count,
            "contrast": -random.normal(contrast, 0.05, count),
            "cnr": np.ones(count),
        }
        folders.append(write_index(tmp_path / name, clean_frames(120), rows, defects=defects))
    assert compare_shapes(folders[0], folders[1]).drifted == ()
    found = compare_shapes(folders[0], folders[2]).drifted
    assert {row.measure for row in found} == {"contrast"}
    assert {row.key for row in found} == {"carton", "floor", "forklift", "pallet"}


def test_labelled_instances_of_one_are_held_against_defects_of_the_other(tmp_path: Path) -> None:
    """Real pictures have defects as instances, rendered ones on their bearers."""
    real = tables(tmp_path, "real", 0)
    for name, seed, scale in (("same", 1, 1.0), ("smaller", 2, 0.5)):
        bearers, defects = as_defects(clean_instances(120, seed))
        defects["area_px"] = [int(area * scale) for area in defects["area_px"]]
        rendered = write_index(tmp_path / name, clean_frames(120, seed), bearers, defects=defects)
        found = {row.measure for row in compare_shapes(real, rendered).drifted if row.key == "pallet"}
        assert found == (set() if scale == 1.0 else {"area_share", "extent"})


def test_no_drift_is_called_where_definitions_or_numbers_do_not_allow_it(tmp_path: Path) -> None:
    first, few = tables(tmp_path, "a", 0), tables(tmp_path, "b", 1, frames=LEAST_GROUPS - 1)
    assert {row.verdict for row in compare_shapes(first, few).rows} == {"insufficient"}
    classes = tuple(replace(c, definition="A box.") if c.key == "carton" else c for c in CLASSES.classes)
    other = tables(tmp_path, "c", 2, scale=0.5, taxonomy=Taxonomy("2", classes))
    report = compare_shapes(first, other)
    assert (report.redefined, report.drifted) == (("carton",), ())
    with pytest.raises(UserError, match="no such column; near: world"):
        compare_shapes(first, other, group="wrold")


def test_groups_that_an_ingest_names_are_what_counts(tmp_path: Path) -> None:
    first, second = (tables(tmp_path, f"d{seed}", seed, options={"groups": ["surface"]}) for seed in (0, 1))
    report = compare_shapes(first, second)
    assert report.group == ("surface", "surface")
    assert {row.groups for row in report.rows} == {(20, 20)}
