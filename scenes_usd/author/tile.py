"""The magnet line: ground ferrite arc segments on a belt, below a camera with a long lens and eight bar lights.

Segments of motor magnets are rings of pressed and sintered ferrite cut along the axis: two faces are ground along the
axis, the long edges are chamfered, the ends stay as they were pressed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Gf, Kind, Usd, UsdLux

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import Shape, moved, painted, shape_from_faces, turned
from scenes_usd.author.solids import box, extrusion

ROOT = "/MagnetLine"
MM = 1.0e-3
ARC_SEGMENTS = 24
CREASE_DEG = 12.0  # chamfers stay flat, the arc shades as a round
EYE_M = 0.42  # height of the camera above the belt; at 200 mm it sees 44 x 33 mm
BELT_M = (0.16, 0.9)

# name: width, length, radius of the upper face (below 0: it is hollow), width and angle of its chamfers, thickness
SEGMENTS_MM = {
    "w12": (12.0, 29.0, 14.0, 1.2, 30.0, 4.0),
    "w20": (20.0, 28.0, 22.0, 1.0, 35.0, 5.0),
    "w22": (22.0, 33.0, -45.0, 1.6, 22.0, 5.0),
    "w26": (26.0, 39.0, 20.0, 2.2, 30.0, 6.0),
    "w30": (30.0, 35.0, 36.0, 0.8, 40.0, 6.0),
    "w34": (34.0, 37.0, -90.0, 2.0, 18.0, 6.0),
    "w52": (52.0, 34.0, 60.0, 1.8, 25.0, 7.0),
    "w60": (60.0, 26.0, 120.0, 1.4, 30.0, 7.0),
}
BARS_M = {  # where bar lights stand around the middle of the field, and their size: x, y, z, width, height
    "Left": (-0.06, 0.0, 0.045, 0.05, 0.012),
    "Right": (0.06, 0.0, 0.045, 0.05, 0.012),
    "Front": (0.0, -0.05, 0.04, 0.05, 0.012),
    "Back": (0.0, 0.05, 0.04, 0.05, 0.012),
    "OverLeft": (-0.026, 0.0, 0.09, 0.08, 0.008),
    "OverRight": (0.026, 0.0, 0.09, 0.08, 0.008),
    "HighLeft": (-0.06, -0.05, 0.18, 0.08, 0.03),
    "HighRight": (0.06, 0.05, 0.18, 0.08, 0.03),
}


def segment(size_mm: tuple[float, float, float, float, float, float]) -> Shape:
    """Return an arc segment, its axis along y, standing on z = 0, the ground face upwards."""
    width, length, radius, chamfer, thickness = (MM * size_mm[i] for i in (0, 1, 2, 3, 5))
    chamfer_deg = size_mm[4]
    drop = chamfer * np.tan(np.radians(chamfer_deg))
    half = width / 2.0 - chamfer
    x = np.linspace(half, -half, ARC_SEGMENTS + 1)
    bow = np.sign(radius) * (np.sqrt(radius**2 - x**2) - np.sqrt(radius**2 - half**2))
    top = np.column_stack([x, thickness + bow - min(0.0, float(bow.min()))])
    low = float(top[0, 1]) - drop
    below = [(-width / 2.0, 0.0), (width / 2.0, 0.0)]
    outline = np.array([*below, (width / 2.0, low), *top, (-width / 2.0, low)])
    bar = extrusion(outline, length, crease_deg=CREASE_DEG)
    return moved(turned(bar, "x", 90.0), 0.0, length / 2.0, 0.0)


def write_assets(root: Path) -> None:
    """Write the segments, variant set ``size``, and the belt."""
    path = root / "assets" / "magnet_segment.usda"
    comment = "Ferrite arc segment, ground along y; variant set size names its width [mm]. Origin below its middle."
    stage = usd.new_stage(path, "MagnetSegment", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "MagnetSegment", path, "part")
    stage.DefinePrim("/MagnetSegment/Geometry", "Scope")
    ferrite = usd.reference_material(stage, "/MagnetSegment/Materials", "Ferrite", f"../{usd.LIBRARY}")
    variants = stage.GetDefaultPrim().GetVariantSets().AddVariantSet("size")
    for name, size_mm in SEGMENTS_MM.items():
        variants.AddVariant(name)
        variants.SetVariantSelection(name)
        with variants.GetVariantEditContext():
            shape = painted(segment(size_mm), "Ferrite")
            usd.write_mesh(
                stage, "/MagnetSegment/Geometry/Body", shape, {"Ferrite": ferrite}, decimals=usd.POINT_DECIMALS
            )
    variants.SetVariantSelection("w30")
    usd.save(stage)
    rail = moved(box((0.008, BELT_M[1], 0.02)), 0.0, 0.0, -0.004)
    rails = [painted(moved(rail, side * (BELT_M[0] / 2.0 + 0.004), 0.0, 0.0), "Anodized") for side in (-1.0, 1.0)]
    usd.write_asset(
        root,
        "MagnetBelt",
        {"Left": rails[0], "Right": rails[1]},
        semantic="fixture",
        comment="Side rails of the belt that magnet segments travel on.",
    )


def write_scene(root: Path) -> None:
    """Write ``tile.usda``."""
    path = root / "tile.usda"
    comment = (
        "Ferrite segments of motor magnets on a belt below a camera. Z up, metres, the belt at z = 0. "
        "Written by author/tile.py."
    )
    stage = usd.new_stage(path, "MagnetLine", kind=Kind.Tokens.assembly, comment=comment)
    prim = usd.group(stage, f"{ROOT}/Belt", kind=Kind.Tokens.component)
    usd.label(prim, "furniture")
    bound = usd.reference_material(stage, f"{ROOT}/Materials", "BeltRubber", f"./{usd.LIBRARY}")
    x, y = BELT_M[0] / 2.0, BELT_M[1] / 2.0
    quad = shape_from_faces([(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0)], [(0, 1, 2, 3)])
    usd.write_mesh(stage, f"{ROOT}/Belt/Top", painted(quad, "BeltRubber"), {"BeltRubber": bound})
    usd.write_instance(stage, f"{ROOT}/Rails", "magnet_belt")
    usd.group(stage, f"{ROOT}/Tiles")
    for number, name in enumerate(SEGMENTS_MM):
        tile = usd.write_instance(stage, f"{ROOT}/Tiles/{name.upper()}", "magnet_segment", variants={"size": name})
        usd.place(tile, (0.0, (number - (len(SEGMENTS_MM) - 1) // 2) * 0.05, 0.0))
    usd.group(stage, f"{ROOT}/Areas", kind="")
    usd.write_anchor(stage, f"{ROOT}/Areas/Field", "tile_field", (0.0, 0.0, 0.0), (0.064, 0.044, 0.02))
    _write_lights(stage)
    usd.group(stage, f"{ROOT}/Cameras", kind="")
    usd.write_camera(stage, f"{ROOT}/Cameras/Line", (0.0, 0.0, EYE_M), (0.0, 0.0, 0.006), focal_mm=200.0)
    usd.write_camera(stage, f"{ROOT}/Cameras/Overview", (0.3, -0.34, 0.26), (0.0, 0.0, 0.0), focal_mm=35.0)
    usd.save(stage)


def _write_lights(stage: Usd.Stage) -> None:
    """Write the bars around the field, each facing its middle, and a dim room."""
    usd.group(stage, f"{ROOT}/Lights", kind="")
    for name, (*eye_m, width, height) in BARS_M.items():
        light = UsdLux.RectLight.Define(stage, f"{ROOT}/Lights/{name}")
        light.CreateWidthAttr(width)
        light.CreateHeightAttr(height)
        light.CreateIntensityAttr(24.0 if name.startswith("High") else 16.0)
        light.CreateExtentAttr([Gf.Vec3f(-width / 2, -height / 2, 0.0), Gf.Vec3f(width / 2, height / 2, 0.0)])
        usd.aim(light.GetPrim(), eye_m, (0.0, 0.0, 0.006))
    dome = UsdLux.DomeLight.Define(stage, f"{ROOT}/Lights/Room")
    dome.CreateIntensityAttr(0.2)


if __name__ == "__main__":
    write_scene(Path(__file__).resolve().parents[1])
