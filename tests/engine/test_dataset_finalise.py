"""Complete datasets: what the index, the COCO file and the manifest say, and that completing twice changes nothing."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.dataset.finalise import finalise, find_complete
from engine.dataset.manifest import Manifest, content_root, dataset_id, read_manifest
from engine.errors import UserError
from engine.write.record import FileFact, json_bytes
from engine.write.shard import ShardWriter
from engine.write.tables import ROWS_A_GROUP, parquet_chunks, read_parquet
from tests.engine.toy_crash import run_shaded, start
from tests.engine.toy_dataset import (
    CLASS_OF,
    HEIGHT,
    TAXONOMY,
    WIDTH,
    make_toy,
    toy_batch,
    toy_job,
    toy_plan,
    toy_recipe,
)

COUNT = 6


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Return a finished dataset; tests that change it make their own."""
    out = tmp_path_factory.mktemp("finalise") / "out"
    manifest = make_toy(out, range(COUNT), toy_plan())
    assert manifest is not None
    return out, manifest


def test_pycocotools_reads_the_labels_and_finds_them_perfect(toy: tuple[Path, Manifest]) -> None:
    """The truth scored against itself has an average precision of 1 for boxes and for masks."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(toy[0] / "labels/coco.json"))
        found = truth.loadRes([{**a, "score": 1.0} for a in truth.loadAnns(truth.getAnnIds())])
        for kind in ("bbox", "segm"):
            evaluation = COCOeval(truth, found, kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            assert evaluation.stats[0] == pytest.approx(1.0)


def test_coco_says_what_the_renderer_saw(toy: tuple[Path, Manifest]) -> None:
    """Every labelled instance of every frame, in order, with ids from 1; the unlabelled are left out."""
    coco = json.loads((toy[0] / "labels/coco.json").read_bytes())
    frames, labels, _ = toy_batch(toy_plan(), range(COUNT))
    rows = np.flatnonzero(labels.class_id > 0)
    assert [a["id"] for a in coco["annotations"]] == list(range(1, len(rows) + 1))
    assert [a["image_id"] for a in coco["annotations"]] == (labels.view[rows] + 1).tolist()
    assert [a["category_id"] for a in coco["annotations"]] == labels.class_id[rows].tolist()
    corners = [[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in coco["annotations"])]
    assert corners == labels.box_px[rows].tolist()
    assert [a["instance"] for a in coco["annotations"]] == [f"/World/Box_{i}" for i in labels.instance[rows]]
    assert [i["file_name"] for i in coco["images"]] == [f"images/000/00000{w}.jpg" for w in frames.keys.world]
    assert [(c["id"], c["name"], c["supercategory"]) for c in coco["categories"]] == [
        (1, "carton", ""),
        (3, "pallet", "rack"),
    ]


def test_small_instances_stay_in_the_index_when_coco_leaves_them_out(tmp_path: Path) -> None:
    """min_area_px is a choice of the label file, not of the data."""
    write = toy_recipe().write
    plan = toy_plan(write={**write, "coco": {"kind": "coco", "min_area_px": 100}})
    make_toy(tmp_path, range(COUNT), plan)
    coco = json.loads((tmp_path / "labels/coco.json").read_bytes())
    areas = [a["area"] for a in coco["annotations"]]
    table = read_parquet(tmp_path / "index/instances.parquet")
    labelled = [area for area, c in zip(table["area_px"].to_pylist(), table["class_id"].to_pylist()) if c]
    assert areas == [area for area in labelled if area >= 100]
    small, unlabelled = len(labelled) - len(areas), table.num_rows - len(labelled)
    assert coco["left_out"] == {"unlabelled": unlabelled, "below_min_area_px": small, "near_miss": 0}
    assert min(small, unlabelled) > 0


def test_index_rows_are_those_of_the_frames(toy: tuple[Path, Manifest]) -> None:
    """Keys in order, cameras, hashes of the files, and measured columns."""
    import hashlib

    frames, labels, _ = toy_batch(toy_plan(), range(COUNT))
    table = read_parquet(toy[0] / "index/frames.parquet")
    assert table["frame_id"].to_pylist() == list(range(COUNT))
    assert np.array_equal(np.array(table["k"].to_pylist()).reshape(-1, 3, 3), frames.keys.k)
    pose = np.array(table["world_from_camera"].to_pylist()).reshape(-1, 4, 4)
    assert np.array_equal(pose[:, :3], frames.keys.world_from_camera)
    assert pose[:, 3].tolist() == [[0, 0, 0, 1]] * COUNT
    assert table["n_instances"].to_pylist() == np.bincount(labels.view, minlength=COUNT).tolist()
    for row in table.to_pylist():
        for role in ("image", "depth", "instance_map", "class_map"):
            assert hashlib.sha256((toy[0] / row[role]).read_bytes()).digest() == row[f"{role}_sha256"]
    instances = read_parquet(toy[0] / "index/instances.parquet")
    assert instances["inst_id"].to_pylist() == labels.instance.tolist()
    assert instances["class_id"].to_pylist() == [CLASS_OF[i] for i in labels.instance]
    assert instances["stable_id"].to_pylist() == [2**63 + i for i in labels.instance.tolist()]
    left, top, right, bottom = labels.box_px.T
    gap = np.minimum(np.minimum(left, top), np.minimum(WIDTH - right, HEIGHT - bottom))
    assert instances["edge_dist_px"].to_pylist() == gap.tolist()


def test_manifest_counts_what_is_there(toy: tuple[Path, Manifest]) -> None:
    """Worlds, frames and instances by class; the load report by level."""
    _, labels, _ = toy_batch(toy_plan(), range(COUNT))
    counts = toy[1].counts
    keys = {c.id: c.key for c in TAXONOMY.classes}
    by_class = {keys[i]: int((labels.class_id == i).sum()) for i in keys}
    assert counts.by_class == {key: number for key, number in by_class.items() if number}
    assert (counts.worlds, counts.frames) == (COUNT, COUNT)
    assert (counts.instances, counts.unlabelled) == (sum(by_class.values()), int((labels.class_id == 0).sum()))
    assert toy[1].notes == {"skipped": 2}
    empty = COUNT - len(set(labels.view[labels.class_id > 0].tolist()))
    assert toy[1].health.empty == pytest.approx(empty / COUNT, abs=1e-6)
    tiny = (labels.visible_px[labels.class_id > 0] < 64).mean()
    assert toy[1].health.tiny == pytest.approx(tiny, abs=1e-6)


def test_sha256sum_accepts_the_checksums(toy: tuple[Path, Manifest]) -> None:
    """Anybody can check the files without this program."""
    command = ["sha256sum", "--check", "--strict", "CHECKSUMS.sha256"]
    done = subprocess.run(command, cwd=toy[0], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    listed = {line.split("  ")[1] for line in (toy[0] / "CHECKSUMS.sha256").read_text().splitlines()}
    there = {p.relative_to(toy[0]).as_posix() for p in toy[0].rglob("*") if p.is_file()}
    there = {name for name in there if not name.startswith((".tmp/", "log/"))}
    assert there - listed == {"CHECKSUMS.sha256", "manifest.json"}


def test_nothing_is_written_until_all_worlds_are_there(tmp_path: Path) -> None:
    """The first of two workers gets no manifest; the second does, whoever it is."""
    plan = toy_plan()
    with ShardWriter(tmp_path, plan) as writer:
        with writer.shard(range(4)) as shard:
            shard.add(*toy_batch(plan, range(4)))
        assert finalise(tmp_path, range(COUNT), toy_job(range(COUNT))) is None
        assert not (tmp_path / "index").exists()
        with writer.shard(range(4, COUNT)) as shard:
            shard.add(*toy_batch(plan, range(4, COUNT)))
    assert finalise(tmp_path, range(COUNT), toy_job(range(COUNT))) is not None


def test_a_second_run_rewrites_nothing(tmp_path: Path) -> None:
    """Not a file, not a time stamp, not a folder entry."""
    make_toy(tmp_path, range(2), toy_plan())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    make_toy(tmp_path, range(2), toy_plan())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["index/frames.parquet", "labels/coco.json", "CHECKSUMS.sha256", "manifest.json"])
def test_damaged_views_are_made_anew_by_the_next_run(tmp_path: Path, name: str) -> None:
    """They follow from the shards."""
    make_toy(tmp_path, range(2), toy_plan())
    before = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(before[:-7])
    assert find_complete(tmp_path, range(2)) is None
    make_toy(tmp_path, range(2), toy_plan())
    assert (tmp_path / name).read_bytes() == before


def test_a_lost_picture_is_named_with_its_remedy_and_the_remedy_works(tmp_path: Path) -> None:
    """Finalising names the file and the commit; without that record, the worlds are made again."""
    make_toy(tmp_path, range(2), toy_plan())
    (tmp_path / "manifest.json").unlink()
    picture = tmp_path / "images/000/000001.jpg"
    before = picture.read_bytes()
    picture.unlink()
    with pytest.raises(UserError, match=r"000001.jpg is missing .* delete .*/commit/00000000-000.json"):
        make_toy(tmp_path, range(2), toy_plan())
    (tmp_path / "commit/00000000-000.json").unlink()
    assert make_toy(tmp_path, range(2), toy_plan()) is not None
    assert picture.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["images/000/000001.jpg", "depth/000/000000.png", "commit/00000000-000.worlds.parquet"]
)
@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_second_run_says_what_is_lost(tmp_path: Path, name: str, damage: str) -> None:
    """A complete dataset is not called complete when a committed file is gone; the error says how to have it again."""
    make_toy(tmp_path, range(2), toy_plan())
    path = tmp_path / name
    before = path.read_bytes()
    path.unlink() if damage == "gone" else path.write_bytes(before[:-1])
    assert find_complete(tmp_path, range(2)) is None
    with pytest.raises(UserError, match=rf"{path.name} is missing or cut short.* delete .*/commit/00000000-000.json"):
        make_toy(tmp_path, range(2), toy_plan())
    (tmp_path / "commit/00000000-000.json").unlink()
    assert make_toy(tmp_path, range(2), toy_plan()) is not None
    assert path.read_bytes() == before


def test_several_workers_may_complete_at_once(tmp_path: Path) -> None:
    """Each finishes the same dataset."""
    workers = [start(run_shaded, tmp_path, 2, 0) for _ in range(4)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert read_manifest(tmp_path / "manifest.json").counts.worlds == 2


def test_all_worlds_skipped_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    """There is no dataset without a frame."""
    with ShardWriter(tmp_path, toy_plan()) as writer, writer.shard([0]) as shard:
        shard.skip(0, "the floor is full")
    with pytest.raises(UserError, match="no world could be made; the first was skipped because: the floor is full"):
        finalise(tmp_path, [0], toy_job([0]))


def test_the_contact_sheet_shows_every_frame(toy: tuple[Path, Manifest]) -> None:
    """A tile for each of the first sixteen frames: where a picture has a labelled box, its class colour shows."""
    from engine.write.contact_sheet import COLUMNS, GAP_PX, HEAD_PX, TILE_WIDTH_PX, class_color

    sheet = np.array(Image.open(toy[0] / "contact_sheet.png"))
    tile_height = round(TILE_WIDTH_PX * HEIGHT / WIDTH)
    _, labels, _ = toy_batch(toy_plan(), range(COUNT))
    lines = (sheet.shape[0] - HEAD_PX - GAP_PX) // 2
    scale = TILE_WIDTH_PX / WIDTH
    for view, class_id, box in zip(labels.view, labels.class_id, labels.box_px):
        if class_id:
            x = GAP_PX + view % COLUMNS * (TILE_WIDTH_PX + GAP_PX)
            y = HEAD_PX + view // COLUMNS * lines
            right, bottom = min(int(box[2] * scale), TILE_WIDTH_PX - 1), min(int(box[3] * scale), tile_height - 1)
            assert tuple(sheet[y + bottom, x + right]) == class_color(class_id)


def test_the_merkle_root_depends_on_every_field_of_every_file() -> None:
    """Two files by hand, and each way to change one."""
    import hashlib

    def leaf(path: str, digest: str, size: int) -> bytes:
        data = b"\0" + path.encode() + b"\0" + bytes.fromhex(digest) + size.to_bytes(8, "big")
        return hashlib.sha256(data).digest()

    a, b = FileFact("a", "11" * 32, 5), FileFact("b", "22" * 32, 6)
    root = hashlib.sha256(b"\1" + leaf("a", "11" * 32, 5) + leaf("b", "22" * 32, 6)).hexdigest()
    assert content_root([b, a]) == root
    changed = [FileFact("A", a.sha256, 5), FileFact("a", b.sha256, 5), FileFact("a", a.sha256, 6)]
    assert len({root, content_root([a]), *(content_root([c, b]) for c in changed)}) == 5
    assert len(content_root([a, b, FileFact("c", "33" * 32, 7)])) == 64


def test_the_dataset_id_is_the_hash_of_the_three_ids() -> None:
    """As docs/formats.md says, so that others can compute it."""
    import hashlib

    assert dataset_id("r", "t", "c") == "ds_" + hashlib.sha256(b"r|t|c").hexdigest()[:16]


def test_parquet_bytes_depend_on_rows_and_not_on_how_they_came() -> None:
    """Across the border of a row group."""
    import pyarrow as pa

    table = pa.table({"x": np.arange(ROWS_A_GROUP + 1000), "name": pa.array(["a", "b"] * ((ROWS_A_GROUP + 1000) // 2))})
    whole = b"".join(parquet_chunks([table]))
    cuts = [table.slice(0, 7), table.slice(7, ROWS_A_GROUP), table.slice(ROWS_A_GROUP + 7)]
    assert b"".join(parquet_chunks(cuts)) == whole


def test_a_manifest_of_an_earlier_version_can_be_read(tmp_path: Path) -> None:
    """It lacks a field that has a default since; its hash is that of what it holds."""
    make_toy(tmp_path / "toy", range(2), toy_plan())
    path = tmp_path / "toy/manifest.json"
    data = json.loads(path.read_text())
    del data["parents"], data["sha256"]
    earlier = json_bytes({**data, "sha256": hashlib.sha256(json_bytes({**data, "sha256": ""})).hexdigest()})
    path.write_bytes(earlier)
    assert read_manifest(path).parents == ()
    path.write_bytes(earlier.replace(b'"frames": 2', b'"frames": 3'))
    with pytest.raises(UserError, match="does not have the hash that it states"):
        read_manifest(path)
