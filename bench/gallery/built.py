"""Sheets of scenes made of arrays: lights, glass and metal, procedural materials."""

from __future__ import annotations

import dataclasses

import numpy as np

from bench.defects import KINDS, coupon_images
from bench.gallery.sheet import Effort, Picture, Sheet, tiled
from bench.gallery.still_life import (
    STILL_LIFE_CAMERA,
    Part,
    assembled,
    ball_mesh,
    photographed,
    still_life,
)
from bench.materials import PRESETS, look_at, material_images, pose, studio_dome
from engine.randomize.look.light import black_body
from engine.scene.model import Camera, IesProfile, Light, LightKind, Material, Mesh, Texture, TextureInput, Wrap

TILE_PX = (424, 282)
WIDE_PX = (639, 340)
DEFECT_PX, DEFECT_SPP, DEFECT_SEVERITIES = (200, 150), 64, (0.4, 1.0)
LIGHT_SPP, BALL_SPP, MATERIAL_SPP = 32, 96, 64
ABOVE = (-0.75, -0.7, 0.95)  # where lamps are [m]
AIM = (0.0, 0.0, 0.08)
BALL_STEP_M = 0.24
BALLS = (
    Material("/glass", opacity=0.0, ior=1.5, roughness=0.0, base_color=(1.0,) * 3),
    Material("/frosted", opacity=0.0, ior=1.5, roughness=0.25, base_color=(1.0,) * 3),
    Material("/chrome", base_color=(0.62, 0.63, 0.64), metallic=1.0, roughness=0.04),
    Material("/copper", base_color=(0.93, 0.46, 0.3), metallic=1.0, roughness=0.28),
    Material("/clearcoat", base_color=(0.02, 0.09, 0.32), roughness=0.55, clearcoat=1.0, clearcoat_roughness=0.02),
    Material("/plastic", base_color=(0.7, 0.3, 0.03), roughness=0.3),
)


def light_sheet(effort: Effort) -> Sheet:
    """Return a still life under each kind of light."""
    at, white = look_at(ABOVE, AIM), (1.0, 1.0, 1.0)

    def lamp(kind: LightKind, size_m: tuple[float, float], **values: object) -> Light:
        return Light("/lamp", kind, at, size_m, 0.0, white, **values)  # type: ignore[arg-type]

    tube = np.concatenate([pose(0, 0, 0)[:, :3], np.reshape((0.0, -0.35, 0.75), (3, 1))], axis=1)
    wall = look_at((-0.35, 0.78, 1.05), (-0.35, 0.8, 0.0))
    sides = [
        Light(f"/side_{i}", LightKind.RECT, look_at((x, -0.45, 0.45), AIM), (0.35, 0.35), 0.0, kelvin(k))
        for i, (x, k) in enumerate(((-0.9, 2700.0), (0.9, 12000.0)))
    ]
    distant = Light("/sun", LightKind.DISTANT, at, (0.0, 0.0), np.deg2rad(0.27), (1.0e5,) * 3)
    dome = Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, white, texture=0)
    spot = lamp(LightKind.SPHERE, (0.03, 0.0), cone_cos=float(np.cos(np.deg2rad(13.0))), cone_softness=0.4)
    ies = dataclasses.replace(lamp(LightKind.DISK, (0.02, 0.0), ies=0), world_from_light=wall)
    spot, ies = (dataclasses.replace(light, radiance=(80.0,) * 3) for light in (spot, ies))
    fill = dataclasses.replace(dome, name="/fill", radiance=(0.004,) * 3)
    setups = {
        "distant, 0.27 degrees": [distant],
        "sphere, radius 5 cm": [lamp(LightKind.SPHERE, (0.05, 0.0))],
        "rect, 60 x 60 cm": [lamp(LightKind.RECT, (0.6, 0.6))],
        "disk, radius 15 cm": [lamp(LightKind.DISK, (0.15, 0.0))],
        "cylinder, 1 m long": [dataclasses.replace(lamp(LightKind.CYLINDER, (0.015, 1.0)), world_from_light=tube)],
        "dome with an image": [dome],
        "spot: a cone of 13 degrees, soft": [spot, fill],
        "IES profile on a wall": [ies, fill],
        "two rects, 2700 K and 12000 K": sides,
    }
    tiles = []
    for caption, lights in setups.items():
        scene = assembled(still_life(), lights, textures=(studio_dome(),), ies=(scallop(),))
        rgb = photographed(scene, STILL_LIFE_CAMERA, TILE_PX, quality="path", spp=LIGHT_SPP, effort=effort)
        tiles.append((caption, rgb))
    text = "The kinds of light of UsdLux, each exposed by the camera's own metering, with indirect light."
    made_by = f"bench/gallery/built.py, `light_sheet`: path, {LIGHT_SPP} samples, denoised, metered, filmic"
    return Sheet("Lights", tiled(tiles, columns=3), text, made_by)


def kelvin(temperature_k: float) -> tuple[float, float, float]:
    """Return the colour of a black body, luminance 1."""
    red, green, blue = black_body(np.array(temperature_k)).tolist()
    return red, green, blue


