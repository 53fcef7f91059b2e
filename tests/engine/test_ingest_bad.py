"""What strangers' folders hold wrong is one clear error that names file and repair, or is left out and counted."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.collect.ingest_coco import check_segmentation
from engine.dataset.manifest import read_manifest
from tests.engine.ingest_samples import HEIGHT, WIDTH, Change, coco_folder, command, picture, take_in


def image(number: int, **values: object) -> Change:
    return lambda data: data["images"][number].update(values)


def note(number: int, **values: object) -> Change:
    return lambda data: data["annotations"][number].update(values)


def again(name: str) -> Change:
    return lambda data: data[name].append(data[name][0])


BAD_LABELS: dict[str, tuple[Change, str]] = {
    "missing": (image(0, file_name="s1/none.png"), "s1/none.png is missing"),
    "escapes": (image(0, file_name="../../etc/passwd"), "names a file outside of"),
    "absolute": (image(0, file_name="/etc/passwd"), "names a file outside of"),
    "no name": (image(0, file_name=None), "is not the name of a file"),
    "zero byte": (image(0, file_name="s1/a\0.png"), "names a file outside of"),
    "ending": (image(0, file_name="annotations.json"), "has the ending '.json'"),
    "other size": (image(0, width=41), "is 40x30, its labels say 41x30"),
    "no size": (image(0, width="40"), "has the size '40' x 30"),
    "image twice": (again("images"), "image id 31 is missing, or used twice"),
    "file twice": (image(1, file_name="s1/a_01.png"), "s1/a_01.png is listed twice"),
    "annotation twice": (again("annotations"), "annotation id 900 is no whole number, or used twice"),
    "category twice": (again("categories"), "two categories have the id 7"),
    "same name": (lambda d: d["categories"][1].update(name="crack"), "two categories are called 'crack'"),
    "unknown image": (note(0, image_id=77), "is of image 77, which is not there"),
    "unknown class": (note(0, category_id=1), "is of category 1, unknown"),
    "no categories": (lambda d: d.update(categories=[]), "is of category 7, unknown"),
    "no list": (lambda d: d.update(images=None), "needs the lists"),
    "no object": (lambda d: d["images"].append(3), "images holds something that is no object"),
    "nan": (note(3, bbox=[1, 2, float("nan"), 4]), "holds no finite number"),
    "negative": (note(3, bbox=[1, 2, -3, 4]), "the box [1, 2, -3, 4] (x, y, width, height) has no area"),
    "outside": (note(3, bbox=[50, 2, 3, 4]), "lies outside of the picture, which is 40x30"),
    "huge": (note(3, bbox=[-50, 2, 300, 4]), "leaves the picture, which is 40x30, by more than its size"),
    "short box": (note(3, bbox=[1, 2, 3]), "annotation 77 cannot be understood"),
    "short polygon": (note(0, segmentation=[[1, 2, 3, 4]]), "a polygon of 4 numbers"),
    "runs": (note(2, segmentation={"size": [HEIGHT, WIDTH], "counts": [5, 5]}), "add up to 10, the image has 1200"),
    "runs text": (note(2, segmentation={"size": [HEIGHT, WIDTH], "counts": "zzzz"}), "that are no run lengths"),
    "mask size": (note(2, segmentation={"size": [9, 9], "counts": [81]}), "a mask of size [9, 9]"),
    "column": (image(0, gain=float("inf")), "gain is inf"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels_are_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    change, words = BAD_LABELS[case]
    assert take_in(coco_folder(tmp_path / "in", change), tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out/manifest.json").exists()


def bomb() -> bytes:
    """Return a PNG of 100 kB that claims 60000 x 60000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(10**7))), (b"IEND", b""))
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def several() -> bytes:
    """Return a GIF of two frames."""
    data = io.BytesIO()
    first = Image.new("L", (WIDTH, HEIGHT), 9)
    first.save(data, "GIF", save_all=True, append_images=[Image.new("L", (WIDTH, HEIGHT), 200)])
    return data.getvalue()


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda data: data[: len(data) // 2], "cannot be decoded"),
    "no picture": (lambda _: b"hello", "cannot be decoded"),
    "empty": (lambda _: b"", "cannot be decoded"),
    "bomb": (lambda _: bomb(), "pixels"),
    "several": (lambda _: several(), "holds several pictures"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_picture_is_an_error_or_a_skip(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    """With --skip-damaged its world has no frame, and the manifest says why; the others keep their numbers."""
    spoil, words = DAMAGE[case]
    folder = coco_folder(tmp_path / "in", note(3, bbox=[1, 2, 0, 4]) if case == "truncated" else None)
    path = folder / "s1/a_01.png"
    path.write_bytes(spoil(path.read_bytes()))
    assert take_in(folder, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert told.startswith("error: s1/a_01.png ")
    assert words in told
    assert str(tmp_path) not in told
    assert take_in(folder, tmp_path / "other", "--skip-damaged") == 0
    manifest = read_manifest(tmp_path / "other/manifest.json")
    assert [(skip.world, skip.reason.split(" ")[0]) for skip in manifest.skips] == [(0, "s1/a_01.png")]
    assert manifest.counts.worlds == 2
    rows = pq.read_table(tmp_path / "other/index/frames.parquet", columns=["world", "n_left_out"]).to_pylist()
    assert rows == [{"world": 1, "n_left_out": int(case == "truncated")}, {"world": 2, "n_left_out": 0}]
    assert command("verify", tmp_path / "other") == 0


def test_a_cell_of_damaged_pictures_alone_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.ingest.SHARD_WORLDS", 1)
    monkeypatch.setattr("engine.collect.collector.SHARD_WORLDS", 1)
    folder = coco_folder(tmp_path / "in")
    (folder / "s1/a_01.png").unlink()
    monkeypatch.setattr("engine.collect.collector.CollectPlan.shard_worlds", 1)
    assert take_in(folder, tmp_path / "out", "--skip-damaged") == 0
    assert command("verify", tmp_path / "out") == 0


def test_boxes_that_leave_the_picture_are_kept_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are what people drew: nothing is cut."""
    folder = coco_folder(tmp_path / "in", note(3, bbox=[-5.5, 2, 20, 40]))
    assert take_in(folder, tmp_path / "out") == 0
    assert "1 boxes leave their picture" in capsys.readouterr().out
    rows = pq.read_table(tmp_path / "out/index/instances.parquet").to_pylist()
    assert [-5.5, 2.0, 20.0, 40.0] in [row["bbox"] for row in rows]
    assert command("verify", tmp_path / "out") == 0


@pytest.mark.parametrize("kind", ["16 bits", "grey", "palette", "alpha", "cmyk", "one bit"])
def test_pictures_of_every_depth_are_measured(tmp_path: Path, kind: str) -> None:
    """Halves of black and white: mean luma 0.5 in each of them; alpha hides nothing."""
    half = np.zeros((20, 40), np.uint8)
    half[:, 20:] = 255
    grey, name = Image.fromarray(half), "a.png"
    made: Any = grey
    if kind == "16 bits":
        made = Image.fromarray(half.astype(np.uint16) * 257)
    elif kind == "palette":
        made = grey.convert("P")
    elif kind == "alpha":
        made = Image.merge("RGBA", (grey, grey, grey, Image.new("L", grey.size, 7)))
    elif kind == "cmyk":
        made, name = grey.convert("RGB").convert("CMYK"), "a.tif"
    elif kind == "one bit":
        made = grey.convert("1")
    (tmp_path / "in").mkdir()
    made.save(tmp_path / "in" / name)
    assert take_in(tmp_path / "in", tmp_path / "out", file_format="folder") == 0
    (row,) = pq.read_table(tmp_path / "out/index/frames.parquet").to_pylist()
    assert row["lum_mean"] == pytest.approx(0.5, abs=1e-6)
    assert row["sat_frac"] == pytest.approx(0.5, abs=1e-6)
    assert command("verify", tmp_path / "out") == 0


def test_floating_point_pixels_need_a_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "in/a.tif")
    assert take_in(tmp_path / "in", tmp_path / "out", file_format="folder") == 2
    assert "a.tif has floating-point pixels; convert it to 8 or 16 bits" in capsys.readouterr().err


def test_an_orientation_is_noted_and_pixels_stay_as_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels of the picture as viewers turn it are refused, with what to do."""
    folder = coco_folder(tmp_path / "in", image(2, file_name="turned.jpg"))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "turned.jpg", exif=exif)
    assert take_in(folder, tmp_path / "out") == 0
    assert "1 pictures have an EXIF orientation" in capsys.readouterr().out
    rows = pq.read_table(tmp_path / "out/index/frames.parquet").to_pylist()
    assert [row["exif_orientation"] for row in rows] == [None, None, 6]
    data = json.loads((folder / "annotations.json").read_text())
    data["images"][2].update(width=HEIGHT, height=WIDTH)
    (folder / "annotations.json").write_text(json.dumps(data))
    assert take_in(folder, tmp_path / "other") == 2
    assert "as viewers turn it (EXIF orientation 6)" in capsys.readouterr().err


def test_no_annotations_at_all_is_a_dataset(tmp_path: Path) -> None:
    assert take_in(coco_folder(tmp_path / "in", lambda d: d["annotations"].clear()), tmp_path / "out") == 0
    assert command("verify", tmp_path / "out") == 0
    assert command("export", tmp_path / "out", "--format", "coco", "--out", tmp_path / "back") == 0


def test_an_unused_category_of_roboflow_is_no_second_class(tmp_path: Path) -> None:
    """It lists the data set itself as category 0, often under the name of its only class."""
    extra = {"id": 0, "name": "crack", "supercategory": "none"}
    folder = coco_folder(tmp_path / "in", lambda d: d["categories"].insert(0, extra))
    assert take_in(folder, tmp_path / "out") == 0
    assert read_manifest(tmp_path / "out/manifest.json").counts.by_class == {"crack": 3, "hand": 1}


def test_arguments_that_do_not_fit_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = coco_folder(tmp_path / "in")
    assert take_in(folder, tmp_path / "in/out") == 2
    assert take_in(tmp_path / "none", tmp_path / "out") == 2
    assert take_in(folder, tmp_path / "out", "--task", "pose") == 2
    assert take_in(tmp_path / "in/s1", tmp_path / "out", file_format="kitti") == 2
    assert take_in(tmp_path / "in/s1", tmp_path / "out", file_format="yolo") == 2
    assert take_in(tmp_path / "in/s1", tmp_path / "out") == 2
    (tmp_path / "empty").mkdir()
    assert take_in(tmp_path / "empty", tmp_path / "out", file_format="folder") == 2
    assert capsys.readouterr().err.count("\n") == 7
    picture(tmp_path / "ours/a.png")
    assert take_in(tmp_path / "ours", tmp_path / "out", file_format="folder") == 0
    assert take_in(tmp_path / "out", tmp_path / "more", file_format="folder") == 2
    assert "is a dataset of ours already" in capsys.readouterr().err


def test_a_broken_mask_never_reaches_the_decoder() -> None:
    """pycocotools reads beyond the end of run lengths that stop early."""
    for counts in ("", "0", "~", "P", "oooooooo"):
        with pytest.raises(ValueError, match="mask"):
            check_segmentation({"size": [30, 40], "counts": counts}, (40, 30))


@pytest.mark.parametrize("file_format", ["coco", "folder"])
def test_a_link_to_elsewhere_is_not_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file_format: str
) -> None:
    """A folder of a stranger cannot put a picture of yours into a dataset."""
    folder = coco_folder(tmp_path / "in")
    private = picture(tmp_path / "private/me.png")
    (folder / "s1/a_01.png").unlink()
    (folder / "s1/a_01.png").symlink_to(private)
    assert take_in(folder, tmp_path / "out", file_format=file_format) == 2
    told = capsys.readouterr().err
    assert "through a link" in told
    assert told.count("\n") == 1
