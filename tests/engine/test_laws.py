"""Laws of every kind: values follow what was asked, at any breadth, and stay in their range."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from engine.errors import UserError
from engine.plain import from_plain, to_plain
from engine.randomize.law import (
    Beta,
    Choice,
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
    center_of,
    quantile,
    support,
    unit_of,
)
from engine.randomize.laws.distribution import below_and_upto, is_discrete, is_smooth, steps_of
from engine.randomize.philox import uniform as philox_uniform

LEAST_P = 1.0e-3  # draws are fixed by the seed: a test that passes once always passes
FAR = Histogram((0.0, 1.0, 3.0, 4.0), (1.0, 0.0, 3.0))
KEPT = Empirical("p.a.b", quantiles=(0.0, 1.0, 1.5, 4.0, 10.0))
COUNTED = Empirical("n", values=(0.0, 1.0, 5.0), weights=(1.0, 2.0, 1.0))
SIMPLE = [
    Constant(4.0),
    Uniform(2.0, 12.0),
    LogUniform(0.1, 100.0),
    Normal(3.0, 0.5),
    TruncatedNormal(1.0, 2.0, 0.0, 1.5),
    Beta(2.0, 5.0, -1.0, 3.0),
    Choice((30.0, 10.0, 20.0), (1.0, 0.0, 3.0)),
    Integer(-2, 3),
    FAR,
    KEPT,
    COUNTED,
]
MADE = [
    Mixture((Part(1.0, Uniform(0.0, 1.0)), Part(3.0, FAR), Part(1.0, Constant(2.0)))),
    Include(Uniform(2.0, 4.0), 0.2),
    Include(Normal(0.0, 1.0), 0.1, -5.0, 5.0),
    Mixture((Part(1.0, Choice((1.0, 2.0))), Part(1.0, Integer(2, 3)))),
]


def values_of(law: Law, count: int = 4000, *, breadth: float = 1.0) -> np.ndarray:
    return quantile(law, philox_uniform(11, "test.law", np.arange(count)), breadth=breadth)


@pytest.mark.parametrize("breadth", [1.0, 0.4])
@pytest.mark.parametrize("law", [*SIMPLE, *MADE, Beta(0.02, 3.0, 1.0, 3.0)], ids=lambda law: law.TAG[1])
def test_asked_and_drawn_agree_for_every_kind(law: Law, breadth: float):
    """KS of places in the distribution function, which is written apart from the values; chi-square of counts."""
    values = values_of(law, breadth=breadth)
    low, high = support(law, breadth)
    assert ((values >= low) & (values <= high)).all()
    if is_discrete(law, breadth):
        steps, shares = steps_of(law, breadth)
        counts = np.array([(values == step).sum() for step in steps])
        assert counts.sum() == len(values)
        assert len(steps) == 1 or stats.chisquare(counts, shares * len(values)).pvalue > LEAST_P
        return
    below, upto = below_and_upto(law, values, breadth=breadth)
    place = below + philox_uniform(1, "place", np.arange(len(values))) * (upto - below)
    assert stats.kstest(place, "uniform").pvalue > LEAST_P
    assert stats.kstest(0.95 * place, "uniform").pvalue < LEAST_P  # the test would see an error of 5 %


@pytest.mark.parametrize(
    ("law", "reference"),
    [
        (Beta(2.0, 5.0, -1.0, 3.0), stats.beta(2.0, 5.0, -1.0, 4.0)),
        (FAR, stats.rv_histogram((np.array([1.0, 0.0, 3.0]), np.array([0.0, 1.0, 3.0, 4.0])), density=False)),
    ],
)
def test_a_law_has_the_distribution_that_scipy_gives_it(law: Law, reference: object):
    assert stats.kstest(values_of(law), reference.cdf).pvalue > LEAST_P
    x = np.linspace(-1.5, 5.0, 200)
    assert below_and_upto(law, x)[1] == pytest.approx(reference.cdf(x))


@pytest.mark.parametrize("law", [law for law in SIMPLE if is_smooth(law)], ids=lambda law: law.TAG[1])
def test_the_distribution_function_undoes_the_quantile_function(law: Law):
    places = np.linspace(0.01, 0.99, 99)
    assert below_and_upto(law, quantile(law, places, breadth=0.7), breadth=0.7)[0] == pytest.approx(places, abs=1e-9)


@pytest.mark.parametrize("law", [*SIMPLE, *MADE], ids=lambda law: law.TAG[1])
def test_breadth_zero_leaves_the_center_of_every_kind(law: Law):
    assert values_of(law, 50, breadth=0.0) == pytest.approx(np.full(50, center_of(law)))
    assert support(law, 0.0) == pytest.approx((center_of(law),) * 2)


@pytest.mark.parametrize("law", [*SIMPLE, *MADE], ids=lambda law: law.TAG[1])
def test_a_narrow_law_stays_within_the_wide_one(law: Law):
    (low, high), (narrow_low, narrow_high) = support(law), support(law, 0.333)
    assert low <= narrow_low <= narrow_high <= high


@pytest.mark.parametrize("law", [*SIMPLE, *MADE], ids=lambda law: law.TAG[1])
def test_a_law_survives_its_plain_form(law: Law):
    assert from_plain(Law, to_plain(law), "x") == law


def test_a_share_of_all_values_is_an_end_of_the_range():
    """Half of the share each; the rest follows the law."""
    values = values_of(Include(Uniform(2.0, 4.0), 0.2), 10_000)
    assert (values == 2.0).mean() == pytest.approx(0.1, abs=0.01)
    assert (values == 4.0).mean() == pytest.approx(0.1, abs=0.01)


def test_the_ends_of_the_unit_interval_stay_inside_every_law():
    for law, breadth in itertools.product((*SIMPLE, *MADE, Integer(2, 7)), (1.0, 1.0 / 3.0)):
        low, high = support(law, breadth)
        ends = quantile(law, np.array([0.0, np.nextafter(1.0, 0.0)]), breadth=breadth)
        assert np.isfinite(ends).all()
        assert ((ends >= low) & (ends <= high)).all(), law


@pytest.mark.parametrize(
    ("key", "unit"),
    [("x_m", "m"), ("speed_m_s", "m/s"), ("focal_mm", "mm"), ("kelvin", "K"), ("stops", "stops"), ("occupancy", "1")],
)
def test_the_end_of_a_key_is_its_unit(key: str, unit: str):
    assert unit_of(key) == unit


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"law": "beta", "alpha": 0, "beta": 1, "low": 0, "high": 1}, "x: beta needs alpha and beta in [0.01, 10000]"),
        ({"law": "histogram", "edges": [0, 0], "weights": [1]}, "x: a histogram needs two or more edges that rise"),
        ({"law": "histogram", "edges": [0, 1, 2], "weights": [1]}, "x: 3 edges make 2 bins, but 1 weights"),
        ({"law": "mixture", "parts": []}, "x: a choice needs at least one value"),
        ({"law": "mixture", "parts": [{"weight": 1, "law": {"law": "x"}}]}, "x.parts[0].law: unknown law 'x'; known: "),
        ({"law": "include", "of": {"law": "normal", "mean": 0, "std": 1}, "share": 0.1}, "x: a normal law has no ends"),
        ({"law": "include", "of": 3, "share": 2}, "x: share must be in [0, 1], got 2"),
        ({"law": "conditional", "by": "a.b", "cases": [], "otherwise": 1}, "x: a conditional law needs at least one"),
        (
            {"law": "conditional", "by": "ab", "cases": [{"low": 1, "then": 2}], "otherwise": 1},
            "x: by must be <randomiser>.<key>, such as lamp_power.stops, got 'ab'",
        ),
        (
            {"law": "conditional", "by": "a.b", "cases": [{"then": 2}], "otherwise": 1},
            "x.cases[0]: a case needs names, low or high",
        ),
        ({"law": "empirical", "column": "x"}, "x: an empirical law needs a dataset to read"),
    ],
)
def test_a_wrong_law_is_one_line(data: object, line: str):
    with pytest.raises(UserError) as caught:
        from_plain(Law, data, "x")
    assert str(caught.value).startswith(line)
