"""Laws as data: how a value is spread, tagged: `{law: uniform, low: 2, high: 12}`; a bare number is a constant."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar, Literal

Table = Literal["worlds", "frames", "instances"]


@dataclass(frozen=True)
class Constant:
    """Always `value`."""

    TAG: ClassVar[tuple[str, str]] = ("law", "constant")
    BARE: ClassVar[str] = "value"

    value: float


@dataclass(frozen=True)
class Uniform:
    """Evenly spread over [low, high)."""

    TAG: ClassVar[tuple[str, str]] = ("law", "uniform")

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """The logarithm is evenly spread over [log low, log high)."""

    TAG: ClassVar[tuple[str, str]] = ("law", "log_uniform")

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)
        if self.low <= 0.0:
            raise ValueError(f"log_uniform needs low above 0, got {self.low}")


@dataclass(frozen=True)
class Normal:
    """Normal with the given mean and standard deviation."""

    TAG: ClassVar[tuple[str, str]] = ("law", "normal")

    mean: float
    std: float

    def __post_init__(self) -> None:
        _check_std(self.std)


@dataclass(frozen=True)
class TruncatedNormal:
    """Normal with the given mean and standard deviation before cutting, conditioned on [low, high]."""

    TAG: ClassVar[tuple[str, str]] = ("law", "truncated_normal")

    mean: float
    std: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_std(self.std)
        _check_range(self.low, self.high)
        if not self.low <= self.mean <= self.high:
            raise ValueError(f"truncated_normal needs low <= mean <= high, got {self.low}, {self.mean}, {self.high}")


@dataclass(frozen=True)
class Beta:
    """A beta distribution with the shapes `alpha` and `beta`, scaled to [low, high]."""

    TAG: ClassVar[tuple[str, str]] = ("law", "beta")

    alpha: float
    beta: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)
        if not (LEAST_SHAPE <= self.alpha <= LARGEST_SHAPE and LEAST_SHAPE <= self.beta <= LARGEST_SHAPE):
            raise ValueError(
                f"beta needs alpha and beta in [{LEAST_SHAPE:g}, {LARGEST_SHAPE:g}], got {self.alpha:g}, {self.beta:g}"
            )

    @property
    def mean(self) -> float:
        """Its mean, which breadth shrinks it around."""
        return self.low + (self.high - self.low) * self.alpha / (self.alpha + self.beta)


@dataclass(frozen=True)
class Choice:
    """One of `values`, with probabilities proportional to `weights` (equal when null)."""

    TAG: ClassVar[tuple[str, str]] = ("law", "choice")

    values: tuple[float, ...]
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_weights(len(self.values), self.weights)


@dataclass(frozen=True)
class Integer:
    """A whole number from low to high, both included, all equally likely."""

    TAG: ClassVar[tuple[str, str]] = ("law", "integer")

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)


@dataclass(frozen=True)
class Histogram:
    """Bins between rising `edges`, with probabilities proportional to `weights`, each bin evenly spread."""

    TAG: ClassVar[tuple[str, str]] = ("law", "histogram")

    edges: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or any(low >= high for low, high in itertools.pairwise(self.edges)):
            raise ValueError("a histogram needs two or more edges that rise")
        if len(self.weights) != len(self.edges) - 1:
            raise ValueError(
                f"{len(self.edges)} edges make {len(self.edges) - 1} bins, but {len(self.weights)} weights"
            )
        check_weights(len(self.weights), self.weights)


@dataclass(frozen=True)
class Empirical:
    """The values of a column of another dataset, kept as plain data.

    What a person writes is `dataset`, `column` and, where they help, `table` and `of_class`. When a recipe is composed,
    the column is read and `dataset` gives way to its id in `source` and to `quantiles` (evenly spaced, between which
    values are interpolated) or `values` with `weights` (of columns that count): the recipe needs no other file.
    """

    TAG: ClassVar[tuple[str, str]] = ("law", "empirical")

    column: str
    dataset: str | None = None  # folder; only before a recipe is composed
    table: Table = "worlds"
    of_class: str | None = None  # of table instances: rows of this class alone
    source: str | None = None  # id of the dataset that the numbers came from
    quantiles: tuple[float, ...] | None = None
    values: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.dataset is not None:
            return
        if (self.quantiles is None) == (self.values is None):
            raise ValueError("an empirical law needs a dataset to read, or else quantiles or values with weights")
        if self.quantiles is not None and (
            len(self.quantiles) < 2 or any(low > high for low, high in itertools.pairwise(self.quantiles))
        ):
            raise ValueError("quantiles must be two or more numbers that never fall")
        if self.values is not None:
            check_weights(len(self.values), self.weights)


@dataclass(frozen=True)
class Part:
    """A law of a mixture and its weight."""

    weight: float
    law: Law

    def __post_init__(self) -> None:
        if self.weight < 0.0:
            raise ValueError(f"weight {self.weight:g} is negative")


@dataclass(frozen=True)
class Mixture:
    """One of several laws, with probabilities proportional to their weights."""

    TAG: ClassVar[tuple[str, str]] = ("law", "mixture")

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        check_weights(len(self.parts), tuple(part.weight for part in self.parts))


@dataclass(frozen=True)
class Include:
    """The law `of`, but a share of all values is an end of its range: half of them the lower one, half the upper."""

    TAG: ClassVar[tuple[str, str]] = ("law", "include")

    of: Law
    share: float
    low: float | None = None  # null: the lower end of `of`
    high: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise ValueError(f"share must be in [0, 1], got {self.share:g}")
        if isinstance(self.of, Normal) and (self.low is None or self.high is None):
            raise ValueError("a normal law has no ends to include; write low and high, or take truncated_normal")
        if self.low is not None and self.high is not None:
            _check_range(self.low, self.high)


@dataclass(frozen=True)
class Case:
    """What a conditional law is where the other column lies in [low, high), or has one of the names."""

    then: Law
    low: float | None = None  # null: no lower end
    high: float | None = None
    names: tuple[str, ...] | None = None  # or globs of names

    def __post_init__(self) -> None:
        if self.names is not None and (self.low is not None or self.high is not None):
            raise ValueError("a case has either names or low and high")
        if self.names is None and self.low is None and self.high is None:
            raise ValueError("a case needs names, low or high; what is left over stands below otherwise")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low:g} must be below high {self.high:g}")


@dataclass(frozen=True)
class Conditional:
    """The law of the first case that the other column's value falls into; that of `otherwise` where there is none."""

    TAG: ClassVar[tuple[str, str]] = ("law", "conditional")

    by: str  # `<randomiser>.<key>`, of the same world and step
    cases: tuple[Case, ...]
    otherwise: Law

    def __post_init__(self) -> None:
        if not self.cases:
            raise ValueError("a conditional law needs at least one case")
        if self.by.count(".") != 1 or not all(self.by.split(".")):
            raise ValueError(f"by must be <randomiser>.<key>, such as lamp_power.stops, got '{self.by}'")


