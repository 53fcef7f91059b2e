"""The plan of the street scene: runs of road with lanes, kerbs and sidewalks, and where things may stand along them.

A run is a straight piece of road. Its own frame has x along the road, away from where it starts, and y to the left;
traffic keeps to the right. Everything that stands along it is at right angles to the world's axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenes_usd.author.shape import Floats, rotation

SLOT_M, LONG_SLOT_M, PARKING_M, CYCLE_M = 8.4, 13.2, 6.4, 7.0  # pitch along the road
CAR_ROOM_M = 7.0  # of a short slot: no truck fits, for with its shift it would reach into the next
HEADINGS = {0: "east", 90: "north", 180: "west", 270: "south"}
Place = tuple[float, float, float]


@dataclass(frozen=True)
class Profile:
    """Half of a road's cross-section, in metres from the middle line; both halves are alike."""

    lanes: tuple[float, ...]  # middle lines of the lanes of one direction
    lane: float  # width
    cycle: tuple[float, float] | None
    parking: tuple[float, float]
    walk: tuple[float, float]  # kerb and back edge
    front: float  # building line
    plot: tuple[float, float]  # width along the road and depth of a building's place
    lamp_side: float = 0.5  # of a lamp from the kerb


MAIN = Profile((1.7,), 3.4, (3.4, 5.0), (5.0, 7.2), (7.2, 11.2), 11.4, (17.4, 13.0))
AVENUE = Profile((1.65, 4.95), 3.3, (6.6, 8.1), (8.1, 10.3), (10.3, 14.2), 14.4, (17.4, 13.0))
LANE = Profile((1.5,), 3.0, None, (3.0, 5.1), (5.1, 7.4), 11.6, (13.0, 10.0))


@dataclass(frozen=True)
class Run:
    """A piece of road; `start` and `stop` are measured from `origin` along it."""

    name: str
    profile: Profile
    origin_m: tuple[float, float]
    yaw_deg: int  # of its x axis: 0, 90, 180 or 270
    start: float  # where its asphalt begins
    stop: float
    plots_from: float
    crossing: bool  # whether it begins at the crossing

    def world(self, x: float, y: float, z: float = 0.0) -> Place:
        """Return a point of the run's frame in the scene."""
        turned: Floats = rotation("z", self.yaw_deg) @ np.array([x, y, z])
        return (round(float(turned[0] + self.origin_m[0]), 4), round(float(turned[1] + self.origin_m[1]), 4), z)

    def size(self, along: float, across: float, height: float) -> Place:
        """Return a box's size along the scene's axes."""
        return (along, across, height) if self.yaw_deg % 180 == 0 else (across, along, height)

    def heading(self, outward: bool) -> str:
        """Return where traffic goes that leaves its start, or comes towards it."""
        return HEADINGS[(self.yaw_deg + (0 if outward else 180)) % 360]


RUNS = (
    Run("MainWest", MAIN, (0.0, 0.0), 180, 10.3, 100.0, 28.4, True),
    Run("MainEast", MAIN, (0.0, 0.0), 0, 10.3, 100.0, 28.4, True),
    Run("AvenueNorth", AVENUE, (0.0, 0.0), 90, 7.2, 100.0, 11.6, True),
    Run("AvenueSouth", AVENUE, (0.0, 0.0), 270, 7.2, 100.0, 11.6, True),
    Run("Lane", LANE, (-75.0, 190.0), 0, 0.0, 150.0, 4.0, False),
)


@dataclass(frozen=True)
class Spot:
    """A place for one thing, along the scene's axes."""

    name: str
    kind: str
    position_m: Place
    size_m: Place  # a height of 0: any
    yaw_deg: float = 0.0


def stop_line(run: Run) -> float:
    """Return where traffic stops before the crossing."""
    return run.start + 6.6


def spots(run: Run) -> list[Spot]:
    """Return every place along a run."""
    return [*_lane_spots(run), *_side_spots(run), *_areas(run)]


def _lane_spots(run: Run) -> list[Spot]:
    """Return slots for moving vehicles and cyclists, and the lanes of the car that carries the cameras."""
    out: list[Spot] = []
    first = stop_line(run) + 0.6 if run.crossing else run.start + 2.0
    for outward in (True, False):
        side = -1.0 if outward else 1.0
        heading = run.heading(outward)
        for number, y in enumerate(run.profile.lanes):
            x, k = first, 0
            while x + SLOT_M < run.stop - 1.0:
                pitch = LONG_SLOT_M if k % 4 == 2 + number and x + LONG_SLOT_M < run.stop - 1.0 else SLOT_M
                name = f"{run.name}{'Out' if outward else 'In'}{number}_{k:02d}"
                size = run.size(pitch if pitch > SLOT_M else CAR_ROOM_M, run.profile.lane - 0.35, 0.0)
                out.append(Spot(name, f"lane_slot_{heading}", run.world(x + pitch / 2.0, side * y), size))
                x, k = x + pitch, k + 1
            span = (run.start + 3.0, run.stop - 38.0) if outward else (run.start + 14.0, run.stop - 5.0)
            middle, length = (span[0] + span[1]) / 2.0, span[1] - span[0]
            yaw = float((run.yaw_deg + (0 if outward else 180)) % 360)
            name = f"{run.name}{'Out' if outward else 'In'}{number}"
            out.append(Spot(name, "ego_lane", run.world(middle, side * y), (length, 0.7, 0.0), yaw))
        if run.profile.cycle:
            y = side * sum(run.profile.cycle) / 2.0
            for k in range(int((run.stop - first - 1.0) / CYCLE_M)):
                name = f"{run.name}{'Out' if outward else 'In'}Cycle_{k:02d}"
                place = run.world(first + (k + 0.5) * CYCLE_M, y)
                out.append(Spot(name, f"cycle_slot_{heading}", place, run.size(CYCLE_M, 1.4, 0.0)))
    return out


