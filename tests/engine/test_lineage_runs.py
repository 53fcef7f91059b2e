"""Trainings and evaluations as nodes of the lineage: what they record, and what a killed one says."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.lineage.ledger import read_entries
from engine.lineage.node import NODE, read_node
from engine.lineage.runs import evaluation_run, training_run
from engine.plain import to_plain
from tests.engine.toy_dataset import make_toy, toy_plan


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "toy"
    make_toy(out, range(3), toy_plan())
    return out


def test_a_training_names_its_datasets_and_the_hashes_of_what_it_made(dataset: Path, tmp_path: Path) -> None:
    """Ids and roots are those of the manifest; hashes those of hashlib."""
    run = training_run(
        tmp_path / "a", datasets=[dataset], settings={"epochs": 2, "lr": np.float32(0.5), "out": tmp_path}
    )
    assert read_node(tmp_path / "a").state == "started"
    (tmp_path / "a/weights.pt").write_bytes(b"weights")
    run.finish(metrics={"mAP": np.float64(0.25)}, outputs=["weights.pt"], proportions={"toy": 1.0})
    node, manifest = read_node(tmp_path / "a"), read_manifest(dataset / "manifest.json")
    assert (node.kind, node.state, node.metrics, node.proportions) == (
        "training",
        "finished",
        {"mAP": 0.25},
        {"toy": 1.0},
    )
    assert node.settings == {"epochs": 2, "lr": 0.5, "out": tmp_path.as_posix()}
    (ref,) = node.datasets
    assert (ref.dataset_id, ref.content_root, ref.frames) == (manifest.dataset_id, manifest.content_root, 3)
    assert [to_plain(f) for f in node.outputs] == [
        {"path": "weights.pt", "sha256": hashlib.sha256(b"weights").hexdigest(), "bytes": 7}
    ]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [NODE, "weights.pt"]
    assert os.uname().nodename not in (tmp_path / "a" / NODE).read_text()


def test_the_same_training_is_the_same_node_and_another_is_another(dataset: Path, tmp_path: Path) -> None:
    """Times, folders above and attempts do not enter; a metric does."""
    ids = []
    for folder, metric in (("x/a", 0.5), ("y/a", 0.5), ("z/a", 0.6)):
        ids.append(training_run(tmp_path / folder, datasets=[dataset]).finish(metrics={"mAP": metric}).id)
    assert ids[0] == ids[1] != ids[2]


def test_the_ledger_of_a_dataset_knows_the_runs_that_used_it(tmp_path: Path) -> None:
    """Beginning and end, each with the run's id then."""
    make_toy(tmp_path / "toy", range(2), toy_plan())
    run = training_run(tmp_path / "a", datasets=[tmp_path / "toy"])
    started = run.node.id
    finished = run.finish().id
    entries = [(e.event, e.facts["run"]) for e in read_entries(tmp_path / "toy") if e.event.startswith("run.")]
    assert entries == [("run.start", started), ("run.finish", finished)]


def test_an_evaluation_names_the_training_and_refuses_one_that_has_not_finished(dataset: Path, tmp_path: Path) -> None:
    """Its weights by hash."""
    run = training_run(tmp_path / "a", datasets=[dataset])
    with pytest.raises(UserError, match="that has started; expected a finished training"):
        evaluation_run(tmp_path / "e", model=tmp_path / "a", datasets=[dataset])
    (tmp_path / "a/w").write_bytes(b"w")
    trained = run.finish(outputs=["w"])
    with evaluation_run(tmp_path / "e", model=tmp_path / "a", datasets=[dataset]) as evaluation:
        evaluation.finish(metrics={"recall": 0.75})
    node = read_node(tmp_path / "e")
    assert node.model is not None
    assert (node.kind, node.model.run_id, node.model.outputs) == ("evaluation", trained.id, trained.outputs)


