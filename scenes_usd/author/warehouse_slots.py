"""Where things of the warehouse stand: places for pallets, cartons on them, film around them, people and cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pxr import Usd

from scenes_usd.author import building, racks, storage
from scenes_usd.author import stage as usd

ROOT = "/Warehouse"
RACK_Y_M = 2.75  # of both rows' middle lines; pallets reach out to 2.15, which leaves an aisle of 4.3 m
FIRST_BAY_X_M = -6.96
BAY_COUNT = 4


@dataclass(frozen=True)
class Pattern:
    """How one class of cartons stands on a pallet; footprints are given along the scene's x and y."""

    group: str  # name of the cartons' group
    sizes: dict[str, int]  # size variant -> number of cartons in the pool
    slot_m: tuple[float, float, float]  # along the scene's x and y (pallets in this scene lie along y), and z
    grid: tuple[int, int, int]  # slots along x, y, z
    carton_yaw_deg: float  # of a carton in its slot
    pallets: int  # how many pallets carry it
    full: bool = False  # every slot is taken, so that film fits around the load

    @property
    def kind(self) -> str:
        """Kind of the pattern's anchors."""
        return f"carton_slot_{self.group.lower()}"


PATTERNS = (
    Pattern("Large", {"l600x400x200": 7, "l600x400x300": 11, "l600x400x400": 18}, (0.4, 0.6, 0.4), (2, 2, 2), 90.0, 10),
    Pattern("Wrapped", {"l600x400x400": 48}, (0.4, 0.6, 0.4), (2, 2, 2), 90.0, 6, full=True),
    Pattern("Medium", {"m400x300x200": 22, "m400x300x300": 30}, (0.4, 0.3, 0.3), (2, 4, 2), 0.0, 8),
    Pattern("Small", {"s300x200x200": 28}, (0.2, 0.3, 0.2), (4, 4, 2), 90.0, 2),
)
HEADROOM_M = 0.2  # above the upper layer of large cartons: what stands there may have its flaps up


@dataclass(frozen=True)
class PalletSlot:
    """One place for a pallet, its length along the scene's y."""

    name: str
    position_m: tuple[float, float, float]
    below: str = ""  # name of the slot that must be filled first


def pallet_slots() -> list[PalletSlot]:
    """Return every place for a pallet: three in each rack bay and level, the floor bays, and a stack of empties."""
    slots: list[PalletSlot] = []

    def add(x: float, y: float, z: float, below: str = "") -> str:
        slots.append(PalletSlot(f"Pallet_{len(slots):03d}", (x, y, z), below))
        return slots[-1].name

    for side in (-1.0, 1.0):
        for bay in range(BAY_COUNT):
            for level in (0.0, *racks.LEVELS_M):
                for column in (-0.9, 0.0, 0.9):
                    add(FIRST_BAY_X_M + bay * racks.PITCH_M + column, side * RACK_Y_M, level)
    for side in (-1.0, 1.0):
        for bay in range(4):
            x = building.FLOOR_BAY_X_M + bay * building.FLOOR_BAY_PITCH_M
            below = add(x, side * building.FLOOR_BAY_Y_M, 0.0)
            if side > 0 and bay == 3:
                for k in range(1, 6):
                    below = add(x, side * building.FLOOR_BAY_Y_M, k * storage.PALLET_M[2], below)
    return slots


def stacked(slots: list[PalletSlot]) -> set[str]:
    """Return the names of the slots in stacks of empty pallets."""
    return {slot.below for slot in slots if slot.below} | {slot.name for slot in slots if slot.below}


def loads(slots: list[PalletSlot], random: np.random.Generator) -> dict[str, Pattern]:
    """Return which pallets carry cartons; the floor bays first, the others at random."""
    free = [slot for slot in slots if slot.name not in stacked(slots)]
    floor = [slot.name for slot in free if slot.position_m[0] > building.FLOOR_BAY_X_M - 0.1]
    others = [slot.name for slot in free if slot.name not in floor]
    others = [others[int(k)] for k in random.permutation(len(others))]
    patterns = [pattern for pattern in PATTERNS for _ in range(pattern.pallets)]
    patterns = [patterns[int(k)] for k in random.permutation(len(patterns))]
    return dict(zip([*floor[::2], *others], patterns, strict=False))


