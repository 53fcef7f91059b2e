"""Facts measured on the pixels of a frame, as columns of index/frames.parquet. Slices are defined over these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LUMA_WEIGHTS = (54, 183, 19)  # Rec. ITU-R BT.709 weights in 1/256, on sRGB code values
CODE_VALUES = 256
DARK_QUANTILE = 0.05


def measure_rgb(rgb: NDArray[np.uint8]) -> dict[str, float]:
    """Return brightness and glare of a picture.

    Args:
        rgb: sRGB, shape [y, x, 3].
    Returns:
        `lum_mean`, mean luma; `lum_p05`, the darkest luma that at least 5 % of the pixels do not exceed; both of
        code values, 0 black to 1 white. `sat_frac`, the fraction of pixels with a channel at 255.
    """
    channels = rgb.astype(np.uint16)
    red, green, blue = (channels[..., i] for i in range(3))
    luma = (red * LUMA_WEIGHTS[0] + green * LUMA_WEIGHTS[1] + blue * LUMA_WEIGHTS[2]) >> 8  # fits: 256 * 255 < 65536
    histogram = np.bincount(luma.ravel(), minlength=CODE_VALUES)
    total = luma.size
    white = CODE_VALUES - 1
    dark = int(np.searchsorted(np.cumsum(histogram), DARK_QUANTILE * total))
    saturated = (red == white) | (green == white) | (blue == white)
    return {
        "lum_mean": float(histogram @ np.arange(CODE_VALUES)) / (total * white),
        "lum_p05": dark / white,
        "sat_frac": float(np.count_nonzero(saturated)) / total,
    }
