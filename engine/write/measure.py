"""Facts measured on the pixels of a frame, as columns of index/frames.parquet. Slices are defined over these."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CODE_VALUES = 256
WHITE = CODE_VALUES - 1
DARK_QUANTILE = 0.05
HASH_SIDE, HASH_CANVAS = 8, 32  # frequencies of the hash, and the side of the picture that they are taken of
ROWS, COLUMNS = 64, 1024  # of a tile that is measured at once: it stays in the cache, its rows' sums below 2^31
STRIP_PX = 2**15  # of rows that are looked through for glare at once: fresh memory costs more than the work
HASH_BITS = 22  # of a cosine of the hash: whole numbers are the same on every machine, and their sums stay below 2^63
RED_GREEN_BLUE = np.array([1, 1, 1, 0], np.uint8).view(np.uint32)  # of four bytes a pixel
FEWEST_PX = 3  # a side below which there is no second difference


def measure_rgb(rgb: NDArray[np.uint8]) -> dict[str, float | int]:
    """Return brightness, glare, contrast, sharpness, noise and a hash of a picture.

    Args:
        rgb: sRGB, shape [y, x, 3].
    Returns:
        `lum_mean`, mean luma; `lum_p05`, the darkest luma that at least 5 % of the pixels do not exceed; `lum_std`,
        the standard deviation of luma; all of code values, 0 black to 1 white. `sat_frac`, the fraction of pixels with
        a channel at 255. `blur_lap` and `noise_sigma`: see `measure_luma`. `phash`: see `perceptual_hash`.
    Source: luma of Rec. ITU-R BT.601-7, section 2.5.1, that of JPEG's Y; Pillow computes it in whole numbers.
    """
    return measure_picture(Image.fromarray(np.ascontiguousarray(rgb)))


def measure_picture(rgb: Image.Image) -> dict[str, float | int]:
    """Return what `measure_rgb` does, of a picture of mode RGB."""
    picture = rgb.convert("L")
    histogram = np.array(picture.histogram(), np.int64)
    total = rgb.width * rgb.height
    values = np.arange(CODE_VALUES)
    mean = float(histogram @ values) / total
    dark = int(np.searchsorted(np.cumsum(histogram), DARK_QUANTILE * total))
    return {
        "lum_mean": mean / WHITE,
        "lum_p05": dark / WHITE,
        "lum_std": math.sqrt(max(float(histogram @ (values * values)) / total - mean * mean, 0.0)) / WHITE,
        "sat_frac": count_saturated(rgb) / total,
        **measure_luma(np.asarray(picture)),
        "phash": perceptual_hash(picture),
    }


def measure_luma(luma: NDArray[np.integer[Any]]) -> dict[str, float]:
    """Return sharpness and noise of luma [y, x], 0..255; both 0 of pictures with a side below 3 px.

    Returns:
        `blur_lap`, the variance of the Laplacian over (255)^2: small in blurred pictures, and in ones without edges.
        `noise_sigma`, the standard deviation of noise in code values of 0..1, from the mean absolute difference of two
        Laplacians, which edges of a straight or curved kind leave near 0; texture counts as noise.
    Source: Pech-Pacheco et al., ICPR 2000 (the former); Immerkaer, Fast Noise Variance Estimation, CVIU 1996.
    """
    if min(luma.shape) < FEWEST_PX:
        return {"blur_lap": 0.0, "noise_sigma": 0.0}
    pixels = (luma.shape[0] - 2) * (luma.shape[1] - 2)
    total = squares = noise = 0  # exact in any order
    for top in range(0, luma.shape[0] - 2, ROWS - 2):
        for left in range(0, luma.shape[1] - 2, COLUMNS - 2):
            tile = luma[top : top + ROWS, left : left + COLUMNS].astype(np.int16)
            laplacian, both = _differences(tile)
            total += int(laplacian.sum())
            squares += int(np.einsum("ij,ij->i", laplacian, laplacian).sum(dtype=np.int64))
            noise += int(both.sum(dtype=np.int32))
    mean = total / pixels
    sigma = math.sqrt(0.5 * math.pi) / 6.0 * noise / pixels
    return {"blur_lap": max(squares / pixels - mean * mean, 0.0) / WHITE**2, "noise_sigma": sigma / WHITE}


def count_saturated(rgb: Image.Image) -> int:
    """Return the number of pixels with a channel at 255, of a picture of mode RGB."""
    rows = max(STRIP_PX // rgb.width, 1)
    count = 0
    for top in range(0, rgb.height, rows):
        strip = rgb.crop((0, top, rgb.width, min(top + rows, rgb.height)))
        is_white = np.frombuffer(strip.tobytes("raw", "RGBX"), np.uint8) == WHITE
        count += int(np.count_nonzero(is_white.view(np.uint32) & RED_GREEN_BLUE))
    return count


def _differences(luma: NDArray[np.int16]) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Return the Laplacian of some rows, and the magnitude of the second differences across of those down."""
    middle = luma[:, 1:-1]
    twice = middle << 1
    across = luma[:, :-2] + luma[:, 2:]
    across -= twice
    laplacian = middle[:-2] + middle[2:]
    laplacian -= twice[1:-1]
    laplacian += across[1:-1]
    both = across[:-2] + across[2:]
    both -= across[1:-1] << 1
    return laplacian.astype(np.int32), np.abs(both, out=both)


def perceptual_hash(picture: Image.Image) -> int:
    """Return 64 bits that stay nearly the same when a picture is scaled, brightened or compressed.

    Bit k, from the lowest, says whether the k-th of the 8 x 8 lowest cosine frequencies of a 32 x 32 copy, by rows, is
    above their median. Pictures are near duplicates where few bits differ.

    Source: Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1.
    """
    gray = picture if picture.mode == "L" else picture.convert("L")
    canvas = gray.resize((HASH_CANVAS, HASH_CANVAS), Image.Resampling.BOX)
    low = (COSINES @ np.asarray(canvas, np.int64) @ COSINES.T).ravel()
    bits = low > np.sort(low)[low.size // 2 - 1]  # whatever is above the lower one of the middle is above the median
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def _cosines() -> NDArray[np.int64]:
    """Return the lowest frequencies of a cosine transform [frequency, position], times 2^HASH_BITS."""
    turns = np.outer(np.arange(HASH_SIDE), 2 * np.arange(HASH_CANVAS) + 1) / (4.0 * HASH_CANVAS)
    return np.asarray(np.rint(np.cos(2.0 * np.pi * turns) * 2.0**HASH_BITS), np.int64)


COSINES = _cosines()
