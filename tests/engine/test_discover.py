"""Slices that nobody named: planted ones are found, luck is not, and groups are the observations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm

from engine.compare.statistics import holm
from engine.discover.bins import Coded, Place, code_numbers, code_words, readable_edges
from engine.discover.confirm import CONFIRMED_AT, rate_of
from engine.discover.contrast import Totals, benjamini_hochberg, contrast, contrast_of
from engine.discover.discover import Discovery, discover, where_of
from engine.discover.lattice import Half, _count, p_value, search
from engine.discover.rows import Options, Rows, first_half

NAMES = ("lum", "noise", "blur", "depth", "area", "edge", "cnr", "turn")
CLASSES = ("box", "pallet", "rack")
Values = dict[str, np.ndarray]


def world(seed: int, groups: int = 500) -> tuple[np.ndarray, Values]:
    """Return groups of one to five rows; lum and noise are of the group, blur follows lum, the rest is of the row."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), random.integers(1, 6, groups))
    values: Values = {name: random.random(len(group)) for name in NAMES}
    for name in ("lum", "noise"):
        values[name] = random.random(groups)[group]
    values["blur"] = np.clip(values["lum"] + 0.15 * random.standard_normal(len(group)), 0.0, 1.0)
    values["class"] = random.integers(0, 3, len(group))
    return group, values


def rows_of(group: np.ndarray, values: Values, failed: np.ndarray, seed: int) -> Rows:
    half = first_half(group, seed)
    columns: list[Coded] = []
    for name, own in values.items():
        place = Place(name, f"f.{name}", name, 64)
        if name == "class":
            columns.append(code_words(place, CLASSES, own, np.arange(3)))
        else:
            columns.append(code_numbers(place, own, learn=half, bins=12))
    return Rows(failed.astype(np.float64), group, half, columns, [], True, None)


def find(seed: int, rate: Callable[[Values], np.ndarray], groups: int = 500, **options: int) -> Discovery:
    group, values = world(seed, groups)
    failed = np.random.default_rng([seed, 1]).random(len(group)) < rate(values)
    return discover(rows_of(group, values, failed, seed), Options(seed=seed, **options))


def conditions(found: Discovery) -> list[dict[str, tuple[str, str]]]:
    """Return every confirmed slice as column to comparison and edge or word."""
    pattern = r"f\.(\w+) (<|>=|=) ('\w+'|[\d.]+)"
    return [{name: (sign, edge) for name, sign, edge in re.findall(pattern, one.where)} for one in found.confirmed]


def is_near(found: tuple[str, str], sign: str, edge: float) -> bool:
    return found[0] == sign and abs(float(found[1]) - edge) <= 0.1


def test_one_weak_column_is_found_at_its_edge() -> None:
    """Instances in the dark fail five times as often; what only goes with the dark is not blamed."""
    right = 0
    for seed in range(5):
        found = conditions(find(seed, lambda v: np.where(v["lum"] < 0.25, 0.5, 0.1)))
        right += len(found) == 1 and found[0].keys() == {"lum"} and is_near(found[0]["lum"], "<", 0.25)
    assert right >= 4


def test_two_columns_that_are_weak_together_are_found_together() -> None:
    right = 0
    for seed in range(5):
        found = conditions(find(seed, lambda v: np.where((v["lum"] < 0.3) & (v["area"] > 0.7), 0.7, 0.1)))
        right += any(
            one.keys() == {"lum", "area"} and is_near(one["lum"], "<", 0.3) and is_near(one["area"], ">=", 0.7)
            for one in found
        )
    assert right >= 4


def test_one_class_in_the_dark_is_found_by_its_name() -> None:
    right = 0
    for seed in range(5):
        found = conditions(find(seed, lambda v: np.where((v["lum"] < 0.35) & (v["class"] == 1), 0.7, 0.1)))
        right += any(
            one.keys() == {"lum", "class"} and one["class"] == ("=", "'pallet'") and is_near(one["lum"], "<", 0.35)
            for one in found
        )
    assert right >= 4


