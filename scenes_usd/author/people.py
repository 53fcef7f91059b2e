"""Mannequins in work clothes, 1.78 m tall, in three poses. Each garment is its own body, so that hems are edges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pxr import Kind, Usd

from scenes_usd.author import implicit as sdf
from scenes_usd.author import stage as usd
from scenes_usd.author.implicit import Distance
from scenes_usd.author.shape import Floats, Shape, joined, painted

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Pose:
    """Joint positions [m] for (right, left); x looks ahead, y to the left, z up. The pelvis is at x = y = 0."""

    elbow: tuple[Point, Point]
    wrist: tuple[Point, Point]
    knee: tuple[Point, Point]
    ankle: tuple[Point, Point]
    toe_pitch_m: tuple[float, float]  # how far the toes are above the ankle's sole


VEST_STEP_M = 0.025  # its grid has rows at the edges of the reflective bands:
BELTS_Z_M = ((0.9875, 1.0375), (1.1375, 1.1875))
BRACES_Y_M = (0.075, 0.125)
HEAD, NECK = (0.02, 0.0, 1.66), (0.0, 0.0, 1.51)
SIDES = ("right", "left")
SHOULDERS: tuple[Point, Point] = ((0.0, -0.19, 1.44), (0.0, 0.19, 1.44))
HIPS: tuple[Point, Point] = ((0.0, -0.088, 0.92), (0.0, 0.088, 0.92))
DEPTH_M = {  # of the joints below cloth and skin, about half the thickness of the part
    "head": 0.1,
    "neck": 0.06,
    "shoulder": 0.085,
    "elbow": 0.05,
    "wrist": 0.04,
    "hip": 0.11,
    "knee": 0.07,
    "ankle": 0.06,
}
POSES = {
    "stand": Pose(
        elbow=((-0.03, -0.27, 1.16), (-0.03, 0.27, 1.16)),
        wrist=((0.07, -0.27, 0.92), (0.07, 0.27, 0.92)),
        knee=((0.02, -0.115, 0.5), (0.03, 0.125, 0.5)),
        ankle=((-0.02, -0.12, 0.09), (0.0, 0.14, 0.09)),
        toe_pitch_m=(0.0, 0.0),
    ),
    "walk": Pose(
        elbow=((0.12, -0.26, 1.18), (-0.2, 0.25, 1.2)),
        wrist=((0.33, -0.2, 1.08), (-0.17, 0.27, 0.94)),
        knee=((-0.02, -0.11, 0.5), (0.22, 0.11, 0.53)),
        ankle=((-0.32, -0.11, 0.19), (0.3, 0.11, 0.1)),
        toe_pitch_m=(-0.09, 0.02),
    ),
    "carry": Pose(
        elbow=((0.1, -0.26, 1.17), (0.1, 0.26, 1.17)),
        wrist=((0.36, -0.2, 1.14), (0.36, 0.2, 1.14)),
        knee=((0.05, -0.12, 0.5), (-0.02, 0.13, 0.5)),
        ankle=((0.06, -0.13, 0.09), (-0.12, 0.14, 0.09)),
        toe_pitch_m=(0.0, 0.0),
    ),
}


def _outfit(vest: str, helmet: str, trousers: str, shirt: str) -> dict[str, str]:
    """Return the material of each garment."""
    return {"Upper/Vest": vest, "Upper/Helmet": helmet, "Limbs/Trousers": trousers, "Limbs/Shirt": shirt}


OUTFITS = {
    "yellow": _outfit("VestYellow", "HelmetWhite", "FabricNavy", "FabricGrey"),
    "orange": _outfit("VestOrange", "HelmetYellow", "FabricGrey", "FabricNavy"),
}


def write_person(root: Path) -> None:
    """Write the person: variant sets ``pose`` (stand, walk, carry) and ``outfit`` (yellow, orange)."""
    path = root / "assets" / "person.usda"
    comment = "Mannequin with hi-vis vest and helmet, 1.78 m; looks along x, stands on z = 0."
    stage = usd.new_stage(path, "Person", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "Person", path, "person")
    stage.DefinePrim("/Person/Geometry", "Scope")
    stage.DefinePrim("/Person/Keypoints", "Scope")
    fixed = {"Bands": "Reflective", "Skin": "Skin", "Boots": "Leather"}
    materials = {
        k: usd.reference_material(stage, "/Person/Materials", m, f"../{usd.LIBRARY}") for k, m in fixed.items()
    }
    parts = {"Vest": None, "Helmet": None, "Trousers": None, "Shirt": None, **materials}
    usd.write_mesh(stage, "/Person/Geometry/Upper", upper_body(), parts)
    for name, place in joints({"neck": (NECK,), "head": (HEAD,), "shoulder": SHOULDERS, "hip": HIPS}).items():
        write_joint(stage, name, place)
    poses = stage.GetDefaultPrim().GetVariantSets().AddVariantSet("pose")
    for name, pose in POSES.items():
        poses.AddVariant(name)
        poses.SetVariantSelection(name)
        with poses.GetVariantEditContext():
            usd.write_mesh(stage, "/Person/Geometry/Limbs", limbs(pose), parts)
            moving = {"elbow": pose.elbow, "wrist": pose.wrist, "knee": pose.knee, "ankle": pose.ankle}
            for joint, place in joints(moving).items():
                write_joint(stage, joint, place)
    poses.SetVariantSelection("stand")
    choices = {k: {f"Geometry/{part}": m for part, m in outfit.items()} for k, outfit in OUTFITS.items()}
    usd.material_variants(stage, "outfit", choices)
    usd.save(stage)


def joints(parts: dict[str, tuple[Point, ...]]) -> dict[str, Point]:
    """Return the places of joints by name; those in pairs are named after their side."""
    out: dict[str, Point] = {}
    for part, places in parts.items():
        names = (part,) if len(places) == 1 else tuple(f"{side}_{part}" for side in SIDES)
        out |= dict(zip(names, places, strict=True))
    return out


def write_joint(stage: Usd.Stage, name: str, place: Point) -> None:
    """Write a joint as a keypoint."""
    path = "/Person/Keypoints/" + "".join(word.capitalize() for word in name.split("_"))
    usd.write_keypoint(stage, path, name, place, depth_m=DEPTH_M[name.rpartition("_")[2]])


def upper_body() -> Shape:
    """Return vest, head and helmet, the same in every pose."""
    torso = sdf.union(
        sdf.ellipsoid((0.0, 0.0, 1.33), (0.115, 0.175, 0.2)),
        sdf.ellipsoid((0.005, 0.0, 1.08), (0.105, 0.15, 0.2)),
        sdf.ellipsoid((-0.01, 0.0, 0.93), (0.12, 0.17, 0.15)),
        sdf.capsule((0.0, -0.12, 1.455), (0.0, 0.12, 1.455), 0.065, 0.065),
        blend_m=0.12,
    )
    vest = sdf.intersection(sdf.grown(torso, 0.016), sdf.half_space("z", -1.0, 0.86), blend_m=0.01)
    return joined(
        _banded(sdf.surface(vest, (-0.2, -0.2625, 0.825), (0.2, 0.2625, 1.6), VEST_STEP_M)),
        painted(sdf.surface(_head(), (-0.15, -0.13, 1.38), (0.16, 0.13, 1.82), 0.025), "Skin"),
        painted(sdf.surface(_helmet(), (-0.2, -0.16, 1.6), (0.24, 0.16, 1.87), 0.025), "Helmet"),
    )


def limbs(pose: Pose) -> Shape:
    """Return trousers, sleeves, hands and boots."""
    pieces = [painted(sdf.surface(_trousers(pose), (-0.5, -0.32, 0.0), (0.5, 0.32, 1.1), 0.044), "Trousers")]
    for side in (0, 1):
        low, high = _reach(SHOULDERS[side], pose.elbow[side], pose.wrist[side])
        pieces.append(painted(sdf.surface(_sleeve(pose, side), low, high, 0.036), "Shirt"))
        low, high = _reach(pose.wrist[side], pose.wrist[side])
        pieces.append(painted(sdf.surface(_hand(pose, side), low, high, 0.022), "Skin"))
        low, high = _reach(pose.ankle[side], pose.ankle[side])
        pieces.append(painted(sdf.surface(_boot(pose, side), low, high, 0.034), "Boots"))
    return joined(*pieces)


def _reach(*points: Point) -> tuple[list[float], list[float]]:
    """Return bounds that hold the points and what is attached to them."""
    low = [min(p[k] for p in points) - 0.27 for k in range(3)]
    return low, [max(p[k] for p in points) + 0.27 for k in range(3)]


def _banded(vest: Shape) -> Shape:
    """Return the vest with two reflective belts and two braces, their edges pulled straight along its grid."""
    points = vest.points_m.copy()
    points[:, 2] = _snapped(points[:, 2], np.array([edge for belt in BELTS_Z_M for edge in belt]))
    upper = points[:, 2] > BELTS_Z_M[1][1] - 0.001
    points[upper, 1] = np.sign(points[upper, 1]) * _snapped(np.abs(points[upper, 1]), np.array(BRACES_Y_M))
    start = np.concatenate([[0], np.cumsum(vest.count)[:-1]])
    _, y, z = (np.add.reduceat(points[vest.index], start, axis=0) / vest.count[:, None]).T
    bands = (np.abs(y) > BRACES_Y_M[0]) & (np.abs(y) < BRACES_Y_M[1]) & (z > BELTS_Z_M[1][1])
    for low, high in BELTS_Z_M:
        bands |= (z > low) & (z < high)
    return replace(vest, points_m=points, materials=("Vest", "Bands"), material=bands.astype(np.int64))


def _snapped(values: Floats, targets: Floats) -> Floats:
    """Return the values, those within half a grid step of a target moved onto it."""
    nearest = targets[np.argmin(np.abs(values[:, None] - targets), axis=1)]
    return np.where(np.abs(values - nearest) < 0.5 * VEST_STEP_M, nearest, values)


def _trousers(pose: Pose) -> Distance:
    parts = [sdf.ellipsoid((-0.01, 0.0, 0.94), (0.115, 0.165, 0.13))]
    for hip, knee, ankle in zip(HIPS, pose.knee, pose.ankle, strict=True):
        parts += [sdf.capsule(hip, knee, 0.088, 0.068), sdf.capsule(knee, ankle, 0.068, 0.058)]
    return sdf.union(*parts, blend_m=0.05)


def _sleeve(pose: Pose, side: int) -> Distance:
    shoulder, elbow, wrist = SHOULDERS[side], pose.elbow[side], pose.wrist[side]
    return sdf.union(sdf.capsule(shoulder, elbow, 0.068, 0.05), sdf.capsule(elbow, wrist, 0.05, 0.038), blend_m=0.03)


def _hand(pose: Pose, side: int) -> Distance:
    elbow, wrist = pose.elbow[side], pose.wrist[side]
    ahead = [w - e for w, e in zip(wrist, elbow, strict=True)]
    length = sum(a * a for a in ahead) ** 0.5
    ahead = [a / length for a in ahead]
    palm = [w + 0.06 * a for w, a in zip(wrist, ahead, strict=True)]
    tips = [w + 0.13 * a for w, a in zip(wrist, ahead, strict=True)]
    inward = 0.03 if side == 0 else -0.03
    thumb = [palm[0] + 0.05 * ahead[0] + 0.01, palm[1] + inward * 1.4, palm[2] + 0.03 * ahead[2]]
    parts = [sdf.capsule(wrist, palm, 0.028, 0.036), sdf.capsule(palm, tips, 0.034, 0.018)]
    return sdf.union(*parts, sdf.capsule(wrist, thumb, 0.022, 0.013), blend_m=0.03)


def _boot(pose: Pose, side: int) -> Distance:
    x, y, z = pose.ankle[side]
    toe = (x + 0.155, y, z - 0.045 + pose.toe_pitch_m[side])
    heel = (x - 0.045, y, z - 0.045 - 0.5 * pose.toe_pitch_m[side])
    shaft = sdf.capsule((x, y, z + 0.1), (x, y, z), 0.062, 0.056)
    foot = sdf.union(shaft, sdf.capsule(heel, toe, 0.045, 0.045), blend_m=0.07)
    flat = pose.toe_pitch_m[side] == 0.0
    return sdf.intersection(foot, sdf.half_space("z", -1.0, 0.002), blend_m=0.02) if flat else foot


def _head() -> Distance:
    return sdf.union(
        sdf.ellipsoid((0.015, 0.0, 1.665), (0.092, 0.074, 0.108)),
        sdf.capsule((0.045, 0.0, 1.6), (0.06, 0.0, 1.585), 0.05, 0.042),
        sdf.capsule((-0.005, 0.0, 1.47), (0.0, 0.0, 1.58), 0.062, 0.056),
        sdf.capsule((0.1, 0.0, 1.67), (0.113, 0.0, 1.64), 0.01, 0.015),
        sdf.ellipsoid((0.01, -0.077, 1.65), (0.02, 0.012, 0.032)),
        sdf.ellipsoid((0.01, 0.077, 1.65), (0.02, 0.012, 0.032)),
        blend_m=0.035,
    )


def _helmet() -> Distance:
    dome = sdf.ellipsoid((0.01, 0.0, 1.7), (0.128, 0.108, 0.108))
    ridge = sdf.slab((0.0, 0.0, 1.76), (0.1, 0.014, 0.056), 0.012)
    shell = sdf.union(dome, ridge, blend_m=0.03)
    shell = sdf.intersection(shell, sdf.half_space("z", -1.0, 1.692), blend_m=0.01)
    brim = sdf.ellipsoid((0.035, 0.0, 1.7), (0.165, 0.125, 0.009))
    return sdf.union(shell, brim, blend_m=0.02)
