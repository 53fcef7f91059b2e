"""Stretch film around a pallet load, whole or torn: real holes with ragged edges, flaps that hang, ends that trail.

The film stands on the deck of the pallet: origin in the middle of the load's footprint, z = 0 where the load begins. It
reaches down around the pallet and folds over the top edge of the load, which stays open. Its front is -y.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pxr import Kind, Sdf, UsdGeom

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import Floats, Shape, joined, newell_vectors, painted, shape_from_faces

LOAD_M = (0.8, 1.2, 0.8)  # along x, y, z: two by two cartons of 600 x 400 x 400 mm, two layers
CLEARANCE_M = 0.009  # between load and film
CORNER_M = 0.022  # radius of the film at the load's upright edges
BELOW_M, OVER_M = 0.09, 0.09  # how far it reaches down around the pallet, and inwards over the top
CORNER_STEPS = 3
COARSE_M, FINE_M = 0.11, 0.036  # between lines of the grid; fine around holes


@dataclass(frozen=True)
class Hole:
    """A ragged hole. ``along_m`` runs around the load from the front's middle towards +x, ``up_m`` from the deck."""

    along_m: float
    up_m: float
    half_m: tuple[float, float]  # along and up
    lean: float  # how far its middle line slants: metres along for each metre up


@dataclass(frozen=True)
class Strip:
    """A piece of film that hangs out: from its upper edge outwards and down, or trailing from a corner."""

    along_m: float
    up_m: float
    width_m: float
    length_m: float
    out_m: float  # how far its lower end stands off


@dataclass(frozen=True)
class Tear:
    """One state of the film."""

    severity: int  # 0: whole, 1: a hole as large as a hand, 2: an arm goes through, 3: the load is free on one side
    holes: tuple[Hole, ...] = ()
    strips: tuple[Strip, ...] = ()
    seed: int = 0


TEARS: dict[str, Tear] = {
    "whole": Tear(0, seed=1),
    "loose_end": Tear(0, (), (Strip(0.36, 0.52, 0.3, 0.5, 0.16),), seed=2),
    "torn_light": Tear(
        1,
        (Hole(-0.12, 0.5, (0.07, 0.06), 0.2), Hole(0.66, 0.3, (0.1, 0.045), -0.4)),
        (Strip(-0.12, 0.54, 0.07, 0.09, 0.03),),
        3,
    ),
    "torn_medium": Tear(
        2,
        (Hole(0.14, 0.4, (0.13, 0.2), 0.25),),
        (Strip(0.1, 0.58, 0.14, 0.22, 0.08), Strip(0.22, 0.56, 0.09, 0.3, 0.05)),
        4,
    ),
    "torn_wide": Tear(
        2,
        (Hole(-0.4, 0.46, (0.28, 0.11), 0.1), Hole(-0.1, 0.2, (0.09, 0.06), 0.0)),
        (Strip(-0.3, 0.56, 0.3, 0.14, 0.09),),
        5,
    ),
    "torn_heavy": Tear(
        3,
        (Hole(0.3, 0.36, (0.34, 0.31), 0.35), Hole(-0.26, 0.66, (0.12, 0.05), 0.6)),
        (Strip(0.2, 0.66, 0.22, 0.42, 0.14), Strip(0.44, 0.64, 0.16, 0.34, 0.2), Strip(-0.36, 0.4, 0.2, 0.52, 0.22)),
        6,
    ),
}


