"""Authored cameras as lenses: their lengths in pixels, and their projection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.lens.model import LensModel
from engine.scene.model import Camera


def intrinsics(camera: Camera, width: int, height: int) -> NDArray[np.float64]:
    """Return K [3, 3] in corner-origin pixels (x right, y down; the image spans [0, width) x [0, height)).

    The fit rule: the horizontal aperture fills the width and pixels are square. Where the image's aspect is not that of
    the apertures, more or less is in view above and below; the vertical aperture decides nothing, and the vertical
    offset counts in the same pixels a millimetre. A positive offset moves the film right or up, which moves the
    principal point left or down.
    Orthographic cameras have `focal` in pixels per metre: x = fx * X + cx with X in metres in the camera frame.
    Source: UsdGeomCamera, https://openusd.org/release/user_guides/schemas/usdGeom/Camera.html
    """
    px_per_mm = width / camera.horizontal_aperture_mm
    focal_px = px_per_mm * (1000.0 if camera.orthographic else camera.focal_length_mm)
    center_x = width / 2.0 - camera.horizontal_offset_mm * px_per_mm
    center_y = height / 2.0 + camera.vertical_offset_mm * px_per_mm
    return np.array([[focal_px, 0.0, center_x], [0.0, focal_px, center_y], [0.0, 0.0, 1.0]])


def pixel_pitch_m(camera: Camera, width: int) -> float:
    """Return the width of a pixel on the sensor, by the fit rule of `intrinsics`."""
    return camera.horizontal_aperture_mm / (1000.0 * width)


def authored_model(camera: Camera) -> LensModel:
    """Return the lens model of an authored camera."""
    return LensModel.ORTHOGRAPHIC if camera.orthographic else LensModel.PINHOLE
