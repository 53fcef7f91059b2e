"""verify names what is wrong: any flipped bit by its file, any planted fault by what contradicts what."""

from __future__ import annotations

import copy
import json
import math
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from engine.dataset.__main__ import main
from engine.dataset.check_pixels import check_pixels
from engine.dataset.check_rows import check_coco_rows, check_counts, check_index
from engine.dataset.contents import read_contents
from engine.dataset.manifest import read_manifest
from engine.dataset.regenerate import compare
from engine.dataset.verify import verify
from engine.errors import UserError
from engine.validate.coco import check_coco
from engine.validate.rle import runs_of
from engine.write.coco import Coco
from engine.write.encode import encode_jpeg, encode_png
from engine.write.plan import Provenance
from engine.write.shard import ShardWriter
from tests.engine.toy_dataset import ENVIRONMENT, make_toy, toy_batch, toy_plan

COUNT = 6


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished dataset in two commits; tests work on copies."""
    out = tmp_path_factory.mktemp("verify") / "out"
    make_toy(out, range(COUNT), toy_plan())
    return out


@pytest.fixture
def out(pristine: Path, tmp_path: Path) -> Path:
    """Return a copy to be damaged."""
    return Path(shutil.copytree(pristine, tmp_path / "copy"))


def test_a_sound_dataset_has_no_faults(pristine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, one line."""
    assert main(["verify", str(pristine)]) == 0
    assert capsys.readouterr().out.startswith("ok: ds_")


def test_a_flipped_bit_in_any_file_is_named(pristine: Path, out: Path) -> None:
    """Every file of the dataset, one random bit each; only that file, or what is known to follow from it, is named."""
    rng = random.Random(5)
    files = sorted(path for path in out.rglob("*") if path.is_file() and not {".tmp", "log"} & set(path.parts))
    assert len(files) > 30
    for path in files:
        data = bytearray(path.read_bytes())
        original = bytes(data)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        name = path.relative_to(out).as_posix()
        named = {fault.file for fault in verify(out)[1]}
        assert name in named, f"a flipped bit in {name} was not named, only {sorted(named)}"
        path.write_bytes(original)
    assert verify(out)[1] == []


def test_every_bit_of_the_manifest_counts(pristine: Path, tmp_path: Path) -> None:
    """Its own hash, its spelling or its schema gives any change away, also in white space and in the hash itself."""
    data = (pristine / "manifest.json").read_bytes()
    rng = random.Random(6)
    for position in rng.sample(range(8 * len(data)), 300):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        (tmp_path / "manifest.json").write_bytes(changed)
        with pytest.raises(UserError, match=r"manifest\.json"):
            read_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize("name", ["images/000/000003.jpg", "index/worlds.parquet", "commit/00000004-000.json"])
