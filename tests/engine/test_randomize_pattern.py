"""The randomiser of procedural materials: what it draws, what it records, what it refuses, and the presets in conf."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.materials import PRESETS, preset
from engine.draft import NO_PATTERN, Draft
from engine.errors import UserError
from engine.pattern import COLUMNS, LAYERS, OWN_COLOR, PATTERN_NAMES
from engine.randomize.kinds import checked_randomizers
from engine.randomize.look.color import rgb_from_hsv
from engine.randomize.look.pattern import LAW_KEYS, Name
from tests.engine.randomize_scene import SCENE, randomized, uniform

LAYER_LAWS = {"rust": uniform(0, 0.5), "stain": 0.0, "dust": 0.25, "wear": uniform(0.1, 0.9)}


def entry(**changes: Any) -> dict[str, Any]:
    """Return an entry whose layers vary."""
    return preset("painted_metal", layers=LAYER_LAWS, **changes)


def column(draft: Draft, name: str, size: int = 1) -> np.ndarray:
    """Return what all records hold, [row, slot] or [row, slot, size]."""
    first = COLUMNS[name]
    return draft.pattern[..., first] if size == 1 else draft.pattern[..., first : first + size]


def test_every_value_of_a_record_is_drawn_and_named() -> None:
    """Numbers, layers and colours of each thing are columns, and what the device gets is what they say."""
    draft = randomized(SCENE, {"paint": entry()}, range(8))
    for name in (*LAW_KEYS, *LAYERS):
        assert column(draft, name) == pytest.approx(draft.drawn[f"p.paint.{name}"].astype(np.float32), rel=1e-6)
    for name in ("color_a", "color_b"):
        parts = [draft.drawn[f"p.paint.{name}_{part}"] for part in ("hue_deg", "saturation", "value")]
        assert column(draft, name, 3) == pytest.approx(rgb_from_hsv(*parts), rel=1e-6)
    kinds = draft.pattern.view(np.int32)[..., COLUMNS["kind"]]
    assert (kinds == PATTERN_NAMES.index("painted_metal")).all()
    assert (draft.drawn["p.paint.seed"] == draft.pattern_seed[:, 1:]).all()


def test_each_world_and_each_instance_has_values_of_its_own() -> None:
    draft = randomized(SCENE, {"paint": entry()}, range(6))
    for values in (column(draft, "scale_m"), column(draft, "wear"), draft.pattern_seed[:, 1:]):
        assert len(np.unique(values)) == values.size


def test_a_world_is_the_same_alone() -> None:
    many, one = (randomized(SCENE, {"paint": entry()}, worlds) for worlds in (range(5), [3]))
    for name in ("pattern", "pattern_of_instance", "pattern_seed"):
        np.testing.assert_array_equal(getattr(many, name)[3], getattr(one, name)[0])


def test_instances_wear_what_their_globs_say() -> None:
    """The second entry's slot follows the first one's, and the material's pattern is beside the instances'."""
    entries = {"a": entry(instances="/W/A"), "b": entry(instances="/W/B", materials="/Mat/Red")}
    draft = randomized(SCENE, entries, range(2))
    assert draft.pattern.shape == (2, 3, 24)
    assert draft.pattern_of_instance.tolist() == [[NO_PATTERN, 0, 1]] * 2
    assert draft.pattern_of_material.tolist() == [[NO_PATTERN, 2, NO_PATTERN]] * 2


def test_the_probability_is_that_of_wearing_it() -> None:
    """Over 4000 worlds, within four standard deviations; whoever does not wear it keeps what was there."""
    draft = randomized(SCENE, {"paint": entry(instances="/W/A", probability=0.3)}, range(4000))
    worn = draft.pattern_of_instance[:, 1] != NO_PATTERN
    assert worn.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 4000))
    np.testing.assert_array_equal(worn, draft.drawn["p.paint.worn"])


def test_no_colour_is_the_materials_own_and_directions_are_unit() -> None:
    draft = randomized(SCENE, {"paint": entry(color_a=None, direction=[3, 0, 4])}, [0])
    assert (column(draft, "color_a", 3) == OWN_COLOR).all()
    assert column(draft, "direction", 3) == pytest.approx(np.broadcast_to((0.6, 0.0, 0.8), (1, 2, 3)))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_complete_entry(name: str) -> None:
    """It fits the dataclass without a default in code, and its world has its pattern."""
    checked = checked_randomizers({name: preset(name)})[name]
    assert set(checked) == set(preset(name))
    assert randomized(SCENE, {name: preset(name)}, [0]).pattern.shape == (1, 2, 24)


def test_names_in_configurations_are_those_of_the_kinds() -> None:
    assert Name.__args__ == PATTERN_NAMES  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pattern": "marble"}, "randomize.paint.pattern: 'marble' is not one of: none, cardboard"),
        ({"instances": None}, "instances and materials are both null; name what wears the pattern"),
        ({"instances": "/W/C"}, "randomize.paint.instances: '/W/C' matches no instance"),
        ({"scale_m": -1}, "scale_m must stay in [1e-05, 1000], but this law gives [-1, -1]"),
        ({"direction": [0, 0, 0]}, "direction is [0, 0, 0]; give a direction such as [0, 0, 1]"),
        ({"layers": {**LAYER_LAWS, "rust": 2}}, "randomize.paint.layers: rust must stay in [0, 1]"),
        ({"layers": {**LAYER_LAWS, "mud": 1}}, "unknown key 'mud'; known keys: rust, stain, dust, wear"),
        ({"color_a": {"hue_deg": 0, "saturation": 2, "value": 1}}, "saturation must stay in [0, 1]"),
    ],
)
def test_a_bad_entry_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        randomized(SCENE, {"paint": {**entry(), **changes}}, [0])
    assert message in str(caught.value)
