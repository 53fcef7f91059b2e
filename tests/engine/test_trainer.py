"""Any command can be a trainer: it is given a plan, and what it owes is asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.train.plan import Labelled, TrainingPlan, Wanted, read_plan
from engine.train.trainer import command_trainer

PLAN = TrainingPlan("bbox", 3, (Labelled("train-0.json", "/data"),), (Wanted("predict-0.json", "/data", "out.json"),))
OBEDIENT = """
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
plan = json.loads(path.read_text())
for one in plan["predict"]:
    (path.parent / one["out"]).write_text(json.dumps([plan["seed"]]))
"""


def test_a_command_gets_the_plan_and_writes_beside_it(tmp_path: Path) -> None:
    (tmp_path / "my trainer.py").write_text(OBEDIENT)
    command_trainer(f"{sys.executable} '{tmp_path}/my trainer.py'")(PLAN, tmp_path)
    assert json.loads((tmp_path / "out.json").read_text()) == [3]
    assert read_plan(tmp_path / "training.json") == PLAN


@pytest.mark.parametrize(("body", "said"), [
    ("import sys; sys.exit('no GPU')", "no GPU"),
    ("pass", "wrote no out.json"),
])  # fmt: skip
def test_a_trainer_that_fails_says_why(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "t.py").write_text(body)
    with pytest.raises(UserError, match=said):
        command_trainer(f"{sys.executable} {tmp_path}/t.py")(PLAN, tmp_path)


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no-such-trainer"):
        command_trainer("no-such-trainer --fast")(PLAN, tmp_path)
    with pytest.raises(UserError, match="empty"):
        command_trainer(" ")
    with pytest.raises(UserError, match="No closing quotation; quote words as in a shell"):
        command_trainer("python 'mine.py")


def test_predictions_of_an_earlier_attempt_are_none_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("[]")
    (tmp_path / "t.py").write_text("pass")
    with pytest.raises(UserError, match=r"wrote no out\.json"):
        command_trainer(f"{sys.executable} {tmp_path}/t.py")(PLAN, tmp_path)
