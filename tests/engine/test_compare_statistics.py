"""The tests behind `diff`: equal to SciPy's for independent rows, and honest about rows that come in groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.compare.statistics import Sample, compare_categories, compare_numbers, effective_rows, holm


def alone(values: np.ndarray) -> Sample:
    """Return a sample of independent rows."""
    return Sample(np.asarray(values, float), np.arange(len(values)))


@pytest.mark.parametrize(("count", "shift"), [(40, 0.0), (200, 0.3), (3000, 0.05)])
def test_numbers_of_independent_rows_are_compared_as_scipy_does(count: int, shift: float) -> None:
    """The statistic and the distance exactly, the p-value as near as Stephens's approximation is."""
    random = np.random.default_rng(count)
    one, two = random.normal(size=count), random.normal(shift, 1.2, size=count // 2)
    found = compare_numbers(alone(one), alone(two))
    theirs = stats.ks_2samp(one, two)
    assert found.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert found.p == pytest.approx(theirs.pvalue, rel=0.2)
    spread = np.sqrt((one.var() * len(one) + two.var() * len(two)) / (len(one) + len(two)))
    assert found.effect == pytest.approx(stats.wasserstein_distance(one, two) / spread, rel=1e-9)
    assert found.effective == (count, count // 2)


def test_a_shift_by_a_standard_deviation_is_an_effect_of_one() -> None:
    values = np.random.default_rng(1).normal(size=5000)
    assert compare_numbers(alone(values), alone(values + 3.0)).effect == pytest.approx(3.0, rel=0.01)
    assert compare_numbers(alone(values), alone(values)).effect == 0.0


def test_categories_of_independent_rows_are_compared_as_scipy_does() -> None:
    """Pearson's statistic, its p-value, and Cramer's V."""
    random = np.random.default_rng(3)
    one, two = random.choice(4, 300, p=[0.1, 0.2, 0.3, 0.4]), random.choice(4, 200, p=[0.2, 0.2, 0.3, 0.3])
    found = compare_categories(alone(one), alone(two))
    table = np.stack([np.bincount(one, minlength=4), np.bincount(two, minlength=4)])
    statistic, p, _, _ = stats.chi2_contingency(table, correction=False)
    assert found is not None
    assert (found.statistic, found.p) == pytest.approx((statistic, p), rel=1e-9)
    assert found.effect == pytest.approx(np.sqrt(statistic / 500), rel=1e-9)
    assert compare_categories(alone(np.zeros(9)), alone(np.zeros(9))) is None


def test_copies_of_a_row_count_once() -> None:
    """Ten frames of a world that are all alike are worth one; rows that have nothing in common count all."""
    random = np.random.default_rng(4)
    group = np.repeat(np.arange(50), 10)
    assert effective_rows(Sample(np.repeat(random.normal(size=50), 10), group)) == 50.0
    assert effective_rows(Sample(random.normal(size=500), group)) > 300.0
    between = np.repeat(random.normal(size=50), 10) + random.normal(size=500)  # an ICC of one half
    assert 60.0 < effective_rows(Sample(between, group)) < 150.0


def test_groups_keep_false_alarms_rare() -> None:
    """Of samples of one law in alike groups, at most about one in twenty differs at 0.05; without groups most do."""
    random = np.random.default_rng(5)
    group = np.repeat(np.arange(20), 30)

    def draw() -> np.ndarray:
        return np.repeat(random.normal(size=20), 30) + 0.3 * random.normal(size=600)

    def draw_words() -> np.ndarray:
        return np.clip(np.repeat(random.integers(0, 3, 20), 30) + (random.uniform(size=600) < 0.05), 0, 2)

    rounds, alarms = 200, {"grouped": 0, "alone": 0, "words": 0}
    for _ in range(rounds):
        one, two = draw(), draw()
        alarms["grouped"] += compare_numbers(Sample(one, group), Sample(two, group)).p < 0.05
        alarms["alone"] += compare_numbers(alone(one), alone(two)).p < 0.05
        words = compare_categories(*(Sample(draw_words().astype(float), group) for _ in range(2)))
        assert words is not None
        alarms["words"] += words.p < 0.05
    assert alarms["grouped"] <= 0.08 * rounds
    assert alarms["words"] <= 0.1 * rounds
    assert alarms["alone"] > 0.5 * rounds


def test_rare_categories_are_put_together() -> None:
    """A thousand names that occur once do not make a difference by themselves."""
    one, two = np.r_[np.zeros(500), np.arange(1, 501)], np.r_[np.zeros(500), np.arange(501, 1001)]
    found = compare_categories(alone(one), alone(two))
    assert found is None or found.p > 0.9


def test_holm_is_as_worked_by_hand() -> None:
    """Sorted, times what is left, never falling."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([])).tolist() == []