def _side_spots(run: Run) -> list[Spot]:
    """Return slots for parked vehicles, trees and buildings."""
    out: list[Spot] = []
    first = run.start + (12.0 if run.crossing else 4.0)
    axis = "x" if run.yaw_deg % 180 == 0 else "y"
    for side in (-1.0, 1.0):
        hand = "Right" if side < 0 else "Left"
        y = side * sum(run.profile.parking) / 2.0
        for k in range(int((run.stop - first - 2.0) / PARKING_M)):
            place = run.world(first + (k + 0.5) * PARKING_M, y)
            size = run.size(PARKING_M, run.profile.parking[1] - run.profile.parking[0] - 0.06, 0.0)
            out.append(Spot(f"{run.name}{hand}Park_{k:02d}", f"parking_slot_{axis}", place, size))
        for k in range(int((run.stop - first - 4.0) / 11.0)):
            place = run.world(first + 8.0 + k * 11.0, side * (run.profile.walk[0] + 0.75), WALK_Z_M)
            out.append(Spot(f"{run.name}{hand}Tree_{k:02d}", "tree_slot", place, (5.4, 5.4, 0.0)))
        facing = HEADINGS[(run.yaw_deg + (90 if side < 0 else 270)) % 360]
        width, depth = run.profile.plot
        for k in range(int((run.stop - run.plots_from) / width)):
            place = run.world(run.plots_from + (k + 0.5) * width, side * (run.profile.front + depth / 2.0))
            kind = f"{'house' if run.profile is LANE else 'building'}_slot_{facing}"
            out.append(Spot(f"{run.name}{hand}Plot_{k:02d}", kind, place, run.size(width - 0.2, depth, 0.0)))
    return out


WALK_Z_M = 0.14


def _areas(run: Run) -> list[Spot]:
    """Return where people walk and cross."""
    out: list[Spot] = []
    first = run.start + (9.0 if run.crossing else 2.0)
    length = run.stop - first - 1.0
    for side, hand in ((-1.0, "Right"), (1.0, "Left")):
        low, high = (
            run.profile.walk[0] + min(1.5, 0.4 * (run.profile.walk[1] - run.profile.walk[0])),
            run.profile.walk[1] - 0.15,
        )
        place = run.world(first + length / 2.0, side * (low + high) / 2.0, WALK_Z_M)
        yaw = float(run.yaw_deg)
        out.append(Spot(f"{run.name}{hand}Walk", "walk_area", place, (length, high - low, 2.5), yaw))
    if run.crossing:
        x, width = zebra(run), 2.0 * run.profile.walk[0] - 1.0
        out.append(Spot(f"{run.name}Zebra", "zebra_area", run.world(x, 0.0), (3.4, width, 2.5), float(run.yaw_deg)))
    return out


def zebra(run: Run) -> float:
    """Return the middle of the pedestrian crossing along a run."""
    return run.start + 3.7


def props(run: Run) -> list[tuple[str, str, Place, float]]:
    """Return what never moves along a run: asset, name, place, yaw."""
    out: list[tuple[str, str, Place, float]] = []
    kerb = run.profile.walk[0] + run.profile.lamp_side
    for k in range(int((run.stop - run.start) / 22.0)):
        side = 1.0 if k % 2 else -1.0
        place = run.world(run.start + 14.5 + 22.0 * k, side * kerb, WALK_Z_M)
        out.append(("street_lamp", f"Lamp_{run.name}_{k}", place, float(run.yaw_deg + (90 if side < 0 else 270))))
    if run.crossing:
        go = run.yaw_deg % 180 == 0
        for side, name in ((1.0, "Near"), (-1.0, "Far")):
            place = run.world(stop_line(run) - 0.9, side * (kerb - 0.1), WALK_Z_M)
            out.append(("signal_go" if go else "signal_stop", f"Signal_{run.name}_{name}", place, float(run.yaw_deg)))
        signs = (
            ("sign_no_stopping", 9.2, 1.0),
            ("sign_priority", 24.0, 1.0),
            ("sign_speed", 31.0, -1.0),
            ("sign_speed", 67.0, 1.0),
        )
    else:
        signs = (
            ("sign_speed", 6.0, -1.0),
            ("sign_crossing", 64.0, -1.0),
            ("sign_give_way", 142.0, 1.0),
            ("sign_speed", 96.0, 1.0),
        )
    for number, (asset, x, side) in enumerate(signs):
        place = run.world(run.start + x, side * kerb, WALK_Z_M)
        out.append((asset, f"Sign_{run.name}_{number}", place, float(run.yaw_deg + (0 if side > 0 else 180))))
    return out
