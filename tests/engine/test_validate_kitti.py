"""Faults planted into a clean KITTI folder: the check names exactly the rule that was broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.validate.detect import check
from engine.validate.folder import Folder
from tests.engine.validate_samples import CALIBRATION, DONTCARE, HEIGHT, WIDTH, kitti_row, write_kitti


def rules_of(root: Path) -> list[str]:
    return sorted({finding.rule for finding in check(Folder(root), ("kitti",))})


def changed(**columns: object) -> str:
    """Return a sound row with some columns, named by their place, replaced."""
    words = kitti_row(-2, 12, 0.4).split()
    for name, value in columns.items():
        words[int(name[1:])] = str(value)
    return " ".join(words)


ROW_FAULTS: dict[str, tuple[str, str]] = {
    "fourteen columns": (kitti_row(-2, 12, 0.4).rsplit(" ", 1)[0], "column-count"),
    "not a number": (changed(c11="abc"), "value-not-number"),
    "nan": (changed(c13="nan"), "value-not-number"),
    "type is a number": ("1 " + kitti_row(-2, 12, 0.4).split(" ", 1)[1], "type-invalid"),
    "type of our own": (changed(c0="Forklift"), "type-unknown"),
    "truncated in percent": (changed(c1=30), "truncated-range"),
    "truncated negative": (changed(c1=-1), "truncated-range"),
    "truncated negative, occlusion unknown": (changed(c1=-0.5, c2=3), "truncated-range"),
    "occluded 4": (changed(c2=4), "occluded-range"),
    "alpha is rotation": (changed(c3=-1.5), "alpha-inconsistent"),
    "alpha in degrees": (changed(c3=33), "alpha-range"),
    "rotation in degrees": (changed(c14=23), "rotation-range"),
    "box inverted": (changed(c4=60, c6=2), "box-inverted"),
    "box as width": (changed(c6=0.5), "box-inverted"),
    "box outside": (changed(c6=90), "box-leaves-image"),
    "no height": (changed(c8=0), "dimensions-not-positive"),
    "length negative": (changed(c10=-3.9), "dimensions-not-positive"),
    "location not measured": (changed(c11=-1000, c12=-1000, c13=-1000), "location-missing"),
    "location zero": (changed(c11=0, c12=0, c13=0), "location-missing"),
    "centre instead of bottom far above": (changed(c12=-6), "projection-far"),
    "half the distance sideways": (changed(c11=2, c3=0.23), "projection-far"),
    "dontcare with a size": (DONTCARE.replace("-1 -1 -1 -1000", "0 0 0 -1000"), "dontcare-malformed"),
    "dontcare without a box": ("DontCare -1 -1 -10 9 4 3 8 -1 -1 -1 -1000 -1000 -1000 -10", "dontcare-malformed"),
}


@pytest.mark.parametrize("fault", ROW_FAULTS)
def test_a_planted_kitti_row_is_named_and_nothing_else(tmp_path: Path, fault: str) -> None:
    label = write_kitti(tmp_path)
    assert rules_of(tmp_path) == []
    row, rule = ROW_FAULTS[fault]
    rest = [kitti_row(3, 15, -1.2, hidden=(0.0, 1))]
    label.write_text("\n".join([row, *rest]) + "\n")
    expected = {"type-invalid": ["type-invalid", "type-unknown"]}.get(rule, [rule])
    assert rules_of(tmp_path) == expected


def test_what_nobody_knows_is_no_fault_of_a_kitti_row(tmp_path: Path) -> None:
    """Without whole silhouettes there is no truncation: -1, beside an occlusion of 3."""
    write_kitti(tmp_path).write_text(changed(c1=-1, c2=3) + "\n")
    assert rules_of(tmp_path) == []


def calibrated(old: str, new: str) -> Callable[[Path], object]:
    assert old in CALIBRATION
    return lambda root: (root / "calib/000000.txt").write_text(CALIBRATION.replace(old, new))


def truncate(root: Path, name: str, count: int) -> None:
    path = root / name
    path.write_bytes(path.read_bytes()[:-count])


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "calib missing": (lambda root: (root / "calib/000001.txt").unlink(), "calib-missing"),
    "calib without P2": (calibrated("P2:", "Px:"), "calib-key-missing"),
    "P2 of 3x3": (
        calibrated("P2: 50.0 0 32.0 0 0 50.0 24.0 0 0 0 1 0", "P2: 50 0 32 0 50 24 0 0 1"), "calib-shape"
    ),
    "P2 by columns": (
        calibrated("P2: 50.0 0 32.0 0 0 50.0 24.0 0 0 0 1 0", "P2: 50 0 0 0 50 0 32 24 1 0 0 0"), "calib-focal-length"
    ),
    "P2 turned": (
        calibrated("P2: 50.0 0 32.0 0 0 50.0 24.0 0 0 0 1 0", "P2: 49.9 0.9 32 0 -0.9 49.9 24 0 0 0 1 0"),
        "calib-not-rectified",
    ),
    "R0_rect scaled": (calibrated("R0_rect: 1 0 0", "R0_rect: 2 0 0"), "calib-rotation"),
    "Tr_velo mirrored": (calibrated("Tr_velo_to_cam: 0 -1", "Tr_velo_to_cam: 0 1"), "calib-rotation"),
    "calib not numbers": (calibrated("R0_rect: 1", "R0_rect: one"), "value-not-number"),
    "image missing": (lambda root: (root / "image_2/000001.png").unlink(), "label-without-image"),
    "label missing": (lambda root: (root / "label_2/000001.txt").unlink(), "image-without-label"),
    "image cut": (lambda root: (root / "image_2/000001.png").write_bytes(b"P"), "image-unreadable"),
    "points cut": (lambda root: truncate(root, "velodyne/000001.bin", 4), "velodyne-size"),
    "points infinite": (
        lambda root: np.full(8, np.inf, np.float32).tofile(root / "velodyne/000001.bin"), "velodyne-not-finite"
    ),
    "depth of 8 bits": (
        lambda root: Image.new("L", (WIDTH, HEIGHT)).save(root / "depth/000001.png"), "map-not-16-bit"
    ),
    "row twice": (
        lambda root: (root / "label_2/000001.txt").write_text(f"{kitti_row(-2, 12, 0.4)}\n" * 2), "row-duplicate"
    ),
    "label of other bytes": (lambda root: (root / "label_2/000001.txt").write_bytes(b"\xff\xfe"), "file-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FOLDERS)
def test_a_fault_of_a_kitti_folder_is_named(tmp_path: Path, fault: str) -> None:
    write_kitti(tmp_path)
    plant, rule = FOLDERS[fault]
    plant(tmp_path)
    assert rules_of(tmp_path) == [rule]


def test_zeros_everywhere_are_warned_of(tmp_path: Path) -> None:
    """A writer that never says what is hidden makes every object easy."""
    label = write_kitti(tmp_path)
    rows = [kitti_row(x, 14, 0.1 * x) for x in range(-3, 3)]
    for path in (label, label.with_name("000001.txt")):
        path.write_text("\n".join(rows) + "\n")
    assert rules_of(tmp_path) == ["occlusion-never-set"]


def test_the_centre_of_the_box_for_that_of_its_bottom_is_named(tmp_path: Path) -> None:
    """Every single box still overlaps; all of them together lie half a box too high."""
    label = write_kitti(tmp_path)
    rows = []
    for x in range(-3, 3):
        words = kitti_row(x, 14, 0.1 * x).split()
        rows.append(" ".join([*words[:12], f"{1.6 - 0.75:.2f}", *words[13:]]))
    for path in (label, label.with_name("000001.txt")):
        path.write_text("\n".join([*rows, kitti_row(3, 15, -1.2, hidden=(0.0, 1))]) + "\n")
    assert rules_of(tmp_path) == ["location-shifted"]


def test_rows_of_boxes_alone_are_warned_of_once(tmp_path: Path) -> None:
    """-1 and -1000 mark what is not known, as in DontCare."""
    label = write_kitti(tmp_path)
    flat = [*kitti_row(-2, 12, 0.4, hidden=(0.0, 1)).split()[:3], "-10"]
    rows = [" ".join([*flat, f"{i}.00", "4.00", "19.00", "18.00", *DONTCARE.split()[8:]]) for i in range(5)]
    label.write_text("\n".join(rows) + "\n")
    assert [f.rule for f in check(Folder(tmp_path), ("kitti",))] == ["solid-unknown"]


def test_types_that_are_not_of_kitti_are_named_once_each(tmp_path: Path) -> None:
    label = write_kitti(tmp_path)
    rows = [
        kitti_row(x, 14, 0.1 * x, hidden=(0.0, 1)).replace("Car", kind) for x, kind in enumerate(["Box", "Rack"] * 2)
    ]
    label.write_text("\n".join(rows) + "\n")
    assert [f.value for f in check(Folder(tmp_path), ("kitti",))] == ["'Box'", "'Rack'"]
