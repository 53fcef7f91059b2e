"""KITTI's lines say where boxes stand, in its own frames; geometry is checked by matrices written out here."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from engine.errors import UserError
from engine.formats.axes import box_corners, moved, opencv_from_object, opencv_from_world
from engine.formats.kitti_images import kitti_depth, read_kitti_depth
from engine.formats.kitti_label import (
    KittiLabel,
    format_label,
    kitti_box,
    level_from_opencv,
    parse_calibration,
    parse_label,
)
from engine.formats.kitti_read import read_velodyne
from engine.formats.ply import read_ply
from engine.formats.record import Frame, Instance, Solid
from engine.write.encode import encode_png
from engine.write.flow_files import encode_flo
from tests.engine.exporting import exported, read_back
from tests.engine.solid_records import HEIGHT, SENSOR_FROM_MOUNT_M, WIDTH, solid_records, solids
from tests.engine.toy_records import toy_records


def lines_of(out: Path, stem: str) -> list[list[str]]:
    return [line.split() for line in (out / "training/label_2" / f"{stem}.txt").read_text().splitlines()]


def kitti_corners(words: list[str]) -> np.ndarray:
    """Return the corners [8, 3] as the development kit's computeBox3D.m makes them."""
    h, w, length, x, y, z, yaw = map(float, words[8:15])
    turn = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    across = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
    along = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * w / 2
    return (turn @ np.array([across, [0] * 4 + [-h] * 4, along])).T + np.array([x, y, z])


def test_a_box_before_a_level_camera_is_the_object_s_own(tmp_path: Path) -> None:
    """The development kit's corners of a line are those of the record's box, whatever their order."""
    source = solid_records(tmp_path / "source")
    exported(source, "kitti", tmp_path / "kitti")
    (frame,) = source.frames()
    for words, instance in zip(lines_of(tmp_path / "kitti", "000000"), frame.instances, strict=True):
        assert instance.solid is not None
        world = moved(np.vstack([instance.solid.world_from_object, [0, 0, 0, 1]]), box_corners(instance.solid))
        expected = (world - frame.world_from_camera[:3, 3]) * [1, 1, -1]
        expected = expected[:, [0, 2, 1]]  # the camera looks along the world's y
        found = kitti_corners(words)
        assert np.abs(found[:, None] - expected[None]).max(axis=-1).min(axis=1) == pytest.approx(np.zeros(8), abs=2e-6)


def test_projected_boxes_are_the_silhouettes_of_boxes(tmp_path: Path) -> None:
    """Corners that P2 projects lie within a pixel of the amodal box, and the depth of the nearest is the label's z."""
    exported(solid_records(tmp_path / "source"), "kitti", tmp_path / "kitti")
    matrices = parse_calibration((tmp_path / "kitti/training/calib/000000.txt").read_text(), "calib")
    for words in lines_of(tmp_path / "kitti", "000000"):
        seen = kitti_corners(words) @ matrices["P2"][:, :3].T + matrices["P2"][:, 3]
        pixels = np.clip(seen[:, :2] / seen[:, 2:], 0, [WIDTH, HEIGHT])
        box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
        assert np.abs(box - [float(word) for word in words[4:8]]).max() < 1.0


def test_alpha_is_the_angle_from_the_ray_to_the_heading(tmp_path: Path) -> None:
    """Turning the camera about its y by the direction to the object makes rotation_y the observation angle."""
    exported(solid_records(tmp_path / "source"), "kitti", tmp_path / "kitti")
    for words in lines_of(tmp_path / "kitti", "000000"):
        alpha, x, z, yaw = (float(words[i]) for i in (3, 11, 13, 14))
        ray, heading = np.array([x, z]), np.array([math.cos(yaw), -math.sin(yaw)])
        across = ray[1] * heading[0] - ray[0] * heading[1]  # of the ray's right with the heading
        ahead = ray @ heading
        assert math.atan2(-ahead, across) == pytest.approx(alpha, abs=1e-5)


