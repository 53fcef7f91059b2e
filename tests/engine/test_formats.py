"""Formats that are written from records, read back, and found to hold the same; and the command that writes them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.dataset.__main__ import main
from engine.errors import UserError
from engine.formats.export import ExportRequest, export
from engine.formats.filters import Filters
from engine.formats.masks import decode
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import FORMATS, Records
from engine.formats.splits import SplitPlan, parse_fractions
from engine.formats.yolo import flip_index
from tests.engine.toy_dataset import make_toy, toy_plan
from tests.engine.toy_records import CATEGORIES, HEIGHT, WIDTH, toy_records

SPLIT = SplitPlan(parse_fractions("train=0.7,val=0.3"))


def written(records: Records, out: Path, name: str, **request: object) -> tuple[Records, dict[str, object]]:
    """Return what the reader of a format makes of what its writer wrote, and the report."""
    chosen = FORMATS.get(name)
    report = export(records, ExportRequest(chosen, out, **({"split": SPLIT} | request)))  # type: ignore[arg-type]
    assert chosen.read is not None
    read = chosen.read(out)
    return Records(read.name, read.categories, tuple(read.frames())), report


def by_picture(records: Records) -> dict[str, Frame]:
    return {frame.files["image"].stem: frame for frame in records.frames()}


def pairs(records: Records, back: Records) -> list[tuple[Instance, Instance]]:
    """Return the instances of both by frame and id; every one of them must be in both."""
    found = []
    frames = by_picture(back)
    assert sorted(frames) == sorted(by_picture(records))
    for stem, frame in by_picture(records).items():
        assert (frames[stem].width, frames[stem].height) == (frame.width, frame.height)
        assert frames[stem].files["image"].read_bytes() == frame.files["image"].read_bytes()
        others = {instance.id: instance for instance in frames[stem].instances}
        assert sorted(others) == sorted(instance.id for instance in frame.instances)
        found += [(instance, others[instance.id]) for instance in frame.instances]
    assert len(found) > 30
    return found


def numbered(records: Records, keys: tuple[str, ...] = tuple(c.key for c in CATEGORIES)) -> Records:
    """Return the records with ids by position, as formats without ids have them, and only some classes."""
    frames = []
    for frame in records.frames():
        kept = [instance for instance in frame.instances if instance.category in keys]
        frames.append(replace(frame, instances=tuple(replace(one, id=n) for n, one in enumerate(kept, start=1))))
    return Records(records.name, records.categories, tuple(frames))


def test_coco_holds_every_fact(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=8)
    back, report = written(records, tmp_path / "out", "coco")
    assert report["frames"] == {"train": 5, "val": 3}
    for ours, theirs in pairs(records, back):
        assert (ours.category, ours.box, ours.visible_px, ours.mask) == (
            theirs.category, theirs.box, theirs.visible_px, theirs.mask
        )  # fmt: skip
        assert (ours.depth_m, ours.path, ours.amodal, theirs.extra) == (theirs.depth_m, theirs.path, theirs.amodal, {})
        assert ours.solid is not None
        assert theirs.solid is not None
        assert ours.oriented_box is not None
        for field in ("world_from_object", "size_m", "center_m"):
            assert (getattr(ours.solid, field) == getattr(theirs.solid, field)).all()
        assert np.allclose(ours.solid.corners_px, theirs.solid.corners_px, rtol=0, atol=1e-4)
        assert np.allclose(ours.oriented_box, theirs.oriented_box, rtol=0, atol=1e-4)
        assert ours.solid.asset == theirs.solid.asset
        if ours.keypoints is not None:
            assert np.allclose(ours.keypoints, theirs.keypoints, rtol=0, atol=1e-4)
    person = back.categories[-1]
    assert (person.keypoints, person.skeleton) == (CATEGORIES[-1].keypoints, CATEGORIES[-1].skeleton)
    ours, theirs = next(iter(records.frames())), by_picture(back)["000000"]
    assert (theirs.k == ours.k).all()
    assert (theirs.world_from_camera == ours.world_from_camera).all()


def test_coco_ids_begin_at_one_and_keypoints_that_are_not_labelled_are_zeros(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=8)
    frame = records.records[0]
    points = np.array([[3.0, 4.0, 0.0], [5.0, 6.0, 1.0], [7.0, 8.0, 2.0], [9.0, 1.0, 0.0]])
    odd = tuple(replace(i, keypoints=points) if i.keypoints is not None else i for i in frame.instances)
    records = replace(records, records=(replace(frame, instances=odd), *records.records[1:]))
    written(records, tmp_path / "out", "coco-keypoints", split=SplitPlan())
    data = json.loads((tmp_path / "out/annotations/person_keypoints_train.json").read_text())
    assert [a["id"] for a in data["annotations"]] == list(range(1, len(data["annotations"]) + 1))
    assert [c["id"] for c in data["categories"]] == [1]
    assert data["categories"][0]["skeleton"] == [[1, 2], [1, 3], [1, 4]]
    unlabelled = 0
    assert data["annotations"][0]["keypoints"] == [0, 0, 0, 5, 6, 1, 7, 8, 2, 0, 0, 0]
    for annotation in data["annotations"]:
        points = np.reshape(annotation["keypoints"], (-1, 3))
        assert (points[points[:, 2] == 0] == 0).all()
        assert annotation["num_keypoints"] == (points[:, 2] > 0).sum()
        unlabelled += int((points[:, 2] == 0).sum())
    assert unlabelled > 0


def test_coco_panoptic_gives_every_pixel_its_segment(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=8)
    back, _ = written(records, tmp_path / "out", "coco-panoptic")
    for ours, theirs in pairs(records, back):
        assert (ours.category, ours.box, ours.visible_px, ours.mask) == (
            theirs.category, theirs.box, theirs.visible_px, theirs.mask
        )  # fmt: skip


def test_stuff_of_one_class_is_one_segment(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=8)
    classes = {"carton": {"name": "heap", "isthing": False}, "tote": {"name": "heap"}, "person": "person"}
    back, _ = written(records, tmp_path / "out", "coco-panoptic", classes=classes)
    for stem, frame in by_picture(records).items():
        heaps = [i for i in by_picture(back)[stem].instances if i.category == "heap"]
        parts = [i.mask for i in frame.instances if i.category != "person"]
        assert len(heaps) == (1 if parts else 0)
        for heap in heaps:
            assert heap.mask is not None
            assert (decode(heap.mask) == np.any([decode(part) for part in parts if part], axis=0)).all()


@pytest.mark.parametrize("name", ["yolo-detect", "yolo-seg", "yolo-obb"])
def test_yolo_holds_boxes_masks_and_oriented_boxes(tmp_path: Path, name: str) -> None:
    records = numbered(toy_records(tmp_path / "in", worlds=8))
    back, _ = written(records, tmp_path / "out", name)
    rows = [
        line.split() for path in (tmp_path / "out/labels").glob("*/*.txt") for line in path.read_text().splitlines()
    ]
    assert len(list((tmp_path / "out/labels").glob("*/*.txt"))) == 8  # also of the empty frame
    assert all(0.0 <= float(value) <= 1.0 for row in rows for value in row[1:])
    for ours, theirs in pairs(records, back):
        assert ours.category == theirs.category
        if name != "yolo-obb":
            assert np.allclose(ours.box, theirs.box, rtol=0, atol=1e-6)
        if name == "yolo-seg":
            assert ours.mask == theirs.mask
        if name == "yolo-obb":
            assert theirs.oriented_box is not None
            mask = decode(ours.mask) if ours.mask else None
            assert mask is not None
            y, x = np.nonzero(mask)
            assert _in_rectangle(np.stack([x + 0.5, y + 0.5], axis=1), theirs.oriented_box)


def _in_rectangle(points: np.ndarray, corners: np.ndarray) -> bool:
    u, v = corners[1] - corners[0], corners[3] - corners[0]
    shares = np.stack([(points - corners[0]) @ u / (u @ u), (points - corners[0]) @ v / (v @ v)])
    return bool(((shares > -1e-6) & (shares < 1 + 1e-6)).all()) and abs(u @ v) < 1e-4


def test_yolo_pose_holds_the_keypoints_of_the_classes_that_have_some(tmp_path: Path) -> None:
    records = numbered(toy_records(tmp_path / "in", worlds=20))
    back, report = written(records, tmp_path / "out", "yolo-pose")
    people = numbered(records, ("person",))
    assert report["not_held"] == {"class without keypoints": sum(len(f.instances) for f in records.frames())
                                  - sum(len(f.instances) for f in people.frames())}  # fmt: skip
    for ours, theirs in pairs(people, back):
        assert ours.keypoints is not None
        assert np.allclose(ours.keypoints, theirs.keypoints, rtol=0, atol=1e-6)
    text = (tmp_path / "out/data.yaml").read_text()
    assert "kpt_shape: [4, 3]" in text
    assert "flip_idx: [0, 2, 1, 3]" in text
    assert "path" not in text


def test_left_and_right_change_places_in_a_mirror() -> None:
    assert flip_index(("nose", "left_eye", "right_eye", "hand_l", "hand_r", "left_ear")) == [0, 2, 1, 4, 3, 5]


def test_yolo_names_instances_that_would_be_the_same_row(tmp_path: Path) -> None:
    """ultralytics keeps one of two equal rows, with a warning."""
    records = numbered(toy_records(tmp_path / "in", worlds=1))
    frame = records.records[0]
    twice = replace(frame, instances=(*frame.instances, replace(frame.instances[0], id=99)))
    _, report = written(replace(records, records=(twice,)), tmp_path / "out", "yolo-detect", split=SplitPlan())
    assert report["not_held"] == {"same row as another instance": 1}


def test_voc_counts_pixels_from_one_and_holds_masks(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=8)
    back, _ = written(records, tmp_path / "out", "voc", options={"difficult_px": 60})
    for ours, theirs in pairs(records, back):
        assert (ours.category, ours.box, ours.visible_px, ours.mask) == (
            theirs.category, theirs.box, theirs.visible_px, theirs.mask
        )  # fmt: skip
        assert ours.truncation is not None
        assert ours.occlusion is not None
        assert ours.visible_px is not None
        assert theirs.extra == {"truncated": ours.truncation > 0, "occluded": ours.occlusion > 0.05,
                                "difficult": ours.visible_px < 60}  # fmt: skip
    text = (tmp_path / "out/Annotations/000000.xml").read_text()
    x, y, width, height = map(int, records.records[0].instances[0].box)
    corners = (("xmin", x + 1), ("ymin", y + 1), ("xmax", x + width), ("ymax", y + height))
    assert all(f"<{name}>{value}</{name}>" in text for name, value in corners)
    with Image.open(tmp_path / "out/SegmentationClass/000000.png") as image:
        assert image.mode == "P"
        assert image.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]  # of the development kit


def test_cityscapes_holds_classes_and_things(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=8)
    classes = {"carton": "carton", "tote": {"name": "tote", "isthing": False, "train_id": 255}, "person": "person"}
    back, _ = written(records, tmp_path / "out", "cityscapes", classes=classes, options={"train_ids": True})
    frames = {int(frame.files["image"].name.split("_")[2]): frame for frame in back.frames()}
    for frame in records.frames():
        things = [(i.category, i.mask) for i in frame.instances if i.category != "tote"]
        found = frames[frame.id].instances
        assert sorted(things, key=repr) == sorted(((i.category, i.mask) for i in found if not i.is_crowd), key=repr)
        totes = [decode(i.mask) for i in frame.instances if i.category == "tote" and i.mask]
        region = [decode(i.mask) for i in found if i.is_crowd and i.mask]
        assert (np.any([np.zeros((HEIGHT, WIDTH), bool), *totes], axis=0) == np.any([np.zeros((HEIGHT, WIDTH), bool), *region], axis=0)).all()  # fmt: skip  # noqa: E501
    labels = next((tmp_path / "out/gtFine").glob("*/toy/toy_000000_000000_gtFine_labelTrainIds.png"))
    with Image.open(labels) as image:
        assert set(np.unique(np.asarray(image))) == {0, 2, 255}


def test_cityscapes_of_more_classes_than_ids_has_those_that_frames_show(tmp_path: Path) -> None:
    """A taxonomy of all scenes has more things than 16 bits hold; a dataset shows few of them."""
    source = toy_records(tmp_path / "in", worlds=4)
    unseen = tuple(Category(number, f"thing_{number}", f"Thing {number}") for number in range(1000, 1080))
    few, _ = written(source, tmp_path / "few", "cityscapes")
    many, _ = written(replace(source, categories=(*unseen, *CATEGORIES)), tmp_path / "many", "cityscapes")
    shown = [[[(i.category, i.mask) for i in frame.instances] for frame in back.frames()] for back in (few, many)]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("name", ["coco-keypoints", "yolo-pose"])
def test_formats_of_keypoints_say_that_there_are_none(tmp_path: Path, name: str) -> None:
    records = replace(
        toy_records(tmp_path / "in", worlds=1), categories=tuple(replace(c, keypoints=()) for c in CATEGORIES)
    )
    with pytest.raises(UserError, match="no class of the dataset has keypoints"):
        written(records, tmp_path / "out", name, split=SplitPlan())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_filters_come_last_and_the_report_adds_up(tmp_path: Path) -> None:
    records = toy_records(tmp_path / "in", worlds=8)
    classes = {"carton": "box", "tote": "box", "person": None}
    back, report = written(records, tmp_path / "out", "coco", classes=classes, filters=Filters(min_visible_px=60))
    everything = [instance for frame in records.frames() for instance in frame.instances]
    people = sum(instance.category == "person" for instance in everything)
    small = sum(instance.category != "person" and (instance.visible_px or 0) < 60 for instance in everything)
    assert report["dropped"] == {"class mapped to null": people, "fewer visible pixels than --min-visible-px": small}
    assert report["instances"] == {"box": len(everything) - people - small}
    assert sum(len(frame.instances) for frame in back.frames()) == len(everything) - people - small
    assert {i.extra["class_key"] for frame in back.frames() for i in frame.instances} == {"carton", "tote"}


def toy(out: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["export", str(out), *arguments])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_dataset_is_exported_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data"
    make_toy(out, range(12), toy_plan())
    code, said = toy(out, capsys, "--format", "yolo-seg", "--split", "train=0.75,val=0.25", "--split-by", "world")
    assert code == 0, said
    report = json.loads((tmp_path / "data-yolo-seg/export.json").read_text())
    assert report["dataset_id"] == json.loads((out / "manifest.json").read_text())["dataset_id"]
    assert sum(report["frames"].values()) == 12
    assert abs(report["frames"]["val"] - 3) <= 1
    assert sum(report["instances"].values()) == json.loads((out / "manifest.json").read_text())["counts"]["instances"]
    images = sorted((tmp_path / "data-yolo-seg/images").glob("*/*"))
    assert [image.stat().st_nlink for image in images] == [2] * 12
    assert len(report["label_sha256"]) == 12 + 1
    assert '"event": "export"' in next((out / "log").iterdir()).read_text()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert main(["verify", str(out)]) == 0


def test_the_same_export_twice_is_the_same_and_a_taken_target_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    make_toy(out, range(5), toy_plan())
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        assert toy(out, capsys, "--format", "coco", "--out", str(folder), "--copy")[0] == 0
    assert (first / "export.json").read_bytes() == (second / "export.json").read_bytes()
    assert next(iter((first / "images/train").iterdir())).stat().st_nlink == 1
    code, said = toy(out, capsys, "--format", "coco", "--out", str(first))
    assert (code, "is there already" in said) == (2, True)
    code, said = toy(out, capsys, "--format", "coco", "--out", str(out / "coco"))
    assert (code, "lies in the dataset" in said) == (2, True)


def test_a_picture_that_is_gone_is_named_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    make_toy(out, range(3), toy_plan())
    next((out / "images").rglob("000001.jpg")).unlink()
    code, said = toy(out, capsys, "--format", "voc")
    assert (code, "000001.jpg is missing" in said) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "yolo-segg"], "near: yolo-seg"),
        ([], "--list shows the formats"),
        (["--format", "coco", "--option", "mask=false"], "unknown key 'mask'"),
        (["--format", "coco", "--option", "masks"], "expected key=value"),
        (["--format", "yolo-seg", "--option", "masks=false"], "known keys: none"),
        (["--format", "voc", "--option", "occluded_from=5"], "occluded_from must be in 0..1"),
        (["--format", "kitti-2d", "--option", "partly_occluded_from=0.7"], "<= largely_occluded_from"),
        (["--format", "kitti", "--option", "most_tilt_deg=-1"], "most_tilt_deg must be in 0..180"),
        (["--format", "mot", "--option", "frame_rate=0"], "frame_rate must be above 0"),
        (["--format", "coco", "--split-class", "carton"], "needs --split-by asset"),
        (["--format", "coco", "--split", "train=0.9,val=0.05,test=0.05"], "would have no frame"),
        (["--format", "coco", "--split", "a=0.5,b=0.5", "--split-by", "asset"], "the dataset has no assets"),
        (["--format", "coco", "--split", "a=0.5,b=0.5", "--split-by", "p.sun"], "nor a column"),
        (["--format", "coco", "--max-truncation", "0.5"], "labels.amodal=true"),
        (["--format", "coco", "--max-truncation", "1.5"], "must be in 0..1"),
        (["--format", "coco", "--classes", "missing.yaml"], "cannot be read"),
        (["--format", "yolo-pose"], "no class of the dataset has keypoints"),
    ],
)
def test_bad_requests_are_one_line_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    out = tmp_path / "data"
    make_toy(out, range(3), toy_plan())
    code, said = toy(out, capsys, *arguments)
    lines = said.strip().splitlines()
    assert code == 2
    assert len(lines) == 1
    assert re.search(re.escape(says), lines[0])
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_column_of_the_worlds_splits_worlds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data"
    make_toy(out, range(6), toy_plan())
    arguments = ["--format", "coco", "--split", "a=0.5,b=0.5", "--split-by", "p.sun.elevation_deg"]
    assert toy(out, capsys, *arguments)[0] == 0
    assert json.loads((tmp_path / "data-coco/export.json").read_text())["frames"] == {"a": 3, "b": 3}


def test_the_formats_are_listed_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FORMATS.names())
    assert "coco" in FORMATS.names()


@pytest.mark.parametrize(
    "name", ["coco", "coco-keypoints", "coco-panoptic", "yolo-detect", "yolo-pose", "voc", "cityscapes"]
)
def test_a_folder_without_the_format_is_one_clear_error(tmp_path: Path, name: str) -> None:
    read = FORMATS.get(name).read
    assert read is not None
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        read(tmp_path)
