"""The hall: floor with lines, panelled walls, columns, trusses, roof with skylights, dock doors, light fittings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.polygon import rectangle
from scenes_usd.author.shape import Shape, joined, moved, painted, shape_from_faces, shifted_uv, turned
from scenes_usd.author.solids import box, extrusion, lathe, sweep

LENGTH_M, WIDTH_M, EAVES_M = 18.0, 10.2, 6.4  # x, y, z; the origin is the middle of the floor
PLINTH_M = 0.6
LAP_M = 0.05  # how far sheets reach behind what covers their edge, so that no ray slips out of the hall
SKYLIGHTS_Y_M = ((-3.6, -2.6), (2.6, 3.6))  # strips along the whole roof
DOOR_M = (3.0, 3.4)  # width and height of a dock door
DOOR_Y_M = (-2.3, 2.3)  # where the doors are in the east wall (x = LENGTH_M / 2)
LAMPS_M = ((-4.8, 0.0), (0.4, 0.0), (5.6, 0.0))  # x, y of the light fittings; every lamp costs a shadow ray a sample
LAMP_SIZE_M = (3.2, 0.5)
LAMP_Z_M = 5.6  # of the glowing face
LINE_M = 0.1
APRON_X_M = 6.0  # the floor beyond is stained
FLOOR_BAY_X_M, FLOOR_BAY_Y_M, FLOOR_BAY_PITCH_M = 4.4, 4.05, 1.2  # first of four painted bays at either long wall


def write_building(root: Path) -> None:
    """Write the hall: an assembly whose floor, markings, walls, doors and ceiling are components, one instance each."""
    path = root / "assets" / "hall.usda"
    comment = "Warehouse hall, 18 x 10.2 m, 6.4 m to the eaves; the origin is the middle of the floor."
    stage = usd.new_stage(path, "Hall", kind=Kind.Tokens.assembly, comment=comment)
    parts = {
        ("Floor", "floor"): {"Slab": _slab()},
        ("Markings", "floor_marking"): {"Lines": _lines()},
        ("Wall", "wall"): {"Panels": _panels(), "Skin": _skin(), "Columns": _columns(), "Signs": _signs()},
        ("Doors", "door"): {"Doors": _doors()},
        ("Ceiling", "ceiling"): {"Deck": _deck(), "Skylights": _skylights(), "Trusses": _trusses(), "Lamps": _lamps()},
    }
    for (name, semantic), shapes in parts.items():
        prim = usd.group(stage, f"/Hall/{name}", kind=Kind.Tokens.component)
        usd.label(prim, semantic)
        usd.write_parts(stage, f"/Hall/{name}/Geometry", shapes, scope="/Hall/Materials")
    usd.save(stage)


def _slab() -> Shape:
    """Return the slab, out to under the walls; the strip before the doors is an older, dirtier pour."""
    x, y, joint = LENGTH_M / 2.0 + 2.0 * LAP_M, WIDTH_M / 2.0 + 2.0 * LAP_M, APRON_X_M
    clean = shape_from_faces([(-x, -y, 0), (joint, -y, 0), (joint, y, 0), (-x, y, 0)], [(0, 1, 2, 3)])
    stained = shape_from_faces([(joint, -y, 0), (x, -y, 0), (x, y, 0), (joint, y, 0)], [(0, 1, 2, 3)])
    return joined(painted(clean, "ConcreteClean"), painted(stained, "ConcreteStained"))


def _stripe(x0: float, y0: float, x1: float, y1: float, material: str) -> Shape:
    """Return a painted stripe one millimetre above the floor, u along it."""
    length, width = max(x1 - x0, y1 - y0), min(x1 - x0, y1 - y0)
    flat = np.array([(0, 0, 0.001), (length, 0, 0.001), (length, width, 0.001), (0, width, 0.001)])
    shape = shifted_uv(painted(shape_from_faces(flat, [(0, 1, 2, 3)]), material), 0.37 * x0, 0.11 * y0)
    return moved(shape, x0, y0) if x1 - x0 >= y1 - y0 else moved(turned(shape, "z", 90.0), x1, y0)


def _lines() -> Shape:
    """Return the aisle's edges, bays for floor pallets, the pedestrian walk and hatched zones at the doors."""
    x_end, aisle = 3.2, 2.0
    lines = [
        _stripe(-8.7, side * aisle - LINE_M / 2, x_end, side * aisle + LINE_M / 2, "PaintYellow") for side in (-1, 1)
    ]
    lines.append(_stripe(x_end, -aisle - LINE_M / 2, x_end + LINE_M, -1.2, "PaintYellow"))
    lines.append(_stripe(x_end, 1.2, x_end + LINE_M, aisle + LINE_M / 2, "PaintYellow"))
    for y in DOOR_Y_M:
        x = LENGTH_M / 2.0 - 2.6
        lines += [_stripe(x, y - 1.7, x + 2.4, y - 1.7 + LINE_M, "PaintYellow")]
        lines += [_stripe(x, y + 1.6, x + 2.4, y + 1.6 + LINE_M, "PaintYellow")]
        lines += [_stripe(LENGTH_M / 2.0 - 0.45, y - 1.5, LENGTH_M / 2.0 - 0.05, y + 1.5, "HazardStripes")]
    for low, high in ((FLOOR_BAY_Y_M - 0.75, FLOOR_BAY_Y_M + 0.7), (-FLOOR_BAY_Y_M - 0.7, -FLOOR_BAY_Y_M + 0.75)):
        for bay in range(5):
            x = FLOOR_BAY_X_M + (bay - 0.5) * FLOOR_BAY_PITCH_M - LINE_M / 2.0
            lines.append(_stripe(x, low, x + LINE_M, high, "PaintWhite"))
    return joined(*lines)


