"""Lenses as data: models, coefficients, and what the depth image of each means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.frames import FrameKeys

COEFFICIENTS = 12  # of a lens, unused ones 0

Array = NDArray[np.float64]


class LensModel(IntEnum):
    """How a lens maps directions to the image; the kernels number them alike."""

    PINHOLE = 0
    ORTHOGRAPHIC = 1
    BROWN_CONRADY = 2
    KANNALA_BRANDT = 3
    EQUIRECTANGULAR = 4
    F_THETA = 5

    @property
    def depth_kind(self) -> str:
        """Return what depth_m is: `planar`, along the optical axis, or `range`, along the ray."""
        return "planar" if self <= LensModel.BROWN_CONRADY else "range"


@dataclass(frozen=True)
class Lens:
    """The lens of one view.

    Coefficients: brown_conrady k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4, kannala_brandt k1 k2 k3 k4, f_theta c1 c2 c3 c4 c5
    of angle = sum of c_n r^n. Radii count in focal lengths of K, which equirectangular has in pixels a radian and
    orthographic in pixels a metre.
    """

    model: LensModel
    k: Array  # [3, 3], corner-origin pixels
    coefficients: Array  # [12]
    limit: float  # the lens sees up to this undistorted radius (brown_conrady), angle [rad] (kannala_brandt), radius


def lens_of(keys: FrameKeys, view: int) -> Lens:
    """Return the lens of a rendered view.

    Raises:
        ValueError: If the frames do not say what lens they were seen through.
    """
    lenses = keys.lenses
    if lenses is None:
        raise ValueError("these frames have no lenses; those of a Renderer have")
    model = LensModel(int(lenses.model[view]))
    return Lens(model, keys.k[view], lenses.coefficients[view], float(lenses.limit[view]))


def lens_of_row(row: Mapping[str, Any]) -> Lens:
    """Return the lens of a row of index/frames.parquet, as `pyarrow.Table.to_pylist` has it."""
    k = np.reshape(np.asarray(row["k"], np.float64), (3, 3))
    coefficients = np.asarray(row["lens_coefficients"], np.float64)
    return Lens(LensModel[row["lens_model"].upper()], k, coefficients, float(row["lens_limit"]))
