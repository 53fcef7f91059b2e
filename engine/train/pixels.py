"""The model `pixels`: every pixel is judged by trees over filters, and what hangs together is an instance.

Trees tell pixels of any class from all others, on samples that datasets, classes and pictures give their shares of.
Every other pixel of the grid is looked at, and where one of four may be of a class, all are. What hangs together is an
instance; other trees say of which class. Scores are odds against the samples, not calibrated shares of the world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.errors import UserError
from engine.plain import from_plain
from engine.train.components import entry_of, found_in
from engine.train.filters import Bank, Features
from engine.train.labelled import LabelledPicture, classes_of, read_labelled, read_wanted, write_predictions
from engine.train.plan import TrainingPlan
from engine.train.prepare import CLASSES

ROWS_AT_A_TIME = 4096  # that trees look at: they stay in the cache of a processor
ONE_THREAD = 1  # of trees: sums of several threads differ in the last digit, and then so may trees
REFINED_FROM = -1.5  # log odds around which every pixel of the grid is looked at
CLASSED_PX = 200  # pixels of an instance whose class is asked for, at most twice as many
LEAST_SHARE = 0.2  # of a class, for an instance to be said to be of it
LEAST_ODDS, MOST_ODDS = -6.0, 6.0
RING = (1, 6)  # [px of the grid] that leave and bound the surroundings of an instance


@dataclass(frozen=True)
class PixelSettings:
    """What settings of a plan may say to this model."""

    classes: tuple[str, ...]  # names that are learned
    model: str = "pixels"
    cache: str = ""  # folder that keeps features of pictures by content; empty: none
    shares: tuple[float, ...] = ()  # of the samples, of each dataset to learn from; empty: equal
    samples: int = 24_000  # pixels of pictures that show something, and half as many of others
    trees: int = 80
    most_pictures: int = 150  # of a class and dataset, and as many of those that show nothing

    def __post_init__(self) -> None:
        if self.samples < 100 or self.trees < 1 or self.most_pictures < 1:
            raise ValueError("samples must be at least 100, trees and most_pictures at least 1")
        if any(share < 0.0 for share in self.shares):
            raise ValueError("shares must be 0 or more")


@dataclass(frozen=True)
class PixelModel:
    """What was learned."""

    trees: Any  # is a pixel of any class
    which: Any  # of which; None: there is one class
    labels: NDArray[np.int64]  # classes that were seen, places in the plan's

    def odds(self, bank: Bank) -> NDArray[np.float32]:
        """Return the log odds of any class at every pixel of the grid, [y, x]."""
        height, width = bank.shape[:2]
        coarse = self._decided(bank[::2, ::2])
        whole = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[:height, :width].copy()
        near = ndimage.maximum_filter(coarse, 3, mode="nearest") > REFINED_FROM
        fine = np.repeat(np.repeat(near, 2, axis=0), 2, axis=1)[:height, :width].copy()
        fine[::2, ::2] = False
        if fine.any():
            whole[fine] = self._decided(bank[fine])
        return whole

    def class_shares(self, pixels: Bank) -> NDArray[np.float64]:
        """Return how likely each of `labels` is for an instance, of some of its pixels [pixel, feature]."""
        if self.which is None:
            return np.ones(1)
        some = pixels[:: max(len(pixels) // CLASSED_PX, 1)].astype(np.float32)
        shares: NDArray[np.float64] = self.which.predict_proba(some).mean(axis=0)
        return shares

    def _decided(self, bank: Bank) -> NDArray[np.float32]:
        """Return the log odds of some pixels; some are looked at at a time."""
        table = bank.reshape(-1, bank.shape[-1]).astype(np.float32)
        parts = range(0, len(table), ROWS_AT_A_TIME)
        odds = np.concatenate([self.trees.decision_function(table[k : k + ROWS_AT_A_TIME]) for k in parts])
        out: NDArray[np.float32] = np.clip(odds, LEAST_ODDS, MOST_ODDS).astype(np.float32)
        return out.reshape(bank.shape[:-1])


def follow(plan: TrainingPlan, folder: Path) -> None:
    """Follow a plan.

    Raises:
        UserError: If settings or pictures cannot be read, or there is nothing to learn.
    """
    settings = from_plain(PixelSettings, {**plan.settings, CLASSES: list(classes_of(plan))}, "settings")
    import sklearn.ensemble  # noqa: F401 - before the limit, which is of libraries that are loaded
    from threadpoolctl import threadpool_limits  # of scikit-learn

    features = Features(Path(settings.cache) if settings.cache else None)
    pictures = read_labelled(plan, folder)
    if settings.shares and len(settings.shares) != len(plan.train):
        raise UserError(f"settings.shares: {len(settings.shares)} shares of {len(plan.train)} datasets; name one each")
    with threadpool_limits(ONE_THREAD):
        model = fit(pictures, settings, plan.seed, features)
        for wanted in plan.predict:
            asked, category_of = read_wanted(wanted, folder, plan)
            entries: list[dict[str, Any]] = []
            for picture in asked:
                entries += predict(model, picture, features, category_of, plan.task)
            write_predictions(folder / wanted.out, entries)


def fit(pictures: Sequence[LabelledPicture], settings: PixelSettings, seed: int, features: Features) -> PixelModel:
    """Return what is learned from pictures.

    Raises:
        UserError: If none shows an instance of a class, or every pixel of all is one.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, labels = sampled(pictures, settings, np.random.Generator(np.random.Philox(seed)), features)
    is_shown = labels >= 0
    if is_shown.all() or not is_shown.any():
        what = "show no instance of " if not is_shown.any() else "have no pixel without "
        raise UserError(f"the {len(pictures)} pictures to learn from {what}{', '.join(settings.classes)}")
    shape: dict[str, Any] = {"early_stopping": False, "random_state": seed, "l2_regularization": 1.0}
    trees = HistGradientBoostingClassifier(
        max_iter=settings.trees, learning_rate=0.1, max_leaf_nodes=16, min_samples_leaf=30, **shape
    ).fit(rows, is_shown)
    known, which = np.unique(labels[is_shown]), None
    if len(known) > 1:
        which = HistGradientBoostingClassifier(
            max_iter=20, learning_rate=0.2, max_leaf_nodes=10, min_samples_leaf=30, **shape
        ).fit(rows[is_shown], labels[is_shown])
    return PixelModel(trees, which, known)


