"""Figures of any part of the data, from matches: recall, precision, average precision, false alarms a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluate.match import THRESHOLDS, Matches

RECALLS = np.linspace(0.0, 1.0, 101)  # where precision is read
LOOSE = 0  # column of the overlap 0.5
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Some instances, and the pictures in which predictions count."""

    truth: Flags  # [truth]
    image: Flags  # [image]
    of_classes: bool = False  # predictions of classes that none of these instances has do not count


@dataclass(frozen=True)
class Counts:
    """Of a part, with an overlap of 0.5."""

    instances: int
    found: int
    hits: int  # predictions that found something
    alarms: int  # and those that found nothing
    most_in_image: int  # instances of the fullest picture


class Curves:
    """The predictions of a part, sorted once, so that figures under many weights of its pictures are cheap.

    A prediction that found an instance which is not in the part counts neither way.
    """

    def __init__(self, matches: Matches, part: Part) -> None:
        self.matches = matches
        self._truth = np.flatnonzero(part.truth & ~matches.truth_ignored & part.image[matches.truth_image])
        self._truth_image = matches.truth_image[self._truth]
        self._truth_class = matches.truth_class[self._truth]
        wanted = np.zeros(len(matches.truth_id) + 1, np.bool_)
        wanted[self._truth] = True
        order = np.argsort(-matches.found_score, kind="mergesort")
        self.classes = np.unique(self._truth_class)
        order = order[part.image[matches.found_image[order]]]
        if part.of_classes:
            order = order[np.isin(matches.found_class[order], self.classes)]
        hit = matches.found_truth[order]
        self._hit = (hit >= 0) & wanted[hit]
        self._miss = (hit < 0) & ~matches.found_ignored[order]
        self._score = matches.found_score[order]
        self._found_image = matches.found_image[order]
        self._found_class = matches.found_class[order]

    def recall(self, weights: Floats | None = None, *, score: float = -math.inf) -> float:
        """Return the share of instances that are found with an overlap of 0.5 and at least this score."""
        own = self._weights(self._truth_image, weights)
        found = self.matches.truth_score[self._truth, LOOSE] >= score
        return _share(own[found].sum(), own.sum())

    def precision(self, weights: Floats | None = None, *, score: float = -math.inf) -> float:
        """Return the share of predictions with at least this score that found something."""
        own = self._weights(self._found_image, weights) * (self._score >= score)
        hits, misses = own[self._hit[:, LOOSE]].sum(), own[self._miss[:, LOOSE]].sum()
        return _share(hits, hits + misses)

    def false_alarms(self, images: Floats, *, score: float = -math.inf) -> float:
        """Return how many predictions with at least this score found nothing, a picture; `images` are weights."""
        own = images[self._found_image] * (self._score >= score)
        return _share(own[self._miss[:, LOOSE]].sum(), images.sum())

    def counts(self, score: float) -> Counts:
        """Return whole numbers of instances and of predictions with at least this score."""
        sure = self._score >= score
        return Counts(
            len(self._truth), int((self.matches.truth_score[self._truth, LOOSE] >= score).sum()),
            int((self._hit[:, LOOSE] & sure).sum()), int((self._miss[:, LOOSE] & sure).sum()),
            int(np.bincount(self._truth_image).max(initial=0)),
        )  # fmt: skip

    def average_precision(self, weights: Floats | None = None, *, loose: bool = False) -> float:
        """Return the average precision over classes, and over overlaps of 0.5 .. 0.95, or of 0.5 alone.

        NaN without instances. Source: COCOeval.accumulate and summarize, areas `all`, 100 predictions.
        """
        columns = range(1 if loose else len(THRESHOLDS))
        found = [self._of_class(int(category), weights, columns) for category in self.classes]
        known = [value for value in found if math.isfinite(value)]
        return float(np.mean(known)) if known else math.nan

    def class_precision(self, category: int) -> float:
        """Return the average precision of one class over all overlaps."""
        return self._of_class(category, None, range(len(THRESHOLDS)))

    def _of_class(self, category: int, weights: Floats | None, columns: range) -> float:
        total = self._weights(self._truth_image, weights)[self._truth_class == category].sum()
        if total <= 0.0:
            return math.nan
        rows = np.flatnonzero(self._found_class == category)
        own = self._weights(self._found_image, weights)[rows]
        values = []
        for column in columns:
            hits = np.cumsum(own * self._hit[rows, column])
            misses = np.cumsum(own * self._miss[rows, column])
            precision = np.where(hits + misses > 0.0, hits / np.maximum(hits + misses, np.spacing(1)), 0.0)
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            at = np.searchsorted(hits / total, RECALLS, side="left")
            values.append(np.where(at < len(rows), np.append(envelope, 0.0)[np.minimum(at, len(rows))], 0.0).mean())
        return float(np.mean(values))

    def _weights(self, image: NDArray[np.int64], weights: Floats | None) -> Floats:
        return np.ones(len(image)) if weights is None else weights[image]


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0.0 else math.nan
