"""Instances without a class: rows of the index and ids of the masks, but nothing that a network is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image

from engine.dataset.__main__ import main
from engine.dataset.check_pixels import check_pixels
from engine.dataset.verify import verify
from engine.write.contact_sheet import COLUMNS, GAP_PX, HEAD_PX, TILE_WIDTH_PX
from engine.write.tables import parquet_bytes, read_parquet
from tests.engine import toy_dataset
from tests.engine.toy_dataset import HEIGHT, WIDTH, make_toy, toy_batch, toy_plan

COUNT = 6


def test_unlabelled_instances_have_rows_and_no_annotations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counted apart by manifest and info; verify finds nothing wrong."""
    manifest = make_toy(tmp_path, range(COUNT), toy_plan())
    assert manifest is not None
    _, labels, _ = toy_batch(toy_plan(), range(COUNT))
    unlabelled = int((labels.class_id == 0).sum())
    assert 0 < unlabelled < len(labels.class_id)
    index = read_parquet(tmp_path / "index/instances.parquet")
    assert index["class_id"].to_pylist() == labels.class_id.tolist()
    assert {row["class"] for row in index.to_pylist() if not row["class_id"]} == {""}
    annotations = json.loads((tmp_path / "labels/coco.json").read_bytes())["annotations"]
    assert len(annotations) == len(labels.class_id) - unlabelled
    assert (manifest.counts.instances, manifest.counts.unlabelled) == (len(annotations), unlabelled)
    assert verify(tmp_path)[1] == []
    assert main(["info", str(tmp_path)]) == 0
    assert f"{unlabelled} without a class" in capsys.readouterr().out


def test_a_lost_row_of_an_unlabelled_instance_is_named(tmp_path: Path) -> None:
    """Its pixels are in the instance mask, so its row has to be there."""
    make_toy(tmp_path, range(COUNT), toy_plan(shard_worlds=COUNT))
    rows = verify(tmp_path)[0].rows
    assert rows is not None
    path = tmp_path / "commit/00000000-000.instances.parquet"
    table = read_parquet(path)
    path.write_bytes(parquet_bytes(table.filter(pc.not_equal(table["class_id"], 0))))
    whats = [fault.what for fault in check_pixels(rows)]
    assert any("px differ from the masks" in what for what in whats), whats
    assert any("n_instances is" in what for what in whats), whats


def test_a_scene_without_classes_makes_a_sound_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No annotation, every frame counted as empty, and a contact sheet of plain pictures."""
    monkeypatch.setattr(toy_dataset, "CLASS_OF", (0,) * len(toy_dataset.CLASS_OF))
    manifest = make_toy(tmp_path, range(COUNT), toy_plan())
    assert manifest is not None
    assert (manifest.counts.instances, manifest.counts.by_class, manifest.health.empty) == (0, {}, 1.0)
    assert manifest.counts.unlabelled > 0
    assert json.loads((tmp_path / "labels/coco.json").read_bytes())["annotations"] == []
    assert verify(tmp_path)[1] == []
    sheet = np.array(Image.open(tmp_path / "contact_sheet.png"))
    size = TILE_WIDTH_PX, round(TILE_WIDTH_PX * HEIGHT / WIDTH)
    for world in range(COLUMNS):
        picture = Image.open(tmp_path / f"images/000/{world:06d}.jpg").resize(size, Image.Resampling.LANCZOS)
        x = GAP_PX + world * (TILE_WIDTH_PX + GAP_PX)
        assert np.array_equal(sheet[HEAD_PX : HEAD_PX + size[1], x : x + size[0]], np.array(picture))
