"""The table of directional albedos from which layers share energy (kernels/energy.py)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.arrays import to_device

LEAST_COSINE = 1.0e-3  # of the table's first column, in place of 0, where nothing is left to integrate
SAMPLES = 64  # of each of two numbers: the table is within 0.2 % of ten times as many


def energy_on_device(device: str, *, compensates: bool) -> Any:
    """Return kernels.energy.Energy."""
    out = gpu.energy.Energy()
    out.albedo = to_device(_cells(albedo_table()), wp.float32, device)
    out.compensates = int(compensates)
    return out


def _cells(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return bilinear cells of the table [cell, 8]: a lookup reads one record instead of eight numbers."""
    corner, right, above = table[:-1, :-1], table[:-1, 1:], table[1:, :-1]
    bend = table[1:, 1:] - right - above + corner
    cells = np.stack([corner, right - corner, above - corner, bend], axis=-1)  # [row, column, component, 4]
    return cells.reshape(-1, 8)


@cache
def albedo_table() -> NDArray[np.float32]:
    """Return the albedo of the GGX lobe [roughness, square root of cosine, 2].

    Component 0 is for a Fresnel factor of 1, component 1 for one of (1 - v.h)^5. Both are means of the weight G2 / G1
    over visible normals (Heitz 2018), at the centres of a square grid of random numbers.
    """
    size = gpu.energy.ENERGY_SIZE
    line = np.linspace(0.0, 1.0, size)
    alphas = np.maximum(line**2, gpu.material.MIN_ALPHA)
    cosines = np.maximum(line**2, LEAST_COSINE)
    table = np.stack([[_albedo(alpha, cosine) for cosine in cosines] for alpha in alphas])
    return table.astype(np.float32)


def _albedo(alpha: float, cosine: float) -> tuple[float, float]:
    """Return both components for one viewer."""
    u, v = (np.stack(np.meshgrid(*[np.arange(SAMPLES) + 0.5] * 2)).reshape(2, -1)) / SAMPLES
    sine = np.sqrt(1.0 - cosine**2)
    stretched = np.array([alpha * sine, 0.0, cosine])
    stretched /= np.linalg.norm(stretched)
    z = (1.0 - v) * (1.0 + stretched[2]) - stretched[2]
    r = np.sqrt(np.clip(1.0 - z * z, 0.0, 1.0))
    half = np.stack([alpha * (r * np.cos(2 * np.pi * u) + stretched[0]), alpha * r * np.sin(2 * np.pi * u),
                     np.maximum(z + stretched[2], 1.0e-9)])  # fmt: skip
    half /= np.linalg.norm(half, axis=0)
    v_dot_h = half[0] * sine + half[2] * cosine
    n_dot_l = 2.0 * v_dot_h * half[2] - cosine

    def hidden(c: Any) -> Any:  # Smith's Lambda
        return 0.5 * (np.sqrt(1.0 + alpha**2 * (1.0 / np.square(c) - 1.0)) - 1.0)

    seen = 1.0 + hidden(cosine)
    weight = np.where(n_dot_l > 0.0, seen / (seen + hidden(np.maximum(n_dot_l, 1.0e-6))), 0.0)
    return float(weight.mean()), float((weight * (1.0 - np.clip(v_dot_h, 0.0, 1.0)) ** 5).mean())
