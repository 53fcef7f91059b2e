"""Folders as other people write them, and names that other people's readers take for something else."""

from __future__ import annotations

import json
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


def test_voc_lists_of_one_class_are_no_lists_of_pictures(tmp_path: Path) -> None:
    for stem in "ab":
        picture(tmp_path / f"JPEGImages/{stem}.jpg")
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        (tmp_path / f"Annotations/{stem}.xml").write_text(
            f"<annotation><filename>{stem}.jpg</filename><size><width>20</width><height>10</height></size>"
            "<object><name>cat</name><bndbox><xmax>10</xmax><xmin>1</xmin><ymax>5</ymax><ymin>2</ymin></bndbox></object>"
            "</annotation>"
        )
    lists = {"train": "a\n", "val": "b\n", "trainval": "a\nb\n", "cat_train": "a  1\n", "cat_val": "b -1\n"}
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    for name, text in lists.items():
        (tmp_path / f"ImageSets/Main/{name}.txt").write_text(text)
    frames = read("voc", tmp_path).records
    assert [(frame.row["split"], frame.instances[0].box) for frame in frames] == [
        ("train", (0.0, 1.0, 10.0, 4.0)), ("val", (0.0, 1.0, 10.0, 4.0)),
    ]  # fmt: skip


def test_coco_of_coco_has_polygons_crowds_and_pictures_beside_annotations(tmp_path: Path) -> None:
    picture(tmp_path / "val2017/a.jpg")
    (tmp_path / "annotations").mkdir()
    shared = {"image_id": 5, "category_id": 3, "bbox": [1, 1, 4, 4]}
    crowd = {"size": [10, 20], "counts": [0, 1, 9, 1, 189]}
    data = {
        "images": [{"id": 5, "file_name": "a.jpg", "width": 20, "height": 10}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "area": 16.0, "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]], "iscrowd": 0, **shared},
            {"id": 2, "area": 2, "segmentation": crowd, "iscrowd": 1, **shared},
            {"id": 3, "segmentation": [], **shared},
        ],
    }
    (tmp_path / "annotations/instances_val2017.json").write_text(json.dumps(data))
    (frame,) = read("coco", tmp_path).records
    assert frame.files["image"].is_file()
    assert [(i.is_crowd, i.visible_px, i.mask is None) for i in frame.instances] == [
        (False, 16, False), (True, 2, False), (False, None, True),
    ]  # fmt: skip


def test_mot_of_2015_and_of_dancetrack_is_read(tmp_path: Path) -> None:
    (tmp_path / "train/S/gt").mkdir(parents=True)
    (tmp_path / "train/S/seqinfo.ini").write_text("[Sequence]\nseqLength=1\nimDir=img1\nimExt=.jpg\n")
    picture(tmp_path / "train/S/img1/00000001.jpg")
    (tmp_path / "train/S/gt/gt.txt").write_text("1,1,1,1,4,4,1,-1,-1,-1\n1,2,1,1,4,4,0,7,0.5\n")
    (frame,) = read("mot", tmp_path).records
    assert [(i.category, dict(i.extra)) for i in frame.instances] == [
        ("1", {"visibility": -1.0}), ("7", {"visibility": 0.5, "is_ignored": True}),
    ]  # fmt: skip


def test_bop_without_counts_takes_boxes_from_masks_and_what_is_not_seen_has_none(tmp_path: Path) -> None:
    scene = tmp_path / "test/000001"
    picture(scene / "rgb/000003.png")
    seen = np.zeros((10, 20), np.uint8)
    seen[2:4, 3:6] = 255
    for number, mask in enumerate((seen, 0 * seen)):
        for kind in ("mask", "mask_visib"):
            picture(scene / kind / f"000003_{number:06d}.png", mask)
    k = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    truth = [{"cam_R_m2c": k, "cam_t_m2c": [0, 0, z], "obj_id": 2} for z in (1000, -1000)]
    (scene / "scene_camera.json").write_text(json.dumps({"3": {"cam_K": k, "depth_scale": 1.0}}))
    (scene / "scene_gt.json").write_text(json.dumps({"3": truth}))
    (frame,) = read("bop", tmp_path).records
    assert [(i.box, i.visible_px) for i in frame.instances] == [((3.0, 2.0, 3.0, 2.0), 6), ((0.0, 0.0, 0.0, 0.0), 0)]
    counts = {"px_count_all": 0, "px_count_valid": 0, "px_count_visib": 0, "visib_fract": 0.0}
    hidden = {"bbox_obj": [-1] * 4, "bbox_visib": [-1] * 4, **counts}
    outside = hidden | {"px_count_all": 9, "bbox_obj": [30, 2, 3, 3]}
    (scene / "scene_gt_info.json").write_text(json.dumps({"3": [hidden, outside]}))
    (frame,) = read("bop", tmp_path).records
    assert [(i.occlusion, i.truncation) for i in frame.instances[:1]] == [(None, None)]