def test_what_is_found_is_told_by_the_half_that_did_not_find_it() -> None:
    """The figure is that of the other half's rows, and its interval has the truth."""
    inside = 0
    for seed in range(20):
        group, values = world(seed, groups=300)
        values = {name: values[name] for name in ("lum", "area")}
        chance = np.where(values["lum"] < 0.25, 0.5, 0.1)
        failed = np.random.default_rng([seed, 1]).random(len(group)) < chance
        found = discover(rows_of(group, values, failed, seed), Options(seed=seed, most=1))
        if not found.confirmed:
            continue
        one = found.confirmed[0].carried
        half = found.halves[1]
        held = half.chosen(one.predicate)
        assert one.confirmation.difference.value == pytest.approx(
            half.outcome[held].mean() - half.outcome[~held].mean()
        )
        assert not set(found.rows.group[found.rows.discovery]) & set(found.rows.group[~found.rows.discovery])
        chance = chance[~found.rows.discovery]
        truth = chance[held].mean() - chance[~held].mean()
        inside += one.confirmation.difference.low <= truth <= one.confirmation.difference.high
    assert inside >= 16  # 18 on average


@pytest.mark.parametrize("together", [False, True])
def test_shuffled_outcomes_give_nothing(together: bool) -> None:
    """Two dozen tables without any weak slice, of failures alone or in whole groups: none is found in any."""
    found = []
    for seed in range(24):
        group, values = world(seed, groups=160)
        random = np.random.default_rng([seed, 2])
        chance = random.beta(0.4, 1.6, 160)[group] if together else np.full(len(group), 0.2)
        rows = rows_of(group, values, random.random(len(group)) < chance, seed)
        found += discover(rows, Options(seed=seed, support=15)).confirmed
    assert len(found) <= 1  # CONFIRMED_AT x rate of 24 is 0.12


def test_a_test_that_ignores_groups_cries_wolf_where_ours_does_not() -> None:
    """Groups of twenty fail together by chance: in most tables the binomial test passes some column of groups."""
    naive, ours = 0, 0
    for seed in range(40):
        random = np.random.default_rng([seed, 3])
        group = np.repeat(np.arange(100), 20)
        failed = (random.random(2000) < random.beta(0.6, 1.4, 100)[group]).astype(np.float64)
        chosen = random.random((30, 100)) < 0.3
        rows, failures = np.full(100, 20.0), np.bincount(group, failed)
        whole = contrast((chosen * rows, chosen * failures), (rows, failures), Totals.of(failed, rows, failures))
        plain = np.sqrt(failed.var() * (1.0 / whole.rows + 1.0 / (2000 - whole.rows)))
        naive += benjamini_hochberg(norm.sf(whole.difference / plain), 30, 0.1) >= 0.0
        ours += benjamini_hochberg(whole.p, 30, 0.1) >= 0.0
    assert naive >= 30
    assert ours <= 6  # 4 on average, at most


@pytest.mark.parametrize("base", [0.05, 0.5, 0.9])
def test_p_values_are_not_smaller_than_chance(base: float) -> None:
    """Groups that fail together, slices of groups and of rows: a p-value below 1 % is no commoner than 1 %."""
    p = []
    for seed in range(20):
        random = np.random.default_rng([seed, 4])
        group = np.repeat(np.arange(150), random.integers(1, 7, 150))
        failed = (random.random(len(group)) < random.beta(base * 2, (1 - base) * 2, 150)[group]).astype(np.float64)
        of_groups = (random.random((40, 150)) < 0.25)[:, group]
        of_rows = random.random((40, len(group))) < 0.2
        p += [float(contrast_of(failed, group, chosen).p[0]) for chosen in np.concatenate([of_groups, of_rows])]
    assert np.mean(np.array(p) <= 0.01) <= 0.0135  # 1600 of them: two standard errors and a half
    assert 0.06 < np.mean(np.array(p) <= 0.1) <= 0.115


