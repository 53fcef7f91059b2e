"""KITTI's 16-bit images of depth; those of flow are engine/write/flow_files.py's.

Source: the development kit of KITTI's depth benchmark, `read_depth.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.formats.folders import read_pixels
from engine.formats.record import Array

DEPTH_STEPS_A_METRE = 256.0
LARGEST_UINT16 = 65535


def kitti_depth(depth_m: Array) -> NDArray[np.uint16]:
    """Return KITTI's depth image: m * 256, 0: none, or beyond 255.99 m."""
    steps = np.rint(np.where(np.isfinite(depth_m), depth_m, 0.0) * DEPTH_STEPS_A_METRE)
    steps = np.where(np.isfinite(depth_m) & (depth_m > 0.0), np.maximum(steps, 1.0), 0.0)
    return np.where(steps <= LARGEST_UINT16, steps, 0.0).astype(np.uint16)


def read_kitti_depth(path: Path) -> Array:
    """Return planar depth [m], [y, x], +inf where there is none."""
    steps = read_pixels(path).astype(np.float64)
    return np.where(steps > 0.0, steps / DEPTH_STEPS_A_METRE, np.inf)
