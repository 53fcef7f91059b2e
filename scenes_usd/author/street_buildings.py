"""Buildings along a street: facades of window cells, shops on the ground floor, flat or gabled roofs.

The front looks along -y; the origin is the middle of the footprint. Windows are recessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import Floats, Shape, joined, moved, painted, shape_from_faces, turned
from scenes_usd.author.solids import box

FACADES = tuple(f"Facade{k}" for k in range(8))
RECESS_M = 0.16
GLASS, LIT, WALL, TRIM = "WindowGlass", "WindowLit", "Wall", "FacadeTrim"


@dataclass(frozen=True)
class House:
    """A building; sizes in metres."""

    name: str
    width: float
    depth: float
    floors: int
    bays: int  # windows across the front
    floor_height: float = 3.1
    ground_height: float = 3.9
    window: tuple[float, float] = (1.2, 1.6)  # width and height
    ground: str = "shop"  # shop, door (dwellings), gate (a workshop)
    roof: str = "flat"  # flat, gable
    sill: bool = True


HOUSES = (
    House("Tenement", 15.0, 11.5, 5, 6),
    House("TenementGable", 12.0, 11.0, 4, 5, roof="gable", window=(1.05, 1.55)),
    House("Office", 16.0, 12.0, 6, 5, window=(2.7, 1.7), floor_height=3.3, sill=False),
    House("CornerHouse", 14.0, 11.5, 3, 5, roof="gable", window=(1.3, 1.6), ground="door"),
    House("Workshop", 16.0, 10.0, 2, 4, window=(2.6, 1.1), ground="gate", ground_height=4.6, sill=False),
    House("HouseGable", 10.0, 8.5, 2, 3, roof="gable", ground="door", ground_height=2.9, floor_height=2.8),
    House("HouseFlat", 11.0, 8.5, 2, 3, ground="door", ground_height=3.0, floor_height=2.9, window=(2.0, 1.5)),
)


def write_buildings(root: Path) -> None:
    """Write every building as an asset with the variant set ``facade``."""
    for number, house in enumerate(HOUSES):
        name = house.name
        path = root / "assets" / f"{usd.snake(name)}.usda"
        comment = f"Building, {house.floors} floors, {house.width:g} x {house.depth:g} m; its front looks along -y."
        stage = usd.new_stage(path, name, kind=Kind.Tokens.component, comment=comment)
        usd.describe(stage, name, path, "building")
        stage.DefinePrim(f"/{name}/Geometry", "Scope")
        shape = joined(*_walls(house, np.random.Generator(np.random.PCG64(500 + number))), *_roof(house))
        scope = f"/{name}/Materials"
        bound = {
            n: None if n == WALL else usd.reference_material(stage, scope, n, f"../{usd.LIBRARY}")
            for n in shape.materials
        }
        usd.write_mesh(stage, f"/{name}/Geometry/Shell", shape, bound, decimals=3)
        usd.material_variants(
            stage, "facade", {f"facade{k}": {f"Geometry/Shell/{WALL}": f} for k, f in enumerate(FACADES)}
        )
        usd.save(stage)


def eaves_m(house: House) -> float:
    """Return the height of the walls."""
    return house.ground_height + (house.floors - 1) * house.floor_height


def _walls(house: House, random: np.random.Generator) -> list[Shape]:
    """Return the four walls, the plinth and the cornice."""
    x, y = house.width / 2.0, house.depth / 2.0
    side_bays = max(1, round(house.bays * house.depth / house.width * 0.5))
    front = moved(_facade(house, house.width, house.bays, house.ground, random), 0.0, -y)
    back = turned(moved(_facade(house, house.width, max(2, house.bays // 2), "door", random), 0.0, -y), "z", 180.0)
    left = turned(moved(_facade(house, house.depth, side_bays, "plain", random), 0.0, -x), "z", 90.0)
    right = turned(moved(_facade(house, house.depth, side_bays, "plain", random), 0.0, -x), "z", -90.0)
    cornice = moved(painted(box((house.width + 0.3, house.depth + 0.3, 0.25)), TRIM), z_m=eaves_m(house) - 0.25)
    belt = moved(painted(box((house.width + 0.14, house.depth + 0.14, 0.16)), TRIM), z_m=house.ground_height - 0.2)
    return [front, back, left, right, cornice, belt]


def _facade(house: House, width: float, bays: int, ground: str, random: np.random.Generator) -> Shape:
    """Return one wall in the plane y = 0, from x = -width/2, looking along -y."""
    cells = []
    pitch = width / bays
    for bay in range(bays):
        x0 = -width / 2.0 + bay * pitch
        cells.append(_ground_cell(house, x0, pitch, ground, bay == bays // 2, random))
        for floor in range(1, house.floors):
            z0 = house.ground_height + (floor - 1) * house.floor_height
            size = min(house.window[0], pitch - 0.7), house.window[1]
            hole = (x0 + (pitch - size[0]) / 2.0, z0 + 0.9, *size)
            cells.append(
                _cell(
                    (x0, z0, pitch, house.floor_height), hole, LIT if random.random() < 0.12 else GLASS, sill=house.sill
                )
            )
    return joined(*cells)


def _ground_cell(
    house: House, x0: float, pitch: float, ground: str, middle: bool, random: np.random.Generator
) -> Shape:
    whole = (x0, 0.0, pitch, house.ground_height)
    if ground == "shop":
        pane = LIT if random.random() < 0.35 else GLASS
        return joined(
            _cell(whole, (x0 + 0.25, 0.45 if not middle else 0.05, pitch - 0.5, 2.35 if not middle else 2.75), pane),
            moved(painted(box((pitch - 0.1, 0.12, 0.5)), "ShopFront"), x0 + pitch / 2.0, -0.05, 2.95),
        )
    if ground == "gate" or (ground == "door" and middle):
        size = (min(pitch - 0.8, 3.2), 3.4) if ground == "gate" else (1.15, 2.2)
        return _cell(
            whole, (x0 + (pitch - size[0]) / 2.0, 0.02, *size), "DoorGrey" if ground == "gate" else "ShopFront"
        )
    size = min(house.window[0], pitch - 0.7), min(house.window[1], house.ground_height - 1.3)
    return _cell(
        whole, (x0 + (pitch - size[0]) / 2.0, 1.0, *size), LIT if random.random() < 0.15 else GLASS, sill=house.sill
    )


def _cell(
    whole: tuple[float, float, float, float], hole: tuple[float, float, float, float], pane: str, *, sill: bool = False
) -> Shape:
    """Return a piece of wall (x, z, width, height) around a recessed pane (the same)."""
    x0, z0 = whole[:2]
    x3, z3 = x0 + whole[2], z0 + whole[3]
    x1, z1 = hole[:2]
    x2, z2 = x1 + hole[2], z1 + hole[3]
    wall = [_quad((x0, z0), (x3, z1)), _quad((x0, z2), (x3, z3)), _quad((x0, z1), (x1, z2)), _quad((x2, z1), (x3, z2))]
    r = RECESS_M
    reveal = [
        [(x1, 0, z1), (x1, r, z1), (x1, r, z2), (x1, 0, z2)][::-1],
        [(x2, 0, z1), (x2, r, z1), (x2, r, z2), (x2, 0, z2)],
        [(x1, 0, z1), (x2, 0, z1), (x2, r, z1), (x1, r, z1)],
        [(x1, 0, z2), (x2, 0, z2), (x2, r, z2), (x1, r, z2)][::-1],
    ]
    pieces = [painted(_quads([*wall, *reveal]), WALL)]
    pieces.append(moved(painted(_quads([_quad((x1, z1), (x2, z2))]), pane), 0.0, r))
    if hole[2] > 0.9:
        bar = box((0.07, 0.05, z2 - z1))
        pieces.append(moved(painted(bar, TRIM), (x1 + x2) / 2.0, r, z1))
    if sill:
        pieces.append(moved(painted(box((x2 - x1 + 0.2, 0.16, 0.07)), TRIM), (x1 + x2) / 2.0, -0.04, z1 - 0.07))
    return joined(*pieces)


def _quad(low: tuple[float, float], high: tuple[float, float]) -> list[tuple[float, float, float]]:
    """Return a rectangle in the plane y = 0 that looks along -y."""
    return [(low[0], 0.0, low[1]), (high[0], 0.0, low[1]), (high[0], 0.0, high[1]), (low[0], 0.0, high[1])]


def _quads(corners: list[list[tuple[float, float, float]]]) -> Shape:
    points: Floats = np.array([p for quad in corners for p in quad], dtype=np.float64)
    return shape_from_faces(points, [tuple(range(4 * k, 4 * k + 4)) for k in range(len(corners))])


def _roof(house: House) -> list[Shape]:
    """Return a flat roof with a parapet, or a gable along the street with dormers and a chimney."""
    x, y, z = house.width / 2.0, house.depth / 2.0, eaves_m(house)
    if house.roof == "flat":
        slab = painted(box((house.width, house.depth, 0.1)), "RoofFlat")
        rails = [moved(painted(box((house.width, 0.25, 0.7)), WALL), 0.0, s * (y - 0.125), z) for s in (-1, 1)]
        rails += [moved(painted(box((0.25, house.depth - 0.5, 0.7)), WALL), s * (x - 0.125), 0.0, z) for s in (-1, 1)]
        plant = moved(painted(box((2.4, 2.0, 1.3)), "CoatGrey"), 0.2 * x, 0.2 * y, z + 0.1)
        return [moved(slab, z_m=z), *rails, plant]
    ridge = z + 0.62 * y
    over = 0.35
    drop = 0.62 * over
    faces = [
        [
            (-x - over, -y - over, z - drop),
            (x + over, -y - over, z - drop),
            (x + over, 0, ridge),
            (-x - over, 0, ridge),
        ],
        [(x + over, y + over, z - drop), (-x - over, y + over, z - drop), (-x - over, 0, ridge), (x + over, 0, ridge)],
    ]
    under = [face[::-1] for face in faces]
    roof = painted(_quads([*faces, *under]), "RoofTile")
    gable = shape_from_faces(
        [(-x, y, z), (-x, -y, z), (-x, 0, ridge - 0.02), (x, -y, z), (x, y, z), (x, 0, ridge - 0.02)],
        [(0, 1, 2), (3, 4, 5)],
    )
    chimney = moved(painted(box((0.7, 0.7, 2.2)), "RoofTile"), -0.5 * x, 0.25 * y, ridge - 1.6)
    dormers = []
    for at in (-0.45, 0.35):
        dormer = joined(
            painted(box((1.5, 1.6, 1.5)), WALL), moved(painted(box((1.0, 0.04, 1.0)), GLASS), 0.0, -0.82, 0.25)
        )
        dormers.append(moved(dormer, at * house.width * 0.6, -0.55 * y, z + 0.2))
    return [roof, painted(gable, WALL), chimney, *dormers]
