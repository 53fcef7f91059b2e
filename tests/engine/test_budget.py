"""Budgets: shares follow risk, gap and learnability, add up, keep a floor, and stop by stated rules."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from engine.budget.__main__ import main
from engine.budget.allocate import FLOOR, Budget, Share, allocate, is_worth_it
from engine.budget.bandit import Normal, belief, pooled, thompson_shares, whole_numbers
from engine.budget.history import Gain, Gated
from engine.budget.stopping import Standing, State, StopRule
from engine.budget.wanted import Needs, Wanted
from engine.evaluate.evaluate import Figure
from engine.evaluate.intervals import Z_90
from tests.engine.budget_story import gate_answer, write_answer, write_report

PRIOR = Normal(0.05, 0.05)


def needs_of(target: float, **values: float) -> Needs:
    """Return slices with a figure each, 0.05 of interval to either side."""
    own = tuple(Wanted(name, 1.0, 30, 10, Figure(v, v - 0.05, v + 0.05)) for name, v in values.items())
    return Needs(Path("report"), "", "ds", "recall", target, True, own)


def answer(target: str, frames: int, gain: float, *, noise: float, day: int, verdict: str = "admit") -> Gated:
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    own = Gain(gain, gain - Z_90 * noise, gain + Z_90 * noise)
    return Gated(Path("gate.json"), f"{target}{day}", time, target, f"ds_{target}{day}", frames, verdict, own)


def spend(worlds: int = 600, left: int | None = None, least: float | None = None, seed: int = 0) -> Budget:
    return Budget(worlds, 1, PRIOR, least, left, seed)


def by_name(shares: list[Share]) -> dict[str, Share]:
    return {one.wanted.name: one for one in shares}


def test_shares_are_risk_times_gap_where_nothing_was_tried() -> None:
    """With one prior for all, learnability is equal in the mean: 2 x 0.2 and 1 x 0.4 get as much, 1 x 0.2 half."""
    worths = [0.4, 0.4, 0.2]
    shares = thompson_shares(worths, [Normal(0.05, 1e-9)] * 3, seed=0)
    assert shares == pytest.approx([0.4, 0.4, 0.2], abs=1e-6)


def test_shares_of_two_slices_are_the_integral_over_their_beliefs() -> None:
    """The mean over draws is the expectation of a/(a+b), which quadrature knows."""
    one, two = Normal(0.3, 0.05), Normal(0.2, 0.08)
    grid = np.linspace(0.0005, 0.9995, 1000)
    a = np.maximum(stats.norm(one.mean, one.std).ppf(grid), 0.0)[:, None]
    b = np.maximum(stats.norm(two.mean, two.std).ppf(grid), 0.0)[None]
    expected = float(np.mean(2.0 * a / (2.0 * a + b)))
    shares = thompson_shares([2.0, 1.0], [one, two], seed=3)
    assert shares[0] == pytest.approx(expected, abs=0.005)


def test_a_belief_is_the_product_of_prior_and_what_was_seen() -> None:
    """The posterior density is proportional to prior x likelihood of the lower bound, on a grid."""
    seen = Gain(0.2, 0.2 - Z_90 * 0.04, 0.2 + Z_90 * 0.04)
    grid = np.linspace(-0.5, 0.7, 24_001)
    weight = stats.norm.pdf(grid, 0.05, 0.05) * stats.norm.pdf(seen.low, grid, 0.04)
    mean = float(np.sum(grid * weight) / np.sum(weight))
    std = math.sqrt(float(np.sum((grid - mean) ** 2 * weight) / np.sum(weight)))
    found = belief(PRIOR, seen)
    assert (found.mean, found.std) == (pytest.approx(mean, abs=1e-6), pytest.approx(std, abs=1e-6))
    assert belief(PRIOR, None) == PRIOR


def test_pooled_gains_weigh_by_precision_and_widen_where_they_disagree() -> None:
    """Two equal measurements halve the variance; two that differ by far have the interval of their spread."""
    agree = pooled([Gain(0.1, 0.1 - Z_90 * 0.03, 0.1 + Z_90 * 0.03)] * 2)
    assert agree is not None
    assert agree.noise == pytest.approx(0.03 / math.sqrt(2.0))
    weighted = pooled([Gain(0.0, -Z_90 * 0.1, Z_90 * 0.1), Gain(0.1, 0.1 - Z_90 * 0.2, 0.1 + Z_90 * 0.2)])
    assert weighted is not None
    assert weighted.value == pytest.approx(0.1 * (1 / 0.04) / (1 / 0.01 + 1 / 0.04))
    differ = pooled([Gain(v, v - Z_90 * 0.01, v + Z_90 * 0.01) for v in (0.0, 0.2)])
    assert differ is not None
    assert differ.noise == pytest.approx(np.std([0.0, 0.2], ddof=1) / math.sqrt(2.0))  # the standard error of the two


def test_whole_numbers_add_up_and_stay_within_one_of_their_quota() -> None:
    """Hamilton's quota rule for a thousand random shares; the textbook case; ties go to the first."""
    random = np.random.default_rng(0)
    for _ in range(1000):
        shares, total = random.random(int(random.integers(1, 9))), int(random.integers(1, 400))
        counts = np.array(whole_numbers(shares, total))
        quota = shares / shares.sum() * total
        assert counts.sum() == total
        assert np.all(np.abs(counts - quota) < 1.0)
    assert whole_numbers([0.47, 0.16, 0.158, 0.12, 0.061, 0.031], 100) == [47, 16, 16, 12, 6, 3]
    assert whole_numbers([1, 1, 1], 100) == [34, 33, 33]


