"""A sheet of the gallery: pictures side by side with captions, what they show, and what makes them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

GAP_PX = 6
CAPTION_PX = 22
PAPER, INK = (18, 20, 24), (206, 210, 218)
JPEG_QUALITY = 76  # with colour at half the resolution: all sheets together stay below 5 MB
QUICK_SHARE = 0.125  # of the width of a picture: enough to see that there is one
GOLDEN_RATIO = 0.618034  # steps of hue that stay far apart

Picture = NDArray[np.uint8]  # [y, x, 3], sRGB


@dataclass(frozen=True)
class Effort:
    """How much work a gallery is worth."""

    quick: bool = False  # small and noisy: to see that everything runs

    def px(self, length_px: int) -> int:
        """Return a length in pixels; even."""
        return max(8, round(length_px * QUICK_SHARE / 2) * 2) if self.quick else length_px

    def spp(self, samples: int) -> int:
        """Return samples a pixel."""
        return 1 if self.quick else samples


@dataclass(frozen=True)
class Sheet:
    """One file of the gallery."""

    title: str
    picture: Picture
    text: str  # what one sees
    made_by: str  # the command or configuration


def tiled(tiles: Sequence[tuple[str, Picture]], *, columns: int) -> Picture:
    """Return captioned pictures of one size in rows."""
    height, width = tiles[0][1].shape[:2]
    rows = -(-len(tiles) // columns)
    step_x, step_y = width + GAP_PX, height + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (columns * step_x + GAP_PX, rows * step_y + GAP_PX), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (caption, picture) in enumerate(tiles):
        x, y = GAP_PX + number % columns * step_x, GAP_PX + number // columns * step_y
        sheet.paste(Image.fromarray(picture), (x, y))
        draw.text((x + 2, y + height + CAPTION_PX / 2), caption, INK, font, anchor="lm")
    return np.asarray(sheet)


def jpeg(picture: Picture) -> bytes:
    """Return a picture as a small file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(
        file, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0", optimize=True, progressive=True
    )
    return file.getvalue()


def stacked(pictures: Sequence[Picture]) -> Picture:
    """Return pictures of one width below each other."""
    return np.concatenate(pictures, axis=0)


def halved(picture: Picture) -> Picture:
    """Return a picture at half its size."""
    image = Image.fromarray(picture)
    return np.asarray(image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX))


def depth_colors(depth_m: NDArray[np.float32], *, low_m: float, high_m: float) -> Picture:
    """Return depth as colours from red (near) to violet (far); black where there is none."""
    is_there = np.isfinite(depth_m) & (depth_m > 0.0)
    near = np.log(np.clip(np.where(is_there, depth_m, high_m), low_m, high_m) / low_m) / np.log(high_m / low_m)
    return np.where(is_there[..., None], turbo(1.0 - near), 0).astype(np.uint8)


def depth_span_m(depth_m: NDArray[np.float32]) -> tuple[float, float]:
    """Return the depths between which most of an image lies."""
    low, high = np.percentile(depth_m[np.isfinite(depth_m)], (1.0, 95.0))
    return float(low) * 0.95, float(high) * 1.05 + 1.0e-6


def normal_colors(normal: NDArray[np.float32]) -> Picture:
    """Return normals as colours, x y z to red green blue; black where nothing was hit."""
    is_there = np.any(normal != 0.0, axis=-1, keepdims=True)
    return np.where(is_there, np.rint((normal * 0.5 + 0.5) * 255.0), 0).astype(np.uint8)


def id_colors(ids: NDArray[np.int32]) -> Picture:
    """Return ids as colours far apart, 0 as near-black."""
    hue = ids * GOLDEN_RATIO % 1.0
    value = np.where(ids % 3 == 0, 0.95, np.where(ids % 3 == 1, 0.72, 0.85))
    saturation = np.where(ids % 2 == 0, 0.72, 0.5)
    ramp = np.clip(np.abs((hue[..., None] * 6.0 + np.array([0.0, 4.0, 2.0])) % 6.0 - 3.0) - 1.0, 0.0, 1.0)
    color = value[..., None] * (1.0 - saturation[..., None] * (1.0 - ramp))
    return np.where(ids[..., None] == 0, 30, np.rint(color * 255.0)).astype(np.uint8)


def turbo(share: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the colour map Turbo, 0..255, of shares from 0 to 1.

    Source: A. Mikhailov, "Turbo, an improved rainbow colormap", 2019, its polynomial approximation
    """
    powers = np.clip(share, 0.0, 1.0)[..., None] ** np.arange(6)
    weights = np.array(
        [
            (0.13572138, 0.09140261, 0.10667330),
            (4.61539260, 2.19418839, 12.64194608),
            (-42.66032258, 4.84296658, -60.58204836),
            (132.13108234, -14.18503333, 110.36276771),
            (-152.94239396, 4.27729857, -89.90310912),
            (59.28637943, 2.82956604, 27.34824973),
        ]
    )
    return np.rint(np.clip(powers @ weights, 0.0, 1.0) * 255.0)
