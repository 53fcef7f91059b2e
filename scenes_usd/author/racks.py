"""Pallet racking at its real dimensions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.polygon import rectangle
from scenes_usd.author.shape import Shape, joined, moved, painted, shape_from_faces, turned
from scenes_usd.author.solids import box, extrusion, sweep

BAY_M = 2.7  # clear width between uprights: three pallets side by side
UPRIGHT_M = (0.09, 0.07)  # along x, along y
DEPTH_M = 1.05
HEIGHT_M = 4.2
LEVELS_M = (1.5, 3.0)  # top faces of the beams
BEAM_M = (0.05, 0.11)  # along y, along z
PITCH_M = BAY_M + UPRIGHT_M[0]  # from one bay to the next
_SLOT_PITCH_M = 0.1  # between the slots in the uprights
FINISHES = {
    "blue_orange": ("CoatBlue", "CoatOrange"),
    "grey_orange": ("CoatGrey", "CoatOrange"),
    "green_grey": ("CoatGreen", "CoatGrey"),
}


def write_rack_bay(root: Path) -> None:
    """Write one bay: variant sets ``frames`` (starter: two, addon: the right one) and ``finish`` (colour pairs)."""
    path = root / "assets" / "rack_bay.usda"
    comment = "Pallet rack bay along x, 2.7 m clear; the origin is the middle of the clear width on the floor."
    stage = usd.new_stage(path, "RackBay", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "RackBay", path, "rack")
    stage.DefinePrim("/RackBay/Geometry", "Scope")
    fixed = {"Bars": "Galvanized", "Slots": "PlasticBlack", "Feet": "Galvanized"}
    materials = {
        k: usd.reference_material(stage, "/RackBay/Materials", m, f"../{usd.LIBRARY}") for k, m in fixed.items()
    }
    frames = stage.GetDefaultPrim().GetVariantSets().AddVariantSet("frames")
    for variant, sides in (("starter", (-1.0, 1.0)), ("addon", (1.0,))):
        frames.AddVariant(variant)
        frames.SetVariantSelection(variant)
        with frames.GetVariantEditContext():
            bay = rack_bay(sides)
            usd.write_mesh(stage, "/RackBay/Geometry/Steel", bay, {"Uprights": None, "Beams": None, **materials})
    frames.SetVariantSelection("starter")
    subsets = ("Geometry/Steel/Uprights", "Geometry/Steel/Beams")
    choices = {name: dict(zip(subsets, pair, strict=True)) for name, pair in FINISHES.items()}
    usd.material_variants(stage, "finish", choices)
    usd.save(stage)


def rack_bay(sides: Sequence[float]) -> Shape:
    """Return beams and support bars between two frames, with the frames at the given ``sides`` (-1 left, 1 right)."""
    pieces = [_frame(side * (BAY_M + UPRIGHT_M[0]) / 2.0) for side in sides]
    for level in LEVELS_M:
        for side in (-1.0, 1.0):
            y = side * (DEPTH_M - BEAM_M[0]) / 2.0
            beam = box((BAY_M, *BEAM_M), bevel_m=0.006)
            pieces.append(painted(moved(beam, 0.0, y, level - BEAM_M[1]), "Beams"))
            for end in (-1.0, 1.0):
                plate = box((0.006, 0.068, 0.2), bevel_m=0.0015)
                pieces.append(painted(moved(plate, end * (BAY_M / 2 - 0.003), y, level - 0.16), "Beams"))
        for x in (-1.2, -0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 1.2):
            bar = box((0.04, DEPTH_M - 2 * BEAM_M[0], 0.03))
            pieces.append(painted(moved(bar, x, 0.0, level - 0.03), "Bars"))
    return joined(*pieces)


def _frame(x_m: float) -> Shape:
    """Return two posts with feet and bracing, centred at ``x_m``."""
    width, depth = UPRIGHT_M
    channel = [(-width / 2, -depth / 2), (width / 2, -depth / 2), (width / 2, depth / 2), (width / 2 - 0.02, depth / 2)]
    channel += [(width / 2 - 0.02, depth / 2 - 0.003), (width / 2 - 0.003, depth / 2 - 0.003)]
    channel += [(width / 2 - 0.003, -depth / 2 + 0.003), (-width / 2 + 0.003, -depth / 2 + 0.003)]
    channel += [(-width / 2 + 0.003, depth / 2 - 0.003), (-width / 2 + 0.02, depth / 2 - 0.003)]
    channel += [(-width / 2 + 0.02, depth / 2), (-width / 2, depth / 2)]
    post = joined(painted(extrusion(channel, HEIGHT_M), "Uprights"), painted(_slots(), "Slots"))
    post = joined(post, painted(box((0.13, 0.12, 0.008), bevel_m=0.001), "Feet"))
    offset = (DEPTH_M - depth) / 2.0
    pieces = [moved(post, x_m, -offset, 0.0), moved(turned(post, "z", 180.0), x_m, offset, 0.0)]
    heights = np.linspace(0.25, HEIGHT_M - 0.25, 6)
    reach = offset - 0.01
    for low, high in itertools.pairwise(heights):
        pieces.append(_brace((x_m, -reach, low), (x_m, reach, low)))
        pieces.append(_brace((x_m, -reach, low), (x_m, reach, high)))
    pieces.append(_brace((x_m, -reach, heights[-1]), (x_m, reach, heights[-1])))
    return joined(*pieces)


def _brace(start_m: Sequence[float], end_m: Sequence[float]) -> Shape:
    return painted(sweep([start_m, end_m], rectangle(0.03, 0.04), up=(1.0, 0.0, 0.0)), "Uprights")


def _slots() -> Shape:
    """Return two rows of keyhole slots as dark plates just above the front (-y) face of a post."""
    rows = np.arange(0.1, HEIGHT_M - 0.05, _SLOT_PITCH_M)
    ring = ((-0.006, -0.014), (0.006, -0.014), (0.009, 0.014), (-0.009, 0.014))
    centres = [(side * 0.022, z) for z in rows for side in (-1.0, 1.0)]
    points = [(x + dx, -UPRIGHT_M[1] / 2 - 0.0006, z + dz) for x, z in centres for dx, dz in ring]
    faces = [tuple(range(4 * k, 4 * k + 4)) for k in range(len(centres))]
    return shape_from_faces(np.array(points), faces)
