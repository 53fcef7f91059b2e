"""Groups, conditions and re-weighting of laws: columns go together as asked, and a world depends on no other world."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from engine.errors import UserError
from engine.plain import to_plain
from engine.randomize.law import Case, Conditional, Constant, Uniform
from engine.randomize.laws.rules import checked_laws, resolve
from engine.randomize.laws.sobol import MOST_DIMENSIONS, owen_scrambled, sobol_bits
from engine.recipe import Laws
from tests.engine.randomize_scene import anchor, at, box_scene, randomized, uniform

LEAST_P = 1.0e-3  # draws are fixed by the seed: a test that passes once always passes
SCENE = box_scene({"/W/A": ((0, 0, 0), (1, 1, 1)), "/W/B": ((3, 0, 0), (1, 1, 1))})
AMBIENT = {"kind": "ambient_scale", "per": "world"}
LAMPS = {"kind": "light_scale", "per": "world", "lights": "/Lights/*", "together": True}
SHOT = {"kind": "camera_exposure", "per": "world", "cameras": "*"}
ENTRIES = {
    "sky": {**AMBIENT, "stops": uniform(-1, 1)},
    "lamps": {**LAMPS, "stops": {"law": "normal", "mean": 0, "std": 1}},
    "shot": {**SHOT, "stops": uniform(-2, 2)},
}
KEYS = ["sky.stops", "lamps.stops", "shot.stops"]


def drawn_of(worlds: object, *, groups: dict | None = None, reweight: dict | None = None, **options: object) -> dict:
    """Return the three columns of these worlds."""
    entries = options.pop("entries", ENTRIES)
    laws = checked_laws(entries, {"groups": groups or {}, "reweight": reweight or {}})
    drawn = randomized(SCENE, entries, worlds, laws=Laws(**laws), **options).drawn
    return {key: drawn[f"p.{key}"] for key in KEYS if f"p.{key}" in drawn}


def test_a_correlated_group_has_the_rank_correlations_that_were_asked_and_keeps_its_marginals():
    """Spearman's of a Gaussian copula is 6/pi asin(rho/2); the first column keeps its numbers."""
    rho = [[1.0, 0.8, -0.5], [0.8, 1.0, -0.3], [-0.5, -0.3, 1.0]]
    drawn = drawn_of(range(4000), groups={"mood": {"kind": "correlated", "keys": KEYS, "rho": rho}})
    for (i, first), (j, second) in itertools.combinations(enumerate(KEYS), 2):
        asked = 6.0 / np.pi * np.arcsin(0.5 * rho[i][j])
        assert stats.spearmanr(drawn[first], drawn[second]).statistic == pytest.approx(asked, abs=0.03)
    assert stats.kstest(drawn["sky.stops"], stats.uniform(-1, 2).cdf).pvalue > LEAST_P
    assert stats.kstest(drawn["lamps.stops"], stats.norm(0, 1).cdf).pvalue > LEAST_P
    assert stats.kstest(drawn["shot.stops"], stats.uniform(-2, 4).cdf).pvalue > LEAST_P
    np.testing.assert_array_equal(drawn["sky.stops"], drawn_of(range(4000))["sky.stops"])


def test_one_number_correlates_all_pairs():
    drawn = drawn_of(range(2000), groups={"mood": {"kind": "correlated", "keys": KEYS[:2], "rho": -1.0}})
    assert stats.spearmanr(drawn["sky.stops"], drawn["lamps.stops"]).statistic == pytest.approx(-1.0)


def test_a_grid_gives_every_cell_to_one_of_as_many_worlds():
    """Middles of cells, whatever the law: here -1 .. 1 in four, a normal law in two."""
    group = {"kind": "grid", "keys": KEYS[:2], "cells": [4, 2], "jitter": False}
    drawn = drawn_of(range(8), groups={"plan": group})
    assert drawn["sky.stops"] == pytest.approx(np.tile([-0.75, -0.25, 0.25, 0.75], 2))
    assert drawn["lamps.stops"] == pytest.approx(np.repeat(stats.norm.ppf([0.25, 0.75]), 4))
    jittered = drawn_of(range(8), groups={"plan": {**group, "jitter": True}})["sky.stops"]
    assert np.floor((jittered + 1.0) * 2.0).tolist() == [0, 1, 2, 3] * 2
    assert not (jittered == drawn["sky.stops"]).any()


