"""Daylight agrees with what others publish, and worlds with drawn suns have the light of those suns."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import engine
from engine.daylight.atmosphere import LUMINANCE_OF_RGB, SUN_HALF_ANGLE_RAD, daylight
from engine.daylight.sky import sky_colors, sky_rows, sky_table
from engine.daylight.solar import declination_rad, equation_of_time_min, sun_angles_rad
from engine.draft import Draft
from engine.errors import UserError
from engine.factory import load_recipe_scene
from engine.randomize import apply
from engine.rig import authored_draft, rig_cameras
from engine.scene import DrawnWorld, SceneOptions, load_scene, write_world
from engine.scene.model import LightKind, Scene

Array = NDArray[np.float64]
TABLE = ("+scene=tabletop", "count=4", "device=cpu")
DAY = (*TABLE, "+randomize=daylight")


def angles_deg(latitude_deg: float, day: float, hour: float) -> tuple[float, float]:
    found = sun_angles_rad(*(np.array([value]) for value in (math.radians(latitude_deg), day, hour)))
    return math.degrees(found[0][0]), math.degrees(found[1][0]) % 360.0


def test_the_sun_stands_where_the_solar_position_algorithm_puts_it() -> None:
    """NREL/TP-560-34302, its example: Golden, 2003-10-17, 12:30:30 at UTC-7. Leap years cost a series 0.3 degrees."""
    hour = 12.5 + 30.0 / 3600.0 + 7.0 - 105.1786 / 15.0
    elevation, bearing = angles_deg(39.742476, 290.0, hour)
    assert elevation == pytest.approx(90.0 - 50.11162, abs=0.4)
    assert bearing == pytest.approx(194.34024, abs=0.5)


def test_the_year_has_its_solstices_and_its_equation_of_time() -> None:
    """Almanac: declination 23.44 degrees on June 21, -23.44 on December 21; sundials 14.2 min late, 16.4 early."""
    day = np.arange(1.0, 366.0) + 0.5
    declination_deg, minutes = np.rad2deg(declination_rad(day)), equation_of_time_min(day)
    assert declination_deg.max() == pytest.approx(23.44, abs=0.05)
    assert declination_deg.min() == pytest.approx(-23.44, abs=0.05)
    assert abs(int(day[declination_deg.argmax()]) - 172) <= 1
    assert (minutes.min(), minutes.max()) == (pytest.approx(-14.2, abs=0.3), pytest.approx(16.4, abs=0.3))


@pytest.mark.parametrize(("hour", "east"), [(8.0, True), (16.0, False)])
def test_the_sun_rises_in_the_east_on_both_halves_of_the_earth(hour: float, *, east: bool) -> None:
    for latitude_deg, noon in ((45.0, 180.0), (-45.0, 0.0)):
        assert (angles_deg(latitude_deg, 80.0, hour)[1] < 180.0) == east
        off = (angles_deg(latitude_deg, 80.0, 12.0)[1] - noon + 180.0) % 360.0 - 180.0
        assert abs(off) < 4.0


@pytest.mark.parametrize("elevation_deg", [10.0, 20.0, 30.0, 45.0, 60.0, 80.0])
def test_clear_days_are_as_bright_as_the_lighting_handbook_says(elevation_deg: float) -> None:
    """IES RP-21 of clear skies: sun 127.5 exp(-0.21 / sin h) klx, sky 0.8 + 15.5 sqrt(sin h) klx; within a sixth."""
    sine = math.sin(math.radians(elevation_deg))
    light = daylight(*(np.array([value]) for value in (2.0, math.radians(elevation_deg), 0.2)))
    assert float(light.sun_lx[0] @ LUMINANCE_OF_RGB) == pytest.approx(127.5e3 * math.exp(-0.21 / sine), rel=0.05)
    assert light.sky_lx[0] == pytest.approx(800.0 + 15.5e3 * math.sqrt(sine), rel=0.17)


def test_haze_takes_from_the_sun_and_low_suns_are_red() -> None:
    turbidity, height = np.array([2.0, 4.0, 8.0, 2.0]), np.deg2rad([40.0, 40.0, 40.0, 4.0])
    light = daylight(turbidity, height, np.full(4, 0.2))
    sun = light.sun_lx @ LUMINANCE_OF_RGB
    assert sun[0] > sun[1] > sun[2]
    assert light.sky_lx[0] < light.sky_lx[1] < light.sky_lx[2]
    red_over_blue = light.sun_lx[:, 0] / light.sun_lx[:, 2]
    assert red_over_blue[0] < 2.0 < 5.0 < red_over_blue[3]


def test_twilight_fades_and_night_is_dark() -> None:
    height = np.deg2rad([2.001, 1.999, 0.0, -3.0, -5.99, -6.01, -40.0])
    light = daylight(np.full(7, 3.0), height, np.full(7, 0.2))
    assert light.sky_lx[0] == pytest.approx(light.sky_lx[1], rel=0.01)
    assert (np.diff(light.sky_lx[:6]) < 0.0).all()
    assert not light.sky_lx[5:].any()
    assert not light.sun_lx[3:].any()
    assert np.isfinite(sky_rows(np.stack([np.full(7, 3.0), height, np.full(7, 0.2), np.ones(7)], axis=1)).numbers).all()


def test_a_sky_is_blue_overhead_and_pale_at_the_horizon() -> None:
    rows = sky_rows(np.array([[2.5, math.radians(40.0), 0.2, 1.0]]))
    overhead, aside = np.array([[0.0, 0.0, 1.0], [0.0, 0.999, 0.05]]) @ np.eye(3)
    (up, low), _ = (a[0] for a in sky_colors(rows.numbers, np.stack([overhead, aside])))
    assert up[2] > 2.0 * up[0]
    assert low[2] < 1.4 * low[0]
    assert low.sum() > up.sum()


def test_the_table_of_a_sky_is_a_distribution() -> None:
    rows = sky_rows(np.array([[t, math.radians(e), 0.2, 1.0] for t, e in ((2.0, 3.0), (3.0, 50.0), (3.0, -20.0))]))
    table = sky_table(rows.numbers)
    band = np.repeat(np.diff(np.sin(np.arange(17) / 16 * np.pi / 2)) * 2 * np.pi / 24, 24)
    assert table[:, 16 + 384 :] @ band == pytest.approx(np.ones(3), rel=1e-9)
    assert (np.diff(table[:, :16], axis=1) > 0.0).all()


def drawn(choice: str, *, rows: int = 3) -> tuple[Scene, Draft]:
    scene, world = drawn_world(choice, rows=rows)
    return scene, world.draft


def drawn_world(choice: str, *, rows: int) -> tuple[Scene, DrawnWorld]:
    recipe, job = engine.compose(*TABLE, f"+randomize={choice}")
    recipe, scene = load_recipe_scene(recipe, job)
    cameras = rig_cameras(scene, recipe.rig)
    draft = authored_draft(scene, recipe.rig, cameras, np.arange(rows, dtype=np.int64), np.zeros(rows, np.int32))
    apply.randomize(apply.plan(recipe, scene, cameras), draft)
    return scene, DrawnWorld(recipe, cameras, draft, rows - 1)


def test_every_world_has_the_sun_that_it_drew() -> None:
    """Direction, irradiance and sky follow the columns; domes and suns of the scene are dark, its lamps are not."""
    scene, draft = drawn("daylight")
    columns = {key.removeprefix("p.daylight."): value for key, value in draft.drawn.items() if "daylight" in key}
    assert set(columns) == {"elevation_deg", "azimuth_deg", "turbidity", "ground_albedo", "sun_lx", "sky_lx"}
    names = [light.name for light in scene.lights]
    sun, sky = names.index("daylight/sun"), names.index("daylight/sky")
    elevation, azimuth = np.deg2rad(columns["elevation_deg"]), np.deg2rad(columns["azimuth_deg"])
    across = np.cos(elevation)
    towards = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), np.sin(elevation)], axis=1)
    assert draft.world_from_light[:, sun, :, 2] == pytest.approx(towards, abs=1e-9)
    ahead = np.stack([np.cos(azimuth), np.sin(azimuth), 0.0 * azimuth], axis=1)
    assert draft.world_from_light[:, sky, :, 0] == pytest.approx(ahead, abs=1e-9)
    lux = draft.radiance[:, sun] @ LUMINANCE_OF_RGB * math.pi * math.sin(SUN_HALF_ANGLE_RAD) ** 2 * 15000.0
    assert lux == pytest.approx(columns["sun_lx"], rel=1e-5)
    for index, light in enumerate(scene.lights):
        if index not in (sun, sky):
            assert draft.radiance[:, index].any() == (light.kind not in (LightKind.DOME, LightKind.DISTANT))


def test_place_and_time_give_the_sun_that_they_record() -> None:
    _, draft = drawn("daylight_at")
    columns = {key.removeprefix("p.daylight."): value for key, value in draft.drawn.items() if "daylight" in key}
    for row in range(3):
        elevation, bearing = angles_deg(45.0, float(columns["day_of_year"][row]), float(columns["hour"][row]))
        assert columns["elevation_deg"][row] == pytest.approx(elevation, abs=1e-9)
        turned = np.deg2rad(columns["north_deg"][row] - bearing - columns["azimuth_deg"][row])
        assert math.cos(turned) == pytest.approx(1.0, abs=1e-12)


def test_a_world_written_as_usd_has_its_sun_and_a_dome_as_bright_as_its_sky(tmp_path: Path) -> None:
    scene, world = drawn_world("daylight", rows=1)
    notes = write_world(tmp_path / "world.usda", scene, world)
    assert any("an even dome" in note.what for note in notes)
    options = SceneOptions(roots=(tmp_path, scene.source.parent))
    read = {light.name.rpartition("/")[2]: light for light in load_scene(tmp_path / "world.usda", options).lights}
    sky, sun = read["ommatidia_sky"], read["ommatidia_sun"]
    assert (sky.kind, sun.kind) == (LightKind.DOME, LightKind.DISTANT)
    rows = sky_rows(world.draft.sky)
    assert np.array(sky.radiance) * math.pi == pytest.approx(rows.sky_irradiance[0], rel=1e-5)
    lit = np.array(sun.radiance) * math.pi * math.sin(sun.half_angle_rad) ** 2
    assert lit == pytest.approx(rows.sun_irradiance[0], rel=1e-4)
    assert sun.world_from_light[:, 2] == pytest.approx(world.draft.world_from_light[0, -1, :, 2], abs=1e-6)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("randomize.daylight.turbidity=1", "turbidity"),
        ("randomize.daylight.unit_nit=0", "unit_nit must be from 0.001 to 1e+09, got 0"),
        ("randomize.daylight.bounce=2", "bounce must be from 0 to 1, got 2"),
        ("randomize.daylight.ground_albedo={law: uniform, low: 0, high: 3}", "ground_albedo"),
    ],
)
def test_a_sky_that_cannot_be_is_one_clear_error(override: str, said: str) -> None:
    with pytest.raises(UserError, match=r"randomize\.daylight") as caught:
        engine.compose(*DAY, override)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_world_under_the_sky_is_the_same_in_any_batch(tmp_path: Path) -> None:
    made = []
    for batch in (1, 3):
        recipe, job = engine.compose(
            *DAY, f"out={tmp_path / str(batch)}", f"batch={batch}", "rig.width=64", "rig.height=48"
        )
        out = engine.generate(recipe, job).out
        made.append({str(f.relative_to(out)): f.read_bytes() for f in sorted((out / "images").rglob("*.*"))})
    assert made[0] == made[1]
    assert len(made[0]) == 4


def test_the_light_of_a_day_does_not_depend_on_the_days_beside_it() -> None:
    """To the bit: sums must not change with the number of rows."""
    rng = np.random.default_rng(0)
    parameters = np.stack(
        [rng.uniform(2, 8, 40), rng.uniform(-0.1, 1.5, 40), rng.uniform(0, 0.5, 40), np.full(40, 1e4)], 1
    )
    together = sky_rows(parameters)
    for i in range(40):
        alone = sky_rows(parameters[i : i + 1])
        for name, values in vars(together).items():
            assert getattr(alone, name)[0].tobytes() == values[i].tobytes(), name
