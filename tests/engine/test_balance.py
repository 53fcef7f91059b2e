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
from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.evaluate.__main__ import main as evaluate
from engine.evaluate.figures import Part
from engine.evaluate.slices import Slice, SliceReader, read_slices
from engine.evaluate.truth import Truth
from engine.health.balance import Balance, BalanceReport, check_balance, chi_square, read_balance
from engine.health.balance_slices import slices_of, yaml_bytes
from engine.plain import from_plain
from engine.write.begin import MANIFEST
from tests.engine.index_tables import as_defects, clean_frames, clean_instances, edited, write_index
from tests.engine.test_mix import make_real

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


def part_of(dataset: Path, slices: dict[str, Slice]) -> dict[str, Part]:
    """Return what `engine.evaluate` takes slices to be, of every frame and instance of the dataset."""
    rows = clean_instances(FRAMES)
    keys = [(frame, False, number) for frame, number in zip(rows["frame_id"], rows["inst_id"], strict=True)]
    frames = np.arange(FRAMES)
    truth = Truth(dataset, read_manifest(dataset / MANIFEST), dataset, frames, [], {}, keys, {}, frames, "world")
    reader = SliceReader(dataset, truth)
    return {name: reader.part(name, one)[0] for name, one in slices.items()}


@pytest.mark.parametrize("spec", [
    light() | {"axes": light(bins=[0.05, 0.2, 0.5], targets="even")["axes"], "where": "lum_std > 0.15"},
    {"axes": {"stuff": {"of": "material", "targets": {"steel": 0.5, "o'brien": 0.1}, "tolerance": 0.1}}},
    {"unit": "instances", "where": "lum_mean < 0.5",
     "axes": {"class": {"of": "i.class", "targets": {"carton": 0.5}, "tolerance": 0.1},
              "light": {"of": "lum_mean", "bins": [0, 0.2, 1], "targets": "even", "tolerance": 0.1}}},
    {"axes": {"pallet": {"of": "EXISTS (SELECT 1 FROM labels l WHERE l.frame_id = f.frame_id AND l.class = 'pallet')",
                         "targets": {"true": 0.7, "false": 0.3}, "tolerance": 0.2}}},
])  # fmt: skip
def test_cells_are_the_slices_of_an_evaluation(dataset: Path, tmp_path: Path, spec: dict[str, Any]) -> None:
    """Through the file: every cell has as many frames, or instances, as balance counts, and each is in one cell."""
    balance = from_plain(Balance, spec, "balance.yaml")
    report = found(dataset, spec)
    (tmp_path / "slices.yaml").write_bytes(yaml_bytes(slices_of(balance, report, "balance.yaml")))
    slices = read_slices(tmp_path / "slices.yaml")
    parts = list(part_of(dataset, slices).values())
    counts = [int((part.truth if balance.unit == "instances" else part.image).sum()) for part in parts]
    assert counts == [cell.count for axis in report.axes for cell in axis.cells]
    assert sum(counts) == sum(axis.count for axis in report.axes)
    assert all(part.of_classes == (balance.unit == "instances") for part in parts)


def test_slices_have_names_that_a_command_line_can_say(dataset: Path) -> None:
    spec = light(bins=[-1, 0.2, 0.5], targets="even") | {"group": "surface"}
    spec["axes"]["m"] = {"of": "material", "targets": {"a b": 0.1, "a/b": 0.1, "steel": 0.5}, "tolerance": 0.5}
    names = list(slices_of(from_plain(Balance, spec, "b"), found(dataset, spec), "b"))
    assert names == [
        "light_-1_0.2",
        "light_0.2_0.5",
        "light_outside",
        "m_a_b",
        "m_a_b_2",
        "m_steel",
        "m_none",
        "m_other",
    ]


def test_the_command_writes_slices_that_evaluate_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve dark pictures and eighteen others, in which nothing of the dark is found: its recall is 0, theirs 1."""
    real, spec, slices = make_real(tmp_path / "real", 30), tmp_path / "balance.yaml", tmp_path / "out/slices.yaml"
    spec.write_text(yaml.safe_dump(light(bins=[0, 11.5 / 255, 1], targets="even", tolerance=0.2)))
    assert main(["balance", str(real), "--spec", str(spec), "--slices-out", str(slices)]) == 0
    assert f"2 slices: python -m engine.evaluate DATASET PREDICTIONS --slices {slices}" in capsys.readouterr().out
    labels = json.loads((real / "labels/coco.json").read_text())["annotations"]
    kept = [{k: a[k] for k in ("image_id", "category_id", "bbox")} | {"score": 1} for a in labels if a["image_id"] > 12]
    (tmp_path / "found.json").write_text(json.dumps(kept))
    assert evaluate([str(real), str(tmp_path / "found.json"), "--slices", str(slices), "--replicates", "60"]) == 0
    told = json.loads((tmp_path / "found-report/evaluation.json").read_text())["slices"][1:]
    assert [(one["images"], one["figures"]["recall"]["value"]) for one in told] == [(12, 0.0), (18, 1.0)]
    assert told[0]["about"] == f"light [0, {11.5 / 255:g}): 12 of 30 frames, target 50.0%, balanced"


def test_a_value_that_no_condition_can_hold_is_named(dataset: Path) -> None:
    spec = {"axes": {"m": {"of": "material", "targets": {"a;b": 0.1}, "tolerance": 1e-9}}}
    with pytest.raises(UserError, match=r"b: axes\.m: 'a;b' cannot be a slice: where: one SQL"):
        slices_of(from_plain(Balance, spec, "b"), found(dataset, spec), "b")


def test_chi_square_leaves_out_what_was_neither_wanted_nor_seen() -> None:
    assert chi_square(np.array([10, 0]), np.array([1.0, 0.0])) == (0.0, 0)


def test_a_folder_does_not_hide_a_shipped_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where datasets lie, one may be called as its scene, and so as the definition."""
    (tmp_path / "tile").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_balance(Path("tile")).axes
