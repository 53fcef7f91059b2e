"""Exports of a rendered dataset hold together in space: depth, sweeps, silhouettes and boxes, by arithmetic alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

import engine
from engine.formats.index import IndexSource, open_dataset
from engine.formats.kitti_label import KittiLabel, parse_calibration, parse_label
from engine.formats.kitti_read import read_velodyne
from engine.formats.masks import decode
from engine.formats.nocs_read import read_coordinates
from engine.formats.ply import read_ply
from tests.engine.exporting import exported, read_back

pytestmark = pytest.mark.judge

MILLIMETRE_FILES_M = 1.0e-3  # depth files hold whole millimetres
LARGEST_SLANT = 4.0  # of a pixel's ray along the optical axis, in the corner of these pictures
EXACT_LIDAR = (
    "lidar.beam.subrays=1",
    *(f"lidar.detector.range_{what}_m=0" for what in ("sigma", "walk", "step")),
)  # a ray a beam, and ranges as they are


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> IndexSource:
    out = tmp_path_factory.mktemp("rendered") / "out"
    small = ("+scene=warehouse", "count=2", "rig.width=192", "rig.height=144", "device=cpu", "lidar=spinning_32")
    recipe, job = engine.compose(*small, *EXACT_LIDAR, "write=[coco,pointcloud]", f"out={out}")
    engine.generate(recipe, job)
    return open_dataset(out)


def corners_of(label: KittiLabel) -> np.ndarray:
    """Return the corners [8, 3] of a line's box as the development kit makes them."""
    box = label.solid
    assert box is not None
    turn = np.array([[math.cos(box.rotation_y_rad), 0, math.sin(box.rotation_y_rad)], [0, 1, 0],
                     [-math.sin(box.rotation_y_rad), 0, math.cos(box.rotation_y_rad)]])  # fmt: skip
    signs = np.array([[(i >> a & 1) - 0.5 for a in range(3)] for i in range(8)])
    local = signs * [box.length_m, box.height_m, box.width_m] - [0, box.height_m / 2, 0]
    return local @ turn.T + box.bottom_m


def test_kitti_boxes_enclose_silhouettes_and_sweeps(source: IndexSource, tmp_path: Path) -> None:
    """In a level frame, P2 projects every box around the whole silhouette; sweeps lie in the boxes of what they met."""
    exported(source, "kitti", tmp_path / "kitti", frame="level")
    root, compared, returns = tmp_path / "kitti/training", 0, 0
    for number, frame in enumerate(source.frames()):
        matrices = parse_calibration((root / f"calib/{number:06d}.txt").read_text(), "calib")
        lines = (root / f"label_2/{number:06d}.txt").read_text().splitlines()
        labels = [parse_label(line, "label") for line in lines]
        held = [i for i in frame.instances if min(i.solid.size_m) >= 1.0e-3]
        points = read_velodyne(root / f"velodyne/{number:06d}.bin")[:, :3]
        moving, ids = matrices["Tr_velo_to_cam"], read_ply(frame.files["pointcloud"])[0]["instance"]
        place = (points @ moving[:, :3].T + moving[:, 3]) @ matrices["R0_rect"].T
        for label, instance in zip(labels, held, strict=True):
            corners = corners_of(label)
            seen = corners @ matrices["P2"][:, :3].T
            if seen[:, 2].min() > 0.0:
                pixels = seen[:, :2] / seen[:, 2:]
                around = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
                assert (around[:2] <= np.array(label.box[:2]) + 0.5).all()
                assert (around[2:] >= np.array(label.box[2:]) - 0.5).all()
                compared += 1
            center, axes = corners.mean(axis=0), np.stack([corners[1 << a] - corners[0] for a in range(3)])
            length = np.linalg.norm(axes, axis=1)
            own = np.abs((place[ids == instance.id] - center) @ (axes / length[:, None]).T) - length / 2
            assert own.max(initial=-1.0) < 1.0e-4  # [m], of float32 ranges
            returns += len(own)
    assert compared > 50
    assert returns > 10_000


def test_bop_depth_lies_in_the_models(source: IndexSource, tmp_path: Path) -> None:
    exported(source, "bop", tmp_path / "bop")
    models = json.loads((tmp_path / "bop/models/models_info.json").read_text())
    for scene in sorted((tmp_path / "bop/train").iterdir()):
        camera = json.loads((scene / "scene_camera.json").read_text())["0"]
        k, scale = np.reshape(camera["cam_K"], (3, 3)), camera["depth_scale"]
        depth = imageio.imread(scene / "depth/000000.png") * float(scale)
        for position, truth in enumerate(json.loads((scene / "scene_gt.json").read_text())["0"]):
            visible = imageio.imread(scene / f"mask_visib/000000_{position:06d}.png") > 0
            y, x = np.nonzero(visible & (depth > 0))
            z = depth[y, x]
            points = np.stack([(x - k[0, 2]) * z / k[0, 0], (y - k[1, 2]) * z / k[1, 1], z], axis=1)
            own = (points - truth["cam_t_m2c"]) @ np.reshape(truth["cam_R_m2c"], (3, 3))
            half = np.array([models[str(truth["obj_id"])][f"size_{a}"] for a in "xyz"]) / 2
            assert (np.abs(own) - half).max(initial=-1.0) < (scale / 2 + 1000 * MILLIMETRE_FILES_M) * LARGEST_SLANT


def test_nocs_maps_stay_in_their_boxes(source: IndexSource, tmp_path: Path) -> None:
    exported(source, "nocs", tmp_path / "nocs")
    for frame in read_back("nocs", tmp_path / "nocs"):
        coord = read_coordinates(frame.files["coord"])
        for instance in frame.instances:
            seen = decode(instance.mask)
            half = instance.solid.size_m / np.linalg.norm(instance.solid.size_m) / 2
            off_m = MILLIMETRE_FILES_M * LARGEST_SLANT / np.linalg.norm(instance.solid.size_m)
            assert (np.abs(coord[seen] - 0.5) - half).max() <= 0.5 / 255 + off_m


@pytest.mark.parametrize("name", ["webdataset", "huggingface", "pointcloud"])
def test_bundles_give_back_what_the_index_says(source: IndexSource, tmp_path: Path, name: str) -> None:
    exported(source, name, tmp_path / "out")
    for frame, found in zip(source.frames(), read_back(name, tmp_path / "out"), strict=True):
        assert found.world_from_camera == pytest.approx(frame.world_from_camera)
        assert [(i.id, i.category, i.box, i.visible_px, i.mask.counts) for i in found.instances] == [
            (i.id, i.category, i.box, i.visible_px, i.mask.counts) for i in frame.instances
        ]