def test_the_bandit_finds_the_slice_that_learns_and_keeps_the_floor() -> None:
    """Gains of 0.25, 0.05 and 0 per 1,000 frames are planted, twelve seeds: the first gets most, all get the floor."""
    planted = {"idle": 0.0, "slow": 0.05, "good": 0.25}
    late = []
    for seed in range(12):
        random, history, worlds = np.random.default_rng(seed), list[Gated](), {name: list[int]() for name in planted}
        for day in range(8):
            shares = allocate(needs_of(0.9, idle=0.5, slow=0.5, good=0.5), history, spend(seed=seed, least=0.0))
            opened = [one for one in shares if one.state.is_open]
            assert sum(one.worlds for one in shares) == 600
            assert all(one.worlds >= math.floor(FLOOR * 600 / len(opened)) for one in opened)
            for one in opened:
                name, gain = one.wanted.name, planted[one.wanted.name] * one.worlds / 1000.0
                worlds[name].append(one.worlds)
                measured = gain + 0.02 * float(random.standard_normal())
                history.append(answer(name, one.worlds, measured, noise=0.02, day=day))
        late.append({name: float(np.mean(own[4:])) for name, own in worlds.items() if len(own) > 4})
    assert sum(one["good"] for one in late) / len(late) > 350.0
    assert all(one["good"] > 200.0 and one["good"] > one.get("idle", 0.0) for one in late)


def test_equal_slices_get_equal_budgets() -> None:
    """Without any difference between slices the bandit invents none: 600 worlds are 200 each, as far as draws vary."""
    shares = allocate(needs_of(0.9, a=0.5, b=0.5, c=0.5), [], spend())
    assert [one.worlds for one in shares] == pytest.approx([200, 200, 200], abs=8)
    tried = [answer(name, 200, 0.05, noise=0.02, day=1) for name in "abc"]
    shares = allocate(needs_of(0.9, a=0.5, b=0.5, c=0.5), tried, spend())
    assert [one.worlds for one in shares] == pytest.approx([200, 200, 200], abs=12)


def test_an_insufficient_slice_explores_and_has_no_gap() -> None:
    """Its part is that of the floor, its gap is unknown, not 0."""
    needs = needs_of(0.9, dark=0.5)
    unknown = Wanted("rare", 5.0, 4, 10, None, "insufficient: 4 groups, min_support 10")
    needs = Needs(needs.folder, "", "ds", "recall", 0.9, True, (*needs.slices, unknown))
    dark, rare = allocate(needs, [], spend(100))
    assert (rare.state, rare.gap, rare.worlds) == (State.EXPLORES, None, 5)
    assert (dark.state, dark.worlds) == (State.OPEN, 95)


def test_a_closed_gap_gets_nothing_and_all_closed_is_a_stop() -> None:
    """Closed is the lower bound at the target; a figure beyond it with a bound below keeps its slice open."""
    sure, unsure = Figure(0.9, 0.8, 0.95), Figure(0.9, 0.799, 0.95)
    rule = StopRule(None, 0.0)
    assert rule.state(Standing(sure, 0.8, None, 0, 0))[0] == State.CLOSED
    assert rule.state(Standing(unsure, 0.8, None, 0, 0))[0] == State.OPEN
    shares = allocate(needs_of(0.6, a=0.9, b=0.62), [], spend())
    assert [one.state for one in shares] == [State.CLOSED, State.OPEN]
    assert [one.worlds for one in shares] == [0, 0]  # b is at the target, and nothing else is open
    assert not is_worth_it(shares)


def test_stop_rules_hold_at_their_limits() -> None:
    """From two batches on: at best the least worthwhile gain, or less than half of the gap; and two holds in a row."""
    half = Figure(0.5, 0.4, 0.6)
    gain = Gain(0.05, -0.05, 0.1)

    def state(rule: StopRule, batches: int = 2, holds: int = 0, own: Gain | None = gain) -> State:
        return rule.state(Standing(half, 0.9, own, batches, holds))[0]

    assert state(StopRule(None, 0.099)) == State.OPEN
    assert state(StopRule(None, 0.1)) == State.NO_GAIN
    assert state(StopRule(None, 0.1), batches=1) == State.OPEN
    assert state(StopRule(2000, 0.0)) == State.OPEN  # 0.1 x 2 is half of the gap of 0.4
    assert state(StopRule(1999, 0.0)) == State.OUT_OF_REACH
    assert state(StopRule(1, 0.0), batches=1) == State.OPEN
    assert state(StopRule(None, 0.0), holds=1) == State.OPEN
    assert state(StopRule(None, 0.0), holds=2, batches=0, own=None) == State.HELD