def test_the_variance_is_the_sandwich_of_a_regression() -> None:
    """X'X inverse times the sum of X'u u'X over groups, written out; rows of a slice in some groups alone."""
    random = np.random.default_rng(5)
    group = np.repeat(np.arange(60), random.integers(1, 6, 60))
    chosen = random.random(len(group)) < random.random(60)[group]
    outcome = (random.random(len(group)) < np.where(chosen, 0.6, 0.2)).astype(np.float64)
    x = np.stack([np.ones(len(group)), chosen], axis=1)
    bread = np.linalg.inv(x.T @ x)
    coefficients = bread @ x.T @ outcome
    scores = np.zeros((60, 2))
    np.add.at(scores, group, x * (outcome - x @ coefficients)[:, None])
    sandwich = (bread @ (scores.T @ scores) @ bread)[1, 1] * 60 / 59
    found = contrast_of(outcome, group, chosen)
    assert found.difference[0] == pytest.approx(coefficients[1])
    rows, failures = np.bincount(group).astype(float), np.bincount(group, outcome)
    alone = replace(Totals.of(outcome, rows, failures), variance=0.0)
    inside = tuple(np.bincount(group[chosen], weights, 60)[None] for weights in (None, outcome[chosen]))
    assert contrast(inside, (rows, failures), alone).variance[0] == pytest.approx(sandwich)
    assert found.variance[0] >= sandwich
    assert found.groups[0] == len(np.unique(group[chosen]))
    assert found.rest_groups[0] == len(np.unique(group[~chosen]))


def test_a_slice_that_failed_wholly_is_no_proof_where_nearly_all_fail() -> None:
    """Ten rows of ten groups: 0.9^10 is 0.35; the sandwich alone would say it is certain."""
    group = np.arange(100)
    chosen = group < 10
    outcome = np.ones(100)
    outcome[50:60] = 0.0
    assert 0.1 < contrast_of(outcome, group, chosen).p[0] < 0.35


def test_independent_rows_have_the_variance_of_the_textbook() -> None:
    """Groups of one row: s^2 (1/n1 + 1/n0) of all, or p1 (1 - p1) / n1 + p0 (1 - p0) / n0 times n / (n - 1)."""
    outcome = np.array([1, 1, 1, 0] * 5 + [0, 0, 0, 0, 1] * 12, np.float64)
    chosen = np.arange(80) < 20
    found = contrast_of(outcome, np.arange(80), chosen)
    own = (0.75 * 0.25 / 20 + 0.2 * 0.8 / 60) * 80 / 79
    pooled = outcome.var() * (1 / 20 + 1 / 60)
    assert found.variance[0] == pytest.approx(max(own, pooled))


def test_benjamini_hochberg_is_that_of_scipy() -> None:
    random = np.random.default_rng(6)
    p = np.concatenate([random.random(200), random.random(20) * 1e-3])
    passes = false_discovery_control(p) <= 0.1
    assert (p <= benjamini_hochberg(p, len(p), 0.1)).tolist() == passes.tolist()
    assert benjamini_hochberg(np.array([0.04]), 10, 0.1) == -1.0


def test_a_slice_below_support_is_never_reported() -> None:
    """Everything fails in 30 groups of 500: 15 of the half. With a support of 10 that is found, with 20 it is not."""
    group, values = world(11)
    values["cnr"] = np.where(group < 30, 0.01, 0.5)
    failed = (group < 30) | (np.random.default_rng(1).random(len(group)) < 0.05)
    for support, count in ((10, 1), (20, 0)):
        found = discover(rows_of(group, values, failed, 3), Options(seed=3, support=support))
        weak = [one for one in found.named if "cnr" in one.where]
        assert len([one for one in weak if one.carried.is_confirmed]) == count
        for one in found.named:
            assert one.carried.discovery.groups >= support
            held = found.halves[0].chosen(one.carried.predicate)
            assert len(np.unique(found.halves[0].group[held])) == one.carried.discovery.groups


def test_a_child_that_its_parent_explains_is_left_out() -> None:
    """The dark fails whatever the class: no slice names both, and one stands for all its edges."""
    for seed in range(3):
        found = find(seed, lambda v: np.where(v["lum"] < 0.3, 0.8, 0.05))
        assert [one.carried.predicate for one in found.named if len(one.carried.predicate) > 1] == []
        assert len(found.named) == 1
        assert any("blur" in where_of(found.rows, other.predicate) for other in found.named[0].carried.alike)


