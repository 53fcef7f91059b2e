"""UsdLux lights to `Light`: one radiance with exposure, colour, temperature and normalisation already in it.

Source: UsdLuxLightAPI, https://openusd.org/release/user_guides/schemas/usdLux/LightAPI.html
"""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from pxr import Usd, UsdLux

from engine.scene.look.latlong import LATLONG, LAYOUTS, layout_of, to_latlong
from engine.scene.model import IesProfile, Light, LightKind, Texture, Wrap
from engine.scene.units import axis_lengths, orthonormal
from engine.scene.usd.look.texture import TextureRequest, TextureTable
from engine.scene.usd.shaping import ProfileTable, read_shadow, read_shaping
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.value import Values

KINDS = {
    "DistantLight": LightKind.DISTANT,
    "SphereLight": LightKind.SPHERE,
    "RectLight": LightKind.RECT,
    "DiskLight": LightKind.DISK,
    "CylinderLight": LightKind.CYLINDER,
    "DomeLight": LightKind.DOME,
    "DomeLight_1": LightKind.DOME,
}
SKIPPED = {  # type name or applied schema -> what it is
    "PortalLight": "portal: it only guides samples of its dome, which shines without it",
    "GeometryLight": "geometry light: its mesh is drawn but sends out no light; use a rect, disk or sphere light",
    "MeshLightAPI": "mesh light: the mesh is drawn but sends out no light; use a rect, disk or sphere light",
    "PluginLight": "plugin light: only the renderer it was made for knows it",
    "LightFilter": "light filter",
    "PluginLightFilter": "light filter",
}
POINT_RADIUS_M = 1.0e-3  # stands for radius 0; the hints treatAsPoint and treatAsLine keep the authored radius
POINT_HALF_ANGLE_RAD = 1.0e-4  # stands for a distant light of angle 0
BRIGHTEST = 1.0e20  # radiance; more is a mistake, and its square would overflow
FARTHEST_M = 1.0e12  # size and place; likewise
MAX_EXPOSURE = 128.0  # stops
WHITE_KELVIN = 6500.0  # by the schema; the formula gives (1.04, 0.98, 1.04)
KELVIN = (1000.0, 10000.0)  # the range of the formula
EVEN = 1.0e-3  # axes whose lengths differ by less are equal
SURFACE_EXPONENT = 1.6  # of Thomsen's formula for the surface of an ellipsoid
DOME_FROM_LIGHT = {  # columns: where our x, y and pole (z) lie in the axes of the USD light
    "Y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "Z": np.eye(3),
    "Blender": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),  # pole Z, image's centre +X
}


_applied_schemas = Usd.Prim.GetAppliedSchemas


def is_shining_shape(prim: Usd.Prim) -> bool:
    """Return whether a drawn prim is made a light by an applied schema."""
    named = _applied_schemas(prim)  # asked first: HasAPI takes ten times as long
    return bool(named) and "LightAPI" in " ".join(named) and bool(prim.HasAPI(UsdLux.LightAPI))


