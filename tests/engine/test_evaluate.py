"""`python -m engine.evaluate`: slices are what SQL and a count by hand say, and too little is called so."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from engine.evaluate.__main__ import main
from engine.evaluate.evaluate import Measurement
from engine.evaluate.images import Ranked, measure_images
from engine.evaluate.truth import Truth, _groups
from engine.lineage.node import read_node
from engine.lineage.runs import training_run
from tests.engine.test_mix import make_real
from tests.engine.toy_dataset import make_toy, toy_plan

COUNT = 60  # pictures: each shows a nail, every third a screw; picture n has the luma n


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_real(tmp_path_factory.mktemp("evaluate") / "real", COUNT)


def labels_of(dataset: Path) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = json.loads((dataset / "labels/coco.json").read_text())["annotations"]
    return annotations


def perfect(annotation: dict[str, Any], score: float = 0.9) -> dict[str, Any]:
    return {name: annotation[name] for name in ("image_id", "category_id", "bbox")} | {"score": score}


def mask_of(segmentation: Any) -> dict[str, Any]:
    return {"image_id": 1, "category_id": 1, "score": 1, "segmentation": segmentation}


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


def test_a_condition_that_nothing_satisfies_is_said_to_be_so(dataset: Path, tmp_path: Path, capsys) -> None:
    """Such as a class that is misspelled: a text that no row has is no error of SQL."""
    evaluate(dataset, tmp_path, [perfect(labels_of(dataset)[0])], {"screws": {"where": "i.class = 'scrw'"}})
    assert "insufficient: nothing satisfies its condition" in capsys.readouterr().out
    assert "nothing satisfies its condition" in (tmp_path / "found-report/evaluation.html").read_text()


def test_risk_is_the_weighted_sum_of_misses(dataset: Path, tmp_path: Path) -> None:
    found = [perfect(a) for a in labels_of(dataset) if a["category_id"] == 1]
    slices = {"a": {"where": "i.class = 'screw'", "risk_weight": 3}, "b": {"where": "true", "risk_weight": 2}}
    assert evaluate(dataset, tmp_path, found, slices)["risk"] == pytest.approx(3 * 1 + 2 * 20 / 80)


def test_a_false_alarm_weighs_what_its_slice_says(dataset: Path, tmp_path: Path) -> None:
    """Twenty screws are missed, and of the 60 pictures 30 have a false alarm, 10 of them a second one of low score."""
    found = [perfect(a) for a in labels_of(dataset) if a["category_id"] == 1]
    alarm = {"category_id": 1, "bbox": [30, 20, 5, 5]}
    found += [alarm | {"image_id": n, "score": 0.5} for n in range(31, 61)]
    found += [alarm | {"image_id": n, "score": 0.1} for n in range(51, 61)]
    slices = {
        "both": {"where": "true", "risk_weight": 3, "alarm_weight": 4},
        "alarms": {"where": "true", "risk_weight": 0, "alarm_weight": 4},
        "misses": {"where": "true", "risk_weight": 3},
        "few": {"where": "lum_mean < 5.5 / 255.0", "alarm_weight": 4},
    }
    told = evaluate(dataset, tmp_path, found, slices, "--score", "0.3")
    assert {name: one["risk"] for name, one in by_name(told).items()} == {
        "all": pytest.approx(0.25), "both": pytest.approx(3 * 0.25 + 4 * 0.5), "alarms": pytest.approx(4 * 0.5),
        "misses": pytest.approx(3 * 0.25), "few": None,
    }  # fmt: skip
    assert told["risk"] == pytest.approx(2.75 + 2.0 + 0.75)
    assert by_name(told)["both"]["alarm_weight"] == 4.0
    page = (tmp_path / "found-report/evaluation.html").read_text()
    assert "risk: 3 x missed share + 4 x false alarms a picture" in page


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


def test_a_difference_in_one_group_alone_is_open(dataset: Path, tmp_path: Path) -> None:
    """All draws of it are alike, which says nothing of other groups."""
    labels = labels_of(dataset)
    (tmp_path / "other.json").write_text("[]")
    slices = {"one": {"where": "frame_id = 3", "min_support": 1}}
    report = evaluate(
        dataset, tmp_path, [perfect(a) for a in labels], slices, "--against", str(tmp_path / "other.json")
    )
    recall = next(one for one in report["against"] if one["slice"] == "one")["recall"]
    assert recall == {"value": 1.0, "low": None, "high": None, "verdict": "open"}


def test_scores_that_rank_all_right_are_as_sure_as_they_have_groups() -> None:
    """Ten pictures with something above four without: Wilson's interval of four, and of ten for a recall."""
    score = {number + 1: 1.0 - number / 14 for number in range(14)}
    frames = np.arange(14)
    for groups, ends in ((frames, (4.0, 10.0)), (np.zeros(14, np.int64), (math.nan, math.nan))):
        truth = Truth(Path(), None, Path(), frames, [], {}, [], {}, groups, "world")  # type: ignore[arg-type]
        told = measure_images(truth, frames < 10, score, Measurement()).figures
        for name, most in zip(("AUROC", "recall_at_5_percent"), ends, strict=True):
            low = most / (most + 1.6448536**2)
            assert told[name].value == 1.0
            assert told[name].low == pytest.approx(low, rel=1e-6, nan_ok=True)


