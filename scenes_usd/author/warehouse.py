"""The warehouse: a hall with two rows of racks, loaded pallets, a dock area, vehicles and people.

The scene is two layers: this script writes the arrangement, and ``layers/warehouse_slots.usda`` holds the anchors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pxr import Gf, Kind, Usd, UsdGeom, UsdLux

from scenes_usd.author import building, racks, shipping, shipping_print, storage, wrap
from scenes_usd.author import stage as usd
from scenes_usd.author.shape import rotation
from scenes_usd.author.warehouse_slots import (
    BAY_COUNT,
    FIRST_BAY_X_M,
    PATTERNS,
    RACK_Y_M,
    ROOT,
    PalletSlot,
    Pattern,
    carton_places,
    loads,
    pallet_slots,
    stacked,
    write_slots,
)

EMPTY_SHARE = 0.3  # of the remaining places that hold an empty pallet
MATERIALS = (
    *storage.BOARDS.values(),
    *storage.WOODS.values(),
    *("ConcreteClean", "ConcreteStained", "CoatBlue", "CoatOrange", "CoatGrey", "CoatGreen", "CoatYellow", "CoatRed"),
    *("PanelWhite", "PanelGrey", "VestYellow", "VestOrange", "CartonGloss", "StretchFilm"),
)
# Of the pool of large and medium cartons, those that are not as they should be: number in the pool -> asset, variant.
DAMAGED: dict[str, dict[int, tuple[str, str, str]]] = {
    "Large": {
        1: ("Crushed", "l600x400x300_light", "carton_crushed"),
        6: ("Crushed", "l600x400x300_medium", "carton_crushed"),
        11: ("Crushed", "l600x400x400_medium", "carton_crushed"),
        17: ("Crushed", "l600x400x400_heavy", "carton_crushed"),
        23: ("Crushed", "l600x400x300_heavy", "carton_crushed"),
        29: ("Crushed", "l600x400x400_light", "carton_crushed"),
    },
    "Medium": {
        4: ("Crushed", "m400x300x300_light", "carton_crushed"),
        15: ("Crushed", "m400x300x300_medium", "carton_crushed"),
        26: ("Crushed", "m400x300x300_heavy", "carton_crushed"),
        37: ("Crushed", "m400x300x300_medium", "carton_crushed"),
    },
}


def write_scene(root: Path) -> None:
    """Write ``warehouse.usda`` and its layer of anchors."""
    random = np.random.Generator(np.random.PCG64(2024))
    slots = pallet_slots()
    loaded = loads(slots, random)
    write_slots(root, slots, loaded)

    path = root / "warehouse.usda"
    comment = "Warehouse with two rows of pallet racks and a dock area. Z up, metres. Written by author/warehouse.py."
    stage = usd.new_stage(path, "Warehouse", kind=Kind.Tokens.assembly, comment=comment)
    stage.GetRootLayer().subLayerPaths.append("./layers/warehouse_slots.usda")
    hall = usd.write_instance(stage, f"{ROOT}/Building", "hall")
    hall.SetInstanceable(False)
    _write_racks(stage)
    _write_pallets(stage, slots, loaded, random)
    hosts = _write_cartons(stage, slots, loaded, random)
    _write_wraps(stage, slots, loaded)
    _write_labels(stage, hosts)
    _write_spill(stage)
    _write_floor_objects(stage)
    _write_lights(stage)
    _write_cameras(stage)
    _write_materials(stage)
    usd.save(stage)


def _write_racks(stage: Usd.Stage) -> None:
    usd.group(stage, f"{ROOT}/Racks")
    for row, side in enumerate((-1.0, 1.0)):
        for bay in range(BAY_COUNT):
            variants = {"frames": "starter" if bay == 0 else "addon", "finish": "blue_orange"}
            prim = usd.write_instance(stage, f"{ROOT}/Racks/Rack_{row}_{bay}", "rack_bay", variants=variants)
            usd.place(prim, (FIRST_BAY_X_M + bay * racks.PITCH_M, side * RACK_Y_M, 0.0))


def _write_pallets(
    stage: Usd.Stage, slots: list[PalletSlot], loaded: dict[str, Pattern], random: np.random.Generator
) -> None:
    """Write the loaded pallets, which stay, and the empty ones, which may move to any pallet slot."""
    usd.group(stage, f"{ROOT}/Pallets")
    for group in ("Loaded", "Empty"):
        usd.group(stage, f"{ROOT}/Pallets/{group}")
    stack = stacked(slots)
    counts = {"Loaded": 0, "Empty": 0}
    for slot in slots:
        if slot.name not in loaded and slot.name not in stack and random.random() > EMPTY_SHARE:
            continue
        group = "Loaded" if slot.name in loaded else "Empty"
        path = f"{ROOT}/Pallets/{group}/Pallet_{counts[group]:03d}"
        counts[group] += 1
        wood = "dark" if random.random() < 0.35 else "light"
        prim = usd.write_instance(stage, path, "pallet", variants={"wood": wood})
        usd.place(prim, slot.position_m, yaw_deg=90.0 + 180.0 * int(random.integers(2)))


def _write_cartons(
    stage: Usd.Stage, slots: list[PalletSlot], loaded: dict[str, Pattern], random: np.random.Generator
) -> list[Host]:
    """Write the cartons onto the loaded pallets, column by column, until the pool is used up; return where they are."""
    usd.group(stage, f"{ROOT}/Cartons")
    hosts: list[Host] = []
    number = 0
    for pattern in PATTERNS:
        usd.group(stage, f"{ROOT}/Cartons/{pattern.group}")
        pool = [size for size, count in pattern.sizes.items() for _ in range(count)]
        pool = [pool[int(k)] for k in random.permutation(len(pool))]
        tops: dict[str, float] = {}  # slot name -> height of the top of what stands there [m]
        for place, board in _fill(slots, loaded, pattern, len(pool), random):
            size = pool.pop()
            top = tops.get(place[2], place[1][2])
            tops[place[0]] = top + storage.CARTONS_M[size][2]
            rank = len(pool)
            name, variant, asset = DAMAGED.get(pattern.group, {}).get(rank, ("Carton", size, "carton"))
            if asset == "carton_crushed":
                size = variant.rsplit("_", 1)[0]
                tops[place[0]] = top + storage.CARTONS_M[size][2]
            path = f"{ROOT}/Cartons/{pattern.group}/{name}_{number:03d}"
            chosen = {"size": variant} if asset == "carton" else {"damage": variant}
            prim = usd.write_instance(stage, path, asset, variants={**chosen, "board": board})
            x, y = np.array(place[1][:2]) + random.uniform(-0.003, 0.003, 2)
            yaw = pattern.carton_yaw_deg + 180.0 * int(random.integers(2))
            usd.place(prim, (x, y, top), yaw_deg=yaw)
            hosts.append(Host((x, y, top), yaw, storage.CARTONS_M[size]))
            number += 1
        if pattern.group == "Large":
            _write_open_cartons(stage, number)
            number += len(OPEN_CARTONS)
    return hosts


OPEN_CARTONS = (("upright", 6.6, -2.2, 90.0), ("half", 7.5, -2.5, 90.0), ("upright", -6.9, -1.0, 90.0))  # as in slots


def _write_open_cartons(stage: Usd.Stage, number: int) -> None:
    """Write cartons with flaps that are up, beside the loads: they are of the pool of large cartons."""
    for k, (flaps, x, y, yaw) in enumerate(OPEN_CARTONS):
        path = f"{ROOT}/Cartons/Large/Open_{number + k:03d}"
        prim = usd.write_instance(stage, path, "carton_open", variants={"flaps": flaps, "board": "kraft"})
        usd.place(prim, (x, y, 0.0), yaw_deg=yaw)


def _write_wraps(stage: Usd.Stage, slots: list[PalletSlot], loaded: dict[str, Pattern]) -> None:
    """Write film around every full load, each in another state."""
    usd.group(stage, f"{ROOT}/Wraps")
    places = [slot for slot in slots if slot.name in loaded and loaded[slot.name].full]
    for number, (slot, (name, tear)) in enumerate(zip(places, wrap.TEARS.items(), strict=True)):
        state = f"Torn{tear.severity}" if tear.severity else "Whole"
        path = f"{ROOT}/Wraps/{state}_{number}"
        prim = usd.write_instance(stage, path, "shrink_wrap", variants={"tear": name})
        x, y, z = slot.position_m
        usd.place(prim, (x, y, z + storage.PALLET_M[2]), yaw_deg=0.0 if y > 0.0 else 180.0)


@dataclass(frozen=True)
class Host:
    """A carton that a label sticks to."""

    position_m: tuple[float, float, float]  # the middle of its lower face
    yaw_deg: float
    slot_m: tuple[float, float, float]  # length, width, height of what it fills


RIGHT_LABELS, WRONG_LABELS = 112, 24


def _write_labels(stage: Usd.Stage, hosts: list[Host]) -> None:
    """Write the pool of shipping labels, each on the front of a carton, near its upper right; every sixth is wrong."""
    for group in ("Labels", "Labels/Right", "Labels/Wrong"):
        usd.group(stage, f"{ROOT}/{group}")
    written = {"Right": 0, "Wrong": 0}
    limit = {"Right": RIGHT_LABELS, "Wrong": WRONG_LABELS}
    assets = {
        "Right": ("shipping_label", shipping_print.RIGHT_COUNT),
        "Wrong": ("wrong_label", len(shipping_print.FAULTS)),
    }
    for number, host in enumerate(hosts):
        group = "Wrong" if number % 6 == 5 and written["Wrong"] < WRONG_LABELS else "Right"
        if written[group] >= limit[group]:
            continue
        asset, prints = assets[group]
        kind = f"{group.lower()}_{written[group] % prints}"
        prim = usd.write_instance(
            stage, f"{ROOT}/Labels/{group}/Label_{written[group]:03d}", asset, variants={"print": kind}
        )
        written[group] += 1
        length, width, height = (s - g for s, g in zip(host.slot_m, storage.CARTON_GAP_M, strict=True))
        local = np.array(
            [length / 2 - 0.03 - shipping.LABEL_M[0] / 2, -width / 2, height - 0.03 - shipping.LABEL_M[1] / 2]
        )
        place = rotation("z", host.yaw_deg) @ local + np.array(host.position_m)
        usd.place(prim, tuple(place), yaw_deg=host.yaw_deg)
    if written != limit:
        raise ValueError(f"{written} labels for {len(hosts)} cartons, not {limit}")


GOODS = ("box_blue", "box_red", "tin_lying", "box_blue", "bottle_lying", "tin_standing", "box_red", "tin_lying")
GOODS_COUNT = 20
SPILL_M = (-5.6, 0.75)


def _write_spill(stage: Usd.Stage) -> None:
    """Write a carton on its side and the goods that fell out of it."""
    usd.group(stage, f"{ROOT}/Spills")
    prim = usd.write_instance(stage, f"{ROOT}/Spills/Carton_0", "carton_tipped", variants={"board": "kraft"})
    usd.place(prim, (*SPILL_M, 0.0), yaw_deg=-20.0)
    usd.group(stage, f"{ROOT}/Goods")
    random = np.random.Generator(np.random.PCG64(77))
    for number in range(GOODS_COUNT):
        prim = usd.write_instance(
            stage, f"{ROOT}/Goods/Thing_{number:02d}", "goods", variants={"thing": GOODS[number % len(GOODS)]}
        )
        row, column = number // 5, number % 5
        x = SPILL_M[0] + 0.4 + 0.2 * row + float(random.uniform(-0.03, 0.03))
        y = SPILL_M[1] - 0.5 + 0.19 * column + float(random.uniform(-0.03, 0.03))
        usd.place(prim, (x, y, 0.0), yaw_deg=float(random.uniform(0.0, 90.0)))


def _fill(
    slots: list[PalletSlot], loaded: dict[str, Pattern], pattern: Pattern, count: int, random: np.random.Generator
) -> list[tuple[tuple[str, tuple[float, float, float], str], str]]:
    """Return ``count`` filled places with a board each: whole layers, and a part of the last one."""
    pallets = [slot for slot in slots if loaded.get(slot.name) is pattern]
    filled: list[tuple[tuple[str, tuple[float, float, float], str], str]] = []
    if pattern.full:
        return [(place, "kraft") for pallet in pallets for place in carton_places(pallet, pattern)]
    for left, pallet in zip(range(len(pallets), 0, -1), pallets, strict=True):
        places = carton_places(pallet, pattern)
        mean = (count - len(filled)) / left
        take = int(np.clip(round(mean * random.choice([0.6, 0.9, 1.0, 1.2, 1.3])), 1, len(places)))
        take = min(len(places), count - len(filled)) if left == 1 else min(take, count - len(filled))
        board = ("kraft", "kraft", "kraft", "dark", "white")[int(random.integers(5))]
        filled += [(place, board if random.random() < 0.85 else "kraft") for place in places[:take]]
    return filled


def _write_floor_objects(stage: Usd.Stage) -> None:
    """Write people, cones and vehicles where they are by default."""
    usd.group(stage, f"{ROOT}/People")
    people = (
        ("carry", "yellow", 4.3, 1.0, 165.0),
        ("walk", "orange", -4.6, -1.2, 8.0),
        ("stand", "yellow", 7.2, -0.6, 140.0),
    )
    for number, (pose, outfit, x, y, yaw) in enumerate(people):
        variants = {"pose": pose, "outfit": outfit}
        prim = usd.write_instance(stage, f"{ROOT}/People/Person_{number}", "person", variants=variants)
        usd.place(prim, (x, y, 0.0), yaw_deg=yaw)
    usd.group(stage, f"{ROOT}/Pedestrians")
    for number, (pose, outfit, x, y, yaw) in enumerate(
        (("walk", "orange", 1.7, -0.9, 100.0), ("stand", "yellow", -3.2, 0.9, 20.0))
    ):
        variants = {"pose": pose, "outfit": outfit}
        prim = usd.write_instance(stage, f"{ROOT}/Pedestrians/Person_{number}", "person", variants=variants)
        usd.place(prim, (x, y, 0.0), yaw_deg=yaw)
    usd.group(stage, f"{ROOT}/Cones")
    cones = ((3.6, -1.9), (3.6, 1.9), (8.3, -0.3), (8.3, 0.3), (-7.6, 1.3), (5.0, -2.4), (-0.6, 1.6), (6.4, 2.3))
    for number, (x, y) in enumerate(cones):
        prim = usd.write_instance(stage, f"{ROOT}/Cones/Cone_{number:02d}", "cone")
        usd.place(prim, (x, y, 0.0), yaw_deg=37.0 * number % 90.0)
    usd.group(stage, f"{ROOT}/Vehicles")
    for name, asset, x, y, yaw in VEHICLES:
        prim = usd.write_instance(stage, f"{ROOT}/Vehicles/{name}", asset)
        usd.place(prim, (x, y, 0.0), yaw_deg=yaw)


VEHICLES = (("Forklift", "forklift", -0.4, -0.35, 180.0), ("PalletJack", "pallet_jack", 6.3, 0.9, 270.0))


def _write_lights(stage: Usd.Stage) -> None:
    """Write one RectLight under each fitting. No sky: the roof is closed, and each sample would trace a ray in vain."""
    usd.group(stage, f"{ROOT}/Lights", kind="")
    for number, (x, y) in enumerate(building.LAMPS_M):
        light = UsdLux.RectLight.Define(stage, f"{ROOT}/Lights/Lamp_{number}")
        light.CreateWidthAttr(building.LAMP_SIZE_M[0])
        light.CreateHeightAttr(building.LAMP_SIZE_M[1])
        light.CreateIntensityAttr(46.0)
        light.CreateEnableColorTemperatureAttr(True)
        light.CreateColorTemperatureAttr(5200.0)
        half = Gf.Vec3f(building.LAMP_SIZE_M[0] / 2.0, building.LAMP_SIZE_M[1] / 2.0, 0.0)
        light.CreateExtentAttr([-half, half])
        UsdGeom.Xformable(light).AddTranslateOp().Set(Gf.Vec3d(x, y, building.LAMP_Z_M))


def _write_cameras(stage: Usd.Stage) -> None:
    usd.group(stage, f"{ROOT}/Cameras", kind="")
    cameras = {
        "Aisle": ((-8.3, 0.35, 1.65), (3.0, -0.2, 1.25), 18.0),
        "AisleFromDock": ((4.6, -0.9, 1.9), (-4.0, 0.3, 1.2), 21.0),
        "HighCorner": ((7.6, -4.2, 4.6), (-1.2, 1.2, 0.5), 16.0),
        "Dock": ((1.6, 1.3, 2.2), (8.0, -0.8, 0.9), 16.0),
        "Overhead": ((-1.4, 0.0, 5.3), (-1.4, 0.001, 0.0), 14.0),
        "ForkliftMast": ((-1.3, 0.9, 2.1), (-6.0, 2.5, 1.2), 18.0),
        "PalletClose": ((5.5, 1.5, 1.5), (5.5, 4.0, 0.55), 35.0),
    }
    for name, (eye, target, focal) in cameras.items():
        usd.write_camera(stage, f"{ROOT}/Cameras/{name}", eye, target, focal_mm=focal)


def _write_materials(stage: Usd.Stage) -> None:
    """Reference the alternatives that randomisers choose from."""
    stage.DefinePrim(f"{ROOT}/Materials", "Scope")
    for name in MATERIALS:
        usd.reference_material(stage, f"{ROOT}/Materials", name, f"./{usd.LIBRARY}")


if __name__ == "__main__":
    write_scene(Path(__file__).resolve().parents[1])