Law = (
    Constant
    | Uniform
    | LogUniform
    | Normal
    | TruncatedNormal
    | Beta
    | Choice
    | Integer
    | Histogram
    | Empirical
    | Mixture
    | Include
    | Conditional
)

LEAST_SHAPE, LARGEST_SHAPE = 1.0e-2, 1.0e4  # of beta; its quantile function is exact to 1e-10 and better between them


def parts_of(law: Law) -> tuple[Law, ...]:
    """Return the laws that a law is made of; of most there are none."""
    match law:
        case Mixture(parts):
            return tuple(part.law for part in parts)
        case Include():
            return (law.of,)
        case Conditional():
            return (*(case.then for case in law.cases), law.otherwise)
        case _:
            return ()


def columns_asked(law: Law) -> tuple[str, ...]:
    """Return the columns that a law hangs on, at any depth, each once."""
    own = (law.by,) if isinstance(law, Conditional) else ()
    inner = (column for part in parts_of(law) for column in columns_asked(part))
    return tuple(dict.fromkeys((*own, *inner)))


def check_weights(count: int, weights: tuple[float, ...] | None) -> None:
    """Refuse an empty choice and weights that are not probabilities up to a factor.

    Raises:
        ValueError: One line that says which rule is broken.
    """
    if count == 0:
        raise ValueError("a choice needs at least one value")
    if weights is None:
        return
    if len(weights) != count:
        raise ValueError(f"{count} values but {len(weights)} weights")
    if min(weights) < 0.0 or max(weights) == 0.0:
        raise ValueError("weights must not be negative, and at least one must be above 0")


def _check_range(low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"low {low:g} is above high {high:g}")


def _check_std(std: float) -> None:
    if std < 0.0:
        raise ValueError(f"std {std:g} is negative")