def test_missing_files_are_named_with_a_remedy(out: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Exit code 1, and a line for the file."""
    (out / name).unlink()
    assert main(["verify", str(out)]) == 1
    text = capsys.readouterr().out
    assert any(line.startswith("FAULT") and name in line and "->" in line for line in text.splitlines()), text


def test_files_that_do_not_belong_are_named(out: Path) -> None:
    """Anything outside log/ that the checksums do not list."""
    (out / "images/000/extra.jpg").write_bytes(b"x")
    (out / "log/more.log").write_text("{}\n")
    faults = verify(out)[1]
    assert [(fault.file, fault.what) for fault in faults] == [("images/000/extra.jpg", "is not a file of this dataset")]


def test_unknown_fields_are_refused(out: Path) -> None:
    """A record with a key that nobody knows is not ours."""
    for name in ("dataset.json", "recipe.json", "taxonomy.json", "manifest.json", "commit/00000000-000.json"):
        path = out / name
        original = path.read_bytes()
        path.write_text(json.dumps({**json.loads(original), "extra": 1}))
        assert name in {fault.file for fault in read_contents(out)[1]}, name
        path.write_bytes(original)


def test_an_incomplete_dataset_is_a_fault_unless_it_may_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--partial` checks what is committed; a damaged commit is a fault all the same."""
    plan = toy_plan()
    assert main(["verify", "--partial", str(tmp_path)]) == 0
    with ShardWriter(tmp_path, plan) as writer, writer.shard(range(4)) as shard:
        shard.add(*toy_batch(plan, range(4)))
    assert main(["verify", str(tmp_path)]) == 1
    assert "manifest.json: is missing -> the dataset is not complete" in capsys.readouterr().out
    assert main(["verify", "--partial", str(tmp_path)]) == 0
    (tmp_path / "depth/000/000002.png").write_bytes(b"")
    assert main(["verify", "--partial", str(tmp_path)]) == 1


def test_no_dataset_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback, exit code 2."""
    for command in ("verify", "info"):
        assert main([command, str(tmp_path / "nothing")]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert "is not a dataset: it has no dataset.json" in error


def test_info_says_what_there_is(pristine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and as JSON."""
    assert main(["info", str(pristine)]) == 0
    text = capsys.readouterr().out
    manifest = read_manifest(pristine / "manifest.json")
    assert manifest.dataset_id in text
    assert f"{COUNT} of 48x32 px, {COUNT} worlds" in text
    assert main(["info", "--json", str(pristine)]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["manifest"]["dataset_id"] == manifest.dataset_id
    assert data["counts"]["by_class"] == manifest.counts.by_class


def shift_box(coco: dict[str, Any]) -> None:
    coco["annotations"][0]["bbox"][0] -= 1


def swap_class(coco: dict[str, Any]) -> None:
    coco["annotations"][0]["category_id"] = 4 - coco["annotations"][0]["category_id"]  # 1 <-> 3


def drop_instance(coco: dict[str, Any]) -> None:
    del coco["annotations"][1]


def shift_box_and_mask(coco: dict[str, Any]) -> None:
    annotation = coco["annotations"][0]
    seen = coco_mask.decode(annotation["segmentation"])
    moved = coco_mask.encode(np.asfortranarray(np.roll(seen, -1, axis=1)))
    annotation["segmentation"]["counts"] = moved["counts"].decode()
    annotation["bbox"] = [round(v) for v in coco_mask.toBbox(moved)]


def rename_category(coco: dict[str, Any]) -> None:
    coco["categories"][0]["name"] = "pallet"


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (shift_box, "annotations[0].bbox"),
        (swap_class, "annotations[0].category_id"),
        (drop_instance, "annotations[1]"),
        (shift_box_and_mask, "annotations[0].bbox"),
        (rename_category, "categories"),
    ],
)
def test_labels_that_are_not_those_of_the_shards_are_named(
    pristine: Path, plant: Callable[[dict[str, Any]], None], what: str
) -> None:
    """Also lies that are consistent in themselves."""
    rows = verify(pristine)[0].rows
    assert rows is not None
    coco = json.loads((pristine / "labels/coco.json").read_bytes())
    assert list(check_coco_rows(coco, Coco(1), rows)) == []
    plant(coco)
    faults = list(check_coco_rows(coco, Coco(1), rows))
    assert any(what in fault.what for fault in faults), faults


# The seeded COCO faults of LABELS: what is done to a sound file, and what the check must say.
def seeded_faults() -> dict[str, tuple[Callable[[dict[str, Any]], object], str]]:
    def first(coco: dict[str, Any]) -> dict[str, Any]:
        annotation: dict[str, Any] = coco["annotations"][0]
        return annotation

    def keypoints(coco: dict[str, Any]) -> None:
        for category in coco["categories"]:
            category["keypoints"] = ["tip", "base"]
        first(coco).update(keypoints=[1, 1, 2], num_keypoints=1)

    def xyxy(coco: dict[str, Any]) -> None:
        x, y, w, h = first(coco)["bbox"]
        first(coco)["bbox"] = [x, y, x + w, y + h]

    polygon = {"segmentation": [[1.0, 1.0, 5.0, 1.0, 5.0, 5.0]], "iscrowd": 1}
    swapped = {"size": [48, 32]}
    return {
        "bbox_outside": (lambda c: first(c).update(bbox=[40, 4, 20, 5]), "box-outside"),
        "negative_width": (lambda c: first(c).update(bbox=[9, 4, -3, 5]), "box-not-positive"),
        "nan_box": (lambda c: first(c).update(bbox=[float("nan"), 4, 3, 5]), "box-invalid"),
        "xyxy_as_xywh": (xyxy, "box-is-xyxy"),
        "box_not_mask": (shift_box, "box-not-mask"),
        "wrong_area": (lambda c: first(c).update(area=first(c)["area"] + 1), "area-not-mask"),
        "duplicate_annotation_id": (lambda c: c["annotations"][1].update(id=1), "annotations[1]: id-duplicate"),
        "annotation_id_zero": (lambda c: first(c).update(id=0), "id-below-one"),
        "duplicate_image_id": (lambda c: c["images"][1].update(id=1), "images[1]: id-duplicate"),
        "string_image_ids": (lambda c: c["images"][0].update(id="1"), "images[0]: id-not-integer"),
        "unknown_category": (lambda c: first(c).update(category_id=99), "category-id-unknown: 99"),
        "missing_file": (lambda c: c["images"][0].update(file_name="images/no.jpg"), "image-missing"),
        "image_size_swapped": (
            lambda c: c["images"][0].update(width=32, height=48),
            "image-size-swapped: 32x48; expected 48x32",
        ),
        "polygon_two_points": (lambda c: first(c).update(segmentation=[[1, 1, 5, 5]]), "polygon-too-short"),
        "polygon_empty": (lambda c: first(c).update(segmentation=[]), "segmentation-empty"),
        "rle_swapped_size": (lambda c: first(c)["segmentation"].update(swapped), "rle-size-swapped"),
        "rle_corrupt": (lambda c: first(c)["segmentation"].update(counts="0`"), "rle-counts-invalid"),
        "crowd_with_polygon": (lambda c: first(c).update(polygon), "crowd-needs-rle"),
        "no_iscrowd": (lambda c: first(c).pop("iscrowd"), "iscrowd-invalid"),
        "no_area": (lambda c: first(c).pop("area"), "area-invalid"),
        "keypoint_length": (keypoints, "keypoints-length"),
    }


