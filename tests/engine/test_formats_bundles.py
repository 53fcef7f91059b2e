"""Tar shards, parquet shards and clouds give back the records that went in."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.errors import UserError
from engine.formats.masks import decode
from engine.formats.ply import read_ply
from engine.formats.record import Frame, Instance
from engine.formats.webdataset import read_member
from tests.engine.exporting import exported, read_back
from tests.engine.solid_records import BOXES, meet, solid_records, solids
from tests.engine.toy_records import toy_records


def assert_same(a: Instance, b: Instance) -> None:
    """Two records of an instance are equal in every field that our index has."""
    assert (a.id, a.category, a.box, a.visible_px, a.mask, a.path) == (
        b.id,
        b.category,
        b.box,
        b.visible_px,
        b.mask,
        b.path,
    )
    assert a.depth_m == pytest.approx(b.depth_m)
    assert (a.amodal.mask, tuple(a.amodal.box)) == (b.amodal.mask, tuple(b.amodal.box))
    for name in ("in_frame_px", "full_px", "is_cut", "occluder", "occluder_px"):
        assert getattr(a.amodal, name) == getattr(b.amodal, name)
    for name in ("world_from_object", "size_m", "center_m", "corners_px"):
        assert np.array_equal(getattr(a.solid, name), getattr(b.solid, name), equal_nan=True)
    assert (a.solid.asset, a.keypoints is None) == (b.solid.asset, b.keypoints is None)
    assert np.array_equal(a.oriented_box, b.oriented_box)
    assert a.keypoints is None or np.array_equal(a.keypoints, b.keypoints)


@pytest.mark.parametrize("name", ["webdataset", "huggingface"])
def test_every_field_of_every_record_comes_back(tmp_path: Path, name: str) -> None:
    source = toy_records(tmp_path / "source", worlds=4, steps=2)
    exported(source, name, tmp_path / "out", val=(4, 5))
    found = {frame.id: frame for frame in read_back(name, tmp_path / "out")}
    for frame in source.frames():
        other = found.pop(frame.id)
        assert other.row["split"] == ("val" if frame.id in (4, 5) else "train")
        assert (other.width, other.height, other.world, other.step) == (
            frame.width,
            frame.height,
            frame.world,
            frame.step,
        )
        assert np.array_equal(other.k, frame.k)
        assert np.array_equal(other.world_from_camera, frame.world_from_camera)
        for a, b in zip(frame.instances, other.instances, strict=True):
            assert_same(a, b)
    assert not found


def test_shards_are_cut_at_the_limits_and_are_the_same_bytes_again(tmp_path: Path) -> None:
    source = toy_records(tmp_path / "source", worlds=7)
    for out in ("a", "b"):
        exported(source, "webdataset", tmp_path / out, samples=3)
    shards = sorted((tmp_path / "a").rglob("*.tar"))
    assert [path.name for path in shards] == ["shard-000000.tar", "shard-000001.tar", "shard-000002.tar"]
    for path in shards:
        again = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()
    exported(source, "webdataset", tmp_path / "c", shard_mb=1e-6)
    assert len(list((tmp_path / "c").rglob("*.tar"))) == 7


def test_a_sample_has_the_files_of_its_frame_under_one_key(tmp_path: Path) -> None:
    source = toy_records(tmp_path / "source", worlds=1)
    exported(source, "webdataset", tmp_path / "out", roles="image,depth")
    with tarfile.open(tmp_path / "out/train/shard-000000.tar") as file:
        assert file.getnames() == ["000000.depth.png", "000000.json", "000000.png"]
        assert all(member.mtime == member.uid == 0 for member in file.getmembers())
    (frame,), (found,) = source.frames(), read_back("webdataset", tmp_path / "out")
    for role in ("image", "depth"):
        assert read_member(found, role) == frame.files[role].read_bytes()
    with pytest.raises(UserError, match="normal"):
        exported(source, "webdataset", tmp_path / "other", roles="image,normal")


def test_parquet_holds_the_pictures_and_says_what_they_are(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source", steps=3)
    exported(source, "huggingface", tmp_path / "out", shard_mb=1e-6)
    shards = sorted((tmp_path / "out/data").iterdir())
    assert [path.name for path in shards] == [f"train-{i:05d}-of-00003.parquet" for i in range(3)]
    table = pq.read_table(shards[1])
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == features["depth"] == {"_type": "Image"}
    assert features["objects"][0]["category"] == {"names": ["carton", "truck"], "_type": "ClassLabel"}
    (row,), frame = table.to_pylist(), list(source.frames())[1]
    assert row["image"]["bytes"] == frame.files["image"].read_bytes()
    depth = np.array(Image.open(io.BytesIO(row["depth"]["bytes"])))
    exact = np.load(frame.files["depth"])
    assert np.array_equal(depth, np.where(np.isfinite(exact), np.rint(exact * 1000), 0))


@pytest.mark.parametrize("frame_of_points", ["world", "camera"])
def test_points_lie_on_the_boxes_that_they_name(tmp_path: Path, frame_of_points: str) -> None:
    """A ray from the camera through a point meets the box of its instance just there, by slabs."""
    source = solid_records(tmp_path / "source", pitch_deg=20.0)
    exported(source, "pointcloud", tmp_path / "out", frame=frame_of_points)
    (frame,) = source.frames()
    points, _ = read_ply(tmp_path / "out/train/000000.ply")
    place = np.stack([points[name] for name in "xyz"], axis=1).astype(np.float64)
    pose = frame.world_from_camera
    if frame_of_points == "camera":
        place = place @ pose[:3, :3].T + pose[:3, 3]
    classes = [category.key for category in source.categories]
    assert len(points) == sum(instance.visible_px for instance in frame.instances)
    for number, (solid, box) in enumerate(zip(solids(0), BOXES, strict=True), 1):
        of_it = points["instance"] == number
        assert meet(solid, pose[:3, 3], place[of_it] - pose[:3, 3]) == pytest.approx(np.ones(of_it.sum()), abs=1e-6)
        assert set(points["class_id"][of_it].tolist()) == {classes.index(box[0]) + 1}
        assert set(points["red"][of_it].tolist()) == {number * 60}


def test_clouds_give_back_masks_and_cameras(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source", steps=2, pitch_deg=20.0)
    exported(source, "pointcloud", tmp_path / "out", val=(1,))
    for frame, found in zip(source.frames(), read_back("pointcloud", tmp_path / "out"), strict=True):
        assert found.row["split"] == ("val" if frame.id == 1 else "train")
        assert found.world_from_camera == pytest.approx(frame.world_from_camera)
        for a, b in zip(frame.instances, found.instances, strict=True):
            assert (b.id, b.category, b.box, b.visible_px) == (a.id, a.category, a.box, a.visible_px)
            assert np.array_equal(decode(a.mask), decode(b.mask))


def test_points_of_a_defect_are_its_own_and_not_its_bearer_s(tmp_path: Path) -> None:
    """It comes first, as everywhere where a pixel has one object."""
    source = solid_records(tmp_path / "source")
    frame = next(frame for frame in source.frames() if frame.instances)
    bearer = frame.instances[0]
    mark = Instance(99, bearer.category, bearer.box, bearer.visible_px, bearer.mask, lies_on=bearer.id)
    marked = replace(source, records=(replace(frame, instances=(mark, *frame.instances)),))
    exported(marked, "pointcloud", tmp_path / "out")
    (found,) = read_back("pointcloud", tmp_path / "out")
    ids = {seen.id for seen in found.instances}
    assert (99 in ids, bearer.id in ids) == (True, False)


def test_clouds_of_bent_lenses_are_unbent(tmp_path: Path) -> None:
    """A range image of a fisheye becomes points at those distances, in the directions of its formula."""
    (frame,) = solid_records(tmp_path / "source").frames()
    row = {"depth_kind": "range", "lens_model": "kannala_brandt", "lens_coefficients": [0.0] * 12, "lens_limit": 3.0}
    bent = Frame(**{**vars(frame), "row": row, "instances": ()})
    exported(type(solid_records(tmp_path / "s"))("bent", (), (bent,)), "pointcloud", tmp_path / "out", frame="camera")
    points, _ = read_ply(tmp_path / "out/train/000000.ply")
    place = np.stack([points[name] for name in "xyz"], axis=1).astype(np.float64)
    exact = np.load(frame.files["depth"])
    y, x = np.nonzero(np.isfinite(exact))
    assert np.linalg.norm(place, axis=1) == pytest.approx(exact[y, x], rel=1e-6)
    radius = np.hypot((x + 0.5 - frame.k[0, 2]) / frame.k[0, 0], (y + 0.5 - frame.k[1, 2]) / frame.k[1, 1])
    assert np.arctan2(np.hypot(place[:, 0], place[:, 1]), -place[:, 2]) == pytest.approx(radius, abs=1e-6)


def test_clouds_of_rolling_shutters_are_seen_from_where_the_camera_stood(tmp_path: Path) -> None:
    """Every row is of its own moment: points of one depth, seen by a camera that runs to the right, are sheared."""
    (frame,) = solid_records(tmp_path / "source").frames()
    motion = {"readout_s": 0.02, "velocity_m_s": [4.0, 0.0, 0.0], "spin_rad_s": [0.0, 0.0, 0.5]}
    rolling = Frame(**{**vars(frame), "row": dict(frame.row) | motion})
    records = solid_records(tmp_path / "s")
    for name, shown in (("still", frame), ("rolling", rolling)):
        exported(type(records)(name, records.categories, (shown,)), "pointcloud", tmp_path / name)
    still, moves = (read_ply(tmp_path / name / "train/000000.ply")[0] for name in ("still", "rolling"))
    y, _ = np.nonzero(np.isfinite(np.load(frame.files["depth"])))
    time_s = ((y + 0.5) / frame.height - 0.5) * 0.02
    place, later = (np.stack([points[name] for name in "xyz"], axis=1).astype(np.float64) for points in (still, moves))
    arm = place - frame.world_from_camera[:3, 3]
    sine, cosine = np.sin(0.5 * time_s), np.cos(0.5 * time_s)
    turned = np.stack([cosine * arm[:, 0] - sine * arm[:, 1], sine * arm[:, 0] + cosine * arm[:, 1], arm[:, 2]], axis=1)
    exact = frame.world_from_camera[:3, 3] + turned + np.outer(time_s, [4.0, 0.0, 0.0])
    assert np.abs(later - exact).max() < 1e-5
    (found,) = read_back("pointcloud", tmp_path / "rolling")
    assert [i.mask.counts for i in found.instances] == [i.mask.counts for i in frame.instances]


def test_files_of_others_are_refused_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "classes.json").write_text("[]")
    (tmp_path / "train/shard-000000.tar").write_bytes(b"no tar" * 200)
    (tmp_path / "train/a.ply").write_bytes(b"ply\nformat ascii 1.0\nend_header\n")
    (tmp_path / "data/train-00000-of-00001.parquet").write_bytes(b"PAR1 no")
    for name, file in (
        ("webdataset", "shard-000000.tar"),
        ("pointcloud", "a.ply"),
        ("huggingface", "-of-00001.parquet"),
    ):
        with pytest.raises(UserError, match=file):
            read_back(name, tmp_path)
        with pytest.raises(UserError):
            read_back(name, tmp_path / "nowhere")
