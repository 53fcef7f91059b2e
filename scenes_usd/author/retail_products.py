"""Products on sale: bottles, cans, jars, tubes and packets with printed labels, each genuine or counterfeit.

Origins lie on the shelf, in the middle of the footprint; fronts look along -y. What is not printed has a material of
the shop's library; what is printed has one of its own for every print.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from pxr import Kind, Usd

from scenes_usd.author import stage as usd
from scenes_usd.author.materials import Finish, write_finishes
from scenes_usd.author.polygon import rectangle
from scenes_usd.author.retail_art import texture_name
from scenes_usd.author.retail_lines import GENUINE, LINES, SEMANTICS, SIGNALS, Line
from scenes_usd.author.shape import Floats, Shape, joined, shape_from_faces, turned
from scenes_usd.author.solids import box, lathe, loft

LIBRARY = "materials/retail.usda"
ROUND = 28  # segments of a bottle
SKIN_M = 0.0004  # a label stands out so far
WRONG_CAPS = {
    "CapBlue": "CapWhite",
    "CapRed": "CapBlue",
    "CapGreen": "CapYellow",
    "CapWhite": "CapPurple",
    "CapPurple": "CapWhite",
    "CapBlack": "CapRed",
    "CapGold": "CapBlack",
    "CapsuleRed": "CapsuleGold",
    "CapsuleGold": "CapsuleRed",
}
PRINT_ROUGHNESS = {"packet": 0.38, "gable": 0.45, "can": 0.24, "tin": 0.42, "flask": 0.3, "tube": 0.34}
DEFAULT_ROUGHNESS = 0.45  # of paper labels
# A counterfeit's print shines where the genuine one is dull, and is dull where that one shines.
GLOSSY, MATT = 0.08, 0.85


def plain_finishes() -> dict[str, Finish]:
    """Return materials that are not printed."""
    cap = {
        "Blue": (28, 84, 190),
        "Red": (196, 22, 32),
        "Green": (30, 120, 52),
        "White": (238, 238, 234),
        "Yellow": (244, 204, 40),
        "Purple": (112, 58, 150),
        "Black": (26, 26, 28),
    }
    caps = {f"Cap{name}": Finish(srgb, roughness=0.35) for name, srgb in cap.items()}
    return caps | {
        "CapGold": Finish((214, 172, 92), roughness=0.3, metallic=1.0),
        "CapsuleRed": Finish((120, 16, 32), roughness=0.34, metallic=0.4),
        "CapsuleGold": Finish((206, 170, 96), roughness=0.3, metallic=0.8),
        "Tinplate": Finish((206, 208, 210), roughness=0.26, metallic=1.0),
        "PetClear": Finish((206, 226, 236), roughness=0.06, opacity=0.14),
        "GlassClear": Finish((214, 226, 220), roughness=0.03, opacity=0.12),
        "GlassGreen": Finish((18, 40, 22), roughness=0.05, clearcoat=1.0),
        "GlassAmber": Finish((64, 34, 8), roughness=0.05, clearcoat=1.0),
        # A filled wall: what is inside with the wall's gloss on it, one surface for a ray and not two.
        "LiquidWater": Finish((176, 214, 240), roughness=0.05, opacity=0.61),  # more than half, so that it is labelled
        "LiquidCola": Finish((40, 16, 8), roughness=0.2, clearcoat=1.0),
        "LiquidOrange": Finish((250, 150, 20), roughness=0.3, clearcoat=1.0),
        "LiquidOil": Finish((196, 168, 34), roughness=0.15, clearcoat=1.0),
        "FillCoffee": Finish((60, 34, 18), roughness=0.9, clearcoat=1.0),
        "FillBerry": Finish((110, 8, 24), roughness=0.25, clearcoat=1.0),
        "ShelfWhite": Finish((226, 226, 222), roughness=0.45),
        "ShelfGrey": Finish((92, 96, 102), roughness=0.45),
        "RailClear": Finish((232, 236, 240), roughness=0.2),
        "RailRed": Finish((190, 28, 32), roughness=0.4),
        "BackPanel": Finish((206, 208, 206), roughness=0.6),
        "ShopWall": Finish((218, 214, 204), roughness=0.7),
        "ShopStripe": Finish((34, 112, 78), roughness=0.6),
        "ShopCeiling": Finish((228, 228, 226), roughness=0.85),
        "TubeLamp": Finish((250, 250, 250), roughness=0.6, emission=3.0),
        "Vinyl": Finish(color_texture="retail/vinyl", roughness=0.3, tile_m=(1.2, 1.2)),
        "Tags": Finish(color_texture="retail/tags", roughness=0.5),
        "Wobblers": Finish(color_texture="retail/wobblers", roughness=0.4),
    }


def print_name(line: Line, signal: str) -> str:
    """Return the material of a line's print."""
    return f"{line.name}Print{'' if signal in (GENUINE, 'cap') else signal.capitalize()}"


