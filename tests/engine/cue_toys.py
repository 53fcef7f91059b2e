"""Pictures whose flaws differ from the rest in one way alone: by form, or by an artefact of how they were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from engine.collect.classes import taxonomy_of
from engine.collect.ingest import IngestRequest, ingest
from engine.formats.masks import encode
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records
from engine.train.components import found_in
from engine.train.labelled import read_labelled, read_wanted, write_predictions
from engine.train.masks import rle_of
from engine.train.plan import TrainingPlan, write_plan
from engine.train.run import Learner
from engine.train.trainer import Trainer

WIDTH, HEIGHT = 72, 56
NOISE = 3.0  # [code values], of every picture
RADIUS_PX = 7
CLASSES = (Category(1, "flaw", "flaw"),)


def make_flawed(out: Path, kind: str, count: int, *, seed: int) -> Path:
    """Take in pictures of a kind, each with a flaw and with something that is none.

    Kinds: `form`, soft bright discs among soft bright bars; `noise`, discs of more noise, `checker`, of a fine
    checkerboard; `sharpness`, dark discs with hard edges among such with soft ones; `color`, discs of another hue and
    the same luma.
    """
    random = np.random.default_rng([seed, len(kind)])
    pictures = out.with_name(f"{out.name}-pictures")
    pictures.mkdir(parents=True)
    frames = []
    for number in range(count):
        rgb, mask = flawed(kind, random)
        path = pictures / f"{number}.png"
        Image.fromarray(rgb).save(path)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1)
        one = Instance(1, "flaw", tuple(float(value) for value in box), int(mask.sum()), encode(mask))
        frames.append(Frame(number, WIDTH, HEIGHT, (one,), {"image": path}))
    request = IngestRequest(out, "coco", taxonomy_of(CLASSES), out.name)
    ingest(Records(out.name, CLASSES, tuple(frames)), request, lambda _: None)
    return out


def flawed(kind: str, random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a picture and the mask of its flaw."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    slope = random.uniform(-0.25, 0.25, 2)
    rgb = np.repeat((120.0 * (1.0 + slope[0] * (x / WIDTH - 0.5) + slope[1] * (y / HEIGHT - 0.5)))[..., None], 3, 2)
    left = random.uniform(0, 1) < 0.5
    center = np.array([random.uniform(12, HEIGHT - 12), random.uniform(12, 24)])
    other = np.array([random.uniform(12, HEIGHT - 12), random.uniform(WIDTH - 24, WIDTH - 12)])
    center, other = (center, other) if left else (other, center)
    disc = np.hypot(y - center[0], x - center[1]) < RADIUS_PX
    second = np.hypot(y - other[0], x - other[1]) < RADIUS_PX
    if kind == "form":
        bar = (np.abs(y - other[0]) < 2) & (np.abs(x - other[1]) < 12)
        rgb += 45.0 * ndimage.gaussian_filter((disc | bar).astype(float), 1.5)[..., None]
    elif kind == "noise":
        rgb += np.where(disc, random.normal(0.0, 12.0, disc.shape), 0.0)[..., None]
    elif kind == "checker":
        rgb += np.where(disc, 9.0 * (1 - 2 * ((x + y) % 2)), 0.0)[..., None]
    elif kind == "sharpness":
        soft = ndimage.gaussian_filter(second.astype(float), 2.0)
        rgb -= 45.0 * np.maximum(disc, soft)[..., None]
    elif kind == "color":
        rgb += np.where(disc, 1.0, 0.0)[..., None] * np.array([25.0, -10.3, -13.8])
    rgb += random.normal(0.0, NOISE, rgb.shape)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8), disc


class ToyLearner(Learner):
    """Learns, pixel by pixel, a sum of four measures: brightness, hue, roughness and steepness nearby."""

    def trainer(self) -> Trainer:
        """Return what follows a plan in this process."""
        return _follow


def _follow(plan: TrainingPlan, folder: Path) -> None:
    write_plan(folder, plan)
    tables, labels = [], []
    for picture in read_labelled(plan, folder):
        tables.append(_measures(picture.rgb()).reshape(-1, 5))
        labels.append(picture.shown[0].pixels(WIDTH, HEIGHT).ravel())
    table, is_flaw = np.concatenate(tables), np.concatenate(labels)
    weight = np.where(is_flaw, 0.5 / is_flaw.mean(), 0.5 / (~is_flaw).mean())[:, None]
    solution = np.linalg.solve(table.T @ (table * weight), (table * weight).T @ np.where(is_flaw, 1.0, -1.0))
    for wanted in plan.predict:
        entries = []
        for picture in read_wanted(wanted, folder, plan)[0]:
            odds = (8.0 * _measures(picture.rgb()) @ solution).astype(np.float32)
            for one in found_in(odds):
                own = {"image_id": picture.image_id, "category_id": 1, "score": 1.0 / (1.0 + np.exp(-one.odds))}
                rows, columns = np.flatnonzero(one.pixels.any(axis=1)), np.flatnonzero(one.pixels.any(axis=0))
                box = [int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]
                entries.append({**own, "bbox": box, "segmentation": rle_of(one.pixels)})
        write_predictions(folder / wanted.out, entries)


def _measures(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    values = rgb.astype(np.float64)
    luma = values.mean(axis=2)
    flat = luma - np.median(luma)
    fine = luma - ndimage.uniform_filter(luma, 3)
    rough = np.sqrt(ndimage.uniform_filter(fine * fine, 7))
    steep = ndimage.maximum_filter(ndimage.gaussian_gradient_magnitude(luma, 0.8), 2 * RADIUS_PX - 1)
    hue = ndimage.uniform_filter(values[..., 0] - values[..., 2], 5)
    bright = ndimage.gaussian_filter(flat, 1.0)
    scaled = (bright / 20.0, hue / 20.0, np.minimum(rough, 8.0) / 4.0, np.minimum(steep, 20.0) / 8.0)
    return np.stack([*scaled, np.ones_like(luma)], axis=-1)