def _ribbed(length_m: float, height_m: float, *, holes_m: tuple[tuple[float, float, float], ...] = ()) -> Shape:
    """Return a wall of trapezoid sheet facing +y along x, from behind the plinth; a hole is (from x, to x, height)."""
    pitch, depth = 0.3, 0.035
    steps = round(length_m / pitch)
    profile = [
        (k * pitch + dx, -d) for k in range(steps) for dx, d in ((0.0, 0.0), (0.19, 0.0), (0.22, depth), (0.27, depth))
    ]
    profile.append((length_m, 0.0))
    across = np.array(profile) - np.array([length_m / 2.0, 0.0])
    cuts = sorted({x for low, high, _ in holes_m for x in (low, high)})
    columns = np.array(sorted({*across[:, 0].tolist(), *cuts}))
    offset = np.interp(columns, across[:, 0], across[:, 1])
    points: list[tuple[float, float, float]] = []
    faces = []
    for k in range(len(columns) - 1):
        middle = 0.5 * (columns[k] + columns[k + 1])
        bottom = next((top for low, high, top in holes_m if low < middle < high), PLINTH_M - LAP_M)
        base = len(points)
        for z in (bottom, height_m):
            points += [(float(columns[k]), float(offset[k]), z), (float(columns[k + 1]), float(offset[k + 1]), z)]
        faces.append((base + 1, base, base + 2, base + 3))
    return painted(shape_from_faces(points, faces), "PanelWhite")


def _panels() -> Shape:
    half_x, half_y = LENGTH_M / 2.0, WIDTH_M / 2.0
    wall = _ribbed(LENGTH_M, EAVES_M + 0.08)
    east_holes = tuple((y - DOOR_M[0] / 2, y + DOOR_M[0] / 2, DOOR_M[1]) for y in DOOR_Y_M)
    east = _ribbed(WIDTH_M, EAVES_M + 0.08, holes_m=east_holes)
    pieces = [moved(wall, y_m=-half_y), moved(turned(wall, "z", 180.0), y_m=half_y)]
    pieces += [
        moved(turned(east, "z", 90.0), half_x),
        moved(turned(_ribbed(WIDTH_M, EAVES_M + 0.08), "z", -90.0), -half_x),
    ]
    plinth = painted(box((LENGTH_M, 0.12, PLINTH_M), bevel_m=0.015), "Plinth")
    pieces += [moved(plinth, y_m=-half_y + 0.03), moved(plinth, y_m=half_y - 0.03)]
    side = painted(box((0.12, WIDTH_M, PLINTH_M), bevel_m=0.015), "Plinth")
    pieces.append(moved(side, -half_x + 0.03))
    edges = [-half_y, *[y + s * DOOR_M[0] / 2 for y in DOOR_Y_M for s in (-1, 1)], half_y]
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        part = painted(box((0.12, high - low, PLINTH_M), bevel_m=0.015), "Plinth")
        pieces.append(moved(part, half_x - 0.03, (low + high) / 2.0))
    return joined(*pieces)