def print_finishes() -> dict[str, Finish]:
    """Return the prints of every line."""
    finishes = {}
    for line in LINES:
        roughness = PRINT_ROUGHNESS.get(line.form, DEFAULT_ROUGHNESS)
        genuine = Finish(
            color_texture=texture_name(line, GENUINE), roughness=roughness, metallic=0.55 if line.form == "can" else 0.0
        )
        for signal in (GENUINE, *line.signals):
            finish = replace(genuine, color_texture=texture_name(line, signal))
            if signal == "gloss":
                wrong = MATT if roughness < 0.35 else GLOSSY
                finish = replace(finish, roughness=wrong, metallic=0.0, clearcoat=1.0 if wrong == GLOSSY else 0.0)
            finishes[print_name(line, signal)] = finish
    return finishes


def write_library(root: Path) -> None:
    """Write ``materials/retail.usda``."""
    comment = "Materials of the shop; referenced one at a time. Written by author/retail_products.py."
    write_finishes(root, LIBRARY, plain_finishes() | print_finishes(), comment)


def _turned_part(profile_m: list[tuple[float, float]]) -> Shape:
    return turned(lathe(profile_m, ROUND), "z", 90.0)


def _sleeve(radius_m: float, low_m: float, high_m: float) -> Shape:
    """Return a label around a round body, its front towards -y."""
    sleeve = lathe([(radius_m + SKIN_M, low_m), (radius_m + SKIN_M, high_m)], ROUND)
    scale = np.array([1.0 / (2.0 * np.pi * (radius_m + SKIN_M)), 1.0 / (high_m - low_m)])
    return turned(replace(sleeve, uv_m=sleeve.uv_m * scale), "z", 90.0)


def _rounded(line: Line) -> dict[str, Shape]:
    """Return body, label, cap and contents of a bottle for drinks: PET, or wine of Bordeaux shape."""
    radius, height = line.size_m[0] / 2.0 - SKIN_M, line.size_m[2]
    if line.form == "wine":
        body = [
            (0.0, 0.004),
            (radius * 0.8, 0.0),
            (radius, 0.004),
            (radius, 0.62 * height),
            (radius * 0.92, 0.67 * height),
            (radius * 0.6, 0.72 * height),
            (0.0155, 0.77 * height),
            (0.0145, 0.97 * height),
        ]
        cap = [(0.0155, 0.8 * height), (0.0152, height - 0.001), (0.0142, height), (0.0, height)]
        parts = {"Body": _turned_part(body), "Label": _sleeve(radius, 0.14 * height, 0.47 * height)}
        return parts | {"Cap": _turned_part(cap)}
    waist = radius * 0.94
    body = [
        (radius * 0.72, 0.0),
        (radius, 0.008),
        (radius, 0.3 * height),
        (waist, 0.33 * height),
        (waist, 0.68 * height),
        (radius, 0.7 * height),
        (radius * 0.95, 0.76 * height),
        (radius * 0.6, 0.86 * height),
        (0.0125, 0.915 * height),
        (0.0125, 0.93 * height),
    ]
    cap = [(0.0125, 0.928 * height), (0.0148, 0.93 * height), (0.0148, height - 0.001), (0.0135, height), (0.0, height)]
    parts = _filled(body, 0.82 * height) if line.liquid else {"Body": _turned_part(body)}
    return parts | {"Label": _sleeve(waist, 0.335 * height, 0.675 * height), "Cap": _turned_part(cap)}