def test_sobol_points_are_those_of_scipy():
    """Of all dimensions; SciPy counts in Gray code."""
    index = np.arange(512, dtype=np.uint32)
    reference = stats.qmc.Sobol(MOST_DIMENSIONS, scramble=False).random(512)
    for dimension in range(MOST_DIMENSIONS):
        points = sobol_bits(index ^ (index >> np.uint32(1)), dimension) * 2.0**-32
        np.testing.assert_array_equal(points, reference[:, dimension])


def test_scrambled_points_stay_even():
    """A nested scrambling keeps one point in each of 256 stretches, and moves them."""
    bits = sobol_bits(np.arange(256, dtype=np.uint32), 5)
    scrambled = owen_scrambled(bits, np.array(77, np.uint32))
    assert sorted((scrambled >> np.uint32(24)).tolist()) == list(range(256))
    assert (scrambled != bits).mean() > 0.9


def test_a_sobol_group_covers_evenly_and_a_seed_moves_it():
    """64 worlds: each eighth by each eighth of two columns once; no random draw does that."""
    groups = {"even": {"kind": "sobol", "keys": ["sky.stops", "shot.stops"]}}
    drawn = drawn_of(range(64), groups=groups)
    cells = np.floor((drawn["sky.stops"] + 1) * 4) * 8 + np.floor((drawn["shot.stops"] + 2) * 2)
    assert sorted(cells.tolist()) == list(range(64))
    assert not (drawn_of(range(64), groups=groups, seed=1)["sky.stops"] == drawn["sky.stops"]).any()


@pytest.mark.parametrize(
    "group",
    [
        {"kind": "correlated", "keys": KEYS, "rho": 0.5},
        {"kind": "grid", "keys": KEYS, "cells": [3, 2, 2], "jitter": True},
        {"kind": "sobol", "keys": KEYS},
    ],
)
def test_a_world_of_a_group_depends_on_no_other_world(group: dict):
    together, alone = (drawn_of(worlds, groups={"g": group}) for worlds in (range(20), [17]))
    for key in KEYS:
        assert together[key][17] == alone[key][0]


@pytest.mark.parametrize(
    "group",
    [
        {"kind": "correlated", "keys": ["tints.hue_deg", "tints.saturation"], "rho": 0.9},
        {"kind": "sobol", "keys": ["tints.hue_deg", "tints.saturation"]},
    ],
)
def test_columns_of_several_values_are_joined_index_by_index(group: dict):
    tint = {"kind": "tint", "per": "step", "instances": "*", "brightness": 1, "together": False}
    entries = {"tints": {**tint, "hue_deg": uniform(0, 360), "saturation": uniform(0, 1)}}
    laws = Laws(**checked_laws(entries, {"groups": {"g": group}, "reweight": {}}))
    worlds, steps = np.repeat(np.arange(400), 2), np.tile(np.arange(2), 400)
    drawn = randomized(SCENE, entries, worlds, step=steps, steps=2, laws=laws).drawn
    hue, saturation = drawn["p.tints.hue_deg"], drawn["p.tints.saturation"]
    assert len(np.unique(hue)) == hue.size
    own = stats.spearmanr(hue[:, 0], saturation[:, 0]).statistic
    assert own == pytest.approx(6.0 / np.pi * np.arcsin(0.45) if "rho" in group else 0.0, abs=0.05)
    assert abs(stats.spearmanr(hue[:, 0], saturation[:, 1]).statistic) < 0.1
    assert abs(stats.spearmanr(hue[:, 0], hue[:, 1]).statistic) < 0.1


STEPWISE = {**ENTRIES, "sky": {**ENTRIES["sky"], "per": "step"}}


