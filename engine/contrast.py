"""How far a mask stands out in a picture.

Contrast is measured, not configured: after light, lens, sensor and quantisation. It is the mean luma of the mask's
pixels minus that of a ring around it on the same instance; over the ring's standard deviation it is the
contrast-to-noise ratio (CNR) of imaging: |S_a - S_b| / sigma of the background. Luma: engine/write/measure.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GAP_PX = 2  # between a defect and the ring around it: neither half covered pixels nor the blur of a lens
RING_PX = 5  # width of the ring
LEAST_RING_PX = 12  # pixels that a ring needs, or its spread says nothing
CODE_STEP = 1.0 / 255.0
LEAST_STD = CODE_STEP / math.sqrt(12.0)  # of a picture of 8 bits: what rounding alone spreads
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. ITU-R BT.601-7, section 2.5.1


def luma_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the luma of a picture [y, x, 3], 0 black to 1 white."""
    return np.asarray(rgb.astype(np.float32) @ LUMA * np.float32(CODE_STEP))


def contrast_in(
    luma: NDArray[np.float32], mask: NDArray[np.bool_], clear: NDArray[np.bool_], box: Sequence[float]
) -> tuple[float, float]:
    """Return contrast and CNR of a mask, NaN where its ring has too few pixels.

    Args:
        luma: Of the picture, [y, x], 0 black to 1 white.
        mask: The defect.
        clear: Pixels that a ring may use: of the same instance, without another defect or near-miss.
        box: Of the mask: x, y, width, height.
    """
    from scipy.ndimage import maximum_filter  # slow to import: only who measures pays

    reach, (x, y, width, height) = GAP_PX + RING_PX, map(int, box)
    around = slice(max(y - reach, 0), y + height + reach), slice(max(x - reach, 0), x + width + reach)
    luma, mask, clear = luma[around], mask[around], clear[around]
    grown = maximum_filter(mask, size=2 * GAP_PX + 1)
    ring = maximum_filter(mask, size=2 * (GAP_PX + RING_PX) + 1) & ~grown & clear
    if np.count_nonzero(ring) < LEAST_RING_PX:
        return math.nan, math.nan
    beside = luma[ring].astype(np.float64)
    contrast = float(luma[mask].mean(dtype=np.float64) - beside.mean())
    return contrast, abs(contrast) / max(float(beside.std()), LEAST_STD)