def _filled(outside_m: list[tuple[float, float]], level_m: float) -> dict[str, Shape]:
    """Return a round wall in two parts: clear above a level, and filled below it, where it closes on top."""
    below, above = ([p for p in outside_m if (p[1] < level_m) == is_below] for is_below in (True, False))
    (r0, z0), (r1, z1) = below[-1], above[0]
    rim = (r0 + (level_m - z0) / (z1 - z0) * (r1 - r0), level_m)
    filled = [(0.0, below[0][1]), *below, rim, (0.0, level_m)]
    return {"Body": _turned_part([rim, *above]), "Contents": _turned_part(filled)}


def _canned(line: Line) -> dict[str, Shape]:
    """Return a drinks can with its necks, or a food tin with its beads."""
    radius, height = line.size_m[0] / 2.0 - SKIN_M, line.size_m[2]
    neck = radius * (0.82 if line.form == "can" else 1.0)
    low, high = (0.05, 0.95) if line.form == "can" else (0.045, 0.955)
    metal = [
        (neck * 0.9, 0.004),
        (neck, 0.0),
        (radius, low * height),
        (radius, high * height),
        (neck, height - 0.002),
        (neck, height),
        (neck - 0.002, height),
        (neck - 0.003, height - 0.004),
        (0.0, height - 0.004),
    ]
    lid = _turned_part([(neck - 0.006, height - 0.0035), (neck - 0.009, height - 0.0035)])
    return {"Body": joined(_turned_part(metal), lid), "Label": _sleeve(radius, low * height, high * height)}


def _jarred(line: Line) -> dict[str, Shape]:
    """Return a jar with a screw lid."""
    radius, height = line.size_m[0] / 2.0 - SKIN_M, line.size_m[2]
    body = [
        (radius * 0.85, 0.0),
        (radius, 0.006),
        (radius, 0.72 * height),
        (radius * 0.84, 0.82 * height),
        (radius * 0.84, 0.86 * height),
    ]
    lid = [
        (radius * 0.84, 0.855 * height),
        (radius * 0.93, 0.858 * height),
        (radius * 0.93, height - 0.002),
        (radius * 0.9, height),
        (0.0, height),
    ]
    label, cap = _sleeve(radius, 0.13 * height, 0.63 * height), _turned_part(lid)
    return {**_filled(body, 0.74 * height), "Label": label, "Cap": cap}


def _oval(width_m: float, depth_m: float, z_m: float, *, squareness: float = 2.4) -> Floats:
    """Return a superellipse that starts at +y and goes round counter-clockwise, the seam first and last."""
    angle = np.pi / 2.0 + 2.0 * np.pi * np.arange(ROUND + 1) / ROUND
    c, s = np.cos(angle), np.sin(angle)
    power = 2.0 / squareness
    x = 0.5 * width_m * np.sign(c) * np.abs(c) ** power
    y = 0.5 * depth_m * np.sign(s) * np.abs(s) ** power
    return np.column_stack([x, y, np.full(ROUND + 1, z_m)])


def _wrapped(rings: list[Floats]) -> Shape:
    """Return an open skin through ovals with the print once around it, u by the way along the widest ring."""
    points, faces, uv = np.concatenate(rings), [], []
    widest = max(rings, key=lambda ring: float(np.ptp(ring[:, 0])))
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(widest, axis=0), axis=1))])
    along /= along[-1]
    low, high = rings[0][0, 2], rings[-1][0, 2]
    for level in range(len(rings) - 1):
        v0, v1 = ((ring[0, 2] - low) / (high - low) for ring in rings[level : level + 2])
        for j in range(ROUND):
            a, b = level * (ROUND + 1) + j, (level + 1) * (ROUND + 1) + j
            faces.append((a, a + 1, b + 1, b))
            uv += [(along[j], v0), (along[j + 1], v0), (along[j + 1], v1), (along[j], v1)]
    return shape_from_faces(points, faces, uv_m=np.array(uv))


