"""Faults planted into a clean YOLO folder: the check names exactly the rule that was broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.validate.detect import check, formats_of
from engine.validate.folder import Folder
from tests.engine.validate_samples import ROWS, picture, write_yolo


def rules_of(root: Path) -> list[str]:
    return sorted({finding.rule for finding in check(Folder(root), ("yolo",))})


BOX = "0 0.25 0.25 0.3 0.3"

# Task, rows that replace those of one file, rule.
SEEDED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "class_out_of_range": ("detect", (BOX, "2 0.5 0.5 0.2 0.2"), "class-out-of-range"),
    "above_one": ("detect", (BOX, "1 1.2 0.5 0.2 0.2"), "value-above-one"),
    "negative": ("detect", (BOX, "1 0.5 -0.1 0.2 0.2"), "value-negative"),
    "pixels": ("detect", (BOX, "1 120 80 40 30"), "value-in-pixels"),
    "four_columns": ("detect", (BOX, "1 0.5 0.5 0.2"), "column-count"),
    "mixed_rows": ("detect", (BOX, ROWS["segment"][0]), "rows-mixed"),
    "not_a_number": ("detect", (BOX, "1 0.5 abc 0.2 0.2"), "value-not-number"),
    "zero_width": ("detect", (BOX, "1 0.5 0.5 0 0.2"), "box-zero-size"),
    "duplicate_row": ("detect", (BOX, BOX), "row-duplicate"),
}
RING = ROWS["segment"][0]
POSE, TURNED = ROWS["pose"][0], ROWS["obb"][0]
INVENTED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "class negative": ("detect", (BOX, "-1 0.5 0.5 0.2 0.2"), "class-out-of-range"),
    "class of a fraction": ("detect", (BOX, "0.5 0.5 0.5 0.2 0.2"), "class-not-integer"),
    "six columns": ("detect", (BOX, "1 0.5 0.5 0.2 0.2 0.9"), "column-count"),
    "nan": ("detect", (BOX, "1 nan 0.5 0.2 0.2"), "value-not-number"),
    "infinite": ("detect", (BOX, "1 inf 0.5 0.2 0.2"), "value-not-number"),
    "class is a name": ("detect", (BOX, "carton 0.5 0.5 0.2 0.2"), "value-not-number"),
    "box over the border": ("detect", (BOX, "1 0.95 0.5 0.3 0.2"), "box-leaves-image"),
    "ring of two points": ("segment", (RING, "0 0.1 0.1 0.4 0.4"), "rows-mixed"),
    "ring of odd numbers": ("segment", (RING, "0 0.1 0.1 0.4 0.4 0.3 0.2 0.5"), "polygon-points"),
    "ring of no area": ("segment", (RING, "0 0.1 0.1 0.2 0.2 0.4 0.4"), "polygon-zero-area"),
    "ring outside": ("segment", (RING, "0 0.1 0.1 0.2 0.2 0.4 1.4"), "value-above-one"),
    "pose too short": ("pose", (POSE, "0 0.25 0.25 0.3 0.3 0.2 0.2 2"), "column-count"),
    "pose without places": ("pose", (POSE, BOX), "rows-mixed"),
    "visibility 4": ("pose", (POSE.replace("0.2 0.2 2", "0.2 0.2 4"),), "keypoint-visibility"),
    "unlabelled with a place": ("pose", (POSE.replace("0 0 0", "0.1 0.1 0"),), "keypoint-unlabelled-not-zero"),
    "keypoint far off": ("pose", (POSE.replace("0.2 0.2 2", "0.99 0.99 2"),), "box-not-keypoints"),
    "obb of no area": ("obb", (TURNED, "0 0.2 0.2 0.3 0.3 0.4 0.4 0.5 0.5"), "obb-zero-area"),
    "obb crossing itself": ("obb", (TURNED, "0 0.2 0.2 0.6 0.5 0.6 0.2 0.2 0.5"), "obb-self-crossing"),
    "obb askew": ("obb", (TURNED, "0 0.2 0.2 0.6 0.2 0.9 0.5 0.5 0.5"), "obb-not-rectangle"),
    "obb of box": ("obb", (TURNED, BOX), "rows-mixed"),
}


@pytest.mark.parametrize("fault", [*SEEDED, *INVENTED])
def test_a_planted_yolo_fault_is_named_and_nothing_else(tmp_path: Path, fault: str) -> None:
    task, rows, rule = (SEEDED | INVENTED)[fault]
    label = write_yolo(tmp_path, task)
    assert rules_of(tmp_path) == []
    label.write_text("\n".join(rows) + "\n")
    assert rules_of(tmp_path) == [rule]


def test_the_nine_seeded_faults_are_all_there() -> None:
    assert len(SEEDED) == 9


def described(**values: Any) -> Callable[[Path], object]:
    """Return a change of data.yaml; None removes a key."""

    def change(root: Path) -> None:
        data = yaml.safe_load((root / "data.yaml").read_text()) | values
        kept = {key: value for key, value in data.items() if value is not None}
        (root / "data.yaml").write_text(yaml.safe_dump(kept))

    return change


def empty_folder(root: Path) -> None:
    (root / "images/test").mkdir()
    described(test="images/test")(root)


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "names missing": (described(names=None), "yaml-invalid"),
    "names with a gap": (described(names={0: "carton", 2: "pallet", 3: "x"}), "yaml-names-not-contiguous"),
    "names from one": (described(names={1: "carton", 2: "pallet"}), "yaml-names-not-contiguous"),
    "names twice": (described(names=["carton", "carton"]), "yaml-names-duplicate"),
    "nc of another number": (described(nc=3), "yaml-nc-mismatch"),
    "path missing": (described(path="elsewhere"), "yaml-path-missing"),
    "val missing": (described(val="images/none"), "yaml-path-missing"),
    "path too long for a disk": (described(path="x" * 3000), "yaml-path-missing"),
    "val with a zero byte": (described(val="images\0val"), "yaml-path-missing"),
    "train outside": (described(train="/etc"), "yaml-path-missing"),
    "one split for both": (described(val="images/train"), "split-shared"),
    "a split inside another": (described(val="images/val", train="images"), "split-overlap"),
    "empty split": (empty_folder, "split-empty"),
    "kpt_shape of text": (described(kpt_shape="17x3"), "yaml-keypoints-invalid"),
    "yaml broken": (lambda root: (root / "data.yaml").write_text("names: [a"), "file-unreadable"),
    "yaml is a list": (lambda root: (root / "data.yaml").write_text("- names"), "yaml-invalid"),
    "yaml makes objects": (
        lambda root: (root / "data.yaml").write_text("names: !!python/object/apply:os.getcwd []"), "file-unreadable"
    ),
    "image missing": (lambda root: (root / "images/val/c.png").unlink(), "label-without-image"),
    "label missing": (lambda root: (root / "labels/val/c.txt").unlink(), "image-without-label"),
    "label of other bytes": (lambda root: (root / "labels/val/c.txt").write_bytes(b"\xff\xfe\x00"), "file-unreadable"),
    "image cut": (lambda root: (root / "images/val/c.png").write_bytes(b"\x89PNG"), "image-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FOLDERS)
def test_a_fault_of_a_yolo_folder_is_named(tmp_path: Path, fault: str) -> None:
    write_yolo(tmp_path)
    plant, rule = FOLDERS[fault]
    plant(tmp_path)
    found = rules_of(tmp_path)
    also = {"val with a zero byte": ["label-without-image"],
            "val missing": ["label-without-image"], "train outside": ["label-without-image"],
            "one split for both": ["label-without-image"], "empty split": [],
            "image missing": ["split-empty"]}.get(fault, [])  # fmt: skip
    assert found == sorted([rule, *also])


def test_flip_idx_must_undo_itself(tmp_path: Path) -> None:
    write_yolo(tmp_path, "pose")
    described(flip_idx=[1, 2, 0])(tmp_path)
    assert rules_of(tmp_path) == ["yaml-keypoints-invalid"]


def test_a_folder_without_description_is_checked_too(tmp_path: Path) -> None:
    """images/ beside labels/, no yaml: classes are not limited."""
    write_yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    assert formats_of(Folder(tmp_path)) == ("yolo",)
    assert rules_of(tmp_path) == []
    (tmp_path / "labels/train/a.txt").write_text("7 0.5 0.5 0.2 1.2\n")
    assert rules_of(tmp_path) == ["value-above-one"]


def test_splits_may_be_lists_of_images(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    (tmp_path / "train.txt").write_text("./images/train/a.png\n./images/train/b.png\n")
    described(train="train.txt")(tmp_path)
    assert rules_of(tmp_path) == []
    (tmp_path / "train.txt").write_text("./images/train/a.png\n./images/train/b.png\n./images/train/no.png\n")
    assert rules_of(tmp_path) == ["image-missing"]


def test_an_image_in_two_splits_through_a_link_is_named(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    picture(tmp_path / "images/train/d.png")
    (tmp_path / "labels/train/d.txt").write_text("")
    (tmp_path / "labels/val/d.txt").write_text("")
    assert rules_of(tmp_path) == ["label-without-image"]
    (tmp_path / "images/val/d.png").symlink_to(tmp_path / "images/train/d.png")
    assert rules_of(tmp_path) == ["split-overlap"]


def test_a_path_of_the_place_where_it_was_made_is_no_fault(tmp_path: Path) -> None:
    """Of the reader's folder of datasets, of Windows, of a notebook; splits may be absolute in the same way."""
    root = tmp_path / "set"
    write_yolo(root)
    for path in ("set", "../datasets/set", "C:\\Users\\me\\set", "/home/me/set"):
        described(path=path)(root)
        assert rules_of(root) == [], path
    described(path="/home/me/other")(root)
    assert rules_of(root) == ["yaml-path-elsewhere"]
    described(path=None, train="/content/set/images/train", val="D:\\set\\images\\val")(root)
    assert rules_of(root) == []