@pytest.mark.parametrize("fault", seeded_faults())
def test_seeded_coco_faults_are_named(pristine: Path, fault: str) -> None:
    """What pycocotools and others read without a word."""
    coco = json.loads((pristine / "labels/coco.json").read_bytes())
    sizes = {image["file_name"]: (image["width"], image["height"]) for image in coco["images"]}
    assert list(check_coco(copy.deepcopy(coco), "coco.json", sizes.get)) == []
    plant, message = seeded_faults()[fault]
    plant(coco)
    faults = [str(found) for found in check_coco(coco, "coco.json", sizes.get)]
    assert any(message in line for line in faults), faults


def test_polygons_and_plain_counts_of_other_tools_are_accepted() -> None:
    """A rectangle as a polygon, and as a list of runs."""
    box = [4, 3, 10, 6]
    polygon = [[4, 3, 14, 3, 14, 9, 4, 9]]
    runs = [4 * 20 + 3, *[6, 14] * 9, 6, 20 * 30 - (4 + 9) * 20 - 9]
    annotation = {"image_id": 1, "category_id": 1, "bbox": box, "area": 60, "iscrowd": 0}
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 30, "height": 20}],
        "categories": [{"id": 1, "name": "box"}],
        "annotations": [
            {**annotation, "id": 1, "segmentation": polygon},
            {**annotation, "id": 2, "segmentation": {"size": [20, 30], "counts": runs}},
        ],
    }
    assert list(check_coco(coco, "coco.json", lambda name: (30, 20))) == []


def test_run_lengths_are_those_of_pycocotools() -> None:
    """Random masks of every density: the runs of our decoder paint the same mask."""
    rng = np.random.default_rng(3)
    for density in (0.0, 0.01, 0.3, 0.97, 1.0):
        mask = (rng.random((37, 53)) < density).astype(np.uint8)
        runs = runs_of(coco_mask.encode(np.asfortranarray(mask))["counts"].decode())
        assert runs is not None
        painted = np.repeat(np.arange(len(runs)) % 2, runs).reshape(53, 37).T
        assert np.array_equal(painted, mask)


def edit_map(path: Path, change: Callable[[np.ndarray], object]) -> None:
    pixels = np.array(Image.open(path))
    change(pixels)
    path.write_bytes(encode_png(pixels))


def labelled_pixel(path: Path) -> tuple[int, int]:
    y, x = np.argwhere(np.array(Image.open(path)) > 0)[0].tolist()
    return y, x


def test_pixels_that_contradict_the_labels_are_named(out: Path) -> None:
    """One pixel of an instance map, of a class map and of depth, and a picture of another size."""
    rows = verify(out)[0].rows
    assert rows is not None
    frame = next(row for row in rows.rows("frames") if row["n_instances"] > 0)
    instance_map, class_map, depth = (out / frame[role] for role in ("instance_map", "class_map", "depth"))
    y, x = labelled_pixel(class_map)
    edits: list[tuple[Path, Callable[[np.ndarray], object], str]] = [
        (instance_map, lambda pixels: pixels.__setitem__((y, x), 0), "1 px differ from the masks, first at"),
        (class_map, lambda pixels: pixels.__setitem__((y, x), 2), "1 px are not the class of their instance"),
        (depth, lambda pixels: pixels.__setitem__((y, x), 900), "its nearest pixel 0.9000"),
    ]
    for path, change, message in edits:
        original = path.read_bytes()
        edit_map(path, change)
        faults = [str(fault) for fault in check_pixels(rows)]
        assert any(message in line and path.name in line for line in faults), faults
        path.write_bytes(original)
    (out / frame["image"]).write_bytes(encode_jpeg(np.zeros((48, 32, 3), np.uint8), quality=90))
    assert any("is 32x48, the index says 48x32" in str(fault) for fault in check_pixels(rows))


