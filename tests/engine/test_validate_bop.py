"""Faults planted into a clean BOP folder: the check names exactly the rule that was broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.validate.detect import check
from engine.validate.folder import Folder
from tests.engine.validate_samples import HEIGHT, WIDTH, write_bop, write_json


def rules_of(root: Path) -> list[str]:
    return sorted({finding.rule for finding in check(Folder(root), ("bop",))})


Change = Callable[[Any], object]


def pose(**values: Any) -> tuple[str, Change]:
    return "scene_gt", lambda data: data["0"][0].update(values)


def info(**values: Any) -> tuple[str, Change]:
    return "scene_gt_info", lambda data: data["0"][0].update(values)


def camera(**values: Any) -> tuple[str, Change]:
    return "scene_camera", lambda data: data["0"].update(values)


def in_metres(data: Any) -> None:
    for objects in data.values():
        for entry in objects:
            entry["cam_t_m2c"] = [value / 1000 for value in entry["cam_t_m2c"]]


TURN = [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
DATA_FAULTS: dict[str, tuple[tuple[str, Change], str]] = {
    "visib_fract of boxes": (info(visib_fract=0.5), "visib-fract-wrong"),
    "visib_fract in percent": (info(visib_fract=93.1), "visib-fract-wrong"),
    "more visible than there is": (info(px_count_visib=9999), "pixel-counts-order"),
    "counts of text": (info(px_count_all="many"), "pixel-counts-order"),
    "visible pixels of another mask": (
        ("scene_gt_info", lambda d: d["0"][0].update(px_count_visib=10, visib_fract=10 / d["0"][0]["px_count_all"])),
        "pixels-not-mask",
    ),
    "visible box outside the whole": (info(bbox_obj=[10, 10, 5, 5]), "box-visib-outside-obj"),
    "visible box not of its mask": (
        ("scene_gt_info", lambda d: d["0"][0].update(bbox_visib=[8, 8, 4, 4])), "box-not-mask"
    ),
    "box of no size": (info(bbox_obj=[6, 6, 0, 12]), "box-invalid"),
    "rotation scaled": (pose(cam_R_m2c=[2 * value for value in TURN]), "rotation-malformed"),
    "rotation mirrored": (pose(cam_R_m2c=[1, 0, 0, 0, 1, 0, 0, 0, -1]), "rotation-mirrored"),
    "rotation as a quaternion": (pose(cam_R_m2c=[1, 0, 0, 0]), "rotation-malformed"),
    "translation of text": (pose(cam_t_m2c=["a", 0, 1]), "translation-malformed"),
    "object behind": (pose(cam_t_m2c=[0, 0, -700]), "object-behind"),
    "object zero": (pose(obj_id=0), "object-id-invalid"),
    "object without model": (pose(obj_id=7), "object-without-model"),
    "object twice": (("scene_gt", lambda d: d["0"].__setitem__(1, dict(d["0"][0]))), "row-duplicate"),
    "an object too many": (("scene_gt_info", lambda d: d["0"].pop()), "gt-info-length"),
    "an image too few": (("scene_camera", lambda d: d.pop("1")), "scene-image-missing"),
    "an image too many": (("scene_camera", lambda d: d.update({"7": d["1"]})), "scene-image-missing"),
    "depth_scale missing": (("scene_camera", lambda d: d["0"].pop("depth_scale")), "depth-scale-missing"),
    "cam_K of four": (camera(cam_K=[50, 50, 32, 24]), "camera-malformed"),
    "cam_K transposed": (camera(cam_K=[50, 0, 0, 0, 50, 0, 32, 24, 1]), "camera-malformed"),
    "camera mirrored": (camera(cam_R_w2c=[-1, 0, 0, 0, 1, 0, 0, 0, 1]), "rotation-mirrored"),
    "metres": (("scene_gt", in_metres), "translation-in-metres"),
}  # fmt: skip


@pytest.mark.parametrize("fault", DATA_FAULTS)
def test_a_planted_bop_fault_is_named_and_nothing_else(tmp_path: Path, fault: str) -> None:
    scene = write_bop(tmp_path)
    assert rules_of(tmp_path) == []
    (name, plant), rule = DATA_FAULTS[fault]
    path = scene / f"{name}.json"
    data = json.loads(path.read_text())
    plant(data)
    write_json(path, data)
    assert rules_of(tmp_path) == [rule]


def save(name: str, pixels: np.ndarray) -> Callable[[Path], object]:
    return lambda root: Image.fromarray(pixels).save(root / "train/000001" / name)


FULL = np.full((HEIGHT, WIDTH), 255, np.uint8)
FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "mask missing": (lambda root: (root / "train/000001/mask/000000_000001.png").unlink(), "mask-missing"),
    "mask of another size": (save("mask/000000_000001.png", FULL.T.copy()), "mask-size"),
    "mask smaller than visible": (save("mask/000000_000001.png", FULL * 0), "mask-visib-outside-mask"),
    "mask cut": (
        lambda root: (root / "train/000001/mask/000000_000001.png").write_bytes(b"\x89PNG"), "image-unreadable"
    ),
    "depth of 8 bits": (save("depth/000000.png", FULL), "depth-not-16-bit"),
    "depth clipped": (save("depth/000000.png", np.full((HEIGHT, WIDTH), 65535, np.uint16)), "depth-clipped"),
    "depth missing": (lambda root: (root / "train/000001/depth/000001.png").unlink(), "image-missing"),
    "picture missing": (lambda root: (root / "train/000001/rgb/000001.png").unlink(), "image-missing"),
    "model missing": (lambda root: (root / "models/obj_000002.ply").unlink(), "model-missing"),
    "diameter of metres": (
        lambda root: write_json(root / "models/models_info.json", {
            str(i): {"diameter": 0, "size_x": 1, "size_y": 1, "size_z": 1} for i in (1, 2)}), "model-invalid"
    ),
    "json cut": (lambda root: (root / "train/000001/scene_gt_info.json").write_text('{"0": ['), "file-unreadable"),
    "json is a list": (lambda root: write_json(root / "train/000001/scene_gt_info.json", []), "scene-lists"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FOLDERS)
def test_a_fault_of_a_bop_folder_is_named(tmp_path: Path, fault: str) -> None:
    write_bop(tmp_path)
    plant, rule = FOLDERS[fault]
    plant(tmp_path)
    assert rules_of(tmp_path) == [rule]


def test_what_the_toolkit_itself_writes_is_sound(tmp_path: Path) -> None:
    """Boxes end at the last pixel, of width 0 for one column; depth may be a TIFF; scene_gt_coco has whole boxes."""
    scene = write_bop(tmp_path)
    path = scene / "scene_gt_info.json"
    data = json.loads(path.read_text())
    entry = data["0"][0]
    x, y, _, height = entry["bbox_visib"]
    seen = np.zeros((HEIGHT, WIDTH), np.uint8)
    seen[y : y + height] = np.array(Image.open(scene / "mask/000000_000000.png"))[y : y + height] * (
        np.arange(WIDTH) == x + 4
    )
    rows = np.flatnonzero(seen.any(axis=1))
    save("mask_visib/000000_000000.png", seen)(tmp_path)
    count = int(np.count_nonzero(seen))
    entry.update(bbox_visib=[x + 4, int(rows[0]), 0, int(np.ptp(rows))], px_count_visib=count)
    entry["visib_fract"] = count / entry["px_count_all"]
    write_json(path, data)
    assert rules_of(tmp_path) == []
    for depth in sorted((scene / "depth").glob("*.png")):
        Image.open(depth).save(depth.with_suffix(".tif"))
        depth.unlink()
    write_json(scene / "scene_gt_coco.json", {"images": [], "annotations": [{}], "categories": []})
    assert rules_of(scene) == rules_of(tmp_path) == []
