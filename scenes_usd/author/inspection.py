"""The inspection cell: a machined plate on a fixture under a ring light, seen by a macro camera through the ring.

Why six rectangles: a ring with a hole cannot be a DiskLight, a lit mesh is no light to a renderer that samples lights
only, and every light costs a shadow ray a sample. Six rectangles on the ring's circle have its area to 2 % and its
symmetry, so that a brushed surface shows the even, direction-free highlight that such lights are built for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Gf, Kind, Usd, UsdLux

from scenes_usd.author import stage as usd
from scenes_usd.author.polygon import rectangle
from scenes_usd.author.shape import Shape, joined, moved, painted, rotation, shape_from_faces, turned
from scenes_usd.author.solids import box, circle, extrusion, lathe, rounded_box, tube

ROOT = "/Inspection"
MM = 1.0e-3
PLATE_M = (0.16, 0.11, 0.012)
SEAT_M = 0.03  # height of the plate's lower face above the table, z = 0
RING_M = (0.058, 0.084)  # inner and outer radius of the light-emitting face
RING_Z_M = 0.25  # its height above the table
RING_COUNT = 6
RING_TILT_DEG = 18.0  # towards the axis
PLATE_FINISHES = {
    "brushed_steel": "BrushedSteel",
    "ground_steel": "GroundSteel",
    "brushed_aluminium": "BrushedAluminium",
    "black_oxide": "BlackOxide",
}


def plate() -> Shape:
    """Return the plate: chamfered edges, four countersunk holes, a bore, two tapped holes and a slot right through."""
    length, width, height = PLATE_M
    corners = [circle(4.5 * MM, 32, x_m=x * 64 * MM, y_m=y * 40 * MM) for x in (-1, 1) for y in (-1, 1)]
    bore = circle(15 * MM, 64, x_m=-24 * MM)
    tapped = [circle(2.5 * MM, 28, x_m=36 * MM, y_m=y * 26 * MM) for y in (-1, 1)]
    slot = rectangle(44 * MM, 12 * MM, radius_m=5.9 * MM, segments=9) + np.array([34 * MM, 0.0])
    bevels = [1.0 * MM, *[3.0 * MM] * 4, 1.2 * MM, *[0.6 * MM] * 2, 0.8 * MM]
    outline = rectangle(length, width, radius_m=5 * MM, segments=8)
    return extrusion(outline, height, bevel_m=bevels, holes_m=[*corners, bore, *tapped, slot], crease_deg=30.0)


def write_plate(root: Path) -> None:
    """Write the plate, 160 x 110 x 12 mm, variant set ``finish``."""
    path = root / "assets" / "plate.usda"
    comment = "Machined plate, 160 x 110 x 12 mm, brushed along x; origin at the middle of its lower face."
    stage = usd.new_stage(path, "Plate", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "Plate", path, "part")
    stage.DefinePrim("/Plate/Geometry", "Scope")
    shape = painted(plate(), "Metal")
    usd.write_mesh(stage, "/Plate/Geometry/Body", shape, {"Metal": None}, decimals=usd.POINT_DECIMALS)
    usd.material_variants(stage, "finish", {name: {"Geometry/Body": m} for name, m in PLATE_FINISHES.items()})
    usd.save(stage)


def write_fixture(root: Path) -> None:
    """Write the fixture: base plate, rest buttons, locating pins, two toggle clamps, the post of the ring light."""
    base = rounded_box((0.32, 0.24, 0.016), 0.002, segments=1)
    pieces = [painted(base, "FixtureGrey")]
    for y in (-0.085, 0.085):
        groove = box((0.32, 0.012, 0.0015))
        pieces.append(painted(moved(groove, 0.0, y, 0.0152), "PlasticBlack"))
    rest = lathe([(0.0, 0.0), (0.009, 0.0), (0.009, 0.012), (0.0075, 0.0138), (0.0, 0.0138)], 24)
    for x in (-0.045, 0.045):
        for y in (-0.02, 0.02):
            pieces.append(painted(moved(rest, x, y, 0.016), "Zinc"))
    pin = lathe([(0.0, 0.0), (0.006, 0.0), (0.006, 0.019), (0.004, 0.022), (0.0, 0.022)], 20)
    for x, y in ((-0.0875, -0.03), (-0.0875, 0.03), (0.03, 0.0625)):
        pieces.append(painted(moved(pin, x, y, 0.016), "Chrome"))
    pieces += [moved(_clamp(), 0.098, -0.03, 0.016), moved(_clamp(), 0.098, 0.03, 0.016)]
    post = lathe([(0.0, 0.0), (0.011, 0.0), (0.011, 0.42), (0.009, 0.424), (0.0, 0.424)], 20)
    foot = lathe([(0.0, 0.0), (0.024, 0.0), (0.024, 0.012), (0.02, 0.016), (0.0, 0.016)], 24)
    pieces += [
        painted(moved(post, -0.13, 0.098, 0.016), "Chrome"),
        painted(moved(foot, -0.13, 0.098, 0.016), "Anodized"),
    ]
    usd.write_asset(
        root, "Fixture", {"Body": joined(*pieces)}, semantic="fixture", comment="Base plate, rests, pins, clamps, post."
    )


def _clamp() -> Shape:
    """Return a low side clamp with its knurled screw along -x."""
    block = painted(rounded_box((0.024, 0.02, 0.022), 0.002, segments=1), "BlackOxide")
    screw = painted(tube([(-0.0175, 0, 0.018), (0.02, 0, 0.018)], 0.003, segments=14), "Zinc")
    knob = lathe([(0.0, 0.0), (0.0075, 0.0), (0.0085, 0.001), (0.0085, 0.009), (0.0075, 0.01), (0.0, 0.01)], 24)
    return joined(block, screw, painted(moved(turned(knob, "y", 90.0), 0.018, 0.0, 0.018), "BlackOxide"))


def write_ring_light(root: Path) -> None:
    """Write the ring light's housing with its diffuser and arm; the lights themselves are in the scene."""
    inner, outer = RING_M
    b = 2 * MM
    tilt = np.tan(np.radians(RING_TILT_DEG)) * (outer - inner)
    section = [(inner - 6 * MM, 2 * MM), (inner - 6 * MM + b, 0.0), (inner, 4 * MM), (outer, 4 * MM - tilt)]
    section += [
        (outer + 8 * MM, -tilt),
        (outer + 10 * MM, -tilt + b),
        (outer + 10 * MM, 26 * MM),
        (outer + 6 * MM, 30 * MM),
    ]
    section += [(inner - 2 * MM, 30 * MM), (inner - 6 * MM, 26 * MM), (inner - 6 * MM, 2 * MM)]
    housing = lathe(section, 60)
    diffuser = lathe([(inner + 1 * MM, 3.4 * MM), (outer - 1 * MM, 3.4 * MM - tilt * 0.96)], 60)
    fins = [
        turned(moved(box((0.022, 0.002, 0.006)), (inner + outer) / 2.0, 0.0, 0.0295), "z", k * 15.0) for k in range(24)
    ]
    arm = tube([(-0.02, 0.1, 0.015), (-0.13, 0.098, 0.015)], 0.006, segments=14)
    link = painted(moved(rounded_box((0.05, 0.014, 0.02), 0.003), -0.012, 0.096, 0.005), "Anodized")
    collar = painted(
        moved(lathe([(0.0115, -0.012), (0.02, -0.012), (0.02, 0.012), (0.0115, 0.012)], 24), -0.13, 0.098, 0.015),
        "Anodized",
    )
    parts = [painted(housing, "Anodized"), painted(diffuser, "RingDiffuser"), painted(joined(*fins), "Anodized")]
    body = joined(*parts, painted(arm, "Chrome"), link, collar)
    comment = "Ring light, 176 mm over the emitting face; origin in the plane of its lights, on the axis."
    usd.write_asset(root, "RingLight", {"Body": body}, semantic="fixture", comment=comment)


