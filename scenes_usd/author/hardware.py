"""Standard parts at their real sizes: hexagon bolts, nuts, washers, gears, bearings, brackets, profiles, springs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.polygon import filleted
from scenes_usd.author.shape import Floats, Shape, joined, moved, shape_from_faces, turned
from scenes_usd.author.solids import circle, extrusion, lathe, tube

MM = 1.0e-3


@dataclass(frozen=True)
class Thread:
    """A metric coarse thread and the hexagon that goes with it. Source: ISO 4017 (bolts), ISO 4032 (nuts), ISO 7089."""

    diameter_m: float
    pitch_m: float
    across_flats_m: float
    head_m: float  # height of the bolt's head
    nut_m: float  # height of the nut
    length_m: float  # of the bolt below its head
    washer_m: tuple[float, float, float]  # inner and outer diameter, thickness


THREADS = {
    "m8": Thread(8 * MM, 1.25 * MM, 13 * MM, 5.3 * MM, 6.8 * MM, 30 * MM, (8.4 * MM, 16 * MM, 1.6 * MM)),
    "m10": Thread(10 * MM, 1.5 * MM, 16 * MM, 6.4 * MM, 8.4 * MM, 35 * MM, (10.5 * MM, 20 * MM, 2.0 * MM)),
    "m12": Thread(12 * MM, 1.75 * MM, 18 * MM, 7.5 * MM, 10.8 * MM, 40 * MM, (13.0 * MM, 24 * MM, 2.5 * MM)),
}
FINISHES = {
    "bolt": ("Zinc", "BlackOxide"),
    "nut": ("Zinc", "Brass", "BlackOxide"),
    "washer": ("Zinc", "Brass"),
    "gear": ("SteelWorn", "Brass", "BlackOxide"),
    "bearing": ("BearingSteel",),
    "bracket": ("Galvanized", "CoatBlack"),
    "profile": ("Aluminium",),
    "spring": ("Chrome", "BlackOxide"),
}
_AROUND = 10  # facets around a thread


def write_hardware(root: Path) -> None:
    """Write one asset for each class of part: variant sets ``size`` (where there are several) and ``finish``."""
    sized = {"bolt": bolt, "nut": nut, "washer": washer}
    for name, make in sized.items():
        _write_part(root, name, {size: make(thread) for size, thread in THREADS.items()})
    _write_part(root, "gear", {"z18": gear(18, 2.0 * MM, 10 * MM, 10 * MM), "z26": gear(26, 1.5 * MM, 8 * MM, 12 * MM)})
    _write_part(root, "bearing", {"6203": bearing(17 * MM, 40 * MM, 12 * MM), "608": bearing(8 * MM, 22 * MM, 7 * MM)})
    _write_part(
        root, "bracket", {"40x30": bracket(40 * MM, 30 * MM, 28 * MM), "30x25": bracket(30 * MM, 25 * MM, 24 * MM)}
    )
    _write_part(root, "profile", {"l25": profile(25 * MM, 3 * MM, 48 * MM)})
    _write_part(root, "spring", {"d14": spring(14 * MM, 1.6 * MM, 36 * MM, 7)})


def _write_part(root: Path, name: str, sizes: dict[str, Shape]) -> None:
    prim = name.capitalize()
    path = root / "assets" / f"{name}.usda"
    comment = f"{prim}s; the axis is z, the origin the middle of the lower face's bounds."
    stage = usd.new_stage(path, prim, kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, prim, path, name)
    stage.DefinePrim(f"/{prim}/Geometry", "Scope")
    variants = stage.GetDefaultPrim().GetVariantSets().AddVariantSet("size")
    for size, shape in sizes.items():
        variants.AddVariant(f"_{size}" if size[0].isdigit() else size)
        variants.SetVariantSelection(f"_{size}" if size[0].isdigit() else size)
        with variants.GetVariantEditContext():
            usd.write_mesh(stage, f"/{prim}/Geometry/Body", shape, {"Default": None}, decimals=usd.POINT_DECIMALS)
    variants.SetVariantSelection(variants.GetVariantNames()[0])
    usd.material_variants(stage, "finish", {f.lower(): {"Geometry/Body": f} for f in FINISHES[name]})
    usd.save(stage)


def _hexagon(across_m: float) -> tuple[Floats, Floats]:
    """Return angles and radii of a hexagon, six points on each side, so that a cone can cut its corners smoothly."""
    angle = np.radians(np.arange(0.0, 360.0, 10.0))
    folded = (np.degrees(angle) + 30.0) % 60.0 - 30.0
    return angle, across_m / 2.0 / np.cos(np.radians(folded))


def _polar(angle: Floats, radius_m: Floats | float, z_m: Floats | float) -> Floats:
    """Return points [angle, 3] around the z axis."""
    radius, z = np.broadcast_to(radius_m, angle.shape), np.broadcast_to(z_m, angle.shape)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])


def _rings(rings: list[Floats], *, closed: bool, crease_deg: float) -> Shape:
    """Return the surface between rings of points; ``closed`` joins the last to the first, else single points end it."""
    count = max(len(ring) for ring in rings)
    start = np.concatenate([[0], np.cumsum([len(ring) for ring in rings])])
    pairs = list(zip(range(len(rings)), range(1, len(rings)), strict=False)) + ([(len(rings) - 1, 0)] if closed else [])
    faces = []
    for low, high in pairs:
        for i in range(count):
            k = (i + 1) % count
            quad = [start[low] + i % len(rings[low]), start[low] + k % len(rings[low])]
            quad += [start[high] + k % len(rings[high]), start[high] + i % len(rings[high])]
            faces.append(list(dict.fromkeys(int(q) for q in quad)))
    return shape_from_faces(np.concatenate(rings), faces, crease_deg=crease_deg)


def bolt(thread: Thread) -> Shape:
    """Return a hexagon head bolt, threaded to the head, standing on its head."""
    angle, radius = _hexagon(thread.across_flats_m)
    flat = 0.475 * thread.across_flats_m
    cut = (radius - flat) * np.tan(np.radians(30.0))
    rings = [
        np.zeros((1, 3)),
        _polar(angle, flat, 0.0),
        _polar(angle, radius, cut),
        _polar(angle, radius, thread.head_m),
    ]
    washer_face = [
        _polar(angle, flat * 0.98, thread.head_m + 0.3 * MM),
        np.array([[0.0, 0.0, thread.head_m + 0.3 * MM]]),
    ]
    head = _rings([*rings, *washer_face], closed=False, crease_deg=30.0)
    return joined(head, moved(threaded_rod(thread), z_m=thread.head_m))


def threaded_rod(thread: Thread) -> Shape:
    """Return the shank: a helical V thread with a chamfered tip. Depth 0.6134 pitch (ISO 68-1, external)."""
    steps = round(thread.length_m / thread.pitch_m * 3.0)
    angle = 2.0 * np.pi * np.arange(_AROUND) / _AROUND
    depth = 0.6134 * thread.pitch_m
    rings = []
    for k in range(steps + 1):
        z = thread.length_m * k / steps
        phase = (z / thread.pitch_m - angle / (2.0 * np.pi)) % 1.0
        groove = depth * (1.0 - np.abs(2.0 * phase - 1.0))
        limit = thread.diameter_m / 2.0 - max(0.0, z - (thread.length_m - 1.2 * thread.pitch_m))
        rings.append(_polar(angle, np.minimum(thread.diameter_m / 2.0 - groove, limit), z))
    tip = np.array([[0.0, 0.0, thread.length_m]])
    return _rings([*rings, tip], closed=False, crease_deg=50.0)


def nut(thread: Thread) -> Shape:
    """Return a hexagon nut with chamfered corners and a countersunk, grooved hole."""
    angle, radius = _hexagon(thread.across_flats_m)
    flat, height, hole = 0.475 * thread.across_flats_m, thread.nut_m, thread.diameter_m / 2.0
    cut = (radius - flat) * np.tan(np.radians(30.0))
    sink = 0.08 * thread.diameter_m
    minor = hole - 0.54 * thread.pitch_m
    outside = [_polar(angle, hole + 0.3 * sink, 0.0), _polar(angle, flat, 0.0), _polar(angle, radius, cut)]
    outside += [
        _polar(angle, radius, height - cut),
        _polar(angle, flat, height),
        _polar(angle, hole + 0.3 * sink, height),
    ]
    turns = max(int((height - 2.0 * sink) / thread.pitch_m), 1)
    levels = np.linspace(height - sink, sink, 2 * turns + 1)
    inside = [_polar(angle, minor if k % 2 == 0 else hole, float(z)) for k, z in enumerate(levels)]
    return _rings([*outside, *inside], closed=True, crease_deg=30.0)


def washer(thread: Thread) -> Shape:
    """Return a flat washer with slightly broken edges."""
    inner, outer, height = thread.washer_m
    return ring(inner / 2.0, outer / 2.0, height, 0.15 * MM, segments=36)


def ring(inner_m: float, outer_m: float, height_m: float, bevel_m: float, *, segments: int) -> Shape:
    """Return a ring of rectangular section with bevelled edges, standing on z = 0; radii in metres."""
    b = bevel_m
    section = [(inner_m + b, 0.0), (outer_m - b, 0.0), (outer_m, b), (outer_m, height_m - b)]
    section += [
        (outer_m - b, height_m),
        (inner_m + b, height_m),
        (inner_m, height_m - b),
        (inner_m, b),
        (inner_m + b, 0.0),
    ]
    return lathe(section, segments)


def gear(teeth: int, module_m: float, width_m: float, bore_m: float) -> Shape:
    """Return a spur gear with straight-flanked teeth (a close stand-in for involutes) and a hub with a bore."""
    pitch, tip, root = module_m * teeth / 2.0, module_m * (teeth / 2.0 + 1.0), module_m * (teeth / 2.0 - 1.25)
    half = np.pi / 2.0 / teeth  # half a tooth's angle on the pitch circle
    outline = []
    for k in range(teeth):
        middle = 2.0 * np.pi * k / teeth
        for radius, share in ((root, -1.45), (pitch, -1.0), (tip, -0.45), (tip, 0.45), (pitch, 1.0), (root, 1.45)):
            angle = middle + share * half
            outline.append((radius * np.cos(angle), radius * np.sin(angle)))
    body = extrusion(outline, width_m * 0.7, holes_m=[circle(bore_m / 2.0 + 1.0 * MM, 20)], crease_deg=40.0)
    hub = ring(bore_m / 2.0, bore_m / 2.0 + 3.5 * MM, width_m, 0.4 * MM, segments=28)
    return joined(body, hub)


def bearing(bore_m: float, outer_m: float, width_m: float) -> Shape:
    """Return a shielded deep-groove ball bearing: two rings and two recessed shields."""
    inner, outer = bore_m / 2.0, outer_m / 2.0
    land = (outer - inner) * 0.24
    b = 0.05 * width_m
    race = ring(outer - land, outer, width_m, b, segments=32)
    cone = ring(inner, inner + land, width_m, b, segments=26)
    low, high = 0.07 * width_m, 0.93 * width_m
    shield = [
        (inner + land, low),
        (inner + land + 0.3 * MM, low),
        (outer - land - 0.6 * MM, low),
        (outer - land, low + 0.5 * MM),
    ]
    shield += [
        (outer - land, high - 0.5 * MM),
        (outer - land - 0.6 * MM, high),
        (inner + land, high),
        (inner + land, low),
    ]
    return joined(race, cone, lathe(shield, 26))


def bracket(leg_m: float, rise_m: float, width_m: float) -> Shape:
    """Return a bent sheet bracket, 3 mm thick, two holes in either leg; it stands on its longer inside."""
    t, bend = 3.0 * MM, 4.0 * MM
    leg = _leg(leg_m, width_m, t, bend)
    rise = turned(_leg(rise_m, width_m, t, bend), "y", -90.0)
    flipped = moved(rise, t, 0.0, 0.0)
    angle = np.radians(np.linspace(180.0, 270.0, 7))
    arc = np.column_stack([np.cos(angle), np.sin(angle)])
    centre = np.array([t + bend, t + bend])
    section = np.concatenate([centre + arc * (bend + t), (centre + arc * bend)[::-1]])
    corner = moved(turned(extrusion(section, width_m), "x", 90.0), y_m=width_m / 2.0)
    return moved(joined(leg, flipped, corner), -leg_m / 2.0)


def _leg(length_m: float, width_m: float, thickness_m: float, bend_m: float) -> Shape:
    """Return one flat leg along x from the end of the bend, with two holes."""
    start = thickness_m + bend_m
    half = width_m / 2.0
    outline = filleted(
        [(start, -half), (length_m, -half), (length_m, half), (start, half)], [0, 4 * MM, 4 * MM, 0], segments=4
    )
    middle = start + (length_m - start) * 0.5
    holes = [circle(2.75 * MM, 20, x_m=middle, y_m=side * half * 0.5) for side in (-1.0, 1.0)]
    return extrusion(outline, thickness_m, holes_m=holes)


def profile(leg_m: float, thickness_m: float, length_m: float) -> Shape:
    """Return a sawn length of L profile lying on one leg, along x."""
    t = thickness_m
    corners = [(0.0, 0.0), (leg_m, 0.0), (leg_m, t), (t, t), (t, leg_m), (0.0, leg_m)]
    outline = filleted(corners, [0.5 * MM, 0.0, 1.2 * MM, 1.5 * MM, 1.2 * MM, 0.0], segments=3)
    bar = turned(turned(extrusion(outline - [leg_m / 2.0, 0.0], length_m), "x", 90.0), "z", 90.0)
    return moved(bar, -length_m / 2.0)


def spring(diameter_m: float, wire_m: float, length_m: float, turns: int) -> Shape:
    """Return a helical compression spring standing on its end coil."""
    steps = turns * 14
    share = np.arange(steps + 1) / steps
    angle = 2.0 * np.pi * turns * share
    rise = np.clip((share - 0.08) / 0.84, 0.0, 1.0)
    radius = (diameter_m - wire_m) / 2.0
    z = wire_m / 2.0 + rise * (length_m - wire_m)
    return tube(np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z]), wire_m / 2.0, segments=7)
