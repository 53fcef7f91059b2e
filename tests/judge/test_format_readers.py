"""Exports as other people's readers see them: pycocotools, ultralytics, datumaro, supervision, torchvision.

Of the warehouse, of a chess set by other people, and of random records with holes, parts, keypoints and empty frames.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.formats.export import ExportRequest, export
from engine.formats.filters import Filters
from engine.formats.index import open_dataset
from engine.formats.record import Frame, Instance, Source
from engine.formats.registry import FORMATS, frame_stem
from engine.formats.splits import SplitPlan, parse_fractions
from tests.engine.toy_dataset import make_toy, toy_plan
from tests.engine.toy_records import toy_records
from tests.judge.readers import ROOT, read_with

pytestmark = pytest.mark.judge

SPLIT = SplitPlan(parse_fractions("train=0.6,val=0.4"))
SMALL = ("rig.width=200", "rig.height=150", "rig.spp=1", "device=cpu")
CHESS = """
usd: {usd}
randomize:
  camera:
    kind: camera_orbit
    cameras: "*"
    around: /ChessSet/*
    distance_m: {{law: uniform, low: 0.4, high: 0.9}}
    azimuth_deg: {{law: uniform, low: 0, high: 360}}
    elevation_deg: {{law: uniform, low: 10, high: 60}}
    roll_deg: 0
    focal_mm: null
    clear: {{clearance_m: 0.01, tries: 8, inside: null}}
"""


def make(out: Path, *arguments: str) -> None:
    """Make a dataset as a user would."""
    command = [sys.executable, "-m", "engine.run", f"out={out}", *SMALL, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module", params=["warehouse", "chess", "random", "records"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_dir: Path) -> Source:
    """Frames of four kinds; the last has keypoints."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "records":
        return toy_records(folder, worlds=12)
    if request.param == "random":
        make_toy(folder / "data", range(30), toy_plan())
    elif request.param == "warehouse":
        make(folder / "data", "+scene=warehouse", "count=5")
    else:
        (folder / "conf/scene").mkdir(parents=True)
        usd = shared_dir / "usd/01_OpenChessSet/chess_set.usda"
        (folder / "conf/scene/chess.yaml").write_text(CHESS.format(usd=usd))
        make(
            folder / "data",
            "--config-dir",
            str(folder / "conf"),
            "+scene=chess",
            "scene.subdivision_level=0",
            "count=5",
        )
    return open_dataset(folder / "data")


def exported(source: Source, out: Path, name: str, **more: Any) -> list[tuple[Frame, Instance]]:
    """Write a format and return what must be in it."""
    request = ExportRequest(FORMATS.get(name), out, split=SPLIT, filters=Filters(min_visible_px=3), **more)
    report = export(source, request)
    kept = [(frame, i) for frame in source.frames() for i in frame.instances if (i.visible_px or 0) >= 3]
    assert sum(report["instances"].values()) == len(kept) > 20
    assert report["not_held"] == {}
    return kept


def xyxy(instance: Instance) -> list[float]:
    x, y, width, height = instance.box
    return [x, y, x + width, y + height]


def frame_count(source: Source) -> int:
    return sum(1 for _ in source.frames())


def test_coco_is_its_own_best_detection_and_all_readers_see_the_same(source: Source, tmp_path: Path) -> None:
    kept = exported(source, tmp_path / "out", "coco")
    says = read_with("read_coco.py", tmp_path / "out", "instances")
    datumaro = says.pop("datumaro")
    assert (datumaro["items"], datumaro["pictures"], datumaro["subsets"]) == (
        frame_count(source), frame_count(source), ["train", "val"]
    )  # fmt: skip
    assert (datumaro["bbox"], datumaro["mask"]) == (len(kept), len(kept))
    assert sum(split["pycocotools"]["annotations"] for split in says.values()) == len(kept)
    for split in says.values():
        assert split["pycocotools"]["wrong"] == 0
        assert split["pycocotools"]["precision"] == {"bbox": 1.0, "segm": 1.0}
        assert split["torchvision"]["images"] == split["supervision"]["images"] == split["pycocotools"]["images"]
        assert split["torchvision"]["boxes"] == split["pycocotools"]["annotations"]
        assert split["torchvision"]["least_label"] >= 1
        assert split["torchvision"]["mask_px"] == sum(split["supervision"]["areas"])
    boxes = sorted(box for split in says.values() for box in split["supervision"]["boxes"])
    assert boxes == sorted(xyxy(instance) for _, instance in kept)
    areas = sorted(area for split in says.values() for area in split["supervision"]["areas"])
    assert areas == sorted(instance.visible_px for _, instance in kept)


def test_panoptic_segments_are_read_by_datumaro(source: Source, tmp_path: Path) -> None:
    kept = exported(source, tmp_path / "out", "coco-panoptic", classes={"*": "anything"})
    says = read_with("read_coco.py", tmp_path / "out", "panoptic")["datumaro"]
    assert (says["items"], says["pictures"], says["mask"]) == (frame_count(source), frame_count(source), len(kept))


@pytest.mark.parametrize(("name", "task"), [("yolo-detect", "detect"), ("yolo-seg", "segment"), ("yolo-obb", "obb")])
def test_ultralytics_drops_no_image_and_no_row(source: Source, tmp_path: Path, name: str, task: str) -> None:
    kept = exported(source, tmp_path / "out", name)
    says = read_with("read_yolo.py", tmp_path / "out", task)
    frames = frame_count(source)
    empty = frames - len({frame.id for frame, _ in kept})
    counts = {"images": frames, "found": frames, "empty": empty, "missing": 0, "corrupt": 0, "rows": len(kept)}
    assert says["verify"] == counts | {"messages": []}
    assert says["loader"] == {"images": frames, "boxes": len(kept), "batches": frames, "keypoints": 0}
    assert says["supervision"]["images"] == frames
    if task != "obb":
        found = np.array(sorted(np.round(says["supervision"]["boxes"], 3).tolist()))
        assert np.abs(found - sorted(xyxy(i) for _, i in kept)).max() < (0.01 if task == "detect" else 1.01)
    if task == "segment":
        painted = np.sort(says["painted"]) / np.sort([i.visible_px for _, i in kept])
        assert abs(np.median(painted) - 1.0) < 0.1  # along the edges 0.3 and more; bridges between parts are painted


def test_ultralytics_and_pycocotools_read_keypoints(source: Source, tmp_path: Path) -> None:
    classes = {c.key: c.key if c.keypoints else None for c in source.categories}
    if not any(classes.values()):
        with pytest.raises(UserError, match="drops every class"):
            export(source, ExportRequest(FORMATS.get("yolo-pose"), tmp_path / "none", classes=classes))
        return
    posed = [i for frame in source.frames() for i in frame.instances if classes[i.category]]
    assert len(posed) > 2
    for name in ("yolo-pose", "coco-keypoints"):
        export(source, ExportRequest(FORMATS.get(name), tmp_path / name, split=SPLIT, classes=classes))
    frames = frame_count(source)
    yolo = read_with("read_yolo.py", tmp_path / "yolo-pose", "pose")
    assert (yolo["verify"]["corrupt"], yolo["verify"]["rows"], yolo["verify"]["messages"]) == (0, len(posed), [])
    labelled = sum(int((i.keypoints[:, 2] > 0).sum()) for i in posed if i.keypoints is not None)
    assert yolo["loader"] == {"images": frames, "boxes": len(posed), "batches": frames, "keypoints": labelled}
    coco = read_with("read_coco.py", tmp_path / "coco-keypoints", "person_keypoints")
    assert (coco["datumaro"]["points"], coco["datumaro"]["pictures"]) == (len(posed), frames)
    for split in ("train", "val"):
        assert coco[split]["pycocotools"]["precision"] == {"bbox": 1.0, "segm": 1.0, "keypoints": 1.0}


def test_voc_boxes_flags_and_masks_are_read_by_datumaro_and_supervision(source: Source, tmp_path: Path) -> None:
    kept = exported(source, tmp_path / "out", "voc")
    says = read_with("read_pixels.py", tmp_path / "out", "voc")
    wanted = sorted([frame_stem(frame), i.category, *i.box] for frame, i in kept)
    assert sorted(box[:6] for box in says["datumaro"]["boxes"]) == wanted
    areas: dict[str, int] = {}
    for _, instance in kept:
        areas[instance.category] = areas.get(instance.category, 0) + (instance.visible_px or 0)
    assert says["datumaro"]["areas"] == says["segmentation"]["areas"] == areas
    assert says["datumaro"]["masks"] == len(kept)
    assert says["datumaro"]["subsets"] == ["train", "val"]
    assert says["supervision"]["boxes"] == sorted([frame_stem(frame), i.category, *xyxy(i)] for frame, i in kept)
    if any(i.amodal for _, i in kept):
        cut = sorted([frame_stem(frame), i.category, *i.box, int((i.truncation or 0) > 0)] for frame, i in kept)
        assert sorted(box[:7] for box in says["datumaro"]["boxes"]) == cut


def test_cityscapes_pixels_are_read_by_datumaro_and_torchvision(source: Source, tmp_path: Path) -> None:
    """datumaro takes instance ids for class ids, so it is asked about classes that are no things."""
    classes = {c.key: {"name": c.key, "isthing": False} for c in source.categories}
    kept = exported(source, tmp_path / "out", "cityscapes", classes=classes)
    says = read_with("read_pixels.py", tmp_path / "out", "cityscapes")
    areas: dict[str, int] = {}
    for _, instance in kept:
        areas[instance.category] = areas.get(instance.category, 0) + (instance.visible_px or 0)
    assert says["datumaro"]["areas"] == areas
    assert says["datumaro"]["items"] == says["torchvision"]["images"] == frame_count(source)
    number = {c.key: str(place) for place, c in enumerate(source.categories, start=1)}
    assert {k: v for k, v in says["torchvision"]["areas"].items() if k != "0"} == {
        number[k]: v for k, v in areas.items()
    }
    assert says["torchvision"]["objects"] == len(kept)
