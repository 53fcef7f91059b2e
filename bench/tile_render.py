"""The synthetic side of the proof: tiles rendered from `+scene=tile`, as a COCO folder; no real pixel is in it.

Every image shows one segment, cut to its box and a few pixels, with defects of one class or none. A folder is made
again only when its recipes changed, or what this file does with their frames.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.tile_data import CLASSES, FREE, SCALE, Tile
from engine.config import compose
from engine.draft import Draft
from engine.factory import Factory, build_factory, load_recipe_scene
from engine.provenance import source_sha256

EXPORT_VERSION = 3  # of what this file does with frames
WORLDS = {"blowhole": 200, "break": 200, "crack": 200, FREE: 64}  # images of each class; a learner draws 80
WORLDS_APART = 10_000  # no two classes show the same segment
PAIR_WORLDS = 26  # of a class, rendered with and without their defects
BATCH = 6  # worlds a launch
# Masks in the real set are drawn by hand around defects: by a pixel at least, and never thinner than a brush.
LEAST_GROWTH_PX, MOST_GROWTH_PX = 1, 3
BRUSH_PX = 7
LEAST_MASK_PX = 12  # fewer pixels are no defect that anybody would mark
CUT_PX = (-4, 11)  # how far around the box of a segment its image is cut, each side by itself
LEAST_SIDE_PX = 80
RATIO_RANGE = (0.05, 3.0)
SCENE = (
    "+scene=tile",
    "rig.width=560",
    "rig.height=416",
    "rig.steps=1",
    "rig.spp=4",
    "outputs=[rgb,depth,instance]",
    "labels.amodal=false",
)
SENSOR = ("sensor=line_mono",)
PAIR_SENSOR = ("sensor=ideal",)
TILES = "/Tiles/"
ENTRIES = ("blowhole", "break", "crack")  # of the scene's rules, named after their classes


def overrides_of(label: str, *, sensor: Sequence[str] = SENSOR, extra: Sequence[str] = ()) -> list[str]:
    """Return the command line that renders segments with defects of one class, or none."""
    others = ",".join(f"{name}:null" for name in ENTRIES if name != label)
    sure = () if label == FREE else (f"scene.randomize.{label}.probability=1",)
    return [*SCENE, *sensor, f"+randomize={{{others}}}", *sure, *extra]


@dataclass(frozen=True)
class Shot:
    """One rendered segment."""

    label: str
    world: int
    gray: NDArray[np.uint8]  # [y, x]
    mask: NDArray[np.bool_]  # [y, x], grown as hands draw them
    ratio: NDArray[np.float32] | None  # [y, x], image with its defects over image without; None: not rendered


def synthetic_folder(root: Path, extra: Sequence[str] = (), say: Callable[[str], None] = print) -> Path:
    """Return the COCO folder of the present recipes below `root`, rendered unless it is there."""
    facts = _facts(extra)
    folder = root / f"synthetic-{_digest(facts)}"
    if (folder / "annotations.json").exists():
        say(f"synthetic: {folder} is there")
        return folder
    part = root / f"{folder.name}.part"
    (part / "images").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    ids = {label: number for number, label in enumerate(CLASSES, 1)}
    for label, count in WORLDS.items():
        for shot in _kept_shots(root, label, count, False, extra, say):
            name = f"images/{label}_{shot.world:05d}.png"
            cv2.imwrite(str(part / name), shot.gray)
            height, width = shot.gray.shape
            own = {"label": shot.label, "surface": -1, "clean_surface": shot.label == FREE}
            images.append({"id": len(images) + 1, "file_name": name, "width": width, "height": height, **own})
            if shot.label != FREE:
                annotations.append(_annotation(shot.mask, len(images), ids[shot.label], len(annotations) + 1))
    info = {"description": "Rendered by Ommatidia, scene tile", "recipes": facts}
    categories = [{"id": number, "name": label, "supercategory": "defect"} for label, number in ids.items()]
    data = {"info": info, "categories": categories, "images": images, "annotations": annotations}
    (part / "annotations.json").write_text(json.dumps(data), encoding="utf-8")
    part.rename(folder)
    return folder


def paired_shots(root: Path, extra: Sequence[str] = (), say: Callable[[str], None] = print) -> list[Shot]:
    """Return segments rendered with and without their defects, from files below `root` once they are there."""
    return [shot for label in CLASSES for shot in _kept_shots(root, label, PAIR_WORLDS, True, extra, say)]


def _kept_shots(
    root: Path, label: str, count: int, paired: bool, extra: Sequence[str], say: Callable[[str], None]
) -> list[Shot]:
    """Return the shots of one class from a file, rendered unless it is there: what is stopped goes on by class."""
    recipe, job = compose(*overrides_of(label, sensor=PAIR_SENSOR if paired else SENSOR, extra=extra))
    recipe, _ = load_recipe_scene(recipe, job)
    facts = {**_program(), "recipe": recipe.id, "count": count, "paired": paired}
    file = root / f"{'pairs' if paired else 'shots'}-{label}-{_digest(facts)}.npz"
    if not file.exists():
        found = list(shots(label, count, paired=paired, extra=extra))
        arrays = {f"{k}_{name}": value for k, shot in enumerate(found) for name, value in vars(shot).items()}
        arrays = {name: value for name, value in arrays.items() if value is not None}
        part = file.with_suffix(".part.npz")
        np.savez_compressed(part, count=len(found), **arrays)
        part.rename(file)
        say(f"rendered: {len(found)} of {label}{', with and without their defects' if paired else ''}")
    with np.load(file, allow_pickle=False) as kept:
        rows = [[kept[f"{k}_{name}"] for name in ("world", "gray", "mask")] for k in range(int(kept["count"]))]
        ratios = [kept[f"{k}_ratio"] if paired else None for k in range(len(rows))]
    return [Shot(label, int(row[0]), *row[1:], ratio) for row, ratio in zip(rows, ratios, strict=True)]


def _program() -> dict[str, Any]:
    """Return which program makes the images: that of the engine, and what this file does with frames."""
    return {"version": EXPORT_VERSION, "source_sha256": source_sha256()}


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _facts(extra: Sequence[str]) -> dict[str, Any]:
    """Return what decides the folder: the program, ids of the recipes, and what is done with their frames."""
    recipes = {}
    for label in WORLDS:
        recipe, job = compose(*overrides_of(label, extra=extra))
        recipe, _ = load_recipe_scene(recipe, job)
        recipes[label] = recipe.id
    return {**_program(), "recipes": recipes, "worlds": WORLDS}


def _annotation(mask: NDArray[np.bool_], image: int, category: int, number: int) -> dict[str, Any]:
    flat = mask.T.reshape(-1).astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], changes, [len(flat)]])).tolist()
    if flat[0]:
        counts.insert(0, 0)
    ys, xs = np.nonzero(mask)
    box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]
    size = [int(side) for side in mask.shape]
    return {
        "id": number, "image_id": image, "category_id": category, "bbox": box, "area": int(mask.sum()), "iscrowd": 0,
        "segmentation": {"size": size, "counts": counts},
    }  # fmt: skip


def shots(label: str, count: int, *, paired: bool = False, extra: Sequence[str] = ()) -> Iterator[Shot]:
    """Yield rendered segments of one class; a world whose defect nobody would see is left out.

    Paired ones come from an ideal sensor, with the image that they would be without their defects.
    """
    recipe, job = compose(*overrides_of(label, sensor=PAIR_SENSOR if paired else SENSOR, extra=extra))
    recipe, scene = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, scene, device="cpu", threads=2)
    is_tile = np.array([TILES in path for path in scene.instances.path])
    with closing(factory.renderer):
        start = list(WORLDS).index(label) * WORLDS_APART
        for first in range(start, start + count, BATCH):
            yield from _batch(factory, is_tile, label, range(first, min(first + BATCH, start + count)), paired)


def _batch(factory: Factory, is_tile: NDArray[np.bool_], label: str, worlds: range, paired: bool) -> Iterator[Shot]:
    draft = factory.draft(worlds)
    frames = factory.renderer.render(draft)
    assert frames.rgb is not None
    assert frames.instance is not None
    without = factory.renderer.render(_mended(factory.draft(worlds))).rgb if paired else None
    slots = frames.annotations.get("defect")
    for view, world in enumerate(frames.keys.world.tolist()):
        gray = cv2.cvtColor(frames.rgb[view], cv2.COLOR_RGB2GRAY)
        window = cut_of(is_tile[frames.instance[view]], np.random.RandomState(world))
        if window is None:
            continue
        own = [slot for slot, held in enumerate(draft.defect_slots) if held.entry == label]
        mask = np.zeros(gray.shape, np.bool_) if slots is None else np.isin(slots[view], own)
        if label != FREE:
            if mask[window].sum() < LEAST_MASK_PX:
                continue
            mask = as_drawn(mask)
        ratio = None
        if without is not None:
            clean = cv2.cvtColor(without[view], cv2.COLOR_RGB2GRAY)
            quotient = (gray.astype(np.float32) + 1.0) / (clean.astype(np.float32) + 1.0)
            ratio = np.clip(quotient, *RATIO_RANGE)[window]
        yield Shot(label, int(world), gray[window], mask[window], ratio)


def as_drawn(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask as hands draw it: grown by a pixel, thin ones until they are as wide as a brush."""
    flat = np.ascontiguousarray(mask, np.uint8)
    half = float(cv2.distanceTransform(flat, cv2.DIST_L2, 3).max())
    growth = int(np.clip(round(BRUSH_PX / 2.0 - half), LEAST_GROWTH_PX, MOST_GROWTH_PX))
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * growth + 1, 2 * growth + 1))
    return np.asarray(cv2.dilate(flat, brush) > 0)


