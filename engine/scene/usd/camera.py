"""UsdGeomCamera to `Camera`.

Source: https://openusd.org/release/user_guides/schemas/usdGeom/Camera.html
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pxr import Usd, UsdGeom

from engine.scene.model import Camera
from engine.scene.units import axis_lengths, orthonormal
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.value import Values

MM_PER_TENTH = 100.0  # lens lengths are tenths of a world unit: times metersPerUnit, 0.1 m is 100 mm
EVERYTHING_M = (0.0, math.inf)
LARGEST_STOPS = 60.0  # a camera that is brighter or darker by more is a mistake


def read_camera(opened: OpenStage, prim: Usd.Prim, matrix: NDArray[np.float64], name: str) -> Camera | None:
    """Return a camera, or None with a note when it cannot see; `matrix` is USD's local-to-world."""
    values = Values(opened, prim)
    mpu = opened.units.meters_per_unit

    def length_mm(key: str, default: float) -> float:
        return values.number(key, default) * mpu * MM_PER_TENTH

    world_from_camera = opened.units.world_from_local(matrix)
    if not np.isfinite(world_from_camera).all():
        opened.notes.add("skipped", name, "its transform is not finite")
        return None
    _note_pose(opened, world_from_camera, name)
    camera = Camera(
        name=name,
        world_from_camera=orthonormal(world_from_camera),
        focal_length_mm=length_mm("focalLength", 50.0),
        horizontal_aperture_mm=length_mm("horizontalAperture", 20.955),
        vertical_aperture_mm=length_mm("verticalAperture", 15.2908),
        horizontal_offset_mm=length_mm("horizontalApertureOffset", 0.0),
        vertical_offset_mm=length_mm("verticalApertureOffset", 0.0),
        orthographic=values.text("projection", "perspective") == "orthographic",
        clip_m=_clip_m(opened, prim, name),
        f_stop=max(values.number("fStop", 0.0), 0.0),
        focus_distance_m=max(values.number("focusDistance", 0.0), 0.0) * mpu,
        shutter_s=_shutter_s(opened, values, name),
        exposure=_exposure(opened, values, name),
    )
    needs_focal = not camera.orthographic
    if camera.horizontal_aperture_mm <= 0.0 or (needs_focal and camera.focal_length_mm <= 0.0):
        opened.notes.add("skipped", name, "camera without a positive focal length and aperture")
        return None
    _note_unused(opened, prim, values, camera)
    return camera


def _note_pose(opened: OpenStage, world_from_camera: NDArray[np.float64], name: str) -> None:
    axes = world_from_camera[:, :3]
    lengths = axis_lengths(world_from_camera)
    if np.linalg.det(axes) < 0.0:
        opened.notes.add("approximated", name, "mirrored camera: its image is not mirrored")
    elif not np.allclose(axes.T @ axes, np.diag(lengths**2), atol=1e-4 * float(lengths.max()) ** 2):
        opened.notes.add("approximated", name, "skewed camera: its axes were made perpendicular")
    elif not np.allclose(lengths, 1.0, atol=1e-4):
        opened.notes.add("converted", name, "scale of the camera was taken out")


def _clip_m(opened: OpenStage, prim: Usd.Prim, name: str) -> tuple[float, float]:
    """Return the clipping range [m]; everything where it is none."""
    clip = UsdGeom.Camera(prim).GetClippingRangeAttr().Get(opened.time)
    if clip is None:
        return EVERYTHING_M
    near, far = (float(value) * opened.units.meters_per_unit for value in clip)
    if not (0.0 <= near < far):
        opened.notes.add("repaired", name, f"clippingRange {clip[0]:g} to {clip[1]:g} holds nothing; it is ignored")
        return EVERYTHING_M
    return near, far


def _shutter_s(opened: OpenStage, values: Values, name: str) -> tuple[float, float]:
    """Return when the shutter opens and closes, relative to the frame's time: time codes over codes a second."""
    codes_per_second = float(opened.stage.GetTimeCodesPerSecond())
    opens, closes = (values.number(key, 0.0) for key in ("shutter:open", "shutter:close"))
    if closes < opens:
        opened.notes.add("repaired", name, f"shutter closes at {closes:g}, before it opens at {opens:g}")
        closes = opens
    if not (math.isfinite(codes_per_second) and codes_per_second > 0.0):
        return 0.0, 0.0
    return opens / codes_per_second, closes / codes_per_second


def _exposure(opened: OpenStage, values: Values, name: str) -> float:
    """Return the factor on radiance: what UsdGeomCamera.ComputeLinearExposureScale computes, checked on the way."""
    time_s, iso = values.number("exposure:time", 1.0), values.number("exposure:iso", 100.0)
    f_stop, responsivity = values.number("exposure:fStop", 1.0), values.number("exposure:responsivity", 1.0)
    stops = values.number("exposure", 0.0)
    if abs(stops) <= LARGEST_STOPS and min(time_s, iso, f_stop, responsivity) > 0.0:
        scale = responsivity * time_s * (iso / 100.0) * 2.0**stops / f_stop**2
        if abs(math.log2(scale)) <= LARGEST_STOPS:
            return scale
    opened.notes.add("repaired", name, "the camera's exposure attributes make no image; they are ignored")
    return 1.0


def _note_unused(opened: OpenStage, prim: Usd.Prim, values: Values, camera: Camera) -> None:
    """Say what is kept with the camera, or not, without a part in its images."""
    name = camera.name
    role = values.text("stereoRole", "mono")
    if role != "mono":
        opened.notes.add("approximated", name, f"the {role} camera of a stereo pair is a camera of its own")
    planes = UsdGeom.Camera(prim).GetClippingPlanesAttr().Get(opened.time)
    if planes is not None and len(planes):
        opened.notes.add("skipped", name, f"{len(planes)} clippingPlanes of the camera")
    if camera.f_stop > 0.0 and camera.focus_distance_m > 0.0:
        opened.notes.add("approximated", name, "images are sharp unless rig.depth_of_field is true")
    if camera.shutter_s[0] != camera.shutter_s[1]:
        opened.notes.add("approximated", name, "images show one moment unless rig.motion_blur is true")
