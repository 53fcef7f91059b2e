"""A counterbalance forklift truck (1.6 t class) and a hand pallet jack. x looks ahead, along the forks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from scenes_usd.author import stage as usd
from scenes_usd.author.polygon import filleted, rectangle
from scenes_usd.author.shape import Shape, joined, mirrored_y, moved, painted, turned
from scenes_usd.author.solids import box, circle, extrusion, lathe, rounded_box, sweep, tube

MAST_X_M = 0.93
FRONT_WHEEL_M = (0.62, 0.43, 0.29)  # x, |y|, radius
REAR_WHEEL_M = (-0.7, 0.42, 0.24)
GUARD_Z_M = 2.1


def write_forklift(root: Path) -> None:
    """Write the forklift: chassis, overhead guard, mast, carriage with forks, wheels."""
    parts = {
        "Chassis": joined(*_body(), *_cockpit()),
        "Guard": joined(*_guard(), *_lamps()),
        "Mast": joined(*_mast()),
        "Carriage": joined(*_carriage()),
        "Wheels": joined(*_wheels()),
    }
    comment = "Forklift truck, 3.2 m long with forks, 1.1 m wide, 2.15 m high; stands on z = 0."
    usd.write_asset(root, "Forklift", parts, semantic="forklift", comment=comment)


def across(profile_xz: ArrayLike, width_m: float, *, bevel_m: float = 0.0, holes: Sequence[ArrayLike] = ()) -> Shape:
    """Return a side view (x, z), counter-clockwise, extruded over the width, centred on y = 0."""
    return moved(turned(extrusion(profile_xz, width_m, bevel_m=bevel_m, holes_m=holes), "x", 90.0), y_m=width_m / 2.0)


def both_sides(shape: Shape) -> Shape:
    """Return the shape and its mirror image on the other side."""
    return joined(shape, mirrored_y(shape))


def _body() -> list[Shape]:
    """Return frame, hood, counterweight, cowl and fenders."""
    arch_x, _, arch_r = REAR_WHEEL_M
    turn = np.radians(np.linspace(180.0, 0.0, 13))
    arch = np.column_stack([arch_x + (arch_r + 0.035) * np.cos(turn), arch_r + (arch_r + 0.035) * np.sin(turn)])
    outline = [(-0.34, 0.24), (-0.34, 1.0), (-0.62, 1.06), (-1.02, 1.03), (-1.12, 0.8), (-1.11, 0.4), (-1.06, 0.24)]
    weight = filleted(
        np.concatenate([outline, arch]), [0.0, 0.05, 0.11, 0.11, 0.11, 0.09, 0.0, *[0.0] * 13], segments=4
    )
    hood = [(-0.68, 0.5), (0.06, 0.5), (0.1, 0.78), (0.04, 0.93), (-0.6, 0.97), (-0.68, 0.94)]
    cowl = [(0.36, 0.46), (0.74, 0.46), (0.78, 0.72), (0.66, 1.08), (0.58, 1.14), (0.5, 1.1), (0.44, 0.8)]
    frame = [(-0.5, 0.16), (0.8, 0.14), (0.84, 0.3), (0.8, 0.5), (-0.5, 0.52)]
    pieces = [
        painted(across(weight, 1.06, bevel_m=0.028), "CoatGrey"),
        painted(across(filleted(hood, [0.0, 0.0, 0.08, 0.08, 0.0, 0.0], segments=3), 0.84, bevel_m=0.03), "CoatYellow"),
        painted(across(filleted(cowl, 0.05), 0.92, bevel_m=0.025), "CoatYellow"),
        painted(across(filleted(frame, 0.03, segments=2), 0.62, bevel_m=0.012), "CoatBlack"),
    ]
    sill = filleted([(-0.42, 0.2), (0.3, 0.2), (0.3, 0.3), (0.24, 0.5), (-0.42, 0.5)], 0.04, segments=2)
    pieces.append(painted(both_sides(moved(across(sill, 0.2, bevel_m=0.02), y_m=0.42)), "CoatYellow"))
    pieces.append(moved(painted(box((0.44, 0.88, 0.03), bevel_m=0.004), "Rubber"), 0.24, 0.0, 0.48))
    step = box((0.26, 0.14, 0.025), bevel_m=0.005)
    pieces.append(painted(both_sides(moved(step, 0.12, 0.47, 0.27)), "CoatBlack"))
    x, y, r = FRONT_WHEEL_M
    pieces.append(painted(both_sides(moved(_fender(r + 0.035, 0.03, 0.24, 5.0, 175.0), x, y, r)), "CoatBlack"))
    pieces.append(painted(moved(box((0.56, 0.6, 0.5)), -0.7, 0.0, 0.12), "PlasticBlack"))
    for z in (0.62, 0.7, 0.78):
        slot = box((0.02, 0.5, 0.035), bevel_m=0.006)
        pieces.append(painted(moved(slot, -1.112, 0.0, z), "PlasticBlack"))
    hitch = tube([(-1.2, 0.0, 0.42), (-1.1, 0.0, 0.42)], 0.035, segments=16)
    pieces.append(painted(hitch, "SteelWorn"))
    stripe = box((0.72, 0.004, 0.07), bevel_m=0.001)
    pieces.append(painted(both_sides(moved(stripe, -0.3, 0.421, 0.7)), "CoatBlack"))
    return pieces


def _fender(radius_m: float, thickness_m: float, width_m: float, start_deg: float, stop_deg: float) -> Shape:
    """Return an arched sheet over a wheel whose axle is at the origin."""
    angle = np.radians(np.linspace(start_deg, stop_deg, 12))
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    return across(np.concatenate([ring * (radius_m + thickness_m), ring[::-1] * radius_m]), width_m, bevel_m=0.006)


def _cockpit() -> list[Shape]:
    """Return seat, steering column and wheel, levers and a small display."""
    cushion = moved(rounded_box((0.46, 0.48, 0.13), 0.05), -0.28, 0.0, 0.95)
    back = moved(turned(rounded_box((0.13, 0.46, 0.52), 0.055), "y", -12.0), -0.5, 0.0, 1.02)
    rest = moved(turned(rounded_box((0.1, 0.26, 0.16), 0.045), "y", -12.0), -0.61, 0.0, 1.5)
    arm = moved(rounded_box((0.3, 0.06, 0.05), 0.02), -0.28, -0.29, 1.2)
    seat = painted(joined(cushion, back, rest, arm), "Vinyl")
    column = painted(tube([(0.52, 0.0, 1.02), (0.3, 0.0, 1.24)], 0.028, segments=10), "PlasticBlack")
    rim = tube(np.column_stack([circle(0.165, 22), np.zeros(22)]), 0.016, segments=8, closed=True)
    spokes = [turned(sweep([(0, 0, -0.01), (0.16, 0, 0)], rectangle(0.03, 0.012)), "z", a) for a in (0.0, 120.0, 240.0)]
    hub = lathe([(0.0, -0.03), (0.04, -0.03), (0.045, 0.01), (0.02, 0.025), (0.0, 0.026)], 16)
    knob = moved(lathe([(0.0, 0.0), (0.018, 0.005), (0.022, 0.03), (0.012, 0.048), (0.0, 0.05)], 12), 0.165)
    wheel = painted(moved(turned(joined(rim, hub, knob, *spokes), "y", -42.0), 0.28, 0.0, 1.26), "PlasticBlack")
    levers = []
    for k in range(3):
        y = -0.18 - 0.055 * k
        levers.append(painted(tube([(0.5, y, 1.08), (0.44, y, 1.24)], 0.007, segments=8), "Chrome"))
        levers.append(painted(moved(lathe(_ball(0.02), 12), 0.437, y, 1.235), "PlasticBlack"))
    screen = painted(moved(turned(rounded_box((0.03, 0.2, 0.13), 0.012), "y", -25.0), 0.58, 0.22, 1.12), "PlasticBlack")
    return [seat, column, wheel, *levers, screen]


def _ball(radius_m: float) -> list[tuple[float, float]]:
    """Return the profile of a sphere standing on its south pole at z = 0."""
    angle = np.linspace(-np.pi / 2.0, np.pi / 2.0, 9)
    ring = [(float(radius_m * np.cos(a)), float(radius_m * (1.0 + np.sin(a)))) for a in angle]
    return [(0.0, ring[0][1]), *ring[1:-1], (0.0, ring[-1][1])]


def _guard() -> list[Shape]:
    """Return the overhead guard: a bent frame on each side, bars across."""
    path = [(0.62, 0.42, 0.9), (0.4, 0.42, GUARD_Z_M - 0.03), (-0.66, 0.42, GUARD_Z_M - 0.03), (-0.86, 0.42, 1.0)]
    rail = sweep(
        filleted(path, 0.12, segments=4, closed=False), rectangle(0.055, 0.07, radius_m=0.012, segments=1), up=(0, 1, 0)
    )
    pieces = [both_sides(rail)]
    for x in np.linspace(-0.58, 0.34, 8):
        bar = box((0.035, 0.82, 0.045), bevel_m=0.008)
        pieces.append(moved(bar, float(x), 0.0, GUARD_Z_M - 0.05))
    pieces.append(moved(box((0.06, 0.86, 0.06), bevel_m=0.01), -0.83, 0.0, 1.12))
    return [painted(piece, "CoatBlack") for piece in pieces]


def _lamps() -> list[Shape]:
    """Return work lamps, a beacon, tail lamps and a mirror."""
    housing = lathe([(0.0, -0.05), (0.03, -0.045), (0.055, -0.01), (0.06, 0.03), (0.052, 0.032)], 20)
    glass = lathe([(0.054, 0.028), (0.03, 0.034), (0.0, 0.036)], 20)
    lamp = turned(joined(painted(housing, "PlasticBlack"), painted(glass, "LampGlass")), "y", 98.0)
    beacon = joined(
        painted(lathe([(0.0, 0.0), (0.055, 0.0), (0.055, 0.02), (0.045, 0.022)], 20), "PlasticBlack"),
        painted(lathe([(0.045, 0.02), (0.045, 0.08), (0.03, 0.1), (0.0, 0.105)], 20), "Beacon"),
    )
    tail = painted(rounded_box((0.03, 0.06, 0.14), 0.012), "TailLamp")
    return [
        both_sides(moved(lamp, 0.47, 0.36, GUARD_Z_M - 0.14)),
        moved(beacon, -0.5, 0.3, GUARD_Z_M - 0.004),
        both_sides(moved(tail, -0.885, 0.42, 1.2)),
    ]


def _channel(width_m: float, depth_m: float, thickness_m: float, height_m: float) -> Shape:
    """Return an upright C channel whose open side looks towards -y."""
    w, d, t = width_m / 2.0, depth_m / 2.0, thickness_m
    outline = [(-w, -d), (-w + t, -d), (-w + t, d - t), (w - t, d - t), (w - t, -d), (w, -d), (w, d), (-w, d)]
    return extrusion(outline, height_m, bevel_m=0.002)


def _mast() -> list[Shape]:
    """Return outer and inner channels, cross members, lift cylinders, chains and tilt cylinders."""
    outer = moved(_channel(0.14, 0.07, 0.014, 2.05), MAST_X_M, 0.335, 0.1)
    inner = moved(_channel(0.11, 0.06, 0.012, 2.0), MAST_X_M + 0.02, 0.265, 0.14)
    pieces = [painted(both_sides(outer), "CoatBlack"), painted(both_sides(inner), "SteelWorn")]
    for x, z, width in ((0.045, 2.03, 0.7), (0.06, 0.18, 0.7), (-0.07, 1.2, 0.66)):
        bar = box((0.05, width, 0.11), bevel_m=0.01)
        pieces.append(painted(moved(bar, MAST_X_M - x, 0.0, z), "CoatBlack"))
    barrel = lathe([(0.0, 0.0), (0.045, 0.0), (0.045, 1.55), (0.036, 1.57), (0.0, 1.57)], 16)
    rod = lathe([(0.022, 0.0), (0.022, 0.5), (0.0, 0.5)], 14)
    pieces.append(painted(both_sides(moved(barrel, MAST_X_M - 0.075, 0.17, 0.14)), "CoatBlack"))
    pieces.append(painted(both_sides(moved(rod, MAST_X_M - 0.075, 0.17, 1.7)), "Chrome"))
    for k in range(18):
        link = box((0.012, 0.026, 0.07))
        pieces.append(painted(both_sides(moved(link, MAST_X_M + 0.03, 0.12, 0.62 + 0.075 * k)), "SteelWorn"))
    wheel = lathe([(0.0, -0.018), (0.05, -0.018), (0.044, 0.0), (0.05, 0.018), (0.0, 0.018)], 20)
    pieces.append(painted(both_sides(moved(turned(wheel, "x", 90.0), MAST_X_M - 0.01, 0.12, 2.02)), "SteelWorn"))
    tilt = tube([(0.5, 0.3, 0.42), (MAST_X_M - 0.06, 0.3, 0.62)], 0.035, segments=12)
    pieces.append(painted(both_sides(tilt), "CoatBlack"))
    return pieces


def _carriage() -> list[Shape]:
    """Return fork bars, load backrest and the two forks, lowered."""
    x = MAST_X_M + 0.115
    pieces = []
    for z in (0.16, 0.56):
        bar = across(
            filleted([(0, 0), (0.045, 0.012), (0.045, 0.1), (0, 0.112)], 0.009, segments=1), 1.02, bevel_m=0.006
        )
        pieces.append(painted(moved(bar, x, 0.0, z), "SteelWorn"))
    plates = moved(box((0.06, 0.03, 0.56), bevel_m=0.006), x - 0.025, 0.2, 0.14)
    pieces.append(painted(both_sides(plates), "SteelWorn"))
    frame = filleted(
        [(x, -0.49, 0.62), (x, -0.49, 1.28), (x, 0.49, 1.28), (x, 0.49, 0.62)], 0.06, segments=4, closed=False
    )
    pieces.append(painted(sweep(frame, rectangle(0.035, 0.035, radius_m=0.006, segments=1), up=(1, 0, 0)), "CoatBlack"))
    for y in np.linspace(-0.37, 0.37, 6):
        pieces.append(painted(moved(box((0.022, 0.03, 0.64), bevel_m=0.004), x, float(y), 0.64), "CoatBlack"))
    blade = [
        (0.0, 0.62),
        (0.0, 0.045),
        (0.02, 0.03),
        (0.75, 0.03),
        (1.1, 0.036),
        (1.12, 0.043),
        (1.1, 0.052),
        (0.6, 0.07),
    ]
    blade += [(0.075, 0.072), (0.045, 0.1), (0.042, 0.62)]
    fork = across(filleted(blade, [0.0, 0.03, 0.01, 0, 0, 0, 0, 0, 0.02, 0.03, 0.0], segments=2), 0.11, bevel_m=0.004)
    pieces.append(painted(both_sides(moved(fork, x + 0.046, 0.26, 0.0)), "SteelWorn"))
    hook = box((0.05, 0.11, 0.05), bevel_m=0.008)
    pieces.append(painted(both_sides(moved(hook, x + 0.04, 0.26, 0.63)), "SteelWorn"))
    return pieces


def _wheels() -> list[Shape]:
    """Return four solid tyres with lugs on bolted rims."""
    pieces = []
    for (x, y, radius), width, rim in ((FRONT_WHEEL_M, 0.2, "SignWhite"), (REAR_WHEEL_M, 0.17, "SignWhite")):
        wheel = turned(tyre(radius, width, rim), "x", -90.0)
        pieces.append(both_sides(moved(wheel, x, y, radius)))
    return pieces


def tyre(radius_m: float, width_m: float, rim: str) -> Shape:
    """Return a wheel about z whose outer face looks along +z, centred on the origin."""
    r, w = radius_m - 0.012, width_m / 2.0
    hub = 0.58 * radius_m
    side = [(hub, -w * 0.9), (r * 0.9, -w), (r - 0.012, -w * 0.9), (r, -w * 0.7)]
    tyre_profile = [*side, *[(a, -b) for a, b in side[::-1]]]
    disc = [
        (hub, w * 0.82),
        (hub * 0.93, w * 0.8),
        (hub * 0.85, w * 0.45),
        (hub * 0.45, w * 0.4),
        (hub * 0.4, w * 0.62),
    ]
    disc += [(hub * 0.2, w * 0.66), (0.0, w * 0.66)]
    pieces = [painted(lathe(tyre_profile, 28), "Rubber"), painted(lathe(disc, 24), rim)]
    pieces.append(painted(lathe([(0.0, -w * 0.7), (hub, -w * 0.9)], 24), "CoatBlack"))
    lug = extrusion(filleted([(-0.03, 0.0), (0.012, 0.0), (0.03, 0.014), (-0.012, 0.014)], 0.0), width_m * 0.44)
    for k in range(14):
        for half in (0, 1):
            angle = (k + 0.5 * half) * 360.0 / 14.0
            piece = moved(turned(lug, "z", -90.0), r - 0.002, 0.0, -width_m * 0.46 if half else width_m * 0.02)
            pieces.append(painted(turned(piece, "z", angle), "Rubber"))
    for k in range(6):
        nut = lathe([(0.012, 0.0), (0.012, 0.014), (0.0, 0.016)], 6, crease_deg=20.0)
        pieces.append(painted(turned(moved(nut, hub * 0.64, 0.0, w * 0.41), "z", 60.0 * k), "Chrome"))
    return joined(*pieces)


def write_pallet_jack(root: Path) -> None:
    """Write the hand pallet jack, forks 1.15 m long and 0.54 m over all, lowered."""
    parts = {"Frame": joined(*_jack_frame()), "Handle": joined(*_jack_handle())}
    comment = "Hand pallet jack, 1.15 m forks, 0.54 m wide; x along the forks, stands on z = 0."
    usd.write_asset(root, "PalletJack", parts, semantic="pallet_jack", comment=comment)


def _jack_frame() -> list[Shape]:
    """Return forks, yoke, pump, steering and load wheels."""
    side = [(-0.42, 0.03), (0.62, 0.03), (0.73, 0.055), (0.73, 0.065), (0.66, 0.082), (-0.42, 0.085)]
    fork = across(filleted(side, [0, 0, 0, 0, 0.02, 0], segments=2), 0.16, bevel_m=0.01)
    pieces = [painted(both_sides(moved(fork, y_m=0.19)), "CoatRed")]
    yoke = [(-0.46, 0.03), (-0.36, 0.03), (-0.36, 0.085), (-0.4, 0.2), (-0.44, 0.42), (-0.5, 0.42), (-0.5, 0.1)]
    pieces.append(painted(across(filleted(yoke, 0.02, segments=2), 0.5, bevel_m=0.012), "CoatRed"))
    head = rounded_box((0.2, 0.2, 0.1), 0.03, segments=2)
    pieces.append(painted(moved(head, -0.56, 0.0, 0.36), "CoatRed"))
    pump = lathe([(0.0, 0.1), (0.055, 0.1), (0.055, 0.32), (0.045, 0.34), (0.0, 0.34)], 20)
    rod = lathe([(0.026, 0.3), (0.026, 0.42), (0.0, 0.42)], 14)
    pieces += [painted(moved(pump, -0.57), "CoatBlack"), painted(moved(rod, -0.57), "Chrome")]
    wheel = lathe(_wheel_profile(0.1, 0.05), 28)
    core = (
        lathe([(0.0, -0.026), (0.055, -0.026), (0.06, -0.02)], 20),
        lathe([(0.06, 0.02), (0.055, 0.026), (0.0, 0.026)], 20),
    )
    steer = joined(painted(wheel, "Polyurethane"), painted(joined(*core), "SteelWorn"))
    pieces.append(both_sides(moved(turned(steer, "x", 90.0), -0.57, 0.075, 0.1)))
    roller = joined(
        painted(lathe(_wheel_profile(0.04, 0.09), 20), "Polyurethane"),
        painted(lathe([(0.0, -0.05), (0.02, -0.05), (0.02, -0.044)], 12), "SteelWorn"),
        painted(lathe([(0.02, 0.044), (0.02, 0.05), (0.0, 0.05)], 12), "SteelWorn"),
    )
    pieces.append(both_sides(moved(turned(roller, "x", 90.0), 0.6, 0.19, 0.041)))
    return pieces


def _wheel_profile(radius_m: float, width_m: float) -> list[tuple[float, float]]:
    """Return a wheel's profile with rounded shoulders, centred on z = 0."""
    w, b = width_m / 2.0, min(0.012, width_m / 5.0)
    return [
        (radius_m * 0.5, -w),
        (radius_m - b, -w),
        (radius_m, -w + b),
        (radius_m, w - b),
        (radius_m - b, w),
        (radius_m * 0.5, w),
    ]


def _jack_handle() -> list[Shape]:
    """Return the drawbar with its loop grip and release lever."""
    bar = tube([(-0.6, 0.0, 0.4), (-0.8, 0.0, 1.02)], 0.021, segments=14)
    loop = [
        (-0.79, 0.0, 1.0),
        (-0.8, 0.14, 1.05),
        (-0.85, 0.15, 1.19),
        (-0.85, -0.15, 1.19),
        (-0.8, -0.14, 1.05),
        (-0.79, 0.0, 1.0),
    ]
    grip = tube(filleted(loop, 0.05, segments=4, closed=False), 0.014, segments=10)
    lever = tube([(-0.8, 0.0, 1.06), (-0.83, 0.03, 1.14), (-0.835, 0.09, 1.15)], 0.006, segments=8)
    cover = moved(turned(rounded_box((0.07, 0.09, 0.12), 0.025), "y", -18.0), -0.6, 0.0, 0.4)
    return [
        painted(bar, "CoatRed"),
        painted(grip, "PlasticBlack"),
        painted(lever, "Chrome"),
        painted(cover, "CoatBlack"),
    ]