def write_shrink_wrap(root: Path) -> None:
    """Write the film: variant set ``tear``; every variant says its severity and the area of its holes."""
    path = root / "assets" / "shrink_wrap.usda"
    comment = "Stretch film around a load of 0.8 x 1.2 x 0.8 m on a pallet, whole or torn. Front: -y."
    stage = usd.new_stage(path, "ShrinkWrap", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "ShrinkWrap", path, "shrink_wrap")
    stage.DefinePrim("/ShrinkWrap/Geometry", "Scope")
    film = usd.reference_material(stage, "/ShrinkWrap/Materials", "StretchFilm", f"../{usd.LIBRARY}")
    prim = stage.GetDefaultPrim()
    variants = prim.GetVariantSets().AddVariantSet("tear")
    for name, tear in TEARS.items():
        shape, torn_m2 = wrap(tear)
        variants.AddVariant(name)
        variants.SetVariantSelection(name)
        with variants.GetVariantEditContext():
            mesh = usd.write_mesh(
                stage, "/ShrinkWrap/Geometry/Film", painted(shape, "StretchFilm"), {"StretchFilm": film}
            )
            UsdGeom.Mesh(mesh).CreateDoubleSidedAttr(True)
            prim.CreateAttribute("ommatidia:tear_severity", Sdf.ValueTypeNames.Int, True).Set(tear.severity)
            prim.CreateAttribute("ommatidia:tear_area_m2", Sdf.ValueTypeNames.Float, True).Set(round(torn_m2, 4))
    variants.SetVariantSelection("whole")
    usd.save(stage)


def wrap(tear: Tear) -> tuple[Shape, float]:
    """Return the film and the area that its holes take away [m^2]."""
    random = np.random.Generator(np.random.PCG64(700 + tear.seed))
    columns, rows = _lines(tear)
    total = perimeter_m()
    along, up = np.meshgrid(columns, rows)
    phase = random.uniform(0.0, 2.0 * np.pi, 4)
    out = 0.0022 * (np.sin(along * 23.0 + 9.0 * up + phase[0]) + np.sin(along * -11.0 + 31.0 * up + phase[1]))
    out += 0.0018 * np.sin(2.0 * np.pi * up / 0.1 + along * 2.1 + phase[2])
    out = np.where((up > 0.0) & (up < LOAD_M[2]), out, 0.4 * out)
    points = _surface(along, up, out).reshape(-1, 3)
    width = len(columns)
    quads = [
        (r * width + c, r * width + (c + 1) % width, (r + 1) * width + (c + 1) % width, (r + 1) * width + c)
        for r in range(len(rows) - 1)
        for c in range(width)
    ]
    uv = np.stack([along.reshape(-1), up.reshape(-1)], axis=1)
    ring_uv = np.array(
        [[uv[i][0] + total * (k in (1, 2) and i % width == 0), uv[i][1]] for q in quads for k, i in enumerate(q)]
    )
    hole = _depth_in_holes(tear, along.reshape(-1), up.reshape(-1), random)
    whole = shape_from_faces(points, quads, uv_m=ring_uv)
    film = _cut(whole, hole) if tear.holes else whole
    torn_m2 = _area(whole) - _area(film)
    strips = [_strip(strip, random) for strip in tear.strips]
    return joined(film, *strips), torn_m2


def perimeter_m() -> float:
    """Return the length of the film once around the load."""
    straight = 2.0 * (LOAD_M[0] + LOAD_M[1] + 4.0 * CLEARANCE_M - 4.0 * CORNER_M)
    return straight + 2.0 * np.pi * CORNER_M


def _lines(tear: Tear) -> tuple[Floats, Floats]:
    """Return where columns and rows of the grid are: everywhere coarse, fine around holes, on all corners and folds."""
    half_x, half_y = LOAD_M[0] / 2 + CLEARANCE_M, LOAD_M[1] / 2 + CLEARANCE_M
    arc = np.pi / 2.0 * CORNER_M
    total = perimeter_m()
    starts = np.cumsum(
        [half_x - CORNER_M, arc + 2 * (half_y - CORNER_M), arc + 2 * (half_x - CORNER_M), arc + 2 * (half_y - CORNER_M)]
    )
    kinks = np.concatenate([start + arc * np.arange(CORNER_STEPS + 1) / CORNER_STEPS for start in starts])
    fine_columns = [
        np.arange(h.along_m - 1.6 * h.half_m[0] - 0.05, h.along_m + 1.6 * h.half_m[0] + 0.05, FINE_M)
        for h in tear.holes
    ]
    fine_rows = [
        np.arange(h.up_m - 1.5 * h.half_m[1] - 0.04, h.up_m + 1.5 * h.half_m[1] + 0.04, FINE_M) for h in tear.holes
    ]
    columns = _thinned(
        np.mod(kinks, total), np.mod(np.concatenate([np.arange(0.0, total - 0.03, COARSE_M), *fine_columns]), total)
    )
    top = LOAD_M[2] + CLEARANCE_M
    folds = np.array([-BELOW_M, 0.0, LOAD_M[2] - 0.02, top, top + OVER_M])
    rows = np.concatenate([np.arange(-BELOW_M, top, COARSE_M), *fine_rows])
    return columns, _thinned(folds, rows[(rows > -BELOW_M) & (rows < LOAD_M[2] - 0.02)])


