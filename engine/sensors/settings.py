"""What every view's sensor is set to: numbers of a draft, and the columns that the kernels read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.sensors.model import LUX_OF_RADIANCE_1, SETTINGS, Sensor

SATURATING_LUX_S = 78.0  # focal-plane exposure that saturates at ISO 1; ISO 12232:2019, saturation-based speed
FOCAL_PLANE = 0.65  # q: focal-plane exposure of a luminance is q L t / N^2; ISO 12232:2019
COLUMN = {name: index for index, name in enumerate(SETTINGS)}


def authored_settings(sensor: Sensor | None, rows: int, cameras: int) -> NDArray[np.float64]:
    """Return [row, camera, setting] as configured; no settings without a sensor."""
    values = [] if sensor is None else [sensor.setting(name) for name in SETTINGS]
    return np.tile(np.asarray(values, np.float64), (rows, cameras, 1))


def setting(settings: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return one of `SETTINGS`, [row, camera]."""
    return settings[..., COLUMN[name]]


def shares_of_saturation(
    sensor: Sensor, settings: NDArray[np.float64], camera_exposure: NDArray[np.floating], stops: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the share of saturation that radiance 1 is, [row, camera]; metering multiplies it further.

    Args:
        sensor: Which decides by its mode of exposure.
        settings: Of every view.
        camera_exposure: Factor that the authored camera asks for; only mode `rig` takes it.
        stops: Of rig and randomisers; all modes add them.
    """
    exposure, white = sensor.exposure, 2.0**-sensor.develop.headroom_ev
    added = np.exp2(stops.astype(np.float64))
    if exposure.mode == "rig":
        return np.asarray(camera_exposure * added * white)
    if exposure.mode == "auto":
        return np.asarray(added * white)
    seen = FOCAL_PLANE * LUX_OF_RADIANCE_1 / np.pi * setting(settings, "time_s") / exposure.f_number**2  # [lx s]
    return np.asarray(seen * setting(settings, "iso") / SATURATING_LUX_S * added)


def electrons_of_saturation(sensor: Sensor, settings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the electrons of a saturated pixel, [row, camera]; never more than its well holds."""
    speed = np.maximum(setting(settings, "iso") / sensor.chip.base_iso, 1.0)
    return np.asarray(sensor.chip.full_well_e / speed)
