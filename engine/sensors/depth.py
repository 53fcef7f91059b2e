"""Depth cameras: what they are made of. `docs/range_sensors.md` has the formulas, kernels/depth_sensor.py the code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.sensors.check import check_between, check_pair

LIGHT_M_S = 299_792_458.0  # SI definition of the metre


@dataclass(frozen=True)
class StereoSensor:
    """Two cameras side by side; the rig's camera is the one that depth is given for."""

    TAG: ClassVar[tuple[str, str]] = ("kind", "stereo")
    baseline_m: float  # [m] to the second camera; positive: it stands to the right
    disparity_sigma_px: float  # [px], standard deviation of a match
    disparity_step_px: float  # [px], 0: not quantised
    disparity_px: tuple[float, float]  # [px], search range; the larger one sets the least depth
    lateral_sigma_px: float  # [px], how far a match strays in the image: ragged edges and flying pixels
    window_px: int  # [px], side of the matching window, odd
    least_contrast: float  # of diffuse brightness in the window, deviation over mean; 0: a projector adds texture
    mirror_roughness: float  # smoother surfaces show other things instead of themselves
    largest_incidence_deg: float  # [deg], beyond it nothing is matched
    lost_share: float  # of pixels without any other reason

    def __post_init__(self) -> None:
        check_between("baseline_m", abs(self.baseline_m), 1.0e-4, 100.0)
        _check_disparity(self.disparity_sigma_px, self.disparity_step_px, self.disparity_px, self.lateral_sigma_px)
        check_between("window_px", self.window_px, 1, 31)
        if self.window_px % 2 == 0:
            raise ValueError(f"window_px must be odd, got {self.window_px}")
        check_between("least_contrast", self.least_contrast, 0.0, 10.0)
        check_between("mirror_roughness", self.mirror_roughness, 0.0, 1.0)
        check_between("largest_incidence_deg", self.largest_incidence_deg, 0.0, 90.0)
        check_between("lost_share", self.lost_share, 0.0, 1.0)


@dataclass(frozen=True)
class StructuredLightSensor:
    """A camera and a projector of a known pattern, in the place of a second camera."""

    TAG: ClassVar[tuple[str, str]] = ("kind", "structured_light")
    baseline_m: float  # [m] from the camera to the projector; positive: it stands to the right
    disparity_sigma_px: float  # [px], standard deviation of a match
    disparity_step_px: float  # [px], 0: not quantised
    disparity_px: tuple[float, float]  # [px], search range
    lateral_sigma_px: float  # [px], of a surface that faces the camera
    lateral_growth_px: float  # [px], times angle / (90 degrees - angle) of incidence
    largest_range_m: float  # [m], where a target of `target_reflectance` that faces the camera is found half the time
    target_reflectance: float  # of a Lambert surface
    threshold_ratio: float  # signal over noise at that threshold
    largest_incidence_deg: float  # [deg], beyond it nothing is found
    lost_share: float  # of pixels without any other reason

    def __post_init__(self) -> None:
        check_between("baseline_m", abs(self.baseline_m), 1.0e-4, 100.0)
        _check_disparity(self.disparity_sigma_px, self.disparity_step_px, self.disparity_px, self.lateral_sigma_px)
        check_between("lateral_growth_px", self.lateral_growth_px, 0.0, 10.0)
        check_between("largest_range_m", self.largest_range_m, 1.0e-2, 1.0e5)
        check_between("target_reflectance", self.target_reflectance, 1.0e-3, 1.0)
        check_between("threshold_ratio", self.threshold_ratio, 0.1, 1.0e6)
        check_between("largest_incidence_deg", self.largest_incidence_deg, 0.0, 90.0)
        check_between("lost_share", self.lost_share, 0.0, 1.0)


@dataclass(frozen=True)
class TimeOfFlightSensor:
    """A light that is modulated, and pixels that measure the phase of what comes back."""

    TAG: ClassVar[tuple[str, str]] = ("kind", "time_of_flight")
    modulation_hz: float  # [Hz]; c / 2f is the range of one period
    periods: int  # that several frequencies tell apart; what lies beyond folds back
    electrons: float  # a pixel collects of a white target 1 m away that faces the camera
    ambient_electrons: float  # and of ambient light
    read_electrons: float  # noise of reading one bucket
    full_well_electrons: float  # that a bucket holds; beyond, nothing is measured
    contrast: float  # of the demodulation
    least_electrons: float  # of modulated light; with fewer nothing is measured
    blur_px: float  # [px], standard deviation of the lens' blur: pixels at edges mix
    multipath_share: float  # of light that arrives late, relative to the direct; 0: none
    multipath_m: float  # [m], how much farther it went
    range_m: tuple[float, float]  # [m], least and most planar depth that is reported
    step_m: float  # [m], 0: not quantised
    lost_share: float  # of pixels without any other reason

    def __post_init__(self) -> None:
        check_between("modulation_hz", self.modulation_hz, 1.0e5, 1.0e10)
        check_between("periods", self.periods, 1, 1000)
        for name in ("electrons", "ambient_electrons", "read_electrons", "full_well_electrons", "least_electrons"):
            check_between(name, getattr(self, name), 0.0, 1.0e9)
        check_between("contrast", self.contrast, 1.0e-3, 1.0)
        check_between("blur_px", self.blur_px, 0.0, 1.0)
        check_between("multipath_share", self.multipath_share, 0.0, 1.0)
        check_between("multipath_m", self.multipath_m, 0.0, 1.0e4)
        check_pair("range_m", self.range_m, 0.0, 1.0e6)
        check_between("step_m", self.step_m, 0.0, 10.0)
        check_between("lost_share", self.lost_share, 0.0, 1.0)

    @property
    def half_wave_m(self) -> float:
        """The range of one period [m]."""
        return LIGHT_M_S / (2.0 * self.modulation_hz)


DepthSensor = StereoSensor | StructuredLightSensor | TimeOfFlightSensor


def _check_disparity(sigma_px: float, step_px: float, range_px: tuple[float, float], lateral_px: float) -> None:
    check_between("disparity_sigma_px", sigma_px, 0.0, 10.0)
    check_between("disparity_step_px", step_px, 0.0, 10.0)
    check_pair("disparity_px", range_px, 0.0, 32768.0)
    check_between("lateral_sigma_px", lateral_px, 0.0, 2.0)
