"""Draw: a randomiser's source of values; vectorised over rows, keyed by names, recorded as columns.

The stream is `<randomiser>.<key>`, the counter (world, step, index, dimension): a value depends on no other randomiser,
no other key and no other row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize.bounds import Bounds
from engine.randomize.law import Law, choose, quantile
from engine.randomize.philox import uniform
from engine.randomize.shells import Shells
from engine.recipe import Rig
from engine.scene.model import Camera
from engine.sensors.model import Sensor


@dataclass(frozen=True)
class Draw:
    """What one randomiser draws from. Shapes: [row] when `count` is None, else [row, count], a value an index."""

    seed: int
    randomizer: str  # its name in the recipe, the first part of every stream's name
    draft: Draft
    rig: Rig
    cameras: tuple[Camera, ...]  # the rig's, as authored: axis `camera` of the draft
    bounds: Bounds
    shells: Shells
    breadth: float = 1.0  # see engine/randomize/law.py
    sensor: Sensor | None = None  # the recipe's
    per_step: bool = False  # whether every step draws anew; else all steps of a world share its values

    def where(self, key: str) -> str:
        """Return the path of a parameter in the recipe, for errors."""
        return f"randomize.{self.randomizer}.{key}"

    def law(self, key: str, law: Law, *, count: int | None = None) -> NDArray[np.float64]:
        """Return values of a law and record them as the column `p.<randomiser>.<key>`."""
        values = self.sample(key, law, count=count)
        self.record(key, values)
        return values

    def choice(
        self, key: str, names: tuple[str, ...], weights: tuple[float, ...] | None = None, *, count: int | None = None
    ) -> NDArray[np.int64]:
        """Return indices into `names`, drawn with the weights, and record the names."""
        index = choose(len(names), weights, self.uniform(key, count=count), breadth=self.breadth)
        self.record(key, np.asarray(names)[index])
        return index

    def sample(self, key: str, law: Law, *, count: int | None = None, dimension: int = 0) -> NDArray[np.float64]:
        """Return values of a law without recording them: candidates, of which one will be."""
        return quantile(law, self.uniform(key, count=count, dimension=dimension), breadth=self.breadth)

    def uniform(self, key: str, *, count: int | None = None, dimension: int = 0) -> NDArray[np.float64]:
        """Return numbers in [0, 1) that no breadth touches: for order, occupancy and other structure."""
        stream = f"{self.randomizer}.{key}"
        world = self.draft.world
        step = self.draft.step if self.per_step else np.zeros_like(self.draft.step)
        if count is None:
            return uniform(self.seed, stream, world, step, 0, dimension)
        return uniform(self.seed, stream, world[:, None], step[:, None], np.arange(count)[None, :], dimension)

    def uniform_at(
        self, key: str, rows: NDArray[np.int64], index: NDArray[np.int64], dimension: int
    ) -> NDArray[np.float64]:
        """Return the numbers that `uniform` has at these (row, index) pairs, one a pair."""
        step = self.draft.step[rows] if self.per_step else np.zeros(len(rows), np.int32)
        return uniform(self.seed, f"{self.randomizer}.{key}", self.draft.world[rows], step, index, dimension)

    def record(self, key: str, values: NDArray[np.generic]) -> None:
        """Record a column: numbers, truth values or names, shape [row] or [row, k]; [row, 1] becomes [row].

        Raises:
            ValueError: If the column is there already; two values would share one name.
        """
        column = f"p.{self.randomizer}.{key}"
        if column in self.draft.drawn:
            raise ValueError(f"column {column} is drawn twice")
        self.draft.drawn[column] = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
