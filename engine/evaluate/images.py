"""Scores of whole pictures: how well they tell pictures with something from pictures without."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.evaluate.evaluate import Figure, Measurement
from engine.evaluate.figures import Floats
from engine.evaluate.intervals import draws_of_groups, interval
from engine.evaluate.truth import Truth

ALARM_RATES = {"recall_at_5_percent": 0.05, "recall_at_10_percent": 0.10}  # of pictures without anything


@dataclass(frozen=True)
class ImageScores:
    """Of the pictures that have a score; positive ones show at least one instance."""

    images: int
    positive: int
    figures: Mapping[str, Figure]


def measure_images(
    truth: Truth, positive: NDArray[np.bool_], scores: Mapping[int, float], settings: Measurement
) -> ImageScores:
    """Return AUROC and recall at fixed rates of false alarms; `scores` by image id, of every picture.

    Raises:
        UserError: If some pictures have no score.
    """
    ids = (truth.frame_id + 1).tolist()
    missing = [number for number in ids if number not in scores]
    if missing:
        raise UserError(f"{len(missing)} of {len(ids)} pictures have no score, the first is image_id {missing[0]}")
    score = np.array([scores[number] for number in ids])
    draws = draws_of_groups(truth.group, settings.seed, settings.replicates)
    order = np.argsort(-score, kind="stable")
    ranked = Ranked(positive[order], np.append(np.diff(score[order]) != 0.0, True))
    once = np.ones(len(ids))
    names = ("AUROC", *ALARM_RATES)
    values = ranked.figures(once)
    replicates = np.array([ranked.figures(own[order]) for own in draws])
    figures = {name: Figure(values[n], *interval(replicates[:, n])) for n, name in enumerate(names)}
    return ImageScores(len(ids), int(positive.sum()), figures)


@dataclass(frozen=True)
class Ranked:
    """Pictures by falling score; `is_last` where the next has another score, so that ties count half."""

    positive: NDArray[np.bool_]
    is_last: NDArray[np.bool_]

    def figures(self, weights: Floats) -> list[float]:
        """Return AUROC and the recalls, of pictures that count as often as their weights say."""
        hits = np.concatenate([[0.0], np.cumsum(weights * self.positive)[self.is_last]])
        alarms = np.concatenate([[0.0], np.cumsum(weights * ~self.positive)[self.is_last]])
        if hits[-1] <= 0.0 or alarms[-1] <= 0.0:
            return [math.nan] * (1 + len(ALARM_RATES))
        recall, rate = hits / hits[-1], alarms / alarms[-1]
        area = float(np.sum(np.diff(rate) * 0.5 * (recall[1:] + recall[:-1])))
        return [area, *(float(recall[rate <= limit + 1e-12].max()) for limit in ALARM_RATES.values())]
