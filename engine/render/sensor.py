"""A camera's sensor on a device: its numbers, what each view is set to, and the memory of its chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.draft import Draft
from engine.randomize.philox import stream_key
from engine.recipe import Rig
from engine.render.arrays import to_device
from engine.render.inputs import Field, Inputs, field
from engine.sensors.color import code_begins, color_matrix, white_gains
from engine.sensors.model import Development, Sensor
from engine.sensors.settings import authored_settings, electrons_of_saturation, setting, shares_of_saturation

RED_SITE = {"none": -1, "rggb": 0, "grbg": 1, "gbrg": 2, "bggr": 3}  # 2 y + x
MIDDLE_GREY = 0.18  # of white: where contrast turns
SENSOR_BYTES_PX = 36  # of a pixel: radiance, light behind the lens, pyramid, mosaic
FINEST_SIGMA_PX = 1.2247  # of the first level of the pyramid, below


@dataclass(frozen=True)
class SensorOnDevice:
    """What all views of a renderer share."""

    sensor: Sensor
    numbers: Any  # kernels.sensor.Sensor
    meter: Any  # kernels.sensor.Meter
    table: Any  # kernels.sensor.ToneTable
    weights: tuple[float, ...]  # of the levels of the glare's pyramid, from half the size on; none: no glare


@dataclass(frozen=True)
class SensorMemory:
    """Memory of the chain for all views of a batch; what is not needed has no elements."""

    views: Any  # kernels.sensor.SensorViews
    radiance: wp.array  # [view, y, x], what arrives at the lens
    light: wp.array  # [view, y, x], behind the lens
    levels: tuple[wp.array, ...]  # of the glare, each half the size of the one before
    zone: wp.array  # [view, zone]
    raw: wp.array  # [view, y, x]
    metered: Any  # kernels.sensor_meter.Metered


def upload_sensor(sensor: Sensor, rig: Rig, *, seed: int, device: str) -> SensorOnDevice:
    """Return a sensor on a device; `seed` is the key of its noise."""
    lens, chip, develop = sensor.lens, sensor.chip, sensor.develop
    numbers = gpu.sensor.Sensor()
    numbers.natural = lens.natural_vignetting
    numbers.vignetting, numbers.aberration = wp.vec3(*lens.vignetting), wp.vec2(*lens.aberration)
    numbers.response = wp.mat33(np.asarray(chip.response, np.float32))
    numbers.color_matrix = wp.mat33(color_matrix(chip.response, develop).astype(np.float32))
    numbers.red_site, numbers.is_malvar = RED_SITE[chip.mosaic], int(develop.demosaic == "malvar")
    for name in ("full_well_e", "prnu", "dsnu_e", "hot_share", "hot_e_per_s", "serial"):
        setattr(numbers, name, getattr(chip, name))
    numbers.highest_dn = float(2**chip.bits - 1) if chip.bits else 0.0
    numbers.black_dn = float(round(chip.black_level * numbers.highest_dn))
    numbers.pivot = MIDDLE_GREY * 2.0**-develop.headroom_ev
    numbers.noise.low, numbers.noise.high = stream_key(seed, "sensor.noise")
    numbers.pattern.low, numbers.pattern.high = stream_key(0, "sensor.pattern")  # of a chip, whatever it looks at
    return SensorOnDevice(sensor, numbers, _meter(sensor), tone_table(develop, device), glare_weights(sensor, rig))


def _meter(sensor: Sensor) -> Any:
    meter, exposure = gpu.sensor.Meter(), sensor.exposure
    meter.is_on, meter.finds_white = int(exposure.mode == "auto"), int(sensor.develop.auto_white)
    meter.percentile = -1.0 if exposure.meter_percentile is None else exposure.meter_percentile / 100.0
    meter.target, meter.low_ev, meter.high_ev = exposure.meter_target, exposure.meter_low_ev, exposure.meter_high_ev
    return meter


def tone_table(develop: Development, device: str) -> Any:
    """Return kernels.sensor.ToneTable of a development's curve."""
    begins = code_begins(develop).astype(np.float32)
    first, count, bits = int(gpu.sensor.FIRST_RUN), int(gpu.sensor.RUN_COUNT), int(gpu.sensor.RUN_BITS)
    runs = (np.arange(first, first + count, dtype=np.uint32) << bits).view(np.float32)
    code = np.searchsorted(begins, runs, side="right") - 1
    code[0] = 0  # the first run stands for all that is darker, too
    out = gpu.sensor.ToneTable()
    out.begin, out.code = to_device(begins, wp.float32, device), to_device(code.astype(np.int32), wp.int32, device)
    return out


