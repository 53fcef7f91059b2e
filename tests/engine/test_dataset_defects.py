"""Datasets with defects: what `verify` says of planted faults in their rows, maps, index and files of labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.dataset.__main__ import main
from engine.dataset.check_pixels import check_pixels
from engine.dataset.check_rows import check_counts, check_index
from engine.dataset.finalise import finalise
from engine.dataset.verify import verify
from engine.defect import DefectKind
from engine.defect_classes import with_defect_classes
from engine.draft import DEFECT_FLOATS, DefectSlot
from engine.errors import UserError
from engine.labels.marks import marks_from_frames
from engine.write import contact_sheet
from engine.write.annotations import DefectMaps, write_defects
from engine.write.plan import DatasetPlan, plan_dataset
from engine.write.shard import ShardWriter
from tests.engine.toy_dataset import BUILD, ENVIRONMENT, Provenance, toy_batch, toy_job, toy_recipe, toy_scene

WRITE = {
    "images": {"kind": "images", "format": "png", "quality": 95},
    "masks": {"kind": "masks"},
    "defects": {"kind": "defects"},
    "coco": {"kind": "coco", "min_area_px": 1},
}
ENTRIES = {
    name: {"kind": "defect", "defect": defect, "label": None}
    for name, defect in (("cuts", "scratch"), ("dirt", "dust"))
}
ROWS = "commit/00000000-000.defects.parquet"
WORLDS = range(4)


def marked_plan() -> DatasetPlan:
    recipe = replace(
        toy_recipe(write=WRITE), randomize=ENTRIES, outputs=("rgb", "depth", "normal", "instance", "defect")
    )
    scene = with_defect_classes(toy_scene(), recipe)
    return plan_dataset(recipe, scene, ("/World/Camera_0",), Provenance(BUILD, ENVIRONMENT), shard_worlds=4)


def marked_batch(plan: DatasetPlan) -> Any:
    """Return the toy worlds, with two scratches and dust on what is seen of the largest instance of each."""
    frames, labels, drawn = toy_batch(plan, WORLDS)
    assert frames.instance is not None
    ids = {each.key: each.id for each in plan.scene.taxonomy.classes}
    slots = (DefectSlot("cuts", DefectKind.SCRATCH, ids["scratch"], "sawing"),) * 2
    slots += (DefectSlot("dirt", DefectKind.DUST, ids["dust"], ""),)
    bearer = np.zeros((len(WORLDS), 3), np.int32)
    images = {name: np.full(frames.instance.shape, -1, np.int32) for name in ("defect", "near_miss")}
    for view, seen in enumerate(frames.instance):
        if not seen.any():
            continue
        bearer[view] = np.bincount(seen[seen > 0]).argmax()
        y, x = np.nonzero(seen == bearer[view, 0])
        for slot, name in enumerate(("defect", "defect", "near_miss")):
            images[name][view, y[slot::4], x[slot::4]] = slot
    frames = replace(frames, annotations=images)
    record = np.zeros((len(WORLDS), 3, DEFECT_FLOATS), np.float32)
    draft = SimpleNamespace(
        defect=record, defect_of=bearer, defect_slots=slots, world_from_camera=np.zeros((len(WORLDS), 1, 3, 4))
    )
    return frames, replace(labels, marks=marks_from_frames(frames, draft)), drawn  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished dataset with defects; tests that change it work on copies."""
    out, plan = tmp_path_factory.mktemp("marked") / "out", marked_plan()
    with ShardWriter(out, plan) as writer:
        for members in writer.open_shards(WORLDS):
            with writer.shard(members) as shard:
                shard.add(*marked_batch(plan))
    finalise(out, WORLDS, toy_job(WORLDS))
    return out


@pytest.fixture
def out(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "copy"))


def first_defect(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next(row for row in rows if not row["near_miss"])


def set_first(**values: Any) -> Callable[[list[dict[str, Any]]], object]:
    return lambda rows: first_defect(rows).update(values)


def shift_box(rows: list[dict[str, Any]]) -> None:
    row = first_defect(rows)
    row["bbox"] = [row["bbox"][0] + 1, *row["bbox"][1:]]


def cover_another(rows: list[dict[str, Any]]) -> None:
    one, two = [row for row in rows if row["frame_id"] == rows[0]["frame_id"] and not row["near_miss"]]
    one["rle"], one["bbox"], one["area_px"] = two["rle"], two["bbox"], two["area_px"]


FAULTS: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "shifted box": (shift_box, "bbox is ["),
    "wrong area": (set_first(area_px=1), "area_px is 1, its mask has"),
    "corrupt RLE": (set_first(rle=b"\x01nonsense"), "its mask is not an RLE of this frame"),
    "swapped class": (set_first(class_id=3), "its class is 'scratch', class_id 3 is another"),
    "another kind": (set_first(kind="dust"), "near_miss is False, its kind is dust"),
    "another bearer": (set_first(inst_id=0), "lies on instance 0, which the frame does not show"),
    "covers another": (cover_another, "its mask covers pixels of another one"),
    "other contrast": (set_first(contrast=0.75, cnr=3.0), "contrast and cnr are 0.7500 and 3.000"),
    "lost row": (lambda rows: rows.remove(first_defect(rows)), "differ from the masks of its rows"),
}