def carton_places(pallet: PalletSlot, pattern: Pattern) -> list[tuple[str, tuple[float, float, float], str]]:
    """Return (name, position in the scene [m], name of the slot below or empty), bottom layer first."""
    columns, rows, layers = pattern.grid
    x0, y0, z0 = pallet.position_m
    places = []
    for layer in range(layers):
        for k in range(columns * rows):
            x = x0 + (k % columns - (columns - 1) / 2.0) * pattern.slot_m[0]
            y = y0 + (k // columns - (rows - 1) / 2.0) * pattern.slot_m[1]
            z = z0 + storage.PALLET_M[2] + layer * pattern.slot_m[2]
            below = f"{pallet.name}_{layer - 1}_{k:02d}" if layer else ""
            places.append((f"{pallet.name}_{layer}_{k:02d}", (x, y, z), below))
    return places


def write_slots(root: Path, slots: list[PalletSlot], loaded: dict[str, Pattern]) -> None:
    """Write the layer of anchors.

    Carton slots stand above the loaded pallets, which never move; pallet slots are the places left for empty pallets.
    Every anchor's axes are those of the scene, or turned by 180 degrees so that labels show on either side.
    """
    path = root / "layers" / "warehouse_slots.usda"
    comment = (
        "Anchors of the warehouse: where pallets, cartons, clutter and cameras may go. Written by author/warehouse.py."
    )
    stage = usd.new_stage(path, "Warehouse", kind="", comment=comment)
    for name in ("Slots", "Slots/Pallets", "Slots/Cartons", "Slots/Loads", "Slots/Wraps", "Areas"):
        usd.group(stage, f"{ROOT}/{name}", kind="")
    number = 0
    for slot in slots:
        if slot.name not in loaded:
            size = (storage.PALLET_M[1] + 0.04, storage.PALLET_M[0] + 0.04, storage.PALLET_M[2])
            prim = usd.write_anchor(stage, f"{ROOT}/Slots/Pallets/{slot.name}", "pallet_slot", slot.position_m, size)
            if slot.below:
                usd.support(prim, [f"{ROOT}/Slots/Pallets/{slot.below}"])
            continue
        pattern = loaded[slot.name]
        for name, position, below in carton_places(slot, pattern):
            number += 1
            prim = usd.write_anchor(
                stage,
                f"{ROOT}/Slots/Cartons/{name}",
                pattern.kind,
                position,
                _slot_size(pattern, name),
                yaw_deg=180.0 * (number * 7 % 3 == 0),
            )
            if below:
                usd.support(prim, [f"{ROOT}/Slots/Cartons/{below}"])
        _write_load_area(stage, slot, pattern)
    boxes = {
        "clutter_area": {"Aisle": ((-2.8, 0.0, 0.0), (11.0, 3.2, 2.5)), "Dock": ((5.8, 0.0, 0.0), (5.2, 6.0, 2.5))},
        "camera_volume": {
            "AisleEye": ((-2.8, 0.0, 1.2), (10.6, 2.2, 1.1)),
            "AisleHigh": ((-3.2, 0.0, 2.5), (9.8, 2.6, 1.7)),
            "DockEye": ((7.0, 0.0, 1.2), (2.2, 6.0, 1.1)),
            "DockMezzanine": ((7.2, 0.0, 2.5), (2.0, 7.6, 2.0)),
        },
        "look_volume": {
            "Racks": ((-2.8, 0.0, 0.3), (10.0, 4.4, 1.6)),
            "Floor": ((3.4, 0.0, 0.6), (2.2, 5.0, 1.0)),
        },
    }
    for kind, areas in boxes.items():
        for name, (position, size) in areas.items():
            usd.write_anchor(stage, f"{ROOT}/Areas/{_camel(kind)}{name}", kind, position, size)
    usd.save(stage)


def _slot_size(pattern: Pattern, name: str) -> tuple[float, float, float]:
    """Return the size of a carton's slot: cartons whose flaps are up fit into the upper layer of large ones only."""
    upper = pattern.group == "Large" and name.split("_")[2] == str(pattern.grid[2] - 1)
    return (*pattern.slot_m[:2], pattern.slot_m[2] + (HEADROOM_M if upper else 0.0))


def _write_load_area(stage: Usd.Stage, slot: PalletSlot, pattern: Pattern) -> None:
    """Write the room in which the load of a pallet may lean or shift, and where film may stand around it."""
    x, y, z = slot.position_m
    on_floor = x > building.FLOOR_BAY_X_M - 0.1
    room = (0.2, 0.24, 1.3) if on_floor else (0.05, 0.2, 1.3)  # beyond the pallet, both sides together
    size = (storage.PALLET_M[1] + room[0], storage.PALLET_M[0] + room[1], room[2])
    position = (x, y, z + storage.PALLET_M[2])
    kind = "wrapped_load" if pattern.full else "load"
    usd.write_anchor(stage, f"{ROOT}/Slots/Loads/{slot.name}", kind, position, size)
    if pattern.full:
        yaw = 0.0 if y > 0.0 else 180.0  # the film's front looks into the aisle
        usd.write_anchor(stage, f"{ROOT}/Slots/Wraps/{slot.name}", "wrap_slot", position, (0.0, 0.0, 0.0), yaw_deg=yaw)


def _camel(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("_"))
