"""Slices of defects by what was measured of them, columns that are not there, and draws one at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.dataset.finalise import finalise
from engine.errors import UserError
from engine.evaluate.__main__ import main
from engine.evaluate.intervals import draws_of_groups, group_weights
from engine.evaluate.slices import Slice, SliceReader
from engine.evaluate.stored import read_report
from engine.evaluate.truth import read_truth
from engine.write.record import read_json
from engine.write.shard import ShardWriter
from tests.engine.test_dataset_defects import WORLDS, marked_batch, marked_plan
from tests.engine.test_mix import make_real
from tests.engine.toy_dataset import toy_job

CNR = (1.0, 3.0, 0.5)  # of the two scratches and the near-miss of dust of every frame that has any


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames with two scratches each, one of which is hardly to be seen; the near-miss is no instance."""
    out, plan = tmp_path_factory.mktemp("defects") / "toy", marked_plan()
    frames, labels, drawn = marked_batch(plan)
    marks = labels.marks
    cnr = np.array([CNR[row % 3] for row in range(len(marks.cnr))], np.float32)
    with ShardWriter(out, plan) as writer, writer.shard(WORLDS) as shard:
        shard.add(frames, replace(labels, marks=replace(marks, cnr=cnr)), drawn)
    finalise(out, WORLDS, toy_job(WORLDS))
    return out


def test_a_slice_of_defects_has_those_that_are_hard_to_see(dataset: Path, tmp_path: Path) -> None:
    """Each second scratch is found: all of the plain ones, none of the faint ones; objects and dust are not asked."""
    scratches = [one for one in read_json(dataset / "labels/coco.json")["annotations"] if "handling_step" in one]
    assert len(scratches) == 6
    plain = [one for number, one in enumerate(scratches) if number % 2]
    found = [{key: one[key] for key in ("image_id", "category_id", "segmentation")} | {"score": 0.9} for one in plain]
    (tmp_path / "found.json").write_text(json.dumps(found))
    slices = {
        "faint": {"where": "i.class = 'scratch' AND i.cnr < 2", "min_support": 2},
        "plain": {"where": "i.class = 'scratch' AND i.cnr >= 2", "min_support": 2},
        "dust": {"where": "i.class = 'dust'", "min_support": 1},
    }
    (tmp_path / "slices.yaml").write_text(json.dumps(slices))
    words = [str(dataset), str(tmp_path / "found.json"), "--slices", str(tmp_path / "slices.yaml")]
    assert main([*words, "--out", str(tmp_path / "report"), "--replicates", "50"]) == 0
    report = read_report(tmp_path / "report")
    told = {one["name"]: one for one in report.facts["slices"]}
    assert report.facts["compared_by"] == "masks"
    assert [(told[n]["images"], told[n]["instances"], told[n]["missed"]) for n in ("faint", "plain")] == [
        (3, 3, 3), (3, 3, 0)
    ]  # fmt: skip
    assert told["faint"]["figures"]["recall"]["value"] == 0.0
    assert told["plain"]["figures"]["recall"]["value"] == 1.0
    assert told["faint"]["figures"]["false_alarms"]["value"] == 0.0
    assert (told["dust"]["instances"], told["dust"]["verdict"]) == (0, "insufficient")
    faint = {row["truth_id"] for row in report.matches().to_pylist() if row["is_defect"] and not row["found"]}
    assert faint == {6}


def test_a_report_keeps_where_every_prediction_is(dataset: Path, tmp_path: Path) -> None:
    """Around the mask where a prediction has no box."""
    (one,) = [a for a in read_json(dataset / "labels/coco.json")["annotations"] if a["id"] == 1]
    found = [{key: one[key] for key in ("image_id", "category_id", "segmentation")} | {"score": 0.9}]
    (tmp_path / "found.json").write_text(json.dumps(found))
    assert main([str(dataset), str(tmp_path / "found.json"), "--out", str(tmp_path / "report")]) == 0
    (row,) = read_report(tmp_path / "report").predictions().to_pylist()
    assert row["bbox"] == one["bbox"]


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("lum_meen < 1", "there is no column 'lum_meen'; near: lum_mean"),
        ("f.lum_st > 0.1", "'f' has no column 'lum_st'; near: lum_std"),
        ('w."p.sun.elevation" > 1', "'w' has no column 'p.sun.elevation'; near: \"p.sun.elevation_deg\""),
        ("i.clas = 'scratch' AND lum_mean < 1", "'i' has no column 'clas'; near: class"),
        ("cnrr < 2 AND i.area_px > 3", "there is no column 'cnrr'; near: i.cnr"),
    ],
)
def test_a_column_that_is_not_there_has_near_ones(dataset: Path, where: str, what: str) -> None:
    truth = read_truth(dataset, None)
    with pytest.raises(UserError) as told:
        SliceReader(dataset, truth).part("weak", Slice(where))
    assert str(told.value).startswith(f"slice weak: {where!r} cannot be asked: {what}")
    assert "\n" not in str(told.value)
    assert "truth_id" not in str(told.value)


def test_columns_of_defects_are_not_there_without_defects(tmp_path: Path) -> None:
    real = make_real(tmp_path / "real", 3)
    with pytest.raises(UserError, match="'i' has no column 'cnr'; near: "):
        SliceReader(real, read_truth(real, None)).part("faint", Slice("i.class = 'nail' AND i.cnr < 2"))


@pytest.mark.parametrize(("groups", "items"), [(1, 3), (24, 144), (300, 300), (0, 0)])
def test_draws_one_at_a_time_are_those_of_numpy_at_once(groups: int, items: int) -> None:
    """Bit for bit, so that reports do not change; and no replicate is kept."""
    group = np.arange(items) % max(groups, 1)
    random = np.random.Generator(np.random.Philox(key=[5, groups]))
    wanted = (
        random.multinomial(groups, np.full(groups, 1.0 / groups), size=60)[:, group] if groups else np.zeros((60, 0))
    )
    drawn = [*draws_of_groups(group, 5, 60)]
    assert np.array_equal(np.array(drawn), wanted)
    assert np.array_equal(group_weights(group, 5, 60), wanted)
    assert (wanted.sum(axis=1) > 0).all() == bool(groups)
