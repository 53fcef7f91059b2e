"""How sharp the borders of labels are, and how sharp other edges of the same picture: a paste shows in the difference.

The sharpness of an edge is the largest step between neighbouring pixels across it over the whole rise: 1 for a border
that was cut out, about 0.4 behind a lens that blurs with a sigma of one pixel, whatever the contrast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.formats.masks import within_frame
from engine.formats.record import Frame

Array = NDArray[np.float64]

REACH_PX = 4  # of a profile, to either side
POINTS = 48  # profiles of a border, and of other edges of a picture
FEWEST_POINTS = 6  # with contrast enough, for a median
NOISE_FACTOR = 6.0  # the rise of a profile must exceed this many standard deviations of noise
LEAST_RISE = 0.03  # and this much of white
STEEP_QUANTILE = 0.98  # of the picture: other edges are at least so steep
APART_PX = 8  # other edges are at least so far from borders of labels
LEAST_AREA_PX = 30


@dataclass(frozen=True)
class BorderFact:
    """An instance's border: the logarithm of its sharpness over that of other edges, and where it is."""

    log_ratio: float
    box: tuple[float, float, float, float]


def measure_borders(frame: Frame, luma: NDArray[np.float32], random: np.random.Generator) -> list[BorderFact]:
    """Return the borders of instances that can be compared with other edges of the picture."""
    from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter

    masks = [
        (instance, within_frame(instance.mask, frame.width, frame.height))
        for instance in frame.instances
        if instance.mask is not None and (instance.visible_px or 0) >= LEAST_AREA_PX
    ]
    if not masks:
        return []
    noise = _noise_of(luma)
    smooth = gaussian_filter(luma, 1.0)
    down, across = np.gradient(smooth)
    steep = np.hypot(across, down)
    borders = np.zeros(luma.shape, bool)
    for _, mask in masks:
        borders |= mask ^ binary_dilation(mask)
    far = distance_transform_edt(~borders) > APART_PX
    others = far & (steep >= np.quantile(steep, STEEP_QUANTILE))
    normals = np.stack([across, down], axis=-1) / (steep[..., None] + 1.0e-9)
    reference = _sharpness(luma, others, normals, (noise, random))
    if reference is None:
        return []
    facts = []
    for instance, mask in masks:
        sharp = _sharpness(luma, mask ^ binary_dilation(mask), _normals(mask), (noise, random))
        if sharp is not None:
            facts.append(BorderFact(float(np.log(sharp / reference)), instance.box))
    return facts


def _normals(mask: NDArray[np.bool_]) -> Array:
    """Return the direction across the border of a mask, [y, x, 2], near it."""
    from scipy.ndimage import gaussian_filter

    down, across = np.gradient(gaussian_filter(mask.astype(np.float64), 1.5))
    length = np.hypot(across, down) + 1.0e-9
    return np.stack([across / length, down / length], axis=-1)


def _sharpness(
    luma: NDArray[np.float32], where: NDArray[np.bool_], normals: Array, rest: tuple[float, np.random.Generator]
) -> float | None:
    """Return the median sharpness of profiles across some pixels; None: too few rise above the noise."""
    from scipy.ndimage import map_coordinates

    noise, random = rest
    rows, columns = np.nonzero(where)
    inside = (rows >= REACH_PX) & (rows < luma.shape[0] - REACH_PX)
    inside &= (columns >= REACH_PX) & (columns < luma.shape[1] - REACH_PX)
    rows, columns = rows[inside], columns[inside]
    if len(rows) < FEWEST_POINTS:
        return None
    chosen = random.permutation(len(rows))[: 4 * POINTS]
    rows, columns = rows[chosen], columns[chosen]
    normal = normals[rows, columns]
    steps = np.arange(-REACH_PX, REACH_PX + 1)
    at = np.stack([rows[:, None] + normal[:, 1:] * steps, columns[:, None] + normal[:, :1] * steps])
    profile = map_coordinates(luma, at, order=1, mode="nearest")  # [point, step]
    rise = profile.max(axis=1) - profile.min(axis=1)
    clear = rise > max(NOISE_FACTOR * noise, LEAST_RISE)
    if np.count_nonzero(clear) < FEWEST_POINTS:
        return None
    step = np.abs(np.diff(profile[clear], axis=1)).max(axis=1)
    return float(np.median((step / rise[clear])[:POINTS]))


def _noise_of(luma: NDArray[np.float32]) -> float:
    """Return a robust standard deviation of noise: of second differences, whose median flat places decide."""
    second = luma[:, :-2] - 2.0 * luma[:, 1:-1] + luma[:, 2:]
    return float(np.median(np.abs(second))) / 0.6745 / np.sqrt(6.0)