class LightTable:
    """Reads the lights of one stage; images and photometric profiles are shared among them."""

    def __init__(self, opened: OpenStage, textures: TextureTable) -> None:
        self._opened = opened
        self._textures = textures
        self._profiles = ProfileTable(opened, textures)
        self._latlong: dict[tuple[int, str], int] = {}

    @property
    def profiles(self) -> tuple[IesProfile, ...]:
        """The photometric profiles that the lights read so far use."""
        return tuple(self._profiles.profiles)

    def read(self, prim: Usd.Prim, matrix: NDArray[np.float64], name: str) -> Light | None:
        """Return a light, or None with a note when it stands nowhere; `matrix` is USD's local-to-world."""
        opened = self._opened
        kind = KINDS[prim.GetTypeName()]
        values = Values(opened, prim, prefix="inputs:")
        world = opened.units.world_from_local(matrix)
        mpu = opened.units.meters_per_unit
        if not np.isfinite(world).all() or (kind != LightKind.DOME and np.abs(world[:, 3]).max() > FARTHEST_M):
            opened.notes.add("skipped", name, "its transform is not finite, or beyond all measure")
            return None
        _note_unsupported(opened, prim, name, kind)
        size = _size_units(kind, values, world, POINT_RADIUS_M / mpu)
        if max(size) * mpu > FARTHEST_M:
            opened.notes.add("skipped", name, "its size is beyond all measure")
            return None
        if kind != LightKind.DOME and not _is_even(kind, axis_lengths(world)):
            opened.notes.add("approximated", name, "uneven scale of the light: a round one of the same surface is used")
        half_angle_rad = 0.0
        if kind == LightKind.DISTANT:
            half_angle_rad = math.radians(min(max(values.number("angle", 0.53), 0.0), 360.0)) / 2.0
        radiance = _radiance(kind, values)
        if kind == LightKind.DISTANT and half_angle_rad < POINT_HALF_ANGLE_RAD:
            # An angle of 0 is a delta: the intensity is then the irradiance, spread here over the smallest angle.
            half_angle_rad = POINT_HALF_ANGLE_RAD
            radiance = radiance / (math.pi * math.sin(half_angle_rad) ** 2)
        elif values.flag("normalize", default=False):
            radiance = radiance / _normalizer(kind, size, half_angle_rad)
        radiance = self._possible(radiance, name)
        frame = orthonormal(world)
        if np.linalg.det(world[:, :3]) < 0.0:
            frame[:, 0] = -frame[:, 0]  # a mirrored light has a mirrored image and profile
        if kind == LightKind.DOME:
            frame[:, :3] = frame[:, :3] @ DOME_FROM_LIGHT[_pole_axis(opened, prim)]
        return Light(
            name=name,
            kind=kind,
            world_from_light=frame,
            size_m=(size[0] * mpu, size[1] * mpu),
            half_angle_rad=half_angle_rad,
            radiance=(float(radiance[0]), float(radiance[1]), float(radiance[2])),
            texture=self._image(kind, values, name),
            diffuse=max(values.number("diffuse", 1.0), 0.0),
            specular=max(values.number("specular", 1.0), 0.0),
            **asdict(read_shaping(values, self._profiles, name)),
            **asdict(read_shadow(values, mpu)),
        )

    def _possible(self, radiance: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """Return a radiance that light can have, with a note where it is another."""
        possible = np.clip(np.nan_to_num(radiance, nan=0.0, posinf=BRIGHTEST, neginf=0.0), 0.0, BRIGHTEST)
        if not np.array_equal(possible, radiance):
            numbers = ", ".join(f"{value:.3g}" for value in radiance)
            text = f"its radiance ({numbers}) was brought within 0 .. {BRIGHTEST:g}"
            self._opened.notes.add("repaired", name, text)
        return possible

    def _image(self, kind: LightKind, values: Values, name: str) -> int | None:
        """Return the index of the image of a dome or a rectangle."""
        asset = values.asset("texture:file") if kind in (LightKind.DOME, LightKind.RECT) else None
        if asset is None:
            return None
        if kind == LightKind.DOME:
            index = self._textures.dome(asset, name)
            layout = values.text("texture:format", "automatic")
            return None if index is None else self._latlong_image(index, layout, name)
        if not asset.resolvedPath:
            self._opened.files.missing(asset.path)
            self._opened.notes.add("error", name, f"texture '{asset.path}' is missing")
            return None
        return self._textures.request(TextureRequest(asset.resolvedPath, "auto", Wrap.CLAMP, Wrap.CLAMP), name)

    def _latlong_image(self, index: int, layout: str, name: str) -> int:
        """Return the index of a dome's image with latitude and longitude as its axes."""
        image = self._textures.textures[index]
        if layout not in LAYOUTS:
            layout = layout_of(image.pixels)
        if layout == LATLONG:
            return index
        if (index, layout) not in self._latlong:
            pixels = to_latlong(image.pixels, layout)
            self._latlong[index, layout] = len(self._textures.textures)
            self._textures.textures.append(Texture(f"{image.name}:{layout}", pixels, Wrap.REPEAT, Wrap.CLAMP))
        self._opened.notes.add("converted", name, f"dome image in the layout {layout} was resampled to {LATLONG}")
        return self._latlong[index, layout]


def _size_units(kind: LightKind, values: Values, world: NDArray[np.float64], smallest: float) -> tuple[float, float]:
    """Return the size in stage units, world scale included; a stretched round shape becomes one of equal surface."""
    x, y, z = (float(s) for s in axis_lengths(world))
    radius = abs(values.number("radius", 0.5))
    if kind == LightKind.SPHERE:
        pairs = [(a * b) ** SURFACE_EXPONENT for a, b in ((x, y), (x, z), (y, z))]
        return max(radius * (sum(pairs) / 3.0) ** (0.5 / SURFACE_EXPONENT), smallest), 0.0
    if kind == LightKind.DISK:
        return max(radius * math.sqrt(x * y), smallest), 0.0
    if kind == LightKind.RECT:
        width, height = abs(values.number("width", 1.0)), abs(values.number("height", 1.0))
        skew = float(np.linalg.norm(np.cross(world[:, 0], world[:, 1]))) / max(x * y, 1e-300)
        return max(width * x * skew, smallest), max(height * y, smallest)
    if kind == LightKind.CYLINDER:
        around = (3.0 * (y + z) - math.sqrt((3.0 * y + z) * (y + 3.0 * z))) / 2.0  # Ramanujan, an ellipse's perimeter
        return max(radius * around, smallest), max(abs(values.number("length", 1.0)) * x, smallest)
    return 0.0, 0.0


def _is_even(kind: LightKind, scale: NDArray[np.float64]) -> bool:
    """Return whether a round shape stays round."""
    axes = {LightKind.SPHERE: scale, LightKind.DISK: scale[:2], LightKind.CYLINDER: scale[1:]}.get(kind)
    return axes is None or float(np.ptp(axes)) <= EVEN * float(axes.max())


def _radiance(kind: LightKind, values: Values) -> NDArray[np.float64]:
    """Return color * intensity * 2^exposure, times the colour of the temperature when that is enabled."""
    fallback = 50000.0 if kind == LightKind.DISTANT else 1.0
    stops = min(max(values.number("exposure", 0.0), -MAX_EXPOSURE), MAX_EXPOSURE)
    strength = values.number("intensity", fallback) * 2.0**stops
    color = np.array(values.triple("color", (1.0, 1.0, 1.0)))
    if values.flag("enableColorTemperature", default=False):
        kelvin = values.number("colorTemperature", WHITE_KELVIN)
        if kelvin != WHITE_KELVIN:
            tint = UsdLux.BlackbodyTemperatureAsRgb(min(max(kelvin, KELVIN[0]), KELVIN[1]))
            color = color * np.array(tint, np.float64)
    return color * strength


def _normalizer(kind: LightKind, size: tuple[float, float], half_angle_rad: float) -> float:
    """Return the area [stage units squared, in the world] or projected solid angle [sr] that `normalize` divides by."""
    if kind == LightKind.DISTANT:
        sine2 = math.sin(min(half_angle_rad, math.pi)) ** 2
        return math.pi * (sine2 if half_angle_rad <= math.pi / 2 else 2.0 - sine2)
    return {
        LightKind.SPHERE: 4.0 * math.pi * size[0] ** 2,
        LightKind.DISK: math.pi * size[0] ** 2,
        LightKind.RECT: size[0] * size[1],
        LightKind.CYLINDER: 2.0 * math.pi * size[0] * size[1],
    }.get(kind, 1.0)


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
    if axis in ("Y", "Z"):
        return axis
    return "Y" if opened.units.world_from_stage[2, 1] == 1.0 else "Z"


def _note_unsupported(opened: OpenStage, prim: Usd.Prim, name: str, kind: LightKind) -> None:
    """Say what of a light is left out, or is not what its author saw."""
    if kind == LightKind.DISTANT and opened.stage.GetRootLayer().documentation.startswith("Blender v5.0"):
        text = "Blender 5.0 writes a sun at a quarter of its strength and half its angle; the file is followed"
        opened.notes.add("approximated", name, text)
    for relationship in ("light:filters", "filters"):
        targets = prim.GetRelationship(relationship).GetTargets() if prim.HasRelationship(relationship) else []
        if targets:
            paths = ", ".join(str(path) for path in targets)
            opened.notes.add("approximated", name, f"the light shines without its filters {paths}")
    for attribute in prim.GetAuthoredPropertiesInNamespace("inputs"):
        if isinstance(attribute, Usd.Attribute) and attribute.HasAuthoredConnections():
            opened.notes.add("approximated", name, f"{attribute.GetName()} is connected; its own value is used")
