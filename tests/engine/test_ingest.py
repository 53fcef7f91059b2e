"""Anyone's pictures and labels become a dataset like ours, and an export of it says what they said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pycocotools.coco import COCO

from engine.collect.groups import group_columns
from engine.dataset.manifest import Manifest, read_manifest
from engine.formats.index import open_dataset
from engine.formats.record import Frame
from engine.scene.taxonomy import Taxonomy
from engine.write.begin import read_taxonomy
from engine.write.measure import measure_rgb
from tests.engine.ingest_samples import coco_data, coco_folder, command, picture, take_in


def frames_of(out: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(out / "index/frames.parquet").to_pylist()
    return rows


def manifest_of(out: Path) -> Manifest:
    return read_manifest(out / "manifest.json")


def facts_of(source: Path) -> list[list[object]]:
    """Return what the frames of a dataset say, but for ids."""
    return [[facts_of_frame(frame)] for frame in open_dataset(source).frames()]


def facts_of_frame(frame: Frame) -> object:
    row = {name: value for name, value in frame.row.items() if name not in ("image",)}
    return row, [(i.category, i.box, i.visible_px, i.mask, i.is_crowd, i.extra, i.path, repr(i.keypoints),
                  repr(i.solid), repr(i.oriented_box)) for i in frame.instances]  # fmt: skip


def test_coco_becomes_a_dataset_like_ours(tmp_path: Path) -> None:
    """Columns of the images, licences, masks; `verify` finds no fault, and pycocotools reads what the source said."""
    out = tmp_path / "out"
    assert take_in(coco_folder(tmp_path / "in"), out, "--licence", "CC0-1.0") == 0
    assert command("verify", out) == 0
    manifest = manifest_of(out)
    assert (manifest.origin, manifest.contains_real_imagery) == ("real", True)
    assert manifest.counts.by_class == {"crack": 3, "hand": 1}
    first, second, third = frames_of(out)
    assert (first["surface"], first["note"], first["tags_json"], first["source_id"]) == (1, "grün", '["x","y"]', 31)
    assert (first["licence"], first["licence_url"]) == ("CC BY 4.0", "https://example.org/by")
    assert (second["licence"], second["bright"], second["gain"]) == ("CC0-1.0", True, None)
    assert (third["file_name"], third["gain"], third["n_instances"]) == ("s2/ü_02.png", 1.5, 0)
    assert all(row["origin"] == "real" and row["lum_std"] and row["phash"] is not None for row in (first, second))
    ours, theirs = COCO(str(out / "labels/coco.json")), COCO(str(tmp_path / "in/annotations.json"))
    mine = sorted(ours.anns.values(), key=lambda a: a["source_id"])
    for one, other in zip(mine, sorted(theirs.anns.values(), key=lambda a: a["id"]), strict=True):
        assert (one["bbox"], one["area"], one["iscrowd"]) == (other["bbox"], other["area"], other["iscrowd"])
        assert ours.cats[one["category_id"]]["name"] == theirs.cats[other["category_id"]]["name"]
        if "segmentation" in other:
            assert (ours.annToMask(one) == theirs.annToMask(other)).all()
            assert ours.annToMask(one).any()
        if "keypoints" in other:
            assert one["keypoints"] == other["keypoints"]


def test_an_export_of_it_read_again_says_the_same(tmp_path: Path) -> None:
    """COCO to COCO: columns, ids of the source, polygons, crowds, licences, fields of strangers."""
    assert take_in(coco_folder(tmp_path / "in"), tmp_path / "a") == 0
    assert command("export", tmp_path / "a", "--format", "coco", "--out", tmp_path / "back") == 0
    data = json.loads((tmp_path / "back/annotations/instances_train.json").read_text())
    assert data["licenses"] == coco_data()["licenses"]
    assert data["annotations"][0]["segmentation"] == coco_data()["annotations"][0]["segmentation"]
    assert data["annotations"][0]["worker"] == "eve"
    assert data["images"][0]["tags"] == ["x", "y"]
    assert "rendered" not in data["info"]["description"]
    assert take_in(tmp_path / "back", tmp_path / "b") == 0
    first, second = facts_of(tmp_path / "a"), facts_of(tmp_path / "b")
    for [one], [other] in zip(first, second, strict=True):
        (row, instances), (other_row, other_instances) = one, other  # type: ignore[misc, has-type]
        assert other_row.pop("split") == "train"
        other_row.pop("mask_file", None)
        assert row == other_row
        assert instances == other_instances


@pytest.mark.parametrize(
    ("place", "images"),
    [
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_val2017.json", "images/val2017"),
        ("valid/_annotations.coco.json", "valid"),
        ("annotations/labels.json", "images"),
        ("_annotations.coco.json", "."),
    ],
)
def test_labels_are_found_where_coco_and_roboflow_put_them(tmp_path: Path, place: str, images: str) -> None:
    source = coco_folder(tmp_path / "flat")
    shutil.copytree(source / "s1", tmp_path / "in" / images / "s1")
    shutil.copytree(source / "s2", tmp_path / "in" / images / "s2")
    (tmp_path / "in" / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "annotations.json", tmp_path / "in" / place)
    assert take_in(tmp_path / "in", tmp_path / "out") == 0
    splits = {row.get("split") for row in frames_of(tmp_path / "out")}
    assert splits == ({"val2017"} if "2017" in place else {"valid"} if "valid" in place else {None})


def test_splits_stay_what_they_were(tmp_path: Path) -> None:
    """Two files are two splits, their ids may repeat; `export --split keep` gives them back."""
    for split in ("train", "test"):
        coco_folder(tmp_path / "in" / split)
        (tmp_path / "in" / split / "annotations.json").rename(tmp_path / "in" / split / "_annotations.coco.json")
    assert take_in(tmp_path / "in", tmp_path / "out") == 0
    assert command("export", tmp_path / "out", "--format", "coco", "--split", "keep", "--out", tmp_path / "back") == 0
    for split in ("train", "test"):
        data = json.loads((tmp_path / f"back/annotations/instances_{split}.json").read_text())
        assert [image["source_id"] for image in data["images"]] == [31, 5, 9]
        assert len(data["annotations"]) == 4


def test_real_classes_get_the_ids_of_a_taxonomy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By key, by name without regard to case, by a map; what has no match is named, with near ones."""
    folder = coco_folder(tmp_path / "in", lambda d: d["categories"][0].update(name="Crack"))
    taxonomy = tmp_path / "taxonomy.json"
    classes = [{"id": 183, "key": "crack", "name": "crack"}, {"id": 40, "key": "handle", "name": "a handle"}]
    taxonomy.write_text(json.dumps({"schema": "taxonomy/1", "version": "3", "classes": classes}))
    assert take_in(folder, tmp_path / "out", "--taxonomy", taxonomy) == 2
    assert "class 'hand' is not in" in (told := capsys.readouterr().err)
    assert "near: handle" in told
    names = tmp_path / "names.yaml"
    names.write_text("hand: null\n")
    assert take_in(folder, tmp_path / "out", "--taxonomy", taxonomy, "--classes", names) == 0
    rows = pq.read_table(tmp_path / "out/index/instances.parquet").to_pylist()
    assert {(row["class_id"], row["class"], row["source_class"]) for row in rows} == {(183, "crack", "Crack")}
    assert command("verify", tmp_path / "out") == 0
    found: Taxonomy = read_taxonomy(tmp_path / "out/taxonomy.json")
    assert [c.id for c in found.classes] == [40, 183]