def test_a_killed_run_never_looks_finished(dataset: Path, tmp_path: Path) -> None:
    """SIGKILL inside of the context leaves "started"; the next attempt in the folder counts on."""
    script = (
        "import os, signal; from engine.lineage.runs import training_run\n"
        f"with training_run({str(tmp_path / 'a')!r}, datasets=[{str(dataset)!r}]):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL
    assert read_node(tmp_path / "a").state == "started"
    assert training_run(tmp_path / "a", datasets=[dataset]).finish().attempt == 2
    with pytest.raises(UserError, match="holds the finished run run_"):
        training_run(tmp_path / "a", datasets=[dataset])


def test_an_exception_marks_a_run_failed(dataset: Path, tmp_path: Path) -> None:
    """The context lets the exception through and notes its first words."""
    with pytest.raises(ZeroDivisionError), training_run(tmp_path / "a", datasets=[dataset]):
        print(1 / 0)
    node = read_node(tmp_path / "a")
    assert (node.state, node.reason) == ("failed", "ZeroDivisionError: division by zero")


def test_a_mistake_at_the_end_does_not_lose_the_run(dataset: Path, tmp_path: Path) -> None:
    """A missing output or an odd value is one error; the run goes on and can be finished."""
    run = training_run(tmp_path / "a", datasets=[dataset])
    with pytest.raises(UserError, match=r"a/weights\.pt is not there"):
        run.finish(outputs=["weights.pt"])
    with pytest.raises(UserError, match=r"metrics\.model: a object is not plain data"):
        run.finish(metrics={"model": object()})
    node = run.finish(metrics={"loss": float("nan"), "seed": 2**63, "per_class": {"crack": np.array([1, 2])}})
    assert node.metrics == {"loss": "nan", "seed": str(2**63), "per_class": {"crack": [1, 2]}}
    with pytest.raises(UserError, match="has finished already"):
        run.finish()


@pytest.mark.parametrize("why", ["read-only", "damaged"])
def test_a_dataset_that_cannot_be_noted_in_is_said_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """On a disk that refuses (root is never refused by modes), and where the ledger's last line is cut short."""
    manifest = make_toy(tmp_path / "toy", range(2), toy_plan())
    assert manifest is not None
    if why == "read-only":

        def refuse(*_: object) -> None:
            raise OSError(errno.EROFS, "read-only")

        monkeypatch.setattr(fcntl, "flock", refuse)
    else:
        (tmp_path / "toy/log/ledger.jsonl").write_text('{"hash": "ab')
    node = training_run(tmp_path / "a", datasets=[tmp_path / "toy"]).finish()
    assert (node.state, node.unnoted) == ("finished", (manifest.dataset_id,))
    assert "run.finish is not noted in the ledger of" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"metrics": {"mAP": 0.99}}, {"ended": None}, {"state": "failed"}])
def test_a_record_that_was_changed_is_refused(dataset: Path, tmp_path: Path, change: dict[str, object]) -> None:
    """Also where only a time changed, which is no part of the id."""
    training_run(tmp_path / "a", datasets=[dataset]).finish(metrics={"mAP": 0.5})
    path = tmp_path / "a" / NODE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match="was changed after it was written"):
        read_node(tmp_path / "a")


def test_what_is_no_complete_dataset_is_refused_before_anything_is_written(dataset: Path, tmp_path: Path) -> None:
    """The folder of the run does not exist afterwards."""
    with pytest.raises(UserError, match=r"is not a complete dataset: it has no manifest\.json"):
        training_run(tmp_path / "a", datasets=[dataset, tmp_path])
    with pytest.raises(UserError, match="expected a list"):
        training_run(tmp_path / "a", datasets=str(dataset))
    with pytest.raises(UserError, match="lies in a dataset"):
        training_run(dataset / "runs/a", datasets=[dataset])
    assert not (tmp_path / "a").exists()


def test_the_example_notes_a_training_in_three_lines(dataset: Path, tmp_path: Path) -> None:
    """As a program of its own; the three lines are numbered in it."""
    script = Path(__file__).parents[2] / "examples/training_node.py"
    command = [sys.executable, str(script), str(dataset), "--out", str(tmp_path / "a")]
    environment = {**os.environ, "PYTHONPATH": str(script.parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    node = read_node(tmp_path / "a")
    assert (node.state, node.metrics["pictures"], node.outputs[0].path) == ("finished", 3, "weights.npy")
    assert [line.split("#")[1].strip() for line in script.read_text().splitlines() if "  # " in line] == ["1", "2", "3"]
