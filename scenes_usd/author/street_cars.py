"""Cars of four body types, a van and a box truck: lofted bodies with wheel arches, glass, lamps and wheels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import Floats, Shape, joined, mirrored_y, moved, painted, turned
from scenes_usd.author.solids import box, lathe, loft, rounded_box

Line = Sequence[tuple[float, float]]

PAINTS = tuple(f"CarPaint{k}" for k in range(8))
ARCH_GAP_M = 0.05  # between a tyre and its arch
# Half of a section of the lower body: (share of the half width, share of the height), from the sill to the middle.
SECTION = ((0.88, 0.0), (0.97, 0.06), (1.0, 0.4), (0.985, 0.72), (0.94, 0.92), (0.82, 1.0), (0.45, 1.03), (0.0, 1.04))
LAMP_BAND = 3  # faces between the fourth and the fifth point of a section


@dataclass(frozen=True)
class Body:
    """A car along x, its front at length/2, standing on z = 0. Lines are (x, value) from the rear to the front [m]."""

    name: str
    top: Line  # upper edge of the lower body: deck, belt line, bonnet
    bottom: Line
    half_width: Line
    belt_x: tuple[float, float]  # rear and front end of the cabin's foot
    roof_x: tuple[float, float]  # of the roof
    roof_z: float
    roof_share: float  # half width of the roof over that of the cabin's foot
    axles_x: tuple[float, float]
    wheel: tuple[float, float]  # radius, width
    pillars: tuple[float, ...]  # shares of the cabin's length where pillars stand, from the rear
    closed_behind: float = 0.0  # share of the cabin's length without side windows, from the rear
    semantic: str = "car"


BODIES = (
    Body(
        "CarHatch",
        top=((-1.95, 0.72), (-1.9, 0.92), (-1.7, 0.98), (0.2, 0.95), (1.0, 0.93),
             (1.6, 0.83), (1.86, 0.7), (1.95, 0.56)),
        bottom=((-1.95, 0.36), (-1.85, 0.22), (1.8, 0.2), (1.95, 0.28)),
        half_width=((-1.95, 0.68), (-1.86, 0.79), (-1.5, 0.86), (1.2, 0.86), (1.65, 0.82), (1.86, 0.7), (1.95, 0.56)),
        belt_x=(-1.84, 1.12), roof_x=(-1.5, 0.3), roof_z=1.48, roof_share=0.76,
        axles_x=(-1.24, 1.26), wheel=(0.305, 0.2), pillars=(0.08, 0.5),
    ),
    Body(
        "CarSedan",
        top=((-2.3, 0.75), (-2.26, 0.95), (-2.0, 1.0), (-1.3, 0.99), (0.2, 0.94),
             (1.15, 0.91), (1.85, 0.8), (2.15, 0.67), (2.25, 0.54)),
        bottom=((-2.3, 0.38), (-2.15, 0.22), (2.1, 0.19), (2.25, 0.27)),
        half_width=((-2.3, 0.68), (-2.2, 0.8), (-1.8, 0.88), (1.4, 0.89), (1.9, 0.84), (2.15, 0.7), (2.25, 0.54)),
        belt_x=(-1.72, 1.2), roof_x=(-0.98, 0.34), roof_z=1.44, roof_share=0.75,
        axles_x=(-1.38, 1.42), wheel=(0.32, 0.22), pillars=(0.12, 0.52),
    ),
    Body(
        "CarEstate",
        top=((-2.3, 0.72), (-2.26, 0.94), (-2.1, 0.99), (0.2, 0.94), (1.15, 0.91),
             (1.85, 0.8), (2.15, 0.67), (2.25, 0.54)),
        bottom=((-2.3, 0.38), (-2.15, 0.22), (2.1, 0.19), (2.25, 0.27)),
        half_width=((-2.3, 0.7), (-2.22, 0.81), (-1.8, 0.88), (1.4, 0.89), (1.9, 0.84), (2.15, 0.7), (2.25, 0.54)),
        belt_x=(-2.2, 1.2), roof_x=(-1.9, 0.36), roof_z=1.48, roof_share=0.77,
        axles_x=(-1.38, 1.42), wheel=(0.32, 0.22), pillars=(0.06, 0.31, 0.6),
    ),
    Body(
        "CarSuv",
        top=((-2.2, 0.84), (-2.15, 1.05), (-2.0, 1.1), (0.2, 1.07), (1.1, 1.05),
             (1.8, 0.97), (2.08, 0.84), (2.2, 0.66)),
        bottom=((-2.2, 0.44), (-2.1, 0.3), (2.0, 0.28), (2.2, 0.36)),
        half_width=((-2.2, 0.74), (-2.12, 0.85), (-1.7, 0.92), (1.4, 0.93), (1.9, 0.88), (2.1, 0.76), (2.2, 0.62)),
        belt_x=(-2.1, 1.16), roof_x=(-1.84, 0.42), roof_z=1.68, roof_share=0.79,
        axles_x=(-1.3, 1.36), wheel=(0.36, 0.24), pillars=(0.06, 0.32, 0.62),
    ),
    Body(
        "Van",
        top=((-2.55, 0.9), (-2.52, 1.2), (-2.4, 1.24), (1.4, 1.2), (1.9, 1.12), (2.35, 0.95), (2.5, 0.72)),
        bottom=((-2.55, 0.42), (-2.45, 0.3), (2.35, 0.26), (2.5, 0.34)),
        half_width=((-2.55, 0.88), (-2.5, 0.95), (-2.2, 0.97), (1.7, 0.97), (2.2, 0.9), (2.42, 0.78), (2.5, 0.64)),
        belt_x=(-2.5, 1.95), roof_x=(-2.46, 1.1), roof_z=2.1, roof_share=0.88,
        axles_x=(-1.55, 1.5), wheel=(0.34, 0.23), pillars=(0.03, 0.58, 0.62), closed_behind=0.58, semantic="van",
    ),
)  # fmt: skip
CAB = Body(
    "TruckCab",
    top=((2.1, 1.5), (2.3, 1.55), (3.6, 1.52), (3.85, 1.3), (3.92, 0.9)),
    bottom=((2.1, 0.5), (3.8, 0.42), (3.92, 0.5)),
    half_width=((2.1, 1.14), (3.5, 1.15), (3.8, 1.08), (3.92, 0.94)),
    belt_x=(2.1, 3.8), roof_x=(2.12, 3.4), roof_z=2.6, roof_share=0.9,
    axles_x=(-2.5, 2.85), wheel=(0.48, 0.28), pillars=(0.35,), closed_behind=0.35, semantic="truck",
)  # fmt: skip


def write_vehicles(root: Path) -> None:
    """Write every vehicle as an asset with the variant set ``paint``."""
    for body in BODIES:
        parts = {"Body": joined(*body_pieces(body), *trim_pieces(body)), "Wheels": joined(*wheel_pieces(body))}
        _write(root, body.name, body.semantic, parts)
    _write(root, "Truck", "truck", truck_parts())


def _write(root: Path, name: str, semantic: str, parts: dict[str, Shape]) -> None:
    path = root / "assets" / f"{usd.snake(name)}.usda"
    low, high = (f(np.concatenate([s.points_m for s in parts.values()]), axis=0) for f in (np.min, np.max))
    size = " x ".join(f"{value:.2f}" for value in high - low)
    stage = usd.new_stage(
        path, name, kind=Kind.Tokens.component, comment=f"{semantic}, {size} m; x ahead, stands on z = 0."
    )
    usd.describe(stage, name, path, semantic)
    stage.DefinePrim(f"/{name}/Geometry", "Scope")
    names = dict.fromkeys(n for shape in parts.values() for n in shape.materials)
    scope = f"/{name}/Materials"
    bound = {n: None if n == "Paint" else usd.reference_material(stage, scope, n, f"../{usd.LIBRARY}") for n in names}
    for part, shape in parts.items():
        usd.write_mesh(stage, f"/{name}/Geometry/{part}", shape, bound, decimals=3)
    choices = {f"paint{k}": {"Geometry/Body/Paint": paint} for k, paint in enumerate(PAINTS)}
    usd.material_variants(stage, "paint", choices)
    usd.save(stage)


def body_pieces(body: Body) -> list[Shape]:
    """Return the lower body and the cabin, with materials by face."""
    return [_lower(body), _cabin(body)]


def _at(line: Line, x: Floats) -> Floats:
    return np.interp(x, [p[0] for p in line], [p[1] for p in line])


def _stations(body: Body) -> Floats:
    """Return where sections stand: at every bend of the lines, and close together along the arches."""
    radius = body.wheel[0] + ARCH_GAP_M
    ends = body.top[0][0], body.top[-1][0]
    arches = [x + radius * s for x in body.axles_x for s in (-1, -0.99, -0.85, -0.55, -0.2, 0.2, 0.55, 0.85, 0.99, 1)]
    bends = [x for line in (body.top, body.bottom, body.half_width) for x, _ in line]
    places = sorted({round(x, 4) for x in (*bends, *arches, 0.0) if ends[0] <= x <= ends[1]})
    kept = [places[0]]
    for x in places[1:]:
        if x - kept[-1] > 0.002:
            kept.append(x)
    return np.array(kept)


def _lower(body: Body) -> Shape:
    """Return the body below the windows; arches are where its sections end higher."""
    x = _stations(body)
    top, bottom, width = (_at(line, x) for line in (body.top, body.bottom, body.half_width))
    radius = body.wheel[0] + ARCH_GAP_M
    for axle in body.axles_x:
        inside = np.abs(x - axle) < radius * 0.995
        rise = body.wheel[0] + np.sqrt(np.maximum(radius**2 - (x - axle) ** 2, 0.0))
        bottom = np.where(inside, np.maximum(bottom, np.minimum(rise, top - 0.12)), bottom)
    half = np.array(SECTION)
    ring = np.concatenate([half, half[-2::-1] * np.array([-1.0, 1.0])])
    rings = [
        np.column_stack([ring[:, 0] * w, b + ring[:, 1] * (t - b), np.full(len(ring), at)])
        for at, t, b, w in zip(x, top, bottom, width, strict=True)
    ]
    shape = _lying(loft(rings, crease_deg=38.0))
    count, faces = len(ring), (len(x) - 1) * len(ring)
    names = ("Paint", "PlasticBlack", "HeadLamp", "RearLamp")
    material = np.zeros(len(shape.count), dtype=np.int64)
    level = np.arange(faces) % count
    middle = 0.5 * (x[:-1] + x[1:])[np.arange(faces) // count]
    material[:faces][(level == 0) | (level == count - 2) | (level == count - 1)] = 1
    lamps = (level == LAMP_BAND) | (level == count - 2 - LAMP_BAND)
    material[:faces][lamps & (middle > x[-1] - 0.32)] = 2
    material[:faces][lamps & (middle < x[0] + 0.12)] = 3
    return replace(shape, materials=names, material=material)


def _lying(shape: Shape) -> Shape:
    """Return a shape that was lofted along z lying along x: its x becomes y, its y becomes z."""
    order = [2, 0, 1]
    return replace(shape, points_m=shape.points_m[:, order], normal=shape.normal[:, order])


def _cabin(body: Body) -> Shape:
    """Return the cabin: glass between pillars, a roof in the colour of the car."""
    rear, front = body.belt_x
    levels = (0.0, 0.08, 0.84, 0.95, 1.0)
    foot = float(_at(body.half_width, np.array([0.5 * (rear + front)]))[0]) * 0.87
    shares = [0.0, 0.035]
    for pillar in body.pillars:
        shares += [pillar, pillar + 0.03]
    shares = sorted({round(s, 3) for s in (*shares, 0.95, 1.0)})
    rings = []
    for level in levels:
        x0, x1 = (a + (b - a) * level for a, b in zip(body.belt_x, body.roof_x, strict=True))
        inset = 0.82 if level == 1.0 else 1.0
        y = foot * (1.0 + (body.roof_share - 1.0) * level**1.2) * inset
        x0, x1 = x0 + (0.12 if level == 1.0 else 0.0), x1 - (0.12 if level == 1.0 else 0.0)
        corner = np.array([0.76, *[1.0] * (len(shares) - 2), 0.76])
        corner[1] = corner[-2] = 0.95
        xs = x0 + (x1 - x0) * np.array(shares)
        belt_m = _at(body.top, xs) - 0.01
        z = belt_m + (body.roof_z - belt_m) * level
        right = np.column_stack([xs, -y * corner, z])
        nose = [[x1 + 0.05 * (1.0 - 0.5 * level), 0.0, z[-1]]]
        tail = [[x0 - 0.03, 0.0, z[0]]]
        left = right[::-1] * np.array([1.0, -1.0, 1.0])
        rings.append(np.concatenate([right, nose, left, tail]))
    shape = loft(rings, crease_deg=40.0)
    return _glazed(shape, shares, body, len(rings[0]), len(levels))


def _glazed(shape: Shape, shares: list[float], body: Body, count: int, levels: int) -> Shape:
    """Return the cabin with glass in its windows."""
    n = len(shares)
    of_side = np.ones(n - 1, dtype=np.int64)  # glass
    for k, (a, b) in enumerate(itertools.pairwise(shares)):
        if k in (0, n - 2) or b <= body.closed_behind + 1e-6:
            of_side[k] = 0
        elif any(abs(a - pillar) < 1e-6 and b - a < 0.04 for pillar in body.pillars):
            of_side[k] = 2
    if body.closed_behind == 0.0 and body.pillars[0] < 0.2:
        of_side[:2] = 0  # the pillar beside the rear window
    band = np.concatenate([of_side, [1, 1], of_side[::-1], [1 if body.semantic != "truck" else 0] * 2])
    material = np.zeros(len(shape.count), dtype=np.int64)
    material[count : 2 * count] = band
    assert len(band) == count
    assert levels == 5
    return replace(shape, materials=("Paint", "CarGlass", "PlasticBlack"), material=material)


def trim_pieces(body: Body) -> list[Shape]:
    """Return grille, plates, mirrors, bumpers' inserts and what is seen below the body."""
    front, rear = body.top[-1][0], body.top[0][0]
    nose_z = float(body.top[-1][1])
    width = float(body.half_width[-1][1])
    low = float(body.bottom[-1][1])
    grille = rounded_box((0.05, 1.5 * width, 0.4 * (nose_z - low)), 0.02, segments=1)
    plate = box((0.02, 0.52, 0.11))
    middle = body.belt_x[1] - 0.32
    side = float(_at(body.half_width, np.array([middle]))[0])
    belt = float(_at(body.top, np.array([middle]))[0])
    mirror = moved(rounded_box((0.1, 0.15, 0.12), 0.04, segments=1), middle, -side - 0.02, belt)
    pan = box((body.axles_x[1] - body.axles_x[0] + 0.5, 1.3 * width, 0.3))
    insert = rounded_box((0.06, 1.4 * float(body.half_width[0][1]), 0.14), 0.02, segments=1)
    pan_x = 0.5 * (body.axles_x[0] + body.axles_x[1])
    return [
        moved(painted(grille, "PlasticBlack"), front - 0.015, 0.0, low + 0.42 * (nose_z - low)),
        moved(painted(plate, "SignWhite"), front + 0.012, 0.0, low + 0.12),
        moved(painted(plate, "SignWhite"), rear - 0.005, 0.0, 0.62 if body.semantic == "car" else 0.8),
        moved(painted(insert, "PlasticBlack"), rear + 0.02, 0.0, float(body.bottom[0][1]) + 0.01),
        painted(joined(mirror, mirrored_y(mirror)), "PlasticBlack"),
        moved(painted(pan, "PlasticBlack"), pan_x, 0.0, float(body.bottom[1][1]) + 0.02),
    ]


