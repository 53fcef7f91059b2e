"""Groups of columns whose numbers are drawn together: correlated, on a grid, or as Sobol points.

A group decides the uniform numbers of its columns and leaves their laws alone, so every column keeps exactly the
distribution that its law asks for. Columns with several values a row are joined index by index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.plain import from_plain
from engine.randomize.laws.quantile import LARGEST_UNIFORM, normal_quantile
from engine.randomize.laws.sobol import BITS, MOST_DIMENSIONS, owen_scrambled, sobol_bits
from engine.randomize.philox import philox, stream_key, uniform

Array = NDArray[np.float64]
MOST_CELLS = 2**32 - 1
LEAST_PIVOT = -1.0e-9  # of a correlation matrix; below it is no such matrix


@dataclass(frozen=True)
class Correlated:
    """Normal scores of the columns have the correlations `rho`: a Gaussian copula.

    The first column keeps the numbers that it has without the group. Source: R. B. Nelsen, An Introduction to Copulas,
    2006, section 2.3.6.
    """

    TAG: ClassVar[tuple[str, str]] = ("kind", "correlated")

    keys: tuple[str, ...]  # columns, `<randomiser>.<key>`
    rho: float | tuple[tuple[float, ...], ...]  # one number for all pairs, or the whole matrix

    def __post_init__(self) -> None:
        _check_keys(self.keys, 2, 256)
        self.factor()

    def matrix(self) -> tuple[tuple[float, ...], ...]:
        """Return the correlation of every pair."""
        count = len(self.keys)
        if isinstance(self.rho, float):
            return tuple(tuple(1.0 if i == j else self.rho for j in range(count)) for i in range(count))
        return self.rho

    def factor(self) -> Array:
        """Return the lower triangle L with L L^T = matrix (Cholesky, semi-definite).

        Raises:
            ValueError: If it is no correlation matrix of these columns.
        """
        rho, count = self.matrix(), len(self.keys)
        if len(rho) != count or any(len(row) != count for row in rho):
            raise ValueError(f"rho must be one number or {count} rows of {count} numbers")
        if any(rho[i][i] != 1.0 or rho[i][j] != rho[j][i] for i in range(count) for j in range(count)):
            raise ValueError("rho must be symmetric, with 1 on its diagonal")
        found = np.zeros((count, count))
        for i in range(count):
            for j in range(i + 1):
                rest = rho[i][j] - math.fsum(found[i, k] * found[j, k] for k in range(j))
                if i == j:
                    if rest < LEAST_PIVOT:
                        raise ValueError("rho is no correlation matrix: not all of these can hold at once")
                    found[i, i] = math.sqrt(max(rest, 0.0))
                elif found[j, j] > 1.0e-6:
                    found[i, j] = rest / found[j, j]
                elif abs(rest) > 1.0e-6:
                    raise ValueError("rho is no correlation matrix: not all of these can hold at once")
        return found


@dataclass(frozen=True)
class Grid:
    """World i takes cell i of a grid over the columns' probabilities, the first column fastest, over and over again."""

    TAG: ClassVar[tuple[str, str]] = ("kind", "grid")

    keys: tuple[str, ...]
    cells: tuple[int, ...]  # along each column
    jitter: bool  # anywhere in the cell; else its middle

    def __post_init__(self) -> None:
        _check_keys(self.keys, 1, 32)
        if len(self.cells) != len(self.keys):
            raise ValueError(f"{len(self.keys)} keys but {len(self.cells)} numbers of cells")
        if min(self.cells) < 1 or math.prod(self.cells) > MOST_CELLS:
            raise ValueError(f"cells must be 1 or more along each key and at most {MOST_CELLS} in all")


@dataclass(frozen=True)
class Sobol:
    """World i takes point i of a Sobol sequence, Owen-scrambled by the seed; the order of `keys` gives dimensions."""

    TAG: ClassVar[tuple[str, str]] = ("kind", "sobol")

    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_keys(self.keys, 1, MOST_DIMENSIONS)


Group = Correlated | Grid | Sobol


@dataclass(frozen=True)
class Counter:
    """Which numbers are asked for: arrays that broadcast to the shape of the values."""

    world: NDArray[np.int64]
    step: NDArray[np.int32]  # of the column's own randomiser: 0 where it draws once a world
    index: NDArray[np.int64]
    dimension: int  # 0, or the number of a further try
    row_step: NDArray[np.int32]  # the step of the row, whatever the randomiser does
    steps: int  # of a world


