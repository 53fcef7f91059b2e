"""Every kind of defect and near-miss on a coupon, for the gallery, and what each costs.

`python -m bench.defects` prints the time that each adds to a shaded pixel, on one thread.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.gallery.still_life import assembled
from bench.materials import box_mesh, look_at, material_rig, pose, studio_dome
from engine.defect import OWN, DefectKind, Defects, add_defects, new_defects, set_reach
from engine.draft import DefectSlot, Draft
from engine.recipe import Rig
from engine.render import Outputs, Renderer
from engine.rig import authored_draft
from engine.scene.model import Camera, Light, LightKind, Material, Scene

COUPON_M = (0.048, 0.036, 0.006)
PAINT = Material("/paint", base_color=(0.10, 0.19, 0.30), roughness=0.35)
STEEL = Material("/steel", base_color=(0.55, 0.55, 0.54), metallic=1.0, roughness=0.38)
CASTING = Material("/casting", base_color=(0.34, 0.34, 0.35), metallic=1.0, roughness=0.62)
CERAMIC = Material("/ceramic", base_color=(0.32, 0.31, 0.30), roughness=0.45)
BOARD = Material("/board", base_color=(0.50, 0.36, 0.22), roughness=0.85)
MATERIALS = (PAINT, STEEL, CASTING, CERAMIC, BOARD)
COUPON = 1  # instance
MILLIMETRE = 1.0e-3
MICROMETRE = 1.0e-6
RUST_COLOR, BLACK = (0.16, 0.055, 0.02), (0.02, 0.018, 0.016)
BARE = {"color": (0.55, 0.55, 0.54), "metallic": 1.0, "roughness": 0.38}
INK = {"color": (0.05, 0.10, 0.35), "opacity": 0.9, "roughness": 0.5}
CHALK = {"color": (0.75, 0.74, 0.70), "roughness": 1.0, "metallic": 0.0}
# Of every kind: what it lies on, length and width [mm], depth [um], and what differs from STANDARD.
STANDARD = {"color": (OWN,) * 3, "opacity": 1.0, "roughness": OWN, "metallic": OWN, "irregularity": 0.5,
            "softness": 0.3, "rim": 0.0, "count": 0}  # fmt: skip
KINDS: dict[DefectKind, tuple[Material, float, float, float, dict[str, Any]]] = {
    DefectKind.SCRATCH: (PAINT, 30, 0.5, 120, {**BARE, "rim": 0.3}),
    DefectKind.SCUFF: (PAINT, 22, 14, 15, {"color": (0.3, 0.34, 0.38), "opacity": 0.6, "roughness": 0.6, "count": 40}),
    DefectKind.DENT: (STEEL, 18, 14, 900, {"rim": 0.1, "irregularity": 0.2}),
    DefectKind.CRACK: (CERAMIC, 34, 0.4, 300, {"color": BLACK, "opacity": 0.8, "count": 4, "softness": 0.4}),
    DefectKind.PIT: (CASTING, 6, 5, 2500, {"color": (0.05, 0.05, 0.05), "opacity": 0.4, "rim": 0.05}),
    DefectKind.POROSITY: (CASTING, 24, 18, 500, {"color": (0.05, 0.05, 0.05), "opacity": 0.5, "count": 70}),
    DefectKind.CHIP: (CERAMIC, 14, 10, 4000, {"color": (0.50, 0.46, 0.40), "roughness": 0.9, "softness": 0.05}),
    DefectKind.FRAY: (BOARD, 30, 6, 900, {"color": (0.62, 0.48, 0.32), "roughness": 1.0, "softness": 0.2}),
    DefectKind.STAIN: (BOARD, 22, 16, 0, {"color": (0.16, 0.09, 0.04), "opacity": 0.6, "rim": 0.3, "softness": 0.15}),
    DefectKind.RUST: (STEEL, 20, 15, 60, {"color": RUST_COLOR, "roughness": 0.9, "metallic": 0.0}),
    DefectKind.UNEVEN: (STEEL, 24, 17, 8, {"roughness": 0.16, "rim": 0.5}),
    DefectKind.SEAM: (STEEL, 34, 1.0, 400, {"color": BLACK, "opacity": 0.7, "irregularity": 0.2}),
    DefectKind.MISSING: (PAINT, 18, 13, 80, {**BARE, "softness": 0.02}),
    DefectKind.MISPRINT: (BOARD, 28, 12, 700, {**INK, "count": 14, "irregularity": 0.1}),
    DefectKind.DUST: (PAINT, 26, 20, 0, {"color": (0.55, 0.52, 0.46), "roughness": 1.0, "metallic": 0.0, "count": 60}),
    DefectKind.HAIR: (PAINT, 30, 0.15, 0, {"color": (0.03, 0.02, 0.015), "roughness": 0.5, "softness": 0.5}),
    DefectKind.GLINT: (STEEL, 3, 2, 0, {"color": (1.0, 1.0, 1.0), "softness": 1.0}),
    DefectKind.GLARE: (PAINT, 30, 16, 0, {"color": (1.0, 1.0, 1.0), "opacity": 0.5, "softness": 1.0}),
    DefectKind.MACHINING: (STEEL, 34, 26, 60, {"count": 32, "irregularity": 0.2}),
    DefectKind.MARKING: (STEEL, 30, 1.0, 0, {**CHALK, "count": 4, "softness": 0.5}),
}  # fmt: skip
AT_EDGE = (DefectKind.CHIP, DefectKind.FRAY)


def coupon_scene() -> Scene:
    """Return a plate under a soft box at a slant and the light of a room."""
    key = look_at((-0.12, 0.10, 0.10), (0.0, 0.0, 0.0))
    lights = (
        Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (0.4,) * 3, texture=0),
        Light("/key", LightKind.RECT, key, (0.08, 0.08), 0.0, (4.5, 4.4, 4.2)),
    )
    parts = [(box_mesh(*COUPON_M), pose(0, 0, -COUPON_M[2]), PAINT)]
    parts += [
        (
            box_mesh(0.3, 0.3, 0.01),
            pose(0, 0, -COUPON_M[2] - 0.01),
            Material("/bench", base_color=(0.2,) * 3, roughness=0.8),
        )
    ]
    scene = assembled(parts, lights, textures=(studio_dome(),))
    eye = Camera("/camera", look_at((0.0, -0.09, 0.16), (0.0, -0.001, 0.0)), 125.0, 30.0, 22.5)
    return replace(scene, materials=(*scene.materials, *MATERIALS), cameras=(eye,))


def coupon_draft(scene: Scene, rig: Rig, severities: NDArray[np.float64], kinds: list[DefectKind | None]) -> Draft:
    """Return a world for every severity and kind."""
    count = len(kinds)
    draft = authored_draft(scene, rig, scene.cameras, np.arange(count), np.zeros(count, np.int32))
    defects = new_defects(draft, 1)
    for row, kind in enumerate(kinds):
        if kind is not None:
            material = KINDS[kind][0]
            draft.material[row, COUPON] = len(scene.materials) - len(MATERIALS) + MATERIALS.index(material)
            set_coupon(Defects(defects.record[row : row + 1]), kind, float(severities[row]))
    slot = DefectSlot("coupon", 0, 0, "")
    add_defects(draft, defects, instance=np.full((count, 1), COUPON, np.int32), slots=(slot,))
    return draft


def set_coupon(defects: Defects, kind: DefectKind, severity: float) -> None:
    """Set the records of a kind's coupon."""
    _, length_mm, width_mm, depth_um, others = KINDS[kind]
    at = (0.0, -0.5 * COUPON_M[1], COUPON_M[2]) if kind in AT_EDGE else (0.0, 0.0, COUPON_M[2])
    turn = 0.0 if kind in (*AT_EDGE, DefectKind.MARKING, DefectKind.MISPRINT) else np.deg2rad(20.0)
    defects.set("kind", kind)
    defects.set("center_m", at)
    defects.set("along", (np.cos(turn), np.sin(turn), 0.0))
    defects.set("normal", (0.0, 0.0, 1.0))
    defects.set("length_m", length_mm * MILLIMETRE)
    defects.set("width_m", width_mm * MILLIMETRE)
    defects.set("depth_m", depth_um * MICROMETRE)
    defects.set("severity", severity)
    for name, value in {**STANDARD, **others}.items():
        defects.set(name, value)
    defects.set("seed", 1234567 + int(kind))
    defects.set("placement", 0)
    set_reach(defects)


