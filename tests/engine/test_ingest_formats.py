"""YOLO and KITTI folders taken in and exported again: nothing that the format holds is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from engine.formats.export import ExportRequest, export
from engine.formats.index import open_dataset
from engine.formats.kitti_read import read_kitti
from engine.formats.record import Frame
from engine.formats.registry import FORMATS, Records
from engine.formats.splits import SplitPlan, parse_fractions
from tests.engine.ingest_samples import HEIGHT, WIDTH, coco_folder, command, picture, take_in
from tests.engine.toy_records import toy_records

P2 = "721.5377 0 609.5593 44.85728 0 721.5377 172.854 0.2163791 0 0 1 0.002745884"
TURNED = "9.999e-01 9.83e-03 -7.4e-03 -9.8e-03 9.999e-01 -4.2e-03 7.4e-03 4.3e-03 9.999e-01"
VELO = "7.5e-03 -9.9e-01 -6.1e-04 -4.0e-03 1.4e-02 7.2e-04 -9.9e-01 -7.6e-02 9.9e-01 7.5e-03 1.4e-02 -2.7e-01"
LABELS = """Car 0.12 1 -1.57 2.5 3.25 20.75 18.5 1.52 1.63 3.88 1.84 1.47 8.41 -1.35
Person_sitting 0.00 0 0.21 10 5 14 15.5 1.7 0.6 0.9 -1.2 1.6 12.3 0.11
Pedestrian -1 -1 -10 1 1 8 9 -1 -1 -1 -1000 -1000 -1000 -10
DontCare -1 -1 -10 30.25 2 39 9.5 -1 -1 -1 -1000 -1000 -1000 -10
"""


def compared(frames: list[Frame]) -> list[object]:
    """Return what two readings of a format must agree in; keypoints are kept as 32-bit numbers."""

    def rounded(values: np.ndarray | None, decimals: int) -> object:
        return None if values is None else np.round(values, decimals).tolist()

    found: list[object] = []
    for frame in frames:
        seen = [
            (i.category, np.round(i.box, 6).tolist(), i.mask, rounded(i.keypoints, 2), rounded(i.oriented_box, 6))
            for i in frame.instances
        ]
        found.append((frame.files["image"].read_bytes(), frame.width, frame.height, frame.row.get("split"), seen))
    return found


@pytest.mark.parametrize("task", ["detect", "seg", "obb", "pose"])
def test_yolo_survives(tmp_path: Path, task: str) -> None:
    """Its rows say which task it is; splits, classes and every row come back."""
    form = FORMATS.get(f"yolo-{task}")
    source = toy_records(tmp_path / "records", worlds=6)
    export(source, ExportRequest(form, tmp_path / "in", split=SplitPlan(parse_fractions("train=0.7,val=0.3"))))
    assert take_in(tmp_path / "in", tmp_path / "out", file_format="yolo") == 0
    assert command("verify", tmp_path / "out") == 0
    words = ("--format", f"yolo-{task}", "--split", "keep", "--out", tmp_path / "back")
    assert command("export", tmp_path / "out", *words) == 0
    assert form.read is not None
    first, second = (form.read(tmp_path / name) for name in ("in", "back"))
    assert [c.key for c in first.categories] == [c.key for c in second.categories]
    one, other = (compared(list(records.frames())) for records in (first, second))
    assert len(one) == 6
    assert sorted(map(repr, one)) == sorted(map(repr, other))
    assert any(frame.instances for frame in first.frames())


def test_polygons_and_keypoints_of_others_go_to_hugging_face(tmp_path: Path) -> None:
    """As they were drawn."""
    assert take_in(coco_folder(tmp_path / "in"), tmp_path / "out") == 0
    assert command("export", tmp_path / "out", "--format", "huggingface", "--out", tmp_path / "back") == 0
    (shard,) = (tmp_path / "back/data").iterdir()
    rows = pq.read_table(shard).to_pylist()
    assert [one["polygons"] for row in rows for one in row["objects"] if one["polygons"]] == [
        [[5.0, 4.0, 25.0, 4.5, 20.0, 14.0, 5.0, 12.0]]
    ]
    assert "Real pictures" in (tmp_path / "back/README.md").read_text(encoding="utf-8")
    form = FORMATS.get("huggingface")
    assert form.read is not None
    assert len(list(form.read(tmp_path / "back").frames())) == 3


def yolo(folder: Path, rows: str, **more: object) -> Path:
    picture(folder / "images/train/a.png")
    (folder / "labels/train").mkdir(parents=True)
    (folder / "labels/train/a.txt").write_text(rows)
    (folder / "data.yaml").write_text(yaml.safe_dump({"train": "images/train", "names": ["x", "y"], **more}))
    return folder


def test_boxes_may_stand_among_polygons(tmp_path: Path) -> None:
    """As some tools export; the box has no mask."""
    folder = yolo(tmp_path / "in", "0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.5 0.1 0.5 0.6\n")
    assert take_in(folder, tmp_path / "out", file_format="yolo") == 0
    (frame,) = open_dataset(tmp_path / "out").frames()
    assert [(i.category, i.mask is None) for i in frame.instances] == [("x", True), ("y", False)]
    assert frame.instances[0].box == pytest.approx((0.4 * WIDTH, 0.3 * HEIGHT, 0.2 * WIDTH, 0.4 * HEIGHT))


def test_a_split_may_be_a_list_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As COCO comes for YOLO; a line that leads out of the folder is refused."""
    folder = yolo(tmp_path / "in", "0 0.5 0.5 0.2 0.4\n", train="./train.txt")
    (folder / "train.txt").write_text("./images/train/a.png\n")
    assert take_in(folder, tmp_path / "out", file_format="yolo") == 0
    (frame,) = open_dataset(tmp_path / "out").frames()
    assert (frame.row["split"], len(frame.instances)) == ("train", 1)
    (folder / "train.txt").write_text("../../x.png\n")
    assert take_in(folder, tmp_path / "other", file_format="yolo") == 2
    assert "train.txt:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("0 nan 0.5 0.2 0.4\n", "a.txt:1"),
        ("0 0.5 0.5 0 0.4\n", "labels/train/a.txt:1: the box"),
        ("2 0.5 0.5 0.1 0.4\n", "a.txt:1"),
        ("0 0.5 0.5 0.1\n", "a.txt:1"),
        ("0 0.5 0.5 0.1 x\n", "a.txt:1"),
    ],
)
def test_a_bad_row_of_yolo_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str, words: str) -> None:
    assert take_in(yolo(tmp_path / "in", rows), tmp_path / "out", file_format="yolo") == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def kitti(folder: Path) -> Path:
    """Write KITTI's own shape: a camera along the bar, a turned rectified frame, regions, a sweep, a frame without."""
    for stem in ("000003", "000011", "000012"):
        picture(folder / f"training/image_2/{stem}.png", seed=int(stem))
    for kind in ("label_2", "calib", "velodyne"):
        (folder / "training" / kind).mkdir()
    (folder / "training/label_2/000003.txt").write_text(LABELS)
    (folder / "training/label_2/000011.txt").write_text("")
    lines = [f"P{n}: {P2}" for n in range(4)]
    lines += [f"R0_rect: {TURNED}", f"Tr_velo_to_cam: {VELO}", f"Tr_imu_to_velo: {VELO}"]
    for stem in ("000003", "000011"):
        (folder / f"training/calib/{stem}.txt").write_text("\n".join(lines) + "\n")
    np.random.default_rng(1).normal(size=(9, 4)).astype("<f4").tofile(folder / "training/velodyne/000003.bin")
    (folder / "ImageSets").mkdir()
    (folder / "ImageSets/train.txt").write_text("000003\n000012\n")
    (folder / "ImageSets/val.txt").write_text("000011\n")
    return folder


