"""The street: a two-lane main street and a four-lane avenue that cross, and a lane of houses, with all that is on them.

The scene is two layers: this script writes the arrangement, and ``layers/street_slots.usda`` holds the anchors. Things
that move are authored along the axes of the scene in the direction in which they go, so that slots need no turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pxr import Gf, Kind, Usd, UsdGeom, UsdLux

from scenes_usd.author import stage as usd
from scenes_usd.author.street_buildings import FACADES, HOUSES
from scenes_usd.author.street_cars import PAINTS
from scenes_usd.author.street_people import OUTFITS, WALKS
from scenes_usd.author.street_plan import RUNS, WALK_Z_M, Spot, props, spots
from scenes_usd.author.street_props import LAMP_HEAD_M

ROOT = "/Street"
YAW_DEG = {"east": 0.0, "north": 90.0, "west": 180.0, "south": 270.0}
CARS = ("car_hatch", "car_hatch", "car_sedan", "car_estate", "car_suv")
LIT_LAMPS = (
    "Lamp_MainWest_0",
    "Lamp_MainWest_2",
    "Lamp_MainEast_1",
    "Lamp_AvenueNorth_1",
    "Lamp_AvenueSouth_1",
    "Lamp_Lane_3",
)
YARD_M = ((-190.0, -150.0), (190.0, -225.0))  # where what has no place by default waits, behind the houses


YARD_SIZE_M = {"Buildings": 18.0, "Houses": 14.0, "Cyclists": 3.0}


@dataclass(frozen=True)
class Pool:
    """Things of one kind that share slots: their group, the slots' kind, their assets and which way they look."""

    group: str
    slots: str
    assets: tuple[str, ...]
    yaw_deg: float
    shown: float  # share that has a place by default


class Yard:
    """Rows of free places out of sight of the roads."""

    def __init__(self) -> None:
        self._x, self._y = YARD_M[0]
        self._deep = 0.0

    def place(self, size_m: float) -> tuple[float, float, float]:
        """Return the middle of a free square."""
        if self._x + size_m > YARD_M[1][0]:
            self._x, self._y, self._deep = YARD_M[0][0], self._y - self._deep, 0.0
        self._deep = max(self._deep, size_m)
        self._x += size_m
        return (self._x - size_m / 2.0, self._y - size_m / 2.0, 0.0)


def pools() -> list[Pool]:
    """Return every pool of movable things that stand in slots."""
    out = []
    for heading, count in (("east", 16), ("west", 16), ("north", 20), ("south", 20)):
        cars = (*tuple(CARS[k % 5] for k in range(count - 5)), "van", "van", "van", "truck", "truck")
        out.append(Pool(f"Traffic/{heading.capitalize()}", f"lane_slot_{heading}", cars, YAW_DEG[heading], 0.6))
        out.append(
            Pool(f"Cyclists/{heading.capitalize()}", f"cycle_slot_{heading}", ("cyclist",) * 5, YAW_DEG[heading], 0.6)
        )
    for axis, count in (("x", 44), ("y", 30)):
        cars = tuple((*CARS, *CARS, "van")[k * 7 % 11] for k in range(count))
        out.append(Pool(f"Parked/{axis.upper()}", f"parking_slot_{axis}", cars, 0.0 if axis == "x" else 90.0, 0.8))
    out.append(Pool("Trees", "tree_slot", tuple(f"tree{k % 3}" for k in range(48)), 0.0, 0.9))
    city = [usd.snake(house.name) for house in HOUSES if house.width > 11.5]
    homes = [usd.snake(house.name) for house in HOUSES if house.width < 11.5]
    for facing, count in (("north", 8), ("south", 8), ("east", 10), ("west", 10)):
        names = tuple(city[(k * 2 + len(facing)) % len(city)] for k in range(count + 3))
        yaw = YAW_DEG[facing] + 90.0
        out.append(Pool(f"Buildings/{facing.capitalize()}", f"building_slot_{facing}", names, yaw, 1.0))
    for facing in ("north", "south"):
        names = tuple(homes[k % len(homes)] for k in range(12))
        out.append(Pool(f"Houses/{facing.capitalize()}", f"house_slot_{facing}", names, YAW_DEG[facing] + 90.0, 1.0))
    return out


def write_scene(root: Path) -> None:
    """Write ``street.usda`` and its layer of anchors."""
    every = [spot for run in RUNS for spot in spots(run)]
    _write_slots(root, every)
    comment = "A crossing of a street and an avenue, and a lane of houses. Z up, metres. Written by author/street.py."
    stage = usd.new_stage(root / "street.usda", "Street", kind=Kind.Tokens.assembly, comment=comment)
    stage.GetRootLayer().subLayerPaths.append("./layers/street_slots.usda")
    usd.write_instance(stage, f"{ROOT}/Ground", "street_ground").SetInstanceable(False)
    random = np.random.Generator(np.random.PCG64(31))
    yard = Yard()
    for pool in pools():
        _write_pool(stage, pool, [spot for spot in every if spot.kind == pool.slots], random, yard)
    _write_people(stage, every, random)
    _write_props(stage, random)
    _write_ends(stage)
    _write_lights(stage)
    _write_cameras(stage)
    usd.save(stage)


