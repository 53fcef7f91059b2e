"""Laws: values follow them, draws are keyed by name and counter, and nothing depends on the batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from engine.errors import UserError
from engine.plain import from_plain, to_plain
from engine.randomize.kinds import randomizer
from engine.randomize.law import (
    Choice,
    Constant,
    Integer,
    Law,
    LogUniform,
    Normal,
    TruncatedNormal,
    Uniform,
    quantile,
    support,
)
from engine.randomize.philox import uniform as philox_uniform
from engine.registry import RANDOMIZERS
from tests.engine.randomize_scene import box_scene, randomized, uniform

LEAST_P = 1.0e-3  # draws are fixed by the seed: a test that passes once always passes
LARGEST = np.nextafter(1.0, 0.0)


def values_of(law: Law, count: int = 5000, *, breadth: float = 1.0) -> np.ndarray:
    return quantile(law, philox_uniform(11, "test.law", np.arange(count)), breadth=breadth)


@pytest.mark.parametrize(
    ("law", "reference"),
    [
        (Uniform(2.0, 12.0), stats.uniform(2.0, 10.0)),
        (LogUniform(0.1, 100.0), stats.loguniform(0.1, 100.0)),
        (Normal(3.0, 0.5), stats.norm(3.0, 0.5)),
        (TruncatedNormal(1.0, 2.0, 0.0, 1.5), stats.truncnorm(-0.5, 0.25, 1.0, 2.0)),
    ],
)
def test_a_continuous_law_has_its_distribution(law: Law, reference: object):
    """Kolmogorov-Smirnov against SciPy's distribution."""
    assert stats.kstest(values_of(law), reference.cdf).pvalue > LEAST_P


@pytest.mark.parametrize(
    ("law", "values", "shares"),
    [
        (Choice((10.0, 20.0, 30.0), (1.0, 0.0, 3.0)), [10, 20, 30], [0.25, 0.0, 0.75]),
        (Choice((5.0, 6.0), None), [5, 6], [0.5, 0.5]),
        (Integer(-2, 3), [-2, -1, 0, 1, 2, 3], [1 / 6] * 6),
    ],
)
def test_a_discrete_law_gives_each_value_its_share(law: Law, values: list[int], shares: list[float]):
    """Chi-square on the values that can occur; the others never do."""
    drawn = values_of(law)
    counts = np.array([(drawn == value).sum() for value in values])
    possible = np.array(shares) > 0.0
    assert counts.sum() == len(drawn)
    assert (counts[~possible] == 0).all()
    assert stats.chisquare(counts[possible], np.array(shares)[possible] * len(drawn)).pvalue > LEAST_P


def test_the_ends_of_the_unit_interval_stay_inside_the_support():
    """0 and the largest number below 1 give finite values within bounds, and never a value of weight 0."""
    ends = np.array([0.0, LARGEST])
    assert np.isfinite(quantile(Normal(0.0, 1.0), ends)).all()
    low, high = quantile(TruncatedNormal(0.0, 1.0, -2.0, 1.0), ends)
    assert low == pytest.approx(-2.0)
    assert high == pytest.approx(1.0)
    assert quantile(Integer(0, 9), ends).tolist() == [0.0, 9.0]
    assert quantile(Choice((1.0, 2.0, 3.0), (0.0, 1.0, 0.0)), ends).tolist() == [2.0, 2.0]


def test_the_median_is_the_closed_form():
    middle = np.array([0.5])
    assert quantile(LogUniform(1.0, 100.0), middle)[0] == pytest.approx(10.0)
    assert quantile(Uniform(-1.0, 3.0), middle)[0] == 1.0
    assert quantile(Normal(7.0, 2.0), middle)[0] == 7.0
    assert quantile(Constant(4.0), middle)[0] == 4.0


