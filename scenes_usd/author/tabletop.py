"""The tabletop: a tote of mixed parts on a bench, more parts loose beside it, cameras above and around."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pxr import Gf, Kind, Usd, UsdGeom, UsdLux

from scenes_usd.author import stage as usd
from scenes_usd.author import tabletop_assets as furniture
from scenes_usd.author.hardware import FINISHES
from scenes_usd.author.shape import painted, rotation, shape_from_faces

ROOT = "/Tabletop"
PITCH_M = (0.051, 0.053)  # between slots along x and y
WIDE, NARROW = (5, 3), (4, 2)  # slots along x and y in even and odd layers; odd ones sit over the gaps of even ones
LAYER_COUNT = 6
LAYER_M = 0.02  # authored height of a layer; randomisers settle what they place


@dataclass(frozen=True)
class Lot:
    """Equal parts: ``tilts`` are their stable poses, as rotations about x, then y [deg]; a turn about z follows."""

    asset: str
    size: str
    count: int
    tilts: tuple[tuple[float, float], ...]


FLAT = ((0.0, 0.0), (180.0, 0.0))
LYING = ((90.0, 0.0),)
# A bolt lies on a flat of its head and the end of its thread: 90 deg + atan((half flats - radius) / length of shank).
LOTS = (
    Lot("bolt", "m8", 9, ((0.0, 94.8),)),
    Lot("bolt", "m10", 9, ((0.0, 94.9),)),
    Lot("bolt", "m12", 9, ((0.0, 94.3),)),
    Lot("nut", "m8", 4, FLAT),
    Lot("nut", "m10", 4, FLAT),
    Lot("nut", "m12", 6, FLAT),
    Lot("washer", "m10", 4, FLAT),
    Lot("washer", "m12", 4, FLAT),
    Lot("gear", "z18", 3, FLAT),
    Lot("gear", "z26", 3, FLAT),
    Lot("bearing", "_6203", 4, FLAT),
    Lot("bearing", "_608", 4, FLAT),
    Lot("bracket", "_40x30", 3, ((90.0, 0.0), (-90.0, 0.0))),  # on the bent edge; upright they would lift a layer
    Lot("bracket", "_30x25", 3, ((90.0, 0.0), (-90.0, 0.0))),
    Lot("profile", "l25", 3, ((0.0, 0.0), (90.0, 0.0))),
    Lot("spring", "d14", 6, LYING),
)
LOOSE = 10  # of all parts, so many lie on the bench beside the tote


def slot_places() -> list[tuple[str, tuple[float, float, float], list[str]]]:
    """Return (name, position [m], names of the slots below that its footprint overlaps), lowest layer first.

    Layers alternate like bricks: a slot overlaps up to four of the layer below, and the one two layers below.
    """
    places = []
    for layer in range(LAYER_COUNT):
        columns, rows = WIDE if layer % 2 == 0 else NARROW
        near = range(-1, 1) if layer % 2 == 0 else range(2)  # offsets of the neighbours in the layer below
        limit = NARROW if layer % 2 == 0 else WIDE
        for row in range(rows):
            for column in range(columns):
                x, y = (column - (columns - 1) / 2.0) * PITCH_M[0], (row - (rows - 1) / 2.0) * PITCH_M[1]
                below = [f"Slot_{layer - 2}_{row}_{column}"] if layer > 1 else []
                below += [
                    f"Slot_{layer - 1}_{row + j}_{column + i}"
                    for j in near
                    for i in near
                    if layer and 0 <= row + j < limit[1] and 0 <= column + i < limit[0]
                ]
                z = furniture.TOTE_FLOOR_M + 0.0005 + layer * LAYER_M
                places.append((f"Slot_{layer}_{row}_{column}", (x, y, z), below))
    return places


def write_scene(root: Path) -> None:
    """Write ``tabletop.usda``; the assets must be there, as the default pile is stacked by their bounds."""
    path = root / "tabletop.usda"
    comment = "A tote of mixed parts on a bench. Z up, metres, the bench's top at z = 0. Written by author/tabletop.py."
    stage = usd.new_stage(path, "Tabletop", kind=Kind.Tokens.assembly, comment=comment)
    _write_room(stage)
    usd.write_instance(stage, f"{ROOT}/Bench", "bench")
    tote = usd.write_instance(stage, f"{ROOT}/Totes/Tote", "tote", variants={"color": "blue"})
    spare = usd.write_instance(stage, f"{ROOT}/Totes/Spare", "tote", variants={"color": "grey"})
    usd.group(stage, f"{ROOT}/Totes")
    usd.place(tote, (0.0, 0.0, 0.0))
    usd.place(spare, (0.42, 0.2, 0.0), yaw_deg=75.0)
    _write_anchors(stage)
    _write_parts(stage)
    _write_lights(stage)
    cameras = {
        "Overhead": ((0.0, 0.0, 0.7), (0.0, 0.0, 0.0), 36.0),
        "Oblique": ((0.36, -0.46, 0.46), (0.03, 0.0, 0.03), 28.0),
        "Side": ((-0.55, -0.38, 0.3), (0.06, 0.0, 0.04), 24.0),
        "Close": ((0.08, -0.2, 0.34), (0.0, 0.0, 0.04), 35.0),
    }
    usd.group(stage, f"{ROOT}/Cameras", kind="")
    for name, (eye, target, focal) in cameras.items():
        usd.write_camera(stage, f"{ROOT}/Cameras/{name}", eye, target, focal_mm=focal)
    usd.save(stage)


def _write_room(stage: Usd.Stage) -> None:
    """Write a floor and two walls."""
    usd.group(stage, f"{ROOT}/Room")
    z = -furniture.TABLE_M[2]
    quads = {
        ("Floor", "floor", "ConcreteClean"): [(-3, -3, z), (3, -3, z), (3, 2, z), (-3, 2, z)],
        ("WallBack", "wall", "PanelWhite"): [(-3, 2, z), (3, 2, z), (3, 2, 2.2), (-3, 2, 2.2)],
        ("WallLeft", "wall", "PanelGrey"): [(-3, -3, z), (-3, 2, z), (-3, 2, 2.2), (-3, -3, 2.2)],
    }
    for (name, semantic, material), points in quads.items():
        prim = usd.group(stage, f"{ROOT}/Room/{name}", kind=Kind.Tokens.component)
        usd.label(prim, semantic)
        bound = usd.reference_material(stage, f"{ROOT}/Materials", material, f"./{usd.LIBRARY}")
        shape = painted(shape_from_faces(points, [(0, 1, 2, 3)]), material)
        usd.write_mesh(stage, f"{ROOT}/Room/{name}/Surface", shape, {material: bound})


def _write_anchors(stage: Usd.Stage) -> None:
    usd.group(stage, f"{ROOT}/Slots", kind="")
    size = (*PITCH_M, 0.06)  # what is higher would reach out of the tote
    for name, position, below in slot_places():
        prim = usd.write_anchor(stage, f"{ROOT}/Slots/{name}", "part_slot", position, size)
        if below:
            usd.support(prim, [f"{ROOT}/Slots/{other}" for other in below])
    usd.group(stage, f"{ROOT}/Areas", kind="")
    usd.write_anchor(stage, f"{ROOT}/Areas/Bench", "clutter_area", (0.32, -0.14, 0.0), (0.26, 0.4, 0.2))
    usd.write_anchor(stage, f"{ROOT}/Areas/Above", "camera_volume", (0.0, 0.0, 0.3), (0.9, 0.7, 0.5))
    usd.write_anchor(stage, f"{ROOT}/Areas/Inside", "look_volume", (0.0, 0.0, 0.01), (0.2, 0.12, 0.07))
    usd.write_anchor(stage, f"{ROOT}/Areas/Shaft", "drop_volume", (0.0, 0.0, 0.13), (0.24, 0.14, 0.45))


def _write_parts(stage: Usd.Stage) -> None:
    """Write the parts: dealt over the slots from the lowest layer up, each on top of the highest of the four below."""
    random = np.random.Generator(np.random.PCG64(7))
    usd.group(stage, f"{ROOT}/Parts")
    usd.group(stage, f"{ROOT}/Loose")
    deck = [(lot, k) for lot in LOTS for k in range(lot.count)]
    deck = [deck[int(k)] for k in random.permutation(len(deck))]
    places = slot_places()
    tops: dict[str, float] = {}
    numbers: dict[str, int] = {}
    for turn, (lot, _k) in enumerate(deck):
        loose = turn >= len(deck) - LOOSE
        number = numbers.get(lot.asset, 0)
        numbers[lot.asset] = number + 1
        finishes = FINISHES[lot.asset]
        path = f"{ROOT}/{'Loose' if loose else 'Parts'}/{lot.asset.capitalize()}_{number:02d}"
        variants = {"size": lot.size, "finish": finishes[int(random.integers(len(finishes)))].lower()}
        prim = usd.write_instance(stage, path, lot.asset, variants=variants)
        tilt = (*lot.tilts[int(random.integers(len(lot.tilts)))], 90.0 * int(random.integers(4)))
        low, high = _bounds(prim, tilt)
        if loose:
            spot = turn - (len(deck) - LOOSE)
            position = np.array([0.22 + 0.07 * (spot % 3), -0.2 + 0.08 * (spot // 3), 0.0005])
        else:
            name, place, below = places[turn]
            position = np.array([place[0], place[1], max([tops[b] for b in below], default=place[2])])
            position[:2] += random.uniform(-0.5, 0.5, 2) * np.maximum(np.array(PITCH_M) - (high - low)[:2], 0.0) * 0.9
            tops[name] = float(position[2] + high[2] - low[2])
        centre = np.array([*(low + high)[:2] / 2.0, low[2]])
        _pose(prim, position - centre, tilt)


def _turn(tilt_deg: tuple[float, float, float]) -> np.ndarray:
    return rotation("z", tilt_deg[2]) @ rotation("y", tilt_deg[1]) @ rotation("x", tilt_deg[0])


def _bounds(prim: Usd.Prim, tilt_deg: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and greatest corner of a tilted part about its own origin."""
    meshes = [p for p in Usd.PrimRange(prim, Usd.TraverseInstanceProxies()) if p.IsA(UsdGeom.Mesh)]
    points = np.concatenate([np.array(UsdGeom.Mesh(mesh).GetPointsAttr().Get()) for mesh in meshes]) @ _turn(tilt_deg).T
    return points.min(axis=0), points.max(axis=0)


