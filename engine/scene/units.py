"""From a stage's own units and axes to metres with Z up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # turns by +90 degrees about x


@dataclass(frozen=True)
class StageUnits:
    """Metres per unit and the rotation that makes Z point up."""

    meters_per_unit: float
    world_from_stage: NDArray[np.float64]  # [3, 3], a rotation

    def world_from_local(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return [..., 3, 4] for column vectors in metres from USD's [..., 4, 4] for row vectors in stage units.

        Both sides of the product are in metres afterwards: local points must be scaled by `meters_per_unit` too.
        """
        out = np.empty((*matrix.shape[:-2], 3, 4))
        with np.errstate(invalid="ignore"):  # what is not finite stays so; the caller looks
            out[..., :3] = self.world_from_stage @ np.swapaxes(matrix[..., :3, :3], -1, -2)
            out[..., 3] = matrix[..., 3, :3] @ self.world_from_stage.T * self.meters_per_unit
        return out


def orthonormal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [3, 4] with unit, right-handed axes: z keeps its direction, y is made normal to it, x follows.

    A mirrored matrix loses its mirror: x is turned over.
    """
    z = _unit(matrix[:, 2], np.array([0.0, 0.0, 1.0]))
    y = matrix[:, 1] - z * (z @ matrix[:, 1])
    fallback = np.array([0.0, 1.0, 0.0]) if abs(z[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    y = _unit(y, fallback - z * (z @ fallback))
    return np.column_stack([np.cross(y, z), y, z, matrix[:, 3]])


def axis_lengths(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lengths of the three axes of [..., 3, 4]."""
    lengths: NDArray[np.float64] = np.linalg.norm(matrix[..., :3], axis=-2)
    return lengths


def _unit(vector: NDArray[np.float64], fallback: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    if length < 1e-30:
        return fallback / np.linalg.norm(fallback)
    return vector / length
