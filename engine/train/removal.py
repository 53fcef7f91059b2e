"""Pictures with one cue removed, in which everything is where it was, so that labels hold.

`noise` and `sharpness` part a picture in two: a base whose edges stand, and what is finer than that. One has the fine
part replaced, the other the base blurred, so that neither removes what the other does:

    noise       base + fresh Gaussian noise, of the level and the correlation of channels that the whole set has
    sharpness   base behind a Gaussian + its own fine part, as far as that may be noise
    light       divided by a surface of second order in log luma: slopes, falling off, vignettes
    contrast    mean of luma, and its standard deviation but for that surface, as the set has them
    color       luma alone

All is done in code values (0..255): a product of light and surface is one there too, since the curve of sRGB is nearly
a power.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]  # [y, x, channel], code values
Rgb = NDArray[np.uint8]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. ITU-R BT.601-7, section 2.5.1
WHITE = 255.0
RANGE = 12.0  # [code values]: a step of more is an edge and stays in the base
REACH_PX = 2  # of the mean over what is alike
MEDIANS = 2  # of the eight around a pixel, one after the other
MAD_TO_SIGMA = 1.4826  # of a normal law
DARKEST = 4.0  # [code values] of light that is divided by at least
MOST_GAIN = 4.0  # of light and of contrast
MOST_SIGMAS = 4.0  # of noise: what is finer and stronger is a corner, and would stay sharp
FLAT = 0.5  # [code values]: a picture with less contrast is left as it is


@dataclass(frozen=True)
class Removal:
    """How much is removed."""

    sigma_px: float = 1.5  # of the Gaussian that blurs edges
    light_order: int = 2  # of the surface in log luma that is light

    def __post_init__(self) -> None:
        if not 0.3 <= self.sigma_px <= 20.0:
            raise ValueError(f"sigma_px must be in 0.3..20 px, got {self.sigma_px:g}")
        if not 1 <= self.light_order <= 6:
            raise ValueError(f"light_order must be in 1..6, got {self.light_order}")


@dataclass(frozen=True)
class Levels:
    """What the pictures of a set have; medians over them, in code values."""

    noise: tuple[tuple[float, ...], ...]  # covariance of the channels of what is finer than edges
    mean: float  # of luma
    contrast: float  # standard deviation of luma without slow light


def base_of(picture: Floats) -> Floats:
    """Return a picture without noise, in which edges stand; what is a pixel wide goes.

    Medians are of the eight pixels around each, for a checkerboard is what the median of all nine would keep: of the
    two in the middle their mean, and at an edge the one that is like the pixel. What is left is a mean over neighbours
    that are alike there.
    Source: Petschnigg et al., Digital Photography with Flash and No-Flash Image Pairs, SIGGRAPH 2004 (joint bilateral).
    """
    guide = picture
    for _ in range(MEDIANS):
        guide = _median_of_eight(guide)
    luma = guide @ LUMA
    total, weights = np.zeros_like(picture), np.zeros(picture.shape[:2], np.float32)
    for y, x in np.ndindex(2 * REACH_PX + 1, 2 * REACH_PX + 1):
        alike = np.exp(-0.5 * ((_moved(luma, y, x, REACH_PX) - luma) / RANGE) ** 2)
        total += alike[..., None] * _moved(guide, y, x, REACH_PX)
        weights += alike
    out: Floats = total / weights[..., None]
    return out


def measure_levels(pictures: Iterable[Rgb], removal: Removal) -> Levels:
    """Return the levels of a set: robust standard deviations, and the plain correlation of channels."""
    found = [_levels_of(picture.astype(np.float32), removal) for picture in pictures]
    sigmas, correlations, means, contrasts = (np.array(column) for column in zip(*found, strict=True))
    sigma = np.median(sigmas, axis=0)
    covariance = correlations.mean(axis=0) * sigma[:, None] * sigma[None]
    return Levels(
        tuple(tuple(round(value, 6) for value in row) for row in covariance.tolist()),
        round(float(np.median(means)), 4), round(float(np.median(contrasts)), 4),
    )  # fmt: skip


def without(cue: str, picture: Rgb, base: Floats, removal: Removal, levels: Levels, random: np.random.Generator) -> Rgb:
    """Return a picture without a cue of `CUES`; `base` is `base_of` it."""
    changed = REMOVERS[cue](_Seen(picture.astype(np.float32), base, removal, levels, random))
    out: Rgb = np.clip(np.rint(changed), 0.0, WHITE).astype(np.uint8)
    return out


@dataclass(frozen=True)
class _Seen:
    picture: Floats
    base: Floats
    removal: Removal
    levels: Levels
    random: np.random.Generator


def _without_noise(seen: _Seen) -> Floats:
    """Return the base with noise that says nothing; a covariance without a root in one channel is one of fewer."""
    values, vectors = np.linalg.eigh(np.array(seen.levels.noise))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    fresh = seen.random.standard_normal(seen.picture.shape) @ root.T
    return seen.base + fresh.astype(np.float32)


def _without_sharpness(seen: _Seen) -> Floats:
    sigma = seen.removal.sigma_px
    blurred = ndimage.gaussian_filter(seen.base, (sigma, sigma, 0.0), mode="nearest")
    sigmas = np.sqrt(np.maximum(np.diag(np.array(seen.levels.noise)), 0.0))
    most = np.maximum(MOST_SIGMAS * sigmas, RANGE).astype(np.float32)
    out: Floats = blurred + np.clip(seen.picture - seen.base, -most, most)
    return out


def _without_light(seen: _Seen) -> Floats:
    return seen.picture * _evening(seen.picture @ LUMA, seen.removal)[..., None]


def _without_contrast(seen: _Seen) -> Floats:
    luma = seen.picture @ LUMA
    spread = float((luma * _evening(luma, seen.removal)).std())
    wanted = seen.levels.contrast / spread if spread > FLAT else 1.0
    gain = min(max(wanted, 1.0 / MOST_GAIN), MOST_GAIN)
    out: Floats = (seen.picture - np.float32(luma.mean())) * np.float32(gain) + np.float32(seen.levels.mean)
    return out


def _without_color(seen: _Seen) -> Floats:
    return np.repeat((seen.picture @ LUMA)[..., None], 3, axis=2)


REMOVERS: Mapping[str, Callable[[_Seen], Floats]] = {
    "noise": _without_noise,
    "sharpness": _without_sharpness,
    "light": _without_light,
    "contrast": _without_contrast,
    "color": _without_color,
}
CUES = tuple(REMOVERS)


def _evening(luma: Floats, removal: Removal) -> Floats:
    """Return what to multiply a picture with, so that light that changes slowly is even; its mean stays about 1."""
    y, x = (np.linspace(-1.0, 1.0, size) for size in luma.shape)
    order = removal.light_order
    terms = [np.outer(y**down, x**right).ravel() for down in range(order + 1) for right in range(order + 1 - down)]
    table = np.stack(terms, axis=1)
    log = np.log(np.maximum(luma, DARKEST)).ravel().astype(np.float64)
    light = np.exp(table @ np.linalg.solve(table.T @ table, table.T @ log)).reshape(luma.shape)
    out: Floats = np.clip(light.mean() / light, 1.0 / MOST_GAIN, MOST_GAIN).astype(np.float32)
    return out


def _levels_of(picture: Floats, removal: Removal) -> tuple[Floats, Floats, float, float]:
    fine = (picture - base_of(picture)).reshape(-1, 3)
    sigma = MAD_TO_SIGMA * np.median(np.abs(fine - np.median(fine, axis=0)), axis=0)
    deviation = fine - fine.mean(axis=0)
    spread = np.maximum(np.sqrt((deviation**2).mean(axis=0)), 1e-6)
    correlation = (deviation.T @ deviation) / len(fine) / (spread[:, None] * spread[None])
    luma = picture @ LUMA
    flat = luma * _evening(luma, removal)
    return sigma, correlation, float(luma.mean()), float(flat.std())


def _median_of_eight(picture: Floats) -> Floats:
    around = [_moved(picture, y, x, 1) for y, x in np.ndindex(3, 3) if (y, x) != (1, 1)]
    ranked = np.partition(np.stack(around), (3, 4), axis=0)
    low, high = ranked[3], ranked[4]
    up, left, right, down = (around[place] for place in (1, 3, 4, 6))
    own = np.where(np.abs(picture - low) < np.abs(picture - high), low, high)
    stands_out = (_beyond(picture, up, down)) & (_beyond(picture, left, right))
    is_edge = (high - low > RANGE) & ~stands_out
    out: Floats = np.where(is_edge, own, (low + high) / np.float32(2.0))
    return out


def _beyond(picture: Floats, first: Floats, second: Floats) -> NDArray[np.bool_]:
    """Return where a value is not between two others."""
    return (picture > np.maximum(first, second)) | (picture < np.minimum(first, second))


def _moved(picture: Floats, y: int, x: int, reach: int) -> Floats:
    """Return what is y - reach rows below and x - reach columns right of every pixel; the border repeats."""
    pad = ((reach, reach), (reach, reach), *([(0, 0)] * (picture.ndim - 2)))
    wide = np.pad(picture, pad, mode="edge")
    return wide[y : y + picture.shape[0], x : x + picture.shape[1]]
