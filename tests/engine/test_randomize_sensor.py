"""Randomised sensors: columns, what each view gets, and what cannot vary."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from engine.config import compose
from engine.errors import UserError
from engine.factory import Factory, build_factory, generate, load_recipe_scene
from engine.sensors.settings import setting

SMALL = ("+scene=tabletop", "rig.width=48", "rig.height=40", "dr=wide", "randomize=[sensor_spread]")


def factory(*overrides: str) -> Factory:
    recipe, job = compose(*SMALL, *overrides)
    recipe, scene = load_recipe_scene(recipe, job)
    return build_factory(recipe, scene, device="cpu", threads=1)


def test_settings_are_drawn_recorded_and_used() -> None:
    """Each world has its own, which are those of its columns; the picture changes and its labels do not."""
    made = factory("sensor=industrial")
    draft, frames, _ = made.make([0, 1])
    for name in ("iso", "bloom_share", "contrast"):
        drawn = draft.drawn[f"p.sensor_spread.{name}"]
        assert np.array_equal(setting(draft.sensor, name)[:, 0], drawn)
        assert drawn[0] != drawn[1]
    assert np.array_equal(setting(draft.sensor, "read_noise_e"), np.full((2, 1), 2.3))
    _, plain, _ = factory("sensor=ideal", "randomize=[]").make([0, 1])
    assert np.array_equal(plain.instance, frames.instance)
    assert not np.array_equal(plain.rgb, frames.rgb)


def test_metered_exposure_is_a_column_of_frames(tmp_path: Path) -> None:
    """What the file says is what the renderer metered."""
    recipe, job = compose(*SMALL[:3], "sensor=phone", "count=1", "device=cpu", f"out={tmp_path}/set")
    manifest = generate(recipe, job).manifest
    assert manifest is not None
    rows = parquet.read_table(f"{tmp_path}/set/index/frames.parquet")
    made = factory("sensor=phone", "randomize=[]").make([0])[1]
    assert made.keys.metered_ev is not None
    assert rows["metered_ev"].to_pylist() == made.keys.metered_ev.tolist()


@pytest.mark.parametrize(("overrides", "said"), [
    (("sensor=ideal",), "randomize.sensor_spread.iso: the sensor leaves out what this changes: it is the ideal one"),
    (("sensor=industrial", "sensor.lens.bloom_share=0"), "lens.bloom_share is 0"),
])  # fmt: skip
def test_what_the_sensor_leaves_out_cannot_vary(overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        factory(*overrides).draft([0])


def test_files_have_the_quality_that_was_drawn(tmp_path: Path) -> None:
    """Per world, of an ideal sensor as well; the quantisation tables of the files say which it was."""
    overrides = (
        "sensor=ideal",
        "randomize=[]",
        "+randomize.jpeg={kind: sensor, cameras: '*', jpeg_quality: {law: choice, values: [20, 90]}}",
    )
    recipe, job = compose(*SMALL[:3], *overrides, "count=4", "device=cpu", f"out={tmp_path}/set")
    generate(recipe, job)
    drawn = parquet.read_table(f"{tmp_path}/set/index/worlds.parquet")["p.jpeg.jpeg_quality"].to_pylist()
    assert set(drawn) == {20.0, 90.0}
    for file, quality in zip(sorted((tmp_path / "set/images").rglob("*.jpg")), drawn, strict=True):
        again = BytesIO()
        Image.new("RGB", (8, 8)).save(again, "JPEG", quality=int(quality))
        with Image.open(file) as found, Image.open(again) as wanted:
            assert found.quantization == wanted.quantization


def test_a_law_must_stay_where_the_setting_means_something() -> None:
    with pytest.raises(UserError, match=r"iso must stay in \[1, 1e\+07\]"):
        compose(*SMALL, "randomize.sensor_spread.iso=0.1", "sensor=industrial")


@pytest.mark.parametrize("sensor", ["industrial", "phone", "action", "lowlight", "webcam"])
def test_shipped_sensors_are_sensors(sensor: str) -> None:
    """They fit the schema, are not ideal, and change the picture."""
    recipe, _ = compose("+scene=tabletop", f"sensor={sensor}")
    assert recipe.sensor is not None
    assert not recipe.sensor.is_ideal


def test_a_sensor_that_cannot_be_is_refused_with_its_key() -> None:
    with pytest.raises(UserError, match=r"sensor.chip: response has no inverse"):
        compose("+scene=tabletop", "sensor.chip.response=[[1,0,0],[1,0,0],[0,0,1]]")
    with pytest.raises(UserError, match=r"sensor.develop: gamma must be in 1..3, got 9"):
        compose("+scene=tabletop", "sensor.develop.gamma=9")
