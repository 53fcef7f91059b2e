"""The numbers of crops, and how well two samples are told apart, against closed forms and other programs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter
from sklearn.metrics import roc_auc_score

from engine.shift import scores
from engine.shift.compare import compare_crops
from engine.shift.crops import Crops
from engine.shift.cues import CUES, measure_cues, median_of_nine
from engine.shift.scores import (
    Sample,
    area_under_curve,
    distances_of,
    folds_by_group,
    mean_discrepancy,
    nearness,
    told_apart,
)

SIDE = 48


def crops_of(random: np.random.Generator, groups: int, each: int, *, noise: float = 0.02, spread: float = 0.0) -> Crops:
    """Return crops of rough ground; those of a group share its brightness and how rough it is."""
    luma, group = [], []
    for number in range(groups):
        level, rough = 0.5 + spread * random.normal(), 1.0 + random.uniform()
        for _ in range(each):
            ground = gaussian_filter(random.normal(size=(SIDE, SIDE)), rough)
            luma.append(np.clip(level + 0.2 * ground + noise * random.normal(size=(SIDE, SIDE)), 0, 1))
            group.append(number + int(1e6 * noise))
    return Crops(np.array(luma, np.float32), np.arange(len(luma)), np.array(group), {})


def test_every_cue_has_finite_numbers_that_do_not_depend_on_other_crops() -> None:
    """About seventy numbers, also of black, white and flat crops; one crop alone gives the same."""
    luma = crops_of(np.random.default_rng(0), 2, 35).luma
    luma[0], luma[1], luma[2] = 0.0, 1.0, 0.5
    found = measure_cues(luma)
    assert tuple(found) == CUES
    assert sum(values.shape[1] for values in found.values()) == 70
    alone = measure_cues(luma[66:67])
    for cue, values in found.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values[66:67], alone[cue], rtol=1e-6, atol=1e-9)


def test_the_median_of_nine_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).random((5, 20, 30))
    assert np.array_equal(median_of_nine(values), median_filter(values, size=(1, 3, 3), mode="nearest"))


def test_a_cue_moves_with_what_it_is_named_after() -> None:
    """Stripes turn the spectrum, noise the noise, a ramp the light; scaled by what crops differ in anyway."""
    random = np.random.default_rng(2)
    plain = crops_of(random, 1, 40).luma
    scale = {cue: values.std(axis=0) + 1e-6 for cue, values in measure_cues(plain).items()}
    base = measure_cues(plain[:20])
    stripes = 0.05 * np.sin(np.arange(SIDE) * 2 * np.pi / 4)[None, None]
    for cue, change in {
        "spectrum": stripes,
        "noise": 0.03 * random.normal(size=plain[:20].shape),
        "illumination": np.linspace(-0.2, 0.2, SIDE)[None, None],
    }.items():
        moved = measure_cues((plain[:20] + change).astype(np.float32))
        shift = {name: np.abs((moved[name] - base[name]).mean(axis=0) / scale[name]).max() for name in CUES}
        assert shift[cue] > 3.0, (cue, shift)


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    """With ties."""
    random = np.random.default_rng(3)
    score, positive = random.integers(0, 9, 200).astype(float), random.random(200) < 0.3
    assert area_under_curve(score, positive) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)


def test_no_group_is_on_both_sides_of_a_fold() -> None:
    """Also where both samples have it."""
    random = np.random.default_rng(4)
    one, two = random.integers(0, 9, 100), random.integers(6, 20, 120)
    fold = folds_by_group(one, two, random)
    groups = np.concatenate([one, two])
    assert all(len(np.unique(fold[groups == group])) == 1 for group in np.unique(groups))
    assert all((fold[:100] == number).any() and (fold[100:] == number).any() for number in range(5))
    assert folds_by_group(np.zeros(10, np.int64), two, random) is None


def test_a_shift_of_means_has_the_auc_that_its_formula_says() -> None:
    """Two normals a distance d apart: AUC = Phi(d / sqrt 2); the trees come near to it, from below."""
    from scipy.stats import norm

    random = np.random.default_rng(5)
    values = random.normal(size=(800, 3))
    values[400:, 1] += 1.5
    group = np.arange(800) // 10
    told = told_apart(
        Sample(values[:400], group[:400]), Sample(values[400:], group[400:]), 0, [slice(0, 1), slice(1, 2)]
    )
    best = norm.cdf(1.5 / np.sqrt(2))
    assert best - 0.06 < told.auc < best + 0.03
    assert told.drop[1] > 0.2 > abs(told.drop[0]) * 4  # the column that differs is the one that counts


def test_the_kernel_distance_is_its_definition_and_vanishes_on_average() -> None:
    """Against a loop in plain Python; between samples of one distribution the unbiased estimate averages to 0."""
    random = np.random.default_rng(6)
    one, two = random.normal(size=(12, 2)), random.normal(1.0, 1.0, size=(9, 2))
    within, other, across = distances_of(one, two)
    width = np.median([within[i, j] for i in range(12) for j in range(12) if i != j]) + 1e-6
    k = lambda squares: np.exp(-squares / width)  # noqa: E731
    expected = (
        sum(k(within[i, j]) for i in range(12) for j in range(12) if i != j) / (12 * 11)
        + sum(k(other[i, j]) for i in range(9) for j in range(9) if i != j) / (9 * 8)
        - 2 * sum(k(across[i, j]) for i in range(12) for j in range(9)) / (12 * 9)
    )
    assert mean_discrepancy(within, other, across) == pytest.approx(expected, rel=1e-9)
    same = [mean_discrepancy(*distances_of(*random.normal(size=(2, 60, 3)))) for _ in range(40)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(40)


def test_precision_recall_density_and_coverage_of_samples_that_can_be_counted() -> None:
    """The same sample twice; one that lies elsewhere; one that covers half of the reference."""
    random = np.random.default_rng(7)
    reference = random.normal(size=(100, 2))
    precision, recall, density, coverage = nearness(*distances_of(reference, reference))
    assert (precision, recall, coverage) == (1.0, 1.0, 1.0)
    assert density == pytest.approx(1.0, abs=0.25)
    assert nearness(*distances_of(reference, reference + 50.0)) == (0.0, 0.0, 0.0, 0.0)
    halves = np.concatenate([random.normal(-20, 1, size=(50, 2)), random.normal(20, 1, size=(50, 2))])
    precision, recall, _, coverage = nearness(*distances_of(halves, random.normal(20, 1, size=(100, 2))))
    assert precision > 0.9
    assert 0.3 < recall < 0.6
    assert 0.3 < coverage < 0.55


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as plain differences need."""
    monkeypatch.setattr(scores, "TREES", 5)


