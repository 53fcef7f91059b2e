"""What the lens does: vignetting, lateral colour, glare; and what the camera meters."""

from __future__ import annotations

import numpy as np
import pytest

from engine.render.sensor import glare_weights
from tests.kernels.scenes import rig
from tests.kernels.sensors import APERTURE_MM, FOCAL_MM, IDEAL, changed, flat, take

SIDE = 64
AT = np.arange(SIDE) + 0.5 - SIDE / 2
DX, DY = np.meshgrid(AT, AT)
FOCAL_PX = FOCAL_MM / APERTURE_MM * SIDE


def test_light_falls_as_the_formulas_say() -> None:
    """cos^4 of the angle with the axis, and a polynomial in the distance in half diagonals."""
    a2, a4, a6 = -0.2, 0.05, -0.3
    sensor = changed(IDEAL, lens__natural_vignetting=1.0, lens__vignetting=[a2, a4, a6], lens__vignetting_strength=0.5)
    r2 = (DX**2 + DY**2).astype(np.float64)
    rho2, cosine = r2 / (2 * (SIDE / 2) ** 2), 1 / np.sqrt(1 + r2 / FOCAL_PX**2)
    wanted = cosine**4 * (1 + 0.5 * (a2 * rho2 + a4 * rho2**2 + a6 * rho2**3))
    light = take(sensor, flat(0.7, SIDE)).light[0]
    assert np.abs(light - 0.7 * wanted[..., None]).max() < 1e-6


def test_lateral_colour_magnifies_red_and_blue_about_the_axis() -> None:
    """A ramp shows the displacement: at p a channel of magnification 1 + m has what green has at p / (1 + m)."""
    red, blue, strength = 0.02, -0.01, 0.5
    sensor = changed(IDEAL, lens__aberration=[red, blue], lens__aberration_strength=strength)
    ramp = np.repeat((2.0 + 0.01 * DX + 0.02 * DY)[..., None], 3, axis=2)
    light = take(sensor, ramp).light[0, 2:-2, 2:-2]
    for channel, more in ((0, red), (1, 0.0), (2, blue)):
        shrunk = 1 / (1 + strength * more)
        wanted = (2.0 + 0.01 * DX * shrunk + 0.02 * DY * shrunk)[2:-2, 2:-2]
        assert np.abs(light[..., channel] - wanted).max() < 1e-5
    assert np.array_equal(take(sensor, ramp).light[0, ..., 1], ramp[..., 1].astype(np.float32))


def glare_of_a_point(side: int, **values: float) -> np.ndarray:
    """Return what a sensor sees of a point of 1000 in the middle, by way of raw numbers that cannot saturate."""
    sensor = changed(IDEAL, chip__mosaic="rggb", **values)
    light = np.zeros((side, side, 3))
    light[side // 2, side // 2] = 1000.0
    return take(sensor, light, draft_values={"exposure_ev": -10.0}).raw[0].astype(np.float64) * 2**10


@pytest.mark.parametrize("side", [256, 255])
def test_glare_keeps_energy_and_stays_in_the_middle(side: int) -> None:
    share = 0.3
    image = glare_of_a_point(side, lens__bloom_share=share, lens__bloom_radius=0.04)
    assert image.sum() == pytest.approx(1000.0, rel=5e-3)
    assert image[side // 2, side // 2] == pytest.approx(1000 * (1 - share), rel=0.1)
    around = image.copy()
    around[side // 2, side // 2] = 0.0
    y, x = np.indices(image.shape) - side // 2
    assert abs((around * x).sum()) / around.sum() < 1.0 > abs((around * y).sum()) / around.sum()  # half a coarse pixel


def test_glare_of_a_flat_field_is_the_field() -> None:
    sensor = changed(IDEAL, chip__mosaic="rggb", lens__bloom_share=0.5, lens__bloom_radius=0.5)
    assert take(sensor, np.full((90, 121, 3), 0.25)).raw == pytest.approx(0.25, rel=1e-5)


def test_glare_has_the_spread_of_its_gaussians() -> None:
    """Its variance is the weighted mean of (4^k - 1) / 2 over the levels."""
    side, share = 256, 0.5
    values = {"lens__bloom_share": share, "lens__bloom_radius": 0.03, "lens__bloom_power": 3.0}
    weights = glare_weights(changed(IDEAL, **values), rig(size_px=(side, side)))
    image = glare_of_a_point(side, **values)
    y, x = np.indices(image.shape) - side // 2
    wanted = share * sum(w * (4.0 ** (k + 1) - 1) / 2 for k, w in enumerate(weights))
    assert len(weights) > 2
    assert (image * x**2).sum() / 1000 == pytest.approx(wanted, rel=0.06)  # the pyramid is not shift invariant
    assert (image * y**2).sum() / 1000 == pytest.approx(wanted, rel=0.06)


@pytest.mark.parametrize("power", [2.0, 2.5, 3.0])
def test_glare_falls_with_its_power_of_the_distance(power: float) -> None:
    """Means over rings of 8 and 32 px around a point, well within the widest Gaussian."""
    image = glare_of_a_point(384, lens__bloom_share=0.3, lens__bloom_radius=0.12, lens__bloom_power=power)
    y, x = np.indices(image.shape) - 192
    near, far = (image[np.abs(np.hypot(x, y) - radius) < 0.5].mean() for radius in (8, 32))
    assert np.log2(near / far) / 2 == pytest.approx(power, abs=0.1)


def test_metering_brings_the_geometric_mean_to_the_target() -> None:
    """Half at 0.02, half at 0.08: mean 0.04. The exposure is recorded, and stops are added to it."""
    sensor = changed(IDEAL, chip__mosaic="rggb", exposure__mode="auto", exposure__meter_target=0.2)
    light = np.full((64, 64, 3), 0.02)
    light[:32] = 0.08
    taken = take(sensor, light, draft_values={"exposure_ev": -1.0})
    assert taken.metered_ev == pytest.approx(np.log2(0.2 / 0.04), abs=1e-4)
    assert taken.raw[0, -1] == pytest.approx(0.02 * 5 / 2, rel=1e-4)


def test_metering_by_percentile_and_its_limits() -> None:
    """A tenth of the zones is bright: the 80th percentile does not see them, the 95th does; limits hold."""
    light = np.full((320, 320, 3), 0.1)
    light[:32] = 2.0  # within the first three and a bit of 32 rows of zones
    values = {"exposure__mode": "auto", "exposure__meter_target": 0.5, "exposure__meter_high_ev": 4.0}
    for percentile, ev in ((80.0, np.log2(5.0)), (95.0, -2.0)):
        taken = take(changed(IDEAL, **values, exposure__meter_percentile=percentile), light)
        assert taken.metered_ev == pytest.approx(ev, abs=1e-4)
    assert take(changed(IDEAL, **values), np.zeros((40, 40, 3))).metered_ev == pytest.approx(4.0)


def test_metering_works_on_images_of_a_few_pixels() -> None:
    taken = take(changed(IDEAL, exposure__mode="auto"), np.full((3, 5, 3), 0.09))
    assert taken.metered_ev == pytest.approx(1.0, abs=1e-4)