def test_a_correlated_column_of_the_world_is_the_same_at_all_its_steps():
    """And what is drawn at every step goes with it."""
    group = {"kind": "correlated", "keys": ["shot.stops", "sky.stops"], "rho": 0.9}
    worlds, steps = np.repeat(np.arange(1000), 2), np.tile(np.arange(2), 1000)
    drawn = drawn_of(worlds, entries=STEPWISE, groups={"g": group}, step=steps, steps=2)
    assert (drawn["shot.stops"][::2] == drawn["shot.stops"][1::2]).all()
    assert (drawn["sky.stops"][::2] != drawn["sky.stops"][1::2]).all()
    asked = 6.0 / np.pi * np.arcsin(0.45)
    assert stats.spearmanr(drawn["shot.stops"][1::2], drawn["sky.stops"][1::2])[0] == pytest.approx(asked, abs=0.03)


@pytest.mark.parametrize(
    ("group", "line"),
    [
        ({"kind": "correlated", "keys": KEYS[:2], "rho": 0.9}, "laws.groups.g: sky.stops is drawn at every step, and"),
        ({"kind": "grid", "keys": KEYS[:2], "cells": [4, 2], "jitter": True}, "laws.groups.g: lamps.stops is drawn"),
        ({"kind": "sobol", "keys": KEYS[:2]}, "laws.groups.g: lamps.stops is drawn once a world, sky.stops at every"),
    ],
)
def test_a_value_of_a_world_hangs_on_none_of_its_steps(group: dict, line: str):
    with pytest.raises(UserError) as caught:
        drawn_of([0], entries=STEPWISE, groups={"g": group})
    assert str(caught.value).startswith(line)


SCATTER = {
    "kind": "scatter_surface",
    "carriers": None,
    "anchors": "area",
    "per_m2": None,
    "steepest_deg": 10,
    "align": False,
    "distance_m": 0,
    "gap_m": 0,
    "overlap": "footprint",
    "avoid": None,
    "tries": 8,
}
BY_SKY = Conditional("sky.stops", (Case(Uniform(10.0, 20.0), high=0.0),), Constant(-3.0))


def test_a_conditional_law_looks_at_the_other_column_of_its_row():
    """Ranges are half-open; what no case covers is otherwise."""
    drawn = drawn_of(range(500), reweight={"p.shot.stops": to_plain(BY_SKY)})
    dark = drawn["sky.stops"] < 0.0
    assert (drawn["shot.stops"][~dark] == -3.0).all()
    assert stats.kstest(drawn["shot.stops"][dark], stats.uniform(10, 10).cdf).pvalue > LEAST_P


def test_a_conditional_law_may_go_by_names():
    swap = {"kind": "material_swap", "instances": "*", "materials": ["/Mat/Red", "/Mat/Blue"], "probability": 1}
    tint = {"kind": "tint", "instances": "*", "saturation": 0, "brightness": 1, "together": False}
    case = {"names": ["*/Red"], "then": 7}
    entries = {
        "look": {**swap, "weights": None},
        "tints": {**tint, "hue_deg": {"law": "conditional", "by": "look.material", "cases": [case], "otherwise": 9}},
    }
    drawn = randomized(SCENE, entries, range(50)).drawn
    assert (drawn["p.tints.hue_deg"] == np.where(drawn["p.look.material"] == "/Mat/Red", 7.0, 9.0)).all()


def test_a_law_may_hang_on_a_later_key_of_its_own_randomizer():
    tint = {"kind": "tint", "instances": "*", "hue_deg": 0, "together": False, "brightness": uniform(0, 1)}
    case = {"low": 0.5, "then": 0.25}
    hangs = {"law": "conditional", "by": "tints.brightness", "cases": [case], "otherwise": 0.75}
    drawn = randomized(SCENE, {"tints": {**tint, "saturation": hangs}}, range(50)).drawn
    assert (drawn["p.tints.saturation"] == np.where(drawn["p.tints.brightness"] >= 0.5, 0.25, 0.75)).all()


