"""Training: plans of datasets, a learner that finds what is there, and the same again for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco_mask
from threadpoolctl import threadpool_limits

from engine.errors import UserError
from engine.evaluate.board import Board
from engine.evaluate.evaluate import Measurement
from engine.lineage.node import read_node
from engine.train.__main__ import main
from engine.train.few import check_apart, few_frames, group_of_frames
from engine.train.filters import Features, filter_bank
from engine.train.models import MODELS, trainer_of
from engine.train.plan import TrainingPlan
from engine.train.prepare import Data, prepare, read_labels, turned
from tests.engine.train_pictures import SIZE, make_pictures

QUICK = {"trees": 30, "samples": 4000}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("train") / "real", 36, 1)


@pytest.fixture(scope="module")
def test(real: Path) -> Path:
    return make_pictures(real.parent / "test", 30, 2)


def followed(folder: Path, train: list[Data], predict: list[Data], **more: Any) -> tuple[TrainingPlan, Path]:
    plan = prepare(folder, train, predict, **{"settings": QUICK} | more)
    trainer_of("pixels")(plan, folder)
    return plan, folder / plan.predict[0].out


def test_a_plan_tells_no_annotation_of_what_is_predicted(real: Path, test: Path, tmp_path: Path) -> None:
    plan = prepare(tmp_path, [Data(real, (0, 3, 4))], [Data(test)], seed=4, settings={"trees": 5})
    learned, asked = (json.loads((tmp_path / name).read_text()) for name in ("train-0.json", "predict-0.json"))
    truth = json.loads((test / "labels/coco.json").read_text())
    assert [one["id"] for one in learned["images"]] == [1, 4, 5]
    assert {one["image_id"] for one in learned["annotations"]} == {1, 4, 5}
    assert asked["annotations"] == []
    assert [one["id"] for one in asked["images"]] == sorted(one["id"] for one in truth["images"])
    assert plan.settings == {"trees": 5, "classes": ["bar", "disc"]}, "dust is annotated nowhere"
    assert plan.seed == 4
    with pytest.raises(UserError, match="no frame 99"):
        prepare(tmp_path, [Data(real, (99,))], [Data(test)])


def test_a_placebo_is_turned_by_half_a_turn(real: Path) -> None:
    labels = read_labels(real)
    image = labels["images"][0]
    one = next(a for a in labels["annotations"] if a["image_id"] == image["id"])
    other = turned(one, image)
    pixels, back = (coco_mask.decode(a["segmentation"]) for a in (one, other))
    assert np.array_equal(back, np.rot90(pixels, 2))
    assert other["bbox"] == coco_mask.toBbox(other["segmentation"]).tolist()
    assert turned(other, image) == one
    ring = turned({"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 4, 2, 4, 6]]}, {"width": 10, "height": 20})
    assert ring == {"bbox": [6, 14, 3, 4], "segmentation": [[9, 18, 6, 18, 6, 14]]}


def test_pixels_finds_what_is_there_and_no_placebo_does(real: Path, test: Path, tmp_path: Path) -> None:
    board = Board(test, {}, Measurement(score=0.5, replicates=50))
    _, said = followed(tmp_path / "a", [Data(real)], [Data(test)])
    found = board.judge(said)["all"]
    assert found.value("AP50") > 0.8
    assert found.value("recall") > 0.8
    assert found.value("AUROC") > 0.95
    _, said = followed(tmp_path / "b", [Data(real, is_placebo=True)], [Data(test)])
    assert board.judge(said)["all"].value("AP50") < 0.4


def test_the_same_seed_says_the_same_on_any_number_of_threads(real: Path, test: Path, tmp_path: Path) -> None:
    said = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            said.append(followed(tmp_path / str(threads), [Data(real)], [Data(test)], seed=3)[1].read_bytes())
    assert said[0] == said[1]
    assert followed(tmp_path / "other", [Data(real)], [Data(test)], seed=4)[1].read_bytes() != said[0]


def test_features_that_are_kept_are_those_that_are_made(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (31, 44, 3), np.uint8)
    made = filter_bank(rgb)
    assert made.shape[:2] == (16, 22)
    assert made.dtype == np.float16
    features = Features(tmp_path / "cache")
    assert np.array_equal(features.of(rgb), made)
    assert np.array_equal(features.of(rgb), made)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_boxes_alone_are_learned_and_said(real: Path, test: Path, tmp_path: Path) -> None:
    plan = prepare(tmp_path, [Data(real)], [Data(test)], task="bbox", settings=QUICK)
    labels = json.loads((tmp_path / "train-0.json").read_text())
    for one in labels["annotations"]:
        del one["segmentation"]
    (tmp_path / "train-0.json").write_text(json.dumps(labels))
    trainer_of("pixels")(plan, tmp_path)
    said = json.loads((tmp_path / plan.predict[0].out).read_text())
    assert not any("segmentation" in one for one in said)
    judged = Board(test, {}, Measurement(replicates=50)).judge(tmp_path / plan.predict[0].out)
    assert judged["all"].value("AP50") > 0.6


def test_the_command_notes_the_training(real: Path, test: Path, tmp_path: Path, capsys: Any) -> None:
    words = ["--data", str(real), "--predict", str(test), "--out", str(tmp_path / "run"), "--seed", "2"]
    assert main([*words, "--set", "trees=10", "samples=1000"]) == 0
    node = read_node(tmp_path / "run")
    assert (node.kind, node.state, node.settings["seed"]) == ("training", "finished", 2)
    assert [one.path for one in node.outputs] == ["predictions-0.json"]
    assert node.proportions["datasets"][0]["pictures"] == 36
    assert main([*words, "--set", "trees=10", "samples=1000"]) == 0, "what is done is left alone"
    assert read_node(tmp_path / "run").id == node.id
    plan = (tmp_path / "run" / "training.json").read_bytes()
    assert main([*words, "--set", "trees=11"]) == 2
    assert "choose another folder" in capsys.readouterr().err
    assert (tmp_path / "run" / "training.json").read_bytes() == plan, "it says what was learned from"


def test_nothing_is_written_into_a_dataset(real: Path, test: Path, capsys: Any) -> None:
    assert main(["--data", str(real), "--predict", str(test), "--out", str(test / "run")]) == 2
    assert f"lies in the dataset {test}" in capsys.readouterr().err
    assert not (test / "run").exists()


def test_a_training_that_is_interrupted_says_so_in_a_line(
    real: Path, test: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def interrupted(plan: TrainingPlan, folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.train.run.trainer_of", lambda model: interrupted)
    assert main(["--data", str(real), "--predict", str(test), "--out", str(tmp_path / "run")]) == 130
    assert capsys.readouterr().err.startswith("interrupted;")
    assert read_node(tmp_path / "run").state != "finished"


@pytest.mark.parametrize(("words", "said"), [
    (["--model", "pixel"], "near: pixels"),
    (["--set", "trees"], "NAME=VALUE"),
    (["--set", "leaves=4"], "leaves"),
    (["--set", "trees=0"], "trees"),
    (["--set", 'classes=["elephant"]'], "elephant"),
    (["--set", "shares=[1,2]"], "2 shares of 1 datasets"),
    (["--seed", "-1"], "--seed"),
])  # fmt: skip
def test_what_cannot_be_learned_is_said(
    real: Path, test: Path, tmp_path: Path, capsys: Any, words: list[str], said: str
) -> None:
    assert main(["--data", str(real), "--predict", str(test), "--out", str(tmp_path / "run"), *words]) == 2
    assert said in capsys.readouterr().err


def test_every_model_is_known() -> None:
    with pytest.raises(UserError, match="is not known"):
        trainer_of("resnet")
    assert set(MODELS) == {"pixels", "unet", "detector"}


def test_few_pictures_are_nested_and_of_many_groups(real: Path) -> None:
    labels, (column, group_of) = read_labels(real), group_of_frames(real)
    assert column == "surface"
    shown = {one["image_id"] - 1: one["category_id"] for one in labels["annotations"]}
    before: set[int] = set()
    for count in (1, 3, 6):
        frames = few_frames(labels, group_of, ["bar", "disc"], count, 7)
        kinds = [shown.get(frame) for frame in frames]
        assert [kinds.count(1), kinds.count(2), kinds.count(None)] == [count, count, 2 * count]
        assert before <= set(frames)
        before = set(frames)
    assert few_frames(labels, group_of, ["bar", "disc"], 6, 7) == tuple(sorted(before))
    assert few_frames(labels, group_of, ["bar", "disc"], 6, 8) != tuple(sorted(before))
    burst = dict.fromkeys(range(36), "one") | {0: "other"}
    assert all(0 in few_frames(labels, burst, ["disc"], 2, seed) for seed in range(5)), "a new group comes first"


def test_what_is_tested_is_not_learned(real: Path, test: Path) -> None:
    check_apart([real], test)
    with pytest.raises(UserError, match=r"surface 'real-0' \(18 in all\)"):
        check_apart([test, real], real)


def test_pictures_without_a_group_are_of_no_common_one(tmp_path: Path) -> None:
    """As in a mixture: some have no surface. That both datasets have worlds of these numbers says nothing."""
    folders = [make_pictures(tmp_path / name, 12, seed) for seed, name in enumerate("ab")]
    for folder in folders:
        path = folder / "index" / "frames.parquet"
        table = pq.read_table(path)
        place = table.schema.get_field_index("surface")
        surface = pa.array([*table["surface"].to_pylist()[:8], *[None] * 4], table.schema.field(place).type)
        pq.write_table(table.set_column(place, "surface", surface), path)
    column, group_of = group_of_frames(folders[0])
    assert column == "surface"
    assert len(set(group_of.values())) == 4 + 4
    check_apart(folders[:1], folders[1])


def test_pictures_have_the_size_that_labels_say(real: Path, test: Path, tmp_path: Path) -> None:
    plan = prepare(tmp_path, [Data(real)], [Data(test)], settings=QUICK)
    labels = json.loads((tmp_path / "train-0.json").read_text())
    labels["images"][0]["width"] = SIZE[0] + 1
    (tmp_path / "train-0.json").write_text(json.dumps(labels))
    with pytest.raises(UserError, match="its labels say 73 x 56"):
        trainer_of("pixels")(plan, tmp_path)
