"""datumaro, Hugging Face `datasets` and `webdataset` read what we export as we wrote it."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from engine.formats.kitti_label import kitti_box, level_from_opencv
from engine.formats.record import Frame
from tests.engine.exporting import exported
from tests.engine.solid_records import solid_records
from tests.engine.toy_records import toy_records
from tests.judge.readers import read_with

pytestmark = pytest.mark.judge


def corners(box: tuple[float, ...]) -> list[float]:
    x, y, width, height = box
    return [x, y, x + width, y + height]


def test_datumaro_reads_kitti_objects_in_space(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source", steps=2, pitch_deg=15.0)
    exported(source, "kitti", tmp_path / "kitti", box="visible")
    found = read_with("read_tracks.py", tmp_path / "kitti/training", "kitti3d")
    assert (found["pictures"], found["detected"]) == (2, ["kitti3d"])
    for frame in source.frames():
        rows = found["boxes"][f"{frame.id:06d}"]
        for (label, box, facts), instance in zip(rows, frame.instances, strict=True):
            solid, _ = kitti_box(frame, instance.solid, level_from_opencv(frame))
            assert (label, box) == (instance.category, corners(instance.box))
            assert facts["dimensions"] == pytest.approx([solid.height_m, solid.width_m, solid.length_m], abs=1e-6)
            assert facts["location"] == pytest.approx(list(solid.bottom_m), abs=1e-6)
            assert facts["rotation_y"] == pytest.approx(solid.rotation_y_rad, abs=1e-6)
            assert facts["truncated"] == pytest.approx(instance.truncation, abs=1e-6)


def test_datumaro_reads_kitti_objects_in_pictures(tmp_path: Path) -> None:
    source = toy_records(tmp_path / "source", worlds=4)
    exported(source, "kitti-2d", tmp_path / "kitti", box="visible")
    found = read_with("read_tracks.py", tmp_path / "kitti", "kitti")
    for number, frame in enumerate(source.frames()):
        rows = [[label, box] for label, box, _ in found["boxes"][f"{number:06d}"]]
        assert rows == [[i.category, corners(i.box)] for i in frame.instances]


def test_datumaro_reads_tracks(tmp_path: Path) -> None:
    """It takes the first pixel for 0, as many readers do: first_pixel=0 is made for them."""
    source = toy_records(tmp_path / "source", worlds=1, steps=3)
    exported(source, "mot", tmp_path / "mot", first_pixel=0)
    found = read_with("read_tracks.py", tmp_path / "mot/train/w000000_c00", "mot_seq")
    assert (found["pictures"], found["detected"]) == (3, ["mot_seq"])
    for frame in source.frames():
        rows = {facts["track_id"]: [label, box, facts["visibility"]] for label, box, facts in
                found["boxes"][str(frame.step + 1)]}  # fmt: skip
        assert rows == {
            i.id: [i.category, corners(i.amodal.box), pytest.approx(i.visible_px / i.amodal.full_px, abs=1e-6)]
            for i in frame.instances
        }


@pytest.mark.parametrize("name", ["huggingface", "webdataset"])
def test_shards_are_read_by_their_own_libraries(tmp_path: Path, name: str) -> None:
    source = toy_records(tmp_path / "source", worlds=4, steps=2)
    exported(source, name, tmp_path / "out", val=(4, 5), shard_mb=0.004)
    found = read_with("read_shards.py", tmp_path / "out", name)
    rows = {split: [facts_of(f) for f in source.frames() if (f.id in (4, 5)) == (split == "val")] for split in
            ("train", "val")}  # fmt: skip
    assert found["splits"] == rows
    if name == "huggingface":
        assert found["kinds"] == {"image": "Image", "depth": "Image"}
        assert (found["label"], found["names"]) == ("ClassLabel", [c.key for c in source.categories])


def facts_of(frame: Frame) -> list[object]:
    """Return what a script of the readers prints of a frame."""
    image, depth = (imageio.imread(frame.files[role]) for role in ("image", "depth"))
    pictures = [list(image.shape), int(image.sum(dtype=np.int64)), int(depth.sum(dtype=np.int64))]
    return [frame.id, pictures, [[i.category, i.id, list(i.box), i.visible_px] for i in frame.instances]]
