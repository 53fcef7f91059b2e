"""Labelled pictures as real ones are taken in: bright discs and dark bars on uneven light, some pictures empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from engine.collect.classes import taxonomy_of
from engine.collect.ingest import IngestRequest, ingest
from engine.formats.masks import box_of, encode
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records

CLASSES = (Category(1, "disc", "disc"), Category(2, "bar", "bar"), Category(3, "dust", "dust"))
SIZE = (72, 56)  # width, height


def make_pictures(out: Path, count: int, seed: int) -> Path:
    """Take in pictures: one of three shows a disc, one of three a bar, one of three nothing; nobody annotates dust."""
    random = np.random.default_rng(seed)
    folder = out.with_name(f"{out.name}-pictures")
    folder.mkdir(parents=True)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    frames = []
    for number in range(count):
        light = 0.45 + 0.15 * np.sin(x / 40.0 + random.uniform(0, 6)) + 0.1 * y / SIZE[1]
        rgb = light[..., None] * np.ones(3) + random.normal(0.0, 0.02, (*SIZE[::-1], 3))
        at_x, at_y = random.uniform(14, SIZE[0] - 14), random.uniform(12, SIZE[1] - 12)
        masks = {
            0: ("disc", (x - at_x) ** 2 + (y - at_y) ** 2 < random.uniform(4, 7) ** 2),
            1: ("bar", (abs(x - at_x) < 9) & (abs(y - at_y) < 3)),
        }
        seen = []
        if number % 3 in masks:
            name, mask = masks[number % 3]
            rgb[mask] += 0.25 if name == "disc" else -0.25
            seen = [Instance(number % 3 + 1, name, box_of(mask), int(mask.sum()), encode(mask))]
        path = folder / f"{out.name}-{number // 2}_{number}.png"
        Image.fromarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8)).save(path)
        frames.append(Frame(number, *SIZE, tuple(seen), {"image": path}))
    request = IngestRequest(out, "coco", taxonomy_of(CLASSES), out.name, groups={"surface": "([a-z]+-[0-9]+)_"})
    ingest(Records(out.name, CLASSES, tuple(frames)), request, lambda _: None)
    return out
