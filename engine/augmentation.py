"""What may be done to finished pictures without a label becoming untrue: the settings of a view, and what all share.

Nothing here moves a pixel: pictures are blurred, coloured and made noisy, and what shows no labelled instance may be
replaced. Pictures are meant as their 8-bit sRGB codes, as training code sees them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLUR_TAPS = 49  # of kernels/augment.py: half the width of the widest blur, its middle included
BLUR_REACH = 3.0  # standard deviations after which a blur ends
LARGEST_SIGMA_PX = (BLUR_TAPS - 1) / BLUR_REACH
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # as engine/randomize/look/light.py has it
AS_RENDERED, PATCHES = -1.0, -2.0  # backgrounds that are none of the images


class AugmentSetting(IntEnum):
    """Columns of `Draft.augment`."""

    SIGMA_PX = 0
    NOISE_DN = 1  # standard deviation in codes
    GAMMA = 2
    BACKGROUND = 3  # index into Augmentation.images, AS_RENDERED or PATCHES
    LEFT_SHARE = 4
    TOP_SHARE = 5
    IS_MIRRORED = 6
    CELL_PX = 7
    COLOR = 8  # and the eight after it: codes from codes, row-major


SETTINGS = int(AugmentSetting.COLOR) + 9


@dataclass(frozen=True)
class Augmentation:
    """What all views share; that it is there means that pictures are changed at all."""

    images: tuple[NDArray[np.uint8], ...] = ()  # [y, x, 3] sRGB, each at least as large as a frame
    is_replaced: NDArray[np.bool_] | None = None  # [instance]; None: no background is replaced


def unchanged(rows: int, cameras: int) -> Array:
    """Return settings [row, camera, AugmentSetting] that leave pictures as they are."""
    one = np.zeros(SETTINGS)
    one[AugmentSetting.GAMMA] = one[AugmentSetting.CELL_PX] = 1.0
    one[AugmentSetting.BACKGROUND] = AS_RENDERED
    one[AugmentSetting.COLOR :] = np.eye(3).ravel()
    return np.tile(one, (rows, cameras, 1))


def blur_weights(sigma_px: Array) -> Array:
    """Return the weights [..., tap] of Gaussian blurs from their middle outwards; the whole of one sums to 1.

    They end after BLUR_REACH standard deviations, as those of `scipy.ndimage.gaussian_filter(truncate=3)` do.
    """
    tap = np.arange(BLUR_TAPS)
    radius_px = np.floor(BLUR_REACH * sigma_px + 0.5)
    variance = np.where(sigma_px > 0.0, sigma_px, 1.0)[..., None] ** 2
    weight = np.where(tap <= radius_px[..., None], np.exp(-0.5 * tap**2 / variance), 0.0)
    return np.asarray(weight / (2.0 * weight.sum(axis=-1, keepdims=True) - weight[..., :1]))


def color_matrices(gain: Array, hue_deg: Array, saturation: Array) -> Array:
    """Return matrices [..., 3, 3]: a turn of hue about grey, then saturation about luminance, then gains [..., 3].

    Source: Rodrigues' formula about (1, 1, 1) / sqrt(3); saturation as in the W3C's filter effects, section 13.
    """
    cos, sin = np.cos(np.deg2rad(hue_deg))[..., None, None], np.sin(np.deg2rad(hue_deg))[..., None, None]
    across = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3.0)
    turn = cos * np.eye(3) + sin * across + (1.0 - cos) / 3.0
    grey = np.tile(LUMINANCE, (3, 1))
    spread = grey + saturation[..., None, None] * (np.eye(3) - grey)
    # Sums written out: a BLAS may round one row differently among many.
    both = sum(spread[..., :, k, None] * turn[..., None, k, :] for k in range(3))
    return np.asarray(gain[..., :, None] * both)