@pytest.mark.parametrize(
    ("law", "center"),
    [
        (Uniform(2.0, 12.0), 7.0),
        (LogUniform(1.0, 100.0), 10.0),
        (Normal(3.0, 0.5), 3.0),
        (TruncatedNormal(1.0, 2.0, 0.0, 9.0), 1.0),
        (Choice((1.0, 2.0, 3.0), (1.0, 3.0, 3.0)), 2.0),
        (Integer(0, 8), 4.0),
    ],
)
def test_breadth_zero_leaves_the_center(law: Law, center: float):
    assert values_of(law, 100, breadth=0.0) == pytest.approx(np.full(100, center))


@pytest.mark.parametrize("breadth", [0.25, 0.5])
def test_breadth_scales_every_deviation_from_the_center(breadth: float):
    """Of laws without steps; log_uniform in the logarithm."""
    for law, center in [(Uniform(2.0, 12.0), 7.0), (Normal(3.0, 0.5), 3.0), (TruncatedNormal(1.0, 2.0, 0.0, 9.0), 1.0)]:
        narrow, wide = values_of(law, 200, breadth=breadth), values_of(law, 200)
        assert narrow - center == pytest.approx(breadth * (wide - center))
    law = LogUniform(1.0, 100.0)
    narrow, wide = np.log(values_of(law, 200, breadth=breadth)), np.log(values_of(law, 200))
    assert narrow - np.log(10.0) == pytest.approx(breadth * (wide - np.log(10.0)))


def test_a_bare_number_is_a_constant_and_comes_back_bare():
    law = from_plain(Law, 3, "x")
    assert law == Constant(3.0)
    assert to_plain(law) == 3.0
    assert from_plain(Law, {"law": "constant", "value": 3}, "x") == law


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"law": "uniform", "low": 1}, "x: missing key 'high'; known keys: law, low, high"),
        ({"law": "uniform", "low": 1, "hihg": 2}, "x: unknown key 'hihg'; known keys: law, low, high"),
        ({"low": 1, "high": 2}, "x: needs a key 'law', one of: beta, choice, conditional, constant, "),
        ({"law": "unifrm"}, "x: unknown law 'unifrm'; known: beta, choice, conditional, constant, "),
        ({"law": "uniform", "low": 3, "high": 2}, "x: low 3 is above high 2"),
        ({"law": "uniform", "low": "a", "high": 2}, "x.low: expected a number, got 'a'"),
        ({"law": "normal", "mean": 0, "std": -1}, "x: std -1 is negative"),
        ({"law": "log_uniform", "low": 0, "high": 1}, "x: log_uniform needs low above 0"),
        ({"law": "choice", "values": []}, "x: a choice needs at least one value"),
        ({"law": "choice", "values": [1, 2], "weights": [1]}, "x: 2 values but 1 weights"),
        ({"law": "integer", "low": 0.5, "high": 2}, "x.low: expected a whole number, got 0.5"),
        ({"law": "uniform", "low": float("nan"), "high": 2}, "x.low: nan is not a finite number"),
        (True, "x.value: expected a number, got True"),
    ],
)
def test_a_wrong_law_is_one_line_that_says_what_is_known(data: object, line: str):
    with pytest.raises(UserError) as caught:
        from_plain(Law, data, "x")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


