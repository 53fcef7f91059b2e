"""Sweeps of a batch: one for every row, cast from where the LiDAR sits, and the launches that make them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.randomize.philox import stream_key, uniform
from engine.render.arrays import to_device
from engine.render.depth_sensor import least_signal
from engine.render.inputs import Field, Inputs, field
from engine.render.program import Program
from engine.render.views import span_of
from engine.render.worlds import SceneOnDevice, Worlds
from engine.sensors.lidar import Lidar as LidarConfig
from engine.sensors.lidar import LidarBeam, RasterLidar, RosetteLidar, SpinningLidar, returns_of
from engine.sensors.sweep import IDS, VALUES, world_from_sensor

STREAM, PHASE_STREAM = "lidar", "lidar.phase"  # of random numbers: of beams, and of where axes begin
RETURN_BYTES = 4 * (len(VALUES) + len(IDS))
GOLDEN_TURNS = (3.0 - math.sqrt(5.0)) / 2.0  # between points of a sunflower, which covers a disc evenly
BEAM_EDGE = math.exp(-2.0)  # of the intensity in a beam's middle, where its divergence ends: 1/e^2, a Gaussian beam


@dataclass(frozen=True)
class MountedLidar:
    """A LiDAR at a camera of the rig."""

    config: LidarConfig
    camera: int
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        """Beams of a sweep and returns of a beam."""
        return self.config.beams, returns_of(self.config)


def lidar_fields(lidar: MountedLidar, draft: Draft, row: NDArray[np.int32]) -> list[Field]:
    """Return where the sweeps of a draft begin; `row` is that of Worlds that each looks at, none: not in this part."""
    sweeps = len(row)
    pose = world_from_sensor(lidar.config, draft.world_from_camera[:sweeps, lidar.camera])
    return [
        field("lidar_row", wp.int32, row, np.int32),
        field("lidar_world", wp.int32, draft.world[:sweeps].astype(np.uint32).view(np.int32), np.int32),
        field("lidar_step", wp.int32, draft.step[:sweeps], np.int32),
        field("lidar_pose", gpu.transform.mat34, pose),
        field("lidar_phase", wp.vec2, axis_phase(lidar, draft.world[:sweeps], draft.step[:sweeps])),
    ]


def axis_phase(lidar: MountedLidar, world: NDArray[np.int64], step: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the phases of the two axes when sweeps begin [turns], [sweep, 2].

    They are drawn for a world and go on from step to step.
    """
    config = lidar.config
    if isinstance(config, SpinningLidar):
        return np.zeros((len(world), 2))
    axis_hz = config.prism_hz if isinstance(config, RosetteLidar) else config.mirror_hz
    drawn = uniform(lidar.seed, PHASE_STREAM, world[:, None], dimension=np.arange(2))
    phase: NDArray[np.float64] = (drawn + np.outer(step * config.sweep_s, axis_hz)) % 1.0
    return phase


def scan_of(lidar: MountedLidar, inputs: Inputs, device: str) -> Any:
    """Return kernels.lidar.Scan of `lidar_fields` that are in `inputs`."""
    config, scan = lidar.config, gpu.lidar.Scan()
    scan.pattern = _pattern(config, device)
    scan.row = inputs.array("lidar_row")
    scan.world, scan.step = inputs.array("lidar_world"), inputs.array("lidar_step")
    scan.world_from_sensor, scan.phase = inputs.array("lidar_pose"), inputs.array("lidar_phase")
    scan.velocity_m_s = config.motion.velocity_m_s
    spin_rad_s = np.radians(config.motion.rotation_deg_s)
    size = float(np.linalg.norm(spin_rad_s))
    scan.spin_axis = tuple(spin_rad_s / size) if size > 0.0 else (0.0, 0.0, 1.0)
    scan.spin_hz = size / (2.0 * math.pi)
    scan.subray = to_device(beam_subrays(config.beam), wp.vec3, device)
    scan.compensate = int(config.motion.compensate != "none")
    scan.moment_s = config.duration_s / 2.0 if config.motion.compensate == "middle" else 0.0
    scan.key.low, scan.key.high = stream_key(lidar.seed, STREAM)
    return scan


