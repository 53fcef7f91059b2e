"""The pre-flight: the first worlds of a batch, rendered by the recipe itself, and the share that is what was asked for.

They are made where the batch will lie, so that the batch goes on from them and nothing is rendered twice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.evaluate.intervals import wilson
from engine.evaluate.truth import Truth
from engine.propose.rows import labelled_truth
from engine.propose.targets import Flags, Predicate
from engine.query import open_index
from engine.write.files import remove_tree

LEAST_PURITY = 0.8
ROOT = Path(__file__).resolve().parents[2]
Render = Callable[[Sequence[str]], None]  # is given the arguments of engine.run


@dataclass(frozen=True)
class Purity:
    """Which share of pictures satisfies a target; the interval is Wilson's over worlds, each with its own share."""

    value: float
    low: float
    high: float
    images: int
    worlds: int
    seconds: float = 0.0

    @property
    def is_pure(self) -> bool:
        """Whether it is pure enough for the batch to be spent on."""
        return self.value >= LEAST_PURITY


@dataclass(frozen=True)
class Shown:
    """A dataset of a pre-flight and what it shows."""

    dataset: Path
    truth: Truth
    instances: Flags
    images: Flags
    purity: Purity


def fly(out: Path, line: Sequence[str], worlds: int, predicate: Predicate, render: Render) -> Shown:
    """Render some worlds of a recipe and return what they show.

    Args:
        out: Where the batch will lie; whatever an earlier attempt left there is taken away.
        line: Arguments of engine.run but for count and out.
        worlds: How many.
        predicate: Of the target.
        render: Runs engine.run.
    """
    remove_tree(out)
    begun_s = time.monotonic()
    render([*line, f"count={worlds}", f"out={out}"])
    return look(out, predicate, time.monotonic() - begun_s)


def look(dataset: Path, predicate: Predicate, seconds: float = 0.0) -> Shown:
    """Return what a dataset shows of a target."""
    truth = labelled_truth(dataset)
    instances, images = predicate(dataset, truth)
    return Shown(dataset, truth, instances, images, purity_of(truth, images, seconds))


def purity_of(truth: Truth, images: Flags, seconds: float = 0.0) -> Purity:
    """Return the share of pictures that satisfy a target."""
    rows = open_index(truth.dataset).execute("SELECT frame_id, world FROM frames").fetchall()
    world_of = dict(rows)
    _, number = np.unique(
        np.array([world_of[frame] for frame in truth.frame_id.tolist()], np.int64), return_inverse=True
    )
    shares = np.bincount(number, images) / np.maximum(np.bincount(number), 1)
    low, high = wilson(float(shares.sum()), len(shares))
    return Purity(float(images.mean()) if len(images) else 0.0, low, high, len(images), len(shares), seconds)


def render_by_command(line: Sequence[str]) -> None:
    """Run `python -m engine.run`; what it says goes to standard error.

    Raises:
        UserError: If it fails.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    done = subprocess.run(
        [sys.executable, "-m", "engine.run", *line],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if done.returncode:
        raise UserError(f"the pre-flight failed with exit code {done.returncode}; its own words stand above")
