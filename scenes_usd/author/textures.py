"""Procedural textures as small PNG files. Every image tiles unless it is an atlas; row 0 is the top (v = 1)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from scenes_usd.author.shipping_print import CARTON_LOT, label_atlas

Grey = NDArray[np.float64]

ATLAS_PX = 1024  # one metre: a pixel of cardboard is a millimetre
ATLAS_PRINTED_V = 0.44  # v of the printed faces' lower edge [m]
ATLAS_TAPE_V = 0.88
ATLAS_EDGE_V = 0.96


def noise(width_px: int, height_px: int, *, seed: int, scale_px: tuple[float, float], octaves: int = 1) -> Grey:
    """Return tileable Gaussian noise of unit deviation whose features are ``scale_px`` wide (x, y)."""
    random = np.random.Generator(np.random.PCG64(seed))
    total = np.zeros((height_px, width_px))
    fx, fy = np.fft.rfftfreq(width_px)[None, :], np.fft.fftfreq(height_px)[:, None]
    for octave in range(octaves):
        sx, sy = (s / 2.0**octave for s in scale_px)
        envelope = np.exp(-2.0 * np.pi**2 * ((fx * sx / 2.0) ** 2 + (fy * sy / 2.0) ** 2))
        field = np.fft.irfft2(np.fft.rfft2(random.standard_normal((height_px, width_px))) * envelope, s=total.shape)
        total += (field - field.mean()) / field.std() * 0.6**octave
    return (total - total.mean()) / total.std()


def coloured(base: tuple[int, int, int], brightness: Grey, *, levels: int = 48) -> Image.Image:
    """Return ``base`` (sRGB, 0..255) times ``brightness``, quantised so that the PNG stays small."""
    steps = np.clip(np.round(brightness * levels) / levels, 0.0, 2.0)
    return Image.fromarray(np.clip(np.round(np.array(base) * steps[..., None]), 0, 255).astype(np.uint8))


def grey(value: Grey, *, levels: int = 32) -> Image.Image:
    """Return a one-channel image of values in 0..1."""
    return Image.fromarray(np.round(np.clip(np.round(value * levels) / levels, 0, 1) * 255).astype(np.uint8))


def carton_atlas(
    board: tuple[int, int, int], ink: tuple[int, int, int], tape: tuple[int, int, int], seed: int
) -> Image.Image:
    """Return the carton atlas: plain and printed board, tape and cut edges."""
    fibre = noise(ATLAS_PX, ATLAS_PX, seed=seed, scale_px=(9.0, 3.0), octaves=2)
    flutes = np.sin(np.arange(ATLAS_PX) * 2.0 * np.pi / 6.4)[None, :]
    cloud = noise(ATLAS_PX, ATLAS_PX, seed=seed + 1, scale_px=(120.0, 90.0))
    image = coloured(board, 1.0 + 0.022 * fibre + 0.006 * flutes + 0.018 * cloud, levels=64)
    draw = ImageDraw.Draw(image)
    _fill(draw, 0.66, 0.0, 0.34, 1.0, board)  # nothing uses it
    _draw_print(draw, ink)
    _fill(draw, 0.0, ATLAS_TAPE_V, 0.66, 0.06, tape)
    for k in range(0, 66, 1):
        shade = 0.72 if k % 2 else 0.55
        _fill(draw, k * 0.01, ATLAS_EDGE_V, 0.01, 0.04, tuple(int(c * shade) for c in board))
    return image


def _box(u: float, v: float, width: float, height: float) -> tuple[int, int, int, int]:
    """Return pixel bounds (left, top, right, bottom) of a rectangle of the atlas given in metres, v up."""
    left, top = round(u * ATLAS_PX), round((1.0 - v - height) * ATLAS_PX)
    return left, top, left + round(width * ATLAS_PX) - 1, top + round(height * ATLAS_PX) - 1


def _fill(draw: ImageDraw.ImageDraw, u: float, v: float, width: float, height: float, colour: tuple[int, ...]) -> None:
    draw.rectangle(_box(u, v, width, height), fill=colour)


def _draw_print(draw: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    """Draw what is printed near the lower left corner: two up arrows on a line, a glass, a product code."""
    v = ATLAS_PRINTED_V
    left, top, right, bottom = _box(0.03, v + 0.03, 0.055, 0.065)
    for k in (0, 1):
        x = left + 14 + k * 26
        draw.polygon([(x, top), (x - 11, top + 20), (x + 11, top + 20)], fill=ink)
        draw.rectangle((x - 4, top + 20, x + 4, bottom - 8), fill=ink)
    draw.rectangle((left, bottom - 4, right, bottom), fill=ink)
    left, top, right, bottom = _box(0.10, v + 0.03, 0.045, 0.065)
    middle = (left + right) // 2
    draw.polygon([(left + 6, top), (right - 6, top), (middle + 4, top + 34), (middle - 4, top + 34)], fill=ink)
    draw.rectangle((middle - 2, top + 34, middle + 2, bottom - 4), fill=ink)
    draw.rectangle((left + 8, bottom - 4, right - 8, bottom), fill=ink)
    left, top, _, _ = _box(0.16, v + 0.03, 0.1, 0.04)
    draw.text((left, top), "FRAGILE", font=_font(26), fill=ink)
    left, top, _, _ = _box(0.16, v + 0.02, 0.1, 0.02)
    draw.text((left, top), f"LOT {CARTON_LOT}", font=_font(13), fill=ink)


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size_px)


def carton_roughness() -> Image.Image:
    """Return roughness for the carton atlas: dull board, glossy tape."""
    image = Image.new("L", (256, 256), 210)
    draw = ImageDraw.Draw(image)
    quarter = ATLAS_PX // 256
    left, top, right, bottom = (x // quarter for x in _box(0.0, ATLAS_TAPE_V, 0.66, 0.06))
    draw.rectangle((left, top, right, bottom), fill=70)
    return image


def wood(base: tuple[int, int, int], seed: int) -> Image.Image:
    """Return sawn softwood, grain along u, half a metre wide: rings, fibres, a few knots."""
    size = 512
    warp = noise(size, size, seed=seed, scale_px=(260.0, 40.0))
    y = np.arange(size)[:, None] / size
    rings = np.sin(2.0 * np.pi * (14.0 * y + 0.55 * warp)) * 0.5 + np.sin(2.0 * np.pi * (5.0 * y + 0.3 * warp)) * 0.5
    fibre = noise(size, size, seed=seed + 1, scale_px=(60.0, 2.2))
    random = np.random.Generator(np.random.PCG64(seed + 2))
    brightness = 1.0 + 0.055 * rings + 0.05 * fibre + 0.05 * noise(size, size, seed=seed + 3, scale_px=(200.0, 80.0))
    columns = np.arange(size)[None, :] / size
    for x0, y0, r in random.random((5, 3)) * [1.0, 1.0, 0.012] + [0.0, 0.0, 0.01]:
        dx = np.minimum(np.abs(columns - x0), 1.0 - np.abs(columns - x0)) / 1.8
        dy = np.minimum(np.abs(y - y0), 1.0 - np.abs(y - y0))
        brightness -= 0.4 * np.exp(-((np.sqrt(dx**2 + dy**2) / r) ** 2))
    return coloured(base, brightness, levels=40)


def concrete(base: tuple[int, int, int], stain: float, seed: int) -> Image.Image:
    """Return a power-floated slab, four metres wide with saw-cut joints along its border; ``stain`` 0..1 dirties it."""
    size = 1024
    fine = noise(size, size, seed=seed, scale_px=(2.5, 2.5))
    cloud = noise(size, size, seed=seed + 1, scale_px=(150.0, 150.0), octaves=4)
    brightness = 1.0 + 0.018 * fine + 0.045 * cloud
    blots = noise(size, size, seed=seed + 2, scale_px=(110.0, 110.0), octaves=4)
    brightness *= 1.0 - stain * 0.3 / (1.0 + np.exp(-(blots - 1.2) * 3.2))
    streak = noise(size, size, seed=seed + 3, scale_px=(400.0, 7.0)) * noise(
        size, size, seed=seed + 4, scale_px=(500.0, 120.0)
    )
    brightness *= 1.0 - stain * 0.16 / (1.0 + np.exp(-(streak - 1.4) * 5.0))
    edge = np.minimum(np.arange(size), size - 1 - np.arange(size))
    joint = np.minimum(edge[:, None], edge[None, :])
    brightness *= 1.0 - 0.55 * (joint < 1.0) - 0.06 * np.exp(-joint / 6.0)
    return coloured(base, brightness, levels=36)


def concrete_roughness(seed: int) -> Image.Image:
    """Return roughness 0.35..0.75: worn tracks are smoother."""
    cloud = noise(256, 256, seed=seed, scale_px=(40.0, 40.0), octaves=3)
    return grey(0.55 + 0.07 * cloud)


def worn_paint(base: tuple[int, int, int], floor: tuple[int, int, int], seed: int) -> Image.Image:
    """Return floor paint with the concrete showing through where wheels wore it away."""
    patches = noise(512, 128, seed=seed, scale_px=(24.0, 24.0), octaves=4)
    worn = 1.0 / (1.0 + np.exp(-(patches - 1.25) * 9.0))[..., None]
    grime = 1.0 + 0.035 * noise(512, 128, seed=seed + 1, scale_px=(60.0, 30.0), octaves=3)[..., None]
    mixed = (np.array(base) * (1.0 - worn) + np.array(floor) * worn) * grime
    return Image.fromarray(np.clip(np.round(mixed / 4.0) * 4.0, 0, 255).astype(np.uint8))


def hazard_stripes() -> Image.Image:
    """Return yellow and black diagonal stripes that tile in both directions."""
    x, y = np.meshgrid(np.arange(256), np.arange(256))
    black = ((x + y) // 64) % 2 == 1
    wear = 1.0 + 0.04 * noise(256, 256, seed=5, scale_px=(20.0, 20.0), octaves=3)
    colour = np.where(black[..., None], np.array([28, 28, 30]), np.array([236, 184, 20])) * wear[..., None]
    return Image.fromarray(np.clip(np.round(colour / 4.0) * 4.0, 0, 255).astype(np.uint8))


def brushed(seed: int, *, depth: float) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Return brightness, roughness and tangent-space normals of metal brushed along u (50 mm wide)."""
    size = 512
    height = noise(size, size, seed=seed, scale_px=(220.0, 1.6)) + 0.6 * noise(
        size, size, seed=seed + 1, scale_px=(90.0, 3.0)
    )
    height += 0.35 * noise(size, size, seed=seed + 2, scale_px=(500.0, 9.0))
    cloud = noise(size, size, seed=seed + 3, scale_px=(160.0, 120.0), octaves=3)
    slope_u = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * 0.5
    slope_v = (np.roll(height, 1, 0) - np.roll(height, -1, 0)) * 0.5  # v points up, rows down
    normal = np.stack([-depth * slope_u, -depth * slope_v, np.ones_like(height)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    encoded = Image.fromarray(np.round((normal * 0.5 + 0.5) * 255.0).astype(np.uint8))
    colour = coloured((214, 213, 210), 1.0 + 0.028 * height + 0.012 * cloud, levels=40)
    return colour, grey(0.36 + 0.035 * height + 0.03 * cloud, levels=48), encoded


def stretch_film(seed: int) -> tuple[Image.Image, Image.Image]:
    """Return colour and normals of stretch film, 0.8 m wide: milky where layers lap, drawn into folds along u."""
    size = 512
    folds = noise(size, size, seed=seed, scale_px=(300.0, 9.0)) + 0.5 * noise(
        size, size, seed=seed + 1, scale_px=(120.0, 4.0)
    )
    ridges = np.exp(-((noise(size, size, seed=seed + 2, scale_px=(260.0, 26.0)) / 0.12) ** 2))
    rows = np.arange(size)[:, None]
    laps = 0.5 + 0.5 * np.sign(np.sin(rows * 2.0 * np.pi * 5.0 / size + 0.9))
    colour = coloured((150, 154, 158), 0.86 + 0.1 * laps + 0.05 * folds + 0.22 * ridges, levels=32)
    height = 0.7 * folds + 2.2 * ridges
    slope_u = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * 0.5
    slope_v = (np.roll(height, 1, 0) - np.roll(height, -1, 0)) * 0.5
    normal = np.stack([-0.35 * slope_u, -0.35 * slope_v, np.ones_like(height)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    levels = np.round((normal * 0.5 + 0.5) * 63.0) / 63.0  # so that the file stays small
    return colour, Image.fromarray(np.round(levels * 255.0).astype(np.uint8))


def write_textures(folder: Path) -> None:
    """Write every texture of the library."""
    steel, steel_roughness, steel_normal = brushed(70, depth=0.10)
    film, film_normal = stretch_film(90)
    images: dict[str, Callable[[], Image.Image]] = {
        "carton_kraft": lambda: carton_atlas((181, 140, 96), (62, 44, 30), (170, 128, 76), 10),
        "carton_white": lambda: carton_atlas((222, 220, 214), (40, 62, 110), (196, 186, 160), 20),
        "carton_dark": lambda: carton_atlas((138, 101, 66), (38, 28, 20), (112, 84, 52), 30),
        "carton_roughness": carton_roughness,
        "wood_light": lambda: wood((203, 172, 128), 50),
        "wood_dark": lambda: wood((142, 112, 82), 54),
        "concrete_clean": lambda: concrete((168, 167, 162), 0.25, 60),
        "concrete_stained": lambda: concrete((146, 142, 134), 1.0, 65),
        "concrete_roughness": lambda: concrete_roughness(69),
        "paint_yellow": lambda: worn_paint((232, 186, 30), (150, 148, 142), 80),
        "paint_white": lambda: worn_paint((222, 222, 216), (150, 148, 142), 84),
        "hazard_stripes": hazard_stripes,
        "shipping_labels": label_atlas,
        "stretch_film": lambda: film,
        "stretch_film_normal": lambda: film_normal,
        "brushed_color": lambda: steel,
        "brushed_roughness": lambda: steel_roughness,
        "brushed_normal": lambda: steel_normal,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in images.items():
        make().save(folder / f"{name}.png", optimize=True)