CLEAR = {"clearance_m": 0.1, "tries": 2, "inside": None}
LOOK = {"cameras": "*", "position_in": "a", "look_in": "b", "roll_deg": 0, "focal_mm": None, "clear": CLEAR}
ORBIT = {"cameras": "*", "around": "*", "distance_m": 1, "azimuth_deg": 0, "elevation_deg": 0, "roll_deg": 0}
SHAKE = dict.fromkeys(("right_m", "up_m", "back_m", "pan_deg", "tilt_deg", "roll_deg"), 0)
SPEEDS = dict.fromkeys(("right_m_s", "up_m_s", "back_m_s", "pan_deg_s", "tilt_deg_s", "roll_deg_s"), 0)
GOING = {"speed_m_s": 1, "azimuth_deg": 0, "elevation_deg": 0, "spin_deg_s": 0}
COLOR = {"hue_deg": 0, "saturation": 0}
AIR = {"turbidity": 3, "ground_albedo": 0.2, "unit_nit": 1e4, "bounce": 0.1}
SETTINGS = ("iso", "time_s", "vignetting_strength", "aberration_strength", "bloom_share", "read_noise_e")
MORE_SETTINGS = {"white_kelvin": 6500, "contrast": 1, "saturation": 1, "jpeg_quality": 90}
FINISH = {"pattern": "wood", "probability": 1, "scale_m": 0.1, "strength": 1, "bump_m": 0, "color_a": None}
LAYERS = {"layers": dict.fromkeys(("rust", "stain", "dust", "wear"), 0), "layer_scale_m": 0.1, "wear_width_m": 0.01}
ROUGH = {"color_b": None, "roughness_low": 0.2, "roughness_high": 0.8, "direction": [0, 0, 1]}
BENT = {"model": "brown_conrady", "coefficients": [0, 0, 0, 0], "fov_deg": None, "right_px": 0, "down_px": 0}
SEEN = {"cameras": "*", "probability": 1}
BEHIND = {"instances": None, "folder": None, "weights": None, "zoom": 1}
WAY = {"way": {"anchors": "a", "points_m": None, "curve": "linear"}, "focal_mm": None, "clear": CLEAR}
ASIDE = dict.fromkeys(("side_m", "up_m", "roll_deg"), 0)
DRIVE = {"start_share": 0, "speed_m_s": 1, "step_s": 0.1, "ahead_m": 1, "bob_m": 0, "bob_hz": 1}
VEHICLE = {"behind_m": 1, "ahead_m": 1, "beside_m": 1}
THROWN = {
    "items": "*",
    "count": 1,
    "yaw_deg": 0,
    "distance_m": 0,
    "gap_m": 0,
    "overlap": "box",
    "avoid": None,
    "tries": 1,
}
COLUMN = {"margin": 0.02, "order": "any", "tries": 1}
FACES = {"faces": ["front"], "weights": None, "along": 0, "up": 0, "roll_deg": 0}
LEANING = {"shift_x_m": 0, "shift_y_m": 0, "lean_deg": 0, "toward_deg": 0}
AROUND = {"distance_m": 1, "bearing_deg": 0, "yaw_deg": 0}
PLANOGRAM = {
    "items": "*",
    "counterfeits": None,
    "boards": "a",
    **dict.fromkeys(("block_m", "gap_m"), 0.5),
    "rows": 1,
    **dict.fromkeys(("front_m", "yaw_deg", "department", "counterfeit"), 0),
    "tags": None,
    "wobblers": None,
    "faults": {"missing": 0, "misplaced": 0, "turned": 0, "fallen": 0, "pushed_back": 0},
}
MARK = {"defect": "scratch", "label": None, "handling_step": "", "place": "surface", "faces": None}
MARKED = {**MARK, "reference": [1, 0, 0], "edge_weight": 1, "edge_reach_m": 0.01, "color": None, "parts": 0}
SHAPE = {"probability": 1, "count": 1, "length_m": 0.1, "width_m": 0.01, "depth_um": 1, "direction_deg": 0}
FADE = dict.fromkeys(("severity", "opacity", "roughness", "metallic", "irregularity", "softness", "rim"), 0.5)
COMPLETE = {
    "camera_corridor": {"cameras": "*", **WAY, **ASIDE, "share": 1, "pan_deg": 0, "tilt_deg": 0, "backward": 0},
    "camera_path": {"cameras": "*", **WAY, **ASIDE, **DRIVE},
    "augment_blur": {**SEEN, "sigma_px": 1},
    "augment_color": {**SEEN, **dict.fromkeys(("gain", "red", "blue", "gamma", "saturation"), 1), "hue_deg": 0},
    "augment_noise": {**SEEN, "std_dn": 1},
    "augment_background": {**SEEN, **BEHIND, "cell_px": 8},
    "texture": {"instances": "*", "material": "*", "folder": "a", "weights": None, "probability": 1, "together": True},
    "defect": {"instances": "*", **MARKED, **SHAPE, **FADE},
    "camera_lens": {"cameras": "*", **BENT, "calibrated_width_px": None, "max_fov_deg": None},
    "sensor": {"cameras": "*", **dict.fromkeys(SETTINGS, 1), **MORE_SETTINGS},
    "pattern": {"instances": "*", "materials": None, **FINISH, **ROUGH, **LAYERS},
    "sun_sky": {"elevation_deg": 40, "azimuth_deg": 0, **AIR},
    "sun_sky_at": {"latitude_deg": 45, "day_of_year": 100, "hour": 12, "north_deg": 0, **AIR},
    "camera_look": LOOK,
    "camera_orbit": {**ORBIT, "focal_mm": None, "clear": CLEAR},
    "camera_jitter": {"cameras": "*", **SHAKE, "focal_scale": 1},
    "camera_exposure": {"cameras": "*", "stops": 0},
    "camera_motion": {"cameras": "*", **SPEEDS},
    "camera_shutter": {"cameras": "*", "exposure_s": 0.01},
    "camera_focus": {"cameras": "*", "f_stop": 2, "focus_m": 1},
    "motion": {"instances": "*", **GOING, "spin_axis": [0, 0, 1], "together": True},
    "light_scale": {"lights": "*", "stops": 0, "together": True},
    "light_temperature": {"lights": "*", "kelvin": 5000, "together": True},
    "light_switch": {"lights": "*", "probability_on": 1, "together": True},
    "sun_angle": {"lights": "*", "azimuth_deg": 0, "elevation_deg": 0},
    "ambient_scale": {"stops": 0},
    "material_swap": {"instances": "*", "materials": ["*"], "weights": None, "probability": 1},
    "tint": {"instances": "*", **COLOR, "brightness": 1, "together": True},
    "roughness": {"materials": "*", "roughness": 0.5},
    "material_color": {"materials": "*", **COLOR, "value": 1},
    "camera_lane": {"cameras": "*", "lanes": "a", "height_m": 1, **VEHICLE, "tries": 1},
    "advance": {"instances": "*", "cameras": None, "speed_m_s": 1, "step_s": 0.1},
    "slots": {"items": "*", "anchors": "a", "occupancy": 1, "x_m": 0, "y_m": 0, "yaw_deg": 0, "settle": False},
    "attach": {"items": "*", "others": None, "other_share": 0, "hosts": "*", "probability": 1, **FACES},
    "lean": {"items": "*", "anchors": "a", "probability": 1, **LEANING, "deck_m": None, "shear": False},
    "near": {"items": "*", "to": "*", "count": 1, **AROUND, "inside": None, "gap_m": 0, "avoid": None, "tries": 1},
    "scatter": {"items": "*", "anchors": "a", "count": 1, "yaw_deg": 0, "gap_m": 0, "avoid": None, "tries": 1},
    "scatter_surface": {**THROWN, "carriers": "*", "anchors": None, "per_m2": None, "steepest_deg": 30, "align": False},
    "scatter_volume": {**THROWN, "anchors": "a", "per_m3": None},
    "stack": {"items": "*", "anchors": "a", "levels": 3, "overhang": 0, "yaw_deg": 0, **COLUMN},
    "planogram": PLANOGRAM,
}
LAWS = [
    (kind, field.name)
    for kind in COMPLETE
    for field in dataclasses.fields(randomizer("x", {"kind": kind, **COMPLETE[kind]}).entry.params)
    if str(field.type) in ("Law", "Law | None")
]