def test_classes_may_become_one_without_a_taxonomy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = coco_folder(tmp_path / "in", lambda d: d["categories"][1].pop("keypoints") and d["annotations"].pop())
    names = tmp_path / "names.yaml"
    names.write_text("hand: damage\ncrack: damage\n")
    assert take_in(folder, tmp_path / "out", "--classes", names) == 0
    assert manifest_of(tmp_path / "out").counts.by_class == {"damage": 3}
    names.write_text("hamd: damage\n")
    assert take_in(folder, tmp_path / "other", "--classes", names) == 2
    assert "no class 'hamd'; near: hand" in capsys.readouterr().err


def test_groups_are_columns_that_splits_respect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column, the folder, a pattern; the first is what an export splits by unless told otherwise."""
    out = tmp_path / "out"
    rules = ("--group", "surface=surface", "--group", "scene=folder", "--group", "sequence=_([0-9]+)")
    assert take_in(coco_folder(tmp_path / "in"), out, *rules) == 0
    assert [(r["surface"], r["scene"], r["sequence"]) for r in frames_of(out)] == [
        (1, "s1", "01"), (1, "s1", "01"), (2, "s2", "02")
    ]  # fmt: skip
    assert group_columns(out) == ("surface", "scene", "sequence")
    assert command("export", out, "--format", "coco", "--split", "train=0.6,val=0.4", "--out", tmp_path / "s") == 0
    assert "split by surface" in capsys.readouterr().out
    sizes = [
        len(json.loads((tmp_path / f"s/annotations/instances_{name}.json").read_text())["images"])
        for name in ("train", "val")
    ]
    assert sizes == [2, 1]
    split = ("--split", "train=0.6,val=0.4", "--split-by", "frame")
    assert command("export", out, "--format", "coco", *split, "--out", tmp_path / "f") == 0
    assert "warning: split by frame tears the groups" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("surface=([a-z]+)+x", "a group may not be repeated"),
        ("surface=(a)\\1", "references back"),
        ("surface=(?=a)(b)", "references back"),
        ("surface=.*.*.*(x)", "at most 2"),
        ("surface=" + "a?" * 9 + "(b)", "at most 6"),
        ("surface=(" + "a" * 300 + ")", "at most 200 characters"),
        ("surface=(a)(b)", "has 2 groups"),
        ("surface=([)", "no regular expression"),
        ("surface=surfaze", "near: surface"),
        ("surface=bright", "s1/a_01.png has no such group"),
        ("surface=(nowhere)", "has no such group"),
        ("world=folder", "a column of ours"),
        ("Surface", "expected NAME=RULE"),
        ("gain=folder", "has a column 'gain' already"),
    ],
)
def test_a_group_that_cannot_be_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: str, words: str
) -> None:
    assert take_in(coco_folder(tmp_path / "in"), tmp_path / "out", "--group", rule) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_it_is_depends_on_the_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same id wherever the folder lies, for any number of threads, and however pictures come into it."""
    source = coco_folder(tmp_path / "in")
    shutil.copytree(source, tmp_path / "elsewhere" / "deep" / "other name")
    assert take_in(source, tmp_path / "a") == 0
    monkeypatch.setattr("engine.collect.ingest.thread_count", lambda: 7)
    assert take_in(tmp_path / "elsewhere/deep/other name", tmp_path / "b", "--images", "copy") == 0
    assert manifest_of(tmp_path / "a").dataset_id == manifest_of(tmp_path / "b").dataset_id
    picture(source / "s1/a_01.png", seed=99)
    assert take_in(source, tmp_path / "c") == 0
    assert manifest_of(tmp_path / "c").dataset_id != manifest_of(tmp_path / "a").dataset_id