def read(folder: Path) -> Records:
    return read_kitti(folder)


def test_kitti_survives(tmp_path: Path) -> None:
    """Boxes in 2D and 3D, truncation, occlusion, alpha, regions, calibration, sweeps and splits, to the last digit."""
    source = kitti(tmp_path / "in")
    assert take_in(source, tmp_path / "out", file_format="kitti") == 0
    assert command("verify", tmp_path / "out") == 0
    words = ("--format", "kitti", "--split", "keep", "--out", tmp_path / "back")
    assert command("export", tmp_path / "out", *words) == 0
    told = [
        [float(word) if word[-1].isdigit() else word for word in line.split()]
        for line in (tmp_path / "back/training/label_2/000000.txt").read_text().splitlines()
    ]
    wanted = [[float(w) if w[-1].isdigit() else w for w in line.split()] for line in LABELS.splitlines()]
    assert told == wanted
    assert (tmp_path / "back/training/velodyne/000000.bin").read_bytes() == (
        source / "training/velodyne/000003.bin"
    ).read_bytes()
    before, after = (list(read(folder).frames()) for folder in (source, tmp_path / "back"))
    assert before[0].k is not None
    for one, other in zip(before, after[:2], strict=True):
        assert one.row["split"] == other.row["split"]
        for name, matrix in one.row["calibration"].items():
            assert (matrix == other.row["calibration"][name]).all()
    lists = {name: (tmp_path / f"back/ImageSets/{name}.txt").read_text().split() for name in ("train", "val")}
    assert lists == {"train": ["000000", "000002"], "val": ["000001"]}


def test_a_box_of_kitti_stands_upright_in_our_world(tmp_path: Path) -> None:
    """Its height is along z, and its corners are seen where KITTI's own projection puts them."""
    assert take_in(kitti(tmp_path / "in"), tmp_path / "out", file_format="kitti") == 0
    car = pq.read_table(tmp_path / "out/index/instances.parquet").to_pylist()[0]
    frame = pq.read_table(tmp_path / "out/index/frames.parquet").to_pylist()[0]
    pose = np.vstack([np.reshape(car["world_from_object"], (3, 4)), [0, 0, 0, 1]])
    assert pose[:3, 2] == pytest.approx([0, 0, 1])
    assert pose[:3, 3] == pytest.approx([1.84, 8.41, -1.47])  # x right, y ahead, z up; KITTI: right, down, ahead
    camera = np.linalg.inv(np.reshape(frame["world_from_camera"], (4, 4))) @ pose @ [0, 0, 0, 1]
    seen = np.reshape(frame["k"], (3, 3)) @ (camera[:3] * [1, -1, -1])
    expected = np.reshape([float(w) for w in P2.split()], (3, 4)) @ [1.84, 1.47, 8.41, 1]
    assert seen[:2] / seen[2] == pytest.approx(expected[:2] / expected[2], abs=1e-6)


def test_a_label_of_kitti_without_a_picture_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = kitti(tmp_path / "in")
    (folder / "training/image_2/000003.png").unlink()
    assert take_in(folder, tmp_path / "out", file_format="kitti") == 2
    assert "000003.txt has no picture image_2/000003.png" in capsys.readouterr().err
