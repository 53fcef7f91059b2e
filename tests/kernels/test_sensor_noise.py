"""Electrons: photon noise, dark signal, fixed pattern, read noise, full well and converter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.randomize.philox import philox, stream_key
from tests.kernels.sensors import IDEAL, changed, flat, take

WELL_E, READ_E, PRNU = 10_000.0, 4.0, 0.01
COUNTING = changed(IDEAL, chip__full_well_e=WELL_E, chip__mosaic="rggb")
NOISY = changed(COUNTING, chip__read_noise_e=READ_E, chip__prnu=PRNU)
PIXELS = 256 * 256
VARIANCE_ERROR = np.sqrt(2.0 / PIXELS)  # relative standard error of a normal variance


@pytest.mark.parametrize("signal_e", [0.0, 2.0, 11.0, 13.0, 100.0, 1000.0, 8000.0])
def test_variance_follows_the_photon_transfer_curve(signal_e: float) -> None:
    """Between frames read^2 + S; within one, (PRNU S)^2 more; the mean is S. Janesick, Photon Transfer, 2007."""
    first, second = take(NOISY, flat(signal_e / WELL_E), worlds=(0, 1)).raw.astype(np.float64) * WELL_E
    between = READ_E**2 + signal_e
    within = between + (PRNU * signal_e) ** 2
    assert np.var(first - second) / 2 == pytest.approx(between, rel=4 * VARIANCE_ERROR)
    assert np.var(first) == pytest.approx(within, rel=4 * VARIANCE_ERROR)
    assert first.mean() == pytest.approx(signal_e, abs=4 * np.sqrt(within / PIXELS))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.8])
def test_means_are_linear_to_a_thousandth(share: float) -> None:
    raw = take(changed(NOISY, chip__bits=12, chip__black_level=0.02), flat(share), worlds=tuple(range(4))).raw
    assert raw.mean(dtype=np.float64) == pytest.approx(share, rel=1e-3)


@pytest.mark.parametrize("mean_e", [0.05, 3.0, 11.9])
def test_few_photons_are_poisson_exactly(mean_e: float) -> None:
    """Pearson's test against the probabilities of Poisson's law, and whole numbers only."""
    counts = take(COUNTING, flat(mean_e / WELL_E)).raw.ravel() * WELL_E
    assert np.abs(counts - np.round(counts)).max() < 1e-2
    found = np.bincount(np.round(counts).astype(int))
    wanted = PIXELS * stats.poisson.pmf(np.arange(len(found)), mean_e)
    common = wanted >= 5.0
    rest = [found[~common].sum()], [PIXELS - wanted[common].sum()]
    observed, expected = (np.concatenate([a[common], b]) for a, b in ((found, rest[0]), (wanted, rest[1])))
    assert stats.chisquare(observed, expected).pvalue > 1e-4


@pytest.mark.parametrize("mean_e", [12.5, 60.0])
def test_more_photons_have_three_moments_of_poisson(mean_e: float) -> None:
    counts = take(COUNTING, flat(mean_e / WELL_E), worlds=(3, 4)).raw.ravel().astype(np.float64) * WELL_E
    assert counts.mean() == pytest.approx(mean_e, abs=4 * np.sqrt(mean_e / len(counts)))
    assert counts.var() == pytest.approx(mean_e, rel=4 * np.sqrt(2 / len(counts)))
    assert stats.skew(counts) == pytest.approx(mean_e**-0.5, abs=4 * np.sqrt(6 / len(counts)))


def test_noise_is_that_of_the_documented_counters() -> None:
    """Fixed pattern and read noise against NumPy's Philox: (serial, camera, pixel, 0) and (world, frame, pixel, 0)."""
    still = changed(IDEAL, chip__full_well_e=1e7, chip__mosaic="rggb", chip__serial=9)
    share = 0.25

    def normal(world: int, frame: int, key: tuple[int, int], part: int) -> np.ndarray:
        word = philox((world, frame, np.arange(32 * 32), 0), key).astype(np.float64)
        radius, turn = (((word[:, k] // 256) + 0.5) / 2**24 for k in (0, 1))
        return np.sqrt(-2 * np.log(radius)) * (np.cos, np.sin)[part](2 * np.pi * turn)

    shot = normal(17, 1, stream_key(5, "sensor.noise"), 0) * np.sqrt(share * 1e7)
    for values, wanted in (
        ({"chip__prnu": 0.02}, 0.02 * share * 1e7 * normal(9, 1, stream_key(0, "sensor.pattern"), 0)),
        ({"chip__dsnu_e": 5000.0}, 5000.0 * normal(9, 1, stream_key(0, "sensor.pattern"), 1)),
        ({"chip__read_noise_e": 5000.0}, 5000.0 * normal(17, 1, stream_key(5, "sensor.noise"), 1)),
    ):
        raw = take(changed(still, **values), flat(share, 32), worlds=(17,), cameras=2, seed=5).raw[1].ravel() * 1e7
        more = (shot * np.sqrt(1 + wanted / share / 1e7)) if "chip__prnu" in values else shot
        assert np.abs(raw - share * 1e7 - wanted - more).max() < 15.0  # of 2.5e6: float32 and polynomials


def test_the_pattern_belongs_to_the_chip() -> None:
    """Hot pixels and offsets are the same in every frame of a camera, and others in another camera and serial."""
    sensor = changed(COUNTING, chip__dsnu_e=40.0, chip__hot_share=0.01, chip__hot_e_per_s=1e5, exposure__time_s=0.1)
    one, other, again, _ = take(sensor, flat(0.0, 128), worlds=(0, 8), cameras=2).raw.reshape(4, -1)
    twin = take(changed(sensor, chip__serial=1), flat(0.0, 128)).raw.ravel()
    hot, again_hot, other_hot, twin_hot = (np.flatnonzero(image > 0.05) for image in (one, again, other, twin))
    share = np.exp(-500 / 1e4)  # of an exponential law of mean 1e4 e-, what lies above 500
    assert len(hot) == pytest.approx(0.01 * 128**2 * share, abs=4 * np.sqrt(164))
    assert len(np.intersect1d(hot, again_hot)) > 0.95 * len(hot)
    assert len(np.intersect1d(hot, other_hot)) < 0.1 * len(hot) > len(np.intersect1d(hot, twin_hot))
    cold = np.setdiff1d(np.arange(128**2), np.concatenate([hot, again_hot, other_hot]))
    assert np.corrcoef(one[cold], again[cold])[0, 1] > 0.9
    assert abs(np.corrcoef(one[cold], other[cold])[0, 1]) < 0.05
    assert one[cold].std() * WELL_E == pytest.approx(40.0, rel=0.1)


def test_dark_current_makes_noise_but_no_light() -> None:
    """The mean of optically black pixels is taken away; its noise stays."""
    raw = take(changed(COUNTING, chip__dark_e_per_s=1000.0, exposure__time_s=0.4), flat(0.0)).raw * WELL_E
    assert raw.mean(dtype=np.float64) == pytest.approx(0.0, abs=4 * np.sqrt(400 / PIXELS))
    assert raw.var(dtype=np.float64) == pytest.approx(400.0, rel=4 * VARIANCE_ERROR)


def test_a_stop_doubles_the_electrons_and_speed_halves_what_makes_white() -> None:
    """One stop: twice the share. Twice the speed: the same share of half the electrons, and twice the variance."""
    base = take(COUNTING, flat(0.2)).raw
    brighter = take(COUNTING, flat(0.2), draft_values={"exposure_ev": 1.0}).raw
    faster = take(changed(COUNTING, exposure__iso=200.0), flat(0.2)).raw
    assert brighter.mean(dtype=np.float64) == pytest.approx(0.4, rel=1e-3)
    assert faster.mean(dtype=np.float64) == pytest.approx(0.2, rel=1e-3)
    assert faster.var(dtype=np.float64) / base.var(dtype=np.float64) == pytest.approx(2.0, rel=8 * VARIANCE_ERROR)


def test_a_full_well_holds_no_more() -> None:
    """Far above saturation every pixel reads 1, without noise; just below, none reads more."""
    assert np.array_equal(take(COUNTING, flat(50.0)).raw, np.ones((1, 256, 256), np.float32))
    assert take(changed(COUNTING, chip__bits=12), flat(1.0)).raw.max() == 1.0


def test_the_converter_rounds_to_its_steps() -> None:
    """Numbers are whole shares of the range above black, down to below black."""
    sensor = changed(NOISY, chip__bits=8, chip__black_level=0.1, chip__read_noise_e=100.0)
    raw = take(sensor, flat(0.0)).raw.astype(np.float64)
    steps = raw * (255 - 26)
    assert np.abs(steps - np.round(steps)).max() < 1e-3
    assert raw.min() < 0.0


def test_settings_of_a_camera_saturate_at_the_luminance_of_iso_12232() -> None:
    """L = 78 N^2 / (0.65 t S); a white diffuser under 500 lx has radiance 1 and 500 / pi cd/m^2."""
    f_number, time_s, iso = 2.8, 1 / 50, 400.0
    values = {"mode": "settings", "f_number": f_number, "time_s": time_s, "iso": iso}
    sensor = changed(IDEAL, chip__mosaic="rggb", **{f"exposure__{name}": value for name, value in values.items()})
    saturating = 78 * f_number**2 / (0.65 * time_s * iso) / (500 / np.pi)
    assert take(sensor, flat(0.5 * saturating, 8)).raw == pytest.approx(0.5, rel=1e-5)
    assert take(sensor, flat(0.5 * saturating, 8), draft_values={"exposure_ev": -1.0}).raw == pytest.approx(
        0.25, rel=1e-5
    )


@pytest.mark.parametrize("mosaic", ["none", "rggb"])
def test_threads_and_batches_change_nothing(mosaic: str) -> None:
    """World 7 alone on one thread, and among others in parts for three."""
    sensor = changed(NOISY, chip__mosaic=mosaic, chip__hot_share=0.01, chip__hot_e_per_s=1e4, lens__bloom_share=0.1,
                     exposure__mode="auto", develop__auto_white=True, lens__aberration=[0.01, -0.01])  # fmt: skip
    light = np.random.default_rng(0).random((53, 75, 3))
    alone = take(sensor, light, worlds=(7,), cameras=2)
    among = take(sensor, light, worlds=(3, 7, 9), cameras=2, threads=3)
    assert np.array_equal(alone.rgb, among.rgb[2:4])
    assert np.array_equal(alone.metered_ev, among.metered_ev[2:4])
    assert not np.array_equal(among.rgb[0], among.rgb[2])
