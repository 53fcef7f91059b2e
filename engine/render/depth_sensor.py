"""The launches that turn the perfect depth of a batch into what a depth camera measures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine import gpu
from engine.sensors.depth import DepthSensor, StereoSensor, StructuredLightSensor, TimeOfFlightSensor

STREAM = "depth_sensor"  # of random numbers
NO_LIMIT = (0.0, 1.0)  # of a detector: nothing is too weak


@dataclass(frozen=True)
class DepthModel:
    """A depth camera as the kernels take it."""

    mirror_alpha: float
    triangulation: Any  # kernels.depth_sensor.Triangulation, or None
    flight: Any  # kernels.depth_sensor.TimeOfFlight, or None


def depth_model(sensor: DepthSensor) -> DepthModel:
    """Return the parameters of a depth camera for the kernels."""
    if isinstance(sensor, TimeOfFlightSensor):
        return DepthModel(0.0, None, _flight(sensor))
    mirror_alpha = sensor.mirror_roughness**2 if isinstance(sensor, StereoSensor) else 0.0
    return DepthModel(mirror_alpha, _triangulation(sensor), None)


def least_signal(target_reflectance: float, largest_range_m: float) -> float:
    """Return what comes back of a target at the largest range, in units of a white one at 1 m; 0: any range will do."""
    return target_reflectance / largest_range_m**2 if largest_range_m > 0.0 else 0.0


def _triangulation(sensor: StereoSensor | StructuredLightSensor) -> Any:
    out = gpu.depth_sensor.Triangulation()
    out.baseline_m = sensor.baseline_m
    out.disparity_sigma_px, out.disparity_step_px = sensor.disparity_sigma_px, sensor.disparity_step_px
    out.least_disparity_px, out.most_disparity_px = sensor.disparity_px
    out.lateral_sigma_px, out.lost_share = sensor.lateral_sigma_px, sensor.lost_share
    out.least_cosine = math.cos(math.radians(sensor.largest_incidence_deg))
    out.detector = NO_LIMIT
    if isinstance(sensor, StereoSensor):
        out.least_contrast, out.window_px = sensor.least_contrast, sensor.window_px // 2
    else:
        out.lateral_growth_px = sensor.lateral_growth_px
        out.detector = (least_signal(sensor.target_reflectance, sensor.largest_range_m), sensor.threshold_ratio)
    return out


def _flight(sensor: TimeOfFlightSensor) -> Any:
    out = gpu.depth_sensor.TimeOfFlight()
    out.half_wave_m, out.periods = sensor.half_wave_m, sensor.periods
    for name in (
        *("electrons", "ambient_electrons", "read_electrons", "full_well_electrons", "least_electrons"),
        *("contrast", "range_m", "step_m", "lost_share"),
    ):
        setattr(out, name, getattr(sensor, name))
    out.multipath = (sensor.multipath_share, sensor.multipath_m)
    out.footprint = tuple(footprint_weights(sensor.blur_px))
    return out


def footprint_weights(blur_px: float) -> list[float]:
    """Return the weights of a pixel, of each of its four neighbours and of each of the four at its corners."""
    side = math.exp(-0.5 / blur_px**2) if blur_px > 0.0 else 0.0
    weights = np.array([1.0, side, side * side])
    shares: list[float] = (weights / (weights @ [1.0, 4.0, 4.0])).tolist()
    return shares