def _write_slots(root: Path, every: list[Spot]) -> None:
    """Write the layer of anchors; names begin with a number in a mixed order, for slots are filled by name."""
    stage = usd.new_stage(
        root / "layers" / "street_slots.usda", "Street", kind="",
        comment="Anchors of the street: where things and cameras may go. Written by author/street.py.",
    )  # fmt: skip
    usd.group(stage, f"{ROOT}/Slots", kind="")
    for kind in dict.fromkeys(spot.kind for spot in every):
        own = [spot for spot in every if spot.kind == kind]
        order = np.random.Generator(np.random.PCG64(len(own))).permutation(len(own))
        folder = "".join(word.capitalize() for word in kind.split("_"))
        usd.group(stage, f"{ROOT}/Slots/{folder}", kind="")
        for number, k in enumerate(order):
            spot = own[int(k)]
            path = f"{ROOT}/Slots/{folder}/S{number:03d}_{spot.name}"
            usd.write_anchor(stage, path, kind, spot.position_m, spot.size_m, yaw_deg=spot.yaw_deg)
    usd.save(stage)


def _variants(asset: str, random: np.random.Generator) -> dict[str, str]:
    """Return the variants of an item of a pool."""
    if asset.startswith("car_") or asset in ("van", "truck"):
        weights = np.array([5, 4, 4, 4, 3, 2, 1, 1]) if asset.startswith("car_") else np.array([1, 8, 1, 2, 1, 1, 0, 1])
        return {"paint": f"paint{random.choice(len(PAINTS), p=weights / weights.sum())}"}
    if asset == "cyclist":
        return {"outfit": list(OUTFITS)[int(random.integers(len(OUTFITS)))]}
    if asset.startswith("tree"):
        return {}
    return {"facade": f"facade{int(random.integers(len(FACADES)))}"}


def _write_pool(stage: Usd.Stage, pool: Pool, places: list[Spot], random: np.random.Generator, yard: Yard) -> None:
    """Write a pool; some items stand in slots, the others wait in the yard."""
    parent = pool.group.split("/")[0]
    if not stage.GetPrimAtPath(f"{ROOT}/{parent}"):
        usd.group(stage, f"{ROOT}/{parent}")
    if not stage.GetPrimAtPath(f"{ROOT}/{pool.group}"):
        usd.group(stage, f"{ROOT}/{pool.group}")
    order = [places[int(k)] for k in random.permutation(len(places))]
    for number, asset in enumerate(pool.assets):
        prim = usd.write_instance(
            stage,
            f"{ROOT}/{pool.group}/{asset.title().replace('_', '')}_{number:02d}",
            asset,
            variants=_variants(asset, random),
        )
        spot = next((s for s in order if asset != "truck" or max(s.size_m) > 12.0), None)
        if spot is None or number >= pool.shown * len(pool.assets):
            usd.place(prim, yard.place(YARD_SIZE_M.get(parent, 9.0)), yaw_deg=pool.yaw_deg % 360.0)
            continue
        order.remove(spot)
        usd.place(prim, spot.position_m, yaw_deg=pool.yaw_deg % 360.0)