def sampled(
    pictures: Sequence[LabelledPicture], settings: PixelSettings, random: np.random.Generator, features: Features
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features and classes (-1: none) of pixels: classes of a dataset count alike, and pictures of a class.

    Of a picture that shows something, half of the pixels are of the instance, a quarter of around it and a quarter of
    elsewhere; half as many more come from pictures that show nothing.
    """
    sources = sorted({picture.source for picture in pictures})
    shares = np.array([settings.shares[source] if settings.shares else 1.0 for source in sources])
    wanted: dict[tuple[int, int], list[tuple[int, int]]] = {}  # source, picture -> class (-1: none), pixels
    for source, share in zip(sources, shares / max(float(shares.sum()), 1e-9), strict=True):
        own = [(number, picture) for number, picture in enumerate(pictures) if picture.source == source]
        shown = {label: [n for n, p in own if any(o.label == label for o in p.shown)] for label in _labels(own)}
        shown[-1] = [number for number, picture in own if not picture.shown and not picture.crowds]
        classes = max(len(shown) - 1, 1)
        for label, numbers in shown.items():
            used = random.permutation(len(numbers))[: settings.most_pictures]
            part = settings.samples * share / (classes if label >= 0 else 2.0)
            for place in used.tolist():
                wanted.setdefault((source, numbers[place]), []).append((label, max(round(part / len(used)), 8)))
    rows: list[NDArray[np.float16]] = []
    labels: list[NDArray[np.int64]] = []
    for (_, number), parts in sorted(wanted.items()):
        picture = pictures[number]
        bank = features.of(picture.rgb())
        grid = label_grid(picture)
        for label, count in parts:
            for places, value in _places(grid, label, count, random):
                rows.append(bank.reshape(-1, bank.shape[2])[places])
                labels.append(np.full(len(places), value, np.int64))
    if not rows:
        raise UserError("there are no pictures to learn from")
    return np.concatenate(rows).astype(np.float32), np.concatenate(labels)


def label_grid(picture: LabelledPicture) -> NDArray[np.int64]:
    """Return the class of every pixel of the grid; -1: none, -2: of a crowd or at an edge, of which nothing is said.

    The smaller of two instances lies on top.
    """
    height, width = (picture.height + 1) // 2, (picture.width + 1) // 2
    out = np.full((height, width), -1, np.int64)
    for one in picture.crowds:
        out[_covered(one.pixels(picture.width, picture.height)) > 0.0] = -2
    for one in sorted(picture.shown, key=lambda shown: -shown.box[2] * shown.box[3]):
        covered = _covered(one.pixels(picture.width, picture.height))
        if not (covered > 0.5).any():  # thinner than the grid
            covered = np.where(covered > 0.0, np.float32(1.0), np.float32(0.0))
        out[(covered > 0.0) & (out == -1)] = -2
        out[covered > 0.5] = one.label
    return out


def predict(
    model: PixelModel, picture: LabelledPicture, features: Features, category_of: Mapping[int, int], task: str
) -> list[dict[str, Any]]:
    """Return COCO results of a picture: its instances, and one score of the whole."""
    bank = features.of(picture.rgb())
    odds = model.odds(bank)
    highest = float(_share(ndimage.uniform_filter(odds, 3, mode="nearest").max()))
    entries: list[dict[str, Any]] = [{"image_id": picture.image_id, "score": highest}]
    for component in found_in(odds):
        full = np.repeat(np.repeat(component.pixels, 2, axis=0), 2, axis=1)[: picture.height, : picture.width]
        shares = model.class_shares(bank[component.pixels])
        for label, share in zip(model.labels.tolist(), shares.tolist(), strict=True):
            if label in category_of and share >= LEAST_SHARE:
                score = float(_share(component.odds)) * share
                entries.append(entry_of(full, picture.image_id, category_of[label], score, task))
    return entries


def _labels(own: Sequence[tuple[int, LabelledPicture]]) -> list[int]:
    return sorted({one.label for _, picture in own for one in picture.shown})


def _places(
    grid: NDArray[np.int64], label: int, count: int, random: np.random.Generator
) -> list[tuple[NDArray[np.int64], int]]:
    free = grid == -1
    if label < 0:
        return [(_drawn(free, count, random), -1)]
    inside = grid == label
    near, far = (ndimage.binary_dilation(grid >= 0, iterations=reach) for reach in RING)
    around = far & ~near & free
    parts = ((inside, count // 2, label), (around, count // 4, -1), (free, count // 4, -1))
    return [(_drawn(source, part, random), own) for source, part, own in parts]


def _drawn(source: NDArray[np.bool_], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    places = np.flatnonzero(source)
    return places[random.integers(0, len(places), count)] if len(places) else places


def _covered(pixels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return which share of each pixel of the grid a mask covers."""
    height, width = pixels.shape
    even = np.pad(pixels, ((0, height % 2), (0, width % 2)), mode="edge").astype(np.float32)
    rows = even[::2] + even[1::2]
    out: NDArray[np.float32] = ((rows[:, ::2] + rows[:, 1::2]) / 4.0).astype(np.float32)
    return out


def _share(odds: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-odds))