def coupon_images(
    width_px: int, height_px: int, *, spp: int = 16, severities: tuple[float, ...] = (0.25, 0.5, 1.0),
    kinds: tuple[DefectKind, ...] = tuple(KINDS), denoise: bool = False,
) -> dict[str, NDArray[np.uint8]]:  # fmt: skip
    """Return images [severity, y, x, 3] of every kind."""
    scene, rig = coupon_scene(), replace(material_rig(width_px, height_px, spp), denoise=denoise)
    outputs = Outputs(rgb=True, rgb_linear=False, depth=False, normal=False, instance=False)
    renderer = Renderer(scene, rig, outputs, seed=0, device="cpu")
    images = {}
    for kind in kinds:
        draft = coupon_draft(scene, rig, np.array(severities), [kind] * len(severities))
        rgb = renderer.render(draft).rgb
        assert rgb is not None
        images[kind.name.lower()] = rgb.copy()
    renderer.close()
    return images


def defect_costs(*, side_px: int = 256, rounds: int = 9) -> dict[str, float]:
    """Return by how many nanoseconds a defect of each kind that fills the image makes a pixel dearer, on one thread."""
    scene, rig = coupon_scene(), material_rig(side_px, side_px * 3 // 4, 1)
    outputs = Outputs(rgb=True, rgb_linear=False, depth=False, normal=False, instance=False)
    renderer = Renderer(scene, rig, outputs, seed=0, device="cpu", threads=1)
    drafts: dict[str, Draft] = {"none": coupon_draft(scene, rig, np.ones(1), [None])}
    for kind in KINDS:
        draft = coupon_draft(scene, rig, np.ones(1), [kind])
        draft.material[:] = drafts["none"].material
        Defects(draft.defect).set("reach_m", 1.0)  # every pixel pays
        drafts[kind.name.lower()] = draft
    seconds: dict[str, list[float]] = {name: [] for name in drafts}
    for _ in range(rounds + 1):  # the first is a warm-up
        for name, draft in drafts.items():
            start = time.thread_time()
            renderer.render(draft)
            seconds[name].append(time.thread_time() - start)
    renderer.close()
    none, pixels = np.array(seconds.pop("none"))[1:], rig.width * rig.height
    return {name: float(np.median(np.array(taken)[1:] - none)) / pixels * 1.0e9 for name, taken in seconds.items()}


if __name__ == "__main__":
    for name, nanoseconds in defect_costs().items():
        print(f"{name:12s} {nanoseconds:6.0f} ns a pixel")
