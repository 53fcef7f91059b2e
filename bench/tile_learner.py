"""A small learner and its figures: filters of every pixel, gradient-boosted trees, average precision, paired gains.

The idea is that of interactive segmentation by random forests (Berg et al., "ilastik", Nature Methods 2019): a pixel is
described by filters at several scales and judged alone. It converges in seconds, so that many repetitions fit.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.tile_data import CLASSES, FREE, Tile, light_of
from engine.errors import UserError

SCALES_PX = (0.8, 1.6, 3.2, 6.4)
HOLES_PX = (5, 11, 21)  # of the openings and closings that find dark and bright spots
STREAK_PX = 61  # length of the mean along the grinding marks
EDGE_UNIT_PX = 40.0
BINS = 512  # of scores
SCORE_RANGE = (-12.0, 12.0)  # log odds
ROWS_AT_A_TIME = 4096  # that trees look at: they stay in the cache of a processor
SCORE_STEP_PX = 2  # every other pixel is scored
SAMPLES = 24_000  # pixels of defect images, and as many of others
MOST_IMAGES = 80  # of a class and set, in one repetition
MOST_NORMALS = 150
BANK_VERSION = 1  # of the filters
THREADS = 2
AHEAD = 8  # images whose features are in memory at a time
RING_PX = (3, 13)  # squares that leave and bound the surroundings of a defect
METRICS = ("AP", "AUROC", "R5")

Floats = NDArray[np.float64]


def filter_bank(gray: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return the features of every pixel, [y, x, feature]."""
    flat = gray / light_of(gray)
    height, width = gray.shape
    streak = cv2.blur(flat, (1, STREAK_PX))
    from_side = np.minimum(np.arange(width), width - 1 - np.arange(width)) / EDGE_UNIT_PX
    from_end = np.minimum(np.arange(height), height - 1 - np.arange(height)) / EDGE_UNIT_PX
    bank = [flat, gray, flat - streak, streak]
    bank += [np.broadcast_to(from_side, gray.shape), np.broadcast_to(from_end[:, None], gray.shape)]
    for sigma in SCALES_PX:
        smooth = cv2.GaussianBlur(flat, (0, 0), sigma)
        xx, yy, xy = (cv2.Sobel(smooth, -1, *order) for order in ((2, 0), (0, 2), (1, 1)))
        xx, yy = xx * sigma, yy * sigma
        half, root = (xx + yy) / 2.0, np.sqrt(((xx - yy) / 2.0) ** 2 + xy**2)
        mean = cv2.GaussianBlur(flat, (0, 0), 1.5 * sigma)
        spread = cv2.GaussianBlur(flat * flat, (0, 0), 1.5 * sigma) - mean**2
        bank += [smooth, np.abs(cv2.Sobel(smooth, -1, 1, 0)), np.abs(cv2.Sobel(smooth, -1, 0, 1))]
        bank += [half + root, half - root, xy, np.sqrt(np.maximum(spread, 0.0))]
    for size in HOLES_PX:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        bank += [cv2.morphologyEx(flat, cv2.MORPH_BLACKHAT, disc), cv2.morphologyEx(flat, cv2.MORPH_TOPHAT, disc)]
    return np.stack(bank, axis=-1).astype(np.float16)


class Features:
    """Features of tiles; those of tiles that are known stay in files, each made once."""

    def __init__(self, folder: Path | None = None, known: Iterable[Tile] = ()) -> None:
        """Keep features of `known` in a folder; None: all are made as they are asked for."""
        self._folder = folder
        self._known = {id(tile.gray): tile for tile in known} if folder else {}
        self._kept: dict[int, NDArray[np.float16]] = {}
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def of(self, tile: Tile) -> NDArray[np.float16]:
        """Return the features of a tile."""
        key = id(tile.gray)
        if self._folder is None or key not in self._known:
            return filter_bank(tile.gray)
        if key not in self._kept:
            content = hashlib.sha256(f"{BANK_VERSION} {tile.gray.shape}".encode() + tile.gray.tobytes())
            file = self._folder / f"{content.hexdigest()[:24]}.npy"
            if not file.exists():
                part = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part.npy")
                np.save(part, filter_bank(tile.gray), allow_pickle=False)
                part.rename(file)
            self._kept[key] = np.load(file, mmap_mode="r", allow_pickle=False)
        return self._kept[key]

    def each(self, tiles: Sequence[Tile]) -> Iterator[NDArray[np.float16]]:
        """Yield the features of tiles in their order, a few at a time on two threads."""
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(tiles), AHEAD):
                yield from pool.map(self.of, tiles[start : start + AHEAD])


