"""UsdLux lights to `Light`: one radiance with exposure, colour, temperature and normalisation already in it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pxr import Usd, UsdLux

from engine.scene.model import Light, LightKind
from engine.scene.units import axis_lengths, orthonormal
from engine.scene.usd import OpenStage
from engine.scene.usd_texture import TextureTable
from engine.scene.usd_value import Values

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
MAX_EXPOSURE = 64.0  # stops; more is a mistake and would overflow
DOME_FROM_LIGHT = {  # columns: where our x, y and pole (z) lie in the axes of the USD light
    "Y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "Z": np.eye(3),
    "Blender": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),  # pole Z, image's centre +X
}


def read_light(opened: OpenStage, prim: Usd.Prim, matrix: NDArray[np.float64], textures: TextureTable) -> Light | None:
    """Return a light, or None with a note when it stands nowhere; `matrix` is USD's local-to-world."""
    kind = KINDS[prim.GetTypeName()]
    reader = Values(opened, prim, prefix="inputs:")
    world = opened.units.world_from_local(matrix)
    if not np.isfinite(world).all():
        opened.notes.add("skipped", prim.GetPath(), "its transform is not finite")
        return None
    scale = axis_lengths(world)
    frame = orthonormal(world)
    mpu = opened.units.meters_per_unit
    size = _size_units(kind, reader, scale, POINT_RADIUS_M / mpu)
    half_angle_rad = math.radians(reader.number("angle", 0.53)) / 2.0 if kind == LightKind.DISTANT else 0.0
    radiance = _radiance(kind, reader)
    if kind == LightKind.DISTANT and half_angle_rad < POINT_HALF_ANGLE_RAD:
        # An angle of 0 is a delta: the intensity is then the irradiance, spread here over the smallest angle.
        half_angle_rad = POINT_HALF_ANGLE_RAD
        radiance = radiance / (math.pi * math.sin(half_angle_rad) ** 2)
    elif reader.flag("normalize", default=False):
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
        casts_shadow=reader.flag("shadow:enable", default=True),
    )


def _size_units(kind: LightKind, reader: Values, scale: NDArray[np.float64], smallest: float) -> tuple[float, float]:
    """Return the size in stage units with the world scale in it."""
    x, y, z = (float(s) for s in scale)
    radius = reader.number("radius", 0.5)
    if kind == LightKind.SPHERE:
        return max(radius * (x * y * z) ** (1.0 / 3.0), smallest), 0.0
    if kind == LightKind.DISK:
        return max(radius * math.sqrt(x * y), smallest), 0.0
    if kind == LightKind.RECT:
        return max(reader.number("width", 1.0) * x, smallest), max(reader.number("height", 1.0) * y, smallest)
    if kind == LightKind.CYLINDER:
        return max(radius * math.sqrt(y * z), smallest), max(reader.number("length", 1.0) * x, smallest)
    return 0.0, 0.0


def _radiance(kind: LightKind, reader: Values) -> NDArray[np.float64]:
    """Return color * intensity * 2^exposure, times the colour of the temperature when that is enabled."""
    fallback = 50000.0 if kind == LightKind.DISTANT else 1.0
    strength = reader.number("intensity", fallback) * 2.0 ** min(reader.number("exposure", 0.0), MAX_EXPOSURE)
    color = np.array(reader.triple("color", (1.0, 1.0, 1.0)))
    if reader.flag("enableColorTemperature", default=False):
        kelvin = reader.number("colorTemperature", 6500.0)
        if kelvin != 6500.0:  # the schema's fallback means white
            color = color * np.array(UsdLux.BlackbodyTemperatureAsRgb(kelvin), np.float64)
    return color * strength * reader.number("diffuse", 1.0)


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


def _cone(reader: Values) -> tuple[float, float]:
    angle_deg = reader.number("shaping:cone:angle", 90.0)
    softness = reader.number("shaping:cone:softness", 0.0)
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


def _dome_texture(opened: OpenStage, prim: Usd.Prim, reader: Values, textures: TextureTable) -> int | None:
    layout = reader.text("texture:format", "automatic")
    asset = reader.asset("texture:file")
    if asset is None:
        return None
    if layout not in ("automatic", "latlong"):
        opened.notes.add("skipped", prim.GetPath(), f"dome texture of format {layout}; convert it to latlong")
        return None
    return textures.dome(asset, prim.GetPath())


def _note_unsupported(opened: OpenStage, prim: Usd.Prim, reader: Values, kind: LightKind) -> None:
    if reader.asset("shaping:ies:file") is not None:
        opened.notes.add("skipped", prim.GetPath(), "IES profile of the light")
    if reader.number("shaping:focus", 0.0) != 0.0:
        opened.notes.add("skipped", prim.GetPath(), "shaping focus of the light")
    if reader.number("diffuse", 1.0) != reader.number("specular", 1.0):
        opened.notes.add(
            "approximated", prim.GetPath(), "specular multiplier of the light: the diffuse one is used for both"
        )
    asset = reader.asset("texture:file")
    if kind == LightKind.RECT and asset is not None:
        opened.notes.add("skipped", prim.GetPath(), "texture of the rect light")
