"""UsdLux lights to `Light`: one radiance with exposure, colour, temperature and normalisation already in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Usd, UsdLux

from engine.scene.model import Light, LightKind
from engine.scene.units import axis_lengths, orthonormal
from engine.scene.usd import OpenStage
from engine.scene.usd_texture import TextureTable

KINDS = {
    "DistantLight": LightKind.DISTANT,
    "SphereLight": LightKind.SPHERE,
    "RectLight": LightKind.RECT,
    "DiskLight": LightKind.DISK,
    "CylinderLight": LightKind.CYLINDER,
    "DomeLight": LightKind.DOME,
    "DomeLight_1": LightKind.DOME,
}
POINT_RADIUS_M = 1.0e-3  # stands for radius 0; the hints treatAsPoint and treatAsLine keep the authored radius
POINT_HALF_ANGLE_RAD = 1.0e-4  # stands for a distant light of angle 0
DOME_FROM_LIGHT = {  # columns: where our x, y and pole (z) lie in the axes of the USD light
    "Y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "Z": np.eye(3),
    "Blender": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),  # pole Z, image's centre +X
}


def read_light(opened: OpenStage, prim: Usd.Prim, matrix: NDArray[np.float64], textures: TextureTable) -> Light:
    """Return a light; `matrix` is USD's local-to-world."""
    kind = KINDS[prim.GetTypeName()]
    reader = _Inputs(prim, opened.time)
    world = opened.units.world_from_local(matrix)
    scale = axis_lengths(world)
    frame = orthonormal(world)
    mpu = opened.units.meters_per_unit
    size = _size_units(kind, reader, scale, POINT_RADIUS_M / mpu)
    half_angle_rad = math.radians(float(reader.get("angle", 0.53))) / 2.0 if kind == LightKind.DISTANT else 0.0
    radiance = _radiance(kind, reader)
    if kind == LightKind.DISTANT and half_angle_rad < POINT_HALF_ANGLE_RAD:
        # An angle of 0 is a delta: the intensity is then the irradiance, spread here over the smallest angle.
        half_angle_rad = POINT_HALF_ANGLE_RAD
        radiance = radiance / (math.pi * math.sin(half_angle_rad) ** 2)
    elif reader.get("normalize", False):
        radiance = radiance / _normalizer(kind, size, half_angle_rad)
    texture = _dome_texture(opened, prim, reader, textures) if kind == LightKind.DOME else None
    if kind == LightKind.DOME:
        frame[:, :3] = frame[:, :3] @ DOME_FROM_LIGHT[_pole_axis(opened, prim)]
    cone_cos, cone_softness = _cone(reader)
    _note_unsupported(opened, prim, reader, kind)
    return Light(
        name=str(prim.GetPath()),
        kind=kind,
        world_from_light=frame,
        size_m=(size[0] * mpu, size[1] * mpu),
        half_angle_rad=half_angle_rad,
        radiance=(float(radiance[0]), float(radiance[1]), float(radiance[2])),
        texture=texture,
        cone_cos=cone_cos,
        cone_softness=cone_softness,
        casts_shadow=bool(reader.get("shadow:enable", True)),
    )


class _Inputs:
    """Reads `inputs:name`, or the bare `name` of files written before 2021."""

    def __init__(self, prim: Usd.Prim, time: Usd.TimeCode) -> None:
        self._prim = prim
        self._time = time

    def get(self, name: str, default: Any) -> Any:
        """Return the value, authored or the schema's, else `default`."""
        legacy = self._prim.GetAttribute(name)
        attribute = self._prim.GetAttribute(f"inputs:{name}")
        if legacy and legacy.HasAuthoredValue() and not (attribute and attribute.HasAuthoredValue()):
            attribute = legacy
        value = attribute.Get(self._time) if attribute else None
        return default if value is None else value


def _size_units(kind: LightKind, reader: _Inputs, scale: NDArray[np.float64], smallest: float) -> tuple[float, float]:
    """Return the size in stage units with the world scale in it."""
    x, y, z = (float(s) for s in scale)
    radius = float(reader.get("radius", 0.5))
    if kind == LightKind.SPHERE:
        return max(radius * (x * y * z) ** (1.0 / 3.0), smallest), 0.0
    if kind == LightKind.DISK:
        return max(radius * math.sqrt(x * y), smallest), 0.0
    if kind == LightKind.RECT:
        return max(float(reader.get("width", 1.0)) * x, smallest), max(float(reader.get("height", 1.0)) * y, smallest)
    if kind == LightKind.CYLINDER:
        return max(radius * math.sqrt(y * z), smallest), max(float(reader.get("length", 1.0)) * x, smallest)
    return 0.0, 0.0


