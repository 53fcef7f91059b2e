"""Labels: flat tables keyed by (view, instance)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Labels:
    """One row for every instance seen in a view, unlabelled ones included, sorted by (view, instance).

    Pixels: see docs/formats.md.
    """

    view: NDArray[np.int32]  # [row]
    instance: NDArray[np.int32]  # [row], index into Scene.instances
    class_id: NDArray[np.int32]  # [row]
    visible_px: NDArray[np.int32]  # [row], pixels whose centre sees the instance
    box_px: NDArray[np.int32]  # [row, 4]: x0, y0, x1, y1; half-open, tight around the visible pixels
    distance_m: NDArray[np.float32]  # [row], smallest planar depth of the instance's visible pixels
    rle: tuple[bytes, ...]  # [row], compressed COCO counts of the visible mask, column-major
