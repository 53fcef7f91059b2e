"""Sheets of factors: what roughness and metal do to a surface, and augmentation to a finished picture."""

from __future__ import annotations

import dataclasses
from contextlib import closing

from bench.gallery.built import checker, plane_mesh
from bench.gallery.sheet import Effort, Picture, Sheet, stacked, tiled
from bench.gallery.shipped import command, quality, size
from bench.gallery.still_life import Part, assembled, ball_mesh, photographed
from bench.materials import look_at, pose, studio_dome
from engine.config import compose
from engine.factory import build_factory, load_recipe_scene
from engine.randomize.kinds import checked_randomizers
from engine.scene.model import Camera, Light, LightKind, Material, TextureInput

SWEEP_PX, SWEEP_SPP = (1272, 640), 48
ROUGHNESS, METALLIC = (0.05, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0), (0.0, 0.5, 1.0)
BALL_STEP_M = 0.24
AUGMENT_PX, AUGMENT_SPP, AUGMENT_WORLD = (220, 165), 16, 1
COLOR = {"gain": 1, "red": 1, "blue": 1, "gamma": 1, "hue_deg": 0, "saturation": 1}
BEHIND = {"instances": "/Tabletop/Bench", "folder": None, "weights": None, "zoom": 1, "cell_px": 12}
STRIPS: tuple[tuple[str, dict[str, object], tuple[dict[str, object], ...]], ...] = (
    ("augment_blur", {}, tuple({"sigma_px": sigma} for sigma in (0, 0.7, 1.5, 3, 6))),
    ("augment_color", COLOR, tuple({"hue_deg": hue} for hue in (-40, -15, 0, 15, 40))),
    ("augment_color", COLOR, tuple({"saturation": share} for share in (0, 0.5, 1, 1.5, 2))),
    ("augment_color", COLOR, tuple({"gamma": gamma} for gamma in (0.5, 0.75, 1, 1.5, 2))),
    ("augment_noise", {}, tuple({"std_dn": std} for std in (0, 3, 6, 10, 16))),
    ("augment_background", BEHIND, tuple({"cell_px": cell} for cell in (8, 16, 32, 64, 128))),
)


def gloss_sheet(effort: Effort) -> Sheet:
    """Return balls of one colour, rougher to the right, more metallic upwards."""
    floor = Material("/floor", roughness=0.5, textures={
        "base_color": TextureInput(1, 0, (1.0,) * 4, (0.0,) * 4, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)),
    })  # fmt: skip
    parts: list[Part] = [(plane_mesh(6.0, 30.0), pose(0, 0, 0), floor)]
    for row, metallic in enumerate(METALLIC):
        for column, roughness in enumerate(ROUGHNESS):
            name = f"/metallic_{metallic:g}_roughness_{roughness:g}"
            look = Material(name, base_color=(0.8, 0.36, 0.16), metallic=metallic, roughness=roughness)
            place = pose((column - (len(ROUGHNESS) - 1) / 2) * BALL_STEP_M, row * 1.25 * BALL_STEP_M, 0)
            parts.append((ball_mesh(0.1), place, look))
    lights = [
        Light("/dome", LightKind.DOME, pose(0, 0, 0), (0.0, 0.0), 0.0, (1.0,) * 3, texture=0),
        Light("/key", LightKind.RECT, look_at((-0.9, -0.7, 1.6), (0, 0.2, 0.1)), (0.35, 0.35), 0.0, (60.0, 58.0, 55.0)),
    ]
    scene = assembled(parts, lights, textures=(studio_dome(), checker()))
    eye = Camera("/camera", look_at((0.0, -1.7, 1.5), (0.0, 0.27, 0.06)), 30.0, 24.0, 24.0 * SWEEP_PX[1] / SWEEP_PX[0])
    rgb = photographed(scene, eye, SWEEP_PX, quality="path", spp=SWEEP_SPP, effort=effort, target=0.25)
    text = (
        f"One base colour. Roughness from left to right: {', '.join(f'{value:g}' for value in ROUGHNESS)}; "
        f"metallic from front to back: {', '.join(f'{value:g}' for value in METALLIC)}."
    )
    made_by = f"bench/gallery/factors.py, `gloss_sheet`: path, {SWEEP_SPP} samples, denoised, metered, filmic"
    return Sheet("Roughness and metal", rgb, text, made_by)


def augment_sheet(effort: Effort) -> Sheet:
    """Return a strip for each kind of augmentation."""
    overrides = ("+scene=tabletop", *size(effort, AUGMENT_PX), *quality(effort, "direct", AUGMENT_SPP))
    recipe, scene = load_recipe_scene(*compose(*overrides))
    rows: list[Picture] = []
    entry: dict[str, object] = {}
    for kind, fixed, steps in STRIPS:
        tiles = []
        for step in steps:
            entry = {"kind": kind, "cameras": "*", "probability": 1, **fixed, **step}
            drawn = {**recipe.randomize, **checked_randomizers({"change": entry})}
            factory = build_factory(dataclasses.replace(recipe, randomize=drawn), scene, device="cpu")
            with closing(factory.renderer):
                _, frames, _ = factory.make([AUGMENT_WORLD])
            (key, value), *_ = step.items()
            tiles.append((f"{kind.removeprefix('augment_')}: {key} {value}", frames.rgb[0]))
        rows.append(tiled(tiles, columns=len(steps)))
    text = (
        "Blur, colour, noise and background of finished pictures. Masks, boxes and depth are the same in all of them, "
        "bit for bit; see [factors](../factors.md#augmentation)."
    )
    told = ", ".join(
        f"{key}: {'null' if value is None else value}" for key, value in {**entry, "cameras": "'*'"}.items()
    )
    line = command((*overrides, f"+randomize.change={{{told}}}"), [AUGMENT_WORLD])
    return Sheet("Augmentation", stacked(rows), text, line)