def glare_weights(sensor: Sensor, rig: Rig) -> tuple[float, ...]:
    """Return the weights of the levels of the glare's pyramid, which sum to 1; none where nothing is spread.

    Level k is spread by a B-spline down and up again, near a Gaussian of sigma = sqrt((4^k - 1) / 2) px. Weights
    sigma^(2 - p) make their sum fall as 1 / distance^p between the finest and the widest one.
    """
    lens = sensor.lens
    if lens.bloom_share == 0.0:
        return ()
    sigmas_px = [FINEST_SIGMA_PX]
    while len(sigmas_px) < 12 and min(rig.width, rig.height) >> (len(sigmas_px) + 1) >= 2:
        sigma_px = ((4.0 ** (len(sigmas_px) + 1) - 1.0) / 2.0) ** 0.5
        if sigma_px > lens.bloom_radius * rig.height:
            break
        sigmas_px.append(sigma_px)
    weight = np.asarray(sigmas_px) ** (2.0 - lens.bloom_power)
    return tuple(float(w) for w in weight / weight.sum())


def sensor_fields(on_device: SensorOnDevice | None, draft: Draft, rig: Rig, cameras: slice) -> list[Field]:
    """Return what the sensors of a draft are set to, view-major; nothing without a sensor."""
    if on_device is None:
        return []
    sensor, column = on_device.sensor, gpu.sensor.SensorValue
    rows, all_cameras = draft.world_from_camera.shape[:2]
    settings = draft.sensor if draft.sensor.shape[-1] else authored_settings(sensor, rows, all_cameras)
    value = np.empty((rows, all_cameras, len(column)), np.float32)
    stops = draft.exposure_ev + rig.exposure_ev
    value[..., column.EXPOSURE] = shares_of_saturation(sensor, settings, draft.exposure, stops)
    value[..., column.ELECTRONS] = electrons_of_saturation(sensor, settings)
    time_s = setting(settings, "time_s")
    value[..., column.TIME_S], value[..., column.DARK_E] = time_s, time_s * sensor.chip.dark_e_per_s
    for name, of in {"read_noise_e": column.READ_NOISE_E, "vignetting_strength": column.VIGNETTING,
                     "aberration_strength": column.ABERRATION, "bloom_share": column.BLOOM_SHARE,
                     "contrast": column.CONTRAST, "saturation": column.SATURATION}.items():  # fmt: skip
        value[..., of] = setting(settings, name)
    gains = white_gains(sensor.chip.response, setting(settings, "white_kelvin"))
    value[..., column.WHITE_RED : column.WHITE_BLUE + 1] = gains
    chosen = np.arange(all_cameras, dtype=np.int32)[cameras]
    camera = np.tile(chosen, rows)
    values = value[:, cameras].reshape(len(camera), len(column))
    return [field("sensor_camera", wp.int32, camera, np.int32), field("sensor_value", wp.float32, values)]


def new_sensor_memory(on_device: SensorOnDevice, views: Any, inputs: Inputs, rig: Rig, device: str) -> SensorMemory:
    """Return memory for the views of a batch; `views` are kernels.camera.Views."""
    count, sensor, size = len(views.world), on_device.sensor, (rig.height, rig.width)
    own = gpu.sensor.SensorViews()
    for name in ("world", "frame", "focal_px", "center_px", "lens"):
        setattr(own, name, getattr(views, name))
    own.camera, own.value = inputs.array("sensor_camera"), inputs.array("sensor_value")
    is_metered = bool(on_device.meter.is_on or on_device.meter.finds_white)
    metered = gpu.sensor_meter.Metered()
    metered.value = own.metered = wp.empty((count if is_metered else 0, 4), dtype=wp.float32, device=device)
    metered.ev = wp.empty(count if on_device.meter.is_on else 0, dtype=wp.float32, device=device)
    zones = min(rig.height, gpu.sensor.ZONES) * min(rig.width, gpu.sensor.ZONES)
    levels, side = [], size
    for _ in on_device.weights:
        side = (-(-side[0] // 2), -(-side[1] // 2))
        levels.append(wp.empty((count, *side), dtype=wp.vec3, device=device))
    return SensorMemory(
        own,
        wp.empty((count, *size), dtype=wp.vec3, device=device),
        wp.empty((0, 0, 0) if sensor.lens.is_off else (count, *size), dtype=wp.vec3, device=device),
        tuple(levels),
        wp.empty((count if is_metered else 0, zones), dtype=wp.vec3, device=device),
        wp.empty((0, 0, 0) if sensor.chip.mosaic == "none" else (count, *size), dtype=wp.float32, device=device),
        metered,
    )
