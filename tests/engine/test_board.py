"""Many models on the same draws: figures are those of the report, and a model does not differ from itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UserError
from engine.evaluate.__main__ import main
from engine.evaluate.board import NAMES, Board
from engine.evaluate.evaluate import Measurement
from engine.evaluate.slices import Slice
from engine.evaluate.stored import read_report
from engine.write.record import read_json
from tests.engine.test_mix import make_real

SLICES = {"dark": Slice("lum_mean < 19.5 / 255.0"), "screws": Slice("i.class = 'screw'")}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_real(tmp_path_factory.mktemp("board") / "real", 60)


@pytest.fixture(scope="module")
def predictions(dataset: Path) -> Path:
    path = dataset.parent / "found.json"
    labels = json.loads((dataset / "labels/coco.json").read_text())["annotations"]
    rows = [{key: one[key] for key in ("image_id", "category_id", "bbox")} for one in labels if one["image_id"] % 7]
    path.write_text(json.dumps([row | {"score": 0.25 + row["image_id"] / 100} for row in rows]))
    return path


def test_figures_are_those_of_the_report(dataset: Path, predictions: Path, tmp_path: Path) -> None:
    (tmp_path / "slices.yaml").write_text(json.dumps({name: {"where": one.where} for name, one in SLICES.items()}))
    options = ("--slices", str(tmp_path / "slices.yaml"), "--out", str(tmp_path / "report"), "--replicates", "60")
    assert main([str(dataset), str(predictions), *options]) == 0
    report = {one["name"]: one for one in read_report(tmp_path / "report").facts["slices"]}
    judged = Board(dataset, SLICES, Measurement(replicates=60)).judge(predictions)
    assert set(judged) == {"all", "dark", "screws"}
    for name, one in judged.items():
        assert (one.images, one.groups, one.instances) == tuple(
            report[name][k] for k in ("images", "groups", "instances")
        )
        for figure in NAMES[:-1]:
            assert one.value(figure) == pytest.approx(report[name]["figures"][figure]["value"], abs=1e-6)
    low, high = np.quantile(judged["all"].draws("AP"), (0.05, 0.95))
    assert report["all"]["figures"]["AP"]["low"] == pytest.approx(low, abs=1e-6)
    assert report["all"]["figures"]["AP"]["high"] == pytest.approx(high, abs=1e-6)


def test_a_model_does_not_differ_from_itself(dataset: Path, predictions: Path) -> None:
    board = Board(dataset, SLICES, Measurement(replicates=60))
    first, second = board.judge(predictions)["dark"], board.judge(predictions)["dark"]
    assert np.array_equal(first.replicates, second.replicates, equal_nan=True)
    assert first.draws("recall").std() > 0.0


def test_a_report_knows_its_dataset_and_refuses_another(dataset: Path, predictions: Path, tmp_path: Path) -> None:
    assert main([str(dataset), str(predictions), "--out", str(tmp_path / "report"), "--replicates", "60"]) == 0
    report = read_report(tmp_path / "report")
    assert report.dataset == dataset
    assert report.matches().num_rows == 80
    assert report.predictions().num_rows == sum(1 for _ in json.loads(predictions.read_text()))
    other = make_real(tmp_path / "other", 5)
    with pytest.raises(UserError, match="evaluate again"):
        read_report(tmp_path / "report", other)
    with pytest.raises(UserError, match="--dataset"):
        read_report(tmp_path / "report", tmp_path / "nowhere")
    facts = read_json(tmp_path / "report/evaluation.json")
    for key in ("dataset_id", "group_by", "settings", "slices"):
        less = {name: value for name, value in facts.items() if name != key}
        (tmp_path / "report/evaluation.json").write_text(json.dumps(less))
        with pytest.raises(UserError, match=f"damaged at {key}; make it again"):
            read_report(tmp_path / "report")
