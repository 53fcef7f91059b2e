"""Which of several weak slices is worth data: the one that the training data lack.

A slice that is as frequent in training as in validation and fails all the same is hard; one that is rare in training
may only be missing there. So confirmed slices are ordered by share in training / share in validation, the least first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.evaluate.slices import Slice, SliceReader


@dataclass(frozen=True)
class Share:
    """How much of two datasets is of a slice: instances where it chooses instances, else pictures."""

    training: float
    validation: float

    @property
    def ratio(self) -> float:
        """Of the shares; 1: as frequent in both."""
        return self.training / self.validation if self.validation else np.inf


def by_what_is_lacking(
    slices: Sequence[Mapping[str, Any]], training: Path, validation: Path
) -> list[tuple[Mapping[str, Any], Share]]:
    """Return slices with their shares, the one that training lacks most first.

    Args:
        slices: With `where` and `strength`, which decides between equals.
        training: Dataset that the model learned from.
        validation: Dataset that it was judged on.
    """
    found = [(one, Share(*(share_of(place, str(one["where"])) for place in (training, validation)))) for one in slices]
    return sorted(found, key=lambda pair: (pair[1].ratio, -pair[0]["strength"]))


@lru_cache(maxsize=64)
def share_of(dataset: Path, where: str) -> float:
    """Return the share of a dataset's pictures, or of its labelled instances, that satisfy a condition."""
    from engine.propose.rows import labelled_truth

    truth = labelled_truth(dataset.absolute())
    part, of_instances = SliceReader(truth.dataset, truth).part("slice", Slice(where))
    chosen = part.truth if of_instances else part.image
    return float(chosen.mean()) if len(chosen) else 0.0