def _flask(line: Line) -> dict[str, Shape]:
    """Return an oval bottle printed all over, under a flip cap."""
    width, depth, height = line.size_m
    sections = ((0.8, 0.0), (0.97, 0.02), (1.0, 0.08), (1.0, 0.6), (0.95, 0.72), (0.7, 0.8), (0.42, 0.84))
    skin = _wrapped([_oval(width * s, depth * max(s, 0.66 * s + 0.24), z * height) for s, z in sections])
    cap = loft(
        [_oval(width * 0.52, depth * 0.8, z * height)[:-1] for z in (0.835, 0.985)]
        + [_oval(width * 0.47, depth * 0.72, height)[:-1]]
    )
    return {"Label": skin, "Cap": cap}


def _tube(line: Line) -> dict[str, Shape]:
    """Return a tube that stands on its cap, its crimp on top."""
    width, depth, height = line.size_m
    sections = (
        (0.55, 0.55, 0.14),
        (0.85, 1.0, 0.2),
        (0.86, 1.0, 0.3),
        (0.92, 0.62, 0.7),
        (1.0, 0.06, 0.95),
        (1.0, 0.03, 1.0),
    )
    skin = _wrapped([_oval(width * w, depth * d, z * height, squareness=2.0) for w, d, z in sections])
    cap = _turned_part(
        [(0.0, 0.0), (depth * 0.42, 0.0), (depth * 0.45, 0.002), (depth * 0.45, 0.15 * height), (0.0, 0.15 * height)]
    )
    return {"Label": skin, "Cap": cap}


def _square(line: Line) -> dict[str, Shape]:
    """Return a square bottle for oil."""
    width, _, height = line.size_m
    side = width - 2.0 * SKIN_M

    def at(share: float, z: float) -> Floats:
        ring = rectangle(side * share, side * share, radius_m=min(0.008, 0.4 * side * share), segments=3)
        return np.column_stack([ring, np.full(len(ring), z * height)])

    def skin(levels: list[tuple[float, float]]) -> Shape:
        rings = [at(share, z) for share, z in levels]
        count = len(rings[0])
        faces = [
            (k * count + j, k * count + (j + 1) % count, (k + 1) * count + (j + 1) % count, (k + 1) * count + j)
            for k in range(len(rings) - 1)
            for j in range(count)
        ]
        return shape_from_faces(np.concatenate(rings), faces)

    body = skin([(0.9, 0.75), (0.4, 0.83), (0.38, 0.93)])
    oil = loft([at(0.94, 0.0), at(1.0, 0.012), at(1.0, 0.7), at(0.9, 0.75)])
    half, low, high = side / 2.0 + SKIN_M, 0.2 * height, 0.56 * height
    flat = half - 0.008
    corners = [(-half, flat), (-half, -flat), (-flat, -half), (flat, -half), (half, -flat), (half, flat)]
    points = [(x, y, z) for x, y in corners for z in (low, high)]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(np.array(corners), axis=0), axis=1))])
    u = 0.5 + (along - along[-1] / 2.0) / (4.0 * side)
    faces = [(2 * k, 2 * k + 2, 2 * k + 3, 2 * k + 1) for k in range(5)]
    uv = [(u[k + step], v) for k in range(5) for step, v in ((0, 0.0), (1, 0.0), (1, 1.0), (0, 1.0))]
    label = shape_from_faces(points, faces, uv_m=np.array(uv))
    cap = _turned_part([(0.0142, 0.9 * height), (0.0148, 0.905 * height), (0.0148, height - 0.001), (0.0, height)])
    return {"Body": body, "Label": label, "Cap": cap, "Contents": oil}