def _skin() -> Shape:
    """Return plain sheets behind all four walls: corners and eaves meet edge to edge, and rays find such seams."""
    x, y, low, high = LENGTH_M / 2.0 + 1.2 * LAP_M, WIDTH_M / 2.0 + 1.2 * LAP_M, -LAP_M, EAVES_M + 4.0 * LAP_M
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    points = [(*corner, z) for z in (low, high) for corner in corners]
    faces = [((k + 1) % 4, k, k + 4, (k + 1) % 4 + 4) for k in range(4)]
    return painted(shape_from_faces(points, faces), "PanelWhite")


def _doors() -> Shape:
    """Return two sectional doors with windows, frames, tracks, striped posts and a sheet behind the gaps of each."""
    pieces: list[Shape] = []
    for y in DOOR_Y_M:
        x = LENGTH_M / 2.0
        sections = 6
        tall = DOOR_M[1] / sections
        sheet = painted(box((0.01, DOOR_M[0] + 4.0 * LAP_M, DOOR_M[1] + 3.0 * LAP_M)), "DoorGrey")
        pieces.append(moved(sheet, x + LAP_M, y, -LAP_M))
        for k in range(sections):
            panel = painted(box((0.045, DOOR_M[0], tall + 0.002), bevel_m=0.008), "DoorGrey")
            pieces.append(moved(panel, x + 0.02, y, k * tall - 0.001))
            for rib in (0.3, 0.7):
                if k != 3:
                    ridge = painted(box((0.012, DOOR_M[0] - 0.06, 0.03)), "DoorGrey")
                    pieces.append(moved(ridge, x - 0.003, y, (k + rib) * tall - 0.015))
        for k in range(4):
            window = painted(box((0.02, 0.5, 0.3), bevel_m=0.008), "LampGlass")
            pieces.append(moved(window, x - 0.005, y - 1.05 + 0.7 * k, 3 * tall + 0.13))
            frame = extrusion(
                rectangle(0.6, 0.4, radius_m=0.05, segments=2),
                0.02,
                holes_m=[rectangle(0.5, 0.3, radius_m=0.04, segments=2)],
            )
            frame = turned(turned(painted(frame, "PlasticBlack"), "x", 90.0), "z", -90.0)
            pieces.append(moved(frame, x - 0.012, y - 1.05 + 0.7 * k, 3 * tall + 0.28))
        for side in (-1, 1):
            post = painted(box((0.14, 0.14, 1.1), bevel_m=0.02), "HazardStripes")
            pieces.append(moved(post, x - 0.1, y + side * (DOOR_M[0] / 2 + 0.1)))
            jamb = painted(box((0.1, 0.1, DOOR_M[1] + 0.1), bevel_m=0.008), "CoatGrey")
            pieces.append(moved(jamb, x - 0.04, y + side * (DOOR_M[0] / 2 + 0.03)))
            track = _track(x - 0.12, y + side * (DOOR_M[0] / 2 + 0.03))
            pieces.append(painted(sweep(track, rectangle(0.04, 0.05), up=(0.0, 1.0, 0.0)), "Galvanized"))
        lintel = painted(box((0.12, DOOR_M[0] + 0.3, 0.16), bevel_m=0.01), "CoatGrey")
        pieces.append(moved(lintel, x - 0.04, y, DOOR_M[1]))
        drum = turned(painted(lathe([(0, -1.4), (0.09, -1.4), (0.09, 1.4), (0, 1.4)], 16), "Galvanized"), "x", 90.0)
        pieces.append(moved(drum, x - 0.25, y, DOOR_M[1] + 0.45))
    return joined(*pieces)