@pytest.mark.parametrize(("kind", "key"), LAWS)
def test_a_law_that_leaves_the_range_of_its_quantity_is_refused_by_name(kind: str, key: str):
    """Every law of every kind: nothing physical goes up to 1e30, and no float32 survives it."""
    wide = {"kind": kind, **COMPLETE[kind], key: {"law": "uniform", "low": 1, "high": 1e30}}
    with pytest.raises(
        UserError, match=rf"^randomize\.x: {key} must stay in \[[^]]*\], but this law gives \[1, 1e\+30\]$"
    ):
        randomizer("x", wide)


def test_every_kind_that_has_laws_is_tried_above():
    """Of those that this program brings; other tests register their own."""
    kinds = (RANDOMIZERS.get(kind) for kind in RANDOMIZERS.kinds())
    own = (entry for entry in kinds if entry.params.__module__.startswith("engine."))
    have_laws = {entry.kind for entry in own if any("Law" in str(f.type) for f in dataclasses.fields(entry.params))}
    assert have_laws == set(COMPLETE)


def test_an_exposure_beyond_all_light_is_refused():
    """300 stops would silently make every image white."""
    with pytest.raises(UserError, match=r"stops must stay in \[-64, 64\], but this law gives \[300, 400\]"):
        randomizer("x", {"kind": "camera_exposure", "cameras": "*", "stops": uniform(300, 400)})


