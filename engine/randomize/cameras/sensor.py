"""Sensors: what a camera is set to, and how much of each flaw it has, within what the recipe's sensor has at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.cameras.camera import rig_camera_indices
from engine.randomize.draw import Draw
from engine.randomize.law import Law, check_support
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene
from engine.sensors.model import RANGES, SETTINGS
from engine.sensors.settings import COLUMN


@dataclass(frozen=True)
class SensorSettings:
    """Settings of sensors, each a law for every camera; null: as the recipe's sensor has it."""

    STAGE: ClassVar[Stage] = Stage.CAMERA_JITTER
    cameras: Glob  # cameras of the rig
    iso: Law | None = None  # speed
    time_s: Law | None = None  # exposure time
    vignetting_strength: Law | None = None  # multiplies the polynomial
    aberration_strength: Law | None = None  # multiplies the magnifications
    bloom_share: Law | None = None  # of the light
    read_noise_e: Law | None = None
    white_kelvin: Law | None = None  # light that becomes grey
    contrast: Law | None = None  # exponent
    saturation: Law | None = None  # 1: as it is
    jpeg_quality: Law | None = None  # 1..100, of files; 0: as the writer says

    def __post_init__(self) -> None:
        laws = {name: getattr(self, name) for name in SETTINGS}
        if not any(law is not None for law in laws.values()):
            raise ValueError(f"nothing varies; give a law to at least one of {', '.join(SETTINGS)}")
        for name, law in laws.items():
            if law is not None:
                check_support(name, law, *RANGES[name])


@RANDOMIZERS.register("sensor", SensorSettings)
def sensor(params: SensorSettings, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Replace settings of the sensors of cameras."""
    cameras = rig_camera_indices(params.cameras, draw)
    for name in SETTINGS:
        law = getattr(params, name)
        if law is None:
            continue
        reason = "it is the ideal one" if draw.sensor is None else draw.sensor.why_fixed(name)
        if reason is not None:
            raise UserError(
                f"{draw.where(name)}: the sensor leaves out what this changes: {reason}; "
                f"set sensor.{SETTINGS[name]}.*, or take another sensor such as sensor=industrial"
            )
        draft.sensor[:, cameras, COLUMN[name]] = draw.law(name, law, count=len(cameras))
