"""Sensors, and their chain run on light that a test makes up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import warp as wp
import yaml
from numpy.typing import NDArray

from engine import gpu
from engine.plain import from_plain
from engine.recipe import Rig
from engine.render.arrays import to_device
from engine.render.inputs import Inputs
from engine.render.sensor import new_sensor_memory, sensor_fields, upload_sensor
from engine.render.sensor_programs import SensorPrograms
from engine.render.views import view_fields, views_of
from engine.rig import authored_draft
from engine.sensors.change import changed as with_values
from engine.sensors.model import Sensor
from tests.kernels.scenes import camera, pose, quad, rig, scene

IDEAL: Sensor = from_plain(
    Sensor, yaml.safe_load((Path(__file__).parents[2] / "conf/sensor/ideal.yaml").read_text()), "sensor"
)
STAGE = scene([(quad(1.0), pose())])
FOCAL_MM, APERTURE_MM = 24.0, 24.0


def changed(sensor: Sensor = IDEAL, **values: Any) -> Sensor:
    """Return a sensor with other values: `chip__bits=12` is `chip.bits`."""
    return with_values(sensor, {name.replace("__", "."): value for name, value in values.items()})


@dataclasses.dataclass(frozen=True)
class Taken:
    """What the chain made of some views."""

    rgb: NDArray[np.uint8]  # [view, y, x, 3]
    raw: NDArray[np.float32]  # [view, y, x], balanced shares of saturation; empty without a mosaic
    light: NDArray[np.float32]  # [view, y, x, 3], behind the lens
    metered_ev: NDArray[np.float32]
    on_device: Any
    memory: Any


def take(
    sensor: Sensor, radiance: NDArray[Any], *, worlds: tuple[int, ...] = (0,), cameras: int = 1, seed: int = 0,
    draft_values: Mapping[str, Any] | None = None, threads: int | None = 1, device: str = "cpu",
) -> Taken:  # fmt: skip
    """Return what a sensor makes of radiance [y, x, 3], the same for every world and camera, or [view, y, x, 3]."""
    height, width = radiance.shape[-3:-1]
    setup: Rig = rig(size_px=(width, height))
    one = camera(pose(at=(0, 0, 1)), focal_mm=FOCAL_MM)
    world = np.array(worlds, np.int64)
    draft = authored_draft(STAGE, setup, (one,) * cameras, world, np.zeros(len(world), np.int32))
    for name, values in (draft_values or {}).items():
        getattr(draft, name)[...] = values
    on_device = upload_sensor(sensor, setup, seed=seed, device=device)
    of_views = view_fields(draft, setup)
    fields = [*of_views, *sensor_fields(on_device, draft, setup, slice(None))]
    inputs = Inputs(fields, device)
    inputs.write(fields)
    inputs.upload()
    views = views_of(of_views, inputs, setup, device, shaded=False)
    memory = new_sensor_memory(on_device, views, inputs, setup, device)
    count = len(worlds) * cameras
    light = np.broadcast_to(radiance, (count, height, width, 3)).astype(np.float32)
    wp.copy(memory.radiance, to_device(light, wp.vec3, device))
    color = gpu.film.ColorImages()
    color.rgb = wp.zeros((count, height, width, 3), dtype=wp.uint8, device=device)
    for phase in SensorPrograms(on_device, memory, color, setup, threads=threads).phases:
        for part in phase.parts(threads or 1):
            phase.work(*part)
    behind = memory.light if memory.light.size else memory.radiance
    ev = memory.metered.ev.numpy()
    return Taken(color.rgb.numpy(), memory.raw.numpy(), behind.numpy(), ev, on_device, memory)


def flat(share: float, side_px: int = 256) -> NDArray[np.float64]:
    """Return grey light."""
    return np.full((side_px, side_px, 3), share)
