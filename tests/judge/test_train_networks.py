"""The networks learn small pictures in PyTorch, and say the same again for the same seed."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from engine.evaluate.board import Board
from engine.evaluate.evaluate import Measurement
from engine.train.plan import write_plan
from engine.train.prepare import Data, prepare
from tests.engine.train_pictures import make_pictures
from tests.judge.readers import read_with

pytestmark = pytest.mark.judge


@pytest.mark.parametrize(("model", "task"), [("unet", "segm"), ("detector", "bbox")])
def test_a_network_learns_and_repeats_itself(tmp_path: Path, model: str, task: Any) -> None:
    real, test = make_pictures(tmp_path / "real", 36, 1), make_pictures(tmp_path / "test", 30, 2)
    settings = {"model": model, "long_px": 80, "steps": 150, "channels": 8}
    plan = prepare(tmp_path / "run", [Data(real)], [Data(test)], task=task, settings=settings)
    write_plan(tmp_path / "run", plan)
    said = read_with("train_network.py", model, tmp_path / "run", sysconfig.get_paths()["purelib"])
    assert said["is_same"]
    path = tmp_path / "said.json"
    path.write_text(json.dumps(said["predictions"]))
    found = Board(test, {}, Measurement(score=0.3, replicates=50)).judge(path)["all"]
    print(model, said["seconds"], found.value("AP50"), found.value("recall"), found.value("AUROC"))
    assert found.value("AP50") > 0.5
    assert found.value("AUROC") > 0.9
