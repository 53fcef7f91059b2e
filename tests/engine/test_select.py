"""Selections: which frames a condition takes, that all of their rows and files are those of the parent, and errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engine.collect.parent import file_roles
from engine.collect.select import SelectRequest, select
from engine.dataset.__main__ import main
from engine.dataset.finalise import finalise
from engine.dataset.verify import verify
from engine.errors import UserError
from engine.query import frame_ids_where, open_index
from engine.write.shard import ShardWriter
from tests.engine.test_dataset_defects import WORLDS, marked_batch, marked_plan
from tests.engine.toy_dataset import make_toy, toy_job, toy_plan
from tests.engine.toy_materials import make_materials

DARK = "lum_mean < 0.28 AND camera = 1"


@pytest.fixture(autouse=True)
def own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's file of allowed folders out of it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ten worlds of three steps and two cameras, in cells of four."""
    out = tmp_path_factory.mktemp("toy") / "toy"
    make_toy(out, range(10), toy_plan(cameras=2, steps=3))
    return out


def index(out: Path, name: str) -> pa.Table:
    return pq.read_table(out / f"index/{name}.parquet")


def take(source: Path, out: Path, where: str, **options: Any) -> Any:
    return select(SelectRequest(source, out, where, "chosen", **options), lambda _: None)


def test_a_selection_has_the_rows_of_its_frames_and_no_others(toy: Path, tmp_path: Path) -> None:
    """Frames, worlds and instances keep their numbers and columns; coco holds the same annotations."""
    manifest = take(toy, tmp_path / "chosen", DARK)
    ids = [row["frame_id"] for row in index(toy, "frames").to_pylist() if row["lum_mean"] < 0.28 and row["camera"] == 1]
    assert 3 < len(ids) < 30
    assert manifest.counts.frames == len(ids)
    assert verify(tmp_path / "chosen")[1] == []
    for name in ("frames", "instances"):
        kept = index(toy, name).filter(pc.is_in(index(toy, name)["frame_id"], pa.array(ids)))
        assert index(tmp_path / "chosen", name).equals(kept)
    moments = {(row["world"], row["step"]) for row in index(tmp_path / "chosen", "frames").to_pylist()}
    kept_worlds = [row for row in index(toy, "worlds").to_pylist() if (row["world"], row["step"]) in moments]
    assert index(tmp_path / "chosen", "worlds").to_pylist() == kept_worlds
    before, after = (json.loads((out / "labels/coco.json").read_text()) for out in (toy, tmp_path / "chosen"))
    wanted = [one for one in before["annotations"] if one["image_id"] - 1 in ids]
    assert [dict(one, id=0) for one in after["annotations"]] == [dict(one, id=0) for one in wanted]


def test_files_are_shared_not_copied(toy: Path, tmp_path: Path) -> None:
    """A hard link: one file under two names; nothing else of the parent is there."""
    take(toy, tmp_path / "chosen", "world = 3")
    paths = [
        row[role] for row in index(toy, "frames").to_pylist() for role in file_roles(list(row)) if row["world"] == 3
    ]
    found = [path.relative_to(tmp_path / "chosen").as_posix() for path in (tmp_path / "chosen/images").rglob("*.jpg")]
    assert sorted(found) == sorted(path for path in paths if path.startswith("images/"))
    assert all((tmp_path / "chosen" / path).samefile(toy / path) for path in paths)


def test_where_a_hard_link_is_impossible_a_file_is_referred_to(toy: Path, tmp_path: Path) -> None:
    take(toy, tmp_path / "chosen", "world = 3", placement="reference")
    pictures = list((tmp_path / "chosen/images").rglob("*.jpg"))
    assert pictures
    assert all(picture.is_symlink() for picture in pictures)
    assert verify(tmp_path / "chosen")[1] == []
    take(tmp_path / "chosen", tmp_path / "again", "step = 0")  # of a selection, and of links
    assert verify(tmp_path / "again")[1] == []


def test_fewer_frames_of_one_seed_are_a_part_of_more(toy: Path, tmp_path: Path) -> None:
    """And another seed draws others; the draw is part of what was meant."""
    drawn = {}
    for name, limit, seed in (("five", 5, 1), ("nine", 9, 1), ("other", 9, 2)):
        take(toy, tmp_path / name, "true", limit=limit, seed=seed)
        drawn[name] = set(index(tmp_path / name, "frames")["frame_id"].to_pylist())
        assert len(drawn[name]) == limit
    assert drawn["five"] < drawn["nine"]
    assert drawn["nine"] != drawn["other"]
    assert len({json.loads((tmp_path / name / "dataset.json").read_text())["recipe_id"] for name in drawn}) == 3