@pytest.mark.parametrize("pitch_deg", [0.0, 20.0, 35.0])
def test_what_kitti_cannot_say_of_a_tilted_camera_is_its_pitch(tmp_path: Path, pitch_deg: float) -> None:
    """The residual of an upright object is the camera's pitch; centre and size are exact all the same."""
    (frame,) = solid_records(tmp_path, pitch_deg=pitch_deg).frames()
    for instance in frame.instances:
        assert instance.solid is not None
        box, tilt_rad = kitti_box(frame, instance.solid)
        center = moved(opencv_from_object(frame, instance.solid), instance.solid.center_m)
        assert math.degrees(tilt_rad) == pytest.approx(pitch_deg, abs=1e-6)
        assert np.subtract(box.bottom_m, [0, box.height_m / 2, 0]) == pytest.approx(center)
        assert (box.length_m, box.width_m, box.height_m) == pytest.approx(instance.solid.size_m)


@pytest.mark.parametrize("pitch_deg", [-20.0, 35.0, 75.0])
def test_a_level_frame_holds_upright_objects_before_any_camera(tmp_path: Path, pitch_deg: float) -> None:
    """P2 of a level frame projects boxes onto their silhouettes; R0_rect after Tr_velo_to_cam puts points on them."""
    source = solid_records(tmp_path / "source", pitch_deg=pitch_deg)
    (frame,) = source.frames()
    exported(source, "kitti", tmp_path / "kitti", frame="level", most_tilt_deg=0.001)
    matrices = parse_calibration((tmp_path / "kitti/training/calib/000000.txt").read_text(), "calib")
    rectified, moving = matrices["R0_rect"], matrices["Tr_velo_to_cam"]
    assert np.linalg.det(rectified) == pytest.approx(1.0)
    lines = lines_of(tmp_path / "kitti", "000000")
    assert len(lines) == len(frame.instances)
    off = []
    points = read_velodyne(tmp_path / "kitti/training/velodyne/000000.bin")
    camera = (points[:, :3] @ moving[:, :3].T + moving[:, 3]) @ rectified.T
    for words in lines:
        corners = kitti_corners(words)
        seen = corners @ matrices["P2"][:, :3].T
        if seen[:, 2].min() > 0:
            pixels = np.clip(seen[:, :2] / seen[:, 2:], 0, [WIDTH, HEIGHT])
            box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
            assert np.abs(box - [float(word) for word in words[4:8]]).max() < 1.0
        center, sides = corners.mean(axis=0), corners - corners.mean(axis=0)
        axes = np.stack([sides[0] - sides[3], sides[0] - sides[4], sides[0] - sides[1]])
        length = np.linalg.norm(axes, axis=1)
        off.append((np.abs((camera - center) @ (axes / length[:, None]).T) - length / 2).max(axis=1))
    ids = read_ply(frame.files["pointcloud"])[0]["instance"]
    for instance, from_box in zip(frame.instances, off, strict=True):
        assert (ids == instance.id).sum() > 10
        assert np.abs(from_box[ids == instance.id]).max() < 1e-5
    (found,) = read_back("kitti", tmp_path / "kitti")
    assert found.k == pytest.approx(frame.k, abs=1e-9)
    for a, b in zip(frame.instances, found.instances, strict=True):
        seen_from = [moved(opencv_from_object(f, i.solid), box_corners(i.solid)) for f, i in ((frame, a), (found, b))]
        assert seen_from[1] == pytest.approx(seen_from[0], abs=3e-6)


def test_a_camera_that_looks_straight_down_has_a_level_frame() -> None:
    """Its heading is that of the picture's top, whether it looks down or up."""
    for side, back in ((1.0, [0.0, 0.0, 1.0]), (-1.0, [0.0, 0.0, -1.0])):
        pose = np.eye(4)
        pose[:3, :3] = np.column_stack([[1.0, 0, 0], np.cross(back, [1.0, 0, 0]), back])
        frame = Frame(0, WIDTH, HEIGHT, (), {}, k=np.eye(3), world_from_camera=pose)
        turn = level_from_opencv(frame)
        assert turn @ turn.T == pytest.approx(np.eye(3))
        assert turn @ [0.0, 0.0, 1.0] == pytest.approx([0.0, side, 0.0])  # the optical axis is the level frame's down
        assert (turn @ [1.0, 0.0, 0.0])[0] == pytest.approx(1.0)


