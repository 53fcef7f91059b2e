"""Pictures of nails and screws whose colours change in the dark, and a trainer that tells them by colour.

In the light a nail is red and a screw blue, mostly; in the dark they are green and magenta. Whoever has seen nothing of
the dark guesses there, so that a batch of dark pictures truly helps, and one with swapped classes truly harms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from engine.collect.classes import taxonomy_of
from engine.collect.ingest import IngestRequest, ingest
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records
from engine.train.plan import TrainingPlan

CLASSES = (Category(1, "nail", "nail"), Category(2, "screw", "screw"))
SIDE = 48
IN_LIGHT = ((1.0, 0.3, 0.3), (0.3, 0.3, 1.0))  # nail, screw: red, blue
IN_DARK = ((0.3, 1.0, 0.3), (1.0, 0.3, 1.0))  # green, magenta: each as far from red as from blue
NAMES = ("nail", "screw")
JITTER = 0.2  # of colours: some nails look like screws
SAMPLES = 60  # boxes that are learned from, however many there are
NEIGHBOURS = 3


@dataclass(frozen=True)
class Toy:
    """What a set of pictures is like."""

    dark: float = 0.0  # share
    noise: float = 0.0  # of every pixel: what tells it from others at once
    swapped: bool = False  # classes
    turned: bool = False  # boxes, by half a turn


def make_toys(out: Path, count: int, seed: int, toy: Toy) -> Path:
    """Take in pictures with one thing each."""
    random = np.random.default_rng(seed)
    pictures = out.with_name(f"{out.name}-pictures")
    pictures.mkdir(parents=True)
    frames = []
    for number in range(count):
        is_dark = (number + 0.5) / count < toy.dark
        kind = int(random.integers(2))
        x, y = int(random.integers(2, 11)), int(random.integers(2, SIDE - 14))  # half a turn away lies nothing
        rgb = _picture(random, toy, is_dark, kind, (x, y))
        path = pictures / f"{number}.png"
        Image.fromarray(np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8)).save(path)
        box = (
            (float(SIDE - x - 12), float(SIDE - y - 12), 12.0, 12.0) if toy.turned else (float(x), float(y), 12.0, 12.0)
        )
        name = NAMES[1 - kind if toy.swapped else kind]
        frames.append(Frame(number, SIDE, SIDE, (Instance(1, name, box),), {"image": path}))
    ingest(
        Records(out.name, CLASSES, tuple(frames)), IngestRequest(out, "coco", taxonomy_of(CLASSES), out.name), _quiet
    )
    return out


def _picture(random: np.random.Generator, toy: Toy, is_dark: bool, kind: int, corner: tuple[int, int]) -> np.ndarray:
    ground = gaussian_filter(random.normal(size=(SIDE, SIDE)), 2.0)
    level = 0.15 if is_dark else 0.6
    rgb = np.repeat((level * (1.0 + 1.2 * ground))[:, :, None], 3, axis=2)
    color = np.array((IN_DARK if is_dark else IN_LIGHT)[kind])
    x, y = corner
    rgb[y : y + 12, x : x + 12] = 1.3 * level * np.clip(color + JITTER * random.normal(size=3), 0.05, 1.2)
    return rgb + toy.noise * random.normal(size=rgb.shape)


def toy_trainer(plan: TrainingPlan, folder: Path) -> None:
    """Tell classes by the nearest of some boxes, drawn by seed: mean colour of the box, brightness of the picture."""
    random = np.random.default_rng(plan.seed)
    rows, names = [], []
    for data in plan.train:
        labels = json.loads((folder / data.coco).read_text())
        names_of = {one["id"]: one["name"] for one in labels["categories"]}
        files = {one["id"]: Path(data.images) / one["file_name"] for one in labels["images"]}
        for one in labels["annotations"]:
            rows.append(_features(files[one["image_id"]], one["bbox"]))
            names.append(names_of[one["category_id"]])
    drawn = random.integers(0, len(rows), SAMPLES)
    known, classes = np.array(rows)[drawn], np.array(names)[drawn]
    for wanted in plan.predict:
        labels = json.loads((folder / wanted.coco).read_text())
        assert labels["annotations"] == []
        number_of = {one["name"]: one["id"] for one in labels["categories"]}
        found = []
        for image in labels["images"]:
            path = Path(wanted.images) / image["file_name"]
            box = _colored(path)
            nearest = np.argsort(np.abs(known - _features(path, box)).sum(axis=1), kind="stable")[:NEIGHBOURS]
            for name in NAMES:
                share = float((classes[nearest] == name).mean())
                entry = {"image_id": image["id"], "category_id": number_of[name], "bbox": box, "score": share}
                found += [entry] if share > 0.0 else []
            found.append({"image_id": image["id"], "score": 0.5})
        (folder / wanted.out).write_text(json.dumps(found))


def _features(path: Path, box: list[float]) -> np.ndarray:
    rgb = _read(path) / 255.0
    x, y, width, height = (round(value) for value in box)
    color = rgb[y : y + height, x : x + width].reshape(-1, 3).mean(axis=0)
    return np.array([*(color / (color.sum() + 1e-6)), 3.0 * rgb.mean()])


def _colored(path: Path) -> list[float]:
    """Return the box of what is not grey."""
    rgb = gaussian_filter(_read(path), (1, 1, 0))
    spread = rgb.max(axis=2) - rgb.min(axis=2)
    y, x = np.nonzero(spread > 0.5 * spread.max())
    return [float(x.min()), float(y.min()), float(x.max() + 1 - x.min()), float(y.max() + 1 - y.min())]


@cache
def _read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path), np.float64)


def _quiet(_: int) -> None:
    return None