def _thinned(fixed: Floats, wanted: Floats) -> Floats:
    """Return all fixed lines and those wanted ones that keep some distance to the lines before them."""
    kept = list(np.unique(np.round(fixed, 6)))
    for line in np.unique(np.round(wanted, 6)):
        if min(abs(line - other) for other in kept) > 0.45 * FINE_M:
            kept.append(line)
    return np.array(sorted(kept))


def _surface(along_m: Floats, up_m: Floats, out_m: Floats) -> Floats:
    """Return points [..., 3] of the film, ``out_m`` outside of where it is tight; above the load it folds over."""
    top = LOAD_M[2] + CLEARANCE_M
    over = np.maximum(up_m - top, 0.0)
    half_x, half_y = LOAD_M[0] / 2 + CLEARANCE_M, LOAD_M[1] / 2 + CLEARANCE_M
    flat_x, flat_y, arc = half_x - CORNER_M, half_y - CORNER_M, np.pi / 2.0 * CORNER_M
    s = np.mod(along_m + flat_x, perimeter_m())  # from the front's left end
    x, y = np.zeros_like(s), np.zeros_like(s)
    nx, ny = np.zeros_like(s), np.zeros_like(s)
    sides = ((2 * flat_x, -90.0), (2 * flat_y, 0.0), (2 * flat_x, 90.0), (2 * flat_y, 180.0))
    start = 0.0
    for length, facing in sides:
        angle = np.radians(facing)
        ahead = np.array([-np.sin(angle), np.cos(angle)])  # counter-clockwise seen from above
        normal = np.array([np.cos(angle), np.sin(angle)])
        middle = normal * np.array([half_x, half_y])
        on = (s >= start) & (s < start + length)
        t = s - start - length / 2
        x, y = np.where(on, middle[0] + ahead[0] * t, x), np.where(on, middle[1] + ahead[1] * t, y)
        nx, ny = np.where(on, normal[0], nx), np.where(on, normal[1], ny)
        centre = middle - normal * CORNER_M + ahead * length / 2
        on = (s >= start + length) & (s < start + length + arc)
        turn = angle + (s - start - length) / CORNER_M
        x, y = (
            np.where(on, centre[0] + CORNER_M * np.cos(turn), x),
            np.where(on, centre[1] + CORNER_M * np.sin(turn), y),
        )
        nx, ny = np.where(on, np.cos(turn), nx), np.where(on, np.sin(turn), ny)
        start += length + arc
    wall = np.where(over > 0.0, 0.0, out_m)
    inward = over * (1.0 - 0.15 * np.sin(along_m * 19.0))
    z = np.minimum(up_m, top) + np.where(over > 0.0, np.abs(out_m), 0.0)
    return np.stack([x + nx * (wall - inward), y + ny * (wall - inward), z], axis=-1)


def _depth_in_holes(tear: Tear, along_m: Floats, up_m: Floats, random: np.random.Generator) -> Floats:
    """Return a number below 0 inside of holes, above 0 in the film; ragged along their edges."""
    depth = np.full(along_m.shape, np.inf)
    total = perimeter_m()
    for hole in tear.holes:
        du = np.mod(along_m - hole.along_m + total / 2, total) - total / 2 - hole.lean * (up_m - hole.up_m)
        dv = up_m - hole.up_m
        angle = np.arctan2(dv / hole.half_m[1], du / hole.half_m[0])
        phase = random.uniform(0.0, 2.0 * np.pi, 3)
        ragged = (
            0.16 * np.sin(3 * angle + phase[0])
            + 0.12 * np.sin(7 * angle + phase[1])
            + 0.1 * np.sin(13 * angle + phase[2])
        )
        depth = np.minimum(depth, np.hypot(du / hole.half_m[0], dv / hole.half_m[1]) - 1.0 - ragged)
    return depth