def test_objects_that_kitti_cannot_hold_are_dropped_or_cared_for_no_more(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source", pitch_deg=20.0)
    drops = exported(source, "kitti", tmp_path / "a", frame="camera", most_tilt_deg=19.0, unfit="dont_care")
    assert sum(drops.values()) == 3
    assert [words[0] for words in lines_of(tmp_path / "a", "000000")] == ["DontCare"] * 3
    exported(source, "kitti", tmp_path / "b", frame="camera", most_tilt_deg=19.0)
    assert lines_of(tmp_path / "b", "000000") == []
    assert len(read_back("kitti", tmp_path / "b")) == 1


def test_an_object_on_its_side_has_the_height_of_the_axis_that_is_up() -> None:
    """A truck on its left side is as high as it was wide, and heads where it headed."""
    (solid, *_), pose = solids(0), np.eye(4)
    pose[:3, :3] = [[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]  # level, looks along the world's y
    roll = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    turned = np.column_stack([solid.world_from_object[:, :3] @ roll, solid.world_from_object[:, 3]])
    frame = Frame(0, WIDTH, HEIGHT, (), {}, k=np.eye(3), world_from_camera=pose)
    up, _ = kitti_box(frame, solid)
    side, tilt_rad = kitti_box(frame, type(solid)(turned, solid.size_m, solid.center_m, solid.corners_px))
    assert (side.height_m, side.width_m, side.length_m) == (up.width_m, up.height_m, up.length_m)
    assert side.rotation_y_rad == pytest.approx(up.rotation_y_rad)
    assert tilt_rad == pytest.approx(0.0, abs=1e-7)


def test_labels_carry_exact_truncation_and_levels_of_occlusion(tmp_path: Path) -> None:
    source = toy_records(tmp_path / "source", worlds=6)
    exported(source, "kitti", tmp_path / "kitti", partly_occluded_from=0.05, largely_occluded_from=0.4)
    levels = set()
    for number, frame in enumerate(source.frames()):
        for words, instance in zip(lines_of(tmp_path / "kitti", f"{number:06d}"), frame.instances, strict=True):
            assert instance.amodal is not None
            assert float(words[1]) == pytest.approx(1 - instance.amodal.in_frame_px / instance.amodal.full_px, abs=1e-6)
            hidden = 1 - instance.visible_px / instance.amodal.in_frame_px
            assert int(words[2]) == (hidden >= 0.05) + (hidden >= 0.4)
            levels.add(words[2])
    assert levels == {"0", "1", "2"}


def test_reading_gives_back_boxes_poses_and_splits(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source", steps=3)
    exported(source, "kitti", tmp_path / "kitti", val=(1,), box="visible")
    for frame, found in zip(source.frames(), read_back("kitti", tmp_path / "kitti"), strict=True):
        assert found.row["split"] == ("val" if frame.id == 1 else "train")
        assert np.array_equal(found.k, frame.k)
        for instance, other in zip(frame.instances, found.instances, strict=True):
            assert (other.category, other.box) == (instance.category, instance.box)
            world = moved(np.vstack([instance.solid.world_from_object, [0, 0, 0, 1]]), box_corners(instance.solid))
            there = moved(np.vstack([other.solid.world_from_object, [0, 0, 0, 1]]), box_corners(other.solid))
            turned = moved(np.diag([1.0, -1.0, -1.0, 1.0]) @ opencv_from_world(frame), world)
            assert there == pytest.approx(turned, abs=2e-6)


def test_velodyne_points_lie_on_the_boxes_of_the_labels(tmp_path: Path) -> None:
    """Every point, by Tr_velo_to_cam alone, is on the surface of a labelled box; reflectances are clipped to 1."""
    exported(solid_records(tmp_path / "source"), "kitti", tmp_path / "kitti")
    points = read_velodyne(tmp_path / "kitti/training/velodyne/000000.bin")
    matrices = parse_calibration((tmp_path / "kitti/training/calib/000000.txt").read_text(), "calib")
    assert matrices["Tr_velo_to_cam"][:, 3] == pytest.approx(SENSOR_FROM_MOUNT_M[[0, 2, 1]] * [1, -1, 1])
    camera = points[:, :3] @ matrices["Tr_velo_to_cam"][:, :3].T + matrices["Tr_velo_to_cam"][:, 3]
    off = []
    for words in lines_of(tmp_path / "kitti", "000000"):
        h, w, length, x, y, z, yaw = map(float, words[8:15])
        turn = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
        own = (camera - [x, y - h / 2, z]) @ turn
        off.append((np.abs(own) - np.array([length, h, w]) / 2).max(axis=1))
    assert len(points) > 100
    assert np.abs(np.array(off)).min(axis=0).max() < 1e-5
    assert (points[:, 3] == 1.0).all()


def test_two_dimensional_labels_say_that_space_is_unknown(tmp_path: Path) -> None:
    exported(solid_records(tmp_path / "source"), "kitti-2d", tmp_path / "kitti")
    for words in lines_of(tmp_path / "kitti", "000000"):
        assert [words[3], *words[8:]] == ["-10", "-1", "-1", "-1", "-1000", "-1000", "-1000", "-10"]
    (frame,) = read_back("kitti-2d", tmp_path / "kitti")
    assert all(instance.solid is None for instance in frame.instances)


def test_images_of_depth_keep_their_steps(tmp_path: Path) -> None:
    """Depth is exact to 1/512 m; what is unknown or does not fit is unknown, and nothing near becomes so."""
    depth_m = np.array([[0.5, 255.99, 256.0], [np.inf, 0.0001, 12.3456]])
    (tmp_path / "d.png").write_bytes(encode_png(kitti_depth(depth_m)))
    found = read_kitti_depth(tmp_path / "d.png")
    assert np.array_equal(np.isfinite(found), [[True, True, False], [False, True, True]])
    assert np.abs(found[0, :2] - depth_m[0, :2]).max() <= 1 / 512
    assert found[1, 2] == pytest.approx(12.3456, abs=1 / 512)


def test_flow_goes_along(tmp_path: Path) -> None:
    """A dataset's .flo becomes KITTI's image, to 1/128 px; what is unknown stays so."""
    source = solid_records(tmp_path / "source")
    (frame,) = source.frames()
    flow_px = np.random.default_rng(3).normal(0, 20, (HEIGHT, WIDTH, 2)).astype(np.float32)
    flow_px[:5] = np.nan
    flow = tmp_path / "source/a.flo"
    flow.write_bytes(encode_flo(flow_px))
    moving = Frame(**{**vars(frame), "files": {**frame.files, "flow_forward": flow}})
    exported(type(source)("moving", source.categories, (moving,)), "kitti", tmp_path / "kitti")
    (found,) = read_back("kitti", tmp_path / "kitti")
    stored = oiio.ImageBuf(str(found.files["flow_forward"])).get_pixels(oiio.UINT16)
    known = ~np.isnan(flow_px[..., 0])
    assert np.array_equal(stored[..., 2], known)
    assert np.abs((stored[..., :2] - 2.0**15) / 64 - flow_px)[known].max() <= 1 / 128


def test_floors_are_no_objects_of_kitti(tmp_path: Path) -> None:
    """What is flat, or has its centre behind the camera, is dropped and counted with its reason."""
    source = solid_records(tmp_path / "source")
    (frame,) = source.frames()
    truck = frame.instances[0]
    behind = truck.solid.world_from_object - np.array([[0, 0, 0, 0], [0, 0, 0, 20.0], [0, 0, 0, 0]])
    for reason, change in (("behind", {"world_from_object": behind}), ("flat", {"size_m": np.array([4.0, 2.0, 0.0])})):
        floor = Instance(**{**vars(truck), "solid": Solid(**{**vars(truck.solid), **change})})
        one = type(source)("floor", source.categories, (Frame(**{**vars(frame), "instances": (floor,)}),))
        drops = exported(one, "kitti", tmp_path / reason)
        assert list(drops.values()) == [1]
        assert lines_of(tmp_path / reason, "000000") == []


def test_what_is_no_label_is_refused_with_its_line() -> None:
    good = format_label(KittiLabel("car", 0.0, 0, (0.0, 0.0, 1.0, 1.0)))
    assert parse_label(good + " 0.5", "x").solid is None  # a result, with a score
    for line in ("car 1 2", good.replace("car 0", "car ?"), good + " 1 2"):
        with pytest.raises(UserError, match="line 3"):
            parse_label(line, "a.txt, line 3")
    with pytest.raises(UserError, match="fork lift"):
        format_label(KittiLabel("fork lift", 0.0, 0, (0.0, 0.0, 1.0, 1.0)))


def test_a_lens_that_bends_is_refused(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source")
    (frame,) = source.frames()
    bent = type(source)("bent", source.categories, (Frame(**{**vars(frame), "row": {"lens_model": "kannala_brandt"}}),))
    with pytest.raises(UserError, match="lens=as_authored"):
        exported(bent, "kitti", tmp_path / "kitti")
