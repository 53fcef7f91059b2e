"""Balance as a team defines it: shares with intervals against targets, and what a definition may not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import binomtest, chisquare

from engine._layout import conf_folder
from engine.dataset.__main__ import main
from engine.errors import UserError
from engine.health.balance import Balance, BalanceReport, check_balance, chi_square, read_balance
from engine.plain import from_plain
from tests.engine.index_tables import as_defects, clean_frames, clean_instances, edited, write_index

FRAMES = 60
BRIGHT = np.repeat([0.1, 0.3, 0.7], 20)  # 20 frames a bin; surfaces are six frames each


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = edited(clean_frames(FRAMES), lum_mean=lambda _: BRIGHT)
    frames["material"] = ["steel"] * 30 + ["brass"] * 24 + [None] * 6
    return write_index(tmp_path_factory.mktemp("balance") / "data", frames, clean_instances(FRAMES))


def light(**axis: Any) -> dict[str, Any]:
    return {
        "axes": {"light": {"of": "lum_mean", "bins": [0, 0.2, 0.5, 1], "targets": "even", "tolerance": 0.01} | axis}
    }


def found(dataset: Path, spec: dict[str, Any]) -> BalanceReport:
    return check_balance(dataset, from_plain(Balance, spec, "balance.yaml"), "balance.yaml")


def test_even_bins_are_balanced_with_wilson_intervals_and_chi_square(dataset: Path) -> None:
    (axis,) = found(dataset, light()).axes
    assert axis.balanced
    theirs = binomtest(20, 60).proportion_ci(method="wilson")
    for cell in axis.cells:
        assert (cell.low, cell.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert (axis.chi_square, axis.p) == (pytest.approx(0.0), pytest.approx(1.0))


def test_what_is_off_target_is_named_with_its_side(dataset: Path) -> None:
    report = found(dataset, light(targets=[0.5, 0.3, 0.2], tolerance=0.05))
    assert [cell.verdict for cell in report.axes[0].cells] == ["too few", "balanced", "too many"]
    theirs = chisquare([20, 20, 20], [30, 18, 12])
    assert (report.axes[0].chi_square, report.axes[0].p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert not report.balanced


def test_values_that_nobody_asked_for_count_against_the_balance(dataset: Path) -> None:
    """30 steel, 24 brass, 6 of no material: what targets leave of 1 is for others, null is a value of its own."""
    axis = {"of": "material", "targets": {"steel": 0.5, "brass": 0.4}, "tolerance": 0.05}
    (made,) = found(dataset, {"axes": {"material": axis}}).axes
    assert {cell.value: (cell.count, cell.verdict) for cell in made.cells} == {
        "steel": (30, "balanced"), "brass": (24, "balanced"), "(none)": (6, "too many"),
    }  # fmt: skip
    (only,) = found(dataset, {"axes": {"m": axis | {"targets": {"steel": 0.55}}}, "where": "material IS NOT NULL"}).axes
    assert {cell.value: cell.verdict for cell in only.cells} == {"steel": "balanced", "(other)": "balanced"}
    (outside,) = found(dataset, light(bins=[0, 0.2, 0.5], targets=[0.5, 0.5])).axes
    assert {cell.value: cell.count for cell in outside.cells} == {"[0, 0.2)": 20, "[0.2, 0.5]": 20, "(outside)": 20}
    assert outside.chi_square == np.inf


def test_instances_are_counted_with_their_frame_and_world(dataset: Path) -> None:
    spec = {
        "unit": "instances", "where": "i.class <> 'floor' AND lum_mean < 0.5",
        "axes": {"class": {"of": "i.class", "targets": {"carton": 1 / 3, "pallet": 1 / 3}, "tolerance": 0.1}},
    }  # fmt: skip
    (axis,) = found(dataset, spec).axes
    rows = clean_instances(FRAMES)
    wanted = [key for key, frame in zip(rows["class"], rows["frame_id"]) if key != "floor" and frame < 40]
    assert axis.count == len(wanted)
    assert {cell.value: cell.count for cell in axis.cells} == {
        "carton": wanted.count("carton"), "pallet": wanted.count("pallet"), "(other)": wanted.count("forklift"),
    }  # fmt: skip


def test_labels_are_instances_and_defects_alike(dataset: Path, tmp_path: Path) -> None:
    has = "EXISTS (SELECT 1 FROM labels l WHERE l.frame_id = f.frame_id AND l.class = 'pallet')"
    spec = {"axes": {"pallet": {"of": has, "targets": {"true": 0.7, "false": 0.3}, "tolerance": 0.2}}}
    bearers, defects = as_defects(clean_instances(FRAMES))
    other = write_index(tmp_path / "other", clean_frames(FRAMES), bearers, defects=defects)
    assert found(dataset, spec) == found(other, spec)


def test_groups_are_one_observation_each(dataset: Path) -> None:
    """Surfaces of one brightness: the interval is about as wide as for 10 observations, not for 60."""
    (alone,) = found(dataset, light()).axes
    (grouped,) = found(dataset, light() | {"group": "surface"}).axes
    assert (grouped.groups, grouped.p) == (10, None)
    widths = [cell.high - cell.low for cell in grouped.cells]
    theirs = binomtest(3, 10).proportion_ci(method="wilson")
    assert widths[0] == pytest.approx(theirs.high - theirs.low, rel=0.25)
    assert widths[0] > 1.5 * (alone.cells[0].high - alone.cells[0].low)
    assert found(dataset, light() | {"group": "surface"}) == found(dataset, light() | {"group": "surface"})


def test_intervals_of_groups_hold_the_truth_as_often_as_they_say() -> None:
    """200 datasets of 40 groups of 5 equal frames, 30 % of a value: 95 % intervals, within 4 standard errors."""
    from engine.health.balance import _intervals

    random, holds = np.random.default_rng(0), 0
    for _ in range(200):
        has = (random.random(40) < 0.3) * 5
        low, high = _intervals(np.stack([has, 5 - has], axis=1), 0.95, by_group=True)[0]
        holds += low <= 0.3 <= high
    assert holds / 200 >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / 200)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (light(of="lum_meen"), "axes.light: there is no column 'lum_meen'; near: lum_mean"),
        (light(of="1; DROP TABLE frames"), "is not one SQL expression"),
        (light(of="(SELECT 1 FROM read_csv('/etc/passwd'))"), "axes.light: cannot be asked: Permission Error"),
        (light(targets=[0.5, 0.5]), "targets must be 3 shares, one a bin, got 2"),
        (light(targets=[0.5, 0.5, 0.5]), "targets must be shares of 0..1 that sum to 1 at most, got 1.5"),
        (light(targets={"dark": 1.0}), "targets must name the bins: [0, 0.2), [0.2, 0.5), [0.5, 1]"),
        (light(bins=[0, 0]), "bins must be at least two rising edges"),
        (light(tolerance=2), "tolerance must be a share of 0..1"),
        (light(bins=[]), "targets must be shares by value, or a list for bins, or `even` for bins"),
        (light() | {"group": "surfaces"}, "group surfaces: data has no such column; near: surface"),
        (light() | {"where": "lum_mean > 2"}, "where leaves no frames to count"),
        (light() | {"unit": "worlds"}, "'worlds' is not one of: frames, instances"),
        ({"axes": {}}, "axes must name at least one"),
    ],
)  # fmt: skip
def test_a_definition_that_cannot_be_asked_is_refused_in_one_line(
    dataset: Path, spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as error:
        found(dataset, spec)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_command_has_three_exit_codes(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, report = tmp_path / "balance.yaml", tmp_path / "balance.json"
    for text, code in ((light(), 0), (light(targets=[1, 0, 0]), 1), (light(of="lum"), 2)):
        spec.write_text(yaml.safe_dump(text))
        assert main(["balance", str(dataset), "--spec", str(spec), "--json", str(report)]) == code
    said = capsys.readouterr()
    assert "not balanced: light" in said.out
    assert "there is no column 'lum'; near: lum_std" in said.err or "near: lum_" in said.err
    plain = json.loads(report.read_text())
    assert (plain["schema"], plain["balanced"]) == ("balance/1", False)
    assert plain["axes"][0]["chi_square"] is None  # infinite: JSON has no word for it


@pytest.mark.parametrize("name", ["warehouse", "tile"])
def test_shipped_definitions_can_be_asked(dataset: Path, name: str) -> None:
    assert (conf_folder() / "balance" / f"{name}.yaml").is_file()
    assert check_balance(dataset, read_balance(Path(name)), name).axes if name == "tile" else read_balance(Path(name))


def test_chi_square_leaves_out_what_was_neither_wanted_nor_seen() -> None:
    assert chi_square(np.array([10, 0]), np.array([1.0, 0.0])) == (0.0, 0)


def test_a_folder_does_not_hide_a_shipped_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where datasets lie, one may be called as its scene, and so as the definition."""
    (tmp_path / "tile").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_balance(Path("tile")).axes
