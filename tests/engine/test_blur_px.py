"""How far a moving camera smears a frame, against closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from engine.frames import FrameKeys, Lenses
from engine.lens.model import LensModel
from engine.write.blur import camera_blur_px

FOCAL_PX, SIZE = 400.0, (240, 320)


def keys(velocity: tuple[float, float, float], spin: tuple[float, float, float], exposure_s: float) -> FrameKeys:
    """Return one view of a camera at the origin that looks along the world's -z."""
    k = np.array([[[FOCAL_PX, 0.0, SIZE[1] / 2], [0.0, FOCAL_PX, SIZE[0] / 2], [0.0, 0.0, 1.0]]])
    one: Any = np.ones(1)
    lenses = Lenses(
        exposure=one, f_stop=one, focus_distance_m=one, shutter_s=np.zeros((1, 2)), readout_s=0 * one,
        exposure_s=np.array([exposure_s]), lens_radius_m=0 * one, velocity_m_s=np.array([velocity]),
        spin_rad_s=np.array([spin]), model=np.array([LensModel.PINHOLE], np.int32), coefficients=np.zeros((1, 12)),
        limit=np.array([np.inf]),
    )  # fmt: skip
    zero = np.zeros(1, np.int32)
    return FrameKeys(zero.astype(np.int64), zero, zero, k, np.eye(4)[None, :3], lenses)


def test_a_wall_smears_by_focal_length_times_way_over_distance() -> None:
    wall = np.full(SIZE, 5.0, np.float32)
    assert camera_blur_px(keys((2.0, 0.0, 0.0), (0, 0, 0), 0.02), 0, wall) == pytest.approx(FOCAL_PX * 0.04 / 5.0)
    assert camera_blur_px(keys((0.0, 3.0, 0.0), (0, 0, 0), 0.02), 0, wall) == pytest.approx(FOCAL_PX * 0.06 / 5.0)


def test_what_is_far_away_smears_by_turning_alone() -> None:
    sky = np.full(SIZE, np.inf, np.float32)
    assert camera_blur_px(keys((2.0, 0.0, 0.0), (0, 0, 0), 0.02), 0, sky) == pytest.approx(0.0, abs=1e-4)
    turned = camera_blur_px(keys((0, 0, 0), (0.0, 1.0, 0.0), 0.02), 0, sky)
    x = (np.arange(16) + 0.5) / 16 * SIZE[1] - SIZE[1] / 2
    angle = np.arctan(x / FOCAL_PX)
    along = FOCAL_PX * (np.tan(angle + 0.01) - np.tan(angle - 0.01))  # on the horizon, where points stay
    assert turned == pytest.approx(float(np.median(along)), rel=0.05)
    assert turned >= FOCAL_PX * 0.02


def test_a_roll_smears_by_the_radius() -> None:
    wall = np.full(SIZE, 5.0, np.float32)
    rolled = camera_blur_px(keys((0, 0, 0), (0.0, 0.0, 1.0), 0.04), 0, wall)
    x = (np.arange(16) + 0.5) / 16 * SIZE[1] - SIZE[1] / 2
    y = (np.arange(12) + 0.5) / 12 * SIZE[0] - SIZE[0] / 2
    radius = np.hypot(*np.meshgrid(x, y))
    assert rolled == pytest.approx(float(np.median(2.0 * radius * math.sin(0.02))), rel=1e-6)


def test_a_still_camera_and_a_closed_shutter_smear_nothing() -> None:
    wall = np.full(SIZE, 5.0, np.float32)
    assert camera_blur_px(keys((0, 0, 0), (0, 0, 0), 0.02), 0, wall) == 0.0
    assert camera_blur_px(keys((2.0, 0, 0), (0, 0, 0), 0.0), 0, wall) == 0.0