def test_holds_count_in_a_row_and_a_batch_measured_again_counts_once() -> None:
    """hold, admit, hold is one hold; the second answer about a batch replaces its gain and not its frames."""
    needs = needs_of(0.9, dark=0.5, other=0.5)
    turns = [answer("dark", 100, 0.01, noise=0.02, day=d, verdict=v) for d, v in enumerate(("hold", "admit", "hold"))]
    dark = by_name(allocate(needs, turns, spend()))["dark"]
    assert (dark.holds, dark.state, dark.frames_spent) == (1, State.OPEN, 300)
    first = answer("dark", 100, 0.00, noise=0.02, day=1, verdict="hold")
    again = Gated(**{**first.__dict__, "time": first.time + timedelta(days=1), "gain": Gain(0.03, 0.0, 0.06)})
    dark = by_name(allocate(needs, [first, again], spend()))["dark"]
    assert (dark.frames_spent, dark.holds, dark.state) == (100, 2, State.HELD)
    assert dark.gain == Gain(pytest.approx(0.3), pytest.approx(0.0), pytest.approx(0.6))


def test_the_command_writes_a_budget_and_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worlds add up, every slice has a reason, the target is the whole set's, a second run gives the same bytes."""
    report = write_report(tmp_path / "report", {
        "all": {"recall": (0.8, 0.75, 0.85)}, "low light": {"recall": (0.5, 0.4, 0.6), "risk": 2},
        "glare": {"recall": (0.6, 0.5, 0.7)}, "rare": {"recall": None, "groups": 3},
    })  # fmt: skip
    history = [write_answer(tmp_path, gate_answer("low light", 200, (0.05, 0.02, 0.08), 1))]
    history.append(write_answer(tmp_path, gate_answer("gone", 200, (0.05, 0.02, 0.08), 2)))
    arguments = [str(report), "--worlds", "120", "--frames-per-world", "2", "--history", *map(str, history)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    budget = json.loads((report / "budget.json").read_bytes())
    slices = {one["name"]: one for one in budget["slices"]}
    assert sum(one["worlds"] for one in slices.values()) == budget["worlds"] == 120
    assert (budget["schema"], budget["verdict"], budget["target"]) == ("budget/1", "spend", 0.8)
    assert slices["low light"]["gap"] == pytest.approx(0.3)
    assert slices["low light"]["gain_per_1000"] == {"value": 0.25, "low": 0.1, "high": 0.4}
    assert slices["low light"]["curve"][0]["frames_so_far"] == slices["low light"]["frames_spent"] == 200
    assert (slices["rare"]["gap"], slices["rare"]["state"]) == (None, "explores")
    assert "engine.propose" in budget["commands"][0]
    assert f"--slice 'low light'  # then its engine.run with count={slices['low light']['worlds']}" in said
    assert "'gone' is no slice of this report" in said
    first = (report / "budget.json").read_bytes()
    assert main([*arguments, "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "budget.json").read_bytes() == first


def test_a_budget_without_anything_open_is_a_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, no worlds, and the reason at every slice."""
    report = write_report(tmp_path, {"all": {"recall": (0.8, 0.75, 0.85)}, "dark": {"recall": (0.9, 0.85, 0.95)}})
    assert main([str(report), "--worlds", "100"]) == 1
    budget = json.loads((report / "budget.json").read_bytes())
    assert (budget["verdict"], budget["slices"][0]["worlds"], budget["commands"]) == ("stop", 0, [])
    assert "closed: the lower bound 0.850 is at the target 0.800" in capsys.readouterr().out


def test_the_page_draws_every_batch_and_shows_names_as_text(tmp_path: Path) -> None:
    """A dot a measured batch, coloured by verdict; a name that looks like HTML stays text."""
    report = write_report(
        tmp_path / "report", {"all": {"recall": (0.8, 0.7, 0.9)}, "<b>dark": {"recall": (0.5, 0.4, 0.6)}}
    )
    gained = [gate_answer("<b>dark", 100, (0.01 * d, 0.0, 0.02 * d), d, v) for d, v in ((1, "admit"), (2, "hold"))]
    unmeasured = gate_answer("<b>dark", 100, (None, None, None), 3, "reject")
    paths = [tmp_path / f"{day}.json" for day in (1, 2, 3)]
    for path, one in zip(paths, [*gained, unmeasured], strict=True):
        path.write_text(json.dumps(one))
    assert main([str(report), "--worlds", "10", "--history", *map(str, paths)]) == 0
    page = (report / "budget.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;dark, 1 of 3 not measured" in page
    assert [page.count(f'<g class="{verdict}">') for verdict in ("admit", "hold", "reject")] == [1, 1, 0]
    assert "300 frames" in page