def _pattern(config: LidarConfig, device: str) -> Any:
    out = gpu.lidar.Pattern()
    out.beams, out.channels = config.beams, 1
    channel = np.zeros((1, 3))
    if isinstance(config, SpinningLidar):
        turn = -1.0 if config.clockwise else 1.0
        out.kind, out.channels = int(gpu.lidar.PatternKind.SPINNING), config.channels
        out.firing_s, out.turns_a_firing = config.duration_s / config.firings, turn / config.firings
        out.turn_hz, out.start_turns = turn * config.rotation_hz, config.start_deg / 360.0
        even = np.linspace(*config.elevation_deg, config.channels)
        elevation = np.array(config.elevations_deg) if config.elevations_deg else even
        azimuth = np.array(config.azimuths_deg) if config.azimuths_deg else np.zeros(config.channels)
        delay_s = np.arange(config.channels) * config.firing_delay_s
        channel = np.stack([elevation / 360.0, azimuth / 360.0, delay_s], axis=1)
    elif isinstance(config, RosetteLidar):
        out.kind, out.firing_s = int(gpu.lidar.PatternKind.ROSETTE), 1.0 / config.points_hz
        out.axis_hz = config.prism_hz
        out.reach_turns = tuple(angle / 360.0 for angle in config.deflection_deg)
    else:
        assert isinstance(config, RasterLidar)
        out.kind, out.firing_s = int(gpu.lidar.PatternKind.RASTER), 1.0 / config.points_hz
        out.axis_hz, out.is_sine = config.mirror_hz, int(config.slow == "sine")
        out.reach_turns = tuple(angle / 720.0 for angle in config.field_deg)
    out.channel = to_device(channel, wp.float32, device)
    return out


def beam_subrays(beam: LidarBeam) -> NDArray[np.float64]:
    """Return slopes to the left and up and the weight of a beam's sub-rays, [subray, 3]; the weights' sum is 1.

    The middle, and a sunflower over the disc where a Gaussian beam is above 1/e^2 of its middle.
    Source: Vogel, "A better way to construct the sunflower head", Mathematical Biosciences 44, 1979.
    """
    index = np.arange(beam.subrays)
    radius = np.sqrt(index / max(beam.subrays - 0.5, 1.0))
    angle = 2.0 * math.pi * GOLDEN_TURNS * index
    weight = BEAM_EDGE ** (radius**2)
    half = np.tan(0.5e-3 * np.array(beam.divergence_mrad))
    return np.stack([radius * np.cos(angle) * half[0], radius * np.sin(angle) * half[1], weight / weight.sum()], axis=1)


def detector_of(config: LidarConfig) -> Any:
    """Return kernels.lidar.Detector."""
    given, out = config.detector, gpu.lidar.Detector()
    out.mode, out.returns = int(gpu.lidar.ReturnMode[given.returns.upper()]), returns_of(config)
    out.resolution_m, out.range_m = given.resolution_m, given.range_m
    out.least_signal = least_signal(given.target_reflectance, given.largest_range_m)
    out.threshold_ratio, out.sigma_m = given.threshold_ratio, given.range_sigma_m
    out.walk_m, out.step_m = given.range_walk_m, given.range_step_m
    out.intensity_share, out.lost_share = given.intensity_sigma, given.lost_share
    return out


class LidarProgram:
    """The launches of a slice of a batch's beams, recorded; which beams it has is set before each run."""

    def __init__(
        self, lidar: MountedLidar, base: SceneOnDevice, worlds: Worlds, scan: Any, cloud: Any, overflow: wp.array,
        slice_beams: int,
    ) -> None:  # fmt: skip
        """Record launches for slices of up to `slice_beams` beams of a `scan` into a `cloud`."""
        device, subrays = base.device, lidar.config.beam.subrays
        echoes = gpu.lidar.Echoes()
        echoes.hit = wp.empty(slice_beams * subrays, dtype=gpu.trace.Hit, device=device)
        echoes.value = wp.empty(slice_beams * subrays, dtype=wp.vec2, device=device)
        self._span = span_of(0, slice_beams, device)
        self._program = Program(device)
        threads = -(-slice_beams // self._span.run)
        geometry = worlds.geometry
        if base.opens_view:
            inputs = [geometry, worlds.opacities, scan, self._span, echoes, overflow]
            self._program.launch(gpu.lidar_passage.pass_beams, threads * subrays, inputs)
        else:
            inputs = [geometry.trees, scan, self._span, echoes]
            self._program.launch(gpu.lidar.cast_beams, threads * subrays, inputs)
        self._program.launch(
            gpu.lidar.hear_echoes, threads * subrays, [geometry, worlds.materials, scan, self._span, echoes]
        )
        detector = detector_of(lidar.config)
        self._program.launch(gpu.lidar.report_returns, threads, [geometry, scan, self._span, detector, echoes, cloud])

    def run(self, first: int, count: int) -> None:
        """Make the returns of beams `first` to `first + count` of the batch."""
        self._span.first, self._span.count = first, count
        self._program.run()
