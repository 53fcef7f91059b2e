"""Points to pixels and back, through any lens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.lens import curves
from engine.lens.model import Lens, LensModel

Array = NDArray[np.float64]


def project(lens: Lens, points_m: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return where points are seen.

    Args:
        lens: Of the view.
        points_m: In the camera's frame (x right, y up, looks along -z), [..., 3].
    Returns:
        Pixels [..., 2], also beyond the image's borders, and whether a ray of the lens meets the point; pixels
        of points that none meets are no numbers.
    """
    x, y, z = (np.asarray(points_m, np.float64)[..., axis] for axis in range(3))
    c, limit = lens.coefficients, np.asarray(lens.limit)
    ahead = -z
    with np.errstate(all="ignore"):
        if lens.model == LensModel.ORTHOGRAPHIC:
            right, down, seen = x, -y, ahead > 0.0
        elif lens.model == LensModel.PINHOLE:
            right, down, seen = x / ahead, -y / ahead, ahead > 0.0
        elif lens.model == LensModel.BROWN_CONRADY:
            u, v = x / ahead, -y / ahead
            right, down, _ = curves.brown_conrady(c, u, v)
            seen = (ahead > 0.0) & (u * u + v * v <= limit * limit)
        elif lens.model == LensModel.EQUIRECTANGULAR:
            right, down = np.arctan2(x, ahead), np.arctan2(-y, np.hypot(x, ahead))
            seen = (x != 0.0) | (y != 0.0) | (z != 0.0)
        else:
            aside = np.hypot(x, y)
            angle = np.arctan2(aside, ahead)
            if lens.model == LensModel.KANNALA_BRANDT:
                radius, seen = curves.kannala_brandt_curve(c, angle)[0], angle <= limit
            else:
                radius = curves.inverse(lambda r: curves.f_theta_curve(c, r), angle, limit)
                seen = angle <= curves.f_theta_curve(c, limit)[0]
            share = np.where(aside > 0.0, radius / aside, 0.0)
            right, down = x * share, -y * share
    pixels = np.stack([right * lens.k[0, 0] + lens.k[0, 2], down * lens.k[1, 1] + lens.k[1, 2]], axis=-1)
    pixels[~seen] = np.nan
    return pixels, seen


def ray_directions(lens: Lens, pixels: Array) -> Array:
    """Return the directions [..., 3] in which pixels [..., 2] look, so long that depth_m times them is the point.

    Camera frame. No numbers where the lens sends no ray. Those of an orthographic lens are all (0, 0, -1); its rays
    begin side by side.
    """
    pixels = np.asarray(pixels, np.float64)
    x = (pixels[..., 0] - lens.k[0, 2]) / lens.k[0, 0]
    y = (pixels[..., 1] - lens.k[1, 2]) / lens.k[1, 1]
    c, limit, one = lens.coefficients, np.asarray(lens.limit), np.ones_like(x)
    seen = np.ones(x.shape, np.bool_)
    if lens.model == LensModel.ORTHOGRAPHIC:
        parts = [0.0 * x, 0.0 * y, -one]
    elif lens.model == LensModel.PINHOLE:
        parts = [x, -y, -one]
    elif lens.model == LensModel.BROWN_CONRADY:
        u, v, seen = curves.inverse_brown_conrady(c, x, y, limit)
        parts = [u, -v, -one]
    elif lens.model == LensModel.EQUIRECTANGULAR:
        parts = [np.cos(y) * np.sin(x), -np.sin(y), -np.cos(y) * np.cos(x)]
        seen = (np.abs(x) <= np.pi) & (np.abs(y) <= np.pi / 2.0)
    else:
        radius = np.hypot(x, y)
        if lens.model == LensModel.KANNALA_BRANDT:
            angle = curves.inverse(lambda a: curves.kannala_brandt_curve(c, a), radius, limit)
            seen = radius <= curves.kannala_brandt_curve(c, limit)[0]
        else:
            angle, seen = curves.f_theta_curve(c, radius)[0], radius <= limit
        share = np.where(radius > 0.0, np.sin(angle) / np.maximum(radius, 1.0e-300), 1.0)
        parts = [x * share, -y * share, -np.cos(angle)]
    directions = np.stack(parts, axis=-1)
    directions[~seen] = np.nan
    return directions


def unproject(lens: Lens, pixels: Array, depth_m: Array) -> Array:
    """Return the points [..., 3] in the camera's frame that pixels [..., 2] see at depths [...] of the depth image."""
    points_m = ray_directions(lens, pixels) * np.asarray(depth_m, np.float64)[..., None]
    if lens.model == LensModel.ORTHOGRAPHIC:
        points_m[..., 0] = (np.asarray(pixels)[..., 0] - lens.k[0, 2]) / lens.k[0, 0]
        points_m[..., 1] = (lens.k[1, 2] - np.asarray(pixels)[..., 1]) / lens.k[1, 1]
    return points_m