def wheel_pieces(body: Body) -> list[Shape]:
    """Return four wheels."""
    radius, width = body.wheel
    pieces = []
    for x in body.axles_x:
        side = float(_at(body.half_width, np.array([x]))[0])
        wheel = moved(turned(_wheel(radius, width), "x", 90.0), x, -side + width / 2.0 - 0.005, radius)
        pieces += [wheel, mirrored_y(wheel)]
    return pieces


def _wheel(radius_m: float, width_m: float) -> Shape:
    """Return a wheel about z whose outer face looks along +z, centred on the origin."""
    r, w, hub = radius_m, width_m / 2.0, 0.66 * radius_m
    tyre = lathe([(hub, -w), (r - 0.02, -w), (r, -w * 0.75), (r, w * 0.75), (r - 0.02, w), (hub, w * 0.97)], 20)
    rim = lathe([(hub, w * 0.97), (hub * 0.9, w * 0.7), (hub * 0.3, w * 0.86), (0.0, w * 0.9)], 20)
    pieces = [painted(tyre, "Rubber"), painted(rim, "Rim")]
    for k in range(5):
        hole = box((hub * 0.42, hub * 0.2, 0.012))
        pieces.append(painted(turned(moved(hole, hub * 0.62, 0.0, w * 0.76), "z", 72.0 * k), "PlasticBlack"))
    return joined(*pieces)


