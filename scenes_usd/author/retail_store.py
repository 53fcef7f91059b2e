"""What a shop is made of beside its products: gondola bays, price tags, wobblers, and the room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from pxr import Kind, Usd

from scenes_usd.author import stage as usd
from scenes_usd.author.retail_products import LIBRARY
from scenes_usd.author.shape import Shape, joined, moved, painted, shape_from_faces, shifted_uv
from scenes_usd.author.solids import box, lathe

BAY_M = (1.0, 0.5, 1.92)  # pitch along the aisle, depth with the back panel, height
FRONT_M = -0.25  # y of the front edge of every board; the origin is on the floor, in the middle
BOARD_TOPS_M = (0.16, 0.53, 0.88, 1.22, 1.54)
CLEAR_M = (0.335, 0.315, 0.305, 0.285, 0.34)  # above each board
BOARD_M = 0.03
STOCK_DEPTH_M = 0.44  # of a board, from its front edge
STOCK_WIDTH_M = 0.98
RAIL_DROP_M, RAIL_OUT_M = 0.041, 0.007  # lower edge of the price rail below the board's top, its face before the edge
TAG_M = (0.064, 0.0012, 0.038)
WOBBLER_M = 0.085  # diameter
ROOM_M = ((-7.0, -6.0), (7.0, 4.0), 3.4)  # least and greatest x, y; height
TAG_COUNT, WOBBLER_COUNT = 8, 4


def gondola_bay() -> Shape:
    """Return one bay: uprights, back panel, plinth, five boards with price rails, side arms."""
    width, depth, height = BAY_M
    back = FRONT_M + depth
    pieces = [painted(moved(box((width, 0.012, height - 0.1)), 0.0, back - 0.03, 0.1), "BackPanel")]
    for side in (-1.0, 1.0):
        post = moved(box((0.03, 0.06, height), bevel_m=0.002), side * (width / 2.0 - 0.0005), back - 0.03)
        pieces.append(painted(post, "ShelfGrey"))
    pieces.append(
        painted(moved(box((width, depth - 0.05, 0.12)), 0.0, FRONT_M + depth / 2.0 - 0.005, 0.0), "ShelfGrey")
    )
    for top in BOARD_TOPS_M:
        board = moved(
            box((width - 0.004, depth - 0.04, BOARD_M), bevel_m=0.002),
            0.0,
            FRONT_M + (depth - 0.04) / 2.0,
            top - BOARD_M,
        )
        pieces.append(painted(board, "ShelfWhite"))
        rail = box((width - 0.004, 0.006, 0.044), bevel_m=0.001)
        pieces.append(painted(moved(rail, 0.0, FRONT_M - 0.0032, top - 0.044), "RailClear"))
        lip = box((width - 0.004, 0.0075, 0.0045))
        pieces.append(painted(moved(lip, 0.0, FRONT_M - 0.0035, top - 0.049), "RailRed"))
        if top > BOARD_TOPS_M[0]:
            for side in (-1.0, 1.0):
                arm = box((0.003, depth - 0.08, 0.05))
                pieces.append(
                    painted(
                        moved(arm, side * (width / 2.0 - 0.006), FRONT_M + depth / 2.0 + 0.01, top - 0.08), "ShelfGrey"
                    )
                )
    return joined(*pieces)


def price_tag(number: int) -> Shape:
    """Return a tag whose front shows one of the printed ones."""
    tag = box(TAG_M)
    x, _, z = tag.points_m[tag.index].T
    u = (np.clip(x / TAG_M[0] + 0.5, 0.01, 0.99) + number % 4) / 4.0
    v = (np.clip(z / TAG_M[2], 0.01, 0.99) + 1 - number // 4) / 2.0
    return painted(replace(tag, uv_m=np.stack([u, v], axis=1)), "Tags")


def wobbler(number: int) -> Shape:
    """Return a round sign on a strip that holds it before the rail; the origin is the strip's end at the rail."""
    radius, out = WOBBLER_M / 2.0, 0.05
    strip = moved(box((0.012, out, 0.0008)), 0.0, -out / 2.0, WOBBLER_M * 0.5)
    angle = 2.0 * np.pi * np.arange(32) / 32
    ring = np.stack([radius * np.cos(angle), np.full(32, -out), radius + radius * np.sin(angle)], axis=1)
    points = np.concatenate([ring, ring + np.array([0.0, 0.001, 0.0])])
    faces = [tuple(range(32)), tuple(range(63, 31, -1))]
    faces += [(k, 32 + k, 32 + (k + 1) % 32, (k + 1) % 32) for k in range(32)]
    index = np.array([i for face in faces for i in face])
    x, _, z = points[index].T
    uv = np.stack(
        [(np.clip(x / WOBBLER_M + 0.5, 0.01, 0.99) + number) / 4.0, np.clip(z / WOBBLER_M, 0.01, 0.99)], axis=1
    )
    return joined(painted(shape_from_faces(points, faces, uv_m=uv), "Wobblers"), painted(strip, "RailClear"))


