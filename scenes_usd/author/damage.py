"""Cartons that are not as they should be: a crushed corner in three severities, open flaps, tipped over and open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import Floats, Shape, joined, moved, painted, shape_from_faces, turned
from scenes_usd.author.storage import ATLAS_TAPE_V, BOARDS, CARTON_GAP_M, CARTONS_M, on_atlas, sheet

CRUSH_M = {"light": 0.045, "medium": 0.085, "heavy": 0.135}  # how far along its edges the corner is gone
CRUSHED_SIZES = ("l600x400x300", "l600x400x400", "m400x300x300")
WALL_M = 0.004
# Angles of the four flaps, 0: closed, 90: upright; the two long ones first. What is not wide stays in its footprint.
OPEN_DEG: dict[str, tuple[float, float, float, float]] = {
    "upright": (78.0, 70.0, 84.0, 62.0),
    "half": (74.0, 22.0, 66.0, 8.0),
    "wide": (118.0, 104.0, 128.0, 96.0),
}
OPEN_SIZE = "l600x400x300"
TIPPED_DEG = (132.0, 90.0, 118.0, 140.0)  # the second flap lies on the floor
_FINE_CELLS = 7  # of the grid within the crushed part


def write_damaged_cartons(root: Path) -> None:
    """Write ``carton_crushed`` (variant set ``damage``), ``carton_open`` (``flaps``) and ``carton_tipped``."""
    crushed = {
        f"{size}_{severity}": crushed_carton(CARTONS_M[size], depth_m, seed=17 * number + 5)
        for number, (severity, depth_m) in enumerate(CRUSH_M.items())
        for size in CRUSHED_SIZES
    }
    _write(
        root, "CartonCrushed", "damage", crushed, "Taped carton with one corner crushed: size of its slot, severity."
    )
    slot = CARTONS_M[OPEN_SIZE]
    flaps = {name: open_carton(slot, angles) for name, angles in OPEN_DEG.items()}
    _write(root, "CartonOpen", "flaps", flaps, "Carton with its flaps open, empty.")
    lying = turned(open_carton(CARTONS_M["m400x300x300"], TIPPED_DEG), "x", -90.0)  # its opening faces +y
    lying = turned(lying, "z", -90.0)  # +x
    low, high = lying.points_m.min(axis=0), lying.points_m.max(axis=0)
    lying = moved(lying, -(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2])
    _write(root, "CartonTipped", "flaps", {"spilled": lying}, "Carton on its side, open towards +x.")


def _write(root: Path, name: str, variant_set: str, shapes: Mapping[str, Shape], comment: str) -> None:
    path = root / "assets" / f"{usd.snake(name)}.usda"
    stage = usd.new_stage(path, name, kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, name, path, "carton")
    stage.DefinePrim(f"/{name}/Geometry", "Scope")
    variants = stage.GetDefaultPrim().GetVariantSets().AddVariantSet(variant_set)
    for variant, shape in shapes.items():
        variants.AddVariant(variant)
        variants.SetVariantSelection(variant)
        with variants.GetVariantEditContext():
            usd.write_mesh(stage, f"/{name}/Geometry/Body", painted(shape, "Board"), {"Board": None})
    variants.SetVariantSelection(next(iter(shapes)))
    usd.material_variants(stage, "board", {name: {"Geometry/Body": board} for name, board in BOARDS.items()})
    usd.save(stage)


def crushed_carton(slot_m: tuple[float, float, float], depth_m: float, *, seed: int) -> Shape:
    """Return a closed carton whose upper corner at -x, -y is pushed in to ``depth_m`` along each edge, in folds."""
    length, width, height = (s - g for s, g in zip(slot_m, CARTON_GAP_M, strict=True))
    tape = 0.0006
    reach = 1.6 * depth_m
    body = _gridded_box((length, width, height - tape), reach)
    body = on_atlas(body, length, width, seed)
    random = np.random.Generator(np.random.PCG64(seed))
    body = replace(body, points_m=_crushed(body.points_m, (length, width, height - tape), depth_m, random))
    body = _reshaded(body)
    top = height - tape
    strip = sheet((-length / 2, -0.025, top), (length, 0, 0), (0, 0.05, 0), tape, (0.0, ATLAS_TAPE_V, length, 0.05))
    ends = []
    for side in (-1.0, 1.0):
        corner = (side * length / 2, -0.025 * side, top - 0.07)
        ends.append(sheet(corner, (0, 0.05 * side, 0), (0, 0, 0.07), tape, (0.0, ATLAS_TAPE_V, 0.05, 0.07)))
    return joined(body, strip, *ends)


def _reshaded(shape: Shape) -> Shape:
    """Return the shape with normals of its present points; folds sharper than a crease stay sharp."""
    start = np.concatenate([[0], np.cumsum(shape.count)[:-1]])
    faces = [shape.index[a : a + n].tolist() for a, n in zip(start, shape.count, strict=True)]
    return shape_from_faces(shape.points_m, faces, crease_deg=58.0, uv_m=shape.uv_m)


def _crushed(
    points_m: Floats, size_m: tuple[float, float, float], depth_m: float, random: np.random.Generator
) -> Floats:
    """Return the points with those beyond a slanting plane pushed back to it, and folds beside it."""
    corner = np.array([-size_m[0] / 2, -size_m[1] / 2, size_m[2]])
    inward = np.array([1.0, 1.0, -1.0])
    away = (points_m - corner) * inward  # distances from the corner along the edges, 0 and more
    weight = np.array([1.0, 0.9, 1.15])
    beyond = 1.0 - (away * weight).sum(axis=1) / depth_m  # 1 at the corner, 0 on the plane
    fold = np.sin(away @ np.array([61.0, 83.0, 47.0]) * 0.055 / depth_m + random.uniform(0.0, 6.0))
    push = np.maximum(beyond, 0.0) * depth_m / 3.0 * (1.0 + 0.2 * fold)
    bulge = np.exp(-((beyond + 0.35) ** 2) / 0.08) * depth_m * 0.045 * fold * (beyond < 0.0)
    direction = inward / np.sqrt(3.0)
    moved_m = points_m + direction * (push * np.sqrt(3.0) + np.abs(bulge))[:, None]
    low, high = points_m.min(axis=0), points_m.max(axis=0)
    return np.clip(moved_m, low, high)


def _gridded_box(size_m: tuple[float, float, float], reach_m: float) -> Shape:
    """Return a box on z = 0 whose faces are grids, fine within ``reach_m`` of the corner at -x, -y, +z."""
    half = np.array([size_m[0] / 2, size_m[1] / 2, size_m[2]])
    fine = np.linspace(0.0, reach_m, _FINE_CELLS + 1)
    lines = [
        np.concatenate([-half[0] + fine, [half[0]]]),
        np.concatenate([-half[1] + fine, [half[1]]]),
        np.concatenate([[0.0], (half[2] - fine)[::-1]]),
    ]
    number: dict[tuple[int, int, int], int] = {}
    points: list[tuple[float, float, float]] = []

    def point(key: tuple[int, int, int]) -> int:
        if key not in number:
            number[key] = len(points)
            points.append((lines[0][key[0]], lines[1][key[1]], lines[2][key[2]]))
        return number[key]

    faces = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for end in (0, len(lines[axis]) - 1):
            for i in range(len(lines[u]) - 1):
                for j in range(len(lines[v]) - 1):
                    ring = []
                    for a, b in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)):
                        key = [0, 0, 0]
                        key[axis], key[u], key[v] = end, a, b
                        ring.append(point((key[0], key[1], key[2])))
                    faces.append(tuple(ring) if end else tuple(ring[::-1]))
    return shape_from_faces(points, faces)


def open_carton(slot_m: tuple[float, float, float], flaps_deg: tuple[float, float, float, float]) -> Shape:
    """Return an empty carton without a lid, its four flaps turned up by these angles: at -y, +y, -x, +x."""
    length, width, height = (s - g for s, g in zip(slot_m, CARTON_GAP_M, strict=True))
    x, y = length / 2 - WALL_M, width / 2 - WALL_M  # the middle of the walls
    plain = (0.004, 0.004, 0.6, 0.4)
    pieces = [
        sheet((-x, -y, WALL_M), (2 * x, 0, 0), (0, 2 * y, 0), WALL_M, (0.01, 0.01, 2 * x, 2 * y)),
        sheet((-x, -y, 0.0), (2 * x, 0, 0), (0, 0, height), WALL_M, (0.01, 0.45, 2 * x, min(height, 0.42))),
        sheet((x, y, 0.0), (-2 * x, 0, 0), (0, 0, height), WALL_M, (0.01, 0.01, 2 * x, height)),
        sheet((-x, y, 0.0), (0, -2 * y, 0), (0, 0, height), WALL_M, (0.01, 0.01, 2 * y, height)),
        sheet((x, -y, 0.0), (0, 2 * y, 0), (0, 0, height), WALL_M, (0.01, 0.01, 2 * y, height)),
    ]
    reach = width / 2 - 0.003  # of every flap: the long ones meet in the middle
    low, left, right, high = flaps_deg[0], flaps_deg[2], flaps_deg[3], flaps_deg[1]
    for yaw, across, away, angle in ((0.0, x, y, low), (180.0, x, y, high), (-90.0, y, x, left), (90.0, y, x, right)):
        flap = sheet(
            (-across + 0.002, 0, 0), (2 * across - 0.004, 0, 0), (0, reach, 0), WALL_M / 2, (*plain[:2], across, reach)
        )
        flap = moved(turned(flap, "x", angle), 0.0, -away, height)
        pieces.append(turned(flap, "z", yaw))
    return joined(*pieces)
