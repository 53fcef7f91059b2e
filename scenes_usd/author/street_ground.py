"""The ground of the street: asphalt, cycle lanes, markings, kerbs, sidewalks and the land beyond."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import Shape, joined, moved, painted, shape_from_faces
from scenes_usd.author.solids import box
from scenes_usd.author.street_plan import LANE, RUNS, WALK_Z_M, Run, stop_line, zebra

KERB_M = (0.16, 0.15)  # width and height
PAINT_Z_M, STRIP_Z_M = 0.005, 0.0025  # above the asphalt
DASH_M, GAP_M = 3.0, 5.0
LAND_M = ((-230.0, -230.0), (230.0, 330.0))
SLAB_M = 25.0  # longest piece of a flat surface


def write_ground(root: Path) -> None:
    """Write the ground: an assembly of components, one instance each."""
    path = root / "assets" / "street_ground.usda"
    comment = "Roads with a crossing, 200 x 200 m, and a lane beside them; traffic keeps to the right."
    stage = usd.new_stage(path, "StreetGround", kind=Kind.Tokens.assembly, comment=comment)
    parts = {
        ("Road", "road"): {"Asphalt": joined(*_asphalt())},
        ("Markings", "lane_marking"): {"Paint": joined(*[piece for run in RUNS for piece in _markings(run)])},
        ("Sidewalk", "sidewalk"): {"Paving": joined(*_paving())},
        ("Kerb", "kerb"): {"Stones": joined(*_kerbs())},
        ("Land", "terrain"): {"Grass": _flat(*LAND_M[0], *LAND_M[1], -0.03, "Grass", LAND_M[1][0])},
    }
    for (name, semantic), shapes in parts.items():
        prim = usd.group(stage, f"/StreetGround/{name}", kind=Kind.Tokens.component)
        usd.label(prim, semantic)
        usd.write_parts(stage, f"/StreetGround/{name}/Geometry", shapes, scope="/StreetGround/Materials")
    usd.save(stage)


def _flat(x0: float, y0: float, x1: float, y1: float, z: float, material: str, step: float = SLAB_M) -> Shape:
    """Return a level rectangle, cut into pieces of at most ``step``."""
    xs = np.linspace(x0, x1, max(1, int(np.ceil((x1 - x0) / step))) + 1)
    ys = np.linspace(y0, y1, max(1, int(np.ceil((y1 - y0) / step))) + 1)
    points = [(x, y, z) for y in ys for x in xs]
    n = len(xs)
    faces = [
        (j * n + i, j * n + i + 1, (j + 1) * n + i + 1, (j + 1) * n + i)
        for j in range(len(ys) - 1)
        for i in range(n - 1)
    ]
    return painted(shape_from_faces(points, faces), material)


def _strip(run: Run, x0: float, x1: float, y0: float, y1: float, z: float, material: str) -> Shape:
    """Return a level rectangle given in the frame of a run."""
    a, b = run.world(x0, y0), run.world(x1, y1)
    return _flat(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]), z, material)


def _block(run: Run, x0: float, x1: float, y0: float, y1: float, height: float, material: str) -> Shape:
    """Return a slab that stands on the land, given in the frame of a run."""
    a, b = run.world(x0, y0), run.world(x1, y1)
    size = (abs(a[0] - b[0]), abs(a[1] - b[1]), height + 0.03)
    return moved(painted(box(size), material), (a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0, -0.03)


def _asphalt() -> list[Shape]:
    pieces = []
    for run in RUNS:
        half = run.profile.walk[0]
        pieces.append(_strip(run, run.start, run.stop + 1.0, -half, half, 0.0, "Asphalt"))
        if run.profile.cycle:
            for side in (-1.0, 1.0):
                y0, y1 = sorted(side * y for y in run.profile.cycle)
                pieces.append(_strip(run, stop_line(run), run.stop, y0 + 0.1, y1 - 0.05, STRIP_Z_M, "CycleAsphalt"))
    across, along = RUNS[2].profile.walk[0], RUNS[0].profile.walk[0]
    pieces.append(_flat(-across, -along, across, along, 0.0, "Asphalt"))
    return pieces


def _markings(run: Run) -> list[Shape]:
    """Return middle line, lane lines, parking bays, stop lines and the zebra crossing."""
    profile, z = run.profile, PAINT_Z_M
    first = stop_line(run) + 0.6 if run.crossing else run.start
    pieces = []
    half = profile.lanes[-1] + profile.lane / 2.0
    lines = [profile.lanes[0] + profile.lane / 2.0 + k * profile.lane for k in range(len(profile.lanes) - 1)]
    if len(profile.lanes) > 1:
        pieces += [_strip(run, first, run.stop, y - 0.06, y + 0.06, z, "RoadPaint") for y in (-0.12, 0.12)]
        pieces += [piece for y in lines for side in (-1, 1) for piece in _dashes(run, first, side * y)]
    elif profile is not LANE:
        pieces += _dashes(run, first, 0.0)
    for side in (-1.0, 1.0):
        if profile.cycle:
            pieces.append(_strip(run, first, run.stop, side * half - 0.06, side * half + 0.06, z, "RoadPaint"))
        inner, outer = sorted(side * y for y in profile.parking)
        edge = side * profile.parking[0]
        bays = int((run.stop - run.start - (12.0 if run.crossing else 4.0) - 2.0) / 6.4)
        for k in range(bays + 1):
            x = run.start + (12.0 if run.crossing else 4.0) + 6.4 * k
            pieces.append(_strip(run, x - 0.05, x + 0.05, inner + 0.08, outer - 0.08, z, "RoadPaint"))
        pieces.append(_strip(run, first, run.stop, edge - 0.05, edge + 0.05, z, "RoadPaint"))
    if run.crossing:
        line = stop_line(run)
        inbound = profile.cycle[1] if profile.cycle else half
        pieces.append(_strip(run, line, line + 0.4, 0.1, inbound, z, "RoadPaint"))
        bars = int(profile.walk[0] / 0.5) - 1
        for k in range(-(bars // 2), bars // 2 + 1):
            pieces.append(_strip(run, zebra(run) - 1.7, zebra(run) + 1.7, k - 0.25, k + 0.25, z, "RoadPaint"))
    return pieces


def _dashes(run: Run, first: float, y: float) -> list[Shape]:
    """Return a broken line."""
    starts = np.arange(first, run.stop - DASH_M, DASH_M + GAP_M)
    return [_strip(run, x, x + DASH_M, y - 0.06, y + 0.06, PAINT_Z_M, "RoadPaint") for x in starts]


def _paving() -> list[Shape]:
    """Return sidewalks behind their kerbs; those of the avenue have the corners."""
    pieces = []
    corner = RUNS[2].profile.front
    for run in RUNS:
        start = corner if run.profile is RUNS[0].profile else run.start
        for side in (-1.0, 1.0):
            y0, y1 = sorted((side * (run.profile.walk[0] + KERB_M[0]), side * (run.profile.walk[1] + 0.2)))
            pieces.append(_block(run, start, run.stop + 1.0, y0, y1, WALK_Z_M, "Paving"))
    return pieces


def _kerbs() -> list[Shape]:
    pieces = []
    for run in RUNS:
        start = run.start + KERB_M[0] if run.profile is RUNS[0].profile else run.start
        for side in (-1.0, 1.0):
            y0, y1 = sorted((side * run.profile.walk[0], side * (run.profile.walk[0] + KERB_M[0])))
            pieces.append(_block(run, start, run.stop + 1.0, y0, y1, KERB_M[1], "KerbStone"))
    return pieces