def _track(x_m: float, y_m: float) -> np.ndarray:
    """Return the path of a door's track: up the jamb, round a bend, back under the roof."""
    angle = np.linspace(0.0, np.pi / 2.0, 6)
    bend = np.column_stack([x_m - 0.3 + 0.3 * np.cos(angle), np.full(6, y_m), DOOR_M[1] + 0.1 + 0.3 * np.sin(angle)])
    return np.concatenate([[(x_m, y_m, 0.02)], bend, [(x_m - 1.1, y_m, DOOR_M[1] + 0.4)]])


def _columns() -> Shape:
    """Return steel H columns along the long walls."""
    t, w, d = 0.012, 0.2, 0.2
    half = [(-w / 2, -d / 2), (w / 2, -d / 2), (w / 2, -d / 2 + t), (t / 2, -d / 2 + t), (t / 2, d / 2 - t)]
    half += [(w / 2, d / 2 - t), (w / 2, d / 2), (-w / 2, d / 2), (-w / 2, d / 2 - t), (-t / 2, d / 2 - t)]
    half += [(-t / 2, -d / 2 + t), (-w / 2, -d / 2 + t)]
    column = painted(extrusion(half, EAVES_M), "TrussGrey")
    guard = painted(box((0.3, 0.26, 0.9), bevel_m=0.03), "HazardStripes")
    pieces = []
    for x in (-6.0, 0.0, 6.0):
        for side in (-1, 1):
            pieces.append(moved(column, x, side * (WIDTH_M / 2 - 0.16)))
            if x > 3.0:
                pieces.append(moved(guard, x, side * (WIDTH_M / 2 - 0.18)))
    return joined(*pieces)


def _signs() -> Shape:
    """Return a blue sign with a white arrow above each door, and aisle numbers on the end of the racks' wall."""
    pieces = []
    for y in DOOR_Y_M:
        board = painted(box((0.03, 0.9, 0.5), bevel_m=0.006), "SignBlue")
        pieces.append(moved(board, LENGTH_M / 2 - 0.08, y, DOOR_M[1] + 0.75))
        arrow = [(-0.15, 0.02), (-0.06, 0.02), (-0.06, 0.16), (0.06, 0.16), (0.06, 0.02), (0.15, 0.02), (0.0, -0.17)]
        sheet = painted(extrusion(arrow[::-1], 0.004), "SignWhite")
        pieces.append(moved(turned(turned(sheet, "x", 90.0), "z", -90.0), LENGTH_M / 2 - 0.094, y, DOOR_M[1] + 1.0))
    return joined(*pieces)


def _deck() -> Shape:
    """Return the trapezoidal roof sheet, out to over the walls, with openings for the skylights."""
    pitch, depth = 0.6, 0.08
    xs = [k * pitch + dx for k in range(int(LENGTH_M / pitch)) for dx in (0.0, 0.35, 0.4, 0.55)] + [LENGTH_M]
    zs = [d for _ in range(int(LENGTH_M / pitch)) for d in (0.0, 0.0, depth, depth)] + [0.0]
    xs[0], xs[-1] = -2.0 * LAP_M, LENGTH_M + 2.0 * LAP_M
    edges = [-WIDTH_M / 2.0 - 2.0 * LAP_M, *np.ravel(SKYLIGHTS_Y_M).tolist(), WIDTH_M / 2.0 + 2.0 * LAP_M]
    pieces = []
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        points = [(x - LENGTH_M / 2, y, EAVES_M + z) for x, z in zip(xs, zs, strict=True) for y in (low, high)]
        faces = [(2 * k, 2 * k + 1, 2 * k + 3, 2 * k + 2) for k in range(len(xs) - 1)]
        pieces.append(shape_from_faces(points, faces))
    return painted(joined(*pieces), "RoofDeck")