def _packet(line: Line) -> dict[str, Shape]:
    """Return a packet with its net on it; a gable-top one has a roof."""
    width, depth, height = line.size_m
    net_u, net_v = width / (width + depth), height / (height + depth)
    if line.form == "packet":
        shape = box((width, depth, height), bevel_m=0.0008)
    else:
        eaves = 0.8 * height
        x, y = width / 2.0, depth / 2.0
        points = [(sx * x, sy * y, z) for z in (0.0, eaves) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        points += [
            (sx * x, sy * 0.002, z) for z in (0.94 * height, height) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        faces = [(k, (k + 1) % 4, 4 + (k + 1) % 4, 4 + k) for k in range(4)] + [(3, 2, 1, 0)]
        faces += [(4 + k, 4 + (k + 1) % 4, 8 + (k + 1) % 4, 8 + k) for k in range(4)]
        faces += [(8 + k, 8 + (k + 1) % 4, 12 + (k + 1) % 4, 12 + k) for k in range(4)] + [(12, 13, 14, 15)]
        shape = shape_from_faces(points, faces)
    corner = shape.points_m[shape.index]
    face = np.repeat(np.arange(len(shape.count)), shape.count)
    total = np.zeros((len(shape.count), 3))
    np.add.at(total, face, shape.normal)
    axis = np.argmax(np.abs(np.round(total * np.array([1.0, 1.001, 0.7]), 6)), axis=1)
    sign = np.sign(total[np.arange(len(axis)), axis])[face]
    a = axis[face]
    x, y, z = corner.T
    u = np.select(
        [a == 1, a == 0], [0.5 - sign * x / width, net_u + (0.5 + sign * y / depth) * (1.0 - net_u)], 0.5 + x / width
    )
    u = np.where(a == 0, u, u * net_u)
    v = np.where(a == 2, net_v + (0.5 + y / depth) * (1.0 - net_v), z / height * net_v)
    inside = 0.001
    uv = np.stack([np.clip(u, inside, 1.0 - inside), np.clip(v, inside, 1.0 - inside)], axis=1)
    return {"Label": replace(shape, uv_m=uv)}


FORMS = {
    "pet": _rounded,
    "wine": _rounded,
    "can": _canned,
    "tin": _canned,
    "jar": _jarred,
    "flask": _flask,
    "tube": _tube,
    "square": _square,
    "packet": _packet,
    "gable": _packet,
}


def write_products(root: Path) -> None:
    """Write ``assets/product_<line>.usda`` for every line, each with the variant set ``authenticity``."""
    for line in LINES:
        path = root / "assets" / f"product_{usd.snake(line.name)}.usda"
        comment = (
            f"{line.brand} {line.product}; counterfeits differ in: {', '.join(line.signals)}. All brands are made up."
        )
        stage = usd.new_stage(path, line.name, kind=Kind.Tokens.component, comment=comment)
        root_prim = stage.GetDefaultPrim()
        Usd.ModelAPI(root_prim).SetAssetName(line.name)
        stage.DefinePrim(f"/{line.name}/Geometry", "Scope")
        bound = {"Body": line.body or line.cap, "Contents": line.liquid, "Cap": line.cap}
        parts = FORMS[line.form](line)
        if "Cap" not in parts:
            bound["Body"] = line.cap
        for name, shape in parts.items():
            painted = replace(shape, materials=(name,), material=np.zeros(len(shape.count), dtype=np.int64))
            usd.write_mesh(stage, f"/{line.name}/Geometry/{name}", painted, {name: None}, decimals=usd.POINT_DECIMALS)
        variants = root_prim.GetVariantSets().AddVariantSet("authenticity")
        for signal in (GENUINE, *line.signals):
            names = {part: bound[part] for part in parts if part != "Label"} | {"Label": print_name(line, signal)}
            if signal == "cap":
                names["Cap"] = WRONG_CAPS[line.cap]
            materials = {
                part: usd.reference_material(stage, f"/{line.name}/Materials", name, f"../{LIBRARY}")
                for part, name in names.items()
            }
            variants.AddVariant(signal)
            variants.SetVariantSelection(signal)
            with variants.GetVariantEditContext():
                usd.label(root_prim, SEMANTICS[line.form] if signal == GENUINE else SIGNALS[signal])
                for part, material in materials.items():
                    usd.bind(stage.OverridePrim(f"/{line.name}/Geometry/{part}"), material)
        variants.SetVariantSelection(GENUINE)
        usd.save(stage)
