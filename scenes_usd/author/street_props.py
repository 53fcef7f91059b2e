"""What stands beside a road: lamps, traffic lights, signs, trees, hedges and bins."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenes_usd.author import implicit as sdf
from scenes_usd.author import stage as usd
from scenes_usd.author.implicit import Distance
from scenes_usd.author.shape import Floats, Shape, joined, moved, painted, turned
from scenes_usd.author.solids import box, lathe, rounded_box, tube

LAMP_HEAD_M = (1.9, 0.0, 7.4)  # of a street lamp, from its foot


def write_props(root: Path) -> None:
    """Write every prop as an asset."""
    usd.write_asset(
        root, "StreetLamp", {"Lamp": joined(*_lamp())}, semantic="pole", comment="Street lamp, 7.6 m; reaches along x."
    )
    for state, name in (("SignalGreen", "SignalGo"), ("SignalRed", "SignalStop")):
        comment = f"Traffic light that shows {state[6:].lower()}, looking along x."
        usd.write_asset(root, name, {"Signal": joined(*_signal(state))}, semantic="traffic_light", comment=comment)
    for name, plate in SIGNS.items():
        usd.write_asset(
            root,
            name,
            {"Sign": joined(*_sign(plate()))},
            semantic="traffic_sign",
            comment="Traffic sign, looking along x.",
        )
    for number in range(3):
        comment = "Street tree; the crown begins above heads."
        usd.write_asset(root, f"Tree{number}", _tree(number), semantic="vegetation", comment=comment, decimals=3)
    usd.write_asset(
        root, "Hedge", {"Hedge": _hedge()}, semantic="vegetation", comment="Hedge, 3.6 x 0.7 x 1.1 m.", decimals=3
    )
    usd.write_asset(root, "Bin", {"Bin": joined(*_bin())}, semantic="street_furniture", comment="Wheeled bin, 1.07 m.")
    usd.write_asset(
        root, "Bollard", {"Bollard": joined(*_bollard())}, semantic="street_furniture", comment="Bollard, 0.9 m."
    )


def _lamp() -> list[Shape]:
    """Return mast, arm and head."""
    x, _, z = LAMP_HEAD_M
    mast = lathe([(0.0, 0.0), (0.13, 0.0), (0.13, 0.9), (0.085, 1.0), (0.05, 7.0), (0.0, 7.0)], 12)
    arm = tube([(0.0, 0.0, 6.9), (0.25, 0.0, 7.4), (x - 0.3, 0.0, z + 0.14)], 0.04, segments=8)
    head = moved(rounded_box((0.8, 0.28, 0.14), 0.05, segments=1), x, 0.0, z + 0.05)
    glass = moved(box((0.6, 0.2, 0.03)), x, 0.0, z + 0.03)
    return [painted(joined(mast, arm), "Galvanized"), painted(head, "CoatGrey"), painted(glass, "LampGlass")]


def _signal(state: str) -> list[Shape]:
    """Return a mast with a head of three lights, of which one is lit."""
    mast = lathe([(0.0, 0.0), (0.07, 0.0), (0.06, 3.3), (0.0, 3.3)], 10)
    case = moved(rounded_box((0.2, 0.34, 0.95), 0.05, segments=1), 0.12, 0.0, 2.35)
    back = moved(box((0.02, 0.56, 1.15), bevel_m=0.005), 0.03, 0.0, 2.25)
    pieces = [painted(mast, "Galvanized"), painted(joined(case, back), "PlasticBlack")]
    for k, name in enumerate(("SignalGreen", "SignalDark", "SignalRed")):
        lens = turned(lathe([(0.105, 0.0), (0.08, 0.025), (0.0, 0.035)], 14), "y", 90.0)
        hood = turned(
            lathe([(0.125, -0.02), (0.125, 0.16), (0.115, 0.16), (0.115, -0.02)], 14, sweep_deg=220.0), "z", 70.0
        )
        place = (0.22, 0.0, 2.52 + 0.3 * k)
        pieces.append(moved(painted(lens, name if name == state else "SignalDark"), *place))
        pieces.append(moved(painted(turned(hood, "y", 90.0), "PlasticBlack"), *place))
    return pieces


def _disc(radius_m: float, sides: int, material: str, x_m: float, turn_deg: float = 0.0) -> Shape:
    """Return a flat plate of so many sides that looks along x."""
    plate = turned(
        lathe([(0.0, -0.006), (radius_m, -0.006), (radius_m, 0.006), (0.0, 0.006)], sides, crease_deg=20.0),
        "z",
        turn_deg,
    )
    return moved(painted(turned(plate, "y", 90.0), material), x_m)


def _speed() -> list[Shape]:
    bars = [moved(painted(box((0.004, 0.05, 0.22)), "PlasticBlack"), 0.02, y, -0.11) for y in (-0.07, 0.07)]
    return [_disc(0.32, 24, "SignRed", 0.0), _disc(0.25, 24, "SignWhite", 0.006), *bars]


def _priority() -> list[Shape]:
    return [_disc(0.42, 4, "SignWhite", 0.0), _disc(0.33, 4, "SignYellow", 0.006)]


def _crossing() -> list[Shape]:
    stripe = [moved(painted(box((0.004, 0.06, 0.3)), "SignWhite"), 0.014, y, -0.2) for y in (-0.14, 0.0, 0.14)]
    return [moved(painted(box((0.012, 0.62, 0.62), bevel_m=0.003), "SignBlue"), 0.0, 0.0, -0.31), *stripe]


def _giving_way() -> list[Shape]:
    return [_disc(0.46, 3, "SignRed", 0.0, 0.0), _disc(0.32, 3, "SignWhite", 0.006, 0.0)]


def _no_stopping() -> list[Shape]:
    bar = moved(painted(turned(box((0.004, 0.07, 0.48)), "x", 45.0), "SignRed"), 0.014, 0.17, -0.17)
    return [_disc(0.32, 24, "SignRed", 0.0), _disc(0.26, 24, "SignBlue", 0.006), bar]


SIGNS = {
    "SignSpeed": _speed,
    "SignPriority": _priority,
    "SignCrossing": _crossing,
    "SignGiveWay": _giving_way,
    "SignNoStopping": _no_stopping,
}


def _sign(plate: list[Shape]) -> list[Shape]:
    mast = lathe([(0.0, 0.0), (0.032, 0.0), (0.032, 2.75), (0.0, 2.75)], 8)
    return [painted(mast, "Galvanized"), *[moved(piece, 0.045, 0.0, 2.4) for piece in plate]]


def _bumpy(part: Distance, seed: int, depth_m: float, size_m: float) -> Distance:
    """Return a body whose surface is lumpy like leaves, by three sine waves across each other."""
    random = np.random.Generator(np.random.PCG64(seed))
    waves = random.normal(size=(5, 3))
    waves = waves / np.linalg.norm(waves, axis=1, keepdims=True) * (2.0 * np.pi / size_m)
    phase = random.uniform(0.0, 2.0 * np.pi, 5)

    def distance(p: Floats) -> Floats:
        return part(p) + depth_m * np.sin(p @ waves.T + phase).sum(axis=1) / 5.0

    return distance


def _tree(number: int) -> dict[str, Shape]:
    """Return trunk and crown; the number chooses height and habit."""
    height, radius, slim = ((7.4, 1.9, 1.0), (9.2, 2.1, 1.35), (6.2, 1.5, 1.1))[number]
    random = np.random.Generator(np.random.PCG64(70 + number))
    middle = height - radius * slim
    clumps = [sdf.ellipsoid((0.0, 0.0, middle), (radius * 0.72, radius * 0.72, radius * 0.78 * slim))]
    for k in range(9):
        turn = 2.0 * np.pi * (k * 0.381966)
        up = (k - 4.0) / 4.6
        out = radius * 0.62 * np.sqrt(max(0.05, 1.0 - up * up))
        size = radius * random.uniform(0.36, 0.5)
        clumps.append(
            sdf.ellipsoid((out * np.cos(turn), out * np.sin(turn), middle + up * radius * 0.72 * slim), (size,) * 3)
        )
    crown = _bumpy(sdf.union(*clumps, blend_m=0.15), number, 0.26, 0.55)
    reach = radius + 0.7
    low, high = (-reach, -reach, middle - radius * slim - 0.7), (reach, reach, height + 0.8)
    trunk = tube([(0.0, 0.0, 0.0), (0.03, 0.02, 1.4), (-0.03, 0.02, middle)], 0.13 + 0.02 * number, segments=8)
    branches = [
        tube([(0.0, 0.0, middle - 1.4), (0.6 * np.cos(a), 0.6 * np.sin(a), middle - 0.4)], 0.05, segments=5)
        for a in (0.4, 2.6, 4.6)
    ]
    return {
        "Crown": painted(sdf.surface(crown, low, high, 0.27), f"Leaf{number}"),
        "Trunk": painted(joined(trunk, *branches), "Bark"),
    }


def _hedge() -> Shape:
    body = _bumpy(sdf.slab((0.0, 0.0, 0.5), (1.75, 0.28, 0.55), 0.12), 9, 0.07, 0.4)
    above = sdf.intersection(body, sdf.half_space("z", -1.0, 0.0))
    return painted(sdf.surface(above, (-2.0, -0.5, -0.2), (2.0, 0.5, 1.3), 0.16), "Leaf2")


def _bin() -> list[Shape]:
    body = moved(rounded_box((0.55, 0.5, 0.9), 0.05, segments=1), 0.0, 0.0, 0.08)
    lid = moved(turned(rounded_box((0.62, 0.54, 0.08), 0.03, segments=1), "y", -5.0), 0.0, 0.0, 0.98)
    wheel = turned(lathe([(0.0, -0.03), (0.1, -0.03), (0.1, 0.03), (0.0, 0.03)], 12), "x", 90.0)
    wheels = [moved(wheel, -0.22, y, 0.1) for y in (-0.26, 0.26)]
    return [painted(joined(body, lid), "ToteGrey"), painted(joined(*wheels), "Rubber")]


def _bollard() -> list[Shape]:
    post = lathe([(0.0, 0.0), (0.06, 0.0), (0.06, 0.8), (0.05, 0.88), (0.0, 0.9)], 12)
    band = lathe([(0.063, 0.66), (0.063, 0.74), (0.0, 0.74)], 12)
    return [painted(post, "CoatBlack"), painted(band, "Reflective")]
