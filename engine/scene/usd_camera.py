"""UsdGeomCamera to `Camera`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pxr import Usd, UsdGeom

from engine.scene.model import Camera
from engine.scene.units import axis_lengths, orthonormal
from engine.scene.usd import OpenStage
from engine.scene.usd_value import Values

MM_PER_TENTH = 100.0  # lens lengths are tenths of a world unit: times metersPerUnit, 0.1 m is 100 mm


def read_camera(opened: OpenStage, prim: Usd.Prim, matrix: NDArray[np.float64]) -> Camera | None:
    """Return a camera, or None with a note when it cannot see; `matrix` is USD's local-to-world."""
    values = Values(opened, prim)
    mpu = opened.units.meters_per_unit

    def length_mm(name: str, default: float) -> float:
        return values.number(name, default) * mpu * MM_PER_TENTH

    world_from_camera = opened.units.world_from_local(matrix)
    if not np.isfinite(world_from_camera).all():
        opened.notes.add("skipped", prim.GetPath(), "its transform is not finite")
        return None
    if np.linalg.det(world_from_camera[:, :3]) < 0.0:
        opened.notes.add("approximated", prim.GetPath(), "mirrored camera: its image is not mirrored")
    if not np.allclose(axis_lengths(world_from_camera), 1.0, atol=1e-4):
        opened.notes.add("converted", prim.GetPath(), "scale of the camera was taken out")
    clip = UsdGeom.Camera(prim).GetClippingRangeAttr().Get(opened.time)
    camera = Camera(
        name=str(prim.GetPath()),
        world_from_camera=orthonormal(world_from_camera),
        focal_length_mm=length_mm("focalLength", 50.0),
        horizontal_aperture_mm=length_mm("horizontalAperture", 20.955),
        vertical_aperture_mm=length_mm("verticalAperture", 15.2908),
        horizontal_offset_mm=length_mm("horizontalApertureOffset", 0.0),
        vertical_offset_mm=length_mm("verticalApertureOffset", 0.0),
        orthographic=values.text("projection", "perspective") == "orthographic",
        clip_m=(float(clip[0]) * mpu, float(clip[1]) * mpu) if clip is not None else (0.0, float("inf")),
    )
    if camera.horizontal_aperture_mm <= 0.0 or camera.focal_length_mm <= 0.0:
        opened.notes.add("skipped", prim.GetPath(), "camera without a positive focal length and aperture")
        return None
    return camera
