"""Proposals, on rows that are made: what is planted moves the law that it hangs on, and nothing moves no law."""

from __future__ import annotations

import numpy as np
import pytest

from engine.plain import from_plain
from engine.propose.columns import MISSING, Column, column_of_law
from engine.propose.laws import GOALS, laws_towards, presence_of, raised
from engine.propose.learn import LEAST_AUC, measured_auc
from engine.propose.measured import Measured
from engine.propose.reach import reach, telling_columns
from engine.propose.rows import Rows
from engine.propose.weights import (
    CAP,
    LEAST_BASE,
    balanced,
    effective_size,
    marginals,
    mixture_weights,
    predicted,
    widened,
)
from engine.randomize.law import (
    Choice,
    Constant,
    Integer,
    Law,
    LogUniform,
    Mixture,
    Normal,
    Part,
    Uniform,
    quantile,
    support,
)

WORLDS, STEPS = 120, 2
NAMES = ("light.stops", "lens.focal_mm", "belt.x_m", "paint.gloss", "dust.share", "tilt.deg")


def column(key: str, law: Law | None = None) -> Column:
    found = column_of_law(key, Uniform(0.0, 1.0) if law is None else law)
    assert isinstance(found, Column)
    return found


def drawn(columns: list[Column], seed: int, worlds: int = WORLDS) -> tuple[Rows, dict[str, np.ndarray]]:
    """Return pictures of worlds, `STEPS` each that share what is drawn, and the values."""
    random = np.random.default_rng(seed)
    world = np.repeat(np.arange(worlds), STEPS)
    values = {one.key: quantile(one.law, random.uniform(size=worlds))[world] for one in columns if one.law is not None}
    placed = {one.key: one.placed(values[one.key][:, None]) for one in columns}
    rows = Rows(
        "images", np.arange(len(world)), world, {key: own[0] for key, own in placed.items()},
        {key: own[1] for key, own in placed.items()}, np.full(len(world), "", dtype=object),
    )  # fmt: skip
    return rows, values


def mean_place(one: Column, shares: np.ndarray) -> float:
    return float(one.places @ shares)


@pytest.mark.parametrize("seed", range(3))
def test_a_failure_planted_in_one_column_moves_its_law_and_keeps_base_coverage(seed: int) -> None:
    """Pictures fail where the light is low: its law goes down, others stay, and a fifth of the batch is as before."""
    columns = [column(name) for name in NAMES]
    rows, values = drawn(columns, seed)
    failing = (values["light.stops"] < 0.2) & (np.random.default_rng(seed).uniform(size=len(rows)) < 0.9)
    assert measured_auc(columns, rows, failing, seed).tells
    laws = laws_towards(columns, rows, failing, np.ones(len(rows)), {}, GOALS[0], seed)
    assert laws.columns[0].key == "light.stops"
    assert mean_place(columns[0], laws.shares["light.stops"]) < 0.2
    assert laws.base_share >= LEAST_BASE
    assert laws.promised > 0.7
    for other in laws.columns[1:]:  # taken by chance: they hardly move
        assert abs(mean_place(other, laws.shares[other.key]) - 0.5) < 0.2


def test_failures_that_hang_on_nothing_are_not_told_from_the_rest() -> None:
    """Of 20 shuffled datasets at most one is, by the lower end of a 90 % interval that must exceed more than chance."""
    columns = [column(name) for name in NAMES]
    told = 0
    for seed in range(20):
        rows, _ = drawn(columns, seed, worlds=60)
        by_world = np.random.default_rng([seed, 1]).uniform(size=60) < 0.3  # worlds fail as a whole
        auc = measured_auc(columns, rows, by_world[rows.world], seed)
        told += auc.tells
        assert auc.tells == (auc.low > LEAST_AUC)
    assert told <= 1