def write_fittings(root: Path) -> None:
    """Write the gondola bay, the price tag (variant set ``print``), the wobbler (``sign``) and the trolley's basket."""
    _write_asset(root, "GondolaBay", gondola_bay(), "gondola", "A bay of shop shelving, 1 m; origin on the floor.")
    tags = {f"tag_{k}": price_tag(k) for k in range(TAG_COUNT)}
    _write_variants(root, "PriceTag", "print", tags, "price_tag", "A price tag, 64 x 38 mm.")
    signs = {f"sign_{k}": wobbler(k) for k in range(WOBBLER_COUNT)}
    _write_variants(root, "Wobbler", "sign", signs, "wobbler", "A promotion sign on a strip, 85 mm across.")


def _new_asset(root: Path, name: str, semantic: str, comment: str) -> Usd.Stage:
    path = root / "assets" / f"{usd.snake(name)}.usda"
    stage = usd.new_stage(path, name, kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, name, path, semantic)
    stage.DefinePrim(f"/{name}/Geometry", "Scope")
    return stage


def _materials(stage: Usd.Stage, scope: str, shape: Shape, library: str) -> dict:
    return {name: usd.reference_material(stage, scope, name, library) for name in shape.materials}


def _write_asset(root: Path, name: str, shape: Shape, semantic: str, comment: str) -> None:
    stage = _new_asset(root, name, semantic, comment)
    materials = _materials(stage, f"/{name}/Materials", shape, f"../{LIBRARY}")
    usd.write_mesh(stage, f"/{name}/Geometry/Body", shape, materials)
    usd.save(stage)


def _write_variants(root: Path, name: str, group: str, shapes: dict[str, Shape], semantic: str, comment: str) -> None:
    """Write an asset whose variants differ in their mesh."""
    stage = _new_asset(root, name, semantic, comment)
    first = next(iter(shapes.values()))
    materials = _materials(stage, f"/{name}/Materials", first, f"../{LIBRARY}")
    variants = stage.GetDefaultPrim().GetVariantSets().AddVariantSet(group)
    for choice, shape in shapes.items():
        variants.AddVariant(choice)
        variants.SetVariantSelection(choice)
        with variants.GetVariantEditContext():
            usd.write_mesh(stage, f"/{name}/Geometry/Body", shape, materials, decimals=usd.POINT_DECIMALS)
    variants.SetVariantSelection(next(iter(shapes)))
    usd.save(stage)


def room_parts() -> dict[str, tuple[str, Shape]]:
    """Return floor, walls and ceiling with its lamps, each with its class."""
    (x0, y0), (x1, y1), top = ROOM_M
    floor = shape_from_faces([(x0, y0, 0), (x1, y0, 0), (x1, y1, 0), (x0, y1, 0)], [(0, 1, 2, 3)])
    ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    walls = []
    for low, high, material in ((0.0, 2.2, "ShopWall"), (2.2, 2.7, "ShopStripe"), (2.7, top, "ShopWall")):
        points = [(x, y, z) for z in (low, high) for x, y in ring]
        faces = [((k + 1) % 4, k, 4 + k, 4 + (k + 1) % 4) for k in range(4)]
        walls.append(painted(shape_from_faces(points, faces, crease_deg=30.0), material))
    ceiling = [
        painted(
            shape_from_faces([(x0, y0, top), (x0, y1, top), (x1, y1, top), (x1, y0, top)], [(0, 1, 2, 3)]),
            "ShopCeiling",
        )
    ]
    for x in np.arange(-6.0, 6.1, 2.0):
        for y in (-4.8, -1.4, 2.3):
            tray = moved(box((1.5, 0.3, 0.05), bevel_m=0.004), x, y, top - 0.06)
            ceiling.append(painted(tray, "ShelfWhite"))
            for across in (-0.07, 0.07):
                tube = lathe([(0.016, 0.0), (0.016, 1.36)], 10)
                lying = replace(tube, points_m=tube.points_m[:, [2, 1, 0]] * np.array([1.0, 1.0, -1.0]),
                                normal=tube.normal[:, [2, 1, 0]] * np.array([1.0, 1.0, -1.0]))  # fmt: skip
                ceiling.append(painted(moved(lying, x - 0.68, y + across, top - 0.085), "TubeLamp"))
    parts = {"Floor": ("floor", painted(shifted_uv(floor, 0.1, 0.2), "Vinyl"))}
    return parts | {"Wall": ("wall", joined(*walls)), "Ceiling": ("ceiling", joined(*ceiling))}
