"""Denoising takes noise away and nothing else; where the library is missing it says so."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import UserError
from engine.frames import Frames
from engine.render import Renderer, denoise
from engine.scene.model import Light, LightKind, Material
from tests.kernels.scenes import ALL, IDENTITY, camera, draft_of, look_at, pose, quad, rig, scene, sphere

DOME = Light("/dome", LightKind.DOME, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
LAMP = Light("/lamp", LightKind.RECT, pose(at=(0, 0, 3)), (1.5, 1.5), 0.0, (4.0,) * 3)
STAGE = scene(
    [(quad(6.0), IDENTITY), (sphere(0.5), pose(at=(0.2, 0.1, 0.6)))],
    lights=(DOME, LAMP),
    materials=(Material("grey", base_color=(0.5,) * 3),),
)
CAMERA = camera(look_at((1.5, -2.0, 2.5), (0, 0, 0.4)))


def shot(*, spp: int, denoised: bool, quality: str = "path", worlds: tuple[int, ...] = (0,)) -> Frames:
    setup = dataclasses.replace(rig(size_px=(64, 48), spp=spp, quality=quality), bounces=3, denoise=denoised)
    renderer = Renderer(STAGE, setup, ALL, seed=1, device="cpu", threads=2)
    return renderer.render(draft_of(STAGE, setup, CAMERA, list(worlds)))


def linear(frames: Frames) -> NDArray[np.float32]:
    assert frames.rgb_linear is not None
    return frames.rgb_linear


@pytest.mark.parametrize("quality", ["direct", "path"])
def test_a_denoised_image_is_nearer_to_one_of_many_samples(quality: str) -> None:
    truth = linear(shot(spp=256, denoised=False, quality=quality))
    noisy, clean = (linear(shot(spp=4, denoised=d, quality=quality)) for d in (False, True))
    assert np.square(clean - truth).mean() < 0.35 * np.square(noisy - truth).mean()
    assert clean.mean() == pytest.approx(noisy.mean(), rel=0.01)


def test_pictures_are_those_of_the_denoised_light_and_labels_stay() -> None:
    noisy, clean = (shot(spp=4, denoised=d) for d in (False, True))
    for name in ("depth_m", "normal", "instance"):
        np.testing.assert_array_equal(getattr(clean, name), getattr(noisy, name))
    value = np.clip(linear(clean), 0.0, 1.0)
    srgb = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    assert clean.rgb is not None
    assert np.abs(clean.rgb - 255.0 * srgb).max() <= 0.51


def test_a_world_is_denoised_alone() -> None:
    np.testing.assert_array_equal(
        linear(shot(spp=2, denoised=True, worlds=(4, 7)))[1], linear(shot(spp=2, denoised=True, worlds=(7,)))[0]
    )


def test_a_missing_library_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoise.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(denoise.ctypes.util, "find_library", lambda _: None)
    with pytest.raises(UserError, match=r"rig\.denoise: Open Image Denoise is not installed; pip install"):
        shot(spp=1, denoised=True)
