"""Pictures on the fronts of products: mountains, waves, fruit, grain, leaves, a sun, a crest, a bolt, checks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import ImageDraw

from scenes_usd.author.retail_lines import WHITE, Color, Line

Rect = tuple[float, float, float, float]  # left, top, right, bottom [px]


def mixed(a: Color, b: Color, share: float) -> Color:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _mountain(draw: ImageDraw.ImageDraw, r: Rect, line: Line, random: np.random.Generator) -> None:
    left, top, right, bottom = r
    for depth, share in ((0.45, 0.35), (0.62, 0.65), (0.78, 1.0)):
        peaks = [(left, bottom)]
        for k in range(6):
            x = left + (right - left) * k / 5.0
            peaks.append((x, top + (bottom - top) * (depth - 0.3 * float(random.random()) * (k % 2))))
        draw.polygon([*peaks, (right, bottom)], fill=mixed(line.paper, line.accent, share))


def _waves(draw: ImageDraw.ImageDraw, r: Rect, line: Line, random: np.random.Generator) -> None:
    left, top, right, bottom = r
    phase = float(random.random()) * 6.0
    for k in range(4):
        x = np.linspace(left, right, 60)
        y = top + (bottom - top) * (0.5 + 0.13 * k + 0.07 * np.sin((x - left) / (right - left) * 9.0 + phase + k))
        curve = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        draw.polygon([*curve, (right, bottom), (left, bottom)], fill=mixed(line.paper, line.accent, 0.25 * (k + 1)))


def _fruit(draw: ImageDraw.ImageDraw, r: Rect, line: Line, random: np.random.Generator) -> None:
    left, top, right, bottom = r
    size = 0.3 * min(right - left, bottom - top)
    for x, y in ((0.3, 0.72), (0.68, 0.78), (0.5, 0.55)):
        cx, cy = left + (right - left) * x, top + (bottom - top) * y
        grown = size * (0.9 + 0.2 * float(random.random()))
        for step in range(8):
            part = grown * (1.0 - step / 9.0)
            color = mixed(line.accent, WHITE, 0.07 * step)
            off = -0.04 * step * grown
            draw.ellipse((cx - part + off, cy - part + off, cx + part + off, cy + part + off), fill=color)
        leaf = (cx, cy - grown * 1.15, cx + grown * 0.8, cy - grown * 0.75)
        draw.ellipse(leaf, fill=(60, 140, 50))


def _grain(draw: ImageDraw.ImageDraw, r: Rect, line: Line, random: np.random.Generator) -> None:
    left, top, right, bottom = r
    bowl = (left + 0.1 * (right - left), top + 0.38 * (bottom - top), right - 0.1 * (right - left), bottom)
    size = 0.055 * min(right - left, bottom - top)
    for x, y in random.random((70, 2)):
        cx, cy = left + (right - left) * (0.15 + 0.7 * x), top + (bottom - top) * (0.5 + 0.22 * y - 0.08 * abs(x - 0.5))
        color = mixed(line.accent, (255, 222, 150), 0.7 * float(y))
        draw.ellipse((cx - size, cy - size, cx + size, cy + size), fill=color)
        draw.ellipse((cx - size / 3, cy - size / 3, cx + size / 3, cy + size / 3), fill=mixed(color, (0, 0, 0), 0.35))
    draw.chord(bowl, 0, 180, fill=WHITE)


def _leaf(draw: ImageDraw.ImageDraw, r: Rect, line: Line, random: np.random.Generator) -> None:
    left, top, right, bottom = r
    stem = np.array([left + 0.5 * (right - left), bottom])
    for k in range(9):
        angle = np.pi * (0.08 + 0.84 * k / 8.0)
        reach = 0.5 * min(right - left, bottom - top) * (0.75 + 0.25 * float(random.random()))
        along, across = np.array([np.cos(angle), -np.sin(angle)]), np.array([np.sin(angle), np.cos(angle)])
        outline = [
            stem + along * reach * t + across * s * reach * 0.16 * np.sin(np.pi * t)
            for s, ts in ((1, np.linspace(0, 1, 9)), (-1, np.linspace(1, 0, 9)))
            for t in ts
        ]
        points = [(float(p[0]), float(p[1])) for p in outline]
        draw.polygon(points, fill=mixed(line.accent, WHITE, 0.35 * (k % 3) / 2.0))


def _sun(draw: ImageDraw.ImageDraw, r: Rect, line: Line, _random: np.random.Generator) -> None:
    left, top, right, bottom = r
    cx, cy, size = (left + right) / 2, top + 0.72 * (bottom - top), 0.5 * min(right - left, bottom - top)
    for k in range(24):
        if k % 2:
            draw.pieslice(
                (cx - size, cy - size, cx + size, cy + size),
                k * 15,
                k * 15 + 9,
                fill=mixed(line.paper, line.accent, 0.6),
            )
    for step in range(5):
        part = size * (0.6 - 0.1 * step)
        color = mixed(line.accent, line.paper, 0.22 * step)
        draw.ellipse((cx - part, cy - part, cx + part, cy + part), fill=color)


def _crest(draw: ImageDraw.ImageDraw, r: Rect, line: Line, _random: np.random.Generator) -> None:
    left, top, right, bottom = r
    pad, thin = 0.05 * (right - left), max(2, round(0.012 * (right - left)))
    draw.rectangle((left + pad, top + pad, right - pad, bottom - pad), outline=line.accent, width=thin)
    draw.rectangle((left + 1.6 * pad, top + 1.6 * pad, right - 1.6 * pad, bottom - 1.6 * pad), outline=line.accent)
    cx, cy, size = (left + right) / 2, top + 0.72 * (bottom - top), 0.15 * min(right - left, bottom - top)
    shield = [
        (cx - size, cy - size),
        (cx + size, cy - size),
        (cx + size, cy + size * 0.3),
        (cx, cy + size * 1.3),
        (cx - size, cy + size * 0.3),
    ]
    draw.polygon(shield, fill=line.accent)
    draw.line((cx - size, cy - size * 0.3, cx + size, cy - size * 0.3), fill=line.paper, width=thin)
    draw.line((cx, cy - size, cx, cy + size * 1.2), fill=line.paper, width=thin)


def _bolt(draw: ImageDraw.ImageDraw, r: Rect, line: Line, _random: np.random.Generator) -> None:
    left, top, right, bottom = r
    width, height = right - left, bottom - top
    corners = ((0.58, 0.4), (0.28, 0.76), (0.47, 0.76), (0.38, 1.0), (0.74, 0.62), (0.54, 0.62), (0.68, 0.4))
    for step, share in ((0.04, 0.35), (0.0, 1.0)):
        points = [(left + width * (x + step), top + height * (y + step)) for x, y in corners]
        draw.polygon(points, fill=mixed(line.paper, line.accent, share))


def _check(draw: ImageDraw.ImageDraw, r: Rect, line: Line, _random: np.random.Generator) -> None:
    left, top, right, bottom = r
    step = (right - left) / 12.0
    first = top + 0.62 * (bottom - top)
    for row in range(int((bottom - first) / step) + 1):
        for column in range(12):
            share = 0.5 * (column % 2) + 0.5 * (row % 2)
            x, y = left + column * step, first + row * step
            draw.rectangle((x, y, x + step, min(y + step, bottom)), fill=mixed(line.paper, line.accent, share))


PICTURES: dict[str, Callable[[ImageDraw.ImageDraw, Rect, Line, np.random.Generator], None]] = {
    "mountain": _mountain,
    "waves": _waves,
    "fruit": _fruit,
    "grain": _grain,
    "leaf": _leaf,
    "sun": _sun,
    "crest": _crest,
    "bolt": _bolt,
    "check": _check,
}
