"""Laws: how a value is spread. One import for randomisers; docs/laws.md has every law with its formula.

Values come from the law's inverse distribution function at a counter-based uniform number, so that editing a law moves
values without reshuffling them, and nothing depends on the batch.

Breadth. `breadth` in [0, 1] is one switch for how much of the spread is used; 1 is the law as written, 0 its centre:
uniform and integer shrink around the middle of their range (integer: its real-valued range, then rounds down),
log_uniform around the geometric middle; normal, truncated_normal and beta scale the deviations from the mean, histogram
and empirical those from the median; choice (and an empirical law of counts) gives its most likely value (the first of
equals) the probability `1 - breadth` and shares the rest as written. A mixture does both: its likeliest part gains, and
every part shrinks. Include scales its share and moves its ends towards the centre; the laws of a conditional law shrink
each by itself. A constant has none.
"""

from engine.randomize.laws.model import (
    Beta,
    Case,
    Choice,
    Conditional,
    Constant,
    Empirical,
    Histogram,
    Include,
    Integer,
    Law,
    LogUniform,
    Mixture,
    Normal,
    Part,
    TruncatedNormal,
    Uniform,
    check_weights,
    columns_asked,
    parts_of,
)
from engine.randomize.laws.quantile import LARGEST_UNIFORM, SMALLEST_UNIFORM, Given, choice_shares, choose, quantile
from engine.randomize.laws.support import (
    ANGLE_RANGE_DEG,
    LENGTH_RANGE_M,
    NORMAL_REACH,
    STOPS_RANGE,
    center_of,
    check_support,
    support,
    unit_of,
)

__all__ = [
    "ANGLE_RANGE_DEG",
    "LARGEST_UNIFORM",
    "LENGTH_RANGE_M",
    "NORMAL_REACH",
    "SMALLEST_UNIFORM",
    "STOPS_RANGE",
    "Beta",
    "Case",
    "Choice",
    "Conditional",
    "Constant",
    "Empirical",
    "Given",
    "Histogram",
    "Include",
    "Integer",
    "Law",
    "LogUniform",
    "Mixture",
    "Normal",
    "Part",
    "TruncatedNormal",
    "Uniform",
    "center_of",
    "check_support",
    "check_weights",
    "choice_shares",
    "choose",
    "columns_asked",
    "parts_of",
    "quantile",
    "support",
    "unit_of",
]
