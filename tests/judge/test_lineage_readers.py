"""Croissant and PROV as others read them: mlcroissant validates, iterates and refuses a changed file; prov parses."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.dataset.__main__ import main
from tests.engine.lineage_story import tell
from tests.engine.toy_dataset import HEIGHT, WIDTH, make_toy, toy_plan
from tests.judge.readers import read_with

pytestmark = pytest.mark.judge


def test_mlcroissant_reads_every_record_and_joins_pictures(tmp_path: Path) -> None:
    """As many as the index has rows, the first equal to the first; it only misses what nobody recorded."""
    make_toy(tmp_path, range(6), toy_plan())
    said = read_with("read_croissant.py", tmp_path)
    assert all("is recommended, but does not exist" in warning for warning in said["warnings"])
    for name in ("worlds", "frames", "instances"):
        table = pq.read_table(tmp_path / f"index/{name}.parquet")
        assert said["sets"][name]["count"] == table.num_rows
        first = table.slice(0, 1).to_pylist()[0]
        for key, value in said["sets"][name]["first"].items():
            column = key.split("/")[1]
            if column in first:
                assert value == first[column], key
    frame = said["sets"]["frames"]["first"]
    assert frame["frames/picture"] == [WIDTH, HEIGHT]
    assert frame["frames/image_name"] == "000000.jpg"


def test_mlcroissant_refuses_a_changed_index(tmp_path: Path) -> None:
    """By its hash; the tables that did not change can be read."""
    make_toy(tmp_path, range(3), toy_plan())
    path = tmp_path / "index/instances.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    said = read_with("read_croissant.py", tmp_path)
    assert "is not identical with the reference" in said["sets"]["instances"]["refused"]
    assert said["sets"]["worlds"]["count"] == 3


def test_mlcroissant_reads_real_pictures(tmp_path: Path) -> None:
    """Nulls where nobody knows a camera."""
    story = tell(tmp_path)
    said = read_with("read_croissant.py", story.real)
    frame = said["sets"]["frames"]["first"]
    assert (frame["frames/picture"], frame["frames/k"], frame["frames/origin"]) == ([32, 24], None, "real")


def test_the_package_prov_reads_the_lineage(tmp_path: Path) -> None:
    """All records, and the same again after its own round trip."""
    story = tell(tmp_path)
    target = tmp_path / "prov.json"
    assert main(["lineage", str(story.mixed), "--json", str(target)]) == 0
    said = read_with("read_prov.py", target)
    assert said["same"]
    assert said["counts"]["ProvActivity"] == 5
    assert said["counts"]["ProvAgent"] == 2
    assert said["counts"]["ProvGeneration"] >= 5
