"""Illuminance from the sun and from the whole sky through cloudless air.

Source: Bird and Riordan, "Simple solar spectral model for direct and diffuse irradiance on horizontal and tilted planes
at the earth's surface for cloudless atmospheres", J. Climate and Applied Meteorology 25, 1986, in the visible range,
where water vapour and mixed gases absorb nothing. Turbidity to aerosols after Preetham, Shirley, Smits, "A practical
analytic model for daylight", SIGGRAPH 1999, appendix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WAVELENGTH_UM = np.arange(0.38, 0.785, 0.01)
SUN_KELVIN = 5900.0  # black body of the colour that the sun has above the air
SUN_LX = 133.1e3  # illuminance there, of the spectrum of ASTM E490
OZONE_CM = 0.35  # thickness of the layer
AEROSOL_EXPONENT = 1.3  # of Angstrom's law
ALBEDO_AT_04, ALBEDO_VARIATION = 0.945, 0.095  # single-scattering albedo of rural aerosols
AEROSOL_ASYMMETRY = 0.65  # mean cosine of their scattering
SKY_AIR_MASS = 1.8  # that light reflected by the ground passes on its way back
LOWEST_RAD = np.deg2rad(2.0)  # below, the sky's level is not the model's, but
TWILIGHT_DECADES_A_DEGREE = 0.3  # falls by this: about 0.3 klx at sunset, 4 lx at the end of civil twilight
NIGHT_RAD = np.deg2rad(-6.0)  # end of civil twilight; below there is no light
SUN_HALF_ANGLE_RAD = 0.00465  # radius of the sun over its mean distance

XYZ_FROM_LOBES = (  # height, centre, widths below and above [nm]; Wyman, Sloan, Shirley, JCGT 2(2), 2013
    ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)
RGB_FROM_XYZ = np.array(  # linear Rec. 709, IEC 61966-2-1
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)
LUMINANCE_OF_RGB = np.linalg.inv(RGB_FROM_XYZ)[1]


@dataclass(frozen=True)
class Daylight:
    """What arrives on the ground, for every row."""

    sun_lx: Array  # [row, 3], linear Rec. 709 with the luminance weights' sum in lux, on a plane that faces the sun
    sky_lx: Array  # [row], on a level plane


def daylight(turbidity: Array, elevation_rad: Array, ground_albedo: Array) -> Daylight:
    """Return the illuminances for [row] parameters; turbidity is Preetham's, from 2 (clear) to 10 (hazy)."""
    model_rad = np.maximum(elevation_rad, 0.0)
    sun = _sun_spectrum() * _direct(turbidity, air_mass(model_rad))
    xyz = (sun[..., None] * color_matching(WAVELENGTH_UM)).sum(axis=-2)
    risen = np.clip(0.5 + elevation_rad / (2.0 * SUN_HALF_ANGLE_RAD), 0.0, 1.0)  # share of the disk, nearly
    sun_lx = rgb_of_xyz(xyz) * risen[:, None]
    held_rad = np.maximum(elevation_rad, LOWEST_RAD)
    level = (_diffuse(turbidity, held_rad, ground_albedo) * color_matching(WAVELENGTH_UM)[:, 1]).sum(axis=-1)
    below_deg = np.rad2deg(held_rad - elevation_rad)
    level = level * 10.0 ** (-TWILIGHT_DECADES_A_DEGREE * below_deg) * (elevation_rad >= NIGHT_RAD)
    return Daylight(sun_lx, level)


def air_mass(elevation_rad: Array) -> Array:
    """Return the length of the sun's way through the air, 1 from the zenith. Source: Kasten and Young, 1989."""
    above_deg = np.rad2deg(elevation_rad)
    return np.asarray(1.0 / (np.sin(elevation_rad) + 0.50572 * (above_deg + 6.07995) ** -1.6364))


def color_matching(wavelength_um: Array) -> Array:
    """Return the CIE 1931 colour matching functions [wavelength, 3]."""
    nm = 1000.0 * wavelength_um
    out = np.zeros((len(nm), 3))
    for axis, lobes in enumerate(XYZ_FROM_LOBES):
        for height, centre, below, above in lobes:
            out[:, axis] += height * np.exp(-0.5 * ((nm - centre) / np.where(nm < centre, below, above)) ** 2)
    return out


