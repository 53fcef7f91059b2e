"""KITTI folders as records. The world is the rectified camera frame, turned to our axes of a camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.formats.axes import (
    CORNER_SIGNS,
    OPENCV_FROM_CAMERA,
    camera_from_opencv_world,
    homogeneous,
    moved,
    projected,
    world_from_opencv,
)
from engine.formats.folders import categories_named, picture_size, read_text
from engine.formats.kitti_label import DONT_CARE, KittiLabel, opencv_from_kitti_object, parse_calibration, parse_label
from engine.formats.record import Array, Frame, Instance, Solid
from engine.formats.registry import Records

PICTURES = (".png", ".jpg", ".jpeg")


def read_kitti(root: Path) -> Records:
    """Return the frames of a KITTI folder; `row` has `split`, `calibration` and `dont_care` (x, y, width, height).

    Instances are numbered by line. `extra` holds `truncated`, `occluded`, `alpha_rad` and `rotation_y_rad`.

    Raises:
        UserError: If a file is missing or cannot be understood.
    """
    training = root / "training" if (root / "training").is_dir() else root
    if not (training / "label_2").is_dir():
        raise UserError(f"{root} is no KITTI folder: it has neither training/label_2 nor label_2")
    splits = splits_of(root)
    frames: list[Frame] = []
    names: set[str] = set()
    for path in sorted((training / "label_2").glob("*.txt")):
        lines = enumerate(read_text(path).splitlines(), 1)
        labels = [parse_label(line, f"{path}, line {n}") for n, line in lines if line.strip()]
        names |= {label.name for label in labels if label.name != DONT_CARE}
        frames.append(_frame(training, path.stem, labels, splits.get(path.stem, "train"), len(frames)))
    return Records(root.name, categories_named(names), tuple(frames))


def splits_of(root: Path) -> dict[str, str]:
    """Return the split of every frame that a list names."""
    lists = sorted((root / "ImageSets").glob("*.txt"), key=lambda path: (path.stem != "trainval", path))  # last wins
    return {stem: path.stem for path in lists for stem in read_text(path).split()}


def _frame(training: Path, stem: str, labels: list[KittiLabel], split: str, number: int) -> Frame:
    found = [training / "image_2" / f"{stem}{suffix}" for suffix in PICTURES]
    picture = next((path for path in found if path.is_file()), None)
    if picture is None:
        raise UserError(f"{training / 'label_2' / stem}.txt has no picture image_2/{stem}.png")
    width, height = picture_size(picture)
    calib, matrices = training / "calib" / f"{stem}.txt", {}
    if calib.is_file():
        matrices = parse_calibration(read_text(calib), str(calib))
    k, world_from_camera = camera_of(matrices, calib)
    instances = instances_of(labels, matrices.get("P2"))
    others = {"depth": training / "depth_2" / f"{stem}.png", "velodyne": training / "velodyne" / f"{stem}.bin"}
    others["flow_forward"] = training / "flow_2" / f"{stem}.png"
    files = {"image": picture} | {role: path for role, path in others.items() if path.is_file()}
    row = {"split": split, "dont_care": regions_of(labels), "calibration": matrices}
    return Frame(number, width, height, instances, files, k=k, world_from_camera=world_from_camera, row=row)


def camera_of(matrices: Mapping[str, Array], calib: Path) -> tuple[Array | None, Array]:
    """Return K and `world_from_camera` of a calibration, which lies at `calib`; without one, None and the identity.

    Raises:
        UserError: If it has no P2, or one that is no camera.
    """
    if not matrices:
        return None, np.eye(4)
    if matrices.get("P2", np.zeros(0)).shape != (3, 4):
        raise UserError(f"{calib} has no P2 of 12 numbers")
    k, turn = _camera(matrices["P2"][:, :3], calib)
    scale = matrices["P2"][2, :3] @ turn[2]  # of the whole matrix, 1 in most folders
    shift = np.linalg.solve(scale * k, matrices["P2"][:, 3])  # from the rectified camera to this one, along the bar
    return k, camera_from_opencv_world(homogeneous(np.column_stack([turn, shift])) @ OPENCV_FROM_CAMERA)


def regions_of(labels: Sequence[KittiLabel]) -> list[tuple[float, float, float, float]]:
    """Return the boxes of regions that nobody looked at."""
    return [_xywh(label) for label in labels if label.name == DONT_CARE]


def instances_of(labels: Sequence[KittiLabel], projection: Array | None) -> tuple[Instance, ...]:
    """Return the objects among some lines, numbered by line from 1."""
    return tuple(_instance(i, label, projection) for i, label in enumerate(labels, 1) if label.name != DONT_CARE)


def _camera(projection: Array, where: Path) -> tuple[Array, Array]:
    """Return K and the rotation to the camera of a projection [3, 3], which is K alone in most folders."""
    from scipy.linalg import rq

    if np.array_equal(projection[2], [0.0, 0.0, 1.0]) and projection[1, 0] == 0.0:
        return projection, np.eye(3)
    if not np.isfinite(projection).all() or abs(np.linalg.det(projection)) < 1.0e-12:
        raise UserError(f"{where}: P2 is not the matrix of a camera")
    k, turn = rq(projection)
    signs = np.sign(np.diag(k))
    k, turn = k * signs, turn * signs[:, None]
    return k / k[2, 2], turn


def _xywh(label: KittiLabel) -> tuple[float, float, float, float]:
    left, top, right, bottom = label.box
    return left, top, right - left, bottom - top


def _instance(number: int, label: KittiLabel, projection: Array | None) -> Instance:
    extra: dict[str, object] = {"truncated": label.truncated, "occluded": label.occluded}
    solid = None
    if label.solid is not None:
        extra |= {"alpha_rad": label.solid.alpha_rad, "rotation_y_rad": label.solid.rotation_y_rad}
        pose = opencv_from_kitti_object(label.solid)
        size = np.array([label.solid.length_m, label.solid.width_m, label.solid.height_m])
        center = np.array([0.0, 0.0, 0.5 * label.solid.height_m])
        corners = moved(pose, center + CORNER_SIGNS * size)
        pixels = projected(projection, corners) if projection is not None else np.full((8, 2), np.nan)
        solid = Solid(world_from_opencv(pose, np.eye(4))[:3], size, center, pixels)
    return Instance(number, label.name, _xywh(label), solid=solid, extra=extra)


def read_velodyne(path: Path) -> Array:
    """Return a sweep: x ahead, y left, z up [m], reflectance, [point, 4].

    Raises:
        UserError: If the file does not hold whole points.
    """
    flat = np.fromfile(path, "<f4")
    if flat.size % 4 or path.stat().st_size % 16:
        raise UserError(f"{path}: {path.stat().st_size} bytes are not whole points of four 32-bit numbers")
    return flat.reshape(-1, 4).astype(np.float64)
