"""Lights and cameras of a world as opinions; those that the loader made for lack of any become prims of the layer."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Usd, UsdGeom, UsdLux

from engine.lens.model import LensModel
from engine.scene.model import Camera, Light, LightKind, Scene
from engine.scene.notes import Notes
from engine.scene.usd.camera import MM_PER_TENTH
from engine.scene.usd.light import DOME_FROM_LIGHT, KELVIN, WHITE_KELVIN
from engine.scene.usd.override.edits import Edits, PrimEdit
from engine.scene.usd.override.repose import Matrix, Poses, usd_matrix
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.value import Values

EVEN = 1.0e-6  # relative: channels that change by factors closer than this change by one factor
SEEN_BY = ("world_from_camera", "focal_px", "center_px", "f_stop", "focus_distance_m")  # rows of the draft
Arrays = dict[str, np.ndarray]


class RigWriter:
    """Authors the lights and cameras of one stage."""

    def __init__(
        self, opened: OpenStage, scene: Scene, edits: Edits, notes: Notes, poses: Poses, home: Sdf.Path
    ) -> None:
        """`home` is the prim below which lights and cameras of our own are defined."""
        self._opened = opened
        self._scene = scene
        self._edits = edits
        self._notes = notes
        self._poses = poses
        self._home = home
        self._made: list[tuple[PrimEdit, Matrix]] = []

    def light(self, new: Arrays, old: Arrays) -> None:
        """Author where lights stand and what they send out; every light is asked to keep its place."""
        for index, light in enumerate(self._scene.lights):
            frame, radiance = new["world_from_light"][index], new["radiance"][index]
            prim = self._prim(light.name)
            if prim is None:
                self._define_light(light, frame, radiance)
                continue
            moved = not np.array_equal(frame, old["world_from_light"][index])
            self._poses.want(prim, self._carried(prim, old["world_from_light"][index], frame) if moved else None)
            if not np.array_equal(radiance, old["radiance"][index]):
                self._author_radiance(prim, radiance.astype(np.float64), old["radiance"][index].astype(np.float64))

    def look(self, cameras: tuple[Camera, ...], new: Arrays, old: Arrays) -> None:
        """Author where cameras of the rig stand, their lens and exposure; other cameras are asked to stay."""
        for camera in self._scene.cameras:
            if (prim := self._prim(camera.name)) is not None:
                self._poses.want(prim, None)
        for index, camera in enumerate(cameras):
            row = {name: (new[name][index], old[name][index]) for name in SEEN_BY}
            stops = float(new["exposure_ev"][index] - old["exposure_ev"][index])
            prim = self._prim(camera.name)
            if new["lens_model"][index] > LensModel.ORTHOGRAPHIC:
                lens = LensModel(int(new["lens_model"][index])).name.lower()
                self._notes.add("error", camera.name, f"its lens ({lens}) was not written: USD cameras bend no rays")
            if prim is None:
                edit = self._edits.at(self._home.AppendChild("ommatidia_camera"))
                edit.type_name = "Camera"
                self._made.append((edit, usd_matrix(row["world_from_camera"][0], self._opened.units)))
                self._author_lens(edit, camera, row, is_own=True)
                edit.set("projection", Sdf.ValueTypeNames.Token, UsdGeom.Tokens.perspective)
            else:
                after, before = row["world_from_camera"]
                moved = not np.array_equal(after, before)
                self._poses.want(prim, self._carried(prim, before, after) if moved else None)
                if any(not np.array_equal(*row[name]) for name in SEEN_BY[1:]):
                    self._author_lens(self._edits.of(prim), camera, row, is_own=False)
                edit = self._edits.of(prim) if stops else PrimEdit()
            if stops:
                authored = Values(self._opened, prim).number("exposure", 0.0) if prim is not None else 0.0
                edit.set("exposure", Sdf.ValueTypeNames.Float, authored + stops)

    def define(self) -> None:
        """Put the prims of our own where they stand, once everything above them has its place."""
        home = self._opened.stage.GetPrimAtPath(self._home)
        for edit, world in self._made:
            local = world @ np.linalg.inv(self._poses.after(home)) if home else world
            edit.transform(local, reset=False)

    def _prim(self, name: str) -> Usd.Prim | None:
        """Return the prim of a light or camera; None for one that the loader made."""
        prim = self._opened.stage.GetPrimAtPath(name) if name.startswith("/") else None
        return prim or None

    def _carried(self, prim: Usd.Prim, before: NDArray[np.float64], after: NDArray[np.float64]) -> Matrix:
        """Return a prim's matrix moved as its frame [3, 4] was; scale stays, which a frame does not have."""
        units = self._opened.units
        return self._poses.before(prim) @ np.linalg.inv(usd_matrix(before, units)) @ usd_matrix(after, units)

    def _author_radiance(self, prim: Usd.Prim, new: NDArray[np.float64], old: NDArray[np.float64]) -> None:
        edit, values = self._edits.of(prim), Values(self._opened, prim, prefix="inputs:")
        lit = old > 0.0
        factor = new[lit] / old[lit]
        is_even = not new[~lit].any() and bool(lit.any()) and np.ptp(factor) <= EVEN * factor.max()
        if is_even:
            fallback = 50000.0 if prim.GetTypeName() == "DistantLight" else 1.0
            intensity = values.number("intensity", fallback) * float(factor.mean())
            edit.set("inputs:intensity", Sdf.ValueTypeNames.Float, intensity)
            return
        if not lit.any():
            self._notes.add("error", prim.GetPath(), "the light was black; its new colour was not written")
            return
        color = np.array(values.triple("color", (1.0, 1.0, 1.0))) * _temperature(values)
        strength = float((old[lit] / color[lit]).mean())
        edit.set("inputs:enableColorTemperature", Sdf.ValueTypeNames.Bool, False)
        edit.set("inputs:color", Sdf.ValueTypeNames.Color3f, Gf.Vec3f(*(new / strength).tolist()))

    def _define_light(self, light: Light, frame: NDArray[np.float64], radiance: NDArray[np.float32]) -> None:
        edit = self._edits.at(self._home.AppendChild(f"ommatidia_{light.name.rpartition('/')[2]}"))
        edit.type_name = "DomeLight" if light.kind == LightKind.DOME else "DistantLight"
        types = Sdf.ValueTypeNames
        edit.set("inputs:color", types.Color3f, Gf.Vec3f(*radiance.tolist()))
        edit.set("inputs:intensity", types.Float, 1.0)
        if light.kind == LightKind.DISTANT:
            edit.set("inputs:angle", types.Float, math.degrees(2.0 * light.half_angle_rad))
        if light.kind == LightKind.DOME:
            frame = np.column_stack([frame[:, :3] @ DOME_FROM_LIGHT["Y"].T, frame[:, 3]])
        self._made.append((edit, usd_matrix(frame, self._opened.units)))

    def _author_lens(
        self, edit: PrimEdit, camera: Camera, row: dict[str, tuple[np.ndarray, np.ndarray]], *, is_own: bool
    ) -> None:
        """Author what gives the new focal length and principal point in pixels on the gate as it is."""
        units = self._opened.units.meters_per_unit * MM_PER_TENTH
        focal, center = row["focal_px"], row["center_px"]
        types = Sdf.ValueTypeNames
        numbers = {}
        zoom = float(focal[0][0] / focal[1][0])
        aperture_mm = camera.horizontal_aperture_mm / (zoom if camera.orthographic else 1.0)
        if camera.orthographic or is_own:
            numbers["horizontalAperture"] = aperture_mm
            numbers["verticalAperture"] = camera.vertical_aperture_mm / (zoom if camera.orthographic else 1.0)
        if not camera.orthographic:
            numbers["focalLength"] = camera.focal_length_mm * zoom
        if not np.array_equal(*center) or is_own:
            width_px = 2.0 * (center[1][0] + camera.horizontal_offset_mm * _px_per_mm(camera, focal[1]))
            height_px = 2.0 * (center[1][1] - camera.vertical_offset_mm * _px_per_mm(camera, focal[1]))
            px_per_mm = width_px / aperture_mm
            numbers["horizontalApertureOffset"] = float(width_px / 2.0 - center[0][0]) / px_per_mm
            numbers["verticalApertureOffset"] = float(center[0][1] - height_px / 2.0) / px_per_mm
        if row["f_stop"][0] != row["f_stop"][1]:
            edit.set("fStop", types.Float, float(row["f_stop"][0]))
        if row["focus_distance_m"][0] != row["focus_distance_m"][1]:
            distance = float(row["focus_distance_m"][0]) / self._opened.units.meters_per_unit
            edit.set("focusDistance", types.Float, distance)
        for name, value_mm in numbers.items():
            edit.set(name, types.Float, float(value_mm) / units)


def _px_per_mm(camera: Camera, focal_px: NDArray[np.float64]) -> float:
    """Return pixels per millimetre of the gate, from the focal length as authored."""
    return float(focal_px[0]) / (1000.0 if camera.orthographic else camera.focal_length_mm)


def _temperature(values: Values) -> NDArray[np.float64]:
    """Return the factor that the light's colour temperature makes."""
    kelvin = values.number("colorTemperature", WHITE_KELVIN)
    if not values.flag("enableColorTemperature", default=False) or kelvin == WHITE_KELVIN:
        return np.ones(3)
    return np.array(UsdLux.BlackbodyTemperatureAsRgb(min(max(kelvin, KELVIN[0]), KELVIN[1])), np.float64)
