"""The rule of admission errs as rarely as it says, and decides what is plain."""

from __future__ import annotations

import math
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from engine.compare.statistics import holm_by_name
from engine.evaluate.intervals import group_weights
from engine.gate.check import ADMIT, HOLD, REJECT
from engine.gate.request import Utility
from engine.gate.rule import Estimate, Gain, decide, needed
from engine.gate.utility import Study, decided

REPLICATES = 60


def study(
    random: np.random.Generator, *, effect: float = 0.0, seeds: int = 5, groups: int = 20,
    spread: tuple[float, float, float] = (0.02, 0.08, 0.05),
) -> Gain:  # fmt: skip
    """Return gains of models whose luck, whose groups, and both together vary."""
    of_seed, of_group, of_both = spread
    each = effect + of_seed * random.normal(size=(seeds, 1)) + of_group * random.normal(size=groups)
    each = each + of_both * random.normal(size=(seeds, groups))
    weights = _weights(groups)
    return Gain(each.mean(axis=1), each @ weights.T, groups)


@cache
def _weights(groups: int) -> np.ndarray:
    return group_weights(np.arange(groups), 0, REPLICATES) / groups


@pytest.mark.parametrize("spread", [(0.03, 0.0, 0.0), (0.0, 0.1, 0.0), (0.02, 0.08, 0.05), (0.01, 0.05, 0.3)])
def test_a_batch_without_effect_is_admitted_in_one_of_twenty_at_most(spread: tuple[float, float, float]) -> None:
    """600 studies of no effect: 5 % admitted, as many rejected; three standard errors above is 7.7 %."""
    random = np.random.default_rng(1)
    verdicts = [decide("all", {"all": study(random, spread=spread)}, []).verdict for _ in range(600)]
    assert verdicts.count(ADMIT) <= 46
    assert verdicts.count(REJECT) <= 46


def test_what_harms_a_protected_slice_is_hardly_ever_admitted() -> None:
    """A loss of exactly the margin in one of three protected slices, with a gain on the target that nobody doubts."""
    random = np.random.default_rng(2)
    names = ("a", "b", "c")
    admitted = 0
    for _ in range(400):
        gains = {name: study(random, effect=-0.02 if name == "a" else 0.1) for name in names}
        gains |= {"dark": study(random, effect=0.5), "all": study(random, effect=0.2)}
        admitted += decide("dark", gains, names).verdict == ADMIT
    assert admitted <= 33  # 5 % and three standard errors


def test_a_clear_gain_is_admitted_and_a_clear_loss_rejected() -> None:
    random = np.random.default_rng(3)
    for _ in range(40):
        good = {"all": study(random, effect=0.1), "dark": study(random, effect=0.3)}
        assert decide("dark", good, []).verdict == ADMIT
        bad = {"all": study(random, effect=0.2), "dark": study(random, effect=-0.3)}
        assert decide("dark", bad, []).verdict == REJECT
        costly = good | {"light": study(random, effect=-0.4)}
        refused = decide("dark", costly, ["light"])
        assert refused.verdict == REJECT
        assert "light loses more than 0.02" in refused.reasons[0]


def test_bounds_are_those_of_the_t_test_where_seeds_alone_vary() -> None:
    values = np.array([0.02, 0.05, -0.01, 0.04, 0.03])
    own = Gain(values, np.repeat(values[:, None], 50, axis=1), 12).estimate()
    reference = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert (own.low(), own.high()) == pytest.approx((reference.low, reference.high), rel=1e-9)
    assert own.chance_below(0.0) == pytest.approx(stats.ttest_1samp(values, 0.0, alternative="greater").pvalue)
    assert own.chance_above(0.01) == pytest.approx(stats.ttest_1samp(values, 0.01, alternative="less").pvalue)


def test_the_error_of_groups_is_that_of_their_mean() -> None:
    """Seeds agree: what is left is the standard error of a mean over groups, and as many degrees of freedom."""
    random = np.random.default_rng(4)
    each = random.normal(size=30)
    draws = np.tile(each @ (group_weights(np.arange(30), 0, 20_000) / 30).T, (5, 1))
    own = Gain(np.full(5, each.mean()), draws, 30).estimate()
    assert own.error == pytest.approx(stats.sem(each), rel=0.02)
    assert own.freedom == pytest.approx(29)