def _skylights() -> Shape:
    """Return the panes, which glow like an overcast sky and light nothing, on kerbs that close the sheet's edges."""
    x, low, high = LENGTH_M / 2.0 + 2.0 * LAP_M, EAVES_M - 0.02, EAVES_M + 2.0 * LAP_M
    pieces = []
    for y0, y1 in SKYLIGHTS_Y_M:
        points = [(px, py, z) for z in (low, high) for px, py in ((-x, y0), (x, y0), (x, y1), (-x, y1))]
        kerb = shape_from_faces(points, [((k + 1) % 4, k, k + 4, (k + 1) % 4 + 4) for k in range(4)])
        pane = shape_from_faces(points[4:], [(3, 2, 1, 0)])
        pieces += [painted(kerb, "PanelWhite"), painted(pane, "Skylight")]
    return joined(*pieces)


def _trusses() -> Shape:
    """Return four lattice girders across the hall and purlins along it."""
    pieces: list[Shape] = []
    top, bottom = EAVES_M - 0.12, EAVES_M - 0.75
    for x in (-6.0, -2.0, 2.0, 6.0):
        for z in (top, bottom):
            chord = sweep([(x, -WIDTH_M / 2, z), (x, WIDTH_M / 2, z)], rectangle(0.1, 0.1))
            pieces.append(chord)
        nodes = np.linspace(-WIDTH_M / 2 + 0.2, WIDTH_M / 2 - 0.2, 13)
        for k in range(12):
            low, high = (bottom, top) if k % 2 == 0 else (top, bottom)
            pieces.append(
                sweep([(x, nodes[k], low), (x, nodes[k + 1], high)], rectangle(0.05, 0.05), up=(1.0, 0.0, 0.0))
            )
    for y in (-4.9, -3.7, -2.5, -1.3, 0.0, 1.3, 2.5, 3.7, 4.9):
        pieces.append(moved(box((LENGTH_M, 0.06, 0.1)), y_m=y, z_m=EAVES_M - 0.1))
    return painted(joined(*pieces), "TrussGrey")


def _lamps() -> Shape:
    """Return light fittings: a housing with a rim, a glowing face just above the light, two rods."""
    pieces = []
    length, width = LAMP_SIZE_M
    for x, y in LAMPS_M:
        housing = painted(box((length + 0.1, width + 0.1, 0.09), bevel_m=0.02), "PanelWhite")
        pieces.append(moved(housing, x, y, LAMP_Z_M + 0.012))
        face = painted(box((length, width, 0.008)), "LampDiffuser")
        pieces.append(moved(face, x, y, LAMP_Z_M + 0.006))
        for side in (-1, 1):
            rod = painted(lathe([(0, 0), (0.008, 0), (0.008, 0.6), (0, 0.6)], 6), "Galvanized")
            pieces.append(moved(rod, x + side * length * 0.4, y, LAMP_Z_M + 0.1))
    return joined(*pieces)


def write_cone(root: Path) -> None:
    """Write a 0.5 m traffic cone with a square rubber foot and two reflective sleeves."""
    foot = painted(extrusion(rectangle(0.3, 0.3, radius_m=0.05), 0.03, bevel_m=0.006), "PlasticBlack")
    levels, radii = (0.03, 0.5), (0.118, 0.03)
    body = [(0.128, 0.028), (0.125, 0.036), (0.118, 0.042)]
    body += [(float(np.interp(z, levels, radii)), z) for z in (0.08, 0.2)]
    body += [(float(np.interp(z, levels, radii)), z) for z in (0.28, 0.36, 0.42, 0.488)] + [
        (0.026, 0.499),
        (0.018, 0.5),
    ]
    inner = [(0.015, 0.494), (0.0, 0.46)]
    pieces = [foot, painted(lathe([*body, *inner], 32), "ConeOrange")]
    for low, high in ((0.19, 0.27), (0.33, 0.39)):
        sleeve = [(float(np.interp(z, levels, radii)) + 0.0015, z) for z in (low, high)]
        rim = [(sleeve[0][0] - 0.003, low), *sleeve, (sleeve[1][0] - 0.003, high)]
        pieces.append(painted(lathe(rim, 32), "Reflective"))
    usd.write_asset(root, "Cone", {"Body": joined(*pieces)}, semantic="cone", comment="Traffic cone, 0.5 m.")
