"""Folders as other people write them, and names that other people's readers take for something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import UserError
from engine.formats.export import ExportRequest, export
from engine.formats.registry import FORMATS, Records
from engine.formats.splits import SplitPlan, parse_fractions
from tests.engine.toy_records import toy_records

ODD = {"carton": "big box", "tote": "1e3", "person": "../\u7bb1"}


def read(name: str, folder: Path) -> Records:
    reader = FORMATS.get(name).read
    assert reader is not None
    source = reader(folder)
    return Records(source.name, source.categories, tuple(source.frames()))


def picture(path: Path, pixels: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((10, 20, 3), np.uint8) if pixels is None else pixels).save(path)


@pytest.mark.parametrize("name", [name for name in FORMATS.names() if "kitti" not in name])
def test_classes_keep_names_with_spaces_dots_and_slashes(tmp_path: Path, name: str) -> None:
    records = toy_records(tmp_path / "in", worlds=3)
    export(records, ExportRequest(FORMATS.get(name), tmp_path / "out", classes=ODD))
    back = read(name, tmp_path / "out")
    found = {instance.category for frame in back.frames() for instance in frame.instances}
    assert found == {category.key for category in back.categories} - {"unlabeled"}
    assert found == ({ODD["person"]} if name in ("coco-keypoints", "yolo-pose") else set(ODD.values()))


@pytest.mark.parametrize(
    ("name", "to", "says"),
    [
        ("kitti", "DontCare", "regions DontCare"),
        ("kitti-2d", "a b", "columns by spaces"),
        ("voc", "a:b", "no colon"),
        ("voc", "background", "are not background"),
        ("coco", "a\u2028b", "printable"),
        ("coco", " a", "spaces around"),
        ("coco", "\ud800", "printable"),
    ],
)
def test_names_that_a_format_cannot_hold_are_refused(tmp_path: Path, name: str, to: str, says: str) -> None:
    records = toy_records(tmp_path / "in", worlds=1)
    with pytest.raises(UserError, match=says):
        export(records, ExportRequest(FORMATS.get(name), tmp_path / "out", classes={"*": "x", "carton": to}))


def test_a_key_of_the_taxonomy_that_is_no_name_is_an_error_of_the_user(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=1)
    odd = replace(records, categories=(replace(records.categories[0], key="a\nb"), *records.categories[1:]))
    with pytest.raises(UserError, match="printable"):
        export(odd, ExportRequest(FORMATS.get("coco"), tmp_path / "out"))


@pytest.mark.parametrize(("name", "split"), [("huggingface", "my-train"), ("yolo-seg", "names"), ("yolo-obb", "path")])
def test_splits_whose_names_mean_something_else_are_refused(tmp_path: Path, name: str, split: str) -> None:
    records = toy_records(tmp_path / "in", worlds=6)
    plan = SplitPlan(parse_fractions(f"{split}=0.5,val=0.5"))
    with pytest.raises(UserError, match=split):
        export(records, ExportRequest(FORMATS.get(name), tmp_path / "out", split=plan))


def test_kitti_in_pictures_calibrates_pinhole_cameras_alone(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=2)
    bent, straight = records.records
    bent = replace(bent, row=dict(bent.row) | {"lens_model": "kannala_brandt"})
    export(replace(records, records=(bent, straight)), ExportRequest(FORMATS.get("kitti-2d"), tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out/training/calib").iterdir()] == ["000001.txt"]


@pytest.mark.parametrize(
    ("yaml", "images"),
    [
        ("train: ../train/images\nval: ../valid/images", "images"),  # Roboflow
        ("path: somewhere\ntrain: train/images\nval: valid/images", "images"),
        ("train: [train/images]\nval: [valid/images]", "images"),
    ],
)
def test_yolo_labels_are_found_beside_the_pictures_of_other_layouts(tmp_path: Path, yaml: str, images: str) -> None:
    for split in ("train", "valid"):
        picture(tmp_path / split / images / "a.jpg")
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels/a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text(f"{yaml}\nnc: 1\nnames: [box]\n")
    back = read("yolo-detect", tmp_path)
    assert [(frame.row["split"], frame.instances[0].box) for frame in back.frames()] == [
        ("train", (5.0, 2.5, 10.0, 5.0)), ("val", (5.0, 2.5, 10.0, 5.0)),
    ]  # fmt: skip


def test_yolo_rows_in_pixels_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "images/train/a.png")
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "labels/train/a.txt").write_text("0 10 5 8 4\n")
    (tmp_path / "data.yaml").write_text("train: images/train\nnames: {0: box}\n")
    with pytest.raises(UserError, match="no share of the image"):
        read("yolo-detect", tmp_path)