def test_a_model_that_finds_nothing_is_compared_by_what_the_other_finds(tmp_path: Path) -> None:
    """With masks: none at all is no reason to compare boxes."""
    dataset = tmp_path / "toy"
    make_toy(dataset, range(2), toy_plan())
    masks = [perfect(a) | {"segmentation": a["segmentation"]} for a in labels_of(dataset)]
    (tmp_path / "other.json").write_text(json.dumps(masks))
    report = evaluate(dataset, tmp_path, [], {"x": {"where": "true"}}, "--against", str(tmp_path / "other.json"))
    assert report["compared_by"] == "masks"
    assert report["against"][0]["recall"]["value"] == -1.0


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


def test_false_alarms_of_a_slice_of_instances_are_those_of_its_classes(dataset: Path, tmp_path: Path) -> None:
    """A false nail beside every screw says nothing of how screws are found; of the pictures it does."""
    found = [perfect(a) for a in labels_of(dataset)]
    screws = {a["image_id"] for a in labels_of(dataset) if a["category_id"] == 2}
    found += [{"image_id": n, "category_id": 1, "bbox": [30, 20, 5, 5], "score": 0.5} for n in screws]
    slices = {"screws": {"where": "i.class = 'screw'"}, "pictures": {"where": "n_instances = 2"}}
    told = by_name(evaluate(dataset, tmp_path, found, slices))
    assert told["screws"]["figures"]["precision"]["value"] == 1.0
    assert told["screws"]["figures"]["false_alarms"] == {"value": 0.0, "low": 0.0, "high": 3 / 20}
    assert told["pictures"]["figures"]["precision"]["value"] == pytest.approx(40 / 60)


def test_one_group_has_figures_and_no_interval(dataset: Path, tmp_path: Path) -> None:
    """All pictures show the same thing: however many they are, they are one observation."""
    found = [perfect(a) for a in labels_of(dataset) if a["image_id"] > 20]
    slices = {"x": {"where": "true", "min_support": 1}}
    report = evaluate(dataset, tmp_path, found, slices, "--group", "step")
    assert report["groups"] == 1
    assert by_name(report)["x"]["figures"]["recall"] == {"value": pytest.approx(53 / 80), "low": None, "high": None}
    assert "interval unknown" in (tmp_path / "found-report/evaluation.html").read_text()