def test_cityscapes_without_a_table_has_its_own_classes(tmp_path: Path) -> None:
    ids = np.zeros((10, 20), np.uint16)
    ids[:5], ids[5:], ids[9] = 7, 26001, 26
    picture(tmp_path / "leftImg8bit/val/x/x_0_leftImg8bit.png")
    picture(tmp_path / "gtFine/val/x/x_0_gtFine_instanceIds.png", ids)
    (frame,) = read("cityscapes", tmp_path).records
    assert [(i.category, i.is_crowd) for i in frame.instances] == [("road", True), ("car", True), ("car", False)]
    (tmp_path / "gtFine/val/x/x_0_gtFine_instanceIds.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="not a picture"):
        read("cityscapes", tmp_path)


def test_nocs_has_no_class_for_what_stands_in_the_way(tmp_path: Path) -> None:
    mask = np.full((10, 20), 255, np.uint8)
    mask[:3], mask[3:5] = 1, 2
    for name, pixels in (("color", None), ("coord", None), ("depth", None), ("mask", mask)):
        picture(tmp_path / f"train/00000/0000_{name}.png", pixels)
    (tmp_path / "train/00000/0000_meta.txt").write_text("1 0 02 abc\n2 1 03 def\n")
    (tmp_path / "classes.txt").write_text("bottle\nbowl\n")
    (frame,) = read("nocs", tmp_path).records
    assert [i.category for i in frame.instances] == ["bottle"]


def test_kitti_frames_are_of_train_or_val_where_trainval_lists_them_too(tmp_path: Path) -> None:
    picture(tmp_path / "training/image_2/000000.png")
    (tmp_path / "training/label_2").mkdir()
    (tmp_path / "training/label_2/000000.txt").write_text("")
    (tmp_path / "ImageSets").mkdir()
    for name in ("train", "trainval"):
        (tmp_path / f"ImageSets/{name}.txt").write_text("000000\n")
    (frame,) = read("kitti", tmp_path).records
    assert frame.row["split"] == "train"


@pytest.mark.parametrize("name", ["webdataset", "huggingface"])
def test_bundles_keep_what_keypoints_are_called_and_where_objects_are_seen(tmp_path: Path, name: str) -> None:
    records = toy_records(tmp_path / "in", worlds=2)
    first = records.records[0]
    seen = {"range_m": 3.5, "azimuth_rad": 0.25, "elevation_rad": -0.5}
    frames = (replace(first, instances=tuple(replace(i, extra=seen) for i in first.instances)), *records.records[1:])
    export(replace(records, records=frames), ExportRequest(FORMATS.get(name), tmp_path / "out"))
    back = read(name, tmp_path / "out")
    ours, theirs = ([(c.key, c.supercategory, c.keypoints, c.skeleton) for c in r.categories] for r in (records, back))
    assert ours == theirs
    assert [dict(i.extra) for i in back.records[0].instances] == [seen] * len(first.instances)


def test_coco_says_of_a_bent_image_how_it_is_bent(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=2)
    lens = {"lens_model": "kannala_brandt", "lens_coefficients": [0.1, *[0.0] * 11], "lens_limit": float("inf")}
    bent = replace(records.records[0], row=dict(records.records[0].row) | lens)
    export(replace(records, records=(bent, records.records[1])), ExportRequest(FORMATS.get("coco"), tmp_path / "out"))
    first, second = read("coco", tmp_path / "out").records
    assert first.row == {"split": "train", **lens}
    assert second.row == {"split": "train"}


def test_bop_leaves_out_and_counts_what_has_its_centre_behind_the_camera(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=1)
    (frame,) = records.records
    one, *rest = frame.instances
    assert one.solid is not None
    pose = one.solid.world_from_object.copy()
    pose[:, 3] = [0.0, -8.0, 1.0]  # the camera stands at y = -6 and looks along +y
    behind = replace(frame, instances=(replace(one, solid=replace(one.solid, world_from_object=pose)), *rest))
    report = export(replace(records, records=(behind,)), ExportRequest(FORMATS.get("bop"), tmp_path / "out"))
    assert report["not_held"] == {"the centre of its box is not before the camera": 1}
    assert [i.id for i in read("bop", tmp_path / "out").records[0].instances] == [i.id for i in rest]
