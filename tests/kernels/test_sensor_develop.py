"""From raw numbers to pictures: demosaic, white balance, colour matrix, tone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import convolve

from engine.randomize.look.light import black_body
from engine.render import Renderer
from engine.render.sensor_strip import sensor_strip
from engine.scene.model import Material
from engine.sensors.change import EFFECTS
from engine.sensors.change import changed as with_values
from engine.sensors.color import encoded_srgb, filmic, tone_curve
from tests.kernels.scenes import ALL, draft_of, look_at, pose, quad, render, rig, scene, sphere, with_ambient
from tests.kernels.scenes import camera as scene_camera
from tests.kernels.sensors import IDEAL, changed, flat, take

RAW = changed(IDEAL, chip__mosaic="rggb", develop__tone="linear")
RED = {"rggb": (0, 0), "grbg": (0, 1), "gbrg": (1, 0), "bggr": (1, 1)}  # y, x
NOISY = changed(IDEAL, chip__full_well_e=5000.0, chip__mosaic="rggb", chip__bits=10, lens__bloom_share=0.05,
                lens__vignetting=[-0.3, 0.0, 0.0], lens__aberration=[0.01, -0.01], develop__tone="filmic",
                develop__headroom_ev=1.0, exposure__mode="auto")  # fmt: skip

# Malvar, He, Cutler 2004, figure 2, times 8: the seven filters as printed.
AT_GREEN_SITE = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
IN_ROW = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]) / 8
ACROSS = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]) / 8
MALVAR = (AT_GREEN_SITE, IN_ROW, IN_ROW.T, ACROSS)
BILINEAR = (
    np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4,
    np.array([[0, 0, 0], [1, 0, 1], [0, 0, 0]]) / 2,
    np.array([[0, 1, 0], [0, 0, 0], [0, 1, 0]]) / 2,
    np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]]) / 4,
)


def demosaiced(raw: NDArray[np.float64], red: tuple[int, int], filters: tuple[NDArray[np.float64], ...]) -> NDArray:
    """Return colours [y, x, 3] in float64 by convolutions of the whole mosaic."""
    green_else, in_row, in_column, across = (convolve(raw, f[::-1, ::-1], mode="mirror") for f in filters)
    y, x = np.indices(raw.shape)
    red_row, red_column = y % 2 == red[0], x % 2 == red[1]
    is_red, is_blue = red_row & red_column, ~red_row & ~red_column
    return np.stack([
        np.select([is_red, is_blue, red_row], [raw, across, in_row], in_column),
        np.where(is_red | is_blue, green_else, raw),
        np.select([is_blue, is_red, red_row], [raw, across, in_column], in_row),
    ], axis=-1)  # fmt: skip


@pytest.mark.parametrize("mosaic", list(RED))
@pytest.mark.parametrize("name", ["malvar", "bilinear"])
def test_demosaic_is_the_published_filters(mosaic: str, name: str) -> None:
    """All pixels of odd sizes, borders mirrored, to half a code."""
    light = np.random.default_rng(1).random((37, 45, 3))
    taken = take(changed(RAW, chip__mosaic=mosaic, develop__demosaic=name), light)
    wanted = demosaiced(taken.raw[0].astype(np.float64), RED[mosaic], MALVAR if name == "malvar" else BILINEAR)
    assert np.abs(taken.rgb[0] - np.clip(wanted, 0, 1) * 255).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("mosaic", list(RED))
def test_a_mosaic_samples_the_channel_of_its_filter(mosaic: str) -> None:
    light = np.tile([0.1, 0.2, 0.3], (8, 12, 1))
    raw = take(changed(RAW, chip__mosaic=mosaic), light).raw[0]
    red_y, red_x = RED[mosaic]
    assert raw[red_y::2, red_x::2] == pytest.approx(0.1)
    assert raw[1 - red_y :: 2, 1 - red_x :: 2] == pytest.approx(0.3)
    assert raw[red_y::2, 1 - red_x :: 2] == pytest.approx(0.2)


def test_colours_survive_filters_that_overlap() -> None:
    """The inverse of the response undoes it: flat colours come back, whatever the chip."""
    response = [[0.52, 0.16, 0.02], [0.1, 0.8, 0.1], [0.02, 0.17, 0.56]]
    for color in ([0.5, 0.5, 0.5], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]):
        rgb = take(changed(RAW, chip__response=response), np.zeros((16, 16, 3)) + color).rgb
        assert np.abs(rgb - np.array(color) * 255).max() <= 1.0


@pytest.mark.parametrize("mosaic", ["none", "rggb"])
def test_white_balance_makes_its_black_body_grey(mosaic: str) -> None:
    """Set to the light's temperature it is grey; at that of sRGB's white nothing changes."""
    light = flat(0.3, 16) * (black_body(np.array(3000.0)) / black_body(np.array(6504.0)))
    light /= light.max() / 0.3
    balanced = take(changed(RAW, chip__mosaic=mosaic, develop__white_kelvin=3000.0), light).rgb
    assert np.ptp(balanced.astype(int)) <= 1
    assert np.ptp(take(changed(RAW, chip__mosaic=mosaic), light).rgb.astype(int), axis=-1).min() > 20


def test_grey_world_makes_the_mean_grey() -> None:
    rng = np.random.default_rng(2)
    light = 0.2 + 0.2 * rng.random((96, 96, 1)) * np.array([1.2, 1.0, 0.6]) * np.ones((1, 1, 3))
    light *= np.array([1.3, 1.0, 0.5])
    rgb = take(changed(RAW, develop__auto_white=True), light).rgb.reshape(-1, 3).mean(axis=0)
    assert np.ptp(rgb) < 0.5


@pytest.mark.parametrize(("tone", "headroom_ev"), [("srgb", 0.0), ("srgb", 2.0), ("filmic", 2.0), ("filmic", 0.0),
                                                   ("gamma", 0.5), ("linear", 0.0), ("linear", 1.0)])  # fmt: skip
def test_codes_are_the_tone_curve_rounded_and_never_fall(tone: str, headroom_ev: float) -> None:
    """A ramp of 64 thousand shares of saturation, against the curve in float64."""
    sensor = changed(IDEAL, develop__tone=tone, develop__headroom_ev=headroom_ev, chip__bits=0, lens__bloom_share=0.0,
                     develop__auto_white=False)  # fmt: skip
    share = np.linspace(0.0, 1.0, 256 * 256)
    light = np.repeat(share.reshape(256, 256, 1), 3, axis=2) * 2.0**headroom_ev
    codes = take(sensor, light).rgb[0, ..., 1].ravel().astype(int)
    wanted = tone_curve(share, sensor.develop) * 255
    assert np.abs(codes - wanted).max() <= 0.5 + 2e-3
    assert (np.diff(codes) >= 0).all()
    assert codes[0] == 0
    assert codes[-1] == 255


def test_filmic_is_narkowiczs_fit() -> None:
    """Values of the published curve: 0.8038 at 1, near 1 at 10; white is the saturation of the chip."""
    assert filmic(1.0) == pytest.approx(2.54 / 3.16)
    assert tone_curve(
        2.0**-2, changed(IDEAL, develop__tone="filmic", develop__headroom_ev=2.0).develop
    ) == pytest.approx(encoded_srgb(filmic(1.0) / filmic(4.0)))


def test_contrast_turns_about_middle_grey_and_saturation_about_luminance() -> None:
    grey = take(changed(RAW, develop__contrast=1.5), flat(0.18, 8)).rgb
    assert np.abs(grey - 0.18 * 255).max() <= 0.5
    dark = take(changed(RAW, develop__contrast=2.0), flat(0.09, 8)).rgb
    assert np.abs(dark - 0.045 * 255).max() <= 0.5
    color = np.array([0.6, 0.4, 0.2])
    luminance = color @ [0.2126, 0.7152, 0.0722]
    dull = take(changed(RAW, develop__saturation=0.5), np.zeros((8, 8, 3)) + color).rgb
    assert np.abs(dull - (luminance + 0.5 * (color - luminance)) * 255).max() <= 0.6


def stage() -> tuple:
    """Return a scene, a camera and a rig."""
    brown = (Material("brown", base_color=(0.6, 0.35, 0.2)),)
    stage = scene([(quad(4.0), pose()), (sphere(0.5), pose(at=(0.3, 0, 0.5)))], materials=brown)
    view = scene_camera(look_at((2.0, -2.0, 1.5), (0, 0, 0.3)))
    return stage, view, with_ambient(rig(size_px=(75, 53)), 0.5, 1.0)


def test_labels_and_radiance_do_not_know_of_the_sensor() -> None:
    """Bit for bit, whatever it does to the picture."""
    world, view, setup = stage()
    plain = render(world, view, setup)
    noisy = render(world, view, setup, outputs=dataclasses.replace(ALL, sensor=NOISY))
    for name in ("depth_m", "normal", "instance", "rgb_linear"):
        assert np.array_equal(getattr(plain, name), getattr(noisy, name))
    assert not np.array_equal(plain.rgb, noisy.rgb)
    assert plain.keys.metered_ev is None
    assert noisy.keys.metered_ev is not None


def test_the_ideal_sensor_is_the_film() -> None:
    """Configured or absent it is the same picture, and the chain that would replace it makes that one, too."""
    world, view, setup = stage()
    plain = render(world, view, setup)
    configured = render(world, view, setup, outputs=dataclasses.replace(ALL, sensor=IDEAL))
    assert np.array_equal(plain.rgb, configured.rgb)
    assert np.array_equal(take(IDEAL, plain.rgb_linear[0]).rgb, plain.rgb)


def test_pictures_depend_on_neither_threads_nor_batches() -> None:
    world, view, setup = stage()
    outputs = dataclasses.replace(ALL, sensor=NOISY)
    three = draft_of(world, setup, view, [4, 5, 6])
    one = draft_of(world, setup, view, [5])
    alone = Renderer(world, setup, outputs, seed=1, device="cpu", threads=1).render(one)
    among = Renderer(world, setup, outputs, seed=1, device="cpu", threads=3).render(three)
    assert np.array_equal(alone.rgb[0], among.rgb[1])
    assert alone.keys.metered_ev[0] == among.keys.metered_ev[1]
    assert not np.array_equal(among.rgb[0], among.rgb[1])


def test_every_effect_has_a_strip() -> None:
    """Each step of each effect is a sensor, and the first and last ones make other pictures."""
    world, view, setup = stage()
    draft = draft_of(world, setup, view, [0])
    for steps in EFFECTS.values():
        strip = sensor_strip(world, setup, draft, IDEAL, (steps[0], steps[-1]), device="cpu")
        assert strip.shape == (53, 2 * 75, 3)
        assert not np.array_equal(strip[:, :75], strip[:, 75:])
        for step in steps:
            with_values(IDEAL, step)
