"""What repeats: peaks of a picture's correlation with itself, and patches that occur in several pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.shift.hashes import near_pairs

Array = NDArray[np.float64]

SIDE_PX = 256  # of the middle of a picture that is correlated with itself
SLOW_SIGMA_PX = 6.0  # what varies more slowly is taken away before
NEAREST_PX = 12  # shorter shifts are the texture itself
RIDGE_PX = 17  # peaks longer than that along an axis are stripes, such as grinding marks, and no tile
PATCH_PX = 24
PATCHES = 24  # of a picture: where corners are strongest, so that a shifted texture gives the same ones
HASH_BITS = 8  # in which hashes of patches may differ
SAME = 0.95  # normalised correlation of patches that are the same but for noise
LEAST_STD = 0.02  # of a patch: flat ones are all alike


@dataclass(frozen=True)
class Patches:
    """Patches of a picture around its strongest corners."""

    pixels: NDArray[np.float32]  # [patch, y, x], zero mean, unit length
    hashes: NDArray[np.uint64]
    corner: NDArray[np.int64]  # [patch, 2], x and y of the upper left pixel


def self_similarity(luma: NDArray[np.float32]) -> float:
    """Return the highest peak of the correlation of the middle of a picture with itself shifted; 0 none, 1 a copy.

    Stripes correlate along themselves over any distance: only what stands out of its neighbours in both axes counts.
    """
    from scipy.ndimage import gaussian_filter, grey_opening

    height, width = luma.shape
    side_y, side_x = min(SIDE_PX, height), min(SIDE_PX, width)
    top, left = (height - side_y) // 2, (width - side_x) // 2
    part = luma[top : top + side_y, left : left + side_x].astype(np.float64)
    part = part - gaussian_filter(part, SLOW_SIGMA_PX)
    part = part - part.mean()
    energy = float((part**2).sum())
    if energy < 1.0e-9 * part.size:
        return 0.0
    shape = (2 * side_y, 2 * side_x)
    power = np.abs(np.fft.rfft2(part, shape)) ** 2
    raw = np.fft.fftshift(np.fft.irfft2(power, shape))
    lag_y, lag_x = np.abs(np.arange(-side_y, side_y)), np.abs(np.arange(-side_x, side_x))
    overlap = (side_y - lag_y)[:, None] * (side_x - lag_x)[None] / part.size
    correlation = raw / np.maximum(overlap, 0.2) / energy
    stripes = np.maximum(grey_opening(correlation, (1, RIDGE_PX)), grey_opening(correlation, (RIDGE_PX, 1)))
    peaks = correlation - np.maximum(stripes, 0.0)
    allowed = (lag_y[:, None] > NEAREST_PX) | (lag_x[None] > NEAREST_PX)
    allowed &= (lag_y[:, None] < side_y // 2) & (lag_x[None] < side_x // 2)
    return float(np.clip(peaks[allowed].max(initial=0.0), 0.0, 1.0))


def corner_patches(luma: NDArray[np.float32]) -> Patches:
    """Return the patches around the strongest corners of a picture.

    Source of the corners: Shi and Tomasi, Good Features to Track, CVPR 1994.
    """
    from scipy.fft import dctn
    from scipy.ndimage import gaussian_filter, maximum_filter

    smooth = gaussian_filter(luma.astype(np.float64), 1.0)
    down, across = np.gradient(smooth)
    xx, yy, xy = (gaussian_filter(product, 3.0) for product in (across**2, down**2, across * down))
    strength = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)  # the smaller eigenvalue
    half = PATCH_PX // 2
    inner = np.zeros(luma.shape, bool)
    inner[half:-half, half:-half] = True
    peaks = inner & (strength == maximum_filter(strength, PATCH_PX // 2)) & (strength > 0.0)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-strength[rows, columns], kind="stable")[:PATCHES]
    corners = np.stack([columns[order] - half, rows[order] - half], axis=1).reshape(-1, 2).astype(np.int64)
    cut = [smooth[y : y + PATCH_PX, x : x + PATCH_PX] for x, y in corners.tolist()]
    keep = [index for index, patch in enumerate(cut) if patch.std() > LEAST_STD]
    if not keep:
        return Patches(
            np.zeros((0, PATCH_PX, PATCH_PX), np.float32), np.zeros(0, np.uint64), np.zeros((0, 2), np.int64)
        )
    patches = np.stack([cut[index] for index in keep])
    patches = patches - patches.mean(axis=(1, 2), keepdims=True)
    low = dctn(patches, axes=(1, 2))[:, :8, :8].reshape(len(patches), 64)
    bits = np.packbits(low > 0.0, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)
    unit = patches / np.sqrt((patches**2).sum(axis=(1, 2), keepdims=True))
    return Patches(unit.astype(np.float32), bits, corners[keep])


@dataclass(frozen=True)
class Shared:
    """A patch of a picture that another picture, of another group, has as well."""

    other: int  # the other picture
    correlation: float
    box: tuple[float, float, float, float]


def shared_patches(patches: list[Patches], group: NDArray[np.int64]) -> dict[int, Shared]:
    """Return for every picture, by its index, that shares a patch with one of another group, the one most alike."""
    owner = np.repeat(np.arange(len(patches)), [len(own.hashes) for own in patches])
    if not len(owner):
        return {}
    pixels = np.concatenate([own.pixels for own in patches]).reshape(len(owner), -1)
    corners = np.concatenate([own.corner for own in patches])
    near = near_pairs(np.concatenate([own.hashes for own in patches]), None, HASH_BITS)
    found: dict[int, Shared] = {}
    for one, two in zip(near.first.tolist(), near.second.tolist(), strict=True):
        if group[owner[one]] == group[owner[two]]:
            continue
        correlation = float(pixels[one] @ pixels[two])
        if correlation < SAME:
            continue
        for this, that in ((one, two), (two, one)):
            picture = int(owner[this])
            if picture not in found or found[picture].correlation < correlation:
                x, y = corners[this].tolist()
                found[picture] = Shared(int(owner[that]), correlation, (x, y, PATCH_PX, PATCH_PX))
    return found
