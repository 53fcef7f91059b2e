"""The distortion formulas, how far each can be inverted, and their inverses, over arrays of lenses and points.

Sources: OpenCV, https://docs.opencv.org/4.x/d9/d0c/group__calib3d.html and group__calib3d__fisheye; Kannala and Brandt,
"A generic camera model and calibration method", TPAMI 28(8), 2006; NVIDIA's f-theta lens as in Isaac Sim's
`fisheyePolynomial` (fthetaPolyA .. F), https://nvidia.github.io/ncore/data/sensor_models.html, pixel distance to angle.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.lens.model import LensModel

Array = NDArray[np.float64]
Curve = Callable[[Array], tuple[Array, Array]]  # value and slope

LARGEST_SLOPE = 10.0  # Brown-Conrady is not looked at beyond this undistorted radius: 84.3 degrees from the axis
SAMPLES = 1024  # of a curve, between which its end is found by bisection
BISECTIONS = 48
MOST_STEPS = 100  # of an inversion; Newton needs about five
STILL = 1.0e-14  # relative


def brown_conrady_curve(c: Array, r: Array) -> tuple[Array, Array]:
    """Return the radial part of the distortion, and its slope; no numbers where the denominator is not above 0."""
    r2 = r * r
    below = 1.0 + r2 * (c[..., 5] + r2 * (c[..., 6] + r2 * c[..., 7]))
    below = np.where(below > 0.0, below, np.nan)
    factor = (1.0 + r2 * (c[..., 0] + r2 * (c[..., 1] + r2 * c[..., 4]))) / below
    bend_above = c[..., 0] + r2 * (2.0 * c[..., 1] + r2 * 3.0 * c[..., 4])
    bend_below = c[..., 5] + r2 * (2.0 * c[..., 6] + r2 * 3.0 * c[..., 7])
    return r * factor, factor + 2.0 * r2 * (bend_above - factor * bend_below) / below


def kannala_brandt_curve(c: Array, angle: Array) -> tuple[Array, Array]:
    """Return the radius of angles from the axis [rad], and its slope."""
    a2 = angle * angle
    value = angle * (1.0 + a2 * (c[..., 0] + a2 * (c[..., 1] + a2 * (c[..., 2] + a2 * c[..., 3]))))
    return value, 1.0 + a2 * (3 * c[..., 0] + a2 * (5 * c[..., 1] + a2 * (7 * c[..., 2] + a2 * 9 * c[..., 3])))


def f_theta_curve(c: Array, r: Array) -> tuple[Array, Array]:
    """Return the angle from the axis [rad] of radii, and its slope."""
    value = r * (c[..., 0] + r * (c[..., 1] + r * (c[..., 2] + r * (c[..., 3] + r * c[..., 4]))))
    slope = c[..., 0] + r * (2 * c[..., 1] + r * (3 * c[..., 2] + r * (4 * c[..., 3] + r * 5 * c[..., 4])))
    return value, slope


def lens_limit(model: LensModel, coefficients: Array, max_angle_rad: float | None) -> Array:
    """Return how far lenses [..., 12] see: up to an angle from the axis, and no farther than their curve increases.

    That is an undistorted radius for brown_conrady, an angle for kannala_brandt, a radius for f_theta; infinite for
    models that bend nothing.
    """
    c = coefficients[..., None, :]
    most_rad = np.pi if max_angle_rad is None else max_angle_rad
    if model == LensModel.BROWN_CONRADY:
        end = LARGEST_SLOPE if most_rad >= np.pi / 2.0 else min(LARGEST_SLOPE, float(np.tan(most_rad)))
        return _end_of(lambda r: brown_conrady_curve(c, r)[1] > 0.0, end, coefficients.shape[:-1])
    if model == LensModel.KANNALA_BRANDT:
        return _end_of(lambda a: kannala_brandt_curve(c, a)[1] > 0.0, most_rad, coefficients.shape[:-1])
    if model == LensModel.F_THETA:

        def is_seen(r: Array) -> NDArray[np.bool_]:
            angle, slope = f_theta_curve(c, r)
            return (slope > 0.0) & (angle <= most_rad)

        return _end_of(is_seen, 4.0 * np.pi, coefficients.shape[:-1])
    return np.full(coefficients.shape[:-1], np.inf)


def _end_of(is_fine: Callable[[Array], NDArray[np.bool_]], end: float, shape: tuple[int, ...]) -> Array:
    """Return the largest number up to `end` below which all samples are fine."""
    samples = np.linspace(0.0, end, SAMPLES + 1)
    fine = np.broadcast_to(is_fine(np.broadcast_to(samples, (*shape, SAMPLES + 1))), (*shape, SAMPLES + 1))
    first = np.where(fine.all(axis=-1), SAMPLES + 1, np.argmin(fine, axis=-1))
    low = samples[np.maximum(first - 1, 0)]
    high = samples[np.minimum(first, SAMPLES)]
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        good = is_fine(middle[..., None])[..., 0]
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return low


def inverse(curve: Curve, value: Array, limit: Array) -> Array:
    """Return where a curve that increases on [0, limit] has values; the limit where they are beyond it.

    Newton's method, with a bisection wherever it would leave the interval that is left.
    """
    low, high = np.zeros_like(value), np.broadcast_to(limit, value.shape).astype(np.float64)
    r = np.minimum(value, high)
    for _ in range(MOST_STEPS):
        found, slope = curve(r)
        low, high = np.where(found < value, r, low), np.where(found > value, r, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = r - (found - value) / slope
        following = np.where((newton >= low) & (newton <= high), newton, 0.5 * (low + high))
        is_still = bool((np.abs(following - r) <= STILL * r).all())
        r = following
        if is_still:
            break
    return r


def brown_conrady(c: Array, u: Array, v: Array) -> tuple[Array, Array, Array]:
    """Return the distorted slopes x and y (down) of undistorted ones, and the Jacobian [..., 2, 2]."""
    r2 = u * u + v * v
    r = np.sqrt(r2)
    value, slope = brown_conrady_curve(c, r)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(r > 0.0, value / r, 1.0)
        bend = np.where(r > 0.0, (slope - factor) / (2.0 * r2), 0.0)  # of the factor, by r^2; used times u and v only
    p1, p2 = c[..., 2], c[..., 3]
    x = u * factor + 2 * p1 * u * v + p2 * (r2 + 2 * u * u) + r2 * (c[..., 8] + r2 * c[..., 9])
    y = v * factor + p1 * (r2 + 2 * v * v) + 2 * p2 * u * v + r2 * (c[..., 10] + r2 * c[..., 11])
    mixed = 2 * (u * v * bend + p1 * u + p2 * v)
    prism_x, prism_y = 2 * (c[..., 8] + 2 * c[..., 9] * r2), 2 * (c[..., 10] + 2 * c[..., 11] * r2)
    xx = factor + 2 * u * u * bend + 2 * p1 * v + 6 * p2 * u + u * prism_x
    yy = factor + 2 * v * v * bend + 6 * p1 * v + 2 * p2 * u + v * prism_y
    xy, yx = mixed + v * prism_x, mixed + u * prism_y
    return x, y, np.stack([np.stack([xx, xy], axis=-1), np.stack([yx, yy], axis=-1)], axis=-2)


def inverse_brown_conrady(c: Array, x: Array, y: Array, limit: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return undistorted slopes of distorted ones, and whether there are any within the limit."""
    radius = np.hypot(x, y)
    shrink = inverse(lambda r: brown_conrady_curve(c, r), radius, limit) / np.maximum(radius, 1.0e-300)
    u, v, determinant = x * shrink, y * shrink, np.ones_like(x)
    with np.errstate(all="ignore"):
        for _ in range(MOST_STEPS):
            found_x, found_y, jacobian = brown_conrady(c, u, v)
            off_x, off_y = found_x - x, found_y - y
            determinant = jacobian[..., 0, 0] * jacobian[..., 1, 1] - jacobian[..., 0, 1] * jacobian[..., 1, 0]
            step_u = (off_x * jacobian[..., 1, 1] - off_y * jacobian[..., 0, 1]) / determinant
            step_v = (off_y * jacobian[..., 0, 0] - off_x * jacobian[..., 1, 0]) / determinant
            u, v = u - step_u, v - step_v
            if not (np.maximum(np.abs(step_u), np.abs(step_v)) > STILL * (1.0 + radius)).any():
                break
        found_x, found_y, _ = brown_conrady(c, u, v)
        off = np.maximum(np.abs(found_x - x), np.abs(found_y - y))
        return u, v, (off <= 1.0e-9 * (1.0 + radius)) & (determinant > 0.0) & (u * u + v * v <= limit * limit)
