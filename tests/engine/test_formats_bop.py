"""BOP folders hold poses, masks and depth that fit each other, in millimetres and OpenCV's axes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from engine.errors import UserError
from engine.formats.bop_models import diameter
from engine.formats.bop_read import read_bop_depth
from engine.formats.masks import decode
from engine.formats.ply import read_ply
from engine.formats.record import Frame, Instance
from tests.engine.exporting import exported, read_back
from tests.engine.scene_stage import write_stage
from tests.engine.solid_records import solid_records
from tests.engine.toy_records import toy_records

TRUCK = """
def Xform "World" { def Mesh "Truck" {
    double3 xformOp:translate = (500, 0, 0)
    float xformOp:rotateZ = 30
    uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:rotateZ"]
    point3f[] points = [(0, 0, 0), (200, 0, 0), (0, 100, 0), (0, 0, 300)]
    int[] faceVertexCounts = [3, 3, 3, 3]
    int[] faceVertexIndices = [0, 2, 1, 0, 1, 3, 1, 2, 3, 0, 3, 2]
    uniform token subdivisionScheme = "none"
} }
"""


def table(scene: Path, name: str) -> dict:
    return json.loads((scene / f"{name}.json").read_text())


def test_depth_by_cam_k_lies_on_the_models_boxes(tmp_path: Path) -> None:
    """Visible pixels, back-projected as the BOP toolkit does, are on the surface of the posed model's box."""
    exported(solid_records(tmp_path / "source", pitch_deg=25.0), "bop", tmp_path / "bop")
    scene = tmp_path / "bop/train/000000"
    camera, models = (
        table(scene, "scene_camera")["0"],
        json.loads((tmp_path / "bop/models/models_info.json").read_text()),
    )
    k = np.reshape(camera["cam_K"], (3, 3))
    depth = imageio.imread(scene / "depth/000000.png") * camera["depth_scale"]
    for position, truth in enumerate(table(scene, "scene_gt")["0"]):
        y, x = np.nonzero(imageio.imread(scene / f"mask_visib/000000_{position:06d}.png"))
        z = depth[y, x].astype(np.float64)
        points = np.stack([(x - k[0, 2]) * z / k[0, 0], (y - k[1, 2]) * z / k[1, 1], z], axis=1)
        own = (points - truth["cam_t_m2c"]) @ np.reshape(truth["cam_R_m2c"], (3, 3))
        model = models[str(truth["obj_id"])]
        half = np.array([model[f"size_{a}"] for a in "xyz"]) / 2
        assert np.abs((np.abs(own) - half).max(axis=1)).max() < 1.5 * camera["depth_scale"]
        assert [model[f"min_{a}"] for a in "xyz"] == pytest.approx((-half).tolist())
        assert model["diameter"] == pytest.approx(2 * np.linalg.norm(half))


def test_counts_boxes_and_masks_agree(tmp_path: Path) -> None:
    """Every number of scene_gt_info follows from the masks, or from the silhouette beyond the frame."""
    source = toy_records(tmp_path / "source", worlds=5)
    exported(source, "bop", tmp_path / "bop")
    beyond = 0
    for number, frame in enumerate(source.frames()):
        scene = tmp_path / f"bop/train/{number:06d}"
        valid = imageio.imread(scene / "depth/000000.png") > 0
        for position, (info, instance) in enumerate(
            zip(table(scene, "scene_gt_info")["0"], frame.instances, strict=True)
        ):
            masks = [imageio.imread(scene / f"{kind}/000000_{position:06d}.png") for kind in ("mask", "mask_visib")]
            assert all(set(np.unique(mask).tolist()) <= {0, 255} for mask in masks)
            whole, seen = (mask > 0 for mask in masks)
            y, x = np.nonzero(seen)
            assert info["bbox_visib"] == [x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]
            assert info["bbox_obj"] == list(instance.amodal.box)
            assert (info["px_count_visib"], info["px_count_valid"]) == (seen.sum(), (whole & valid).sum())
            assert info["px_count_all"] == instance.amodal.full_px >= whole.sum() == instance.amodal.in_frame_px
            assert info["visib_fract"] == info["px_count_visib"] / info["px_count_all"]
            assert not (seen & ~whole).any()
            beyond += info["px_count_all"] > whole.sum()
    assert beyond


