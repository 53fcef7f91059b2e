"""NOCS images hold coordinates that lead back to where points are."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from engine.errors import UserError
from engine.formats.axes import box_corners, moved, opencv_from_world
from engine.formats.masks import decode
from engine.formats.nocs import nocs_map
from engine.formats.nocs_read import read_coordinates
from tests.engine.exporting import exported, read_back
from tests.engine.solid_records import solid_records


def test_coordinates_of_a_box_lie_on_its_faces(tmp_path: Path) -> None:
    """In float64 every visible pixel is on the surface of the box of diagonal 1 around (0.5, 0.5, 0.5)."""
    (frame,) = solid_records(tmp_path, pitch_deg=30.0).frames()
    depth_m = np.load(frame.files["depth"]).astype(np.float64)
    for instance in frame.instances:
        pixels, place = nocs_map(frame, instance, depth_m)
        half = instance.solid.size_m / np.linalg.norm(instance.solid.size_m) / 2
        assert pixels.sum() == instance.visible_px
        assert np.abs((np.abs(place - 0.5) - half).max(axis=1)).max() < 1e-6


def test_files_lead_back_to_the_depth_image(tmp_path: Path) -> None:
    """From coord, mask and pose alone: points come out at the planar depth of the depth image, to the 8 bits."""
    exported(solid_records(tmp_path / "source", pitch_deg=30.0), "nocs", tmp_path / "nocs")
    stem = tmp_path / "nocs/train/w000000_c00/0000"
    coord, mask = read_coordinates(Path(f"{stem}_coord.png")), imageio.imread(f"{stem}_mask.png")[..., 0]
    depth_m = imageio.imread(f"{stem}_depth.png") / 1000
    pose = json.loads(Path(f"{stem}_pose.json").read_text())
    k = np.reshape(pose["opencv_k"], (3, 3))
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    for number, entry in pose["instances"].items():
        seen = mask == int(number)
        matrix, size = np.reshape(entry["opencv_from_object"], (3, 4)), np.array(entry["box_size_m"])
        diagonal_m = np.linalg.norm(size)
        own = (coord[seen] - 0.5) * diagonal_m + entry["box_center_m"]
        camera = own @ matrix[:, :3].T + matrix[:, 3]
        step_m = diagonal_m * np.sqrt(3) / 2 / 255 + 1e-3
        assert np.abs(camera[:, 2] - depth_m[seen]).max() < step_m
        pixels = camera @ k.T
        off = np.hypot(pixels[:, 0] / pixels[:, 2] - x[seen], pixels[:, 1] / pixels[:, 2] - y[seen])
        assert (off * camera[:, 2] / k[0, 0]).max() < step_m
    assert (mask == 255).sum() + sum((mask == int(n)).sum() for n in pose["instances"]) == mask.size


def test_reading_gives_back_masks_classes_and_poses(tmp_path: Path) -> None:
    source = solid_records(tmp_path / "source", steps=2)
    exported(source, "nocs", tmp_path / "nocs", val=(1,))
    for frame, found in zip(source.frames(), read_back("nocs", tmp_path / "nocs"), strict=True):
        assert found.row["split"] == ("val" if frame.id == 1 else "train")
        assert found.k == pytest.approx(frame.k)
        for a, b in zip(frame.instances, found.instances, strict=True):
            assert (b.id, b.category, b.box, b.visible_px) == (a.id, a.category, a.box, a.visible_px)
            assert np.array_equal(decode(a.mask), decode(b.mask))
            assert b.extra["model"] == f"{a.solid.asset:016x}"
            world = moved(np.vstack([a.solid.world_from_object, [0, 0, 0, 1]]), box_corners(a.solid))
            there = moved(np.vstack([b.solid.world_from_object, [0, 0, 0, 1]]), box_corners(b.solid))
            assert there == pytest.approx(moved(np.diag([1.0, -1, -1, 1]) @ opencv_from_world(frame), world))


def test_a_broken_meta_file_is_refused(tmp_path: Path) -> None:
    exported(solid_records(tmp_path / "source"), "nocs", tmp_path / "nocs")
    (tmp_path / "nocs/train/w000000_c00/0000_meta.txt").write_text("1 x y\n")
    with pytest.raises(UserError, match="0000_meta"):
        read_back("nocs", tmp_path / "nocs")
