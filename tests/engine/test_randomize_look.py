"""Randomisers of light and material: closed forms and selection; and all kinds together: independence of the batch."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from scipy import stats

from engine.errors import UserError
from engine.randomize.look.color import rgb_from_hsv
from engine.randomize.look.light import LUMINANCE, black_body
from tests.engine.randomize_scene import CLEAR, JITTER, LOOK, SCENE, randomized, uniform

LAMPS = {"kind": "light_scale", "per": "world", "lights": "/Lights/Lamp*", "stops": 1.0, "together": False}
SUN = {"kind": "sun_angle", "per": "world", "lights": "*", "azimuth_deg": 0.0, "elevation_deg": 0.0}
TINT = {
    "kind": "tint",
    "per": "world",
    "instances": "/W/A",
    "hue_deg": 120.0,
    "saturation": 1.0,
    "brightness": 0.5,
    "together": False,
}
SWAP = {
    "kind": "material_swap",
    "per": "world",
    "instances": "*",
    "materials": ["/Mat/Red", "*Blue"],
    "weights": [1, 3],
    "probability": 1.0,
}


def test_one_stop_doubles_the_radiance_of_the_selected_lights():
    draft = randomized(SCENE, {"lamps": LAMPS}, range(3))
    assert draft.radiance[:, 0] == pytest.approx(2.0)
    assert draft.radiance[:, 1:] == pytest.approx(4.0)


def test_lights_together_share_one_value():
    draft = randomized(SCENE, {"lamps": {**LAMPS, "stops": uniform(-1, 1), "together": True}}, range(20))
    np.testing.assert_array_equal(draft.radiance[:, 1], draft.radiance[:, 2])
    assert draft.drawn["p.lamps.stops"].shape == (20,)


@pytest.mark.parametrize(
    ("azimuth_deg", "elevation_deg", "direction"),
    [(0, 0, (1, 0, 0)), (90, 0, (0, 1, 0)), (45, 90, (0, 0, 1)), (180, 30, (-np.sqrt(0.75), 0, 0.5))],
)
def test_the_sun_shines_from_its_azimuth_and_elevation(azimuth_deg: float, elevation_deg: float, direction: tuple):
    """A distant light emits along -z: its +z points at the sun, its axes are orthonormal, lamps stay as they are."""
    sun = {**SUN, "azimuth_deg": azimuth_deg, "elevation_deg": elevation_deg}
    draft = randomized(SCENE, {"sun": sun}, [0])
    pose = draft.world_from_light[0, 0]
    assert pose[:, 2] == pytest.approx(direction, abs=1e-12)
    assert pose[:, :3] @ pose[:, :3].T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(pose[:, :3]) == pytest.approx(1.0)
    np.testing.assert_array_equal(draft.world_from_light[0, 1], SCENE.lights[1].world_from_light)


def test_black_body_meets_the_chromaticity_of_illuminant_a():
    """CIE illuminant A is a Planckian radiator of about 2856 K at x = 0.44757, y = 0.40745 (CIE 15)."""
    x, y = 0.44757, 0.40745
    to_rgb = np.linalg.inv([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    rgb = to_rgb @ [x / y, 1.0, (1.0 - x - y) / y]
    assert black_body(np.array([2856.0]))[0] == pytest.approx(rgb, abs=0.02)


def test_temperature_keeps_luminance_and_reddens_when_cooler():
    kelvin = np.array([2000.0, 3000.0, 4500.0, 6500.0, 12000.0])
    rgb = black_body(kelvin)
    assert rgb @ LUMINANCE == pytest.approx(1.0)
    assert (np.diff(rgb[:, 0] / rgb[:, 2].clip(1e-6)) < 0.0).all()
    lamp = {
        "kind": "light_temperature",
        "per": "world",
        "lights": "*",
        "kelvin": uniform(2000, 9000),
        "together": False,
    }
    draft = randomized(SCENE, {"color": lamp}, range(10))
    assert draft.radiance @ np.array(LUMINANCE) == pytest.approx(2.0, rel=1e-6)


def test_a_switched_light_is_dark_as_often_as_asked():
    switch = {
        "kind": "light_switch",
        "per": "world",
        "lights": "/Lights/Lamp*",
        "probability_on": 0.7,
        "together": False,
    }
    draft = randomized(SCENE, {"switch": switch}, range(1000))
    on = draft.radiance[:, 1:].sum(axis=-1) > 0.0
    np.testing.assert_array_equal(on, draft.drawn["p.switch.on"])
    assert stats.binomtest(int(on.sum()), on.size, 0.7).pvalue > 1e-3
    assert (draft.radiance[:, 0] == 2.0).all()


def test_ambient_scales_in_stops():
    draft = randomized(SCENE, {"sky": {"kind": "ambient_scale", "per": "world", "stops": -1.0}}, [0])
    assert draft.ambient == pytest.approx(0.05)


def test_hsv_equals_the_standard_library():
    rng = np.random.default_rng(0)
    hsv = rng.uniform(size=(200, 3))
    expected = np.array([colorsys.hsv_to_rgb(*row) for row in hsv])
    assert rgb_from_hsv(hsv[:, 0] * 360.0, hsv[:, 1], hsv[:, 2]) == pytest.approx(expected, abs=1e-12)
    assert rgb_from_hsv(hsv[:, 0] * 360.0 - 720.0, hsv[:, 1], hsv[:, 2]) == pytest.approx(expected, abs=1e-9)


def test_tint_multiplies_only_what_is_selected():
    draft = randomized(SCENE, {"tint": TINT, "tint_again": TINT}, [0])
    assert draft.tint[0, 1] == pytest.approx([0.0, 0.25, 0.0])
    assert (draft.tint[0, [0, 2]] == 1.0).all()


def test_materials_are_swapped_by_weight():
    draft = randomized(SCENE, {"swap": SWAP}, range(1000))
    chosen = draft.material[:, 1:]
    assert set(np.unique(chosen)) == {1, 2}
    assert stats.binomtest(int((chosen == 2).sum()), chosen.size, 0.75).pvalue > 1e-3
    names = np.array([m.name for m in SCENE.materials])
    np.testing.assert_array_equal(names[chosen], draft.drawn["p.swap.material"])
    assert (draft.material[:, 0] == -1).all()


def test_a_swap_that_never_happens_changes_nothing():
    draft = randomized(SCENE, {"swap": {**SWAP, "probability": 0.0}}, range(50))
    assert (draft.material == -1).all()


def test_roughness_and_color_are_set_per_material():
    rough = {"kind": "roughness", "per": "world", "materials": "/Mat/*", "roughness": uniform(0.2, 0.4)}
    color = {
        "kind": "material_color",
        "per": "world",
        "materials": "/Mat/Red",
        "hue_deg": 0.0,
        "saturation": 1.0,
        "value": 0.8,
    }
    draft = randomized(SCENE, {"rough": rough, "color": color}, range(100))
    assert ((draft.roughness >= 0.2) & (draft.roughness <= 0.4)).all()
    assert len(np.unique(draft.roughness)) == 300
    assert draft.base_color[:, 1] == pytest.approx(np.tile([0.8, 0.0, 0.0], (100, 1)))
    assert (draft.base_color[:, 2] == np.float32(0.18)).all()


EVERYTHING = {
    "look": LOOK,
    "jitter": {**JITTER, "pan_deg": uniform(-9, 9)},
    "lamps": {**LAMPS, "stops": uniform(-1, 1)},
    "sun": {**SUN, "azimuth_deg": uniform(0, 360)},
    "tint": {**TINT, "hue_deg": uniform(0, 360)},
    "swap": SWAP,
    "color": {
        "kind": "light_temperature",
        "per": "step",
        "lights": "*",
        "kelvin": uniform(2000, 9000),
        "together": False,
    },
    "boxes": {
        "kind": "scatter",
        "per": "world",
        "items": "/W/*",
        "anchors": "to",
        "count": {"law": "integer", "low": 0, "high": 2},
        "yaw_deg": uniform(0, 360),
        "gap_m": 0.1,
        "avoid": None,
        "tries": 8,
    },
}


def test_a_row_is_the_same_in_any_batch_and_order():
    """Bit for bit, for every array and column of the draft."""
    all_rows = randomized(SCENE, EVERYTHING, range(40))
    for worlds in ([17], [31, 2, 39, 8, 9], list(range(39, -1, -1))):
        some = randomized(SCENE, EVERYTHING, worlds)
        for name, value in vars(some).items():
            if name == "drawn":
                assert value.keys() == all_rows.drawn.keys()
                for column in value:
                    np.testing.assert_array_equal(value[column], all_rows.drawn[column][worlds], err_msg=column)
            elif isinstance(value, np.ndarray):
                np.testing.assert_array_equal(value, getattr(all_rows, name)[worlds], err_msg=name)
            else:
                assert value == getattr(all_rows, name)


def test_the_order_of_entries_in_a_recipe_means_nothing():
    """Canonical JSON has no order; stages decide, then names."""
    forward = randomized(SCENE, EVERYTHING, range(5))
    backward = randomized(SCENE, dict(reversed(EVERYTHING.items())), range(5))
    for name in ("world_from_camera", "world_from_instance", "radiance", "tint", "material"):
        np.testing.assert_array_equal(getattr(forward, name), getattr(backward, name))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            {**LAMPS, "lights": "/Lights/Lmap*"},
            "randomize.x.lights: '/Lights/Lmap*' matches no light; the scene has /Lights/Lamp",
        ),
        ({**TINT, "instances": "/W/C"}, "randomize.x.instances: '/W/C' matches no instance; the scene has /W/"),
        ({**TINT, "instances": ["*", "!*"]}, "randomize.x.instances: ['*', '!*'] selects no instance"),
        ({**LOOK, "position_in": "form"}, "randomize.x.position_in: no anchor of kind 'form'; the scene has from"),
        ({**SUN, "lights": "/Lights/Lamp*"}, "randomize.x.lights: '/Lights/Lamp*' selects no distant light"),
        ({**LAMPS, "kind": "light_scael"}, "randomize.x: unknown kind 'light_scael'; known kinds: advance, "),
        ({**LAMPS, "light": "*"}, "randomize.x: unknown key 'light'; known keys of light_scale: kind, per, lights, "),
        ({**LAMPS, "per": "frame"}, "randomize.x.per: 'frame' is not one of: world, step"),
        ({**LOOK, "clear": {**CLEAR, "tries": 0}}, "randomize.x.clear: tries must be in 1..1024, got 0"),
        ({**LOOK, "focal_mm": {"law": "normal", "mean": 9, "std": 2}}, "randomize.x: focal_mm must stay in [0.1, "),
        (
            {**SUN, "elevation_deg": 95.0},
            "randomize.x: elevation_deg must stay in [-90, 90], but this law gives [95, 95]",
        ),
    ],
)
def test_a_wrong_entry_is_one_line_with_near_matches(entry: dict, line: str):
    with pytest.raises(UserError) as caught:
        randomized(SCENE, {"x": entry}, [0])
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_glob_with_an_exclamation_mark_takes_away():
    draft = randomized(SCENE, {"tint": {**TINT, "instances": ["*", "!/W/A"]}}, [0])
    assert (draft.tint[0, 1] == 1.0).all()
    assert (draft.tint[0, 2] != 1.0).any()
