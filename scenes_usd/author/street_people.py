"""People of a street: pedestrians in everyday clothes, and cyclists on city bicycles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Kind

from scenes_usd.author import implicit as sdf
from scenes_usd.author import stage as usd
from scenes_usd.author.people import DEPTH_M, HEAD, HIPS, NECK, POSES, SHOULDERS, Pose, joints, limbs
from scenes_usd.author.shape import Shape, joined, moved, painted, turned
from scenes_usd.author.solids import lathe, rounded_box, tube

JACKET, SLEEVE, TROUSERS, HAIR = "Upper/Jacket", "Limbs/Shirt", "Limbs/Trousers", "Upper/Hair"
WHEEL_M = 0.34  # radius of a bicycle's wheel
AXLES_X_M = (-0.48, 0.6)
RIDER_UP_M = 0.06  # how much higher hips are than those of a person who stands
STRIDE = Pose(
    elbow=((-0.2, -0.25, 1.2), (0.12, 0.26, 1.18)),
    wrist=((-0.17, -0.27, 0.94), (0.33, 0.2, 1.08)),
    knee=((0.22, -0.11, 0.53), (-0.02, 0.11, 0.5)),
    ankle=((0.3, -0.11, 0.1), (-0.32, 0.11, 0.19)),
    toe_pitch_m=(0.02, -0.09),
)
RIDING = Pose(  # heights are those of a standing person; the rider sits higher
    elbow=((0.2, -0.29, 1.2), (0.2, 0.29, 1.2)),
    wrist=((0.43, -0.27, 1.06), (0.43, 0.27, 1.06)),
    knee=((0.36, -0.1, 0.72), (0.3, 0.1, 0.52)),
    ankle=((0.26, -0.12, 0.36), (0.1, 0.12, 0.12)),
    toe_pitch_m=(0.0, 0.0),
)
WALKS = {"stand": POSES["stand"], "walk": POSES["walk"], "stride": STRIDE}


def _outfit(jacket: str, trousers: str, hair: str) -> dict[str, str]:
    """Return the material of each garment."""
    return {
        f"Geometry/{p}": m
        for p, m in zip((JACKET, SLEEVE, TROUSERS, HAIR), (jacket, jacket, trousers, hair), strict=True)
    }


OUTFITS = {
    "red": _outfit("FabricRed", "Denim", "HairDark"),
    "black": _outfit("FabricBlack", "FabricGrey", "HairFair"),
    "beige": _outfit("FabricBeige", "FabricNavy", "HairDark"),
    "navy": _outfit("FabricNavy", "FabricBeige", "HairFair"),
    "white": _outfit("FabricWhite", "Denim", "HairDark"),
    "green": _outfit("FabricGreen", "FabricBlack", "HairDark"),
}


def write_people(root: Path) -> None:
    """Write the pedestrian (variant sets ``pose`` and ``outfit``) and the cyclist (``outfit``)."""
    _write_pedestrian(root)
    _write_cyclist(root)


def _write_pedestrian(root: Path) -> None:
    path = root / "assets" / "pedestrian.usda"
    comment = "Mannequin in everyday clothes, 1.76 m; looks along x, stands on z = 0."
    stage = usd.new_stage(path, "Pedestrian", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "Pedestrian", path, "pedestrian")
    for scope in ("Geometry", "Keypoints"):
        stage.DefinePrim(f"/Pedestrian/{scope}", "Scope")
    parts = {
        n: usd.reference_material(stage, "/Pedestrian/Materials", m, f"../{usd.LIBRARY}") for n, m in FIXED.items()
    }
    parts |= dict.fromkeys(("Jacket", "Shirt", "Trousers", "Hair"))
    usd.write_mesh(stage, "/Pedestrian/Geometry/Upper", upper_body(), parts, decimals=3)
    still = joints({"neck": (NECK,), "head": (HEAD,), "shoulder": SHOULDERS, "hip": HIPS})
    _write_joints(stage, still)
    poses = stage.GetDefaultPrim().GetVariantSets().AddVariantSet("pose")
    for name, pose in WALKS.items():
        poses.AddVariant(name)
        poses.SetVariantSelection(name)
        with poses.GetVariantEditContext():
            usd.write_mesh(stage, "/Pedestrian/Geometry/Limbs", limbs(pose), parts, decimals=3)
            moving = {"elbow": pose.elbow, "wrist": pose.wrist, "knee": pose.knee, "ankle": pose.ankle}
            _write_joints(stage, joints(moving))
    poses.SetVariantSelection("stand")
    usd.material_variants(stage, "outfit", OUTFITS)
    usd.save(stage)


FIXED = {"Skin": "Skin", "Boots": "Leather"}


def _write_joints(stage: object, places: dict[str, tuple[float, float, float]]) -> None:
    for name, place in places.items():
        path = "/Pedestrian/Keypoints/" + "".join(word.capitalize() for word in name.split("_"))
        usd.write_keypoint(stage, path, name, place, depth_m=DEPTH_M[name.rpartition("_")[2]])


def upper_body() -> Shape:
    """Return jacket, head and hair, the same in every pose."""
    torso = sdf.union(
        sdf.ellipsoid((0.0, 0.0, 1.32), (0.12, 0.178, 0.2)),
        sdf.ellipsoid((0.005, 0.0, 1.08), (0.112, 0.155, 0.2)),
        sdf.ellipsoid((-0.01, 0.0, 0.94), (0.126, 0.174, 0.15)),
        sdf.capsule((0.0, -0.12, 1.45), (0.0, 0.12, 1.45), 0.066, 0.066),
        blend_m=0.12,
    )
    jacket = sdf.intersection(sdf.grown(torso, 0.012), sdf.half_space("z", -1.0, 0.84), blend_m=0.015)
    head = sdf.union(
        sdf.ellipsoid((0.015, 0.0, 1.655), (0.092, 0.074, 0.112)),
        sdf.capsule((0.045, 0.0, 1.6), (0.06, 0.0, 1.585), 0.05, 0.042),
        sdf.capsule((-0.005, 0.0, 1.47), (0.0, 0.0, 1.58), 0.062, 0.056),
        sdf.capsule((0.1, 0.0, 1.67), (0.113, 0.0, 1.64), 0.01, 0.015),
        blend_m=0.035,
    )
    skull = sdf.ellipsoid((-0.008, 0.0, 1.675), (0.1, 0.088, 0.108))
    hair = sdf.intersection(skull, sdf.half_space("x", 1.0, 0.06), sdf.half_space("z", -1.0, 1.6), blend_m=0.02)
    return joined(
        painted(sdf.surface(jacket, (-0.2, -0.27, 0.8), (0.2, 0.27, 1.6), 0.04), "Jacket"),
        painted(sdf.surface(head, (-0.15, -0.13, 1.38), (0.16, 0.13, 1.82), 0.03), "Skin"),
        painted(sdf.surface(hair, (-0.16, -0.14, 1.55), (0.14, 0.14, 1.83), 0.03), "Hair"),
    )


def _write_cyclist(root: Path) -> None:
    path = root / "assets" / "cyclist.usda"
    comment = "Rider on a city bicycle, 1.8 m long; looks along x, stands on z = 0."
    stage = usd.new_stage(path, "Cyclist", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "Cyclist", path, "cyclist")
    stage.DefinePrim("/Cyclist/Geometry", "Scope")
    rider = {
        "Upper": moved(upper_body(), -0.12, 0.0, RIDER_UP_M),
        "Limbs": moved(limbs(RIDING), -0.12, 0.0, RIDER_UP_M),
    }
    parts = {**rider, "Bicycle": joined(*bicycle_pieces())}
    names = dict.fromkeys(n for shape in parts.values() for n in shape.materials)
    worn = ("Jacket", "Shirt", "Trousers", "Hair")
    bound = {
        n: None
        if n in worn
        else usd.reference_material(stage, "/Cyclist/Materials", FIXED.get(n, n), f"../{usd.LIBRARY}")
        for n in names
    }
    for part, shape in parts.items():
        usd.write_mesh(stage, f"/Cyclist/Geometry/{part}", shape, bound, decimals=3)
    usd.material_variants(stage, "outfit", OUTFITS)
    usd.save(stage)


def bicycle_pieces() -> list[Shape]:
    """Return frame, wheels, saddle and handlebar of a city bicycle."""
    rear, front = AXLES_X_M
    crank, seat, head, bar = (-0.06, 0.0, 0.3), (-0.22, 0.0, 0.82), (0.4, 0.0, 0.78), (0.28, 0.0, 1.06)
    tubes = (
        ((crank, seat), 0.018), ((crank, head), 0.02), (((-0.17, 0.0, 0.66), (0.41, 0.0, 0.72)), 0.018),
        ((crank, (rear, 0.04, WHEEL_M)), 0.011), ((crank, (rear, -0.04, WHEEL_M)), 0.011),
        (((-0.2, 0.0, 0.74), (rear, 0.05, WHEEL_M)), 0.009), (((-0.2, 0.0, 0.74), (rear, -0.05, WHEEL_M)), 0.009),
        ((head, (front, 0.05, WHEEL_M)), 0.013), ((head, (front, -0.05, WHEEL_M)), 0.013),
        ((head, (0.34, 0.0, 1.0)), 0.015),
    )  # fmt: skip
    frame = joined(*[tube(list(path), radius, segments=6) for path, radius in tubes])
    handle = tube([bar, (0.34, -0.12, 1.08), (0.24, -0.27, 1.04)], 0.013, segments=6)
    other = tube([bar, (0.34, 0.12, 1.08), (0.24, 0.27, 1.04)], 0.013, segments=6)
    saddle = moved(rounded_box((0.26, 0.18, 0.08), 0.035, segments=1), -0.24, 0.0, 0.84)
    arms = [tube([crank, (crank[0] + dx, y, crank[2] + dz)], 0.012, segments=5) for dx, y, dz in CRANKS]
    pedals = [
        moved(rounded_box((0.1, 0.09, 0.025), 0.01, segments=1), crank[0] + dx, y * 1.2, crank[2] + dz)
        for dx, y, dz in CRANKS
    ]
    rack = moved(rounded_box((0.34, 0.12, 0.02), 0.008, segments=1), -0.5, 0.0, 0.74)
    lamp = moved(rounded_box((0.06, 0.07, 0.07), 0.02, segments=1), 0.46, 0.0, 0.8)
    pieces = [
        painted(frame, "CoatBlack"),
        painted(joined(handle, other, rack), "Chrome"),
        painted(joined(saddle, *arms, *pedals), "PlasticBlack"),
        painted(lamp, "LampGlass"),
    ]
    return pieces + [moved(_wheel(), x, 0.0, WHEEL_M) for x in AXLES_X_M]


CRANKS = ((0.12, -0.1, 0.09), (-0.04, 0.1, -0.14))


def _wheel() -> Shape:
    """Return a bicycle's wheel about y: tyre, rim, hub, spokes."""
    r = WHEEL_M
    tyre = lathe(
        [
            (r - 0.035, -0.012),
            (r - 0.008, -0.018),
            (r, 0.0),
            (r - 0.008, 0.018),
            (r - 0.035, 0.012),
            (r - 0.035, -0.012),
        ],
        24,
    )
    hub = lathe([(0.0, -0.05), (0.025, -0.05), (0.025, 0.05), (0.0, 0.05)], 8)
    around = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    rays = np.column_stack([np.cos(around), np.sin(around), np.zeros(12)])
    spokes = [tube([0.02 * ray, (r - 0.03) * ray], 0.003, segments=3) for ray in rays]
    return turned(joined(painted(tyre, "Rubber"), painted(joined(hub, *spokes), "Chrome")), "x", 90.0)