def test_lists_of_images_are_read_as_cvat_writes_them(tmp_path: Path) -> None:
    """Names begin with data/, which is not there; what leads out of the folder is named."""
    write_yolo(tmp_path)
    (tmp_path / "train.txt").write_text("data/images/train/a.png\ndata/images/train/b.png\n")
    described(train="train.txt")(tmp_path)
    assert rules_of(tmp_path) == []
    (tmp_path / "train.txt").write_text("images/train/a.png\nimages/train/b.png\n/etc/passwd\n")
    assert rules_of(tmp_path) == ["path-outside"]


def test_a_darknet_folder_is_checked_by_its_names(tmp_path: Path) -> None:
    (tmp_path / "obj.names").write_text("carton\n")
    picture(tmp_path / "obj_train_data/a.png")
    (tmp_path / "obj_train_data/a.txt").write_text("0 0.5 0.5 0.2 0.2\r\n")
    (tmp_path / "train.txt").write_text("data/obj_train_data/a.png\n")
    assert formats_of(Folder(tmp_path)) == ("yolo",)
    assert rules_of(tmp_path) == []
    (tmp_path / "obj_train_data/a.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    assert rules_of(tmp_path) == ["class-out-of-range"]


def test_a_row_that_is_written_with_other_digits_is_a_duplicate(tmp_path: Path) -> None:
    """As ultralytics compares them: by value."""
    write_yolo(tmp_path)
    (tmp_path / "labels/val/c.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.50 0.500 0.2 2e-1\n")
    assert rules_of(tmp_path) == ["row-duplicate"]