def write_coupons(root: Path) -> None:
    """Write three roughness standards on a holder, one in each finish that a plate may have."""
    holder = painted(rounded_box((0.03, 0.1, 0.008), 0.0015, segments=1), "Anodized")
    names = ("BrushedSteel", "GroundSteel", "BrushedAluminium")
    pieces = [holder]
    for k, name in enumerate(names):
        pieces.append(painted(moved(box((0.022, 0.024, 0.004), bevel_m=0.0004), 0.0, (k - 1) * 0.031, 0.008), name))
    comment = "Roughness standards: brushed steel, ground steel, brushed aluminium."
    usd.write_asset(root, "Coupons", {"Body": joined(*pieces)}, semantic="fixture", comment=comment)


def write_assets(root: Path) -> None:
    """Write everything that the scene refers to."""
    write_plate(root)
    write_fixture(root)
    write_ring_light(root)
    write_coupons(root)


def write_scene(root: Path) -> None:
    """Write ``inspection.usda``."""
    path = root / "inspection.usda"
    comment = (
        "A machined plate under a ring light. Z up, metres, the table's top at z = 0. Written by author/inspection.py."
    )
    stage = usd.new_stage(path, "Inspection", kind=Kind.Tokens.assembly, comment=comment)
    _write_table(stage)
    usd.group(stage, f"{ROOT}/Cell")
    usd.write_instance(stage, f"{ROOT}/Cell/Fixture", "fixture")
    usd.place(usd.write_instance(stage, f"{ROOT}/Cell/RingLight", "ring_light"), (0.0, 0.0, RING_Z_M))
    usd.place(usd.write_instance(stage, f"{ROOT}/Cell/Coupons", "coupons"), (-0.125, -0.03, 0.016))
    usd.group(stage, f"{ROOT}/Parts")
    usd.place(
        usd.write_instance(stage, f"{ROOT}/Parts/Plate", "plate", variants={"finish": "brushed_steel"}),
        (0.0, 0.0, SEAT_M),
    )
    usd.group(stage, f"{ROOT}/Areas", kind="")
    size = (PLATE_M[0] + 0.01, PLATE_M[1] + 0.01, PLATE_M[2])
    usd.write_anchor(stage, f"{ROOT}/Areas/Seat", "part_slot", (0.0, 0.0, SEAT_M), size)
    usd.write_anchor(stage, f"{ROOT}/Areas/Oblique", "camera_volume", (0.16, -0.22, 0.12), (0.2, 0.14, 0.1))
    usd.write_anchor(stage, f"{ROOT}/Areas/Face", "look_volume", (0.0, 0.0, SEAT_M + PLATE_M[2]), (0.1, 0.06, 0.0))
    _write_lights(stage)
    usd.group(stage, f"{ROOT}/Cameras", kind="")
    top = SEAT_M + PLATE_M[2]
    cameras = {
        "Macro": ((0.0, 0.0, 0.46), (0.0, 0.0, top), 50.0),
        "Oblique": ((0.2, -0.24, 0.2), (0.005, 0.0, top), 35.0),
        "Grazing": ((-0.03, -0.3, 0.1), (0.0, 0.0, top), 35.0),
        "Cell": ((0.42, -0.5, 0.42), (0.0, 0.0, 0.12), 28.0),
    }
    for name, (eye, target, focal) in cameras.items():
        usd.write_camera(stage, f"{ROOT}/Cameras/{name}", eye, target, focal_mm=focal)
    usd.save(stage)


