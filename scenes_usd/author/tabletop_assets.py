"""A work bench and plastic totes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.polygon import inset, rectangle
from scenes_usd.author.shape import Floats, Shape, joined, moved, painted, turned
from scenes_usd.author.solids import box, lathe, loft, rounded_box, sweep

TABLE_M = (1.4, 0.8, 0.75)  # the top face is z = 0, the floor z = -0.75
TOTE_M = (0.3, 0.2, 0.12)  # EN 13199 footprint 300 x 200 mm
TOTE_WALL_M = 0.003
TOTE_FLOOR_M = 0.006  # top face of the inner floor
TOTES = {"blue": "ToteBlue", "grey": "ToteGrey", "red": "ToteRed"}


def write_tote(root: Path) -> None:
    """Write the tote, 300 x 200 x 120 mm, variant set ``color``."""
    path = root / "assets" / "tote.usda"
    stage = usd.new_stage(path, "Tote", kind=Kind.Tokens.component, comment="Open plastic tote, 300 x 200 x 120 mm.")
    usd.describe(stage, "Tote", path, "tote")
    stage.DefinePrim("/Tote/Geometry", "Scope")
    usd.write_mesh(stage, "/Tote/Geometry/Body", painted(tote(), "Plastic"), {"Plastic": None})
    usd.material_variants(stage, "color", {name: {"Geometry/Body": material} for name, material in TOTES.items()})
    usd.save(stage)


def tote() -> Shape:
    """Return a tapered shell with a rolled rim, ribs outside, a label holder and two handles."""
    length, width, height = TOTE_M
    wall, draft = TOTE_WALL_M, 0.008
    foot = rectangle(length - 0.014 - 2 * draft, width - 0.014 - 2 * draft, radius_m=0.02, segments=5)
    rings = [_at(inset(foot, 0.004), 0.0), _at(foot, 0.004)]
    rings += [_at(inset(foot, -draft), height - 0.012)]
    rings += [_at(inset(foot, -draft - 0.006), height - 0.012), _at(inset(foot, -draft - 0.007), height - 0.010)]
    rings += [_at(inset(foot, -draft - 0.007), height - 0.002), _at(inset(foot, -draft - 0.005), height)]
    rings += [_at(inset(foot, -draft + wall - 0.001), height), _at(inset(foot, -draft + wall), height - 0.001)]
    rings += [_at(inset(foot, wall), TOTE_FLOOR_M + 0.006), _at(inset(foot, wall + 0.005), TOTE_FLOOR_M)]
    pieces = [loft(rings)]
    slope = np.degrees(np.arctan2(draft, height - 0.016))
    for side in (-1.0, 1.0):
        for x in (-0.1, -0.055, 0.055, 0.1):
            rib = turned(box((0.005, 0.012, height - 0.02), bevel_m=0.001), "x", -side * slope)
            pieces.append(moved(rib, x, side * (width / 2.0 - 0.007 - draft * 0.5 - 0.004), 0.004))
        for y in (-0.065, 0.065):
            rib = turned(box((0.012, 0.005, height - 0.02), bevel_m=0.001), "y", side * slope)
            pieces.append(moved(rib, side * (length / 2.0 - 0.007 - draft * 0.5 - 0.004), y, 0.004))
        grip = rounded_box((0.014, 0.08, 0.014), 0.005)
        pieces.append(moved(grip, side * (length / 2.0 + 0.002), 0.0, height - 0.034))
        holder = rounded_box((0.07, 0.004, 0.045), 0.0015, segments=1)
        pieces.append(moved(turned(holder, "x", -side * slope), 0.0, side * (width / 2.0 - 0.0105), 0.04))
    return joined(*pieces)


def _at(ring_m: Floats, z_m: float) -> Floats:
    return np.column_stack([ring_m, np.full(len(ring_m), z_m)])


def write_bench(root: Path) -> None:
    """Write the work bench: laminate top, steel frame, a shelf rail and levelling feet."""
    length, width, height = TABLE_M
    top = painted(moved(box((length, width, 0.03), bevel_m=0.003), z_m=-0.03), "Laminate")
    edge = painted(moved(box((length + 0.004, width + 0.004, 0.022), bevel_m=0.004), z_m=-0.0265), "PlasticBlack")
    pieces = [top, edge]
    for x in (-length / 2 + 0.08, length / 2 - 0.08):
        for y in (-width / 2 + 0.07, width / 2 - 0.07):
            pieces.append(
                painted(moved(box((0.05, 0.05, height - 0.06), bevel_m=0.006), x, y, -height + 0.03), "CoatGrey")
            )
            foot = lathe([(0.0, 0.0), (0.025, 0.0), (0.025, 0.008), (0.008, 0.012), (0.008, 0.034), (0.0, 0.034)], 16)
            pieces.append(painted(moved(foot, x, y, -height), "PlasticBlack"))
        rail = sweep([(x, -width / 2 + 0.07, -0.05), (x, width / 2 - 0.07, -0.05)], rectangle(0.04, 0.04))
        pieces.append(painted(rail, "CoatGrey"))
    for y in (-width / 2 + 0.07, width / 2 - 0.07):
        for z in (-0.05, -height + 0.2):
            rail = sweep([(-length / 2 + 0.08, y, z), (length / 2 - 0.08, y, z)], rectangle(0.04, 0.04))
            pieces.append(painted(rail, "CoatGrey"))
    usd.write_asset(
        root, "Bench", {"Body": joined(*pieces)}, semantic="furniture", comment="Work bench; its top is z = 0."
    )
