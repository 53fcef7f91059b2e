"""On CUDA a sensor draws the same numbers as on the CPU and makes the same picture but for rounding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.render import Renderer
from tests.kernels.scenes import EVERYTHING, draft_of
from tests.kernels.sensors import changed, take
from tests.kernels.test_render import CAMERA, SETUP, STAGE
from tests.kernels.test_sensor_develop import NOISY

pytestmark = pytest.mark.gpu
CUDA = "cuda:0"


@pytest.mark.parametrize("mosaic", ["rggb", "none"])
def test_both_devices_count_the_same_electrons(mosaic: str) -> None:
    """Where a float falls on the other side of a photon or a code, one step differs; that is rare."""
    sensor = changed(NOISY, chip__mosaic=mosaic, chip__prnu=0.02, chip__hot_share=0.01, chip__hot_e_per_s=1e4,
                     chip__dsnu_e=2.0, chip__read_noise_e=3.0, develop__auto_white=True)  # fmt: skip
    light = np.random.default_rng(0).random((117, 93, 3)) ** 3
    here = take(sensor, light, worlds=(2, 5), cameras=2, seed=3)
    there = take(sensor, light, worlds=(2, 5), cameras=2, seed=3, threads=None, device=CUDA)
    assert there.metered_ev == pytest.approx(here.metered_ev, abs=1e-4)
    apart = np.abs(here.rgb.astype(int) - there.rgb.astype(int))
    assert (apart > 1).mean() < 0.01
    if mosaic != "none":
        assert (np.abs(here.raw - there.raw) > 2.0 / 1023).mean() < 1e-3


def test_pictures_do_not_depend_on_the_batch() -> None:
    """Graphs are replayed for other worlds; world 5 is the same alone and among others."""
    outputs = dataclasses.replace(EVERYTHING, sensor=NOISY)
    renderer = Renderer(STAGE, SETUP, outputs, seed=1, device=CUDA)
    among = renderer.render(draft_of(STAGE, SETUP, CAMERA, [4, 5, 6]))
    alone, again = (renderer.render(draft_of(STAGE, SETUP, CAMERA, [5])) for _ in range(2))
    assert among.rgb is not None
    assert alone.rgb is not None
    assert again.rgb is not None
    assert np.array_equal(among.rgb[1], alone.rgb[0])
    assert np.array_equal(again.rgb, alone.rgb)
    assert alone.keys.metered_ev is not None
    assert among.keys.metered_ev is not None
    assert alone.keys.metered_ev[0] == among.keys.metered_ev[1]