def test_the_range_of_a_normal_law_is_where_its_random_numbers_end():
    """So narrow normal laws are accepted for bounded quantities, and no value ever leaves the range."""
    low, high = support(Normal(3.0, 0.5))
    ends = quantile(Normal(3.0, 0.5), np.array([0.0, LARGEST]))
    assert low <= ends[0] < ends[1] <= high
    assert (low, high) == pytest.approx(tuple(ends), abs=0.05)


LAMP = {"kind": "light_scale", "per": "world", "lights": "/Lights/*", "stops": uniform(-1, 1), "together": False}
TINT = {
    "kind": "tint",
    "per": "world",
    "instances": "*",
    "hue_deg": uniform(0, 360),
    "saturation": uniform(0, 1),
    "brightness": uniform(0.5, 1),
    "together": False,
}
SCENE = box_scene({"/W/A": ((0, 0, 0), (1, 1, 1)), "/W/B": ((3, 0, 0), (1, 1, 1))})


def test_a_draw_does_not_depend_on_the_other_randomizers():
    """Adding one, or editing a law of another, leaves every value of the first as it was."""
    alone = randomized(SCENE, {"lamps": LAMP}, range(20)).drawn
    beside = randomized(SCENE, {"a_tint": TINT, "lamps": LAMP}, range(20)).drawn
    edited = randomized(SCENE, {"a_tint": {**TINT, "hue_deg": 3.0}, "lamps": LAMP}, range(20)).drawn
    for other in (beside, edited):
        np.testing.assert_array_equal(alone["p.lamps.stops"], other["p.lamps.stops"])
    np.testing.assert_array_equal(beside["p.a_tint.saturation"], edited["p.a_tint.saturation"])


def test_widening_a_law_moves_values_without_reshuffling_them():
    narrow = randomized(SCENE, {"lamps": LAMP}, range(50)).drawn["p.lamps.stops"]
    wide = randomized(SCENE, {"lamps": {**LAMP, "stops": uniform(-2, 2)}}, range(50)).drawn["p.lamps.stops"]
    assert wide == pytest.approx(2.0 * narrow)


def test_the_name_of_a_randomizer_and_the_seed_are_its_key():
    base = randomized(SCENE, {"lamps": LAMP}, range(50)).drawn["p.lamps.stops"]
    renamed = randomized(SCENE, {"other": LAMP}, range(50)).drawn["p.other.stops"]
    reseeded = randomized(SCENE, {"lamps": LAMP}, range(50), seed=1).drawn["p.lamps.stops"]
    assert not (base == renamed).any()
    assert not (base == reseeded).any()
    assert len(np.unique(base)) == base.size  # seed 0 is a seed


def test_steps_share_the_values_of_a_world_unless_asked():
    """`per: world` draws once a world, `per: step` anew at every step; step 0 is the same either way."""
    worlds, steps = np.repeat(np.arange(10), 3), np.tile(np.arange(3), 10)
    shared = randomized(SCENE, {"lamps": LAMP}, worlds, step=steps).drawn["p.lamps.stops"].reshape(10, 3, -1)
    anew = randomized(SCENE, {"lamps": {**LAMP, "per": "step"}}, worlds, step=steps)
    anew = anew.drawn["p.lamps.stops"].reshape(10, 3, -1)
    assert (shared == shared[:, :1]).all()
    assert len(np.unique(anew)) == anew.size
    np.testing.assert_array_equal(anew[:, 0], shared[:, 0])