def test_two_columns_that_fail_together_are_both_found() -> None:
    """The share of failures among draws of the new laws, counted with the rule that planted them."""
    columns = [column(name) for name in NAMES]
    rows, values = drawn(columns, 4, worlds=400)
    failing = (values["light.stops"] < 0.4) & (values["lens.focal_mm"] > 0.6)
    laws = laws_towards(columns, rows, failing, np.ones(len(rows)), {}, GOALS[0], 0)
    assert {"light.stops", "lens.focal_mm"} <= set(laws.shares)
    random = np.random.default_rng(5)
    light, lens = (
        one.drawn(laws.shares[one.key], (4000,), random)[1] for one in columns[:2]
    )  # uniform: the place is the value
    assert float(((light < 0.4) & (lens > 0.6)).mean()) > 0.75
    assert float(failing.mean()) < 0.25


def test_weights_are_capped_and_their_effective_size_is_kishs() -> None:
    """w = 0.4 + 0.6 p / mean p, at most 10; n / (1 + variance) for weights of mean 1; what is not new is as before."""
    probability = np.array([0.9] + [0.01] * 99)
    weighted = mixture_weights(probability, np.ones(100))
    mean = probability.mean()
    expected = np.minimum(0.4 + 0.6 * probability / mean, CAP)
    assert weighted.whole == pytest.approx(expected)
    assert weighted.whole[0] == CAP < 0.4 + 0.6 * 0.9 / mean
    assert weighted.base_share == pytest.approx(0.4 / expected.mean())
    assert weighted.targeted + 0.4 == pytest.approx(expected)
    assert effective_size(expected, np.arange(100)) == pytest.approx(expected.sum() ** 2 / (expected**2).sum())
    relative = expected / expected.mean()
    assert effective_size(expected, np.arange(100)) == pytest.approx(100 / (1.0 + relative.var()))
    assert effective_size(np.ones(12), np.arange(12) // 3) == pytest.approx(4.0)
    assert mixture_weights(probability, np.ones(100), share=1.0).base_share >= LEAST_BASE


def test_new_shares_are_the_laws_own_where_all_rows_weigh_the_same() -> None:
    one = column("light.stops", Normal(2.0, 3.0))
    rows, _ = drawn([one], 0, worlds=5000)
    shares = marginals([one], rows, np.ones(len(rows)), np.ones(len(rows)))["light.stops"]
    assert shares == pytest.approx(one.base, abs=1e-9)


def test_importance_weights_predict_what_new_laws_make() -> None:
    """A share that is known: values below 0.25 under a law whose lower half has three quarters of the weight."""
    one = column("light.stops")
    rows, values = drawn([one], 2, worlds=2000)
    shares = {"light.stops": np.repeat([1.5, 0.5], len(one.base) // 2) / len(one.base)}
    found = predicted([one], rows, values["light.stops"] < 0.25, shares, 0)
    assert found.value == pytest.approx(0.375, abs=0.02)
    assert found.low < 0.375 < found.high
    # E[r]^2 / E[r^2] = 1 / (0.5 1.5^2 + 0.5 0.5^2)
    assert found.effective_worlds == pytest.approx(2000 / 1.25, rel=0.05)


def test_defects_that_no_camera_sees_stay_unseen_however_many_are_made() -> None:
    """Half of all bear one and three fifths of those show it: made everywhere, three fifths show it, not all."""
    worlds = 4000
    random = np.random.default_rng(5)
    seen = (random.random(worlds) < 0.5) & (random.random(worlds) < 0.6)
    one = Column("pit.probability", "presence", Constant(0.5), np.array([0.5, 0.5]), values=(0.0, 1.0))
    rows = Rows("images", np.arange(worlds), np.arange(worlds), {one.key: seen.astype(np.int64)[:, None]},
                {one.key: seen.astype(np.float64)[:, None]}, np.full(worlds, "", object))  # fmt: skip
    shown = seen.mean() / 0.5  # of those that bear one
    for never in (0.0, 0.002):
        found = predicted([one], rows, seen, {one.key: np.array([never, 1.0 - never])}, 0)
        assert found.value == pytest.approx(shown, abs=0.005)
        assert found.low < shown < found.high


def test_rows_of_several_laws_stand_for_the_first_one() -> None:
    """The mean of a value over rows of both laws, weighted, is that under the first law."""
    one = column("light.stops")
    base, values = drawn([one], 0, worlds=2000)
    random = np.random.default_rng(1)
    shares = np.repeat([1.8, 0.2], 6) / 12
    bins, places = one.drawn(shares, (4000, 1), random)
    other = Rows(
        "images", np.arange(4000), np.arange(4000), {one.key: bins}, {one.key: places}, np.full(4000, "", object)
    )
    weights = balanced([one], base.joined(other, worlds=2000), [(len(base), {}), (4000, {one.key: shares})])
    both = np.concatenate([values[one.key], places[:, 0]])
    assert float(np.average(both, weights=weights)) == pytest.approx(0.5, abs=0.02)
    assert float(both.mean()) < 0.4


def test_a_kernel_of_silvermans_width_widens_a_histogram() -> None:
    """Shares still sum to 1; the variance grows by the squared bandwidth, 0.9 min(std, IQR / 1.34) n^(-1/5)."""
    middle = (np.arange(240) + 0.5) / 240
    shares = np.exp(-0.5 * ((middle - 0.5) / 0.05) ** 2)
    shares /= shares.sum()
    wide = widened(shares, 50.0)
    assert wide.sum() == pytest.approx(1.0)
    variance = [float(((middle - 0.5) ** 2) @ own) for own in (shares, wide)]
    bandwidth = 0.9 * 0.05 * 50.0**-0.2  # IQR / 1.34 of a normal is its std
    assert variance[1] - variance[0] == pytest.approx(bandwidth**2, rel=0.05)
    assert widened(np.full(12, 1 / 12), 5.0) == pytest.approx(np.full(12, 1 / 12), abs=1e-3)


@pytest.mark.parametrize(
    "law",
    [
        Uniform(-3.0, 2.0), LogUniform(1e-4, 5e-4), Normal(0.0, 2.0), Integer(1, 4),
        Choice((1.0, 2.0, 5.0), (1.0, 0.0, 2.0)),
        Mixture((Part(1.0, Normal(0.0, 1.0)), Part(2.0, Uniform(5.0, 6.0)))),
    ],
)  # fmt: skip
def test_a_new_law_is_a_law_within_the_range_of_the_old_one(law: Law) -> None:
    one = column("some.value", law)
    plain = one.plain(np.linspace(1.0, 2.0, len(one.base)))
    new = from_plain(Law, plain, "law")  # type: ignore[arg-type]
    low, high = support(law)
    assert low <= support(new)[0] <= support(new)[1] <= high
    uniform = (np.arange(20_000) + 0.5) / 20_000
    back, _ = one.placed(quantile(new, uniform)[:, None])
    asked = np.linspace(1.0, 2.0, len(one.base))
    got = np.bincount(back[:, 0], minlength=len(one.base)) / 20_000
    assert got == pytest.approx(asked / asked.sum(), abs=0.02)


def test_columns_that_cannot_be_reweighted_say_why_and_constants_are_none() -> None:
    assert column_of_law("some.value", Constant(1.0)) is None
    mixed = Mixture((Part(1.0, Constant(0.0)), Part(1.0, Uniform(0.0, 1.0))))
    assert column_of_law("some.value", mixed) == "its law has both single values and a spread"


def test_the_probability_of_a_defect_follows_bayes() -> None:
    """q'(there) = q p / (q p + (1 - q) r), where p and r are how often a picture with and without one is wanted."""
    one = Column("crack.probability", "presence", Constant(0.3), np.array([0.7, 0.3]), values=(0.0, 1.0))
    assert raised(one, np.array([0.1, 0.6]), 1.0)[1] == pytest.approx(0.3 * 0.6 / (0.3 * 0.6 + 0.7 * 0.1))
    assert one.plain(raised(one, np.array([0.0, 0.6]), 1.0)) == 1.0
    there = np.repeat([0, 1], 500)[:, None]
    rows = Rows(
        "images", np.arange(1000), np.arange(1000), {one.key: there}, {one.key: there * 0.5}, np.full(1000, "", object)
    )
    wanted = np.concatenate([np.arange(500) < 50, np.arange(500) < 300])
    found = presence_of([one], rows, {"crack": 0.9}, wanted, np.ones(1000))
    assert found[one.key][1] == pytest.approx([0.1, 0.6], abs=0.002)
    assert presence_of([one], rows, {"crack": 0.01}, wanted, np.ones(1000)) == {}


def measured(values: np.ndarray, names: tuple[str, ...], of_class: str = "nail") -> Measured:
    return Measured(dict(zip(names, values.T, strict=True)), np.full(len(values), of_class, dtype=object))


def test_nearest_rendered_instances_recover_what_was_drawn() -> None:
    """Real failures were made at a known place of one column; the accepted rows are there, wider by a bandwidth."""
    columns = [column("light.stops"), column("belt.x_m"), column("lens.focal_mm")]
    rows, values = drawn(columns, 3, worlds=1500)
    rows, noise = rows.chosen(np.arange(0, len(rows), STEPS)), np.random.default_rng(0)
    light, lens = values["light.stops"][::STEPS], values["lens.focal_mm"][::STEPS]
    seen = np.stack([light + noise.normal(0, 0.02, len(light)), lens + noise.normal(0, 0.02, len(lens))], axis=1)
    names = ("lum_mean", "blur_lap")
    true = np.stack([np.full(20, 0.8), noise.uniform(0.3, 0.7, 20)], axis=1) + noise.normal(0, 0.02, (20, 2))
    failing = np.ones(20, np.bool_)
    reached = reach(measured(true, names), failing, np.arange(20) // 2, measured(seen, names), rows.world)
    assert reached.reachable.all()
    assert not reached.missing
    assert reached.weights.sum() == pytest.approx(10.0)  # one a group
    told = telling_columns(columns, rows, reached.weights, 6)
    assert told[0].key == "light.stops"
    assert "belt.x_m" not in {one.key for one in told}
    shares = marginals(told, rows, reached.weights, np.ones(len(rows)))["light.stops"]
    place = columns[0].places
    assert float(place @ shares) == pytest.approx(0.8, abs=0.03)
    assert float(np.sqrt(((place - 0.8) ** 2) @ shares)) < 0.12


def test_what_the_scene_cannot_show_is_named_with_its_range() -> None:
    """One failure is brighter than anything rendered, one is of a class that is not; the rest is within reach."""
    random = np.random.default_rng(1)
    names = ("lum_mean", "lum_std", "noise_sigma")
    seen = measured(random.uniform(0.2, 0.6, (600, 3)), names)
    real = np.full((4, 3), 0.4)
    real[1, 0] = 0.95
    classes = np.array(["nail", "nail", "nail", "screw"], dtype=object)
    found = reach(
        Measured(dict(zip(names, real.T, strict=True)), classes),
        np.ones(4, np.bool_),
        np.arange(4),
        seen,
        np.arange(600),
    )
    assert found.reachable.tolist() == [True, False, True, False]
    bright, screw = found.missing
    assert (bright.of_class, bright.column, bright.instances) == ("nail", "lum_mean", 1)
    assert bright.value == pytest.approx(0.95)
    assert (bright.low, bright.high) == pytest.approx((0.2, 0.6), abs=0.02)
    assert (screw.of_class, screw.column) == ("screw", "")
    assert "asset or a rule" in str(screw)
    assert found.near(seen).sum() > 0
    assert not found.near(measured(np.full((1, 3), 0.95), names)).any()


def test_missing_values_say_nothing() -> None:
    one = column("light.stops")
    bins, places = one.placed(np.array([[0.1, np.nan], [np.nan, np.nan]]))
    assert bins.tolist() == [[1, MISSING], [MISSING, MISSING]]
    assert np.isnan(places[1]).all()