def _write_people(stage: Usd.Stage, every: list[Spot], random: np.random.Generator) -> None:
    """Write pedestrians on the sidewalks and on the crossings, and bins."""
    usd.group(stage, f"{ROOT}/People")
    for group, kind, count in (("Walking", "walk_area", 72), ("Crossing", "zebra_area", 12)):
        usd.group(stage, f"{ROOT}/People/{group}")
        areas = [spot for spot in every if spot.kind == kind]
        for number in range(count):
            area = areas[number % len(areas)]
            pose = list(WALKS)[number % 3 if group == "Walking" else 1 + number % 2]
            variants = {"pose": pose, "outfit": list(OUTFITS)[int(random.integers(len(OUTFITS)))]}
            prim = usd.write_instance(
                stage, f"{ROOT}/People/{group}/Person_{number:02d}", "pedestrian", variants=variants
            )
            share = (number // len(areas) + 0.5) / np.ceil(count / len(areas))
            along = (share - 0.5) * (area.size_m[0 if group == "Walking" else 1] - 1.0)
            turn = np.radians(area.yaw_deg + (0.0 if group == "Walking" else 90.0))
            x, y = area.position_m[0] + along * np.cos(turn), area.position_m[1] + along * np.sin(turn)
            yaw = area.yaw_deg + (0.0 if group == "Walking" else 90.0) + 180.0 * int(random.integers(2))
            usd.place(prim, (x, y, area.position_m[2]), yaw_deg=yaw % 360.0)
    usd.group(stage, f"{ROOT}/Clutter")
    areas = [spot for spot in every if spot.kind == "walk_area"]
    for number in range(16):
        prim = usd.write_instance(stage, f"{ROOT}/Clutter/Bin_{number:02d}", "bin" if number % 3 else "bollard")
        area = areas[number % len(areas)]
        turn = np.radians(area.yaw_deg)
        along = (0.2 if number < len(areas) else -0.3) * area.size_m[0] + 2.0
        usd.place(
            prim, (area.position_m[0] + along * np.cos(turn), area.position_m[1] + along * np.sin(turn), WALK_Z_M)
        )


def _write_props(stage: Usd.Stage, random: np.random.Generator) -> None:
    """Write lamps, signals, signs, and the hedges of the lane."""
    usd.group(stage, f"{ROOT}/Props")
    for run in RUNS:
        for asset, name, place, yaw in props(run):
            prim = usd.write_instance(stage, f"{ROOT}/Props/{name}", asset)
            usd.place(prim, place, yaw_deg=yaw % 360.0)
    lane = RUNS[-1]
    for side in (-1.0, 1.0):
        for k in range(22):
            if k % 4 == 3:
                continue
            prim = usd.write_instance(stage, f"{ROOT}/Props/Hedge_{'Right' if side < 0 else 'Left'}_{k:02d}", "hedge")
            usd.place(
                prim,
                lane.world(lane.plots_from + 3.65 * (k + 0.5) * 1.75, side * 8.4),
                yaw_deg=180.0 * int(random.integers(2)),
            )


def _write_ends(stage: Usd.Stage) -> None:
    """Write the buildings that close the view at the end of every road."""
    usd.group(stage, f"{ROOT}/Ends")
    for run in RUNS:
        ends = ((run.stop + 7.5, run.yaw_deg + 180),) if run.crossing else ((run.stop + 6.5, 180), (run.start - 6.5, 0))
        for number, (x, facing) in enumerate(ends):
            for k, y in enumerate((-8.2, 8.2)):
                asset = (
                    ("tenement", "corner_house", "office", "tenement_gable")[(k + len(run.name)) % 4]
                    if run.crossing
                    else "house_gable"
                )
                prim = usd.write_instance(
                    stage,
                    f"{ROOT}/Ends/{run.name}_{number}_{k}",
                    asset,
                    variants={"facade": f"facade{(k * 3 + len(run.name)) % 8}"},
                )
                usd.place(prim, run.world(x, y), yaw_deg=(facing + 90) % 360)


def _write_lights(stage: Usd.Stage) -> None:
    """Write the sun, an even sky, and the street lamps that give light: every lamp costs a shadow ray a sample."""
    usd.group(stage, f"{ROOT}/Lights", kind="")
    sun = UsdLux.DistantLight.Define(stage, f"{ROOT}/Lights/Sun")
    sun.CreateIntensityAttr(2.6)
    sun.CreateAngleAttr(0.53)
    sun.CreateNormalizeAttr(True)
    usd.aim(sun.GetPrim(), (-40.0, -60.0, 70.0), (0.0, 0.0, 0.0))
    sky = UsdLux.DomeLight.Define(stage, f"{ROOT}/Lights/Sky")
    sky.CreateIntensityAttr(0.45)
    sky.CreateColorAttr(Gf.Vec3f(0.72, 0.86, 1.0))
    places = {name: (place, yaw) for run in RUNS for _, name, place, yaw in props(run)}
    for name in LIT_LAMPS:
        (x, y, z), yaw = places[name]
        reach, turn = LAMP_HEAD_M[0], np.radians(yaw)
        light = UsdLux.SphereLight.Define(stage, f"{ROOT}/Lights/{name}")
        light.CreateRadiusAttr(0.12)
        light.CreateIntensityAttr(14.0)  # 120 lx on the road below, where radiance 1 is 11000 cd/m^2
        light.CreateEnableColorTemperatureAttr(True)
        light.CreateColorTemperatureAttr(3200.0)
        light.CreateExtentAttr([Gf.Vec3f(-0.12), Gf.Vec3f(0.12)])
        at = (
            round(x + reach * float(np.cos(turn)), 4),
            round(y + reach * float(np.sin(turn)), 4),
            round(z + LAMP_HEAD_M[2] - 0.2, 4),
        )
        UsdGeom.Xformable(light).AddTranslateOp().Set(Gf.Vec3d(*at))


def _write_cameras(stage: Usd.Stage) -> None:
    """Write a camera on the windscreen of a car and some that look at the scene from above."""
    usd.group(stage, f"{ROOT}/Cameras", kind="")
    cameras = {
        "Ego": ((-70.0, -1.7, 1.65), (0.0, -1.7, 1.65), 12.174),
        "AvenueEgo": ((1.65, -70.0, 1.65), (1.65, 0.0, 1.65), 12.174),
        "LaneEgo": ((-60.0, 188.5, 1.65), (0.0, 188.5, 1.65), 12.174),
        "Crossing": ((-34.0, -22.0, 16.0), (4.0, 3.0, 0.0), 18.0),
        "Above": ((0.0, 0.0, 150.0), (0.0, 0.001, 0.0), 18.0),
    }
    for name, (eye, target, focal) in cameras.items():
        usd.write_camera(stage, f"{ROOT}/Cameras/{name}", eye, target, focal_mm=focal)


if __name__ == "__main__":
    write_scene(Path(__file__).resolve().parents[1])