def truck_parts() -> dict[str, Shape]:
    """Return a two-axle truck with a box body."""
    cargo = moved(box((5.9, 2.5, 2.45), bevel_m=0.03), -0.95, 0.0, 1.02)
    frame = moved(box((7.2, 0.9, 0.4), bevel_m=0.02), -0.2, 0.0, 0.55)
    skirt = moved(box((2.9, 0.06, 0.45), bevel_m=0.01), 0.0, -1.2, 0.42)
    tank = moved(rounded_box((1.0, 0.5, 0.5), 0.1), 1.4, 0.9, 0.42)
    guard = moved(box((0.08, 2.3, 0.12)), -3.85, 0.0, 0.5)
    lamp = moved(box((0.03, 0.3, 0.12)), -3.9, -0.95, 0.66)
    plate = moved(box((0.02, 0.52, 0.11)), -3.9, 0.0, 0.66)
    head = moved(rounded_box((0.06, 0.3, 0.18), 0.02, segments=1), 3.86, -0.82, 0.72)
    grille = moved(box((0.05, 1.5, 0.5), bevel_m=0.01), 3.92, 0.0, 0.72)
    body = [
        *body_pieces(CAB),
        painted(cargo, "CargoBox"),
        painted(joined(frame, guard, tank, grille), "PlasticBlack"),
        painted(joined(skirt, mirrored_y(skirt)), "CoatGrey"),
        painted(joined(lamp, mirrored_y(lamp)), "RearLamp"),
        painted(joined(head, mirrored_y(head)), "HeadLamp"),
        painted(plate, "SignWhite"),
    ]
    wide = replace(CAB, half_width=((-4.0, 1.18), (4.0, 1.15)))
    return {"Body": joined(*body), "Wheels": joined(*wheel_pieces(wide))}
