"""Draw: a randomiser's source of values; vectorised over rows, keyed by names, recorded as columns.

The stream is `<randomiser>.<key>`, the counter (world, step, index, dimension): a value depends on no other randomiser,
no other key and no other row, unless the recipe says so: a group joins the numbers of its columns, and a conditional
law looks at the value of another column in the same row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError, near_matches
from engine.randomize.bounds import Bounds
from engine.randomize.law import Law, check_weights, choose, columns_asked, quantile
from engine.randomize.laws.group import Counter, Member
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
    laws: Mapping[str, Law] = field(default_factory=dict)  # of all randomisers, by column
    members: Mapping[str, Member] = field(default_factory=dict)  # columns in groups
    assumed: dict[str, tuple[str, int]] = field(default_factory=dict)  # key that is drawn later -> by whom, how many

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
        """Return indices into `names`, drawn with the weights, and record the names.

        Raises:
            UserError: If the weights are not those of as many names.
        """
        try:
            check_weights(len(names), weights)
        except ValueError as error:
            raise UserError(f"{self.where('weights')}: {error}") from error
        index = choose(len(names), weights, self._numbers(key, count, 0), breadth=self.breadth)
        self.record(key, np.asarray(names)[index])
        return index

    def sample(self, key: str, law: Law, *, count: int | None = None, dimension: int = 0) -> NDArray[np.float64]:
        """Return values of a law without recording them: candidates, of which one will be.

        Raises:
            UserError: If another law hangs on it that took it for a column with another number of values.
        """
        values = 1 if count is None else count
        asking, assumed = self.assumed.get(key, ("", values))
        if assumed != values:
            raise self._other_count(asking, f"{self.randomizer}.{key}", values, assumed)
        numbers = self._numbers(key, count, dimension)
        if not columns_asked(law):
            return quantile(law, numbers, breadth=self.breadth)
        return quantile(law, numbers, breadth=self.breadth, given=lambda by: self._given(key, by, count, dimension))

    def _numbers(self, key: str, count: int | None, dimension: int) -> NDArray[np.float64]:
        """Return the numbers from which the values of a law come: the column's own, or those of its group."""
        member = self.members.get(f"{self.randomizer}.{key}")
        if member is None:
            return self.uniform(key, count=count, dimension=dimension)
        world, row_step = self.draft.world, self.draft.step
        index = np.zeros(1, np.int64) if count is None else np.arange(count)
        step = row_step if self.per_step else np.zeros_like(row_step)
        rows = (world[:, None], step[:, None], index[None, :])
        counter = Counter(*rows, dimension, row_step[:, None], self.rig.steps)
        values = member.numbers(self.seed, counter)
        return values[:, 0] if count is None else values

    def _given(self, key: str, by: str, count: int | None, dimension: int) -> NDArray[np.generic]:
        """Return the values of the column that a law hangs on, in a shape that fits [row] or [row, count].

        Raises:
            UserError: If it is not drawn before, or has several values a row where this law has one, or other ones.
        """
        name, _, other = by.partition(".")
        values = self.draft.drawn.get(f"p.{by}")
        if values is None and name == self.randomizer and by in self.laws:
            values = self.sample(other, self.laws[by], count=count, dimension=dimension)  # drawn later, same numbers
            self.assumed[other] = key, 1 if count is None else count
        if values is None:
            near = near_matches(by, tuple(column.removeprefix("p.") for column in self.draft.drawn))
            raise UserError(f"{self.where(key)}: by names {by}, which is not drawn before it; there are {near}")
        if count is None and values.ndim == 1:
            return values
        if count is not None and values.ndim == 1:
            return values[:, None]
        if count is not None and values.shape[1] == count:
            return values
        raise self._other_count(key, by, values.shape[1], count or 1)

    def _other_count(self, key: str, by: str, values: int, own: int) -> UserError:
        return UserError(
            f"{self.where(key)}: by names {by}, which has {values} values a world, this law {own}; "
            "choose a column with one that is drawn before it, or with as many"
        )

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
