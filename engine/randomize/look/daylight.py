"""Daylight: the sun and a cloudless sky, by the sun's angles or by place and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.daylight.sky import TURBIDITY_RANGE, sky_rows, sun_radiance
from engine.daylight.solar import sun_angles_rad
from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support
from engine.randomize.pose import direction, facing, pose_of, turned_about_z
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.defaults import DAYLIGHT_SKY, DAYLIGHT_SUN
from engine.scene.model import LightKind, Scene

UNIT_RANGE_NIT = (1.0e-3, 1.0e9)


@dataclass(frozen=True)
class SunSky:
    """Sun and sky for a sun that stands somewhere. They take the place of the scene's domes and distant lights."""

    STAGE: ClassVar[Stage] = Stage.LIGHT
    elevation_deg: Law  # of the sun above the horizon; below 0 it is twilight, below -6 night
    azimuth_deg: Law  # of the sun; 0: from +x, 90: from +y
    turbidity: Law  # 2: very clear, 3: clear, 6: hazy; the sky has no clouds
    ground_albedo: Law  # of the ground that is seen below the horizon and shines back
    unit_nit: float  # luminance [cd/m^2] that is radiance 1
    bounce: float  # the ambient term, as share of the radiance of the ground in the sun

    def __post_init__(self) -> None:
        check_support("elevation_deg", self.elevation_deg, -90.0, 90.0)
        check_support("azimuth_deg", self.azimuth_deg, *ANGLE_RANGE_DEG)
        _check_air(self.turbidity, self.ground_albedo, self.unit_nit, self.bounce)


@dataclass(frozen=True)
class SunSkyAt:
    """Sun and sky for a place and a time. They take the place of the scene's domes and distant lights."""

    STAGE: ClassVar[Stage] = Stage.LIGHT
    latitude_deg: Law  # north is positive
    day_of_year: Law  # 1: January 1
    hour: Law  # mean solar time: universal time plus an hour for every 15 degrees of longitude to the east
    north_deg: Law  # where north is; 0: +x, 90: +y
    turbidity: Law
    ground_albedo: Law
    unit_nit: float
    bounce: float

    def __post_init__(self) -> None:
        check_support("latitude_deg", self.latitude_deg, -90.0, 90.0)
        check_support("day_of_year", self.day_of_year, 1.0, 366.0)
        check_support("hour", self.hour, 0.0, 24.0)
        check_support("north_deg", self.north_deg, *ANGLE_RANGE_DEG)
        _check_air(self.turbidity, self.ground_albedo, self.unit_nit, self.bounce)


@RANDOMIZERS.register("sun_sky", SunSky)
def sun_sky(params: SunSky, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Light the scene by a sun at drawn angles and the sky that goes with it."""
    elevation_rad = np.deg2rad(draw.law("elevation_deg", params.elevation_deg))
    azimuth_rad = np.deg2rad(draw.law("azimuth_deg", params.azimuth_deg))
    _shine(params, scene, draft, draw, elevation_rad, azimuth_rad)


@RANDOMIZERS.register("sun_sky_at", SunSkyAt)
def sun_sky_at(params: SunSkyAt, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Light the scene by the sun and the sky of a drawn place and time; its angles are recorded, too."""
    latitude_rad = np.deg2rad(draw.law("latitude_deg", params.latitude_deg))
    day, hour = draw.law("day_of_year", params.day_of_year), draw.law("hour", params.hour)
    north_rad = np.deg2rad(draw.law("north_deg", params.north_deg))
    elevation_rad, bearing_rad = sun_angles_rad(latitude_rad, day, hour)
    azimuth_rad = np.mod(north_rad - bearing_rad, 2.0 * np.pi)
    draw.record("elevation_deg", np.rad2deg(elevation_rad))
    draw.record("azimuth_deg", np.rad2deg(azimuth_rad))
    _shine(params, scene, draft, draw, elevation_rad, azimuth_rad)


def _shine(
    params: SunSky | SunSkyAt, scene: Scene, draft: Draft, draw: Draw,
    elevation_rad: NDArray[np.float64], azimuth_rad: NDArray[np.float64],
) -> None:  # fmt: skip
    """Write sun and sky into a draft, switch off what they replace, and record the illuminances."""
    names = [light.name for light in scene.lights]
    if DAYLIGHT_SKY not in names or DAYLIGHT_SUN not in names:
        raise UserError(f"randomize.{draw.randomizer}: the scene was loaded without a sky; name the kind in the recipe")
    sky, sun = names.index(DAYLIGHT_SKY), names.index(DAYLIGHT_SUN)
    turbidity, albedo = draw.law("turbidity", params.turbidity), draw.law("ground_albedo", params.ground_albedo)
    draft.sky[:] = np.stack([turbidity, elevation_rad, albedo, np.full_like(albedo, params.unit_nit)], axis=-1)
    rows = sky_rows(draft.sky)
    replaced = [i for i, light in enumerate(scene.lights) if light.kind in (LightKind.DOME, LightKind.DISTANT)]
    draft.radiance[:, replaced] = 0.0
    draft.radiance[:, sky] = 1.0
    draft.radiance[:, sun] = sun_radiance(rows.sun_irradiance)
    draft.world_from_light[:, sky] = turned_about_z(azimuth_rad, draft.world_from_light[:, sky, :, 3])
    axes = facing(direction(azimuth_rad, elevation_rad), np.zeros(len(azimuth_rad)))  # light leaves along -z
    draft.world_from_light[:, sun] = pose_of(*axes, draft.world_from_light[:, sun, :, 3])
    draft.ambient[:] = params.bounce * rows.ground_radiance
    draw.record("sun_lx", rows.sun_lx)
    draw.record("sky_lx", rows.sky_lx)


def _check_air(turbidity: Law, ground_albedo: Law, unit_nit: float, bounce: float) -> None:
    check_support("turbidity", turbidity, *TURBIDITY_RANGE)
    check_support("ground_albedo", ground_albedo, 0.0, 1.0)
    if not UNIT_RANGE_NIT[0] <= unit_nit <= UNIT_RANGE_NIT[1]:
        raise ValueError(f"unit_nit must be from {UNIT_RANGE_NIT[0]:g} to {UNIT_RANGE_NIT[1]:g}, got {unit_nit}")
    if not 0.0 <= bounce <= 1.0:
        raise ValueError(f"bounce must be from 0 to 1, got {bounce}")
