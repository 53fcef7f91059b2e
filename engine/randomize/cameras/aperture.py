"""Sensors that cannot be meant: a line of the load report where focal lengths in millimetres hang on one."""

from __future__ import annotations

import dataclasses
import math

from engine.randomize import select
from engine.randomize.cameras.camera import CameraLook, CameraOrbit
from engine.randomize.cameras.camera_path import CameraCorridor, CameraPath
from engine.randomize.kinds import Randomizer, randomizer
from engine.randomize.law import Law, support
from engine.recipe import Recipe
from engine.rig import rig_cameras
from engine.scene.model import Camera, Note, Scene

WIDEST_SENSOR_MM = 300.0  # a sheet of 8 x 10 inch film is 254 mm wide
MM_AS_TENTHS_OF_A_METRE = 100.0  # what a lens in millimetres is too long by in a stage of metres
ZOOMS = (CameraLook, CameraOrbit, CameraPath, CameraCorridor)


def with_aperture_notes(scene: Scene, recipe: Recipe) -> Scene:
    """Return a scene whose notes name the cameras on whose sensors the recipe's `focal_mm` cannot mean what it says.

    Raises:
        UserError: If the rig, or an entry, names a camera that is not there.
    """
    lens = recipe.rig.lens
    if lens is not None and lens.sets_focal:
        return scene
    entries = [randomizer(name, data) for name, data in sorted(recipe.randomize.items())]
    zooming = [entry for entry in entries if isinstance(entry.params, ZOOMS) and entry.params.focal_mm is not None]
    if not zooming:
        return scene
    notes: dict[Note, None] = dict.fromkeys(scene.notes)
    cameras = rig_cameras(scene, recipe.rig)
    for entry in zooming:
        for camera in _cameras_of(entry, cameras):
            if not camera.orthographic and camera.horizontal_aperture_mm > WIDEST_SENSOR_MM:
                notes[Note("error", camera.name, _what(camera, entry.name, entry.params.focal_mm))] = None
    return dataclasses.replace(scene, notes=tuple(notes))


def _cameras_of(entry: Randomizer, cameras: tuple[Camera, ...]) -> list[Camera]:
    names = [camera.name for camera in cameras]
    where = f"randomize.{entry.name}.cameras"
    return [
        cameras[index] for index in select.select(entry.params.cameras, names, what="camera of the rig", where=where)
    ]


def _what(camera: Camera, entry: str, focal_mm: Law) -> str:
    """Return the value, what the focal lengths mean with it, and the repair."""
    width_mm = camera.horizontal_aperture_mm
    factor = MM_AS_TENTHS_OF_A_METRE
    while width_mm / factor > WIDEST_SENSOR_MM:
        factor *= 10.0
    low, high = support(focal_mm)
    wide_deg, narrow_deg = (2.0 * math.degrees(math.atan2(width_mm, 2.0 * each)) for each in (low, high))
    seen = f"{low:g} sees" if low == high else f"{low:g} to {high:g} see"
    angle = f"{wide_deg:.0f}" if low == high else f"{wide_deg:.0f} to {narrow_deg:.0f}"
    return (
        f"horizontalAperture is {width_mm:g} mm: USD counts it in tenths of the stage's unit, {width_mm / 100.0:g} in "
        f"metres; randomize.{entry}.focal_mm {seen} {angle} degrees of it; divide the camera's apertures and "
        f"focalLength by {factor:g}, or multiply focal_mm by that"
    )