def _write_table(stage: Usd.Stage) -> None:
    """Write the table that everything stands on."""
    prim = usd.group(stage, f"{ROOT}/Table", kind=Kind.Tokens.component)
    usd.label(prim, "furniture")
    bound = usd.reference_material(stage, f"{ROOT}/Materials", "Laminate", f"./{usd.LIBRARY}")
    x, y = 0.8, 0.6
    quad = shape_from_faces([(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0)], [(0, 1, 2, 3)])
    usd.write_mesh(stage, f"{ROOT}/Table/Top", painted(quad, "Laminate"), {"Laminate": bound})


def _write_lights(stage: Usd.Stage) -> None:
    """Write the ring's segments, each facing down and inwards, a low bar behind the part, and a dim room."""
    usd.group(stage, f"{ROOT}/Lights", kind="")
    radius = 0.5 * sum(RING_M)
    width = RING_M[1] - RING_M[0]
    height = 2.0 * radius * np.tan(np.pi / RING_COUNT) * 0.92
    for k in range(RING_COUNT):
        light = UsdLux.RectLight.Define(stage, f"{ROOT}/Lights/Ring_{k}")
        light.CreateWidthAttr(round(width, 5))
        light.CreateHeightAttr(round(float(height), 5))
        light.CreateIntensityAttr(4.0)
        light.CreateEnableColorTemperatureAttr(True)
        light.CreateColorTemperatureAttr(5600.0)
        half = Gf.Vec3f(round(width / 2, 5), round(float(height) / 2, 5), 0.0)
        light.CreateExtentAttr([-half, half])
        matrix = np.eye(4)
        matrix[:3, :3] = rotation("z", k * 360.0 / RING_COUNT) @ rotation("y", RING_TILT_DEG)
        angle = np.radians(k * 360.0 / RING_COUNT)
        matrix[:3, 3] = (radius * np.cos(angle), radius * np.sin(angle), RING_Z_M - 0.008)
        light.AddTransformOp().Set(Gf.Matrix4d((np.round(matrix.T, 6) + 0.0).tolist()))
    bar = UsdLux.RectLight.Define(stage, f"{ROOT}/Lights/Bar")
    bar.CreateWidthAttr(0.3)
    bar.CreateHeightAttr(0.05)
    bar.CreateIntensityAttr(5.0)
    bar.CreateExtentAttr([Gf.Vec3f(-0.15, -0.025, 0.0), Gf.Vec3f(0.15, 0.025, 0.0)])
    usd.aim(bar.GetPrim(), (-0.05, 0.42, 0.2), (0.0, 0.0, 0.03))
    dome = UsdLux.DomeLight.Define(stage, f"{ROOT}/Lights/Room")
    dome.CreateIntensityAttr(0.12)


if __name__ == "__main__":
    write_scene(Path(__file__).resolve().parents[1])
