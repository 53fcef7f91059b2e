"""UsdGeomCamera to `Camera`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pxr import Usd, UsdGeom

from engine.scene.model import Camera
from engine.scene.units import axis_lengths, orthonormal
from engine.scene.usd import OpenStage

MM_PER_TENTH = 100.0  # lens lengths are tenths of a world unit: times metersPerUnit, 0.1 m is 100 mm


def read_camera(opened: OpenStage, prim: Usd.Prim, matrix: NDArray[np.float64]) -> Camera:
    """Return a camera; `matrix` is USD's local-to-world."""
    usd = UsdGeom.Camera(prim)
    mpu = opened.units.meters_per_unit

    def length_mm(attribute: Usd.Attribute) -> float:
        return float(attribute.Get(opened.time)) * mpu * MM_PER_TENTH

    world_from_camera = opened.units.world_from_local(matrix)
    if np.linalg.det(world_from_camera[:, :3]) < 0.0:
        opened.notes.add("approximated", prim.GetPath(), "mirrored camera: its image is not mirrored")
    if not np.allclose(axis_lengths(world_from_camera), 1.0, atol=1e-4):
        opened.notes.add("converted", prim.GetPath(), "scale of the camera was taken out")
    clip = usd.GetClippingRangeAttr().Get(opened.time)
    return Camera(
        name=str(prim.GetPath()),
        world_from_camera=orthonormal(world_from_camera),
        focal_length_mm=length_mm(usd.GetFocalLengthAttr()),
        horizontal_aperture_mm=length_mm(usd.GetHorizontalApertureAttr()),
        vertical_aperture_mm=length_mm(usd.GetVerticalApertureAttr()),
        horizontal_offset_mm=length_mm(usd.GetHorizontalApertureOffsetAttr()),
        vertical_offset_mm=length_mm(usd.GetVerticalApertureOffsetAttr()),
        orthographic=usd.GetProjectionAttr().Get(opened.time) == UsdGeom.Tokens.orthographic,
        clip_m=(float(clip[0]) * mpu, float(clip[1]) * mpu),
    )