@dataclass(frozen=True)
class Member:
    """A column in its group."""

    name: str  # of the group
    group: Group
    key: str  # `<randomiser>.<key>`
    per_step: Mapping[str, bool]  # by column of the group, whether every step draws anew

    def numbers(self, seed: int, counter: Counter) -> Array:
        """Return the uniform numbers of the column, in [0, 1)."""
        place = self.group.keys.index(self.key)
        match self.group:
            case Correlated():
                return self._correlated(seed, counter, place)
            case Grid():
                return self._grid(seed, counter, place)
            case Sobol():
                return self._sobol(seed, counter, place)

    def _correlated(self, seed: int, counter: Counter, place: int) -> Array:
        from scipy.special import ndtr

        assert isinstance(self.group, Correlated)
        row = self.group.factor()[place]
        if place == 0:
            return self._own(seed, counter, self.key)
        score = sum(row[k] * normal_quantile(self._own(seed, counter, self.group.keys[k])) for k in np.flatnonzero(row))
        return np.clip(ndtr(score), 0.0, LARGEST_UNIFORM)

    def _own(self, seed: int, counter: Counter, key: str) -> Array:
        """Return the numbers that a column has without the group."""
        step = counter.row_step if self.per_step[key] else np.zeros_like(counter.row_step)
        return uniform(seed, key, counter.world, step, counter.index, counter.dimension)

    def _grid(self, seed: int, counter: Counter, place: int) -> Array:
        assert isinstance(self.group, Grid)
        cells = self.group.cells[place]
        cell = self.cell(seed, (counter.world, counter.step, counter.index), counter.steps)
        inside: Array | float = 0.5
        if self.group.jitter or counter.dimension > 0:
            inside = uniform(seed, self.key, counter.world, counter.step, counter.index, counter.dimension)
        return np.minimum((cell + inside) / cells, LARGEST_UNIFORM)

    def cell(self, seed: int, at: tuple[NDArray[Any], NDArray[Any], NDArray[Any]], steps: int) -> NDArray[np.int64]:
        """Return which cell along its key of a grid the values at (world, step, index) lie in."""
        assert isinstance(self.group, Grid)
        world, step, index = at
        cells, total, place = self.group.cells, math.prod(self.group.cells), self.group.keys.index(self.key)
        words = philox((index, 0, 0, 0), stream_key(seed, f"{self.name}/index"))
        start = np.where(index == 0, 0, words[..., 0].astype(np.int64) % total)  # each index begins elsewhere
        point = world * steps + step if self.per_step[self.key] else world
        return np.asarray((point + start) % total // math.prod(cells[:place]) % cells[place])

    def _sobol(self, seed: int, counter: Counter, place: int) -> Array:
        if counter.dimension > 0:  # the point was refused; there is no other one
            return uniform(seed, self.key, counter.world, counter.step, counter.index, counter.dimension)
        words = philox((counter.index, 0, 0, 0), stream_key(seed, f"{self.name}/{self.key}"))
        world, step = counter.world.astype(np.uint64), counter.step.astype(np.uint64)
        number = world * np.uint64(counter.steps) + step if self.per_step[self.key] else world
        point: NDArray[np.uint32] = (number & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        order = philox((counter.index, 0, 0, 0), stream_key(seed, f"{self.name}/order"))[..., 0]
        point = np.where(counter.index == 0, point, owen_scrambled(point, order))  # else indices would go together
        bits = owen_scrambled(sobol_bits(point, place), words[..., 0])
        return np.asarray((bits.astype(np.float64) + 0.5) * 2.0**-BITS)


def read_group(name: str, data: object) -> Group:
    """Return a group, checked.

    Raises:
        UserError: One line: the path, and what is known or expected there.
    """
    where = f"laws.groups.{name}"
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: needs a mapping with a kind, one of: correlated, grid, sobol")
    found: Any = from_plain(Group, data, where)  # type: ignore[arg-type]
    return found


def _check_keys(keys: tuple[str, ...], least: int, most: int) -> None:
    if not least <= len(keys) <= most:
        raise ValueError(f"keys must name {least} to {most} columns, got {len(keys)}")
    if len(set(keys)) != len(keys):
        raise ValueError("keys names a column twice")
    for key in keys:
        if key.count(".") != 1 or not all(key.split(".")):
            raise ValueError(f"keys are <randomiser>.<key>, such as lamp_power.stops, got '{key}'")
