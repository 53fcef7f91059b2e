"""calib/*.txt of KITTI: projections, rectification and the places of the other sensors.

Source: devkit of the KITTI object benchmark, readme.txt, https://www.cvlibs.net/datasets/kitti/eval_object.php
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.validate.finding import Finding, shown
from engine.validate.folder import BadFile, Folder
from engine.validate.rules import Severity
from engine.validate.yolo_row import numbers_of

SIZES: Mapping[str, int] = {
    "P0": 12, "P1": 12, "P2": 12, "P3": 12, "R0_rect": 9, "Tr_velo_to_cam": 12, "Tr_imu_to_velo": 12,
}  # fmt: skip
ALIASES = {"R_rect": "R0_rect", "Tr_velo_cam": "Tr_velo_to_cam", "Tr_imu_velo": "Tr_imu_to_velo"}
NEEDED_FOR_BOXES = "P2"
ROTATION_TOLERANCE = 1.0e-2  # KITTI's own files have twelve digits, others four


@dataclass(frozen=True)
class Calibration:
    """Matrices by name, those that could be read."""

    matrices: dict[str, NDArray[np.float64]] = field(default_factory=dict)  # flat

    @property
    def projection(self) -> NDArray[np.float64] | None:
        """P2, shape [3, 4]; None: unknown."""
        flat = self.matrices.get(NEEDED_FOR_BOXES)
        return None if flat is None else flat.reshape(3, 4)


def read_calibration(folder: Folder, path: Path) -> tuple[Calibration, list[Finding]]:
    """Return what a calibration file holds and what is wrong with it."""
    file = folder.name(path)
    try:
        text = folder.read_text(path)
    except BadFile as error:
        return Calibration(), [Finding(file, "", "file-unreadable", str(error), "a calibration")]
    calibration = Calibration()
    findings: list[Finding] = []
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        if not colon:
            name, _, rest = line.strip().partition(" ")
        name = ALIASES.get(name.strip(), name.strip())
        if name in SIZES:
            findings += _take(calibration, file, name, rest.split())
    named = {finding.where for finding in findings}
    for name in SIZES:
        if name not in calibration.matrices and name not in named:
            findings.append(Finding(file, name, "calib-key-missing", "none", f"{SIZES[name]} numbers"))
    broken = list(_check_matrices(calibration, file))
    for finding in broken:
        if finding.severity is Severity.ERROR:
            del calibration.matrices[finding.where]
    findings += broken
    return calibration, findings


def _take(calibration: Calibration, file: str, name: str, words: list[str]) -> Iterator[Finding]:
    values = numbers_of(words)
    if len(words) != SIZES[name]:
        yield Finding(file, name, "calib-shape", f"{len(words)} numbers", f"{SIZES[name]}")
    elif values is None:
        yield Finding(file, name, "value-not-number", shown(" ".join(words)), "finite numbers")
    else:
        calibration.matrices[name] = np.array(values)


def _check_matrices(calibration: Calibration, file: str) -> Iterator[Finding]:
    turn = calibration.matrices.get("R0_rect", np.eye(3)).reshape(3, 3)
    for name, flat in calibration.matrices.items():
        if name.startswith("P"):
            matrix = flat.reshape(3, 4)
            is_used = name == NEEDED_FOR_BOXES or bool(matrix.any())  # others are often left at 0
            if is_used:
                yield from _check_projection(file, name, matrix, turn)
            continue
        rotation = flat.reshape(3, 3) if name == "R0_rect" else flat.reshape(3, 4)[:, :3]
        if name == "Tr_imu_to_velo" and not flat.any():
            continue  # no such sensor
        with np.errstate(over="ignore", invalid="ignore"):
            error = np.abs(rotation @ rotation.T - np.eye(3)).max()
            is_proper = error <= ROTATION_TOLERANCE and np.linalg.det(rotation) > 0
        if not is_proper:
            yield Finding(file, name, "calib-rotation", shown(rotation.ravel().tolist()), "a rotation")


def _check_projection(
    file: str, name: str, matrix: NDArray[np.float64], turn: NDArray[np.float64]
) -> Iterator[Finding]:
    """Yield what is wrong with a projection, which may turn back what R0_rect turned (a level frame of labels)."""
    value = shown(matrix.ravel().tolist())
    with np.errstate(over="ignore", invalid="ignore"):
        determinant, length = np.linalg.det(matrix[:, :3]), np.linalg.norm(matrix[2, :3])
    if not (determinant > 0 and abs(length - 1.0) <= ROTATION_TOLERANCE):
        yield Finding(file, name, "calib-focal-length", value, "fx, fy > 0 and a third row 0 0 1")
    elif not any(_is_upright(camera) for camera in (matrix[:, :3], matrix[:, :3] @ turn)):
        yield Finding(file, name, "calib-not-rectified", value, "fx 0 cx 0 fy cy 0 0 1: a camera that is not turned")


def _is_upright(camera: NDArray[np.float64]) -> bool:
    """Return whether a matrix is the K of a camera."""
    return bool(np.abs(camera[2] - [0, 0, 1]).max() <= ROTATION_TOLERANCE and abs(camera[1, 0]) <= ROTATION_TOLERANCE)
