"""Pallets and cartons at their real dimensions. Origins lie on the floor, in the middle of the footprint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import Shape, joined, moved, painted, shape_from_faces, shifted_uv, turned
from scenes_usd.author.solids import box
from scenes_usd.author.textures import ATLAS_EDGE_V, ATLAS_PRINTED_V, ATLAS_TAPE_V

# EN 13698-1, the 1200 x 800 flat pallet.
PALLET_M = (1.2, 0.8, 0.144)
_BOARD_M = 0.022
_BLOCK_M = 0.078

# Length, width and height of the slot a carton fills; the carton itself is smaller by CARTON_GAP_M.
CARTONS_M: dict[str, tuple[float, float, float]] = {
    "s300x200x200": (0.3, 0.2, 0.2),
    "m400x300x200": (0.4, 0.3, 0.2),
    "m400x300x300": (0.4, 0.3, 0.3),
    "l600x400x200": (0.6, 0.4, 0.2),
    "l600x400x300": (0.6, 0.4, 0.3),
    "l600x400x400": (0.6, 0.4, 0.4),
}
CARTON_GAP_M = (0.016, 0.016, 0.001)
WOODS = {"light": "WoodLight", "dark": "WoodDark"}
BOARDS = {"kraft": "CartonKraft", "white": "CartonWhite", "dark": "CartonDark"}


def write_pallet(root: Path) -> None:
    """Write the pallet: five deck boards, three cross boards, nine blocks, three bottom boards; light or dark wood."""
    length, width, _ = PALLET_M
    pieces: list[Shape] = []
    across = ((-0.3275, 0.145), (-0.1825, 0.1), (0.0, 0.145), (0.1825, 0.1), (0.3275, 0.145))
    for y, board in across:
        pieces.append(moved(_plank(length, board, _BOARD_M, len(pieces)), 0.0, y, 0.122))
    for x in (-0.5275, 0.0, 0.5275):
        plank = turned(_plank(width, 0.145, _BOARD_M, len(pieces)), "z", 90.0)
        pieces.append(moved(plank, x, 0.0, 0.1))
        for y, block in ((-0.35, 0.1), (0.0, 0.145), (0.35, 0.1)):
            pieces.append(moved(_plank(0.145, block, _BLOCK_M, len(pieces)), x, y, _BOARD_M))
    for y, board in ((-0.35, 0.1), (0.0, 0.145), (0.35, 0.1)):
        pieces.append(moved(_plank(length, board, _BOARD_M, len(pieces)), 0.0, y, 0.0))
    shape = joined(*pieces)
    path = root / "assets" / "pallet.usda"
    stage = usd.new_stage(path, "Pallet", kind=Kind.Tokens.component, comment="EUR pallet, 1200 x 800 x 144 mm.")
    usd.describe(stage, "Pallet", path, "pallet")
    stage.DefinePrim("/Pallet/Geometry", "Scope")
    usd.write_mesh(stage, "/Pallet/Geometry/Boards", painted(shape, "Wood"), {"Wood": None})
    usd.material_variants(stage, "wood", {name: {"Geometry/Boards": wood} for name, wood in WOODS.items()})
    usd.save(stage)


def _plank(length_m: float, width_m: float, height_m: float, number: int) -> Shape:
    """Return a board along x whose grain starts somewhere else for every ``number``."""
    return shifted_uv(box((length_m, width_m, height_m), bevel_m=0.003), 0.317 * number, 0.173 * number)


def write_carton(root: Path) -> None:
    """Write the carton: variant sets ``size`` (six) and ``board`` (kraft, white, dark)."""
    path = root / "assets" / "carton.usda"
    comment = "Taped carton; sizes are those of the slot it fills [mm]. One texture atlas: board, print, tape."
    stage = usd.new_stage(path, "Carton", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "Carton", path, "carton")
    stage.DefinePrim("/Carton/Geometry", "Scope")
    variants = stage.GetDefaultPrim().GetVariantSets().AddVariantSet("size")
    for number, (name, slot) in enumerate(CARTONS_M.items()):
        variants.AddVariant(name)
        variants.SetVariantSelection(name)
        with variants.GetVariantEditContext():
            usd.write_mesh(stage, "/Carton/Geometry/Body", painted(carton(slot, number), "Board"), {"Board": None})
    variants.SetVariantSelection("m400x300x300")
    usd.material_variants(stage, "board", {name: {"Geometry/Body": board} for name, board in BOARDS.items()})
    usd.save(stage)


def carton(slot_m: tuple[float, float, float], number: int) -> Shape:
    """Return a closed carton: two flaps, tape over the seam and down both ends; origin at the bottom."""
    length, width, height = (s - g for s, g in zip(slot_m, CARTON_GAP_M, strict=True))
    flap, seam, tape = 0.004, 0.003, 0.0006
    body_height = height - flap - tape
    body = on_atlas(box((length, width, body_height), bevel_m=0.003), length, width, number)
    flap_width = (width - seam) / 2.0
    pieces = [body]
    for side in (-1.0, 1.0):
        lid = on_atlas(box((length, flap_width, flap), bevel_m=0.0012), length, width, 99)
        pieces.append(moved(lid, 0.0, side * (flap_width + seam) / 2.0, body_height))
    top = height - tape
    pieces.append(
        sheet((-length / 2, -0.025, top), (length, 0, 0), (0, 0.05, 0), tape, (0.0, ATLAS_TAPE_V, length, 0.05))
    )
    drop = min(0.07, body_height * 0.4)
    for side in (-1.0, 1.0):
        corner = (side * length / 2, -0.025 * side, top - drop)
        region = (0.0, ATLAS_TAPE_V, 0.05, drop)
        pieces.append(sheet(corner, (0, 0.05 * side, 0), (0, 0, drop), tape, region))
    return joined(*pieces)


def on_atlas(shape: Shape, length_m: float, width_m: float, number: int) -> Shape:
    """Return the box with its faces on the carton atlas: sides printed on two faces, tops and other sides plain."""
    points = shape.points_m[shape.index]
    face = np.repeat(np.arange(len(shape.count)), shape.count)
    normal = np.zeros((len(shape.count), 3))
    np.add.at(normal, face, shape.normal)
    axis = np.argmax(np.abs(np.round(normal, 6)), axis=1)
    sign = np.sign(normal[np.arange(len(axis)), axis])
    a, s = axis[face], sign[face]
    x, y, z = points.T
    u = np.select([a == 0, a == 1], [s * y + width_m / 2, -s * x + length_m / 2], x + length_m / 2)
    v = np.where(a == 2, y + width_m / 2, z)
    printed = ((a == 1) & (s < 0)) | ((a == 0) & (s > 0) & (number % 2 == 0))
    v = np.where(printed & (number != 99), v + ATLAS_PRINTED_V, v)
    thin = np.ptp(shape.points_m[:, 2]) < 0.01
    v = np.where(thin & (a != 2), ATLAS_EDGE_V + 0.005 + z, v)
    uv = np.stack([np.clip(u, 0.002, 0.618) + 0.002, v + 0.002], axis=1)
    return with_uv(shape, uv)


def with_uv(shape: Shape, uv: np.ndarray) -> Shape:
    """Return the shape with other texture coordinates [corner, 2]."""
    return Shape(shape.points_m, shape.count, shape.index, shape.normal, uv, shape.materials, shape.material)


def sheet(
    corner_m: tuple[float, ...],
    along_m: tuple[float, ...],
    up_m: tuple[float, ...],
    thickness_m: float,
    region: tuple[float, float, float, float],
) -> Shape:
    """Return a thin closed sheet from its lower left corner; ``region`` is (u, v, width, height) on the atlas."""
    corner, along, up = (np.array(v, dtype=np.float64) for v in (corner_m, along_m, up_m))
    out = np.cross(along, up) / np.linalg.norm(np.cross(along, up)) * thickness_m
    base = np.array([corner, corner + along, corner + along + up, corner + up])
    points = np.concatenate([base - out, base + out])
    faces = [(4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (3, 2, 1, 0)]
    u, v, width, height = region
    ring = np.array([(u, v), (u + width, v), (u + width, v + height), (u, v + height)])
    uv = np.concatenate([ring[[k % 4 for k in face]] for face in faces])
    return shape_from_faces(points, faces, uv_m=uv)
