"""The answer of a suite is wrong about as rarely as it says, and no spread is no certainty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.evaluate.board import NAMES, Judged
from engine.evaluate.intervals import group_weights
from engine.suite.pinned import Rule
from engine.suite.verdict import Verdict, judge, worst

REPLICATES, TRIALS = 300, 200
ALLOW = 0.05


def judged(name: str, part: np.ndarray, whole: np.ndarray, weights: np.ndarray, *, groups: int | None = None) -> Judged:
    """Return a share `part / whole` of groups as a board does."""
    values, draws = np.full(len(NAMES), math.nan), np.full((len(weights), len(NAMES)), math.nan)
    place = NAMES.index(name)
    values[place] = part.sum() / whole.sum()
    draws[:, place] = (weights @ part) / (weights @ whole)
    return Judged(values, draws, len(part), groups or len(part), int(whole.sum()))


def rule(metric: str = "recall", **more: object) -> Rule:
    plain = {"metric": metric, "allow": ALLOW, "limit": None, "open": "open", "min_support": 20} | more
    return Rule(**plain)  # type: ignore[arg-type]


def answers(groups: int, loss: float, seed: int = 3) -> dict[str, float]:
    """Return how often each answer comes, of a model that loses so much; losses come in whole groups of two instances.

    The blessed model finds nine of ten, in groups that are hard or easy for both.
    """
    random = np.random.default_rng(seed)
    whole = np.full(groups, 2.0)
    weights = group_weights(np.arange(groups), 0, REPLICATES)
    words: list[str] = []
    for _ in range(TRIALS):
        theirs = 2.0 * (random.random(groups) < 0.9)
        ours = np.where(random.random(groups) < loss / 0.9, 0.0, theirs)
        words.append(
            judge(rule(), judged("recall", ours, whole, weights), judged("recall", theirs, whole, weights)).word
        )
    return {word: words.count(word) / TRIALS for word in ("pass", "open", "fail")}


@pytest.mark.parametrize("groups", [60, 200])
def test_at_the_allowed_loss_each_answer_is_wrong_about_one_time_in_twenty(groups: int) -> None:
    found = answers(groups, ALLOW)
    assert found["pass"] < 0.11
    assert found["fail"] < 0.11
    assert found["open"] > 0.8


def test_with_enough_groups_an_equal_model_passes_and_a_worse_one_fails() -> None:
    assert answers(200, 0.005)["pass"] > 0.95
    assert answers(200, 0.15)["fail"] > 0.95
    assert answers(60, 0.0)["pass"] == 1.0  # nothing differs, of 120 instances: a loss of 3 / 120 at most


@pytest.mark.parametrize(("count", "word"), [(59, "open"), (60, "pass")])
def test_without_spread_the_loss_is_at_most_three_of_all_instances(count: int, word: str) -> None:
    """Where nothing differs, 3 / n is what cannot be ruled out; where both said the very same there is nothing."""
    whole, part = np.ones(count), np.ones(count)
    part[:5] = 0.0
    one = judged("recall", part, whole, group_weights(np.arange(count), 0, REPLICATES))
    found = judge(rule(), one, one)
    assert found.word == word
    assert found.gain is not None
    assert (found.gain.low, found.gain.high) == pytest.approx((-3.0 / count, 3.0 / count))
    assert judge(rule(allow=0.0), one, one, is_same=True).word == "pass"


def pair(metric: str, ours: float, theirs: float) -> Verdict:
    """Return the answer where all groups have the same values."""
    weights = group_weights(np.arange(400), 0, REPLICATES)
    found = [judged(metric, np.full(400, value), np.ones(400), weights) for value in (ours, theirs)]
    return judge(rule(metric), *found)


def test_fewer_false_alarms_are_a_gain() -> None:
    fewer, more = pair("false_alarms", 0.2, 0.4), pair("false_alarms", 0.4, 0.2)
    assert (fewer.word, more.word) == ("pass", "fail")
    assert fewer.gain is not None
    assert fewer.gain.value == pytest.approx(0.2)
    assert (pair("recall", 0.2, 0.4).word, pair("recall", 0.4, 0.2).word) == ("fail", "pass")


def test_a_model_that_says_nothing_has_no_precision_and_fails() -> None:
    weights = group_weights(np.arange(40), 0, REPLICATES)
    good = judged("precision", np.full(40, 0.5), np.ones(40), weights)
    nothing = Judged(np.full(len(NAMES), math.nan), np.full((REPLICATES, len(NAMES)), math.nan), 40, 40, 40)
    assert judge(rule("precision"), nothing, good).word == "fail"
    assert judge(rule("precision"), good, nothing).word == "pass"
    assert judge(rule("precision"), nothing, nothing).word == "insufficient"


def test_a_limit_and_the_blessed_model_must_both_hold() -> None:
    weights = group_weights(np.arange(100), 0, REPLICATES)
    part = (np.arange(100) % 10 > 0).astype(float)
    one = judged("recall", part, np.ones(100), weights)
    assert judge(rule(limit=0.8), one, one, is_same=True).word == "pass"
    assert judge(rule(limit=0.9), one, one, is_same=True).word == "open"
    assert judge(rule(limit=0.9, open="pass"), one, one, is_same=True).word == "pass"
    assert judge(rule(limit=0.99), one, one, is_same=True).word == "fail"
    few = judged("recall", part[:19], np.ones(19), weights[:, :19])
    assert judge(rule(limit=0.99), few, few).word == "insufficient"
    assert worst(["pass", "open", "insufficient"]) == "insufficient"
    assert worst(["fail", "insufficient"]) == "fail"
