"""One dataset and its slices, by which many models are judged on the same draws of its groups.

board = Board(dataset, slices)
with_batch, without = board.judge(a), board.judge(b)
with_batch["dark"].replicates - without["dark"].replicates  # [replicate, figure]
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from engine.evaluate.evaluate import FIGURES, Measurement, figure_values, replicate_weights
from engine.evaluate.figures import Curves, Flags, Floats, Part
from engine.evaluate.images import Ranked
from engine.evaluate.match import Matches, match
from engine.evaluate.predictions import read_predictions
from engine.evaluate.slices import ALL, Slice, SliceReader
from engine.evaluate.truth import Truth, read_truth

AUROC = "AUROC"  # of scores of pictures: those that show something (of the slice) against those that show nothing
NAMES = (*FIGURES, AUROC)


@dataclass(frozen=True)
class Judged:
    """A slice under one model; a figure is NaN where there is nothing to measure."""

    values: Floats  # [figure], in the order of NAMES
    replicates: Floats  # [replicate, figure]
    images: int
    groups: int
    instances: int

    def value(self, figure: str) -> float:
        """Return a figure by its name."""
        return float(self.values[NAMES.index(figure)])

    def draws(self, figure: str) -> Floats:
        """Return a figure in every replicate, [replicate]."""
        return self.replicates[:, NAMES.index(figure)]


class Board:
    """Judges predictions on a dataset; draws depend on the groups of a slice and the seed, never on the model."""

    def __init__(
        self, dataset: Path, slices: Mapping[str, Slice], settings: Measurement, group: str | None = None,
        *, figures: Collection[str] = NAMES,
    ) -> None:  # fmt: skip
        """Read the ground truth.

        Args:
            dataset: A complete dataset with labels/coco.json.
            slices: By name; `all` is always there.
            settings: Score, replicates and seed.
            group: Column of the frames whose values are independent; None: see `independent_column`.
            figures: Names of those that are wanted, which saves time; the others are NaN.
        Raises:
            UserError: If the dataset cannot be read.
        """
        self.truth = read_truth(dataset.absolute(), group)
        self.settings = settings
        self._slices = slices
        self._figures = figures
        self._parts: dict[str, Part] | None = None

    def judge(self, predictions: Path) -> dict[str, Judged]:
        """Return every slice under the predictions in a file of COCO results; scores of pictures give AUROC.

        Raises:
            UserError: If the predictions or a slice cannot be read.
        """
        said = read_predictions(predictions, self.truth.image_ids, self.truth.categories)
        matches = match(self.truth.labels, said)
        truth = self.truth.in_order(matches.truth_id)
        parts = self._parts_of(truth, matches)
        scores = self._image_scores(said.image_scores)
        shown = np.bincount(matches.truth_image[~matches.truth_ignored], minlength=len(matches.image_ids)) > 0
        return {name: self._judge(part, truth, matches, scores, shown) for name, part in parts.items()}

    def _parts_of(self, truth: Truth, matches: Matches) -> dict[str, Part]:
        if self._parts is None:
            reader = SliceReader(truth.dataset, truth)
            everything = Part(np.ones(len(matches.truth_id), np.bool_), np.ones(len(matches.image_ids), np.bool_))
            own = {name: reader.part(name, one)[0] for name, one in self._slices.items()}
            self._parts = {ALL: everything, **own}
        return self._parts

    def _image_scores(self, scores: Mapping[int, float]) -> Floats | None:
        ids = (self.truth.frame_id + 1).tolist()
        return np.array([scores[number] for number in ids]) if scores.keys() >= set(ids) else None

    def _judge(self, part: Part, truth: Truth, matches: Matches, scores: Floats | None, shown: Flags) -> Judged:
        curves = Curves(matches, part)
        rows = [
            list(figure_values(curves, own, self.settings.score, self._figures).values())
            for own in chain([part.image.astype(np.float64)], replicate_weights(part, truth, self.settings))
        ]
        ranked = np.array(self._rank(part, truth, scores, shown))[:, None]
        table = np.concatenate([np.array(rows), ranked], axis=1)
        groups = len(np.unique(truth.group[part.image]))
        instances = curves.counts(self.settings.score).instances
        return Judged(table[0], table[1:], int(part.image.sum()), groups, instances)

    def _rank(self, part: Part, truth: Truth, scores: Floats | None, shown: Flags) -> list[float]:
        """Return AUROC as it is and in every replicate.

        A slice of pictures is ranked in itself; one of instances has the pictures that show nothing to be told from.
        """
        if scores is None or AUROC not in self._figures:
            return [math.nan] * (self.settings.replicates + 1)
        image = part.image | ~shown if part.of_classes else part.image
        place = np.flatnonzero(image)
        place = place[np.argsort(-scores[place], kind="stable")]
        ranked = Ranked(shown[place], np.append(np.diff(scores[place]) != 0.0, True)[: len(place)])
        draws = replicate_weights(Part(part.truth, image), truth, self.settings)
        return [ranked.figures(own[place])[0] for own in chain([image.astype(np.float64)], draws)]
