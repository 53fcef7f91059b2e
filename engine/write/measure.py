"""Facts measured on the pixels of a frame, as columns of index/frames.parquet. Slices are defined over these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CODE_VALUES = 256
DARK_QUANTILE = 0.05


def measure_rgb(rgb: NDArray[np.uint8]) -> dict[str, float]:
    """Return brightness and glare of a picture.

    Args:
        rgb: sRGB, shape [y, x, 3].
    Returns:
        `lum_mean`, mean luma; `lum_p05`, the darkest luma that at least 5 % of the pixels do not exceed; both of
        code values, 0 black to 1 white. `sat_frac`, the fraction of pixels with a channel at 255.
    Source: luma of Rec. ITU-R BT.601-7, section 2.5.1, that of JPEG's Y; Pillow computes it in whole numbers.
    """
    white = CODE_VALUES - 1
    histogram = np.array(Image.fromarray(np.ascontiguousarray(rgb)).convert("L").histogram(), np.int64)
    total = rgb.shape[0] * rgb.shape[1]
    dark = int(np.searchsorted(np.cumsum(histogram), DARK_QUANTILE * total))
    at_white = rgb == white
    saturated = at_white[..., 0] | at_white[..., 1] | at_white[..., 2]
    return {
        "lum_mean": float(histogram @ np.arange(CODE_VALUES)) / (total * white),
        "lum_p05": dark / white,
        "sat_frac": float(np.count_nonzero(saturated)) / total,
    }
