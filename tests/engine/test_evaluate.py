"""`python -m engine.evaluate`: slices are what SQL and a count by hand say, and too little is called so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from engine.evaluate.__main__ import main
from engine.evaluate.images import Ranked
from engine.lineage.node import read_node
from engine.lineage.runs import training_run
from tests.engine.test_mix import make_real

COUNT = 60  # pictures: each shows a nail, every third a screw; picture n has the luma n


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_real(tmp_path_factory.mktemp("evaluate") / "real", COUNT)


def labels_of(dataset: Path) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = json.loads((dataset / "labels/coco.json").read_text())["annotations"]
    return annotations


def perfect(annotation: dict[str, Any], score: float = 0.9) -> dict[str, Any]:
    return {name: annotation[name] for name in ("image_id", "category_id", "bbox")} | {"score": score}


def evaluate(dataset: Path, folder: Path, predictions: list[Any], slices: dict[str, Any], *more: str) -> dict[str, Any]:
    (folder / "found.json").write_text(json.dumps(predictions))
    (folder / "slices.yaml").write_text(yaml.safe_dump(slices))
    files = (str(folder / "found.json"), "--slices", str(folder / "slices.yaml"))
    assert main([str(dataset), *files, "--replicates", "60", *more]) == 0
    report: dict[str, Any] = json.loads((folder / "found-report/evaluation.json").read_text())
    return report


def by_name(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in report["slices"]}


def test_a_weak_slice_is_told_from_the_rest(dataset: Path, tmp_path: Path) -> None:
    """In the darkest 20 pictures nothing is found, elsewhere everything, and one false alarm in each of 30."""
    found = [perfect(a) for a in labels_of(dataset) if a["image_id"] > 20]
    alarms = [{"image_id": n, "category_id": 1, "bbox": [30, 20, 5, 5], "score": 0.5} for n in range(31, 61)]
    slices = {
        "dark": {"where": "lum_mean < 19.5 / 255.0", "risk_weight": 5},
        "screws": {"where": "i.class = 'screw'", "risk_weight": 2},
        "rare": {"where": "lum_mean > 55.5 / 255.0", "min_support": 5},
    }
    told = by_name(evaluate(dataset, tmp_path, found + alarms, slices))
    assert [(told[n]["images"], told[n]["instances"], told[n]["missed"]) for n in ("all", "dark", "screws")] == [
        (60, 80, 27), (20, 27, 27), (20, 20, 7)
    ]  # fmt: skip
    dark, screws, everything = (told[name]["figures"] for name in ("dark", "screws", "all"))
    assert (dark["recall"]["value"], dark["recall"]["low"]) == (0.0, 0.0)
    assert 0.08 < dark["recall"]["high"] < 0.15  # Wilson's for none of 20: a bootstrap says 0
    assert screws["recall"]["value"] == pytest.approx(13 / 20)
    assert everything["precision"]["value"] == pytest.approx(53 / 83)
    assert everything["false_alarms"]["value"] == pytest.approx(0.5)
    assert told["dark"]["risk"] == pytest.approx(5.0)
    assert told["rare"]["verdict"] == "insufficient"
    assert told["rare"]["figures"] == {}


def test_risk_is_the_weighted_sum_of_misses(dataset: Path, tmp_path: Path) -> None:
    found = [perfect(a) for a in labels_of(dataset) if a["category_id"] == 1]
    slices = {"a": {"where": "i.class = 'screw'", "risk_weight": 3}, "b": {"where": "true", "risk_weight": 2}}
    assert evaluate(dataset, tmp_path, found, slices)["risk"] == pytest.approx(3 * 1 + 2 * 20 / 80)


def test_matches_are_columns_for_the_next_question(dataset: Path, tmp_path: Path) -> None:
    found = [perfect(a, score=0.25) for a in labels_of(dataset) if a["image_id"] % 2]
    evaluate(dataset, tmp_path, found, {"all of it": {"where": "true"}})
    rows = pq.read_table(tmp_path / "found-report/matches.parquet").to_pylist()
    assert len(rows) == 80
    assert {(row["frame_id"] + 1) % 2 == 1 for row in rows if row["found"]} == {True}
    assert {row["score"] for row in rows} == {0.25, None}
    kinds = {(row["frame_id"], row["truth_id"]): row["class"] for row in rows}
    index = pq.read_table(dataset / "index/instances.parquet").to_pylist()
    assert kinds == {(row["frame_id"], row["inst_id"]): row["class"] for row in index}


def test_two_models_are_compared_in_pairs(dataset: Path, tmp_path: Path) -> None:
    """The other model misses a fifth more; both miss the same third beside: paired, the difference is sure."""
    labels = labels_of(dataset)
    (tmp_path / "other.json").write_text(json.dumps([perfect(a) for a in labels if a["image_id"] % 15 > 7]))
    found = [perfect(a) for a in labels if a["image_id"] % 15 > 4]
    report = evaluate(dataset, tmp_path, found, {"x": {"where": "true"}}, "--against", str(tmp_path / "other.json"))
    recall = next(one for one in report["against"] if one["slice"] == "all")["recall"]
    assert recall["value"] == pytest.approx(16 / 80)
    assert 0.1 < recall["low"] < recall["high"] < 0.3
    assert recall["verdict"] == "better"


def test_scores_of_pictures_are_those_of_scikit_learn(dataset: Path, tmp_path: Path) -> None:
    """Weighted, with ties; where every picture shows something there is nothing to tell apart."""
    random = np.random.default_rng(2)
    scores = [{"image_id": n + 1, "score": round(float(random.random()), 1)} for n in range(COUNT)]
    report = evaluate(dataset, tmp_path, scores, {"x": {"where": "true"}})
    assert report["image_scores"]["positive"] == COUNT
    assert report["image_scores"]["AUROC"]["value"] is None
    positive, values = random.random(200) < 0.3, random.random(200).round(1)
    weights = random.integers(0, 3, 200).astype(float)
    order = np.argsort(-values, kind="stable")
    ranked = Ranked(positive[order], np.append(np.diff(values[order]) != 0.0, True))
    referee = roc_auc_score(positive, values, sample_weight=weights)
    assert ranked.figures(weights[order])[0] == pytest.approx(referee, abs=1e-12)


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"a": 1}, "expected a list of COCO results"),
        ([{"image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}], "entry 0: image_id 99"),
        ([{"image_id": 1, "category_id": 7, "bbox": [0, 0, 1, 1], "score": 1}], "category_id 7 is no class"),
        ([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}], "score None"),
        ([{"image_id": 1, "category_id": 1, "bbox": [0, 0, -1, 1], "score": 1}], r"bbox \[0, 0, -1, 1\]"),
        ([{"image_id": 1, "category_id": 1, "score": 1}], "have none of"),
        ([{"image_id": 1, "score": 1}, {"image_id": 1, "score": 1}], "a second score"),
        ([{"image_id": 1, "score": 1}], "59 of 60 pictures have no score"),
    ],
)
def test_predictions_that_do_not_fit_are_named(dataset: Path, tmp_path: Path, capsys, predictions, message) -> None:
    (tmp_path / "found.json").write_text(json.dumps(predictions))
    assert main([str(dataset), str(tmp_path / "found.json"), "--replicates", "60"]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ({"a": {"where": "lum_meen < 1"}}, "slice a: 'lum_meen < 1' cannot be asked"),
        ({"a": {"where": "1; DROP TABLE frames"}}, "without ';'"),
        ({"a": {"where": "(SELECT count(*) FROM read_csv('/etc/passwd')) > 0"}}, "cannot be asked"),
        ({"all": {"where": "true"}}, "choose another name"),
        ({"a": {"where": "true", "min_support": 0}}, "min_support must be at least 1"),
    ],
)
def test_slices_that_do_not_fit_are_named(dataset: Path, tmp_path: Path, capsys, slices, message) -> None:
    (tmp_path / "found.json").write_text(json.dumps([perfect(labels_of(dataset)[0])]))
    (tmp_path / "slices.yaml").write_text(yaml.safe_dump(slices))
    arguments = [str(dataset), str(tmp_path / "found.json"), "--slices", str(tmp_path / "slices.yaml")]
    assert main([*arguments, "--replicates", "60"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "found-report").exists()


def test_an_evaluation_names_the_training_that_made_the_predictions(dataset: Path, tmp_path: Path) -> None:
    with training_run(tmp_path / "runs/a", datasets=[dataset]) as run:
        (tmp_path / "runs/a/weights.pt").write_bytes(b"weights")
        trained = run.finish(outputs=["weights.pt"])
    found = [perfect(a) for a in labels_of(dataset)]
    evaluate(dataset, tmp_path, found, {"dark": {"where": "lum_mean < 0.1"}}, "--run", str(tmp_path / "runs/a"))
    node = read_node(tmp_path / "found-report")
    assert (node.kind, node.state) == ("evaluation", "finished")
    assert node.model is not None
    assert node.model.run_id == trained.id
    assert node.metrics["slices"]["all"]["recall"] == 1.0
    assert "evaluation.json" in {fact.path for fact in node.outputs}
    predictions = str(tmp_path / "found.json")
    assert main([str(dataset), predictions, "--run", str(tmp_path / "none"), "--out", str(tmp_path / "b")]) == 2
    assert not (tmp_path / "b").exists()