def _mended(draft: Draft) -> Draft:
    """Return the draft without its defects; near-misses stay."""
    from engine.defect import is_near_miss

    for slot, held in enumerate(draft.defect_slots):
        if not is_near_miss(held.kind):
            draft.defect_of[:, slot] = 0
    return draft


def cut_of(tile: NDArray[np.bool_], random: np.random.RandomState) -> tuple[slice, slice] | None:
    """Return the window that an image of a segment is cut to; None if too little of it is in the frame."""
    ys, xs = np.nonzero(tile)
    margin = random.randint(CUT_PX[0], CUT_PX[1] + 1, size=4)
    if not len(ys):
        return None
    top, left = (max(0, int(low.min()) - m) for low, m in ((ys, margin[0]), (xs, margin[1])))
    bottom = min(tile.shape[0], int(ys.max()) + 1 + margin[2])
    right = min(tile.shape[1], int(xs.max()) + 1 + margin[3])
    if min(bottom - top, right - left) < LEAST_SIDE_PX:
        return None
    return slice(top, bottom), slice(left, right)


def transferred(
    pairs: Sequence[Shot], normals: Sequence[Tile], count: int, random: np.random.RandomState
) -> list[Tile]:
    """Return real defect-free images that rendered defects have darkened, each pixel by its own ratio."""
    out: list[Tile] = []
    for number in range(count):
        pair = pairs[number % len(pairs)]
        target = normals[random.randint(len(normals))]
        assert pair.ratio is not None
        size = tuple(max(16, round(side * SCALE)) for side in pair.gray.shape[::-1])
        ratio = cv2.resize(pair.ratio, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(pair.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.3
        if random.rand() < 0.5:
            ratio, mask = ratio[:, ::-1], mask[:, ::-1]
        height, width = (min(a, b) for a, b in zip(ratio.shape, target.gray.shape, strict=True))
        # What lies near an end or an edge of the segment stays near that of the real image.
        cut, there = [], []
        for axis, length in enumerate((height, width)):
            at_end = np.nonzero(mask)[axis].mean() > mask.shape[axis] / 2.0 if mask.any() else False
            start, offset = (side - length if at_end else 0 for side in (mask.shape[axis], target.gray.shape[axis]))
            cut.append(slice(start, start + length))
            there.append(slice(offset, offset + length))
        gray, full = target.gray.copy(), np.zeros(target.gray.shape, np.bool_)
        gray[tuple(there)] = np.clip(gray[tuple(there)] * ratio[tuple(cut)], 0.0, 1.0)
        full[tuple(there)] = mask[tuple(cut)]
        if full.any():
            out.append(Tile(target.name, gray, full, pair.label, target.surface, target.exposure, False))
    return out