def train(
    defect_sets: Sequence[tuple[float, Sequence[Tile]]], normals: Sequence[Tile], seed: int, features: Features
) -> Any:
    """Return a classifier of pixels.

    Args:
        defect_sets: Sets of images with defects, and the share of the samples that each gives; classes count alike.
        normals: Images whose pixels outside of masks are counted as free of defects.
        seed: Of samples and trees.
        features: Where features are kept.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    random = np.random.RandomState(seed)
    total = sum(weight for weight, _ in defect_sets)
    rows: list[NDArray[np.float16]] = []
    is_defect: list[NDArray[np.int64]] = []
    for weight, tiles in defect_sets:
        of_class = {label: [t for t in tiles if t.label == label and t.mask.any()] for label in CLASSES}
        of_class = {label: found for label, found in of_class.items() if found}
        for found in of_class.values():
            used = [found[index] for index in random.permutation(len(found))[:MOST_IMAGES]]
            quota = int(SAMPLES * weight / total / len(of_class) / len(used))
            for tile, bank in zip(used, features.each(used), strict=True):
                _add_samples(tile, quota, random, bank, rows, is_defect)
    used = [normals[index] for index in random.permutation(len(normals))[:MOST_NORMALS]]
    for tile, bank in zip(used, features.each(used), strict=True):
        outside = np.flatnonzero(~tile.mask)
        pixels = bank.reshape(tile.mask.size, -1)
        rows.append(pixels[outside[random.randint(len(outside), size=SAMPLES // len(used))]])
        is_defect.append(np.zeros(SAMPLES // len(used), np.int64))
    trees = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.08, max_leaf_nodes=24, l2_regularization=1.0, min_samples_leaf=40,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
    return trees.fit(np.concatenate(rows).astype(np.float32), np.concatenate(is_defect))


def _add_samples(
    tile: Tile, quota: int, random: np.random.RandomState, bank: NDArray[np.float16],
    rows: list[NDArray[np.float16]], is_defect: list[NDArray[np.int64]],
) -> None:  # fmt: skip
    """Add pixels of one image: half from its defects, a quarter from around them, a quarter from anywhere else."""
    pixels = bank.reshape(tile.mask.size, -1)
    mask = tile.mask.astype(np.uint8)
    near, far = (cv2.dilate(mask, np.ones((size, size), np.uint8)) > 0 for size in RING_PX)
    for source, share, value in ((tile.mask, 2, 1), (far & ~near, 4, 0), (~tile.mask, 4, 0)):
        places = np.flatnonzero(source)
        if len(places):
            count = max(quota // share, 1)
            rows.append(pixels[random.choice(places, count)])
            is_defect.append(np.full(count, value, np.int64))


@dataclass(frozen=True)
class Scores:
    """What a classifier says of a test set."""

    positive: NDArray[np.int64]  # [image, bin], pixels of defects by score
    negative: NDArray[np.int64]  # [image, bin], other pixels
    highest: Floats  # [image], the largest mean score of 3 x 3 pixels


class TestSet:
    """Every other pixel of the images of a test, as one table."""

    def __init__(self, tiles: Sequence[Tile], features: Features) -> None:
        self.tiles = tiles
        grids = [bank[::SCORE_STEP_PX, ::SCORE_STEP_PX].astype(np.float64) for bank in features.each(tiles)]
        self._shape = [grid.shape[:2] for grid in grids]
        self._pixels = np.concatenate([grid.reshape(-1, grid.shape[2]) for grid in grids])

    def score(self, trees: Any) -> Scores:
        """Return what a classifier says of all pixels, in bins."""
        positive, negative = np.zeros((2, len(self.tiles), BINS), np.int64)
        highest = np.zeros(len(self.tiles))
        low, high = SCORE_RANGE
        parts = range(0, len(self._pixels), ROWS_AT_A_TIME)
        all_odds = np.concatenate([trees.decision_function(self._pixels[k : k + ROWS_AT_A_TIME]) for k in parts])
        all_odds, start = all_odds.astype(np.float32), 0
        for number, (tile, shape) in enumerate(zip(self.tiles, self._shape, strict=True)):
            odds = all_odds[start : start + shape[0] * shape[1]].reshape(shape)
            start += odds.size
            bins = np.clip(((odds - low) / (high - low) * BINS).astype(np.int64), 0, BINS - 1)
            is_defect = tile.mask[::SCORE_STEP_PX, ::SCORE_STEP_PX]
            positive[number] = np.bincount(bins[is_defect], minlength=BINS)
            negative[number] = np.bincount(bins[~is_defect], minlength=BINS)
            highest[number] = cv2.blur(odds, (3, 3)).max()
        return Scores(positive, negative, highest)


def average_precision(positive: NDArray[Any], negative: NDArray[Any]) -> tuple[float, float]:
    """Return average precision (the sum of precision over steps of recall) and the best F1, of counts by score."""
    found, false = np.cumsum(positive[::-1]), np.cumsum(negative[::-1])
    total = max(float(found[-1]), 1.0)
    precision, recall = found / np.maximum(found + false, 1.0), found / total
    steps = np.diff(np.concatenate([[0.0], recall]))
    best = (2.0 * precision * recall / np.maximum(precision + recall, 1e-9)).max()
    return float((steps * precision).sum()), float(best)


def figures(
    scores: Scores, tiles: Sequence[Tile], weight: NDArray[np.int64] | None = None
) -> dict[str, dict[str, float]]:
    """Return AP, F1, AUROC, R5 and R10 of every class, and their mean over classes as `macro`.

    AP and F1 are of pixels of the images of a class and of all defect-free ones. AUROC and the recalls at 5 and 10 %
    false alarms are of whole images, by their highest score. `weight` says how often each image counts.
    """
    weight = np.ones(len(tiles), np.int64) if weight is None else weight
    label = np.array([tile.label for tile in tiles])
    free = label == FREE
    calm = np.sort(np.repeat(scores.highest[free], weight[free]))
    out: dict[str, dict[str, float]] = {}
    for name in CLASSES:
        own = label == name
        alarms = np.repeat(scores.highest[own], weight[own])
        if not len(alarms) or not len(calm):
            continue
        share = np.where(own | free, weight, 0)
        precision, best = average_precision(share @ scores.positive, share @ scores.negative)
        rank = (np.searchsorted(calm, alarms, "left") + np.searchsorted(calm, alarms, "right")) / 2.0 / len(calm)
        recall = {f"R{p}": float((alarms > np.quantile(calm, 1.0 - p / 100.0)).mean()) for p in (5, 10)}
        out[name] = {"AP": precision, "F1": best, "AUROC": float(rank.mean()), **recall}
    if not out:
        raise ValueError("there is nothing to score: no image of a defect class, or no defect-free one")
    out["macro"] = {key: float(np.mean([row[key] for row in out.values()])) for key in next(iter(out.values()))}
    return out


def gain_draws(
    before: Mapping[int, Scores], after: Mapping[int, Scores], tiles: Sequence[Tile], *,
    draws: int = 400, known: dict[tuple[int, int, int], dict[str, float]] | None = None,
) -> dict[str, Floats]:  # fmt: skip
    """Return what the gain of one arm over another would be in other draws, [draw] by metric.

    Both arms saw the same real images in each repetition; those that both have count. Repetitions and surfaces are
    drawn anew together (bootstrap), so that the spread speaks of other choices of images and of other surfaces, not
    of these alone. A draw without any surface of a class has the mean of the others. `known` keeps figures of scores
    for other gains over the same tiles: all with as many repetitions are drawn alike.
    """
    random, known = np.random.RandomState(0), {} if known is None else known
    surface = np.array([tile.surface for tile in tiles])
    unique = np.unique(surface)
    place = np.searchsorted(unique, surface)
    free = np.array([tile.label == FREE for tile in tiles])
    seeds = sorted(set(before) & set(after))
    gains: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for draw in range(draws):
        weight = np.bincount(np.searchsorted(unique, random.choice(unique, len(unique))), minlength=len(unique))[place]
        if not weight[free].any() or not weight[~free].any():
            continue  # nothing to tell apart
        chosen, times = np.unique(random.choice(seeds, len(seeds)), return_counts=True)
        total = dict.fromkeys(METRICS, 0.0)
        for seed, count in zip(chosen, times, strict=True):
            keys = [(id(scores), draw, len(seeds)) for scores in (before[int(seed)], after[int(seed)])]
            for key, scores in zip(keys, (before[int(seed)], after[int(seed)]), strict=True):
                if key not in known:
                    known[key] = figures(scores, tiles, weight)["macro"]
            for metric in METRICS:
                total[metric] += (known[keys[1]][metric] - known[keys[0]][metric]) * count / len(seeds)
        for metric in METRICS:
            gains[metric].append(total[metric])
    return {metric: np.array(values) for metric, values in gains.items()}


def interval(gains: Mapping[str, Floats]) -> dict[str, list[float]]:
    """Return median and the bounds of the middle 90 % of draws, by metric.

    Raises:
        UserError: If there are none: no draw of surfaces had defects and defect-free images.
    """
    if not all(len(values) for values in gains.values()):
        raise UserError("no draw of the test's surfaces had defects and defect-free images; --test needs more surfaces")
    return {metric: [float(np.quantile(values, q)) for q in (0.5, 0.05, 0.95)] for metric, values in gains.items()}


def mean_draws(one: Mapping[str, Floats], other: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the draws of the mean of two gains on surfaces of their own: each draw of one with each of the other."""
    return {metric: ((one[metric][:, None] + other[metric][None, :]) / 2.0).ravel() for metric in one}