def test_an_index_of_other_rows_is_named(out: Path) -> None:
    """A value, a row and a column less."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = verify(out)[0].rows
    assert rows is not None
    path = out / "index/worlds.parquet"
    table = pq.ParquetFile(path).read()
    values = table["p.sun.elevation_deg"].to_numpy().copy()
    values[3] += 1e-12
    position = table.column_names.index("p.sun.elevation_deg")
    changes = {
        "differs from the shards in p.sun.elevation_deg": table.set_column(
            position, "p.sun.elevation_deg", pa.array(values)
        ),
        f"has {COUNT - 1} rows, the shards have {COUNT}": table.slice(1),
        "has other columns than the shards: p.paint.color": table.drop_columns(["p.paint.color"]),
    }
    for message, changed in changes.items():
        pq.write_table(changed, path)
        assert [fault.what for fault in check_index(rows)] == [message]


def test_counts_are_recomputed_from_the_rows(pristine: Path) -> None:
    """A manifest that counts one instance too many, or other classes."""
    contents = verify(pristine)[0]
    manifest, rows = contents.manifest, contents.rows
    assert manifest is not None
    assert rows is not None
    assert list(check_counts(manifest, contents.commits, rows)) == []
    counts = replace(manifest.counts, instances=manifest.counts.instances + 1, by_class={"carton": 1})
    whats = [fault.what for fault in check_counts(replace(manifest, counts=counts), contents.commits, rows)]
    assert [what.split(",")[0].split(" ")[-1] for what in whats] == ["instances", "by_class"]


def test_regenerated_worlds_are_compared_by_bytes_on_the_same_machine(tmp_path: Path, pristine: Path) -> None:
    """World 3 alone is equal; rendered a shade brighter it is not."""
    make_toy(tmp_path / "again", [3], toy_plan())
    same = compare(read_contents(pristine)[0], read_contents(tmp_path / "again")[0], (3,))
    assert (same.same_machine, same.largest_rgb, same.faults) == (True, 0, ())
    shaded = compare(read_contents(pristine)[0], shaded_world(tmp_path / "shaded", 3, shade=1), (3,))
    assert any("other bytes" in fault.what and fault.file.startswith("images/") for fault in shaded.faults)


def test_values_that_are_drawn_otherwise_are_named_on_the_same_machine(
    tmp_path: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index may differ where files are equal; numbers that are none equal each other."""
    make_toy(tmp_path / "again", [3], toy_plan())
    ours, again = read_contents(pristine)[0], read_contents(tmp_path / "again")[0]
    rows = {id(ours): {"p.a.x": 1.0, "p.a.y": math.nan}, id(again): {"p.a.x": 2.0, "p.a.y": math.nan}}
    monkeypatch.setattr("engine.dataset.regenerate._drawn", lambda contents, _: {(3, 0): rows[id(contents)]})
    (fault,) = compare(ours, again, (3,)).faults
    assert (fault.file, fault.what) == ("world 3, step 0", "has another p.a.x when drawn again")


def test_on_another_machine_labels_must_agree_and_pictures_nearly(tmp_path: Path, pristine: Path) -> None:
    """A code value is tolerated, forty are not; the largest difference is reported either way."""
    near = compare(read_contents(pristine)[0], shaded_world(tmp_path / "near", 3, shade=1, simd="neon"), (3,))
    assert (near.same_machine, near.faults) == (False, ())
    assert 1 <= near.largest_rgb <= 16  # JPEG makes more of one code value, and its tolerance says so
    far = compare(read_contents(pristine)[0], shaded_world(tmp_path / "far", 3, shade=40, simd="neon"), (3,))
    assert far.largest_rgb == pytest.approx(40, abs=16)  # JPEG rings at edges
    assert [fault.file for fault in far.faults] == ["images/000/000003.jpg"]
    other = toy_plan(seed=8)
    make_toy(tmp_path / "other", [3], other)
    faults = compare(read_contents(pristine)[0], read_contents(tmp_path / "other")[0], (3,)).faults
    assert any("instance" in fault.what for fault in faults)


def shaded_world(out: Path, world: int, *, shade: int, simd: str = "avx2") -> Any:
    plan = toy_plan()
    environment = replace(ENVIRONMENT, simd=simd)
    plan = replace(plan, provenance=Provenance(plan.provenance.build, environment))
    with ShardWriter(out, plan) as writer, writer.shard([world]) as shard:
        shard.add(*toy_batch(plan, [world], shade=shade))
    make_toy(out, [world], plan)
    return read_contents(out)[0]