def test_the_contact_sheet_counts_objects_and_defects_apart(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its captions hold the counts that the Parquet files have, read by themselves."""
    rows = verify(out)[0].rows
    assert rows is not None
    captions: list[str] = []
    monkeypatch.setattr(contact_sheet, "lay_out", lambda tiles, title: captions.extend(t.caption for t in tiles) or b"")
    contact_sheet.draw_contact_sheet(rows, "toy")
    instances, defects = (pq.read_table(out / f"index/{name}.parquet") for name in ("instances", "defects"))
    frame_ids = pq.read_table(out / "index/frames.parquet").column("frame_id").to_pylist()
    seen = set()
    for frame_id, caption in zip(frame_ids, captions, strict=True):
        objects = pc.sum(pc.and_(pc.equal(instances["frame_id"], frame_id), pc.not_equal(instances["class_id"], 0)))
        own = defects.filter(pc.equal(defects["frame_id"], frame_id))["near_miss"].to_pylist()
        expected = f"{objects} object{'' if objects.as_py() == 1 else 's'}"
        expected += {(2, 1): ", 2 defects, 1 near-miss", (0, 0): ""}[own.count(False), own.count(True)]
        assert caption.endswith(f"    {expected}")
        seen.add(expected)
    assert len(seen) > 1


def test_a_sound_dataset_with_defects_has_no_faults(pristine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(pristine)]) == 0
    assert main(["info", str(pristine)]) == 0
    lines = capsys.readouterr().out.splitlines()
    counts = json.loads((pristine / "manifest.json").read_bytes())["counts"]
    asked = f"defects     {counts['defects']['scratch']} (scratch {counts['defects']['scratch']}); "
    assert asked + f"{counts['near_misses']} near-misses" in lines


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_in_the_rows_of_a_shard_is_named(out: Path, fault: str) -> None:
    """Among the pixels of its frame, by the id of its row; with a hash that fits, as a wrong program would write it."""
    rows = verify(out)[0].rows
    assert rows is not None
    change, message = FAULTS[fault]
    table = pq.ParquetFile(out / ROWS).read()
    changed = table.to_pylist()
    frame_id, name = changed[0]["frame_id"], f"defect {first_defect(changed)['defect_id']}"
    change(changed)
    pq.write_table(pa.Table.from_pylist(changed, schema=table.schema), out / ROWS)
    found = [f for f in check_pixels(rows) if message in f.what]
    assert [str(frame_id).zfill(6) in f.file for f in found] == [True], [str(f) for f in check_pixels(rows)]
    assert fault == "lost row" or name in found[0].what or fault == "covers another"


def test_one_corrupt_mask_does_not_hide_the_others(out: Path) -> None:
    rows = verify(out)[0].rows
    assert rows is not None
    table = pq.ParquetFile(out / ROWS).read()
    changed = table.to_pylist()
    changed[0]["rle"], changed[1]["area_px"] = b"", 1
    assert changed[0]["frame_id"] == changed[1]["frame_id"]
    pq.write_table(pa.Table.from_pylist(changed, schema=table.schema), out / ROWS)
    whats = [fault.what.partition(": ")[0] for fault in check_pixels(rows)]
    assert whats == [f"defect {row['defect_id']}" for row in changed[:2]]


def test_a_pixel_of_a_map_and_rows_of_the_index_are_named(out: Path) -> None:
    """Also counts, of which the commit and the manifest have their own."""
    contents = verify(out)[0]
    rows, manifest = contents.rows, contents.manifest
    assert rows is not None
    assert manifest is not None
    path = next((out / "near_misses").rglob("*.png"))
    with Image.open(path) as image:
        pixels = np.array(image)
    pixels[0, 0] += 1
    Image.fromarray(pixels).save(path)
    (fault,) = check_pixels(rows)
    assert f"1 px of near_misses/{path.parent.name}/{path.name} differ from the masks of its rows, first at 0, 0" in str(fault)  # fmt: skip  # noqa: E501
    index = out / "index/defects.parquet"
    table = pq.ParquetFile(index).read()
    column = table.column_names.index("class_id")
    swapped = table.set_column(column, table.schema.field(column), pa.array(table["class_id"].to_pylist()[::-1], pa.int32()))  # fmt: skip  # noqa: E501
    for changed, what in ((swapped, "differs from the shards in class_id"), (table.slice(1), "rows, the shards have")):
        pq.write_table(changed, index)
        assert [what in fault.what for fault in check_index(rows)] == [True]
    counts = replace(manifest.counts, near_misses=0, defects={"scratch": 1})
    whats = [fault.what for fault in check_counts(replace(manifest, counts=counts), contents.commits, rows)]
    assert [what.split(",")[0].split(" ")[-1] for what in whats] == ["defects", "near_misses"]


@pytest.mark.parametrize("key", ["bbox", "category_id", "segmentation", "severity"])
def test_a_defect_that_the_file_of_labels_has_otherwise_is_named(out: Path, key: str) -> None:
    path = out / "labels/coco.json"
    coco = json.loads(path.read_bytes())
    at, one = next((n, one) for n, one in enumerate(coco["annotations"]) if "handling_step" in one)
    one[key] = {"bbox": [0, 0, 1, 1], "category_id": 1, "segmentation": {"size": [32, 48], "counts": "?"}, "severity": 2.0}[key]  # fmt: skip  # noqa: E501
    path.write_text(json.dumps(coco))
    assert any(f"annotations[{at}]" in fault.what and key in fault.what for fault in verify(out)[1])


def test_maps_refuse_what_16_bits_do_not_hold() -> None:
    """Rather than give a pixel to another defect."""
    annotations = {name: np.full((2, 2), -1, np.int32) for name in ("defect", "near_miss")}
    view = SimpleNamespace(annotations=annotations, stem="000/000000")
    annotations["near_miss"][0, 0] = 65534
    assert len(write_defects(DefectMaps(), view)) == 2  # type: ignore[arg-type]
    annotations["near_miss"][0, 0] = 65535
    with pytest.raises(UserError, match="map_id 65536, maps hold 65535"):
        write_defects(DefectMaps(), view)  # type: ignore[arg-type]
