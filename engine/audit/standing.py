"""Where measured columns of a failure lie among those of the synthetic and of the real data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audit.cut import Array, Cuts

FEWEST = 20  # values of a distribution before anything is called outside of it


@dataclass(frozen=True)
class Standing:
    """A column of a failure; percentiles are shares below, ties counted half, in per cent."""

    column: str
    value: float
    percentile: float  # among the synthetic
    low: float  # the least and the greatest of the synthetic
    high: float
    count: int  # synthetic values
    real_percentile: float | None  # among those of other groups; None: there are none

    @property
    def outside(self) -> str:
        """`below` or `above` all synthetic values, if there are enough of them; else nothing."""
        if self.count < FEWEST or self.low <= self.value <= self.high:
            return ""
        return "below" if self.value < self.low else "above"

    @property
    def words(self) -> str:
        """Say where it lies, if outside."""
        return (
            f"{self.column} {self.value:.4g} is {self.outside} all synthetic values, {self.low:.4g} to {self.high:.4g}"
        )


def standings(
    one: Mapping[str, float], synthetic: Cuts, real: Cuts, without: NDArray[np.bool_]
) -> tuple[Standing, ...]:  # fmt: skip
    """Return where the columns of a failure lie; columns that one side does not know are left out.

    Args:
        one: Values by column; NaN is not known.
        synthetic: What to be compared with.
        real: The same, of real pictures.
        without: Rows of the real that do not count, of the failure's own group.
    """
    found = []
    for name, value in one.items():
        known = _known(synthetic.columns.get(name))
        if not np.isfinite(value) or not len(known):
            continue
        others = real.columns.get(name)
        rest = _known(None if others is None else others[~without])
        found.append(Standing(
            name, value, _percentile(known, value), float(known.min()), float(known.max()), len(known),
            _percentile(rest, value) if len(rest) else None,
        ))  # fmt: skip
    return tuple(found)


def _known(values: Array | None) -> Array:
    return np.zeros(0) if values is None else values[np.isfinite(values)]


def _percentile(values: Array, value: float) -> float:
    return float(100.0 * ((values < value).mean() + 0.5 * (values == value).mean()))