def rgb_of_xyz(xyz: Array) -> Array:
    """Return linear Rec. 709 [..., 3] of the same luminance; what would be negative is cut."""
    rgb = np.maximum(np.einsum("ck,...k->...c", RGB_FROM_XYZ, xyz), 0.0)
    luminance = np.einsum("c,...c->...", LUMINANCE_OF_RGB, rgb)
    scale = np.divide(xyz[..., 1], luminance, out=np.zeros_like(luminance), where=luminance > 0.0)
    return np.asarray(rgb * scale[..., None])


def _sun_spectrum() -> Array:
    """Return the sun above the air [wavelength], in a unit in which the colour matching functions give lux."""
    emitted = WAVELENGTH_UM**-5.0 / np.expm1(14387.77 / (WAVELENGTH_UM * SUN_KELVIN))  # Planck; hc / k in um K
    return np.asarray(emitted * (SUN_LX / (emitted @ color_matching(WAVELENGTH_UM)[:, 1])))


def _rayleigh_depth() -> Array:
    return np.asarray(1.0 / (WAVELENGTH_UM**4 * (115.6406 - 1.335 / WAVELENGTH_UM**2)))


def _ozone_depth() -> Array:
    """Return the optical depth of the Chappuis band, as one lobe around 590 nm (within 10 % of the tables' peak)."""
    width = np.where(WAVELENGTH_UM < 0.59, 0.053, 0.058)
    return np.asarray(OZONE_CM * 0.125 * np.exp(-0.5 * ((WAVELENGTH_UM - 0.59) / width) ** 2))


def _aerosol_depth(turbidity: Array) -> Array:
    beta = np.maximum(0.04608 * turbidity - 0.04586, 0.0)
    return np.asarray(beta[:, None] * WAVELENGTH_UM**-AEROSOL_EXPONENT)


def _direct(turbidity: Array, mass: Array) -> Array:
    """Return the share of sunlight [row, wavelength] that arrives from the sun itself."""
    depth = _rayleigh_depth() + _ozone_depth() + _aerosol_depth(turbidity)
    return np.asarray(np.exp(-depth * mass[:, None]))


def _diffuse(turbidity: Array, elevation_rad: Array, ground_albedo: Array) -> Array:
    """Return the sky's light on a level plane [row, wavelength], what the ground sends up and the air back included."""
    mass, sine = air_mass(elevation_rad)[:, None], np.sin(elevation_rad)[:, None]
    aerosol = _aerosol_depth(turbidity)
    scattered_share = ALBEDO_AT_04 * np.exp(-ALBEDO_VARIATION * np.log(WAVELENGTH_UM / 0.4) ** 2)
    ozone, rayleigh = np.exp(-_ozone_depth() * mass), np.exp(-_rayleigh_depth() * mass)
    absorbed, scattered = np.exp(-(1.0 - scattered_share) * aerosol * mass), np.exp(-scattered_share * aerosol * mass)
    above = _sun_spectrum() * sine * ozone * absorbed
    from_air = above * 0.5 * (1.0 - rayleigh**0.95)
    from_aerosol = above * rayleigh**1.5 * (1.0 - scattered) * _forward_share(sine)
    direct = _sun_spectrum() * sine * _direct(turbidity, mass[:, 0])

    back_rayleigh = np.exp(-_rayleigh_depth() * SKY_AIR_MASS)
    back_scattered = np.exp(-scattered_share * aerosol * SKY_AIR_MASS)
    back_open = np.exp(-_ozone_depth() * SKY_AIR_MASS - (1.0 - scattered_share) * aerosol * SKY_AIR_MASS)
    turned = 1.0 - _forward_share(np.array(1.0 / SKY_AIR_MASS))
    back = back_open * (0.5 * (1.0 - back_rayleigh) + turned * back_rayleigh * (1.0 - back_scattered))
    bounce = back * ground_albedo[:, None]
    return np.asarray((from_air + from_aerosol + direct * bounce) / (1.0 - bounce))


def _forward_share(sine: Array) -> Array:
    """Return the share of light that aerosols scatter downwards, given the sine of the sun's elevation."""
    a = np.log(1.0 - AEROSOL_ASYMMETRY)
    first = a * (1.459 + a * (0.1595 + a * 0.4129))
    second = a * (0.0783 + a * (-0.3824 - a * 0.5874))
    return np.asarray(1.0 - 0.5 * np.exp((first + second * sine) * sine))