def test_sub_folders_are_labels_of_pictures(tmp_path: Path) -> None:
    """Of a folder of pictures alone; they may be put onto a taxonomy, or not be labels at all."""
    for number, name in enumerate(("train/ok/a.png", "train/bad/b.png", "test/ok/a.png")):
        picture(tmp_path / "in" / name, seed=number)
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "in/test/ok/.hidden.png")
    assert take_in(tmp_path / "in", tmp_path / "out", file_format="folder") == 0
    rows = frames_of(tmp_path / "out")
    assert [(r["split"], r["label"]) for r in rows] == [("test", "ok"), ("train", "bad"), ("train", "ok")]
    assert command("verify", tmp_path / "out") == 0
    assert take_in(tmp_path / "in", tmp_path / "none", "--label-by", "none", file_format="folder") == 0
    assert "label" not in frames_of(tmp_path / "none")[0]


@pytest.mark.parametrize("height", [3, 63, 64, 65, 66, 126, 127, 128, 190])
@pytest.mark.parametrize("width", [37, 1025])
def test_what_is_measured_does_not_depend_on_how_pictures_are_cut(height: int, width: int) -> None:
    """Sharpness, noise and glare are those of plain NumPy over the whole picture, for any size."""
    rgb = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    luma = np.asarray(Image.fromarray(rgb).convert("L"), np.float64)
    across = luma[1:-1, :-2] - 2 * luma[1:-1, 1:-1] + luma[1:-1, 2:]
    down = luma[:-2, 1:-1] - 2 * luma[1:-1, 1:-1] + luma[2:, 1:-1]
    kernel = np.outer([1, -2, 1], [1, -2, 1])
    both = sum(
        kernel[y, x] * luma[y : luma.shape[0] - 2 + y, x : luma.shape[1] - 2 + x] for y in range(3) for x in range(3)
    )
    found = measure_rgb(rgb)
    assert found["blur_lap"] == pytest.approx((across + down).var() / 255**2, rel=1e-12)
    assert found["noise_sigma"] == pytest.approx(np.sqrt(np.pi / 2) / 6 * np.abs(both).mean() / 255, rel=1e-12)
    assert found["sat_frac"] == (rgb == 255).any(axis=2).mean()