def test_a_selection_of_defects_keeps_them(tmp_path: Path) -> None:
    plan = marked_plan()
    with ShardWriter(tmp_path / "marked", plan) as writer:
        for members in writer.open_shards(WORLDS):
            with writer.shard(members) as shard:
                shard.add(*marked_batch(plan))
    finalise(tmp_path / "marked", WORLDS, toy_job(WORLDS))
    condition = "EXISTS (SELECT 1 FROM defects d WHERE d.frame_id = f.frame_id AND d.kind = 'scratch')"
    manifest = take(tmp_path / "marked", tmp_path / "chosen", condition)
    before, after = (index(tmp_path / name, "defects").to_pylist() for name in ("marked", "chosen"))
    frames = {row["frame_id"] for row in before if row["kind"] == "scratch"}
    assert repr(after) == repr([row for row in before if row["frame_id"] in frames])  # NaN is not itself
    assert (manifest.counts.near_misses, sum(manifest.counts.defects.values())) == (
        sum(row["near_miss"] for row in after), sum(not row["near_miss"] for row in after)
    )  # fmt: skip
    assert verify(tmp_path / "chosen")[1] == []


def test_tables_of_the_scene_come_along(tmp_path: Path) -> None:
    """Maps of materials mean what they meant; a dataset without pictures has no coco, and is one all the same."""
    make_materials(tmp_path / "toy", range(4), "steel", "wood")
    take(tmp_path / "toy", tmp_path / "chosen", "world > 1")
    name = "index/materials.parquet"
    assert (tmp_path / "chosen" / name).read_bytes() == (tmp_path / "toy" / name).read_bytes()
    assert not (tmp_path / "chosen/labels").exists()
    assert verify(tmp_path / "chosen")[1] == []


def test_a_stopped_selection_goes_on(toy: Path, tmp_path: Path) -> None:
    """The same command again makes what is missing: the same dataset as without the stop."""
    whole = take(toy, tmp_path / "whole", "camera = 0")
    calls: Iterator[int] = iter(range(2))
    with pytest.raises(StopIteration):
        select(SelectRequest(toy, tmp_path / "cut", "camera = 0", "chosen"), lambda _: next(calls) and None)
    assert not (tmp_path / "cut/manifest.json").exists()
    assert take(toy, tmp_path / "cut", "camera = 0").dataset_id == whole.dataset_id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "lum_mean > 2"], "no frame of "),
        (["--where", "lum_meen > 2"], 'Candidate bindings: "lum_mean"'),
        (["--where", "true; select 1"], "without ';'"),
        (["--where", "true", "--limit", "0"], "--limit 0: name a number of frames from 1"),
    ],
)
def test_what_cannot_be_selected_is_said_in_a_line(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """And nothing is written."""
    assert main(["select", str(toy), "--out", str(tmp_path / "chosen"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "chosen").exists()


def test_a_selection_does_not_go_into_its_parent_nor_another_one(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["select", str(toy), "--where", "true", "--out", str(toy / "chosen")]) == 2
    assert "which frames are taken from" in capsys.readouterr().err
    take(toy, tmp_path / "chosen", "world = 1")
    assert main(["select", str(toy), "--where", "world = 2", "--out", str(tmp_path / "chosen")]) == 3
    assert "holds a dataset of recipe" in capsys.readouterr().err


def test_an_incomplete_parent_is_refused(toy: Path, tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "begun", toy_plan()):
        pass
    with pytest.raises(UserError, match="is not complete"):
        take(tmp_path / "begun", tmp_path / "chosen", "true")
    with pytest.raises(UserError, match=r"has no dataset\.json"):
        take(tmp_path, tmp_path / "chosen", "true")


@pytest.mark.parametrize("folder", ["run=3/it's", "a[1]*?"])
def test_folders_may_be_called_anything(tmp_path: Path, folder: str) -> None:
    """What looks like a pattern, a quote or a partition is a name."""
    (tmp_path / folder / "index").mkdir(parents=True)
    rows = {"frame_id": [0, 1], "world": [0, 1], "step": [0, 0], "bright": [0.1, 0.9]}
    pq.write_table(pa.table(rows), tmp_path / folder / "index/frames.parquet")
    pq.write_table(pa.table({"world": [0, 1], "step": [0, 0]}), tmp_path / folder / "index/worlds.parquet")
    connection = open_index(tmp_path / folder)
    assert frame_ids_where(connection, "bright > 0.5", where="here").tolist() == [1]
    with pytest.raises(UserError, match="cannot be asked"):
        frame_ids_where(connection, "run = 3", where="here")


def test_an_index_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "own/index").mkdir(parents=True)
    pq.write_table(pa.table({"frame_id": [0]}), tmp_path / "secret.parquet")
    (tmp_path / "own/index/frames.parquet").symlink_to(tmp_path / "secret.parquet")
    with pytest.raises(UserError, match="leads out of it through a link"):
        open_index(tmp_path / "own")