def test_a_law_that_takes_a_later_key_for_a_list_is_one_error():
    """Slots draw how many places are filled before where in its place each of their items stands."""
    case = {"low": 0.5, "then": 0.25}
    hangs = {"law": "conditional", "by": "load.x_m", "cases": [case], "otherwise": 0.75}
    slots = {"kind": "slots", "items": "/W/*", "anchors": "slot", "y_m": 0, "yaw_deg": 0, "settle": False}
    scene = box_scene(
        {f"/W/{name}": ((x, 0, 0), (1, 1, 1)) for x, name in enumerate("ABC")},
        *(anchor(f"/Slot/{x}", "slot", at(3 * x, 0, 0), (2, 2, 2)) for x in range(3)),
    )
    with pytest.raises(UserError, match=r"^randomize.load.occupancy: by names load.x_m, which has 3 values a world"):
        randomized(scene, {"load": {**slots, "occupancy": hangs, "x_m": uniform(0, 1)}}, range(3))


def test_how_an_item_is_turned_may_hang_on_how_many_there_are():
    """All items of a world by the one number of that world."""
    scene = box_scene(
        {f"/W/{name}": ((3 * x, 0, 0), (1, 1, 1)) for x, name in enumerate("AB")},
        anchor("/Area", "area", at(0, 0, 0), (9, 9, 3)),
    )
    yaw = {"law": "conditional", "by": "parts.count", "cases": [{"low": 1, "then": 90}], "otherwise": 0}
    entry = {**SCATTER, "items": "/W/*", "yaw_deg": yaw, "count": {"law": "integer", "low": 0, "high": 1}}
    drawn = randomized(scene, {"parts": entry}, range(20)).drawn
    assert (drawn["p.parts.yaw_deg"] == 90.0 * drawn["p.parts.count"][:, None]).all()


def hanging(by: str) -> dict:
    return {"law": "conditional", "by": by, "cases": [{"low": 0, "then": 1}], "otherwise": 0}


def test_what_a_law_hangs_on_runs_first():
    """Names alone would run `a` before `b`; both are of one stage."""
    entries = {"a": {**AMBIENT, "stops": hanging("b.stops")}, "b": {**AMBIENT, "stops": uniform(-1, 1)}}
    assert [entry.name for entry in resolve(entries, Laws({}, {})).randomizers] == ["b", "a"]
    drawn = randomized(SCENE, entries, range(20)).drawn
    assert (drawn["p.a.stops"] == (drawn["p.b.stops"] >= 0.0)).all()


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        (
            {"a": {**AMBIENT, "stops": hanging("b.stops")}, "b": {**AMBIENT, "stops": hanging("a.stops")}},
            "laws hang on each other in a circle: a.stops -> b.stops -> a.stops; break it",
        ),
        ({"a": {**AMBIENT, "stops": hanging("c.stops")}}, "randomize.a.stops: by names c.stops, but there is no rand"),
        (
            {"a": {**AMBIENT, "stops": hanging("c.stops")}, "c": {**SHOT, "stops": 0}},
            "randomize.a.stops: by names c.stops, which is drawn later: camera_exposure runs after ambient_scale; let",
        ),
        (
            {"a": {**AMBIENT, "stops": hanging("b.stops")}, "b": {**AMBIENT, "per": "step", "stops": 0}},
            "randomize.a.stops: by names b.stops, which is drawn at every step, this law once a world; write randomize",
        ),
    ],
)
def test_what_cannot_be_drawn_in_any_order_is_one_error(entries: dict, line: str):
    with pytest.raises(UserError) as caught:
        checked_laws(entries, {"groups": {}, "reweight": {}})
    assert str(caught.value).startswith(line)


def test_reweighting_keeps_a_base_share_and_leaves_other_columns_alone():
    """A mixture of the law that the scene has and a histogram, as a report of failures would write it."""
    part = {"law": "histogram", "edges": [1.0, 1.5], "weights": [1]}
    mixture = {"law": "mixture", "parts": [{"weight": 1, "law": {"law": "base"}}, {"weight": 3, "law": part}]}
    before, after = drawn_of(range(4000)), drawn_of(range(4000), reweight={"p.shot.stops": mixture})
    np.testing.assert_array_equal(before["sky.stops"], after["sky.stops"])
    inside = (after["shot.stops"] >= 1.0) & (after["shot.stops"] < 1.5)
    assert inside.mean() == pytest.approx(0.75 + 0.25 / 8.0, abs=0.02)
    assert (
        stats.kstest(after["shot.stops"][~inside], before["shot.stops"][abs(before["shot.stops"] - 1.25) > 0.25])[1]
        > 0.01
    )