def test_reading_gives_back_poses_boxes_and_masks(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source", steps=3, pitch_deg=25.0)
    exported(source, "bop", tmp_path / "bop", val=(2,))
    found = {frame.step: frame for frame in read_back("bop", tmp_path / "bop")}
    for frame in source.frames():
        other = found[frame.step]
        assert other.row["split"] == ("val" if frame.id == 2 else "train")
        assert other.k == pytest.approx(frame.k)
        assert other.world_from_camera == pytest.approx(frame.world_from_camera)
        depth = read_bop_depth(other.files["depth"], other.row["depth_scale"])
        exact = np.load(frame.files["depth"])
        assert np.array_equal(np.isfinite(depth), np.isfinite(exact))
        assert (
            np.abs(depth[np.isfinite(exact)] - exact[np.isfinite(exact)]).max()
            <= other.row["depth_scale"] * 0.5e-3 + 1e-6
        )
        for a, b in zip(frame.instances, other.instances, strict=True):
            assert (b.id, b.category, b.box, b.visible_px) == (a.id, a.category, a.box, a.visible_px)
            assert np.array_equal(decode(a.mask), decode(b.mask))
            assert (b.amodal.box, b.amodal.full_px) == (a.amodal.box, a.amodal.full_px)
            assert b.solid.size_m == pytest.approx(a.solid.size_m)
            center = a.solid.world_from_object[:, :3] @ a.solid.center_m + a.solid.world_from_object[:, 3]
            assert b.solid.world_from_object[:, :3] == pytest.approx(a.solid.world_from_object[:, :3])
            assert b.solid.world_from_object[:, 3] == pytest.approx(center)


def test_the_depth_scale_is_the_finest_that_does_not_clip(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source")
    (frame,) = source.frames()
    for farthest_m, scale in ((6.553, 0.1), (6.56, 0.2), (65.5, 1.0), (400.0, 10.0)):
        depth = np.full((frame.height, frame.width), farthest_m, np.float32)
        np.save(frame.files["depth"], depth)
        exported(source, "bop", tmp_path / f"bop{farthest_m}")
        scene = tmp_path / f"bop{farthest_m}/train/000000"
        assert table(scene, "scene_camera")["0"]["depth_scale"] == pytest.approx(scale)
        stored = imageio.imread(scene / "depth/000000.png") * scale / 1000
        assert np.abs(stored - depth).max() <= scale / 1000


def test_objects_are_numbered_by_asset_or_by_class(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source")  # a truck and two cartons of different sizes
    for objects, ids in (("asset", [1, 2, 3]), ("class", [2, 1, 1])):
        exported(source, "bop", tmp_path / objects, objects=objects)
        truth = table(tmp_path / objects / "train/000000", "scene_gt")["0"]
        assert [row["obj_id"] for row in truth] == ids
        assert len(json.loads((tmp_path / objects / "models/models_info.json").read_text())) == max(ids)


def test_meshes_of_the_scene_become_models(tmp_path: Path) -> None:
    """With usd= the model is the prim's mesh in mm around its box's centre, scaled as in the dataset."""
    scene = write_stage(tmp_path, TRUCK, meters_per_unit=0.01)
    source = solid_records(tmp_path / "source")
    (frame,) = source.frames()
    truck = frame.instances[0]
    named = Instance(**{**vars(truck), "path": "/World/Truck"})
    one = type(source)("one", source.categories, (Frame(**{**vars(frame), "instances": (named,)}),))
    exported(one, "bop", tmp_path / "bop", usd=str(scene))
    points, _ = read_ply(tmp_path / "bop/models/obj_000001.ply")
    table_ = np.stack([points[name] for name in "xyz"], axis=1)
    assert table_.max(axis=0) == pytest.approx(truck.solid.size_m * 500)
    assert table_.min(axis=0) == pytest.approx(truck.solid.size_m * -500)
    info = json.loads((tmp_path / "bop/models/models_info.json").read_text())["1"]
    assert info["diameter"] == pytest.approx(max(math.dist(a, b) for a in table_ for b in table_), rel=1e-6)
    with pytest.raises(UserError, match="/Box_1"):
        exported(source, "bop", tmp_path / "other", usd=str(scene))


def test_models_without_a_scene_are_boxes_seen_from_outside(tmp_path: Path) -> None:
    """The mesh encloses the box once, counter-clockwise: by the divergence theorem its volume is the sides' product."""
    source = solid_records(tmp_path / "source")
    exported(source, "bop", tmp_path / "bop")
    for number, size in ((1, (4.0, 2.0, 1.8)), (2, (0.8, 1.1, 0.7))):
        data = (tmp_path / f"bop/models/obj_{number:06d}.ply").read_bytes()
        body = data[data.index(b"end_header\n") + 11 :]
        points = np.frombuffer(body, "<f4", 24).reshape(8, 3).astype(np.float64) / 1000
        faces = np.frombuffer(body, [("n", "u1"), ("corner", "<i4", 3)], offset=96)
        a, b, c = (points[faces["corner"][:, corner]] for corner in range(3))
        assert (faces["n"] == 3).all()
        assert (np.cross(a, b) * c).sum() / 6 == pytest.approx(math.prod(size), rel=1e-6)
        assert np.abs(points).max(axis=0) * 2 == pytest.approx(size)


def test_the_diameter_is_the_largest_distance_of_two_points() -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    brute = max(math.dist(a, b) for a in points for b in points)
    assert diameter(points) == pytest.approx(brute)
    assert diameter(points * [1.0, 1.0, 0.0]) == pytest.approx(
        max(math.dist(a[:2], b[:2]) for a in points for b in points)
    )


def test_what_the_dataset_lacks_is_named(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source")
    (frame,) = source.frames()
    for field, message in (("amodal", "labels.amodal=true"), ("solid", "poses and boxes")):
        lacking = tuple(Instance(**{**vars(instance), field: None}) for instance in frame.instances)
        poorer = type(source)("poor", source.categories, (Frame(**{**vars(frame), "instances": lacking}),))
        with pytest.raises(UserError, match=message):
            exported(poorer, "bop", tmp_path / field)


def test_tables_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    exported(solid_records(tmp_path / "source"), "bop", tmp_path / "bop")
    scene = tmp_path / "bop/train/000000"
    truth = table(scene, "scene_gt")
    for broken in ({"0": truth["0"][:2]}, {"0": [{"obj_id": 1}] * 3}, {"0": 7}, []):
        (scene / "scene_gt.json").write_text(json.dumps(broken))
        with pytest.raises(UserError, match="do not fit together"):
            read_back("bop", tmp_path / "bop")
