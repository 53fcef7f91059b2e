"""Figures of the whole set are those of pycocotools; intervals hold what they say."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pycocotools.mask import encode

from engine.evaluate.figures import Curves, Part
from engine.evaluate.intervals import bootstrap, group_weights, interval, wilson
from engine.evaluate.match import match
from engine.evaluate.predictions import read_predictions

CATEGORIES = {3: "nail", 8: "screw", 9: "bolt"}
SIGMAS = {3: [0.05, 0.1, 0.2, 0.1], 8: [0.03 + 0.01 * n for n in range(17)], 9: [0.05, 0.05]}


def make_labels(folder: Path, seed: int, images: int = 40) -> tuple[Path, Path]:
    """Write labels and predictions that are partly right: shifted, doubled, missed, invented, of another class."""
    random = np.random.default_rng(seed)
    annotations, results = [], []
    for image in range(1, images + 1):
        for _ in range(random.integers(0, 6)):
            x, y, w, h = *random.integers(0, 80, 2), *random.integers(4, 40, 2)
            category = int(random.choice([3, 8, 8]))
            box = [float(v) for v in (x, y, w, h)]
            crowd = int(random.random() < 0.08)
            own = {"id": len(annotations) + 1, "image_id": image, "category_id": category, "bbox": box}
            annotations.append(own | {"area": box[2] * box[3], "iscrowd": crowd})
            for _ in range(random.integers(0, 3)):
                moved = (np.array(box) + random.normal(0, 2, 4)).clip(0.5)
                kind = category if random.random() < 0.85 else 9
                results.append(entry(image, kind, moved, random.random()))
        for _ in range(random.integers(0, 3)):
            results.append(entry(image, int(random.choice([3, 8])), random.integers(1, 60, 4), random.random() * 0.7))
    pictures = [{"id": i, "width": 128, "height": 128} for i in range(1, images + 1)]
    names = [{"id": i, "name": name} for i, name in CATEGORIES.items()]
    labels = {"images": pictures, "categories": names, "annotations": annotations}
    paths = folder / "coco.json", folder / "results.json"
    for path, data in zip(paths, (labels, results), strict=True):
        path.write_text(json.dumps(data))
    return paths


def entry(image: int, category: int, box: np.ndarray, score: float) -> dict[str, object]:
    return {
        "image_id": image,
        "category_id": category,
        "bbox": [float(v) for v in box],
        "score": round(float(score), 3),
    }


def load(folder: Path, seed: int):
    labels, results = make_labels(folder, seed)
    images = {image["id"] for image in json.loads(labels.read_text())["images"]}
    return labels, results, match(labels, read_predictions(results, images, CATEGORIES))


@pytest.mark.parametrize("seed", range(5))
def test_the_whole_set_has_the_figures_of_pycocotools(tmp_path: Path, seed: int) -> None:
    labels, results, matches = load(tmp_path, seed)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(labels))
        referee = COCOeval(truth, truth.loadRes(str(results)), "bbox")
        referee.evaluate()
        referee.accumulate()
        referee.summarize()
    everything = Part(np.ones(len(matches.truth_id), bool), np.ones(len(matches.image_ids), bool))
    curves = Curves(matches, everything)
    assert curves.average_precision() == pytest.approx(referee.stats[0], abs=1e-9)
    assert curves.average_precision(loose=True) == pytest.approx(referee.stats[1], abs=1e-9)
    recall = referee.eval["recall"][0, :, 0, 2]  # [class], overlap 0.5, 100 predictions
    counts = np.array([(matches.truth_class[~matches.truth_ignored] == c).sum() for c in CATEGORIES])
    known = recall > -1
    assert curves.recall() == pytest.approx((recall * counts)[known].sum() / counts[known].sum(), abs=1e-12)


def with_shapes(labels: Path, results: Path, task: str) -> None:
    """Give all boxes of both files masks (the box, rounded) or keypoints (four or seventeen places in it)."""
    truth, found = (json.loads(path.read_text()) for path in (labels, results))
    random = np.random.default_rng(7)
    for one in truth["annotations"] + found:
        x, y, w, h = one["bbox"]
        if task == "segm":
            mask = np.zeros((128, 128), np.uint8, order="F")
            mask[round(y) : round(y + h) + 1, round(x) : round(x + w) + 1] = 1
            rle = encode(mask)
            one["segmentation"] = {"size": rle["size"], "counts": rle["counts"].decode()}
            continue
        count = len(SIGMAS[one["category_id"]])
        places = np.linspace(0.1, 0.9, count)
        seen = random.integers(0, 3, count) * (random.random() > 0.1) if "id" in one else np.full(count, 2)
        one["keypoints"] = np.stack([x + w * places, y + h * places, seen], axis=1).ravel().tolist()
        if "id" in one:
            one["num_keypoints"] = int((seen > 0).sum())
    if task == "keypoints":
        for category in truth["categories"]:
            sigmas = SIGMAS[category["id"]]
            category |= {"keypoints": [f"k{n}" for n in range(len(sigmas))], "skeleton": [], "sigmas": sigmas}
        first = truth["annotations"][0]
        more = [one for one in found if one["category_id"] == first["category_id"]]
        found += [one | {"image_id": first["image_id"]} for one in more[:30]]
    for path, data in zip((labels, results), (truth, found), strict=True):
        path.write_text(json.dumps(data))


@pytest.mark.parametrize("task", ["segm", "keypoints"])
@pytest.mark.parametrize("seed", range(3))
def test_masks_and_keypoints_have_the_figures_of_pycocotools(tmp_path: Path, seed: int, task: str) -> None:
    """Keypoints class by class, since pycocotools knows one set of sigmas; 20 predictions of a class in a picture."""
    labels, results = make_labels(tmp_path, seed)
    with_shapes(labels, results, task)
    images = {image["id"] for image in json.loads(labels.read_text())["images"]}
    predictions = read_predictions(results, images, CATEGORIES)
    assert predictions.task == task
    matches = match(labels, predictions)
    stats = []
    for classes in [[c] for c in CATEGORIES] if task == "keypoints" else [[*CATEGORIES]]:
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(labels))
            referee = COCOeval(truth, truth.loadRes(str(results)), task)
            referee.params.catIds = classes
            if task == "keypoints":
                referee.params.kpt_oks_sigmas = np.array(SIGMAS[classes[0]])
            referee.evaluate()
            referee.accumulate()
            referee.summarize()
        stats += [referee.stats[:2]] if referee.stats[0] > -1.0 else []
    curves = Curves(matches, Part(np.ones(len(matches.truth_id), bool), np.ones(len(matches.image_ids), bool)))
    wanted = np.mean(stats, axis=0)
    assert 0.05 < wanted[0] < 0.95
    assert curves.average_precision() == pytest.approx(wanted[0], abs=1e-9)
    assert curves.average_precision(loose=True) == pytest.approx(wanted[1], abs=1e-9)


def test_weights_are_as_good_as_copies_of_pictures(tmp_path: Path) -> None:
    """A picture that counts twice is a picture that is there twice, under another id."""
    labels, results, matches = load(tmp_path, 3)
    everything = Part(np.ones(len(matches.truth_id), bool), np.ones(len(matches.image_ids), bool))
    weights = np.random.default_rng(0).integers(0, 3, len(matches.image_ids)).astype(float)
    data, found = (json.loads(path.read_text()) for path in (labels, results))
    copied, more = {**data, "images": [], "annotations": []}, []
    for image, times in zip(matches.image_ids.tolist(), weights.astype(int).tolist(), strict=True):
        for copy in range(times):
            number = image + 1000 * copy
            copied["images"].append({"id": number, "width": 128, "height": 128})
            own = [a for a in data["annotations"] if a["image_id"] == image]
            copied["annotations"] += [a | {"image_id": number, "id": a["id"] + 10_000 * copy} for a in own]
            more += [r | {"image_id": number} for r in found if r["image_id"] == image]
    (tmp_path / "b").mkdir()
    (tmp_path / "b/coco.json").write_text(json.dumps(copied))
    (tmp_path / "b/results.json").write_text(json.dumps(more))
    ids = {image["id"] for image in copied["images"]}
    twice = match(tmp_path / "b/coco.json", read_predictions(tmp_path / "b/results.json", ids, CATEGORIES))
    all_of = Part(np.ones(len(twice.truth_id), bool), np.ones(len(twice.image_ids), bool))
    curves, copies = Curves(matches, everything), Curves(twice, all_of)
    assert curves.recall(weights, score=0.4) == pytest.approx(copies.recall(score=0.4))
    assert curves.precision(weights, score=0.4) == pytest.approx(copies.precision(score=0.4))
    one = np.ones(len(twice.image_ids))
    assert curves.false_alarms(weights, score=0.4) == pytest.approx(copies.false_alarms(one, score=0.4))


def test_wilson_is_the_interval_of_the_textbook() -> None:
    """Newcombe, Statistics in Medicine 17, 1998, table I, method 3: 81/263, 15/148, 0/20 and 1/29 at 95 %."""
    printed = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (successes, trials), limits in printed.items():
        assert wilson(successes, trials, 1.959964) == pytest.approx(limits, abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_cluster_bootstrap_covers_where_single_frames_would_not() -> None:
    """40 groups of 6 frames that are right or wrong together: 90 % intervals hold the truth nearly as often."""
    covered = naive = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        right = np.repeat(random.random(40) < 0.7, 6).astype(float)
        group = np.repeat(np.arange(40), 6)

        def share(weights: np.ndarray, right: np.ndarray = right) -> float:
            return float(weights @ right / weights.sum())

        low, high = bootstrap(share, group_weights(group, seed, 300))
        covered += low <= 0.7 <= high
        low, high = wilson(right.sum(), len(right))
        naive += low <= 0.7 <= high
    assert 165 <= covered <= 195
    assert naive < 120


def test_an_interval_of_nothing_is_unknown() -> None:
    assert np.isnan(interval(np.array([np.nan, np.nan]))).all()