def test_the_search_says_how_much_it_could_have_tested() -> None:
    """Pairs and triples over different columns, counted by hand; p-values are corrected for all of them."""
    assert _count([2, 3, 4], 1) == 9
    assert _count([2, 3, 4], 2) == 2 * 3 + 2 * 4 + 3 * 4
    assert _count([2, 3, 4], 3) == 24
    found = find(2, lambda v: np.where(v["lum"] < 0.25, 0.5, 0.1))
    level = found.levels[0]
    ranges = [(c, *own) for c, column in enumerate(found.rows.columns) for own in column.ranges()]
    held = [found.halves[0].chosen((one,)) for one in ranges]
    groups = [min(len(np.unique(found.halves[0].group[rows])) for rows in (own, ~own)) for own in held]
    assert level.tested == level.counted == sum(count >= 20 for count in groups)
    half, edge = found.halves[0], Options().rate / Options().most * len(level.found) / level.counted
    assert all(p_value(half, one.predicate)[0] <= edge for one in level.found)


def test_holm_counts_all_that_were_carried() -> None:
    found = find(4, lambda v: np.where((v["lum"] < 0.25) | (v["area"] > 0.8), 0.5, 0.1))
    carried = [one.carried for one in found.named]
    assert len(found.confirmed) >= 2
    expected = holm(np.array([one.confirmation.p for one in carried]))
    assert [one.p_holm for one in carried] == pytest.approx(expected.tolist())
    assert all((one.p_holm <= CONFIRMED_AT) == one.is_confirmed for one in carried)


def test_a_seed_gives_the_same_slices_and_another_other_halves() -> None:
    one, two = (find(7, lambda v: np.where(v["lum"] < 0.25, 0.5, 0.1)) for _ in range(2))
    assert [(n.where, n.carried) for n in one.named] == [(n.where, n.carried) for n in two.named]
    group = np.repeat(np.arange(20), 3)
    assert first_half(group, 0).tolist() != first_half(group, 1).tolist()
    assert len(set(group[first_half(group, 0)])) == 10


def test_counts_are_searched_like_failures() -> None:
    """False alarms of pictures: three times as many in noisy ones."""
    random = np.random.default_rng(8)
    group, values = world(8)
    alarms = random.poisson(np.where(values["noise"] > 0.75, 1.2, 0.4))
    found = discover(rows_of(group, values, alarms, 0), Options(of="alarms"))
    assert [one.keys() for one in conditions(found)] == [{"noise"}]
    assert is_near(conditions(found)[0]["noise"], ">=", 0.75)


def test_too_few_groups_are_called_so() -> None:
    found = find(1, lambda v: np.where(v["lum"] < 0.25, 0.9, 0.1), groups=70)
    assert found.note.startswith("no power: the discovery half has 35 independent groups")
    assert found.named == ()


def test_rates_have_the_intervals_of_an_evaluation() -> None:
    """All of 12 groups failed: Wilson's of 12; elsewhere the bootstrap over groups."""
    half = Half((), np.zeros((0, 24), np.uint8), np.repeat([1.0, 0.0, 1.0, 0.0], 6), np.arange(24))
    chosen = np.arange(24) < 6
    rate = rate_of(half, chosen, seed=0)
    assert (rate.value, rate.high) == (1.0, 1.0)
    assert rate.low == pytest.approx(6 / (6 + 1.6448536**2), rel=1e-6)
    both = rate_of(half, np.ones(24, np.bool_), seed=0)
    assert both.value == 0.5
    assert 0.3 < both.low < 0.4 < 0.6 < both.high < 0.7


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([0.0, 1.0, 1.0, 2.0], ["1", "2"]),
        ([0.1 + 0.2, 0.1, 0.1], ["0.3"]),
        ([5.0, 5.0], []),
        ([], []),
        (np.arange(10_000.0), ["2000", "5000", "8000"]),
        (np.linspace(0.0, 1e-5, 997), ["0.000003", "0.000005", "0.000008"]),
        (np.r_[np.zeros(700), np.linspace(1, 2, 301)], ["1"]),
    ],
)
def test_edges_are_readable(values: Sequence[float], edges: list[str]) -> None:
    found = readable_edges(np.asarray(values, np.float64), 4)
    assert found == edges


def test_two_conjuncts_are_not_taken_from_one_column() -> None:
    group, values = world(9)
    half = Half.of(
        rows_of(group, values, values["lum"] < 0.5, 0).columns, (values["lum"] < 0.5).astype(float), group,
        np.ones(len(group), np.bool_),
    )  # fmt: skip
    for level in search(half, most=2, support=20, rate=0.1):
        for one in level.found:
            assert len({column for column, _, _ in one.predicate}) == level.conjuncts
