"""croissant.json: what it names is there with that hash, and its fields are the columns of the index."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from engine.dataset.verify import verify
from engine.lineage.croissant import CONFORMS_TO, CROISSANT
from tests.engine.lineage_story import tell
from tests.engine.toy_dataset import WRITE, make_toy, toy_plan


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("croissant") / "toy"
    make_toy(out, range(4), toy_plan())
    return out


def read(dataset: Path) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads((dataset / CROISSANT).read_text())
    return plain


def test_files_are_named_with_their_hashes(dataset: Path) -> None:
    """By hashlib; sets of files match what is there."""
    plain = read(dataset)
    assert plain["conformsTo"] == CONFORMS_TO
    objects = [one for one in plain["distribution"] if one["@type"] == "cr:FileObject"]
    assert {one["contentUrl"] for one in objects} >= {"index/frames.parquet", "labels/coco.json", "recipe.json"}
    for one in objects:
        data = (dataset / one["contentUrl"]).read_bytes()
        assert one["sha256"] == hashlib.sha256(data).hexdigest()
        assert one["contentSize"] == f"{len(data)} B"
    sets = {one["@id"]: one for one in plain["distribution"] if one["@type"] == "cr:FileSet"}
    assert {name: one["encodingFormat"] for name, one in sets.items()} == {
        "images": "image/jpeg", "depth": "image/png", "masks": "image/png",
    }  # fmt: skip


def test_fields_are_columns_of_the_index_and_ids_are_unique(dataset: Path) -> None:
    """Every field's source is declared and has the column; bytes are left out."""
    plain = read(dataset)
    declared = {one["@id"] for one in plain["distribution"]}
    ids = [field["@id"] for record_set in plain["recordSet"] for field in record_set["field"]]
    assert len(ids) == len(set(ids))
    for record_set in plain["recordSet"]:
        columns = pq.read_schema(dataset / f"index/{record_set['name']}.parquet").names
        for field in record_set["field"]:
            source = field["source"].get("fileObject") or field["source"]["fileSet"]
            assert source["@id"] in declared
            if "fileObject" in field["source"]:
                assert field["source"]["extract"]["column"] in columns
    assert "frames/image_sha256" not in ids
    assert "worlds/p.sun.elevation_deg" in ids


def test_a_dataset_without_pictures_has_no_field_of_pictures(tmp_path: Path) -> None:
    """Labels alone are a dataset, too."""
    make_toy(tmp_path, range(2), toy_plan(write={"masks": WRITE["masks"]}))
    ids = {field["@id"] for record_set in read(tmp_path)["recordSet"] for field in record_set["field"]}
    assert "frames/frame_id" in ids
    assert not {"frames/picture", "frames/image_name"} & ids
    assert verify(tmp_path)[1] == []


def test_licence_and_source_are_said_where_they_are_known(tmp_path: Path) -> None:
    """Of real pictures; nothing is made up for others."""
    story = tell(tmp_path)
    assert (read(story.real)["license"], read(story.real)["isBasedOn"]) == ("CC-BY-4.0", "https://e.org")
    assert "license" not in read(story.mixed)