def _pose(prim: Usd.Prim, position_m: np.ndarray, tilt_deg: tuple[float, float, float]) -> None:
    xform = UsdGeom.XformCommonAPI(prim)
    xform.SetTranslate(Gf.Vec3d(*(round(float(x), 5) + 0.0 for x in position_m)))
    xform.SetRotate(Gf.Vec3f(*tilt_deg), UsdGeom.XformCommonAPI.RotationOrderXYZ)


def _write_lights(stage: Usd.Stage) -> None:
    """Write two soft boxes, a key and a fill, and a dim room."""
    usd.group(stage, f"{ROOT}/Lights", kind="")
    boxes = {
        "Key": ((-0.75, -0.55, 1.05), (0.4, 0.3), 44.0, 5600.0),
        "Fill": ((0.95, 0.35, 1.15), (0.35, 0.25), 22.0, 4600.0),
    }
    for name, (position, size, intensity, kelvin) in boxes.items():
        light = UsdLux.RectLight.Define(stage, f"{ROOT}/Lights/{name}")
        light.CreateWidthAttr(size[0])
        light.CreateHeightAttr(size[1])
        light.CreateIntensityAttr(intensity)
        light.CreateEnableColorTemperatureAttr(True)
        light.CreateColorTemperatureAttr(kelvin)
        light.CreateExtentAttr([Gf.Vec3f(-size[0] / 2, -size[1] / 2, 0), Gf.Vec3f(size[0] / 2, size[1] / 2, 0)])
        usd.aim(light.GetPrim(), position, (0.0, 0.0, 0.0))
    dome = UsdLux.DomeLight.Define(stage, f"{ROOT}/Lights/Room")
    dome.CreateIntensityAttr(0.15)


if __name__ == "__main__":
    write_scene(Path(__file__).resolve().parents[1])