def test_reweighting_is_written_out_in_the_recipe():
    """`base` becomes the law that it stood for, and a nested command line means the same."""
    mixture = {"law": "mixture", "parts": [{"weight": 1, "law": {"law": "base"}}]}
    flat = checked_laws(ENTRIES, {"groups": {}, "reweight": {"p.sky.stops": mixture}})
    nested = checked_laws(ENTRIES, {"groups": {}, "reweight": {"sky": {"stops": mixture}}})
    assert flat == nested
    base = {"law": "uniform", "low": -1.0, "high": 1.0}
    assert flat["reweight"] == {"sky.stops": {"law": "mixture", "parts": [{"weight": 1.0, "law": base}]}}


@pytest.mark.parametrize(
    ("laws", "line"),
    [
        ({"reweight": {"sky.stop": 1}}, "laws.reweight.sky.stop: sky has no law 'stop'; it has stops"),
        ({"reweight": {"sun.stops": 1}}, "laws.reweight.sun.stops: no randomiser 'sun'; there are "),
        (
            {"reweight": {"sky.stops": uniform(0, 99)}},
            "laws.reweight.sky.stops: stops must stay in [-64, 64], but this",
        ),
        (
            {"groups": {"g": {"kind": "sobol", "keys": ["sky.stop"]}}},
            "laws.groups.g: no law draws the column 'sky.stop'",
        ),
        (
            {"groups": {"g": {"kind": "sobel", "keys": []}}},
            "laws.groups.g: unknown kind 'sobel'; known: correlated, grid",
        ),
        (
            {"groups": {g: {"kind": "sobol", "keys": ["sky.stops"]} for g in "ab"}},
            "laws.groups.b: sky.stops is in a already",
        ),
        (
            {"groups": {"g": {"kind": "correlated", "keys": KEYS, "rho": -0.9}}},
            "laws.groups.g: rho is no correlation matrix: not all of these can hold at once",
        ),
        (
            {"groups": {"g": {"kind": "grid", "keys": KEYS[:1], "cells": [2, 2], "jitter": True}}},
            "laws.groups.g: 1 keys but 2 numbers of cells",
        ),
    ],
)
def test_what_no_law_can_be_is_one_line(laws: dict, line: str):
    with pytest.raises(UserError) as caught:
        checked_laws(ENTRIES, {"groups": {}, "reweight": {}, **laws})
    assert str(caught.value).startswith(line)


def test_weights_of_names_are_reweighted_too():
    swap = {"kind": "material_swap", "instances": "*", "materials": ["/Mat/Red", "/Mat/Blue"], "probability": 1}
    entries = {"look": {**swap, "weights": [1, 0]}}
    laws = Laws(**checked_laws(entries, {"groups": {}, "reweight": {"look.weights": [0, 1]}}))
    assert set(randomized(SCENE, entries, range(20)).drawn["p.look.material"].ravel()) == {"/Mat/Red"}
    assert set(randomized(SCENE, entries, range(20), laws=laws).drawn["p.look.material"].ravel()) == {"/Mat/Blue"}


def test_a_condition_on_a_candidate_looks_at_that_candidate():
    """A camera that is refused is drawn anew, both columns: what is kept fits together."""
    case = {"high": 4, "then": uniform(60, 80)}
    orbit = {"kind": "camera_orbit", "cameras": "*", "around": "/W/A", "azimuth_deg": uniform(0, 360), "roll_deg": 0}
    orbit |= {"distance_m": uniform(2, 6), "focal_mm": None, "clear": {"clearance_m": 3.0, "tries": 64, "inside": None}}
    hangs = {"law": "conditional", "by": "orbit.distance_m", "cases": [case], "otherwise": uniform(10, 30)}
    drawn = randomized(SCENE, {"orbit": {**orbit, "elevation_deg": hangs}}, range(100)).drawn
    assert (drawn["p.orbit.tried"] > 1).sum() > 10
    near = drawn["p.orbit.distance_m"] < 4.0
    assert (drawn["p.orbit.elevation_deg"][near] >= 60.0).all()
    assert (drawn["p.orbit.elevation_deg"][~near] <= 30.0).all()