def test_frames_without_a_group_are_observations_of_their_own(tmp_path: Path) -> None:
    """Three frames of one surface, and three whose surface nobody knows: four groups, not two."""
    (tmp_path / "index").mkdir()
    columns = {"frame_id": [0, 1, 2, 3, 4, 5], "world": [0, 1, 2, 3, 4, 5], "surface": [7, 7, 7, None, None, -1]}
    pq.write_table(pa.table(columns), tmp_path / "index/frames.parquet")
    group, by = _groups(tmp_path, np.arange(6), "surface")
    assert (group.tolist(), by) == ([0, 0, 0, 1, 2, 3], "surface")


def test_the_page_pictures_the_worst_frames(dataset: Path, tmp_path: Path) -> None:
    """Two misses and a false alarm in picture 7 come first, with all that was seen; words of data are words."""
    found = [perfect(a) for a in labels_of(dataset) if a["image_id"] != 7]
    found.append({"image_id": 7, "category_id": 2, "bbox": [30.5, 20, 5, 6], "score": 0.75})
    slices = {"<script>": {"where": "lum_mean < 0.9", "about": "<b>dim</b>"}}
    report = evaluate(dataset, tmp_path, found, slices, "--worst", "3")
    assert report["worst"] == [{"frame_id": 6, "path": "images/000/000006.png", "missed": 2, "alarms": 1}]
    page = (tmp_path / "found-report/evaluation.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    style = base64.b64encode(hashlib.sha256(page.split("<style>")[1].split("</style>")[0].encode()).digest()).decode()
    assert policy is not None
    assert policy[1] == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    )
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<figure>") == page.count('<img src="data:image/jpeg') == 1
    drawn = re.findall(r"<title>([^<]+)</title><rect class=\"shape (\w+)[^>]+ x=\"([\d.]+)\" y=\"([\d.]+)\"", page)
    assert drawn == [
        ("nail, missed", "missed", "2.00", "5.00"), ("screw, missed", "missed", "10.00", "10.00"),
        ("screw 0.75, false alarm", "alarm", "30.50", "20.00"),
    ]  # fmt: skip


def test_a_report_leaves_the_dataset_alone_and_masks_are_compared_with_masks(dataset, tmp_path, capsys) -> None:
    labels = labels_of(dataset)
    masks = [perfect(a) | {"segmentation": a["segmentation"]} for a in labels if "segmentation" in a]
    for name, found in (("boxes", [perfect(labels[0])]), ("masks", masks)):
        (tmp_path / f"{name}.json").write_text(json.dumps(found))
    files = [str(dataset), str(tmp_path / "boxes.json"), "--replicates", "60"]
    assert main([*files, "--out", str(dataset / "report")]) == 2
    assert "is in the dataset" in capsys.readouterr().err
    another = shutil.copytree(dataset, tmp_path / "another")
    assert main([*files, "--out", str(another)]) == 2
    assert f"lies in the dataset {another}" in capsys.readouterr().err
    assert not (another / "evaluation.json").exists()
    assert main([str(dataset), str(tmp_path / "masks.json"), "--replicates", "60"]) == 2
    assert "20 of 80 instances of the dataset have a box alone" in capsys.readouterr().err


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
        ([{"image_id": [1], "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}], r"image_id \[1\] is no picture"),
        ([{"image_id": 1, "category_id": [1], "bbox": [0, 0, 1, 1], "score": 1}], r"category_id \[1\] is no class"),
        ([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 10**400}], "is not a number"),
        ([mask_of([[0, 0, 9, 0, 9, 9]])], r"is not \{size, counts\}"),
        ([mask_of({"size": [32, 40], "counts": "5"})], r"has the size \[32, 40\], its picture \[30, 40\]"),
        ([mask_of({"size": [30, 40], "counts": "5"})], "do not fill 30 x 40 pixels"),
        ([{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 2], "score": 1}], "of a class that has none"),
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
        ({"a": {"where": "true", "alarm_weight": -1}}, "alarm_weight must be in 0..1e+06, got -1"),
        ({"a": {"where": "true", "alarm_weight": float("nan")}}, "alarm_weight"),
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