def scallop() -> IesProfile:
    """Return a downlight with a bright core, a ring and nothing sideways."""
    vertical = np.deg2rad(np.linspace(0.0, 180.0, 181))
    core, ring = np.exp(-((vertical / 0.28) ** 2)), 0.5 * np.exp(-(((vertical - 0.72) / 0.12) ** 2))
    intensity = np.where(vertical < np.pi / 2, core + ring, 0.0)
    return IesProfile(
        "scallop", np.array([0.0, 2.0 * np.pi], np.float32), vertical.astype(np.float32),
        np.stack([intensity, intensity]).astype(np.float32),
    )  # fmt: skip


def ball_sheet(effort: Effort) -> Sheet:
    """Return balls of glass, metal and lacquer at both qualities."""
    floor = Material("/floor", roughness=0.5, textures={
        "base_color": TextureInput(1, 0, (1.0,) * 4, (0.0,) * 4, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)),
    })  # fmt: skip
    parts: list[Part] = [(plane_mesh(6.0, 30.0), pose(0, 0, 0), floor)]
    mesh = ball_mesh(0.1)
    for place, material in enumerate(BALLS):
        x = (place - (len(BALLS) - 1) / 2) * BALL_STEP_M
        parts.append((mesh, pose(x, 0.06 * (place % 2), 0), material))
    lights = [
        Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (1.0,) * 3, texture=0),
        Light("/key", LightKind.RECT, look_at((-0.9, -0.5, 1.5), (0, 0, 0.1)), (0.35, 0.35), 0.0, (60.0, 58.0, 55.0)),
    ]
    scene = assembled(parts, lights, textures=(studio_dome(), checker()))
    eye = Camera("/camera", look_at((0.0, -1.9, 0.55), (0.0, 0.03, 0.09)), 31.5, 24.0, 24.0 * WIDE_PX[1] / WIDE_PX[0])
    tiles: list[tuple[str, Picture]] = []
    for quality, spp in (("direct", 64), ("path", BALL_SPP)):
        rgb = photographed(scene, eye, WIDE_PX, quality=quality, spp=spp, effort=effort, target=0.25)
        tiles.append((f"{quality}, {spp} samples{', denoised' * (quality == 'path')}", rgb))
    text = (
        "Glass, frosted glass, chrome, copper, clear lacquer over blue, plastic. `direct` sees through glass without "
        "bending and shows lights in metal but not other things; `path` does all of it, caustics included."
    )
    made_by = (
        f"bench/gallery/built.py, `ball_sheet`: `rig.spp={BALL_SPP} rig.clamp_radiance=6 rig.denoise=true`, 8 bounces"
    )
    return Sheet("Glass, metal, clearcoat", tiled(tiles, columns=2), text, made_by)


def plane_mesh(size_m: float, repeats: float) -> Mesh:
    """Return a square with texture coordinates that repeat."""
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    triangle = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
    points = np.insert((corners - 0.5) * size_m, 2, 0.0, axis=1).astype(np.float32)
    uv = (corners * repeats)[triangle].astype(np.float32)
    return Mesh("plane", points, triangle, None, uv, None, np.zeros(2, np.int32), True)


def checker() -> Texture:
    """Return a checkerboard of 2 x 2 squares."""
    row, column = np.indices((128, 128)) // 64
    rgba = np.ones((128, 128, 4), np.float32)
    rgba[..., :3] = np.where(((row + column) % 2 == 0)[..., None], (0.5, 0.48, 0.44), (0.11, 0.12, 0.13))
    return Texture("checker", rgba, Wrap.REPEAT, Wrap.REPEAT)


def material_sheet(effort: Effort) -> Sheet:
    """Return every procedural material on a sphere, a box, a floor and a wall."""
    width, height, spp = effort.px(TILE_PX[0]), effort.px(TILE_PX[1]), effort.spp(MATERIAL_SPP)
    first = material_images(width, height, spp=spp, denoise=not effort.quick)
    more = material_images(
        width, height, spp=spp, names=("painted_metal", "concrete"), world=3, denoise=not effort.quick
    )
    tiles = [(f"randomize={name}", first[name]) for name in PRESETS]
    tiles += [(f"randomize={name}, another world", rgb) for name, rgb in more.items()]
    text = "[Patterns](../patterns.md) of noise, without images: ball, box, wall and floor wear one entry."
    made_by = (
        f"bench/materials.py, `material_images`: direct, {MATERIAL_SPP} samples, denoised, presets of conf/randomize"
    )
    return Sheet("Procedural materials", tiled(tiles, columns=3), text, made_by)


def defect_sheet(effort: Effort) -> Sheet:
    """Return a coupon of every kind of defect and near-miss."""
    width, height, spp = effort.px(DEFECT_PX[0]), effort.px(DEFECT_PX[1]), effort.spp(DEFECT_SPP)
    images = coupon_images(width, height, spp=spp, severities=DEFECT_SEVERITIES, denoise=not effort.quick)
    tiles = [(f"{name}, {severity:g}", rgb) for name, three in images.items()
             for severity, rgb in zip(DEFECT_SEVERITIES, three, strict=True)]  # fmt: skip
    text = (
        f"[Defects](../defects.md) and near-misses, all {len(KINDS)} kinds, on plates of 48 mm at severities of "
        "0.4 and 1; from dust on they are near-misses."
    )
    made_by = f"bench/defects.py, `coupon_images`: direct, {DEFECT_SPP} samples, denoised"
    return Sheet("Defects", tiled(tiles, columns=8), text, made_by)
