"""Lights: strength, colour temperature, on or off, the sun's direction, and the ambient term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, STOPS_RANGE, Law, check_support
from engine.randomize.pose import direction, facing, pose_of
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import LightKind, Scene

LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear Rec. 709 / sRGB; ITU-R BT.709-6, section 3.2
KELVIN_RANGE = (1667.0, 25000.0)  # where the fit of the Planckian locus holds


@dataclass(frozen=True)
class LightScale:
    """Brighter or darker, in stops."""

    STAGE: ClassVar[Stage] = Stage.DIM
    lights: Glob
    stops: Law  # radiance is multiplied by 2^stops
    together: bool  # one value for all these lights, or one each

    def __post_init__(self) -> None:
        check_support("stops", self.stops, *STOPS_RANGE)


@dataclass(frozen=True)
class LightTemperature:
    """The colour of a black body, at the luminance that the light has."""

    STAGE: ClassVar[Stage] = Stage.LIGHT
    lights: Glob
    kelvin: Law
    together: bool

    def __post_init__(self) -> None:
        check_support("kelvin", self.kelvin, *KELVIN_RANGE)


@dataclass(frozen=True)
class LightSwitch:
    """Each light is on with a probability."""

    STAGE: ClassVar[Stage] = Stage.DIM
    lights: Glob
    probability_on: Law  # drawn per world, then used for each light
    together: bool

    def __post_init__(self) -> None:
        check_support("probability_on", self.probability_on, 0.0, 1.0)


@dataclass(frozen=True)
class SunAngle:
    """Where distant lights come from."""

    STAGE: ClassVar[Stage] = Stage.LIGHT
    lights: Glob
    azimuth_deg: Law  # 0: from +x, 90: from +y
    elevation_deg: Law  # above the horizon

    def __post_init__(self) -> None:
        check_support("azimuth_deg", self.azimuth_deg, *ANGLE_RANGE_DEG)
        check_support("elevation_deg", self.elevation_deg, -90.0, 90.0)


@dataclass(frozen=True)
class AmbientScale:
    """The ambient term, in stops."""

    STAGE: ClassVar[Stage] = Stage.DIM
    stops: Law

    def __post_init__(self) -> None:
        check_support("stops", self.stops, *STOPS_RANGE)


@RANDOMIZERS.register("light_scale", LightScale)
def light_scale(params: LightScale, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Scale radiance by powers of two."""
    lights = select.lights(scene, params.lights, draw.where("lights"))
    stops = draw.law("stops", params.stops, count=1 if params.together else len(lights))
    draft.radiance[:, lights] *= np.exp2(stops)[:, :, None].astype(np.float32)


@RANDOMIZERS.register("light_temperature", LightTemperature)
def light_temperature(params: LightTemperature, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Replace the colour of lights and keep their luminance."""
    lights = select.lights(scene, params.lights, draw.where("lights"))
    kelvin = draw.law("kelvin", params.kelvin, count=1 if params.together else len(lights))
    radiance = draft.radiance[:, lights]
    luminance = sum(radiance[..., channel] * weight for channel, weight in enumerate(LUMINANCE))
    draft.radiance[:, lights] = np.asarray(luminance)[..., None] * black_body(kelvin).astype(np.float32)


@RANDOMIZERS.register("light_switch", LightSwitch)
def light_switch(params: LightSwitch, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Switch lights off."""
    lights = select.lights(scene, params.lights, draw.where("lights"))
    probability = draw.law("probability_on", params.probability_on)
    on = draw.uniform("on", count=1 if params.together else len(lights)) < probability[:, None]
    draw.record("on", on)
    draft.radiance[:, lights] *= on[:, :, None].astype(np.float32)


@RANDOMIZERS.register("sun_angle", SunAngle)
def sun_angle(params: SunAngle, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Turn distant lights; all of them together, as they share one sky."""
    selected = select.lights(scene, params.lights, draw.where("lights"))
    distant = [light for light in selected if scene.lights[light].kind == LightKind.DISTANT]
    if not distant:
        raise UserError(f"{draw.where('lights')}: {params.lights!r} selects no distant light")
    azimuth_rad = np.deg2rad(draw.law("azimuth_deg", params.azimuth_deg))
    elevation_rad = np.deg2rad(draw.law("elevation_deg", params.elevation_deg))
    towards_sun = direction(azimuth_rad, elevation_rad)
    axes = facing(towards_sun, np.zeros(len(towards_sun)))  # light leaves along -z
    for light in distant:
        draft.world_from_light[:, light] = pose_of(*axes, draft.world_from_light[:, light, :, 3])


@RANDOMIZERS.register("ambient_scale", AmbientScale)
def ambient_scale(params: AmbientScale, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Scale the ambient radiance by powers of two."""
    draft.ambient *= np.exp2(draw.law("stops", params.stops))[:, None].astype(np.float32)


def black_body(kelvin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return linear sRGB [..., 3] of the Planckian locus, luminance 1, for 1667 to 25000 K; negative parts are cut.

    Source: chromaticity by the cubic fits of B. Kim et al., "Design of advanced color temperature control system for
    HDTV applications", J. Korean Phys. Soc. 41(6), 2002; matrix XYZ to linear sRGB of IEC 61966-2-1.
    """
    t = 1000.0 / kelvin
    cool = ((-3.0258469 * t + 2.1070379) * t + 0.2226347) * t + 0.240390
    warm = ((-0.2661239 * t - 0.2343589) * t + 0.8776956) * t + 0.179910
    x = np.where(kelvin > 4000.0, cool, warm)
    y = np.select(
        [kelvin <= 2222.0, kelvin <= 4000.0],
        [
            ((-1.1063814 * x - 1.34811020) * x + 2.18555832) * x - 0.20219683,
            ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867,
        ],
        ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483,
    )
    big_x, big_z = x / y, (1.0 - x - y) / y
    rgb = np.stack(
        [
            3.2406 * big_x - 1.5372 - 0.4986 * big_z,
            -0.9689 * big_x + 1.8758 + 0.0415 * big_z,
            0.0557 * big_x - 0.2040 + 1.0570 * big_z,
        ],
        axis=-1,
    )
    rgb = np.maximum(rgb, 0.0)
    luminance = rgb[..., 0] * LUMINANCE[0] + rgb[..., 1] * LUMINANCE[1] + rgb[..., 2] * LUMINANCE[2]
    return np.asarray(rgb / luminance[..., None])
