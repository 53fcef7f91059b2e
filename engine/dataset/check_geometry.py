"""Check annotators against each other: range and places against depth, lens and pose, parts and edges against ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from engine.annotators import EdgeBit
from engine.lens import lens_of_row, unproject
from engine.write.files import inside
from engine.write.parts import MATERIALS, PARTS
from engine.write.readback import (
    read_depth_m,
    read_edges,
    read_floats,
    read_id_map,
    read_instance_map,
    read_normals,
)
from engine.write.tables import read_parquet

DEPTH_TOLERANCE_M = 0.0006  # half a millimetre of rounding, and float32
SAME_PLACE = 1.0e-4  # of the range: float32, and the inverse of a lens in it
SAME_NORMAL = 1.0e-4  # of 16-bit normals
UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    UnidentifiedImageError,
    SyntaxError,
)  # what damaged files raise

Faults = Iterator[tuple[str, str]]  # file, what is wrong


def check_geometry(out: Path, frame: Mapping[str, Any]) -> Faults:
    """Yield where the annotators of a frame contradict each other, its pose or its instance map."""
    checks: tuple[tuple[str, tuple[str, ...], Callable[[Path, Mapping[str, Any]], Faults]], ...] = (
        ("range", ("depth", "lens_model"), _check_range),
        ("position", ("depth", "lens_model"), _check_position),
        ("normal_camera", ("normal",), _check_normals),
        ("part_map", ("instance_map",), _check_parts),
        ("material_map", (), _check_materials),
        ("edge", ("instance_map",), _check_edges),
    )
    for role, needs, check in checks:
        files = [frame[name] for name in (role, *needs) if name in frame and name != "lens_model"]
        if any(frame.get(name) is None for name in (role, *needs)) or not all((out / f).is_file() for f in files):
            continue
        try:
            yield from check(out, frame)
        except UNREADABLE as error:
            yield frame[role], f"it, or what it is compared with, cannot be decoded: {error}"


def _check_range(out: Path, frame: Mapping[str, Any]) -> Faults:
    depth_m, range_m = read_depth_m(inside(out, frame["depth"])), read_depth_m(inside(out, frame["range"]))
    points_m, share = _camera_points(frame, depth_m)
    expected_m = np.linalg.norm(points_m, axis=-1)
    limit_m = _rounding_m(frame, "range") + _rounding_m(frame, "depth") * share + SAME_PLACE * expected_m
    both = np.isfinite(range_m) & np.isfinite(expected_m)
    wrong = both & ~(np.abs(np.subtract(range_m, expected_m, where=both, out=0.0 * expected_m)) <= limit_m)
    yield from _named(frame["range"], wrong, "not the length of depth along its ray", range_m)


def _check_position(out: Path, frame: Mapping[str, Any]) -> Faults:
    depth_m, position = read_depth_m(inside(out, frame["depth"])), read_floats(inside(out, frame["position"]))
    points_m, share = _camera_points(frame, depth_m)
    poses = camera_rows(frame)
    expected = np.einsum("yij,yxj->yxi", poses[:, :, :3], points_m) + poses[:, None, :, 3]
    size_m = np.linalg.norm(points_m, axis=-1) + np.linalg.norm(poses[:, :, 3], axis=-1)[:, None]
    limit_m = _rounding_m(frame, "depth") * share + SAME_PLACE * size_m
    off_m = np.linalg.norm(position - expected, axis=-1)
    both = np.isfinite(expected).all(axis=-1)
    yield from _named(frame["position"], both & ~(off_m <= limit_m), "not where depth, lens and pose say", position)


def _check_normals(out: Path, frame: Mapping[str, Any]) -> Faults:
    world, camera = (read_normals(inside(out, frame[role])) for role in ("normal", "normal_camera"))
    expected = np.einsum("yji,yxj->yxi", camera_rows(frame)[:, :, :3], world)
    wrong = np.abs(camera - expected).max(axis=-1) > SAME_NORMAL
    yield from _named(frame["normal_camera"], wrong, "not the normal turned into the camera's frame", camera)


def _check_parts(out: Path, frame: Mapping[str, Any]) -> Faults:
    if not (out / PARTS).is_file():
        return  # its absence is named by the check of files
    part, instance = read_id_map(out, frame, "part"), read_instance_map(out, frame)
    of_part = np.concatenate([[0], read_parquet(out / PARTS).column("inst_id").to_numpy()])
    known = (part >= 0) & (part < len(of_part))
    yield from _named(frame["part_map"], ~known, f"not in {PARTS}", part)
    wrong = known & (of_part[np.where(known, part, 0)] != instance)
    yield from _named(frame["part_map"], wrong, f"of another instance, {PARTS} says", part)


def _check_materials(out: Path, frame: Mapping[str, Any]) -> Faults:
    if not (out / MATERIALS).is_file():
        return
    material = read_id_map(out, frame, "material")
    unknown = (material < 0) | (material > read_parquet(out / MATERIALS).num_rows)
    yield from _named(frame["material_map"], unknown, f"not in {MATERIALS}", material)


def _check_edges(out: Path, frame: Mapping[str, Any]) -> Faults:
    edge, instance = read_edges(inside(out, frame["edge"])), read_instance_map(out, frame)
    expected = np.zeros(instance.shape, np.bool_)
    for axis in (0, 1):
        differs = np.diff(instance, axis=axis) != 0
        low, high = ([slice(None)] * axis + [part] for part in (slice(None, -1), slice(1, None)))
        expected[tuple(low)] |= differs
        expected[tuple(high)] |= differs
    wrong = ((edge & EdgeBit.INSTANCE) != 0) != expected
    yield from _named(frame["edge"], wrong, "wrong about where instances meet", edge)


def camera_rows(frame: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the camera's pose when it exposes each row of an image, [y, 3, 4]: with a rolling shutter it moves on."""
    height = frame["height"]
    pose = np.reshape(np.asarray(frame["world_from_camera"], np.float64), (4, 4))[:3]
    poses = np.tile(pose, (height, 1, 1))
    readout_s = frame.get("readout_s") or 0.0
    if readout_s:
        from scipy.spatial.transform import Rotation

        time_s = ((np.arange(height) + 0.5) / height - 0.5) * readout_s
        turns = Rotation.from_rotvec(np.asarray(frame["spin_rad_s"], np.float64) * time_s[:, None])
        poses[:, :, :3] = turns.as_matrix() @ pose[:, :3]
        poses[:, :, 3] += np.asarray(frame["velocity_m_s"], np.float64) * time_s[:, None]
    return poses


def _camera_points(frame: Mapping[str, Any], depth_m: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the points that depths mean in the camera's frame, NaN: none, and metres of ray a metre of depth."""
    y, x = np.indices(depth_m.shape) + 0.5
    finite = np.where(np.isfinite(depth_m), depth_m, np.nan).astype(np.float64)
    points_m = unproject(lens_of_row(frame), np.stack([x, y], axis=-1), finite)
    return points_m, np.linalg.norm(points_m, axis=-1) / finite


def _rounding_m(frame: Mapping[str, Any], role: str) -> float:
    return 0.0 if frame[role].endswith(".npy") else DEPTH_TOLERANCE_M


def _named(file: str, wrong: NDArray[np.bool_], what: str, values: NDArray[Any]) -> Faults:
    """Yield one fault for all wrong pixels of a file, if there are any."""
    if count := int(np.count_nonzero(wrong)):
        y, x = np.argwhere(wrong)[0].tolist()
        yield file, f"{count} px are {what}, first at x={x} y={y}: {np.asarray(values[y, x]).tolist()}"
