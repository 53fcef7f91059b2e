"""Lens models against OpenCV: where points are seen, and back. OpenCV counts pixels from the first one's centre."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.lens import Lens, LensModel, project, unproject
from engine.lens.curves import lens_limit

pytestmark = pytest.mark.judge

CLOSE_PX = 1.0e-3
K = np.array([[410.0, 0.0, 321.7], [0.0, 402.0, 238.4], [0.0, 0.0, 1.0]])
K_OPENCV = K - [[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]]
BROWN = {
    "radial": (-0.28, 0.09, 0.0006, -0.0004, -0.013),
    "rational": (0.42, -0.11, 0.0005, 0.0011, 0.004, 0.71, -0.05, 0.006),
    "prism": (-0.21, 0.05, 0.0013, -0.0008, 0.0, 0.02, 0.003, 0.0, 0.0021, -0.0003, -0.0017, 0.0002),
    "pincushion": (0.12, 0.03, 0.0, 0.0),
}
FISHEYE = {
    "equidistant": (0.0, 0.0, 0.0, 0.0),
    "wide": (-0.018, 0.004, -0.0021, 0.0003),
    "long": (0.05, -0.01, 0.002, 0.0),
}


def lens(model: LensModel, coefficients: tuple[float, ...]) -> Lens:
    """Return a lens that sees as far as its coefficients allow."""
    c = np.zeros(12)
    c[: len(coefficients)] = coefficients
    return Lens(model, K, c, float(lens_limit(model, c, None)))


def points_within(angle_deg: float) -> NDArray[np.float64]:
    """Return points in the camera's frame up to an angle from its axis, 0.5 to 20 m away."""
    rng = np.random.default_rng(0)
    angle, turn = np.radians(angle_deg) * np.sqrt(rng.uniform(size=4000)), rng.uniform(0.0, 2.0 * np.pi, 4000)
    direction = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), -np.cos(angle)], axis=-1)
    return direction * rng.uniform(0.5, 20.0, (4000, 1))


@pytest.mark.parametrize("name", BROWN)
def test_brown_conrady_sees_points_where_opencv_does(name: str) -> None:
    """Twelve coefficients in OpenCV's order, its frame (y down, z ahead) and ours (y up, looks along -z)."""
    import cv2

    points, eye = points_within(40.0), lens(LensModel.BROWN_CONRADY, BROWN[name])
    expected, _ = cv2.projectPoints(points * [1, -1, -1], np.zeros(3), np.zeros(3), K_OPENCV, np.array(BROWN[name]))
    pixels, seen = project(eye, points)
    assert seen.all()
    assert np.abs(pixels - 0.5 - expected[:, 0]).max() < CLOSE_PX
    assert unproject(eye, pixels, -points[:, 2]) == pytest.approx(points, abs=1e-9)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-12)
    straight = cv2.undistortPoints(expected, K_OPENCV, np.array(BROWN[name]), None, None, None, criteria)[:, 0]
    ours = unproject(eye, expected[:, 0] + 0.5, np.ones(len(points)))
    assert np.abs((ours[:, :2] * [1, -1] - straight) * K[0, 0]).max() < CLOSE_PX


@pytest.mark.parametrize("name", FISHEYE)
def test_kannala_brandt_sees_points_where_opencv_does(name: str) -> None:
    """OpenCV's fisheye model, for which points lie ahead of the camera."""
    import cv2

    points, eye = points_within(85.0), lens(LensModel.KANNALA_BRANDT, FISHEYE[name])
    flipped = (points * [1, -1, -1])[:, None]
    expected, _ = cv2.fisheye.projectPoints(flipped, np.zeros(3), np.zeros(3), K_OPENCV, np.array(FISHEYE[name]))
    pixels, seen = project(eye, points)
    assert seen.all()
    assert np.abs(pixels - 0.5 - expected[:, 0]).max() < CLOSE_PX
    assert unproject(eye, pixels, np.linalg.norm(points, axis=1)) == pytest.approx(points, abs=1e-9)