def _cut(shape: Shape, depth: Floats) -> Shape:
    """Return the part of a quad mesh where ``depth`` [point] is above 0; crossed faces are clipped where it is 0."""
    points = [tuple(p) for p in shape.points_m]
    between: dict[tuple[int, int], int] = {}
    faces: list[list[int]] = []
    uv: list[Floats] = []

    def crossing(a: int, b: int) -> tuple[int, float]:
        low, high = min(a, b), max(a, b)
        t = float(np.clip(depth[low] / (depth[low] - depth[high]), 0.02, 0.98))
        if (low, high) not in between:
            between[low, high] = len(points)
            points.append(tuple(shape.points_m[low] * (1.0 - t) + shape.points_m[high] * t))
        return between[low, high], t if a == low else 1.0 - t

    for face in range(len(shape.count)):
        corners = slice(4 * face, 4 * face + 4)
        ring, own_uv = shape.index[corners].tolist(), shape.uv_m[corners]
        if min(depth[i] for i in ring) > 0.0:
            faces.append(ring)
            uv.append(own_uv)
            continue
        for pick in ((0, 1, 2), (0, 2, 3)):
            kept: list[int] = []
            kept_uv: list[Floats] = []
            for k in range(3):
                a, b = ring[pick[k]], ring[pick[(k + 1) % 3]]
                uv_a, uv_b = own_uv[pick[k]], own_uv[pick[(k + 1) % 3]]
                if depth[a] > 0.0:
                    kept.append(a)
                    kept_uv.append(uv_a)
                if (depth[a] > 0.0) != (depth[b] > 0.0):
                    new, t = crossing(a, b)
                    kept.append(new)
                    kept_uv.append(uv_a * (1.0 - t) + uv_b * t)
            if len(kept) >= 3:
                faces.append(kept)
                uv.append(np.array(kept_uv))
    used = sorted({i for face in faces for i in face})
    number = {old: new for new, old in enumerate(used)}
    return shape_from_faces([points[i] for i in used], [[number[i] for i in f] for f in faces], uv_m=np.concatenate(uv))


def _area(shape: Shape) -> float:
    return float(np.linalg.norm(newell_vectors(shape.points_m, shape.count, shape.index), axis=1).sum() / 2.0)


def _strip(strip: Strip, random: np.random.Generator) -> Shape:
    """Return a hanging piece: its upper edge in the film, its lower one ragged, narrower and curled outwards."""
    rows, columns = 7, 5
    t = np.linspace(0.0, 1.0, rows)[:, None]
    across = np.linspace(-0.5, 0.5, columns)[None, :]
    phase = random.uniform(0.0, 2.0 * np.pi, 2)
    narrow = 1.0 - 0.45 * t**2
    along = strip.along_m + strip.width_m * across * narrow + 0.12 * strip.length_m * t * np.sin(phase[0])
    ragged = 1.0 - 0.22 * np.abs(np.sin(across * 11.0 + phase[1])) * t
    fall = strip.length_m * (t - 0.12 * np.sin(np.pi * t)) * ragged
    out = 0.004 + strip.out_m * (t**1.4 + 0.18 * np.sin(3.0 * np.pi * t + phase[1]) * t) * (1.0 + 0.5 * across)
    up = np.maximum(strip.up_m - fall, -0.13)
    points = _surface(along + 0.0 * up, up, out + 0.0 * up).reshape(-1, 3)
    faces = [
        (r * columns + c, (r + 1) * columns + c, (r + 1) * columns + c + 1, r * columns + c + 1)
        for r in range(rows - 1)
        for c in range(columns - 1)
    ]
    uv = np.stack([along + 0.0 * up, up], axis=-1).reshape(-1, 2)
    return shape_from_faces(points, faces, uv_m=uv[[i for face in faces for i in face]])
