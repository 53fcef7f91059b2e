"""The bench of light measures what it says, and its last line has every key."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench import light, light_features, light_mitsuba
from bench.eye_clock import Turn
from bench.light_features import added_ns, lights, sensor_costs, shadow_ray_ns
from bench.light_film import film_costs
from bench.light_mitsuba import Effort, compare, noise
from bench.light_room import METAL, WHITE, block_means, cornell_room, furnace, ring_means
from bench.materials import PATTERN_NAMES
from engine.defect import DEFECT_NAMES
from engine.scene.model import LightKind


def test_the_last_line_has_every_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Frames and furnace are measured at a small size, and what is not measured is null."""
    frames = light.frame_costs
    monkeypatch.setattr(light, "frame_costs", lambda _, worlds: frames((32, 24), worlds=min(worlds, 1)))
    monkeypatch.setattr(light, "furnace_error", lambda spp, steps: 0.0 * (spp + steps))
    monkeypatch.setattr("sys.argv", ["light", "--quick", "--only", "frames", "checks"])
    light.main()
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(light.KEYS) <= set(line)
    assert line["direct_vs_cycles"] == pytest.approx(light.CYCLES_CPU_S / line["direct_cpu_s"])
    assert 0.0 < line["direct_cpu_s"] < line["path16_cpu_s"]
    assert {"path.trace_paths", "path_passage.pass_paths"} & set(line["kernels"]["path16"])
    assert line["shadow_ray_ns"] is None
    assert line["mitsuba_mean_error"] is None


def test_without_mitsuba_nothing_is_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says so; only --require-peers makes it a failure."""
    monkeypatch.setattr(light_mitsuba, "is_here", lambda: False)
    monkeypatch.setattr("sys.argv", ["light", "--only", "mitsuba"])
    light.main()
    said = capsys.readouterr().out
    assert "make judge" in said
    assert json.loads(said.splitlines()[-1])["mitsuba_worst_block_error"] is None
    monkeypatch.setattr("sys.argv", ["light", "--only", "mitsuba", "--require-peers"])
    with pytest.raises(SystemExit, match="make judge"):
        light.main()


def test_film_is_compared_with_the_same_film_made_opaque() -> None:
    """Rays walk through film, and only through film; the ratio is that of the two times."""
    found = film_costs((32, 24), worlds=1, runs=1)
    assert found["film_vs_opaque"] == pytest.approx(found["film_cpu_s"] / found["opaque_cpu_s"])
    kernels = found["film_kernels"]
    walks = {name: {key for key in each if "passage" in key} for name, each in kernels.items()}
    assert walks["film"]
    assert not walks["opaque"]
    shadows = {name: sum(s for key, s in each.items() if "shadow" in key) for name, each in kernels.items()}
    assert found["film_shadow_vs_opaque"] == pytest.approx(shadows["film"] / shadows["opaque"])


def test_the_furnace_hides_a_white_ball() -> None:
    """A smooth white ball deviates by less than its noise; a grey one would by half."""
    assert light.furnace_error(spp=16, steps=1) < 0.02
    half = np.full((32, 32, 3), 0.5, np.float32)
    assert ring_means(half) == pytest.approx([0.5, 0.5, 0.5])
    scene, _ = furnace(0.5, 1.0)
    assert (scene.materials[0].roughness, scene.lights[0].kind) == (0.5, LightKind.DOME)


def test_equal_noise_weighs_time_and_error() -> None:
    """Half the error in the same time is worth four times the time; the same error in twice the time half."""
    black = np.zeros((2, 2, 3))
    assert noise([black + 0.1, black - 0.1], black) == pytest.approx(0.1)
    fine, coarse = light_mitsuba.Cost(0.1, Turn(1.0, 1.0)), light_mitsuba.Cost(0.2, Turn(1.0, 2.0))
    assert light_mitsuba.equal_noise(coarse, fine, "wall_s") == pytest.approx(4.0)
    assert light_mitsuba.equal_noise(coarse, fine, "cpu_s") == pytest.approx(8.0)


def test_blocks_of_a_picture_are_means() -> None:
    picture = np.zeros((64, 64, 3))
    picture[:32, 32:] = 2.0
    assert block_means(picture) == pytest.approx(np.array([[0.0, 2.0], [0.0, 0.0]]))


def test_added_time_is_measured_from_the_base() -> None:
    def spend(steps: int) -> float:
        return float(sum(i * 0.5 for i in range(steps)))

    found = added_ns(lambda: spend(1000), {"more": lambda: spend(200_000)}, pixels=10, rounds=3)
    assert found["more"] > 0.0


def test_every_kind_of_light_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of UsdLux and the sky has a row for its light and one for its shadow."""
    assert {light.kind for light in lights().values()} == set(LightKind) - {LightKind.SKY}
    monkeypatch.setattr(light_features, "material_costs", lambda side_px: dict.fromkeys(PATTERN_NAMES[1:], side_px / 2))
    rows = light_features.light_costs(24, 1)
    names = (*lights(), "sky")
    assert set(rows) == {f"light_{name}_ns" for name in names} | {f"shadow_of_{name}_ns" for name in names}
    assert light_features.pattern_costs(24)["noise_material_ns"] == 12.0
    assert set(light_features.defect_costs(side_px=16, rounds=1)) == set(DEFECT_NAMES)


def test_surfaces_paths_shadows_and_sensors_are_measured() -> None:
    assert set(light_features.surface_costs(24, 1)) == {
        "energy_compensation_ns", *(f"{name}_ns" for name in light_features.materials()),
    }  # fmt: skip
    assert set(light_features.path_costs(24, 1)) == {"path_bounces_1_ns", "path_bounces_8_ns"}
    assert np.isfinite(shadow_ray_ns((24, 18), 1))
    steps = sensor_costs("phone", (48, 36), 1)
    assert {"sensor_phone.meter_zones_ns", "sensor_phone.expose_mosaic_ns"} < set(steps)
    total = steps.pop("sensor_phone_ns")
    assert total == pytest.approx(sum(steps.values()))


@pytest.mark.judge
def test_the_comparison_has_errors_noise_and_ratios() -> None:
    """At few samples the pictures agree roughly, and every number is there."""
    row = compare(cornell_room((METAL, WHITE)), light_mitsuba.ROOM_CAMERA, Effort(32, 4, 64, 64, 2), "scalar_rgb")
    assert row["mean_error"] < 0.1
    assert row["worst_block_error"] < 0.1
    assert row["equal_noise_cpu"] > 0.0
