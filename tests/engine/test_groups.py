"""Which frames are alike by nature, as every command sees it: splits, intervals, drift, near duplicates."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.collect.groups import group_columns, independent_column
from engine.collect.intent import Conversion, Ingest, Intent, Mixture, Selection
from engine.errors import UserError
from engine.health.ask import FRAMES, group_of
from engine.query import open_index
from engine.write.record import json_bytes

COLUMNS = ("frame_id", "world", "surface")
TAKEN = {"name": "tiles", "taxonomy_id": "0" * 64, "tables": (), "has_images": True}


def dataset_of(folder: Path, intent: Intent) -> Path:
    """Write a recipe, and an index of four frames of which the last two have no surface."""
    (folder / "index").mkdir(parents=True)
    (folder / "recipe.json").write_bytes(json_bytes(intent))
    keys = {"world": [0, 1, 2, 3], "step": [0] * 4}
    frames = {"frame_id": [0, 1, 2, 3], **keys, "surface": [7, 7, None, None]}
    pq.write_table(pa.table(frames), folder / "index/frames.parquet")
    pq.write_table(pa.table(keys), folder / "index/worlds.parquet")
    return folder


def ingest(**options: object) -> Ingest:
    return Ingest(**TAKEN, format="coco", sources_sha256="0" * 64, licence="", source="", options=dict(options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "intent",
    [
        ingest(groups=["surface"]),
        ingest(groups="surface"),
        Selection(**TAKEN, parents=(), where="true"),  # type: ignore[arg-type]
        Mixture(**TAKEN, parents=()),  # type: ignore[arg-type]
        Conversion(**TAKEN, parents=(), classes={}),  # type: ignore[arg-type]
    ],
    ids=lambda intent: intent.schema,
)
def test_what_is_made_from_real_pictures_keeps_their_groups(tmp_path: Path, intent: Intent) -> None:
    """Neither a split nor an interval takes frames of one surface for independent."""
    out = dataset_of(tmp_path / "set", intent)
    assert group_columns(out) == ("surface",)
    assert independent_column(out, COLUMNS) == "surface"
    assert independent_column(out, COLUMNS, "world") == "world"
    with pytest.raises(UserError, match=r"group surfaces: set has no such column; near: .*surface"):
        independent_column(out, COLUMNS, "surfaces")


def test_an_ingest_that_named_no_group_has_the_usual_one(tmp_path: Path) -> None:
    out = dataset_of(tmp_path / "set", ingest())
    assert group_columns(out) == ()  # a split does as it is told
    assert independent_column(out, COLUMNS) == "surface"
    assert independent_column(out, ("frame_id", "world")) == "world"


def test_rendered_frames_of_a_mixture_are_grouped_by_world(tmp_path: Path) -> None:
    """They have no surface, and are not all of one group for that."""
    out = dataset_of(tmp_path / "set", Mixture(**TAKEN, parents=()))  # type: ignore[arg-type]
    with open_index(out) as connection:
        rows = connection.execute(f"SELECT {group_of('surface')} FROM {FRAMES} ORDER BY frame_id").fetchall()
    assert [row[0] for row in rows] == ["7", "7", "world 2", "world 3"]
