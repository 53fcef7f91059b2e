"""LiDARs: what they are made of. `docs/range_sensors.md` has the formulas, kernels/lidar.py the code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

from engine.errors import UserError
from engine.sensors.check import check_between, check_pair

AUTO = "auto"
MOST_BEAMS = 4_000_000  # of a sweep


@dataclass(frozen=True)
class LidarMount:
    """Where a LiDAR sits: at a camera of the rig, looking where it looks; x ahead, y left, z up."""

    camera: str  # prim path or glob of a camera of the rig; auto: the first one
    offset_m: tuple[float, float, float]  # [m] from the camera, in the sensor's axes before it is turned
    rotation_deg: tuple[float, float, float]  # [deg], roll, pitch, yaw about x, y, z; yaw turns first
    upright: bool  # keep z up in the world, whatever the camera's tilt


@dataclass(frozen=True)
class LidarBeam:
    """The light of one beam."""

    divergence_mrad: tuple[float, float]  # [mrad], full angles to the sides and up
    subrays: int  # over the footprint; 1: the centre alone

    def __post_init__(self) -> None:
        check_between("divergence_mrad", min(self.divergence_mrad), 0.0, 1000.0)
        check_between("divergence_mrad", max(self.divergence_mrad), 0.0, 1000.0)
        check_between("subrays", self.subrays, 1, 64)


@dataclass(frozen=True)
class LidarDetector:
    """How echoes become returns."""

    returns: Literal["strongest", "last", "dual"]  # dual: the strongest, and the last or the second strongest
    resolution_m: float  # [m], echoes closer than this are one pulse: half the pulse's length
    range_m: tuple[float, float]  # [m], least and most range
    largest_range_m: float  # [m], where such a target that faces it is found half the time; 0: all is
    target_reflectance: float  # of a Lambert surface
    threshold_ratio: float  # signal over noise at that threshold
    range_sigma_m: float  # [m], standard deviation
    range_walk_m: float  # [m], how much too far a pulse at the threshold is measured
    range_step_m: float  # [m], 0: not quantised
    intensity_sigma: float  # relative standard deviation
    lost_share: float  # of beams without any other reason

    def __post_init__(self) -> None:
        check_between("resolution_m", self.resolution_m, 0.0, 100.0)
        check_pair("range_m", self.range_m, 0.0, 1.0e5)
        check_between("largest_range_m", self.largest_range_m, 0.0, 1.0e5)
        check_between("target_reflectance", self.target_reflectance, 1.0e-3, 1.0)
        check_between("threshold_ratio", self.threshold_ratio, 0.1, 1.0e6)
        check_between("range_sigma_m", self.range_sigma_m, 0.0, 10.0)
        check_between("range_walk_m", self.range_walk_m, -10.0, 10.0)
        check_between("range_step_m", self.range_step_m, 0.0, 10.0)
        check_between("intensity_sigma", self.intensity_sigma, 0.0, 10.0)
        check_between("lost_share", self.lost_share, 0.0, 1.0)


@dataclass(frozen=True)
class LidarMotion:
    """How the sensor itself moves during a sweep: with a constant twist in its own frame."""

    velocity_m_s: tuple[float, float, float]  # [m/s]
    rotation_deg_s: tuple[float, float, float]  # [deg/s], about x, y, z at once
    compensate: Literal["none", "start", "middle"]  # the moment in whose frame points are given; none: each its own


@dataclass(frozen=True)
class SpinningLidar:
    """A column of channels that turns about z, one revolution a sweep."""

    TAG: ClassVar[tuple[str, str]] = ("kind", "spinning")
    mount: LidarMount
    beam: LidarBeam
    detector: LidarDetector
    motion: LidarMotion
    channels: int
    elevation_deg: tuple[float, float]  # [deg] of the lowest and the highest channel; the others lie evenly between
    elevations_deg: tuple[float, ...]  # [deg] of every channel, from the lowest; none: evenly, as above
    azimuths_deg: tuple[float, ...]  # [deg], of every channel beside the column's own; none: 0
    firing_delay_s: float  # [s], from one channel to the next within a firing of the column
    rotation_hz: float  # [Hz], revolutions a second
    clockwise: bool  # seen from above
    firings: int  # of the column in a revolution
    start_deg: float  # [deg], azimuth of the first firing

    def __post_init__(self) -> None:
        check_between("channels", self.channels, 1, 4096)
        check_pair("elevation_deg", self.elevation_deg, -90.0, 90.0)
        for name in ("elevations_deg", "azimuths_deg"):
            if len(getattr(self, name)) not in (0, self.channels):
                raise ValueError(f"{name} has {len(getattr(self, name))} values; give one for each of {self.channels}")
        check_between("firing_delay_s", self.firing_delay_s, 0.0, 1.0)
        check_between("rotation_hz", self.rotation_hz, 1.0e-3, 1.0e4)
        check_between("firings", self.firings, 1, MOST_BEAMS)
        _check_beams(self.channels * self.firings)

    @property
    def beams(self) -> int:
        """Beams of a sweep."""
        return self.channels * self.firings

    @property
    def duration_s(self) -> float:
        """How long a sweep takes [s]."""
        return 1.0 / self.rotation_hz


@dataclass(frozen=True)
class RosetteLidar:
    """One beam that two turning prisms move, so that sweeps do not repeat."""

    TAG: ClassVar[tuple[str, str]] = ("kind", "rosette")
    mount: LidarMount
    beam: LidarBeam
    detector: LidarDetector
    motion: LidarMotion
    prism_hz: tuple[float, float]  # [Hz], signed
    deflection_deg: tuple[float, float]  # [deg] of either prism; their sum is half the field
    points_hz: float  # [Hz], beams a second
    sweep_s: float  # [s], how long a sweep takes; the next step goes on from there

    def __post_init__(self) -> None:
        check_between("deflection_deg", max(map(abs, self.deflection_deg)), 0.0, 80.0)
        _check_rate(self.points_hz, self.sweep_s, self.prism_hz)

    @property
    def beams(self) -> int:
        """Beams of a sweep."""
        return round(self.points_hz * self.sweep_s)

    @property
    def duration_s(self) -> float:
        """How long a sweep takes [s]."""
        return self.sweep_s


@dataclass(frozen=True)
class RasterLidar:
    """One beam that two mirrors swing: the fast one as a sine, the slow one as a sawtooth or a sine."""

    TAG: ClassVar[tuple[str, str]] = ("kind", "raster")
    mount: LidarMount
    beam: LidarBeam
    detector: LidarDetector
    motion: LidarMotion
    mirror_hz: tuple[float, float]  # [Hz], of azimuth and elevation
    field_deg: tuple[float, float]  # [deg], whole fields to the sides and up
    slow: Literal["sawtooth", "sine"]  # sine: a Lissajous figure
    points_hz: float  # [Hz], beams a second
    sweep_s: float  # [s], how long a sweep takes; the next step goes on from there

    def __post_init__(self) -> None:
        check_between("field_deg", self.field_deg[0], 0.0, 360.0)
        check_between("field_deg", self.field_deg[1], 0.0, 180.0)
        _check_rate(self.points_hz, self.sweep_s, self.mirror_hz)

    @property
    def beams(self) -> int:
        """Beams of a sweep."""
        return round(self.points_hz * self.sweep_s)

    @property
    def duration_s(self) -> float:
        """How long a sweep takes [s]."""
        return self.sweep_s


Lidar = SpinningLidar | RosetteLidar | RasterLidar


def returns_of(lidar: Lidar) -> int:
    """Return how many returns a beam may have."""
    return 2 if lidar.detector.returns == "dual" else 1


def mounted_at(lidar: Lidar, cameras: Sequence[str]) -> int:
    """Return the index of the camera that a LiDAR sits at.

    Raises:
        UserError: If no camera of the rig has that name.
    """
    pattern = lidar.mount.camera
    found = [i for i, name in enumerate(cameras) if pattern == AUTO or fnmatchcase(name, pattern)]
    if not found:
        raise UserError(f"lidar.mount.camera: '{pattern}' is no camera of the rig, which has {', '.join(cameras)}")
    return found[0]


def _check_beams(beams: float) -> None:
    if not 1 <= beams <= MOST_BEAMS:
        raise ValueError(f"a sweep must have 1..{MOST_BEAMS} beams, got {beams:g}")


def _check_rate(points_hz: float, sweep_s: float, axis_hz: tuple[float, float]) -> None:
    check_between("points_hz", points_hz, 1.0, 1.0e9)
    check_between("sweep_s", sweep_s, 1.0e-6, 100.0)
    check_between("turns of an axis in a sweep", max(map(abs, axis_hz)) * sweep_s, 0.0, 10_000.0)
    _check_beams(round(points_hz * sweep_s))