@pytest.mark.usefixtures("few_trees")
def test_noise_tells_apart_and_is_named_as_the_strongest_cue() -> None:
    """More noise alone: the noise cue reaches nearly all of the difference; blurring removes some of it."""
    random = np.random.default_rng(8)
    reference, dataset = crops_of(random, 24, 6), crops_of(random, 12, 6, noise=0.035)
    found = compare_crops("random", dataset, reference, 0, halves=2)
    of_cue = {cue.cue: cue for cue in found.cues}
    assert of_cue["noise"].verdict == "told apart"
    assert of_cue["noise"].words.startswith("told apart by noise (")
    assert "real against real" in of_cue["noise"].words
    assert found.strongest in ("noise", "spectrum", "edge")  # noise is in all of them
    assert of_cue["illumination"].auc.value < of_cue["noise"].auc.value
    alone = {share.cue: share.alone for share in found.shares}
    assert alone["noise"] > 0.8
    assert {removal.name for removal in found.removals} == {"low_pass", "noise_swap"}


@pytest.mark.usefixtures("few_trees")
def test_too_few_groups_have_no_power_whatever_the_numbers_say() -> None:
    """Five groups that differ as plainly as can be."""
    random = np.random.default_rng(9)
    found = compare_crops("random", crops_of(random, 5, 12, noise=0.1), crops_of(random, 10, 12), 0, halves=2)
    assert {cue.verdict for cue in found.cues} == {"no power"}
    assert "no power: 5 groups against 10" in found.note
    assert found.strongest == ""
