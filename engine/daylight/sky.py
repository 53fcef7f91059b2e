"""The sky's radiance as numbers that a kernel reads, and the sun's that goes with it.

The distribution and the chromaticity are those of Preetham, Shirley, Smits, "A practical analytic model for daylight",
SIGGRAPH 1999. Its level is that of engine/daylight/atmosphere.py, because the zenith luminance of the paper makes low
suns several times too weak beside their sky.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.daylight.atmosphere import RGB_FROM_XYZ, SUN_HALF_ANGLE_RAD, daylight

Array = NDArray[np.float64]

SKY_NUMBERS = 24  # of a row; kernels/native/sky.cpp says what each is
TABLE_COLUMNS, TABLE_ROWS = 24, 16  # cells of equal angles by which samples follow the sky
TURBIDITY_RANGE = (1.8, 10.0)  # in which the fits give a sky
LEAST_COSINE = 0.01  # of the zenith angle: what is lower looks like this
HORIZON = 0.01  # height over which sky and ground blend, just below the horizon
LOG2_E = 1.4426950408889634
HEIGHTS, TURNS = 12, 16  # directions of the quadrature over half the sky

PEREZ_OF_TURBIDITY = np.array(  # of luminance, x and y: A, B, C, D, E as slope and offset
    [
        [(0.1787, -1.4630), (-0.3554, 0.4275), (-0.0227, 5.3251), (0.1206, -2.5771), (-0.0670, 0.3703)],
        [(-0.0193, -0.2592), (-0.0665, 0.0008), (-0.0004, 0.2125), (-0.0641, -0.8989), (-0.0033, 0.0452)],
        [(-0.0167, -0.2608), (-0.0950, 0.0092), (-0.0079, 0.2102), (-0.0441, -1.6537), (-0.0109, 0.0529)],
    ]
)
ZENITH_CHROMATICITY = np.array(  # of x and y: powers 2, 1, 0 of turbidity by powers 3, 2, 1, 0 of the zenith angle
    [
        [
            (0.00166, -0.00375, 0.00209, 0.0),
            (-0.02903, 0.06377, -0.03202, 0.00394),
            (0.11693, -0.21196, 0.06052, 0.25886),
        ],
        [
            (0.00275, -0.00610, 0.00317, 0.0),
            (-0.04214, 0.08970, -0.04153, 0.00516),
            (0.15346, -0.26756, 0.06670, 0.26688),
        ],
    ]
)


@dataclass(frozen=True)
class SkyRows:
    """Sun and sky of every row, in units of `unit_nit` where nothing else is said."""

    numbers: Array  # [row, SKY_NUMBERS], for the kernel
    sun_irradiance: Array  # [row, 3], linear, on a plane that faces the sun
    sky_irradiance: Array  # [row, 3], linear, on a level plane
    ground_radiance: Array  # [row, 3], of the ground below the horizon
    sun_lx: Array  # [row]
    sky_lx: Array  # [row]


def sky_rows(parameters: Array) -> SkyRows:
    """Return sun and sky for [row, 4] parameters.

    Args:
        parameters: Turbidity, the sun's elevation [rad], the ground's albedo, the luminance of radiance 1 [cd/m^2].
    """
    turbidity, elevation_rad, albedo, unit_nit = np.asarray(parameters, np.float64).T
    light = daylight(turbidity, elevation_rad, albedo)
    zenith_rad = np.pi / 2.0 - np.maximum(elevation_rad, 0.0)
    coefficients = PEREZ_OF_TURBIDITY[..., 0] * turbidity[:, None, None] + PEREZ_OF_TURBIDITY[..., 1]
    cos_sun = np.cos(zenith_rad)
    overhead = np.ones_like(cos_sun)
    at_zenith = np.stack([overhead, *_zenith_chromaticity(turbidity, zenith_rad)], axis=-1)
    numbers = np.zeros((len(turbidity), SKY_NUMBERS))
    numbers[:, :15] = coefficients.reshape(-1, 15)
    numbers[:, [1, 3, 6, 8, 11, 13]] *= LOG2_E
    numbers[:, 15:18] = at_zenith / _perez(coefficients, overhead, cos_sun)
    numbers[:, 18], numbers[:, 19] = np.sin(zenith_rad), cos_sun
    direction, weight = _sky_directions()
    _, luminance = sky_colors(numbers, direction)
    numbers[:, 15] *= light.sky_lx / (luminance * (weight * direction[:, 2])).sum(axis=-1) / unit_nit
    colors, _ = sky_colors(numbers, direction)
    sky = np.einsum("rdc,d->rc", colors, weight * direction[:, 2])
    sun = light.sun_lx / unit_nit[:, None]
    ground = albedo[:, None] / np.pi * (sky + sun * np.maximum(np.sin(elevation_rad), 0.0)[:, None])
    numbers[:, 20:23] = ground
    numbers[:, 23] = _unevenness(luminance, weight)
    luminous = (light.sun_lx * np.linalg.inv(RGB_FROM_XYZ)[1]).sum(axis=-1)
    return SkyRows(numbers, sun, sky, ground, luminous, light.sky_lx)


def sky_table(numbers: Array) -> Array:
    """Return the table [row, number] by which samples follow the sky above the horizon; kernels/light.py lays it out.

    A cell has the luminance in its middle; it is the sampling that this decides, not the light.
    """
    edge = np.sin(np.arange(TABLE_ROWS + 1) / TABLE_ROWS * (np.pi / 2.0))
    solid_angle = np.repeat(np.diff(edge) * 2.0 * np.pi / TABLE_COLUMNS, TABLE_COLUMNS)
    elevation_rad = (np.arange(TABLE_ROWS) + 0.5) / TABLE_ROWS * (np.pi / 2.0)
    turn_rad = (0.5 - (np.arange(TABLE_COLUMNS) + 0.5) / TABLE_COLUMNS) * 2.0 * np.pi  # from -y towards +x
    up, around = (angle.ravel() for angle in np.meshgrid(elevation_rad, turn_rad, indexing="ij"))
    direction = np.stack([np.cos(up) * np.sin(around), -np.cos(up) * np.cos(around), np.sin(up)], axis=-1)
    _, luminance = sky_colors(numbers, direction)
    power = (luminance + 1.0e-3 * luminance.max(axis=1, keepdims=True) + 1.0e-30) * solid_angle  # none is left out
    cell = power / power.sum(axis=1, keepdims=True)
    grid = cell.reshape(-1, TABLE_ROWS, TABLE_COLUMNS)
    row = grid.sum(axis=2)
    row_begin = np.cumsum(row, axis=1) - row
    column_begin = (np.cumsum(grid, axis=2) - grid) / row[..., None]
    return np.concatenate([row_begin, column_begin.reshape(len(cell), -1), cell / solid_angle], axis=1)


def sun_radiance(irradiance: Array) -> Array:
    """Return the radiance of the sun's disk that gives this irradiance."""
    return np.asarray(irradiance / (np.pi * np.sin(SUN_HALF_ANGLE_RAD) ** 2))


