"""KITTI's 16-bit images of depth and flow.

Source: the development kits of KITTI's depth and flow benchmarks, `read_depth.py` and readme.txt of devkit_scene_flow.
"""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.formats.record import Array

DEPTH_STEPS_A_METRE = 256.0
FLOW_STEPS_A_PIXEL = 64.0
FLOW_ZERO = 32768.0
LARGEST_UINT16 = 65535


def kitti_depth(depth_m: Array) -> NDArray[np.uint16]:
    """Return KITTI's depth image: m * 256, 0: none, or beyond 255.99 m."""
    steps = np.rint(np.where(np.isfinite(depth_m), depth_m, 0.0) * DEPTH_STEPS_A_METRE)
    steps = np.where(np.isfinite(depth_m) & (depth_m > 0.0), np.maximum(steps, 1.0), 0.0)
    return np.where(steps <= LARGEST_UINT16, steps, 0.0).astype(np.uint16)


def read_kitti_depth(path: Path) -> Array:
    """Return planar depth [m], [y, x], +inf where there is none."""
    steps = imageio.imread(path).astype(np.float64)
    return np.where(steps > 0.0, steps / DEPTH_STEPS_A_METRE, np.inf)


def kitti_flow(flow_px: Array) -> NDArray[np.uint16]:
    """Return KITTI's flow image [y, x, 3]: u and v as 64 px + 2^15, and 1 where the flow is known.

    It holds what moves by less than 512 px; beyond, and where `flow_px` [y, x, 2] is no number, all three are 0.
    """
    steps = np.rint(np.nan_to_num(flow_px, nan=np.inf) * FLOW_STEPS_A_PIXEL + FLOW_ZERO)
    is_known = ((steps >= 0.0) & (steps <= LARGEST_UINT16)).all(axis=-1, keepdims=True)
    out = np.concatenate([np.where(is_known, steps, 0.0), is_known], axis=-1)
    return out.astype(np.uint16)


def read_kitti_flow(path: Path) -> Array:
    """Return flow [px], [y, x, 2], no numbers where it is unknown.

    Raises:
        UserError: If the file is no such image.
    """
    import OpenImageIO as oiio  # Pillow makes 8 bits of a PNG of three 16-bit channels

    pixels = oiio.ImageBuf(str(path)).get_pixels(oiio.UINT16)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UserError(f"{path} is not a flow image of KITTI: a PNG of three channels with 16 bits")
    flow = (pixels[..., :2].astype(np.float64) - FLOW_ZERO) / FLOW_STEPS_A_PIXEL
    return np.where(pixels[..., 2:] > 0, flow, np.nan)