def _radiance(kind: LightKind, reader: _Inputs) -> NDArray[np.float64]:
    """Return color * intensity * 2^exposure, times the colour of the temperature when that is enabled."""
    fallback = 50000.0 if kind == LightKind.DISTANT else 1.0
    strength = float(reader.get("intensity", fallback)) * 2.0 ** float(reader.get("exposure", 0.0))
    color = np.array(reader.get("color", Gf.Vec3f(1.0)), np.float64)
    if reader.get("enableColorTemperature", False):
        kelvin = reader.get("colorTemperature", 6500.0)
        if float(kelvin) != 6500.0:  # the schema's fallback means white
            color = color * np.array(UsdLux.BlackbodyTemperatureAsRgb(float(kelvin)), np.float64)
    return color * strength * float(reader.get("diffuse", 1.0))


def _normalizer(kind: LightKind, size: tuple[float, float], half_angle_rad: float) -> float:
    """Return the area [stage units squared, in the world] or projected solid angle [sr] that `normalize` divides by.

    Source: UsdLux LightAPI, inputs:normalize, https://openusd.org/release/api/usd_lux_page_front.html
    """
    if kind == LightKind.DISTANT:
        sine2 = math.sin(min(half_angle_rad, math.pi)) ** 2
        return math.pi * (sine2 if half_angle_rad <= math.pi / 2 else 2.0 - sine2)
    return {
        LightKind.SPHERE: 4.0 * math.pi * size[0] ** 2,
        LightKind.DISK: math.pi * size[0] ** 2,
        LightKind.RECT: size[0] * size[1],
        LightKind.CYLINDER: 2.0 * math.pi * size[0] * size[1],
    }.get(kind, 1.0)


def _cone(reader: _Inputs) -> tuple[float, float]:
    angle_deg = float(reader.get("shaping:cone:angle", 90.0))
    softness = float(reader.get("shaping:cone:softness", 0.0))
    if angle_deg >= 90.0:
        return -1.0, 0.0
    return math.cos(math.radians(max(angle_deg, 0.0))), min(max(softness, 0.0), 1.0)


def _pole_axis(opened: OpenStage, prim: Usd.Prim) -> str:
    """Return the light-space axis of a dome's top pole. The first DomeLight has it along Y on any stage.

    Blender (5.0) writes a Z-up stage's dome as it stands in Blender, without the rotation that this asks for.
    """
    if prim.GetTypeName() != "DomeLight_1":
        is_blender = opened.stage.GetRootLayer().documentation.startswith("Blender v")
        if is_blender and opened.units.world_from_stage[2, 2] == 1.0:
            opened.notes.add(
                "repaired", prim.GetPath(), "Blender's dome on a Z-up stage: its pole is Z, not Y as USD says"
            )
            return "Blender"
        return "Y"
    axis = str(prim.GetAttribute("poleAxis").Get())
    if axis == "scene":
        return "Y" if opened.units.world_from_stage[2, 1] == 1.0 else "Z"
    return axis


def _dome_texture(opened: OpenStage, prim: Usd.Prim, reader: _Inputs, textures: TextureTable) -> int | None:
    layout = str(reader.get("texture:format", "automatic"))
    asset = reader.get("texture:file", None)
    if asset is None or not asset.path:
        return None
    if layout not in ("automatic", "latlong"):
        opened.notes.add("skipped", prim.GetPath(), f"dome texture of format {layout}; convert it to latlong")
        return None
    return textures.dome(asset, prim.GetPath())


def _note_unsupported(opened: OpenStage, prim: Usd.Prim, reader: _Inputs, kind: LightKind) -> None:
    ies = reader.get("shaping:ies:file", None)
    if ies is not None and ies.path:
        opened.notes.add("skipped", prim.GetPath(), "IES profile of the light")
    if float(reader.get("shaping:focus", 0.0)) != 0.0:
        opened.notes.add("skipped", prim.GetPath(), "shaping focus of the light")
    if float(reader.get("diffuse", 1.0)) != float(reader.get("specular", 1.0)):
        opened.notes.add(
            "approximated", prim.GetPath(), "specular multiplier of the light: the diffuse one is used for both"
        )
    asset = reader.get("texture:file", None)
    if kind == LightKind.RECT and asset is not None and asset.path:
        opened.notes.add("skipped", prim.GetPath(), "texture of the rect light")
