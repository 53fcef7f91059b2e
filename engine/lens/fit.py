"""Lenses of a draft: configured values in units of the image, to focal lengths, normalised coefficients and limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.lens import curves
from engine.lens.model import COEFFICIENTS, LensModel
from engine.optics import LensConfig

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LensValues:
    """Values of a lens that differ from view to view; None: as configured."""

    coefficients: Array | None = None  # [row, camera, n]
    fov_deg: Array | None = None  # [row, camera]


def fit_lens(
    draft: Draft,
    cameras: NDArray[np.int64],
    lens: LensConfig,
    size_px: tuple[int, int],
    values: LensValues = LensValues(),
    *,
    where: str,
) -> None:
    """Put a lens on cameras of a draft; what it does not say of focal length and centre stays.

    Args:
        draft: Changed in place.
        cameras: Columns of the draft.
        lens: As configured.
        size_px: Width and height of the image.
        values: Drawn ones.
        where: Path of the configuration, for errors.
    Raises:
        UserError: If a camera is orthographic, or the lens cannot see as far as fov_deg.
    """
    shape = (len(draft.world), len(cameras))
    if (draft.lens_model[:, cameras] == LensModel.ORTHOGRAPHIC).any():
        raise UserError(f"{where}: a camera of the rig is orthographic, and its rays do not bend; use lens=as_authored")
    model = LensModel[lens.model.upper()]
    given = np.asarray(lens.coefficients, np.float64) if values.coefficients is None else values.coefficients
    scale = 1.0 if lens.calibrated_width_px is None else size_px[0] / lens.calibrated_width_px
    coefficients, own_focal_px = _normalised(model, np.broadcast_to(given, (*shape, given.shape[-1])))
    max_angle_rad = None if lens.max_fov_deg is None else np.radians(lens.max_fov_deg) / 2.0
    limit = curves.lens_limit(model, coefficients, max_angle_rad)
    draft.lens_model[:, cameras] = model
    draft.lens_coefficients[:, cameras] = coefficients
    draft.lens_limit[:, cameras] = limit
    fov_deg = values.fov_deg
    if fov_deg is None and lens.fov_deg is not None:
        fov_deg = np.full(shape, lens.fov_deg)
    if fov_deg is not None:
        end = limit if max_angle_rad is None else curves.lens_limit(model, coefficients, None)
        radius = _edge_radius(model, coefficients, np.radians(fov_deg) / 2.0, end)
        if not np.isfinite(radius).all():
            first = np.unravel_index(np.argmin(np.isfinite(radius)), shape)
            reach_deg = 2.0 * np.degrees(_reach(model, coefficients, end)[first])
            raise UserError(
                f"{where}: fov_deg {fov_deg[first]:g} is beyond the {reach_deg:.1f} degrees that this lens sees "
                "with its coefficients; ask for less, or check them"
            )
        draft.focal_px[:, cameras] = (size_px[0] / 2.0 / radius)[..., None]
    elif lens.focal_px is not None:
        draft.focal_px[:, cameras] = np.multiply(lens.focal_px, scale)
    elif own_focal_px is not None:
        draft.focal_px[:, cameras] = own_focal_px[..., None] * scale
    if lens.center_px is not None:
        draft.center_px[:, cameras] = np.multiply(lens.center_px, scale)


def _normalised(model: LensModel, given: Array) -> tuple[Array, Array | None]:
    """Return coefficients [..., 12] for radii in focal lengths, and the focal length [px] if they have it."""
    out = np.zeros((*given.shape[:-1], COEFFICIENTS))
    if model != LensModel.F_THETA:
        out[..., : given.shape[-1]] = given
        return out, None
    focal_px = 1.0 / given[..., 1]
    for power in range(1, given.shape[-1]):
        out[..., power - 1] = given[..., power] * focal_px**power
    return out, focal_px


def _edge_radius(model: LensModel, c: Array, angle_rad: Array, limit: Array) -> Array:
    """Return the image's radius, in focal lengths, of an angle from the axis; no number beyond the lens's limit."""
    if model == LensModel.EQUIRECTANGULAR:
        return angle_rad
    if model == LensModel.KANNALA_BRANDT:
        return np.where(angle_rad <= limit, curves.kannala_brandt_curve(c, angle_rad)[0], np.nan)
    if model == LensModel.F_THETA:
        radius = curves.inverse(lambda r: curves.f_theta_curve(c, r), angle_rad, limit)
        return np.where(angle_rad <= curves.f_theta_curve(c, limit)[0] + 1.0e-9, radius, np.nan)
    slope = np.tan(angle_rad)
    if model == LensModel.PINHOLE:
        return slope
    return np.where(slope <= limit, curves.brown_conrady_curve(c, slope)[0], np.nan)


def _reach(model: LensModel, c: Array, limit: Array) -> Array:
    """Return the largest angle from the axis [rad] that lenses see."""
    if model == LensModel.F_THETA:
        return curves.f_theta_curve(c, limit)[0]
    return limit if model == LensModel.KANNALA_BRANDT else np.arctan(limit)