def sky_colors(numbers: Array, direction: Array) -> tuple[Array, Array]:
    """Return radiance [row, direction, 3] and luminance [row, direction] as the kernel computes them, in float64.

    Directions [direction, 3] are those of the sky's frame: up is +z, the sun above +x.
    """
    n = np.asarray(numbers, np.float64)[:, None, :]
    inverse = 1.0 / np.maximum(direction[:, 2], LEAST_COSINE)
    cos_sun = np.clip(direction[:, 0] * n[..., 18] + direction[:, 2] * n[..., 19], -1.0, 1.0)
    from_sun = np.arccos(cos_sun)
    value = []
    for k in range(3):
        height = 1.0 + n[..., 5 * k] * np.exp2(n[..., 5 * k + 1] * inverse)
        glow = 1.0 + n[..., 5 * k + 2] * np.exp2(n[..., 5 * k + 3] * from_sun) + n[..., 5 * k + 4] * cos_sun**2
        value.append(n[..., 15 + k] * height * glow)
    luminance, x, y = value
    over = luminance / np.maximum(y, 0.05)
    xyz = np.stack([x * over, luminance, (1.0 - x - y) * over], axis=-1)
    rgb = np.maximum(np.einsum("ck,...k->...c", RGB_FROM_XYZ, xyz), 0.0)
    share = np.clip(1.0 + direction[:, 2] / HORIZON, 0.0, 1.0)[:, None]
    return rgb * share + n[..., 20:23] * (1.0 - share), luminance


def _unevenness(luminance: Array, weight: Array) -> Array:
    """Return v / (1 + v) of the relative variance v of the luminance over the sky."""
    mean = (luminance * weight).sum(axis=-1) / (2.0 * np.pi)
    square = (luminance**2 * weight).sum(axis=-1) / (2.0 * np.pi)
    return np.asarray(1.0 - np.divide(mean**2, square, out=np.ones_like(mean), where=square > 0.0))


def _zenith_chromaticity(turbidity: Array, zenith_rad: Array) -> Array:
    """Return x and y [2, row] of the sky straight above."""
    of_turbidity = np.stack([turbidity**2, turbidity, np.ones_like(turbidity)])
    of_angle = np.stack([zenith_rad**3, zenith_rad**2, zenith_rad, np.ones_like(zenith_rad)])
    return np.asarray(np.einsum("kij,ir,jr->kr", ZENITH_CHROMATICITY, of_turbidity, of_angle))


def _perez(coefficients: Array, cos_zenith: Array, cos_sun: Array) -> Array:
    """Return the distribution [row, 3] for coefficients [row, 3, 5] in one direction a row."""
    a, b, c, d, e = np.moveaxis(coefficients, -1, 0)
    cos_zenith, cos_sun = cos_zenith[:, None], cos_sun[:, None]
    return np.asarray((1.0 + a * np.exp(b / cos_zenith)) * (1.0 + c * np.exp(d * np.arccos(cos_sun)) + e * cos_sun**2))


def _sky_directions() -> tuple[Array, Array]:
    """Return directions [direction, 3] of one side of the sky, and the solid angles of them and their twins."""
    node, share = np.polynomial.legendre.leggauss(HEIGHTS)
    z, dz = 0.5 * (node + 1.0), 0.5 * share
    turn = (np.arange(TURNS) + 0.5) * np.pi / TURNS
    r = np.sqrt(1.0 - z * z)
    direction = np.stack([np.outer(r, np.cos(turn)), np.outer(r, np.sin(turn)), np.outer(z, np.ones(TURNS))], axis=-1)
    return direction.reshape(-1, 3), np.repeat(dz * 2.0 * np.pi / TURNS, TURNS)
