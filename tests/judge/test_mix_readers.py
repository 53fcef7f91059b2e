"""A mix as PyTorch, webdataset and Hugging Face `datasets` load it."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
import yaml

from engine.dataset.__main__ import main
from engine.mix.mixed import Mixed
from engine.mix.plan import read_plan
from tests.engine.test_mix import make_real
from tests.engine.toy_dataset import make_toy, toy_plan
from tests.judge.readers import ROOT, read_with

pytestmark = pytest.mark.judge


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Half real frames, half rendered ones."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_real(tmp_path / "real", 30)
    make_toy(tmp_path / "toy", range(3), toy_plan())
    path = tmp_path / "mix.yaml"
    sources = {"real": {"dataset": "real"}, "toy": {"dataset": "toy"}}
    path.write_text(yaml.safe_dump({"sources": sources, "epoch_frames": 22}))
    return path


def test_pytorch_loads_the_same_epoch_with_any_number_of_workers(plan: Path, tmp_path: Path) -> None:
    found = read_with("mix_torch.py", ROOT, sysconfig.get_paths()["purelib"], plan, tmp_path / "log/mix.jsonl")
    mixed = Mixed(read_plan(plan))
    wanted = [
        [(s.source, s.frame_id) for s in (mixed.sample(n) for n in mixed.numbers(mixed.epoch(e)).tolist())]
        for e in range(2)
    ]
    for workers in (0, 2):
        batches = found[f"workers_{workers}"]
        assert [[tuple(one) for batch in epoch for one in batch] for epoch in batches] == wanted
        assert [len(batch) for batch in batches[0]] == [4, 4, 4, 4, 4, 2]
    assert all(sum(source == "real" for source, _ in batch) == 2 for batch in found["workers_0"][0][:5])
    assert len(found["ranks"][0]) == len(found["ranks"][1])
    assert sorted(found["ranks"][0] + found["ranks"][1]) == sorted(found["whole"])
    assert found["resumed"] == found["whole"]
    sample = mixed.sample(0)
    assert found["image"] == ["torch.uint8", [3, 30, 40], int(sample.image.sum())]
    assert found["target"]["boxes"] == ["torch.float32", sample.box_px.tolist()]
    assert found["target"]["labels"] == ["torch.int64", sample.label.tolist()]
    assert found["masks"] == sample.masks.sum(axis=(1, 2)).tolist()
    assert [(one["epoch"], one["frames"], one["real"]) for one in found["log"]] == [(0, 22, 11), (1, 22, 11)]
    assert (found["folders"], found["realised"]) == (["real", "toy"], {"epochs": found["log"]})


@pytest.mark.parametrize("name", ["webdataset", "huggingface"])
def test_other_libraries_read_an_epoch_in_its_order(plan: Path, tmp_path: Path, name: str) -> None:
    assert main(["mix", str(plan), "--out", str(tmp_path / name), "--format", name]) == 0
    found = read_with("read_shards.py", tmp_path / name, name)
    mixed = Mixed(read_plan(plan))
    samples = [mixed.sample(number) for number in mixed.numbers(mixed.epoch(0)).tolist()]
    rows = found["splits"]["train"]
    assert [number for number, _, _ in rows] == list(range(22))
    assert [pictures[:2] for _, pictures, _ in rows] == [[list(s.image.shape), int(s.image.sum())] for s in samples]
    named = [[mixed.classes[label - 1] for label in s.label.tolist()] for s in samples]
    assert [[name for name, *_ in objects] for _, _, objects in rows] == named