def test_holm_is_bonferroni_for_the_first_and_one_test_for_the_last() -> None:
    assert holm_by_name({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert holm_by_name({}) == {}


def test_nothing_that_differs_is_open_and_not_a_rejection() -> None:
    same = Gain(np.zeros(5), np.zeros((5, 50)), 20)
    held = decide("dark", {"dark": same, "all": same}, [])
    assert held.verdict == HOLD
    assert "other or more frames" in held.needed


def test_a_target_that_every_seed_and_group_loses_alike_is_a_rejection() -> None:
    """Of a target that was found everywhere nothing is found: there is no spread, and no doubt either."""
    lost = Gain(np.full(5, -1.0), np.full((5, 50), -1.0), 20)
    other = study(np.random.default_rng(8), effect=0.2)
    assert decide("dark", {"dark": lost, "all": other}, []).verdict == REJECT


@pytest.mark.parametrize(("groups", "verdict"), [(4, HOLD), (5, ADMIT)])
def test_a_target_that_few_groups_gain_alike_is_open(groups: int, verdict: str) -> None:
    """All of five groups gain by chance in one of 32 studies, of four in one of 16, which is not one of 20."""
    found = Gain(np.full(5, 1.0), np.full((5, 50), 1.0), groups)
    other = study(np.random.default_rng(8), effect=0.2)
    assert decide("dark", {"dark": found, "all": other}, []).verdict == verdict


def test_too_few_groups_give_no_number() -> None:
    random = np.random.default_rng(5)
    few = study(random, effect=0.5, groups=4)
    few = Gain(few.per_seed, few.draws, 4, min_support=10)
    good = study(random, effect=0.5)
    assert "insufficient, 4 groups of 10" in decide("dark", {"dark": few, "all": good}, []).reasons[0]
    held = decide("dark", {"dark": good, "all": good, "rare": few}, ["rare"])
    assert held.verdict == HOLD
    assert held.reasons == ("rare: insufficient, 4 groups of 10, or nothing to measure",)
    unknown = Gain(np.array([math.nan] * 5), np.full((5, 50), math.nan), 20)
    assert not unknown.is_known


def test_what_may_lose_too_much_is_held_and_said_what_it_needs() -> None:
    """The target gains; of the light 20 groups do not show that nothing is lost, and more would."""
    random = np.random.default_rng(7)
    gains = {name: study(random, effect=0.3) for name in ("all", "dark")}
    gains["light"] = study(random, effect=0.0, spread=(0.005, 0.2, 0.0))
    held = decide("dark", gains, ["light"])
    assert held.verdict == HOLD
    assert held.reasons[0].startswith("light: ")
    assert "light: " in held.needed


def test_as_many_seeds_as_it_names_find_the_gain() -> None:
    """Four of five studies with that many seeds admit; three standard errors of 300 are 7 %."""
    own = Estimate(0.03, 0.03**2 / 5, 1e-9, 5, 20)
    seeds = int(needed(own).split(" at ")[1].split(" seeds")[0])
    random = np.random.default_rng(6)
    spread = (0.03, 0.0, 0.0)
    found = [
        decide("all", {"all": study(random, effect=0.03, seeds=seeds, spread=spread)}, []).verdict == ADMIT
        for _ in range(300)
    ]
    assert 0.73 <= np.mean(found) <= 0.95


def test_a_slice_that_says_nothing_any_more_holds() -> None:
    """The precision of the light is known without the batch alone: models with it predict nothing there."""
    random = np.random.default_rng(9)
    gains = {name: study(random, effect=0.3) for name in ("all", "dark")}
    gains["light"] = Gain(np.full(5, math.nan), np.full((5, 50), math.nan), 20)
    sizes = {"images": 20, "groups": 20, "instances": 20, "min_support": 10}
    for without, verdict in (({"precision": 0.9}, HOLD), ({}, ADMIT)):
        arm = {"without": {"figures": {"light": without}}, "with": {"figures": {"light": {}}}}
        told = Study({name: {"precision": own} for name, own in gains.items()}, [arm] * 5, {"light": sizes}, "world")
        request = SimpleNamespace(
            utility=Utility(metric="precision"), protect=None, protected=("light",), target="dark", holdout="real"
        )
        assert decided(request, told).verdict == verdict  # type: ignore[arg-type]
